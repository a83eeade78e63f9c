/* SPDX-License-Identifier: ISC */
/*
 * zone.h - names, zones and answers of an authoritative DNS server.
 *
 * Plain C99 without a socket or a clock, so that the same code is fuzzed and tested on
 * the host. A name is in wire form (labels with their lengths, a zero at the end) and
 * lower case where it is compared.
 *
 * Order: zone_parse() each file, then dns_answer() for each message. Zones are never
 * changed afterwards.
 */
#ifndef DNS_ZONE_H
#define DNS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX 255 /* bytes of a name, its final zero included */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_DS = 43,
	DNS_CAA = 257,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16 /* needs an OPT record */
};

/* ---- names ---- */

/* Bytes of a name in wire form. */
size_t name_len(const uint8_t *name);
/* Labels without the root's. */
unsigned name_labels(const uint8_t *name);
/* -1, 0, 1 in the order of DNSSEC (by labels from the right); both lower case. */
int name_compare(const uint8_t *a, const uint8_t *b);
/* Whether a is b or lies below it. */
bool name_below(const uint8_t *a, const uint8_t *b);
/* The name without its first label; the root has none: NULL. */
const uint8_t *name_parent(const uint8_t *name);
void name_lower(uint8_t *name);
/*
 * Reads the name of a message at *pos, follows pointers (each must point backwards), and
 * moves *pos behind it. false: it is malformed.
 */
bool name_read(const uint8_t *msg, size_t len, size_t *pos, uint8_t ret[DNS_NAME_MAX]);
/* From text with \. and \DDD, relative to origin (NULL: must end with a dot). */
bool name_parse(const char *text, size_t len, const uint8_t *origin,
		uint8_t ret[DNS_NAME_MAX]);
/* One character of text at *at < len, \ resolved, and *at moved behind; -1: malformed. */
int text_char(const char *text, size_t len, size_t *at);
/* For a person; ret is always terminated. */
void name_text(const uint8_t *name, char *ret, size_t size);

/* ---- zones ---- */

struct record {
	const uint8_t *name; /* lower case */
	const uint8_t *data; /* wire form; names in it are whole */
	uint32_t ttl;
	uint16_t type;
	uint16_t len; /* of data */
};

struct zone_chunk;

struct zone {
	uint8_t origin[DNS_NAME_MAX];
	struct record *records; /* by name_compare(), then by type */
	size_t n, room;
	unsigned labels; /* of the deepest name: nothing is below */
	const struct record *soa;
	struct zone_chunk *chunks; /* what the records point to */
};

struct zone_error {
	unsigned line;
	char text[120];
};

/*
 * A master file (RFC 1035 5, with $ORIGIN and $TTL, without $INCLUDE). The origin is
 * what "@" means until $ORIGIN says otherwise, and the zone's own name is the owner of
 * its SOA record. false: *ret_error says where and why; nothing is to be freed.
 */
bool zone_parse(struct zone *zone, const char *text, size_t len, const uint8_t *origin,
		struct zone_error *ret_error);
void zone_fini(struct zone *zone);

/* The first record of a name or NULL. *ret_n: how many; *ret_below: a name lies below
 * this one, so it exists even without a record. */
const struct record *zone_find(const struct zone *zone, const uint8_t *name,
			       size_t *ret_n, bool *ret_below);

/* ---- answers ---- */

#define DNS_UDP_MAX 1232 /* of an answer by UDP, whatever the client offers */
#define DNS_TCP_MAX 65535

struct dns_server {
	const struct zone *zones;
	size_t n;
};

/*
 * The answer to one message: its length in out[max], or 0 where none is due. stream: by
 * TCP, where there is no truncation below max.
 */
size_t dns_answer(const struct dns_server *s, const uint8_t *msg, size_t len,
		  uint8_t *out, size_t max, bool stream);

#endif
