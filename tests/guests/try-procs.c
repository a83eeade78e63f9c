// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * try-procs - what can be done to another process, printed as "WHAT ok" or "WHAT ERRNO".
 *
 * usage: try-procs PID       signals, traces, reads and limits that process
 *        try-procs all       signals every pid up to pid_max but itself and 1 (signal 0)
 *        try-procs sleep     makes a child, does the same to it, ends it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long r)
{
	printf("%s %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
}

static void try_file(int pid, const char *name, int flags)
{
	char path[64], what[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	(void)snprintf(what, sizeof(what), "%s-%s", flags == O_RDONLY ? "read" : "write",
		       name);
	fd = open(path, flags | O_NONBLOCK);
	say(what, fd);
	if (fd >= 0)
		(void)close(fd);
}

static void try_link(int pid, const char *name)
{
	char path[64], buf[256];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	say(name, readlink(path, buf, sizeof(buf)));
}

static void try_memory(int pid)
{
	char buf[8];
	struct iovec local = { buf, sizeof(buf) }, remote = { &local, sizeof(buf) };
	long r = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (r < 0 && errno == EFAULT) /* let in; there is nothing at that address */
		r = 0;
	say("process_vm_readv", r);
}

static void try_pidfd(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	say("pidfd_open", fd);
	if (fd < 0)
		return;
	say("pidfd_getfd", syscall(SYS_pidfd_getfd, fd, 0, 0));
	say("pidfd_signal", syscall(SYS_pidfd_send_signal, fd, 0, 0, 0));
	(void)close(fd);
}

static void attack(int pid)
{
	struct rlimit none = { 0, 0 };
	static const char *const links[] = { "root",   "cwd",     "exe",
					     "ns/mnt", "ns/user", "fd/0" };
	static const char *const reads[] = { "mem",  "environ", "maps",
					     "auxv", "syscall", "stack" };
	static const char *const writes[] = {
		"mem",  "oom_score_adj", "uid_map", "gid_map", "coredump_filter",
		"comm", "timerslack_ns"
	};

	say("ptrace-seize", ptrace(PTRACE_SEIZE, pid, 0, 0));
	say("ptrace-attach", ptrace(PTRACE_ATTACH, pid, 0, 0));
	say("signal-0", kill(pid, 0));
	try_memory(pid);
	try_pidfd(pid);
	say("limit-files", prlimit(pid, RLIMIT_NOFILE, &none, NULL));
	say("limit-processes", prlimit(pid, RLIMIT_NPROC, &none, NULL));
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		try_link(pid, links[i]);
	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
		try_file(pid, reads[i], O_RDONLY);
	for (size_t i = 0; i < sizeof(writes) / sizeof(*writes); i++)
		try_file(pid, writes[i], O_RDWR);
}

static int signal_all(void)
{
	int found = 0;

	for (int pid = 2; pid < 400000; pid++)
		if (pid != getpid() && (kill(pid, 0) == 0 || errno != ESRCH)) {
			printf("pid %d %s\n", pid, strerrorname_np(errno));
			found++;
		}
	printf("%d others\n", found);
	return 0;
}

static int own_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	attack(pid);
	say("kill", kill(pid, SIGKILL));
	return waitpid(pid, NULL, 0) == pid ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "all") == 0)
		return signal_all();
	if (strcmp(argv[1], "sleep") == 0)
		return own_child();
	attack((int)strtol(argv[1], NULL, 10));
	if (strcmp(argv[1], "1") == 0) {
		say("sent-kill", kill(1, SIGKILL));
		say("sent-stop", kill(1, SIGSTOP));
	}
	return 0;
}
