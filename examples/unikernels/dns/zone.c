/* SPDX-License-Identifier: ISC */
/*
 * zone.c - a master file becomes a sorted table of records.
 *
 * Theory of operation
 *
 * The text is cut into entries: the words of one line, or of several where parentheses
 * join them. An entry is a directive or a record; what a record says goes through
 * put_data() into wire form. Records keep pointers into chunks that are never moved. At
 * the end the table is sorted in the order in which a name stands directly before all that
 * lies below it, so that one search finds a name, its records, and whether it exists only
 * because something is below it.
 */
#include "zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 128
#define MAX_DATA 4096 /* of one record */
#define MAX_TTL 0x7fffffffu
#define CHUNK_BYTES 16384

struct zone_chunk {
	struct zone_chunk *next;
	size_t used;
	uint8_t bytes[CHUNK_BYTES];
};

struct word {
	const char *p;
	size_t len;
	bool quoted;
};

struct parser {
	struct zone *zone;
	const char *p, *end;
	unsigned line, entry_line;
	bool indented; /* the entry began with a blank: the same owner as before */
	struct word words[MAX_WORDS];
	size_t n;
	uint8_t origin[DNS_NAME_MAX], owner[DNS_NAME_MAX];
	bool have_owner, have_ttl;
	uint32_t ttl;
	uint8_t data[MAX_DATA];
	size_t data_len;
	struct zone_error *error;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct parser *ps,
							const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	ps->error->line = ps->entry_line;
	vsnprintf(ps->error->text, sizeof ps->error->text, format, ap);
	va_end(ap);
	return false;
}

/* ---- memory ---- */

static const uint8_t *keep(struct zone *zone, const void *bytes, size_t len)
{
	struct zone_chunk *c = zone->chunks;
	uint8_t *at;

	if (!c || CHUNK_BYTES - c->used < len) {
		c = malloc(sizeof *c);
		if (!c)
			return NULL;
		c->next = zone->chunks;
		c->used = 0;
		zone->chunks = c;
	}
	at = c->bytes + c->used;
	memcpy(at, bytes, len);
	c->used += len;
	return at;
}

void zone_fini(struct zone *zone)
{
	struct zone_chunk *next;

	for (struct zone_chunk *c = zone->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(zone->records);
	memset(zone, 0, sizeof *zone);
}

/* ---- entries ---- */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool add_word(struct parser *ps, const char *p, size_t len, bool quoted)
{
	if (ps->n == MAX_WORDS)
		return wrong(ps, "more than %d words", MAX_WORDS);
	ps->words[ps->n++] = (struct word){ p, len, quoted };
	return true;
}

static bool read_quoted(struct parser *ps)
{
	const char *start = ++ps->p;

	while (ps->p < ps->end && *ps->p != '"' && *ps->p != '\n')
		ps->p +=
			*ps->p == '\\' && ps->end - ps->p > 1 && ps->p[1] != '\n' ? 2 : 1;
	if (ps->p >= ps->end || *ps->p != '"')
		return wrong(ps, "a quoted string does not end in its line");
	return add_word(ps, start, (size_t)(ps->p++ - start), true);
}

static bool read_plain(struct parser *ps)
{
	const char *start = ps->p;

	while (ps->p < ps->end && !blank(*ps->p) && !strchr("\n;()\"", *ps->p))
		ps->p +=
			*ps->p == '\\' && ps->end - ps->p > 1 && ps->p[1] != '\n' ? 2 : 1;
	return add_word(ps, start, (size_t)(ps->p - start), false);
}

/* The next entry that has words: 1; the end: 0; a mistake: -1. */
static int read_entry(struct parser *ps)
{
	unsigned depth = 0;

	ps->n = 0;
	ps->entry_line = ps->line;
	ps->indented = ps->p < ps->end && blank(*ps->p);
	while (ps->p < ps->end) {
		char c = *ps->p;

		if (c == '\n') {
			ps->p++;
			ps->line++;
			if (depth)
				continue;
			if (ps->n)
				return 1;
			ps->entry_line = ps->line;
			ps->indented = ps->p < ps->end && blank(*ps->p);
		} else if (blank(c)) {
			ps->p++;
		} else if (c == ';') {
			while (ps->p < ps->end && *ps->p != '\n')
				ps->p++;
		} else if (c == '(' || c == ')') {
			ps->p++;
			if (c == ')' && depth == 0)
				return wrong(ps, "a ')' without its '('") - 1;
			depth += c == '(' ? 1 : -1u;
		} else if (c == 0) {
			return wrong(ps, "a zero byte in the text") - 1;
		} else if (!(c == '"' ? read_quoted(ps) : read_plain(ps))) {
			return -1;
		}
	}
	if (depth)
		return wrong(ps, "a '(' without its ')'") - 1;
	return ps->n > 0;
}

/* ---- words ---- */

static bool word_is(const struct word *w, const char *upper)
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

/* Seconds, or with units: 1h30m, 2d, 1w. */
static bool word_time(const struct word *w, uint32_t *ret)
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

/* Of a word, in a message. */
static int shown(const struct word *w)
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

static const struct type {
	const char *name;
	uint16_t type;
	uint8_t words; /* 0: any number from one */
	bool (*put)(struct parser *ps, const struct word *w);
} types[] = {
	{ "A", DNS_A, 1, put_ipv4 },       { "AAAA", DNS_AAAA, 1, put_ipv6 },
	{ "NS", DNS_NS, 1, put_name },     { "CNAME", DNS_CNAME, 1, put_name },
	{ "PTR", DNS_PTR, 1, put_name },   { "MX", DNS_MX, 2, put_mx },
	{ "TXT", DNS_TXT, 0, put_string }, { "SOA", DNS_SOA, 7, put_soa },
	{ "SRV", DNS_SRV, 4, put_srv },    { "CAA", DNS_CAA, 3, put_caa },
};

static const struct type *type_of(const struct word *w)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (word_is(w, types[i].name))
			return &types[i];
	return NULL;
}

