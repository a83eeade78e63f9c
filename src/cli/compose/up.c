/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder up, down and run -f: a composition into running environments.
 *
 * Nothing starts before the whole file is found right. Environments start stage by
 * stage, servers before their clients; a stage is over when all of it is ready. If one
 * fails, those that this command started are stopped again: a composition is up as a
 * whole or as it was before.
 */
#include <getopt.h>
#include <stdio.h>

#include "cli/compose/members.h"

/* ---- up ---- */

static void undo(struct up *u)
{
	for (size_t i = u->n_started; i-- > 0;) {
		struct reg_entry *e = NULL;

		if (up_find(u, u->started[i]->name, &e, NULL) == 0) {
			(void)up_stop(u, e, NULL);
			(void)fprintf(stderr, "polder: %s.%s was stopped again\n",
				      u->composition, u->started[i]->name);
		}
		reg_entry_free(e);
	}
}

static int stage(struct up *u, unsigned order, bool *ret_any, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->g->n_envs; i++) {
		struct genv *env = u->g->envs[i];

		if (env->order != order)
			continue;
		*ret_any = true;
		r = up_start(u, env, "started", err);
		if (r != 0)
			err_prefix(err, "%s", env->name);
	}
	/* Also those that run already: whoever started them may have waited for less. */
	for (size_t i = 0; r == 0 && i < u->g->n_envs; i++) {
		struct genv *env = u->g->envs[i];

		if (env->order != order)
			continue;
		r = up_ready(u, env, err);
		if (r != 0)
			err_prefix(err, "%s", env->name);
	}
	return r;
}

static unsigned last_stage(const struct graph *g)
{
	unsigned last = 0;

	for (size_t i = 0; i < g->n_envs; i++)
		last = MAX(last, g->envs[i]->order);
	return last;
}

static int bring_up(struct up *u, struct err *err)
{
	unsigned last = last_stage(u->g);
	int r = up_own_consoles(u->g, err);

	u->started = calloc(u->g->n_envs + 1, sizeof(struct genv *));
	if (!u->started)
		return err_oom(err);
	if (r == 0) /* only to tell what runs already; up changes nothing of it */
		(void)up_plan(u, REVOKE_NEW_ONLY, &u->plan, NULL);
	for (unsigned order = 0; r == 0 && order <= last; order++) {
		bool any = false;

		r = stage(u, order, &any, err);
	}
	if (r != 0)
		undo(u);
	return r;
}

static int report(const struct up *u)
{
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	if (!u->json)
		return 0;
	json_open(&j, '{');
	json_kstr(&j, "composition", u->composition);
	json_key(&j, "started");
	json_open(&j, '[');
	for (size_t i = 0; i < u->n_started; i++)
		json_str(&j, u->started[i]->name);
	json_close(&j, ']');
	json_close(&j, '}');
	str_addc(&out, '\n');
	return compose_out(&out, 0);
}

int compose_up(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "accept-weaker", no_argument, NULL,
						   'a' },
						 { 0 } };
	struct up u = { .reg = NULL };
	struct err err = ERR_INIT;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j' && c != 'a')
			return compose_usage("up: wrong option");
		*(c == 'j' ? &u.json : &u.accept_weaker) = true;
	}
	if (argc - optind != 1)
		return compose_usage("up needs one file");
	u.progress = !u.json;
	r = up_open(&u, &err);
	if (r == 0)
		r = up_load(&u, argv[optind], "nothing was started", &err);
	if (r == 0)
		r = bring_up(&u, &err);
	c = r != 0 ? compose_trouble(&err) : report(&u);
	up_close(&u);
	return c;
}

/* ---- down ---- */

/* Clients before their servers; what the file no longer names goes last. */
static int take_down(struct up *u, struct reg_entry *e, bool forget, struct err *err)
{
	struct reg_held held;
	int r = up_stop(u, e, err);

	if (r == 0)
		up_say(u, e->name, "stopped");
	if (r != 0 || !forget || !e->kept)
		return r;
	held = reg_held_of(e);
	return registry_removed(u->reg, &held, err);
}

static unsigned order_of(const struct up *u, const struct reg_entry *e)
{
	const struct genv *env = graph_env(u->g, e->name);

	return env ? env->order : 0;
}

