/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A grant names a path that the command line opened; the environment must get that
 * object and no other. Its tender, or init in its own copy of the mount namespace,
 * resolves the canonical path again without following any symbolic link, and refuses if
 * device, inode or mount differ: whoever swaps a path in between gains a refusal.
 *
 * What is then mounted depends on who started the environment.
 *
 * - An ordinary user. A bind mount carries sockets and FIFOs, and neither "read-only"
 *   nor "nodev" stops a connect() or a write() to them. A read-only directory is
 *   therefore an overlay with one layer: it has inodes of its own, so a socket in it
 *   is bound by nobody and a FIFO is a fresh one, while regular files share the page
 *   cache. An overlay remembers names that it has looked up, so that a file which the
 *   host replaces would stay the old one: the tender keeps the file system's context
 *   and has the kernel forget unused names once a second (sandbox_refresh).
 *
 * - Root. The program runs under another kernel uid, so grants are idmapped mounts,
 *   which can only be made outside the user namespace, by the tender. A read-only one
 *   maps root's uid but no gid: the kernel allows writing to nothing that has an
 *   unmapped owner (inode_permission, HAS_UNMAPPED_ID), sockets and FIFOs included. A
 *   FIFO could still be read, so a directory is the layer of an overlay here, too.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sandbox/sandbox-internal.h"

#define ATTR_BASE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NEVER_ID 4294967294u /* no file has this owner */

static bool kind_as_granted(const struct spec_mount *m, mode_t mode)
{
	if (m->kind == SPEC_MOUNT_SOCKET)
		return S_ISSOCK(mode);
	return m->flags & SPEC_MOUNT_IS_FILE ? S_ISREG(mode) : S_ISDIR(mode);
}

/* The number of a removed inode is given to the next one: its kind counts too. */
static int compare(const struct spec_mount *m, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot examine '%s'", m->src);
	if (((m->dev || m->ino) && (st.st_dev != m->dev || st.st_ino != m->ino)) ||
	    ((m->flags & SPEC_MOUNT_GRANT) && !kind_as_granted(m, st.st_mode)))
		return err_set(err, PE_BAD,
			       "'%s' was replaced while it was being granted: "
			       "refused",
			       m->src);
	return 0;
}

