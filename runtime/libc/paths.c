/* SPDX-License-Identifier: ISC */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 1024

/* "/a/b" of whatever stands for it, without a slash at the end; "" is the root. 0 when
 * it is too long. */
static bool normal(const char *path, char *ret, size_t size)
{
	size_t n = 0;

	while (*path != '\0') {
		size_t len;

		while (*path == '/')
			path++;
		len = strcspn(path, "/");
		if (len > 0 && !(len == 1 && path[0] == '.')) {
			if (n + 1 + len + 1 > size)
				return false;
			ret[n++] = '/';
			memcpy(ret + n, path, len);
			n += len;
		}
		path += len;
	}
	ret[n] = '\0';
	return true;
}

size_t libc_path_prefix(const char *path, char *buf, size_t size)
{
	size_t n;

	if (!normal(path, buf, size - 1))
		return 0;
	n = strlen(buf);
	buf[n++] = '/';
	buf[n] = '\0';
	return n;
}

bool libc_path_find(const char *path, struct libc_path *ret)
{
	char name[PATH_BYTES];
	size_t i, n = libc_path_prefix(path, name, sizeof(name));
	const struct pg_file *f;

	if (n == 0 || *path == '\0')
		return false;
	for (i = 0; (f = pg_file_at(i)) != NULL; i++) {
		if (strncmp(f->path, name, n) == 0) {
			*ret = (struct libc_path){ f, true };
			return true;
		}
		/* A file's name has no slash at its end. */
		if (path[strlen(path) - 1] != '/' && strncmp(f->path, name, n - 1) == 0 &&
		    f->path[n - 1] == '\0') {
			*ret = (struct libc_path){ f, false };
			return true;
		}
	}
	return false;
}

void libc_path_stat(const struct libc_path *p, struct stat *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->st_mode = p->directory ? S_IFDIR | 0555 : S_IFREG | 0444;
	ret->st_nlink = 1;
	ret->st_ino = (ino_t)(1 + 2 * (p->file - pg_file_at(0)) + p->directory);
	ret->st_size = p->directory ? 0 : (off_t)p->file->size;
	ret->st_blksize = 4096;
	ret->st_blocks = (blkcnt_t)((ret->st_size + 511) / 512);
}

int stat(const char *path, struct stat *ret)
{
	struct libc_path found;

	if (!libc_path_find(path, &found)) {
		errno = ENOENT;
		return -1;
	}
	libc_path_stat(&found, ret);
	return 0;
}

int access(const char *path, int mode)
{
	struct libc_path found;

	if (!libc_path_find(path, &found))
		errno = ENOENT;
	else if (mode & W_OK)
		errno = EROFS;
	else if ((mode & X_OK) && !found.directory)
		errno = EACCES;
	else
		return 0;
	return -1;
}
