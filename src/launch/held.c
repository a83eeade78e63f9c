/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an environment is now, as one of a graph, so that src/graph can answer for it. Its
 * record is written anew with each change, but the tender is asked all the same: only it
 * knows what holds, and what was made since the start.
 */
#include <stdio.h>

#include "launch/launch.h"
#include "launch/verbs.h"

static const struct slot_row *row_of(const struct slot_rows *rows, const char *slot)
{
	for (size_t i = 0; i < rows->n; i++)
		if (streq(rows->v[i].slot, slot))
			return &rows->v[i];
	return NULL;
}

static bool same_text(const struct binding *b, const char *text)
{
	auto_str now = STR_INIT;

	binding_write(b, &now);
	return streq(str_text(&now), text);
}

/* What the record says as well keeps what is not in the text, as the files of a fake. */
static int hold(struct genv *env, const struct slot_row *row, struct err *err)
{
	struct binding *b = genv_binding(env, row->slot);
	bool optional = b && b->optional;
	int r = 0;

	if (b && !same_text(b, row->asked)) {
		genv_drop_binding(env, b);
		b = NULL;
	}
	if (!b)
		r = graph_env_bind(env, row->asked, NULL, (struct pos){ 0 }, &b, err);
	if (r != 0)
		return r;
	b->optional = optional;
	b->implied = row->implied;
	b->live = row->live;
	return 0;
}

static int hold_all(struct genv *env, const struct slot_rows *rows, struct err *err)
{
	int r = 0;

	for (size_t i = env->n_bindings; i-- > 0;)
		if (!row_of(rows, env->bindings[i].slot))
			genv_drop_binding(env, &env->bindings[i]);
	for (size_t i = 0; r == 0 && i < rows->n; i++)
		r = hold(env, &rows->v[i], err);
	return r;
}

static void say_where(struct graph *g, struct genv *env, const char *composition)
{
	auto_free char *from = str_printf("the manifest of %s", composition);
	struct pos start = { .file = *composition && from ? graph_file(g, from) : NULL };
	struct pos since = { .file = graph_file(g, "a change since its start") };

	for (size_t i = 0; i < env->n_bindings; i++)
		env->bindings[i].pos = env->bindings[i].live ? since : start;
}

static int ask(struct registry *reg, const struct reg_entry *e, struct slot_rows *ret,
	       struct err *err)
{
	auto_str json = STR_INIT;
	int r = slots_of_entry(reg, e, &json, err);

	return r == 0 ? slots_read(str_text(&json), ret, err) : r;
}

int held_load(struct registry *reg, const struct reg_entry *e, struct graph *g,
	      struct genv **ret, struct err *err)
{
	struct slot_rows rows = { 0 };
	auto_free char *buf = NULL;
	const char *cwd;
	int r = 0;

	if (!e->kept)
		return err_set(err, PE_REFUSED,
			       "'%s' is disposable and keeps no record; polder show "
			       "lists what it holds",
			       e->name);
	if (e->state != REG_STOPPED)
		r = ask(reg, e, &rows, err);
	if (r == 0)
		r = record_load(reg, &e->id, g, ret, &cwd, &buf, err);
	if (r == 0 && (*ret)->image)
		(void)image_read(*ret, NULL); /* which may be gone */
	if (r == 0 && e->state != REG_STOPPED)
		r = hold_all(*ret, &rows, err);
	if (r == 0)
		say_where(g, *ret, e->composition);
	slot_rows_fini(&rows);
	return r;
}
