/* SPDX-License-Identifier: ISC */
/*
 * answer.c - one message in, at most one out.
 *
 * Theory of operation
 *
 * The message is hostile: it is read once, front to back, by read_query(), with every
 * length checked against what is there; nothing of it is kept but the question. Whatever
 * is itself an answer gets none, so that two servers cannot be set on each other. What
 * cannot be understood gets its header back with a code, never anything larger than
 * was asked with.
 *
 * An answer is written front to back too. A record that does not fit is taken back whole
 * and remembered: in the answer and authority sections it makes a truncated answer (TC,
 * and the client comes again by TCP), in the additional section it is left out, unless it
 * is an address without which a referral leads nowhere. A name is written once and
 * pointed to afterwards; which names are there is kept in a small table, so that the work
 * for one answer is bounded.
 */
#include "zone.h"

#include <string.h>

#define HEADER 12
#define MAX_CHAIN 8  /* of CNAMEs that are followed */
#define MAX_KNOWN 48 /* names that can be pointed to */
#define OPT_BYTES 11

enum flag { QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, CD = 0x0010 };

struct query {
	uint16_t id, flags, type, class;
	uint8_t name[DNS_NAME_MAX]; /* lower case */
	size_t question;            /* bytes of the question section as it came */
	bool edns, dnssec_ok;
	uint8_t version;
	uint16_t udp_size;
};

struct writer {
	uint8_t *out;
	size_t len, max;
	bool full;
	size_t n_known;
	uint16_t known[MAX_KNOWN];
};

struct reply {
	struct writer w;
	const struct zone *zone;
	unsigned rcode;
	uint16_t flags;
	uint16_t counts[3];             /* answer, authority, additional */
	const struct record *extra[16]; /* whose target's addresses go along */
	size_t n_extra;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void set16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* ---- reading ---- */

/* The additional records: at most one OPT, with an empty name. What else there is says
 * nothing to us. */
static bool read_additional(const uint8_t *msg, size_t len, size_t at, unsigned n,
			    struct query *q)
{
	uint8_t name[DNS_NAME_MAX];

	for (; n; n--) {
		size_t data;

		if (!name_read(msg, len, &at, name) || len - at < 10)
			return false;
		data = get16(msg + at + 8);
		if (data > len - at - 10)
			return false;
		if (get16(msg + at) == DNS_OPT) {
			if (q->edns || name[0] != 0)
				return false;
			q->edns = true;
			q->udp_size = get16(msg + at + 2);
			q->version = msg[at + 5];
			q->dnssec_ok = msg[at + 6] & 0x80;
		}
		at += 10 + data;
	}
	return true;
}

/* An enum dns_rcode, or -1: no answer is due. */
static int read_query(const uint8_t *msg, size_t len, struct query *q)
{
	size_t at = HEADER;

	memset(q, 0, sizeof *q);
	if (len < HEADER)
		return -1;
	q->id = get16(msg);
	q->flags = get16(msg + 2);
	if (q->flags & QR)
		return -1;
	if (q->flags & 0x7800)
		return DNS_NOTIMP;
	if (get16(msg + 4) != 1)
		return DNS_FORMERR;
	if (!name_read(msg, len, &at, q->name) || len - at < 4)
		return DNS_FORMERR;
	q->type = get16(msg + at);
	q->class = get16(msg + at + 2);
	at += 4;
	/* Compressed, it could grow on the way back, and points to nothing of ours. */
	if (at - HEADER != name_len(q->name) + 4)
		return DNS_FORMERR;
	q->question = at - HEADER;
	name_lower(q->name);
	if (q->type == DNS_AXFR || q->type == DNS_IXFR || q->class != 1)
		return DNS_REFUSED;
	if (get16(msg + 6) || get16(msg + 8) ||
	    !read_additional(msg, len, at, get16(msg + 10), q))
		return DNS_FORMERR;
	return q->edns && q->version > 0 ? DNS_BADVERS : DNS_NOERROR;
}

/* ---- writing ---- */

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (len > w->max - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, bytes, len);
	w->len += len;
}

