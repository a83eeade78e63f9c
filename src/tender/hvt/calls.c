/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * hvt_call serves one hypercall. What a guest may get wrong without breaking a rule (a
 * handle that is no such device, an offset outside of it) is answered with a result, as
 * every tender of this ABI does; an address outside of its memory, or a call that does
 * not exist, ends it.
 *
 * The console is written to with patience: a guest that writes faster than its reader
 * reads waits, and nobody else does. Whoever has closed the other end ends the guest, as
 * a broken pipe ends any program.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sys.h"
#include "tender/hvt/hvt.h"

#define NS 1000000000ull

static uint64_t clock_ns(clockid_t which)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

uint64_t hvt_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void walltime(struct hvt *h, struct gate_args *a)
{
	a->wall_ns = h->clock_given ?
			     h->wall_start_ns + (hvt_monotonic_ns() - h->mono_start_ns) :
			     clock_ns(CLOCK_REALTIME);
}

static void console_write(int fd, const uint8_t *data, uint64_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n > 0) {
			data += n;
			len -= (uint64_t)n;
		} else if (n < 0 && errno == EPIPE) {
			sys_exit(128 + SIGPIPE);
		} else if (n < 0 && errno == EAGAIN) {
			/* Somebody who shares it has made it non-blocking. */
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			(void)ppoll(&p, 1, NULL, NULL);
		} else if (n == 0 || errno != EINTR) {
			return; /* a full disk: what is lost is lost */
		}
	}
}

/* The kernel writes to the timeout what was left of it when a signal came. */
static void await(struct hvt *h, struct gate_args *a)
{
	struct timespec left = { .tv_sec = (time_t)(a->timeout_ns / NS),
				 .tv_nsec = (long)(a->timeout_ns % NS) };
	long n;

	for (uint32_t i = 0; i < h->n_devices; i++)
		if (h->device[i].net.dead)
			h->pollfd[i].fd = -1;
	do {
		n = syscall(SYS_ppoll, h->pollfd, h->n_devices, &left, NULL, 0);
	} while (n < 0 && errno == EINTR);
	for (uint32_t i = 0; n > 0 && i < h->n_devices; i++) {
		if (h->pollfd[i].revents == 0)
			continue;
		a->ready_set |= 1ull << (i + 1);
		a->ret++;
	}
}

static struct hvt_device *device_of(struct hvt *h, uint64_t handle, int type)
{
	if (handle < 1 || handle > h->n_devices ||
	    (int)h->device[handle - 1].type != type)
		return NULL;
	return &h->device[handle - 1];
}

static enum hvt_outcome broken(struct hvt *h, uint64_t address, const char *why)
{
	h->fault = (struct hvt_fault){ .code = 128 + SIGSYS,
				       .what = "it broke the rules of a hypercall",
				       .why = why,
				       .address = address };
	return HVT_FAULTED;
}

static int block(struct hvt_device *d, struct gate_args *a, uint8_t *data, bool write)
{
	return hvt_block_io(&d->block, a, data, write);
}

static int net(struct hvt_device *d, struct gate_args *a, uint8_t *data, bool write)
{
	return write ? hvt_net_write(&d->net, data, a->len) :
		       hvt_net_read(&d->net, data, &a->len);
}

/* Reads and writes: the device first, then the buffer. Sets a->ret unless it faults. */
static enum hvt_outcome transfer(struct hvt *h, uint32_t nr, struct gate_args *a)
{
	bool is_block = nr == GATE_BLOCK_WRITE || nr == GATE_BLOCK_READ;
	bool write = nr == GATE_BLOCK_WRITE || nr == GATE_NET_WRITE;
	struct hvt_device *d =
		device_of(h, a->handle, is_block ? SOLO5_BLOCK : SOLO5_NET);
	const char *why;
	uint8_t *data;

	if (!d || (is_block && !hvt_block_fits(&d->block, a))) {
		a->ret = GATE_EINVAL;
		return HVT_GOES_ON;
	}
	if (gate_data(&h->gate, a->data, a->len, !write, &data, &why) != 0)
		return broken(h, a->data, why);
	a->ret = (is_block ? block : net)(d, a, data, write);
	return HVT_GOES_ON;
}

static enum hvt_outcome halt(struct hvt *h, const struct gate_args *a)
{
	const char *why;
	uint8_t *p;

	if (a->cookie != 0 &&
	    gate_data(&h->gate, a->cookie, GATE_COOKIE_BYTES, false, &p, &why) != 0)
		return broken(h, a->cookie, why);
	h->cookie = a->cookie;
	h->status = a->status;
	return HVT_HALTED;
}

enum hvt_outcome hvt_call(struct hvt *h, uint32_t nr, uint64_t gpa)
{
	enum hvt_outcome r = HVT_GOES_ON;
	struct gate_args a;
	const char *why;
	uint8_t *data;

	if (gate_take(&h->gate, nr, gpa, &a, &why) != 0)
		return broken(h, gpa, why);
	switch (nr) {
	case GATE_WALLTIME: walltime(h, &a); break;
	case GATE_PUTS:
		if (gate_data(&h->gate, a.data, a.len, false, &data, &why) != 0)
			return broken(h, a.data, why);
		console_write(h->console_fd, data, a.len);
		break;
	case GATE_POLL: await(h, &a); break;
	case GATE_HALT: return halt(h, &a);
	default: r = transfer(h, nr, &a); break;
	}
	if (r == HVT_GOES_ON)
		gate_give(&h->gate, nr, gpa, &a);
	return r;
}
