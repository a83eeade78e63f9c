/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder apply: what runs of a composition becomes what its file says.
 *
 * Theory of operation
 *
 * What runs is asked, what is wanted is read, and src/graph plans the way between them.
 * All that can be found out before is refused before: then nothing has been touched. The
 * steps are put into this order:
 *
 *	revocations and attenuations	less authority first, everywhere
 *	stops				what the file does not name any more, clients first
 *	grants
 *	restarts and starts		by stage, servers before their clients
 *
 * Each is asked of the environment's tender, which decides by what is held then. The
 * first that fails ends it, nothing is undone: what runs is always what the tenders say,
 * so applying the file again goes on from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

#include "base/fd.h"
#include "cli/compose/members.h"
#include "launch/change.h"

enum done { NOT_DONE, DONE, FAILED };

struct apply {
	struct up up;
	struct plan plan;
	enum revoke_how revoke;
	enum done *done; /* of each step */
	bool dry_run;
};

/* ---- the order of steps ---- */

static int phase(enum plan_op op)
{
	switch (op) {
	case PLAN_REVOKE:
	case PLAN_ATTENUATE: return 0;
	case PLAN_STOP: return 1;
	case PLAN_GRANT: return 2;
	case PLAN_RESTART:
	case PLAN_START: return 3;
	case PLAN_NOTHING:
	case PLAN_OP_COUNT: break;
	}
	return 4;
}

static void move_step(struct plan *p, size_t from, size_t to)
{
	struct plan_step s = p->v[from];

	memmove(&p->v[to + 1], &p->v[to], (from - to) * sizeof(s));
	p->v[to] = s;
}

static bool is_client(const struct genv *e, const struct genv *server)
{
	size_t n = strlen(server->name);

	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];

		if (e != server && b->source == SRC_ENV && b->ref &&
		    str_starts(b->ref, server->name) && b->ref[n] == '/')
			return true;
	}
	return false;
}

/* Nobody of those from i to end, which are stops, is bound to what it exposes. */
static bool has_no_client(const struct plan *p, size_t which, size_t i, size_t end)
{
	for (; i < end; i++)
		if (is_client(p->v[i].running, p->v[which].running))
			return false;
	return true;
}

static void order_stops(struct plan *p, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		size_t k = i;

		while (k < end && !has_no_client(p, k, i, end))
			k++;
		if (k < end)
			move_step(p, k, i);
	}
}

static void order_steps(struct plan *p)
{
	size_t at = 0, first_stop = 0, end_stop = 0;

	for (int now = 0; now < 4; now++) {
		first_stop = now == 1 ? at : first_stop;
		for (size_t i = at; i < p->n; i++)
			if (phase(p->v[i].op) == now)
				move_step(p, i, at++);
		end_stop = now == 1 ? at : end_stop;
	}
	order_stops(p, first_stop, end_stop);
}

/* ---- what can be refused before ---- */

static int check_source(const struct genv *env, const struct binding *b, struct pos pos,
			struct err *err)
{
	const char *path = b->source == SRC_HOST ? b->ref : b->slot;
	auto_str at = STR_INIT;
	auto_fd fd = -1;

	if ((b->iface != IF_DIR && b->iface != IF_SOCKET) || b->optional || b->unbound ||
	    (b->source != SRC_HOST && b->source != SRC_PARENT))
		return 0;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	pos_write(pos, &at);
	return err_set(err, PE_REFUSED, "%s: %s: cannot grant '%s': %s", str_text(&at),
		       env->name, path, strerror(errno));
}

static int check_sources(const struct apply *a, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->plan.n; i++) {
		const struct plan_step *s = &a->plan.v[i];
		const struct genv *e = s->wanted;

		if (s->op == PLAN_GRANT)
			r = check_source(e, &s->change.binding, s->pos, err);
		if (s->op != PLAN_START && s->op != PLAN_RESTART)
			continue;
		for (size_t k = 0; r == 0 && k < e->n_bindings; k++)
			r = check_source(e, &e->bindings[k], e->bindings[k].pos, err);
	}
	return r;
}

static int make_plan(struct apply *a, struct err *err)
{
	int r = up_own_consoles(a->up.g, err);

	if (r == 0)
		r = up_plan(&a->up, a->revoke, &a->plan, err);
	if (r == 0)
		r = check_sources(a, err);
	if (r != 0)
		return r;
	order_steps(&a->plan);
	a->done = calloc(a->plan.n + 1, sizeof(*a->done));
	a->up.started = calloc(a->up.g->n_envs + 1, sizeof(struct genv *));
	return a->done && a->up.started ? 0 : err_oom(err);
}

