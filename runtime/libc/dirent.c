/* SPDX-License-Identifier: ISC */
/*
 * Directories, which are nothing but prefixes of paths. The table of files is in order,
 * so what lies in one directory is together, and so is what lies in one below it.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 1024

struct polder_dir {
	char prefix[PATH_BYTES]; /* "/a/" */
	size_t len, next;
	struct dirent entry; /* the last that was given; d_name "" before the first */
};

DIR *opendir(const char *path)
{
	struct libc_path found;
	DIR *dir;

	if (!libc_path_find(path, &found) || !found.directory) {
		errno = libc_path_find(path, &found) ? ENOTDIR : ENOENT;
		return NULL;
	}
	dir = calloc(1, sizeof(*dir));
	if (dir)
		dir->len = libc_path_prefix(path, dir->prefix, sizeof(dir->prefix));
	return dir;
}

struct dirent *readdir(DIR *dir)
{
	const struct pg_file *f;

	while ((f = pg_file_at(dir->next)) != NULL) {
		const char *name = f->path + dir->len;
		size_t len;

		dir->next++;
		if (strncmp(f->path, dir->prefix, dir->len) != 0)
			continue;
		len = strcspn(name, "/");
		if (len > NAME_MAX || (strncmp(name, dir->entry.d_name, len) == 0 &&
				       dir->entry.d_name[len] == '\0'))
			continue;
		memcpy(dir->entry.d_name, name, len);
		dir->entry.d_name[len] = '\0';
		dir->entry.d_type = name[len] == '/' ? DT_DIR : DT_REG;
		dir->entry.d_ino = (ino_t)(2 * dir->next - 1 + (name[len] == '/'));
		return &dir->entry;
	}
	return NULL;
}

void rewinddir(DIR *dir)
{
	dir->next = 0;
	dir->entry.d_name[0] = '\0';
}

int closedir(DIR *dir)
{
	free(dir);
	return 0;
}
