/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compose.h - polder-compose: the subcommands that read manifests. One file each; main.c
 * has the one table. polder itself hands them over by exec.
 *
 * A subcommand gets its own name as argv[0] and returns the exit status: 0, EXIT_NO for
 * "no" or "there are differences", EXIT_TROUBLE where it could not answer.
 */
#ifndef POLDER_CLI_COMPOSE_COMPOSE_H
#define POLDER_CLI_COMPOSE_COMPOSE_H

#include "graph/graph.h"

enum { EXIT_NO = 1, EXIT_TROUBLE = 125 };

struct subcommand {
	const char *name, *usage, *what;
	int (*run)(int argc, char **argv);
};

int compose_check(int argc, char **argv);
int compose_show(int argc, char **argv);
int compose_why(int argc, char **argv);
int compose_authdiff(int argc, char **argv);
int compose_up(int argc, char **argv);
int compose_apply(int argc, char **argv);
int compose_down(int argc, char **argv);
int compose_run(int argc, char **argv);

/* Reads a manifest; ./ and ~/ as the caller's. On PE_BAD the graph is there too, as far
 * as it was understood, and the mistakes are in d. Other errors: *ret is NULL. */
int compose_load(struct graph **ret, const char *path, struct diags *d, struct err *err);
/* What this host can do; which "all": a host that can do everything (for tests, and to
 * check a manifest for another machine). NULL: this one. */
int compose_facts(struct host_facts *ret, const char *which, struct err *err);

/* Says "polder: SENTENCE" on standard error; returns EXIT_TROUBLE. */
int compose_trouble(const struct err *err);
/* Says how the subcommand is used; returns EXIT_TROUBLE. */
int compose_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Writes text to standard output; EXIT_TROUBLE instead of rc if that fails. */
int compose_out(const struct str *text, int rc);

#endif
