/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What using and making a finished /etc share; skeleton.c tells the whole. */
#ifndef POLDER_SERVER_SKELETON_INTERNAL_H
#define POLDER_SERVER_SKELETON_INTERNAL_H

#include "server/server-internal.h"

#include <sys/stat.h>

#define SKELETON_DIR "etc" /* in the run directory */
/* Of this layout, and of the list of what is copied: another list makes another copy. */
uint32_t skeleton_magic(void);
#define SKELETON_INDEX_MAX 16384u
#define SKELETON_NAME 17 /* with its NUL */

/* The index: this, the made files, the stamps. Of this machine and this version. */
struct skeleton_head {
	uint32_t magic, head_size, stamp_size;
	uint32_t made_len; /* path, NUL, text, NUL, and so on */
	uint32_t n_stamps;
	char name[SKELETON_NAME + 3];
};

enum stamp_kind {
	STAMP_ABSENT, /* was not there */
	STAMP_EXACT,  /* nothing of it has changed */
	STAMP_BOUND, /* a source that is mounted as it is: the same object; a link: exact */
	STAMP_SAME, /* the same object, whatever is in it */
};

/* One thing that the skeleton depends on; its path, NUL-terminated, follows. A relative
 * path is in the run directory. */
struct skeleton_stamp {
	uint32_t kind, mode;
	uint64_t dev, ino, size;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint32_t path_len; /* with NULs, up to a multiple of 8 */
	uint32_t unused;
};

void skeleton_stamp(struct skeleton_stamp *ret, enum stamp_kind kind,
		    const struct stat *st);
/* True if what is there now is what it was. */
bool skeleton_same(const struct skeleton_stamp *a, int rundir, const char *path);

/* Makes one and makes it the present one. False: not this time, and nothing is left. */
bool skeleton_make(int rundir, const struct str *made);

#endif
