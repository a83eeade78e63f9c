/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/compose/compose.h"

#include <stdio.h>

#include "sandbox/sandbox.h"

static const struct subcommand subcommands[] = {
	{ "check", "check [--json] [--accept-weaker] [--facts all] FILE",
	  "say everything that is wrong with a manifest", compose_check },
	{ "show", "show -f FILE [--dot | --json] [--facts all] [ENV]",
	  "what was asked beside how it is enforced", compose_show },
	{ "why", "why -f FILE [--json] ENV SLOT",
	  "why an environment can use a slot or path, or why it cannot", compose_why },
	{ "authdiff", "authdiff [--json] OLD NEW",
	  "which authority a change gives or takes", compose_authdiff },
	{ "up", "up [--json] [--accept-weaker] FILE", "start what a manifest says",
	  compose_up },
	{ "down", "down [--rm] FILE", "stop it, clients before servers", compose_down },
	{ "apply",
	  "apply [--dry-run] [--json] [--accept-weaker] [--new-only|--kill] FILE",
	  "make what runs into what a manifest says", compose_apply },
	{ "run", "run -f FILE [-d] ENV [-- COMMAND…]",
	  "run one environment of a manifest", compose_run },
};

static const struct subcommand *current;

static void list(FILE *out)
{
	(void)fputs("usage: polder-compose SUBCOMMAND …\n", out);
	for (size_t i = 0; i < ARRAY_LEN(subcommands); i++)
		(void)fprintf(out, "  polder %s\n      %s\n", subcommands[i].usage,
			      subcommands[i].what);
}

int compose_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("polder: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\nusage: polder %s\n", current->usage);
	return EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	const char *names[ARRAY_LEN(subcommands)], *near;

	sandbox_title_area(argc, argv);
	if (argc < 2) {
		list(stderr);
		return EXIT_TROUBLE;
	}
	if (streq(argv[1], "help") || streq(argv[1], "--help")) {
		list(stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
		names[i] = subcommands[i].name;
		if (!streq(names[i], argv[1]))
			continue;
		current = &subcommands[i];
		return current->run(argc - 1, argv + 1);
	}
	near = str_nearest(argv[1], names, ARRAY_LEN(names));
	(void)fprintf(stderr, "polder: there is no subcommand \"%s\"%s%s%s\n", argv[1],
		      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return EXIT_TROUBLE;
}
