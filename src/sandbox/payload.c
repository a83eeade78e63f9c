/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The task that becomes the program. It shares memory with init until it executes
 * (see init.c), so it uses raw system calls only, and no C library state.
 *
 * Order of giving up: network namespace made; ids taken; resource limits; capabilities,
 * no_new_privs and the filter; then it waits for the root to stand; then Landlock, which
 * needs the finished root; then its own descriptor table, with nothing in it but 0, 1, 2.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "sandbox/lockdown.h"
#include "sandbox/sandbox-internal.h"

static void futex_wait(uint32_t *word, uint32_t while_value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == while_value)
		(void)SYS4(SYS_futex, word, FUTEX_WAIT, while_value, 0);
}

void futex_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	(void)SYS3(SYS_futex, word, FUTEX_WAKE, 1);
}

/* A failure sets the word that the other side waits for as well. */
bool meet_wait(struct rendezvous *meet, uint32_t *word)
{
	futex_wait(word, 0);
	return !__atomic_load_n(&meet->failed, __ATOMIC_ACQUIRE);
}

const char *payload_step_text(int step)
{
	static const char *const text[STEP_COUNT] = {
		[STEP_NONE] = "cannot start the program",
		[STEP_NETNS] = "cannot make a network namespace",
		[STEP_LOOPBACK] = "cannot bring up the loopback interface",
		[STEP_IDS] = "cannot take the user and group id",
		[STEP_LIMITS] = "cannot set resource limits",
		[STEP_CAPS] = "cannot drop capabilities",
		[STEP_FILTER] = "cannot install the system-call filter",
		[STEP_LANDLOCK] = "cannot apply Landlock",
		[STEP_CHDIR] = "cannot enter the working directory",
		[STEP_STDIO] = "cannot set up standard input and output",
		[STEP_EXEC] = "cannot execute",
	};

	return text[step > 0 && step < STEP_COUNT ? step : STEP_NONE];
}

int loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int sock = (int)SYS3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long r;

	if (sock < 0)
		return sock;
	r = SYS3(SYS_ioctl, sock, SIOCSIFFLAGS, &req);
	sys_close(sock);
	return (int)r;
}

int payload_ids(uint32_t flags, uint32_t uid, uint32_t gid)
{
	long r;

	if (SYS0(SYS_geteuid) == (long)uid &&
	    !(flags & (SPEC_ROOT_IDENTITY | SPEC_SUBUID_HELPER | IDS_FOREIGN)))
		return 0; /* an ordinary user's one id is mapped already */
	r = sys_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0);
	if (r == 0)
		r = SYS2(SYS_setgroups, 0, 0);
	if (r == 0)
		r = SYS3(SYS_setresgid, gid, gid, gid);
	if (r == 0)
		r = SYS3(SYS_setresuid, uid, uid, uid);
	if (r == 0)
		r = sys_prctl(PR_SET_SECUREBITS, 0, 0);
	return (int)r;
}

int payload_limits(uint32_t flags, uint64_t pids)
{
	/* 0 would not stop a core_pattern that is a pipe; 1 does. */
	struct rlimit core = { 1, 1 }, nproc = { pids, pids }, none = { 0, 0 };
	long r = SYS4(SYS_prlimit64, 0, RLIMIT_CORE, &core, 0);

	if (r == 0) /* real-time scheduling would starve the host */
		r = SYS4(SYS_prlimit64, 0, RLIMIT_RTPRIO, &none, 0);
	if (r == 0 && (flags & SPEC_LIMIT_PIDS_RLIMIT))
		r = SYS4(SYS_prlimit64, 0, RLIMIT_NPROC, &nproc, 0);
	return (int)r;
}

int payload_privileges(uint32_t flags)
{
	int r = lockdown_caps(flags & SPEC_ROOT_IDENTITY ? LOCKDOWN_ROOT_CAPS : 0);

	return r < 0 ? r : lockdown_no_new_privs();
}

int payload_stdio(const int *fd, int slave)
{
	for (int i = 0; i < 3; i++) {
		int from = fd[i] >= 0 ? fd[i] : slave;
		long r = from == i ? SYS3(SYS_fcntl, i, F_SETFD, 0) :
				     SYS3(SYS_dup3, from, i, 0);

		if (r < 0)
			return (int)r;
	}
	return 0;
}

