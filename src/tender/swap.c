/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exchanging the volumes of a unikernel that runs.
 *
 * Theory of operation
 *
 * A volume is one descriptor of the child (two with an overlay), by whose number the guest,
 * or its monitor, reads and writes: nothing stands between. So another file is put at that
 * number, in the child, while it is stopped:
 *
 *	PTRACE_INTERRUPT	wherever it is; a call that waits is begun anew later
 *	registers		it is to make one system call, USPEC_SWAP_CALL, by an
 *				instruction that its tender said is there
 *	PTRACE_SINGLESTEP	the call; a filter of the child tells our listener, and it
 *				waits
 *	NOTIF_ADDFD		the kernel sets its descriptor, and the call returns
 *	registers		as they were; it goes on
 *
 * None of that needs a privilege, nor that we write its memory; and no process has to be
 * there for it. The child has one thread, which is stopped in user space: no call on the old
 * file is on its way, and none can begin before the new one is there. What we keep of the
 * old file is closed with it, so that its lock is free, too.
 *
 * The listener does no more than that: the filter tells of no other call, and a child that
 * makes it by itself is ended.
 *
 * Where a step fails half-way nobody knows what the guest holds: it is ended. So no
 * revocation ever leaves more than it said.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "server/unikernel.h"
#include "tender/tender-internal.h"

#define STOPS_MAX 64
#define PATIENCE_MS 3000 /* a disk that is slow; a cgroup without time */

/* What the kernel uses between itself and ptrace. */
#define RESTARTSYS 512
#define RESTARTNOINTR 513
#define RESTARTNOHAND 514
#define RESTART_BLOCK 516

