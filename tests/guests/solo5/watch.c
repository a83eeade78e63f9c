/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One block device, "storage", read (block 0) and written (block 1) for ms=N (600000): what
 * comes of it is a line whenever it changes, as "reads a, writes" or "reads fail, writes
 * fail". "spin" goes without rest; how long the round took in which it changed, or the one
 * before it, is in its lines then, in microseconds. Else it rests us=N (1000) each time.
 */
#include "guest.h"

GUEST_DEVICES(GUEST_BLOCK("storage"));

static char buf[32768];

static void tell(int read, bool wrote, uint64_t held_ns)
{
	char c[2] = { (char)read, '\0' };

	g_puts("reads ");
	g_puts(read < 0 ? "fail" : read ? c : "zeros");
	g_puts(wrote ? ", writes" : ", writes fail");
	if (g_word("spin")) {
		g_puts(", held ");
		g_put_u64(held_ns / 1000);
	}
	g_puts("\n");
}

void guest_main(void)
{
	uint64_t bs = g_boot->manifest->e[1].u.block.block_size, last = g_now(),
		 before = 0;
	uint64_t end = last + g_arg("ms", 600000) * 1000000,
		 rest = g_arg("us", 1000) * 1000;
	int was = -2;
	bool wrote = false;

	while (last < end) {
		int read = g_block_read(1, 0, buf, bs) == G_OK ? (uint8_t)buf[0] : -1;
		bool writes;
		uint64_t now;

		memset(buf, 'w', bs);
		writes = g_block_write(1, bs, buf, bs) == G_OK;
		now = g_now();
		if (read != was || writes != wrote) {
			tell(read, writes, now - last > before ? now - last : before);
			now = g_now();
		}
		before = now - last;
		was = read;
		wrote = writes;
		last = now;
		if (!g_word("spin"))
			(void)g_yield(now + rest);
	}
}

GUEST_END
