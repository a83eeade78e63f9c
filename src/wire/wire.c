/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/wire-internal.h"

static void put_le(struct str *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	str_addn(w, b, n);
}

void put_u8(struct str *w, uint8_t v)
{
	put_le(w, v, 1);
}

void put_u16(struct str *w, uint16_t v)
{
	put_le(w, v, 2);
}

void put_u32(struct str *w, uint32_t v)
{
	put_le(w, v, 4);
}

void put_u64(struct str *w, uint64_t v)
{
	put_le(w, v, 8);
}

void put_str(struct str *w, const char *text)
{
	size_t len;

	if (!text) {
		put_u32(w, NO_STRING);
		return;
	}
	len = strlen(text);
	put_u32(w, (uint32_t)len);
	str_addn(w, text, len + 1);
}

void put_bytes(struct str *w, const void *bytes, size_t len)
{
	put_u32(w, (uint32_t)len);
	str_addn(w, bytes, len);
}
