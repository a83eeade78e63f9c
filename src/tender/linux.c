/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Linux program under the tender: init and what it runs, as src/sandbox makes them.
 * What happens to the program arrives from init on one channel; the pid namespace dies
 * with init, which is reaped before anything is reported.
 */
#include <signal.h>
#include <sys/timerfd.h>

#include "base/fd.h"
#include "sandbox/anchor.h"
#include "tender/tender-internal.h"

static void on_refresh(struct source *src, uint32_t events)
{
	struct tender_linux *l = container_of(src, struct tender_linux, refresh);
	uint64_t ticks;

	(void)events;
	(void)!read(src->fd, &ticks, sizeof(ticks));
	for (size_t i = 0; i < l->n_shadows; i++)
		(void)sandbox_refresh(l->shadows[i]);
}

static void keep_shadow(struct tender *t, int take_fd)
{
	const struct itimerspec every = { { 1, 0 }, { 1, 0 } };
	struct tender_linux *l = &t->linux_;
	int fd;

	if (l->n_shadows ==
	    SHADOWS) { /* seen anew only when the kernel forgets by itself */
		(void)close(take_fd);
		return;
	}
	l->shadows[l->n_shadows++] = take_fd;
	if (l->refresh.fd >= 0)
		return;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd >= 0 && timerfd_settime(fd, 0, &every, NULL) == 0)
		(void)loop_add(&t->loop, &l->refresh, fd, EPOLLIN, on_refresh);
}

static void on_chan(struct source *src, uint32_t events);

static int begin(struct tender *t, struct err *err)
{
	struct cgroup *group = cgroup_used(&t->cgroup) ? &t->cgroup : NULL;
	struct tender_linux *l = &t->linux_;
	int r = sandbox_start(&l->sb, t->job->spec, &l->io, group, err);

	return r != 0 ? r : loop_add(&t->loop, &l->chan, l->sb.chan, EPOLLIN, on_chan);
}

/* An anchor may lack what its user sees, a mount that came later. Then this one goes
 * without: nothing of it has run. False if that is not the reason: what could be missing is missed
 * before there is a terminal. */
static bool again_without_anchor(struct tender *t)
{
	struct tender_linux *l = &t->linux_;
	struct err err = ERR_INIT;

	if (t->state != TENDER_STARTING || !l->sb.anchored || l->has_terminal)
		return false;
	loop_del(&t->loop, &l->chan);
	sandbox_fini(&l->sb);
	l->sb = SANDBOX_INIT;
	if (begin(t, &err) != 0 || sandbox_release(&l->sb, &err) != 0)
		tender_failed(t, 125, err.text);
	return true;
}

/* It lasts: what is started meanwhile may find an anchor. */
static void started(struct tender *t)
{
	const struct tender_job *job = t->job;

	tender_started(t);
	if (job->lasting && job->reg && job->programs)
		anchor_want(registry_run_dir(job->reg), job->programs);
}

static void on_chan(struct source *src, uint32_t events)
{
	struct tender *t = container_of(src, struct tender, linux_.chan);
	struct sandbox_event ev;

	(void)events;
	if (sandbox_next_event(&t->linux_.sb, &ev) < 0) {
		/* Init is gone without a word: killed from outside. */
		if (t->state == TENDER_STARTING)
			tender_failed(t, 125,
				      "the environment's init ended before the program "
				      "started");
		else
			tender_ended(t, SIGKILL);
		return;
	}
	switch (ev.kind) {
	case SANDBOX_PTY:
		t->linux_.has_terminal = true;
		console_master(t, ev.fd);
		break;
	case SANDBOX_SHADOW: keep_shadow(t, ev.fd); break;
	case SANDBOX_STARTED: started(t); break;
	case SANDBOX_FAILED:
		if (ev.value != 125 || !again_without_anchor(t))
			tender_failed(t, ev.value, ev.text);
		break;
	case SANDBOX_BROKEN: tender_failed(t, ev.value, ev.text); break;
	case SANDBOX_STOPPED: tender_program_stopped(t); break;
	case SANDBOX_EXITED:
		t->going = t->state != TENDER_ENDED;
		tender_ended(t, ev.value);
		break;
	case SANDBOX_NSFDS: control_namespaces(t, ev.nsfds); break;
	case SANDBOX_NOTHING: break;
	}
}

static int linux_start(struct tender *t, const struct sandbox_io *io, struct err *err)
{
	t->linux_.io = *io;
	return begin(t, err);
}

static int linux_release(struct tender *t, struct err *err)
{
	return sandbox_release(&t->linux_.sb, err);
}

static int linux_signal(struct tender *t, int sig, bool group)
{
	return sandbox_signal(&t->linux_.sb, sig, group);
}

static int linux_pause(struct tender *t, bool stop)
{
	return sandbox_pause(&t->linux_.sb, stop);
}

static void linux_kill(struct tender *t)
{
	sandbox_kill(&t->linux_.sb);
}

static void linux_fini(struct tender *t)
{
	struct tender_linux *l = &t->linux_;

	if (t->job->exits && !t->job->lasting && !cgroup_used(&t->cgroup) && !t->entered)
		sandbox_leave(&l->sb);
	else
		sandbox_fini(&l->sb);
	if (l->refresh.fd >= 0)
		(void)close(l->refresh.fd);
	fd_close_list(l->shadows, l->n_shadows);
	l->n_shadows = 0;
}

static pid_t linux_child(const struct tender *t)
{
	return t->linux_.sb.init;
}

static int linux_ask_namespaces(struct tender *t)
{
	return sandbox_ask_namespaces(&t->linux_.sb);
}

const struct tender_ops tender_linux = {
	.start = linux_start,
	.release = linux_release,
	.signal = linux_signal,
	.pause = linux_pause,
	.kill = linux_kill,
	.fini = linux_fini,
	.child = linux_child,
	.ask_namespaces = linux_ask_namespaces,
	.exec = sandbox_exec,
	.open_inside = sandbox_open_inside,
};
