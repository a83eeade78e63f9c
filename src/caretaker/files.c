/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - what is done to an open file.
 *
 * A file is opened by its node's descriptor, through /proc/self/fd: what is opened is
 * what was looked up, whatever has happened to the name. Only what is known to be a regular
 * file is opened so (or a directory, list.c): an inode's type never changes, so no FIFO or
 * device can be met. The program's own rights are asked for and no more. O_APPEND stays
 * here: with it, a page of a mapping would be written to the end of the file.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef RWF_APPEND
#define RWF_APPEND 0x00000010
#endif

int open_flags(uint32_t asked)
{
	return (int)(asked & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC)) | O_CLOEXEC |
	       O_NOCTTY | O_NONBLOCK | O_NOFOLLOW;
}

int node_open(const struct dir *d, const struct node *node, int flags)
{
	char name[FD_PATH_MAX];
	int fd;

	if (!S_ISREG(node->type) && !S_ISDIR(node->type))
		return S_ISLNK(node->type) ? -ELOOP : -EACCES;
	fd_name(node->fd, name);
	/* The last part is the kernel's link to the inode; the flag would refuse it. */
	fd = openat(d->proc, name, flags & ~O_NOFOLLOW);
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	return fd;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether the kernel's pages of it are still right. Under lock. */
static bool unchanged(struct node *n, const struct stat *st)
{
	bool same = n->opened && n->seen.size == st->st_size &&
		    same_time(&n->seen.mtime, &st->st_mtim) &&
		    same_time(&n->seen.ctime, &st->st_ctim);

	n->opened = true;
	n->seen.size = st->st_size;
	n->seen.mtime = st->st_mtim;
	n->seen.ctime = st->st_ctim;
	return same;
}

/* All openings of a file at one time must name the same backing. Under lock. */
static int backing_get(struct dir *d, struct node *n, int fd)
{
	struct fuse_backing_map map = { .fd = fd };
	int id;

	if (n->backing_uses == 0) {
		id = ioctl(d->fuse, FUSE_DEV_IOC_BACKING_OPEN, &map);
		if (id <= 0)
			return id < 0 ? -errno : -EIO;
		n->backing = (uint32_t)id;
	}
	n->backing_uses++;
	return 0;
}

static void backing_put(struct dir *d, struct node *n)
{
	if (n->backing_uses == 0 || --n->backing_uses > 0)
		return;
	(void)ioctl(d->fuse, FUSE_DEV_IOC_BACKING_CLOSE, &n->backing);
	n->backing = 0;
}

int file_opened(struct req *r, struct node *node, int take_fd, uint32_t flags,
		const struct stat *st, struct fuse_open_out *out)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	struct dir *d = r->d;
	struct handle *h;
	int e = 0;

	*out = (struct fuse_open_out){ .open_flags = writes ? 0 : FOPEN_NOFLUSH };
	(void)pthread_mutex_lock(&d->lock);
	if (d->passthrough)
		e = backing_get(d, node, take_fd);
	h = e == 0 ? handle_new(d, node, take_fd, writes) : NULL;
	if (h && d->passthrough) {
		out->open_flags |= FOPEN_PASSTHROUGH;
		abi_backing_id(out) = node->backing;
	} else if (h && unchanged(node, st)) {
		out->open_flags |= FOPEN_KEEP_CACHE;
	}
	if (h)
		r->op.file = out->fh = h->id;
	else if (e == 0 && d->passthrough)
		backing_put(d, node);
	(void)pthread_mutex_unlock(&d->lock);
	if (e != 0) {
		(void)close(take_fd);
		return e;
	}
	return h ? 0 : -ENOMEM;
}

int do_open(struct req *r)
{
	const struct fuse_open_in *in = r->arg;
	struct stat st;
	int fd, e;

	r->op.changes = (in->flags & O_ACCMODE) != O_RDONLY || (in->flags & O_TRUNC);
	e = req_before(r, CARE_ACT_OPEN);
	if (e != 0)
		return e;
	fd = S_ISREG(r->node->type) ? node_open(r->d, r->node, open_flags(in->flags)) :
				      -EACCES;
	if (fd < 0)
		return req_after(r, fd);
	if (fstat(fd, &st) < 0) {
		(void)close(fd);
		return req_after(r, -EIO);
	}
	r->out_len = sizeof(struct fuse_open_out);
	return req_after(r, file_opened(r, r->node, fd, in->flags, &st, r->out));
}

static void count(struct req *r, struct handle *h, uint64_t read, uint64_t written)
{
	atomic_fetch_add_explicit(&h->read, read, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->written, written, memory_order_relaxed);
	(void)pthread_mutex_lock(&r->d->lock);
	r->d->stats.bytes_read += read;
	r->d->stats.bytes_written += written;
	(void)pthread_mutex_unlock(&r->d->lock);
}

