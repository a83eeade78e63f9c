/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest runtime's parts that need no guest: words, ticks, ChaCha20, BLAKE2s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../runtime/blake2s.h"
#include "../../runtime/chacha.h"
#include "../../runtime/ticks.h"
#include "../../runtime/words.h"

#define MAX 4

/* Words joined by '|', and how many there are. */
static int split(const char *line, char *joined, size_t size)
{
	char buf[256], *words[MAX];
	int n = pg_words_split(line, buf, words, MAX);

	joined[0] = '\0';
	for (int i = 0; i < n; i++) {
		size_t at = strlen(joined);

		assert_true(words[i] >= buf && words[i] < buf + strlen(line) + 1);
		assert_true(words[i] + strlen(words[i]) < buf + strlen(line) + 1);
		assert_true(at + strlen(words[i]) + 2 < size);
		memcpy(joined + at, words[i], strlen(words[i]) + 1);
		at = strlen(joined);
		joined[at] = '|';
		joined[at + 1] = '\0';
	}
	return n;
}

static void words(void **state)
{
	static const struct {
		const char *line;
		int n;
		const char *joined;
	} cases[] = {
		{ "", 0, "" },
		{ "  \t ", 0, "" },
		{ "a", 1, "a|" },
		{ "one two  three ", 3, "one|two|three|" },
		{ "--hello=world", 1, "--hello=world|" },
		{ "\"a b\" c", 2, "a b|c|" },
		{ "x\"a b\"y", 1, "xa by|" },
		{ "a\\ b", 1, "a b|" },
		{ "\\\"a\\\"", 1, "\"a\"|" },
		{ "\"a \\\" b\"", 1, "a \" b|" },
		{ "\\\\", 1, "\\|" },
		{ "it's", 1, "it's|" },
		{ "\"\" b", 2, "|b|" },
		{ "\"open end", 1, "open end|" },
		{ "end\\", 1, "end\\|" },
		{ "a b c d", 4, "a|b|c|d|" },
		{ "a b c d e", -1, "" },
		{ "a\nb\rc", 3, "a|b|c|" },
	};
	char joined[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(split(cases[i].line, joined, sizeof(joined)),
				 cases[i].n);
		assert_string_equal(joined, cases[i].joined);
	}
}

static void words_in_place(void **state)
{
	char line[] = "a \"b c\" \"\" d\\ e", *w[MAX];

	(void)state;
	assert_int_equal(pg_words_split(line, line, w, MAX), 4);
	assert_string_equal(w[0], "a");
	assert_string_equal(w[1], "b c");
	assert_string_equal(w[2], "");
	assert_string_equal(w[3], "d e");
}

static void ticks(void **state)
{
	static const uint64_t hz[] = { 1,          1000,       32768,     1000000000,
				       2699999000, 3000000000, 5123456789 };
	const uint64_t year_s = 31557600;

	(void)state;
	assert_int_equal(pg_ticks_to_ns(0, pg_ticks_factor(3000000000)), 0);
	for (size_t i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
		uint64_t factor = pg_ticks_factor(hz[i]);
		uint64_t second = pg_ticks_to_ns(hz[i], factor);
		uint64_t years = pg_ticks_to_ns(hz[i] * (100 * year_s), factor);
		uint64_t right = 100 * year_s * 1000000000;

		assert_in_range(second, 999999998, 1000000002);
		/* In a hundred years, wrong by less than 1e-9 of it. */
		assert_in_range(years, right - right / 1000000000,
				right + right / 1000000000);
	}
}

/* RFC 8439, 2.3.2 */
static void chacha20(void **state)
{
	static const uint8_t nonce[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a };
	static const uint8_t expected[64] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
		0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
		0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
		0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
		0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
		0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e
	};
	uint8_t key[32], out[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	pg_chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, expected, sizeof(out));
}

static void hash(const void *data, size_t len, size_t piece, uint8_t ret[32])
{
	struct pg_blake2s s;

	pg_blake2s_init(&s);
	for (size_t at = 0; at < len; at += piece)
		pg_blake2s_add(&s, (const char *)data + at,
			       piece < len - at ? piece : len - at);
	pg_blake2s_end(&s, ret);
}

/* RFC 7693, appendix B, and nothing at all */
static void blake2s(void **state)
{
	static const uint8_t abc[32] = { 0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2,
					 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb, 0x45, 0x2f,
					 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29,
					 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82 };
	static const uint8_t nothing[32] = { 0x69, 0x21, 0x7a, 0x30, 0x79, 0x90, 0x80,
					     0x94, 0xe1, 0x11, 0x21, 0xd0, 0x42, 0x35,
					     0x4a, 0x7c, 0x1f, 0x55, 0xb6, 0x48, 0x2c,
					     0xa1, 0xa5, 0x1e, 0x1b, 0x25, 0x0d, 0xfd,
					     0x1e, 0xd0, 0xee, 0xf9 };
	uint8_t out[32], again[32], data[200];

	(void)state;
	hash("abc", 3, 3, out);
	assert_memory_equal(out, abc, sizeof(out));
	hash("", 0, 1, out);
	assert_memory_equal(out, nothing, sizeof(out));
	/* In whatever pieces it comes, also where a block is just full. */
	memset(data, 0x5a, sizeof(data));
	for (size_t len = 1; len <= sizeof(data); len++) {
		hash(data, len, len, out);
		hash(data, len, 1, again);
		assert_memory_equal(out, again, sizeof(out));
		hash(data, len, 64, again);
		assert_memory_equal(out, again, sizeof(out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),   cmocka_unit_test(words_in_place),
		cmocka_unit_test(ticks),   cmocka_unit_test(chacha20),
		cmocka_unit_test(blake2s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
