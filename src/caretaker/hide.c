/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hide=NAME-OR-PATTERN: names that are not there. It is about single names at any depth, so
 * what lies beneath a hidden directory is out of reach with it. A file that has
 * another, visible name (a hard link) can be reached by that.
 *
 * Looking a hidden name up says ENOENT, as does what else needs it to exist; making one says
 * EACCES, for ENOENT would be odd and EEXIST a lie.
 */
#include "caretaker/takers.h"

#include <fnmatch.h>

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	(void)c;
	if (arg[0] == '\0' || strchr(arg, '/'))
		return err_set(err, PE_BAD,
			       "hide takes one name or pattern without a '/', not "
			       "\"%.200s\"",
			       arg);
	return 0;
}

bool hide_matches(const struct caretaker *c, const char *name)
{
	return streq(c->arg, name) || fnmatch(c->arg, name, 0) == 0;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	if (op->name && hide_matches(c, op->name))
		op->error = op->makes ? EACCES : ENOENT;
	else if (op->name2 && hide_matches(c, op->name2))
		op->error = EACCES;
	else
		return CARE_PASS;
	return CARE_DENY;
}

const struct taker_kind taker_hide = { .init = init,
				       .before = before,
				       .past_open = true };