/* ---- steps ---- */

static const char *name_of(const struct plan_step *s)
{
	return s->wanted ? s->wanted->name : s->running->name;
}

static void say_step(const struct apply *a, const struct plan_step *s, const char *slot,
		     const char *what, const char *more)
{
	auto_str raw = STR_INIT, line = STR_INIT;

	str_addf(&raw, "%s%s%s%s%s", slot, *slot ? " " : "", what, *more ? ": " : "",
		 more);
	str_add_printable(&line, str_text(&raw), 0);
	up_say(&a->up, name_of(s), str_text(&line));
}

static int do_revoke(struct apply *a, const struct plan_step *s,
		     const struct reg_entry *e, struct err *err)
{
	struct revoked done = { .complete = true };
	enum revoke_to to = s->change.binding.slot ? REVOKE_TO_NULL : REVOKE_TO_ERROR;
	int r = change_revoke(a->up.reg, e, s->change.slot, to, a->revoke, &done, err);

	if (r == 0)
		say_step(a, s, s->change.slot, "revoked",
			 done.complete ? "" :
					 "what was read or mapped before may still be "
					 "there");
	return r;
}

static int do_attenuate(struct apply *a, const struct plan_step *s,
			const struct reg_entry *e, struct err *err)
{
	char *words = s->what + strlen(s->change.slot) + 1;
	int r = change_attenuate(a->up.reg, e, s->change.slot, &words, 1, err);

	if (r == 0)
		say_step(a, s, s->change.slot, "attenuated", words);
	return r;
}

static int do_grant(struct apply *a, const struct plan_step *s, const struct reg_entry *e,
		    struct err *err)
{
	struct grant_words w = { .binding = s->what,
				 .cwd = a->up.cwd,
				 .accept_weaker = a->up.accept_weaker };
	auto_free struct granted *done = calloc(1, sizeof(*done));
	int r = done ? change_grant(a->up.reg, e, &w, done, err) : err_oom(err);

	if (r == 0)
		say_step(a, s, s->change.slot, "granted", "");
	return r;
}

static int do_restart(struct apply *a, const struct plan_step *s,
		      const struct reg_entry *e, struct err *err)
{
	struct genv *env = graph_env(a->up.g, s->wanted->name);
	auto_str how = STR_INIT, line = STR_INIT;
	int r = up_stop(&a->up, e, err);

	str_addf(&how, "restarted: %s", s->reason);
	str_add_printable(&line, str_text(&how), 0);
	return r == 0 ? up_start(&a->up, env, str_text(&line), err) : r;
}

static int do_stop(struct apply *a, const struct plan_step *s, const struct reg_entry *e,
		   struct err *err)
{
	int r = up_stop(&a->up, e, err);

	if (r == 0)
		up_say(&a->up, name_of(s), "stopped");
	return r;
}

static int do_step(struct apply *a, const struct plan_step *s, struct err *err)
{
	const struct reg_entry *e = s->running ? s->running->scratch : NULL;

	switch (s->op) {
	case PLAN_REVOKE: return do_revoke(a, s, e, err);
	case PLAN_ATTENUATE: return do_attenuate(a, s, e, err);
	case PLAN_GRANT: return do_grant(a, s, e, err);
	case PLAN_STOP: return do_stop(a, s, e, err);
	case PLAN_RESTART: return do_restart(a, s, e, err);
	case PLAN_START:
		return up_start(&a->up, graph_env(a->up.g, s->wanted->name), "started",
				err);
	case PLAN_NOTHING:
	case PLAN_OP_COUNT: break;
	}
	return 0;
}

static bool starts(const struct plan_step *s)
{
	return s->op == PLAN_START || s->op == PLAN_RESTART;
}

/* The steps up to i that start something, of the stage that ends there. */
static int await_stage(struct apply *a, size_t i, struct err *err)
{
	unsigned stage = a->plan.v[i].wanted->order;
	size_t from = i;
	int r = 0;

	while (from > 0 && starts(&a->plan.v[from - 1]) &&
	       a->plan.v[from - 1].wanted->order == stage)
		from--;
	for (; r == 0 && from <= i; from++) {
		const char *name = a->plan.v[from].wanted->name;

		r = up_ready(&a->up, graph_env(a->up.g, name), err);
		if (r != 0) {
			err_prefix(err, "%s.%s", a->up.composition, name);
			a->done[from] = FAILED;
		}
	}
	return r;
}

static bool ends_stage(const struct plan *p, size_t i)
{
	return starts(&p->v[i]) && (i + 1 == p->n || !starts(&p->v[i + 1]) ||
				    p->v[i + 1].wanted->order != p->v[i].wanted->order);
}

