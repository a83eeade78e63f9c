/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.c - which files the kernel remembers, and which are open.
 *
 * A node holds an O_PATH descriptor of its file, and everything is done relative to that:
 * no path is ever resolved anew, so what the host renames or replaces meanwhile cannot lead
 * elsewhere. The descriptor keeps the inode, hence its number, so (device, inode) finds
 * the node of a file that is met again. It goes when the kernel has forgotten its number
 * (nlookup is 0) and nothing here uses it (pins).
 *
 * parent and name say where the node was seen last. They are for people (log) and for
 * hide=; nothing is opened by them. The host may rename directories so that the places
 * seen last would form a ring: such a node is put below the root.
 *
 * One descriptor for each node is a limit: trim_start (cut.c) asks the kernel to forget
 * when half of them are used.
 */
#include "caretaker/dir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS_MIN 256u
#define DEPTH_MAX 4096

void fd_name(int fd, char name[FD_PATH_MAX])
{
	char digits[FD_PATH_MAX];
	unsigned v = (unsigned)fd;
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	for (size_t i = 0; i < n; i++)
		name[i] = digits[n - 1 - i];
	name[n] = '\0';
}

void fd_path(int fd, char path[FD_PATH_MAX])
{
	static const char dir[] = "/proc/self/fd/";
	char name[FD_PATH_MAX];

	fd_name(fd, name);
	memcpy(path, dir, sizeof(dir));
	memcpy(path + sizeof(dir) - 1, name, FD_PATH_MAX - sizeof(dir));
}

/* ---- finding ---- */

static uint32_t bucket(const struct dir *d, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 40) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32) & (d->n_buckets - 1);
}

struct node *node_met(const struct dir *d, const struct stat *st)
{
	struct node *n;

	for (n = d->buckets[bucket(d, st->st_dev, st->st_ino)]; n; n = n->next)
		if (n->ino == st->st_ino && n->dev == st->st_dev)
			return n;
	return NULL;
}

static void more_buckets(struct dir *d)
{
	uint32_t old_n = d->n_buckets;
	struct node **old = d->buckets, *n;
	struct node **more = calloc(2 * (size_t)old_n, sizeof(struct node *));

	if (!more)
		return; /* slower, but right */
	d->buckets = more;
	d->n_buckets = 2 * old_n;
	for (uint32_t i = 0; i < old_n; i++)
		while ((n = old[i])) {
			uint32_t b = bucket(d, n->dev, n->ino);

			old[i] = n->next;
			n->next = more[b];
			more[b] = n;
		}
	free(old);
}

struct node *node_of(struct dir *d, uint64_t id)
{
	return slots_get(&d->nodes, id);
}

/* ---- life ---- */

void node_pin(struct node *node)
{
	node->pins++;
}

static void unlink_bucket(struct dir *d, struct node *node)
{
	struct node **at = &d->buckets[bucket(d, node->dev, node->ino)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
}

/* Frees what nobody uses, and then perhaps the parents. */
static void reap(struct dir *d, struct node *node)
{
	struct node *parent;

	while (node && node->nlookup == 0 && node->pins == 0 && node != d->root) {
		parent = node->parent;
		unlink_bucket(d, node);
		slots_drop(&d->nodes, node->id);
		(void)close(node->fd);
		free(node->name);
		free(node);
		d->n_nodes--;
		if (parent)
			parent->pins--;
		node = parent;
	}
}

void node_unpin(struct dir *d, struct node *node)
{
	node->pins--;
	reap(d, node);
}

void node_forget(struct dir *d, uint64_t id, uint64_t n)
{
	struct node *node = node_of(d, id);

	if (!node)
		return;
	node->nlookup -= MIN(n, node->nlookup);
	reap(d, node);
}

static bool is_above(const struct node *node, const struct node *of)
{
	for (int i = 0; of && i < DEPTH_MAX; i++, of = of->parent)
		if (of == node)
			return true;
	return of != NULL; /* too deep to know */
}

void node_renamed(struct dir *d, struct node *node, struct node *parent, const char *name)
{
	struct node *before = node->parent;
	char *copy;

	if (node == d->root || (before == parent && streq(node->name, name)))
		return;
	if (before != parent && is_above(node, parent))
		parent = d->root;
	copy = strdup(name);
	if (copy) {
		free(node->name);
		node->name = copy;
	}
	node->parent = parent;
	node_pin(parent);
	if (before)
		node_unpin(d, before);
}

static struct node *node_make(struct dir *d, int fd, const struct stat *st)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	*n = (struct node){ .fd = fd,
			    .dev = st->st_dev,
			    .ino = st->st_ino,
			    .type = st->st_mode & S_IFMT };
	n->id = slots_put(&d->nodes, n);
	if (n->id == 0) {
		free(n);
		return NULL;
	}
	if (++d->n_nodes > d->n_buckets)
		more_buckets(d);
	n->next = d->buckets[bucket(d, n->dev, n->ino)];
	d->buckets[bucket(d, n->dev, n->ino)] = n;
	d->stats.nodes_max = MAX(d->stats.nodes_max, (uint64_t)d->n_nodes);
	return n;
}

