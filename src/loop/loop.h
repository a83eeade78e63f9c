/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.h - the event loop of tenders: one thread, a few descriptors.
 *
 * A struct source is embedded in its owner and must be taken out before it goes away.
 * One event is fetched at a time, so a source that is taken out, or freed, by another's
 * handler never gets a stale event. Handlers do bounded work and do not block.
 */
#ifndef POLDER_LOOP_LOOP_H
#define POLDER_LOOP_LOOP_H

#include "base/err.h"

#include <sys/epoll.h>

struct source;
typedef void source_fn(struct source *src, uint32_t events);

struct source {
	int fd; /* borrowed; -1: not in a loop */
	uint32_t events;
	source_fn *fn;
};

#define SOURCE_INIT ((struct source){ .fd = -1 })

struct loop {
	int epfd;
	bool quit;
};

int loop_init(struct loop *l, struct err *err);
void loop_fini(struct loop *l);
/* EPERM (a regular file, always ready) comes back as PE_REFUSED. */
int loop_add(struct loop *l, struct source *src, int fd, uint32_t events, source_fn *fn);
void loop_want(struct loop *l, struct source *src, uint32_t events);
void loop_del(struct loop *l, struct source *src);
/* One event; PE_BUSY: none came in that time (-1: as long as it takes). */
int loop_step(struct loop *l, int timeout_ms);
/* Until .quit is set by a handler. */
int loop_run(struct loop *l, struct err *err);

#define container_of(ptr, type, member)                                                  \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
