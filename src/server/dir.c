/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir: a directory or a file.
 *
 * A host directory that is granted for writing is shared with the host as it stands,
 * but for what guard.c keeps from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "server/server-internal.h"

int server_examine(struct spec *s, struct spec_mount *m, const char *path,
		   uint32_t *ret_mode, struct err *err)
{
	auto_fd fd = open(path, O_PATH | O_CLOEXEC);
	char link[64], real[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "cannot grant '%s'", path);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real));
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot examine '%s'", path);
	if ((size_t)n >= sizeof(real))
		return err_set(err, -ENAMETOOLONG,
			       "cannot grant '%s': its path is too long", path);
	real[n] = '\0';
	m->src = spec_str(s, real);
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->flags |= SPEC_MOUNT_GRANT | (S_ISDIR(st.st_mode) ? 0 : SPEC_MOUNT_IS_FILE);
	*ret_mode = st.st_mode;
	return s->failed ? err_oom(err) : 0;
}

static int check_kind(const char *path, uint32_t mode, struct err *err)
{
	if (S_ISDIR(mode) || S_ISREG(mode))
		return 0;
	if (S_ISSOCK(mode))
		return err_set(err, PE_USAGE,
			       "'%s' is a socket, and a dir carries files; grant it "
			       "as -g socket:%s=parent",
			       path, path);
	return err_set(err, PE_USAGE,
		       "'%s' is a %s; a dir carries directories and regular files "
		       "only",
		       path, S_ISFIFO(mode) ? "FIFO" : "device");
}

/* subdir= is taken beneath the granted directory, wherever its links point. */
static int below(const char *path, const char *sub, char *ret, size_t size,
		 struct err *err)
{
	int n = snprintf(ret, size, "%s/%s", streq(path, "/") ? "" : path, sub);
	char real_path[4096], real[4096];

	if (n < 0 || (size_t)n >= size)
		return err_set(err, -ENAMETOOLONG, "'%s/%s' is too long", path, sub);
	if (!realpath(path, real_path) || !realpath(ret, real))
		return err_sys(err, "cannot grant '%s'", ret);
	if (!server_lies_in(real, real_path))
		return err_set(err, PE_REFUSED, "subdir=%s leads out of '%s'", sub, path);
	return 0;
}

static void fake_dir(struct spec *s, const struct binding *b)
{
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_SCRATCH, NULL, b->slot);

	m->flags |= SPEC_MOUNT_RO;
	for (size_t i = 0; i < b->n_fakes; i++) {
		const struct fake_file *f = &b->fakes[i];
		char *data = spec_alloc(s, f->content_len + 1);

		m = spec_add_mount(s, SPEC_MOUNT_FILE, NULL,
				   spec_strf(s, "%s/%s", b->slot, f->path));
		if (data && f->content_len)
			memcpy(data, f->content, f->content_len);
		m->data = data;
		m->data_len = data ? f->content_len : 0;
	}
}

static int host_dir(struct spec *s, const struct genv *e, const struct binding *b,
		    const struct server_ctx *cx, const char *path, struct err *err)
{
	const struct kv *sub = binding_caretaker(b, "subdir");
	bool ro = binding_readonly(b);
	struct spec_mount *m;
	const char *src;
	char joined[4352], real[4096];
	uint32_t mode = 0;
	int r;

	if (b->optional && access(path, F_OK) < 0 && errno == ENOENT) {
		fake_dir(s, b); /* the null server */
		return 0;
	}
	if (sub && sub->value) {
		r = below(path, sub->value, joined, sizeof(joined), err);
		if (r != 0)
			return r;
		path = joined;
	}
	m = spec_add_mount(s, SPEC_MOUNT_BIND, NULL, b->slot);
	r = server_examine(s, m, path, &mode, err);
	if (r == 0)
		r = check_kind(path, mode, err);
	if (r != 0)
		return r;
	if (ro && S_ISDIR(mode))
		m->kind = SPEC_MOUNT_SHADOW;
	m->flags |=
		(ro ? SPEC_MOUNT_RO : 0) | (cx->accept_weaker ? SPEC_MOUNT_WEAKER : 0);
	src = m->src; /* m moves when a mount is added */
	if (sub && sub->value &&
	    !(realpath(b->ref ? b->ref : b->slot, real) && server_lies_in(src, real)))
		return err_set(err, PE_REFUSED,
			       "subdir=%s was replaced while it was being "
			       "granted: refused",
			       sub->value);
	if (!ro && S_ISDIR(mode))
		r = guard_planting(s, e, &(struct guarded_tree){ src, src, b->slot },
				   err);
	if (r == 0 && !ro && S_ISDIR(mode))
		r = server_guard_setuid(s, cx, src, err);
	return r != 0 ? r : guard_places(s, cx, src, b->slot, !ro && S_ISDIR(mode), err);
}

