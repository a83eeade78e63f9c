/* SPDX-License-Identifier: ISC */
/*
 * ticks.h - from a counter of the processor to nanoseconds. Pure; tested on the host.
 *
 * ns = ticks × factor / 2^32, with 128 bits in between, so that nothing overflows in
 * 500 years; the factor's rounding is below 1e-9 for every frequency from 1 GHz up.
 */
#ifndef POLDER_RUNTIME_TICKS_H
#define POLDER_RUNTIME_TICKS_H

#include <stdint.h>

__extension__ typedef unsigned __int128 pg_u128;

/* hz is not 0. */
static inline uint64_t pg_ticks_factor(uint64_t hz)
{
	return (uint64_t)(((UINT64_C(1000000000) << 32) + hz / 2) / hz);
}

static inline uint64_t pg_ticks_to_ns(uint64_t ticks, uint64_t factor)
{
	return (uint64_t)((pg_u128)ticks * factor >> 32);
}

#endif
