/* SPDX-License-Identifier: ISC */
/* port.c - random numbers, checksums, and where lwIP finds that it has a bug. */
#include "lwiphooks.h"
#include "net-internal.h"

#include <polder/guest/guest.h>
#include <stdio.h>
#include <string.h>

void pg_lwip_broken(const char *what, const char *file, int line)
{
	char text[160];

	snprintf(text, sizeof text, "lwip: %s (%s:%d)", what, file, line);
	pg_abort(text);
}

uint32_t pg_lwip_random(void)
{
	uint32_t v;

	pg_entropy_weak(&v, sizeof v);
	return v;
}

/* ---- where a connection's numbers begin ---- */

static uint64_t rotate(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of whole words. */
static uint64_t sip(const uint64_t key[2], const uint64_t *words, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };

	for (size_t i = 0; i <= n; i++) {
		uint64_t m = i < n ? words[i] : (uint64_t)(n * 8) << 56;

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

u32_t pg_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
		  u16_t remote_port)
{
	static uint64_t key[2];
	static bool have_key;
	uint64_t words[7] = { 0 };
	struct pg_ip ip;

	if (!have_key) {
		pg_entropy_weak(key, sizeof key);
		have_key = true;
	}
	pg_ip_from_lwip(&ip, local);
	memcpy(words, ip.bytes, 16);
	pg_ip_from_lwip(&ip, remote);
	memcpy(words + 2, ip.bytes, 16);
	words[4] = (uint64_t)local_port << 16 | remote_port;
	/* Goes on by one every 4 us, so that a connection's old packets are not its new ones. */
	return (u32_t)sip(key, words, 5) + (u32_t)(pg_clock_monotonic() / 4096);
}

/* ---- checksums ---- */

static uint64_t add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/*
 * The sum of RFC 1071 in steps of eight bytes: carries are added at the bottom, and the
 * order of bytes does not matter to it. Not complemented, as lwIP wants it.
 */
uint16_t pg_lwip_checksum(const void *data, int len)
{
	const uint8_t *p = data;
	uint64_t sum = 0, more = 0, word;
	size_t left = (size_t)len;

	for (; left >= 16; left -= 16, p += 16) {
		uint64_t w[2];

		memcpy(w, p, 16);
		sum = add(sum, w[0]);
		more = add(more, w[1]);
	}
	for (; left; left -= word, p += word) {
		uint64_t w = 0;

		word = left < 8 ? left : 8;
		memcpy(&w, p, word);
		sum = add(sum, w);
	}
	sum = add(sum, more);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