static bool put_data(struct parser *ps, const struct type *t, size_t at)
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

/* ---- records ---- */

static bool add_record(struct parser *ps, uint16_t type, uint32_t ttl)
{
	struct zone *z = ps->zone;
	struct record *last = z->n ? &z->records[z->n - 1] : NULL;
	struct record r = { .ttl = ttl, .type = type, .len = (uint16_t)ps->data_len };

	if (z->n == z->room) {
		size_t room = z->room ? z->room * 2 : 32;
		struct record *more = realloc(z->records, room * sizeof *more);

		if (!more)
			return wrong(ps, "out of memory");
		z->records = more;
		z->room = room;
		last = z->n ? &z->records[z->n - 1] : NULL;
	}
	r.name = last && name_compare(last->name, ps->owner) == 0 ?
			 last->name :
			 keep(z, ps->owner, name_len(ps->owner));
	r.data = keep(z, ps->data, ps->data_len);
	if (!r.name || !r.data)
		return wrong(ps, "out of memory");
	z->records[z->n++] = r;
	return true;
}

static bool read_owner(struct parser *ps)
{
	const struct word *w = &ps->words[0];

	if (ps->indented)
		return ps->have_owner || wrong(ps, "the first record has no name");
	if (w->quoted || !name_parse(w->p, w->len, ps->origin, ps->owner))
		return wrong(ps, "'%.*s' is no name", shown(w), w->p);
	name_lower(ps->owner);
	ps->have_owner = true;
	return true;
}

static bool read_record(struct parser *ps)
{
	size_t at = ps->indented ? 0 : 1;
	const struct type *t = NULL;
	uint32_t ttl = ps->ttl;
	bool have_ttl = ps->have_ttl;

	if (!read_owner(ps))
		return false;
	for (; at < ps->n && !t; at++) {
		const struct word *w = &ps->words[at];

		if (word_is(w, "IN"))
			continue;
		if (word_time(w, &ttl)) {
			have_ttl = true;
			continue;
		}
		t = type_of(w);
		if (!t)
			return wrong(ps, "'%.*s' is no type that is known here", shown(w),
				     w->p);
	}
	if (!t)
		return wrong(ps, "a record without a type");
	if (!have_ttl)
		return wrong(ps, "no TTL: say $TTL before, or one in the record");
	if (!put_data(ps, t, at))
		return false;
	return add_record(ps, t->type, ttl);
}

static bool read_directive(struct parser *ps)
{
	const struct word *w = ps->words;

	if (ps->n != 2)
		return wrong(ps, "a directive has one value");
	if (word_is(w, "$TTL")) {
		ps->have_ttl = true;
		return word_time(w + 1, &ps->ttl) || wrong(ps, "a bad $TTL");
	}
	if (word_is(w, "$ORIGIN")) {
		uint8_t name[DNS_NAME_MAX];

		if (!name_parse(w[1].p, w[1].len, ps->origin, name))
			return wrong(ps, "a bad $ORIGIN");
		memcpy(ps->origin, name, name_len(name));
		name_lower(ps->origin);
		return true;
	}
	return wrong(ps, "'%.*s' is not known here", shown(w), w->p);
}

