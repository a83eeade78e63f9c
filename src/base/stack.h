/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stack.h - a process that is to wait for long, on a stack that costs little.
 *
 * The kernel puts a program's first stack far from all its other memory: a page or two of
 * it keep three pages of page tables, and what the start has used of it stays. Who is
 * going to wait for days is made by stack_fork, on a stack beside the program's data, and
 * gives the first one up by stack_leave.
 *
 * Where that cannot be had (another C library than musl, another processor than x86-64, a
 * sanitizer) stack_fork is fork, and stack_leave gives back no more than what lies unused.
 */
#ifndef POLDER_BASE_STACK_H
#define POLDER_BASE_STACK_H

#include <stddef.h>
#include <sys/types.h>

/* As fork; the child runs fn(arg), which must not return. arg is in its own copy of this
 * memory, but it must not lie on the stack of who calls. */
pid_t stack_fork(void (*fn)(void *arg), void *arg);

/*
 * What this process has used of its stack below its caller's frames is given back; and
 * in a child of stack_fork, the whole stack that came from before it. The words of the
 * command move to the heap, and of the environment what Polder asks it for. Nothing may
 * point to that stack any more: no argument of main, no result of getenv, nothing out of
 * a function that was running at the fork.
 */
void stack_leave(void);
/* The first half of that alone. */
void stack_give_back(void);

#endif
