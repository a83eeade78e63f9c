/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.c - names that the program may not change, whatever it does to what lies around them:
 * what others execute (.git/hooks), and Polder's own places.
 *
 * Inside, mounts protect them as well, but those are only as lasting as what the kernel
 * remembers: it drops them when a name beneath cannot be looked up once, which a program
 * can bring about. So they are protected here too, and this does not depend on that.
 *
 * The names are a tree. A node that is met at one of them points to it, from then on: the
 * child of such a node is found in the tree by its name. So it does not matter
 * what the host puts there later, nor, where a file system does not distinguish case, how
 * a name was written.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <string.h>

#define DEPTH_MAX 4096

struct guard {
	struct guard *up, *next;
	const char *name; /* of len bytes, in the spec */
	size_t len;
	uint8_t how;
};

static const struct guard *child_of(const struct dir *d, const struct guard *up,
				    const char *name, size_t len)
{
	for (const struct guard *g = d->guards; g; g = g->next)
		if (g->up == up && g->len == len && memcmp(g->name, name, len) == 0)
			return g;
	return NULL;
}

static struct guard *add(struct dir *d, struct guard *up, const char *name, size_t len)
{
	struct guard *g = (struct guard *)child_of(d, up, name, len);

	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct guard){
		.up = up, .next = d->guards, .name = name, .len = len, .how = CARE_WAY
	};
	d->guards = g;
	return g;
}

static int add_path(struct dir *d, struct guard *top, const struct care_guarded *from)
{
	struct guard *g = top;

	for (const char *p = from->path; g && *p; p += *p == '/') {
		size_t n = strcspn(p, "/");

		g = add(d, g, p, n);
		p += n;
	}
	if (!g)
		return -ENOMEM;
	g->how = MAX(g->how, from->how);
	return 0;
}

int guard_begin(struct dir *d, const struct care_spec *s)
{
	struct guard *top;
	int r = 0;

	if (s->n_guarded == 0)
		return 0;
	top = add(d, NULL, "", 0);
	if (!top)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < s->n_guarded; i++)
		r = add_path(d, top, &s->guarded[i]);
	d->root->guard = top;
	return r;
}

void guard_met(const struct dir *d, struct node *node, const struct node *parent,
	       const char *name)
{
	const struct guard *g;

	if (!parent->guard)
		return;
	g = child_of(d, parent->guard, name, strlen(name));
	if (g)
		node->guard = g;
}

/* The strictest of what it lies in. */
static uint8_t kept(const struct dir *d, const struct node *node)
{
	uint8_t how = 0;

	for (int i = 0; node && node != d->root; node = node->parent) {
		if (node->guard)
			how = MAX(how, node->guard->how);
		if (++i == DEPTH_MAX)
			return CARE_CLOSED; /* too deep to know */
	}
	return how;
}

static int name_kept(const struct dir *d, const struct node *dir, const char *name)
{
	const struct guard *g =
		dir->guard ? child_of(d, dir->guard, name, strlen(name)) : NULL;

	return g && g->how >= CARE_KEPT ? -EROFS : 0;
}

int guard_admits(const struct dir *d, const struct node *node, const struct node *node2,
		 const char *name, bool changes)
{
	uint8_t how = kept(d, node);

	if (node2)
		how = MAX(how, kept(d, node2));
	if (how == CARE_CLOSED)
		return -EACCES;
	if (!changes)
		return 0;
	return how == CARE_KEPT ? -EROFS : name ? name_kept(d, node, name) : 0;
}

int guard_leaves(struct dir *d, const struct node *dir, const char *name)
{
	const struct node *node;
	struct stat st;
	bool held;

	if (!dir->guard)
		return 0;
	if (child_of(d, dir->guard, name, strlen(name)))
		return -EBUSY;
	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	(void)pthread_mutex_lock(&d->lock);
	node = node_met(d, &st);
	held = node && node->guard;
	(void)pthread_mutex_unlock(&d->lock);
	return held ? -EBUSY : 0;
}
