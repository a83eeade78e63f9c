/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A tender is one process with one loop. Its sources: what happens to the program
 * (linux.c or unikernel.c, by the table struct tender_ops), signals (the person's, to be passed on;
 * SIGCHLD of exec watchers), the control socket and its clients (control.c), the console
 * (console.c), and timers.
 *
 * Start: make the cgroup, have the program prepared, and meanwhile open the control
 * socket and record the environment; only then is the program released. So whatever
 * runs is known to `ps`, and what is not recorded never ran.
 *
 * End: the ops tell how it ended, and their fini leaves nothing of it: when `polder run`
 * returns, no process is left that could do anything.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/stack.h"
#include "tender/tender-internal.h"

/* From a terminal these reach a whole foreground job; others only the program. */
static const int passed_to_group[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGCONT };
static const int passed_to_program[] = { SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };

static void arm(int fd, uint64_t ms)
{
	struct itimerspec its = { .it_value = { .tv_sec = (time_t)(ms / 1000),
						.tv_nsec =
							(long)(ms % 1000) * 1000000 } };

	(void)timerfd_settime(fd, 0, &its, NULL);
}

static void tell_ready(struct tender *t, int code, const char *text)
{
	struct tender_ready ready = { .code = code };

	if (t->job->ready_fd < 0)
		return;
	(void)snprintf(ready.text, sizeof(ready.text), "%s", text ? text : "");
	(void)fd_write_all(t->job->ready_fd, &ready, sizeof(ready), NULL);
	(void)close(t->job->ready_fd);
	t->job->ready_fd = -1;
}

void tender_ended(struct tender *t, int status)
{
	if (t->state == TENDER_ENDED)
		return;
	t->state = TENDER_ENDED;
	t->status = status;
	t->loop.quit = true;
}

void tender_failed(struct tender *t, int code, const char *text)
{
	t->fail_code = code;
	(void)err_set(&t->fail, PE_REFUSED, "%s", text);
	tender_ended(t, 0);
}

void tender_started(struct tender *t)
{
	t->state = TENDER_RUNNING;
	tell_ready(t, 0, NULL);
	control_started(t);
}

/* The program stopped itself (Ctrl-Z): so does a tender in the foreground, so that the
 * shell gets its terminal back; SIGCONT wakes both. Nothing inside runs meanwhile, or a
 * program could stop whoever watches its limits; and where no person is, nobody would
 * wake the tender. */
void tender_program_stopped(struct tender *t)
{
	if (t->job->background || t->state != TENDER_RUNNING ||
	    (!isatty(0) && !isatty(1) && !isatty(2)))
		return;
	(void)t->ops->pause(t, true);
	console_suspend(t, true);
	(void)raise(SIGSTOP);
	console_suspend(t, false);
	(void)t->ops->pause(t, false);
}

static void reap_watchers(struct tender *t)
{
	int status;
	pid_t pid;

	/* The program is left to the ops, which must find its status unreaped. */
	for (;;) {
		siginfo_t si = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    si.si_pid == 0 || si.si_pid == t->ops->child(t))
			return;
		pid = waitpid(si.si_pid, &status, 0);
		if (pid <= 0)
			continue;
		care_child(t, pid);
		control_child(t, pid, status);
	}
}

static void on_signal(struct source *src, uint32_t events)
{
	struct tender *t = container_of(src, struct tender, signals);
	struct signalfd_siginfo si;

	(void)events;
	if (read(src->fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD) {
		if (t->ops->child_event)
			t->ops->child_event(t);
		else
			reap_watchers(t);
		return;
	}
	if (si.ssi_signo == SIGWINCH) {
		console_resized(t);
		return;
	}
	if (t->state == TENDER_ENDED) {
		t->hurry |= si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT ||
			    si.ssi_signo == SIGHUP || si.ssi_signo == SIGQUIT;
		return;
	}
	if (t->job->background && si.ssi_signo == SIGTERM) {
		tender_stop(t, SIGTERM, 10000);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(passed_to_group); i++)
		if ((int)si.ssi_signo == passed_to_group[i])
			(void)t->ops->signal(t, passed_to_group[i], true);
	for (size_t i = 0; i < ARRAY_LEN(passed_to_program); i++)
		if ((int)si.ssi_signo == passed_to_program[i])
			(void)t->ops->signal(t, passed_to_program[i], false);
}

static void on_stop_timeout(struct source *src, uint32_t events)
{
	struct tender *t = container_of(src, struct tender, stop_timer);

	(void)events;
	t->ops->kill(t);
	tender_ended(t, SIGKILL);
}

static void on_deadline(struct source *src, uint32_t events)
{
	struct tender *t = container_of(src, struct tender, deadline);

	(void)events;
	t->job->ret_timed_out = true;
	t->ops->kill(t);
	tender_ended(t, SIGKILL);
}

static int add_timer(struct tender *t, struct source *src, uint64_t ms, source_fn *fn)
{
	int fd = src->fd >= 0 ?
			 src->fd :
			 timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	arm(fd, MAX(ms, (uint64_t)1));
	return src->fd >= 0 ? 0 : loop_add(&t->loop, src, fd, EPOLLIN, fn);
}

void tender_kill(struct tender *t)
{
	t->ops->kill(t);
	tender_ended(t, SIGKILL);
}

void tender_stop(struct tender *t, int sig, uint64_t timeout_ms)
{
	if (t->state == TENDER_PAUSED)
		(void)tender_pause(t, false);
	(void)t->ops->signal(t, sig, false);
	(void)t->ops->signal(t, SIGCONT, true);
	if (add_timer(t, &t->stop_timer, timeout_ms, on_stop_timeout) < 0)
		on_stop_timeout(&t->stop_timer, 0);
}

int tender_pause(struct tender *t, bool stop)
{
	int r = t->ops->pause(t, stop);

	if (r < 0)
		return r;
	t->state = stop ? TENDER_PAUSED : TENDER_RUNNING;
	if (t->job->reg)
		r = stop ? registry_paused(t->job->reg, t->job->held, NULL) :
			   registry_resumed(t->job->reg, t->job->held, NULL);
	return r;
}

/* Blocked before the sandbox is forked: init and the payload set their own masks. */
static int open_signals(struct tender *t, struct err *err)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	if (!t->job->background) {
		(void)sigaddset(&set, SIGWINCH);
		for (size_t i = 0; i < ARRAY_LEN(passed_to_group); i++)
			(void)sigaddset(&set, passed_to_group[i]);
		for (size_t i = 0; i < ARRAY_LEN(passed_to_program); i++)
			(void)sigaddset(&set, passed_to_program[i]);
	}
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Blocked, not ignored: what is ignored stays so in the program. */
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	if (fd < 0)
		return err_sys(err, "cannot receive signals");
	return loop_add(&t->loop, &t->signals, fd, EPOLLIN, on_signal);
}

