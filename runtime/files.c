/* SPDX-License-Identifier: ISC */
/*
 * The table of sealed files: the linker puts together what `polder cc --files` made, in
 * the order of paths.
 */
#include "internal.h"

#include <string.h>

extern const struct pg_file pg_files_start[], pg_files_end[];

size_t pg_file_count(void)
{
	return (size_t)(pg_files_end - pg_files_start);
}

const struct pg_file *pg_file_at(size_t index)
{
	return index < pg_file_count() ? &pg_files_start[index] : NULL;
}

const struct pg_file *pg_file_find(const char *path)
{
	size_t from = 0, to = pg_file_count();

	while (*path == '/')
		path++;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(path, pg_files_start[middle].path + 1);

		if (order == 0)
			return &pg_files_start[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}
