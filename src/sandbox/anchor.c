/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the anchor, and taking from it. hold.c is the other side. */
#include "sandbox/anchor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/sandbox-internal.h"

#define STATX_INO_AND_MOUNT 0x1100 /* STATX_INO | STATX_MNT_ID */

static int namespace_of(const char *path, uint64_t *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

static int limits_of_self(uint64_t *ret)
{
	static const int kept[] = { RLIMIT_NPROC, RLIMIT_MSGQUEUE, RLIMIT_SIGPENDING,
				    RLIMIT_MEMLOCK };
	struct rlimit limit;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (getrlimit(kept[i], &limit) < 0)
			return -errno;
		ret[i] = limit.rlim_cur;
	}
	return 0;
}

int anchor_view_of_self(struct anchor_view *ret)
{
	uint64_t root[32] = { 0 }; /* struct statx; not every libc has all of it */
	int r = namespace_of("/proc/self/ns/user", &ret->user_ns);

	if (r == 0)
		r = namespace_of("/proc/self/ns/mnt", &ret->mount_ns);
	if (r == 0)
		r = namespace_of("/proc/self/ns/pid", &ret->pid_ns);
	if (r == 0)
		r = limits_of_self(ret->limits);
	if (r != 0)
		return r;
	ret->gid = getegid();
	/* Whoever has another root directory in the same namespace sees less of it. */
	r = (int)SYS5(SYS_statx, AT_FDCWD, "/", 0, STATX_INO_AND_MOUNT, root);
	if (r < 0)
		return r;
	ret->root_ino = root[4];
	ret->root_dev = root[17];
	ret->root_mount = root[18];
	return 0;
}

/* The lock is the anchor's life: it is never free while that lives. Who may only read the
 * file can lock it, too, but not so. */
static bool is_held(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

/* A program inside has other pids: whatever the file says, we do not go to it. */
static bool is_outside(int64_t pid, const struct anchor_view *mine)
{
	uint64_t pid_ns = 0;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%lld/ns/pid", (long long)pid);
	return namespace_of(path, &pid_ns) == 0 && pid_ns == mine->pid_ns;
}

int anchor_find(int run, int *ret_pidfd)
{
	auto_fd file = openat(run, ANCHOR_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct anchor_record rec;
	struct anchor_view mine = { 0 };
	auto_fd pidfd = -1;

	if (file < 0 || !is_held(file) ||
	    pread(file, &rec, sizeof(rec), 0) != (ssize_t)sizeof(rec) ||
	    rec.magic != ANCHOR_MAGIC || anchor_view_of_self(&mine) != 0 ||
	    memcmp(&mine, &rec.view, sizeof(mine)) != 0)
		return PE_NOTFOUND;
	pidfd = (int)SYS2(SYS_pidfd_open, rec.pid, 0);
	/* Still held: so this number was the holder's when we asked for it. */
	if (pidfd < 0 || !is_outside(rec.pid, &mine) || !is_held(file))
		return PE_NOTFOUND;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int anchor_take_network(int pidfd, int *ret_netns)
{
	auto_fd pool = (int)SYS3(SYS_pidfd_getfd, pidfd, ANCHOR_POOL_FD, 0);
	size_t len, n = 0;
	char byte;

	if (pool < 0 || fd_recv(pool, &byte, 1, &len, ret_netns, 1, &n, NULL) != 0 ||
	    n != 1)
		return PE_NOTFOUND;
	return 0;
}

int anchor_stay(int pidfd)
{
	auto_fd users = (int)SYS3(SYS_pidfd_getfd, pidfd, ANCHOR_USER_FD, 0);
	auto_fd self = (int)SYS2(SYS_pidfd_open, getpid(), 0);

	return users >= 0 && self >= 0 && fd_send(users, "", 1, &self, 1, NULL) == 0 ?
		       0 :
		       PE_NOTFOUND;
}

/* ---- starting one ---- */

struct starting {
	char program[512], user[16], run[16];
	int user_fd, run_fd;
};

/* A task that shares our memory until it executes. */
static int execute(void *starting)
{
	const struct starting *st = starting;
	const char *argv[] = { st->program, "--run", st->run, "--user", st->user, NULL };
	const char *envp[] = { NULL };
	uint64_t none = 0;

	(void)SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof(none));
	(void)SYS0(SYS_setsid);
	(void)SYS3(SYS_fcntl, st->user_fd, F_SETFD, 0);
	(void)SYS3(SYS_fcntl, st->run_fd, F_SETFD, 0);
	(void)SYS3(SYS_execve, st->program, argv, envp);
	sys_exit(127);
}

/* The program goes into the background by itself, so that its first process ends at
 * once. */
static void start_one(int run, const char *programs)
{
	static _Alignas(16) char stack[16 << 10];
	struct starting st = { .user_fd = -1, .run_fd = -1 };
	int pid;

	st.user_fd = (int)SYS2(SYS_pidfd_open, getpid(), 0);
	st.run_fd = fd_dup_above(run, 10);
	(void)snprintf(st.program, sizeof(st.program), "%s/polder-anchor", programs);
	(void)snprintf(st.user, sizeof(st.user), "%d", st.user_fd);
	(void)snprintf(st.run, sizeof(st.run), "%d", st.run_fd);
	if (st.user_fd >= 0 && st.run_fd >= 0) {
		pid = clone(execute, stack + sizeof(stack),
			    CLONE_VM | CLONE_VFORK | SIGCHLD, &st);
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close_list((int[]){ st.user_fd, st.run_fd }, 2);
}

void anchor_want(int run, const char *programs)
{
	auto_fd pidfd = -1;

	if (geteuid() == 0 || (anchor_find(run, &pidfd) == 0 && anchor_stay(pidfd) == 0))
		return;
	start_one(run, programs);
}
