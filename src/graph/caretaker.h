/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * caretaker.h - what a caretaker's argument says, as numbers.
 *
 * For whoever enforces a binding: walk binding->through and read each word with
 * caretaker_parse(). Several words of one kind stand for several conditions, of which all
 * hold: max=10M and max=100files, two hide= patterns, two kinds of fault. Their order has
 * no meaning: one server enforces all of them, `log` records what the program asked for
 * and how it ended, and subdir= is the way that its granter goes, which no hide= closes.
 *
 * Pure and without memory of its own: text in struct caretaker_args is the word's.
 */
#ifndef POLDER_GRAPH_CARETAKER_H
#define POLDER_GRAPH_CARETAKER_H

#include "graph/graph.h"

enum caretaker {
	CARE_RO,
	CARE_SUBDIR,
	CARE_HIDE,
	CARE_MAX,
	CARE_RATE,
	CARE_TTL,
	CARE_ONCE,
	CARE_LOG,
	CARE_FAULT,
	CARE_ASK,
	CARE_COUNT
};

enum care_unit { CARE_BYTES, CARE_FILES, CARE_OPS };

enum care_fault { FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT, FAULT_SLOW, FAULT_COUNT };

#define CARE_CERTAIN ((uint64_t)1 << 32)

struct caretaker_args {
	enum caretaker kind;
	const char *text;      /* subdir: the path; hide: the pattern */
	enum care_unit unit;   /* max: bytes or files; rate: bytes or ops */
	uint64_t amount;       /* max: in all, from 1; rate: in each second, from 1 */
	bool absolute;         /* ttl: a point in time was written, not a duration */
	uint64_t ttl_ms;       /* ttl: the duration, if one was written */
	uint64_t until_ns;     /* ttl: CLOCK_REALTIME, a whole second */
	enum care_fault fault; /* fault */
	uint64_t probability;  /* fault: 1 to CARE_CERTAIN, which is always */
	uint64_t seed;         /* fault: 0 if none was written */
	uint64_t slow_ms;      /* fault of slow: how long an operation waits */
};

/* PE_USAGE: no caretaker of that name, or not an argument of its kind. now_ns is
 * CLOCK_REALTIME: where a duration begins. */
int caretaker_parse(const struct kv *k, uint64_t now_ns, struct caretaker_args *ret,
		    struct err *err);

/*
 * Writes every ttl= that is a duration as the point in time at which it ends, counted
 * from now_ns (CLOCK_REALTIME) and rounded up to a whole second: "ttl=@1767225600". Done
 * once, when a binding is granted; what is recorded is absolute. -ENOMEM. PE_REFUSED: it
 * has passed already.
 */
int binding_fix_ttl(struct binding *b, uint64_t now_ns, struct err *err);

/* The earliest ttl= of b as CLOCK_REALTIME ns; UINT64_MAX: none, or only durations. */
uint64_t binding_until(const struct binding *b);

/* A glob for one name: "*", "?", "[a-z]", "[!a]"; everything else is itself. Bytes, not
 * characters; a leading dot is not special. Linear in the product of the two lengths. */
bool pattern_match(const char *pattern, const char *name);
/* 1 to 255 bytes without "/" and control characters, no "." and "..", brackets closed. */
bool pattern_valid(const char *pattern);

/* ---- which is the narrower ---- */

/* Both limit the same: max= of the same unit, hide= of the same pattern, … */
bool caretaker_same_subject(const struct kv *a, const struct kv *b);
/* a lets through at most what b does, as far as can be told. */
bool caretaker_within(const struct kv *a, const struct kv *b);
/* Every condition of b is one of a, or a tighter one is. */
bool through_within(const struct kv *a, size_t n_a, const struct kv *b, size_t n_b);

#endif
