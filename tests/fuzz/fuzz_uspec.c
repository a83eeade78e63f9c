/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a unikernel's tender reads. What was understood is written, read again and written
 * again: the bytes must be the same, and the first writing those that were read.
 */
#include "wire/uspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_str bytes = STR_INIT;
	const char *why = NULL;
	struct uspec s;

	if (uspec_decode(&s, data, size, &why) != 0) {
		require(why && *why);
		return 0;
	}
	require(s.n_devices <= USPEC_MAX_DEVICES && s.uid != 0 && s.gid != 0);
	require(strlen(s.cmdline) < USPEC_CMDLINE_BYTES);
	uspec_encode(&s, &bytes);
	require(bytes.len == size && memcmp(bytes.p, data, size) == 0);
	return 0;
}
