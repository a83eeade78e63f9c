/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder up, down and run -f: a composition into running environments.
 *
 * Nothing starts before the whole file is found right. Environments start stage by
 * stage, servers before their clients; a stage is over when all of it is ready. If one
 * fails, those that this command started are stopped again: a composition is up as a
 * whole or as it was before.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "cli/compose/compose.h"
#include "launch/client.h"
#include "launch/launch.h"
#include "launch/verbs.h"
#include "manifest/manifest.h"
#include "sandbox/facts.h"

/* From an answer that did not come to the record of the end. */
#define ENDING_MS 300u

struct up {
	struct places places;
	struct registry *reg;
	struct graph *g;
	char cwd[PATH_MAX];
	char composition[64];
	bool accept_weaker, json, progress;
	struct genv **started; /* by this command, in order */
	size_t n_started;
};

/* ---- what is common ---- */

/* The manifest's own name, or its file's: a label, so [a-z][a-z0-9-]*. */
static void name_composition(struct up *u, const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	size_t n = 0;

	if (u->g->name && *u->g->name) {
		(void)snprintf(u->composition, sizeof(u->composition), "%s", u->g->name);
		return;
	}
	for (; *base && *base != '.' && n < sizeof(u->composition) - 1; base++) {
		char c = *base >= 'A' && *base <= 'Z' ? (char)(*base - 'A' + 'a') : *base;
		bool letter = c >= 'a' && c <= 'z',
		     more = (c >= '0' && c <= '9') || c == '-';

		if (letter || (more && n > 0))
			u->composition[n++] = c;
		else if (n > 0)
			u->composition[n++] = '-';
	}
	u->composition[n] = '\0';
	if (n == 0)
		(void)snprintf(u->composition, sizeof(u->composition), "composition");
}

static int open_state(struct up *u, struct err *err)
{
	int r = launch_open(&u->places, &u->reg, err);

	if (r == 0 && !getcwd(u->cwd, sizeof(u->cwd)))
		r = err_sys(err, "cannot tell the working directory");
	return r;
}

/* Prints what is wrong with the file, all of it. */
static int load_checked(struct up *u, const char *file, struct err *err)
{
	struct diags d = { 0 };
	struct host_facts facts;
	int r = compose_load(&u->g, file, &d, err);

	host_facts_probe(&facts);
	if (u->g) { /* all that is wrong, also where reading found something */
		int checked = graph_check(u->g, &facts, u->accept_weaker, &d);

		r = r != 0 ? r : checked;
		diags_sort(&d);
	}
	if (u->g && d.n > 0)
		diags_print(stderr, u->g, &d);
	if (r != 0 && d.n_errors > 0)
		(void)err_set(err, PE_BAD, "%s: %zu mistake%s; nothing was started", file,
			      d.n_errors, d.n_errors == 1 ? "" : "s");
	diags_fini(&d);
	if (r == 0 && u->g)
		name_composition(u, file);
	return r;
}

static void close_state(struct up *u)
{
	const char *notes = u->reg ? registry_notes(u->reg) : "";

	if (*notes)
		(void)fprintf(stderr, "polder: note: %s\n", notes);
	registry_close(u->reg);
	graph_free(u->g);
	free(u->started);
}

static int find_member(struct up *u, const char *name, struct reg_entry **ret,
		       struct err *err)
{
	auto_str word = STR_INIT;

	str_addf(&word, "%s.%s", u->composition, name);
	return word.failed ? err_oom(err) : registry_find(u->reg, word.p, ret, err);
}

static int stop_member(struct up *u, const struct reg_entry *e, struct err *err)
{
	return launch_stop(u->reg, e, SIGTERM, LAUNCH_STOP_MS, err);
}

/* ---- up ---- */

static void say(const struct up *u, const char *name, const char *what)
{
	if (u->progress)
		(void)fprintf(stderr, "%s.%s: %s\n", u->composition, name, what);
}

/* True if it was started from the same words. */
static bool same_record(struct up *u, const struct reg_entry *e, struct genv *env)
{
	auto_str now = STR_INIT, before = STR_INIT;
	struct graph *g = graph_new();
	auto_free char *buf = NULL;
	struct genv *old;
	const char *cwd;
	bool same = false;

	if (g && record_load(u->reg, &e->id, g, &old, &cwd, &buf, NULL) == 0) {
		record_encode(env, "/", u->composition, &now);
		record_encode(old, "/", u->composition, &before);
		same = now.len == before.len && memcmp(now.p, before.p, now.len) == 0;
	}
	graph_free(g);
	return same;
}

