/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits ms=N (100) by one yield, and tells what that took, and the time of day in s. */
#include "guest.h"

GUEST_DEVICES();

void guest_main(void)
{
	uint64_t ms = g_arg("ms", 100), begin = g_now(), end;

	g_require(g_yield(begin + ms * 1000000) == 0);
	end = g_now();
	g_require(end - begin >= ms * 1000000);
	g_puts("waited ");
	g_put_u64((end - begin) / 1000000);
	g_puts(" ms\nwall ");
	g_put_u64(g_wall() / 1000000000);
	g_puts("\n");
}

GUEST_END
