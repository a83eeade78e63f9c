/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A network device is a descriptor that gives one frame to a read and takes one with a
 * write: a socket of datagrams or packets, or a tap. It behaves as a wire does: what the
 * other side cannot take is lost, and the guest is not told. Guests of others rely on a
 * write that never asks them to try again.
 *
 * But a socket's queue is short, and a reader may only be about to run: a write waits for
 * room, a little. Once it has waited in vain it waits no more until the other side has
 * taken something, so that one that reads nothing holds nobody up.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "tender/hvt/hvt.h"

static bool wire_loses(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ECONNREFUSED ||
	       error == ECONNRESET || error == ENOTCONN || error == EPIPE ||
	       error == ENETDOWN || error == EDESTADDRREQ || error == EPERM;
}

static ssize_t send_frame(int fd, const uint8_t *data, uint64_t len)
{
	ssize_t r;

	do {
		r = write(fd, data, len);
	} while (r < 0 && errno == EINTR);
	return r;
}

static void await_room(int fd)
{
	const struct timespec a_little = { .tv_nsec = 2 * 1000 * 1000 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	(void)ppoll(&p, 1, &a_little, NULL);
}

int hvt_net_write(struct hvt_net *n, const uint8_t *data, uint64_t len)
{
	ssize_t r;

	if (len > n->frame_max)
		return GATE_EINVAL;
	r = send_frame(n->fd, data, len);
	if (r < 0 && errno == EAGAIN && !n->full) {
		await_room(n->fd);
		r = send_frame(n->fd, data, len);
	}
	n->full = r < 0 && errno == EAGAIN;
	return r >= 0 || wire_loses(errno) ? GATE_OK : GATE_EUNSPEC;
}

/* Nothing came: an empty datagram, or the other end of a connection is gone. */
static bool ended(int fd)
{
	struct pollfd p = { .fd = fd };
	struct timespec now = { 0 };

	return ppoll(&p, 1, &now, NULL) > 0 && (p.revents & POLLHUP);
}

int hvt_net_read(struct hvt_net *n, uint8_t *data, uint64_t *len)
{
	ssize_t r;

	do {
		r = read(n->fd, data, *len);
	} while (r < 0 && errno == EINTR);
	if (r > 0) {
		*len = (uint64_t)r;
		return GATE_OK;
	}
	*len = 0;
	if (r == 0 && ended(n->fd))
		n->dead = true; /* or a guest that waits would be woken for ever */
	if (r == 0 || wire_loses(errno))
		return GATE_AGAIN;
	n->dead = errno != EFAULT && errno != EINVAL;
	return GATE_EUNSPEC;
}
