/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - bytes in and out: little-endian integers and counted strings.
 *
 * A writer appends to a struct str. A reader walks a buffer that it borrows; the first
 * read past the end, or a string that is not NUL-free, sets .bad and every later read
 * gives zero or "": a decoder reads everything and asks once. Nothing here allocates
 * for the reader: strings point into the buffer, which carries a NUL after each.
 */
#ifndef POLDER_WIRE_WIRE_H
#define POLDER_WIRE_WIRE_H

#include "base/str.h"

struct rbuf {
	const uint8_t *p, *end;
	bool bad;
};

#define RBUF_INIT(buf, len)                                                              \
	((struct rbuf){ .p = (const uint8_t *)(buf),                                     \
			.end = (const uint8_t *)(buf) + (len) })

uint8_t get_u8(struct rbuf *r);
uint16_t get_u16(struct rbuf *r);
uint32_t get_u32(struct rbuf *r);
uint64_t get_u64(struct rbuf *r);
/* NUL-terminated, in the buffer; "" and .bad on damage. */
const char *get_str(struct rbuf *r);
/* As get_str, NULL allowed (what put_str wrote for NULL). */
const char *get_str_or_null(struct rbuf *r);
/* Any bytes; NULL and .bad on damage. */
const void *get_bytes(struct rbuf *r, size_t *ret_len);
/* A count of things that take at least min_size bytes each, else .bad and 0. */
uint32_t get_count(struct rbuf *r, size_t min_size);

void put_u8(struct str *w, uint8_t v);
void put_u16(struct str *w, uint16_t v);
void put_u32(struct str *w, uint32_t v);
void put_u64(struct str *w, uint64_t v);
void put_str(struct str *w, const char *text); /* NULL allowed */
void put_bytes(struct str *w, const void *bytes, size_t len);

#endif
