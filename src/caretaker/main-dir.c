/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-caretaker-dir: serves one granted directory or file to one environment.
 *
 *	polder-caretaker-dir --spec FD
 *
 * FD is an open descriptor with the bytes of a spec (wire/care.h, docs/protocol.md). Ends
 * with 0 after a cut, however it came to that; with 125 and a sentence if it did not come to
 * serve. serve.c tells how it works.
 *
 * Stages: the spec; what it names is looked at, the root entered; ids and capabilities
 * are given up; Landlock allows what lies beneath the root and nothing else, and the filter
 * the system calls that this takes; threads start.
 * From then on Mustn't: open anything but by a node's descriptor, start a program.
 */
#include "caretaker/dir.h"

#include "base/fd.h"
#include "sandbox/lockdown.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define NODES_MAX 262144u

static struct dir dir;

_Noreturn static void die(const char *sentence)
{
	(void)dprintf(STDERR_FILENO, "polder-caretaker-dir: %s\n", sentence);
	_exit(125);
}

/* Whatever is opened later gets another number than the streams'. */
static void order(void)
{
	sigset_t none;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	dir.null = fd;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void check_fds(const struct care_spec *s)
{
	const int32_t fd[] = { s->fuse_fd, s->root_fd, s->ctl_fd, s->log_fd };
	static const char *const what[] = { "fuse", "root", "ctl", "log" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		if (fd[i] >= 0 && (fd[i] == dir.null || fcntl(fd[i], F_GETFD) < 0)) {
			(void)err_set(&err, PE_BAD,
				      "the spec's descriptor %d, %s, is not open", fd[i],
				      what[i]);
			die(err.text);
		}
}

static void read_spec(int fd)
{
	static uint8_t buf[CARE_MAX_BYTES + 1]; /* the spec's strings lie in it */
	struct err err = ERR_INIT;
	size_t len;

	if (fd_read_full(fd, buf, sizeof(buf), &len, &err) != 0 ||
	    care_spec_decode(&dir.spec, buf, len, &err) != 0)
		die(err.text);
	(void)close(fd);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Nothing that was left open by accident. */
static void keep_fds(const struct care_spec *s)
{
	int keep[8] = { 0, 1, 2, s->fuse_fd, s->root_fd, dir.null };
	size_t n = 6;

	if (s->log_fd >= 0)
		(void)dup2(s->log_fd, STDERR_FILENO);
	if (s->ctl_fd >= 0)
		keep[n++] = s->ctl_fd;
	qsort(keep, n, sizeof(keep[0]), compare);
	if (fd_close_but(keep, n) < 0)
		die("descriptors cannot be closed");
}

/* ---- giving up authority ---- */

static int become(const struct care_spec *s, struct err *err)
{
	bool keep = dir.passthrough;
	uint32_t cap = keep ? 1u << CAP_SYS_ADMIN : 0;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = cap,
						    .permitted = cap } };

	if (geteuid() != 0 && geteuid() != s->uid.host)
		return err_set(err, PE_REFUSED,
			       "only root can serve files as another user (%u)",
			       s->uid.host);
	if (geteuid() == 0 && s->uid.host != 0 &&
	    (prctl(PR_SET_KEEPCAPS, keep) < 0 || setgroups(0, NULL) < 0 ||
	     setresgid(s->gid.host, s->gid.host, s->gid.host) < 0 ||
	     setresuid(s->uid.host, s->uid.host, s->uid.host) < 0))
		return err_sys(err, "cannot become user %u", s->uid.host);
	if (syscall(SYS_capset, &head, data) < 0)
		return keep && errno == EPERM ?
			       err_set(err, PE_REFUSED,
				       "passthrough needs CAP_SYS_ADMIN of the machine: "
				       "start it as root") :
			       err_sys(err, "cannot give up capabilities");
	return 0;
}

static int confine(const struct care_spec *s, struct err *err)
{
	const struct rlimit core = { 1, 1 }; /* 0 would not stop a core handler */
	int r;

	if (setrlimit(RLIMIT_CORE, &core) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, "cannot be hidden from others");
	r = lockdown_no_new_privs();
	if (r == 0)
		r = lockdown_landlock_beneath(dir.root->fd, s->flags & CARE_IS_FILE);
	if (r == 0)
		r = filter_install(dir.passthrough);
	return r < 0 ? err_neg(err, r, "cannot be confined to the granted tree") : 0;
}

/* ---- the start ---- */

static int start(struct err *err)
{
	int r;

	(void)pthread_mutex_lock(&dir.lock);
	r = serve_more(&dir);
	(void)pthread_mutex_unlock(&dir.lock);
	return r < 0 ? err_neg(err, r, "a thread cannot be started") : 0;
}

static void kicked(int sig)
{
	(void)sig; /* it has ended a read: all that it is for */
}

static void limits(void)
{
	struct rlimit n = { 1024, 1024 };

	if (getrlimit(RLIMIT_NOFILE, &n) == 0) {
		n.rlim_cur = n.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &n);
	}
	dir.stats.nodes_limit = MIN((uint64_t)n.rlim_cur / 4 * 3, (uint64_t)NODES_MAX);
	dir.trim_at = (uint32_t)dir.stats.nodes_limit / 2;
}

int main(int argc, char **argv)
{
	const struct sigaction kick = { .sa_handler = kicked },
			       ignore = { .sa_handler = SIG_IGN };
	struct err err = ERR_INIT;
	uint64_t fd;
	int r;

	order();
	if (argc != 3 || !streq(argv[1], "--spec") || !str_to_u64(argv[2], &fd) ||
	    fd > 1u << 20)
		die("usage: polder-caretaker-dir --spec FD");
	read_spec((int)fd);
	check_fds(&dir.spec);
	keep_fds(&dir.spec);
	(void)sigaction(SIGUSR1, &kick, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)umask(0);
	limits();
	r = dir_init(&dir, &err);
	if (r == 0)
		r = become(&dir.spec, &err);
	if (r == 0)
		r = confine(&dir.spec, &err);
	if (r == 0)
		r = start(&err);
	if (r != 0)
		die(err.text);
	_exit(control_run(&dir));
}