int node_root(struct dir *d, int take_fd, const struct stat *st, struct err *err)
{
	d->n_buckets = BUCKETS_MIN;
	d->buckets = calloc(d->n_buckets, sizeof(struct node *));
	d->root = d->buckets ? node_make(d, take_fd, st) : NULL;
	if (!d->root)
		return err_oom(err);
	d->dev = st->st_dev;
	return 0;
}

struct node *node_again(struct dir *d, const struct stat *st, struct node *parent,
			const char *name)
{
	struct node *n = node_met(d, st);

	/* The type of an inode stays. Another one: not the same after all. */
	if (!n || n->type != (st->st_mode & S_IFMT))
		return NULL;
	n->nlookup++;
	node_renamed(d, n, parent, name);
	guard_met(d, n, parent, name);
	return n;
}

struct node *node_enter(struct dir *d, int take_fd, const struct stat *st,
			struct node *parent, const char *name)
{
	struct node *n = node_again(d, st, parent, name);
	char *copy;

	if (n) {
		(void)close(take_fd); /* another thread was here first */
		return n;
	}
	copy = strdup(name);
	n = copy ? node_make(d, take_fd, st) : NULL;
	if (!n) {
		free(copy);
		(void)close(take_fd);
		return NULL;
	}
	n->name = copy;
	n->parent = parent;
	node_pin(parent);
	guard_met(d, n, parent, name);
	n->nlookup = 1;
	return n;
}

/* ---- places ---- */

void node_path(const struct dir *d, const struct node *node, const char *name,
	       struct str *out)
{
	const char *part[256];
	size_t n = 0;

	if (name)
		part[n++] = name;
	for (; node && node != d->root && n < ARRAY_LEN(part); node = node->parent)
		part[n++] = node->name;
	if (n == 0)
		str_addc(out, '/');
	while (n-- > 0 && out->len < CARE_PATH_MAX - 256)
		str_addf(out, "/%s", part[n]);
}

static bool lies_hidden(const struct dir *d, const struct node *node)
{
	for (int i = 0; node != d->root && node && i < DEPTH_MAX;
	     i++, node = node->parent)
		if (node->barred || chain_hides(d->chain, node->name))
			return true;
	return false;
}

uint32_t node_bar_hidden(struct dir *d)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= d->nodes.n; i++) {
		struct node *node = d->nodes.at[i].what;

		if (node && !node->barred && lies_hidden(d, node)) {
			node->barred = true;
			n++;
		}
	}
	return n;
}

/* ---- handles ---- */

struct handle *handle_of(struct dir *d, uint64_t id)
{
	struct handle *h = slots_get(&d->handles, id);

	return h && !h->gone ? h : NULL;
}

struct handle *handle_new(struct dir *d, struct node *node, int take_fd, bool writes)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (h)
		h->id = slots_put(&d->handles, h);
	if (!h || h->id == 0) {
		free(h);
		(void)close(take_fd);
		return NULL;
	}
	h->node = node;
	h->fd = take_fd;
	h->writes = writes;
	(void)pthread_mutex_init(&h->lock, NULL);
	node_pin(node);
	node->handles++;
	d->n_handles++;
	return h;
}

int handle_unpin(struct dir *d, struct handle *h)
{
	int fd = h->fd;

	if (h->pins > 0)
		h->pins--;
	if (h->pins > 0 || !h->gone)
		return -1;
	slots_drop(&d->handles, h->id);
	h->node->handles--;
	node_unpin(d, h->node);
	(void)pthread_mutex_destroy(&h->lock);
	d->n_handles--;
	free(h);
	return fd;
}
