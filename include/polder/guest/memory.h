/* SPDX-License-Identifier: ISC */
/*
 * memory.h - what the memory is used for.
 *
 *	0x100000   code          may not be written
 *	           constants     may not be written
 *	           stack         grows down; runs into the constants, and the program ends
 *	           data          with a fault. 256 KiB, or what polder cc --stack said
 *	           zeroed data
 *	           heap          malloc(); all the rest
 *
 * malloc() gives NULL when the heap is at its end. Memory that was never touched costs
 * the host nothing; what was freed is used again by malloc(), and stays the guest's.
 */
#ifndef POLDER_GUEST_MEMORY_H
#define POLDER_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_memory {
	uint64_t total;     /* what the tender gave, from address 0 */
	uint64_t image;     /* code, constants, data */
	uint64_t stack;     /* size of the stack */
	uint64_t heap;      /* size of the heap */
	uint64_t heap_held; /* of the heap: handed to malloc() so far (never sinks) */
};

void pg_memory(struct pg_memory *ret);

/* Bytes of stack that are left below the caller. */
size_t pg_stack_left(void);

/*
 * A piece of the heap's end, zeroed, for good: for those who bring an allocator of their
 * own. align is a power of two up to 4096. NULL when there is no room. malloc() goes on
 * working beside it.
 */
void *pg_memory_take(size_t size, size_t align);

#ifdef __cplusplus
}
#endif
#endif
