/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entering an environment that runs.
 *
 * The tender forks a watcher, which joins the namespaces by the descriptors that init
 * gave (nobody else could open them: init is not dumpable) and forks the program into
 * the pid namespace. The watcher itself stays outside of that, so nothing inside sees
 * it; it passes the program's end on and dies with the tender.
 *
 * Landlock's signal scope is left out here, so that `exec ENV -- kill …` reaches the
 * program; the pid namespace keeps signals inside.
 */
#include <errno.h>
#include <linux/nsfs.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/lockdown.h"
#include "sandbox/sandbox-internal.h"

static const uint64_t ns_flags[SANDBOX_NS_MAX] = {
	CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
	CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME,
};

enum { NS_USER = 0, NS_NET = 3 }; /* places in the same order */

/* The namespaces that an environment with these flags has of its own. */
static uint64_t own_namespaces(uint32_t flags)
{
	return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
	       CLONE_NEWCGROUP | (flags & SPEC_NET_HOST ? 0 : CLONE_NEWNET) |
	       (flags & SPEC_TIMENS ? CLONE_NEWTIME : 0);
}

static bool same_namespace(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* A network from an anchor's pool belongs to the anchor's user namespace, and only from
 * there it can be joined, on the way in. *which loses what is done. */
static int join_pooled_network(const int *nsfds, uint64_t *which)
{
	auto_fd owner = -1;
	long r;

	if (!(*which & CLONE_NEWNET))
		return 0;
	r = owner = (int)SYS2(SYS_ioctl, nsfds[NS_NET], NS_GET_USERNS);
	if (r < 0 || same_namespace(owner, nsfds[NS_USER]))
		return r < 0 ? (int)r : 0;
	r = SYS2(SYS_setns, owner, CLONE_NEWUSER);
	if (r == 0)
		r = SYS2(SYS_setns, nsfds[NS_NET], CLONE_NEWNET);
	*which &= ~(uint64_t)CLONE_NEWNET;
	return (int)r;
}

/* The user namespace first: it gives the capabilities for the rest. One that is missing
 * is an error: what is not joined is the host's. */
int ns_join(const int *nsfds, uint64_t which)
{
	int r = join_pooled_network(nsfds, &which);

	for (size_t i = 0; r >= 0 && i < SANDBOX_NS_MAX; i++)
		r = !(which & ns_flags[i]) ? 0 :
		    nsfds[i] < 0           ? -EBADF :
					     (int)SYS2(SYS_setns, nsfds[i], ns_flags[i]);
	return r;
}

_Noreturn static void complain(int fd, int code, const char *what, const char *on,
			       int neg)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "polder: %s '%s': %s\n", what, on,
			 strerror(-neg));

	(void)sys_write(fd, text, (size_t)n);
	sys_exit(code);
}

/* Made by the watcher: the tender waits for it, and nobody inside can stop a watcher. */
static int terminal(const struct sandbox_exec *x, int *ret_slave)
{
	int master, r;

	/* The new terminal belongs to whom the kernel takes for the opener of files. */
	(void)SYS1(SYS_setfsgid, x->gid);
	(void)SYS1(SYS_setfsuid, x->uid);
	r = pty_open(AT_FDCWD, x->rows, x->cols, &master, ret_slave);
	if (r < 0)
		return r;
	r = fd_send(x->master_to, "M", 1, &master, 1, NULL);
	sys_close(master);
	return r;
}

_Noreturn static void become_program(const struct sandbox_exec *x, int slave)
{
	int r, err_fd = x->tty ? slave : x->fd[2];

	(void)SYS0(SYS_setsid);
	if (x->tty)
		(void)SYS3(SYS_ioctl, slave, TIOCSCTTY, 0);
	r = payload_ids(x->flags, x->uid, x->gid);
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0); /* a change of ids clears it */
	if (r == 0)
		r = payload_limits(x->flags, x->limit_pids);
	if (r == 0)
		r = payload_privileges(x->flags);
	if (r == 0)
		r = lockdown_landlock(x->fd, false);
	if (r == 0)
		r = payload_stdio(x->fd, slave);
	if (r == 0)
		r = lockdown_filter(x->flags & SPEC_ROOT_IDENTITY);
	if (r < 0)
		complain(err_fd, 125, "cannot confine", x->argv[0], r);
	(void)SYS3(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	r = (int)SYS1(SYS_chdir, x->cwd);
	if (r < 0)
		complain(2, 125, "cannot enter the directory", x->cwd, r);
	payload_signals();
	r = payload_exec(x->argv, x->envp);
	complain(2, r == -ENOENT ? 127 : 126, "cannot execute", x->argv[0], r);
}

