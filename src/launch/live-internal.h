/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deciding about an environment that runs; shared by launch.c and live.c alone. */
#ifndef POLDER_LAUNCH_LIVE_INTERNAL_H
#define POLDER_LAUNCH_LIVE_INTERNAL_H

#include "graph/change.h"
#include "graph/graph.h"
#include "server/server.h"
#include "state/registry.h"
#include "tender/tender.h"

/* A binding that was made while it ran, in the journal. */
struct live_bind {
	struct live_bind *next;
	struct reg_id id;
	char *slot;
};

struct live {
	struct genv *env; /* what it holds; changed here */
	const char *cwd, *composition;
	struct registry *reg; /* NULL: nothing is recorded */
	struct reg_held *held;
	const struct spec *spec;
	const struct server_ctx *cx;
	struct unikernel *unikernel; /* NULL: a Linux program */
	struct live_bind *binds;
};

void live_fini(struct live *l);
/* Durations of ttl= become points in time. What is over already is no longer held where it was
 * asked for at an earlier start (again), and else refused. */
int live_begin(struct genv *e, bool again, struct err *err);
/* Something must be served before the program is released. */
bool live_is_needed(const struct genv *e);
int live_serve_all(struct live *l, struct tender *t, struct err *err);
int live_change(struct live *l, struct tender *t, uint16_t verb, struct rbuf *body,
		const int *fds, size_t n_fds, struct str *reply, struct err *err);
void live_lost(struct live *l, const char *slot, const char *why);

/* ---- live-unikernel.c: the step of a change that graph has decided (CHANGE_DEVICE) ---- */

int live_device_grant(struct live *l, struct tender *t, const struct binding *b,
		      struct err *err);
int live_device_narrow(struct tender *t, const struct binding *b, struct err *err);
/* c->binding, which is null, gets the size that the guest was told. */
int live_device_revoke(struct live *l, struct tender *t, struct genv_change *c,
		       enum revoke_to to, struct err *err);

#endif
