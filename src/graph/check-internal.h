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

/* One binding of e, against the table, the facts and the composition. */
void check_binding(struct check *c, const struct genv *e, struct binding *b);
void check_no_such_env(struct check *c, struct pos pos, const char *name);
/* The place of the kernel's that path is in; NULL: none. */
const char *check_kernel_place(const char *path);

/* ---- check-caretaker.c ---- */

/* The caretakers of b, and the options that stand for one. */
void check_caretakers(struct check *c, const struct binding *b);
/* That what b needs one for can be had here. */
void check_caretaker_there(struct check *c, const struct binding *b);

/* ---- check-unikernel.c ---- */

/* limits: where mem was written, or the environment. */
void check_unikernel(struct check *c, const struct genv *e, struct pos limits);
/* False: it is no device that e has (reported), so nothing more can be said. */
bool check_device(struct check *c, const struct genv *e, const struct binding *b);
void check_volume(struct check *c, const struct binding *b);
bool check_tap(struct check *c, const struct binding *b);
/* from's device b wants to be joined to other's. */
void check_join(struct check *c, struct binding *b, const struct genv *from,
		struct genv *other, const char *device);

#endif
