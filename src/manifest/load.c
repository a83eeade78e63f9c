/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * All documents of a file are one composition. First the top-level keys of all of them
 * are gathered, then every environment is made, so that like: can name one that comes
 * later; then each environment is laid together from its layers: the defaults, the
 * templates from the most distant to the nearest, and itself. A layer that many
 * environments share is read for each of them, but its mistakes are reported once.
 */
#include "manifest/load-internal.h"

enum { MAX_LIKE = 32, MAX_FILE = 64 << 20 };

struct top {
	struct load l;
	bool named, quota;
};

/* ---- gathering ---- */

static void top_name(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct top *t = into;
	char *copy;

	if (t->named)
		BAD(l, key->pos, NULL, "the composition is named twice");
	t->named = true;
	if (!want_text(l, value, "name"))
		return;
	if (!name_valid(value->text, false)) {
		BAD(l, value->pos, NULL,
		    "\"%.200s\" is not a name: a small letter, then small "
		    "letters, digits and \"-\", at most 63",
		    value->text);
		return;
	}
	copy = strdup(value->text);
	if (!copy) {
		l->oom = true;
		return;
	}
	free(l->g->name);
	l->g->name = copy;
}

static void new_env(struct load *l, struct ynode *name, struct ynode *body)
{
	struct err err = ERR_INIT;
	struct genv *e = NULL;
	int r;

	if (body->type != Y_NULL && !want_map(l, body, "an environment"))
		return;
	if (*name->text == '\0') {
		BAD(l, name->pos, NULL, "an environment's name is empty");
		return;
	}
	r = graph_env_new(l->g, name->text, name->pos, &e, &err);
	if (r != 0)
		report(l, name->pos, r, &err);
	else
		e->scratch = body;
}

static void new_env_of_list(struct load *l, struct ynode *item)
{
	struct ynode *name;

	if (!want_map(l, item, "an environment"))
		return;
	name = ynode_get(item, "name");
	if (!name)
		BAD(l, item->pos, NULL, "an environment in a list needs name:");
	else if (want_text(l, name, "name"))
		new_env(l, name, item);
}

static void top_environments(struct load *l, void *into, struct ynode *key,
			     struct ynode *value)
{
	(void)into;
	(void)key;
	if (value->type == Y_NULL)
		return;
	if (value->type == Y_SEQ) {
		for (size_t i = 0; i < value->n; i++)
			new_env_of_list(l, value->items[i]);
		return;
	}
	if (!want_map(l, value, "environments"))
		return;
	for (size_t i = 0; i < value->n; i++) {
		struct ynode *body = value->pairs[i].value;
		struct ynode *name = ynode_get(body, "name");

		if (name)
			BAD(l, name->pos, NULL,
			    "the environment is named by its key; name: is "
			    "for environments in a list");
		new_env(l, value->pairs[i].key, body);
	}
}

static void top_defaults(struct load *l, void *into, struct ynode *key,
			 struct ynode *value)
{
	(void)into;
	if (l->defaults)
		BAD(l, key->pos, NULL, "there are defaults in an earlier document");
	if (value->type == Y_NULL || !want_map(l, value, "defaults"))
		return;
	l->defaults = value;
	if (ynode_get(value, "like"))
		BAD(l, ynode_get(value, "like")->pos, NULL,
		    "defaults cannot be like another");
	if (ynode_get(value, "name"))
		BAD(l, ynode_get(value, "name")->pos, NULL, "defaults have no name");
}

static void top_templates(struct load *l, void *into, struct ynode *key,
			  struct ynode *value)
{
	(void)into;
	if (l->templates)
		BAD(l, key->pos, NULL, "there are templates in an earlier document");
	if (value->type == Y_NULL || !want_map(l, value, "templates"))
		return;
	l->templates = value;
	for (size_t i = 0; i < value->n; i++)
		if (value->pairs[i].value->type != Y_NULL)
			(void)want_map(l, value->pairs[i].value, "a template");
}

static void top_quota(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct top *t = into;

	if (t->quota)
		BAD(l, key->pos, NULL, "there is a quota in an earlier document");
	t->quota = true;
	read_limits(l, &l->g->quota, key, value);
}

static void top_links(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	(void)into;
	(void)value;
	BAD(l, key->pos, "expose a socket and bind env:NAME/SERVER",
	    "links between environments come with the router, which this version does "
	    "not "
	    "have");
}

static void gather(struct top *t, const struct yaml *y)
{
	static const struct reader_key keys[] = {
		{ "name", top_name },         { "environments", top_environments },
		{ "defaults", top_defaults }, { "templates", top_templates },
		{ "quota", top_quota },       { "links", top_links },
	};

	for (size_t i = 0; i < y->n_docs; i++)
		if (y->docs[i]->type != Y_NULL &&
		    want_map(&t->l, y->docs[i], "a manifest"))
			read_map(&t->l, y->docs[i], "a manifest", keys, ARRAY_LEN(keys),
				 t);
}

