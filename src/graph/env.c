/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A graph is a list of environments in the order of their making, and an open-addressed
 * hash table from name to environment, at most half full. Unnamed environments are in
 * the list alone. Everything below an environment is in small growing arrays: their
 * elements move when they grow, so nobody keeps a pointer into one across an addition.
 */
#include "graph/graph-internal.h"

struct index {
	struct genv **slots;
	size_t cap, used; /* cap: a power of two */
};

void *list_room(void *v, size_t n, size_t size)
{
	size_t bytes;

	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return v;
	if (__builtin_mul_overflow(n == 0 ? 4 : 2 * n, size, &bytes))
		return NULL;
	return realloc(v, bytes);
}

void kv_fini(struct kv *kv)
{
	free(kv->key);
	free(kv->value);
}

int kv_add(struct kv **v, size_t *n, size_t max, const char *key, const char *value,
	   struct pos pos)
{
	auto_free char *k = strdup(key), *val = value ? strdup(value) : NULL;
	struct kv *room;

	if (*n >= max)
		return -E2BIG;
	room = list_room(*v, *n, sizeof(**v));
	if (room)
		*v = room;
	if (!room || !k || (value && !val))
		return -ENOMEM;
	room[(*n)++] = (struct kv){ TAKE_PTR(k), TAKE_PTR(val), pos };
	return 0;
}

const struct kv *kv_find(const struct kv *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (streq(v[i].key, key))
			return &v[i];
	return NULL;
}

static bool has_word(const struct kv *v, size_t n, const struct kv *word)
{
	for (size_t i = 0; i < n; i++)
		if (streq(v[i].key, word->key) &&
		    (v[i].value != NULL) == (word->value != NULL) &&
		    (!word->value || streq(v[i].value, word->value)))
			return true;
	return false;
}

bool kv_has_all(const struct kv *a, size_t n_a, const struct kv *b, size_t n_b)
{
	for (size_t i = 0; i < n_b; i++)
		if (!has_word(a, n_a, &b[i]))
			return false;
	return true;
}

/* ---- the index ---- */

static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (size_t)(h ^ (h >> 29));
}

/* Where name is, or the free place where it would be. cap is never 0. */
static struct genv **index_place(const struct index *x, const char *name)
{
	size_t i = hash(name) & (x->cap - 1);

	while (x->slots[i] && !streq(x->slots[i]->name, name))
		i = (i + 1) & (x->cap - 1);
	return &x->slots[i];
}

static int index_grow(struct index *x)
{
	struct index bigger = { .cap = x->cap ? 2 * x->cap : 16, .used = x->used };

	if (x->used * 2 < x->cap)
		return 0;
	bigger.slots = calloc(bigger.cap, sizeof(struct genv *));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < x->cap; i++)
		if (x->slots[i])
			*index_place(&bigger, x->slots[i]->name) = x->slots[i];
	free(x->slots);
	*x = bigger;
	return 0;
}

int index_add(struct graph *g, struct genv *e)
{
	int r = index_grow(g->index);

	if (r < 0)
		return r;
	*index_place(g->index, e->name) = e;
	g->index->used++;
	return 0;
}

void index_free(struct index *index)
{
	if (index)
		free(index->slots);
	free(index);
}

struct genv *graph_env(const struct graph *g, const char *name)
{
	return g->index->cap == 0 ? NULL : *index_place(g->index, name);
}

/* ---- making and freeing ---- */

struct graph *graph_new(void)
{
	struct graph *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->name = strdup("");
	g->index = calloc(1, sizeof(*g->index));
	if (!g->name || !g->index) {
		graph_free(g);
		return NULL;
	}
	return g;
}

static void drop_devices(struct genv *e)
{
	while (e->n_devices > 0)
		free(e->devices[--e->n_devices].name);
	e->devices_known = false;
}

