/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kinds.h - reading the one table of what can be bound: per program kind and interface
 * the sources, options and caretakers, what each takes, how it is enforced, how far it
 * can be cut, and the sentence where it is refused. All of it is constant.
 */
#ifndef POLDER_GRAPH_KINDS_H
#define POLDER_GRAPH_KINDS_H

#include "graph/graph.h"

/* What a word's "=ARG" must look like. */
enum arg {
	ARG_NONE,
	ARG_BYTES,
	ARG_SHIFT, /* a duration, with a sign or without */
	ARG_BELOW, /* a relative path without ".." */
	ARG_HOSTNAME,
	ARG_USER,
	ARG_MACHINE_ID,
	ARG_CUT,
	ARG_MAC,   /* of a network card */
	ARG_MTU,   /* bytes of a frame without its header */
	ARG_BLOCK, /* bytes of a block */
	ARG_PATH,  /* of the host; made absolute where it is read */
	ARG_TIME,  /* a point in time */
	ARG_HIDE,  /* a name, or a pattern of names */
	ARG_MAX,   /* bytes or files */
	ARG_RATE,  /* bytes or operations in a second */
	ARG_TTL,   /* a duration, or "@" and a point in time */
	ARG_FAULT, /* KIND:PROBABILITY[:SEED] */
	ARG_TEXT,
	ARG_COUNT
};

/* What a source asks of the kernel and the user. */
enum need { NEED_NOTHING, NEED_TIMENS, NEED_COUNT };

/* Texts and no pointers to texts, in this table of hundreds: a program that is loaded
 * anywhere has every page of them of its own, for as long as a supervisor is there. */
struct source_kind {
	bool refused;   /* text says why it cannot be given; else how it is */
	bool weak;      /* there is a warning: kind_warning */
	uint8_t cut;    /* enum cut */
	uint8_t need;   /* enum need */
	char text[172]; /* "": nobody has thought of it */
};

struct option_kind {
	char name[12];
	enum arg arg;
	unsigned ifaces;   /* 1 << IF_… */
	unsigned sources;  /* 1 << SRC_… that it belongs to */
	unsigned programs; /* 1 << PROGRAM_… that know it */
};

struct caretaker_kind {
	char name[8];
	enum arg arg;
	unsigned ifaces; /* where it has a meaning at all */
	unsigned there;  /* where it can be had; elsewhere it is a word of the design */
};

/* The slot "/" has a row of its own. */
const struct source_kind *kind_source(enum program_kind program, enum iface iface,
				      bool is_root, enum source source);
/* Of a source that is weak. */
const char *kind_warning(enum program_kind program, enum iface iface, enum source source);
/* The row that fits b best: its program's, its interface's (any of a device's while
 * nobody knows which), its source's. NULL: there is none for that interface. */
const struct option_kind *kind_option(const struct binding *b, const char *name);
const struct caretaker_kind *kind_caretaker(const char *name);
/* An option of any interface, or a caretaker of any. */
bool kind_word_known(const char *name);
/* "size=", "ro, subdir=": the words of that interface that are there, in *out. */
void kind_list_options(const struct binding *b, struct str *out);
void kind_list_caretakers(const struct binding *b, struct str *out);
const char *kind_nearest_word(const char *word, const struct binding *b);

/* value NULL: none was written. */
bool arg_valid(enum arg arg, const char *value);
const char *arg_like(enum arg arg);
/* The argument of a caretaker of that name, for those kinds that have no reader here. */
bool caretaker_arg_valid(const char *key, const char *value);
/* NULL: the facts meet it; else what is missing. */
const char *need_missing(enum need need, const struct host_facts *facts);

#endif
