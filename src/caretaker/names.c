/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c - what is done to a name in a directory.
 *
 * A name is opened with O_PATH and O_NOFOLLOW relative to its directory's descriptor, with the
 * kernel told to cross neither a symbolic link nor a mount. Something that the host puts in
 * a name's place between two calls is then that new thing, in the same directory of the
 * same tree, and as harmless.
 *
 * Made are regular files, directories, symbolic links and hard links to files, never
 * devices, FIFOs or sockets; never with setuid or setgid bits. Ownership is what the host
 * gives to whom this program runs as.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define SECONDS_KEPT 1
#define ROOM_NS 100000000

void entry_fill(const struct dir *d, const struct node *node, const struct stat *st,
		struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){ .nodeid = node->id,
					.entry_valid = SECONDS_KEPT,
					.attr_valid = SECONDS_KEPT };
	attr_fill(d, st, &out->attr);
}

static int open_name(const struct dir *d, int dirfd, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
					   (d->cross ? 0 : RESOLVE_NO_XDEV) };
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int too_many(struct dir *d)
{
	(void)pthread_mutex_lock(&d->lock);
	d->stats.nodes_refused++;
	(void)pthread_mutex_unlock(&d->lock);
	return -ENFILE;
}

/* Whether there is room for one more node; waits a moment for the kernel to forget others. */
static bool has_room(struct dir *d)
{
	struct timespec end;
	bool room;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ROOM_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&d->lock);
	while (d->n_nodes >= d->stats.nodes_limit && d->prunes && !d->cut) {
		trim_start(d);
		if (pthread_cond_timedwait(&d->change, &d->lock, &end) == ETIMEDOUT)
			break;
	}
	room = d->n_nodes < d->stats.nodes_limit;
	(void)pthread_mutex_unlock(&d->lock);
	return room;
}

/* A file that is not yet known. */
static int enter(struct dir *d, struct node *dir, const char *name,
		 struct fuse_entry_out *out)
{
	struct node *node;
	struct stat st;
	int fd;

	if (d->n_nodes >= d->stats.nodes_limit && !has_room(d))
		return too_many(d);
	fd = open_name(d, dir->fd, name);
	if (fd == -EXDEV)
		return -EACCES;
	if (fd == -EMFILE || fd == -ENFILE)
		return too_many(d);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (!d->cross && st.st_dev != d->dev)) {
		(void)close(fd);
		return -EACCES;
	}
	(void)pthread_mutex_lock(&d->lock);
	node = node_enter(d, fd, &st, dir, name);
	if (node)
		entry_fill(d, node, &st, out);
	(void)pthread_mutex_unlock(&d->lock);
	return node ? 0 : -ENOMEM;
}

int names_find(struct dir *d, const struct chain *chain, struct node *dir,
	       const char *name, struct fuse_entry_out *out)
{
	struct node *node;
	struct stat st;

	if (chain_hides(chain, name))
		return -ENOENT;
	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -errno;
	(void)pthread_mutex_lock(&d->lock);
	node = node_again(d, &st, dir, name);
	if (node)
		entry_fill(d, node, &st, out);
	(void)pthread_mutex_unlock(&d->lock);
	return node ? 0 : enter(d, dir, name, out);
}

int do_lookup(struct req *r)
{
	struct fuse_entry_out *out = r->out;
	int e = req_before(r, CARE_ACT_LOOKUP);

	if (e == 0)
		e = req_after(r, names_find(r->d, r->chain, r->node, r->name, out));
	r->out_len = sizeof(*out);
	if (e != -ENOENT)
		return e;
	/* That there is none is kept for as long. */
	*out = (struct fuse_entry_out){ .entry_valid = SECONDS_KEPT };
	return 0;
}

/* After something was made. */
static int found(struct req *r)
{
	r->out_len = sizeof(struct fuse_entry_out);
	return names_find(r->d, r->chain, r->node, r->name, r->out);
}

