/* SPDX-License-Identifier: ISC */
#include "chacha.h"

#include <string.h>

static uint32_t rotate(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

static void quarter(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
	v[a] += v[b];
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b];
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

static uint32_t load(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

void pg_chacha20_block(const uint8_t key[32], uint32_t counter, const uint8_t nonce[12],
		       uint8_t ret[64])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, v[16];
	unsigned i;

	for (i = 0; i < 8; i++)
		in[4 + i] = load(key + 4 * i);
	in[12] = counter;
	for (i = 0; i < 3; i++)
		in[13 + i] = load(nonce + 4 * i);
	memcpy(v, in, sizeof(v));
	for (i = 0; i < 10; i++) {
		quarter(v, 0, 4, 8, 12);
		quarter(v, 1, 5, 9, 13);
		quarter(v, 2, 6, 10, 14);
		quarter(v, 3, 7, 11, 15);
		quarter(v, 0, 5, 10, 15);
		quarter(v, 1, 6, 11, 12);
		quarter(v, 2, 7, 8, 13);
		quarter(v, 3, 4, 9, 14);
	}
	for (i = 0; i < 64; i++)
		ret[i] = (uint8_t)((v[i / 4] + in[i / 4]) >> 8 * (i % 4));
}
