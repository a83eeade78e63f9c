/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * graph_check looks at every environment and every binding and never stops at the first
 * mistake. A binding is held against the table (kinds.c), then against the facts: what
 * cannot be given is an error; what could be given only weaker than asked is an error
 * too, unless the caller accepts that, and then a warning. Names are resolved through
 * the index, so all of it is linear in the size of the composition. The start order
 * comes last and only over what was resolved.
 *
 * Sentences name the slot and not the environment where there is a position: a template
 * that a thousand environments use is reported once.
 */
#include "graph/check-internal.h"
#include "graph/kinds.h"

static void check_limit(struct check *c, struct pos pos, const char *name, uint64_t asked,
			bool there)
{
	const char *why = c->facts->no_limit_reason;

	if (asked == 0 || there)
		return;
	diags_add(c->diags, pos, c->accept_weaker, NULL,
		  "the limit %s cannot be enforced here%s%s", name, why ? ": " : "",
		  why ? why : "");
}

/* one: a single process whose memory is what it was made with, so that two of the limits
 * need nobody to enforce them. */
static void check_limits(struct check *c, const struct limits *l, struct pos pos,
			 bool one)
{
	if (l->mem_bytes && l->mem_bytes < 1 << 20)
		ERROR(c, pos, NULL, "a mem limit under 1M lets no program start");
	if (l->mem_bytes > 1ULL << 50)
		ERROR(c, pos, NULL, "a mem limit over 1024T is no limit");
	if (l->cpu_percent > 1000000)
		ERROR(c, pos, NULL, "a cpu limit over 10,000 CPUs is no limit");
	if (l->pids > 1 << 22)
		ERROR(c, pos, NULL, "a pids limit over 4194304 is no limit");
	if (l->time_ms > 3660ULL * 86400 * 1000)
		ERROR(c, pos, NULL, "a time limit over ten years is no limit");
	check_limit(c, pos, "mem", l->mem_bytes, one || c->facts->limit_mem);
	check_limit(c, pos, "cpu", l->cpu_percent, c->facts->limit_cpu);
	check_limit(c, pos, "pids", l->pids, one || c->facts->limit_pids);
}

static void check_below(struct check *c, struct pos pos, const struct limits *l,
			const struct limits *upper, const char *whose)
{
	static const struct {
		char name[8];
		size_t offset;
	} each[] = { { "mem", offsetof(struct limits, mem_bytes) },
		     { "cpu", offsetof(struct limits, cpu_percent) },
		     { "pids", offsetof(struct limits, pids) },
		     { "time", offsetof(struct limits, time_ms) } };

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		uint64_t mine, above;

		memcpy(&mine, (const char *)l + each[i].offset, sizeof(mine));
		memcpy(&above, (const char *)upper + each[i].offset, sizeof(above));
		if (above && mine > above)
			ERROR(c, pos, NULL, "the %s limit is above that of %s",
			      each[i].name, whose);
	}
}

/* parent.child: a child's limits are within its parent's. */
static void check_parent(struct check *c, const struct genv *e, struct pos pos)
{
	const char *dot = strrchr(e->name, '.');
	char name[MAX_NAME + 1];
	const struct genv *parent;

	if (!dot)
		return;
	memcpy(name, e->name, (size_t)(dot - e->name));
	name[dot - e->name] = '\0';
	parent = graph_env(c->graph, name);
	if (!parent)
		ERROR(c, e->pos, NULL, "\"%s\" is a child of \"%s\", which is not there",
		      e->name, name);
	else
		check_below(c, pos, &e->limits, &parent->limits, name);
}

static void check_root(struct check *c, const struct genv *e)
{
	const struct binding *b = genv_binding(e, "/");

	if (b && e->root && !b->unbound)
		ERROR(c, b->pos, NULL,
		      "the root is given twice: as root and as the slot \"/\"");
	if (e->root && check_kernel_place(e->root))
		ERROR(c, e->pos, NULL, "\"%s\" cannot be a root", e->root);
}

/* Who exposes must be able to: nothing of it can lie in what is not its own to fill. */
static void check_exposes(struct check *c, const struct genv *e)
{
	for (size_t i = 0; i < e->n_exposes; i++) {
		const struct expose *x = &e->exposes[i];

		if (streq(x->path, "/") || streq(x->path, "/dev") ||
		    check_kernel_place(x->path))
			ERROR(c, x->pos, NULL, "\"%s\": %s cannot be exposed", x->name,
			      x->path);
	}
}

/* Nothing can be inside of a socket. */
static void check_below_sockets(struct check *c, const struct genv *e)
{
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *s = &e->bindings[i];

		for (size_t k = 0; s->iface == IF_SOCKET && k < e->n_bindings; k++)
			if (k != i && path_below(e->bindings[k].slot, s->slot))
				ERROR(c, e->bindings[k].pos, NULL,
				      "\"%s\" is below the socket \"%s\"",
				      e->bindings[k].slot, s->slot);
	}
}

/* And nothing is mounted into what a caretaker serves: the path would end with it. */
static void check_below_served(struct check *c, const struct genv *e)
{
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *s = &e->bindings[i];

		for (size_t k = 0; binding_needs_caretaker(s) && k < e->n_bindings; k++)
			if (k != i && *e->bindings[k].slot == '/' &&
			    path_below(e->bindings[k].slot, s->slot))
				ERROR(c, e->bindings[k].pos,
				      "bind it at another place; what is to be missing "
				      "in "
				      "a directory is said with hide=",
				      "\"%s\" lies in \"%s\", which is served by a "
				      "caretaker, and cutting that would cut this too",
				      e->bindings[k].slot, s->slot);
	}
}

static void check_after(struct check *c, struct genv *e)
{
	for (size_t i = 0; i < e->n_after; i++) {
		e->after[i].env = graph_env(c->graph, e->after[i].name);
		if (!e->after[i].env)
			check_no_such_env(c, e->after[i].pos, e->after[i].name);
	}
}

static void check_env(struct check *c, struct genv *e)
{
	struct pos pos = e->limits.pos.line ? e->limits.pos : e->pos;
	bool unikernel = program_is_unikernel(e->program);

	if (e->n_argv == 0 && *e->name && !unikernel)
		ERROR(c, e->pos,
		      "add run: [PROGRAM, ARGUMENT, …], or image: FILE for a unikernel",
		      "\"%s\" has nothing to run", e->name);
	for (size_t i = 0; i < e->n_bindings; i++)
		check_binding(c, e, &e->bindings[i]);
	check_limits(c, &e->limits, pos, unikernel);
	if (unikernel)
		check_unikernel(c, e, pos);
	check_below(c, pos, &e->limits, &c->graph->quota, "the composition");
	check_parent(c, e, pos);
	if (!unikernel) {
		check_root(c, e);
		check_exposes(c, e);
	}
	check_below_sockets(c, e);
	check_below_served(c, e);
	check_after(c, e);
}

int graph_check(struct graph *g, const struct host_facts *facts, bool accept_weaker,
		struct diags *diags)
{
	struct check c = { g, facts, accept_weaker, diags };
	size_t before = diags->n_errors;
	int r;

	check_limits(&c, &g->quota, g->quota.pos, false);
	for (size_t i = 0; i < g->n_envs; i++)
		for (size_t k = 0; k < g->envs[i]->n_bindings; k++)
			g->envs[i]->bindings[k].joined = NULL;
	for (size_t i = 0; i < g->n_envs; i++)
		check_env(&c, g->envs[i]);
	r = graph_order(g, diags);
	if (r < 0)
		return r;
	return diags->n_errors == before ? 0 : PE_REFUSED;
}
