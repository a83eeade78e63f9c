/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Init, alone in a fresh copy of the host's mount namespace, with capabilities in its
 * own user namespace only. All sources are already detached mounts (source.c). Then:
 *
 *	one "pool" (a tmpfs) is attached over a directory of the host's tree, which goes
 *	    away as a whole in the end, and the new root in it
 *	every mount of the spec in its order: its target is found, or made where the
 *	    file system is ours, and the detached mount moved onto it
 *	what must be read-only in the end is made so
 *	pivot_root, and the host's tree is detached
 *
 * Targets lie partly in granted directories, so their content is hostile: a target is
 * looked up without following any symbolic link, beneath the new root, and is made only
 * on our own tmpfs: Polder never makes a mount point on the host. Until the first grant
 * is attached everything below the new root is our own making, and targets are simply
 * made by name (own_ground): that is most of them, on the path that every start takes.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sandbox/sandbox-internal.h"

/* The first of these that is there is covered, in init's own namespace only. Sources of a
 * spec that had an outline are opened after that: none lies in the first. */
static const char *const pool_at[] = { SANDBOX_COVERS, "/usr" };
#define NEW_ROOT_AT "root" /* in the pool */

#define TERMINALS_MAX "256"

#define BENEATH (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int new_tmpfs(uint64_t size, uint32_t mode, int *ret_fd, struct err *err)
{
	auto_fd fs = sys_fsopen("tmpfs");
	char text[32];
	int r = fs < 0 ? fs : 0;

	(void)snprintf(text, sizeof(text), "%o", mode ? mode : 0755);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", text, 0);
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
	if (r == 0 && size)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "size", text, 0);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == 0)
		r = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (r < 0)
		return err_neg(err, r, "cannot make a tmpfs");
	*ret_fd = r;
	return 0;
}

static void remember_ours(struct root *b, int fd)
{
	struct stat st;

	if (b->n_ours < ARRAY_LEN(b->ours) && fstat(fd, &st) == 0)
		b->ours[b->n_ours++] = st.st_dev;
}

static bool is_ours(const struct root *b, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < b->n_ours; i++)
		if (b->ours[i] == st.st_dev)
			return true;
	return false;
}

static int lookup(const struct root *b, const char *path)
{
	return sys_openat2(b->top, path[1] ? path + 1 : ".",
			   O_PATH | O_CLOEXEC | O_NOFOLLOW, 0, BENEATH);
}

/* The directory of path and its last part; makes what is missing on our own tmpfs. */
static int parent_of(struct root *b, const char *path, int *ret_fd, const char **ret_leaf,
		     struct err *err);

/* The same where something is to be made: never on the host. */
static int own_parent_of(struct root *b, const char *path, int *ret_fd,
			 const char **ret_leaf, struct err *err)
{
	int r = parent_of(b, path, ret_fd, ret_leaf, err);

	if (r != 0 || is_ours(b, *ret_fd))
		return r;
	return err_set(err, -ENOENT,
		       "'%s' is not there inside, and Polder makes no mount point in the "
		       "host's own directory: make it first",
		       path);
}

static int make_dir(struct root *b, const char *path, uint32_t mode, int *ret_fd,
		    struct err *err)
{
	auto_fd parent = -1;
	const char *leaf;
	int r, fd = lookup(b, path);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd != -ENOENT)
		return err_neg(err, fd, "cannot use '%s' inside%s", path,
			       fd == -ELOOP ? " (a symbolic link is on the way)" : "");
	r = own_parent_of(b, path, &parent, &leaf, err);
	if (r != 0)
		return r;
	r = sys_mkdirat(parent, leaf, mode ? mode : 0755);
	if (r == 0)
		r = sys_openat2(parent, leaf, O_PATH | O_CLOEXEC | O_NOFOLLOW, 0,
				BENEATH);
	if (r < 0)
		return err_neg(err, r, "cannot make '%s' inside", path);
	*ret_fd = r;
	return 0;
}

