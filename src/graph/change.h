/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h - changing what an environment holds while its program runs.
 *
 * Decides and never acts. A question takes what the environment holds now and answers
 * with one struct genv_change: the step to be taken, and what the slot holds afterwards.
 * Whoever asked records the intent, has the step taken, records the end, and only then
 * calls genv_change_apply(), so that its struct genv is again what holds.
 *
 * struct genv `now` is one of a graph, with the bindings that hold: those of the start
 * and, with .live set, those made since. Where its graph is not the whole running graph,
 * its .open is to be set.
 *
 * Ownership: the change owns its texts; genv_change_fini() releases it, applied or not.
 *
 * Errors: PE_REFUSED with the sentence that says why, and what to do instead; PE_USAGE
 * for words that are wrong; PE_NOTFOUND: no such slot; PE_EXISTS: the slot is bound;
 * -E2BIG, -ENOMEM. Nothing has been touched then.
 *
 * What it does not look at: whether a path exists, inside or on the host, and what lies
 * there. Mount points are never made in what is granted: a slot inside of it has to be
 * there, which the tender finds out.
 */
#ifndef POLDER_GRAPH_CHANGE_H
#define POLDER_GRAPH_CHANGE_H

#include "graph/graph.h"

enum change_step {
	CHANGE_NOTHING,   /* it holds already */
	CHANGE_MOUNT,     /* grant: made ready outside and mounted at the slot */
	CHANGE_CARETAKER, /* grant: a caretaker is started, and what it serves mounted */
	CHANGE_ATTENUATE, /* the slot's caretaker is told what holds from now on */
	CHANGE_CUT,       /* revoke: the slot's caretaker cuts, then the mount goes */
	CHANGE_UNMOUNT,   /* revoke: the mount goes */
	CHANGE_DEVICE,    /* a unikernel's device: grant, narrow or revoke */
	CHANGE_STEP_COUNT
};
const char *change_step_name(enum change_step s);

enum revoke_to {
	REVOKE_TO_NULL, /* the powerless server stands in its place */
	REVOKE_TO_ERROR /* nothing does: every use of the path, or of the device, fails */
};

/* What is accepted where a cut would leave something. Neither word makes a cut that can
 * be complete any weaker, or kills where that is not needed. */
enum revoke_how {
	REVOKE_COMPLETE, /* nothing: refused then */
	REVOKE_NEW_ONLY, /* what is open stays */
	REVOKE_KILL      /* the program is ended, all of it, after the step */
};

struct genv_change {
	enum change_step step;
	char *slot;
	struct binding binding; /* what the slot holds afterwards; .slot NULL: no more */
	const char *how;        /* how that is enforced; constant text */
	enum cut
		cut; /* a grant's: what revoking it will be; a revocation's: what it is */
	bool kill;   /* a revocation's: the program is to be ended after the step */
};

void genv_change_fini(struct genv_change *c);

/*
 * b: from graph_env_bind on an environment of any graph; not kept. now_ns:
 * CLOCK_REALTIME, for ttl=. A slot that is null is taken over; one that is bound to
 * something else is PE_EXISTS. A slot that lies in another is taken where that is mounted
 * and can have places (not null, not a file, not a caretaker's); one that would cover
 * another is refused.
 */
int graph_grant(const struct genv *now, const struct binding *b,
		const struct host_facts *facts, bool accept_weaker, uint64_t now_ns,
		struct genv_change *ret, struct err *err);

/* words: n texts, each CARETAKER[=ARG][,…]. Only what narrows is taken; of two that limit
 * the same, the tighter is kept. What is not served by a caretaker cannot be narrowed. */
int graph_attenuate(const struct genv *now, const char *slot, const char *const *words,
		    size_t n, const struct host_facts *facts, uint64_t now_ns,
		    struct genv_change *ret, struct err *err);

/* What is bound below the slot is to be revoked first; nulls below it go with it. */
int graph_revoke(const struct genv *now, const char *slot, enum revoke_to to,
		 enum revoke_how how, const struct host_facts *facts,
		 struct genv_change *ret, struct err *err);

/* e is then what holds. -ENOMEM, with nothing done. */
int genv_change_apply(struct genv *e, struct genv_change *c);

/* Why the slot's binding cannot change while a program runs; NULL: it can. */
const char *binding_fixed(const struct binding *b, const struct host_facts *facts);

#endif
