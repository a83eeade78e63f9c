/* SPDX-License-Identifier: ISC */
/*
 * Theory of operation
 *
 * One key of 32 bytes is the whole state. Whatever comes in is hashed together with it
 * into the next key (BLAKE2s); what goes out is a stream of ChaCha20 under it, whose
 * first 32 bytes become the next key and are never given out. So a key that is found
 * later says nothing about earlier output, and bad input cannot make good state worse.
 *
 * The processor's source is asked the first time that anything is wanted, since few
 * programs want anything, and then a little at every request: two copies of one memory
 * image part there.
 *
 * What counts. RDSEED hands out what its source collected: 4 words would be 256 bits; we
 * take 8. RDRAND is itself a generator, good for 128 bits, which takes a new seed at least
 * once in 1022 words: over 2048 of them it has used two. Words that repeat, or are all
 * zeros or ones, are the known faults of both: then nothing counts.
 */
#include "blake2s.h"
#include "chacha.h"
#include "cpu-random.h"
#include "internal.h"

#include <stdbool.h>
#include <string.h>

#define RDSEED_WORDS 8
#define RDRAND_WORDS 2048
#define WORDS_EACH 4 /* at every request */

enum source { SOURCE_NONE, SOURCE_ADDED, SOURCE_RDRAND, SOURCE_RDSEED };

static uint8_t key[32];
static unsigned good_bits;
static enum source source;
static bool asked, has_rdrand;

uint64_t pg_entropy_early(void)
{
	uint64_t value = 0;

	if (!cpu_has_rdrand() || !cpu_rdrand(&value))
		value = (cpu_ticks() ^ abi_wall()) * 0x9e3779b97f4a7c15u;
	value ^= value >> 29;
	return value & ~(uint64_t)0xff; /* a string cannot run over the zero byte */
}

static void absorb(const void *data, size_t len)
{
	struct pg_blake2s s;

	pg_blake2s_init(&s);
	pg_blake2s_add(&s, key, sizeof(key));
	pg_blake2s_add(&s, data, len);
	pg_blake2s_end(&s, key);
	memset(&s, 0, sizeof(s));
	__asm__ volatile("" : : "r"(&s) : "memory"); /* or it would be left out */
}

/* n words go into the key; true if all of them came and none is like the one before. */
static bool absorb_words(bool (*get)(uint64_t *), unsigned n)
{
	uint64_t chunk[8], last = 0;
	unsigned i, fill = 0;

	for (i = 0; i < n; i++) {
		uint64_t word;

		if (!get(&word) || word == 0 || word == ~(uint64_t)0 || word == last)
			return false;
		last = word;
		chunk[fill++] = word;
		if (fill == 8 || i + 1 == n) {
			absorb(chunk, fill * sizeof(chunk[0]));
			fill = 0;
		}
	}
	return true;
}

static void ask_processor(void)
{
	asked = true;
	has_rdrand = cpu_has_rdrand();
	if (cpu_has_rdseed() && absorb_words(cpu_rdseed, RDSEED_WORDS))
		source = SOURCE_RDSEED;
	else if (has_rdrand && absorb_words(cpu_rdrand, RDRAND_WORDS))
		source = SOURCE_RDRAND;
	if (source >= SOURCE_RDRAND)
		good_bits = PG_ENTROPY_FULL;
}

/* What differs between two moments, and between two copies. */
static void stir(void)
{
	uint64_t now[3] = { cpu_ticks(), abi_monotonic(), abi_wall() };

	if (!asked)
		ask_processor();
	absorb(now, sizeof(now));
	if (has_rdrand)
		(void)absorb_words(cpu_rdrand, WORDS_EACH);
}

static void generate(uint8_t *buf, size_t len)
{
	static const uint8_t nonce[12];
	uint8_t block[64], next[32];
	uint32_t counter = 0;
	size_t n, from = sizeof(next);

	pg_chacha20_block(key, counter, nonce, block);
	memcpy(next, block, sizeof(next));
	while (len > 0) {
		if (from == sizeof(block)) {
			/* No memory is so large that the counter came round. */
			pg_chacha20_block(key, ++counter, nonce, block);
			from = 0;
		}
		n = sizeof(block) - from < len ? sizeof(block) - from : len;
		memcpy(buf, block + from, n);
		buf += n;
		len -= n;
		from += n;
	}
	memcpy(key, next, sizeof(key));
	memset(block, 0, sizeof(block));
	memset(next, 0, sizeof(next));
	__asm__ volatile("" : : "r"(block), "r"(next) : "memory");
}

unsigned pg_entropy_bits(void)
{
	if (!asked)
		ask_processor();
	return good_bits;
}

const char *pg_entropy_source(void)
{
	static const char *const name[] = { "none", "added", "rdrand", "rdseed" };

	if (!asked)
		ask_processor();
	return name[source];
}

int pg_entropy(void *buf, size_t len)
{
	if (pg_entropy_bits() < PG_ENTROPY_FULL) {
		memset(buf, 0, len);
		return PG_NO_ENTROPY;
	}
	stir();
	generate(buf, len);
	return PG_OK;
}

void pg_entropy_weak(void *buf, size_t len)
{
	stir();
	generate(buf, len);
}

void pg_entropy_add(const void *seed, size_t len, unsigned bits)
{
	if (!asked)
		ask_processor();
	absorb(seed, len);
	if (bits == 0)
		return;
	good_bits =
		bits < PG_ENTROPY_FULL - good_bits ? good_bits + bits : PG_ENTROPY_FULL;
	if (source == SOURCE_NONE)
		source = SOURCE_ADDED;
}
