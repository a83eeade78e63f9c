/* SPDX-License-Identifier: ISC */
/*
 * clock [TICKS [MS]]: the date, then so many ticks so many ms apart, each with how late
 * it came. Ends with 1 if a clock went back, or a tick came before its time.
 */
#include <inttypes.h>
#include <polder/guest/guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned long number(const char *word, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(word, &end, 10);

	if (*end != '\0' || value == 0 || value > max) {
		fprintf(stderr, "clock: '%s' is not a number from 1 to %lu\n", word, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	unsigned long ticks = argc > 1 ? number(argv[1], 1000000) : 5;
	uint64_t step = (argc > 2 ? number(argv[2], 3600000) : 100) * PG_MS;
	uint64_t start = pg_clock_monotonic(), last = start, due = start;
	uint64_t wall = pg_clock_wall();
	time_t now = time(NULL);
	char text[64];
	unsigned long i;

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime(&now));
	printf("%s UTC\n", text);
	for (i = 1; i <= ticks; i++) {
		uint64_t at;

		due += step;
		pg_sleep_until(due);
		at = pg_clock_monotonic();
		printf("tick %lu at %" PRIu64 " us, %" PRIu64 " us late\n", i,
		       (at - start) / PG_US, (at - due) / PG_US);
		if (at < due || at < last)
			return 1;
		last = at;
	}
	printf("%" PRIu64 " ms by the one clock, %" PRId64 " ms by the other\n",
	       (last - start) / PG_MS, ((int64_t)(pg_clock_wall() - wall)) / 1000000);
	return 0;
}