/* ---- laying together ---- */

static const char *nearest_like(const struct load *l, const char *name)
{
	const char *names[256];
	size_t n = 0;

	for (size_t i = 0; l->templates && i < l->templates->n && n < 128; i++)
		names[n++] = l->templates->pairs[i].key->text;
	for (size_t i = 0; i < l->g->n_envs && n < ARRAY_LEN(names); i++)
		names[n++] = l->g->envs[i]->name;
	return str_nearest(name, names, n);
}

/* The mapping that like: names; NULL if there is none, reported. */
static struct ynode *find_like(struct load *l, struct ynode *like)
{
	struct ynode *body = l->templates ? ynode_get(l->templates, like->text) : NULL;
	const struct genv *other;
	auto_free char *hint = NULL;
	const char *near;

	if (body)
		return body;
	other = graph_env(l->g, like->text);
	if (other)
		return other->scratch;
	near = nearest_like(l, like->text);
	hint = near ? str_printf("did you mean %s?", near) : NULL;
	BAD(l, like->pos, hint, "there is no template or environment \"%.200s\"",
	    like->text);
	return NULL;
}

/* The layers from the nearest to the most distant; how many. */
static size_t find_layers(struct load *l, struct ynode *body, struct ynode **layers)
{
	size_t n = 0;

	while (body && body->type == Y_MAP) {
		struct ynode *like = ynode_get(body, "like");

		for (size_t i = 0; i < n; i++)
			if (layers[i] == body) {
				BAD(l, ynode_get(layers[n - 1], "like")->pos, NULL,
				    "like: goes in a circle");
				return n;
			}
		if (n == MAX_LIKE) {
			BAD(l, body->pos, NULL, "like: goes over more than %d steps",
			    MAX_LIKE);
			return n;
		}
		layers[n++] = body;
		if (!like || !want_text(l, like, "like"))
			return n;
		body = find_like(l, like);
	}
	return n;
}

static void lay(struct load *l, struct genv *e, struct ynode *layer)
{
	l->layer++;
	l->quiet = layer->seen;
	read_env(l, e, layer);
	l->quiet = false;
	layer->seen = true;
}

static int lay_together(struct load *l, struct genv *e)
{
	struct ynode *layers[MAX_LIKE];
	size_t n = find_layers(l, e->scratch, layers);
	int r;

	l->layer = 0;
	if (l->defaults)
		lay(l, e, l->defaults);
	while (n > 0)
		lay(l, e, layers[--n]);
	if (e->args_pos.line && !e->image)
		diags_add(l->d, e->args_pos, false,
			  "a Linux program's arguments stand in run",
			  "args belong to an image, and there is none");
	r = genv_add_defaults(e);
	if (r == -E2BIG)
		diags_add(l->d, e->pos, false, NULL, "\"%s\" has too many slots",
			  e->name);
	return r == -E2BIG ? 0 : r;
}

/* Templates that nobody uses have mistakes too. */
static void read_unused(struct load *l)
{
	struct graph *aside = graph_new();
	struct genv *e = NULL;

	if (!aside || graph_env_new(aside, "", (struct pos){ 0 }, &e, NULL) != 0) {
		l->oom = true;
		graph_free(aside);
		return;
	}
	if (l->defaults && !l->defaults->seen)
		lay(l, e, l->defaults);
	for (size_t i = 0; l->templates && i < l->templates->n; i++) {
		struct ynode *body = l->templates->pairs[i].value;

		l->layer++;
		if (body->type == Y_MAP && !body->seen)
			lay(l, e, body);
	}
	graph_free(aside);
}

int manifest_load_text(struct graph *g, const char *name, const char *text, size_t len,
		       const struct path_base *base, struct diags *d, struct err *err)
{
	struct top t = { .l = { .g = g, .d = d, .base = base } };
	size_t before = d->n_errors;
	struct yaml y = { 0 };
	struct pos start = { NULL, 1, 1 };
	const char *file;
	int r;

	if (len > MAX_FILE)
		return err_set(err, PE_USAGE, "%s: larger than %d MiB", name,
			       MAX_FILE >> 20);
	file = graph_file_text(g, name, text, len);
	start.file = file;
	r = file ? yaml_parse(&y, file, text, len, d) : -ENOMEM;
	if (r == 0) {
		gather(&t, &y);
		if (g->n_envs == 0 && d->n_errors == before)
			diags_add(d, start, true, NULL,
				  "there are no environments in it");
		for (size_t i = 0; i < g->n_envs && r == 0; i++)
			r = lay_together(&t.l, g->envs[i]);
		read_unused(&t.l);
	}
	for (size_t i = 0; i < g->n_envs; i++)
		g->envs[i]->scratch = NULL;
	yaml_fini(&y);
	if (r < 0 || t.l.oom)
		return err_oom(err);
	return d->n_errors == before ? 0 : PE_BAD;
}
