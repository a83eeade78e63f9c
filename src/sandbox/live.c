/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * /dev/fuse must be opened by somebody whose user namespace is the mount's, and lies on the
 * host: so the child joins the user namespace, opens it, and only then joins the mount
 * namespace. From there on the host's files are out of its reach, and it has no more of the
 * tender's than the channel.
 *
 * What the program may do meanwhile: rename, replace and link in every directory that it
 * may write. A place is therefore held by descriptor from the look at it to the mount on it,
 * and what is taken away is known by its mount's id, not by its name alone. What protects
 * a directory is put on it while nobody sees it yet, in a mount namespace of the child's own,
 * and comes to its place with it.
 */
#include "sandbox/live.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/fuse.h"
#include "sandbox/sandbox-internal.h"

#define PATIENCE_S 5
#define STATX_MOUNT 0x1000u /* STATX_MNT_ID: at 0x90 */
#define BENEATH (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* From the child: how it went, and what is to be known. */
struct word {
	int32_t result;
	uint64_t mount;
	char text[400];
};

/* ---- in the child ---- */

static void say(int chan, int r, const struct err *err, uint64_t mount, int fd)
{
	struct word w = { .result = r, .mount = mount };

	(void)snprintf(w.text, sizeof(w.text), "%.*s", (int)sizeof(w.text) - 1,
		       err->text);
	(void)fd_send(chan, &w, sizeof(w), &fd, fd >= 0, NULL);
}

static int enter(const struct live_env *e, int *ret_devfuse, struct err *err)
{
	int r = ns_join(e->nsfds, CLONE_NEWUSER);

	if (r == 0 && ret_devfuse) {
		r = *ret_devfuse = sys_openat(AT_FDCWD, "/dev/fuse", O_RDWR, 0);
		if (r < 0)
			return err_set(
				err, PE_REFUSED,
				"/dev/fuse cannot be opened (%s): what is granted to a "
				"running environment is served through it; load the "
				"module fuse, or give your user access to it",
				strerror(-r));
	}
	if (r >= 0)
		r = ns_join(e->nsfds, CLONE_NEWNS);
	if (r == 0)
		r = payload_ids(e->flags | (getuid() == 0 ? IDS_FOREIGN : 0), e->uid,
				e->gid);
	(void)SYS1(SYS_umask, 0);
	return r < 0 ? err_neg(err, r, "cannot enter the environment") : 0;
}

static int look_up(const char *path)
{
	return sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, BENEATH);
}

static int look_in(int dir, const char *leaf)
{
	return sys_openat2(dir, leaf, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, BENEATH);
}

static uint64_t mount_of(int fd)
{
	uint64_t x[32] = { 0 }; /* struct statx; not every libc has all of it */

	return SYS5(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MOUNT, x) == 0 ? x[18] : 0;
}

