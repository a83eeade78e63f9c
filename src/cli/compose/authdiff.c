/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder authdiff: which authority the change from one manifest to another gives or takes. */
#include "cli/compose/compose.h"
#include "manifest/manifest.h"

#include <getopt.h>

/* NULL: said why. */
static struct graph *load(const char *path)
{
	struct err err = ERR_INIT;
	struct diags d = { 0 };
	struct graph *g = NULL;
	int r = compose_load(&g, path, &d, &err);

	if (r == PE_BAD)
		diags_print(stderr, g, &d);
	else if (r != 0)
		(void)compose_trouble(&err);
	diags_fini(&d);
	if (r == 0)
		return g;
	graph_free(g);
	return NULL;
}

int compose_authdiff(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { 0 } };
	struct graph *old, *new_;
	auto_str out = STR_INIT;
	int c, r = EXIT_TROUBLE;
	bool json = false;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return compose_usage("authdiff: wrong option");
		json = true;
	}
	if (argc - optind != 2)
		return compose_usage("authdiff needs two files");
	old = load(argv[optind]);
	new_ = old ? load(argv[optind + 1]) : NULL;
	if (new_) {
		size_t n = graph_authdiff(old, new_, json, &out);

		r = compose_out(&out, n ? EXIT_NO : 0);
	}
	graph_free(old);
	graph_free(new_);
	return r;
}
