/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tender reads: a spec from anybody. What was understood is written, read again
 * and written again: the bytes must be the same. The first byte of the input instead
 * chooses the bare readers, in an order that the input itself gives.
 */
#include "wire/spec.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void readers(const uint8_t *data, size_t size)
{
	struct rbuf r = RBUF_INIT(data, size);
	const uint8_t *before;
	size_t len;

	while (!r.bad && r.p < r.end) {
		before = r.p;
		switch (get_u8(&r) % 6) {
		case 0: (void)get_u16(&r); break;
		case 1: (void)get_u64(&r); break;
		case 2: require(strlen(get_str(&r)) < size); break;
		case 3: (void)get_str_or_null(&r); break;
		case 4: require(get_bytes(&r, &len) ? len < size : len == 0); break;
		default: require(get_count(&r, 3) <= size / 3); break;
		}
		require(r.p > before && r.p <= r.end);
	}
}

static void round_trip(const struct spec *s)
{
	auto_str first = STR_INIT, second = STR_INIT;
	struct spec again = SPEC_INIT;
	struct err err = ERR_INIT;

	spec_encode(s, &first);
	require(spec_decode(&again, first.p, first.len, &err) == 0);
	spec_encode(&again, &second);
	require(first.len == second.len && memcmp(first.p, second.p, first.len) == 0);
	spec_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec s = SPEC_INIT;
	struct err err = ERR_INIT;

	if (size > 0 && data[0] == 0)
		readers(data + 1, size - 1);
	if (spec_decode(&s, data, size, &err) == 0)
		round_trip(&s);
	else
		require(err.text[0] != '\0');
	spec_fini(&s);
	return 0;
}
