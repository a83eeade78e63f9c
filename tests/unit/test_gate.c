/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "solo5/gate.h"

#define MEM 0x200000u
#define RO SOLO5_LOAD_MIN            /* one page of constants */
#define NONE (SOLO5_LOAD_MIN + 4096) /* one that nobody may read */
#define FREE (SOLO5_LOAD_MIN + 8192)

static uint8_t memory[MEM];
static const char *why;

static const struct gate gate = {
	.base = memory,
	.size = MEM,
	.range = { { 0, SOLO5_LOAD_MIN, true },
		   { RO, RO + 4096, true },
		   { NONE, NONE + 4096, false } },
	.n_ranges = 3,
};

static bool allowed(uint64_t gpa, uint64_t len, bool write)
{
	uint8_t *p = NULL;

	why = NULL;
	if (gate_data(&gate, gpa, len, write, &p, &why) == 0) {
		assert_ptr_equal(p, memory + gpa);
		return true;
	}
	assert_non_null(why);
	return false;
}

static void test_bounds(void **state)
{
	(void)state;
	assert_true(allowed(FREE, 1, true));
	assert_true(allowed(MEM - 1, 1, true));
	assert_true(allowed(FREE, MEM - FREE, true));
	assert_true(allowed(MEM, 0, false));
	assert_false(allowed(MEM, 1, false));
	assert_false(allowed(MEM - 1, 2, false));
	assert_false(allowed(MEM + 1, 0, false));
	assert_false(allowed(UINT64_MAX, 0, false));
}

static void test_no_wrap(void **state)
{
	(void)state;
	assert_false(allowed(FREE, UINT64_MAX, false));
	assert_false(allowed(FREE, UINT64_MAX - FREE + 1, false));
	assert_false(allowed(FREE, UINT64_MAX - FREE + 2, false));
	assert_false(allowed(UINT64_MAX - 7, 8, false));
	assert_false(allowed(UINT64_MAX - 7, 16, false));
	assert_false(allowed(1ull << 63, 1ull << 63, false));
}

static void test_protections(void **state)
{
	(void)state;
	/* Constants and what lies below 1 MiB: read, not written. */
	assert_true(allowed(RO, 4096, false));
	assert_false(allowed(RO, 1, true));
	assert_true(allowed(0x10000, 56, false));
	assert_false(allowed(0x10000, 56, true));
	/* Neither, and a buffer that only reaches into it is refused, too. */
	assert_false(allowed(NONE, 1, false));
	assert_false(allowed(RO, 4097, false));
	assert_false(allowed(NONE + 4095, 2, false));
	assert_false(allowed(0, MEM, false));
	/* Beside it nothing is. */
	assert_true(allowed(FREE, 1, true));
	assert_true(allowed(NONE + 4096, 4096, true));
	/* Nothing at all is harmless anywhere. */
	assert_true(allowed(RO, 0, true));
}

static void put64(uint64_t at, uint64_t v)
{
	memcpy(memory + at, &v, sizeof(v));
}

static uint64_t get64(uint64_t at)
{
	uint64_t v;

	memcpy(&v, memory + at, sizeof(v));
	return v;
}

static int32_t get32(uint64_t at)
{
	int32_t v;

	memcpy(&v, memory + at, sizeof(v));
	return v;
}

static void test_take(void **state)
{
	struct gate_args a;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		put64(FREE + 8 * i, i + 1);
	assert_int_equal(gate_take(&gate, GATE_BLOCK_READ, FREE, &a, &why), 0);
	assert_int_equal(a.handle, 1);
	assert_int_equal(a.offset, 2);
	assert_int_equal(a.data, 3);
	assert_int_equal(a.len, 4);
	assert_int_equal(a.ret, 0);
	assert_int_equal(gate_take(&gate, GATE_NET_WRITE, FREE, &a, &why), 0);
	assert_int_equal(a.data, 2);
	assert_int_equal(a.len, 3);
	assert_int_equal(gate_take(&gate, GATE_PUTS, FREE, &a, &why), 0);
	assert_int_equal(a.data, 1);
	assert_int_equal(a.len, 2);
	assert_int_equal(gate_take(&gate, GATE_POLL, FREE, &a, &why), 0);
	assert_int_equal(a.timeout_ns, 1);
	put64(FREE + 8, 0xfffffffful);
	assert_int_equal(gate_take(&gate, GATE_HALT, FREE, &a, &why), 0);
	assert_int_equal(a.cookie, 1);
	assert_int_equal(a.status, -1);
}

