/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read.c - the reading half of wire.h. Freestanding: tenders without a libc have it too.
 */
#include "wire/wire-internal.h"

static uint64_t get_le(struct rbuf *r, size_t n)
{
	uint64_t v = 0;

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->p[i] << (8 * i);
	r->p += n;
	return v;
}

uint8_t get_u8(struct rbuf *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t get_u16(struct rbuf *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t get_u32(struct rbuf *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t get_u64(struct rbuf *r)
{
	return get_le(r, 8);
}

const char *get_str_or_null(struct rbuf *r)
{
	uint32_t len = get_u32(r);
	const char *s;

	if (r->bad || len == NO_STRING)
		return NULL;
	if ((size_t)(r->end - r->p) <= len || r->p[len] != 0 ||
	    memchr(r->p, 0, len) != NULL) {
		r->bad = true;
		return NULL;
	}
	s = (const char *)r->p;
	r->p += (size_t)len + 1;
	return s;
}

const char *get_str(struct rbuf *r)
{
	const char *s = get_str_or_null(r);

	if (!s)
		r->bad = true;
	return s ? s : "";
}

const void *get_bytes(struct rbuf *r, size_t *ret_len)
{
	uint32_t len = get_u32(r);
	const void *p = r->p;

	*ret_len = 0;
	if (r->bad || (size_t)(r->end - r->p) < len) {
		r->bad = true;
		return NULL;
	}
	*ret_len = len;
	r->p += len;
	return p;
}

uint32_t get_count(struct rbuf *r, size_t min_size)
{
	uint32_t n = get_u32(r);

	if (r->bad || (size_t)(r->end - r->p) / MAX(min_size, (size_t)1) < n) {
		r->bad = true;
		return 0;
	}
	return n;
}
