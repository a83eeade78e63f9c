/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's records to a table of entries. Pure. A record about an unknown
 * environment, or about another generation than the present one, comes from somebody
 * who was overtaken, and changes nothing.
 */
#include "state/le.h"
#include "state/registry-internal.h"

#define BINDS_MAX 65536

void reg_table_fini(struct reg_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		reg_entry_free(t->v[i]);
	free(t->v);
	free(t->ids);
	free(t->slots);
	*t = (struct reg_table){ 0 };
}

/* The slot that holds id, or the empty one where it would go. n_slots > 0. */
static size_t slot_of(const struct reg_table *t, const struct reg_id *id)
{
	size_t at = (size_t)le64_get(id->b) & (t->n_slots - 1);

	while (t->slots[at] && !reg_id_eq(&t->ids[t->slots[at] - 1], id))
		at = (at + 1) & (t->n_slots - 1);
	return at;
}

struct reg_entry *reg_table_get(const struct reg_table *t, const struct reg_id *id)
{
	uint32_t slot;

	if (t->n_slots == 0)
		return NULL;
	slot = t->slots[slot_of(t, id)];
	return slot ? t->v[slot - 1] : NULL;
}

struct reg_entry *reg_table_by_name(const struct reg_table *t, const char *composition,
				    const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i] && streq(t->v[i]->name, name) &&
		    streq(t->v[i]->composition, composition))
			return t->v[i];
	return NULL;
}

