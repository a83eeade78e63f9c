/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says hello and its command line, and ends with what "exit=N" says. */
#include "guest.h"

GUEST_DEVICES();

static int zero[1000], one = 1;
static const int two = 2;

void guest_main(void)
{
	volatile int *z = zero, *o = &one;
	const volatile int *t = &two;

	for (size_t i = 0; i < 1000; i++)
		g_require(z[i] == 0);
	g_require(*o == 1 && *t == 2);
	/* Behind the data lies in the file what is not the guest's. */
	for (const volatile char *p = (const volatile char *)(&one + 1);
	     (uintptr_t)p % 4096 != 0; p++)
		g_require(*p == 0);
	*o = z[999] = 3;
	g_require(*o == 3 && z[999] == 3);
	/* Others count what the file has alone; our tenders the zeroes, too. */
	g_require(g_boot->kernel_end >= (uintptr_t)(&one + 1));
	g_require(!g_word("zeroes") || g_boot->kernel_end >= (uintptr_t)&zero[1000]);
	g_puts("hello ");
	g_puts(g_boot->cmdline);
	g_puts("\n");
	g_exit((int)g_arg("exit", 0));
}

GUEST_END
