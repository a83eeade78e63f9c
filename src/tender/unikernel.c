/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A unikernel under the tender: one child, polder-tender-spt or -hvt, that becomes or
 * runs the guest.
 *
 * Theory of operation
 *
 * start spawns the child, which inherits the descriptors that its spec names and no
 * other, and waits for the spec in a pipe. release seizes it with ptrace, puts it into
 * the cgroup, and only then writes the spec: nothing of the guest runs before all of
 * that is done. The report pipe tells how the start went: its end, or a record that says
 * that it runs, or why not.
 *
 * ptrace is how faults of an spt guest are seen: it has no handlers, so every signal of
 * the kernel's stops it for us once, with address and registers, and kills it when it is
 * passed on. PTRACE_O_TRACEEXIT shows a system call that the filter killed it for. An hvt
 * guest's faults are told by its monitor; it is traced only where it has volumes, which
 * are exchanged by ptrace (swap.c). Where ptrace is forbidden, the wait status is all
 * there is.
 *
 * The child dies with us by the pipe alive_fd and PDEATHSIG, and a seized one by
 * PTRACE_O_EXITKILL.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "server/unikernel.h"
#include "tender/tender-internal.h"

/* ---- the child ---- */

static const char *kind_name(const struct tender *t)
{
	return t->job->unikernel->spec.kind == USPEC_HVT ? "hvt" : "spt";
}

static int inherit(posix_spawn_file_actions_t *fa, int fd)
{
	return fd < 0 ? 0 : posix_spawn_file_actions_adddup2(fa, fd, fd);
}

/* Exactly what the spec names, by the same numbers. */
static int inherit_all(posix_spawn_file_actions_t *fa, const struct uspec *s,
		       const struct sandbox_io *io)
{
	int r = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);

	for (int i = 1; r == 0 && i < 3; i++)
		r = posix_spawn_file_actions_adddup2(fa, io->fd[i], i);
	for (uint32_t i = 0; r == 0 && i < s->n_devices; i++) {
		r = inherit(fa, s->devices[i].fd);
		if (r == 0)
			r = inherit(fa, s->devices[i].base);
	}
	if (r == 0)
		r = inherit(fa, s->image_fd);
	if (r == 0)
		r = inherit(fa, s->report_fd);
	if (r == 0)
		r = inherit(fa, s->alive_fd);
	return r != 0 ? r : inherit(fa, s->core_fd);
}

static int spawn_child(struct tender *t, const struct sandbox_io *io, int spec_fd,
		       struct err *err)
{
	posix_spawn_file_actions_t fa;
	char name[24];
	int r;

	(void)snprintf(name, sizeof(name), "polder-tender-%s", kind_name(t));
	if (posix_spawn_file_actions_init(&fa) != 0)
		return err_oom(err);
	r = inherit_all(&fa, &t->job->unikernel->spec, io);
	if (r == 0)
		r = inherit(&fa, spec_fd);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return err_neg(err, -r, "cannot start '%s'", name);
	}
	return part_spawn(t, name, spec_fd, &fa, &t->unikernel.pid, err);
}

static void on_report(struct source *src, uint32_t events);

static bool has_volumes(const struct uspec *s)
{
	for (uint32_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].type == USPEC_BLOCK)
			return true;
	return false;
}

/* Ours is ends[0]. A descriptor goes over a socket alone. */
static int open_report(bool is_socket, int *ends)
{
	return is_socket ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) :
			   pipe2(ends, O_CLOEXEC);
}