/* ---- the whole zone ---- */

static int by_name(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int r = x->name == y->name ? 0 : name_compare(x->name, y->name);

	if (r == 0)
		r = (x->type > y->type) - (x->type < y->type);
	if (r == 0 && x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return r ? r : memcmp(x->data, y->data, x->len);
}

static bool same_record(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->len == b->len &&
	       name_compare(a->name, b->name) == 0 &&
	       memcmp(a->data, b->data, a->len) == 0;
}

/* Double records go; those of one name and type get one TTL, the lowest. */
static void tidy(struct zone *z)
{
	size_t kept = 0, first = 0;

	for (size_t i = 0; i < z->n; i++) {
		struct record *r = &z->records[i];

		if (kept && same_record(&z->records[kept - 1], r))
			continue;
		z->records[kept] = *r;
		if (kept && (z->records[first].type != r->type ||
			     name_compare(z->records[first].name, r->name) != 0))
			first = kept;
		kept++;
		if (r->ttl < z->records[first].ttl)
			z->records[first].ttl = r->ttl;
		for (size_t k = first; k < kept; k++)
			z->records[k].ttl = z->records[first].ttl;
	}
	z->n = kept;
}

static bool check_record(struct parser *ps, const struct record *r,
			 const struct record *next)
{
	char name[256];

	name_text(r->name, name, sizeof name);
	if (!name_below(r->name, ps->zone->origin))
		return wrong(ps, "%.80s lies outside of the zone", name);
	if (r->type == DNS_SOA && r != ps->zone->soa)
		return wrong(ps, "a second SOA, at %.80s", name);
	if (next && name_compare(r->name, next->name) == 0 &&
	    (r->type == DNS_CNAME || next->type == DNS_CNAME))
		return wrong(ps, "%.80s has a CNAME and something else", name);
	return true;
}

static bool check_zone(struct parser *ps)
{
	struct zone *z = ps->zone;

	for (size_t i = 0; i < z->n && !z->soa; i++)
		if (z->records[i].type == DNS_SOA)
			z->soa = &z->records[i];
	ps->entry_line = ps->line;
	if (!z->soa)
		return wrong(ps, "the zone has no SOA record");
	memcpy(z->origin, z->soa->name, name_len(z->soa->name));
	for (size_t i = 0; i < z->n; i++)
		if (name_labels(z->records[i].name) > z->labels)
			z->labels = name_labels(z->records[i].name);
	for (size_t i = 0; i < z->n; i++)
		if (!check_record(ps, &z->records[i],
				  i + 1 < z->n ? &z->records[i + 1] : NULL))
			return false;
	return true;
}

bool zone_parse(struct zone *zone, const char *text, size_t len, const uint8_t *origin,
		struct zone_error *ret_error)
{
	struct parser *ps = calloc(1, sizeof *ps);
	bool ok = true;
	int r = 0;

	*zone = (struct zone){ 0 };
	*ret_error = (struct zone_error){ .text = "out of memory" };
	if (!ps)
		return false;
	ps->zone = zone;
	ps->p = text;
	ps->end = text + len;
	ps->line = 1;
	ps->error = ret_error;
	memcpy(ps->origin, origin, name_len(origin));
	name_lower(ps->origin);
	while (ok && (r = read_entry(ps)) > 0)
		ok = !ps->indented && !ps->words[0].quoted && ps->words[0].p[0] == '$' ?
			     read_directive(ps) :
			     read_record(ps);
	ok = ok && r == 0;
	if (ok && zone->n) {
		qsort(zone->records, zone->n, sizeof *zone->records, by_name);
		tidy(zone);
	}
	ok = ok && check_zone(ps);
	free(ps);
	if (!ok)
		zone_fini(zone);
	return ok;
}

const struct record *zone_find(const struct zone *zone, const uint8_t *name,
			       size_t *ret_n, bool *ret_below)
{
	size_t low = 0, high = zone->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(zone->records[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (high = low; high < zone->n; high++)
		if (name_compare(zone->records[high].name, name) != 0)
			break;
	*ret_n = high - low;
	*ret_below = high < zone->n && name_below(zone->records[high].name, name);
	return high > low ? &zone->records[low] : NULL;
}
