/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load-internal.h - what the readers of a manifest's parts share. A reader reports what
 * is wrong and goes on; only running out of memory stops it, through load.oom.
 */
#ifndef POLDER_MANIFEST_LOAD_INTERNAL_H
#define POLDER_MANIFEST_LOAD_INTERNAL_H

#include "manifest/manifest.h"
#include "manifest/yaml.h"

struct load {
	struct graph *g;
	struct diags *d;
	const struct path_base *base;
	struct ynode *defaults;  /* NULL: none */
	struct ynode *templates; /* NULL: none */
	bool quiet;              /* this node's mistakes were reported before */
	uint32_t layer;          /* which is being laid over what is there; from 1 */
	bool oom;
};

#define BAD(l, at, hint, ...)                                                            \
	do {                                                                             \
		if (!(l)->quiet)                                                         \
			diags_add((l)->d, (at), false, (hint), __VA_ARGS__);             \
	} while (0)

/* One key of a mapping and who reads it. */
struct reader_key {
	const char *name;
	void (*read)(struct load *l, void *into, struct ynode *key, struct ynode *value);
};

/* Gives each pair of map to its reader; reports keys that nobody reads. what: "an
 * environment". */
void read_map(struct load *l, struct ynode *map, const char *what,
	      const struct reader_key *keys, size_t n_keys, void *into);
void unknown_key(struct load *l, const struct ynode *key, const char *what,
		 const char *const *names, size_t n);

/* Each reports and returns false if the node is something else. */
bool want_map(struct load *l, const struct ynode *n, const char *what);
bool want_text(struct load *l, const struct ynode *n, const char *what);
bool want_bool(struct load *l, const struct ynode *n, const char *what, bool *ret);

/* Reports an error sentence that a function of src/graph returned. -E2BIG is the
 * environment's and not the node's fault, and is never kept quiet. */
void report(struct load *l, struct pos pos, int r, const struct err *err);

/* Lays one mapping over the environment: later wins. */
void read_env(struct load *l, struct genv *e, struct ynode *map);
void read_slots(struct load *l, struct genv *e, struct ynode *map);
void read_limits(struct load *l, struct limits *limits, struct ynode *key,
		 struct ynode *value);

#endif
