/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a spec comes to init. Init is often made before its tender has planned anything,
 * so it gets the spec in the form that goes anywhere (docs/protocol.md), and checks it as
 * anybody would; the two share no memory. Descriptors go beside it, in the order that
 * both know.
 */
#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "sandbox/sandbox-internal.h"

#define FDS_AT_ONCE 200u
#define SPEC_USUAL 7000u /* bytes that are enough for most */

/* One byte, and up to FDS_AT_ONCE descriptors. */
static int send_fds(int chan, const int *fds, size_t n)
{
	int r = 0;

	for (size_t done = 0; r == 0 && done < n;) {
		size_t some = MIN(n - done, (size_t)FDS_AT_ONCE);

		r = fd_send(chan, "", 1, fds + done, some, NULL);
		done += some;
	}
	return r;
}

static int receive_fds(int chan, int *fds, size_t n)
{
	for (size_t done = 0; done < n;) {
		size_t len, got = 0;
		char byte;
		int r = fd_recv(chan, &byte, 1, &len, fds + done,
				MIN(n - done, (size_t)FDS_AT_ONCE), &got, NULL);

		if (r != 0 || len != 1 || got == 0)
			return r < 0 ? r : -EPIPE;
		done += got;
	}
	return 0;
}

/* The head and what follows it, in one message if it is short. */
static int send_bytes(int chan, const struct str *message)
{
	const size_t head = sizeof(struct spec_head);
	auto_fd file = -1;

	if (message->len - head <= SPEC_INLINE)
		return fd_send(chan, message->p, message->len, NULL, 0, NULL);
	file = memfd_create("spec", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	if (fd_write_all(file, message->p + head, message->len - head, NULL) != 0)
		return -EIO;
	return fd_send(chan, message->p, head, &file, 1, NULL);
}

/* Which mounts have a descriptor is part of the message: a bit for each. */
static void add_mask(const struct spec *s, struct str *body)
{
	for (size_t i = 0; i < s->n_mounts; i += 8) {
		char bits = 0;

		for (size_t k = i; k < s->n_mounts && k < i + 8; k++)
			bits |= (char)((s->mounts[k].fd >= 0) << (k - i));
		str_addc(body, bits);
	}
}

static size_t list_fds(const struct spec *s, int *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_mounts && i < SPEC_MAX_MOUNTS; i++)
		if (s->mounts[i].fd >= 0)
			fds[n++] = s->mounts[i].fd;
	return n;
}

/* One that has ended has said why: that is heard later. */
static int told(int r, struct err *err)
{
	return r == 0 || r == -EPIPE || r == -ECONNRESET ?
		       0 :
		       err_neg(err, r, "cannot talk to the environment's init");
}

int spec_send(int chan, const struct spec *s, bool maps, struct err *err)
{
	struct spec_head head = { .kind = INIT_SPEC, .flags = s->flags, .maps = maps };
	struct spec plain = *s;
	auto_str message = STR_INIT;
	int fds[SPEC_MAX_MOUNTS], r;

	plain.flags &= SPEC_FLAGS_ALL;
	head.n_fds = (uint32_t)list_fds(s, fds);
	str_reserve(&message, SPEC_USUAL);
	str_addn(&message, &head, sizeof(head));
	spec_encode(&plain, &message);
	head.len = (uint32_t)(message.len - sizeof(head));
	add_mask(s, &message);
	head.body = (uint32_t)(message.len - sizeof(head));
	if (message.failed)
		return err_oom(err);
	memcpy(message.p, &head, sizeof(head));
	r = send_bytes(chan, &message);
	return told(r == 0 ? send_fds(chan, fds, head.n_fds) : r, err);
}

int streams_send(int chan, const struct sandbox_io *io, struct err *err)
{
	struct streams_head head = {
		.kind = INIT_STREAMS, .pty = io->pty, .rows = io->rows, .cols = io->cols
	};
	size_t n = 0;
	int fds[3];

	for (unsigned i = 0; i < 3; i++) {
		if (io->fd[i] < 0)
			head.terminals |= 1u << i;
		else if (io->fd[i] != (int)i) {
			head.sent |= 1u << i;
			fds[n++] = io->fd[i];
		}
	}
	return told(fd_send(chan, &head, sizeof(head), fds, n, NULL), err);
}

int streams_receive(int chan, struct sandbox_io *ret)
{
	struct streams_head head;
	size_t len, n = 0, next = 0;
	int fds[3], r = fd_recv(chan, &head, sizeof(head), &len, fds, 3, &n, NULL);

	if (r != 0 || len != sizeof(head) || head.kind != INIT_STREAMS)
		return -EPIPE;
	for (unsigned i = 0; i < 3; i++) {
		ret->fd[i] = head.terminals & 1u << i ? -1 : (int)i;
		if ((head.sent & 1u << i) && next < n)
			ret->fd[i] = fds[next++];
	}
	ret->pty = head.pty;
	ret->rows = head.rows;
	ret->cols = head.cols;
	return 0;
}

/* The bytes behind the head, wherever they are. */
static int take_bytes(const char *message, size_t len, int file, size_t want,
		      const char **ret)
{
	void *map;

	*ret = message + sizeof(struct spec_head);
	if (file < 0)
		return len - sizeof(struct spec_head) == want ? 0 : -EPROTO;
	map = mmap(NULL, want, PROT_READ, MAP_PRIVATE, file, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret = map;
	return 0;
}

static int take_fds(int chan, struct spec *s, size_t n_fds, const char *mask)
{
	auto_free int *fds = calloc(n_fds + 1, sizeof(*fds));
	size_t n = 0;
	int r = fds ? receive_fds(chan, fds, n_fds) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < s->n_mounts; i++)
		if ((mask[i / 8] & 1 << i % 8) && n < n_fds)
			s->mounts[i].fd = fds[n++];
	return r == 0 && n != n_fds ? -EPROTO : r;
}

int spec_receive(int chan, struct spec *ret, bool *ret_maps, struct err *err)
{
	static char message[sizeof(struct spec_head) + SPEC_INLINE];
	struct spec_head head;
	size_t len, n_files = 0;
	auto_fd file = -1;
	const char *bytes;
	int r = fd_recv(chan, message, sizeof(message), &len, &file, 1, &n_files, NULL);

	if (r != 0 || len < sizeof(head))
		return -EPIPE;
	memcpy(&head, message, sizeof(head));
	if (head.kind != INIT_SPEC || head.body > SPEC_MAX_BYTES + SPEC_MAX_MOUNTS ||
	    head.len > head.body)
		return -EPROTO;
	r = take_bytes(message, len, n_files ? file : -1, head.body, &bytes);
	if (r == 0)
		r = spec_decode(ret, bytes, head.len, err);
	if (r == 0 && head.body - head.len != (ret->n_mounts + 7) / 8)
		r = -EPROTO;
	if (r == 0)
		r = take_fds(chan, ret, head.n_fds, bytes + head.len);
	ret->flags = head.flags;
	*ret_maps = head.maps;
	return r;
}
