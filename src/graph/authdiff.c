/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * What a composition may do is: its powerful bindings, the servers it exposes, the
 * root trees, the caller's variables it is handed, and its limits. Each is an item of an
 * environment with a key and a text; two compositions are compared item by item. Null
 * servers are no authority, so adding or dropping one says nothing, but for a null that
 * covers a part of a directory which is granted: that takes. Where both have an item
 * and the texts differ, "gives" or "takes" is said only where it is certain.
 */
#include "graph/caretaker.h"
#include "graph/graph-internal.h"

#include <inttypes.h>

enum effect { GIVES, TAKES, CHANGES };

static const char *const effect_names[] = { "gives", "takes", "changes" };

struct diff {
	bool as_json;
	struct json json;
	struct str *out;
	size_t n;
};

struct item {
	const char *key;
	const char *text; /* NULL: it does not have it */
	struct pos pos;
};

static void say_text(struct diff *d, const struct genv *e, const struct item *old,
		     const struct item *now, enum effect effect)
{
	const struct item *shown = now->text ? now : old;
	auto_str line = STR_INIT;

	str_addf(&line, "%c %s %s: ",
		 !old->text ? '+' :
		 !now->text ? '-' :
			      '~',
		 *e->name ? e->name : "(composition)", shown->key);
	if (old->text && now->text)
		str_addf(&line, "%s → %s", old->text, now->text);
	else
		str_add(&line, shown->text);
	str_addf(&line, "  (%s; ", effect_names[effect]);
	pos_write(shown->pos, &line);
	text_show(d->out, str_text(&line), line.len, false);
	str_add(d->out, ")\n");
}

static void say_json(struct diff *d, const struct genv *e, const struct item *old,
		     const struct item *now, enum effect effect)
{
	auto_str at = STR_INIT;

	pos_write(now->text ? now->pos : old->pos, &at);
	json_open(&d->json, '{');
	json_kstr(&d->json, "op", !old->text ? "+" : !now->text ? "-" : "~");
	json_kstr(&d->json, "environment", *e->name ? e->name : NULL);
	json_kstr(&d->json, "what", now->text ? now->key : old->key);
	json_kstr(&d->json, "old", old->text);
	json_kstr(&d->json, "new", now->text);
	json_kstr(&d->json, "effect", effect_names[effect]);
	json_kstr(&d->json, "at", str_text(&at));
	json_close(&d->json, '}');
}

static void say(struct diff *d, const struct genv *e, const struct item *old,
		const struct item *now, enum effect effect)
{
	d->n++;
	if (d->as_json)
		say_json(d, e, old, now, effect);
	else
		say_text(d, e, old, now, effect);
}

/* ---- bindings ---- */

static bool covers_something(const struct genv *e, const struct binding *null)
{
	if (null->iface != IF_DIR || streq(null->slot, "/"))
		return false;
	if (genv_root(e))
		return true;
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];

		if (b != null && b->iface == IF_DIR && binding_powerful(b) &&
		    path_below(null->slot, b->slot))
			return true;
	}
	return path_below(null->slot, "/usr") || path_below(null->slot, "/etc");
}

/* The binding of that slot, if it says anything about authority. What every program has
 * by default says something only beside another environment of that name. */
static const struct binding *counted(const struct genv *e, const char *slot, bool alone)
{
	const struct binding *b = e ? genv_binding(e, slot) : NULL;

	if (b && !binding_powerful(b) && !covers_something(e, b))
		return NULL;
	return b && alone && b->implied ? NULL : b;
}

static bool same_source(const struct binding *a, const struct binding *b)
{
	return a->source == b->source && a->iface == b->iface &&
	       (a->ref == b->ref || (a->ref && b->ref && streq(a->ref, b->ref)));
}

static bool within(const struct binding *a, const struct binding *b)
{
	return through_within(a->through, a->n_through, b->through, b->n_through);
}

/* True if every condition of b is one of a, or a tighter one is, and the rest is the
 * same. The order says nothing: caretakers commute. */
static bool narrower(const struct binding *a, const struct binding *b)
{
	return same_source(a, b) && binding_same_options(a, b) && within(a, b) &&
	       !within(b, a);
}