static int parent_of(struct root *b, const char *path, int *ret_fd, const char **ret_leaf,
		     struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];

	*ret_leaf = slash + 1;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return make_dir(b, *dir ? dir : "/", 0, ret_fd, err);
}

/* An empty file to mount on. */
static int make_file_target(struct root *b, const char *path, int *ret_fd,
			    struct err *err)
{
	auto_fd parent = -1, made = -1;
	const char *leaf;
	int r = lookup(b, path);

	if (r >= 0) {
		*ret_fd = r;
		return 0;
	}
	if (r != -ENOENT)
		return err_neg(err, r, "cannot use '%s' inside", path);
	r = own_parent_of(b, path, &parent, &leaf, err);
	if (r != 0)
		return r;
	made = sys_openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0444);
	if (made < 0)
		return err_neg(err, made, "cannot make '%s' inside", path);
	*ret_fd = TAKE_FD(made);
	return 0;
}

/* The directories that path lies in; what is there already stays. */
static void make_way(struct root *b, const char *path)
{
	char part[4096];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path - 1), path + 1);
		(void)sys_mkdirat(b->top, part, 0755);
	}
}

/* True if path leads through a link that we have made, or will make. */
static bool through_link(const struct root *b, const char *path)
{
	for (size_t i = 0; i < b->spec->n_mounts; i++) {
		const struct spec_mount *m = &b->spec->mounts[i];
		size_t n = strlen(m->dst);

		if (m->kind == SPEC_MOUNT_SYMLINK && strncmp(path, m->dst, n) == 0 &&
		    path[n] == '/')
			return true;
	}
	return false;
}

/* A file or directory by its name, its parents too. */
static int make_by_name(struct root *b, const char *path, bool is_file, uint32_t mode,
			struct err *err)
{
	auto_fd parent = -1;
	const char *leaf;
	long r = -ENOENT;

	for (int tries = 0; tries < 2 && r == -ENOENT; tries++) {
		if (tries > 0 && !through_link(b, path))
			make_way(b, path);
		else if (tries > 0 && (r = parent_of(b, path, &parent, &leaf, err)) != 0)
			return (int)r;
		r = is_file ? SYS4(SYS_mknodat, b->top, path + 1, S_IFREG | 0444, 0) :
			      sys_mkdirat(b->top, path + 1, mode ? mode : 0755);
	}
	return r < 0 && r != -EEXIST ?
		       err_neg(err, (int)r, "cannot make '%s' inside", path) :
		       0;
}

static int attach(struct root *b, const struct spec_mount *m, int mount_fd, bool is_file,
		  struct err *err)
{
	auto_fd target = -1;
	struct stat st;
	int r;

	b->own_ground &= !(m->flags & SPEC_MOUNT_GRANT) && m->kind != SPEC_MOUNT_ENV;
	if (b->own_ground) {
		r = make_by_name(b, m->dst, is_file, 0, err);
		if (r == 0)
			r = sys_move_mount(mount_fd, b->top, m->dst + 1);
		return r < 0 ? err_neg(err, r, "cannot mount on '%s' inside", m->dst) : r;
	}
	r = is_file ? make_file_target(b, m->dst, &target, err) :
		      make_dir(b, m->dst, 0, &target, err);

	if (r != 0)
		return r;
	if (fstat(target, &st) == 0 && S_ISDIR(st.st_mode) == is_file)
		return err_set(err, PE_USAGE,
			       "'%s' inside is %s directory, and what is granted "
			       "there is %s",
			       m->dst, is_file ? "a" : "no",
			       is_file ? "a file" : "a directory");
	r = sys_move_mount(mount_fd, target, "");
	return r < 0 ? err_neg(err, r, "cannot mount on '%s' inside", m->dst) : 0;
}

/* ---- one function for each kind ---- */

