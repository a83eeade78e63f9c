/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands share: a manifest into a graph, this host's facts, output. */
#include "cli/compose/compose.h"
#include "launch/launch.h"
#include "manifest/manifest.h"
#include "sandbox/facts.h"

#include <limits.h>

int compose_load(struct graph **ret, const char *path, struct diags *d, struct err *err)
{
	char cwd[PATH_MAX];
	struct path_base base = { .cwd = getcwd(cwd, sizeof(cwd)),
				  .home = getenv("HOME") };
	struct graph *g = graph_new();
	int r = g ? manifest_load(g, path, &base, d, err) : err_oom(err);

	if (r == 0 || r == PE_BAD)
		image_read_all(g, d);
	if (r == 0 && d->n_errors > 0)
		r = PE_BAD;
	if (r != 0 && r != PE_BAD) {
		graph_free(g);
		g = NULL;
	}
	*ret = g;
	return r;
}

int compose_facts(struct host_facts *ret, const char *which, struct err *err)
{
	if (which && !streq(which, "all"))
		return err_set(err, PE_USAGE, "--facts takes \"all\", not \"%s\"", which);
	if (which)
		*ret = HOST_FACTS_ALL;
	else
		host_facts_probe(ret);
	return 0;
}

int compose_trouble(const struct err *err)
{
	(void)fprintf(stderr, "polder: %s\n", err->text);
	return EXIT_TROUBLE;
}

int compose_out(const struct str *text, int rc)
{
	struct err err = ERR_INIT;

	if (text->failed) {
		(void)err_oom(&err);
		return compose_trouble(&err);
	}
	if (fwrite(str_text(text), 1, text->len, stdout) != text->len ||
	    fflush(stdout) != 0) {
		(void)err_sys(&err, "cannot write to standard output");
		return compose_trouble(&err);
	}
	return rc;
}