/* True if it has ended, or does so right now; how, goes into err. */
static bool has_ended(struct up *u, const struct genv *env, struct err *err)
{
	struct reg_entry *e = NULL;
	bool yes = find_member(u, env->name, &e, NULL) == 0 &&
		   registry_wait(u->reg, &e->id, e->generation, ENDING_MS, NULL) == 0;

	reg_entry_free(e);
	e = NULL;
	if (yes && find_member(u, env->name, &e, NULL) == 0 && e->has_status)
		(void)err_set(err, PE_REFUSED, "it ended (%s%d) before it was ready",
			      WIFSIGNALED(e->status) ? "signal " : "",
			      WIFSIGNALED(e->status) ? WTERMSIG(e->status) :
						       WEXITSTATUS(e->status));
	else if (yes)
		(void)err_set(err, PE_REFUSED, "it ended before it was ready");
	reg_entry_free(e);
	return yes;
}

static int await_ready(struct up *u, struct genv *env, struct err *err)
{
	struct reg_entry *e = NULL;
	int r = 0;

	if (env->ready.kind != READY_STARTED) {
		r = find_member(u, env->name, &e, err);
		if (r == 0)
			r = client_call(u->reg, e, CTL_READY, NULL, err);
		reg_entry_free(e);
		if (r != 0 && has_ended(u, env, err))
			r = PE_REFUSED;
	}
	if (r == 0)
		say(u, env->name, "ready");
	return r;
}

static int start_member(struct up *u, struct genv *env, struct err *err)
{
	struct launch l = { .env = env,
			    .reg = u->reg,
			    .places = &u->places,
			    .composition = u->composition,
			    .cwd = "/",
			    .keep = true,
			    .background = true,
			    .accept_weaker = u->accept_weaker };
	struct reg_entry *e = NULL;
	struct launched up;
	int code, r = find_member(u, env->name, &e, NULL);

	if (r == 0 && e->state != REG_STOPPED) {
		say(u, env->name,
		    same_record(u, e, env) ? "runs already" :
					     "runs already, as it was before the file "
					     "changed (polder down, then up, "
					     "applies that)");
		reg_entry_free(e);
		return 0;
	}
	l.again = r == 0 ? e : NULL;
	r = launch_background(&l, &up, &code, err);
	reg_entry_free(e);
	if (r != 0)
		return r;
	u->started[u->n_started++] = env;
	say(u, env->name, "started");
	return 0;
}

static void undo(struct up *u)
{
	for (size_t i = u->n_started; i-- > 0;) {
		struct reg_entry *e = NULL;

		if (find_member(u, u->started[i]->name, &e, NULL) == 0) {
			(void)stop_member(u, e, NULL);
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
		r = start_member(u, env, err);
		if (r != 0)
			err_prefix(err, "%s", env->name);
	}
	/* Also those that run already: whoever started them may have waited for less. */
	for (size_t i = 0; r == 0 && i < u->g->n_envs; i++) {
		struct genv *env = u->g->envs[i];

		if (env->order != order)
			continue;
		r = await_ready(u, env, err);
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

static int use_console_of_its_own(struct graph *g, struct err *err)
{
	for (size_t i = 0; i < g->n_envs; i++) {
		struct binding *b = genv_binding(g->envs[i], "console");

		/* The default, the creator's streams, would end with the creator. */
		if (b && b->implied && b->source == SRC_PARENT)
			b->source = SRC_OWN;
		else if (!b && graph_env_bind(g->envs[i], "console=own", NULL,
					      (struct pos){ 0 }, NULL, err) != 0)
			return PE_USAGE;
	}
	return 0;
}

static int bring_up(struct up *u, struct err *err)
{
	unsigned last = last_stage(u->g);
	int r = use_console_of_its_own(u->g, err);

	u->started = calloc(u->g->n_envs + 1, sizeof(struct genv *));
	if (!u->started)
		return err_oom(err);
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
	r = open_state(&u, &err);
	if (r == 0)
		r = load_checked(&u, argv[optind], &err);
	if (r == 0)
		r = bring_up(&u, &err);
	c = r != 0 ? compose_trouble(&err) : report(&u);
	close_state(&u);
	return c;
}

/* ---- down ---- */

/* Clients before their servers; what the file no longer names goes last. */
static int take_down(struct up *u, struct reg_entry *e, bool forget, struct err *err)
{
	struct reg_held held;
	int r = stop_member(u, e, err);

	if (r == 0)
		say(u, e->name, "stopped");
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
	r = open_state(&u, &err);
	if (r == 0)
		r = compose_load(&u.g, argv[optind], &d, &err);
	if (r == PE_BAD && u.g)
		r = 0; /* a mistake made meanwhile must not keep it running */
	if (r == 0) {
		(void)graph_check(u.g, &facts, true, &d);
		name_composition(&u, argv[optind]);
		r = bring_down(&u, forget, &err);
	}
	diags_fini(&d);
	c = r != 0 ? compose_trouble(&err) : 0;
	close_state(&u);
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
	r = use_console_of_its_own(u->g, err);
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
	r = open_state(&u, &err);
	if (r == 0)
		r = load_checked(&u, a.file, &err);
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
	close_state(&u);
	return code;
}