static int bring_down(struct up *u, bool forget, struct err *err)
{
	struct reg_list list = { 0 };
	int first = 0, r = registry_list(u->reg, &list, err);

	for (unsigned order = last_stage(u->g) + 1; r == 0 && order-- > 0;)
		for (size_t i = list.n; i-- > 0;) {
			struct reg_entry *e = list.v[i];
			int one;

			if (!streq(e->composition, u->composition) ||
			    order_of(u, e) != order)
				continue;
			one = take_down(u, e, forget, err);
			first = first ? first : one;
		}
	reg_list_fini(&list);
	return r ? r : first;
}

int compose_down(int argc, char **argv)
{
	static const struct option options[] = { { "rm", no_argument, NULL, 'r' },
						 { 0 } };
	struct up u = { .progress = true };
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	struct host_facts facts = HOST_FACTS_ALL; /* only for the order */
	bool forget = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'r')
			return compose_usage("down: wrong option");
		forget = true;
	}
	if (argc - optind != 1)
		return compose_usage("down needs one file");
	r = up_open(&u, &err);
	if (r == 0)
		r = compose_load(&u.g, argv[optind], &d, &err);
	if (r == PE_BAD && u.g)
		r = 0; /* a mistake made meanwhile must not keep it running */
	if (r == 0) {
		(void)graph_check(u.g, &facts, true, &d);
		up_name(&u, argv[optind]);
		r = bring_down(&u, forget, &err);
	}
	diags_fini(&d);
	c = r != 0 ? compose_trouble(&err) : 0;
	up_close(&u);
	return c;
}

/* ---- run -f ---- */

struct run_args {
	const char *file;
	bool background, rm;
};

static int run_one(struct up *u, const struct run_args *a, char **words, int n,
		   int *ret_code, struct err *err)
{
	struct launch l = { .reg = u->reg,
			    .places = &u->places,
			    .cwd = u->cwd,
			    .composition = u->composition,
			    .background = a->background,
			    .accept_weaker = u->accept_weaker };
	struct genv *env = graph_env(u->g, words[0]);
	struct launched up;
	int r = 0;

	if (!env)
		return err_set(err, PE_NOTFOUND, "%s has no environment '%s'", a->file,
			       words[0]);
	if (n > 1)
		genv_clear_args(env);
	for (int i = 1; r == 0 && i < n; i++)
		r = genv_add_arg(env, words[i]);
	if (r != 0)
		return err_oom(err);
	l.env = env;
	if (!a->background)
		return launch_foreground(&l, ret_code, err);
	r = up_own_consoles(u->g, err);
	return r != 0 ? r : launch_background(&l, &up, ret_code, err);
}

int compose_run(int argc, char **argv)
{
	static const struct option options[] = { { "file", required_argument, NULL, 'f' },
						 { "detach", no_argument, NULL, 'd' },
						 { "rm", no_argument, NULL, 'r' },
						 { "accept-weaker", no_argument, NULL,
						   'a' },
						 { 0 } };
	struct run_args a = { .file = NULL };
	struct up u = { .reg = NULL };
	struct err err = ERR_INIT;
	int c, r, code = EXIT_TROUBLE;

	opterr = 0; /* the sentence below says more */
	while ((c = getopt_long(argc, argv, "+f:d", options, NULL)) != -1) {
		if (c == 'f')
			a.file = optarg;
		else if (c == 'd')
			a.background = true;
		else if (c == 'r')
			a.rm = true;
		else if (c == 'a')
			u.accept_weaker = true;
		else
			return compose_usage(
				"run -f: with a file, only -d, --rm and "
				"--accept-weaker can be given: the rest is in the file");
	}
	if (!a.file || argc - optind < 1)
		return compose_usage(
			"run -f needs a file and the name of an environment");
	r = up_open(&u, &err);
	if (r == 0)
		r = up_load(&u, a.file, "nothing was started", &err);
	argv += optind;
	argc -= optind;
	if (argc > 1 && streq(argv[1], "--")) { /* ENV -- COMMAND … */
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	if (r == 0)
		r = run_one(&u, &a, argv, argc, &code, &err);
	if (r != 0)
		(void)compose_trouble(&err);
	up_close(&u);
	return code;
}
