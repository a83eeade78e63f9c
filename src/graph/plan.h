/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - from what runs to what is wanted, in as few steps as can be.
 *
 * Both graphs are whole: defaults added (genv_add_defaults), `wanted` checked
 * (graph_check), `running` with what was granted since (.live). A step that says what is
 * done to a slot carries the change as src/graph/change.h decides it. What is the same is
 * left alone, and whatever cannot be had while a program runs is a restart of that one
 * environment, with the reason; so is what is bound to a server of one that restarts.
 *
 * A ttl= that is a duration in `wanted` is not counted anew each time: where what runs
 * ends no later, it is the same. One that has ended was revoked then, and is granted
 * again.
 *
 * Order: stops; then, by stage, each environment's start, restart or changes: revocations
 * first, the innermost slot before the others, then attenuations, then grants.
 *
 * Ownership: the plan owns its steps and points into both graphs, which have to live as
 * long. Errors: PE_REFUSED with the sentence (a ttl= in wanted has passed; .refuse_weak);
 * -ENOMEM.
 */
#ifndef POLDER_GRAPH_PLAN_H
#define POLDER_GRAPH_PLAN_H

#include "graph/change.h"

enum plan_op {
	PLAN_NOTHING, /* it runs as wanted */
	PLAN_STOP,
	PLAN_START,
	PLAN_RESTART, /* .reason */
	PLAN_REVOKE,  /* .change, as the others below */
	PLAN_ATTENUATE,
	PLAN_GRANT,
	PLAN_OP_COUNT
};
const char *plan_op_name(enum plan_op op);

struct plan_step {
	enum plan_op op;
	const struct genv *running, *wanted; /* NULL: it is not in that graph */
	struct genv_change change;
	char *what;     /* a change: the binding, the caretakers or the slot, as a person
			 * would write it after the command; else NULL */
	char *reason;   /* PLAN_RESTART */
	struct pos pos; /* of the rule that asks for it */
};

struct plan {
	struct plan_step *v;
	size_t n;
};

struct plan_how {
	uint64_t now_ns; /* CLOCK_REALTIME */
	bool accept_weaker;
	bool no_mounts;         /* what would be mounted while it runs is a restart */
	enum revoke_how revoke; /* REVOKE_COMPLETE: what would stay usable is a restart */
	bool refuse_weak;       /* REVOKE_COMPLETE: unless that is restarted all the same,
				 * it is refused instead */
};

int graph_plan(const struct graph *running, const struct graph *wanted,
	       const struct host_facts *facts, const struct plan_how *how,
	       struct plan *ret, struct err *err);
void plan_fini(struct plan *p);

/* How many steps there are besides PLAN_NOTHING. */
size_t plan_todo(const struct plan *p);
/* The members of a step, in an object that is open. */
void plan_step_to_json(const struct plan_step *s, struct json *out);
/* A line for each of those, with the file and line of its rule; "nothing to do". */
void plan_write(const struct plan *p, struct str *out);
void plan_to_json(const struct plan *p, struct json *out);

#endif
