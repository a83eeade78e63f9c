/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the time. All numbers are nanoseconds. time(), gettimeofday(),
 * clock_gettime(CLOCK_MONOTONIC or CLOCK_REALTIME), clock(), sleep(), usleep() and
 * nanosleep() of the C library are made of these.
 */
#ifndef POLDER_GUEST_CLOCK_H
#define POLDER_GUEST_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PG_US UINT64_C(1000)
#define PG_MS UINT64_C(1000000)
#define PG_SECOND UINT64_C(1000000000)

/* A deadline that never comes. */
#define PG_NEVER UINT64_MAX

/*
 * Never goes back; where it starts means nothing (spt: the host's own count since it was
 * booted; hvt: the start of the guest). While the guest is paused it may stand still
 * (hvt) or go on (spt).
 */
uint64_t pg_clock_monotonic(void);

/*
 * Since 1970-01-01 00:00 UTC, as the tender has it; it may be set while the program
 * runs, and be wrong. hvt: a call costs an exit to the tender, about 1 us or more.
 */
uint64_t pg_clock_wall(void);

/* pg_clock_monotonic() + ns, or PG_NEVER where that would be too large to count. */
uint64_t pg_deadline_in(uint64_t ns);

/* Waits until pg_clock_monotonic() is at least deadline, whatever devices have. */
void pg_sleep_until(uint64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
