/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a finished /etc; skeleton.c says what for, and what is kept true meanwhile. What
 * is copied is the host's, so it is not trusted to stay as it was first seen: everything
 * is opened without following a link, and looked at again when all is copied.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fd.h"
#include "graph/default-root.h"
#include "server/skeleton-internal.h"
#include "state/rmtree.h"

/* More than that of one source is mounted, not copied. Each file or directory is looked
 * at by every start, and each copy is memory of the person's. */
#define STAMPS_MAX 8
#define ENTRIES_MAX 2048
#define DEPTH_MAX 4
#define BYTES_MAX (2u << 20)
#define SETTLED_S 3 /* older than any file system's grain of time */
#define AGAIN_AFTER_S 30

struct make {
	int rundir, etc; /* etc: of the copy */
	char name[SKELETON_NAME];
	time_t now;
	struct str stamps;
	uint32_t n_stamps;
	bool unsettled; /* something has changed just now */
};

/* One source, while it is copied. */
struct copy {
	struct make *mk;
	size_t stamps, entries, bytes;
};

static bool add_stamp(struct make *mk, enum stamp_kind kind, const struct stat *st,
		      const char *path)
{
	struct skeleton_stamp stamp;
	size_t len = strlen(path) + 1, padded = (len + 7) & ~(size_t)7;

	skeleton_stamp(&stamp, kind, st);
	stamp.path_len = (uint32_t)padded;
	str_addn(&mk->stamps, &stamp, sizeof(stamp));
	str_addn(&mk->stamps, path, len);
	str_addn(&mk->stamps, "\0\0\0\0\0\0\0", padded - len);
	mk->n_stamps++;
	return !mk->stamps.failed && mk->stamps.len < SKELETON_INDEX_MAX;
}

static void keep_times(int dir, const char *name, const struct stat *st)
{
	struct timespec times[2] = { st->st_mtim, st->st_mtim };

	(void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static bool is_settled(const struct make *mk, const struct stat *st)
{
	return st->st_ctim.tv_sec < mk->now - SETTLED_S;
}

static bool pour(struct copy *c, int from, int to)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		c->bytes += (size_t)n;
		if (c->bytes > BYTES_MAX || fd_write_all(to, buf, (size_t)n, NULL) != 0)
			return false;
	}
	return n == 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool copy_file(struct copy *c, int from, int to, const char *name,
		      const struct stat *st)
{
	auto_fd in = openat(from, name,
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_fd out = -1;
	struct stat now;

	if (in < 0 || fstat(in, &now) < 0 || !same_file(&now, st) ||
	    !S_ISREG(now.st_mode) || (st->st_mode & 07000))
		return false;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     0600);
	if (out < 0 || !pour(c, in, out) || fchmod(out, st->st_mode & 0777) < 0)
		return false;
	keep_times(to, name, st);
	return true;
}

static bool copy_link(int from, int to, const char *name, const struct stat *st)
{
	char text[4096];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n <= 0 || (size_t)n >= sizeof(text) - 1)
		return false;
	text[n] = '\0';
	if (symlinkat(text, to, name) < 0)
		return false;
	keep_times(to, name, st);
	return true;
}

static bool copy_dir(struct copy *c, int from, int to, const char *name, const char *path,
		     const struct stat *st, int depth);

static bool copy_entry(struct copy *c, int from, int to, const char *name,
		       const char *path, int depth)
{
	struct stat st;

	if (c->entries++ > ENTRIES_MAX ||
	    fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	c->mk->unsettled |= !is_settled(c->mk, &st);
	if (c->mk->unsettled)
		return false;
	if (S_ISLNK(st.st_mode)) /* a change of it is one of its directory */
		return copy_link(from, to, name, &st);
	if ((!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) || c->stamps++ >= STAMPS_MAX ||
	    !add_stamp(c->mk, STAMP_EXACT, &st, path))
		return false;
	return S_ISREG(st.st_mode) ? copy_file(c, from, to, name, &st) :
				     copy_dir(c, from, to, name, path, &st, depth + 1);
}

static bool copy_entries(struct copy *c, DIR *dir, int to, const char *path, int depth)
{
	const struct dirent *de;
	char below[4096];

	errno = 0;
	while ((de = readdir(dir))) {
		int n = snprintf(below, sizeof(below), "%s/%s", path, de->d_name);

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (n < 0 || (size_t)n >= sizeof(below) ||
		    !copy_entry(c, dirfd(dir), to, de->d_name, below, depth))
			return false;
		errno = 0;
	}
	return errno == 0;
}

static bool copy_dir(struct copy *c, int from, int to, const char *name, const char *path,
		     const struct stat *st, int depth)
{
	auto_fd in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd out = -1;
	struct stat now;
	DIR *dir = NULL;
	bool done;

	if (depth > DEPTH_MAX || in < 0 || fstat(in, &now) < 0 || !same_file(&now, st) ||
	    (st->st_mode & 07000) || mkdirat(to, name, 0700) < 0)
		return false;
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out >= 0 && (dir = fdopendir(in)) != NULL)
		(void)TAKE_FD(in);
	if (!dir)
		return false;
	done = copy_entries(c, dir, out, path, depth);
	(void)closedir(dir);
	if (!done || fchmod(out, (st->st_mode & 0777) | 0700) < 0)
		return false;
	keep_times(to, name, st);
	return true;
}

