/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verbs.h - what is done to an environment that is there: the part that the command
 * line, polder-compose and libpolder have in common.
 *
 * Entries are borrowed; an entry is a picture of one moment, so each verb takes an end
 * that came between the look and the request as an end. Times are in milliseconds.
 *
 * Errors: PE_NOTFOUND if it is not there or does not run, PE_BUSY, PE_REFUSED with the
 * tender's sentence, -errno.
 */
#ifndef POLDER_LAUNCH_VERBS_H
#define POLDER_LAUNCH_VERBS_H

#include "base/err.h"
#include "graph/graph.h"
#include "launch/launch.h"
#include "state/registry.h"

#define LAUNCH_STOP_MS 10000u /* from the signal to SIGKILL, where nobody said */

/* The places and the registry, with the hook that clears up cgroups. */
int launch_open(struct places *places, struct registry **ret_reg, struct err *err);

/* Until there is something to read. PE_BUSY without a sentence: the time is over. */
int launch_await(int fd, int timeout_ms);

/* Until it ends; *ret_status as wait() gives it. timeout_ms -1: as long as it takes;
 * else PE_BUSY without a sentence. */
int launch_wait(struct registry *reg, const struct reg_entry *e, int timeout_ms,
		int *ret_status, struct err *err);

/* sig, then SIGKILL after timeout_ms; returns when it has ended. */
int launch_stop(struct registry *reg, const struct reg_entry *e, int sig,
		uint64_t timeout_ms, struct err *err);

/* Starts a stopped, kept one as it was asked for: see launch_background. Forks. */
int launch_again(struct registry *reg, const struct places *places,
		 const struct reg_entry *e, struct launched *ret, int *ret_code,
		 struct err *err);

/* Forgets it and what it owns. PE_BUSY: it is not stopped, unless force. */
int launch_remove(struct registry *reg, const struct reg_entry *e, bool force,
		  struct err *err);

/* A name that is to be run: *ret is the stopped one that has it, NULL if there is none;
 * PE_BUSY if it runs. The caller frees *ret. */
int launch_find_stopped(struct registry *reg, const char *name, struct reg_entry **ret,
			struct err *err);

/* The directory that holds `log` and `log.1`. */
int launch_open_log_dir(struct registry *reg, const struct reg_entry *e, int *ret_fd,
			struct err *err);

/* What this host can do, tried out: host_facts_probe, for those above the sandbox. */
void launch_facts(struct host_facts *ret);

/* The exit code of a shell: 128 + n for a signal. */
int launch_exit_code(int wait_status);

/* ---- entering (enter.c) ---- */

struct enter {
	const char *const *argv; /* n_argv words */
	size_t n_argv;
	const char *const *vars; /* VAR=VALUE, besides the clean set */
	size_t n_vars;
	const char *chdir; /* NULL: where its program began */
	const int *fds;    /* three; NULL: a terminal of rows and cols is made */
	uint16_t rows, cols;
};

/* PE_REFUSED: a descriptor that would be a way out of the environment. */
int enter_check_streams(const int *fds, struct err *err);
/* Asks; answers come over *ret_sock, the caller's: CTL_MASTER where a terminal is made,
 * then CTL_ENDED. Closing it early kills what was entered. */
int enter_ask(struct registry *reg, const struct reg_entry *e, const struct enter *x,
	      int *ret_sock, struct err *err);

/* ---- granting what lies on the host (paths.c) ---- */

/* The sugar -r and -w: the same path inside, which is made where it is to be written and
 * is missing ("DIR/" a directory, else a file). cwd is absolute. */
int grant_path(struct genv *e, const char *cwd, const char *path, bool write,
	       struct err *err);

/* ---- what it holds (slots.c) ---- */

/* The JSON of launch_slots_json: a running one tells, a stopped one's record does. */
int slots_of_entry(struct registry *reg, const struct reg_entry *e, struct str *ret,
		   struct err *err);

struct slot_row {
	char *slot, *iface, *asked, *enforced, *cut;
	bool implied, weaker, live;
};

struct slot_rows {
	struct slot_row *v;
	size_t n;
};

/* Reads that JSON. PE_BAD. */
int slots_read(const char *json, struct slot_rows *ret, struct err *err);
void slot_rows_fini(struct slot_rows *rows);

/* ---- the same as a graph (held.c) ---- */

/*
 * Adds to g what a kept environment is: what its record asks for, and where it runs, the
 * bindings that its tender holds now, .live where they were made since it runs. Where a
 * binding comes from is told as its struct pos: without lines. PE_NOTFOUND: it has ended
 * meanwhile; PE_REFUSED: it is disposable, and nobody has written down what it is.
 */
int held_load(struct registry *reg, const struct reg_entry *e, struct graph *g,
	      struct genv **ret, struct err *err);

#endif
