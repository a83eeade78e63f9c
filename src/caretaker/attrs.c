/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attrs.c - what is done to a file as such: attributes, the text of a link, extended
 * attributes.
 *
 * Owners are translated both ways by one pair; of root's, the rest is nobody. Of extended attributes
 * only user.* is there: the others say what the host's security modules think of a
 * file, or are access lists with the host's numbers in them.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define SECONDS_KEPT 1

/*
 * The kernel lets nobody write to a file whose owner or group has no number inside. Where
 * we are an ordinary user, the host decides about each of our calls, and a file of his
 * other groups is shown as his; root can do everything, so what is others' must be seen
 * to be.
 */
static uint32_t shown(const struct dir *d, struct care_id pair, uint32_t host)
{
	return host == pair.host || d->spec.uid.host != 0 ? pair.shown : NOBODY;
}

/* With several file systems in one tree, two files must not look like one. */
static uint64_t shown_ino(const struct dir *d, const struct stat *st)
{
	return st->st_dev == d->dev ?
		       st->st_ino :
		       st->st_ino ^ (uint64_t)(st->st_dev & 0xffffff) << 40;
}

/*
 * FIFOs, sockets and devices are seen and cannot be opened. The kernel would not ask us: it
 * makes a FIFO or socket of its own of that name, which leads nowhere, and devices
 * are refused by the mount. Without permission bits it says EACCES instead of waiting.
 */
static uint32_t shown_mode(mode_t mode)
{
	bool opens = S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);

	return opens ? mode : mode & S_IFMT;
}

void attr_fill(const struct dir *d, const struct stat *st, struct fuse_attr *out)
{
	*out = (struct fuse_attr){ .ino = shown_ino(d, st),
				   .size = (uint64_t)st->st_size,
				   .blocks = (uint64_t)st->st_blocks,
				   .atime = (uint64_t)st->st_atim.tv_sec,
				   .mtime = (uint64_t)st->st_mtim.tv_sec,
				   .ctime = (uint64_t)st->st_ctim.tv_sec,
				   .atimensec = (uint32_t)st->st_atim.tv_nsec,
				   .mtimensec = (uint32_t)st->st_mtim.tv_nsec,
				   .ctimensec = (uint32_t)st->st_ctim.tv_nsec,
				   .mode = shown_mode(st->st_mode),
				   .nlink = (uint32_t)st->st_nlink,
				   .uid = shown(d, d->spec.uid, st->st_uid),
				   .gid = shown(d, d->spec.gid, st->st_gid),
				   .rdev = (uint32_t)st->st_rdev,
				   .blksize = (uint32_t)st->st_blksize };
}

/* Setuid and setgid may go, not come; nor stay, for a write beside us may just have taken
 * them away. A directory's setgid is harmless. */
bool mode_allowed(mode_t asked, mode_t had)
{
	return (asked & (S_ISUID | S_ISGID) & ~(S_ISDIR(had) ? had : 0)) == 0;
}

static int tell_attr(struct req *r)
{
	struct fuse_attr_out *out = r->out;
	struct stat st;

	if (fstat(r->node->fd, &st) < 0)
		return -errno;
	*out = (struct fuse_attr_out){ .attr_valid = SECONDS_KEPT };
	attr_fill(r->d, &st, &out->attr);
	r->out_len = sizeof(*out);
	return 0;
}

int do_getattr(struct req *r)
{
	int e = req_before(r, CARE_ACT_STAT);

	return e == 0 ? req_after(r, tell_attr(r)) : e;
}

/* ---- changing them ---- */

static int set_mode(const struct req *r, const struct fuse_setattr_in *in,
		    const struct stat *st)
{
	char name[FD_PATH_MAX];

	if (!S_ISREG(r->node->type) && !S_ISDIR(r->node->type))
		return -EOPNOTSUPP;
	if (!mode_allowed(in->mode, st->st_mode))
		return -EPERM;
	fd_name(r->node->fd, name);
	return fchmodat(r->d->proc, name, in->mode & 07777, 0) < 0 ? -errno : 0;
}

/* The pair's own id, or none. */
static int host_id(struct care_id pair, uint32_t asked, uint32_t *ret)
{
	if (asked != pair.shown)
		return -EPERM;
	*ret = pair.host;
	return 0;
}

