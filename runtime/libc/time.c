/* SPDX-License-Identifier: ISC */
#include "../internal.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

int gettimeofday(struct timeval *tv, void *zone)
{
	uint64_t ns = pg_clock_wall();

	(void)zone;
	if (tv) {
		tv->tv_sec = (time_t)(ns / PG_SECOND);
		tv->tv_usec = (suseconds_t)(ns % PG_SECOND / PG_US);
	}
	return 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / PG_SECOND), (long)(ns % PG_SECOND) };
}

int clock_gettime(clockid_t which, struct timespec *ret)
{
	if (which == CLOCK_REALTIME)
		*ret = timespec_of(pg_clock_wall());
	else if (which == CLOCK_MONOTONIC)
		*ret = timespec_of(pg_clock_monotonic());
	else
		return errno = EINVAL, -1;
	return 0;
}

int clock_getres(clockid_t which, struct timespec *ret)
{
	if (which != CLOCK_REALTIME && which != CLOCK_MONOTONIC)
		return errno = EINVAL, -1;
	if (ret)
		*ret = timespec_of(1);
	return 0;
}

int nanosleep(const struct timespec *t, struct timespec *left)
{
	if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (long)PG_SECOND)
		return errno = EINVAL, -1;
	if ((uint64_t)t->tv_sec >= PG_NEVER / PG_SECOND)
		pg_sleep_until(PG_NEVER);
	pg_sleep_until(
		pg_deadline_in((uint64_t)t->tv_sec * PG_SECOND + (uint64_t)t->tv_nsec));
	if (left)
		*left = timespec_of(0);
	return 0;
}

unsigned sleep(unsigned seconds)
{
	pg_sleep_until(pg_deadline_in(seconds * PG_SECOND));
	return 0;
}

int usleep(useconds_t us)
{
	pg_sleep_until(pg_deadline_in(us * PG_US));
	return 0;
}

/* Of the processor's time, the program has all: clock() is made of this. */
clock_t times(struct tms *ret)
{
	clock_t now = (clock_t)(pg_clock_monotonic() / (PG_SECOND / CLOCKS_PER_SEC));

	*ret = (struct tms){ .tms_utime = now };
	return now;
}
