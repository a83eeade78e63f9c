/* SPDX-License-Identifier: ISC */
/*
 * blockcheck [--read-only] [--mark=WORD] [--limit=MB]: checks the block device "storage".
 *
 * It writes a pattern over all of it, in steps over the whole range so that a device that
 * folds its addresses is found out, reads it back, and says how fast both were. A block
 * that holds something else is named, with what it holds: another block's pattern (that
 * was written to the wrong place), an older run's, or nothing known.
 *
 * --read-only only compares: what an earlier run with the same --mark wrote must be there
 * still. Ends with 0; 1 if contents were wrong; 2 if the device failed a call or an
 * argument was wrong.
 *
 * It destroys what is on the device, which is what the name of its slot says.
 */
#include <inttypes.h>
#include <polder/guest/guest.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PG_BLOCK_DEVICE("storage");

#define REPORTS_MAX 8

struct check {
	pg_device disk;
	struct pg_block_info info;
	uint64_t blocks; /* of the device that are looked at */
	uint64_t mark;
	uint64_t bad;
	unsigned char *buf, *want;
};

/* What begins each block: the rest is made of it. */
struct head {
	uint64_t magic, mark, block;
};
#define MAGIC UINT64_C(0x6b63656863626c6b)

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void pattern(const struct check *c, uint64_t block, unsigned char *ret)
{
	struct head head = { MAGIC, c->mark, block };
	uint64_t value = mix(c->mark ^ mix(block));
	size_t at;

	for (at = 0; at < c->info.block_size; at += sizeof(value)) {
		memcpy(ret + at, &value, sizeof(value));
		value = value * UINT64_C(6364136223846793005) + 1442695040888963407u;
	}
	memcpy(ret, &head, sizeof(head));
}

/* Every block once, never two neighbours in a row: i × an odd number nearest to the
 * golden section, within the next power of two. */
static uint64_t place(const struct check *c, uint64_t i)
{
	uint64_t span = 1, step;

	while (span < c->blocks)
		span *= 2;
	step = span / 8 * 5 | 1;
	return i * step & (span - 1);
}

static void report(struct check *c, uint64_t block)
{
	struct head head;

	if (++c->bad > REPORTS_MAX)
		return;
	memcpy(&head, c->buf, sizeof(head));
	printf("block %" PRIu64 ": ", block);
	if (head.magic != MAGIC)
		printf("holds something else\n");
	else if (head.block != block)
		printf("holds what was written to block %" PRIu64 "\n", head.block);
	else if (head.mark != c->mark)
		printf("holds what another run wrote\n");
	else
		printf("begins right, and is damaged further on\n");
}

static void failed(const char *what, uint64_t block, int status)
{
	printf("%s block %" PRIu64 ": %s\n", what, block, pg_strstatus(status));
	exit(2);
}

static void write_all(struct check *c)
{
	uint64_t i, n, size = c->info.block_size;

	for (i = n = 0; n < c->blocks; i++) {
		uint64_t block = place(c, i);
		int status;

		if (block >= c->blocks)
			continue;
		n++;
		pattern(c, block, c->want);
		status = pg_block_write(c->disk, block * size, c->want, size);
		if (status != PG_OK)
			failed("writing", block, status);
	}
}

static void compare_all(struct check *c)
{
	uint64_t block, size = c->info.block_size;

	for (block = 0; block < c->blocks; block++) {
		int status = pg_block_read(c->disk, block * size, c->buf, size);

		if (status != PG_OK)
			failed("reading", block, status);
		pattern(c, block, c->want);
		if (memcmp(c->buf, c->want, size) != 0)
			report(c, block);
	}
}

/* MB/s without floating point, one digit behind the point. */
static void timed(struct check *c, const char *what, void (*step)(struct check *))
{
	uint64_t start = pg_clock_monotonic(), us, bytes, rate;

	step(c);
	us = (pg_clock_monotonic() - start) / PG_US + 1;
	bytes = c->blocks * c->info.block_size;
	rate = bytes * 10 / us;
	printf("%s %" PRIu64 " blocks in %" PRIu64 " ms: %" PRIu64 ".%" PRIu64 " MB/s\n",
	       what, c->blocks, us / 1000, rate / 10, rate % 10);
}

/* A range that ends behind the device must be refused, and one within must not. */
static void edges(struct check *c)
{
	uint64_t size = c->info.block_size, end = c->info.capacity;

	if (pg_block_read(c->disk, end - size, c->buf, size) != PG_OK)
		failed("reading the last", end / size - 1, PG_FAILED);
	if (pg_block_read(c->disk, end, c->buf, size) == PG_OK ||
	    pg_block_read(c->disk, 1, c->buf, size) == PG_OK ||
	    pg_block_read(c->disk, UINT64_MAX - size + 1, c->buf, size) == PG_OK) {
		printf("a read past the end, or between blocks, was not refused\n");
		exit(1);
	}
}

static uint64_t mark_of(const char *word)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *word; word++)
		h = (h ^ (unsigned char)*word) * UINT64_C(0x100000001b3);
	return h;
}

static void arguments(struct check *c, int argc, char **argv, bool *ret_read_only)
{
	uint64_t size = c->info.block_size;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--read-only") == 0) {
			*ret_read_only = true;
		} else if (strncmp(argv[i], "--mark=", 7) == 0) {
			c->mark = mark_of(argv[i] + 7);
		} else if (strncmp(argv[i], "--limit=", 8) == 0) {
			uint64_t most = strtoull(argv[i] + 8, NULL, 10) * 1000000 / size;

			c->blocks = most < c->blocks ? most : c->blocks;
		} else {
			printf("blockcheck [--read-only] [--mark=WORD] [--limit=MB]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct check c = { .mark = mark_of("") };
	bool read_only = false;
	int status = pg_block_find("storage", &c.disk, &c.info);

	if (status != PG_OK)
		failed("finding", 0, status);
	c.blocks = c.info.capacity / c.info.block_size;
	arguments(&c, argc, argv, &read_only);
	c.buf = malloc(c.info.block_size);
	c.want = malloc(c.info.block_size);
	if (!c.buf || !c.want)
		failed("preparing", 0, PG_NO_MEMORY);
	printf("storage: %" PRIu64 " bytes in blocks of %" PRIu32 "\n", c.info.capacity,
	       c.info.block_size);
	edges(&c);
	if (!read_only)
		timed(&c, "wrote", write_all);
	timed(&c, "read", compare_all);
	if (c.bad > 0) {
		printf("WRONG: %" PRIu64 " blocks hold something else\n", c.bad);
		return 1;
	}
	printf("all is right\n");
	return 0;
}
