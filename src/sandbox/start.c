/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tender's side of a sandbox; init.c tells the whole. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/pages.h"
#include "sandbox/anchor.h"
#include "sandbox/sandbox-internal.h"

/* What planning and recording use of the stack, about. */
#define STACK_LEFT (48u << 10)

static int explain_clone(int r, struct err *err)
{
	char *text = NULL;
	bool off = fd_read_file_at(AT_FDCWD, "/proc/sys/user/max_user_namespaces", 64,
				   &text, NULL, NULL) == 0 &&
		   str_starts(text, "0");

	free(text);
	if (r == -EPERM || off || r == -EINVAL)
		return err_set(err, PE_REFUSED,
			       "user namespaces are switched off here, and an "
			       "environment needs one: set user.max_user_namespaces "
			       "(sysctl) above "
			       "0%s",
			       geteuid() ? ", and kernel.unprivileged_userns_clone to 1 "
					   "where there is such a switch; in a "
					   "container, allow clone with "
					   "new namespaces" :
					   "");
	if (r == -ENOSYS)
		return err_set(err, PE_REFUSED,
			       "clone3() does not exist here: either the kernel is "
			       "older than Linux 5.3, or a container's filter hides it; "
			       "run Polder "
			       "outside of the container, or allow clone3 and new "
			       "namespaces in it");
	if (r == -ENOSPC || r == -EUSERS)
		return err_set(err, PE_REFUSED,
			       "no more namespaces can be made: the limits in "
			       "/proc/sys/user/ are reached");
	return err_neg(err, r, "cannot make the environment's namespaces");
}

/* Init often shares our processor, and the longest way is before what it makes first: we
 * step aside until that is on its way. */
static int step_aside(struct sandbox *sb, struct err *err)
{
	struct init_msg m;
	size_t len;
	int r = fd_recv(sb->chan, &m, sizeof(m), &len, NULL, 0, NULL, NULL);

	if (r == 0 && len == sizeof(m) && m.kind == SANDBOX_NOTHING)
		return 0;
	m.text[sizeof(m.text) - 1] = '\0';
	return err_set(err, PE_REFUSED, "%s",
		       r == 0 && len == sizeof(m) ?
			       m.text :
			       "the environment's init ended before the program started");
}

static uint64_t namespaces(const struct sandbox_shape *shape)
{
	return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
	       (shape->cgroup ? 0 : CLONE_NEWCGROUP);
}

/* ---- below an anchor ---- */

struct joining {
	int anchor, netns;
	struct init_start *st;
	long pid; /* of init, or -errno */
};

/* A task that shares our memory, and is in the anchor's namespaces for the time of one
 * clone. The child of that is ours, not its own. */
static int join_and_clone(void *joining)
{
	struct joining *j = joining;
	struct clone_args args = { .flags = namespaces(&j->st->shape) | CLONE_PARENT };

	j->pid = SYS2(SYS_setns, j->anchor, CLONE_NEWUSER | CLONE_NEWNS);
	if (j->pid == 0 && j->netns >= 0)
		j->pid = SYS2(SYS_setns, j->netns, CLONE_NEWNET);
	if (j->pid == 0) {
		j->pid = SYS2(SYS_clone3, &args, sizeof(args));
		if (j->pid == 0)
			init_main(j->st);
	}
	sys_exit(0);
}

/* Nobody hands us the network that we are in ourselves. */
static bool is_another_network(int netns)
{
	struct stat given, own;

	return fstat(netns, &given) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
	       (given.st_ino != own.st_ino || given.st_dev != own.st_dev);
}

