/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One environment's mapping, key by key. Laid over what an earlier layer (the defaults,
 * a template) left there: later wins, mappings key by key, lists and texts as a whole. */
#include "manifest/load-internal.h"

static void add_arg(struct load *l, struct genv *e, const char *arg)
{
	if (genv_add_arg(e, arg) < 0)
		l->oom = true;
}

/* what: "run" or "args", for sentences. */
static void split_run(struct load *l, struct genv *e, struct ynode *value,
		      const char *what)
{
	struct err err = ERR_INIT;
	char **words = NULL, shell = 0;
	size_t n = 0;
	int r = words_split(value->text, &words, &n, &shell, &err);

	if (r != 0) {
		report(l, value->pos, r, &err);
		return;
	}
	if (shell && !l->quiet)
		diags_add(l->d, value->pos, true,
			  streq(what, "run") ?
				  "for a shell, write run: [sh, -c, \"…\"]; to "
				  "say it is meant so, put it in quotes or write a list" :
				  "to say it is meant so, put it in quotes or write a "
				  "list",
			  "\"%c\" is given to the program as it stands: no shell reads "
			  "this",
			  shell);
	if (n == 0 && streq(what, "run"))
		BAD(l, value->pos, NULL, "run is empty");
	for (size_t i = 0; i < n; i++) {
		add_arg(l, e, words[i]);
		free(words[i]);
	}
	free(words);
}

static void read_list(struct load *l, struct genv *e, struct ynode *value)
{
	for (size_t i = 0; i < value->n; i++)
		if (want_text(l, value->items[i], "an argument (\"\" is the empty one)"))
			add_arg(l, e, value->items[i]->text);
}

static void read_run_list(struct load *l, struct genv *e, struct ynode *value)
{
	read_list(l, e, value);
	if (e->n_argv > 0 && *e->argv[0] == '\0')
		BAD(l, value->pos, NULL, "the program's name is empty");
}

static void read_run(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;

	genv_clear_args(e);
	if (value->type == Y_SCALAR)
		split_run(l, e, value, "run");
	else if (value->type == Y_SEQ && value->n > 0)
		read_run_list(l, e, value);
	else
		BAD(l, value->type == Y_NULL ? key->pos : value->pos,
		    "as run: [PROGRAM, ARGUMENT, …]",
		    "run is a text or a list of texts, and not empty");
	if (e->n_argv == 0) /* reported: not once more as nothing to run */
		add_arg(l, e, "");
}

/* A file as in a shell: one without a slash lies beside the manifest. */
static void read_image(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	auto_free char *written = NULL, *path = NULL;
	struct genv *e = into;
	struct err err = ERR_INIT;
	int r;

	(void)key;
	if (!want_text(l, value, "an image"))
		return;
	written = strchr("/.~", *value->text) && *value->text ?
			  strdup(value->text) :
			  str_printf("./%s", value->text);
	if (!*value->text) {
		BAD(l, value->pos, NULL, "image is empty");
		return;
	}
	r = written ? path_resolve(written, l->base, &path, &err) : -ENOMEM;
	if (r == 0 && genv_set_image(e, path, value->pos) < 0)
		r = -ENOMEM;
	if (r != 0)
		report(l, value->pos, r, &err);
}

static void read_args(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;

	genv_clear_args(e);
	e->args_pos = key->pos;
	if (value->type == Y_SCALAR)
		split_run(l, e, value, "args");
	else if (value->type == Y_SEQ)
		read_list(l, e, value);
	else if (value->type != Y_NULL)
		(void)want_text(l, value, "args");
}

static bool variable_name(const char *s)
{
	if (*s >= '0' && *s <= '9')
		return false;
	for (const char *p = s; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !(*p >= '0' && *p <= '9') && *p != '_')
			return false;
	return *s != '\0';
}

