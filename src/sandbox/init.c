/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Three tasks start an environment:
 *
 *	tender	 outside of all namespaces, the person's uid; supervises to the end
 *	init	 pid 1 inside; a fork of the tender in new user, mount, pid, ipc, uts and
 *		 cgroup namespaces
 *	payload	 pid 2 inside; becomes the program. Init makes it at once, sharing memory
 *		 and descriptors, so that it makes the network namespace (the longest
 *		 single step) while the tender still plans, and drops privilege and
 *		 installs the filter while init builds the root. Where it must be born
 *		 into a cgroup, a terminal's session or a time namespace, it is made
 *		 when the spec is there
 *
 *	tender			init				payload
 *	clone3 ───────────────► PDEATHSIG, is the tender there?
 *	plans			clone ────────────────────────► unshare(NEWNET), lo up
 *	[maps, cgroups]		writes maps ──── ids_ready ───► ids, limits, caps, filter
 *				opens sources, builds the outline
 *	spec ─────────────────► checks it
 *	registers		builds the rest
 *				pivots, joins the network ◄──── net_ready
 *	GO ───────────────────► waits for it
 *				released ─────────────────────► Landlock, fds, exec
 *				drops all but CAP_KILL
 *				exec pipe closed or a report ◄─
 *	◄── STARTED or FAILED
 *				installs the filter, reaps
 *	◄── EXITED		exits: the kernel kills the rest of the pid namespace
 *
 * The outline is the beginning of a spec: what every root has. Init has it in its copy of the
 * tender's memory, so that it is at work while the tender plans. Where there is none, the
 * maps and all of the root wait for the spec.
 *
 * Init is never dumpable once maps are written, and its memory belongs to the host's
 * user namespace, so that nobody inside can trace it or read its memory; what
 * /proc/1/cmdline would tell of the tender's command line is wiped.
 *
 * Dying with the tender: PDEATHSIG kills init when the tender dies; the channel's end
 * covers the time before prctl, when the tender may be dead already; and when init dies
 * the kernel kills every process of the pid namespace.
 *
 * Trust: init reads nothing that the program writes, but signals and wait statuses.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/pages.h"
#include "base/stack.h"
#include "sandbox/lockdown.h"
#include "sandbox/sandbox-internal.h"

#define PAYLOAD_STACK (64u << 10)
#define CAP_BIT_KILL (1ull << 5)
#define REAP_AT_ONCE 64
#define PATIENCE_MS 1
#define INIT_STACK (40u << 10) /* what it uses of it, about */

struct init {
	const struct init_start *st;
	struct spec *spec;
	struct sandbox_io io;
	struct spec *outline; /* what came before the spec; NULL: nothing */
	bool tender_maps;
	struct root root;
	struct rendezvous *meet;
	struct payload payload;
	pid_t pid; /* of the payload, inside */
	int exec_pipe, master;
	int children; /* signalfd: a child has changed */
	bool released;
};

const char *const ns_names[SANDBOX_NS_MAX] = { "user", "mnt", "pid",    "net",
					       "ipc",  "uts", "cgroup", "time" };

long fork_with(uint64_t flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	return SYS2(SYS_clone3, &args, sizeof(args));
}

int chan_send(int chan, const struct init_msg *m, const int *fds, size_t n_fds)
{
	return fd_send(chan, m, sizeof(*m), fds, n_fds, NULL);
}

_Noreturn static void fail(struct init *in, int r, const struct err *err)
{
	struct init_msg m = { .kind = in->released ? SANDBOX_BROKEN : SANDBOX_FAILED,
			      .value = 125 };

	(void)snprintf(m.text, sizeof(m.text), "%.*s", (int)sizeof(m.text) - 1,
		       err->text[0] ? err->text : strerror(-r));
	(void)chan_send(in->st->chan, &m, NULL, 0);
	sys_exit(125);
}

_Noreturn static void fail_sys(struct init *in, int neg, const char *what)
{
	struct err err = ERR_INIT;

	(void)err_neg(&err, neg, "%s", what);
	fail(in, neg, &err);
}

/* PDEATHSIG is cleared by every change of ids, so this is called after those too. */
static void die_with_tender(struct init *in)
{
	struct pollfd p = { .fd = in->st->chan };

	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		sys_exit(125);
}

static void wait_for(struct init *in, int kind)
{
	struct init_msg m;
	size_t len;

	if (fd_recv(in->st->chan, &m, sizeof(m), &len, NULL, 0, NULL, NULL) != 0 ||
	    len != sizeof(m) || m.kind != kind)
		sys_exit(125); /* the tender is gone, or has given up */
}

