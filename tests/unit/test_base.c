/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts, numbers, JSON and error sentences: what everything else is made of. */
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void texts(void **state)
{
	auto_str s = STR_INIT;
	char *taken;

	(void)state;
	assert_string_equal(str_text(&s), "");
	str_add(&s, "a");
	str_addn(&s, "b\0c", 3);
	str_addc(&s, 'd');
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.p, "ab\0cd", 6);
	str_clear(&s);
	for (int i = 0; i < 5000; i++)
		str_addf(&s, "%d,", i % 10);
	assert_int_equal(s.len, 10000);
	assert_false(s.failed);
	taken = str_take(&s);
	assert_int_equal(strlen(taken), 10000);
	assert_int_equal(s.len, 0);
	free(taken);
	taken = str_take(&s);
	assert_string_equal(taken, "");
	free(taken);
}

static void printable(void **state)
{
	auto_str s = STR_INIT;

	(void)state;
	str_add_printable(&s, "a\x1b[31mb\nc\td\x7f", 0);
	assert_null(strpbrk(str_text(&s), "\x1b\n\t\x7f"));
	assert_non_null(strchr(s.p, 'a'));
	assert_non_null(strchr(s.p, 'd'));
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} u64[] = { { "0", true, 0 },    { "18446744073709551615", true, UINT64_MAX },
		    { "", false, 0 },    { "18446744073709551616", false, 0 },
		    { "-1", false, 0 },  { "+1", false, 0 },
		    { " 1", false, 0 },  { "1 ", false, 0 },
		    { "0x10", false, 0 } },
	  bytes[] = { { "1", true, 1 },         { "64K", true, 64u << 10 },
		      { "2M", true, 2u << 20 }, { "3G", true, 3ull << 30 },
		      { "K", false, 0 },        { "1X", false, 0 },
		      { "-1K", false, 0 },      { "18446744073709551615K", false, 0 } },
	  ms[] = { { "500ms", true, 500 },
		   { "2s", true, 2000 },
		   { "3m", true, 180000 },
		   { "1h", true, 3600000 },
		   { "1d", true, 86400000 },
		   { "soon", false, 0 },
		   { "", false, 0 },
		   { "-1s", false, 0 },
		   { "18446744073709551615h", false, 0 } };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(u64); i++) {
		assert_int_equal(str_to_u64(u64[i].text, &n), u64[i].good);
		assert_true(!u64[i].good || n == u64[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		assert_int_equal(str_to_bytes(bytes[i].text, &n), bytes[i].good);
		assert_true(!bytes[i].good || n == bytes[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
		assert_int_equal(str_to_ms(ms[i].text, &n), ms[i].good);
		assert_true(!ms[i].good || n == ms[i].value);
	}
}

static void nearest(void **state)
{
	static const char *const names[] = { "console", "net", "clock" };

	(void)state;
	assert_string_equal(str_nearest("consle", names, 3), "console");
	assert_string_equal(str_nearest("clcok", names, 3), "clock");
	assert_null(str_nearest("something-else", names, 3));
	assert_null(str_nearest("net", names, 0));
}

static void json(void **state)
{
	auto_str s = STR_INIT;
	struct json j = JSON_INIT(&s);

	(void)state;
	json_open(&j, '{');
	json_kstr(&j, "a\"b", "q\"\\\n\x01");
	json_kint(&j, "n", INT64_MIN);
	json_key(&j, "list");
	json_open(&j, '[');
	json_str(&j, NULL);
	json_bool(&j, true);
	json_open(&j, '{');
	json_close(&j, '}');
	json_close(&j, ']');
	json_close(&j, '}');
	assert_string_equal(
		str_text(&s),
		"{\"a\\\"b\":\"q\\\"\\\\\\n\\u0001\",\"n\":-9223372036854775808,"
		"\"list\":[null,true,{}]}");
}

static void errors(void **state)
{
	struct err err = ERR_INIT;
	char longer[2000];

	(void)state;
	assert_int_equal(err_set(&err, PE_BUSY, "%s is busy", "it"), PE_BUSY);
	err_prefix(&err, "%s", "web");
	err_append(&err, " (%d)", 3);
	assert_string_equal(err.text, "web: it is busy (3)");
	errno = ENOENT;
	assert_int_equal(err_sys(&err, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(err.text, "cannot open 'x': No such file or directory");
	assert_int_equal(err_neg(&err, -EPERM, "no"), -EPERM);
	assert_string_equal(err.text, "no: Operation not permitted");
	assert_int_equal(err_set(NULL, PE_BAD, "nobody reads it"), PE_BAD);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	(void)err_set(&err, PE_BAD, "%s", longer);
	err_prefix(&err, "%s", longer);
	err_append(&err, "%s", longer);
	assert_true(strlen(err.text) < sizeof(err.text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),   cmocka_unit_test(printable),
		cmocka_unit_test(numbers), cmocka_unit_test(nearest),
		cmocka_unit_test(json),    cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