static void put16(struct writer *w, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(w, b, 2);
}

/* Whether the name that was written at `at` is this one, in whatever case. */
static bool same_name(const struct writer *w, size_t at, const uint8_t *name)
{
	for (;;) {
		uint8_t c = w->out[at];

		if (c >= 0xc0) {
			at = (size_t)(c & 0x3f) << 8 | w->out[at + 1];
			continue;
		}
		if (c != *name)
			return false;
		if (c == 0)
			return true;
		for (unsigned i = 1; i <= c; i++) {
			uint8_t a = w->out[at + i], b = name[i];

			a += a >= 'A' && a <= 'Z' ? 32 : 0;
			b += b >= 'A' && b <= 'Z' ? 32 : 0;
			if (a != b)
				return false;
		}
		at += c + 1u;
		name += c + 1;
	}
}

static void put_name(struct writer *w, const uint8_t *name)
{
	for (; *name; name += *name + 1) {
		for (size_t i = 0; i < w->n_known; i++) {
			if (same_name(w, w->known[i], name)) {
				put16(w, 0xc000u | w->known[i]);
				return;
			}
		}
		if (w->len > w->max - 64) { /* no room that would do for a label */
			w->full = true;
			return;
		}
		if (w->n_known < MAX_KNOWN && w->len < 0x4000)
			w->known[w->n_known++] = (uint16_t)w->len;
		put(w, name, *name + 1u);
	}
	put(w, "", 1);
}

/* Names may be compressed in the types of RFC 1035 alone. */
static void put_data(struct writer *w, const struct record *r)
{
	const uint8_t *d = r->data;
	size_t first, second;

	switch (r->type) {
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR: put_name(w, d); return;
	case DNS_MX:
		put(w, d, 2);
		put_name(w, d + 2);
		return;
	case DNS_SOA:
		first = name_len(d);
		second = name_len(d + first);
		put_name(w, d);
		put_name(w, d + first);
		put(w, d + first + second, 20);
		return;
	default: put(w, d, r->len);
	}
}

/* false: it did not fit, and nothing of it is there. */
static bool put_record(struct writer *w, const uint8_t *owner, const struct record *r,
		       uint32_t ttl)
{
	size_t start = w->len, known = w->n_known, length;

	put_name(w, owner);
	put16(w, r->type);
	put16(w, 1);
	put16(w, ttl >> 16);
	put16(w, ttl & 0xffff);
	length = w->len;
	put16(w, 0);
	put_data(w, r);
	if (w->full) {
		w->full = false;
		w->len = start;
		w->n_known = known;
		return false;
	}
	set16(w->out + length, (unsigned)(w->len - length - 2));
	return true;
}

/* ---- answering ---- */

enum section { ANSWER, AUTHORITY, ADDITIONAL };

static void add(struct reply *re, enum section s, const uint8_t *owner,
		const struct record *r, uint32_t ttl)
{
	if (s != ADDITIONAL && re->flags & TC)
		return;
	if (!put_record(&re->w, owner, r, ttl)) {
		if (s != ADDITIONAL)
			re->flags |= TC;
		return;
	}
	re->counts[s]++;
	if ((r->type == DNS_NS || r->type == DNS_MX || r->type == DNS_SRV) &&
	    s != ADDITIONAL && re->n_extra < sizeof re->extra / sizeof *re->extra)
		re->extra[re->n_extra++] = r;
}

/* Those of one type among n of one name. */
static bool add_type(struct reply *re, enum section s, const uint8_t *owner,
		     const struct record *r, size_t n, unsigned type)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (r[i].type == type) {
			add(re, s, owner, &r[i], r[i].ttl);
			any = true;
		}
	}
	return any;
}

