/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every reader of a part needs: keys to readers, and types. */
#include "manifest/load-internal.h"

void unknown_key(struct load *l, const struct ynode *key, const char *what,
		 const char *const *names, size_t n)
{
	const char *near = str_nearest(key->text, names, n);
	auto_str hint = STR_INIT;

	if (near)
		str_addf(&hint, "did you mean \"%s\"?", near);
	else
		for (size_t i = 0; i < n; i++)
			str_addf(&hint, "%s%s", i ? ", " : "there are: ", names[i]);
	BAD(l, key->pos, str_text(&hint), "%s has no key \"%.200s\"", what, key->text);
}

void read_map(struct load *l, struct ynode *map, const char *what,
	      const struct reader_key *keys, size_t n_keys, void *into)
{
	const char *names[24];

	for (size_t i = 0; i < n_keys && i < ARRAY_LEN(names); i++)
		names[i] = keys[i].name;
	for (size_t i = 0; i < map->n; i++) {
		struct ypair *p = &map->pairs[i];
		size_t k = 0;

		while (k < n_keys && !streq(keys[k].name, p->key->text))
			k++;
		if (k < n_keys)
			keys[k].read(l, into, p->key, p->value);
		else
			unknown_key(l, p->key, what, names,
				    MIN(n_keys, ARRAY_LEN(names)));
	}
}

bool want_map(struct load *l, const struct ynode *n, const char *what)
{
	if (n->type == Y_MAP)
		return true;
	BAD(l, n->pos, NULL, "%s is a mapping (\"key: value\"), not %s", what,
	    ynode_type_name(n));
	return false;
}

bool want_text(struct load *l, const struct ynode *n, const char *what)
{
	if (n->type == Y_SCALAR)
		return true;
	BAD(l, n->pos, NULL, "%s is a text, not %s", what, ynode_type_name(n));
	return false;
}

bool want_bool(struct load *l, const struct ynode *n, const char *what, bool *ret)
{
	if (n->type == Y_SCALAR && n->plain &&
	    (streq(n->text, "true") || streq(n->text, "false"))) {
		*ret = streq(n->text, "true");
		return true;
	}
	BAD(l, n->pos, NULL, "%s is true or false", what);
	return false;
}

void report(struct load *l, struct pos pos, int r, const struct err *err)
{
	if (r == -E2BIG)
		diags_add(l->d, pos, false, NULL, "%s", err->text);
	else if (r < 0)
		l->oom = true;
	else
		BAD(l, pos, NULL, "%s", err->text);
}
