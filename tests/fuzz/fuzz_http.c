/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client of the web server of examples/unikernels may send. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_path(const char *path)
{
	require(path[0] == '/' && strlen(path) < HTTP_PATH_MAX);
	for (const char *p = path; (p = strstr(p, "/..")); p++)
		require(p[3] && p[3] != '/');
	require(!strstr(path, "//") && !strstr(path, "/./"));
	for (const char *p = path; *p; p++)
		require((unsigned char)*p >= 32 && *p != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = { 0, 1, 100, UINT64_MAX >> 2 };
	struct http_request q;
	int n = http_parse((const char *)data, size, &q);

	if (n <= 0)
		return 0;
	require((size_t)n <= size);
	check_path(q.path);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t from, to;

		if (http_range(&q, sizes[i], &from, &to) == 206)
			require(from <= to && to < sizes[i]);
	}
	return 0;
}
