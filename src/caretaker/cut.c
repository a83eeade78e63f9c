/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cut.c - taking everything back, and asking the kernel to forget.
 *
 * After a cut a program must have nothing of the grant: no new use, no open file, no
 * mapping, no page that it has already seen. The order:
 *
 *  1. `cut` is set: nothing more is admitted. Everything that comes is answered with ENOTCONN,
 *     so that nobody hangs while we go on; a worker of its own is added for that, should all
 *     others be held up.
 *  2. What was admitted is waited for, not long. What the host still holds up then (a dead
 *     network file system) is answered with ENOTCONN in its place: the kernel takes the
 *     first answer, and the late one finds no request. These are counted as
 *     "unfinished": a write among them may yet reach the host; nothing of them reaches
 *     the program.
 *  3. The kernel drops the pages of each node (NOTIFY_INVAL_INODE): out of its cache and out
 *     of all mappings; and its attributes.
 *  4. All workers end, and the last reference to /dev/fuse goes: the kernel aborts the
 *     connection. From then on it answers by itself, with ENOTCONN, and needs nobody.
 *
 * Why there is no gap: a page of the host's data becomes valid by a READ that we answered,
 * hence by one that was admitted, hence before 1. Such a page was put into the
 * cache, locked, before its READ was sent, and is unlocked when the answer has arrived or
 * the reader has looked at it. So when 3 comes, it is there: step 3 waits for its lock
 * and drops it. READs that are sent later, also for pages that 3 has dropped, are refused:
 * the page stays invalid, read() fails, a mapping gets SIGBUS. A node that is looked up but not
 * yet known to the kernel when 3 passes has no pages, and gets none. Nodes that
 * were forgotten had their pages dropped by the kernel.
 *
 * The kernel ignores that a page could not be dropped, which happens where it became dirty
 * again meanwhile; so 3 is done twice. A dirty page of a shared mapping is written back by 3:
 * that is refused, and the page dropped all the same.
 *
 * Left are copies that the program made: bytes that it read, private pages that it wrote to,
 * data that it put into a pipe. With passthrough the kernel has files of the host open
 * for the program, and nothing of this reaches those: the cut is told as incomplete.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define DRAIN_MS 300u
#define KICK_NS 200000

static int notify(struct dir *d, int code, const void *what, size_t len, const char *name)
{
	struct fuse_out_header h = { .error = code };
	struct iovec v[3] = { { &h, sizeof(h) },
			      { (void *)what, len },
			      { (void *)name, name ? strlen(name) + 1 : 0 } };

	h.len = (uint32_t)(v[0].iov_len + v[1].iov_len + v[2].iov_len);
	return writev(d->fuse, v, name ? 3 : 2) < 0 ? -errno : 0;
}

int cut_pages(struct dir *d, uint64_t id)
{
	struct fuse_notify_inval_inode_out out = { .ino = id };

	return notify(d, FUSE_NOTIFY_INVAL_INODE, &out, sizeof(out), NULL);
}

static struct timespec after_ms(unsigned ms)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static uint32_t at_work(const struct dir *d, bool all)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_workers; i++) {
		const struct worker *w = &d->workers[i];

		n += w->unique && !w->abandoned && (all || w->chain != d->chain);
	}
	return n;
}

uint32_t cut_drain(struct dir *d, bool all, unsigned ms)
{
	struct timespec end = after_ms(ms);
	uint32_t n;

	(void)pthread_mutex_lock(&d->lock);
	while (at_work(d, all) > 0)
		if (pthread_cond_timedwait(&d->change, &d->lock, &end) == ETIMEDOUT)
			break;
	n = at_work(d, all);
	(void)pthread_mutex_unlock(&d->lock);
	return n;
}

static void close_gate(struct dir *d)
{
	(void)pthread_mutex_lock(&d->lock);
	d->cut = true;
	(void)serve_more(d);
	(void)pthread_cond_broadcast(&d->change);
	(void)pthread_mutex_unlock(&d->lock);
}

/* Answers what the host holds up. */
static uint32_t answer_for_others(struct dir *d)
{
	struct fuse_out_header h = { .len = sizeof(h), .error = -ENOTCONN };
	uint32_t n = 0;

	(void)pthread_mutex_lock(&d->lock);
	for (uint32_t i = 0; i < d->n_workers; i++) {
		struct worker *w = &d->workers[i];

		if (!w->unique)
			continue;
		w->abandoned = true;
		n++;
		h.unique = w->unique;
		(void)!write(d->fuse, &h, sizeof(h));
	}
	(void)pthread_mutex_unlock(&d->lock);
	return n;
}

static uint64_t id_at(struct dir *d, uint32_t i, uint32_t *ret_n)
{
	struct node *node;
	uint64_t id = 0;

	(void)pthread_mutex_lock(&d->lock);
	*ret_n = d->nodes.n;
	node = i <= d->nodes.n ? d->nodes.at[i].what : NULL;
	if (node)
		id = node->id;
	(void)pthread_mutex_unlock(&d->lock);
	return id;
}

static uint32_t drop_all_pages(struct dir *d)
{
	uint32_t known = 0, n = 1;

	for (uint32_t i = 1; i <= n; i++) {
		uint64_t id = id_at(d, i, &n);

		known += id && cut_pages(d, id) == 0;
	}
	return known;
}