static int time_namespace(int64_t offset_ns)
{
	int64_t s = offset_ns / 1000000000, ns = offset_ns % 1000000000;
	char text[128];
	auto_fd fd = -1;
	int n;
	long r = SYS1(SYS_unshare, CLONE_NEWTIME);

	if (r < 0)
		return (int)r;
	if (ns < 0) {
		s--;
		ns += 1000000000;
	}
	n = snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n",
		     (long long)s, (long long)ns, (long long)s, (long long)ns);
	fd = sys_openat(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY, 0);
	r = fd < 0 ? fd : sys_write(fd, text, (size_t)n);
	return r < 0 ? (int)r : 0;
}

static void prepare_meeting(struct init *in)
{
	int pipefd[2];

	in->meet = mmap(NULL, sizeof(*in->meet), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (in->meet == MAP_FAILED || pipe2(pipefd, O_CLOEXEC) < 0)
		fail_sys(in, -errno, "cannot prepare the program's task");
	in->meet->netfd = -1;
	in->exec_pipe = pipefd[0];
	in->payload = (struct payload){ .meet = in->meet,
					.spec = in->outline ? in->outline : in->spec,
					.io = &in->io,
					.host_network = in->st->has_network ||
							in->st->shape.host_network,
					.exec_pipe = pipefd[1],
					.slave = -1,
					.umask = in->st->umask };
}

/* Before init is not dumpable: then its files in /proc are not its own to write. */
static void take_clock(struct init *in)
{
	int r = in->spec->flags & SPEC_TIMENS ? time_namespace(in->spec->mono_offset_ns) :
						0;

	if (r < 0)
		fail_sys(in, r,
			 "cannot give the environment a clock of its own (time "
			 "namespace)");
}

static void take_spec(struct init *in)
{
	struct err err = ERR_INIT;
	int r = spec_receive(in->st->chan, in->spec, &in->tender_maps, &err);

	if (r == -EPIPE)
		sys_exit(125); /* the tender is gone, or has given up */
	if (r != 0)
		fail(in, r, &err);
}

/* Shares memory with the payload, but for a time namespace, which the kernel ties to
 * memory: then it is a fork. */
static void start_payload(struct init *in)
{
	static _Alignas(16) char stack[PAYLOAD_STACK];
	int flags = SIGCHLD | CLONE_FILES | CLONE_VM;

	if (in->payload.spec->flags & SPEC_TIMENS)
		flags &= ~CLONE_VM;
	in->pid = clone(payload_main, stack + sizeof(stack), flags, &in->payload);
	if (in->pid < 0)
		fail_sys(in, -errno, "cannot start the program's task");
}

static void write_maps(struct init *in, const struct spec *spec, bool tender_maps)
{
	struct err err = ERR_INIT;

	if (!tender_maps) {
		int r = ids_write_maps(0, spec, &err);

		if (r != 0)
			fail(in, r, &err);
	}
	/* From here nobody with the same uid can trace init or read its memory. */
	(void)sys_prctl(PR_SET_DUMPABLE, 0, 0);
	futex_set(&in->meet->ids_ready, 1);
}

/* Files are made as an id that is mapped, else the kernel refuses to create them. */
static void take_ids(struct init *in, const struct spec *spec)
{
	if (spec->flags & IDS_FOREIGN || SYS0(SYS_geteuid) != (long)spec->uid) {
		(void)sys_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0);
		if (SYS2(SYS_setgroups, 0, 0) < 0 ||
		    SYS3(SYS_setresgid, spec->gid, spec->gid, spec->gid) < 0 ||
		    SYS3(SYS_setresuid, spec->uid, spec->uid, spec->uid) < 0)
			fail_sys(in, -EPERM, "cannot take the environment's ids");
		die_with_tender(in);
	}
	(void)SYS1(SYS_umask, 0);
}

/* Sources are opened as whoever started the environment. */
static void begin_root(struct init *in, struct spec *spec)
{
	struct err err = ERR_INIT;
	int r = sources_clone(spec, 0, &err);

	if (r == 0)
		take_ids(in, spec);
	if (r == 0)
		r = root_begin(&in->root, spec, &err);
	if (r != 0)
		fail(in, r, &err);
}

/* What is known before there is a spec, while the tender plans the rest. The payload needs
 * no more than the ids of it to drop its privileges. */
