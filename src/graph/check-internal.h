/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check-internal.h - what graph_check's two halves share. */
#ifndef POLDER_GRAPH_CHECK_INTERNAL_H
#define POLDER_GRAPH_CHECK_INTERNAL_H

#include "graph/graph-internal.h"

struct check {
	struct graph *graph;
	const struct host_facts *facts;
	bool accept_weaker;
	struct diags *diags;
};

#define ERROR(c, pos, hint, ...) diags_add((c)->diags, (pos), false, (hint), __VA_ARGS__)
#define WARN(c, pos, hint, ...) diags_add((c)->diags, (pos), true, (hint), __VA_ARGS__)

/* One binding, against the table, the facts and the composition. */
void check_binding(struct check *c, struct binding *b);
void check_no_such_env(struct check *c, struct pos pos, const char *name);
/* The place of the kernel's that path is in; NULL: none. */
const char *check_kernel_place(const char *path);

#endif
