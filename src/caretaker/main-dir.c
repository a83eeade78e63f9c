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
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
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
		if (fd[i] >= 0 && fcntl(fd[i], F_GETFD) < 0) {
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

static int beneath(int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS |
					   (dir.cross ? 0 : RESOLVE_NO_XDEV) };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* The first listed is nearest the program: the last one chooses first. */
static int enter_subdirs(const struct care_spec *s, int root, struct err *err)
{
	for (uint32_t i = s->n_takers; i-- > 0;) {
		int fd;

		if (s->takers[i].kind != CARE_SUBDIR)
			continue;
		fd = beneath(root, s->takers[i].arg);
		if (fd < 0)
			return err_sys(err,
				       "the directory '%s' (subdir) cannot be entered",
				       s->takers[i].arg);
		(void)close(root);
		root = fd;
	}
	return root;
}

static int enter_root(const struct care_spec *s, struct err *err)
{
	bool is_file = s->flags & CARE_IS_FILE;
	struct statfs fs;
	struct stat st;
	int root = enter_subdirs(s, s->root_fd, err);

	if (root < 0)
		return root;
	if (fstat(root, &st) < 0)
		return err_sys(err, "the root cannot be looked at");
	if (is_file ? !S_ISREG(st.st_mode) : !S_ISDIR(st.st_mode))
		return err_set(err, PE_BAD, "the root is no %s",
			       is_file ? "regular file" : "directory");
	/* There it would open its own memory for the program. */
	if (fstatfs(root, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return err_set(err, PE_REFUSED, "what is in /proc is not served");
	return node_root(&dir, root, &st, err);
}

static int make_chain(const struct care_spec *s, struct err *err)
{
	struct care_taker t[CARE_MAX_CARETAKERS + 1];
	uint32_t n = s->n_takers;

	memcpy(t, s->takers, n * sizeof(t[0]));
	if (s->flags & CARE_READ_ONLY)
		t[n++] = (struct care_taker){ .kind = CARE_RO };
	for (uint32_t i = 0; dir.passthrough && i < n; i++)
		if (!taker_kind_of(t[i].kind)->past_open)
			return err_set(err, PE_REFUSED,
				       "passthrough goes past the caretaker %s",
				       care_kind_name(t[i].kind));
	return chain_new(&dir.chain, NULL, t, n, CARE_FRONT, &dir.host, err);
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

static void cut_soon(void *of, enum care_why why)
{
	dir_broken(of, why, why == CARE_WHY_ONCE ? "its one opening (once) is over" : "");
}

void dir_broken(struct dir *d, enum care_why why, const char *text)
{
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&d->lock);
	if (!d->why) {
		d->why = why;
		(void)snprintf(d->why_text, sizeof(d->why_text), "%s", text);
	}
	(void)pthread_mutex_unlock(&d->lock);
	(void)!write(d->wake, &one, sizeof(one));
}

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

static int prepare(const struct care_spec *s, struct err *err)
{
	pthread_condattr_t attr;
	int r;

	dir.fuse = s->fuse_fd;
	dir.ctl = s->ctl_fd;
	dir.cross = s->flags & CARE_CROSS;
	dir.passthrough = s->flags & CARE_PASSTHROUGH;
	dir.host = (struct taker_host){ &dir, cut_soon, control_tell };
	(void)pthread_mutex_init(&dir.lock, NULL);
	(void)pthread_mutex_init(&dir.tell_lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&dir.change, &attr);
	dir.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dir.proc = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir.wake < 0 || dir.proc < 0)
		return err_sys(err, "/proc is needed");
	dir.prunes = true;
	r = make_chain(s, err);
	if (r == 0)
		r = enter_root(s, err);
	return r == 0 && guard_begin(&dir, s) < 0 ? err_oom(err) : r;
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
	r = prepare(&dir.spec, &err);
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
