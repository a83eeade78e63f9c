/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c - from the descriptors that the spec names to those that the guest has.
 *
 * A descriptor is the capability, so each is asked what it is: the wrong kind of file
 * would give the guest another authority than its device's. The guest's numbers are fixed,
 * console, epoll, timer, net devices, block devices, so that its filter is short; in the
 * spec they are any. What was given below the guest's highest number is moved above it
 * first; then each is put in its place, and the rest closed.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "tender/spt/spt-internal.h"

#define DEV_TUN makedev(10, 200)
#define DEV_ZERO makedev(1, 5)

static const char *kind_text(uint32_t type)
{
	return type == USPEC_NET ? "net" : "block";
}

static const struct uspec_device *find(const struct uspec *u, const char *name)
{
	for (uint32_t i = 0; i < u->n_devices; i++)
		if (strcmp(u->devices[i].name, name) == 0)
			return &u->devices[i];
	return NULL;
}

static void refuse_extra(const struct spt *s)
{
	const struct uspec *u = &s->spec;

	for (uint32_t i = 0; i < u->n_devices; i++) {
		bool declared = false;

		for (uint32_t j = 0; j < s->image.n_devices; j++)
			declared |= s->device[j].spec == &u->devices[i];
		if (!declared)
			spt_refuse(s, SPT_BAD_SPEC, "the spec binds a device '",
				   u->devices[i].name,
				   "' that the image does not declare");
	}
}

void spt_devices_match(struct spt *s)
{
	for (uint32_t i = 0; i < s->image.n_devices; i++) {
		const char *name = s->image.device[i].name;
		const struct uspec_device *d = find(&s->spec, name);
		uint32_t type = s->image.device[i].type;

		if (!d)
			spt_refuse(s, SPT_BAD_SPEC, "the image declares a device '", name,
				   "' that the spec does not bind");
		else if (d->type != type)
			spt_refuse(s, SPT_BAD_SPEC, "'", name, "' is a ", kind_text(type),
				   " device, and bound to a ", kind_text(d->type),
				   " device");
		s->device[i].spec = d;
		s->device[i].entry = i + 1;
	}
	refuse_extra(s);
}

static void must_be_open(const struct spt *s, int fd)
{
	char digits[21];

	if (fd >= 0 && SYS2(SYS_fcntl, fd, F_GETFD) < 0)
		spt_refuse(s, SPT_BAD_SPEC, "the spec names descriptor ",
			   spt_number(digits, (uint64_t)fd), ", which is not open");
}

/* Else what is opened by its path could get a number that the spec names: that of another
 * device, or of where a refusal is told. */
static void check_inherited(const struct spt *s)
{
	bool by_path = s->spec.image_fd < 0;

	for (uint32_t i = 0; i < s->spec.n_devices; i++)
		by_path |= s->spec.devices[i].fd < 0;
	if (!by_path)
		return;
	must_be_open(s, s->spec.image_fd);
	must_be_open(s, s->spec.alive_fd);
	if (s->spec.report_fd >= 0 && SYS2(SYS_fcntl, s->spec.report_fd, F_GETFD) < 0)
		sys_exit(SPT_BAD_SPEC); /* nobody to tell */
	for (uint32_t i = 0; i < s->spec.n_devices; i++) {
		must_be_open(s, s->spec.devices[i].fd);
		must_be_open(s, s->spec.devices[i].base);
	}
}

void spt_open(struct spt *s)
{
	check_inherited(s);
	spt_image_open(s);
	for (uint32_t i = 0; i < s->spec.n_devices; i++) {
		struct uspec_device *d = &s->spec.devices[i];
		int flags = d->flags & USPEC_DEV_RO ? O_RDONLY : O_RDWR;

		if (d->fd >= 0)
			continue;
		d->fd = sys_openat(AT_FDCWD, d->path, flags | O_NONBLOCK | O_NOCTTY, 0);
		if (d->fd < 0)
			spt_refuse_sys(s, SPT_BAD_SPEC, d->fd, "cannot open '", d->path,
				       "' for device '", d->name, "'");
	}
}

_Noreturn static void refuse(const struct spt *s, const struct uspec_device *d,
			     const char *why)
{
	spt_refuse(s, SPT_BAD_SPEC, "device '", d->name, "': ", why);
}

static void stat_of(const struct spt *s, const struct uspec_device *d, struct stat *ret)
{
	if (SYS2(SYS_fstat, d->fd, ret) < 0)
		refuse(s, d, "its descriptor is not open");
}

