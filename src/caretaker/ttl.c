/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ttl=MS: the grant is cut at that time, in ms since 1970. It is a moment, not a span, so
 * that nothing that is put back or started again gains time. The control thread has the timer;
 * an operation that is there first is refused here.
 */
#include "caretaker/takers.h"

#include <time.h>

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	if (!str_to_u64(arg, &c->deadline_ms) || c->deadline_ms == 0 ||
	    c->deadline_ms > INT64_MAX / 1000000)
		return err_set(err, PE_BAD,
			       "ttl takes a time in ms since 1970, not \"%.200s\"", arg);
	return 0;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	struct timespec now;

	if (op->act == CARE_ACT_CLOSE || clock_gettime(CLOCK_REALTIME, &now) < 0 ||
	    (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 <
		    c->deadline_ms)
		return CARE_PASS;
	op->error = ENOTCONN;
	return CARE_DENY;
}

const struct taker_kind taker_ttl = { .init = init, .before = before, .past_open = true };
