/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uspec.c - the spec of a unikernel's tender: checking and decoding. Freestanding; what
 * writes one is uspec-encode.c.
 */
#include "wire/uspec.h"

#include "base/err.h"
#include "wire/uspec-internal.h"
#include "wire/wire.h"

#define FIRST_FD 3
#define MEM_MIN (1u << 20) /* where an image begins */

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return PE_BAD;
}

/* One word: it is printed, and compared with what an image declares. */
static bool word_ok(const char *s, size_t max)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == max || (unsigned char)s[n] <= ' ' || s[n] == 0x7f || s[n] == '/')
			return false;
	return true;
}

static bool fd_ok(int32_t fd)
{
	return fd == -1 || fd >= FIRST_FD;
}

static bool path_ok(const char *path)
{
	return !path || path[0] == '/';
}

/* The i-th descriptor of the spec, -1 if it is not there; 4, then 2 for each device. */
static int32_t fd_at(const struct uspec *s, uint32_t i)
{
	const struct uspec_device *d = &s->devices[i < 4 ? 0 : (i - 4) / 2];

	switch (i) {
	case 0: return s->image_fd;
	case 1: return s->report_fd;
	case 2: return s->core_fd;
	case 3: return s->alive_fd;
	default: return i % 2 ? d->base : d->fd;
	}
}

static int check_fds(const struct uspec *s, const char **ret_why)
{
	uint32_t n = 4 + 2 * s->n_devices;

	for (uint32_t i = 0; i < n; i++) {
		if (!fd_ok(fd_at(s, i)))
			return bad(ret_why, "a descriptor of the spec is below 3");
		for (uint32_t j = 0; j < i; j++)
			if (fd_at(s, i) >= 0 && fd_at(s, i) == fd_at(s, j))
				return bad(ret_why,
					   "a descriptor of the spec has two roles");
	}
	return 0;
}

static int check_block(const struct uspec_device *d, const char **ret_why)
{
	bool cow = d->flags & USPEC_DEV_COW;

	if ((d->fd >= 0) == (d->path != NULL) || !path_ok(d->path))
		return bad(ret_why, "a block device has neither a descriptor nor an "
				    "absolute path, or both");
	if (d->block_size < 512 || d->block_size > 32768 ||
	    (d->block_size & (d->block_size - 1)) != 0)
		return bad(ret_why, "a block size is no power of two from 512 to 32768");
	if (d->capacity == 0 || d->capacity % d->block_size != 0 ||
	    d->capacity > INT64_MAX)
		return bad(ret_why, "a capacity is zero, absurd or no multiple of the "
				    "block size");
	if (cow != (d->base >= 0) || (cow && d->fd < 0) ||
	    (cow && d->flags != USPEC_DEV_COW))
		return bad(ret_why,
			   "a copy-on-write device needs two descriptors, a base "
			   "and what is written, and nothing else does");
	return 0;
}

static int check_net(const struct uspec_device *d, const char **ret_why)
{
	static const uint8_t none[sizeof(d->mac)];

	if (d->flags != 0)
		return bad(ret_why, "a net device has flags of a block device");
	if (d->fd < 0 || d->path || d->base >= 0)
		return bad(ret_why, "a net device is one descriptor and no path");
	if ((d->mac[0] & 1) || memcmp(d->mac, none, sizeof(none)) == 0)
		return bad(ret_why, "a hardware address is that of a group, or zero");
	if (d->mtu < 68)
		return bad(ret_why, "an mtu is below 68");
	return 0;
}

static int check_device(const struct uspec *s, uint32_t i, const char **ret_why)
{
	const struct uspec_device *d = &s->devices[i];

	if (!d->name || !d->name[0] || !word_ok(d->name, USPEC_NAME_BYTES - 1))
		return bad(ret_why, "the name of a device is empty, too long or no word");
	for (uint32_t j = 0; j < i; j++)
		if (strcmp(s->devices[j].name, d->name) == 0)
			return bad(ret_why, "two devices of the spec have the same name");
	if (d->flags & ~(uint32_t)USPEC_DEV_FLAGS_ALL)
		return bad(ret_why, "a device has unknown flags");
	switch (d->type) {
	case USPEC_BLOCK: return check_block(d, ret_why);
	case USPEC_NET: return check_net(d, ret_why);
	default: return bad(ret_why, "a device is neither block nor net");
	}
}

static int check_memory(const struct uspec *s, const char **ret_why)
{
	uint64_t unit = s->kind == USPEC_SPT ? 4096 : 2u << 20;
	uint64_t max = s->kind == USPEC_SPT ? USPEC_SPT_MEM_MAX : USPEC_HVT_MEM_MAX;

	if (s->mem_bytes < MEM_MIN || s->mem_bytes > max)
		return bad(ret_why, s->kind == USPEC_SPT ?
					    "the memory is not between 1 MiB and 1 TiB" :
					    "the memory is not between 1 MiB and 4 GiB");
	if (s->mem_bytes % unit != 0)
		return bad(ret_why, s->kind == USPEC_SPT ?
					    "the memory is no multiple of 4 KiB" :
					    "the memory is no multiple of 2 MiB");
	return 0;
}