static bool same_authority(const struct binding *a, const struct binding *b)
{
	return same_source(a, b) && binding_same_options(a, b) && within(a, b) &&
	       within(b, a) && binding_same_fakes(a, b);
}

static enum effect effect_of(const struct binding *old, const struct binding *now)
{
	bool was = old && binding_powerful(old), is = now && binding_powerful(now);

	if (!old || !now) /* a null that covers takes while it is there */
		return (old ? !was : is) ? GIVES : TAKES;
	if (was != is)
		return is ? GIVES : TAKES;
	if (narrower(now, old))
		return TAKES;
	return narrower(old, now) ? GIVES : CHANGES;
}

static void write_counted(const struct binding *b, struct str *out)
{
	if (b->unbound)
		str_add(out, source_name(SRC_NULL));
	else
		binding_write_source(b, out);
	for (size_t i = 0; i < b->n_fakes; i++)
		str_addf(out, " %s", b->fakes[i].path);
}

static void diff_binding(struct diff *d, const struct genv *e, const struct binding *old,
			 const struct binding *now)
{
	auto_str was = STR_INIT, is = STR_INIT;
	struct item a = { 0 }, b = { 0 };

	if ((!old && !now) || (old && now && same_authority(old, now)))
		return;
	if (old) {
		write_counted(old, &was);
		a = (struct item){ old->slot, str_text(&was), old->pos };
	}
	if (now) {
		write_counted(now, &is);
		b = (struct item){ now->slot, str_text(&is), now->pos };
	}
	say(d, e, &a, &b, effect_of(old, now));
}

static void diff_bindings(struct diff *d, const struct genv *old, const struct genv *now)
{
	for (size_t i = 0; old && i < old->n_bindings; i++) {
		const char *slot = old->bindings[i].slot;

		diff_binding(d, old, counted(old, slot, !now), counted(now, slot, false));
	}
	for (size_t i = 0; now && i < now->n_bindings; i++) {
		const char *slot = now->bindings[i].slot;

		if (!old || !genv_binding(old, slot))
			diff_binding(d, now, NULL, counted(now, slot, !old));
	}
}

/* ---- the rest of an environment ---- */

static void diff_text(struct diff *d, const struct genv *e, const struct item *a,
		      const struct item *b)
{
	if (!a->text && !b->text)
		return;
	if (a->text && b->text && streq(a->text, b->text))
		return;
	say(d, e, a, b, !a->text ? GIVES : !b->text ? TAKES : CHANGES);
}

/* old or now may be NULL, and not both. */
static void diff_expose(struct diff *d, const struct genv *e, const char *name,
			const struct expose *old, const struct expose *now)
{
	auto_str key = STR_INIT, was = STR_INIT, is = STR_INIT;
	struct item a = { 0 }, b = { 0 };

	str_addf(&key, "exposes %s", name);
	if (old)
		str_addf(&was, "%s %s", iface_name(old->iface), old->path);
	if (now)
		str_addf(&is, "%s %s", iface_name(now->iface), now->path);
	if (old)
		a = (struct item){ str_text(&key), str_text(&was), old->pos };
	if (now)
		b = (struct item){ str_text(&key), str_text(&is), now->pos };
	diff_text(d, e, &a, &b);
}

static void diff_exposes(struct diff *d, const struct genv *old, const struct genv *now)
{
	for (size_t i = 0; old && i < old->n_exposes; i++) {
		const struct expose *x = &old->exposes[i];

		diff_expose(d, old, x->name, x, now ? genv_expose(now, x->name) : NULL);
	}
	for (size_t i = 0; now && i < now->n_exposes; i++) {
		const struct expose *x = &now->exposes[i];

		if (!old || !genv_expose(old, x->name))
			diff_expose(d, now, x->name, NULL, x);
	}
}

/* The caller's own variables that are passed on. */
static bool passes(const struct genv *e, const char *key)
{
	const struct kv *v = e ? kv_find(e->vars, e->n_vars, key) : NULL;

	return v && !v->value;
}

