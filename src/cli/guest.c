/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Building unikernels: two scripts that lie beside this program do it, as the plain
 * commands polder-cc and polder-new. */
#include "cli/cli.h"

int cmd_cc(int argc, char **argv)
{
	(void)argc;
	return cli_hand_over_to("polder-cc", argv);
}

int cmd_new(int argc, char **argv)
{
	(void)argc;
	return cli_hand_over_to("polder-new", argv);
}