static void read_vars(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;

	(void)key;
	if (value->type == Y_NULL || !want_map(l, value, "vars"))
		return;
	for (size_t i = 0; i < value->n; i++) {
		struct ypair *p = &value->pairs[i];
		int r;

		if (!variable_name(p->key->text)) {
			BAD(l, p->key->pos, NULL,
			    "\"%.200s\" is not the name of a variable", p->key->text);
			continue;
		}
		if (p->value->type != Y_NULL &&
		    !want_text(l, p->value, "a variable's value"))
			continue;
		r = genv_add_var(e, p->key->text,
				 p->value->type == Y_NULL ? NULL : p->value->text,
				 p->key->pos);
		if (r == -E2BIG)
			diags_add(l->d, p->key->pos, false, NULL, "too many variables");
		else if (r < 0)
			l->oom = true;
	}
}

static void set_text(struct load *l, char **into, const char *text)
{
	free(*into);
	*into = strdup(text);
	if (!*into)
		l->oom = true;
}

static void read_root(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;
	struct err err = ERR_INIT;
	const char *text = value->text;
	char *path = NULL;
	int r;

	(void)key;
	free(TAKE_PTR(e->root));
	e->root_pos = value->pos;
	if (value->type == Y_NULL || !want_text(l, value, "root"))
		return;
	r = path_resolve(str_starts(text, "host:") ? text + 5 : text, l->base, &path,
			 &err);
	if (r != 0)
		report(l, value->pos, r, &err);
	else
		e->root = path;
}

static void read_chdir(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;

	(void)key;
	e->chdir_pos = value->pos;
	free(TAKE_PTR(e->chdir));
	if (value->type == Y_NULL || !want_text(l, value, "chdir"))
		return;
	if (*value->text != '/')
		BAD(l, value->pos, NULL,
		    "chdir is an absolute path, inside the environment");
	else
		set_text(l, &e->chdir, value->text);
}

static void slots_key(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	(void)key;
	read_slots(l, into, value);
}

static void read_expose(struct load *l, struct genv *e, struct ynode *name,
			struct ynode *value)
{
	struct expose *old = genv_expose(e, name->text);
	struct err err = ERR_INIT;
	struct ynode *path;
	enum iface iface = IF_DIR;
	int r;

	if (value->type != Y_MAP || value->n != 1) {
		BAD(l, value->pos, "as {dir: /srv/data} or {socket: /run/db/sock}",
		    "a server is one interface and one path");
		return;
	}
	path = value->pairs[0].value;
	if (!iface_from_name(value->pairs[0].key->text, &iface)) {
		BAD(l, value->pairs[0].key->pos, "dir or socket",
		    "\"%.80s\" is no interface", value->pairs[0].key->text);
		return;
	}
	if (!want_text(l, path, "a server's path"))
		return;
	if (old)
		genv_drop_expose(e, old);
	r = genv_add_expose(e, iface, name->text, path->text, name->pos, NULL, &err);
	if (r != 0)
		report(l, r == PE_EXISTS ? name->pos : path->pos, r, &err);
}

static void read_exposes(struct load *l, void *into, struct ynode *key,
			 struct ynode *value)
{
	(void)key;
	if (value->type == Y_NULL || !want_map(l, value, "exposes"))
		return;
	for (size_t i = 0; i < value->n; i++)
		read_expose(l, into, value->pairs[i].key, value->pairs[i].value);
}

void read_limits(struct load *l, struct limits *limits, struct ynode *key,
		 struct ynode *value)
{
	if (value->type == Y_NULL || !want_map(l, value, key->text))
		return;
	limits->pos = key->pos;
	for (size_t i = 0; i < value->n; i++) {
		struct ypair *p = &value->pairs[i];
		struct err err = ERR_INIT;
		bool known = streq(p->key->text, "mem") || streq(p->key->text, "cpu") ||
			     streq(p->key->text, "pids") || streq(p->key->text, "time");
		int r;

		if (!want_text(l, p->value, "a limit"))
			continue;
		r = limits_set(limits, p->key->text, p->value->text, &err);
		if (r != 0)
			report(l, known ? p->value->pos : p->key->pos, r, &err);
	}
}

