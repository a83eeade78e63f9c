/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environments of a composition: found, started, awaited, stopped. */
#include "cli/compose/members.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "launch/client.h"
#include "manifest/manifest.h"
#include "sandbox/facts.h"

/* From an answer that did not come to the record of the end. */
#define ENDING_MS 300u

/* The manifest's own name, or its file's: a label, so [a-z][a-z0-9-]*. */
void up_name(struct up *u, const char *file)
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

int up_open(struct up *u, struct err *err)
{
	int r = launch_open(&u->places, &u->reg, err);

	if (r == 0 && !getcwd(u->cwd, sizeof(u->cwd)))
		r = err_sys(err, "cannot tell the working directory");
	return r;
}

/* Prints what is wrong with the file, all of it. */
int up_load(struct up *u, const char *file, const char *spared, struct err *err)
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
		(void)err_set(err, PE_BAD, "%s: %zu mistake%s; %s", file, d.n_errors,
			      d.n_errors == 1 ? "" : "s", spared);
	diags_fini(&d);
	if (r == 0 && u->g)
		up_name(u, file);
	return r;
}

void up_close(struct up *u)
{
	const char *notes = u->reg ? registry_notes(u->reg) : "";

	if (*notes)
		(void)fprintf(stderr, "polder: note: %s\n", notes);
	plan_fini(&u->plan);
	graph_free(u->running);
	reg_list_fini(&u->list);
	registry_close(u->reg);
	graph_free(u->g);
	free(u->started);
}

int up_find(struct up *u, const char *name, struct reg_entry **ret, struct err *err)
{
	auto_str word = STR_INIT;

	str_addf(&word, "%s.%s", u->composition, name);
	return word.failed ? err_oom(err) : registry_find(u->reg, word.p, ret, err);
}

int up_stop(struct up *u, const struct reg_entry *e, struct err *err)
{
	return launch_stop(u->reg, e, SIGTERM, LAUNCH_STOP_MS, err);
}

int up_own_consoles(struct graph *g, struct err *err)
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

void up_say(const struct up *u, const char *name, const char *what)
{
	if (u->progress)
		(void)fprintf(stderr, "%s.%s: %s\n", u->composition, name, what);
}

/* Where nothing could be planned, it is not known, and not told. */
static const char *how_it_runs(const struct up *u, const struct genv *env)
{
	for (size_t i = 0; i < u->plan.n; i++)
		if (u->plan.v[i].wanted == env && u->plan.v[i].op != PLAN_NOTHING)
			return "runs already, otherwise than the file says (polder "
			       "apply applies that)";
	return "runs already";
}

/* True if it has ended, or does so right now; how, goes into err. */
static bool has_ended(struct up *u, const struct genv *env, struct err *err)
{
	struct reg_entry *e = NULL;
	bool yes = up_find(u, env->name, &e, NULL) == 0 &&
		   registry_wait(u->reg, &e->id, e->generation, ENDING_MS, NULL) == 0;

	reg_entry_free(e);
	e = NULL;
	if (yes && up_find(u, env->name, &e, NULL) == 0 && e->has_status)
		(void)err_set(err, PE_REFUSED, "it ended (%s%d) before it was ready",
			      WIFSIGNALED(e->status) ? "signal " : "",
			      WIFSIGNALED(e->status) ? WTERMSIG(e->status) :
						       WEXITSTATUS(e->status));
	else if (yes)
		(void)err_set(err, PE_REFUSED, "it ended before it was ready");
	reg_entry_free(e);
	return yes;
}

int up_ready(struct up *u, struct genv *env, struct err *err)
{
	struct reg_entry *e = NULL;
	int r = 0;

	if (env->ready.kind != READY_STARTED) {
		r = up_find(u, env->name, &e, err);
		if (r == 0)
			r = client_call(u->reg, e, CTL_READY, NULL, err);
		reg_entry_free(e);
		if (r != 0 && has_ended(u, env, err))
			r = PE_REFUSED;
	}
	if (r == 0)
		up_say(u, env->name, "ready");
	return r;
}

int up_start(struct up *u, struct genv *env, const char *said, struct err *err)
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
	int code, r = up_find(u, env->name, &e, NULL);

	if (r == 0 && e->state != REG_STOPPED) {
		up_say(u, env->name, how_it_runs(u, env));
		reg_entry_free(e);
		return 0;
	}
	l.again = r == 0 ? e : NULL;
	r = launch_background(&l, &up, &code, err);
	reg_entry_free(e);
	if (r != 0)
		return r;
	u->started[u->n_started++] = env;
	up_say(u, env->name, said);
	return 0;
}