static int make_cgroup(struct tender *t, struct err *err)
{
	const struct spec *s = t->job->spec;
	struct cgroup_limits limits = { .mem_bytes = s->limit_mem,
					.cpu_percent = s->limit_cpu_percent,
					.pids = s->flags & SPEC_LIMIT_PIDS_RLIMIT ?
							0 :
							s->limit_pids };

	if (!limits.mem_bytes && !limits.cpu_percent && !limits.pids)
		return 0;
	return cgroup_make(&t->cgroup, t->job->cgroup_name, &limits, err);
}

static int record_started(struct tender *t, struct err *err)
{
	struct reg_run run = { .tender = getpid() };

	if (!t->job->reg)
		return 0;
	return registry_started(t->job->reg, t->job->held, &run, err);
}

static int start(struct tender *t, struct err *err)
{
	struct tender_job *job = t->job;
	struct sandbox_io io = { .fd = { 0, 1, 2 } };
	int r = open_signals(t, err);

	if (r == 0)
		r = console_open(t, &io, err);
	if (r == 0)
		r = make_cgroup(t, err);
	if (r == 0)
		r = t->ops->start(t, &io, err);
	/* What prepares the program is at work from here. */
	if (r == 0 && job->held)
		r = control_open(t, job->held->dirfd, err);
	if (r == 0)
		r = record_started(t, err);
	if (r == 0 && job->spec->limit_time_ms)
		r = add_timer(t, &t->deadline, job->spec->limit_time_ms, on_deadline);
	if (r == 0 && job->decide.serve)
		r = control_await_namespaces(t, err);
	if (r == 0 && job->decide.serve)
		r = job->decide.serve(job->userdata, t, err);
	return r != 0 ? r : t->ops->release(t, err);
}

static void finish(struct tender *t)
{
	t->state = TENDER_ENDED;
	t->hurry |= t->stop_timer.fd >= 0;
	if (t->going && t->job->ending && !cgroup_used(&t->cgroup)) {
		control_unlist(t);
		t->job->ending(t->job->userdata, t->status);
	}
	t->ops->fini(t);
	care_close(t);
	t->job->ret_left = !cgroup_remove(&t->cgroup);
	console_close(t);
	control_ended(t);
	control_unlist(t);
	if (t->job->exits)
		return;
	if (t->stop_timer.fd >= 0)
		(void)close(t->stop_timer.fd);
	if (t->deadline.fd >= 0)
		(void)close(t->deadline.fd);
	if (t->signals.fd >= 0)
		(void)close(t->signals.fd);
	control_close(t);
	loop_fini(&t->loop);
}

static int run(struct tender *t, struct err *err)
{
	int r = 0;

	while (r >= 0 && !t->loop.quit && t->state == TENDER_STARTING)
		r = loop_step(&t->loop, -1);
	if (r < 0)
		return err_neg(err, r, "cannot wait for events");
	/* It may be for days. A Linux program's has tasks of its own, which change the words
	 * that they were started by: those stay where they are. */
	if (t->job->background && t->job->unikernel)
		stack_leave();
	else if (t->job->background)
		stack_give_back();
	return loop_run(&t->loop, err);
}

int tender_run(struct tender_job *job, int *ret_status, int *ret_code, struct err *err)
{
	struct tender t = { .job = job,
			    .ops = job->unikernel ? &tender_unikernel : &tender_linux,
			    .unikernel = { .spec_fd = -1,
					   .alive_fd = -1,
					   .report = SOURCE_INIT,
					   .swap = SOURCE_INIT },
			    .linux_ = { .sb = SANDBOX_INIT,
					.chan = SOURCE_INIT,
					.refresh = SOURCE_INIT },
			    .signals = SOURCE_INIT,
			    .deadline = SOURCE_INIT,
			    .stop_timer = SOURCE_INIT,
			    .cgroup = CGROUP_INIT,
			    .loop = { .epfd = -1 } };
	int r = loop_init(&t.loop, err);

	if (job->begun) {
		t.linux_.sb = *job->begun;
		*job->begun = SANDBOX_INIT;
	}
	if (r == 0)
		r = start(&t, err);
	if (r == 0)
		r = run(&t, err);
	if (r != 0 || t.fail_code) {
		if (t.fail_code)
			r = err_set(err, PE_REFUSED, "%s", t.fail.text);
		*ret_code = t.fail_code ? t.fail_code : 125;
		tell_ready(&t, *ret_code, err ? err->text : "");
	}
	finish(&t);
	*ret_status = t.status;
	return r;
}