static int unikernel_start(struct tender *t, const struct sandbox_io *io, struct err *err)
{
	struct uspec *s = &t->job->unikernel->spec;
	struct tender_unikernel *u = &t->unikernel;
	int spec[2], report[2], alive[2], r;

	u->report_is_socket = t->job->decide.change && has_volumes(s);

	if (pipe2(spec, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	u->spec_fd = spec[1];
	if (open_report(u->report_is_socket, report) < 0) {
		(void)close(spec[0]);
		return err_sys(err, "cannot make a pipe");
	}
	u->report.fd = report[0];
	if (pipe2(alive, O_CLOEXEC) < 0) {
		fd_close_list((int[]){ spec[0], report[1] }, 2);
		return err_sys(err, "cannot make a pipe");
	}
	u->alive_fd = alive[1];
	s->report_fd = report[1];
	s->alive_fd = alive[0];
	if (t->job->core_fd >= 0 && s->kind == USPEC_HVT) {
		s->core_fd = t->job->core_fd;
		s->flags |= USPEC_CORE;
	} else if (t->job->core_fd >= 0) {
		s->flags |=
			USPEC_TRACED; /* else nobody may read its memory, we neither */
	}
	(void)fd_set_nonblock(report[0], true);
	r = spawn_child(t, io, spec[0], err);
	fd_close_list((int[]){ spec[0], report[1], alive[0] }, 3);
	return r != 0 ? r : loop_add(&t->loop, &u->report, report[0], EPOLLIN, on_report);
}

static int unikernel_release(struct tender *t, struct err *err)
{
	struct tender_unikernel *u = &t->unikernel;
	bool spt = t->job->unikernel->spec.kind == USPEC_SPT;
	auto_str spec = STR_INIT;
	int r = links_watch(t, err);

	if (spt || u->report_is_socket)
		u->traced =
			ptrace(PTRACE_SEIZE, u->pid, NULL,
			       PTRACE_O_EXITKILL | (spt ? PTRACE_O_TRACEEXIT : 0)) == 0;
	if (u->report_is_socket && u->traced) {
		t->job->unikernel->spec.flags |= USPEC_SWAPS;
	}
	if (r == 0 && cgroup_used(&t->cgroup))
		r = cgroup_join(&t->cgroup, u->pid, err);
	if (r != 0)
		return r;
	uspec_encode(&t->job->unikernel->spec, &spec);
	if (spec.failed)
		return err_oom(err);
	unikernel_given(t->job->unikernel);
	r = fd_write_all(u->spec_fd, spec.p, spec.len, err);
	if (r == 0 && (t->job->unikernel->spec.flags & USPEC_TRACED))
		r = fd_write_all(u->alive_fd, "", 1, err); /* we are attached */
	(void)close(TAKE_FD(u->spec_fd));
	return r;
}

/* ---- how it goes ---- */

static void note(struct tender *t, const char *text, const char *detail)
{
	(void)snprintf(t->job->ret_note, sizeof(t->job->ret_note), "%s%s%s", text,
		       t->job->verbose && *detail ? "\n" : "",
		       t->job->verbose ? detail : "");
	console_note(t, t->job->ret_note);
}

void unikernel_note(struct tender *t, const char *text)
{
	if (!t->job->ret_note[0])
		note(t, text, "");
}

/* Nothing that could drive a terminal; lines stay. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text != '\n' && (*text < ' ' || *text > '~'))
			*text = '?';
}

/* Whether its volumes can be exchanged is known only now: this host may forbid to trace, or
 * have us below a filter with a listener of its own. */
static void runs(struct tender *t)
{
	const struct unikernel *u = t->job->unikernel;

	if (!u->must_exchange || u->exchanges) {
		tender_started(t);
		return;
	}
	tender_failed(t, 125,
		      "a volume is to be cut completely (cut=complete), and on this host "
		      "none can be exchanged: --accept-weaker starts it nevertheless");
	tender_unikernel.kill(t);
}

/* take_fd: what came with it, or -1. */
static void take_report(struct tender *t, struct uspec_report *r, int take_fd)
{
	if (r->outcome == USPEC_SWAP && t->state == TENDER_STARTING && take_fd >= 0) {
		(void)swap_open(t, take_fd, r->address);
		return;
	}
	if (take_fd >= 0)
		(void)close(take_fd);
	if (r->outcome == USPEC_SWAP)
		return;
	r->text[sizeof(r->text) - 1] = r->detail[sizeof(r->detail) - 1] = '\0';
	/* What comes once it runs may come from a monitor that was taken over. */
	make_plain(r->text);
	make_plain(r->detail);
	if (r->outcome == USPEC_FAULT && !t->job->ret_note[0])
		note(t, r->text, r->detail);
	if (t->state != TENDER_STARTING)
		return;
	if (r->outcome == USPEC_REFUSED)
		tender_failed(t, r->code == 126 ? 126 : 125, r->text);
	else
		runs(t);
}

/* Nothing more will come. That is how spt says that its guest is about to run. */
static void report_ended(struct tender *t)
{
	struct tender_unikernel *u = &t->unikernel;
	int fd = u->report.fd;

	loop_del(&t->loop, &u->report);
	(void)close(fd);
	if (t->job->unikernel->spec.kind == USPEC_HVT) {
		if (t->state == TENDER_STARTING)
			tender_failed(t, 125,
				      "the guest's monitor ended before the guest ran");
		return;
	}
	/* The guest dies with us by PDEATHSIG now, and nobody reads this. */
	if (u->alive_fd >= 0)
		(void)close(TAKE_FD(u->alive_fd));
	if (t->state == TENDER_STARTING)
		runs(t);
}

/* As read(). A descriptor may come with it where the channel is a socket. */
static ssize_t receive(const struct tender *t, struct uspec_report *r, int *ret_fd)
{
	size_t len = 0, n = 0;
	int e;

	if (!t->unikernel.report_is_socket)
		return read(t->unikernel.report.fd, r, sizeof(*r));
	e = fd_recv(t->unikernel.report.fd, r, sizeof(*r), &len, ret_fd, 1, &n, NULL);
	if (e == 0)
		return (ssize_t)len;
	errno = e < 0 ? -e : EBADMSG;
	return -1;
}

/* One record. False: there is none, or will be none. */
static bool read_report(struct tender *t)
{
	struct source *src = &t->unikernel.report;
	struct uspec_report r;
	int fd = -1;
	ssize_t n = src->fd < 0 ? -1 : receive(t, &r, &fd);

	if (src->fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return false;
	if (n == (ssize_t)sizeof(r))
		take_report(t, &r, fd);
	else
		report_ended(t);
	return true;
}

/* One at a time: a monitor that was taken over may never stop writing them, and others
 * want to be heard meanwhile, its time limit among them. */
static void on_report(struct source *src, uint32_t events)
{
	(void)events;
	(void)read_report(container_of(src, struct tender, unikernel.report));
}

/* What it has said before comes first. */
void unikernel_ended(struct tender *t, int status)
{
	t->unikernel.pid = 0;
	while (read_report(t))
		;
	if (t->job->unikernel->spec.kind == USPEC_HVT && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGSYS && !t->job->ret_note[0])
		note(t,
		     "the guest's monitor was stopped by its filter: it was taken over, "
		     "or "
		     "has a fault",
		     "");
	tender_ended(t, status);
}

static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE ||
	       sig == SIGSYS || sig == SIGTRAP;
}

static void on_fault(struct tender *t, int sig)
{
	struct fault f;

	if (!fault_read(&f, t->unikernel.pid, sig))
		return;
	note(t, f.text, f.detail);
	if (t->job->core_fd >= 0)
		core_write(t->job->core_fd, t->unikernel.pid, &f,
			   t->job->unikernel->spec.mem_bytes);
}

void unikernel_stop(struct tender *t, int status)
{
	struct tender_unikernel *u = &t->unikernel;
	int sig = WSTOPSIG(status), event = status >> 16;
	unsigned long code = 0;

	if (!u->traced) {
		tender_program_stopped(t);
		return;
	}
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, u->pid, NULL, NULL);
		if (t->state == TENDER_RUNNING)
			tender_program_stopped(t);
		return;
	}
	if (t->job->unikernel->spec.kind == USPEC_HVT) {
		/* Its monitor tells of faults itself. */
		(void)ptrace(PTRACE_CONT, u->pid, NULL, event ? 0 : sig);
		return;
	}
	if (event == PTRACE_EVENT_EXIT &&
	    ptrace(PTRACE_GETEVENTMSG, u->pid, NULL, &code) == 0 &&
	    WTERMSIG(code) == SIGSYS)
		on_fault(t, SIGSYS);
	if (event == 0 && is_fault(sig))
		on_fault(t, sig);
	(void)ptrace(PTRACE_CONT, u->pid, NULL, event ? 0 : sig);
}

