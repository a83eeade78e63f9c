/* SPDX-License-Identifier: ISC */
/*
 * files.h - paths of sealed files, as stat(), open() and opendir() see them.
 */
#ifndef POLDER_RUNTIME_LIBC_FILES_H
#define POLDER_RUNTIME_LIBC_FILES_H

#include <polder/guest/files.h>
#include <stdbool.h>
#include <sys/stat.h>

/* A file, or a directory and the first file below it. */
struct libc_path {
	const struct pg_file *file;
	bool directory;
};

/* Relative paths begin at the root; "." and empty parts mean nothing. The root is there
 * if there is any file. */
bool libc_path_find(const char *path, struct libc_path *ret);
void libc_path_stat(const struct libc_path *p, struct stat *ret);

/* How many bytes of path are before the names in the directory that p is: "/a/" is 3. */
size_t libc_path_prefix(const char *path, char *buf, size_t size);

#endif
