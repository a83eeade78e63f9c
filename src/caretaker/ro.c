/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ro: nothing is changed. A file that was open for writing before the caretaker came stays
 * open, and its writes fail.
 */
#include "caretaker/takers.h"

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	(void)c;
	if (!op->changes)
		return CARE_PASS;
	op->error = EROFS;
	return CARE_DENY;
}

const struct taker_kind taker_ro = { .before = before, .past_open = true };