static int put_source(struct root *b, struct spec_mount *m, struct err *err)
{
	if (m->fd < 0)
		return 0; /* optional, and not there on the host */
	return attach(b, m, m->fd,
		      (m->flags & SPEC_MOUNT_IS_FILE) || m->kind != SPEC_MOUNT_BIND, err);
}

static int shadow(struct root *b, struct spec_mount *m, int *ret_tree, struct err *err)
{
	auto_fd context = -1;
	int r = source_shadow(m, b->empty, ret_tree, &context, err);

	if (r == PE_REFUSED && (m->flags & SPEC_MOUNT_WEAKER))
		r = source_plain(m, ret_tree, err);
	sys_close(m->fd);
	m->fd = TAKE_FD(context); /* init hands it to the tender */
	return r;
}

/* Root's are detached, idmapped mounts: a layer must be attached somewhere. */
static int attach_layer(struct root *b, const struct spec_mount *m, struct err *err)
{
	char name[16];
	int r;

	if (!(b->spec->flags & IDS_FOREIGN))
		return 0;
	(void)snprintf(name, sizeof(name), "%u", b->next++);
	r = sys_mkdirat(b->pool, name, 0700);
	if (r == 0)
		r = sys_move_mount(m->fd, b->pool, name);
	return r < 0 ? err_neg(err, r, "cannot use '%s' as a layer", m->src) : 0;
}

static int put_shadow(struct root *b, struct spec_mount *m, struct err *err)
{
	auto_fd tree = -1;
	int r = shadow(b, m, &tree, err);

	return r != 0 ? r : attach(b, m, tree, false, err);
}

static int put_env(struct root *b, struct spec_mount *m, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				   .propagation = MS_PRIVATE };
	int r;

	if (m->flags & SPEC_MOUNT_RO)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	r = sys_mount_setattr(m->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	if (r < 0)
		return err_neg(err, r, "cannot restrict what is mounted on '%s'", m->dst);
	r = attach(b, m, m->fd, m->flags & SPEC_MOUNT_IS_FILE, err);
	if (r != 0 || !(m->flags & SPEC_MOUNT_RO) || (m->flags & SPEC_MOUNT_IS_FILE))
		return r;
	/* Its sockets and FIFOs are cut off as well; what is attached can be a layer. */
	sys_close(m->fd);
	m->kind = SPEC_MOUNT_SHADOW;
	m->fd = lookup(b, m->dst);
	if (m->fd < 0)
		return err_neg(err, m->fd, "cannot find '%s' inside", m->dst);
	return put_shadow(b, m, err);
}

static int put_host_shadow(struct root *b, struct spec_mount *m, struct err *err)
{
	int r = attach_layer(b, m, err);

	return r != 0 ? r : put_shadow(b, m, err);
}

/* A directory of the pool as a mount of its own. */
static int pool_dir(struct root *b, uint32_t mode, unsigned flags, int *ret_fd,
		    struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOEXEC };
	auto_fd tree = -1;
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "%u", b->next++);
	r = sys_mkdirat(b->pool, name, mode ? mode : 0755);
	if (r == 0)
		r = tree =
			sys_open_tree(b->pool, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0 && (flags & SPEC_MOUNT_NOEXEC)) /* the rest is the pool's already */
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r < 0)
		return err_neg(err, r, "cannot make a scratch directory");
	*ret_fd = TAKE_FD(tree);
	return 0;
}

static int put_scratch(struct root *b, struct spec_mount *m, struct err *err)
{
	auto_fd tree = -1;
	int r = m->size ? new_tmpfs(m->size, m->mode, &tree, err) :
			  pool_dir(b, m->mode, m->flags, &tree, err);

	return r != 0 ? r : attach(b, m, tree, false, err);
}

static int put_dir(struct root *b, struct spec_mount *m, struct err *err)
{
	auto_fd fd = -1;

	return b->own_ground ? make_by_name(b, m->dst, false, m->mode, err) :
			       make_dir(b, m->dst, m->mode, &fd, err);
}

