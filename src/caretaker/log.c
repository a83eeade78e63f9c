/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log: what passes here is told over the control channel, once it is known what came of it.
 * Nearest the program it sees all that was tried; behind others, only what they let through.
 * Reads and writes are summed up and told when the file is closed. Telling
 * waits for a slow listener: nothing is done that is not told.
 */
#include "caretaker/takers.h"

static bool worth(const struct care_op *op)
{
	bool often = op->act == CARE_ACT_LOOKUP || op->act == CARE_ACT_READ ||
		     op->act == CARE_ACT_WRITE;

	return op->act != CARE_ACT_STAT && (!often || op->denied);
}

static void after(struct caretaker *c, const struct care_op *op, int error)
{
	auto_str path = STR_INIT, path2 = STR_INIT;
	struct care_logged l = { .act = (uint8_t)op->act,
				 .denied = op->denied,
				 .error = (uint32_t)error,
				 .pid = op->pid,
				 .read = op->read,
				 .written = op->written };

	if (!worth(op))
		return;
	op->paths->write(op->paths->of, &path, &path2);
	l.path = str_text(&path);
	l.path2 = path2.len ? path2.p : NULL;
	c->host->tell(c->host->of, &l);
}

const struct taker_kind taker_log = { .after = after };
