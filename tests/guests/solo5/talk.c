/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One net device, "service": sends a frame every us=N (500) for ms=N (600000), and tells in
 * lines what changes: "hears" and "silent" (nothing for 200 ms), "cannot send" and "sends again".
 */
#include "guest.h"

GUEST_DEVICES(GUEST_NET("service"));

static uint8_t frame[2048];

void guest_main(void)
{
	uint64_t start = g_now(), heard = 0, now = start, n, sent = start;
	uint64_t end = start + g_arg("ms", 600000) * 1000000;
	bool hears = false, sends = true;

	for (; now < end; now = g_now()) {
		if (g_net_read(1, frame, sizeof(frame), &n) == G_OK && n > 0) {
			heard = g_now();
			if (!hears)
				g_puts("hears\n");
			hears = true;
			continue;
		}
		if (hears && now - heard > 200000000) {
			g_puts("silent\n");
			hears = false;
		}
		if (now - sent >= g_arg("us", 500) * 1000) {
			int r = g_net_write(1, frame, 100);
			bool ok = r == G_OK || r == G_AGAIN; /* the other is slow */

			if (ok != sends)
				g_puts(ok ? "sends again\n" : "cannot send\n");
			sends = ok;
			sent = now;
		}
		(void)g_yield(sent + g_arg("us", 500) * 1000);
	}
}

GUEST_END
