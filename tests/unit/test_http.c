/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The web server of examples/unikernels: requests are read, ranges and dates computed. */
#include "http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct http_request q;

static int parse(const char *text)
{
	return http_parse(text, strlen(text), &q);
}

static void heads(void **state)
{
	static const char plain[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

	(void)state;
	assert_int_equal(parse(plain), sizeof plain - 1);
	assert_true(q.method == HTTP_GET && q.keep_alive && !q.has_body && !q.has_range);
	for (size_t n = 0; n < sizeof plain - 1; n++)
		assert_int_equal(http_parse(plain, n, &q), 0);
	assert_int_equal(parse("GET / HTTP/1.1\n\nGET /x"), 16);
	assert_int_equal(parse("\r\n\r\nHEAD / HTTP/1.0\r\n\r\n"), 23);
	assert_true(q.method == HTTP_HEAD && !q.keep_alive);
	assert_true(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") > 0 &&
		    q.keep_alive);
	assert_true(parse("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n") > 0 &&
		    !q.keep_alive);
	assert_true(parse("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde") > 0 &&
		    q.has_body && !q.keep_alive);
	assert_true(parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n") > 0 &&
		    q.keep_alive);
	assert_true(parse("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n") > 0 &&
		    !q.keep_alive);
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = {
		{ "POST / HTTP/1.1\r\n\r\n", -405 },
		{ "GET / HTTP/2.0\r\n\r\n", -505 },
		{ "GET / HTTP/1.1 \r\n\r\n", -400 },
		{ "GET /\r\n\r\n", -400 },
		{ "GET\r\n\r\n", -400 },
		{ "GET  / HTTP/1.1\r\n\r\n", -400 },
		{ "GET x HTTP/1.1\r\n\r\n", -400 },
		{ "GET /.. HTTP/1.1\r\n\r\n", -400 },
		{ "GET /%2e%2E/x HTTP/1.1\r\n\r\n", -400 },
		{ "GET /a/../../x HTTP/1.1\r\n\r\n", -400 },
		{ "GET /%00 HTTP/1.1\r\n\r\n", -400 },
		{ "GET /%0a HTTP/1.1\r\n\r\n", -400 },
		{ "GET /%4 HTTP/1.1\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\n folded: a\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nnothing\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		  -400 },
		{ "GET / HTTP/1.1\rX: y\r\n\r\n", -400 },
	};
	char big[HTTP_HEAD_MAX + 200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i].text) != bad[i].status)
			fail_msg("%s: %d", bad[i].text, parse(bad[i].text));
	memset(big, 'x', sizeof big);
	memcpy(big, "GET / HTTP/1.1\r\nA: ", 19);
	assert_int_equal(http_parse(big, HTTP_HEAD_MAX - 1, &q), 0);
	assert_int_equal(http_parse(big, HTTP_HEAD_MAX, &q), -431);
	memcpy(big + sizeof big - 4, "\r\n\r\n", 4);
	assert_int_equal(http_parse(big, sizeof big, &q), -431);
}

static void paths(void **state)
{
	static const char *const pairs[][2] = {
		{ "/", "/" },           { "/a", "/a" },
		{ "/a/", "/a/" },       { "/a/./b", "/a/b" },
		{ "/a/..", "/" },       { "/a/b/../", "/a/" },
		{ "//a//b", "/a/b" },   { "/.", "/" },
		{ "/...", "/..." },     { "/a?b=../..", "/a" },
		{ "/%41%20b", "/A b" }, { "/a%2fb", "/a/b" },
		{ "http://x/y", "/y" }, { "http://x", "/" },
		{ "/a#b", "/a" },       { "/a/b/c/../../d", "/a/d" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char text[200];

		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n\r\n", pairs[i][0]);
		assert_true(parse(text) > 0);
		assert_string_equal(q.path, pairs[i][1]);
	}
}

static void ranges(void **state)
{
	static const struct {
		const char *range;
		int status;
		uint64_t from, to;
	} cases[] = {
		{ "bytes=0-0", 206, 0, 0 },
		{ "bytes=10-19", 206, 10, 19 },
		{ "bytes=90-", 206, 90, 99 },
		{ "bytes=90-1000", 206, 90, 99 },
		{ "bytes=-10", 206, 90, 99 },
		{ "bytes=-1000", 206, 0, 99 },
		{ "bytes=100-", 416, 0, 99 },
		{ "bytes=-0", 416, 0, 99 },
		{ "bytes=5-4", 200, 0, 99 },
		{ "bytes=1-2,5-6", 200, 0, 99 },
		{ "lines=1-2", 200, 0, 99 },
		{ "bytes=", 200, 0, 99 },
		{ "bytes=99999999999999999999-", 200, 0, 99 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t from, to;
		char text[200];

		snprintf(text, sizeof text, "GET / HTTP/1.1\r\nRange: %s\r\n\r\n",
			 cases[i].range);
		assert_true(parse(text) > 0);
		if (http_range(&q, 100, &from, &to) != cases[i].status ||
		    from != cases[i].from || to != cases[i].to)
			fail_msg("%s", cases[i].range);
	}
}

static void small_things(void **state)
{
	char date[HTTP_DATE_BYTES];

	(void)state;
	http_date(784111777, date);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date(951782400, date);
	assert_string_equal(date, "Tue, 29 Feb 2000 00:00:00 GMT");
	http_date(0, date);
	assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http_type("/a/b.HTML"), "text/html; charset=utf-8");
	assert_string_equal(http_type("/a.b/c"), "application/octet-stream");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),        cmocka_unit_test(refused),
		cmocka_unit_test(paths),        cmocka_unit_test(ranges),
		cmocka_unit_test(small_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
