/* SPDX-License-Identifier: ISC */
/*
 * What the C library asks an operating system about descriptors: 0 is at its end, 1 and
 * 2 are the console, others are sealed files, which can only be read.
 */
#include "../internal.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST 3
#define OPEN_MAX_FILES 64

/* Where a descriptor is in its file; a file of NULL: free. Directories are in the table
 * as well, so that open() and fstat() know them, and read() refuses them. */
static struct {
	const struct pg_file *file;
	off_t at;
	bool directory;
} open_files[OPEN_MAX_FILES];

static int fail(int number)
{
	errno = number;
	return -1;
}

static int slot_of(int fd)
{
	int i = fd - FIRST;

	if (i < 0 || i >= OPEN_MAX_FILES || !open_files[i].file)
		return -1;
	return i;
}

int open(const char *path, int flags, ...)
{
	struct libc_path found;
	int i;

	if (!libc_path_find(path, &found))
		return fail((flags & O_CREAT) ? EROFS : ENOENT);
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		return fail(found.directory ? EISDIR : EROFS);
	for (i = 0; i < OPEN_MAX_FILES; i++) {
		if (open_files[i].file)
			continue;
		open_files[i].file = found.file;
		open_files[i].at = 0;
		open_files[i].directory = found.directory;
		return FIRST + i;
	}
	return fail(EMFILE);
}

int close(int fd)
{
	int i = slot_of(fd);

	if (fd >= 0 && fd < FIRST)
		return 0;
	if (i < 0)
		return fail(EBADF);
	open_files[i].file = NULL;
	return 0;
}

ssize_t read(int fd, void *buf, size_t len)
{
	int i = slot_of(fd);
	size_t left;

	if (fd == 0)
		return 0;
	if (i < 0)
		return fail(EBADF);
	if (open_files[i].directory)
		return fail(EISDIR);
	if ((uint64_t)open_files[i].at >= open_files[i].file->size)
		return 0;
	left = open_files[i].file->size - (size_t)open_files[i].at;
	len = len < left ? len : left;
	memcpy(buf, (const char *)open_files[i].file->data + open_files[i].at, len);
	open_files[i].at += (off_t)len;
	return (ssize_t)len;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (fd != 1 && fd != 2)
		return fail(EBADF);
	pg_console_write(buf, len);
	return (ssize_t)len;
}

off_t lseek(int fd, off_t offset, int whence)
{
	int i = slot_of(fd);
	off_t base, at;

	if (i < 0)
		return fail(fd >= 0 && fd < FIRST ? ESPIPE : EBADF);
	switch (whence) {
	case SEEK_SET: base = 0; break;
	case SEEK_CUR: base = open_files[i].at; break;
	case SEEK_END: base = (off_t)open_files[i].file->size; break;
	default: return fail(EINVAL);
	}
	if (__builtin_add_overflow(base, offset, &at) || at < 0)
		return fail(EINVAL);
	open_files[i].at = at;
	return at;
}

int fstat(int fd, struct stat *st)
{
	int i = slot_of(fd);

	if (i >= 0) {
		libc_path_stat(&(struct libc_path){ open_files[i].file,
						    open_files[i].directory },
			       st);
		return 0;
	}
	if (fd < 0 || fd >= FIRST)
		return fail(EBADF);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | 0600;
	st->st_blksize = 1024;
	return 0;
}

int isatty(int fd)
{
	if (fd >= 0 && fd < FIRST)
		return 1;
	errno = slot_of(fd) >= 0 ? ENOTTY : EBADF;
	return 0;
}
