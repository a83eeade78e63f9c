/* SPDX-License-Identifier: ISC */
#include "blake2s.h"

#include <stdbool.h>
#include <string.h>

static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

/* Which word of the block each step takes, for ten rounds. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint32_t rotate(uint32_t v, unsigned bits)
{
	return v >> bits | v << (32 - bits);
}

static void mix(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d,
		uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

static void compress(struct pg_blake2s *s, bool last)
{
	uint32_t v[16], m[16];
	unsigned i, r;

	for (i = 0; i < 16; i++)
		m[i] = (uint32_t)s->block[4 * i] | (uint32_t)s->block[4 * i + 1] << 8 |
		       (uint32_t)s->block[4 * i + 2] << 16 |
		       (uint32_t)s->block[4 * i + 3] << 24;
	memcpy(v, s->h, sizeof(s->h));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= (uint32_t)s->count;
	v[13] ^= (uint32_t)(s->count >> 32);
	if (last)
		v[14] = ~v[14];
	for (r = 0; r < 10; r++) {
		for (i = 0; i < 4; i++) /* columns */
			mix(v, i, i + 4, i + 8, i + 12, m[sigma[r][2 * i]],
			    m[sigma[r][2 * i + 1]]);
		for (i = 0; i < 4; i++) /* diagonals */
			mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12,
			    m[sigma[r][2 * i + 8]], m[sigma[r][2 * i + 9]]);
	}
	for (i = 0; i < 8; i++)
		s->h[i] ^= v[i] ^ v[i + 8];
}

void pg_blake2s_init(struct pg_blake2s *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->h, iv, sizeof(iv));
	s->h[0] ^= 0x01010000 ^ 32; /* sequential, no key, 32 bytes out */
}

void pg_blake2s_add(struct pg_blake2s *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t n = sizeof(s->block) - s->fill;

		/* A full block waits for more, since the last one is treated apart. */
		if (n == 0) {
			s->count += sizeof(s->block);
			compress(s, false);
			s->fill = 0;
			continue;
		}
		n = n < len ? n : len;
		memcpy(s->block + s->fill, p, n);
		s->fill += n;
		p += n;
		len -= n;
	}
}

void pg_blake2s_end(struct pg_blake2s *s, uint8_t ret[32])
{
	unsigned i;

	s->count += s->fill;
	memset(s->block + s->fill, 0, sizeof(s->block) - s->fill);
	compress(s, true);
	for (i = 0; i < 32; i++)
		ret[i] = (uint8_t)(s->h[i / 4] >> 8 * (i % 4));
}
