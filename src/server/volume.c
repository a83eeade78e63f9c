/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume of a unikernel: a descriptor of blocks.
 *
 * A file of the host is opened once, here, and locked: two that write one block device
 * destroy it, so whoever writes is alone, and readers keep a writer out. (The lock is the
 * open description's, which the guest holds to its end.) Fresh ones are sparse: in memory for a disposable environment, beside its log for one that is kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "server/unikernel-internal.h"

#define DEFAULT_BLOCK 512u
#define NULL_BYTES (1u << 20)

static uint64_t size_option(const struct binding *b, const char *name, uint64_t otherwise)
{
	const struct kv *o = binding_option(b, name);
	uint64_t n;

	return o && o->value && str_to_bytes(o->value, &n) ? n : otherwise;
}

/* Polder's own files are nobody's disk. */
static int check_place(int fd, const char *path, const struct server_ctx *cx,
		       struct err *err)
{
	const char *const places[] = { cx->places->run, cx->places->data,
				       cx->places->config };
	char link[64], real[4096];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n <= 0)
		return err_sys(err, "cannot examine '%s'", path);
	real[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (server_lies_in(real, places[i]))
			return err_set(err, PE_REFUSED,
				       "'%s' belongs to Polder itself and is granted to "
				       "nobody",
				       path);
	return 0;
}

static int size_of(int fd, const char *path, uint64_t *ret, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot examine '%s'", path);
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret) == 0 ?
			       0 :
			       err_sys(err, "cannot tell the size of '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, PE_USAGE,
			       "'%s' is a %s; a volume is a regular file or a block "
			       "device",
			       path,
			       S_ISDIR(st.st_mode)  ? "directory" :
			       S_ISFIFO(st.st_mode) ? "FIFO" :
			       S_ISSOCK(st.st_mode) ? "socket" :
						      "character device");
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int lock_file(int fd, const char *path, bool ro, struct err *err)
{
	if (flock(fd, (ro ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 || errno == ENOLCK ||
	    errno == EOPNOTSUPP)
		return 0;
	return errno == EWOULDBLOCK ? err_set(err, PE_BUSY,
					      "'%s' is used by another environment%s: "
					      "give each its own, "
					      "with own,base='%s'",
					      path, ro ? ", which writes it" : "", path) :
				      err_sys(err, "cannot lock '%s'", path);
}

/* Neither waits for a FIFO nor becomes a terminal's. *ret_fd is u's. */
static int open_file(struct unikernel *u, const char *path, bool ro,
		     const struct server_ctx *cx, int *ret_fd, uint64_t *ret_size,
		     struct err *err)
{
	int fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 && !ro && (errno == EACCES || errno == EROFS || errno == EPERM))
		return err_set(err, PE_REFUSED,
			       "cannot write '%s' (%s): add ,ro if reading is enough",
			       path, strerror(errno));
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	r = unikernel_keep(u, fd, err);
	if (r == 0)
		r = size_of(fd, path, ret_size, err);
	if (r == 0)
		r = check_place(fd, path, cx, err);
	if (r == 0)
		r = lock_file(fd, path, ro, err);
	*ret_fd = fd;
	return r;
}

static int host_volume(struct unikernel *u, struct uspec_device *d,
		       const struct binding *b, const struct server_ctx *cx,
		       struct err *err)
{
	bool ro = d->flags & USPEC_DEV_RO;

	return open_file(u, b->ref, ro, cx, &d->fd, &d->capacity, err);
}

static int in_memory(struct unikernel *u, struct uspec_device *d, struct err *err)
{
	d->fd = memfd_create("volume", MFD_CLOEXEC);
	if (d->fd < 0)
		return err_sys(err, "cannot make a volume in memory");
	return unikernel_keep(u, d->fd, err);
}

static int on_disk(struct unikernel *u, struct uspec_device *d, const struct binding *b,
		   const struct server_ctx *cx, struct err *err)
{
	char path[PLACES_PATH_MAX + 160];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", cx->own_dirs, b->slot);
	d->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (d->fd < 0)
		return err_sys(err, "cannot make '%s'", path);
	r = unikernel_keep(u, d->fd, err);
	if (r != 0)
		return r;
	if (fstat(d->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, PE_REFUSED, "'%s' is no regular file", path);
	return 0;
}

/* One that was there before keeps its size: what is in it counts on it. (An overlay says
 * in itself for what size it was made, and its tender reads that.) */
static int fresh(struct unikernel *u, struct uspec_device *d, const struct binding *b,
		 const struct server_ctx *cx, struct err *err)
{
	int r = cx->own_dirs ? on_disk(u, d, b, cx, err) : in_memory(u, d, err);
	struct stat st;

	if (r == 0 && fstat(d->fd, &st) == 0 && (uint64_t)st.st_size > d->capacity)
		r = err_set(err, PE_REFUSED,
			    "%s: the volume was made with %llu bytes and cannot become "
			    "smaller",
			    b->slot, (unsigned long long)st.st_size);
	if (r == 0 && ftruncate(d->fd, (off_t)d->capacity) < 0)
		r = err_sys(err, "%s: cannot give the volume %llu bytes", b->slot,
			    (unsigned long long)d->capacity);
	return r;
}

/* All of [0, size) that is no hole. */
static int copy_data(int to, int from, uint64_t size, struct err *err)
{
	off_t at = 0, end;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || lseek(to, at, SEEK_SET) < 0)
			return err_sys(err, "cannot copy the base");
		while (at < end) {
			ssize_t n = sendfile(to, from, &at, (size_t)(end - at));

			if (n == 0 || (n < 0 && errno != EINTR))
				return err_sys(err, "cannot copy the base");
		}
	}
	return errno == ENXIO && ftruncate(to, (off_t)size) == 0 ?
		       0 :
		       err_sys(err, "cannot copy the base");
}

/* An spt guest reads and writes one descriptor, so what it has of a base is a copy of its
 * own. On disk it gets its name when it is whole. */
static int copied_base(struct unikernel *u, struct uspec_device *d,
		       const struct binding *b, const struct server_ctx *cx,
		       uint64_t size, struct err *err)
{
	char path[PLACES_PATH_MAX + 160], part[PLACES_PATH_MAX + 168];
	int base = TAKE_FD(d->base), r;

	if (!cx->own_dirs) {
		r = in_memory(u, d, err);
	} else {
		(void)snprintf(path, sizeof(path), "%s/%s", cx->own_dirs, b->slot);
		(void)snprintf(part, sizeof(part), "%s.part", path);
		if (access(path, F_OK) == 0)
			return fresh(u, d, b, cx, err);
		d->fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			     0600);
		r = d->fd < 0 ? err_sys(err, "cannot make '%s'", part) :
				unikernel_keep(u, d->fd, err);
	}
	if (r == 0)
		r = copy_data(d->fd, base, size, err);
	if (r == 0 && ftruncate(d->fd, (off_t)d->capacity) < 0)
		r = err_sys(err, "cannot copy the base");
	if (r == 0 && cx->own_dirs && rename(part, path) < 0)
		r = err_sys(err, "cannot make '%s'", path);
	return r;
}