/* Where a new name goes: beside what exists. *owned is the parent to be closed. */
static int new_name(struct root *b, const char *path, int *owned, int *ret_dir,
		    const char **ret_leaf, struct err *err)
{
	size_t dir_len = (size_t)(strrchr(path, '/') - path);
	int r;

	*ret_dir = b->top;
	*ret_leaf = path + 1;
	if (b->own_ground && (dir_len == 0 || (strlen(b->known) == dir_len &&
					       strncmp(b->known, path, dir_len) == 0)))
		return 0;
	r = parent_of(b, path, owned, ret_leaf, err);
	*ret_dir = *owned;
	if (r == 0 && dir_len < sizeof(b->known))
		(void)snprintf(b->known, sizeof(b->known), "%.*s", (int)dir_len, path);
	return r;
}

static int write_file(int dir, const char *leaf, const struct spec_mount *m)
{
	auto_fd fd = sys_openat(dir, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
				m->mode ? m->mode : 0644);
	long r = fd < 0 ? fd : 0;

	for (size_t done = 0; r >= 0 && done < m->data_len; done += (size_t)r)
		r = sys_write(fd, (const char *)m->data + done, m->data_len - done);
	return r < 0 ? (int)r : 0;
}

/* A file of the pool, mounted read-only on one that is there. */
static int put_file_over(struct root *b, struct spec_mount *m, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };
	auto_fd tree = -1;
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "%u", b->next++);
	r = write_file(b->pool, name, m);
	if (r == 0)
		r = tree =
			sys_open_tree(b->pool, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0)
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r < 0)
		return err_neg(err, r, "cannot make '%s' inside", m->dst);
	return attach(b, m, tree, true, err);
}

static int put_file(struct root *b, struct spec_mount *m, struct err *err)
{
	auto_fd owned = -1;
	const char *leaf;
	int dir, r;

	if (m->flags & SPEC_MOUNT_OVER)
		return put_file_over(b, m, err);
	r = new_name(b, m->dst, &owned, &dir, &leaf, err);
	if (r != 0)
		return r;
	if (owned >= 0 && !is_ours(b, owned))
		return m->flags & SPEC_MOUNT_OPTIONAL ?
			       0 :
			       err_set(err, -EROFS, "'%s' would be written on the host",
				       m->dst);
	r = write_file(dir, leaf, m);
	return r < 0 ? err_neg(err, r, "cannot make '%s' inside", m->dst) : 0;
}

static int put_symlink(struct root *b, struct spec_mount *m, struct err *err)
{
	auto_fd owned = -1;
	const char *leaf;
	int dir, r = new_name(b, m->dst, &owned, &dir, &leaf, err);

	if (r != 0 || (owned >= 0 && !is_ours(b, owned)))
		return r;
	r = (int)SYS3(SYS_symlinkat, m->src, dir, leaf);
	return r < 0 && r != -EEXIST ?
		       err_neg(err, r, "cannot make the link '%s' inside", m->dst) :
		       0;
}

static int put_fs(struct root *b, struct spec_mount *m, const char *type, uint64_t attrs,
		  struct err *err)
{
	auto_fd fs = sys_fsopen(type), tree = -1;
	int r = fs < 0 ? fs : 0;

	if (r == 0 && m->kind == SPEC_MOUNT_DEVPTS)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "ptmxmode", "0666", 0);
	if (r == 0 && m->kind == SPEC_MOUNT_DEVPTS) /* of the machine's few thousand */
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "max", TERMINALS_MAX, 0);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == 0)
		r = tree = sys_fsmount(fs, (unsigned)attrs);
	if (r == -EPERM && m->kind == SPEC_MOUNT_PROC)
		return err_set(
			err, PE_REFUSED,
			"this kernel lets nobody mount a /proc of his own "
			"while the host's is partly covered, as it is in most "
			"containers; "
			"run Polder outside of the container, or start that one with an "
			"unmasked /proc (podman: --security-opt unmask=ALL)");
	if (r < 0)
		return err_neg(err, r, "cannot make a %s for the environment", type);
	return attach(b, m, tree, false, err);
}