static int set_owner(const struct req *r, const struct fuse_setattr_in *in,
		     const struct stat *st)
{
	uint32_t uid = UINT32_MAX, gid = UINT32_MAX;
	int e = 0;

	if (in->valid & FATTR_UID && in->uid != shown(r->d, r->d->spec.uid, st->st_uid))
		e = host_id(r->d->spec.uid, in->uid, &uid);
	if (e == 0 && in->valid & FATTR_GID &&
	    in->gid != shown(r->d, r->d->spec.gid, st->st_gid))
		e = host_id(r->d->spec.gid, in->gid, &gid);
	if (e != 0 || (uid == UINT32_MAX && gid == UINT32_MAX))
		return e;
	return fchownat(r->node->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_size(const struct req *r, const struct fuse_setattr_in *in)
{
	int fd, e;

	if (r->handle && r->handle->writes)
		return ftruncate(r->handle->fd, (off_t)in->size) < 0 ? -errno : 0;
	if (!S_ISREG(r->node->type))
		return -EINVAL;
	fd = node_open(r->d, r->node, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fd;
	e = ftruncate(fd, (off_t)in->size) < 0 ? -errno : 0;
	(void)close(fd);
	return e;
}

static struct timespec time_of(const struct fuse_setattr_in *in, uint32_t set,
			       uint32_t now, uint64_t s, uint32_t ns)
{
	struct timespec t = { (time_t)s, (long)ns };

	if (in->valid & now)
		t.tv_nsec = UTIME_NOW;
	else if (!(in->valid & set))
		t.tv_nsec = UTIME_OMIT;
	return t;
}

static int set_times(const struct req *r, const struct fuse_setattr_in *in)
{
	const struct timespec t[2] = {
		time_of(in, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_of(in, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};

	return utimensat(r->node->fd, "", t, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_all(const struct req *r, const struct fuse_setattr_in *in,
		   const struct stat *st)
{
	int e = 0;

	if (in->valid & FATTR_MODE)
		e = set_mode(r, in, st);
	if (e == 0 && in->valid & (FATTR_UID | FATTR_GID))
		e = set_owner(r, in, st);
	if (e == 0 && in->valid & FATTR_SIZE)
		e = set_size(r, in);
	if (e == 0 && in->valid & (FATTR_ATIME | FATTR_MTIME))
		e = set_times(r, in);
	return e;
}

int do_setattr(struct req *r)
{
	const struct fuse_setattr_in *in = r->arg;
	bool sized = in->valid & FATTR_SIZE;
	struct stat st;
	int e;

	if (fstat(r->node->fd, &st) < 0)
		return -errno;
	if (sized && in->size > (uint64_t)st.st_size)
		r->op.size = in->size - (uint64_t)st.st_size;
	r->op.changes = true;
	e = req_before(r, sized ? CARE_ACT_TRUNCATE : CARE_ACT_ATTR);
	if (e != 0)
		return e;
	e = set_all(r, in, &st);
	return req_after(r, e == 0 ? tell_attr(r) : e);
}

/* ---- links, file systems ---- */

int do_readlink(struct req *r)
{
	ssize_t n;

	if (!S_ISLNK(r->node->type))
		return -EINVAL;
	n = readlinkat(r->node->fd, "", r->out, 4096);
	if (n < 0)
		return -errno;
	r->out_len = (size_t)n;
	return 0;
}

int do_statfs(struct req *r)
{
	struct fuse_statfs_out *out = r->out;
	struct statfs fs;

	if (fstatfs(r->node->fd, &fs) < 0)
		return -errno;
	*out = (struct fuse_statfs_out){ .st = { .blocks = fs.f_blocks,
						 .bfree = fs.f_bfree,
						 .bavail = fs.f_bavail,
						 .files = fs.f_files,
						 .ffree = fs.f_ffree,
						 .bsize = (uint32_t)fs.f_bsize,
						 .namelen = 255,
						 .frsize = (uint32_t)fs.f_frsize } };
	r->out_len = sizeof(*out);
	return 0;
}

/* ---- extended attributes ---- */

static bool is_ours(const char *name)
{
	return str_starts(name, "user.") && name[5];
}

int do_getxattr(struct req *r)
{
	const struct fuse_getxattr_in *in = r->arg;
	struct fuse_getxattr_out *out = r->out;
	char path[FD_PATH_MAX];
	ssize_t n;

	if (!is_ours(r->name))
		return -EOPNOTSUPP;
	fd_path(r->node->fd, path);
	n = getxattr(path, r->name, in->size ? r->out : NULL, MIN(in->size, DATA_MAX));
	if (n < 0)
		return -errno;
	r->out_len = (size_t)n;
	if (in->size == 0) {
		*out = (struct fuse_getxattr_out){ .size = (uint32_t)n };
		r->out_len = sizeof(*out);
	}
	return 0;
}

/* Moves ours to the front; their length. */
static size_t keep_ours(char *list, size_t len)
{
	size_t kept = 0, n;

	for (size_t i = 0; i < len; i += n) {
		n = strnlen(list + i, len - i - 1) + 1;
		if (!is_ours(list + i))
			continue;
		memmove(list + kept, list + i, n);
		kept += n;
	}
	return kept;
}

int do_listxattr(struct req *r)
{
	const struct fuse_getxattr_in *in = r->arg;
	struct fuse_getxattr_out *out = r->out;
	char path[FD_PATH_MAX];
	ssize_t n;
	size_t kept;

	fd_path(r->node->fd, path);
	n = listxattr(path, r->out, XATTR_LIST_MAX);
	if (n < 0)
		return -errno;
	kept = keep_ours(r->out, (size_t)n);
	if (in->size && kept > in->size)
		return -ERANGE;
	r->out_len = kept;
	if (in->size == 0) {
		*out = (struct fuse_getxattr_out){ .size = (uint32_t)kept };
		r->out_len = sizeof(*out);
	}
	return 0;
}

int do_setxattr(struct req *r)
{
	const struct fuse_setxattr_in *in = r->arg;
	char path[FD_PATH_MAX];
	int e;

	if (in->size > r->data_len)
		return -EINVAL;
	if (!is_ours(r->name))
		return -EOPNOTSUPP;
	r->op.changes = true;
	r->op.size = in->size;
	e = req_before(r, CARE_ACT_XATTR);
	if (e != 0)
		return e;
	fd_path(r->node->fd, path);
	if (setxattr(path, r->name, r->data, in->size, (int)in->flags) < 0)
		e = -errno;
	return req_after(r, e);
}

int do_removexattr(struct req *r)
{
	char path[FD_PATH_MAX];
	int e;

	if (!is_ours(r->name))
		return -EOPNOTSUPP;
	r->op.changes = true;
	e = req_before(r, CARE_ACT_XATTR);
	if (e != 0)
		return e;
	fd_path(r->node->fd, path);
	return req_after(r, removexattr(path, r->name) < 0 ? -errno : 0);
}
