/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * floor.c - the kernel's floor: the seven namespaces of an environment, and exec.
 *
 *   floor CMD…
 *
 * No mount, no identity map, no filter: what no tool that makes these namespaces can
 * undercut. The child shares memory until it execs.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES                                                                       \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |      \
	 CLONE_NEWCGROUP | CLONE_NEWNET)

static int child(void *arg)
{
	char **argv = arg;

	(void)execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int status = 0;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: floor CMD…\n");
		return 2;
	}
	pid = clone(child, stack + sizeof(stack),
		    NAMESPACES | CLONE_VM | CLONE_VFORK | SIGCHLD, argv + 1);
	if (pid < 0) {
		perror("floor: clone");
		return 1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
