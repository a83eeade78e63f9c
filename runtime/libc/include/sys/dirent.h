/* SPDX-License-Identifier: ISC */
/*
 * sys/dirent.h - directories of sealed files; newlib's <dirent.h> includes it.
 * readdir() gives no "." and "..", and names in the order of strcmp().
 */
#ifndef POLDER_RUNTIME_SYS_DIRENT_H
#define POLDER_RUNTIME_SYS_DIRENT_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NAME_MAX
#define NAME_MAX 255
#endif

enum { DT_UNKNOWN = 0, DT_DIR = 4, DT_REG = 8 };

struct dirent {
	ino_t d_ino;
	unsigned char d_type;
	char d_name[NAME_MAX + 1];
};

typedef struct polder_dir DIR;

DIR *opendir(const char *path);
struct dirent *readdir(DIR *dir);
void rewinddir(DIR *dir);
int closedir(DIR *dir);

#ifdef __cplusplus
}
#endif
#endif
