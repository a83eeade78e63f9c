// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kill-start - starts a command again and again and ends it with SIGKILL at a random
 * moment, to the microsecond.
 *
 *	kill-start self N MAX_US CMD…    kills what it started
 *	kill-start child N MAX_US CMD…   kills the child of that (a tender in the background)
 *	kill-start many N WAIT_MS CMD…   starts N at once and kills all of them later
 *
 * Prints how many were still there to be killed. The seed is
 * KILL_START_SEED, if set, and is printed first, so that a run can be repeated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int i = 0; i < 3; i++)
			(void)dup2(null, i);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void wait_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* The first child of pid, or 0. */
static pid_t child_of(pid_t pid)
{
	char path[64], text[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

/* Tenders whose starter is gone come to us (subreaper), and end like all others. */
static int kill_orphans(void)
{
	int n = 0;
	pid_t pid;

	while ((pid = child_of(getpid())) > 0) {
		n += kill(pid, SIGKILL) == 0;
		(void)waitpid(pid, NULL, 0);
	}
	return n;
}

static int one_by_one(int n, long max_us, int child, char **argv)
{
	int hit = 0;

	for (int i = 0; i < n; i++) {
		long us = random() % (max_us + 1);
		pid_t pid = start(argv), target = pid;
		int status;

		if (pid < 0)
			return 1;
		wait_us(us);
		if (child)
			target = child_of(pid);
		hit += target > 0 && kill(target, SIGKILL) == 0;
		if (child && target <= 0)
			(void)kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 127))
			return 1;
		hit += kill_orphans();
	}
	printf("%d of %d killed\n", hit, n);
	return 0;
}

static int many(int n, long wait_ms, char **argv)
{
	pid_t *pids = calloc((size_t)n, sizeof(*pids));
	int hit = 0;

	if (!pids)
		return 1;
	for (int i = 0; i < n; i++)
		pids[i] = start(argv);
	wait_us(wait_ms * 1000);
	for (int i = 0; i < n; i++)
		hit += pids[i] > 0 && kill(pids[i], SIGKILL) == 0;
	for (int i = 0; i < n; i++)
		(void)waitpid(pids[i], NULL, 0);
	(void)kill_orphans();
	free(pids);
	printf("%d of %d killed\n", hit, n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *given = getenv("KILL_START_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) :
				(unsigned)time(NULL) ^ (unsigned)getpid();
	int n = argc > 4 ? (int)strtol(argv[2], NULL, 10) : 0;
	long bound = argc > 4 ? strtol(argv[3], NULL, 10) : 0;

	if (n <= 0 || bound <= 0)
		return 2;
	printf("seed %u\n", seed);
	(void)fflush(stdout); /* or every child has it, too */
	srandom(seed);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (strcmp(argv[1], "many") == 0)
		return many(n, bound, argv + 4);
	return one_by_one(n, bound, strcmp(argv[1], "child") == 0, argv + 4);
}
