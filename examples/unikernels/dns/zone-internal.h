/* SPDX-License-Identifier: ISC */
/* zone-internal.h - what zone.c and data.c share. */
#ifndef DNS_ZONE_INTERNAL_H
#define DNS_ZONE_INTERNAL_H

#include "zone.h"

#define MAX_WORDS 128
#define MAX_DATA 4096 /* of one record */
#define MAX_TTL 0x7fffffffu

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

/* false always: the sentence goes to ps->error, with the entry's line. */
bool wrong(struct parser *ps, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How much of a word goes into a sentence. */
int shown(const struct word *w);
bool word_is(const struct word *w, const char *upper);
/* Seconds, or with units: 1h30m, 2d, 1w. */
bool word_time(const struct word *w, uint32_t *ret);

/* ---- what a record says ---- */

struct type {
	const char *name;
	uint16_t type;
	uint8_t words; /* 0: any number from one */
	bool (*put)(struct parser *ps, const struct word *w);
};

/* NULL: not known here. */
const struct type *type_of(const struct word *w);
/* The words from at on into ps->data, in wire form. */
bool put_data(struct parser *ps, const struct type *t, size_t at);

#endif
