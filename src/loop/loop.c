/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop.h"

#include <errno.h>

int loop_init(struct loop *l, struct err *err)
{
	*l = (struct loop){ .epfd = epoll_create1(EPOLL_CLOEXEC) };
	return l->epfd < 0 ? err_sys(err, "cannot make an event loop") : 0;
}

void loop_fini(struct loop *l)
{
	if (l->epfd >= 0)
		(void)close(l->epfd);
	l->epfd = -1;
}

int loop_add(struct loop *l, struct source *src, int fd, uint32_t events, source_fn *fn)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	*src = (struct source){ .fd = fd, .events = events, .fn = fn };
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	src->fd = -1;
	return errno == EPERM ? PE_REFUSED : -errno;
}

void loop_want(struct loop *l, struct source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	if (src->fd < 0 || src->events == events)
		return;
	src->events = events;
	(void)epoll_ctl(l->epfd, EPOLL_CTL_MOD, src->fd, &ev);
}

void loop_del(struct loop *l, struct source *src)
{
	if (src->fd >= 0)
		(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, src->fd, NULL);
	src->fd = -1;
}

int loop_step(struct loop *l, int timeout_ms)
{
	struct epoll_event ev;
	int n;

	do
		n = epoll_wait(l->epfd, &ev, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 1) {
		struct source *src = ev.data.ptr;

		src->fn(src, ev.events);
	}
	return n < 0 ? -errno : n == 0 ? PE_BUSY : 0;
}

int loop_run(struct loop *l, struct err *err)
{
	while (!l->quit) {
		int r = loop_step(l, -1);

		if (r < 0)
			return err_neg(err, r, "cannot wait for events");
	}
	return 0;
}