/* File fd is to be at the child's number at. */
struct swap {
	int at, fd;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- stops ---- */

/* Until the child has changed, or (if in_call) waits in the call. SIGCHLD is blocked, and
 * may be another child's: look_again() when it is over. */
static void await_child(const struct tender *t, bool in_call, int64_t ms)
{
	const struct timespec now = { 0 };
	struct pollfd p[] = { { .fd = t->signals.fd, .events = POLLIN },
			      { .fd = in_call ? t->unikernel.swap.fd : -1,
				.events = POLLIN } };
	sigset_t set;

	(void)poll(p, ARRAY_LEN(p), (int)ms);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigtimedwait(&set, NULL, &now);
}

static int look_again(int r)
{
	(void)raise(SIGCHLD);
	return r;
}

static bool is_in_call(const struct tender *t)
{
	struct pollfd p = { .fd = t->unikernel.swap.fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* The child's next stop; PE_BUSY: none, it waits in the call (if in_call). -ESRCH: it has
 * ended, which has been told. -ETIMEDOUT. */
static int next_stop(struct tender *t, bool in_call, int *ret_status)
{
	int64_t end = now_ms() + PATIENCE_MS, left;
	int status;

	while ((left = end - now_ms()) > 0 && t->unikernel.pid > 0) {
		pid_t pid = waitpid(t->unikernel.pid, &status, WNOHANG);

		if (pid == 0 && in_call && is_in_call(t)) {
			return PE_BUSY;
		} else if (pid == 0) {
			await_child(t, in_call, left);
		} else if (pid > 0 && WIFSTOPPED(status)) {
			*ret_status = status;
			return 0;
		} else if (pid > 0) {
			unikernel_ended(t, status);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return t->unikernel.pid > 0 ? -ETIMEDOUT : -ESRCH;
}

static bool is_event_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* A call that was waiting is to be begun anew when the registers are these again. */
static void begin_anew(struct user_regs_struct *r)
{
	long result = (long)r->rax;

	if ((long)r->orig_rax < 0)
		return;
	if (result == -RESTARTSYS || result == -RESTARTNOINTR ||
	    result == -RESTARTNOHAND) {
		r->rax = r->orig_rax;
		r->rip -= 2;
	} else if (result == -RESTART_BLOCK) {
		r->rax = (uint64_t)-EINTR;
	}
	r->orig_rax = (uint64_t)-1;
}

int unikernel_hold(struct tender *t, struct unikernel_held *ret)
{
	int status = 0, r;

	*ret = (struct unikernel_held){ .paused = false };
	if (!t->unikernel.traced || t->unikernel.pid <= 0)
		return -ESRCH;
	if (ptrace(PTRACE_INTERRUPT, t->unikernel.pid, NULL, NULL) < 0)
		return -errno;
	while ((r = next_stop(t, false, &status)) == 0 && !is_event_stop(status))
		unikernel_stop(t, status);
	if (r != 0)
		return look_again(r);
	ret->paused = WSTOPSIG(status) != SIGTRAP;
	if (ptrace(PTRACE_GETREGS, t->unikernel.pid, NULL, &ret->regs) < 0)
		return -errno;
	begin_anew(&ret->regs);
	return 0;
}

int unikernel_go_on(struct tender *t, const struct unikernel_held *s)
{
	pid_t pid = t->unikernel.pid;
	int status = 0, r = 0;

	if (ptrace(PTRACE_SETREGS, pid, NULL, &s->regs) < 0)
		return -errno;
	/* One that was paused stops again at once, to be so without us. */
	if (s->paused && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_CONT, pid, NULL, 0) < 0)
		return -errno;
	if (s->paused && (r = next_stop(t, false, &status)) == 0)
		unikernel_stop(t, status);
	for (int sig = 1; sig <= 64; sig++)
		if (s->signals >> (sig - 1) & 1 && t->unikernel.pid > 0)
			(void)kill(t->unikernel.pid, sig);
	return look_again(r);
}

/* ---- one exchange ---- */

/* The child waits in the call. */
static int answer(struct tender *t, const struct swap *v)
{
	struct seccomp_notif notif = { .id = 0 };
	struct seccomp_notif_addfd add = {
		.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)v->fd,
		.newfd = (uint32_t)v->at,
		.newfd_flags = O_CLOEXEC,
	};
	int fd = t->unikernel.swap.fd;

	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
		return -errno;
	if (notif.data.nr != USPEC_SWAP_CALL || notif.data.args[5] != (uintptr_t)v)
		return -EPROTO; /* not the one that we have it make */
	add.id = notif.id;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == v->at ? 0 : -EPROTO;
}

/* To after the call. A signal that comes first is kept for later. */
static int step_over(struct tender *t, struct unikernel_held *s, const struct swap *v)
{
	bool answered = false;
	int status = 0, sig, r;

	if (ptrace(PTRACE_SINGLESTEP, t->unikernel.pid, NULL, 0) < 0)
		return -errno;
	for (int tries = 0; tries < STOPS_MAX; tries++) {
		r = next_stop(t, !answered, &status);
		if (r == PE_BUSY) {
			r = answer(t, v);
			if (r != 0)
				return r;
			answered = true;
			continue;
		}
		if (r != 0)
			return r;
		if (status >> 8 == SIGTRAP)
			return answered ? 0 : -EPROTO;
		sig = WSTOPSIG(status);
		if (status >> 16 == 0 && sig >= 1 && sig <= 64)
			s->signals |= 1ull << (sig - 1);
		else if (!is_event_stop(status))
			return -EPROTO;
		if (ptrace(PTRACE_SINGLESTEP, t->unikernel.pid, NULL, 0) < 0)
			return -errno;
	}
	return -EPROTO;
}

static int put(struct tender *t, struct unikernel_held *s, const struct swap *v)
{
	struct user_regs_struct call = s->regs;

	call.rax = USPEC_SWAP_CALL;
	call.orig_rax = (uint64_t)-1;
	call.rip = t->unikernel.swap_at;
	call.r9 = (uintptr_t)v;
	if (ptrace(PTRACE_SETREGS, t->unikernel.pid, NULL, &call) < 0)
		return -errno;
	return step_over(t, s, v);
}

static int exchange(struct tender *t, const struct swap *v, size_t n, struct err *err)
{
	struct unikernel_held s;
	int r;

	if (t->unikernel.swap.fd < 0 || !t->unikernel.traced)
		return err_set(err, PE_REFUSED,
			       "its volumes cannot be exchanged: this host did not let "
			       "its tender trace it");
	r = unikernel_hold(t, &s);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = put(t, &s, &v[i]);
	if (r == 0)
		r = unikernel_go_on(t, &s);
	if (r == 0)
		return 0;
	if (r == -ESRCH)
		return err_set(err, PE_NOTFOUND, "it has ended");
	tender_unikernel.kill(t);
	(void)look_again(0);
	return err_neg(err, r, "its volume could not be exchanged, so it was ended");
}

/* ---- volumes ---- */

static struct uspec_device *find(struct tender *t, const char *name, uint32_t *ret_i)
{
	struct uspec *s = &t->job->unikernel->spec;

	for (*ret_i = 0; *ret_i < s->n_devices; ++*ret_i)
		if (streq(s->devices[*ret_i].name, name) &&
		    s->devices[*ret_i].type == USPEC_BLOCK)
			return &s->devices[*ret_i];
	return NULL;
}

/* Its number in the child. An spt guest has its own, in the order of its image, which is
 * the spec's. */
static int number_of(const struct uspec *s, uint32_t i)
{
	int n = USPEC_SPT_DEVICE_FD;

	if (s->kind == USPEC_HVT)
		return s->devices[i].fd;
	for (uint32_t j = 0; j < s->n_devices; j++)
		n += s->devices[j].type == USPEC_NET || j < i;
	for (uint32_t j = 0; j < i; j++)
		n -= s->devices[j].type == USPEC_NET; /* counted twice */
	return n;
}

static void forget(struct unikernel *u, uint32_t i)
{
	if (u->kept && u->kept[i] >= 0)
		(void)close(TAKE_FD(u->kept[i]));
}

static int no_volume(const char *name, struct err *err)
{
	return err_set(err, PE_REFUSED, "it has no volume '%s'", name);
}

int tender_volume_put(struct tender *t, const char *name, int fd, struct err *err)
{
	struct unikernel *u = t->job->unikernel;
	struct swap v = { .fd = fd };
	uint32_t i;
	int r;

	if (!find(t, name, &i))
		return no_volume(name, err);
	v.at = number_of(&u->spec, i);
	r = exchange(t, &v, 1, err);
	if (r != 0)
		return r;
	forget(u, i);
	if (u->kept)
		u->kept[i] = fd_dup_above(fd, 3);
	return 0;
}

/* What can be neither read nor written at any offset. */
static int open_dead(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)close(ends[1]);
	return ends[0];
}

int tender_volume_cut(struct tender *t, const char *name, bool to_errors, struct err *err)
{
	struct unikernel *u = t->job->unikernel;
	auto_fd fd = to_errors ? open_dead() : open("/dev/zero", O_RDWR | O_CLOEXEC);
	const struct uspec_device *d;
	struct swap v[2];
	uint32_t i;
	int r;

	d = find(t, name, &i);
	if (!d)
		return no_volume(name, err);
	if (fd < 0)
		return err_sys(err, "cannot open what a volume is to be");
	v[0] = (struct swap){ .at = number_of(&u->spec, i), .fd = fd };
	v[1] = (struct swap){ .at = d->base, .fd = fd };
	r = exchange(t, v, d->flags & USPEC_DEV_COW ? 2 : 1, err);
	if (r == 0)
		forget(u, i);
	return r;
}

int tender_volume_narrow(struct tender *t, const char *name, struct err *err)
{
	struct unikernel *u = t->job->unikernel;
	auto_fd fd = -1;
	char path[32];
	uint32_t i;
	int r;

	if (!find(t, name, &i) || !u->kept || u->kept[i] < 0)
		return no_volume(name, err);
	/* The same file, whatever its name leads to by now. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", u->kept[i]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open the volume for reading");
	r = exchange(t, &(struct swap){ .at = number_of(&u->spec, i), .fd = fd }, 1, err);
	if (r != 0)
		return r;
	/* Only now, when nothing of it can be written: others may read it, too. */
	(void)flock(u->kept[i], LOCK_SH | LOCK_NB);
	(void)flock(fd, LOCK_SH | LOCK_NB);
	forget(u, i);
	u->kept[i] = TAKE_FD(fd);
	return 0;
}

/* ---- the listener ---- */

/* Nobody asked it to. */
static void on_swap(struct source *src, uint32_t events)
{
	struct tender *t = container_of(src, struct tender, unikernel.swap);
	struct pollfd p = { .fd = src->fd, .events = POLLIN };

	(void)events;
	if (poll(&p, 1, 0) <= 0)
		return;
	if (p.revents & POLLIN) {
		unikernel_note(t, "it made a system call that it must not make");
		tender_unikernel.kill(t);
	}
	loop_del(&t->loop, src); /* or it would be told again until it is dead */
	(void)close(p.fd);
}

int swap_open(struct tender *t, int take_fd, uint64_t at)
{
	struct tender_unikernel *u = &t->unikernel;
	int r = u->swap.fd >= 0 ? -EEXIST :
				  loop_add(&t->loop, &u->swap, take_fd, EPOLLIN, on_swap);

	if (r != 0) {
		(void)close(take_fd);
		return r;
	}
	u->swap_at = at;
	t->job->unikernel->exchanges = true;
	return 0;
}
