/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Recursion would need a descriptor and stack for every level of a depth that somebody
 * else chose. Instead the tree is flattened while it is removed: a directory found
 * below the top that is not empty is moved up to the top under a fresh name, and later
 * passes over the top deal with it. Every directory is moved at most once, so the work
 * is linear, and two directories are open at a time.
 */
#include "state/rmtree.h"
#include "base/auto.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct rmtree {
	int top;
	dev_t dev;
	unsigned next; /* for fresh names */
	int failed;    /* the first -errno that was in the way */
};

static void auto_dir_p(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}
#define auto_dir __attribute__((cleanup(auto_dir_p))) DIR

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Reads the directory itself, without moving fd's own position. */
static DIR *dir_of(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (copy < 0)
		return NULL;
	dir = fdopendir(copy);
	if (!dir)
		(void)close(copy);
	return dir;
}

static void fail(struct rmtree *t)
{
	if (errno != ENOENT && !t->failed)
		t->failed = -errno;
}

/* Opens name for emptying, with the rights that needs. -1: it stays. */
static int open_sub(struct rmtree *t, int dirfd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		fail(t);
		return -1;
	}
	if (st.st_dev != t->dev) {
		errno = EXDEV;
		fail(t);
		return -1;
	}
	if ((st.st_mode & 0700) != 0700 && fchmodat(dirfd, name, 0700, 0) < 0) {
		fail(t);
		return -1;
	}
	fd = openat(dirfd, name, flags);
	if (fd < 0)
		fail(t);
	return fd;
}

/* Moves a directory that is not empty to the top. */
static void move_up(struct rmtree *t, int from, const char *name)
{
	auto_fd probe = open_sub(t, from, name); /* makes it ours to move */
	char fresh[32];

	if (probe < 0)
		return;
	for (int tries = 0; tries < 1000; tries++) {
		(void)snprintf(fresh, sizeof(fresh), ".polder-rm-%u", t->next++);
		if (renameat(from, name, t->top, fresh) == 0)
			return;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			break;
	}
	fail(t);
}

/* Empties a directory directly below the top. */
static void empty_sub(struct rmtree *t, const char *name)
{
	auto_fd fd = open_sub(t, t->top, name);
	auto_dir *dir = fd < 0 ? NULL : dir_of(fd);
	struct dirent *de;

	if (!dir)
		return;
	while ((de = readdir(dir))) {
		if (is_dots(de->d_name) || unlinkat(fd, de->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			fail(t);
			continue;
		}
		if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (errno == ENOTEMPTY || errno == EEXIST)
			move_up(t, fd, de->d_name);
		else
			fail(t);
	}
}

/* One pass over the top; true if it removed or moved anything. */
static bool pass(struct rmtree *t)
{
	auto_dir *dir = dir_of(t->top);
	bool progress = false;
	struct dirent *de;
	unsigned before;

	if (!dir) {
		fail(t);
		return false;
	}
	while ((de = readdir(dir))) {
		if (is_dots(de->d_name))
			continue;
		if (unlinkat(t->top, de->d_name, 0) == 0) {
			progress = true;
			continue;
		}
		if (errno != EISDIR && errno != EPERM) {
			fail(t);
			continue;
		}
		if (unlinkat(t->top, de->d_name, AT_REMOVEDIR) < 0) {
			if (errno != ENOTEMPTY && errno != EEXIST) {
				fail(t);
				continue;
			}
			before = t->next;
			empty_sub(t, de->d_name);
			progress |= t->next != before;
			if (unlinkat(t->top, de->d_name, AT_REMOVEDIR) < 0) {
				fail(t);
				continue;
			}
		}
		progress = true;
	}
	return progress;
}

int rmtree_at(int dirfd, const char *name, struct err *err)
{
	auto_fd top = -1;
	struct rmtree t = { 0 };
	struct stat st;

	top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 && errno == EACCES &&
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	    fchmodat(dirfd, name, 0700, 0) == 0)
		top = openat(dirfd, name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 && errno == ENOENT)
		return 0;
	if (top < 0 || fstat(top, &st) < 0)
		return err_sys(err, "cannot remove '%s'", name);
	t.top = top;
	t.dev = st.st_dev;
	while (pass(&t))
		t.failed = 0; /* only what the last pass met is still in the way */
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return err_neg(err, t.failed ? t.failed : -errno, "cannot remove all of '%s'",
		       name);
}
