/* SPDX-License-Identifier: ISC */
/*
 * poll.h - waiting, the one way in which a program gives the processor away.
 */
#ifndef POLDER_GUEST_POLL_H
#define POLDER_GUEST_POLL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bit d for the net device with the handle d. */
typedef uint64_t pg_set;

#define PG_SET_OF(d) ((pg_set)1 << (d))

static inline bool pg_set_has(pg_set set, unsigned d)
{
	return d < 64 && (set >> d & 1) != 0;
}

/*
 * Waits until a net device has a frame to read or pg_clock_monotonic() is at least
 * deadline, and returns the devices that have one; 0 when it was the deadline. A deadline
 * in the past asks without waiting; PG_NEVER waits for a frame alone.
 *
 * It may return 0 a little early or for no reason: a caller looks at the clock and comes
 * again. A device stays in the set of later calls until it was read to PG_AGAIN.
 * Block devices are never in it: their calls do not wait.
 */
pg_set pg_poll(uint64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