void payload_signals(void)
{
	uint64_t none = 0;

	(void)SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof(none));
}

/* PATH of envp, or what a login gives. */
static const char *search_path(char *const *envp)
{
	for (; envp && *envp; envp++) {
		const char *e = *envp;

		if (e[0] == 'P' && e[1] == 'A' && e[2] == 'T' && e[3] == 'H' &&
		    e[4] == '=')
			return e + 5;
	}
	return "/usr/local/bin:/usr/bin:/bin";
}

static bool has_slash(const char *s)
{
	for (; *s; s++)
		if (*s == '/')
			return true;
	return false;
}

/* dir[0..n) + "/" + name into buf; false if it does not fit. */
static bool join(char *buf, size_t size, const char *dir, size_t n, const char *name)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k < size; i++)
		buf[k++] = dir[i];
	if (k < size)
		buf[k++] = '/';
	for (; *name && k < size; name++)
		buf[k++] = *name;
	if (k >= size)
		return false;
	buf[k] = '\0';
	return true;
}

int payload_exec(char *const *argv, char *const *envp)
{
	const char *dir = search_path(envp);
	int best = -ENOENT;
	char path[1024];

	if (has_slash(argv[0]))
		return (int)SYS3(SYS_execve, argv[0], argv, envp);
	while (*dir) {
		size_t n = 0;

		while (dir[n] && dir[n] != ':')
			n++;
		if (n > 0 && join(path, sizeof(path), dir, n, argv[0])) {
			int r = (int)SYS3(SYS_execve, path, argv, envp);

			if (r != -ENOENT && r != -ENOTDIR && best == -ENOENT)
				best = r;
			if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
				return r;
		}
		dir += n + (dir[n] == ':');
	}
	return best;
}

_Noreturn static void give_up(struct payload *p, int step, int error)
{
	int32_t report[2] = { step, error };

	p->meet->step = step;
	p->meet->error = error;
	__atomic_store_n(&p->meet->failed, 1, __ATOMIC_RELEASE);
	(void)sys_write(p->exec_pipe, report, sizeof(report));
	futex_set(&p->meet->net_ready, 1);
	futex_set(&p->meet->unshared, 1);
	sys_exit(127);
}

#define TRY(step, call)                                                                  \
	do {                                                                             \
		int try_ = (int)(call);                                                  \
		if (try_ < 0)                                                            \
			give_up(p, (step), try_);                                        \
	} while (0)

static void enter_network(struct payload *p)
{
	TRY(STEP_NETNS, SYS1(SYS_unshare, CLONE_NEWNET));
	TRY(STEP_LOOPBACK, loopback_up());
	p->meet->netfd = sys_openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY, 0);
	TRY(STEP_NETNS, p->meet->netfd);
}

int payload_main(void *payload)
{
	struct payload *p = payload;
	const struct spec *s = p->spec; /* or what is known of it */

	(void)SYS2(SYS_setpgid, 0, 0);
	if (!p->host_network)
		enter_network(p);
	futex_set(&p->meet->net_ready, 1);
	if (!meet_wait(p->meet, &p->meet->ids_ready))
		sys_exit(127);
	TRY(STEP_IDS, payload_ids(s->flags, s->uid, s->gid));
	TRY(STEP_LIMITS, payload_limits(s->flags, s->limit_pids));
	TRY(STEP_CAPS, payload_privileges(s->flags));
	TRY(STEP_FILTER, lockdown_filter(s->flags & SPEC_ROOT_IDENTITY));
	if (!meet_wait(p->meet, &p->meet->released))
		sys_exit(127);
	s = p->spec; /* whole by now */
	TRY(STEP_LANDLOCK, lockdown_landlock(p->io->fd, true));
	TRY(STEP_STDIO,
	    SYS3(SYS_close_range, 3, ~0u, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
	futex_set(&p->meet->unshared, 1);
	TRY(STEP_STDIO, payload_stdio(p->io->fd, p->slave));
	TRY(STEP_CHDIR, SYS1(SYS_chdir, s->cwd));
	(void)SYS1(SYS_umask, p->umask);
	payload_signals();
	give_up(p, STEP_EXEC, payload_exec(s->argv, s->envp));
}