static void build_outline(struct init *in)
{
	if (in->outline->flags & IDS_FOREIGN)
		wait_for(in, INIT_MAPS);
	write_maps(in, in->outline, in->outline->flags & IDS_FOREIGN);
	begin_root(in, in->outline);
}

static bool same_mount(const struct spec_mount *a, const struct spec_mount *b)
{
	return a->kind == b->kind && a->flags == b->flags && a->mode == b->mode &&
	       a->size == b->size && streq(a->dst, b->dst) && !a->src == !b->src &&
	       (!a->src || streq(a->src, b->src));
}

/* A spec has what its outline had, or we would build something else than it says. */
static void check_outline(struct init *in)
{
	const struct spec *a = in->outline, *b = in->spec;
	bool same = a->n_mounts <= b->n_mounts && a->flags == b->flags &&
		    a->uid == b->uid && a->gid == b->gid &&
		    a->n_uid_maps == b->n_uid_maps && a->n_gid_maps == b->n_gid_maps &&
		    memcmp(a->uid_maps, b->uid_maps,
			   a->n_uid_maps * sizeof(*a->uid_maps)) == 0 &&
		    memcmp(a->gid_maps, b->gid_maps,
			   a->n_gid_maps * sizeof(*a->gid_maps)) == 0;

	for (size_t i = 0; same && i < a->n_mounts; i++)
		same = same_mount(&a->mounts[i], &b->mounts[i]);
	if (!same)
		fail_sys(in, -EPROTO, "the spec is not what was begun");
}

/* A tender that is root has opened the sources of the rest: we could not any more. */
static void build_rest(struct init *in)
{
	struct err err = ERR_INIT;
	size_t from = in->outline->n_mounts;
	int r = 0;

	check_outline(in);
	if (!(in->spec->flags & IDS_FOREIGN))
		r = sources_clone(in->spec, from, &err);
	if (r == 0)
		r = root_add(&in->root, in->spec, from, &err);
	if (r != 0)
		fail(in, r, &err);
}

static void build(struct init *in)
{
	struct err err = ERR_INIT;
	int r;

	if (in->outline)
		build_rest(in);
	else
		begin_root(in, in->spec);
	r = root_enter(&in->root, in->spec, &err);
	if (r != 0)
		fail(in, r, &err);
	(void)SYS2(SYS_sethostname, in->spec->hostname, strlen(in->spec->hostname));
}

static void open_terminal(struct init *in)
{
	const struct sandbox_io *io = &in->io;
	struct init_msg m = { .kind = SANDBOX_PTY };
	int r;

	r = pty_open(AT_FDCWD, io->rows, io->cols, &in->master, &in->payload.slave);
	if (r < 0)
		fail_sys(in, r, "cannot make a terminal for the environment");
	(void)SYS3(SYS_ioctl, in->payload.slave, TIOCSCTTY, 0);
	(void)chan_send(in->st->chan, &m, &in->master, 1);
	sys_close(in->master);
	/* A child of the session's leader has its terminal only if it is born later. */
	start_payload(in);
	(void)SYS2(SYS_setpgid, in->pid, in->pid);
	(void)SYS3(SYS_ioctl, in->payload.slave, TIOCSPGRP, &in->pid);
}

/* The contexts of read-only overlays, for sandbox_refresh. */
static void send_shadows(struct init *in)
{
	struct init_msg m = { .kind = SANDBOX_SHADOW };

	for (size_t i = 0; i < in->spec->n_mounts; i++)
		if (in->spec->mounts[i].kind == SPEC_MOUNT_SHADOW &&
		    in->spec->mounts[i].fd >= 0)
			(void)chan_send(in->st->chan, &m, &in->spec->mounts[i].fd, 1);
}

/* For a word of the payload, which somebody may have killed (the kernel, out of memory). */
static void await_payload(struct init *in, uint32_t *word)
{
	const struct timespec a_while = { .tv_nsec = 200 * 1000 * 1000 };
	siginfo_t si = { .si_pid = 0 };
	struct err err = ERR_INIT;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) {
		(void)SYS4(SYS_futex, word, FUTEX_WAIT, 0, &a_while);
		if (waitid(P_PID, (id_t)in->pid, &si,
			   WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
		    si.si_pid != in->pid || __atomic_load_n(word, __ATOMIC_ACQUIRE))
			continue;
		fail(in,
		     err_set(&err, PE_REFUSED,
			     "the program's task was killed while it was being started; "
			     "is "
			     "its memory limit too small?"),
		     &err);
	}
}

