/* SPDX-License-Identifier: ISC */
/*
 * The heap: all between the image's end and the memory's end.
 *
 * malloc() takes from below (pg_memory_grow, by way of sbrk), pg_memory_take from above.
 * Neither gives anything back, so what lies between the two has never been touched and
 * is zero, as the tender left it.
 */
#include "internal.h"

extern char pg_image_start[], pg_image_end[], pg_stack_bottom[], pg_stack_top[];

static uintptr_t heap_start, heap_brk, heap_end, memory_end;

static uintptr_t round_up(uintptr_t value, uintptr_t to)
{
	return (value + to - 1) & ~(to - 1);
}

void pg_memory_init(const struct abi_boot *boot)
{
	uintptr_t image = (uintptr_t)pg_image_end;

	memory_end = boot->mem_size;
	heap_end = memory_end & ~(uintptr_t)15;
	heap_start = round_up(boot->kernel_end > image ? boot->kernel_end : image, 4096);
	if (heap_start > heap_end)
		pg_abort("there is not enough memory for the image");
	heap_brk = heap_start;
}

void *pg_memory_grow(size_t bytes)
{
	uintptr_t from = heap_brk;

	if (bytes > heap_end - heap_brk)
		return NULL;
	heap_brk += bytes;
	return (void *)from;
}

void *pg_memory_take(size_t size, size_t align)
{
	uintptr_t at;

	if (align == 0 || (align & (align - 1)) != 0 || align > 4096 ||
	    size > heap_end - heap_brk)
		return NULL;
	at = (heap_end - size) & ~(uintptr_t)(align - 1);
	if (at < heap_brk)
		return NULL;
	heap_end = at;
	return (void *)at;
}

void pg_memory(struct pg_memory *ret)
{
	*ret = (struct pg_memory){
		.total = memory_end,
		.image = (uint64_t)(pg_image_end - pg_image_start) -
			 (uint64_t)(pg_stack_top - pg_stack_bottom),
		.stack = (uint64_t)(pg_stack_top - pg_stack_bottom),
		.heap = heap_end - heap_start,
		.heap_held = heap_brk - heap_start,
	};
}

size_t pg_stack_left(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t bottom = (uintptr_t)pg_stack_bottom;

	return here > bottom ? here - bottom : 0;
}