static int before_making(struct req *r, enum care_act act)
{
	r->op.changes = r->op.makes = true;
	return req_before(r, act);
}

int do_mknod(struct req *r)
{
	const struct fuse_mknod_in *in = r->arg;
	int e = before_making(r, CARE_ACT_CREATE);

	if (e != 0)
		return e;
	if (!S_ISREG(in->mode) || !mode_allowed(in->mode, 0))
		e = -EPERM;
	else if (mknodat(r->node->fd, r->name, S_IFREG | (in->mode & 01777), 0) < 0)
		e = -errno;
	return req_after(r, e == 0 ? found(r) : e);
}

int do_mkdir(struct req *r)
{
	const struct fuse_mkdir_in *in = r->arg;
	int e = before_making(r, CARE_ACT_MKDIR);

	if (e != 0)
		return e;
	if (!mode_allowed(in->mode, 0))
		e = -EPERM;
	else if (mkdirat(r->node->fd, r->name, in->mode & 01777) < 0)
		e = -errno;
	return req_after(r, e == 0 ? found(r) : e);
}

int do_symlink(struct req *r)
{
	int e = before_making(r, CARE_ACT_SYMLINK);

	if (e != 0)
		return e;
	if (symlinkat(r->name2, r->node->fd, r->name) < 0)
		e = -errno;
	return req_after(r, e == 0 ? found(r) : e);
}

/* Afterwards its place is the new one. */
static void remember_place(struct req *r)
{
	if (r->chain->n == 0)
		return;
	(void)pthread_mutex_lock(&r->d->lock);
	node_path(r->d, r->node2, NULL, &r->was);
	(void)pthread_mutex_unlock(&r->d->lock);
}

int do_link(struct req *r)
{
	char name[FD_PATH_MAX];
	int e;

	remember_place(r);
	e = before_making(r, CARE_ACT_LINK);
	if (e != 0)
		return e;
	fd_name(r->node2->fd, name);
	if (!S_ISREG(r->node2->type) && !S_ISLNK(r->node2->type))
		e = -EPERM;
	else if (linkat(r->d->proc, name, r->node->fd, r->name, AT_SYMLINK_FOLLOW) < 0)
		e = -errno;
	return req_after(r, e == 0 ? found(r) : e);
}

static int remove_name(struct req *r, enum care_act act, int flags)
{
	int e;

	r->op.changes = true;
	e = guard_leaves(r->d, r->node, r->name);
	if (e == 0)
		e = req_before(r, act);
	if (e != 0)
		return e;
	return req_after(r, unlinkat(r->node->fd, r->name, flags) < 0 ? -errno : 0);
}

int do_unlink(struct req *r)
{
	return remove_name(r, CARE_ACT_UNLINK, 0);
}

int do_rmdir(struct req *r)
{
	return remove_name(r, CARE_ACT_RMDIR, AT_REMOVEDIR);
}

/* Where what was moved is known to lie; the kernel will not look it up again. */
static void moved(struct req *r, const char *name, struct node *dir)
{
	struct node *node;
	struct stat st;

	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	(void)pthread_mutex_lock(&r->d->lock);
	node = node_again(r->d, &st, dir, name);
	if (node)
		node_forget(r->d, node->id, 1);
	(void)pthread_mutex_unlock(&r->d->lock);
}

static int rename_with(struct req *r, unsigned flags)
{
	int e;

	r->op.changes = true;
	r->op.name2 = r->name2;
	e = guard_leaves(r->d, r->node, r->name);
	if (e == 0)
		e = guard_leaves(r->d, r->node2, r->name2);
	if (e == 0)
		e = req_before(r, CARE_ACT_RENAME);
	if (e != 0)
		return e;
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		e = -EINVAL;
	else if (!S_ISDIR(r->node2->type))
		e = -ENOTDIR;
	else if (syscall(SYS_renameat2, r->node->fd, r->name, r->node2->fd, r->name2,
			 flags) < 0)
		e = -errno;
	if (e == 0) {
		moved(r, r->name2, r->node2);
		if (flags & RENAME_EXCHANGE)
			moved(r, r->name, r->node);
	}
	return req_after(r, e);
}

