/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking: which environments there are, and what one holds. */
#include <assert.h>
#include <string.h>

#include "lib/lib-internal.h"

static_assert((int)POLDER_STATE_CREATED == REG_CREATED &&
		      (int)POLDER_STATE_STARTING == REG_STARTING &&
		      (int)POLDER_STATE_RUNNING == REG_RUNNING &&
		      (int)POLDER_STATE_PAUSED == REG_PAUSED &&
		      (int)POLDER_STATE_STOPPED == REG_STOPPED,
	      "the public states are our own");

struct polder_list {
	struct info *v;
	size_t n;
};

struct polder_view {
	struct info info;
	struct slot_rows rows;
	struct polder_slot *v; /* one for each row */
};

const char *polder_state_name(enum polder_state state)
{
	return (unsigned)state < REG_STATE_COUNT ? reg_state_name((enum reg_state)state) :
						   "";
}

void info_init(struct info *in, struct reg_entry *take_e)
{
	const struct reg_entry *e = take_e;
	bool ended = e->state == REG_STOPPED;

	in->e = take_e;
	reg_id_hex(&e->id, in->id);
	in->pub = (struct polder_info){
		.id = in->id,
		.name = e->name,
		.composition = e->composition,
		.generation = e->generation,
		.state = (enum polder_state)e->state,
		.kept = e->kept,
		.died = ended && e->died,
		.exit_code = ended && e->has_status ? launch_exit_code(e->status) : -1,
		.kind = e->kind,
		.console = e->console,
		.command = e->summary,
		.supervisor = ended ? 0 : e->tender,
		.started = e->start_ns / 1000000000,
	};
}

void info_fini(struct info *in)
{
	reg_entry_free(in->e);
	in->e = NULL;
}

/* ---- all ---- */

static int list_new(struct reg_list *from, struct polder_list **ret, struct err *err)
{
	struct polder_list *l = calloc(1, sizeof(*l));

	if (l)
		l->v = calloc(from->n + 1, sizeof(*l->v));
	if (!l || !l->v) {
		free(l);
		return err_oom(err);
	}
	for (; l->n < from->n; l->n++)
		info_init(&l->v[l->n], TAKE_PTR(from->v[l->n]));
	from->n = 0;
	*ret = l;
	return 0;
}

int polder_list(struct polder *p, struct polder_list **ret_list)
{
	struct reg_list list = { 0 };
	struct err err = ERR_INIT;
	int r;

	if (!p || !ret_list)
		return LIB_NULL(p);
	r = lib_open(p, &err);
	if (r == 0)
		r = registry_list(p->reg, &list, &err);
	if (r == 0)
		r = list_new(&list, ret_list, &err);
	reg_list_fini(&list);
	return lib_end(p, r, &err);
}

size_t polder_list_count(const struct polder_list *l)
{
	return l ? l->n : 0;
}

const struct polder_info *polder_list_info(const struct polder_list *l, size_t at)
{
	return l && at < l->n ? &l->v[at].pub : NULL;
}

void polder_list_free(struct polder_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		info_fini(&l->v[i]);
	free(l->v);
	free(l);
}

/* ---- one ---- */

static int view_slots(struct polder_view *v, struct err *err)
{
	v->v = calloc(v->rows.n + 1, sizeof(*v->v));
	if (!v->v)
		return err_oom(err);
	for (size_t i = 0; i < v->rows.n; i++) {
		const struct slot_row *row = &v->rows.v[i];

		v->v[i] = (struct polder_slot){ .slot = row->slot,
						.interface_ = row->iface,
						.asked = row->asked,
						.enforced = row->enforced,
						.cut = row->cut,
						.implied = row->implied,
						.weaker = row->weaker };
	}
	return 0;
}

int polder_show(struct polder *p, const char *word, struct polder_view **ret_view)
{
	struct polder_view *v;
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_str json = STR_INIT;
	int r;

	if (!p || !word || !ret_view)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	v = r == 0 ? calloc(1, sizeof(*v)) : NULL;
	if (r == 0 && !v) {
		reg_entry_free(e);
		r = err_oom(&err);
	}
	if (r == 0) {
		info_init(&v->info, e);
		r = slots_of_entry(p->reg, e, &json, &err);
	}
	if (r == 0)
		r = json.failed ? err_oom(&err) :
				  slots_read(str_text(&json), &v->rows, &err);
	if (r == 0)
		r = view_slots(v, &err);
	if (r == 0)
		*ret_view = v;
	else
		polder_view_free(v);
	return lib_end(p, r, &err);
}

const struct polder_info *polder_view_info(const struct polder_view *v)
{
	return v ? &v->info.pub : NULL;
}

size_t polder_view_count(const struct polder_view *v)
{
	return v ? v->rows.n : 0;
}

const struct polder_slot *polder_view_slot(const struct polder_view *v, size_t at)
{
	return v && at < v->rows.n ? &v->v[at] : NULL;
}

void polder_view_free(struct polder_view *v)
{
	if (!v)
		return;
	info_fini(&v->info);
	slot_rows_fini(&v->rows);
	free(v->v);
	free(v);
}
