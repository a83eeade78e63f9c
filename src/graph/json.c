/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The graph as JSON: what was asked beside how it is enforced. */
#include "graph/graph-internal.h"

static void at_to_json(struct pos pos, struct json *j)
{
	auto_str at = STR_INIT;

	if (!pos.file) {
		json_key(j, "at");
		json_null(j);
		return;
	}
	pos_write(pos, &at);
	json_kstr(j, "at", str_text(&at));
}

static void words_to_json(const char *key, const struct kv *v, size_t n, struct json *j)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, '{');
		json_kstr(j, "name", v[i].key);
		json_kstr(j, "value", v[i].value);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void binding_to_json(const struct binding *b, const struct host_facts *facts,
		     struct json *j)
{
	auto_str text = STR_INIT;

	json_open(j, '{');
	json_kstr(j, "slot", b->slot);
	json_kstr(j, "interface", iface_name(b->iface));
	if (!b->unbound)
		binding_write_source(b, &text);
	json_kstr(j, "asked", b->unbound ? NULL : str_text(&text));
	json_kstr(j, "source", b->unbound ? NULL : source_name(b->source));
	json_kstr(j, "ref", b->ref);
	words_to_json("options", b->options, b->n_options, j);
	words_to_json("through", b->through, b->n_through, j);
	json_kbool(j, "optional", b->optional);
	json_kbool(j, "default", b->implied);
	if (facts) {
		struct enforcement e = binding_enforcement(b, facts);

		json_kstr(j, "enforced", e.how);
		json_kstr(j, "cut", cut_name(e.cut));
		json_kbool(j, "weaker", e.weaker);
	}
	at_to_json(b->pos, j);
	json_close(j, '}');
}

static void limit_to_json(const char *key, uint64_t value, struct json *j)
{
	json_key(j, key);
	if (value)
		json_int(j, (int64_t)MIN(value, (uint64_t)INT64_MAX));
	else
		json_null(j);
}

static void limits_to_json(const char *key, const struct limits *l, struct json *j)
{
	json_key(j, key);
	json_open(j, '{');
	limit_to_json("mem_bytes", l->mem_bytes, j);
	limit_to_json("cpu_percent", l->cpu_percent, j);
	limit_to_json("pids", l->pids, j);
	limit_to_json("time_ms", l->time_ms, j);
	json_close(j, '}');
}

static void exposes_to_json(const struct genv *e, struct json *j)
{
	json_key(j, "exposes");
	json_open(j, '[');
	for (size_t i = 0; i < e->n_exposes; i++) {
		json_open(j, '{');
		json_kstr(j, "name", e->exposes[i].name);
		json_kstr(j, "interface", iface_name(e->exposes[i].iface));
		json_kstr(j, "path", e->exposes[i].path);
		at_to_json(e->exposes[i].pos, j);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void ready_to_json(const struct ready *r, struct json *j)
{
	static const char *const kinds[] = { [READY_STARTED] = "started",
					     [READY_PATH] = "path",
					     [READY_NOTIFY] = "notify" };

	json_key(j, "ready");
	json_open(j, '{');
	json_kstr(j, "kind", kinds[r->kind]);
	json_kstr(j, "path", r->path);
	limit_to_json("timeout_ms", r->timeout_ms, j);
	json_close(j, '}');
}

static void devices_to_json(const struct genv *e, struct json *j)
{
	json_key(j, "devices");
	json_open(j, '[');
	for (size_t i = 0; i < e->n_devices; i++) {
		json_open(j, '{');
		json_kstr(j, "name", e->devices[i].name);
		json_kstr(j, "interface", iface_name(e->devices[i].iface));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void program_to_json(const struct genv *e, struct json *j)
{
	json_kstr(j, "program", program_name(e->program));
	if (e->image)
		json_kstr(j, "image", e->image);
	if (e->devices_known)
		devices_to_json(e, j);
	json_key(j, e->image ? "args" : "run");
	json_open(j, '[');
	for (size_t i = 0; i < e->n_argv; i++)
		json_str(j, e->argv[i]);
	json_close(j, ']');
	words_to_json("vars", e->vars, e->n_vars, j);
	json_kstr(j, "root", genv_root(e));
	json_kstr(j, "chdir", e->chdir);
}

void genv_to_json(const struct genv *e, const struct host_facts *facts, struct json *j)
{
	json_open(j, '{');
	json_kstr(j, "name", *e->name ? e->name : NULL);
	program_to_json(e, j);
	json_kint(j, "stage", e->order);
	json_key(j, "slots");
	json_open(j, '[');
	for (size_t i = 0; i < e->n_bindings; i++)
		binding_to_json(&e->bindings[i], facts, j);
	json_close(j, ']');
	exposes_to_json(e, j);
	limits_to_json("limits", &e->limits, j);
	ready_to_json(&e->ready, j);
	json_key(j, "after");
	json_open(j, '[');
	for (size_t i = 0; i < e->n_after; i++)
		json_str(j, e->after[i].name);
	json_close(j, ']');
	at_to_json(e->pos, j);
	json_close(j, '}');
}

void graph_to_json(const struct graph *g, const struct host_facts *facts, struct json *j)
{
	json_open(j, '{');
	json_kstr(j, "name", *g->name ? g->name : NULL);
	limits_to_json("quota", &g->quota, j);
	json_key(j, "environments");
	json_open(j, '[');
	for (size_t i = 0; i < g->n_envs; i++)
		genv_to_json(g->envs[i], facts, j);
	json_close(j, ']');
	json_close(j, '}');
}
