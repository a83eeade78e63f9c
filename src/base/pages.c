/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE ((uintptr_t)4096)

/* The linker's, of a program; a shared library has none of its own. Constants lie behind the
 * instructions, before what is written. */
extern const char __ehdr_start[] __attribute__((weak));
extern const char __init_array_start[] __attribute__((weak));

static void want(uintptr_t from, uintptr_t to, int how)
{
	from &= ~(PAGE - 1);
	to &= ~(PAGE - 1);
	if (to > from)
		(void)madvise((void *)from, to - from, how);
}

void pages_want_code(void)
{
	if ((uintptr_t)__ehdr_start && (uintptr_t)__init_array_start)
		want((uintptr_t)__ehdr_start, (uintptr_t)__init_array_start,
		     MADV_POPULATE_READ);
}

void pages_want_stack(size_t bytes)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	want(here - bytes, here, MADV_POPULATE_WRITE);
}