int source_open(const struct spec_mount *m, int *ret_fd, struct err *err)
{
	uint64_t resolve = m->flags & SPEC_MOUNT_GRANT ?
				   RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS :
				   0;
	auto_fd fd = sys_openat2(AT_FDCWD, m->src, O_PATH | O_CLOEXEC, 0, resolve);
	int r;

	if (fd == -ELOOP)
		return err_set(err, PE_BAD,
			       "'%s' was replaced by a symbolic link while it was "
			       "being granted: refused",
			       m->src);
	if (fd < 0)
		return err_neg(err, fd, "cannot open '%s' to grant it", m->src);
	r = compare(m, fd, err);
	if (r != 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static uint64_t attrs(const struct spec_mount *m)
{
	uint64_t a = m->kind == SPEC_MOUNT_DEVICE ? MOUNT_ATTR_NOSUID : ATTR_BASE;

	if (m->flags & SPEC_MOUNT_RO)
		a |= MOUNT_ATTR_RDONLY;
	if (m->flags & SPEC_MOUNT_NOEXEC || m->kind == SPEC_MOUNT_DEVICE)
		a |= MOUNT_ATTR_NOEXEC;
	return a;
}

/* Private, so that a later mount of the host below it does not appear inside. */
static int set_attrs(int tree, uint64_t set, int userns, unsigned recursive)
{
	struct mount_attr attr = { .attr_set = set, .propagation = MS_PRIVATE };

	if (userns >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns;
	}
	return sys_mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attr);
}

static int clone_tree(struct spec_mount *m, int from, const char *path, int userns,
		      struct err *err)
{
	/* An idmapped mount is of one file system: what is mounted below is not carried. */
	unsigned recursive =
		(m->flags & SPEC_MOUNT_IS_FILE) || userns >= 0 ? 0 : AT_RECURSIVE;
	auto_fd tree = sys_open_tree(from, path,
				     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive |
					     (*path ? 0 : AT_EMPTY_PATH));
	int r;

	if (tree < 0)
		return err_neg(err, tree, "cannot grant '%s'", m->src);
	r = set_attrs(tree, attrs(m), userns, recursive);
	if (r == -EINVAL && userns >= 0)
		return err_set(
			err, PE_REFUSED,
			"cannot grant '%s': its file system does not "
			"support idmapped mounts, through which an environment started "
			"by root reaches files; start it as an ordinary user, or move "
			"the files",
			m->src);
	if (r < 0)
		return err_neg(err, r, "cannot restrict the mount of '%s'", m->src);
	m->fd = TAKE_FD(tree);
	return 0;
}

static bool has_source(const struct spec_mount *m)
{
	return m->kind == SPEC_MOUNT_BIND || m->kind == SPEC_MOUNT_SOCKET ||
	       m->kind == SPEC_MOUNT_DEVICE;
}

static int clone_one(struct spec_mount *m, struct err *err)
{
	auto_fd from = -1;
	int r;

	if (!(m->flags & SPEC_MOUNT_GRANT)) {
		r = clone_tree(m, AT_FDCWD, m->src, -1, err);
		return r != 0 || !m->ino ? r : compare(m, m->fd, err);
	}
	r = source_open(m, &from, err);
	return r != 0 ? r : clone_tree(m, from, "", -1, err);
}

int sources_clone(struct spec *s, size_t from, struct err *err)
{
	for (size_t i = from; i < s->n_mounts; i++) {
		struct spec_mount *m = &s->mounts[i];
		int r;

		if (m->fd >= 0)
			continue;
		if (m->kind == SPEC_MOUNT_ENV)
			return err_set(err, PE_BAD,
				       "spec: '%s' of another environment came "
				       "without its descriptor",
				       m->src);
		if (m->kind == SPEC_MOUNT_SHADOW)
			r = source_open(m, &m->fd, err); /* root.c makes the overlay */
		else
			r = has_source(m) ? clone_one(m, err) : 0;
		if (r != 0 && !(r == -ENOENT && (m->flags & SPEC_MOUNT_OPTIONAL)))
			return r;
	}
	return 0;
}

/* The kernel ids under which the files of root (or, for a program that is uid 0 inside,
 * of the first 65536 ids) are seen. A read-only one leaves every group unmapped. */
static int mount_ids(const struct spec *s, bool read_only, int *ret_fd, struct err *err)
{
	struct spec_map uid = s->uid_maps[0], gid = s->gid_maps[0];

	if (!(s->flags & SPEC_ROOT_IDENTITY))
		uid.inside = gid.inside = 0;
	if (read_only)
		gid = (struct spec_map){ NEVER_ID, gid.outside, 1 };
	return ids_userns(&uid, &gid, ret_fd, err);
}

int sources_clone_idmapped(struct spec *s, struct err *err)
{
	auto_fd rw = -1, ro = -1;

	for (size_t i = 0; i < s->n_mounts; i++) {
		struct spec_mount *m = &s->mounts[i];
		bool is_ro = m->kind == SPEC_MOUNT_SHADOW || (m->flags & SPEC_MOUNT_RO);
		int *ids = is_ro ? &ro : &rw, r = 0;
		auto_fd from = -1;

		if (!(m->flags & SPEC_MOUNT_GRANT) || m->fd >= 0 ||
		    (!has_source(m) && m->kind != SPEC_MOUNT_SHADOW))
			continue;
		if (*ids < 0)
			r = mount_ids(s, is_ro, ids, err);
		if (r == 0)
			r = source_open(m, &from, err);
		if (r == 0)
			r = clone_tree(m, from, "", *ids, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int source_plain(const struct spec_mount *m, int *ret_fd, struct err *err)
{
	struct spec_mount plain = *m;
	int r;

	plain.flags |= SPEC_MOUNT_RO;
	r = clone_tree(&plain, m->fd, "", -1, err);
	if (r == 0)
		*ret_fd = plain.fd;
	return r;
}

int source_shadow(const struct spec_mount *m, int empty, int *ret_fd, int *ret_context,
		  struct err *err)
{
	auto_fd fs = sys_fsopen("overlay"), tree = -1;
	struct mount_attr attr = { .attr_set = attrs(m) | MOUNT_ATTR_RDONLY,
				   .propagation = MS_PRIVATE };
	char lower[64];
	int r;

	/* By descriptor, so that no character of a path needs an escape. */
	(void)snprintf(lower, sizeof(lower), "/proc/self/fd/%d:/proc/self/fd/%d", m->fd,
		       empty);
	r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower, 0);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0);
	if (r == 0) /* a later reconfigure must not ask for more */
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == 0)
		r = tree = sys_fsmount(fs, (unsigned)(attr.attr_set));
	if (r < 0)
		return err_set(
			err, PE_REFUSED,
			"cannot give '%s' read-only with its sockets and "
			"FIFOs cut off: overlayfs does not take it (%s); if other file "
			"systems are mounted below it, grant those by name, or accept a "
			"plain read-only mount with --accept-weaker",
			m->src, strerror(-r));
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r < 0)
		return err_neg(err, r, "cannot restrict the mount of '%s'", m->src);
	*ret_fd = TAKE_FD(tree);
	*ret_context = TAKE_FD(fs);
	return 0;
}
