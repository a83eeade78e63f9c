/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots: a mapping from slot to null, to the short form (what stands after "=" on a
 * command line) or to the long form {from:, through:, optional:, files:, options…}.
 */
#include "manifest/load-internal.h"

#include "graph/kinds.h"

static const char *const long_keys[] = { "from", "through", "optional", "required",
					 "files" };

/* In {/data: /srv,ro} YAML ends the text at the comma: a slot "ro" with nothing. */
static void report_slot(struct load *l, const struct ypair *p, int r,
			const struct err *err)
{
	size_t n = strcspn(p->key->text, "=");
	auto_free char *word = strndup(p->key->text, n);
	bool cut_off = word && p->value->type == Y_NULL && p->value->len == 0 &&
		       (kind_word_known(word) || p->key->text[n] == '=');

	if (r > 0 && cut_off)
		BAD(l, p->key->pos,
		    "inside { } a comma ends a text: put the whole binding in "
		    "quotes",
		    "%s", err->text);
	else
		report(l, p->key->pos, r, err);
}

/* A slot of an earlier layer makes room; one of this layer was written twice. */
static struct binding *make_room(struct load *l, struct genv *e, const struct ypair *p)
{
	const struct ynode *key = p->key;
	struct err err = ERR_INIT;
	struct binding *b = NULL;
	size_t before = e->n_bindings;
	enum iface iface;
	const char *slot;
	int r = slot_parse(key->text, &iface, &slot, &err);

	if (r == 0)
		r = genv_add_binding(e, iface, slot, key->pos, &b, &err);
	if (r == PE_EXISTS && e->n_bindings == before) {
		struct binding *old = genv_binding_of(e, iface, slot);

		if (!old)
			r = -ENOMEM; /* it was there a moment ago */
		if (old && old->mark != l->layer) {
			genv_drop_binding(e, old);
			r = genv_add_binding(e, iface, slot, key->pos, &b, &err);
		}
	}
	if (r != 0) {
		report_slot(l, p, r, &err);
		return NULL;
	}
	b->mark = l->layer;
	if (slot != key->text)
		binding_typed(b, iface);
	return b;
}

static bool read_source(struct load *l, struct binding *b, struct ynode *value)
{
	struct err err = ERR_INIT;
	int r;

	if (value->type == Y_NULL) {
		b->source = SRC_NULL;
		b->unbound = false;
		return true;
	}
	if (!want_text(l, value, "a source"))
		return false;
	b->pos = value->pos;
	r = binding_parse_source(b, value->text, l->base, ynode_text_pos(value), &err);
	if (r != 0)
		report(l, value->pos, r, &err);
	return r == 0;
}

/* "ro", "subdir=a/b" or {subdir: a/b} */
static bool read_caretaker(struct load *l, struct binding *b, struct ynode *n)
{
	const char *name = n->text, *value = NULL, *eq;
	auto_free char *cut = NULL;
	int r;

	if (n->type == Y_MAP && n->n == 1) {
		name = n->pairs[0].key->text;
		value = n->pairs[0].value->type == Y_SCALAR ? n->pairs[0].value->text :
							      NULL;
		if (n->pairs[0].value->type == Y_MAP || n->pairs[0].value->type == Y_SEQ)
			return want_text(l, n->pairs[0].value, "a caretaker's argument");
	} else if (!want_text(l, n, "a caretaker")) {
		return false;
	} else if ((eq = strchr(name, '='))) {
		cut = strndup(name, (size_t)(eq - name));
		name = cut;
		value = eq + 1;
	}
	r = name ? binding_add_through(b, name, value, ynode_text_pos(n)) : -ENOMEM;
	if (r == -E2BIG)
		BAD(l, n->pos, NULL, "too many caretakers");
	else if (r < 0)
		l->oom = true;
	return r == 0;
}

static bool read_through(struct load *l, struct binding *b, struct ynode *value)
{
	bool ok = true;

	if (value->type != Y_SEQ)
		return read_caretaker(l, b, value);
	for (size_t i = 0; i < value->n; i++)
		ok &= read_caretaker(l, b, value->items[i]);
	return ok;
}