static int own_volume(struct unikernel *u, struct uspec_device *d,
		      const struct binding *b, const struct server_ctx *cx,
		      struct err *err)
{
	const struct kv *base = binding_option(b, "base");
	uint64_t size = 0;
	int r = 0;

	if (base && base->value)
		r = open_file(u, base->value, true, cx, &d->base, &size, err);
	d->capacity = size_option(b, "size", size);
	if (r != 0)
		return r;
	if (base && d->capacity < size)
		return err_set(err, PE_USAGE, "%s: size= is less than the base has",
			       b->slot);
	if (base && (d->flags & USPEC_DEV_RO) && d->capacity == size) {
		d->fd = TAKE_FD(d->base); /* nothing will differ from it */
		return 0;
	}
	if (base && (d->flags & USPEC_DEV_RO))
		return err_set(err, PE_USAGE,
			       "%s: with ro, size= cannot be more than the base has",
			       b->slot);
	if (base && u->spec.kind == USPEC_SPT)
		return copied_base(u, d, b, cx, size, err);
	if (!base)
		return fresh(u, d, b, cx, err);
	d->flags |= USPEC_DEV_COW;
	/* It begins as nothing; its tender makes of it what it needs. */
	return cx->own_dirs ? on_disk(u, d, b, cx, err) : in_memory(u, d, err);
}

static int null_volume(struct unikernel *u, struct uspec_device *d,
		       const struct binding *b, struct err *err)
{
	/* Reads zeros and takes what is written, at any offset. */
	d->fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	d->capacity = size_option(b, "size", NULL_BYTES);
	if (d->fd < 0)
		return err_sys(err, "cannot open /dev/zero");
	return unikernel_keep(u, d->fd, err);
}