/* A socket that an earlier start left in an own directory: nobody serves it any more,
 * and who waits for it to appear would be told at once. The directory is the program's,
 * so nothing on the way is followed. */
static void forget_socket(const char *own, const char *slot, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	size_t n = strlen(slot);
	char rest[4096];
	auto_fd top = -1, dir = -1;
	struct stat st;
	char *leaf;

	if (!path || strncmp(path, slot, n) != 0 || path[n] != '/' ||
	    (size_t)snprintf(rest, sizeof(rest), ".%s", path + n) >= sizeof(rest))
		return;
	leaf = strrchr(rest, '/');
	*leaf++ = '\0';
	top = open(own, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	dir = top < 0 ? -1 : (int)syscall(SYS_openat2, top, rest, &how, sizeof(how));
	if (dir >= 0 && fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		(void)unlinkat(dir, leaf, 0);
}

static void forget_sockets(const struct genv *e, const char *own, const char *slot)
{
	forget_socket(own, slot, e->ready.path);
	for (size_t i = 0; i < e->n_exposes; i++)
		forget_socket(own, slot, e->exposes[i].path);
}

/* In memory for a disposable environment, on disk for one that is kept. */
static int own_dir(struct spec *s, const struct genv *e, const struct binding *b,
		   const struct server_ctx *cx, struct err *err)
{
	const struct kv *size = binding_option(b, "size");
	struct spec_mount *m;
	uint32_t mode;
	char *path;

	/* What lies in /run or /tmp is not expected to be there at the next start. */
	if (!cx->own_dirs || (size && size->value) || str_starts(b->slot, "/run/") ||
	    str_starts(b->slot, "/tmp/")) {
		m = spec_add_mount(s, SPEC_MOUNT_SCRATCH, NULL, b->slot);
		if (size && size->value && !str_to_bytes(size->value, &m->size))
			return err_set(err, PE_USAGE, "%s: size=%s is no number of bytes",
				       b->slot, size->value);
		return 0;
	}
	path = spec_strf(s, "%s/%s", cx->own_dirs, b->slot + 1);
	for (char *p = path ? path + strlen(cx->own_dirs) + 1 : NULL; p && *p; p++)
		if (*p == '/')
			*p = '!'; /* one level; "!" is rare enough to be read */
	if (!path || (mkdir(path, 0755) < 0 && errno != EEXIST))
		return err_sys(err, "cannot make '%s'", path ? path : "");
	forget_sockets(e, path, b->slot);
	m = spec_add_mount(s, SPEC_MOUNT_BIND, NULL, b->slot);
	return server_examine(s, m, path, &mode, err);
}

static int env_dir(struct spec *s, const struct binding *b, const struct server_ctx *cx,
		   struct err *err)
{
	bool is_file = false;
	int fd = -1, r;
	struct spec_mount *m;

	if (!cx->open_server)
		return err_set(err, PE_REFUSED,
			       "%s=env:%s needs the other environment to run: "
			       "use polder up",
			       b->slot, b->ref);
	if (cx->uid == 0 && !binding_readonly(b))
		return err_set(
			err, PE_REFUSED,
			"%s=env:%s can only be read: started by root, each environment "
			"has user numbers of its own, and one's files cannot be "
			"another's; add ,ro",
			b->slot, b->ref);
	r = cx->open_server(cx->userdata, b, &fd, &is_file, err);
	if (r != 0)
		return r;
	m = spec_add_mount(s, SPEC_MOUNT_ENV, "/", b->slot);
	m->fd = fd;
	m->flags = (is_file ? SPEC_MOUNT_IS_FILE : 0) |
		   (binding_readonly(b) ? SPEC_MOUNT_RO : 0);
	return 0;
}

int server_open_served(const struct binding *b, int fd, int *ret_fd, struct err *err)
{
	const char *path = b->source == SRC_HOST ? b->ref : b->slot;
	const struct kv *sub = binding_caretaker(b, "subdir");
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	auto_fd top = -1;
	int below;

	if (b->source != SRC_HOST && b->source != SRC_PARENT)
		return err_set(err, PE_REFUSED,
			       "%s: only what lies on the host can be served by a "
			       "caretaker",
			       b->slot);
	top = fd < 0 ? open(path, O_PATH | O_CLOEXEC) : fd_dup_above(fd, 3);
	if (top < 0)
		return err_set(err, errno == ENOENT ? PE_NOTFOUND : -errno,
			       "cannot grant '%s': %s", path, strerror(errno));
	if (!sub || !sub->value) {
		*ret_fd = TAKE_FD(top);
		return 0;
	}
	below = (int)syscall(SYS_openat2, top, sub->value, &how, sizeof(how));
	if (below < 0)
		return err_sys(err, "cannot grant '%s' of '%s'%s", sub->value, path,
			       errno == ELOOP ? " (a symbolic link is on the way)" : "");
	*ret_fd = below;
	return 0;
}

/* A caretaker serves it once the root stands (launch/live.c): here it is only looked at, so
 * that what is wrong with it is told before anything is made. */
static int served_dir(struct spec *s, const struct genv *e, const struct binding *b,
		      const struct server_ctx *cx, struct err *err)
{
	struct spec unused = SPEC_INIT;
	auto_fd fd = -1;
	int r = server_open_served(b, -1, &fd, err);

	if (r == PE_NOTFOUND && b->optional) {
		fake_dir(s, b);
		return 0;
	}
	unused.flags = s->flags;
	if (r == 0)
		r = server_guard_served(&unused, e, b, cx, fd, err);
	spec_fini(&unused);
	return r;
}

int server_guard_served(struct spec *s, const struct genv *e, const struct binding *b,
			const struct server_ctx *cx, int fd, struct err *err)
{
	bool ro = binding_readonly(b);
	char link[64], src[4096];
	struct stat st;
	ssize_t n;
	int r;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, src, sizeof(src) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "%s: cannot examine what is granted", b->slot);
	src[n] = '\0';
	r = check_kind(src, st.st_mode, err);
	if (r == 0 && !ro && S_ISDIR(st.st_mode))
		r = guard_planting(s, e, &(struct guarded_tree){ src, link, b->slot },
				   err);
	if (r == 0 && !ro && S_ISDIR(st.st_mode))
		r = server_guard_setuid(s, cx, src, err);
	return r != 0 ?
		       r :
		       guard_places(s, cx, src, b->slot, !ro && S_ISDIR(st.st_mode), err);
}

int server_dir(struct spec *s, const struct genv *e, const struct binding *b,
	       const struct server_ctx *cx, struct err *err)
{
	if (binding_needs_caretaker(b))
		return served_dir(s, e, b, cx, err);
	switch (b->source) {
	case SRC_HOST: return host_dir(s, e, b, cx, b->ref, err);
	case SRC_PARENT: return host_dir(s, e, b, cx, b->slot, err);
	case SRC_OWN: return own_dir(s, e, b, cx, err);
	case SRC_NULL:
	case SRC_FAKE: fake_dir(s, b); return 0;
	case SRC_ENV: return env_dir(s, b, cx, err);
	case SRC_STORE:
	case SRC_COUNT: break;
	}
	return err_set(err, PE_REFUSED,
		       "%s: %s comes with the store, which this version does not "
		       "have",
		       b->slot, source_name(b->source));
}
