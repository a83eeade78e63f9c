/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * members.h - the environments of a composition: what up, down, run -f and apply share.
 *
 * Order of calls: up_open, then up_load, then the others; up_close in any case. Entries and
 * environments are borrowed. Errors: a sentence in err.
 */
#ifndef POLDER_CLI_COMPOSE_MEMBERS_H
#define POLDER_CLI_COMPOSE_MEMBERS_H

#include <limits.h>

#include "cli/compose/compose.h"
#include "graph/plan.h"
#include "launch/launch.h"
#include "launch/verbs.h"

struct up {
	struct places places;
	struct registry *reg;
	struct graph *g;
	char cwd[PATH_MAX];
	char composition[64];
	bool accept_weaker, json, progress;
	struct genv **started; /* by this command, in order */
	size_t n_started;
	struct graph *running; /* up_plan: .scratch of each is its entry in list */
	struct reg_list list;
	struct plan plan; /* of up alone */
};

int up_open(struct up *u, struct err *err);
/* The file, checked; prints all that is wrong with it: PE_BAD then. spared: what was not
 * done for that, "nothing was started". */
int up_load(struct up *u, const char *file, const char *spared, struct err *err);
void up_close(struct up *u);
/* The composition's name from the manifest, or its file's. up_load does it. */
void up_name(struct up *u, const char *file);
/* A console that is the default is its own in the background. */
int up_own_consoles(struct graph *g, struct err *err);
void up_say(const struct up *u, const char *name, const char *what);

/* (running.c) After up_own_consoles: what is to be done for what runs to be as the file
 * says; ret points into u. Once. */
int up_plan(struct up *u, enum revoke_how revoke, struct plan *ret, struct err *err);

/* *ret is the caller's. */
int up_find(struct up *u, const char *name, struct reg_entry **ret, struct err *err);
/* said: the line of progress, "started". It is added to .started, which has room. */
int up_start(struct up *u, struct genv *env, const char *said, struct err *err);
int up_ready(struct up *u, struct genv *env, struct err *err);
int up_stop(struct up *u, const struct reg_entry *e, struct err *err);

#endif
