/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest runtime's generator of random bytes, with processors that have a source, have
 * none, and have a broken one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Its state is its own: each test begins with that of a start. */
#include "../../runtime/entropy.c"

enum kind { ABSENT, GOOD, CONSTANT, ZERO, FAILING, FAILS_LATE };
static enum kind seed_kind, rand_kind;
static unsigned seed_words, rand_words;

bool cpu_has_rdseed(void)
{
	return seed_kind != ABSENT;
}

bool cpu_has_rdrand(void)
{
	return rand_kind != ABSENT;
}

static bool word(enum kind kind, unsigned n, uint64_t *ret)
{
	assert_int_not_equal(kind, ABSENT);
	*ret = kind == CONSTANT ? ~(uint64_t)0 :
	       kind == ZERO     ? 0 :
				  (n + 1) * 0x9e3779b97f4a7c15u;
	return kind != FAILING && !(kind == FAILS_LATE && n >= 6);
}

bool cpu_rdseed(uint64_t *ret)
{
	return word(seed_kind, seed_words++, ret);
}

bool cpu_rdrand(uint64_t *ret)
{
	return word(rand_kind, rand_words++, ret);
}

/* A machine on which nothing ever changes. */
uint64_t cpu_ticks(void)
{
	return 1;
}

uint64_t abi_monotonic(void)
{
	return 2;
}

uint64_t abi_wall(void)
{
	return 3;
}

static void machine(enum kind with_seed, enum kind with_rand)
{
	memset(key, 0, sizeof(key));
	good_bits = 0;
	source = SOURCE_NONE;
	asked = has_rdrand = false;
	seed_kind = with_seed;
	rand_kind = with_rand;
	seed_words = rand_words = 0;
}

static bool all_zero(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void good(void **state)
{
	unsigned char a[100], b[100];

	(void)state;
	machine(GOOD, GOOD);
	assert_int_equal(pg_entropy_bits(), PG_ENTROPY_FULL);
	assert_string_equal(pg_entropy_source(), "rdseed");
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	assert_int_equal(pg_entropy(b, sizeof(b)), PG_OK);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(seed_words >= 4 && rand_words >= 8);
	machine(ABSENT, GOOD);
	assert_string_equal(pg_entropy_source(), "rdrand");
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	/* Over two seeds of that generator. */
	assert_true(rand_words > 2 * 1022);
}

static void refused(void **state)
{
	static const enum kind kinds[][2] = {
		{ ABSENT, ABSENT },   { CONSTANT, ABSENT },       { ZERO, ABSENT },
		{ FAILING, FAILING }, { CONSTANT, CONSTANT },     { FAILS_LATE, ABSENT },
		{ ABSENT, FAILING },  { FAILS_LATE, FAILS_LATE },
	};
	unsigned char a[64], b[64];

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		machine(kinds[i][0], kinds[i][1]);
		memset(a, 1, sizeof(a));
		assert_int_equal(pg_entropy(a, sizeof(a)), PG_NO_ENTROPY);
		assert_true(all_zero(a, sizeof(a)));
		assert_int_equal(pg_entropy_bits(), 0);
		assert_string_equal(pg_entropy_source(), "none");
		pg_entropy_weak(a, sizeof(a));
		pg_entropy_weak(b, sizeof(b));
		assert_memory_not_equal(a, b, sizeof(a));
	}
	/* A broken one does not spoil the other. */
	machine(CONSTANT, GOOD);
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	assert_string_equal(pg_entropy_source(), "rdrand");
}

static void added(void **state)
{
	unsigned char a[64], b[64];

	(void)state;
	machine(ABSENT, ABSENT);
	pg_entropy_add("no promise", 10, 0);
	assert_int_equal(pg_entropy_bits(), 0);
	pg_entropy_add("half", 4, 128);
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_NO_ENTROPY);
	pg_entropy_add("half", 4, 128);
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	assert_string_equal(pg_entropy_source(), "added");
	pg_entropy_add("more", 4, ~0u);
	assert_int_equal(pg_entropy_bits(), PG_ENTROPY_FULL);

	/* What is added matters, and no more than that: the same seed, the same bytes. */
	machine(ABSENT, ABSENT);
	pg_entropy_add("one", 3, 256);
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	machine(ABSENT, ABSENT);
	pg_entropy_add("one", 3, 256);
	assert_int_equal(pg_entropy(b, sizeof(b)), PG_OK);
	assert_memory_equal(a, b, sizeof(a));
	machine(ABSENT, ABSENT);
	pg_entropy_add("two", 3, 256);
	assert_int_equal(pg_entropy(b, sizeof(b)), PG_OK);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* Two copies of one memory go apart by what the processor gives, and none gives out what
 * was its key. */
static void copies(void **state)
{
	unsigned char before[32], a[96], b[96];

	(void)state;
	machine(GOOD, GOOD);
	assert_int_equal(pg_entropy(a, 32), PG_OK);
	memcpy(before, key, sizeof(key));
	assert_int_equal(pg_entropy(a, sizeof(a)), PG_OK);
	memcpy(key, before, sizeof(key));
	assert_int_equal(pg_entropy(b, sizeof(b)), PG_OK);
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i + 32 <= sizeof(b); i++) {
		assert_memory_not_equal(b + i, before, 32);
		assert_memory_not_equal(b + i, key, 32);
	}
}

static void canary(void **state)
{
	uint64_t one;

	(void)state;
	machine(ABSENT, GOOD);
	one = pg_entropy_early();
	assert_int_equal(one & 0xff, 0);
	assert_true(pg_entropy_early() != one);
	machine(ABSENT, ABSENT);
	assert_true(pg_entropy_early() != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),   cmocka_unit_test(refused),
		cmocka_unit_test(added),  cmocka_unit_test(copies),
		cmocka_unit_test(canary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
