/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One net device, "service": sends back n=N frames (1), with the first two bytes of each
 * exchanged, and ends with 3 if none comes for ms=N (5000). "hello" sends one frame first.
 * Unless "any=1", no frame may be there at the start.
 */
#include "guest.h"

GUEST_DEVICES(GUEST_NET("service"));

static uint8_t frame[2048];

static void announce(void)
{
	const struct g_entry *e = &g_boot->manifest->e[1];

	g_require(e->attached && e->type == 2 && g_equal(e->name, "service"));
	g_puts("mac ");
	for (int i = 0; i < 6; i++)
		g_put_u64(e->u.net.mac[i]), g_puts(i < 5 ? ":" : " mtu ");
	g_put_u64(e->u.net.mtu);
	g_puts("\n");
}

void guest_main(void)
{
	uint64_t left = g_arg("n", 1), ms = g_arg("ms", 5000), n = 0;

	announce();
	if (!g_arg("any", 0)) /* a frame may be there already */
		g_require(g_net_read(1, frame, sizeof(frame), &n) == G_AGAIN);
	if (g_word("hello"))
		g_require(g_net_write(1, g_copy(frame, "hello", 5), 5) == G_OK);
	while (left > 0) {
		uint8_t first;

		if (g_yield(g_now() + ms * 1000000) != 1u << 1)
			g_exit(3);
		if (g_net_read(1, frame, sizeof(frame), &n) != G_OK)
			continue;
		first = frame[0];
		frame[0] = frame[1];
		frame[1] = first;
		(void)g_net_write(1, frame, n);
		left--;
	}
	g_puts("echoed\n");
}

GUEST_END
