/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readiness: at once when the program runs, when a path appears inside, or when the program
 * says so on its notification socket; else it is over when its time is.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "tender/control-internal.h"

#define READY_EVERY_MS 20
#define READY_DEFAULT_MS 30000

static const char not_ready[] = "it did not become ready in time";

static void tell_ready(struct control *c, bool ready)
{
	c->t->ready = ready;
	c->ready_over = !ready;
	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state == CONN_WAIT_READY) {
			if (ready)
				conn_answer(&c->conns[i], CTL_OK, NULL);
			else
				conn_refuse(&c->conns[i], CTL_REFUSED, not_ready);
		}
}

static bool path_is_there(struct control *c)
{
	int tree;

	if (!c->have_ns) {
		if (!c->asked_ns)
			(void)c->t->ops->ask_namespaces(c->t);
		c->asked_ns = true;
		return false;
	}
	if (c->t->ops->open_inside(c->nsfds, c->t->job->spec->ready_path, &tree, NULL) !=
	    0)
		return false;
	(void)close(tree);
	return true;
}

static void on_ready_timer(struct source *src, uint32_t events)
{
	struct control *c = container_of(src, struct control, ready_timer);
	uint64_t ticks;
	int fd = src->fd;

	(void)events;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (c->t->state == TENDER_ENDED)
		c->ready_left_ms = 0;
	else if (!c->t->ready && c->t->job->spec->ready_kind == 1 && path_is_there(c))
		tell_ready(c, true);
	c->ready_left_ms -= MIN(c->ready_left_ms, ticks * READY_EVERY_MS);
	if (!c->t->ready && c->ready_left_ms > 0)
		return;
	if (!c->t->ready)
		tell_ready(c, false);
	loop_del(&c->t->loop, src);
	(void)close(fd);
}

static void watch_readiness(struct control *c)
{
	struct itimerspec its = { .it_interval.tv_nsec = READY_EVERY_MS * 1000000,
				  .it_value.tv_nsec = 1000000 };
	uint64_t asked = c->t->job->spec->ready_timeout_ms;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	c->ready_left_ms = asked ? asked : READY_DEFAULT_MS;
	if (fd >= 0 && timerfd_settime(fd, 0, &its, NULL) == 0)
		(void)loop_add(&c->t->loop, &c->ready_timer, fd, EPOLLIN, on_ready_timer);
}

/* sd_notify(3)'s protocol: lines in a datagram; only READY=1 is read. */
static void on_notify(struct source *src, uint32_t events)
{
	struct control *c = container_of(src, struct control, notify);
	char text[4096];
	ssize_t n = recv(src->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	(void)events;
	if (n <= 0)
		return;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts(line, "READY=1") && !c->t->ready)
			tell_ready(c, true);
	}
}

void control_started(struct tender *t)
{
	struct control *c = t->control;

	if (!c)
		return;
	if (t->job->spec->ready_kind == 0)
		tell_ready(c, true);
	else
		watch_readiness(c);
}

void ready_request(struct conn *cn, struct rbuf *body)
{
	(void)body;
	if (cn->c->t->ready)
		conn_answer(cn, CTL_OK, NULL);
	else if (cn->c->ready_over)
		conn_refuse(cn, CTL_REFUSED, not_ready);
	else
		cn->state = CONN_WAIT_READY;
}

int ready_open(struct control *c)
{
	struct tender *t = c->t;

	return t->job->notify_fd < 0 ? 0 :
				       loop_add(&t->loop, &c->notify, t->job->notify_fd,
						EPOLLIN, on_notify);
}

void ready_close(struct control *c)
{
	if (c->notify.fd >= 0)
		(void)close(c->notify.fd);
	if (c->ready_timer.fd >= 0)
		(void)close(c->ready_timer.fd);
}
