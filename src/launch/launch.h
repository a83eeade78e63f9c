/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.h - from a checked environment of the graph to a running tender.
 *
 * What every command that starts something shares: it records the environment, turns
 * its bindings into a spec, runs the tender here or in the background, and clears up.
 * A kept environment is remembered as what was asked for (record.c), never as what was
 * enforced, so that each start decides anew.
 *
 * Errors: a sentence in err, and the exit code that a person's shell should see: 125
 * for ours, 126 not executable, 127 not found.
 */
#ifndef POLDER_LAUNCH_LAUNCH_H
#define POLDER_LAUNCH_LAUNCH_H

#include "base/err.h"
#include "graph/graph.h"
#include "server/server.h"
#include "state/registry.h"

struct launch {
	struct genv *env; /* changes with what is granted and revoked while it runs */
	struct registry *reg;
	const struct places *places;
	const char *composition; /* "" for none */
	const char *cwd;         /* the caller's, absolute */
	bool keep;               /* stays after its end, until rm */
	bool background;
	bool accept_weaker;
	bool verbose; /* a unikernel's fault is told with its registers */
	int core_fd;  /* for a unikernel's core file; 0: none. Borrowed */
	bool exits; /* the process ends right after, and frees what is its own with that */
	int end_fd; /* in the background: told its wait status, a u32, at its end; 0: none */
	struct err *note; /* a sentence beside a success; NULL: not wanted */
	const struct reg_entry
		*again; /* a stopped one that is started again; NULL: new */
};

/* The result of a start in the background. */
struct launched {
	struct reg_id id;
	uint64_t generation;
};

/* In the foreground; *ret_code is the program's exit code, 128 + n for a signal. */
int launch_foreground(const struct launch *l, int *ret_code, struct err *err);
/* Returns once the program runs. */
int launch_background(const struct launch *l, struct launched *ret, int *ret_code,
		      struct err *err);

/* The spec alone, encoded, of a disposable environment in the foreground: nothing is
 * recorded or started. For polder-tender-linux. */
int launch_spec(const struct launch *l, struct str *out, struct err *err);

/* ---- unikernels (image.c) ---- */

/* Reads the notes of e's image: its kind, its devices, how much memory it needs. PE_BAD:
 * it is no image, or not one that can run here. */
int image_read(struct genv *e, struct err *err);
/* The same for all of g; what is wrong goes to d, at its place. */
void image_read_all(struct graph *g, struct diags *d);
/* True if the file at path begins as a unikernel does; false for anything else. */
bool image_is(const char *path);
/* For polder inspect: everything that the file says. */
struct solo5_image;
int image_parse(const char *path, struct solo5_image *ret, struct err *err);

/* ---- what a kept environment was asked to be (record.c) ---- */

void record_encode(const struct genv *e, const char *cwd, const char *composition,
		   struct str *out);
/* Adds the environment to g; *ret_cwd and *ret_composition point into buf. PE_BAD. */
int record_decode(struct graph *g, const void *buf, size_t len, struct genv **ret,
		  const char **ret_cwd, const char **ret_composition, struct err *err);
/* The record of a kept environment, by its registry entry. *ret_buf is the caller's. */
int record_load(struct registry *reg, const struct reg_id *id, struct graph *g,
		struct genv **ret, const char **ret_cwd, char **ret_buf, struct err *err);

/* ---- what show prints ---- */

/* Every slot: asked, enforced, cut strength. */
void launch_slots_json(const struct genv *e, struct json *out);
/* The same of one that runs; u: NULL for a Linux program. */
struct unikernel;
void launch_running_json(const struct genv *e, const struct unikernel *u,
			 struct json *out);

/* Removes cgroups of an environment whose tender died; for registry_on_cleanup. */
int launch_cleanup(void *unused, const struct reg_entry *e, struct err *err);

#endif