static void join_network(struct init *in)
{
	await_payload(in, &in->meet->net_ready);
	if (__atomic_load_n(&in->meet->failed, __ATOMIC_ACQUIRE))
		fail_sys(in, in->meet->error, payload_step_text(in->meet->step));
	if (in->meet->netfd >= 0 && SYS2(SYS_setns, in->meet->netfd, CLONE_NEWNET) < 0)
		fail_sys(in, -EPERM, "cannot join the environment's network");
}

static void send_namespaces(struct init *in)
{
	struct init_msg m = { .kind = SANDBOX_NSFDS };
	int fds[SANDBOX_NS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < SANDBOX_NS_MAX; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s%s", ns_names[i],
			       i == 7 ? "_for_children" : "");
		fds[n] = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
		if (fds[n] < 0)
			continue;
		m.value |= 1 << i;
		n++;
	}
	(void)chan_send(in->st->chan, &m, fds, n);
	fd_close_list(fds, n);
}

/* Before the program runs the tender may want to come in, to mount what is served. */
static void await_go(struct init *in)
{
	struct init_msg m;
	size_t len;

	for (;;) {
		if (fd_recv(in->st->chan, &m, sizeof(m), &len, NULL, 0, NULL, NULL) !=
			    0 ||
		    len != sizeof(m))
			sys_exit(125); /* the tender is gone, or has given up */
		if (m.kind == INIT_GO)
			return;
		if (m.kind == INIT_NSFDS)
			send_namespaces(in);
	}
}

/* exec_pipe gives end of file once the program's image runs. */
static void report_start(struct init *in)
{
	struct init_msg m = { .kind = SANDBOX_STARTED };
	int32_t report[2] = { 0 };
	long n;

	await_payload(in, &in->meet->unshared);
	sys_close(in->payload.exec_pipe);
	do {
		n = sys_read(in->exec_pipe, report, sizeof(report));
	} while (n == -EINTR);
	sys_close(in->exec_pipe);
	if (n == sizeof(report)) {
		m.kind = SANDBOX_FAILED;
		m.value = report[0] != STEP_EXEC ? 125 : report[1] == -ENOENT ? 127 : 126;
		(void)snprintf(
			m.text, sizeof(m.text), "%s%s%s%s: %s",
			payload_step_text(report[0]),
			report[0] == STEP_EXEC || report[0] == STEP_CHDIR ? " '" : "",
			report[0] == STEP_EXEC  ? in->spec->argv[0] :
			report[0] == STEP_CHDIR ? in->spec->cwd :
						  "",
			report[0] == STEP_EXEC || report[0] == STEP_CHDIR ? "'" : "",
			strerror(-report[1]));
	}
	(void)chan_send(in->st->chan, &m, NULL, 0);
	if (m.kind == SANDBOX_FAILED)
		sys_exit(125);
}

static void serve_request(struct init *in)
{
	struct init_msg m;
	size_t len;

	if (fd_recv(in->st->chan, &m, sizeof(m), &len, NULL, 0, NULL, NULL) != 0 ||
	    len != sizeof(m))
		sys_exit(125); /* the tender is gone */
	if (m.kind == INIT_SIGNAL)
		(void)kill(in->pid, m.value);
	else if (m.kind == INIT_SIGNAL_GROUP)
		(void)kill(-in->pid, m.value);
	else if (m.kind == INIT_PAUSE)
		(void)kill(-1, SIGSTOP); /* all but init; nobody is left to undo it */
	else if (m.kind == INIT_RESUME)
		(void)kill(-1, SIGCONT);
	else if (m.kind == INIT_NSFDS)
		send_namespaces(in);
}

/* Whatever lost its parent is our child by now. Who was let in from outside is not: the
 * tender knows of those. */
static bool none_left(void)
{
	pid_t pid;

	do {
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	} while (pid > 0);
	return pid < 0 && errno == ECHILD;
}

/* Some at a time, so that a program which makes orphans without end keeps nobody from
 * being heard; true if there may be more. */