static void genv_free(struct genv *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_argv; i++)
		free(e->argv[i]);
	for (size_t i = 0; i < e->n_vars; i++)
		kv_fini(&e->vars[i]);
	for (size_t i = 0; i < e->n_bindings; i++)
		binding_fini(&e->bindings[i]);
	for (size_t i = 0; i < e->n_exposes; i++) {
		free(e->exposes[i].name);
		free(e->exposes[i].path);
	}
	for (size_t i = 0; i < e->n_after; i++)
		free(e->after[i].name);
	drop_devices(e);
	free(e->devices);
	free(e->image);
	free(e->argv);
	free(e->vars);
	free(e->bindings);
	free(e->exposes);
	free(e->after);
	free(e->ready.path);
	free(e->root);
	free(e->chdir);
	free(e->name);
	free(e);
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_envs; i++)
		genv_free(g->envs[i]);
	free(g->envs);
	free(g->name);
	index_free(g->index);
	texts_free(g->texts);
	free(g);
}

static int check_name(const struct graph *g, const char *name, struct err *err)
{
	struct genv *other;

	if (!*name)
		return 0;
	if (!name_valid(name, true))
		return err_set(
			err, PE_USAGE,
			"\"%s\" is not a name: a small letter, then small letters, "
			"digits and \"-\", at most %d",
			name, MAX_NAME);
	other = graph_env(g, name);
	if (other) {
		auto_str at = STR_INIT;

		pos_write(other->pos, &at);
		return err_set(err, PE_EXISTS,
			       "there are two environments \"%s\" (first: "
			       "%s)",
			       name, str_text(&at));
	}
	return 0;
}

int graph_env_new(struct graph *g, const char *name, struct pos pos, struct genv **ret,
		  struct err *err)
{
	int r = check_name(g, name, err);
	struct genv *e, **room;

	if (r != 0)
		return r;
	if (g->n_envs >= MAX_ENVS)
		return err_set(err, PE_USAGE, "more than %d environments", MAX_ENVS);
	room = list_room(g->envs, g->n_envs, sizeof(struct genv *));
	if (!room)
		return err_oom(err);
	g->envs = room;
	e = calloc(1, sizeof(*e));
	if (!e || !(e->name = strdup(name)) || (*name && index_add(g, e) < 0)) {
		genv_free(e);
		return err_oom(err);
	}
	e->pos = pos;
	e->graph = g;
	g->envs[g->n_envs++] = e;
	*ret = e;
	return 0;
}

int genv_add_arg(struct genv *e, const char *arg)
{
	auto_free char *copy = strdup(arg);
	char **room = realloc(e->argv, (e->n_argv + 2) * sizeof(char *));

	if (room)
		e->argv = room;
	if (!room || !copy)
		return -ENOMEM;
	room[e->n_argv++] = TAKE_PTR(copy);
	room[e->n_argv] = NULL;
	return 0;
}

void genv_clear_args(struct genv *e)
{
	while (e->n_argv > 0)
		free(e->argv[--e->n_argv]);
	if (e->argv)
		e->argv[0] = NULL;
}

/* ---- unikernels ---- */

void genv_set_program(struct genv *e, enum program_kind program)
{
	e->program = program;
	e->devices_known = program_is_unikernel(program);
	for (size_t i = 0; i < e->n_bindings; i++)
		e->bindings[i].program = program;
}

int genv_set_image(struct genv *e, const char *path, struct pos pos)
{
	char *copy = path ? strdup(path) : NULL;

	if (path && !copy)
		return -ENOMEM;
	genv_set_program(e, path ? PROGRAM_SPT : PROGRAM_LINUX); /* until it is read */
	drop_devices(e);
	free(e->image);
	e->image = copy;
	e->image_pos = pos;
	return 0;
}

const struct gdevice *genv_device(const struct genv *e, const char *name)
{
	for (size_t i = 0; i < e->n_devices; i++)
		if (streq(e->devices[i].name, name))
			return &e->devices[i];
	return NULL;
}

/* A binding that was there before learns which interface it has. */
static void tell_binding(struct genv *e, const struct gdevice *d)
{
	for (size_t i = 0; i < e->n_bindings; i++) {
		struct binding *b = &e->bindings[i];
		const char *name = slot_device(b->slot);

		if (!name || !b->untold || !streq(name, d->name))
			continue;
		b->iface = d->iface;
		b->untold = false;
	}
}

