/* SPDX-License-Identifier: ISC */
/*
 * What the C library asks an operating system besides: memory, random bytes, and
 * processes, of which there is one.
 */
#include "../internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(int number)
{
	errno = number;
	return -1;
}

/* Nothing is given back: nobody could use it (memory.h). */
void *sbrk(ptrdiff_t bytes)
{
	void *p = bytes < 0 ? NULL : pg_memory_grow((size_t)bytes);

	if (!p)
		errno = ENOMEM;
	return p ? p : (void *)-1;
}

int getentropy(void *buf, size_t len)
{
	if (len > 256)
		return fail(EIO);
	return pg_entropy(buf, len) == PG_OK ? 0 : fail(EIO);
}

/* raise() comes here for signals that nobody handles. */
int kill(pid_t pid, int signal)
{
	if (pid != getpid())
		return fail(ESRCH);
	if (signal == 0)
		return 0;
	pg_abort("a signal was raised that the program does not handle");
}

pid_t getpid(void)
{
	return 1;
}

/* ---- what there is not ---- */

int fcntl(int fd, int command, ...)
{
	(void)fd;
	(void)command;
	return fail(ENOSYS);
}

int unlink(const char *path)
{
	(void)path;
	return fail(EROFS);
}

int link(const char *from, const char *to)
{
	(void)from;
	(void)to;
	return fail(EROFS);
}

int mkdir(const char *path, mode_t mode)
{
	(void)path;
	(void)mode;
	return fail(EROFS);
}

pid_t fork(void)
{
	return fail(ENOSYS);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	(void)path;
	(void)argv;
	(void)envp;
	return fail(ENOSYS);
}

pid_t wait(int *status)
{
	(void)status;
	return fail(ECHILD);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	if (old)
		memset(old, 0, sizeof(*old));
	return 0;
}
