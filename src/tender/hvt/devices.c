/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c - every device that the image declares gets the one that the spec has under
 * its name; neither side may be left with one over.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "tender/hvt/hvt.h"

#define FRAME_HEAD 18u /* Ethernet's own, with room for a VLAN tag */

static const struct uspec_device *given(const struct uspec *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_devices; i++)
		if (streq(s->devices[i].name, name))
			return &s->devices[i];
	return NULL;
}

static int check_declared(const struct uspec *s, const struct solo5_image *im,
			  struct err *err)
{
	for (uint32_t i = 0; i < s->n_devices; i++) {
		uint32_t k = 0;

		while (k < im->n_devices &&
		       !streq(im->device[k].name, s->devices[i].name))
			k++;
		if (k == im->n_devices)
			return err_set(err, PE_BAD, "the image declares no device '%s'",
				       s->devices[i].name);
	}
	return 0;
}

int hvt_open(struct hvt *h, struct uspec *s, struct err *err)
{
	h->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (h->kvm < 0)
		h->kvm = -errno; /* what is wrong with the image is said first */
	for (uint32_t i = 0; i < s->n_devices; i++) {
		struct uspec_device *d = &s->devices[i];
		int flags = d->flags & USPEC_DEV_RO ? O_RDONLY : O_RDWR;

		if (d->fd >= 0)
			continue;
		d->fd = open(d->path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (d->fd < 0)
			return err_sys(err, "cannot open '%s' for device '%s'", d->path,
				       d->name);
	}
	return 0;
}

static int open_block(struct hvt_block *b, const struct uspec_device *d, struct err *err)
{
	struct stat st;

	b->ro = d->flags & USPEC_DEV_RO;
	b->capacity = d->capacity;
	b->block_size = d->block_size;
	b->fd = d->fd;
	b->base = -1;
	if (fstat(b->fd, &st) < 0 || S_ISDIR(st.st_mode) || S_ISFIFO(st.st_mode) ||
	    S_ISSOCK(st.st_mode))
		return err_set(err, PE_REFUSED,
			       "device '%s' must be a file or a disk: something with "
			       "offsets",
			       d->name);
	if (d->flags & USPEC_DEV_COW) {
		b->base = d->base;
		return hvt_block_cow(b, err);
	}
	if (!S_ISCHR(st.st_mode) && lseek(b->fd, 0, SEEK_END) < (off_t)d->capacity)
		return err_set(err, PE_REFUSED,
			       "device '%s' is to have more bytes than its file has",
			       d->name);
	return 0;
}

/* One frame to a read: no pipe, no stream, no file. */
static bool gives_frames(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISSOCK(st.st_mode))
		return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
		       (type == SOCK_DGRAM || type == SOCK_SEQPACKET);
	return S_ISCHR(st.st_mode);
}

static int open_net(struct hvt_net *n, const struct uspec_device *d, struct err *err)
{
	n->frame_max = d->mtu + FRAME_HEAD;
	n->fd = d->fd;
	if (!gives_frames(n->fd))
		return err_set(err, PE_REFUSED,
			       "device '%s' must be a socket of datagrams or "
			       "packets, or a tap",
			       d->name);
	if (fd_set_nonblock(n->fd, true) < 0)
		return err_sys(err, "cannot prepare device '%s'", d->name);
	return 0;
}

static int attach(struct hvt *h, uint32_t i, const struct uspec_device *d,
		  struct solo5_attached *ret, struct err *err)
{
	struct hvt_device *dev = &h->device[i];
	int r;

	dev->type = d->type == USPEC_BLOCK ? SOLO5_BLOCK : SOLO5_NET;
	r = d->type == USPEC_BLOCK ? open_block(&dev->block, d, err) :
				     open_net(&dev->net, d, err);
	if (r != 0)
		return r;
	h->pollfd[i] = (struct pollfd){ .fd = d->type == USPEC_NET ? dev->net.fd : -1,
					.events = POLLIN };
	*ret = (struct solo5_attached){ .capacity = d->capacity,
					.block_size = d->block_size,
					.mtu = d->mtu };
	memcpy(ret->mac, d->mac, sizeof(ret->mac));
	return 0;
}

int hvt_devices(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
		struct solo5_attached *ret_attached, struct err *err)
{
	int r = check_declared(s, im, err);

	for (uint32_t i = 0; r == 0 && i < im->n_devices; i++) {
		const struct uspec_device *d = given(s, im->device[i].name);

		if (!d)
			return err_set(err, PE_BAD,
				       "the image declares a device '%s', and nothing is "
				       "given for it",
				       im->device[i].name);
		if (d->type !=
		    (im->device[i].type == SOLO5_BLOCK ? USPEC_BLOCK : USPEC_NET))
			return err_set(err, PE_BAD,
				       "device '%s' is of another kind than the image "
				       "declares",
				       d->name);
		r = attach(h, i, d, &ret_attached[i], err);
	}
	h->n_devices = im->n_devices;
	return r;
}