/* An empty place for what is mounted as it is. Where a link leads may change. */
static bool make_place(struct make *mk, const char *path, const char *leaf, int to)
{
	auto_fd file = -1;
	char inside[256];
	struct stat st, dir;

	if (stat(path, &st) < 0)
		return false;
	(void)snprintf(inside, sizeof(inside), "%s/.", path);
	if (S_ISDIR(st.st_mode))
		return lstat(inside, &dir) == 0 && same_file(&dir, &st) &&
		       add_stamp(mk, STAMP_SAME, &dir, inside) &&
		       mkdirat(to, leaf, 0755) == 0;
	if (!S_ISREG(st.st_mode))
		return true; /* not shown at all */
	file = openat(to, leaf, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	return file >= 0;
}

/* A link that etc.c would show as a link. */
static bool stays_link(const char *path)
{
	char target[512];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return str_starts(target, "/usr/") || str_starts(target, "../usr/");
}

/* The directory of /etc/A/B, on the host and in the copy. */
static bool open_parents(const struct make *mk, const char *path, int *ret_from,
			 int *ret_to, const char **ret_leaf)
{
	const char *rest = path + strlen("/etc/"), *slash = strrchr(rest, '/');
	char dir[256];

	*ret_leaf = slash ? slash + 1 : rest;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(*ret_leaf - path), path);
	*ret_from = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - rest) : 1,
		       slash ? rest : ".");
	if (slash && mkdirat(mk->etc, dir, 0755) < 0 && errno != EEXIST)
		return false;
	*ret_to = openat(mk->etc, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_from >= 0 && *ret_to >= 0;
}

/* What there is of it: nothing, a file, or a part of a tree. */
static bool remove_copy(int to, const char *leaf)
{
	return unlinkat(to, leaf, 0) == 0 || errno == ENOENT ||
	       rmtree_at(to, leaf, NULL) == 0;
}

static bool take_source(struct make *mk, const char *path)
{
	struct copy c = { .mk = mk };
	size_t len = mk->stamps.len;
	uint32_t n = mk->n_stamps;
	auto_fd from = -1, to = -1;
	const char *leaf;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT && add_stamp(mk, STAMP_ABSENT, NULL, path);
	if (!open_parents(mk, path, &from, &to, &leaf))
		return false;
	if (S_ISLNK(st.st_mode))
		return add_stamp(mk, stays_link(path) ? STAMP_EXACT : STAMP_BOUND, &st,
				 path) &&
		       (stays_link(path) ? copy_link(from, to, leaf, &st) :
					   make_place(mk, path, leaf, to));
	if (copy_entry(&c, from, to, leaf, path, 0))
		return true;
	mk->stamps.len = len;
	mk->n_stamps = n;
	return !mk->unsettled && remove_copy(to, leaf) &&
	       add_stamp(mk, STAMP_BOUND, &st, path) && make_place(mk, path, leaf, to);
}

/* What would make all the work vain is looked for first: a link to a file that may
 * become something else behind its back, and what has changed just now. */
static bool can_be_made(struct make *mk)
{
	struct stat st, to;

	for (size_t i = 0; i < default_etc_n_shown; i++) {
		const char *path = default_etc_shown[i];

		if (lstat(path, &st) < 0)
			continue;
		mk->unsettled |= !is_settled(mk, &st);
		if (mk->unsettled || (S_ISLNK(st.st_mode) && !stays_link(path) &&
				      (stat(path, &to) < 0 || !S_ISDIR(to.st_mode))))
			return false;
	}
	return true;
}

static bool write_made(const struct make *mk, const struct str *made)
{
	for (const char *p = made->p; p < made->p + made->len;) {
		const char *leaf = strrchr(p, '/') + 1, *text = p + strlen(p) + 1;
		auto_fd fd = openat(mk->etc, leaf,
				    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 || fd_write_all(fd, text, strlen(text), NULL) != 0 ||
		    fchmod(fd, 0444) < 0)
			return false;
		p = text + strlen(text) + 1;
	}
	if (mknodat(mk->etc, "machine-id", S_IFREG | 0444, 0) < 0) /* mounted over */
		return false;
	for (size_t i = 0; i < server_etc_n_links; i++)
		if (symlinkat(server_etc_links[i][0], mk->etc,
			      strrchr(server_etc_links[i][1], '/') + 1) < 0)
			return false;
	return true;
}

