/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder check: everything that is wrong with a manifest, before anything starts. */
#include "cli/compose/compose.h"
#include "manifest/manifest.h"

#include <getopt.h>

struct args {
	bool json, accept_weaker;
	const char *facts, *file;
};

/* False: usage was said. */
static bool parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "accept-weaker", no_argument, NULL, 'w' },
		{ "facts", required_argument, NULL, 'F' },
		{ "file", required_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c == 'j')
			a->json = true;
		else if (c == 'w')
			a->accept_weaker = true;
		else if (c == 'F')
			a->facts = optarg;
		else if (c == 'f')
			a->file = optarg;
		else
			return compose_usage("check: wrong option"), false;
	}
	if (!a->file && optind < argc)
		a->file = argv[optind++];
	if (!a->file || optind != argc)
		return compose_usage("check reads one file (\"-\": standard input)"),
		       false;
	return true;
}

static int say_json(const struct graph *g, const struct diags *d)
{
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);
	int64_t warnings = 0;

	for (size_t i = 0; i < d->n; i++)
		warnings += d->v[i].warning;
	json_open(&j, '{');
	json_kbool(&j, "ok", d->n_errors == 0);
	json_kint(&j, "environments", (int64_t)g->n_envs);
	json_kint(&j, "errors", (int64_t)d->n_errors);
	json_kint(&j, "warnings", warnings);
	json_key(&j, "diagnostics");
	diags_to_json(d, &j);
	json_close(&j, '}');
	str_addc(&out, '\n');
	return compose_out(&out, d->n_errors ? EXIT_NO : 0);
}

static int say_text(const struct args *a, const struct graph *g, const struct diags *d)
{
	auto_str out = STR_INIT;

	diags_print(stderr, g, d);
	if (d->n_errors) {
		(void)fprintf(stderr, "%s: %zu error%s\n", a->file, d->n_errors,
			      d->n_errors == 1 ? "" : "s");
		return EXIT_NO;
	}
	str_addf(&out, "%s: %zu environment%s, nothing wrong\n", a->file, g->n_envs,
		 g->n_envs == 1 ? "" : "s");
	return compose_out(&out, 0);
}

int compose_check(int argc, char **argv)
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
	if (r == 0 || r == PE_BAD) {
		r = graph_check(g, &facts, a.accept_weaker, &d);
		if (r < 0)
			(void)err_oom(&err);
	}
	diags_sort(&d);
	if (r < 0 || !g)
		r = compose_trouble(&err);
	else
		r = a.json ? say_json(g, &d) : say_text(&a, g, &d);
	diags_fini(&d);
	graph_free(g);
	return r;
}
