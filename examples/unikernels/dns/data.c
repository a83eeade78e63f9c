/* SPDX-License-Identifier: ISC */
/* data.c - the values of a record, from words to wire form: a table of types. */
#include "zone-internal.h"

#include <string.h>

/* ---- words ---- */

bool word_is(const struct word *w, const char *upper)
{
	if (w->quoted || strlen(upper) != w->len)
		return false;
	for (size_t i = 0; i < w->len; i++) {
		char c = w->p[i];

		if ((c >= 'a' && c <= 'z' ? c - 32 : c) != upper[i])
			return false;
	}
	return true;
}

static bool word_number(const struct word *w, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (w->len == 0 || w->len > 10 || w->quoted)
		return false;
	for (size_t i = 0; i < w->len; i++) {
		if (w->p[i] < '0' || w->p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(w->p[i] - '0');
	}
	*ret = (uint32_t)v;
	return v <= max;
}

bool word_time(const struct word *w, uint32_t *ret)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 }
	};
	uint64_t sum = 0, v = 0;
	bool digits = false;

	if (w->quoted || w->len == 0 || w->len > 16)
		return false;
	for (size_t i = 0; i < w->len; i++) {
		char c = w->p[i];
		uint32_t seconds = 0;

		if (c >= '0' && c <= '9') {
			v = v * 10 + (uint64_t)(c - '0');
			digits = true;
			if (v > MAX_TTL)
				return false;
			continue;
		}
		for (size_t k = 0; k < sizeof units / sizeof *units; k++)
			if ((c | 0x20) == units[k].unit)
				seconds = units[k].seconds;
		if (!seconds || !digits)
			return false;
		sum += v * seconds;
		v = 0;
		digits = false;
	}
	sum += v;
	*ret = (uint32_t)sum;
	return sum <= MAX_TTL;
}

int shown(const struct word *w)
{
	return (int)(w->len < 60 ? w->len : 60);
}

/* ---- what a record says ---- */

static bool put(struct parser *ps, const void *bytes, size_t len)
{
	if (len > MAX_DATA - ps->data_len)
		return wrong(ps, "a record of more than %d bytes", MAX_DATA);
	memcpy(ps->data + ps->data_len, bytes, len);
	ps->data_len += len;
	return true;
}

static bool put_u32(struct parser *ps, uint32_t v, unsigned bytes)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			 (uint8_t)v };

	return put(ps, b + 4 - bytes, bytes);
}

static bool put_number(struct parser *ps, const struct word *w, uint32_t max,
		       unsigned bytes)
{
	uint32_t v;

	if (!word_number(w, max, &v))
		return wrong(ps, "'%.*s' is no number from 0 to %lu", shown(w), w->p,
			     (unsigned long)max);
	return put_u32(ps, v, bytes);
}

static bool put_time(struct parser *ps, const struct word *w)
{
	uint32_t v;

	if (!word_time(w, &v))
		return wrong(ps, "'%.*s' is no time", shown(w), w->p);
	return put_u32(ps, v, 4);
}

static bool put_name(struct parser *ps, const struct word *w)
{
	uint8_t name[DNS_NAME_MAX];

	if (w->quoted || !name_parse(w->p, w->len, ps->origin, name))
		return wrong(ps, "'%.*s' is no name", shown(w), w->p);
	return put(ps, name, name_len(name));
}

static bool put_string(struct parser *ps, const struct word *w)
{
	uint8_t s[256];
	size_t n = 0, at = 0;

	while (at < w->len) {
		int c = text_char(w->p, w->len, &at);

		if (c < 0)
			return wrong(ps, "a bad \\ in a string");
		if (n == 255)
			return wrong(ps, "a string of more than 255 bytes");
		s[++n] = (uint8_t)c;
	}
	s[0] = (uint8_t)n;
	return put(ps, s, n + 1);
}