static void limits_key(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct genv *e = into;

	read_limits(l, &e->limits, key, value);
}

static void ready_path(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	struct ready *r = into;

	(void)key;
	if (!want_text(l, value, "path"))
		return;
	if (*value->text != '/') {
		BAD(l, value->pos, NULL, "path is absolute, inside the environment");
		return;
	}
	r->kind = READY_PATH;
	set_text(l, &r->path, value->text);
}

static void ready_notify(struct load *l, void *into, struct ynode *key,
			 struct ynode *value)
{
	struct ready *r = into;
	bool on;

	(void)key;
	if (want_bool(l, value, "notify", &on) && on)
		r->kind = READY_NOTIFY;
}

static void ready_timeout(struct load *l, void *into, struct ynode *key,
			  struct ynode *value)
{
	struct ready *r = into;

	(void)key;
	if (!want_text(l, value, "timeout"))
		return;
	if (!str_to_ms(value->text, &r->timeout_ms) || r->timeout_ms == 0)
		BAD(l, value->pos, NULL, "timeout is a duration, as 10s or 2m");
}

static void read_ready(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	static const struct reader_key keys[] = { { "path", ready_path },
						  { "notify", ready_notify },
						  { "timeout", ready_timeout } };
	struct genv *e = into;

	(void)key;
	free(e->ready.path);
	e->ready = (struct ready){ .kind = READY_STARTED };
	if (value->type == Y_NULL || !want_map(l, value, "ready"))
		return;
	read_map(l, value, "ready", keys, ARRAY_LEN(keys), &e->ready);
	if (ynode_get(value, "path") && ynode_get(value, "notify"))
		BAD(l, value->pos, NULL, "ready is a path or a notification, not both");
}

static void add_after(struct load *l, struct genv *e, struct ynode *n)
{
	int r;

	if (!want_text(l, n, "the name of an environment to wait for"))
		return;
	r = genv_add_after(e, n->text, n->pos);
	if (r == -E2BIG)
		diags_add(l->d, n->pos, false, NULL, "too many environments to wait for");
	else if (r < 0)
		l->oom = true;
}

static void read_after(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	(void)key;
	if (value->type != Y_SEQ) {
		if (value->type != Y_NULL)
			add_after(l, into, value);
		return;
	}
	for (size_t i = 0; i < value->n; i++)
		add_after(l, into, value->items[i]);
}

static void read_links(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	(void)into;
	(void)value;
	BAD(l, key->pos, "expose a socket and bind env:NAME/SERVER",
	    "links between environments come with the router, which this version does "
	    "not "
	    "have");
}

/* Read before, by whoever makes the layers. */
static void skip(struct load *l, void *into, struct ynode *key, struct ynode *value)
{
	(void)l;
	(void)into;
	(void)key;
	(void)value;
}

/* One of them; the later layer's takes the place of an earlier one's, with its
 * arguments. */
static void choose_program(struct load *l, struct genv *e, struct ynode *map)
{
	struct ynode *image = ynode_get(map, "image"), *run = ynode_get(map, "run");

	if (image && run)
		BAD(l, run->pos, "the unikernel's arguments stand in args",
		    "run and image are both given: it is a Linux program or a unikernel");
	if (image || run) {
		genv_clear_args(e);
		e->args_pos = (struct pos){ 0 };
	}
	if (run && genv_set_image(e, NULL, (struct pos){ 0 }) < 0)
		l->oom = true;
}

void read_env(struct load *l, struct genv *e, struct ynode *map)
{
	static const struct reader_key keys[] = {
		{ "run", read_run },         { "vars", read_vars },
		{ "root", read_root },       { "chdir", read_chdir },
		{ "slots", slots_key },      { "limits", limits_key },
		{ "exposes", read_exposes }, { "ready", read_ready },
		{ "after", read_after },     { "like", skip },
		{ "links", read_links },     { "name", skip },
		{ "image", read_image },     { "args", read_args },
	};

	choose_program(l, e, map);
	read_map(l, map, "an environment", keys, ARRAY_LEN(keys), e);
}
