/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rate=N/s, rate=Nops/s: bytes read and written, or operations, per second; what would be too
 * fast waits. A tenth of a second's worth may come at once. What the kernel answers from its
 * cache is not seen here, and not counted.
 *
 * Each operation takes its time from one clock: next_ns is when the next may begin. So
 * waiting ones are spread, in the order in which they came.
 */
#include "caretaker/takers.h"

#include <pthread.h>
#include <time.h>

#define SECOND 1000000000ull

struct rate {
	pthread_mutex_t lock;
	bool ops;
	uint64_t per_second, next_ns;
};

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	size_t len = strlen(arg);
	auto_free char *number = NULL;
	struct rate *t = calloc(1, sizeof(*t));

	c->state = t;
	if (!t)
		return err_oom(err);
	(void)pthread_mutex_init(&t->lock, NULL);
	t->ops = len > 5 && streq(arg + len - 5, "ops/s");
	if (len > 2 && streq(arg + len - 2, "/s"))
		number = strndup(arg, len - (t->ops ? 5 : 2));
	if (!number || !str_to_bytes(number, &t->per_second) || t->per_second == 0)
		return err_set(err, PE_BAD, "rate takes N/s or Nops/s, not \"%.200s\"",
			       arg);
	return 0;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	struct rate *t = c->state;
	uint64_t units = t->ops ? 1 : op->size, now, burst = SECOND / 10;
	struct timespec ts;

	if (op->act == CARE_ACT_CLOSE || units == 0 ||
	    (!t->ops && op->act != CARE_ACT_READ && op->act != CARE_ACT_WRITE) ||
	    clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return CARE_PASS;
	now = (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
	(void)pthread_mutex_lock(&t->lock);
	if (t->next_ns + burst < now)
		t->next_ns = now - burst;
	if (t->next_ns > now)
		op->delay_ns += t->next_ns - now;
	t->next_ns += (uint64_t)((double)units * (double)SECOND / (double)t->per_second);
	(void)pthread_mutex_unlock(&t->lock);
	return CARE_PASS;
}

const struct taker_kind taker_rate = { .init = init, .before = before };