static bool put_ipv4(struct parser *ps, const struct word *w)
{
	uint8_t ip[4];
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		for (; at < w->len && w->p[at] >= '0' && w->p[at] <= '9' && digits < 3;
		     digits++)
			v = v * 10 + (unsigned)(w->p[at++] - '0');
		if (!digits || v > 255 || (i < 3 && (at >= w->len || w->p[at++] != '.')))
			return wrong(ps, "'%.*s' is no IPv4 address", shown(w), w->p);
		ip[i] = (uint8_t)v;
	}
	if (at != w->len)
		return wrong(ps, "'%.*s' is no IPv4 address", shown(w), w->p);
	return put(ps, ip, 4);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups of hexadecimal digits, one run of them left out as "::"; no dotted tail. */
static bool read_ipv6(const struct word *w, uint8_t ip[16])
{
	size_t at = 0, n = 0, gap = 17;

	memset(ip, 0, 16);
	if (w->len >= 2 && w->p[0] == ':' && w->p[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < w->len) {
		unsigned v = 0, digits = 0;

		for (; at < w->len && hex_digit(w->p[at]) >= 0 && digits < 4; digits++)
			v = v << 4 | (unsigned)hex_digit(w->p[at++]);
		if (!digits || n > 14)
			return false;
		ip[n++] = (uint8_t)(v >> 8);
		ip[n++] = (uint8_t)v;
		if (at == w->len)
			break;
		if (w->p[at++] != ':' || at == w->len)
			return false;
		if (w->p[at] == ':') {
			if (gap != 17)
				return false;
			gap = n;
			at++;
		}
	}
	if (gap == 17)
		return n == 16;
	if (n > 14)
		return false;
	memmove(ip + gap + 16 - n, ip + gap, n - gap);
	memset(ip + gap, 0, 16 - n);
	return true;
}

static bool put_ipv6(struct parser *ps, const struct word *w)
{
	uint8_t ip[16];

	if (!read_ipv6(w, ip))
		return wrong(ps, "'%.*s' is no IPv6 address", shown(w), w->p);
	return put(ps, ip, 16);
}

static bool put_soa(struct parser *ps, const struct word *w)
{
	return put_name(ps, w) && put_name(ps, w + 1) &&
	       put_number(ps, w + 2, UINT32_MAX, 4) && put_time(ps, w + 3) &&
	       put_time(ps, w + 4) && put_time(ps, w + 5) && put_time(ps, w + 6);
}

static bool put_srv(struct parser *ps, const struct word *w)
{
	return put_number(ps, w, 65535, 2) && put_number(ps, w + 1, 65535, 2) &&
	       put_number(ps, w + 2, 65535, 2) && put_name(ps, w + 3);
}

static bool put_mx(struct parser *ps, const struct word *w)
{
	return put_number(ps, w, 65535, 2) && put_name(ps, w + 1);
}

static bool put_caa(struct parser *ps, const struct word *w)
{
	return put_number(ps, w, 255, 1) && put_string(ps, w + 1) &&
	       put(ps, w[2].p, w[2].len);
}

static const struct type types[] = {
	{ "A", DNS_A, 1, put_ipv4 },       { "AAAA", DNS_AAAA, 1, put_ipv6 },
	{ "NS", DNS_NS, 1, put_name },     { "CNAME", DNS_CNAME, 1, put_name },
	{ "PTR", DNS_PTR, 1, put_name },   { "MX", DNS_MX, 2, put_mx },
	{ "TXT", DNS_TXT, 0, put_string }, { "SOA", DNS_SOA, 7, put_soa },
	{ "SRV", DNS_SRV, 4, put_srv },    { "CAA", DNS_CAA, 3, put_caa },
};

const struct type *type_of(const struct word *w)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (word_is(w, types[i].name))
			return &types[i];
	return NULL;
}

bool put_data(struct parser *ps, const struct type *t, size_t at)
{
	size_t n = ps->n - at;

	ps->data_len = 0;
	if (t->words ? n != t->words : n == 0)
		return wrong(ps, "%s wants %s%u values, not %u", t->name,
			     t->words ? "" : "at least ", t->words ? t->words : 1u,
			     (unsigned)n);
	if (t->words)
		return t->put(ps, &ps->words[at]);
	for (; at < ps->n; at++)
		if (!t->put(ps, &ps->words[at]))
			return false;
	return true;
}
