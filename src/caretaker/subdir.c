/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subdir=PATH: the root is a directory beneath the granted one. It is entered once, when the
 * program starts (dir_root); what is asked afterwards begins there.
 */
#include "caretaker/takers.h"

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	(void)c;
	if (arg[0] == '\0' || arg[0] == '/')
		return err_set(err, PE_BAD,
			       "subdir takes a relative path, not \"%.200s\"", arg);
	return 0;
}

const struct taker_kind taker_subdir = { .init = init,
					 .at_start_alone = true,
					 .past_open = true };
