/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * once: one opening of one file. Looking around is free; the first open that succeeds is the
 * one, others are refused, and when it is closed, with every copy of its descriptor and every
 * mapping gone, the grant is cut. Two that come at the same time: one of them is refused.
 */
#include "caretaker/takers.h"

#include <pthread.h>

enum state { UNUSED, BEING_OPENED, OPEN, USED };

struct once {
	pthread_mutex_t lock;
	enum state state;
	uint64_t file;
};

static int start(struct caretaker *c, struct err *err)
{
	struct once *o = calloc(1, sizeof(*o));

	c->state = o;
	if (!o)
		return err_oom(err);
	(void)pthread_mutex_init(&o->lock, NULL);
	return 0;
}

static bool opens(const struct care_op *op)
{
	return op->act == CARE_ACT_OPEN || op->act == CARE_ACT_CREATE;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	struct once *o = c->state;
	bool mine;

	if (!opens(op))
		return CARE_PASS;
	(void)pthread_mutex_lock(&o->lock);
	mine = o->state == UNUSED;
	if (mine)
		o->state = BEING_OPENED;
	(void)pthread_mutex_unlock(&o->lock);
	op->error = EACCES;
	return mine ? CARE_PASS : CARE_DENY;
}

static void after(struct caretaker *c, const struct care_op *op, int error)
{
	struct once *o = c->state;
	bool cut = false;

	if (!opens(op) && op->act != CARE_ACT_CLOSE)
		return;
	(void)pthread_mutex_lock(&o->lock);
	if (opens(op)) {
		o->state = error ? UNUSED : OPEN;
		o->file = op->file;
	} else if (o->state == OPEN && o->file == op->file) {
		o->state = USED;
		cut = true;
	}
	(void)pthread_mutex_unlock(&o->lock);
	if (cut)
		c->host->cut(c->host->of, CARE_WHY_ONCE);
}

const struct taker_kind taker_once = { .before = before, .after = after, .start = start };
