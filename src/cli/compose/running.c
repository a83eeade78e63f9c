/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs of a composition, as a graph, and the way from there to what its file says. */
#include <stdlib.h>
#include <time.h>

#include "cli/compose/members.h"
#include "sandbox/facts.h"

static bool is_member(const struct up *u, const struct reg_entry *e)
{
	return e->state != REG_STOPPED && streq(e->composition, u->composition);
}

static int add_running(struct up *u, struct reg_entry *e, struct err *err)
{
	struct genv *env = NULL;
	int r;

	if (e->kept) {
		r = held_load(u->reg, e, u->running, &env, err);
		if (r == PE_NOTFOUND &&
		    registry_wait(u->reg, &e->id, e->generation, 0, NULL) == 0)
			return 0; /* it ended meanwhile */
	} else if (graph_env(u->g, e->name)) {
		r = err_set(err, PE_REFUSED,
			    "it was started disposable (run -f), so what it was asked to "
			    "be is not known: stop it first");
	} else {
		r = graph_env_new(u->running, e->name, (struct pos){ 0 }, &env, err);
	}
	if (r != 0)
		err_prefix(err, "%s.%s", e->composition, e->name);
	else
		env->scratch = e;
	return r;
}

static int load_running(struct up *u, struct err *err)
{
	int r = registry_list(u->reg, &u->list, err);

	u->running = graph_new();
	if (r == 0 && !u->running)
		r = err_oom(err);
	if (r != 0)
		return r;
	u->running->open = true;
	for (size_t i = 0; r == 0 && i < u->list.n; i++)
		if (is_member(u, u->list.v[i]))
			r = add_running(u, u->list.v[i], err);
	return r;
}

static bool later_than(const struct up *u, const char *ref, const struct reg_entry *e)
{
	for (size_t i = 0; i < u->running->n_envs; i++) {
		const struct genv *server = u->running->envs[i];
		const struct reg_entry *s = server->scratch;
		size_t n = strlen(server->name);

		if (strncmp(ref, server->name, n) == 0 && ref[n] == '/')
			return s->start_ns > e->start_ns;
	}
	return false;
}

/* Somebody has restarted a server alone: who was bound to it holds a mount of the dead. */
static void find_stale(struct up *u)
{
	for (size_t i = 0; i < u->running->n_envs; i++) {
		struct genv *env = u->running->envs[i];

		for (size_t k = 0; k < env->n_bindings; k++) {
			struct binding *b = &env->bindings[k];

			b->stale = b->source == SRC_ENV && b->ref && !b->live &&
				   later_than(u, b->ref, env->scratch);
		}
	}
}

/* A grant is held by its real path, which the file may know by another name. */
static int same_names(struct binding *held, const struct binding *want)
{
	char a[PATH_MAX], b[PATH_MAX], *copy;

	if (held->source != SRC_HOST || want->source != SRC_HOST || !held->ref ||
	    !want->ref || streq(held->ref, want->ref) || !realpath(held->ref, a) ||
	    !realpath(want->ref, b) || !streq(a, b))
		return 0;
	copy = strdup(want->ref);
	if (!copy)
		return -ENOMEM;
	free(held->ref);
	held->ref = copy;
	return 0;
}

static int align_names(struct up *u, struct err *err)
{
	for (size_t i = 0; i < u->running->n_envs; i++) {
		struct genv *old = u->running->envs[i];
		const struct genv *now = graph_env(u->g, old->name);

		for (size_t k = 0; now && k < old->n_bindings; k++) {
			struct binding *b = &old->bindings[k];
			const struct binding *want = genv_binding(now, b->slot);

			if (want && b->iface == IF_DIR && want->iface == IF_DIR &&
			    same_names(b, want) != 0)
				return err_oom(err);
		}
	}
	return 0;
}

int up_plan(struct up *u, enum revoke_how revoke, struct plan *ret, struct err *err)
{
	struct plan_how how = { .accept_weaker = u->accept_weaker,
				.no_mounts = true,
				.revoke = revoke,
				.refuse_weak = true };
	struct host_facts facts;
	struct timespec now;
	int r = load_running(u, err);

	host_facts_probe(&facts);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	how.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (r == 0)
		r = align_names(u, err);
	if (r == 0)
		find_stale(u);
	return r == 0 ? graph_plan(u->running, u->g, &facts, &how, ret, err) : r;
}