/* Every directory of the copy, itself first. */
static bool stamp_own(struct make *mk, const char *path, int depth)
{
	const struct dirent *de;
	char below[512];
	struct stat st;
	bool done;
	DIR *dir;
	int fd = openat(mk->rundir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	done = fd >= 0 && depth <= DEPTH_MAX + 2 && fstat(fd, &st) == 0 &&
	       add_stamp(mk, STAMP_EXACT, &st, path);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	while (done && dir && (de = readdir(dir))) {
		int n = snprintf(below, sizeof(below), "%s/%s", path, de->d_name);

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		done = n > 0 && (size_t)n < sizeof(below) &&
		       fstatat(mk->rundir, below, &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (done && S_ISDIR(st.st_mode))
			done = stamp_own(mk, below, depth + 1);
	}
	if (dir)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
	return done && dir;
}

static bool write_index(struct make *mk, const struct str *made, int dir,
			const struct str *sources)
{
	struct skeleton_head head = { .magic = skeleton_magic(),
				      .head_size = sizeof(struct skeleton_head),
				      .stamp_size = sizeof(struct skeleton_stamp),
				      .made_len = (uint32_t)made->len,
				      .n_stamps = mk->n_stamps };
	auto_str text = STR_INIT;

	memcpy(head.name, mk->name, sizeof(mk->name));
	str_addn(&text, &head, sizeof(head));
	str_addn(&text, made->p, made->len);
	str_addn(&text, mk->stamps.p, mk->stamps.len);
	str_addn(&text, sources->p, sources->len);
	return !text.failed && text.len <= SKELETON_INDEX_MAX &&
	       fd_write_file_at(dir, "index", text.p, text.len, 0600, FD_WRITE_PLAIN,
				NULL) == 0;
}

static bool fill(struct make *mk, int dir, const struct str *made)
{
	auto_str sources = STR_INIT;
	char own[64];
	bool done = write_made(mk, made);

	for (size_t i = 0; done && i < default_etc_n_shown; i++)
		done = take_source(mk, default_etc_shown[i]);
	sources = mk->stamps;
	mk->stamps = STR_INIT;
	(void)snprintf(own, sizeof(own), SKELETON_DIR "/%s/etc", mk->name);
	return done && stamp_own(mk, own, 0) && write_index(mk, made, dir, &sources);
}

/* From here on it is the one that is used: all of it is on the disk, if it is on one. */
static bool publish(const struct make *mk, int top)
{
	if (syncfs(top) < 0)
		return false;
	(void)unlinkat(top, "new", 0);
	return symlinkat(mk->name, top, "new") == 0 &&
	       renameat(top, "new", top, "now") == 0;
}

static bool is_name(const char *s)
{
	return strlen(s) == SKELETON_NAME - 1 &&
	       strspn(s, "0123456789abcdef") == SKELETON_NAME - 1;
}

/* One that nobody uses, and nobody can come to use. */
static void remove_one(int top, const char *name)
{
	char path[SKELETON_NAME + 8];
	auto_fd index = -1;

	(void)snprintf(path, sizeof(path), "%s/index", name);
	index = openat(top, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (index >= 0 && flock(index, LOCK_EX | LOCK_NB) < 0)
		return;
	if (index < 0 && errno != ENOENT)
		return;
	if (index < 0 || unlinkat(top, path, 0) == 0)
		(void)rmtree_at(top, name, NULL);
}

static void sweep(int top)
{
	int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	char now[SKELETON_NAME + 1] = "";

	if (readlinkat(top, "now", now, sizeof(now) - 1) < 0)
		now[0] = '\0';
	while (dir && (de = readdir(dir)))
		if (is_name(de->d_name) && !streq(de->d_name, now))
			remove_one(top, de->d_name);
	if (dir)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
}

static bool make_in(struct make *mk, int top, const struct str *made)
{
	auto_fd dir = -1, etc = -1;
	uint8_t random[(SKELETON_NAME - 1) / 2];
	bool done;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(mk->name + 2 * i, 3, "%02x", random[i]);
	if (mkdirat(top, mk->name, 0700) < 0)
		return false;
	dir = openat(top, mk->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && mkdirat(dir, "etc", 0755) == 0 &&
	    fchmodat(dir, "etc", 0755, 0) == 0)
		etc = openat(dir, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mk->etc = etc;
	done = etc >= 0 && fill(mk, dir, made) && publish(mk, top);
	if (!done)
		(void)rmtree_at(top, mk->name, NULL);
	return done;
}

/* What failed is not tried again by every start. */
static bool failed_lately(int lock, time_t now)
{
	struct stat st;

	return fstat(lock, &st) < 0 ||
	       (st.st_size > 0 && now - st.st_mtim.tv_sec < AGAIN_AFTER_S &&
		now >= st.st_mtim.tv_sec);
}

bool skeleton_make(int rundir, const struct str *made)
{
	struct make mk = { .rundir = rundir, .now = time(NULL) };
	auto_fd top = -1, lock = -1;
	bool done;

	if (!can_be_made(&mk) ||
	    (mkdirat(rundir, SKELETON_DIR, 0700) < 0 && errno != EEXIST))
		return false;
	top = openat(rundir, SKELETON_DIR,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	lock = top < 0 ? -1 :
			 openat(top, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0 || failed_lately(lock, mk.now))
		return false;
	sweep(top);
	done = make_in(&mk, top, made);
	(void)!ftruncate(lock, 0);
	if (!done && !mk.unsettled)
		(void)!write(lock, "x", 1);
	str_fini(&mk.stamps);
	return done;
}
