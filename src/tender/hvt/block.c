/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A block device is a descriptor: a file, a disk, /dev/zero for one that is null. What
 * lies behind the end of a short file reads as zeros.
 *
 * Copy-on-write: base is only read, fd takes what is written, at the same offsets. Whole
 * chunks go there: the first write to a chunk fetches the rest of it from base. A chunk
 * is never smaller than what the file system allocates, so that the holes of fd are
 * exactly the chunks that are still base's; the bitmap is read off them at the start, and
 * a device can be taken up again with nothing but the two files.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tender/hvt/hvt.h"

#define CHUNK_MIN 4096u
#define CHUNK_MAX (4u << 20)

static bool in_overlay(const struct hvt_block *b, uint64_t chunk)
{
	return b->bitmap[chunk / 8] >> (chunk % 8) & 1;
}

static void mark(struct hvt_block *b, uint64_t chunk)
{
	b->bitmap[chunk / 8] |= (uint8_t)(1u << (chunk % 8));
}

/* The chunks that fd holds already. */
static int read_holes(struct hvt_block *b, struct err *err)
{
	off_t at = 0, end;

	while ((uint64_t)at < b->capacity) {
		at = lseek(b->fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			return 0;
		end = at < 0 ? -1 : lseek(b->fd, at, SEEK_HOLE);
		if (end < 0)
			return err_sys(err, "cannot tell which parts of a block device's "
					    "overlay are written");
		for (uint64_t c = (uint64_t)at / b->chunk_bytes;
		     c * b->chunk_bytes < MIN((uint64_t)end, b->capacity); c++)
			mark(b, c);
		at = end;
	}
	return 0;
}

int hvt_block_cow(struct hvt_block *b, struct err *err)
{
	uint64_t n;
	struct stat st;

	if (fstat(b->fd, &st) < 0)
		return err_sys(err, "cannot look at a block device's overlay");
	if (!S_ISREG(st.st_mode))
		return err_set(err, PE_REFUSED,
			       "a block device's overlay must be a regular file");
	b->chunk_bytes = CHUNK_MIN;
	while (b->chunk_bytes < CHUNK_MAX && (b->chunk_bytes < (uint64_t)st.st_blksize ||
					      b->chunk_bytes < b->block_size))
		b->chunk_bytes *= 2;
	if (b->chunk_bytes < (uint64_t)st.st_blksize)
		return err_set(err, PE_REFUSED,
			       "the file system of a block device's overlay allocates "
			       "more than 4 MiB at a time");
	n = b->capacity / b->chunk_bytes + 1;
	/* One piece: the bitmap, then room for a chunk. Untouched parts cost nothing. */
	b->bitmap = mmap(NULL, n / 8 + 1 + b->chunk_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->bitmap == MAP_FAILED)
		return err_sys(err, "no memory for the map of a block device");
	b->chunk = b->bitmap + n / 8 + 1;
	return read_holes(b, err);
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
	if (!write_at(b->fd, b->chunk, len, start))
		return false;
	mark(b, chunk);
	return true;
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