static bool reap(struct init *in)
{
	struct init_msg m = { .kind = SANDBOX_EXITED };
	int status;
	pid_t pid;

	for (int n = 0; n < REAP_AT_ONCE; n++) {
		pid = waitpid(-1, &status, WNOHANG | WUNTRACED | __WALL);
		if (pid <= 0)
			return false;
		if (pid != in->pid)
			continue;
		m.value = status;
		if (WIFSTOPPED(status)) {
			struct init_msg stopped = { .kind = SANDBOX_STOPPED,
						    .value = WSTOPSIG(status) };

			(void)chan_send(in->st->chan, &stopped, NULL, 0);
			continue;
		}
		m.alone = none_left();
		(void)chan_send(in->st->chan, &m, NULL, 0);
		sys_exit(0);
	}
	return true;
}

/* While the payload executes. */
static void drop_privileges(struct init *in)
{
	sigset_t chld;

	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	in->children = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->children < 0 || lockdown_caps(CAP_BIT_KILL) < 0 ||
	    lockdown_no_new_privs() < 0)
		fail_sys(in, -EPERM, "cannot lock down init");
}

/* The second wall, which takes the kernel a while to put up: a program that ends at once
 * does not wait for it. */
static void install_filter(struct init *in)
{
	struct pollfd p = { .fd = in->children, .events = POLLIN };

	if (poll(&p, 1, PATIENCE_MS) > 0)
		(void)reap(in);
	stack_give_back(); /* what the start used of it */
	if (lockdown_filter(in->spec->flags & SPEC_ROOT_IDENTITY) < 0)
		fail_sys(in, -EPERM, "cannot lock down init");
}

_Noreturn static void supervise(struct init *in)
{
	struct pollfd p[2] = { { .fd = in->st->chan, .events = POLLIN },
			       { .fd = in->children, .events = POLLIN } };

	install_filter(in);
	for (;;) {
		struct signalfd_siginfo si;
		bool more = reap(in);

		if (poll(p, 2, more ? 0 : -1) < 0 && errno != EINTR)
			sys_exit(125);
		if (p[1].revents)
			(void)sys_read(p[1].fd, &si, sizeof(si));
		if (p[0].revents)
			serve_request(in);
	}
}

/* Nothing of the tender's descriptors stays but the channel. */
static void close_rest(struct init *in)
{
	int a = in->st->chan, b = in->children;
	int keep[2] = { a < b ? a : b, a < b ? b : a };

	(void)fd_close_but(keep, 2);
}

/* What /proc/1/cmdline shows inside: the tender's words are not the program's business. */
static struct {
	char *p;
	size_t len;
} title __attribute__((section(".data"))); /* bss would cost supervisors a page for it */

void sandbox_title_area(int argc, char **argv)
{
	title.p = argc > 0 ? argv[0] : NULL;
	title.len = argc > 0 ?
			    (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]) :
			    0;
}

void title_wipe(void)
{
	if (title.p) {
		memset(title.p, 0, title.len);
		(void)snprintf(title.p, title.len, "init");
	}
	(void)sys_prctl(PR_SET_NAME, (unsigned long)"polder-init", 0);
}

_Noreturn void init_main(const struct init_start *st)
{
	static struct spec spec;
	struct init in = {
		.st = st, .spec = &spec, .outline = st->outline, .master = -1
	};
	const struct init_msg made = { .kind = SANDBOX_NOTHING };
	bool early = init_is_early(&st->shape);
	sigset_t all;

	pages_want_code();
	pages_want_stack(INIT_STACK);
	sys_close(st->tender_chan);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	die_with_tender(&in);
	(void)SYS0(SYS_setsid);
	title_wipe();
	prepare_meeting(&in);
	if (early) {
		start_payload(&in);
		if (chan_send(st->chan, &made, NULL, 0) < 0)
			sys_exit(125); /* the tender would wait for ever */
	}
	if (in.outline)
		build_outline(&in);
	take_spec(&in);
	in.payload.spec = in.spec;
	if (st->shape.cgroup && SYS1(SYS_unshare, CLONE_NEWCGROUP) < 0)
		fail_sys(&in, -EPERM, "cannot make a cgroup namespace");
	take_clock(&in);
	if (!early && streams_receive(st->chan, &in.io) != 0)
		sys_exit(125);
	if (!early && !in.io.pty)
		start_payload(&in);
	if (!in.outline)
		write_maps(&in, in.spec, in.tender_maps);
	build(&in);
	if (early && streams_receive(st->chan, &in.io) != 0)
		sys_exit(125);
	if (in.io.pty)
		open_terminal(&in);
	join_network(&in);
	await_go(&in);
	in.released = true;
	futex_set(&in.meet->released, 1);
	send_shadows(&in);
	drop_privileges(&in);
	report_start(&in);
	close_rest(&in);
	supervise(&in);
}
