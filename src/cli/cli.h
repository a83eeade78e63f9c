/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.h - what the subcommands of polder share. One file each; main.c has the table.
 *
 * A subcommand gets argv from its own name on, returns the exit status, and says what
 * is wrong once, by cli_fail(): "polder: SENTENCE" on standard error.
 */
#ifndef POLDER_CLI_CLI_H
#define POLDER_CLI_CLI_H

#include "base/err.h"
#include "base/json.h"
#include "state/registry.h"

#define EXIT_OURS 125

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv); /* NULL: polder-compose does it */
	const char *usage, *summary;
	/* Options may stand anywhere, and of these letters have a value; NULL: what comes
	 * behind the first other word is somebody else's (or polder-compose's). */
	const char *valued;
};

/* Becomes polder-compose, with the words of main(); returns only if it cannot. */
int cli_hand_over(char **argv);
/* The same with another program that lies beside this one. */
int cli_hand_over_to(const char *program, char **argv);

/* ---- options ---- */

/* No pointers: see struct source_kind. */
struct cli_option {
	char name[14]; /* "mem" for --mem, "r" for -r */
	bool takes_value;
	int key;
};

/*
 * Walks argv from *at: returns the key of the next option with its value, 0 at the first
 * word that is none (or after "--"), -1 with err set. Short options may be joined to
 * their value (-eX), long ones by "=".
 */
int cli_next_option(int argc, char **argv, int *at, const struct cli_option *options,
		    size_t n, const char **ret_value, struct err *err);

int cli_fail(const struct err *err); /* returns EXIT_OURS */
int cli_usage(const char *name);     /* prints usage; returns EXIT_OURS */
int cli_out(struct str *out);        /* writes and frees; 0 or EXIT_OURS */

/* ---- what they work on ---- */

struct cli_state {
	struct places places;
	struct registry *reg;
};

int cli_open(struct cli_state *st, struct err *err);
void cli_close(struct cli_state *st);
#define auto_cli __attribute__((cleanup(cli_close))) struct cli_state
int cli_find(struct cli_state *st, const char *word, struct reg_entry **ret,
	     struct err *err);
int cli_exit_code(int wait_status);
/* Prints what the registry repaired. */
void cli_notes(struct cli_state *st);
/* Relays between our terminal and a stream or pty until it ends or the person detaches
 * with Ctrl-P Ctrl-Q (then true). on_resize may be NULL. */
bool cli_relay(int fd, bool detachable, void (*on_resize)(void *, uint16_t, uint16_t),
	       void *userdata);
void cli_window(uint16_t *ret_rows, uint16_t *ret_cols);

/* What ends with the process is not freed before; but where leaks are looked for. */
#if defined(__SANITIZE_ADDRESS__)
#define CLI_LEAVES_FREEING false
#else
#define CLI_LEAVES_FREEING true
#endif

extern const char cli_run_options[]; /* what its usage lists */
int cmd_run(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_start(int argc, char **argv);
int cmd_restart(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_attenuate(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_new(int argc, char **argv);
int cmd_cc(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);
/* The plumbing under libpolder; in no list (start.c). */
int cmd_start_for(int argc, char **argv);

extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;

#endif
