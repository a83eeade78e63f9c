/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay.c - runs a fuzz target over files, without libFuzzer.
 *
 * Arguments are files and directories of files. Any compiler builds it, so that what
 * fuzzing once found stays tested where there is no fuzzer.
 */
#include "base/auto.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned replayed;

/* Through a block of the exact size, so that a sanitizer sees a read past the end. */
static int replay_fd(int fd, const char *name)
{
	auto_free uint8_t *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + !st.st_size))) {
		perror(name);
		return -1;
	}
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

		if (n <= 0) {
			perror(name);
			return -1;
		}
		len += (size_t)n;
	}
	(void)LLVMFuzzerTestOneInput(data, len);
	replayed++;
	return 0;
}

static int replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		perror(path);
		return -1;
	}
	while (r == 0 && (entry = readdir(dir))) {
		auto_fd fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			perror(entry->d_name);
		r = fd < 0 ? -1 : replay_fd(fd, entry->d_name);
	}
	closedir(dir);
	return r;
}

static int replay_path(const char *path)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		return -1;
	}
	return S_ISDIR(st.st_mode) ? replay_dir(path) : replay_fd(fd, path);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay_path(argv[i]) < 0)
			return 1;
	printf("%u inputs replayed\n", replayed);
	if (replayed == 0)
		fprintf(stderr, "there was nothing to replay\n");
	return replayed == 0;
}
