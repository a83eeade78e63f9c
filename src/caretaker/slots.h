/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots.h - things by a 64-bit number that is never given twice: the index of a slot, and
 * above it how often the slot was used. The first number is 1, which is FUSE's for the root.
 * The caller locks.
 */
#ifndef POLDER_CARETAKER_SLOTS_H
#define POLDER_CARETAKER_SLOTS_H

#include <stdint.h>

struct slot {
	void *what;    /* NULL: free */
	uint32_t uses; /* of the number that is, or was last */
	uint32_t next; /* of the free ones; 0: none */
};

struct slots {
	struct slot *at; /* [0] is never used */
	uint32_t n, cap, first_free;
};

/* 0: there is no memory. */
uint64_t slots_put(struct slots *s, void *what);
void *slots_get(const struct slots *s, uint64_t id); /* NULL: there is no such number */
void slots_drop(struct slots *s, uint64_t id);

#endif