/* /proc/sys would let the owner of a network namespace write some of it. */
static int protect_proc_sys(struct root *b, const char *proc, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	char path[64];
	auto_fd tree = -1;
	int r;

	(void)snprintf(path, sizeof(path), "%s/sys", proc + 1);
	r = tree = sys_open_tree(b->top, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0)
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r >= 0)
		r = sys_move_mount(tree, b->top, path);
	return r < 0 ? err_neg(err, r, "cannot make /proc/sys read-only") : 0;
}

static int put_proc(struct root *b, struct spec_mount *m, struct err *err)
{
	int r = put_fs(b, m, "proc",
		       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);

	return r != 0 ? r : protect_proc_sys(b, m->dst, err);
}

static int put_devpts(struct root *b, struct spec_mount *m, struct err *err)
{
	return put_fs(b, m, "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
}

/* An empty, read-only directory or file over what is there. */
static int put_mask(struct root *b, struct spec_mount *m, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	auto_fd target = lookup(b, m->dst), tree = -1, made = -1;
	struct stat st;
	int r;

	if (target == -ENOENT)
		return 0;
	if (target < 0)
		return err_neg(err, target, "cannot cover '%s'", m->dst);
	if (fstat(target, &st) < 0)
		return err_sys(err, "cannot cover '%s'", m->dst);
	if (!S_ISDIR(st.st_mode) && !b->made_empty_file) {
		made = sys_openat(b->pool, "empty-file", O_WRONLY | O_CREAT, 0);
		b->made_empty_file = made >= 0;
	}
	r = tree = sys_open_tree(b->pool, S_ISDIR(st.st_mode) ? "empty" : "empty-file",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (r >= 0)
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r >= 0)
		r = sys_move_mount(tree, target, "");
	return r < 0 ? err_neg(err, r, "cannot cover '%s'", m->dst) : 0;
}

/* Bound, but nobody listens: connect() gives ECONNREFUSED. */
static int put_deadsock(struct root *b, struct spec_mount *m, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_fd parent = -1, sock = -1;
	const char *leaf;
	int n, r = parent_of(b, m->dst, &parent, &leaf, err);

	if (r != 0)
		return r;
	if (!is_ours(b, parent))
		return err_set(err, -EROFS,
			       "'%s' would be made on the host: bind the null socket "
			       "elsewhere",
			       m->dst);
	n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", parent,
		     leaf);
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "'%s' is too long for a socket's name",
			       leaf);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, "cannot make the null socket '%s'", m->dst);
	return fchmodat(parent, leaf, 0666, 0) < 0 ?
		       err_sys(err, "cannot open the null socket '%s' to all", m->dst) :
		       0;
}

static int (*const put[])(struct root *, struct spec_mount *, struct err *) = {
	[SPEC_MOUNT_BIND] = put_source,     [SPEC_MOUNT_SHADOW] = put_host_shadow,
	[SPEC_MOUNT_SOCKET] = put_source,   [SPEC_MOUNT_DEVICE] = put_source,
	[SPEC_MOUNT_SCRATCH] = put_scratch, [SPEC_MOUNT_DIR] = put_dir,
	[SPEC_MOUNT_FILE] = put_file,       [SPEC_MOUNT_SYMLINK] = put_symlink,
	[SPEC_MOUNT_PROC] = put_proc,       [SPEC_MOUNT_DEVPTS] = put_devpts,
	[SPEC_MOUNT_MASK] = put_mask,       [SPEC_MOUNT_DEADSOCK] = put_deadsock,
	[SPEC_MOUNT_ENV] = put_env,
};
static_assert(ARRAY_LEN(put) == SPEC_MOUNT_KIND_COUNT, "one function for each kind");

/* ---- the whole ---- */

