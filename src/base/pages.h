/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.h - memory that will be needed soon, asked for with one call.
 *
 * A page fault costs several times what a page in a batch does, most of all in a virtual
 * machine, and a start has a hundred of them: a fork's child begins without the program's
 * pages, and both sides copy what they write. These are hints: where the kernel does not
 * know them (before Linux 5.14), the faults come one by one.
 */
#ifndef POLDER_BASE_PAGES_H
#define POLDER_BASE_PAGES_H

#include <stddef.h>

/* The program's instructions and constants. */
void pages_want_code(void);
/* So many bytes of the stack below the caller, to be written. */
void pages_want_stack(size_t bytes);

#endif