/* The pid of init, 0 if there is no anchor to be had. */
static pid_t clone_below_anchor(const struct sandbox *sb, struct init_start *st)
{
	static _Alignas(16) char stack[64 << 10];
	auto_fd anchor = -1, netns = -1;
	struct joining j = { .st = st, .pid = -1 };
	int child;

	if (sb->run < 0 || st->shape.ranges || anchor_find(sb->run, &anchor) != 0)
		return 0;
	if (!st->shape.host_network && anchor_take_network(anchor, &netns) == 0 &&
	    !is_another_network(netns))
		return 0;
	st->has_network = netns >= 0;
	j.anchor = anchor;
	j.netns = netns;
	child = clone(join_and_clone, stack + sizeof(stack),
		      CLONE_VM | CLONE_VFORK | SIGCHLD, &j);
	while (child > 0 && waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	if (child > 0 && j.pid > 0)
		return (pid_t)j.pid;
	st->has_network = false;
	return 0;
}

/* ---- the order of a start ---- */

static int make_init(struct sandbox *sb, struct init_start *st, struct err *err)
{
	long pid = clone_below_anchor(sb, st);

	sb->anchored = pid > 0;
	if (pid == 0)
		pid = fork_with(namespaces(&st->shape));
	if (pid == 0)
		init_main(st);
	if (pid < 0)
		return explain_clone((int)pid, err);
	sb->init = (pid_t)pid;
	pages_want_stack(STACK_LEFT); /* the fork made all of it to be copied */
	return 0;
}

/* Of a tender that is root: nobody else may write them. */
static int hand_maps(struct sandbox *sb, const struct spec *outline, struct err *err)
{
	struct init_msg m = { .kind = INIT_MAPS };
	int r = ids_write_maps(sb->init, outline, err);

	if (r != 0)
		return r;
	r = chan_send(sb->chan, &m, NULL, 0);
	return r == 0 || r == -EPIPE || r == -ECONNRESET ?
		       0 : /* it has said why it ended */
		       err_neg(err, r, "cannot talk to the environment's init");
}

int sandbox_begin(struct sandbox *sb, const struct sandbox_shape *shape,
		  const struct spec *outline, struct err *err)
{
	struct init_start st = { .shape = *shape };
	struct spec copy;
	int pair[2], r;

	st.umask = umask(0);
	(void)umask(st.umask);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a channel to init");
	st.chan = pair[1];
	st.tender_chan = pair[0];
	if (outline) {
		copy = *outline;
		copy.flags |= geteuid() == 0 ? IDS_FOREIGN : 0;
		st.outline = &copy;
	}
	r = make_init(sb, &st, err);
	(void)close(pair[1]);
	sb->chan = pair[0];
	sb->shape = *shape;
	sb->outlined = outline ? outline->n_mounts : 0;
	if (r == 0 && init_is_early(shape))
		r = step_aside(sb, err);
	if (r == 0 && outline && geteuid() == 0)
		r = hand_maps(sb, &copy, err);
	if (r != 0)
		sandbox_fini(sb);
	return r;
}

static struct sandbox_shape shape_of(const struct spec *spec, const struct sandbox_io *io,
				     const struct cgroup *cgroup)
{
	return (struct sandbox_shape){ .host_network = spec->flags & SPEC_NET_HOST,
				       .cgroup = cgroup != NULL,
				       .late = io->pty || (spec->flags & SPEC_TIMENS),
				       .ranges = (spec->flags & SPEC_SUBUID_HELPER) ||
						 geteuid() == 0 };
}

static bool same_shape(const struct sandbox_shape *a, const struct sandbox_shape *b)
{
	return a->host_network == b->host_network && a->cgroup == b->cgroup &&
	       a->late == b->late && a->ranges == b->ranges;
}

/* What only the tender may do for init comes first: who has the spec can go ahead. */
static int hand_over(struct sandbox *sb, struct spec *spec, struct cgroup *cgroup,
		     struct err *err)
{
	bool maps = false;
	int r = spec_check(spec, err);

	if (r == 0 && geteuid() == 0) {
		spec->flags |= IDS_FOREIGN;
		r = sources_clone_idmapped(spec, err);
		if (r == 0 && sb->outlined)
			r = sources_clone(spec, sb->outlined, err);
	}
	maps = !sb->outlined && (spec->flags & (IDS_FOREIGN | SPEC_SUBUID_HELPER)) != 0;
	if (r == 0 && cgroup)
		r = cgroup_join(cgroup, sb->init, err);
	if (r == 0 && maps)
		r = ids_write_maps(sb->init, spec, err);
	if (r == 0)
		r = spec_send(sb->chan, spec, maps, err);
	sb->building = r == 0;
	return r;
}

/* Init has covered a directory of the host by now; who is granted something of that is
 * begun anew. */
static bool is_covered(const struct spec *spec, size_t from)
{
	const size_t n = strlen(SANDBOX_COVERS);

	for (size_t i = from; i < spec->n_mounts; i++) {
		const char *src = spec->mounts[i].src;

		if (src && (streq(src, "/") || (strncmp(src, SANDBOX_COVERS, n) == 0 &&
						(src[n] == '/' || src[n] == '\0'))))
			return true;
	}
	return false;
}

int sandbox_build(struct sandbox *sb, struct spec *spec, struct err *err)
{
	int r = 0;

	if (sb->outlined && geteuid() != 0 && is_covered(spec, sb->outlined)) {
		struct sandbox_shape shape = sb->shape;

		sandbox_fini(sb);
		r = sandbox_begin(sb, &shape, NULL, err);
	}
	return r == 0 ? hand_over(sb, spec, NULL, err) : r;
}

int sandbox_start(struct sandbox *sb, struct spec *spec, const struct sandbox_io *io,
		  struct cgroup *cgroup, struct err *err)
{
	struct sandbox_shape shape = shape_of(spec, io, cgroup);
	int r = 0;

	if (sb->init > 0 && !same_shape(&sb->shape, &shape))
		sandbox_fini(sb);
	if (sb->init <= 0)
		r = sandbox_begin(sb, &shape, NULL, err);
	if (r == 0 && !sb->building)
		r = hand_over(sb, spec, cgroup, err);
	if (r == 0)
		r = streams_send(sb->chan, io, err);
	if (r != 0)
		sandbox_fini(sb);
	return r;
}

static int request(struct sandbox *sb, int kind, int value)
{
	struct init_msg m = { .kind = kind, .value = value };

	return sb->chan < 0 ? -EPIPE : chan_send(sb->chan, &m, NULL, 0);
}

int sandbox_release(struct sandbox *sb, struct err *err)
{
	int r = request(sb, INIT_GO, 0);

	/* A closed channel has a FAILED waiting in it, which says more. */
	return r == 0 || r == -EPIPE || r == -ECONNRESET ?
		       0 :
		       err_neg(err, r, "cannot release the program");
}

int sandbox_signal(struct sandbox *sb, int sig, bool group)
{
	return request(sb, group ? INIT_SIGNAL_GROUP : INIT_SIGNAL, sig);
}

int sandbox_pause(struct sandbox *sb, bool stop)
{
	return request(sb, stop ? INIT_PAUSE : INIT_RESUME, 0);
}

int sandbox_ask_namespaces(struct sandbox *sb)
{
	return request(sb, INIT_NSFDS, 0);
}

/* fds came in the order of the bits of mask. */
static void spread(struct sandbox_event *ev, unsigned mask, const int *fds, size_t n)
{
	size_t next = 0;

	for (size_t i = 0; i < SANDBOX_NS_MAX; i++)
		ev->nsfds[i] = (mask & 1u << i) && next < n ? fds[next++] : -1;
}

int sandbox_next_event(struct sandbox *sb, struct sandbox_event *ret)
{
	struct sandbox_event ev = { .kind = SANDBOX_NOTHING, .fd = -1 };
	int fds[SANDBOX_NS_MAX];
	struct init_msg m;
	size_t len, n = 0;
	int r = fd_recv(sb->chan, &m, sizeof(m), &len, fds, SANDBOX_NS_MAX, &n, NULL);

	/* Init went with a request unread: that is told once, then what it wrote comes. */
	if (r == -ECONNRESET)
		r = fd_recv(sb->chan, &m, sizeof(m), &len, fds, SANDBOX_NS_MAX, &n, NULL);

	*ret = ev;
	if (r == -EAGAIN)
		return 0;
	if (r != 0 || len == 0)
		return -EPIPE;
	if (len != sizeof(m))
		return -EPROTO;
	ev.kind = (enum sandbox_event_kind)m.kind;
	ev.value = m.value;
	sb->alone |= ev.kind == SANDBOX_EXITED && m.alone;
	(void)snprintf(ev.text, sizeof(ev.text), "%s", m.text);
	if (ev.kind == SANDBOX_NSFDS)
		spread(&ev, (unsigned)m.value, fds, n);
	else if ((ev.kind == SANDBOX_PTY || ev.kind == SANDBOX_SHADOW) && n == 1)
		ev.fd = fds[0];
	else
		fd_close_list(fds, n);
	*ret = ev;
	return 0;
}

int sandbox_refresh(int shadow)
{
	return sys_fsconfig(shadow, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

void sandbox_kill(struct sandbox *sb)
{
	if (sb->init > 0)
		(void)kill(sb->init,
			   SIGKILL); /* ours, not yet reaped: the pid is its own */
}

void sandbox_fini(struct sandbox *sb)
{
	if (sb->init > 0) {
		sandbox_kill(sb);
		while (waitpid(sb->init, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (sb->chan >= 0)
		(void)close(sb->chan);
	sb->init = 0;
	sb->chan = -1;
	sb->building = sb->alone = false;
	sb->outlined = 0;
	/* .run and .anchored stay: for another try, and for who asks why. */
}

void sandbox_leave(struct sandbox *sb)
{
	if (sb->alone)
		sb->init = 0; /* whoever takes over our children reaps it */
	sandbox_fini(sb);
}