/* Whoever may be reading /dev/fuse, or about to. */
static uint32_t still_there(const struct dir *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_workers; i++) {
		const struct worker *w = &d->workers[i];

		if (w->left || (w->abandoned && w->unique))
			continue; /* it will see `stop` before it reads again */
		/* pthread_kill's own call would reach other processes, too. */
		if (w->tid)
			(void)syscall(SYS_tgkill, getpid(), w->tid, SIGUSR1);
		n++;
	}
	return n;
}

/* A signal ends a read; one that came a moment too early is followed by another. */
static void end_workers(struct dir *d)
{
	const struct timespec pause = { 0, KICK_NS };
	uint32_t n;

	do {
		(void)pthread_mutex_lock(&d->lock);
		d->stop = true;
		n = still_there(d);
		(void)pthread_mutex_unlock(&d->lock);
		if (n > 0)
			(void)nanosleep(&pause, NULL);
	} while (n > 0);
}

static bool nothing_open(struct dir *d)
{
	bool none = true;

	(void)pthread_mutex_lock(&d->lock);
	for (uint32_t i = 1; i <= d->handles.n; i++) {
		const struct handle *h = d->handles.at[i].what;

		none = none && !(h && S_ISREG(h->node->type));
	}
	(void)pthread_mutex_unlock(&d->lock);
	return none;
}

void cut_all(struct dir *d, struct cut_result *ret)
{
	close_gate(d);
	ret->complete = !d->passthrough || nothing_open(d);
	ret->unfinished = cut_drain(d, true, DRAIN_MS) ? answer_for_others(d) : 0;
	ret->invalidated = drop_all_pages(d);
	(void)drop_all_pages(d);
	end_workers(d);
	/* The number stays taken: a worker that comes back late writes to nowhere. */
	(void)dup3(d->null, d->fuse, O_CLOEXEC);
}

/* ---- forgetting ---- */

/*
 * Each node holds a descriptor. When half of what there may be are in use, the kernel is
 * asked to drop names that nobody has open; what it drops it forgets, and says so. In a thread
 * of its own, for an older kernel locks the directory meanwhile, and what holds that lock
 * may wait for us. It also cannot drop names as fast there as a program that does nothing else
 * can look them up: then lookups fail with ENFILE, and are counted, until it has.
 */
#define TRIM_AT_ONCE 128u

struct victim {
	uint64_t id, parent;
	char name[256];
};

/* Under lock. */
static struct node *next_victim(struct dir *d, uint32_t *tries)
{
	while (*tries > 0) {
		struct node *n;

		(*tries)--;
		d->trim_hand = d->trim_hand >= d->nodes.n ? 1 : d->trim_hand + 1;
		n = d->nodes.at[d->trim_hand].what;
		if (n && n != d->root && n->pins == 0 && n->nlookup > 0 && n->parent &&
		    !n->guard) /* a mount inside would go with it */
			return n;
	}
	return NULL;
}

static uint32_t choose(struct dir *d, struct victim *v, uint32_t max, uint32_t *tries)
{
	uint32_t count = 0;

	(void)pthread_mutex_lock(&d->lock);
	while (count < max && !d->cut) {
		const struct node *n = next_victim(d, tries);

		if (!n)
			break;
		v[count].id = n->id;
		v[count].parent = n->parent->id;
		(void)snprintf(v[count].name, sizeof(v[count].name), "%s", n->name);
		count++;
	}
	(void)pthread_mutex_unlock(&d->lock);
	return count;
}

/* False: this kernel does not know how. */
static bool prune(struct dir *d, const struct victim *v, uint32_t n)
{
	uint64_t out[2 + TRIM_AT_ONCE];
	struct abi_notify_prune_out head = { .count = n };

	memcpy(out, &head, sizeof(head));
	for (uint32_t i = 0; i < n; i++)
		out[2 + i] = v[i].id;
	return notify(d, ABI_NOTIFY_PRUNE, out, (2 + n) * sizeof(out[0]), NULL) !=
	       -EINVAL;
}

static void drop_names(struct dir *d, const struct victim *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct fuse_notify_inval_entry_out out = {
			.parent = v[i].parent, .namelen = (uint32_t)strlen(v[i].name)
		};

		(void)notify(d, FUSE_NOTIFY_INVAL_ENTRY, &out, sizeof(out), v[i].name);
	}
}

static void *trim_thread(void *dir)
{
	struct dir *d = dir;
	struct victim *v = calloc(TRIM_AT_ONCE, sizeof(*v));
	uint32_t tries, n = 1, dropped = 0, limit = (uint32_t)d->stats.nodes_limit;

	(void)pthread_mutex_lock(&d->lock);
	tries = d->nodes.n;
	(void)pthread_mutex_unlock(&d->lock);
	for (; v && n > 0 && dropped < limit / 4; dropped += n) {
		n = choose(d, v, TRIM_AT_ONCE, &tries);
		d->prunes = n > 0 && prune(d, v, n);
		if (!d->prunes)
			drop_names(d, v, n);
	}
	free(v);
	(void)pthread_mutex_lock(&d->lock);
	d->trim_at = MIN(MAX(limit / 2, d->n_nodes + limit / 32), limit / 8 * 7);
	d->trimming = false;
	(void)pthread_cond_broadcast(&d->change);
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

void trim_start(struct dir *d)
{
	pthread_t thread;

	if (d->trimming || d->cut)
		return;
	d->trimming = pthread_create(&thread, NULL, trim_thread, d) == 0;
	if (d->trimming)
		(void)pthread_detach(thread);
}
