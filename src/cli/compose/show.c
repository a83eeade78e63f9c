/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder show -f: what was asked beside how it is enforced, as a table, a picture, JSON. */
#include "cli/compose/compose.h"
#include "manifest/manifest.h"

#include <getopt.h>

struct args {
	bool json, dot;
	const char *facts, *file, *env;
};

static bool parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "dot", no_argument, NULL, 'd' },
		{ "facts", required_argument, NULL, 'F' },
		{ "file", required_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c == 'j')
			a->json = true;
		else if (c == 'd')
			a->dot = true;
		else if (c == 'F')
			a->facts = optarg;
		else if (c == 'f')
			a->file = optarg;
		else
			return compose_usage("show: wrong option"), false;
	}
	if (optind < argc)
		a->env = argv[optind++];
	if (!a->file || optind != argc)
		return compose_usage("show reads one file (-f FILE)"), false;
	if (a->json && a->dot)
		return compose_usage("--dot and --json are two answers"), false;
	return true;
}

/* Columns as wide as their widest cell: characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void cell(struct str *out, const char *text, size_t wide)
{
	for (const char *p = text; *p; p++)
		str_addc(out, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
	for (size_t n = width(text); n < wide; n++)
		str_addc(out, ' ');
	str_add(out, "  ");
}

static char *asked(const struct binding *b)
{
	auto_str text = STR_INIT;
	const char *eq;

	binding_write(b, &text);
	eq = strchr(str_text(&text), '=');
	return b->unbound ? strdup("(optional)") : strdup(eq ? eq + 1 : "");
}

static void show_rows(const struct genv *e, const struct host_facts *facts,
		      struct str *out)
{
	size_t slot = 4, ask = 5;

	for (size_t i = 0; i < e->n_bindings; i++) {
		auto_free char *text = asked(&e->bindings[i]);

		slot = MAX(slot, width(e->bindings[i].slot));
		ask = MAX(ask, text ? width(text) : 0);
	}
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];
		struct enforcement how = binding_enforcement(b, facts);
		auto_free char *text = asked(b);

		str_add(out, "  ");
		cell(out, b->slot, slot);
		cell(out, text ? text : "", ask);
		cell(out, cut_name(how.cut), 10);
		str_addf(out, "%s%s\n", how.how,
			 how.weaker ? " (weaker than asked)" : "");
	}
}

/* On one line, cut where it gets long. */
static void show_args(const struct genv *e, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_argv && n < 60; i++) {
		str_addc(out, ' ');
		for (const char *p = e->argv[i]; *p; p++) {
			n += ((unsigned char)*p & 0xc0) != 0x80;
			if (n > 60)
				break;
			str_addc(out, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
		}
	}
	str_add(out, n >= 60 ? " …\n" : "\n");
}

static void show_env(const struct genv *e, const struct host_facts *facts,
		     struct str *out)
{
	str_addf(out, "%s (stage %u):", e->name, e->order);
	show_args(e, out);
	if (genv_root(e))
		str_addf(out, "  root: %s\n", genv_root(e));
	show_rows(e, facts, out);
	for (size_t i = 0; i < e->n_exposes; i++)
		str_addf(out, "  exposes %s: %s %s\n", e->exposes[i].name,
			 iface_name(e->exposes[i].iface), e->exposes[i].path);
}

static int show(const struct args *a, const struct graph *g,
		const struct host_facts *facts)
{
	const struct genv *only = a->env ? graph_env(g, a->env) : NULL;
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	if (a->env && !only)
		return compose_usage("%s has no environment \"%s\"", a->file, a->env);
	if (a->dot) {
		graph_to_dot(g, &out);
	} else if (a->json) {
		if (only)
			genv_to_json(only, facts, &j);
		else
			graph_to_json(g, facts, &j);
		str_addc(&out, '\n');
	} else {
		for (size_t i = 0; i < g->n_envs; i++)
			if (!only || only == g->envs[i])
				show_env(g->envs[i], facts, &out);
	}
	return compose_out(&out, 0);
}

int compose_show(int argc, char **argv)
{
	struct args a = { 0 };
	struct err err = ERR_INIT;
	struct diags d = { 0 };
	struct graph *g = NULL;
	struct host_facts facts;
	int r;

	if (!parse(&a, argc, argv))
		return EXIT_TROUBLE;
	r = compose_facts(&facts, a.facts, &err);
	if (r == 0)
		r = compose_load(&g, a.file, &d, &err);
	if (g) {
		bool whole = r == 0 && graph_check(g, &facts, true, &d) == 0;

		diags_sort(&d);
		diags_print(stderr, g, &d);
		r = r != 0 ? EXIT_TROUBLE : show(&a, g, &facts);
		if (r == 0 && !whole)
			r = EXIT_NO;
	} else {
		r = compose_trouble(&err);
	}
	diags_fini(&d);
	graph_free(g);
	return r;
}
