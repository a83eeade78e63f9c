/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder why -f: the one binding that decides, and where it was written. */
#include "cli/compose/compose.h"
#include "manifest/manifest.h"

#include <getopt.h>

struct args {
	bool json;
	const char *file, *env, *slot;
};

static bool parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "file", required_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c == 'j')
			a->json = true;
		else if (c == 'f')
			a->file = optarg;
		else
			return compose_usage("why: wrong option"), false;
	}
	if (!a->file || argc - optind != 2)
		return compose_usage("why needs a file, an environment and a slot"),
		       false;
	a->env = argv[optind];
	a->slot = argv[optind + 1];
	return true;
}

static int say_json(bool can, struct str *text)
{
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	json_open(&j, '{');
	json_kbool(&j, "can", can);
	json_key(&j, "why");
	json_strn(&j, str_text(text),
		  text->len ? text->len - 1 : 0); /* without its newline */
	json_close(&j, '}');
	str_addc(&out, '\n');
	return compose_out(&out, can ? 0 : EXIT_NO);
}

static int say(const struct args *a, const struct graph *g)
{
	auto_str text = STR_INIT;
	bool can;

	if (!graph_env(g, a->env))
		return compose_usage("%s has no environment \"%s\"", a->file, a->env);
	can = graph_why(g, a->env, a->slot, &text);
	return a->json ? say_json(can, &text) : compose_out(&text, can ? 0 : EXIT_NO);
}

int compose_why(int argc, char **argv)
{
	struct args a = { 0 };
	struct err err = ERR_INIT;
	struct diags d = { 0 };
	struct graph *g = NULL;
	struct host_facts facts = HOST_FACTS_ALL; /* only to resolve env: */
	int r;

	if (!parse(&a, argc, argv))
		return EXIT_TROUBLE;
	r = compose_load(&g, a.file, &d, &err);
	if (r == PE_BAD) {
		diags_print(stderr, g, &d);
		r = EXIT_TROUBLE;
	} else if (r != 0) {
		r = compose_trouble(&err);
	} else {
		(void)graph_check(g, &facts, true, &d);
		r = say(&a, g);
	}
	diags_fini(&d);
	graph_free(g);
	return r;
}
