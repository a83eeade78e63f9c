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
	ARG_TEXT,
	ARG_COUNT
};

/* What a source asks of the kernel and the user. */
enum need { NEED_NOTHING, NEED_TIMENS, NEED_COUNT };

struct source_kind {
	const char *refused; /* NULL: it can be given */
	const char *how;
	const char *weak; /* a warning; NULL: none */
	enum cut cut;
	enum need need;
};

struct option_kind {
	const char *name;
	enum arg arg;
	unsigned ifaces;  /* 1 << IF_… */
	unsigned sources; /* 1 << SRC_… that it belongs to */
};

struct caretaker_kind {
	const char *name;
	enum arg arg;
	unsigned ifaces; /* where it has a meaning at all */
	bool there;      /* false: a word of the design that does not exist yet */
};

/* NULL: programs of this kind run. */
const char *kind_refused(enum program_kind program);
/* The slot "/" has a row of its own. */
const struct source_kind *kind_source(enum program_kind program, enum iface iface,
				      bool is_root, enum source source);
const struct option_kind *kind_option(const char *name, enum iface iface);
const struct caretaker_kind *kind_caretaker(const char *name);
/* An option of any interface, or a caretaker of any. */
bool kind_word_known(const char *name);
/* "size=", "ro, subdir=": the words of that interface that are there, in *out. */
void kind_list_options(enum iface iface, struct str *out);
void kind_list_caretakers(enum iface iface, struct str *out);
const char *kind_nearest_word(const char *word, enum iface iface);

/* value NULL: none was written. */
bool arg_valid(enum arg arg, const char *value);
const char *arg_like(enum arg arg);
/* NULL: the facts meet it; else what is missing. */
const char *need_missing(enum need need, const struct host_facts *facts);

#endif