static int fake_volume(struct unikernel *u, struct uspec_device *d,
		       const struct binding *b, struct err *err)
{
	const struct kv *text = binding_option(b, "content");
	const char *content = text && text->value ? text->value : "";
	size_t len = strlen(content);
	uint64_t blocks;
	int r = in_memory(u, d, err);

	if (b->n_fakes > 0) {
		content = b->fakes[0].content;
		len = b->fakes[0].content_len;
	}
	blocks = MAX((len + d->block_size - 1) / d->block_size, (size_t)1);
	d->capacity = size_option(b, "size", blocks * d->block_size);
	if (r == 0 && d->capacity < len)
		r = err_set(err, PE_USAGE,
			    "%s: the content is longer than size=", b->slot);
	if (r == 0)
		r = fd_write_all(d->fd, content, len, err);
	if (r == 0 && ftruncate(d->fd, (off_t)d->capacity) < 0)
		r = err_sys(err, "cannot make a volume in memory");
	return r;
}

int server_volume(struct unikernel *u, struct uspec_device *d, const struct binding *b,
		  const struct server_ctx *cx, struct err *err)
{
	enum source source = b->unbound ? SRC_NULL : b->source;
	const struct kv *cut = binding_option(b, "cut");
	int r;

	if (cut && cut->value && streq(cut->value, cut_name(CUT_COMPLETE)) &&
	    source != SRC_NULL && !cx->accept_weaker)
		u->must_exchange = true;
	d->type = USPEC_BLOCK;
	d->block_size = (uint16_t)size_option(b, "block", DEFAULT_BLOCK);
	if (binding_readonly(b))
		d->flags |= USPEC_DEV_RO;
	r = source == SRC_HOST ? host_volume(u, d, b, cx, err) :
	    source == SRC_OWN  ? own_volume(u, d, b, cx, err) :
	    source == SRC_FAKE ? fake_volume(u, d, b, err) :
				 null_volume(u, d, b, err);
	if (r == 0 && (d->capacity == 0 || d->capacity % d->block_size != 0))
		r = err_set(err, PE_USAGE,
			    "%s: a volume has a multiple of its block size (%u bytes), "
			    "not %llu bytes",
			    b->slot, d->block_size, (unsigned long long)d->capacity);
	return r;
}

static int check_fits(const struct uspec_device *now, const struct uspec_device *d,
		      const struct binding *b, struct err *err)
{
	if (now->block_size != d->block_size)
		return err_set(err, PE_REFUSED,
			       "%s: the guest was told of blocks of %u bytes", b->slot,
			       d->block_size);
	if (b->source != SRC_NULL && now->capacity < d->capacity)
		return err_set(err, PE_REFUSED,
			       "%s: the guest was told of %llu bytes, and that has %llu",
			       b->slot, (unsigned long long)d->capacity,
			       (unsigned long long)now->capacity);
	if ((d->flags & USPEC_DEV_RO) && !(now->flags & USPEC_DEV_RO))
		return err_set(err, PE_REFUSED,
			       "%s: it was read-only when the guest began, and stays so: "
			       "add ,ro",
			       b->slot);
	if (d->flags & USPEC_DEV_COW)
		return err_set(
			err, PE_REFUSED,
			"%s: its monitor keeps a map of what was written, which is "
			"of the volume that it began with: restart it with this "
			"binding",
			b->slot);
	return 0;
}

int server_volume_again(int *ret_fd, const struct uspec_device *d,
			const struct binding *b, const struct server_ctx *cx,
			struct err *err)
{
	struct unikernel *u = calloc(1, sizeof(*u));
	struct uspec_device now = { .name = d->name, .fd = -1, .base = -1 };
	int r;

	if (!u)
		return err_oom(err);
	u->spec.kind = USPEC_SPT; /* whatever it is: one file, no overlay */
	u->spec.report_fd = u->spec.core_fd = u->spec.alive_fd = -1;
	r = server_volume(u, &now, b, cx, err);
	if (r == 0)
		r = check_fits(&now, d, b, err);
	if (r == 0)
		*ret_fd = fd_dup_above(now.fd, 3); /* the lock is the description's */
	if (r == 0 && *ret_fd < 0)
		r = err_neg(err, *ret_fd, "%s: cannot keep it", b->slot);
	unikernel_free(u);
	return r;
}
