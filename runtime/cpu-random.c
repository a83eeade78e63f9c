/* SPDX-License-Identifier: ISC */
#include "cpu-random.h"

static void cpuid(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c)
{
	uint32_t d;

	__asm__ volatile("cpuid"
			 : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(d)
			 : "a"(leaf), "c"(0));
}

bool cpu_has_rdrand(void)
{
	uint32_t a, b, c;

	cpuid(1, &a, &b, &c);
	return c >> 30 & 1;
}

bool cpu_has_rdseed(void)
{
	uint32_t a, b, c;

	cpuid(0, &a, &b, &c);
	if (a < 7)
		return false;
	cpuid(7, &a, &b, &c);
	return b >> 18 & 1;
}

uint64_t cpu_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* RDRAND fails ten times running only if it is broken. */
bool cpu_rdrand(uint64_t *ret)
{
	unsigned tries;
	bool good = false;

	for (tries = 0; tries < 10 && !good; tries++)
		__asm__ volatile("rdrand %0" : "=r"(*ret), "=@ccc"(good));
	return good;
}

/* RDSEED fails whenever others have emptied it; it fills in less than a microsecond. */
bool cpu_rdseed(uint64_t *ret)
{
	unsigned tries;
	bool good = false;

	for (tries = 0; tries < 1000 && !good; tries++)
		__asm__ volatile("pause\n\trdseed %0" : "=r"(*ret), "=@ccc"(good));
	return good;
}