static int make_pool(struct root *b, struct err *err)
{
	int r = new_tmpfs(0, 0755, &b->pool, err);

	if (r != 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < ARRAY_LEN(pool_at); i++)
		r = sys_move_mount(b->pool, AT_FDCWD, pool_at[i]);
	if (r < 0)
		return err_neg(err, r, "cannot mount over '%s'", pool_at[0]);
	remember_ours(b, b->pool);
	r = sys_mkdirat(b->pool, "empty", 0555);
	if (r == 0)
		r = b->empty = sys_openat(b->pool, "empty", O_PATH | O_DIRECTORY, 0);
	return r < 0 ? err_neg(err, r, "cannot make the empty directory") : 0;
}

static int make_root(struct root *b, struct spec_mount *m, struct err *err)
{
	int r;

	if (!(m->flags & SPEC_MOUNT_ROOT) || !streq(m->dst, "/"))
		return err_set(err, PE_BAD, "spec: the first mount must be the root");
	if (m->kind == SPEC_MOUNT_SHADOW) {
		r = attach_layer(b, m, err);
		return r != 0 ? r : shadow(b, m, &b->top, err);
	}
	if (m->kind != SPEC_MOUNT_SCRATCH) {
		b->top = TAKE_FD(m->fd);
		return 0;
	}
	r = m->size ? new_tmpfs(m->size, 0755, &b->top, err) :
		      pool_dir(b, 0755, 0, &b->top, err);
	if (r == 0 && m->size)
		remember_ours(b, b->top);
	b->own_ground = r == 0;
	return r;
}

int root_begin(struct root *ret, struct spec *s, struct err *err)
{
	struct root *b = ret;
	int r;

	*b = (struct root){ .top = -1, .pool = -1, .empty = -1, .spec = s };
	r = make_pool(b, err);
	if (r == 0)
		r = make_root(b, &s->mounts[0], err);
	if (r != 0)
		return r;
	r = sys_mkdirat(b->pool, NEW_ROOT_AT, 0755);
	if (r == 0)
		r = sys_move_mount(b->top, b->pool, NEW_ROOT_AT);
	return r < 0 ? err_neg(err, r, "cannot mount the new root") :
		       root_add(b, s, 1, err);
}

int root_add(struct root *b, struct spec *s, size_t from, struct err *err)
{
	int r = 0;

	b->spec = s;
	for (size_t i = from; r == 0 && i < s->n_mounts; i++)
		r = put[s->mounts[i].kind](b, &s->mounts[i], err);
	return r;
}

/* The read-only flag of what had to be filled first. */
static int finish_read_only(struct root *b, struct err *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	for (size_t i = b->spec->n_mounts; i-- > 0;) {
		const struct spec_mount *m = &b->spec->mounts[i];
		auto_fd fd = -1;
		int r;

		if (m->kind != SPEC_MOUNT_SCRATCH || !(m->flags & SPEC_MOUNT_RO))
			continue;
		fd = lookup(b, m->dst);
		r = fd < 0 ? fd : sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
		if (r < 0)
			return err_neg(err, r, "cannot make '%s' read-only", m->dst);
	}
	return 0;
}

static int pivot(struct root *b, struct err *err)
{
	auto_fd old = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	long r = old < 0 ? old : SYS1(SYS_fchdir, b->top);

	if (r == 0)
		r = SYS2(SYS_pivot_root, ".", ".");
	if (r == 0)
		r = SYS1(SYS_fchdir, old);
	if (r == 0)
		r = SYS2(SYS_umount2, ".", MNT_DETACH);
	if (r == 0)
		r = SYS1(SYS_chdir, "/");
	return r < 0 ? err_neg(err, (int)r, "cannot enter the new root") : 0;
}

int root_enter(struct root *b, struct spec *s, struct err *err)
{
	int r;

	b->spec = s;
	r = finish_read_only(b, err);
	if (r == 0)
		r = pivot(b, err);
	sys_close(b->empty);
	sys_close(b->pool);
	sys_close(b->top);
	return r;
}