static uint64_t size_of(const struct spt *s, const struct uspec_device *d)
{
	struct stat st = { 0 };
	uint64_t size = 0;

	stat_of(s, d, &st);
	if (S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	if (S_ISCHR(st.st_mode) && st.st_rdev == DEV_ZERO)
		return UINT64_MAX; /* reads zeros, forgets what is written */
	if (!S_ISBLK(st.st_mode) || SYS3(SYS_ioctl, d->fd, BLKGETSIZE64, &size) < 0)
		refuse(s, d,
		       "a block device needs a regular file, a block device of the "
		       "host, or /dev/zero");
	return size;
}

static void check_block(const struct spt *s, const struct uspec_device *d)
{
	uint64_t size = size_of(s, d);
	long mode = SYS2(SYS_fcntl, d->fd, F_GETFL);
	bool ro = d->flags & USPEC_DEV_RO;

	if (mode < 0 || (mode & O_PATH) || (mode & O_ACCMODE) == O_WRONLY)
		refuse(s, d, "its descriptor cannot be read");
	if (!ro && (mode & O_ACCMODE) != O_RDWR)
		refuse(s, d, "its descriptor cannot be written, and it is not read-only");
	/* Linux would append, whatever place pwrite names. */
	if (!ro && (mode & O_APPEND))
		refuse(s, d, "its descriptor is open for appending");
	if (d->capacity > size)
		refuse(s, d, "its file is smaller than its capacity");
}

/* Whether frames have the other header (IFF_NO_PI) the kernel does not tell. */
static bool is_tap(int fd, const struct stat *st)
{
	struct ifreq r = { 0 };

	return S_ISCHR(st->st_mode) && st->st_rdev == DEV_TUN &&
	       SYS3(SYS_ioctl, fd, TUNGETIFF, &r) == 0 &&
	       (r.ifr_flags & (IFF_TAP | IFF_VNET_HDR)) == IFF_TAP;
}

static bool is_datagrams(int fd, const struct stat *st)
{
	int type = 0;
	uint32_t len = sizeof(type);

	return S_ISSOCK(st->st_mode) &&
	       SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       (type == SOCK_DGRAM || type == SOCK_SEQPACKET);
}

static void check_net(const struct spt *s, const struct uspec_device *d)
{
	struct stat st = { 0 };
	long mode;

	stat_of(s, d, &st);
	if (!is_datagrams(d->fd, &st) && !is_tap(d->fd, &st))
		refuse(s, d,
		       "a net device needs a datagram socket, or a TAP interface without "
		       "headers");
	mode = SYS2(SYS_fcntl, d->fd, F_GETFL);
	if (mode >= 0)
		mode = SYS3(SYS_fcntl, d->fd, F_SETFL, mode | O_NONBLOCK);
	if (mode < 0)
		refuse(s, d, "it cannot be made non-blocking");
}

void spt_devices_check(struct spt *s)
{
	for (uint32_t i = 0; i < s->image.n_devices; i++) {
		const struct uspec_device *d = s->device[i].spec;

		s->device[i].fd = d->fd;
		if (d->flags & USPEC_DEV_COW)
			refuse(s, d, "copy-on-write is not to be had with spt");
		if (d->type == USPEC_NET)
			check_net(s, d);
		else
			check_block(s, d);
	}
}

static int move_above(const struct spt *s, int fd, int least)
{
	long r;

	if (fd < 0 || fd >= least)
		return fd;
	r = SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot move a descriptor");
	return (int)r;
}

/* take_fd goes to the number to. */
static void put(const struct spt *s, long take_fd, int to, const char *what)
{
	long r = take_fd;

	if (r >= 0 && r != to) {
		r = SYS3(SYS_dup3, take_fd, to, O_CLOEXEC);
		sys_close((int)take_fd);
	}
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot have ", what);
}

static void watch(const struct spt *s, int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .u64 = data } };
	long r = SYS4(SYS_epoll_ctl, SPT_EPOLL_FD, EPOLL_CTL_ADD, fd, &event);

	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot watch a device");
}

static int place_kind(struct spt *s, uint32_t type, int number)
{
	for (uint32_t i = 0; i < s->image.n_devices; i++) {
		struct spt_device *d = &s->device[i];

		if (d->spec->type != type)
			continue;
		put(s, d->fd, number, "a device's descriptor");
		d->fd = number++;
	}
	return number;
}

void spt_devices_place(struct spt *s)
{
	uint32_t n = s->image.n_devices;
	int end = SPT_DEVICE_FD + (int)n;

	for (uint32_t i = 0; i < n; i++)
		s->device[i].fd = move_above(s, s->device[i].fd, end);
	s->spec.report_fd = move_above(s, s->spec.report_fd, end);
	(void)place_kind(s, USPEC_BLOCK, place_kind(s, USPEC_NET, SPT_DEVICE_FD));
	put(s, SYS1(SYS_epoll_create1, EPOLL_CLOEXEC), SPT_EPOLL_FD, "an epoll");
	put(s, SYS2(SYS_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC),
	    SPT_TIMER_FD, "a timer");
	watch(s, SPT_TIMER_FD, SPT_TIMER_DATA);
	for (uint32_t i = 0; i < n; i++)
		if (s->device[i].spec->type == USPEC_NET)
			watch(s, s->device[i].fd, s->device[i].entry);
}
