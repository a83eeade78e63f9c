/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A block device is a descriptor: a file, a disk, /dev/zero for one that is null. What
 * lies behind the end of a short file reads as zeros.
 *
 * Copy-on-write: base is only read. fd, the overlay, takes what is written, at the same
 * offsets, by whole chunks: the first write to a chunk fetches the rest of it from base.
 * Behind the device's bytes the overlay has a head and a map, a bit for each chunk that is
 * in it, so that it can be taken up again later. A chunk is written before its bit is: what
 * is killed in between has not happened. The map is the overlay's own business, and no
 * hole means anything: a copy of the file is as good.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tender/hvt/hvt.h"

#define CHUNK_MIN 4096u

struct map_head {
	char magic[8];
	uint32_t chunk_bytes, zero;
	uint64_t capacity, reserved;
};

static bool in_overlay(const struct hvt_block *b, uint64_t chunk)
{
	return b->bitmap[chunk / 8] >> (chunk % 8) & 1;
}

/* All of it, with zeros where the file has ended. */
static bool read_at(int fd, uint8_t *data, uint64_t len, uint64_t offset)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, data + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		done += (uint64_t)n;
	}
	memset(data + done, 0, len - done);
	return true;
}

static bool write_at(int fd, const uint8_t *data, uint64_t len, uint64_t offset)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, data + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (uint64_t)n;
	}
	return true;
}

static bool mark(struct hvt_block *b, uint64_t chunk)
{
	uint8_t *byte = &b->bitmap[chunk / 8], bit = (uint8_t)(1u << (chunk % 8));

	*byte |= bit;
	if (write_at(b->fd, byte, 1, b->map_at + sizeof(struct map_head) + chunk / 8))
		return true;
	*byte &= (uint8_t)~bit;
	return false;
}

/* An overlay that is empty is given a head; another must have been this device's. */
static int take_up(struct hvt_block *b, uint64_t map_bytes, struct err *err)
{
	struct map_head want = { .magic = "POLDERCW",
				 .chunk_bytes = b->chunk_bytes,
				 .capacity = b->capacity },
			have;
	struct stat st;

	if (fstat(b->fd, &st) < 0)
		return err_sys(err, "cannot look at a block device's overlay");
	if (!S_ISREG(st.st_mode))
		return err_set(err, PE_REFUSED,
			       "a block device's overlay must be a regular file");
	if (st.st_size == 0) {
		if (write_at(b->fd, (const uint8_t *)&want, sizeof(want), b->map_at))
			return 0;
		return err_sys(err, "cannot write to a block device's overlay");
	}
	if (!read_at(b->fd, (uint8_t *)&have, sizeof(have), b->map_at) ||
	    !read_at(b->fd, b->bitmap, map_bytes, b->map_at + sizeof(have)))
		return err_sys(err, "cannot read a block device's overlay");
	if (memcmp(&have, &want, sizeof(have)) != 0)
		return err_set(err, PE_REFUSED,
			       "a block device's overlay must be empty, or be what a "
			       "device of the same size has left");
	return 0;
}

int hvt_block_cow(struct hvt_block *b, struct err *err)
{
	uint64_t map_bytes;

	b->chunk_bytes = MAX(CHUNK_MIN, b->block_size);
	map_bytes = b->capacity / b->chunk_bytes / 8 + 1;
	b->map_at = (b->capacity + b->chunk_bytes - 1) / b->chunk_bytes * b->chunk_bytes;
	b->map_end = b->map_at + sizeof(struct map_head) + map_bytes;
	/* One piece: the map, then room for a chunk. Untouched parts cost nothing. */
	b->bitmap = mmap(NULL, map_bytes + b->chunk_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->bitmap == MAP_FAILED)
		return err_sys(err, "no memory for the map of a block device");
	b->chunk = b->bitmap + map_bytes;
	return take_up(b, map_bytes, err);
}

/* One block, to a chunk that may still be base's. */
static bool cow_write(struct hvt_block *b, const uint8_t *data, uint64_t offset)
{
	uint64_t chunk = offset / b->chunk_bytes, start = chunk * b->chunk_bytes;
	uint64_t len = MIN(b->chunk_bytes, b->capacity - start);

	if (in_overlay(b, chunk))
		return write_at(b->fd, data, b->block_size, offset);
	if (!read_at(b->base, b->chunk, len, start))
		return false;
	memcpy(b->chunk + (offset - start), data, b->block_size);
	return write_at(b->fd, b->chunk, len, start) && mark(b, chunk);
}

static bool one_block(struct hvt_block *b, uint8_t *data, uint64_t offset, bool write)
{
	if (write)
		return b->base >= 0 ? cow_write(b, data, offset) :
				      write_at(b->fd, data, b->block_size, offset);
	if (b->base >= 0 && !in_overlay(b, offset / b->chunk_bytes))
		return read_at(b->base, data, b->block_size, offset);
	return read_at(b->fd, data, b->block_size, offset);
}

/* Whole blocks, inside of the device. Solo5's own guests ask for one at a time. */
bool hvt_block_fits(const struct hvt_block *b, const struct gate_args *a)
{
	return a->offset % b->block_size == 0 && a->len % b->block_size == 0 &&
	       a->len > 0 && a->offset < b->capacity && a->len <= b->capacity - a->offset;
}

int hvt_block_io(struct hvt_block *b, const struct gate_args *a, uint8_t *data,
		 bool write)
{
	if (write && b->ro)
		return GATE_EUNSPEC;
	for (uint64_t done = 0; done < a->len; done += b->block_size)
		if (!one_block(b, data + done, a->offset + done, write))
			return GATE_EUNSPEC;
	return GATE_OK;
}
