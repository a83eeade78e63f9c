/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib-internal.h - what the files of libpolder share.
 *
 * A public function makes a struct err of its own, works with what lies below, and ends
 * in lib_end(), which puts the sentence where polder_error() finds it. A call that is
 * wrong in itself ends in lib_usage().
 */
#ifndef POLDER_LIB_INTERNAL_H
#define POLDER_LIB_INTERNAL_H

#include <polder/polder.h>

#include "base/err.h"
#include "launch/verbs.h"
#include "state/registry.h"

struct start_request;

struct polder {
	struct places places;
	struct registry *reg; /* NULL until a call needs it */
	struct err err;
	char *program; /* polder(1); NULL: look for it */
};

/* Returns r, remembering err's sentence if r is none of success. */
int lib_end(struct polder *p, int r, const struct err *err);
/* PE_USAGE; p may be NULL. */
int lib_usage(struct polder *p, const char *sentence);
#define LIB_NULL(p) lib_usage(p, "a pointer that must be there is NULL")

/* Opens the registry if it is not open. */
int lib_open(struct polder *p, struct err *err);
/* The same, and finds an environment; the caller frees *ret. */
int lib_find(struct polder *p, const char *word, struct reg_entry **ret, struct err *err);
/* How many words; n_max + 1 if there are more. */
size_t lib_count(const char *const *v, size_t n_max);
#define LIB_WORDS_MAX 65536u

/* The working directory, PATH_MAX bytes. */
int lib_cwd(char *ret, struct err *err);

/* ---- env.c ---- */

/* Three descriptors that a program inside can be given. */
int lib_check_streams(const int *fds, struct err *err);

/* ---- verbs.c ---- */

/* Told over fd how something ends: by the wire status of a tender's end_fd, or by its
 * answer to a request. Owns fd. */
struct polder_child {
	struct polder *p;
	int fd;
	bool is_end_fd;
	bool ended;
	int exit_code;
};

/* ---- info.c ---- */

struct info {
	struct polder_info pub; /* points into the others */
	struct reg_entry *e;
	char id[REG_ID_HEX];
};

void info_init(struct info *in, struct reg_entry *take_e);
void info_fini(struct info *in);

/* ---- report.c ---- */

/* Takes diags; g is for the lines. */
int report_new(struct polder_report **ret, struct diags *take_diags,
	       const struct graph *g, struct err *err);
void report_facts(struct host_facts *ret, unsigned flags);

/* ---- program.c ---- */

/* Runs polder(1) to start something. streams: three, or NULL for none. end_fd: told the
 * wait status at its end, -1 for none. */
int program_start(struct polder *p, const struct start_request *q, const int *streams,
		  int end_fd, char ret_id[POLDER_ID_SIZE], struct err *err);

#endif
