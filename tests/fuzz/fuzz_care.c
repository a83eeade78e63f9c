/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a caretaker reads: its spec, and messages. What was understood is written again: the
 * bytes must be the same.
 */
#include "base/err.h"
#include "wire/care.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void spec(const uint8_t *data, size_t size)
{
	auto_str bytes = STR_INIT;
	struct err err = ERR_INIT;
	struct care_spec s;

	if (care_spec_decode(&s, data, size, &err) != 0) {
		require(*err.text);
		return;
	}
	require(s.n_takers <= CARE_MAX_CARETAKERS && s.fuse_fd > 2 && s.root_fd > 2);
	care_spec_encode(&s, &bytes);
	require(bytes.len == size && memcmp(bytes.p, data, size) == 0);
}

static void message(const uint8_t *data, size_t size)
{
	auto_str bytes = STR_INIT;
	struct err err = ERR_INIT;
	struct care_msg m;

	if (care_msg_decode(&m, data, size, &err) != 0) {
		require(*err.text);
		return;
	}
	require(m.n_takers <= CARE_MAX_CARETAKERS);
	care_msg_encode(&m, &bytes);
	require(bytes.len == size && memcmp(bytes.p, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	spec(data, size);
	message(data, size);
	return 0;
}