/* What says that there is nothing, and for how long (RFC 2308). */
static void add_nothing(struct reply *re)
{
	const struct record *soa = re->zone->soa;
	const uint8_t *m = soa->data + soa->len - 4;
	uint32_t minimum = (uint32_t)get16(m) << 16 | get16(m + 2);

	add(re, AUTHORITY, soa->name, soa, minimum < soa->ttl ? minimum : soa->ttl);
}

static const uint8_t *target_of(const struct record *r)
{
	return r->data + (r->type == DNS_MX ? 2 : r->type == DNS_SRV ? 6 : 0);
}

/* The addresses of what was named, where they are ours to tell. */
static void add_extra(struct reply *re)
{
	for (size_t i = 0; i < re->n_extra; i++) {
		uint8_t name[DNS_NAME_MAX];
		const uint8_t *target = target_of(re->extra[i]);
		uint16_t before = re->counts[ADDITIONAL];
		const struct record *r;
		size_t n, fits = 0;
		bool below;

		memcpy(name, target, name_len(target));
		name_lower(name);
		if (!name_below(name, re->zone->origin))
			continue;
		r = zone_find(re->zone, name, &n, &below);
		for (size_t k = 0; k < n; k++)
			fits += r[k].type == DNS_A || r[k].type == DNS_AAAA;
		add_type(re, ADDITIONAL, name, r, n, DNS_A);
		add_type(re, ADDITIONAL, name, r, n, DNS_AAAA);
		/* Without it nobody finds the servers of what was handed on. */
		if (!(re->flags & AA) && re->extra[i]->type == DNS_NS && fits &&
		    re->counts[ADDITIONAL] == before &&
		    name_below(name, re->extra[i]->name))
			re->flags |= TC;
	}
}

/* Names with more labels than any in the zone are not looked for. */
static const uint8_t *reachable(const struct zone *z, const uint8_t *name)
{
	for (unsigned n = name_labels(name); n > z->labels; n--)
		name = name_parent(name);
	return name;
}

static const struct record *find_cut(const struct zone *z, const uint8_t *name,
				     size_t *ret_n)
{
	const struct record *cut = NULL;

	for (; name && name_len(name) > name_len(z->origin); name = name_parent(name)) {
		const struct record *r;
		size_t n;
		bool below;

		r = zone_find(z, name, &n, &below);
		for (size_t i = 0; i < n; i++) {
			if (r[i].type == DNS_NS) {
				cut = r;
				*ret_n = n;
				break;
			}
		}
	}
	return cut;
}

/* The records of *.X where X is the nearest name above that exists (RFC 4592). */
static const struct record *find_wildcard(const struct zone *z, const uint8_t *name,
					  size_t *ret_n)
{
	uint8_t star[DNS_NAME_MAX + 2] = { 1, '*' };
	const uint8_t *above;
	bool below;

	*ret_n = 0;
	for (above = reachable(z, name_parent(name)); above; above = name_parent(above)) {
		if (zone_find(z, above, ret_n, &below) || below)
			break;
	}
	if (!above || !name_below(above, z->origin))
		return NULL;
	memcpy(star + 2, above, name_len(above));
	return zone_find(z, star, ret_n, &below);
}

static const struct record *find_cname(const struct record *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].type == DNS_CNAME)
			return &r[i];
	return NULL;
}

/* ANY is answered with one set of records (RFC 8482): enough to see that the name is
 * there, nothing to flood others with. */
static void answer_name(struct reply *re, const uint8_t *name, const struct record *r,
			size_t n, unsigned type)
{
	if (type == DNS_ANY && n)
		type = r->type;
	if (!add_type(re, ANSWER, name, r, n, type))
		add_nothing(re);
}

