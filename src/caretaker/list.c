/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c - directories. What the host's file system gives as a position is handed to the
 * kernel as it is, and comes back; an entry that has no room is read again. With
 * READDIRPLUS each entry is looked up as well, so that `ls -l` asks once; one
 * that cannot be (a mount that is not granted) is named without attributes.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define RAW_MAX 16384u

/* As getdents64 has them. */
struct raw {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

int do_opendir(struct req *r)
{
	struct fuse_open_out *out = r->out;
	struct dir *d = r->d;
	struct handle *h;
	int e = req_before(r, CARE_ACT_LIST), fd;

	if (e != 0)
		return e;
	fd = node_open(d, r->node, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return req_after(r, fd);
	*out = (struct fuse_open_out){ 0 };
	(void)pthread_mutex_lock(&d->lock);
	h = handle_new(d, r->node, fd, false);
	if (h)
		out->fh = h->id;
	(void)pthread_mutex_unlock(&d->lock);
	r->out_len = sizeof(*out);
	return req_after(r, h ? 0 : -ENOMEM);
}

/* Room for one more entry with a name of that length. NULL: there is none. */
static void *room(struct req *r, size_t size, size_t limit)
{
	uint8_t *p = (uint8_t *)r->out + r->out_len;

	if (r->out_len + FUSE_DIRENT_ALIGN(size) > limit)
		return NULL;
	memset(p, 0, FUSE_DIRENT_ALIGN(size));
	r->out_len += FUSE_DIRENT_ALIGN(size);
	return p;
}

static bool is_dots(const char *name)
{
	return streq(name, ".") || streq(name, "..");
}

static bool put_entry(struct req *r, const struct raw *e, bool plus, size_t limit)
{
	size_t len = strlen(e->name);
	struct fuse_direntplus *p = NULL;
	struct fuse_dirent *out;

	if (plus) {
		p = room(r, FUSE_NAME_OFFSET_DIRENTPLUS + len, limit);
		out = p ? &p->dirent : NULL;
	} else {
		out = room(r, FUSE_NAME_OFFSET + len, limit);
	}
	if (!out)
		return false;
	out->ino = e->ino;
	out->off = (uint64_t)e->off;
	out->namelen = (uint32_t)len;
	out->type = e->type;
	memcpy(out->name, e->name, len);
	if (!p || is_dots(e->name))
		return true;
	/* Where there is no room for more, the names must do. */
	if (r->d->n_nodes >= r->d->trim_at ||
	    names_find(r->d, r->chain, r->node, e->name, &p->entry_out) != 0)
		memset(&p->entry_out, 0, sizeof(p->entry_out));
	return true;
}

/* How many bytes of the raw entries were used up; *ret_full: there was no more room. */
static void put_entries(struct req *r, const uint8_t *raw, size_t len, bool plus,
			size_t limit, bool *ret_full)
{
	struct handle *h = r->handle;

	for (size_t at = 0; at < len;) {
		const struct raw *e = (const void *)(raw + at);

		if (!chain_hides(r->chain, e->name) && !put_entry(r, e, plus, limit)) {
			*ret_full = true;
			return;
		}
		h->position = e->off;
		at += e->len;
	}
}

/* With the handle's lock: the position is one for all that read from it. */
static int list(struct req *r, bool plus)
{
	const struct fuse_read_in *in = r->arg;
	_Alignas(struct raw) uint8_t raw[RAW_MAX];
	size_t limit = MIN(in->size, DATA_MAX);
	struct handle *h = r->handle;
	bool full = false;
	long n;

	h->position = (int64_t)in->offset;
	while (!full) {
		size_t before = r->out_len;

		if (lseek(h->fd, h->position, SEEK_SET) < 0)
			return -errno;
		n = syscall(SYS_getdents64, h->fd, raw, MIN(limit, sizeof(raw)));
		if (n < 0)
			return r->out_len ? 0 : -errno;
		if (n == 0)
			return 0;
		put_entries(r, raw, (size_t)n, plus, limit, &full);
		if (r->out_len > before && plus)
			return 0; /* looking up takes time: what there is goes out */
	}
	return 0;
}

static int locked_list(struct req *r, bool plus)
{
	int e;

	(void)pthread_mutex_lock(&r->handle->lock);
	e = list(r, plus);
	(void)pthread_mutex_unlock(&r->handle->lock);
	return e;
}

int do_readdir(struct req *r)
{
	return locked_list(r, false);
}

int do_readdirplus(struct req *r)
{
	return locked_list(r, true);
}