int do_read(struct req *r)
{
	const struct fuse_read_in *in = r->arg;
	ssize_t n;
	int e;

	r->op.size = MIN(in->size, DATA_MAX);
	e = req_before(r, CARE_ACT_READ);
	if (e != 0)
		return e;
	n = pread(r->handle->fd, r->out, r->op.size, (off_t)in->offset);
	if (n < 0)
		return req_after(r, -errno);
	r->out_len = (size_t)n;
	count(r, r->handle, (uint64_t)n, 0);
	return req_after(r, 0);
}

static ssize_t write_at(const struct req *r, const struct fuse_write_in *in)
{
	struct iovec data = { (void *)r->data, r->op.size };
	bool append = (in->flags & O_APPEND) && !(in->write_flags & FUSE_WRITE_CACHE);

	return append ? syscall(SYS_pwritev2, r->handle->fd, &data, 1L, 0L, 0L,
				RWF_APPEND) :
			pwrite(r->handle->fd, r->data, r->op.size, (off_t)in->offset);
}

int do_write(struct req *r)
{
	const struct fuse_write_in *in = r->arg;
	struct fuse_write_out *out = r->out;
	ssize_t n;
	int e;

	if (in->size > r->data_len)
		return -EINVAL;
	if (!r->handle->writes)
		return -EBADF;
	r->op.size = in->size;
	r->op.changes = true;
	e = req_before(r, CARE_ACT_WRITE);
	if (e != 0)
		return e;
	n = write_at(r, in);
	if (n < 0)
		return req_after(r, -errno);
	*out = (struct fuse_write_out){ .size = (uint32_t)n };
	r->out_len = sizeof(*out);
	count(r, r->handle, 0, (uint64_t)n);
	return req_after(r, 0);
}

/* The host may have something to say only when a file is closed (a quota, a network). */
int do_flush(struct req *r)
{
	int fd;

	if (!r->handle->writes)
		return 0;
	fd = fcntl(r->handle->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 || close(fd) == 0 ? 0 : -errno;
}

int do_fsync(struct req *r)
{
	const struct fuse_fsync_in *in = r->arg;
	bool data = in->fsync_flags & FUSE_FSYNC_FDATASYNC;

	return (data ? fdatasync(r->handle->fd) : fsync(r->handle->fd)) < 0 ? -errno : 0;
}

int do_release(struct req *r)
{
	struct handle *h = r->handle;
	bool is_file = S_ISREG(r->node->type);

	r->op.file = h->id;
	r->op.read = h->read;
	r->op.written = h->written;
	if (is_file)
		(void)req_before(r, CARE_ACT_CLOSE);
	(void)pthread_mutex_lock(&r->d->lock);
	if (!h->gone) /* let_go frees it */
		backing_put(r->d, r->node);
	h->gone = true;
	(void)pthread_mutex_unlock(&r->d->lock);
	return is_file ? req_after(r, 0) : 0;
}

int do_fallocate(struct req *r)
{
	const struct fuse_fallocate_in *in = r->arg;
	int e;

	r->op.size = in->mode & FALLOC_FL_PUNCH_HOLE ? 0 : in->length;
	r->op.changes = true;
	e = req_before(r, CARE_ACT_TRUNCATE);
	if (e != 0)
		return e;
	if (!r->handle->writes)
		e = -EBADF;
	else if (fallocate(r->handle->fd, (int)in->mode, (off_t)in->offset,
			   (off_t)in->length) < 0)
		e = -errno;
	return req_after(r, e);
}

int do_lseek(struct req *r)
{
	const struct fuse_lseek_in *in = r->arg;
	struct fuse_lseek_out *out = r->out;
	off_t at;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	at = lseek(r->handle->fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	*out = (struct fuse_lseek_out){ .offset = (uint64_t)at };
	r->out_len = sizeof(*out);
	return 0;
}

int do_copy_file_range(struct req *r)
{
	const struct fuse_copy_file_range_in *in = r->arg;
	struct fuse_write_out *out = r->out;
	off_t from = (off_t)in->off_in, to = (off_t)in->off_out;
	ssize_t n;
	int e;

	if (!S_ISREG(r->node2->type) || !r->handle2->writes)
		return -EBADF;
	if (in->flags != 0)
		return -EINVAL;
	r->op.size = MIN(in->len, (uint64_t)1 << 30);
	r->op.changes = true;
	e = req_before(r, CARE_ACT_WRITE);
	if (e != 0)
		return e;
	n = copy_file_range(r->handle->fd, &from, r->handle2->fd, &to, r->op.size, 0);
	if (n < 0)
		return req_after(r, -errno);
	*out = (struct fuse_write_out){ .size = (uint32_t)n };
	r->out_len = sizeof(*out);
	count(r, r->handle, (uint64_t)n, 0);
	count(r, r->handle2, 0, (uint64_t)n);
	return req_after(r, 0);
}
