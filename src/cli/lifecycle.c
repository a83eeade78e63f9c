/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait, pause, resume, stop, start, restart, rm: one verb on each of several names. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "graph/graph.h"
#include "launch/client.h"
#include "launch/launch.h"
#include "sandbox/facts.h"

#define STOP_MS 10000u
#define GONE_MS 1000u

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

/* It may end between our look at it and our request: then its record says how. */
static bool ended_meanwhile(struct cli_state *st, const struct reg_entry *e,
			    int *ret_status)
{
	struct reg_entry *now = NULL;
	char hex[REG_ID_HEX];
	bool ended;

	reg_id_hex(&e->id, hex);
	ended = registry_wait(st->reg, &e->id, e->generation, GONE_MS, NULL) == 0 &&
		registry_find(st->reg, hex, &now, NULL) == 0 &&
		now->generation == e->generation && now->has_status;
	if (ended)
		*ret_status = now->status;
	reg_entry_free(now);
	return ended;
}

static int wait_for_end(struct cli_state *st, const struct reg_entry *e, int *ret_status,
			struct err *err)
{
	struct client_answer a;
	auto_fd sock = -1;
	int r;

	if (e->state == REG_STOPPED) {
		*ret_status = e->has_status ? e->status : 0;
		return 0;
	}
	r = client_ask(st->reg, e, CTL_WAIT, NULL, NULL, 0, &sock, err);
	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r != 0)
		return ended_meanwhile(st, e, ret_status) ? 0 : r;
	*ret_status = (int)get_u32(&a.r);
	client_answer_fini(&a);
	return registry_wait(st->reg, &e->id, e->generation, 5000, err);
}

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
		r = wait_for_end(&st, e, &status, &err);
	reg_entry_free(e);
	return r == 0 ? cli_exit_code(status) : cli_fail(&err);
}

/* ---- stop ---- */

struct stop {
	int sig;
	uint64_t ms;
};

int cli_stop(struct cli_state *st, const struct reg_entry *e, int sig,
	     uint64_t timeout_ms, struct err *err)
{
	auto_str body = STR_INIT;
	struct client_answer a;
	auto_fd sock = -1;
	int r;

	if (e->state == REG_STOPPED)
		return 0;
	put_u32(&body, (uint32_t)sig);
	put_u64(&body, timeout_ms);
	r = client_ask(st->reg, e, CTL_STOP, &body, NULL, 0, &sock, err);
	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r != 0) /* it may have ended by itself meanwhile */
		return registry_wait(st->reg, &e->id, e->generation, GONE_MS, NULL) == 0 ?
			       0 :
			       r;
	client_answer_fini(&a);
	return registry_wait(st->reg, &e->id, e->generation, 5000, err);
}

static int stop_one(struct cli_state *st, struct reg_entry *e, void *arg, struct err *err)
{
	struct stop *s = arg;

	return cli_stop(st, e, s->sig, s->ms, err);
}

static bool signal_number(const char *word, int *ret)
{
	static const struct {
		const char *name;
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
	struct stop s = { .sig = SIGTERM, .ms = STOP_MS };
	struct err err = ERR_INIT;
	int at = 1;

	if (stop_options(argc, argv, &at, &s, &err) != 0)
		return cli_fail(&err);
	return for_each(argc, argv, at, argv[0], stop_one, &s);
}

/* ---- start, restart ---- */

int cli_start_again(struct cli_state *st, const struct reg_entry *e, struct err *err)
{
	struct graph *g = graph_new();
	struct diags diags = { 0 };
	auto_free char *buf = NULL;
	struct host_facts facts;
	struct launched up;
	const char *cwd;
	struct genv *env;
	int code, r = g ? record_load(st->reg, &e->id, g, &env, &cwd, &buf, err) :
			  err_oom(err);

	if (r == 0) {
		struct launch l = { .env = env,
				    .reg = st->reg,
				    .places = &st->places,
				    .composition = e->composition,
				    .cwd = cwd,
				    .keep = true,
				    .background = true,
				    .again = e };
		struct binding *console = genv_binding(env, "console");

		/* Whoever started it first had streams; nobody has them now. */
		if (console && console->source == SRC_PARENT)
			console->source = SRC_OWN;
		host_facts_assume(&facts);
		(void)graph_check(g, &facts, true, &diags);
		r = launch_background(&l, &up, &code, err);
	}
	diags_fini(&diags);
	graph_free(g);
	return r;
}

static int start_one(struct cli_state *st, struct reg_entry *e, void *arg,
		     struct err *err)
{
	(void)arg;
	if (e->state != REG_STOPPED)
		return err_set(err, PE_BUSY, "'%s' is %s already", e->name,
			       reg_state_name(e->state));
	return cli_start_again(st, e, err);
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
	r = cli_stop(st, e, s->sig, s->ms, err);
	reg_id_hex(&e->id, hex);
	if (r == 0)
		r = registry_find(st->reg, hex, &now, err);
	if (r == 0)
		r = cli_start_again(st, now, err);
	reg_entry_free(now);
	return r;
}

int cmd_restart(int argc, char **argv)
{
	struct stop s = { .sig = SIGTERM, .ms = STOP_MS };
	struct err err = ERR_INIT;
	int at = 1;

	if (stop_options(argc, argv, &at, &s, &err) != 0)
		return cli_fail(&err);
	return for_each(argc, argv, at, argv[0], restart_one, &s);
}

/* ---- rm ---- */

static int rm_one(struct cli_state *st, struct reg_entry *e, void *arg, struct err *err)
{
	struct reg_held held;
	bool force = *(bool *)arg;
	int r;

	if (e->state != REG_STOPPED && !force)
		return err_set(err, PE_BUSY, "'%s' is %s: stop it first, or rm -f",
			       e->name, reg_state_name(e->state));
	if (e->state != REG_STOPPED) {
		r = cli_stop(st, e, SIGKILL, 1000, err);
		if (r != 0 || !e->kept)
			return r;
	}
	held = reg_held_of(e);
	r = registry_removed(st->reg, &held, err);
	return r;
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
