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
#include "zone-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 16384

struct zone_chunk {
	struct zone_chunk *next;
	size_t used;
	uint8_t bytes[CHUNK_BYTES];
};

bool wrong(struct parser *ps, const char *format, ...)
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
