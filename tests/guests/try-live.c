// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * try-live - attempts at what is granted to it while it runs, for a while.
 *
 *	try-live plant DIR MS		makes DIR/.git/hooks/planted
 *	try-live swap DIR MS		exchanges DIR/a and DIR/b all the time, and makes
 *					data/.git/hooks/planted in both
 *	try-live flip DIR MS		takes DIR/.git's permissions away and gives them back
 *					all the time, and makes DIR/.git/hooks/planted
 *
 * Says "began" once it is at it. Always ends with 0: what came of it is to be looked at on
 * the host.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void plant(const char *dir, const char *below)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s/.git/hooks/planted", dir, below);
	fd = open(path, O_WRONLY | O_CREAT, 0755);
	if (fd >= 0)
		(void)close(fd);
}

static void swap(const char *dir)
{
	char a[4096], b[4096];

	(void)snprintf(a, sizeof(a), "%s/a", dir);
	(void)snprintf(b, sizeof(b), "%s/b", dir);
	(void)renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

static void flip(const char *dir)
{
	char git[4096];

	(void)snprintf(git, sizeof(git), "%s/.git", dir);
	(void)chmod(git, 0);
	(void)chmod(git, 0755);
}

/* Beside us, to the end. */
static void all_the_time(void (*what)(const char *), const char *dir)
{
	pid_t pid = fork();

	if (pid != 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		what(dir);
}

int main(int argc, char **argv)
{
	long end;

	if (argc != 4)
		return 2;
	end = now_ms() + atol(argv[3]);
	if (strcmp(argv[1], "swap") == 0)
		all_the_time(swap, argv[2]);
	if (strcmp(argv[1], "flip") == 0)
		all_the_time(flip, argv[2]);
	puts("began");
	(void)fflush(stdout);
	while (now_ms() < end) {
		if (strcmp(argv[1], "swap") == 0) {
			plant(argv[2], "/a/data");
			plant(argv[2], "/b/data");
		} else {
			plant(argv[2], "");
		}
	}
	return 0;
}
