/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One block device, "storage".
 *
 *	size			prints capacity and block size
 *	read at=N		prints the text at the beginning of block N, up to a NUL
 *	write at=N c=C		fills block N with the character of code C
 *	sum			prints the sum of all bytes
 *
 * A call that the host answers with an error ends it with 10.
 */
#include "guest.h"

GUEST_DEVICES(GUEST_BLOCK("storage"));

static char buf[32768];

void guest_main(void)
{
	const struct g_entry *e = &g_boot->manifest->e[1];
	uint64_t bs = e->u.block.block_size, at = g_arg("at", 0) * bs, sum = 0;

	g_require(g_boot->manifest->version == 1 && g_boot->manifest->entries == 2);
	g_require(e->attached && e->type == 1 && g_equal(e->name, "storage"));
	if (g_word("size")) {
		g_put_u64(e->u.block.capacity);
		g_puts(" ");
		g_put_u64(bs);
		g_puts("\n");
	} else if (g_word("read")) {
		if (g_block_read(1, at, buf, bs) != G_OK)
			g_exit(10);
		buf[bs - 1] = '\0';
		g_puts(buf);
		g_puts("\n");
	} else if (g_word("write")) {
		memset(buf, (int)g_arg("c", 'x'), bs);
		if (g_block_write(1, at, buf, bs) != G_OK)
			g_exit(10);
	} else if (g_word("sum")) {
		for (at = 0; at < e->u.block.capacity; at += bs) {
			if (g_block_read(1, at, buf, bs) != G_OK)
				g_exit(10);
			for (uint64_t i = 0; i < bs; i++)
				sum += (uint8_t)buf[i];
		}
		g_put_u64(sum);
		g_puts("\n");
	} else {
		g_exit(2);
	}
}

GUEST_END
