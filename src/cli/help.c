/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "cli/cli.h"

int cmd_help(int argc, char **argv)
{
	auto_str out = STR_INIT;

	if (argc == 2 && !streq(argv[0], "polder") && argv[1][0] != '-') {
		(void)cli_usage(argv[1]);
		return 0;
	}
	str_add(&out,
		"polder runs programs in environments that hold only what they were "
		"granted.\n\n");
	for (size_t i = 0; i < cli_n_commands; i++)
		str_addf(&out, "  %-10s %s\n", cli_commands[i].name,
			 cli_commands[i].summary);
	str_add(&out,
		"\n  polder run -- id                              nothing granted\n"
		"  polder run -r hello.c -w out/ -- gcc hello.c -o out/hello\n"
		"  polder run -n web -d -w site/ -- python3 -m http.server\n\n"
		"man polder tells more; polder help COMMAND shows how one is used.\n");
	return cli_out(&out);
}

int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)printf("polder %s\n", POLDER_VERSION);
	return 0;
}