int genv_add_device(struct genv *e, const char *name, enum iface iface, struct err *err)
{
	auto_free char *copy = strdup(name);
	struct gdevice *room;

	if (!device_name_valid(name) || e->n_devices >= MAX_DEVICES)
		return err_set(err, PE_USAGE,
			       "\"%.70s\" cannot be the name of a device: 1 to %d "
			       "visible characters without \"/\", and at most %d of them",
			       name, MAX_DEVICE_NAME, MAX_DEVICES);
	if (genv_device(e, name))
		return err_set(err, PE_EXISTS, "the device \"%s\" is declared twice",
			       name);
	room = list_room(e->devices, e->n_devices, sizeof(*room));
	if (room)
		e->devices = room;
	if (!room || !copy)
		return err_oom(err);
	room[e->n_devices] = (struct gdevice){ TAKE_PTR(copy), iface };
	tell_binding(e, &room[e->n_devices++]);
	return 0;
}

int genv_add_var(struct genv *e, const char *key, const char *value, struct pos pos)
{
	for (size_t i = 0; i < e->n_vars; i++)
		if (streq(e->vars[i].key, key)) {
			char *copy = value ? strdup(value) : NULL;

			if (value && !copy)
				return -ENOMEM;
			free(e->vars[i].value);
			e->vars[i].value = copy;
			e->vars[i].pos = pos;
			return 0;
		}
	return kv_add(&e->vars, &e->n_vars, MAX_ITEMS, key, value, pos);
}

int genv_add_after(struct genv *e, const char *name, struct pos pos)
{
	auto_free char *copy = strdup(name);
	struct after *room;

	if (e->n_after >= MAX_ITEMS)
		return -E2BIG;
	room = list_room(e->after, e->n_after, sizeof(*room));
	if (room)
		e->after = room;
	if (!room || !copy)
		return -ENOMEM;
	room[e->n_after++] = (struct after){ .name = TAKE_PTR(copy), .pos = pos };
	return 0;
}

struct expose *genv_expose(const struct genv *e, const char *name)
{
	for (size_t i = 0; i < e->n_exposes; i++)
		if (streq(e->exposes[i].name, name))
			return &e->exposes[i];
	return NULL;
}

void genv_drop_expose(struct genv *e, struct expose *x)
{
	size_t at = (size_t)(x - e->exposes);

	free(x->name);
	free(x->path);
	memmove(x, x + 1, (e->n_exposes - at - 1) * sizeof(*x));
	e->n_exposes--;
}

static int check_expose(const struct genv *e, enum iface iface, const char *name,
			struct err *err)
{
	if (iface != IF_DIR && iface != IF_SOCKET)
		return err_set(err, PE_USAGE,
			       "a Linux program exposes a dir or a socket, "
			       "not a %s",
			       iface_name(iface));
	if (!name_valid(name, false))
		return err_set(err, PE_USAGE,
			       "\"%s\" is not a server's name: a small letter, "
			       "then small letters, digits and \"-\"",
			       name);
	if (genv_expose(e, name))
		return err_set(err, PE_EXISTS, "\"%s\" exposes two servers called \"%s\"",
			       e->name, name);
	if (e->n_exposes >= MAX_ITEMS)
		return err_set(err, -E2BIG, "more than %d servers", MAX_ITEMS);
	return 0;
}

int genv_add_expose(struct genv *e, enum iface iface, const char *name, const char *path,
		    struct pos pos, struct expose **ret, struct err *err)
{
	auto_free char *copy = NULL, *label = strdup(name);
	int r = check_expose(e, iface, name, err);
	struct expose *room;

	if (r != 0)
		return r;
	r = slot_path(path, &copy);
	if (r == PE_USAGE)
		return err_set(err, PE_USAGE,
			       "\"%s\": a server's path is absolute, inside the "
			       "environment, without \"..\"",
			       path);
	room = list_room(e->exposes, e->n_exposes, sizeof(*room));
	if (room)
		e->exposes = room;
	if (r < 0 || !room || !label)
		return err_oom(err);
	room[e->n_exposes] =
		(struct expose){ TAKE_PTR(label), iface, TAKE_PTR(copy), pos };
	if (ret)
		*ret = &room[e->n_exposes];
	e->n_exposes++;
	return 0;
}

const char *genv_root(const struct genv *e)
{
	const struct binding *b = genv_binding(e, "/");

	if (b && b->source == SRC_HOST)
		return b->ref;
	return e->root;
}
