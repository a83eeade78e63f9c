/* SPDX-License-Identifier: ISC */
/*
 * cpu-random.h - the processor's sources of random numbers. Whether what they give can be
 * believed is entropy.c's to judge; its test puts others in their place.
 */
#ifndef POLDER_RUNTIME_CPU_RANDOM_H
#define POLDER_RUNTIME_CPU_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* Ask first: where a processor has not got it, the instruction is an invalid one. */
bool cpu_has_rdrand(void);
bool cpu_has_rdseed(void);

/* False when nothing came, though it was tried for a while. */
bool cpu_rdrand(uint64_t *ret);
bool cpu_rdseed(uint64_t *ret);

uint64_t cpu_ticks(void);

#endif