/* SIGCHLD came: what there is to know of the child. */
static void unikernel_child_event(struct tender *t)
{
	struct tender_unikernel *u = &t->unikernel;
	int status;

	while (u->pid > 0 && waitpid(u->pid, &status, WNOHANG | WUNTRACED) == u->pid) {
		if (WIFSTOPPED(status))
			unikernel_stop(t, status);
		else
			unikernel_ended(t, status);
	}
}

static int unikernel_signal(struct tender *t, int sig, bool group)
{
	(void)group; /* it is one process */
	return t->unikernel.pid > 0 && kill(t->unikernel.pid, sig) < 0 ? -errno : 0;
}

static int unikernel_pause(struct tender *t, bool stop)
{
	return unikernel_signal(t, stop ? SIGSTOP : SIGCONT, false);
}

static void unikernel_kill(struct tender *t)
{
	(void)unikernel_signal(t, SIGKILL, false);
}

static void unikernel_fini(struct tender *t)
{
	struct tender_unikernel *u = &t->unikernel;
	int status;

	unikernel_kill(t);
	while (u->pid > 0) {
		pid_t pid = waitpid(u->pid, &status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid > 0 && WIFSTOPPED(status))
			(void)ptrace(PTRACE_CONT, u->pid, NULL, 0);
		else
			u->pid = 0;
	}
	fd_close_list((int[]){ u->spec_fd, u->report.fd, u->alive_fd, u->swap.fd }, 4);
	links_close(t);
}

static pid_t unikernel_child(const struct tender *t)
{
	return t->unikernel.pid;
}

const struct tender_ops tender_unikernel = {
	.start = unikernel_start,
	.release = unikernel_release,
	.signal = unikernel_signal,
	.pause = unikernel_pause,
	.kill = unikernel_kill,
	.fini = unikernel_fini,
	.child = unikernel_child,
	.child_event = unikernel_child_event,
	.join = links_join,
	.tie = links_tie,
	.unjoin = links_unjoin,
	.plain_console = true,
	.no_inside =
		"a unikernel has no second program and no files: there is nothing to "
		"enter",
};