static void answer(struct reply *re, const struct query *q)
{
	uint8_t name[DNS_NAME_MAX];

	memcpy(name, q->name, name_len(q->name));
	re->flags |= AA;
	for (unsigned hops = 0; hops < MAX_CHAIN; hops++) {
		const struct record *r, *cname;
		size_t n;
		bool below;

		r = find_cut(re->zone, name, &n);
		if (r && !(q->type == DNS_DS && name_compare(r->name, name) == 0)) {
			if (hops == 0)
				re->flags &= (uint16_t)~AA;
			add_type(re, AUTHORITY, r->name, r, n, DNS_NS);
			return;
		}
		r = zone_find(re->zone, name, &n, &below);
		if (!r && !below)
			r = find_wildcard(re->zone, name, &n);
		if (!r && !below) {
			re->rcode = DNS_NXDOMAIN;
			add_nothing(re);
			return;
		}
		cname = q->type == DNS_CNAME || q->type == DNS_ANY ? NULL :
								     find_cname(r, n);
		if (!cname) {
			answer_name(re, name, r, n, q->type);
			return;
		}
		add(re, ANSWER, name, cname, cname->ttl);
		memcpy(name, cname->data, cname->len);
		name_lower(name);
		if (!name_below(name, re->zone->origin))
			return;
	}
}

static const struct zone *zone_of(const struct dns_server *s, const uint8_t *name)
{
	const struct zone *best = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (name_below(name, s->zones[i].origin) &&
		    (!best || name_len(s->zones[i].origin) > name_len(best->origin)))
			best = &s->zones[i];
	return best;
}

/* ---- the whole message ---- */

static void put_opt(struct reply *re, const struct query *q)
{
	uint8_t opt[OPT_BYTES] = { 0, 0, DNS_OPT };

	set16(opt + 3, DNS_UDP_MAX);
	opt[5] = (uint8_t)(re->rcode >> 4);
	opt[7] = q->dnssec_ok ? 0x80 : 0;
	re->w.max += OPT_BYTES; /* kept free until now */
	put(&re->w, opt, sizeof opt);
	re->counts[ADDITIONAL]++;
}

static size_t limit_of(const struct query *q, size_t max, bool stream)
{
	size_t limit = 512;

	if (stream)
		limit = DNS_TCP_MAX;
	else if (q->edns && q->udp_size > limit)
		limit = q->udp_size < DNS_UDP_MAX ? q->udp_size : DNS_UDP_MAX;
	return limit < max ? limit : max;
}

static void know_question(struct writer *w, const struct query *q)
{
	if (!q->question)
		return;
	for (size_t at = 0; q->name[at] && w->n_known < MAX_KNOWN / 2;
	     at += q->name[at] + 1u)
		w->known[w->n_known++] = (uint16_t)(HEADER + at);
}

size_t dns_answer(const struct dns_server *s, const uint8_t *msg, size_t len,
		  uint8_t *out, size_t max, bool stream)
{
	struct reply re = { 0 };
	struct query q;
	int rcode = read_query(msg, len, &q);

	if (rcode < 0 || max < 512)
		return 0;
	re.w = (struct writer){ .out = out,
				.max = limit_of(&q, max, stream),
				.len = HEADER };
	if (q.edns)
		re.w.max -= OPT_BYTES;
	put(&re.w, msg + HEADER, q.question);
	know_question(&re.w, &q);
	re.rcode = (unsigned)rcode;
	re.flags = QR | (q.flags & (0x7800 | RD | CD));
	if (rcode == DNS_NOERROR) {
		re.zone = zone_of(s, q.name);
		if (re.zone)
			answer(&re, &q);
		else
			re.rcode = DNS_REFUSED;
		if (re.zone && !(re.flags & TC))
			add_extra(&re);
	}
	if (q.edns)
		put_opt(&re, &q);
	set16(out, q.id);
	set16(out + 2, re.flags | (re.rcode & 15));
	set16(out + 4, q.question > 0);
	for (int i = 0; i < 3; i++)
		set16(out + 6 + 2 * i, re.counts[i]);
	return re.w.len;
}
