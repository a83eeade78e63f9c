/* SPDX-License-Identifier: ISC */
/*
 * files.h - files that are sealed into the image: `polder cc --files=DIR` puts every
 * regular file below DIR into the constants, under its path below DIR with a slash
 * before it ("/index.html").
 *
 * open(), read(), lseek(), fstat(), stat(), access(), opendir(), readdir() and stdio
 * find them, too (read-only: EROFS); a directory is what is a prefix of a file's path.
 * The functions here read without copying.
 */
#ifndef POLDER_GUEST_FILES_H
#define POLDER_GUEST_FILES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_file {
	const char *path; /* "/a/b.html" */
	const void *data; /* aligned to 16 bytes; a zero byte follows the last */
	size_t size;      /* without that zero */
};

/* By exact path; "a", "/a" and "//a" are the same. NULL if there is none. */
const struct pg_file *pg_file_find(const char *path);

/* All of them, in the order of strcmp() on paths. NULL from index = pg_file_count(). */
size_t pg_file_count(void);
const struct pg_file *pg_file_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
