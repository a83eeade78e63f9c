/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * An environment waits for those whose servers it is bound to and for those it names in
 * after:. Its stage is one more than the highest stage it waits for: a walk into the
 * depth with a stack of its own (a chain of ten thousand must not exhaust ours). Meeting
 * an environment that is still on the stack is a cycle: it is reported with the place of
 * each wait, and that one wait is left out, so that every cycle of a file is found.
 */
#include "graph/graph-internal.h"

enum { UNSEEN, ON_STACK, DONE };

struct frame {
	struct genv *env;
	size_t next; /* which wait comes next */
};

struct wait {
	struct genv *env;
	struct pos pos;
	const struct binding *binding; /* NULL: by after: */
};

/* The k-th wait of e; .env is NULL if that place asks for nothing. */
static struct wait wait_at(const struct genv *e, size_t k)
{
	const struct binding *b = &e->bindings[k];

	if (k >= e->n_bindings) {
		const struct after *a = &e->after[k - e->n_bindings];

		return (struct wait){ a->env, a->pos, NULL };
	}
	if (b->source != SRC_ENV || (!b->server && !b->joined))
		return (struct wait){ 0 };
	return (struct wait){ b->server_env, b->pos, b };
}

static void write_wait(const struct genv *from, const struct wait *w, struct str *out)
{
	str_addf(out, "%s%s waits for %s: ", out->len ? "\n        " : "", from->name,
		 w->env->name);
	pos_write(w->pos, out);
	if (!w->binding) {
		str_add(out, " (after)");
		return;
	}
	str_add(out, " (");
	binding_write(w->binding, out);
	str_add(out, ")");
}

/* stack[from..top] wait for each other, the last for the first. */
static void report(const struct frame *stack, size_t from, size_t top,
		   struct diags *diags)
{
	struct wait last = wait_at(stack[top].env, stack[top].next - 1);
	auto_str names = STR_INIT, waits = STR_INIT;

	for (size_t i = from; i <= top; i++) {
		struct wait w = wait_at(stack[i].env, stack[i].next - 1);

		if (i - from < 20) {
			str_addf(&names, "%s → ", stack[i].env->name);
			write_wait(stack[i].env, &w, &waits);
		} else if (i - from == 20) {
			str_add(&names, "… → ");
		}
	}
	str_add(&names, stack[from].env->name);
	diags_add(diags, last.pos, false, str_text(&waits),
		  "environments wait for each other: %s", str_text(&names));
}

static void walk(struct genv *start, struct frame *stack, unsigned char *state,
		 struct diags *diags)
{
	size_t top = 0;

	stack[0] = (struct frame){ start, 0 };
	state[start->mark] = ON_STACK;
	for (;;) {
		struct genv *e = stack[top].env;
		struct wait w;

		if (stack[top].next == e->n_bindings + e->n_after) {
			state[e->mark] = DONE;
			if (top-- == 0)
				return;
			stack[top].env->order = MAX(stack[top].env->order, e->order + 1);
			continue;
		}
		w = wait_at(e, stack[top].next++);
		if (!w.env)
			continue;
		if (state[w.env->mark] == UNSEEN) {
			state[w.env->mark] = ON_STACK;
			stack[++top] = (struct frame){ w.env, 0 };
		} else if (state[w.env->mark] == DONE) {
			e->order = MAX(e->order, w.env->order + 1);
		} else {
			size_t from = top;

			while (stack[from].env != w.env)
				from--;
			report(stack, from, top, diags);
		}
	}
}

int graph_order(struct graph *g, struct diags *diags)
{
	auto_free struct frame *stack = calloc(g->n_envs + 1, sizeof(*stack));
	auto_free unsigned char *state = calloc(g->n_envs + 1, 1);

	if (!stack || !state)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_envs; i++) {
		g->envs[i]->mark = (uint32_t)i;
		g->envs[i]->order = 0;
	}
	for (size_t i = 0; i < g->n_envs; i++)
		if (state[i] == UNSEEN)
			walk(g->envs[i], stack, state, diags);
	return 0;
}
