/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The /etc of the default root is the same at nearly every start, and to put it together
 * is a good part of one: ten mounts and as many small files. So a finished one is kept in
 * the run directory and mounted as a whole:
 *
 *	RUN/etc/now		a link to the present one's name
 *	RUN/etc/NAME/etc	the directory that is mounted
 *	RUN/etc/NAME/index	what it was made from
 *	RUN/etc/lock		held by who makes one, or clears up
 *
 * It holds copies of exactly the files of the host that would be mounted, and the files
 * that Polder writes for the default identity. What differs from start to start (the
 * machine id) is mounted over; what asks for anything else of /etc gets the long way, in
 * etc.c. A source that is big, deep, unreadable or holds anything but files, directories
 * and links is not copied: an empty place is made for it, and it is mounted there.
 *
 * Valid is what has not changed: for every file and directory that was copied, device,
 * inode, size, mode and both times, and the same for the directories of the copy, so that
 * one from which something was removed is not used. Time stamps have a grain: what
 * changed within the last seconds could change again and keep its stamp, so nothing is
 * made from that.
 *
 * An index is locked (shared) from before it is read until its environment has ended:
 * by the tender. A maker takes RUN/etc/lock or goes the long way; a directory without an
 * index, or one that is not the present one and whose index it can lock alone, it
 * removes. The index is written last, and `now` is renamed over: whoever is killed leaves
 * a directory that nobody uses. All of it is the person's own, as closed to others as the
 * journal is, and never granted to an environment (guard.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/fd.h"
#include "graph/default-root.h"
#include "server/skeleton-internal.h"

void skeleton_stamp(struct skeleton_stamp *ret, enum stamp_kind kind,
		    const struct stat *st)
{
	*ret = (struct skeleton_stamp){ .kind = kind };
	if (kind == STAMP_ABSENT)
		return;
	ret->dev = st->st_dev;
	ret->ino = st->st_ino;
	ret->mode = st->st_mode;
	if (kind == STAMP_SAME || (kind == STAMP_BOUND && !S_ISLNK(st->st_mode)))
		return;
	ret->size = (uint64_t)st->st_size;
	ret->mtime_s = st->st_mtim.tv_sec;
	ret->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	ret->ctime_s = st->st_ctim.tv_sec;
	ret->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
}

bool skeleton_same(const struct skeleton_stamp *a, int rundir, const char *path)
{
	struct skeleton_stamp now;
	struct stat st;

	if (fstatat(rundir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return a->kind == STAMP_ABSENT && errno == ENOENT;
	if (a->kind == STAMP_ABSENT)
		return false;
	skeleton_stamp(&now, (enum stamp_kind)a->kind, &st);
	now.path_len = a->path_len;
	return memcmp(&now, a, sizeof(now)) == 0;
}

/* Only where /etc is what it is by default, and nothing is to be made in it. */
static bool is_usual(const struct spec *s, const struct genv *e,
		     const struct server_ctx *cx)
{
	const struct binding *identity = genv_binding(e, "identity");
	const char *run = cx->places->run;

	if (!cx->ret_skeleton || cx->rundir < 0 || cx->places->run_is_shared ||
	    (s->flags & (SPEC_NET_HOST | SPEC_ROOT_IDENTITY)) ||
	    (identity && (identity->source != SRC_PARENT || identity->n_options)))
		return false;
	if (strstr(run, "//") || strstr(run, "/.") || run[strlen(run) - 1] == '/')
		return false; /* no path for a spec */
	for (size_t i = 0; i < e->n_bindings; i++)
		if (server_lies_in(e->bindings[i].slot, "/etc"))
			return false;
	return !server_lies_in(cx->cwd, "/etc");
}

struct index {
	char bytes[SKELETON_INDEX_MAX];
	size_t len;
	struct skeleton_head head;
	uint64_t dev, ino; /* of the directory to be mounted */
};

uint32_t skeleton_magic(void)
{
	uint32_t h = 0x31657450u;

	for (size_t i = 0; i < default_etc_n_shown; i++)
		for (const char *p = default_etc_shown[i]; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h;
}

/* A stamp and its path at *at, which moves on; NULL: damaged. */
static const char *next_stamp(const struct index *x, size_t *at,
			      struct skeleton_stamp *ret)
{
	const char *path;

	if (x->len - *at < sizeof(*ret))
		return NULL;
	memcpy(ret, x->bytes + *at, sizeof(*ret));
	*at += sizeof(*ret);
	if (ret->path_len == 0 || ret->path_len > x->len - *at)
		return NULL;
	path = x->bytes + *at;
	*at += ret->path_len;
	return path[ret->path_len - 1] == '\0' ? path : NULL;
}

/* The index, locked until *ret_fd is closed. */
static bool read_index(struct index *x, int rundir, int *ret_fd)
{
	auto_fd fd = openat(rundir, SKELETON_DIR "/now/index", O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &st) < 0 ||
	    st.st_nlink == 0)
		return false;
	n = read(fd, x->bytes, sizeof(x->bytes));
	if (n < (ssize_t)sizeof(x->head) || n != st.st_size)
		return false;
	x->len = (size_t)n;
	memcpy(&x->head, x->bytes, sizeof(x->head));
	x->head.name[SKELETON_NAME - 1] = '\0';
	*ret_fd = TAKE_FD(fd);
	return x->head.magic == skeleton_magic() &&
	       x->head.head_size == sizeof(struct skeleton_head) &&
	       x->head.stamp_size == sizeof(struct skeleton_stamp) &&
	       x->head.made_len <= x->len - sizeof(x->head);
}

static bool is_valid(struct index *x, int rundir, const struct str *made)
{
	size_t at = sizeof(x->head) + x->head.made_len;
	struct skeleton_stamp stamp;

	if (x->head.made_len != made->len ||
	    memcmp(x->bytes + sizeof(x->head), made->p, made->len) != 0)
		return false;
	for (uint32_t i = 0; i < x->head.n_stamps; i++) {
		const char *path = next_stamp(x, &at, &stamp);

		if (!path || !skeleton_same(&stamp, rundir, path))
			return false;
		if (i == 0) {
			x->dev = stamp.dev;
			x->ino = stamp.ino;
		}
	}
	return x->head.n_stamps > 0 && at == x->len;
}

static void add_mounts(struct spec *s, const struct index *x, const struct server_ctx *cx)
{
	size_t at = sizeof(x->head) + x->head.made_len;
	struct skeleton_stamp stamp;
	const char *path;
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_BIND, NULL, "/etc");

	m->src =
		spec_strf(s, "%s/" SKELETON_DIR "/%s/etc", cx->places->run, x->head.name);
	m->flags = SPEC_MOUNT_RO | SPEC_MOUNT_NOEXEC;
	m->dev = x->dev;
	m->ino = x->ino;
	while (at < x->len && (path = next_stamp(x, &at, &stamp)))
		if (stamp.kind == STAMP_BOUND)
			server_etc_show(s, path);
}

bool skeleton_use(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		  const struct str *made)
{
	auto_fd fd = -1;
	struct index x;

	if (!is_usual(s, e, cx) || made->failed)
		return false;
	for (int tries = 0;; tries++) {
		if (read_index(&x, cx->rundir, &fd) && is_valid(&x, cx->rundir, made))
			break;
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
		if (tries > 0 || !skeleton_make(cx->rundir, made))
			return false;
	}
	add_mounts(s, &x, cx);
	*cx->ret_skeleton = TAKE_FD(fd);
	return true;
}