static int do_all(struct apply *a, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->plan.n; i++) {
		const struct plan_step *s = &a->plan.v[i];

		r = do_step(a, s, err);
		a->done[i] = r == 0 ? DONE : FAILED;
		if (r != 0)
			err_prefix(err, "%s.%s: %s%s%s", a->up.composition, name_of(s),
				   plan_op_name(s->op), s->what ? " " : "",
				   s->what ? s->what : "");
		else if (ends_stage(&a->plan, i))
			r = await_stage(a, i, err);
	}
	return r;
}

/* ---- telling ---- */

static const char *state_of(const struct apply *a, size_t i)
{
	static const char *const names[] = {
		[NOT_DONE] = "not done", [DONE] = "done", [FAILED] = "failed"
	};

	return a->dry_run ? "planned" : names[a->done[i]];
}

static int tell_json(const struct apply *a, int rc)
{
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	json_open(&j, '{');
	json_kstr(&j, "composition", a->up.composition);
	json_key(&j, "steps");
	json_open(&j, '[');
	for (size_t i = 0; i < a->plan.n; i++) {
		if (a->plan.v[i].op == PLAN_NOTHING)
			continue;
		json_open(&j, '{');
		plan_step_to_json(&a->plan.v[i], &j);
		json_kstr(&j, "state", state_of(a, i));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	str_addc(&out, '\n');
	return compose_out(&out, rc);
}

static void tell_rest(const struct apply *a)
{
	bool any = false;

	for (size_t i = 0; i < a->plan.n; i++) {
		const struct plan_step *s = &a->plan.v[i];
		auto_str raw = STR_INIT, line = STR_INIT;

		if (s->op == PLAN_NOTHING || a->done[i] != NOT_DONE)
			continue;
		str_addf(&raw, "%s%s%s", plan_op_name(s->op), s->what ? " " : "",
			 s->what ? s->what : "");
		str_add_printable(&line, str_text(&raw), 0);
		(void)fprintf(stderr, "polder: not done: %s.%s: %s\n", a->up.composition,
			      name_of(s), str_text(&line));
		any = true;
	}
	(void)fprintf(stderr,
		      "polder: what was done before stays%s; polder apply goes on from "
		      "there\n",
		      any ? ", the rest was not touched" : "");
}

static int dry_run(const struct apply *a)
{
	auto_str out = STR_INIT;

	if (a->up.json)
		return tell_json(a, 0);
	plan_write(&a->plan, &out);
	return compose_out(&out, 0);
}

static int apply(struct apply *a)
{
	struct err err = ERR_INIT;
	int r = do_all(a, &err);

	if (r != 0) {
		(void)compose_trouble(&err);
		tell_rest(a);
	} else if (plan_todo(&a->plan) == 0 && a->up.progress) {
		(void)fprintf(stderr, "%s: nothing to do\n", a->up.composition);
	}
	r = r != 0 ? EXIT_TROUBLE : 0;
	return a->up.json ? tell_json(a, r) : r;
}

/* False: usage was said. */
static bool parse(struct apply *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "accept-weaker", no_argument, NULL, 'a' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "new-only", no_argument, NULL, 'o' },
		{ "kill", no_argument, NULL, 'k' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "n", options, NULL)) != -1) {
		if (c == 'j')
			a->up.json = true;
		else if (c == 'a')
			a->up.accept_weaker = true;
		else if (c == 'n')
			a->dry_run = true;
		else if ((c == 'o' || c == 'k') && a->revoke == REVOKE_COMPLETE)
			a->revoke = c == 'o' ? REVOKE_NEW_ONLY : REVOKE_KILL;
		else
			return compose_usage("apply: wrong option"), false;
	}
	if (argc - optind != 1)
		return compose_usage("apply needs one file"), false;
	a->up.progress = !a->up.json;
	return true;
}

int compose_apply(int argc, char **argv)
{
	struct apply a = { .revoke = REVOKE_COMPLETE };
	struct err err = ERR_INIT;
	int r;

	if (!parse(&a, argc, argv))
		return EXIT_TROUBLE;
	r = up_open(&a.up, &err);
	if (r == 0)
		r = up_load(&a.up, argv[optind], "nothing was changed", &err);
	if (r == 0)
		r = make_plan(&a, &err);
	if (r != 0)
		r = compose_trouble(&err);
	else
		r = a.dry_run ? dry_run(&a) : apply(&a);
	plan_fini(&a.plan);
	free(a.done);
	up_close(&a.up);
	return r;
}
