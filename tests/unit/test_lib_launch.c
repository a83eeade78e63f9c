/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libpolder and polder say to each other, and what a tender says of its slots: what
 * goes in comes out, and damage does not.
 */
#include "launch/request.h"
#include "launch/verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_request(void **state)
{
	static const char record[] = "any\0bytes";
	struct start_request q = { .again = "",
				   .keep = true,
				   .record = record,
				   .record_len = sizeof(record) },
			     got = { 0 };
	auto_str out = STR_INIT;

	(void)state;
	request_encode(&q, &out);
	assert_int_equal(request_decode(out.p, out.len, &got, NULL), 0);
	assert_true(got.keep);
	assert_false(got.accept_weaker);
	assert_string_equal(got.again, "");
	assert_int_equal(got.record_len, sizeof(record));
	assert_memory_equal(got.record, record, sizeof(record));
	for (size_t n = 0; n < out.len; n++)
		assert_int_equal(request_decode(out.p, n, &got, NULL), PE_BAD);
	str_addc(&out, 'x');
	assert_int_equal(request_decode(out.p, out.len, &got, NULL), PE_BAD);
}

static void an_answer(void **state)
{
	struct start_answer a = { .result = -13, .code = 126, .id = "", .text = "why" },
			    got;
	auto_str out = STR_INIT;

	(void)state;
	answer_encode(&a, &out);
	assert_true(out.len <= ANSWER_MAX);
	assert_int_equal(answer_decode(out.p, out.len, &got, NULL), 0);
	assert_int_equal(got.result, -13);
	assert_int_equal(got.code, 126);
	assert_string_equal(got.text, "why");
	for (size_t n = 0; n < out.len; n++)
		assert_int_equal(answer_decode(out.p, n, &got, NULL), PE_BAD);
	out.p[4]++; /* the version */
	assert_int_equal(answer_decode(out.p, out.len, &got, NULL), PE_BAD);
}

static void slots(void **state)
{
	struct slot_rows rows = { 0 };
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	(void)state;
	json_open(&j, '[');
	for (int i = 0; i < 2; i++) {
		json_open(&j, '{');
		json_kstr(&j, "slot", i ? "net" : "/a \"b\"\\\n\x01");
		json_kstr(&j, "interface", "dir");
		json_kstr(&j, "asked", "ä=b");
		json_kbool(&j, "implied", i);
		json_kstr(&j, "enforced", "somehow");
		json_kstr(&j, "cut", "complete");
		json_kstr(&j, "later", "unknown");
		json_kbool(&j, "weaker", !i);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	assert_int_equal(slots_read(str_text(&out), &rows, NULL), 0);
	assert_int_equal(rows.n, 2);
	assert_string_equal(rows.v[0].slot, "/a \"b\"\\\n\x01");
	assert_string_equal(rows.v[0].asked, "ä=b");
	assert_true(rows.v[0].weaker);
	assert_false(rows.v[0].implied);
	assert_true(rows.v[1].implied);
	slot_rows_fini(&rows);
	for (size_t n = out.len; n-- > 0;) {
		out.p[n] = '\0';
		assert_int_equal(slots_read(out.p, &rows, NULL), PE_BAD);
	}
}

static void odd_slots(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[{}]",
		"[]x",
		"[ ]",
		"[{\"slot\":\"a\"}]",
		"[[]]",
		"[{\"a\":1}]",
		"[{\"a\":\"\\u0000\"}]",
		"[{\"a\":\"\\x\"}]",
		"[{\"a\":\"\\u12\"}]",
		"[\"a\"]",
	};
	struct slot_rows rows = { 0 };

	(void)state;
	assert_int_equal(slots_read("[]", &rows, NULL), 0);
	assert_int_equal(rows.n, 0);
	slot_rows_fini(&rows);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (slots_read(bad[i], &rows, NULL) != PE_BAD)
			fail_msg("%s was read", bad[i]);
}

static void waiting(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(launch_await(ends[0], 0), PE_BUSY);
	assert_int_equal(launch_await(ends[0], 20), PE_BUSY);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(launch_await(ends[0], -1), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request), cmocka_unit_test(an_answer),
		cmocka_unit_test(slots),     cmocka_unit_test(odd_slots),
		cmocka_unit_test(waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
