/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c - the main thread: requests of the tender, the deadline, the end. It answers one
 * request after the other. What other threads want ended (the mount is gone, `once` is used
 * up) they leave in `why` and wake it.
 */
#include "caretaker/dir.h"

#include "base/fd.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#define ATTENUATE_MS 1000u

static void copy_stats(struct dir *d, struct care_stats *ret)
{
	(void)pthread_mutex_lock(&d->lock);
	d->stats.nodes = d->n_nodes;
	d->stats.handles = d->n_handles;
	*ret = d->stats;
	(void)pthread_mutex_unlock(&d->lock);
}

/* One at a time; waits where the other end does not read. */
static void tell(struct dir *d, struct care_msg *m)
{
	auto_str bytes = STR_INIT;

	if (d->ctl < 0)
		return;
	m->generation = d->spec.generation;
	care_msg_encode(m, &bytes);
	(void)pthread_mutex_lock(&d->tell_lock);
	while (!bytes.failed && send(d->ctl, bytes.p, bytes.len, MSG_NOSIGNAL) < 0 &&
	       errno == EINTR)
		;
	(void)pthread_mutex_unlock(&d->tell_lock);
}

void control_tell(void *dir, const struct care_logged *what)
{
	struct care_msg m = { .verb = CARE_LOGGED, .logged = *what };

	tell(dir, &m);
}

void control_ready(struct dir *d)
{
	char text[128];
	struct care_msg m = { .verb = CARE_READY, .text = text };

	(void)snprintf(text, sizeof(text), "FUSE 7.%" PRIu32 "%s", d->minor,
		       d->passthrough ? ", passthrough" : "");
	tell(d, &m);
}

static void refuse(struct dir *d, uint32_t seq, const char *text)
{
	struct care_msg m = { .verb = CARE_REFUSED, .seq = seq, .text = text };

	tell(d, &m);
}

static void done(struct dir *d, uint32_t seq, const struct cut_result *cut,
		 uint32_t unfinished)
{
	struct care_msg m = { .verb = CARE_DONE, .seq = seq, .unfinished = unfinished };

	if (cut) {
		m.what = cut->complete;
		m.invalidated = cut->invalidated;
		m.unfinished = cut->unfinished;
	}
	copy_stats(d, &m.stats);
	tell(d, &m);
}

/* ---- the deadline ---- */

static void set_timer(struct dir *d, int timer)
{
	uint64_t ms = chain_deadline_ms(d->chain);
	struct itimerspec t = { .it_value = { (time_t)(ms / 1000),
					      (long)(ms % 1000) * 1000000 } };

	(void)timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* ---- requests ---- */

static bool fits_passthrough(const struct care_msg *m)
{
	for (uint32_t i = 0; i < m->n_takers; i++)
		if (m->takers[i].kind != CARE_TTL)
			return false;
	return true;
}

/* What came under hidden names loses what the kernel keeps of it. */
static void drop_barred(struct dir *d)
{
	for (uint32_t i = 1;; i++) {
		const struct node *n;
		uint64_t id = 0;
		bool end;

		(void)pthread_mutex_lock(&d->lock);
		end = i > d->nodes.n;
		n = end ? NULL : d->nodes.at[i].what;
		if (n && n->barred)
			id = n->id;
		(void)pthread_mutex_unlock(&d->lock);
		if (end)
			return;
		if (id)
			(void)cut_pages(d, id);
	}
}

static void attenuate(struct dir *d, const struct care_msg *m, int timer)
{
	struct err err = ERR_INIT;
	struct chain *longer;
	uint32_t barred, unfinished;

	if (d->passthrough && !fits_passthrough(m)) {
		refuse(d, m->seq,
		       "with passthrough, files that are open are out of reach: only "
		       "ttl can come later");
		return;
	}
	if (chain_new(&longer, d->chain, m->takers, m->n_takers, m->place, &d->host,
		      &err) != 0) {
		refuse(d, m->seq, err.text);
		return;
	}
	(void)pthread_mutex_lock(&d->lock);
	d->chain = longer; /* the shorter stays: somebody may look at it */
	barred = node_bar_hidden(d);
	(void)pthread_cond_broadcast(&d->change);
	(void)pthread_mutex_unlock(&d->lock);
	unfinished = cut_drain(d, false, ATTENUATE_MS);
	if (barred)
		drop_barred(d);
	set_timer(d, timer);
	done(d, m->seq, NULL, unfinished);
}

static void cut_asked(struct dir *d, uint32_t seq)
{
	struct cut_result cut;

	cut_all(d, &cut);
	done(d, seq, &cut, 0);
}

/* Ends by itself. */
static void ended(struct dir *d, enum care_why why, const char *text)
{
	struct cut_result cut = { 0 };
	struct care_msg m = { .verb = CARE_ENDED, .what = (uint8_t)why, .text = text };

	cut_all(d, &cut);
	m.invalidated = cut.invalidated;
	m.unfinished = cut.unfinished;
	copy_stats(d, &m.stats);
	tell(d, &m);
}

/* True: it was the end. */
static bool request(struct dir *d, int timer)
{
	static uint8_t buf[CARE_MAX_BYTES];
	struct err err = ERR_INIT;
	struct care_msg m;
	size_t len;
	int r = fd_recv(d->ctl, buf, sizeof(buf), &len, NULL, 0, NULL, &err);

	if (r == -EAGAIN)
		return false;
	if (r == 0 && len > 0)
		r = care_msg_decode(&m, buf, len, &err);
	if (r != 0 || len == 0) {
		ended(d, CARE_WHY_BROKEN,
		      r ? err.text : "the other end of the channel was closed");
		return true;
	}
	if (m.seq == 0 || m.verb >= CARE_DONE) {
		ended(d, CARE_WHY_BROKEN, "an answer came where a request should");
		return true;
	}
	if (m.generation != d->spec.generation) {
		refuse(d, m.seq, "that is another generation of the binding");
		return false;
	}
	if (m.verb == CARE_CUT)
		cut_asked(d, m.seq);
	else if (m.verb == CARE_ATTENUATE)
		attenuate(d, &m, timer);
	else
		done(d, m.seq, NULL, 0);
	return m.verb == CARE_CUT;
}

int control_run(struct dir *d)
{
	int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	struct pollfd p[] = { { .fd = d->wake, .events = POLLIN },
			      { .fd = timer, .events = POLLIN },
			      { .fd = d->ctl, .events = POLLIN } };

	if (timer < 0)
		return 125;
	set_timer(d, timer);
	for (;;) {
		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return 125;
		if (p[0].revents) {
			ended(d, d->why, d->why_text);
			return 0;
		}
		if (p[1].revents) {
			ended(d, CARE_WHY_TTL, "its time (ttl) is over");
			return 0;
		}
		if (p[2].revents && request(d, timer))
			return 0;
	}
}