_Noreturn static void pass_end(int status)
{
	if (WIFSIGNALED(status)) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(WTERMSIG(status), SIG_DFL);
		payload_signals();
		/* Not raise(): libc remembers the tender's number. */
		(void)SYS2(SYS_kill, SYS0(SYS_getpid), WTERMSIG(status));
		sys_exit(128 + WTERMSIG(status));
	}
	sys_exit(WEXITSTATUS(status));
}

_Noreturn static void watch(const struct sandbox_exec *x, pid_t tender)
{
	int status, slave = -1, r;
	long pid;

	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	if (getppid() != tender)
		sys_exit(125); /* it was gone already */
	title_wipe();
	r = ns_join(x->nsfds, own_namespaces(x->flags));
	(void)sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r == 0 && x->tty)
		r = terminal(x, &slave);
	pid = r < 0 ? r : fork_with(0);
	if (pid == 0)
		become_program(x, slave);
	if (pid < 0)
		complain(x->fd[2] >= 0 ? x->fd[2] : 2, 125,
			 "cannot enter the environment for", x->argv[0], (int)pid);
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	(void)SYS3(SYS_close_range, 0, ~0u, 0);
	while (waitpid((pid_t)pid, &status, __WALL) < 0)
		if (errno != EINTR)
			sys_exit(125);
	pass_end(status);
}

int sandbox_exec(const struct sandbox_exec *x, pid_t *ret_watcher, struct err *err)
{
	pid_t tender = getpid();
	long pid = fork_with(0);

	if (pid == 0) {
		struct err why = ERR_INIT;

		if (x->cgroup && cgroup_join(x->cgroup, 0, &why) != 0)
			complain(x->fd[2] >= 0 ? x->fd[2] : 2, 125, why.text, x->argv[0],
				 -EPERM);
		watch(x, tender);
	}
	if (pid < 0)
		return err_neg(err, (int)pid, "cannot fork");
	*ret_watcher = (pid_t)pid;
	return 0;
}

#define OPEN_INSIDE_S 2

/* A path inside may lead to a file system that does not answer: nothing of the tender's
 * is held meanwhile, and not even SIGKILL need help at once. */
_Noreturn static void open_and_send(const int *nsfds, const char *path, int channel)
{
	int32_t r = ns_join(nsfds, CLONE_NEWUSER | CLONE_NEWNS);
	int tree, from;

	(void)fd_close_but(&channel, 1);
	from = r < 0 ? r :
		       sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0,
				   RESOLVE_NO_MAGICLINKS);
	tree = from < 0 ? from :
			  sys_open_tree(from, "",
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						AT_EMPTY_PATH | AT_RECURSIVE);
	r = tree < 0 ? tree : 0;
	(void)fd_send(channel, &r, sizeof(r), &tree, r == 0, NULL);
	sys_exit(0);
}

int sandbox_open_inside(const int *nsfds, const char *path, int *ret_mountfd,
			struct err *err)
{
	const struct timeval patience = { .tv_sec = OPEN_INSIDE_S };
	int pair[2], fd = -1, status = 0, got;
	size_t len = 0, n = 0;
	int32_t r = 0;
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a channel");
	pid = fork_with(0);
	if (pid == 0)
		open_and_send(nsfds, path, pair[1]);
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_neg(err, (int)pid, "cannot fork");
	}
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	got = fd_recv(pair[0], &r, sizeof(r), &len, &fd, 1, &n, NULL);
	(void)close(pair[0]);
	if (got == -EAGAIN) { /* whoever reaps its children finds it, if it ever ends */
		(void)kill((pid_t)pid, SIGKILL);
		return err_neg(err, -ETIMEDOUT, "cannot open '%s' inside", path);
	}
	if (got != 0 || len != sizeof(r))
		r = -EPROTO;
	while (waitpid((pid_t)pid, &status, __WALL) < 0 && errno == EINTR)
		;
	if (r != 0 || n != 1)
		return err_neg(err, r ? r : -EPROTO, "cannot open '%s' inside", path);
	*ret_mountfd = fd;
	return 0;
}