/* Ours is what lies in memory with the root's own directories. */
static bool is_ours(int fd)
{
	struct stat st, root;
	struct statfs fs;

	return fstat(fd, &st) == 0 && stat("/", &root) == 0 && st.st_dev == root.st_dev &&
	       statfs("/", &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static int make_in(int dir, const char *leaf, bool is_file)
{
	return is_file ? (int)SYS4(SYS_mknodat, dir, leaf, S_IFREG | 0444, 0) :
			 sys_mkdirat(dir, leaf, 0755);
}

/* The root is read-only for those inside; a mount of it that is nobody's is not. */
static int make_read_only_too(int dir, const char *leaf, bool is_file)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	auto_fd tree = -1;
	int r = make_in(dir, leaf, is_file);

	if (r != -EROFS)
		return r;
	r = tree = sys_open_tree(dir, "",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (r >= 0)
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	return r < 0 ? r : make_in(tree, leaf, is_file);
}

static int find_place(const char *path, bool is_file, int *ret_fd, struct err *err);

static int make_place(const char *path, bool is_file, int *ret_fd, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_fd dir = -1;
	char parent[4096];
	int r;

	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	r = find_place(*parent ? parent : "/", false, &dir, err);
	if (r != 0)
		return r;
	if (!is_ours(dir))
		return err_set(
			err, PE_REFUSED,
			"'%s' is not there inside, and Polder makes no mount point "
			"in the host's own directory: make it first",
			path);
	r = make_read_only_too(dir, slash + 1, is_file);
	if (r == 0)
		r = sys_openat2(dir, slash + 1, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0,
				BENEATH);
	if (r < 0)
		return err_neg(err, r, "cannot make '%s' inside", path);
	*ret_fd = r;
	return 0;
}

static int find_place(const char *path, bool is_file, int *ret_fd, struct err *err)
{
	auto_fd fd = look_up(path);
	struct stat st;

	if (fd == -ENOENT)
		return make_place(path, is_file, ret_fd, err);
	if (fd < 0)
		return err_neg(err, fd, "cannot use '%s' inside%s", path,
			       fd == -ELOOP ? " (a symbolic link is on the way)" : "");
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot examine '%s' inside", path);
	if (S_ISDIR(st.st_mode) == is_file)
		return err_set(
			err, PE_USAGE,
			"'%s' inside is %s directory, and what is granted there is "
			"%s",
			path, is_file ? "a" : "no", is_file ? "a file" : "a directory");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* An empty, read-only directory or file, as a mount. */
static int new_nothing(bool is_file, int *ret_fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_fd fs = sys_fsopen("tmpfs"), top = -1, tree = -1;
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "555", 0);

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == 0)
		r = top = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						  MOUNT_ATTR_NOEXEC);
	if (r >= 0 && is_file)
		r = make_in(top, "file", true);
	if (r >= 0)
		r = tree = sys_open_tree(top, is_file ? "file" : ".",
					 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0)
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r >= 0)
		*ret_fd = TAKE_FD(tree);
	return r < 0 ? r : 0;
}

