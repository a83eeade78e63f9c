/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault=KIND:PROBABILITY[:SEED]: some operations fail, as disks do. Which ones is a matter of
 * the seed and of their number in the order in which they come here, so a program
 * that does one thing after the other sees the same each time.
 *
 *	eio	reads, writes, opens and what changes names say EIO
 *	short	a read or write does half of what was asked. A short read through the
 *		kernel's cache looks to the program like the end of the file
 *	enospc	writes and what makes names say ENOSPC
 *	slow=MS	it waits that long first
 */
#include "caretaker/takers.h"

#include <pthread.h>

enum fault_kind { FAULT_EIO, FAULT_SHORT, FAULT_SLOW, FAULT_ENOSPC };

struct fault {
	pthread_mutex_t lock;
	enum fault_kind kind;
	uint64_t ms;
	uint64_t below; /* of 2^32 */
	uint64_t state;
};

static bool read_kind(struct fault *f, const char *s)
{
	if (str_starts(s, "slow=")) {
		f->kind = FAULT_SLOW;
		return str_to_u64(s + 5, &f->ms) && f->ms <= 3600000;
	}
	f->kind = streq(s, "eio")   ? FAULT_EIO :
		  streq(s, "short") ? FAULT_SHORT :
				      FAULT_ENOSPC;
	return f->kind != FAULT_ENOSPC || streq(s, "enospc");
}

/* "0.25", "1", ".5": by hand, for the C library's depends on the locale. */
static bool read_probability(struct fault *f, const char *s)
{
	double v = 0, unit = 1;
	bool dot = false;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s == '.' && !dot) {
			dot = true;
			continue;
		}
		if (*s < '0' || *s > '9')
			return false;
		if (dot)
			unit /= 10;
		v = dot ? v + unit * (*s - '0') : v * 10 + (*s - '0');
	}
	if (v > 1)
		return false;
	f->below = (uint64_t)(v * 4294967296.0);
	return true;
}

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	auto_free char *words = strdup(arg);
	struct fault *f = calloc(1, sizeof(*f));
	char *probability, *seed;

	c->state = f;
	if (!f || !words)
		return err_oom(err);
	(void)pthread_mutex_init(&f->lock, NULL);
	probability = strchr(words, ':');
	if (probability)
		*probability++ = '\0';
	seed = probability ? strchr(probability, ':') : NULL;
	if (seed)
		*seed++ = '\0';
	if (!probability || !read_kind(f, words) || !read_probability(f, probability) ||
	    (seed && !str_to_u64(seed, &f->state)))
		return err_set(err, PE_BAD,
			       "fault takes KIND:PROBABILITY[:SEED] with eio, short, "
			       "slow=MS or enospc, not \"%.200s\"",
			       arg);
	return 0;
}

/* splitmix64 */
static bool strikes(struct fault *f)
{
	uint64_t z;

	(void)pthread_mutex_lock(&f->lock);
	z = f->state += 0x9e3779b97f4a7c15ull;
	(void)pthread_mutex_unlock(&f->lock);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) >> 32 < f->below;
}

static bool concerns(const struct fault *f, const struct care_op *op)
{
	bool data = op->act == CARE_ACT_READ || op->act == CARE_ACT_WRITE;

	if (op->act == CARE_ACT_CLOSE || op->act == CARE_ACT_STAT ||
	    op->act == CARE_ACT_LOOKUP)
		return false;
	switch (f->kind) {
	case FAULT_EIO:
	case FAULT_SLOW: return true;
	case FAULT_SHORT: return data && op->size > 1;
	case FAULT_ENOSPC: return op->makes || op->act == CARE_ACT_WRITE;
	}
	return false;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	struct fault *f = c->state;

	if (!concerns(f, op) || !strikes(f))
		return CARE_PASS;
	switch (f->kind) {
	case FAULT_SHORT: op->size /= 2; return CARE_PASS;
	case FAULT_SLOW: op->delay_ns += f->ms * 1000000; return CARE_PASS;
	case FAULT_EIO: op->error = EIO; break;
	case FAULT_ENOSPC: op->error = ENOSPC; break;
	}
	return CARE_DENY;
}

const struct taker_kind taker_fault = { .init = init, .before = before };
