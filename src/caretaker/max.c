/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * max=BYTES[,FILES]: how much may be written, and how many names made, over the life of the
 * grant; then EDQUOT. Writing the same place twice counts twice, and removing gives
 * nothing back: this bounds what is done, not what is there. Growing a file by truncation or
 * fallocate counts as much as it grows.
 */
#include "caretaker/takers.h"

#include <pthread.h>

struct max {
	pthread_mutex_t lock;
	uint64_t bytes, files; /* left */
};

static int init(struct caretaker *c, const char *arg, struct err *err)
{
	const char *comma = strchr(arg, ',');
	auto_free char *first = strndup(arg, comma ? (size_t)(comma - arg) : strlen(arg));
	struct max *m = calloc(1, sizeof(*m));

	c->state = m;
	if (!m || !first)
		return err_oom(err);
	m->files = UINT64_MAX;
	(void)pthread_mutex_init(&m->lock, NULL);
	if (!str_to_bytes(first, &m->bytes) ||
	    (comma && !str_to_u64(comma + 1, &m->files)))
		return err_set(err, PE_BAD,
			       "max takes bytes, or bytes,files, not \"%.200s\"", arg);
	return 0;
}

/* A close is about bytes long counted. */
static uint64_t written_by(const struct care_op *op)
{
	return op->act == CARE_ACT_WRITE || op->act == CARE_ACT_TRUNCATE ? op->size : 0;
}

static enum care_verdict before(struct caretaker *c, struct care_op *op)
{
	struct max *m = c->state;
	uint64_t bytes = written_by(op), files = op->makes ? 1 : 0;
	bool enough;

	if (!bytes && !files)
		return CARE_PASS;
	(void)pthread_mutex_lock(&m->lock);
	/* A write is done as far as there is room, as on a full disk. */
	if (op->act == CARE_ACT_WRITE && bytes > m->bytes && m->bytes > 0)
		op->size = bytes = m->bytes;
	enough = bytes <= m->bytes && files <= m->files;
	if (enough) {
		m->bytes -= bytes;
		m->files -= m->files == UINT64_MAX ? 0 : files;
	}
	(void)pthread_mutex_unlock(&m->lock);
	op->error = EDQUOT;
	return enough ? CARE_PASS : CARE_DENY;
}

/* What was not done is given back. */
static void after(struct caretaker *c, const struct care_op *op, int error)
{
	struct max *m = c->state;

	if (!error || (!written_by(op) && !op->makes))
		return;
	(void)pthread_mutex_lock(&m->lock);
	m->bytes += written_by(op);
	m->files += op->makes && m->files != UINT64_MAX ? 1 : 0;
	(void)pthread_mutex_unlock(&m->lock);
}

const struct taker_kind taker_max = { .init = init, .before = before, .after = after };
