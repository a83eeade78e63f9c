/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frames.c - a unikernel that measures its net device, with another one of it on the
 * other side. One of
 *
 *	flood [MS]     sends frames of 1500 bytes of payload as fast as it can
 *	count          counts those that arrive
 *	ping [COUNT]   sends a frame of 64 bytes, waits for it to come back, and again
 *	echo           sends back what comes
 *
 * count and echo end with the other side. They announce themselves until they hear of
 * it, so that a bridge knows where they are, and it waits for that. Prints numbers and
 * their names, one a line.
 */
#include <inttypes.h>
#include <polder/guest/guest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PG_NET_DEVICE("service");

#define HEADER 14
#define TYPE_AT 12 /* after the two addresses */
#define KIND_AT 14
#define SMALL 64
#define LARGE (HEADER + 1500)
#define MAX_PINGS 200000
#define PATIENCE (20 * PG_SECOND)

enum kind { HERE = 1, DATA, END };

static pg_device dev;
static struct pg_net_info info;
static unsigned char out[LARGE], in[PG_NET_FRAME_BYTES(9000)];
static uint32_t took[MAX_PINGS]; /* ns */

static void die(const char *why)
{
	pg_println(why);
	exit(1);
}

static void send(enum kind kind, size_t len)
{
	memcpy(out + 6, info.mac, 6);
	out[TYPE_AT] = 0x88; /* the number for experiments */
	out[TYPE_AT + 1] = 0xb5;
	out[KIND_AT] = (unsigned char)kind;
	(void)pg_net_write(dev, out, len); /* what gets lost is part of the matter */
}

/* A frame of ours, if one is there; else 0. */
static enum kind read_frame(void)
{
	size_t len;

	while (pg_net_read(dev, in, sizeof(in), &len) == PG_OK)
		if (len >= SMALL && in[TYPE_AT] == 0x88 && in[TYPE_AT + 1] == 0xb5)
			return (enum kind)in[KIND_AT];
	return 0;
}

/* The next one; 0 if it does not come for so many ns. The clock costs, so it is asked
 * only when there is none. */
static enum kind receive(uint64_t patience)
{
	enum kind kind = read_frame();
	uint64_t end = kind ? 0 : pg_deadline_in(patience);

	while (!kind && (pg_poll(end) != 0 || pg_clock_monotonic() < end))
		kind = read_frame();
	return kind;
}

static void answer_to_sender(void)
{
	memcpy(out, in + 6, 6);
}

/* Until the other side is heard of; its first frame is in `in`. */
static enum kind announce(void)
{
	uint64_t end = pg_deadline_in(PATIENCE);

	memset(out, 0xff, 6);
	while (pg_clock_monotonic() < end) {
		enum kind kind;

		send(HERE, SMALL);
		kind = receive(10 * PG_MS);
		if (kind == DATA || kind == END)
			return kind;
	}
	die("nobody is on the other side");
	return 0;
}

static void find_other_side(void)
{
	uint64_t end = pg_deadline_in(PATIENCE);

	while (receive(PATIENCE) != HERE)
		if (pg_clock_monotonic() >= end)
			die("nobody is on the other side");
	answer_to_sender();
}

static void say_end(void)
{
	for (int i = 0; i < 20; i++) {
		send(END, SMALL);
		pg_sleep_until(pg_deadline_in(PG_MS));
	}
}

static void flood(uint64_t ms)
{
	uint64_t sent = 0, end;

	find_other_side();
	end = pg_deadline_in(ms * PG_MS);
	while (sent % 64 || pg_clock_monotonic() < end) { /* the clock costs */
		send(DATA, LARGE);
		sent++;
	}
	say_end();
	printf("sent %" PRIu64 "\n", sent);
}

static void count(void)
{
	enum kind kind = announce();
	uint64_t n = 0, begin = pg_clock_monotonic(), last = begin;

	for (; kind != END; kind = receive(PATIENCE)) {
		if (kind == 0)
			die("the other side fell silent");
		n += kind == DATA;
		if (kind == DATA && n % 64 == 0)
			last = pg_clock_monotonic();
	}
	if (last == begin)
		die("nothing came");
	printf("per-second %" PRIu64 "\n",
	       (n & ~UINT64_C(63)) * PG_SECOND / (last - begin));
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void ping(unsigned rounds)
{
	unsigned lost = 0;

	if (rounds == 0 || rounds > MAX_PINGS)
		die("so many are not counted");
	find_other_side();
	for (unsigned i = 0; i < rounds;) {
		uint64_t begin = pg_clock_monotonic();
		enum kind kind;

		send(DATA, SMALL);
		do
			kind = receive(100 * PG_MS);
		while (kind == HERE);
		if (kind == 0 && lost++ == 100)
			die("the other side fell silent");
		if (kind == DATA)
			took[i++] = (uint32_t)(pg_clock_monotonic() - begin);
	}
	say_end();
	qsort(took, rounds, sizeof(*took), compare);
	printf("min-ns %" PRIu32 "\nmedian-ns %" PRIu32 "\nlost %u\n", took[0],
	       took[rounds / 2], lost);
}

static void echo(void)
{
	enum kind kind = announce();

	answer_to_sender();
	while (kind == DATA) {
		send(DATA, SMALL);
		kind = receive(PATIENCE);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (pg_net_find("service", &dev, &info) != PG_OK)
		die("there is no net device");
	if (strcmp(what, "flood") == 0)
		flood(n ? n : 1000);
	else if (strcmp(what, "count") == 0)
		count();
	else if (strcmp(what, "ping") == 0)
		ping(n ? (unsigned)n : 20000);
	else if (strcmp(what, "echo") == 0)
		echo();
	else
		die("usage: frames flood [MS] | count | ping [COUNT] | echo");
	return 0;
}
