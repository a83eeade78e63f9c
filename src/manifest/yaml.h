/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yaml.h - a tree of a YAML stream with the position of everything in it. libfyaml reads
 * the events, the tree is ours: building it is linear in the keys of a mapping, which
 * the library's own documents are not.
 *
 * Everything lives until yaml_fini. An alias is the same node again.
 */
#ifndef POLDER_MANIFEST_YAML_H
#define POLDER_MANIFEST_YAML_H

#include "graph/graph.h"

enum ytype { Y_NULL, Y_SCALAR, Y_MAP, Y_SEQ };

struct ypair {
	struct ynode *key; /* always a scalar */
	struct ynode *value;
};

struct ynode {
	struct ynode *next; /* all nodes, for yaml_fini */
	enum ytype type;
	bool plain;  /* written without quotes, not as a block */
	bool quoted; /* in ' or " */
	bool open;   /* its end was not seen yet: an alias to it would be a cycle */
	bool seen;   /* of the reader: its mistakes were reported already */
	struct pos pos;
	char *text; /* of a scalar; no NUL inside */
	size_t len;
	struct ypair *pairs;
	struct ynode **items;
	size_t n;       /* pairs or items */
	uint32_t *hash; /* of a large mapping: places in pairs, plus one */
	size_t n_hash;
};

struct yaml {
	struct ynode *nodes;
	struct ynode **docs;
	size_t n_docs;
};

/* Syntax errors, duplicate keys and what else is wrong with the YAML go to d. 0; PE_BAD:
 * reading stopped before the end, what is there is not whole; -ENOMEM. file is a name
 * that the graph keeps. */
int yaml_parse(struct yaml *y, const char *file, const char *text, size_t len,
	       struct diags *d);
void yaml_fini(struct yaml *y);

struct ynode *ynode_get(const struct ynode *map, const char *key);
/* Where the text of a scalar begins: after the quote. */
struct pos ynode_text_pos(const struct ynode *n);
const char *ynode_type_name(const struct ynode *n);

#endif