/* Mounted on itself it can be neither renamed nor removed. top: of what is served. */
static int cover(const struct live_cover *c, int top, const char *rest, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_fd at = sys_openat2(top, rest, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, BENEATH),
		tree = -1;
	struct stat st;
	int r = at < 0 || fstat(at, &st) < 0 ? -ENOENT : 0;

	if (at == -ENOENT || at == -ELOOP)
		return 0; /* nothing, or a link, which leads nowhere new */
	if (r == 0 && c->mask) {
		r = new_nothing(!S_ISDIR(st.st_mode), &tree);
	} else if (r == 0) {
		r = tree = sys_open_tree(
			at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
		if (r >= 0 && c->read_only)
			r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	}
	if (r >= 0)
		r = sys_move_mount(tree, at, "");
	return r < 0 ? err_neg(err, r, "cannot protect '%s'", c->path) : 0;
}

/* The rest of path below what is mounted on `on`; NULL: it does not lie there. */
static const char *below(const char *path, const char *on)
{
	size_t n = strlen(on);

	return strncmp(path, on, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* What is served, with all that protects it, before anybody sees it: in a mount namespace
 * that is ours alone. *ret_tree is attached to nothing. */
static int protect(const struct live_env *e, const struct live_mount *m, int mount,
		   int *ret_tree, struct err *err)
{
	auto_fd tree = -1;
	int r = (int)SYS1(SYS_unshare, CLONE_NEWNS);

	if (r == 0)
		r = sys_move_mount(mount, AT_FDCWD, "/");
	if (r < 0)
		return err_neg(err, r, "cannot protect '%s'", m->path);
	for (size_t i = 0; i < m->n_covers; i++) {
		const char *rest = below(m->covers[i].path, m->path);

		r = rest ? cover(&m->covers[i], mount, rest, err) :
			   err_set(err, -EINVAL, "cannot protect '%s'",
				   m->covers[i].path);
		if (r != 0)
			return r;
	}
	tree = sys_open_tree(mount, "",
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
				     AT_EMPTY_PATH);
	r = tree < 0 ? tree : ns_join(e->nsfds, CLONE_NEWNS);
	if (r < 0)
		return err_neg(err, r, "cannot protect '%s'", m->path);
	*ret_tree = TAKE_FD(tree);
	return 0;
}

/* What a cut has left at a place: its errors. */
static void clear_place(const char *path)
{
	const char *leaf = strrchr(path, '/') + 1;
	auto_fd dir = -1, at = -1;
	char parent[4096];
	struct stat st;

	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(leaf - path), path);
	dir = look_up(parent);
	at = dir < 0 ? dir : look_in(dir, leaf);
	if (at < 0 || fstat(at, &st) == 0 || errno != ENOTCONN ||
	    SYS1(SYS_fchdir, dir) < 0)
		return;
	(void)SYS2(SYS_umount2, leaf, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void)SYS1(SYS_chdir, "/");
}

static int attach(const struct live_env *e, const struct live_mount *m, int mount,
		  uint64_t *ret_id, struct err *err)
{
	auto_fd place = -1, tree = -1;
	struct stat st;
	int r = 0;

	/* The kernel learns whose the root is. */
	if (fstat(mount, &st) < 0)
		return err_sys(err, "what serves '%s' does not answer", m->path);
	if (m->n_covers > 0)
		r = protect(e, m, mount, &tree, err);
	if (r == 0) {
		clear_place(m->path);
		r = find_place(m->path, m->is_file, &place, err);
	}
	if (r != 0)
		return r;
	r = sys_move_mount(tree < 0 ? mount : tree, place, "");
	if (r < 0)
		return err_neg(err, r, "cannot mount on '%s' inside", m->path);
	*ret_id = mount_of(tree < 0 ? mount : tree);
	return 0;
}

/* Of the tender's descriptors those that are still needed. */
static int keep_fds(const struct live_env *e, int chan, int mount)
{
	int keep[2 + SANDBOX_NS_MAX] = { chan, mount }, n = 2;

	for (size_t i = 0; i < SANDBOX_NS_MAX; i++)
		if (e->nsfds[i] >= 0)
			keep[n++] = e->nsfds[i];
	for (int i = 1; i < n; i++) /* they are few */
		for (int j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			int k = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = k;
		}
	return fd_close_but(keep, (size_t)n);
}

_Noreturn static void door(const struct live_env *e, const struct live_mount *m, int chan)
{
	struct err err = ERR_INIT;
	auto_fd devfuse = -1, mount = -1;
	uint64_t id = 0;
	size_t len = 0;
	char go;
	int r;

	r = enter(e, &devfuse, &err);
	if (r == 0)
		r = fuse_mount_new(devfuse, m->read_only, m->is_file, &mount, &err);
	say(chan, r, &err, 0, r == 0 ? devfuse : -1);
	(void)close(TAKE_FD(devfuse)); /* its last copy but the server's */
	if (r == 0)
		(void)keep_fds(e, chan, mount);
	if (r != 0 || fd_recv(chan, &go, 1, &len, NULL, 0, NULL, NULL) != 0 || len != 1)
		sys_exit(0);
	r = attach(e, m, mount, &id, &err);
	say(chan, r, &err, id, -1);
	sys_exit(0);
}

/* Whether somebody has put such a thing there already. */
static bool is_nothing(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	       (fs.f_flags & ST_RDONLY) && (fs.f_flags & ST_NOEXEC) &&
	       fstat(fd, &st) == 0 &&
	       (st.st_mode & 0777) == (S_ISDIR(st.st_mode) ? 0555 : 0444);
}

/*
 * All of it is done in the one directory that was found. A mount point cannot be renamed or
 * removed, and nobody inside can mount: so what was looked at is what is taken.
 */
static int take_away(const char *path, uint64_t mount, const struct live_root *was,
		     struct err *err)
{
	const char *leaf = strrchr(path, '/') + 1;
	auto_fd dir = -1, at = -1, tree = -1;
	char parent[4096];
	struct stat st;
	int r;

	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(leaf - path), path);
	dir = look_up(parent);
	at = dir < 0 ? dir : look_in(dir, leaf);
	if (mount && (at < 0 || mount_of(at) != mount))
		return 0; /* it went with what it lay in, or was moved out of the way */
	if (!mount && (at < 0 || mount_of(at) == mount_of(dir) ||
		       (was->ino && (fstat(at, &st) < 0 || st.st_dev != was->dev ||
				     st.st_ino != was->ino))))
		return err_set(err, PE_REFUSED,
			       "'%s' is not there any more: the program has moved a "
			       "directory above it, and still holds it; only its end "
			       "takes it away (--kill)",
			       path);
	(void)close(TAKE_FD(at));
	r = (int)SYS1(SYS_fchdir, dir);
	if (r == 0)
		r = (int)SYS2(SYS_umount2, leaf, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (r < 0)
		return err_neg(err, r, "cannot take '%s' away", path);
	at = look_in(dir, leaf);
	if (at < 0 || is_ours(at) || is_nothing(at) || fstat(at, &st) < 0)
		return 0;
	r = new_nothing(!S_ISDIR(st.st_mode), &tree);
	if (r == 0)
		r = sys_move_mount(tree, at, "");
	return r < 0 ? err_neg(err, r, "cannot cover '%s'", path) : 0;
}

/* ---- in the tender ---- */

static int begin(struct live_door *d, struct err *err)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a channel");
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	d->pid = (pid_t)fork_with(0);
	if (d->pid == 0) {
		(void)close(pair[0]);
		d->chan = pair[1];
		return 0;
	}
	(void)close(pair[1]);
	d->chan = pair[0];
	if (d->pid > 0)
		return 0;
	(void)close(TAKE_FD(d->chan));
	return err_neg(err, d->pid, "cannot fork");
}

/* sure: it has said its last word, and ends by itself. */
static void end(struct live_door *d, bool sure)
{
	if (d->chan >= 0)
		(void)close(TAKE_FD(d->chan));
	if (d->pid > 0 && !sure)
		(void)kill(d->pid, SIGKILL);
	while (d->pid > 0 && sure && waitpid(d->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	d->pid = 0;
}

void live_close(struct live_door *d)
{
	end(d, false);
}

static int hear(struct live_door *d, const char *path, struct word *w, int *ret_fd,
		struct err *err)
{
	size_t len = 0, n = 0;
	int r = fd_recv(d->chan, w, sizeof(*w), &len, ret_fd, ret_fd ? 1 : 0, &n, NULL);

	if (r == -EAGAIN)
		return err_neg(err, -ETIMEDOUT, "changing '%s' inside", path);
	if (r != 0 || len != sizeof(*w))
		return err_neg(err, r < 0 ? r : -EPROTO, "changing '%s' inside", path);
	w->text[sizeof(w->text) - 1] = '\0';
	return w->result == 0 ? 0 : err_set(err, w->result, "%s", w->text);
}

int live_open(const struct live_env *e, const struct live_mount *m, struct live_door *ret,
	      int *ret_fuse, struct err *err)
{
	struct live_door d = LIVE_DOOR_INIT;
	struct word w;
	int fd = -1, r = begin(&d, err);

	if (r != 0)
		return r;
	if (d.pid == 0)
		door(e, m, d.chan);
	r = hear(&d, m->path, &w, &fd, err);
	if (r == 0 && fd < 0)
		r = err_neg(err, -EPROTO, "changing '%s' inside", m->path);
	if (r != 0) {
		if (fd >= 0)
			(void)close(fd);
		live_close(&d);
		return r;
	}
	*ret = d;
	*ret_fuse = fd;
	return 0;
}

int live_attach(struct live_door *d, uint64_t *ret_mount, struct err *err)
{
	struct word w = { .result = -EPROTO };
	int r = fd_send(d->chan, "", 1, NULL, 0, err);
	bool heard;

	if (r == 0)
		r = hear(d, "a slot", &w, NULL, err);
	heard = r == 0 || w.text[0];
	*ret_mount = w.mount;
	end(d, heard);
	return r;
}

static int detach(const struct live_env *e, const char *path, uint64_t mount,
		  const struct live_root *was, struct err *err)
{
	struct live_door d = LIVE_DOOR_INIT;
	struct word w = { .result = -EPROTO };
	int r = begin(&d, err);

	if (r != 0)
		return r;
	if (d.pid == 0) {
		struct err why = ERR_INIT;

		r = enter(e, NULL, &why);
		if (r == 0)
			r = take_away(path, mount, was, &why);
		say(d.chan, r, &why, 0, -1);
		sys_exit(0);
	}
	r = hear(&d, path, &w, NULL, err);
	end(&d, r == 0 || w.text[0]);
	return r;
}

int live_detach(const struct live_env *e, const char *path, uint64_t mount,
		struct err *err)
{
	return mount ? detach(e, path, mount, NULL, err) : 0;
}

int live_unmount(const struct live_env *e, const char *path, struct live_root was,
		 struct err *err)
{
	return detach(e, path, 0, &was, err);
}
