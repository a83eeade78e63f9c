// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * swap-start - runs a command and exchanges two paths when it and its children make
 * their STEP-th system call; exchanges them back when it has ended.
 *
 * usage: swap-start A B STEP FILE CMD…
 *
 * Ends with the command's status; with 99 if there were fewer system calls. FILE then says
 * how many of them the command itself had made, without its children: they run side by
 * side, and what one of them had done by STEP differs from run to run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)
#define NOT_REACHED 99

static const char *a, *b, *file;

static void exchange(void)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0) {
		perror("swap-start: exchange");
		exit(2);
	}
}

static void note(long own)
{
	FILE *f = fopen(file, "w");

	if (!f || fprintf(f, "%ld\n", own) < 0 || fclose(f) != 0) {
		perror("swap-start: note");
		exit(2);
	}
}

/* The signal to go on with, 0 for ptrace's own. */
static int signal_of(int status)
{
	int sig = WSTOPSIG(status);

	return sig == SYSCALL_STOP || sig == SIGTRAP || sig == SIGSTOP || status >> 16 ?
		       0 :
		       sig;
}

static int trace(pid_t first, long step)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status, end = 2, swapped = 0;
	long seen = 0, own = 0;
	pid_t pid;

	if (waitpid(first, &status, 0) != first ||
	    ptrace(PTRACE_SETOPTIONS, first, 0, options) < 0)
		return 2;
	(void)ptrace(PTRACE_SYSCALL, first, 0, 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (pid == first && !WIFSTOPPED(status))
			end = WIFEXITED(status) ? WEXITSTATUS(status) :
						  128 + WTERMSIG(status);
		if (!WIFSTOPPED(status))
			continue;
		own += pid == first && WSTOPSIG(status) == SYSCALL_STOP;
		if (WSTOPSIG(status) == SYSCALL_STOP && ++seen == step) {
			exchange();
			note(own);
			swapped = 1;
		}
		(void)ptrace(swapped ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0,
			     signal_of(status));
	}
	if (!swapped)
		return NOT_REACHED;
	exchange();
	return end;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc < 6)
		return 2;
	a = argv[1];
	b = argv[2];
	file = argv[4];
	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, 0, 0);
		(void)raise(SIGSTOP);
		(void)execvp(argv[5], argv + 5);
		_exit(127);
	}
	return pid < 0 ? 2 : trace(pid, strtol(argv[3], NULL, 10));
}
