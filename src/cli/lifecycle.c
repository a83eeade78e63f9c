/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait, pause, resume, stop, start, restart, rm: one verb on each of several names. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "launch/client.h"
#include "launch/verbs.h"

typedef int verb_fn(struct cli_state *st, struct reg_entry *e, void *arg,
		    struct err *err);

/* Goes on after a failure, so that `rm a b c` does what it can. */
static int for_each(int argc, char **argv, int at, const char *self, verb_fn *fn,
		    void *arg)
{
	struct err err = ERR_INIT;
	struct cli_state st;
	int code = 0, r;

	if (at >= argc)
		return cli_usage(self);
	if (cli_open(&st, &err) != 0)
		return cli_fail(&err);
	for (; at < argc; at++) {
		struct reg_entry *e = NULL;

		err = ERR_INIT;
		r = cli_find(&st, argv[at], &e, &err);
		if (r == 0)
			r = fn(&st, e, arg, &err);
		reg_entry_free(e);
		if (r != 0)
			code = cli_fail(&err);
	}
	cli_close(&st);
	return code;
}

static int call(struct cli_state *st, struct reg_entry *e, void *arg, struct err *err)
{
	return client_call(st->reg, e, *(enum ctl_verb *)arg, NULL, err);
}

int cmd_pause(int argc, char **argv)
{
	enum ctl_verb verb = CTL_PAUSE;

	return for_each(argc, argv, 1, argv[0], call, &verb);
}

int cmd_resume(int argc, char **argv)
{
	enum ctl_verb verb = CTL_RESUME;

	return for_each(argc, argv, 1, argv[0], call, &verb);
}

/* ---- wait ---- */

int cmd_wait(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct reg_entry *e = NULL;
	int status = 0, r;
	auto_cli st = { .reg = NULL };

	if (argc != 2)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[1], &e, &err);
	if (r == 0)
		r = launch_wait(st.reg, e, -1, &status, &err);
	reg_entry_free(e);
	return r == 0 ? cli_exit_code(status) : cli_fail(&err);
}

/* ---- stop ---- */

struct stop {
	int sig;
	uint64_t ms;
};

static int stop_one(struct cli_state *st, struct reg_entry *e, void *arg, struct err *err)
{
	struct stop *s = arg;

	return launch_stop(st->reg, e, s->sig, s->ms, err);
}

static bool signal_number(const char *word, int *ret)
{
	static const struct {
		char name[8];
		int number;
	} names[] = { { "HUP", SIGHUP },   { "INT", SIGINT },   { "QUIT", SIGQUIT },
		      { "TERM", SIGTERM }, { "KILL", SIGKILL }, { "USR1", SIGUSR1 },
		      { "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "CONT", SIGCONT } };
	uint64_t n;

	if (str_to_u64(word, &n) && n > 0 && n < 65) {
		*ret = (int)n;
		return true;
	}
	if (str_starts(word, "SIG"))
		word += 3;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (streq(names[i].name, word)) {
			*ret = names[i].number;
			return true;
		}
	return false;
}

static int stop_options(int argc, char **argv, int *at, struct stop *s, struct err *err)
{
	static const struct cli_option options[] = {
		{ "s", true, 's' },
		{ "signal", true, 's' },
		{ "t", true, 't' },
		{ "time", true, 't' },
	};
	const char *value;
	int key;

	while ((key = cli_next_option(argc, argv, at, options, ARRAY_LEN(options), &value,
				      err)) > 0) {
		if (key == 's' && !signal_number(value, &s->sig))
			return err_set(err, PE_USAGE, "'%s' is no signal", value);
		if (key == 't' && !str_to_ms(value, &s->ms))
			return err_set(err, PE_USAGE, "'%s' is no duration", value);
	}
	return key < 0 ? PE_USAGE : 0;
}

int cmd_stop(int argc, char **argv)
{
	struct stop s = { .sig = SIGTERM, .ms = LAUNCH_STOP_MS };
	struct err err = ERR_INIT;
	int at = 1;

	if (stop_options(argc, argv, &at, &s, &err) != 0)
		return cli_fail(&err);
	return for_each(argc, argv, at, argv[0], stop_one, &s);
}

/* ---- start, restart ---- */

static int start_again(struct cli_state *st, const struct reg_entry *e, struct err *err)
{
	struct launched up;
	int code;

	return launch_again(st->reg, &st->places, e, &up, &code, err);
}

static int start_one(struct cli_state *st, struct reg_entry *e, void *arg,
		     struct err *err)
{
	(void)arg;
	if (e->state != REG_STOPPED)
		return err_set(err, PE_BUSY, "'%s' is %s already", e->name,
			       reg_state_name(e->state));
	return start_again(st, e, err);
}

int cmd_start(int argc, char **argv)
{
	return for_each(argc, argv, 1, argv[0], start_one, NULL);
}

static int restart_one(struct cli_state *st, struct reg_entry *e, void *arg,
		       struct err *err)
{
	struct stop *s = arg;
	struct reg_entry *now = NULL;
	char hex[REG_ID_HEX];
	int r;

	if (!e->kept)
		return err_set(err, PE_REFUSED,
			       "it is disposable (no name, or --rm) and is gone "
			       "once it stops: it cannot be restarted");
	r = launch_stop(st->reg, e, s->sig, s->ms, err);
	reg_id_hex(&e->id, hex);
	if (r == 0)
		r = registry_find(st->reg, hex, &now, err);
	if (r == 0)
		r = start_again(st, now, err);
	reg_entry_free(now);
	return r;
}

int cmd_restart(int argc, char **argv)
{
	struct stop s = { .sig = SIGTERM, .ms = LAUNCH_STOP_MS };
	struct err err = ERR_INIT;
	int at = 1;

	if (stop_options(argc, argv, &at, &s, &err) != 0)
		return cli_fail(&err);
	return for_each(argc, argv, at, argv[0], restart_one, &s);
}

/* ---- rm ---- */

static int rm_one(struct cli_state *st, struct reg_entry *e, void *arg, struct err *err)
{
	return launch_remove(st->reg, e, *(bool *)arg, err);
}

int cmd_rm(int argc, char **argv)
{
	static const struct cli_option options[] = { { "f", false, 'f' },
						     { "force", false, 'f' } };
	struct err err = ERR_INIT;
	const char *value;
	bool force = false;
	int at = 1, key;

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, &err)) > 0)
		force = true;
	if (key < 0)
		return cli_fail(&err);
	return for_each(argc, argv, at, argv[0], rm_one, &force);
}
