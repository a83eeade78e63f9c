// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bomb - takes as much of one thing as it gets, up to a bound, and prints how much.
 *
 * usage: bomb fork N     processes that live until the end
 *        bomb memory N   MiB of touched memory
 *        bomb spin       never ends
 *        bomb stop       a child spins; the parent stops itself
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int forks(long n)
{
	long made = 0;
	int why = 0;

	for (; made < n; made++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (;;)
				(void)pause();
		}
		if (pid < 0) {
			why = errno;
			break;
		}
	}
	printf("%ld made, %s\n", made, why ? strerrorname_np(why) : "ok");
	(void)fflush(stdout);
	return 0; /* the others die with the environment */
}

static int memory(long n)
{
	for (long i = 0; i < n; i++) {
		char *p = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			printf("%ld made, %s\n", i, strerrorname_np(errno));
			return 0;
		}
		memset(p, 1, 1u << 20);
	}
	printf("%ld made, ok\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	volatile unsigned long spin = 0;

	if (argc == 3 && strcmp(argv[1], "fork") == 0)
		return forks(strtol(argv[2], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return memory(strtol(argv[2], NULL, 10));
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "stop") == 0 && fork() > 0)
		(void)raise(SIGSTOP);
	for (;;)
		spin++;
}