/* What is changed after it was taken is not seen: that is what the copy is for. */
static void test_taken_once(void **state)
{
	struct gate_args a;

	(void)state;
	put64(FREE, FREE + 64);
	put64(FREE + 8, 16);
	assert_int_equal(gate_take(&gate, GATE_PUTS, FREE, &a, &why), 0);
	put64(FREE, UINT64_MAX);
	put64(FREE + 8, UINT64_MAX);
	assert_int_equal(a.data, FREE + 64);
	assert_int_equal(a.len, 16);
}

static void test_take_refuses(void **state)
{
	static const struct {
		uint32_t nr;
		uint32_t bytes;
	} calls[] = { { GATE_WALLTIME, 8 },    { GATE_PUTS, 16 },
		      { GATE_POLL, 24 },       { GATE_BLOCK_WRITE, 40 },
		      { GATE_BLOCK_READ, 40 }, { GATE_NET_WRITE, 32 },
		      { GATE_NET_READ, 32 },   { GATE_HALT, 16 } };
	struct gate_args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		uint32_t nr = calls[i].nr, bytes = calls[i].bytes;
		bool answers = nr != GATE_PUTS && nr != GATE_HALT;

		assert_int_equal(gate_take(&gate, nr, MEM - bytes, &a, &why), 0);
		assert_int_equal(gate_take(&gate, nr, MEM - bytes + 1, &a, &why), PE_BAD);
		assert_int_equal(gate_take(&gate, nr, UINT64_MAX, &a, &why), PE_BAD);
		/* The arguments of a call that answers lie where they may be written. */
		assert_int_equal(gate_take(&gate, nr, RO, &a, &why),
				 answers ? PE_BAD : 0);
		assert_int_equal(gate_take(&gate, nr, NONE, &a, &why), PE_BAD);
	}
	assert_int_equal(gate_take(&gate, 0, FREE, &a, &why), PE_BAD);
	assert_int_equal(gate_take(&gate, GATE_END, FREE, &a, &why), PE_BAD);
	assert_int_equal(gate_take(&gate, UINT32_MAX, FREE, &a, &why), PE_BAD);
}

static void test_give(void **state)
{
	struct gate_args a = {
		.wall_ns = 77, .ready_set = 0x12, .ret = 3, .len = 99, .handle = 1
	};

	(void)state;
	memset(memory + FREE, 0xee, 64);
	gate_give(&gate, GATE_NET_READ, FREE, &a);
	assert_int_equal(get64(FREE + 16), 99);
	assert_int_equal(get32(FREE + 24), 3);
	assert_int_equal(memory[FREE], 0xee); /* what was asked stays */
	assert_int_equal(memory[FREE + 28], 0xee);
	gate_give(&gate, GATE_BLOCK_READ, FREE, &a);
	assert_int_equal(get32(FREE + 32), 3);
	assert_int_equal(memory[FREE + 36], 0xee);
	gate_give(&gate, GATE_POLL, FREE, &a);
	assert_int_equal(get64(FREE + 8), 0x12);
	gate_give(&gate, GATE_WALLTIME, FREE, &a);
	assert_int_equal(get64(FREE), 77);
}

static void test_give_nowhere(void **state)
{
	static uint8_t before[MEM];
	struct gate_args a = { .wall_ns = 77, .ret = 3 };

	(void)state;
	memcpy(before, memory, MEM);
	gate_give(&gate, GATE_WALLTIME, RO, &a);
	gate_give(&gate, GATE_WALLTIME, MEM - 7, &a);
	gate_give(&gate, GATE_PUTS, FREE, &a);
	gate_give(&gate, GATE_END, FREE, &a);
	assert_memory_equal(before, memory, MEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),      cmocka_unit_test(test_no_wrap),
		cmocka_unit_test(test_protections), cmocka_unit_test(test_take),
		cmocka_unit_test(test_taken_once),  cmocka_unit_test(test_take_refuses),
		cmocka_unit_test(test_give),        cmocka_unit_test(test_give_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