int do_rename(struct req *r)
{
	return rename_with(r, 0);
}

int do_rename2(struct req *r)
{
	return rename_with(r, ((const struct fuse_rename2_in *)r->arg)->flags);
}

/* ---- made and opened ---- */

/* Knows the file by its descriptor, so that nothing can come between. */
static int enter_made(struct req *r, int fd, struct stat *st, struct node **ret)
{
	char name[FD_PATH_MAX];
	struct node *node;
	int path;

	fd_name(fd, name);
	path = openat(r->d->proc, name, O_PATH | O_CLOEXEC);
	if (path < 0)
		return errno == EMFILE ? too_many(r->d) : -errno;
	if (fstat(path, st) < 0) {
		(void)close(path);
		return -EIO;
	}
	(void)pthread_mutex_lock(&r->d->lock);
	node = node_enter(r->d, path, st, r->node, r->name);
	(void)pthread_mutex_unlock(&r->d->lock);
	*ret = node;
	return node ? 0 : -ENOMEM;
}

/* It was there after all: the host made it, or the kernel's memory was older. */
static int open_found(struct req *r, const struct fuse_create_in *in,
		      struct fuse_entry_out *out, struct node **ret, struct stat *st)
{
	struct node *node;
	int fd, e = names_find(r->d, r->chain, r->node, r->name, out);

	if (e != 0)
		return e;
	(void)pthread_mutex_lock(&r->d->lock);
	node = node_of(r->d, out->nodeid); /* counted just now: it stays */
	fd = !node || node->barred ? -ENOENT : guard_admits(r->d, node, NULL, NULL, true);
	(void)pthread_mutex_unlock(&r->d->lock);
	if (fd == 0)
		fd = node_open(r->d, node, open_flags(in->flags));
	if (fd >= 0 && fstat(fd, st) < 0) {
		(void)close(fd);
		fd = -EIO;
	}
	if (fd < 0) {
		(void)pthread_mutex_lock(&r->d->lock);
		node_forget(r->d, out->nodeid, 1);
		(void)pthread_mutex_unlock(&r->d->lock);
	}
	*ret = node;
	return fd;
}

static int create(struct req *r, const struct fuse_create_in *in,
		  struct fuse_entry_out *out, struct node **ret, struct stat *st)
{
	int flags = (open_flags(in->flags) & ~O_TRUNC) | O_CREAT | O_EXCL;
	int e, fd = openat(r->node->fd, r->name, flags, in->mode & 01777);

	if (fd < 0 && errno == EEXIST && !(in->flags & O_EXCL))
		return open_found(r, in, out, ret, st);
	if (fd < 0)
		return errno == EMFILE ? too_many(r->d) : -errno;
	e = enter_made(r, fd, st, ret);
	if (e != 0) {
		(void)close(fd);
		return e;
	}
	return fd;
}

int do_create(struct req *r)
{
	const struct fuse_create_in *in = r->arg;
	struct fuse_entry_out *entry = r->out;
	struct fuse_open_out *opened = (void *)(entry + 1);
	struct node *node = NULL;
	struct stat st;
	int fd, e = before_making(r, CARE_ACT_CREATE);

	if (e != 0)
		return e;
	if (!mode_allowed(in->mode, 0))
		return req_after(r, -EPERM);
	fd = create(r, in, entry, &node, &st);
	if (fd < 0 || !node)
		return req_after(r, fd < 0 ? fd : -EIO);
	entry_fill(r->d, node, &st, entry);
	r->out_len = sizeof(*entry) + sizeof(*opened);
	e = file_opened(r, node, fd, in->flags, &st, opened);
	if (e != 0) {
		(void)pthread_mutex_lock(&r->d->lock);
		node_forget(r->d, entry->nodeid, 1);
		(void)pthread_mutex_unlock(&r->d->lock);
	}
	return req_after(r, e);
}
