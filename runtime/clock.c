/* SPDX-License-Identifier: ISC */
#include "internal.h"

uint64_t pg_clock_monotonic(void)
{
	return abi_monotonic();
}

uint64_t pg_clock_wall(void)
{
	return abi_wall();
}

uint64_t pg_deadline_in(uint64_t ns)
{
	uint64_t now = abi_monotonic();

	return ns > PG_NEVER - now ? PG_NEVER : now + ns;
}

/*
 * A device that has a frame cuts a wait short. There is no wait for time alone in the
 * ABIs, so with a frame pending this asks again and again until the time has come.
 */
void pg_sleep_until(uint64_t deadline)
{
	while (abi_monotonic() < deadline)
		(void)abi_poll(deadline);
}

pg_set pg_poll(uint64_t deadline)
{
	pg_set ready;

	do
		ready = abi_poll(deadline);
	while (ready == 0 && (deadline == PG_NEVER || abi_monotonic() < deadline));
	return ready;
}
