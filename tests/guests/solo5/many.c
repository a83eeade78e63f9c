/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several devices of both types, in a mixed order. Reads a block of each volume and prints
 * its first 8 bytes, then sends the name of each net device to it, and waits for a frame on
 * each, whose first byte it prints.
 */
#include "guest.h"

GUEST_DEVICES(GUEST_BLOCK("b1"), GUEST_NET("n1"), GUEST_BLOCK("b2"), GUEST_NET("n2"),
	      GUEST_BLOCK("b3"));

static char buf[4096];

void guest_main(void)
{
	const struct g_entry *e = g_boot->manifest->e;
	uint64_t waiting = 0, n;

	g_require(g_boot->manifest->entries == 6);
	for (uint64_t i = 1; i < 6; i++) {
		g_require(e[i].attached);
		if (e[i].type == 2) {
			g_require(g_net_write(i, g_copy(buf, e[i].name, 2), 2) == G_OK);
			waiting |= 1ull << i;
			continue;
		}
		g_require(g_block_read(i, e[i].u.block.capacity - e[i].u.block.block_size,
				       buf, e[i].u.block.block_size) == G_OK);
		g_write(buf, 8);
		g_puts("\n");
	}
	while (waiting) {
		uint64_t ready = g_yield(g_now() + 5000000000u);

		g_require(ready != 0 && (ready & ~waiting) == 0);
		for (uint64_t i = 1; i < 6; i++) {
			if (!(ready & 1ull << i))
				continue;
			g_require(g_net_read(i, buf, sizeof(buf), &n) == G_OK && n > 0);
			g_puts(e[i].name);
			g_puts(" ");
			g_write(buf, 1);
			g_puts("\n");
			waiting &= ~(1ull << i);
		}
	}
}

GUEST_END