static int check_flags(const struct uspec *s, const char **ret_why)
{
	bool spt = s->kind == USPEC_SPT;

	if (s->flags & ~(uint32_t)USPEC_FLAGS_ALL)
		return bad(ret_why, "the spec has unknown flags");
	if (((s->flags & USPEC_CORE) != 0) != (s->core_fd >= 0))
		return bad(ret_why,
			   "a core file has a flag and a descriptor, or neither");
	if (spt && (s->flags & USPEC_CORE))
		return bad(ret_why,
			   "a core file of an spt guest is written by its tracer");
	if (spt && ((s->flags & USPEC_CLOCK_START) || s->wall_start_ns))
		return bad(ret_why, "an spt guest has the host's clock");
	if ((s->flags & USPEC_SWAPS) && (s->report_fd < 0 || s->alive_fd < 0))
		return bad(ret_why, "volumes that can be exchanged need a starter that "
				    "is told, and lives");
	if ((s->flags & USPEC_TRACED) && (!spt || s->alive_fd < 0))
		return bad(ret_why, "a traced start is an spt guest's and needs the "
				    "starter's pipe");
	return 0;
}

int uspec_check(const struct uspec *s, const char **ret_why)
{
	int r;

	if (s->kind != USPEC_SPT && s->kind != USPEC_HVT)
		return bad(ret_why, "the spec is for neither spt nor hvt");
	if (!s->name || !word_ok(s->name, 255))
		return bad(ret_why, "the environment's name is too long or no word");
	if ((s->image_fd >= 0) == (s->image_path != NULL) || !path_ok(s->image_path))
		return bad(ret_why, "the image has neither a descriptor nor an absolute "
				    "path, or both");
	if (!s->cmdline || strlen(s->cmdline) >= USPEC_CMDLINE_BYTES)
		return bad(ret_why, "the command line has more than 8191 bytes");
	if (s->uid == 0 || s->gid == 0 || s->uid == UINT32_MAX || s->gid == UINT32_MAX)
		return bad(ret_why,
			   "a guest is never run as user or group 0 of the host");
	if (s->n_devices > USPEC_MAX_DEVICES)
		return bad(ret_why, "the spec has more than 63 devices");
	r = check_flags(s, ret_why);
	if (r == 0)
		r = check_memory(s, ret_why);
	for (uint32_t i = 0; r == 0 && i < s->n_devices; i++)
		r = check_device(s, i, ret_why);
	return r != 0 ? r : check_fds(s, ret_why);
}

static void read_device(struct rbuf *r, struct uspec_device *d)
{
	d->name = get_str(r);
	d->type = get_u8(r);
	d->flags = get_u32(r);
	d->fd = (int32_t)get_u32(r);
	d->base = (int32_t)get_u32(r);
	d->path = get_str_or_null(r);
	d->capacity = get_u64(r);
	d->block_size = get_u16(r);
	for (size_t i = 0; i < sizeof(d->mac); i++)
		d->mac[i] = get_u8(r);
	d->mtu = get_u16(r);
}

static void read_fields(struct rbuf *r, struct uspec *s)
{
	for (size_t i = 0; i < sizeof(s->id); i++)
		s->id[i] = get_u8(r);
	s->generation = get_u64(r);
	s->name = get_str(r);
	s->kind = get_u8(r);
	s->flags = get_u32(r);
	s->image_fd = (int32_t)get_u32(r);
	s->image_path = get_str_or_null(r);
	s->mem_bytes = get_u64(r);
	s->cmdline = get_str(r);
	s->uid = get_u32(r);
	s->gid = get_u32(r);
	s->report_fd = (int32_t)get_u32(r);
	s->core_fd = (int32_t)get_u32(r);
	s->alive_fd = (int32_t)get_u32(r);
	s->wall_start_ns = get_u64(r);
	s->n_devices = get_count(r, USPEC_DEVICE_BYTES_MIN);
	for (uint32_t i = 0; i < s->n_devices && i < USPEC_MAX_DEVICES; i++)
		read_device(r, &s->devices[i]);
}

int uspec_decode(struct uspec *ret, const void *buf, size_t len, const char **ret_why)
{
	struct rbuf r = RBUF_INIT(buf, len);

	memset(ret, 0, sizeof(*ret));
	if (len > USPEC_MAX_BYTES)
		return bad(ret_why, "the spec is longer than 1 MiB");
	if (get_u32(&r) != USPEC_MAGIC || get_u32(&r) != USPEC_VERSION)
		return bad(ret_why, "not a unikernel's spec of version 1");
	read_fields(&r, ret);
	if (ret->n_devices > USPEC_MAX_DEVICES)
		return bad(ret_why, "the spec has more than 63 devices");
	if (r.bad || r.p != r.end)
		return bad(ret_why, "the spec is damaged or cut short");
	return uspec_check(ret, ret_why);
}
