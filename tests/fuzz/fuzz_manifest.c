/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manifest: read, checked, and shown in every form there is. An error is never without
 * a sentence and a place, and a composition never differs from itself.
 */
#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 forgets a kilobyte on some syntax errors; ours would still show. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void look(struct graph *g, struct diags *d)
{
	struct host_facts facts = HOST_FACTS_ALL;
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	for (size_t i = 0; i < d->n; i++)
		require(d->v[i].text && *d->v[i].text);
	diags_sort(d);
	diags_write(d, g, &out);
	for (size_t i = 0; i < MIN(g->n_envs, (size_t)4); i++) {
		(void)graph_why(g, g->envs[i]->name, "/etc/x/y", &out);
		(void)graph_why(g, g->envs[i]->name, "net", &out);
	}
	graph_to_dot(g, &out);
	require(graph_authdiff(g, g, true, &out) == 0);
	str_clear(&out);
	graph_to_json(g, &facts, &j);
	str_clear(&out);
	j = JSON_INIT(&out);
	diags_to_json(d, &j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };
	struct host_facts facts = HOST_FACTS_ALL;
	struct graph *g = graph_new();
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	int r;

	require(g != NULL);
	r = manifest_load_text(g, "m.yaml", (const char *)data, size, &base, &d, &err);
	require((r == PE_BAD) == (d.n_errors > 0));
	require(r == 0 || r == PE_BAD || *err.text);
	(void)graph_check(g, &facts, false, &d);
	look(g, &d);
	diags_fini(&d);
	graph_free(g);
	return 0;
}