static void diff_vars(struct diff *d, const struct genv *old, const struct genv *now)
{
	static const struct item none = { 0 };

	for (size_t i = 0; old && i < old->n_vars; i++) {
		const struct kv *v = &old->vars[i];
		struct item it = { "passes the variable", v->key, v->pos };

		if (!v->value && !passes(now, v->key))
			say(d, old, &it, &none, TAKES);
	}
	for (size_t i = 0; now && i < now->n_vars; i++) {
		const struct kv *v = &now->vars[i];
		struct item it = { "passes the variable", v->key, v->pos };

		if (!v->value && !passes(old, v->key))
			say(d, now, &none, &it, GIVES);
	}
}

/* A limit that goes, or grows, gives. */
static void diff_limit(struct diff *d, const struct genv *e, const char *key,
		       uint64_t old, uint64_t now, struct pos pos)
{
	auto_str was = STR_INIT, is = STR_INIT;
	struct item a = { key, NULL, pos }, b = { key, NULL, pos };

	if (old == now)
		return;
	str_addf(&was, "%" PRIu64, old);
	str_addf(&is, "%" PRIu64, now);
	a.text = old ? str_text(&was) : NULL;
	b.text = now ? str_text(&is) : NULL;
	say(d, e, &a, &b, now == 0 || (old != 0 && now > old) ? GIVES : TAKES);
}

static void diff_limits(struct diff *d, const struct genv *e, const struct limits *old,
			const struct limits *now)
{
	struct pos pos = now->pos.line ? now->pos : old->pos;

	diff_limit(d, e, "limit mem", old->mem_bytes, now->mem_bytes, pos);
	diff_limit(d, e, "limit cpu", old->cpu_percent, now->cpu_percent, pos);
	diff_limit(d, e, "limit pids", old->pids, now->pids, pos);
	diff_limit(d, e, "limit time", old->time_ms, now->time_ms, pos);
}

/* A program that is there in one composition only, with what every program has. */
static void diff_presence(struct diff *d, const struct genv *e, bool is_new)
{
	static const struct item none = { 0 };
	auto_str run = STR_INIT;
	struct item it = { "environment", NULL, e->pos };

	if (e->image)
		str_add(&run, e->image);
	for (size_t i = 0; i < e->n_argv; i++)
		str_addf(&run, "%s%s", run.len ? " " : "", e->argv[i]);
	it.text = str_text(&run);
	if (is_new)
		say(d, e, &none, &it, GIVES);
	else
		say(d, e, &it, &none, TAKES);
}

/* Another program of the same name: what it is given says the rest. */
static void diff_image(struct diff *d, const struct genv *old, const struct genv *now)
{
	struct item a = { "image", old->image, old->image_pos };
	struct item b = { "image", now->image, now->image_pos };

	if ((old->image || now->image) &&
	    !(old->image && now->image && streq(old->image, now->image)))
		say(d, old, &a, &b, CHANGES);
}

static void diff_env(struct diff *d, const struct genv *old, const struct genv *now)
{
	const struct genv *e = old ? old : now;
	struct item a = { "root", old ? old->root : NULL, e->pos };
	struct item b = { "root", now ? now->root : NULL, now ? now->pos : e->pos };

	if (!old || !now)
		diff_presence(d, e, !old);
	else
		diff_image(d, old, now);
	diff_text(d, e, &a, &b);
	diff_bindings(d, old, now);
	diff_exposes(d, old, now);
	diff_vars(d, old, now);
	if (old && now) /* a new environment's limits give nothing beside its bindings */
		diff_limits(d, e, &old->limits, &now->limits);
}

size_t graph_authdiff(const struct graph *old, const struct graph *new_, bool as_json,
		      struct str *out)
{
	struct diff d = { as_json, JSON_INIT(out), out, 0 };
	struct genv whole = { .name = (char[]){ "" } };

	if (as_json)
		json_open(&d.json, '[');
	diff_limits(&d, &whole, &old->quota, &new_->quota);
	for (size_t i = 0; i < old->n_envs; i++)
		diff_env(&d, old->envs[i], graph_env(new_, old->envs[i]->name));
	for (size_t i = 0; i < new_->n_envs; i++)
		if (!graph_env(old, new_->envs[i]->name))
			diff_env(&d, NULL, new_->envs[i]);
	if (as_json) {
		json_close(&d.json, ']');
		str_addc(out, '\n');
	}
	return d.n;
}
