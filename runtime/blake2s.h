/* SPDX-License-Identifier: ISC */
/*
 * blake2s.h - the hash BLAKE2s (RFC 7693) with 32 bytes of result and no key. Pure;
 * tested on the host.
 */
#ifndef POLDER_RUNTIME_BLAKE2S_H
#define POLDER_RUNTIME_BLAKE2S_H

#include <stddef.h>
#include <stdint.h>

struct pg_blake2s {
	uint32_t h[8];
	uint64_t count; /* bytes that went through */
	uint8_t block[64];
	size_t fill; /* bytes of block that are there */
};

/* init, add as often as wanted, end. */
void pg_blake2s_init(struct pg_blake2s *s);
void pg_blake2s_add(struct pg_blake2s *s, const void *data, size_t len);
void pg_blake2s_end(struct pg_blake2s *s, uint8_t ret[32]);

#endif