static bool grow(struct reg_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64, n_slots = cap * 2;
	uint32_t *slots = calloc(n_slots, sizeof(*slots));
	struct reg_entry **v = realloc(t->v, cap * sizeof(struct reg_entry *));
	struct reg_id *ids;

	if (v)
		t->v = v;
	ids = realloc(t->ids, cap * sizeof(*ids));
	if (ids)
		t->ids = ids;
	if (!slots || !v || !ids) {
		free(slots);
		return false;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	t->cap = cap;
	for (size_t i = 0; i < t->n; i++)
		t->slots[slot_of(t, &t->ids[i])] = (uint32_t)i + 1;
	return true;
}

bool reg_table_put(struct reg_table *t, struct reg_entry *take_e)
{
	size_t at;

	if (t->n == t->cap && !grow(t)) {
		reg_entry_free(take_e);
		t->failed = true;
		return false;
	}
	at = slot_of(t, &take_e->id);
	if (t->slots[at]) {
		struct reg_entry **old = &t->v[t->slots[at] - 1];

		reg_entry_free(*old);
		*old = take_e;
		return true;
	}
	t->ids[t->n] = take_e->id;
	t->v[t->n++] = take_e;
	t->slots[at] = (uint32_t)t->n;
	return true;
}

void reg_table_drop(struct reg_table *t, const struct reg_id *id)
{
	uint32_t slot;

	if (t->n_slots == 0)
		return;
	slot = t->slots[slot_of(t, id)];
	if (slot) {
		reg_entry_free(t->v[slot - 1]);
		t->v[slot - 1] = NULL;
	}
}

/* ---- one record ---- */

static void fold_started(struct reg_entry *e, struct reg_reader *r)
{
	uint32_t tender = reg_get_u32(r), uid_base, uid_count;
	uint64_t start = reg_get_u64(r);
	char *cgroups;

	uid_base = reg_get_u32(r);
	uid_count = reg_get_u32(r);
	cgroups = reg_get_text(r);
	if (!reg_get_end(r)) {
		free(cgroups);
		r->failed = true;
		return;
	}
	e->state = REG_RUNNING;
	e->tender = (pid_t)tender;
	e->start_ns = (int64_t)start;
	if (uid_count) {
		e->uid_base = uid_base;
		e->uid_count = uid_count;
	}
	if (cgroups[0]) {
		free(e->cgroups);
		e->cgroups = TAKE_PTR(cgroups);
	}
	free(cgroups);
}

static void fold_stopped(struct reg_entry *e, struct reg_reader *r)
{
	uint32_t status = reg_get_u32(r), flags = reg_get_u32(r);

	if (!reg_get_end(r)) {
		r->failed = true;
		return;
	}
	e->state = REG_STOPPED;
	e->tender = 0;
	e->died = flags & REG_STOPPED_DIED;
	if (!e->died)
		reg_entry_clear(e); /* its tender did that */
	e->cleanup_due = e->died;
	e->has_status = !e->died;
	e->status = (int)status;
}

static struct reg_bind *bind_by_id(struct reg_entry *e, const struct reg_id *id)
{
	for (size_t i = 0; i < e->n_binds; i++)
		if (reg_id_eq(&e->binds[i].id, id))
			return &e->binds[i];
	return NULL;
}

static void fold_bind(struct reg_entry *e, enum reg_type type, struct reg_reader *r)
{
	struct reg_bind new = { .done = false }, *b, *bigger;

	reg_get_id(r, &new.id);
	if (type == REG_T_BIND_INTENT)
		new.text = reg_get_text(r);
	if (!reg_get_end(r) || e->n_binds >= BINDS_MAX) {
		free(new.text);
		r->failed = true;
		return;
	}
	b = bind_by_id(e, &new.id);
	if (type == REG_T_BIND_INTENT && !b) {
		bigger = realloc(e->binds, (e->n_binds + 1) * sizeof(*bigger));
		if (bigger) {
			e->binds = bigger;
			e->binds[e->n_binds++] = new;
			return;
		}
		r->failed = true;
	} else if (type == REG_T_BIND_DONE && b) {
		b->done = true;
	} else if (type == REG_T_BIND_CUT && b) {
		free(b->text);
		*b = e->binds[--e->n_binds];
	}
	free(new.text);
}

static void fold_event(struct reg_table *t, enum reg_type type, struct reg_reader *r)
{
	struct reg_entry *e;
	struct reg_id id = { 0 };
	uint64_t generation;

	reg_get_id(r, &id);
	generation = reg_get_u64(r);
	e = r->failed ? NULL : reg_table_get(t, &id);
	if (!e || e->generation != generation)
		return;
	switch (type) {
	case REG_T_STARTED: fold_started(e, r); break;
	case REG_T_STOPPED: fold_stopped(e, r); break;
	case REG_T_PAUSED: e->state = REG_PAUSED; break;
	case REG_T_RESUMED: e->state = REG_RUNNING; break;
	case REG_T_CLEANED: reg_entry_clear(e); break;
	case REG_T_REMOVED: reg_table_drop(t, &id); break;
	case REG_T_BIND_INTENT:
	case REG_T_BIND_DONE:
	case REG_T_BIND_CUT: fold_bind(e, type, r); break;
	case REG_T_ENTRY: break;
	}
}

static bool is_known(uint16_t type)
{
	return (type >= REG_T_ENTRY && type <= REG_T_REMOVED) ||
	       (type >= REG_T_BIND_INTENT && type <= REG_T_BIND_CUT);
}

int reg_table_fold(void *userdata, const struct journal_record *rec)
{
	struct reg_reader r = { .p = rec->payload, .left = rec->len };
	struct reg_table *t = userdata;
	struct reg_entry *e;

	if (rec->flags != 0 || !is_known(rec->type)) {
		t->unknown++;
		return 0;
	}
	if (rec->type == REG_T_ENTRY) {
		e = reg_entry_decode(rec->payload, rec->len);
		if (e)
			(void)reg_table_put(t, e);
		else
			t->unknown++;
	} else {
		fold_event(t, (enum reg_type)rec->type, &r);
		t->unknown += r.failed;
	}
	return t->failed ? -ENOMEM : 0;
}

/* ---- and back ---- */

static void write_bind(struct journal_writer *w, const struct reg_entry *e,
		       const struct reg_bind *b)
{
	auto_str text = STR_INIT;
	size_t head;

	reg_head_encode(&text, &e->id, e->generation);
	str_addn(&text, b->id.b, REG_ID_BYTES);
	head = text.len;
	reg_put_text(&text, b->text);
	w->out.failed |= text.failed;
	if (text.failed)
		return;
	journal_add(w, REG_T_BIND_INTENT, text.p, text.len);
	if (b->done)
		journal_add(w, REG_T_BIND_DONE, text.p, head);
}

int reg_table_write(void *userdata, struct journal_writer *w, struct err *err)
{
	const struct reg_table *t = userdata;

	for (size_t i = 0; i < t->n; i++) {
		const struct reg_entry *e = t->v[i];
		auto_str payload = STR_INIT;

		if (!e)
			continue;
		reg_entry_encode(e, &payload);
		if (payload.failed)
			return err_oom(err);
		journal_add(w, REG_T_ENTRY, payload.p, payload.len);
		for (size_t k = 0; k < e->n_binds; k++)
			write_bind(w, e, &e->binds[k]);
	}
	return w->out.failed ? err_oom(err) : 0;
}