static bool read_files(struct load *l, struct binding *b, struct ynode *value)
{
	bool ok = want_map(l, value, "files");

	for (size_t i = 0; ok && i < value->n; i++) {
		struct ypair *p = &value->pairs[i];
		struct err err = ERR_INIT;
		int r;

		if (p->value->type == Y_MAP || p->value->type == Y_SEQ) {
			ok = want_text(l, p->value, "a file's content");
			continue;
		}
		r = binding_add_fake(b, p->key->text,
				     p->value->type == Y_NULL ? "" : p->value->text,
				     p->value->type == Y_NULL ? 0 : p->value->len, &err);
		if (r != 0) {
			report(l, p->key->pos, r, &err);
			ok = false;
		}
	}
	return ok;
}

static bool read_option(struct load *l, struct binding *b, struct ypair *p)
{
	const struct option_kind *k = kind_option(b, p->key->text);
	const char *value = p->value->type == Y_SCALAR ? p->value->text : NULL;
	auto_free char *path = NULL;
	struct err err = ERR_INIT;
	bool on = true;
	int r;

	if (p->value->type == Y_MAP || p->value->type == Y_SEQ)
		return want_text(l, p->value, p->key->text);
	if (k->arg == ARG_NONE && p->value->type == Y_SCALAR) {
		if (!want_bool(l, p->value, p->key->text, &on))
			return false;
		value = NULL;
	}
	if (!on)
		return true;
	r = k->arg == ARG_PATH && value ? path_resolve(value, l->base, &path, &err) : 0;
	if (r != 0) {
		report(l, p->value->pos, r, &err);
		return false;
	}
	value = path ? path : value;
	r = binding_add_option(b, p->key->text, value, p->value->pos);
	if (r < 0)
		l->oom = true;
	return r == 0;
}

static bool unknown_slot_key(struct load *l, struct binding *b, struct ynode *key)
{
	auto_free char *what = str_printf("a %s slot", iface_name(b->iface));
	auto_str options = STR_INIT;
	const char *near = str_nearest(key->text, long_keys, ARRAY_LEN(long_keys));

	if (!near)
		near = kind_nearest_word(key->text, b);
	kind_list_options(b, &options);
	if (near)
		str_clear(&options), str_addf(&options, "did you mean \"%s\"?", near);
	BAD(l, key->pos, str_text(&options), "%s has no key \"%.200s\"",
	    what ? what : "a slot", key->text);
	return false;
}

static bool read_long_key(struct load *l, struct binding *b, struct ypair *p)
{
	bool flag;

	if (streq(p->key->text, "from"))
		return read_source(l, b, p->value);
	if (streq(p->key->text, "through"))
		return read_through(l, b, p->value);
	if (streq(p->key->text, "files"))
		return read_files(l, b, p->value);
	if (streq(p->key->text, "optional"))
		return want_bool(l, p->value, "optional", &b->optional);
	if (streq(p->key->text, "required")) {
		if (!want_bool(l, p->value, "required", &flag))
			return false;
		b->optional = !flag;
		return true;
	}
	if (kind_option(b, p->key->text))
		return read_option(l, b, p);
	return unknown_slot_key(l, b, p->key);
}

static bool read_long(struct load *l, struct binding *b, struct ynode *map)
{
	bool ok = true;

	for (size_t i = 0; i < map->n; i++)
		ok &= read_long_key(l, b, &map->pairs[i]);
	if (ynode_get(map, "optional") && ynode_get(map, "required")) {
		BAD(l, map->pos, NULL,
		    "optional and required say the same: one of them is "
		    "enough");
		ok = false;
	}
	return ok;
}

void read_slots(struct load *l, struct genv *e, struct ynode *map)
{
	if (map->type == Y_NULL || !want_map(l, map, "slots"))
		return;
	for (size_t i = 0; i < map->n; i++) {
		struct ypair *p = &map->pairs[i];
		struct binding *b = make_room(l, e, p);
		bool ok;

		if (!b)
			continue;
		if (p->value->type == Y_SEQ)
			ok = want_text(l, p->value, "a slot's binding");
		else if (p->value->type == Y_MAP)
			ok = read_long(l, b, p->value);
		else
			ok = read_source(l, b, p->value);
		if (!ok) /* reported; what is half read is not checked further */
			genv_drop_binding(e, b);
	}
}
