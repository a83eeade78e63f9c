/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The control socket lies in the environment's run directory, which only its user can
 * enter and which no environment is ever granted. As a second wall, a peer must have
 * the tender's uid (or be root) and live in the tender's own user namespace: a process
 * inside an environment does not, whatever it was handed.
 *
 * A connection carries one request. Some are answered at once; those that wait (the
 * end, readiness, a program entered with exec) keep their connection until then. Bodies
 * are decoded by src/wire, once, from a buffer of ours; descriptors that a request does
 * not ask for are closed.
 *
 * This file has the socket, the connections and who may ask; what is asked for is in
 * requests.c, enter.c and ready.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "tender/control-internal.h"

/* ---- answers ---- */

void conn_drop(struct conn *cn)
{
	int fd = cn->src.fd;

	if (cn->watcher > 0)
		(void)kill(cn->watcher, SIGKILL); /* ours, not reaped yet */
	if (cn->state == CONN_JOINED)
		cn->c->t->ops->unjoin(cn->c->t, cn->joined, cn->alive);
	free(cn->joined);
	loop_del(&cn->c->t->loop, &cn->src);
	if (fd >= 0)
		(void)close(fd);
	fd_close_list(cn->fds, cn->n_fds);
	free(cn->body);
	*cn = (struct conn){ .src = SOURCE_INIT, .c = cn->c };
}

void conn_send(struct conn *cn, enum ctl_code code, const struct str *body, int fd)
{
	struct ctl_head head = { .verb = cn->head.verb,
				 .code = (uint16_t)code,
				 .generation = cn->c->t->job->spec->generation };
	auto_str out = STR_INIT;

	ctl_encode(&out, &head);
	if (body && body->len)
		str_addn(&out, body->p, body->len);
	if (!out.failed)
		(void)fd_send(cn->src.fd, out.p, out.len, &fd, fd >= 0, NULL);
}

void conn_answer(struct conn *cn, enum ctl_code code, const struct str *body)
{
	conn_send(cn, code, body, -1);
	conn_drop(cn);
}

void conn_refuse(struct conn *cn, enum ctl_code code, const char *sentence)
{
	auto_str body = STR_INIT;

	put_str(&body, sentence);
	conn_answer(cn, code, &body);
}

void conn_answer_end(struct conn *cn, int status)
{
	auto_str body = STR_INIT;

	put_u32(&body, (uint32_t)status);
	conn_answer(cn, CTL_ENDED, &body);
}

/* ---- connections ---- */

/* After its request, all a peer can do is go away. */
static void on_conn(struct source *src, uint32_t events)
{
	struct conn *cn = container_of(src, struct conn, src);
	static char buf[CTL_MAX_BYTES];
	size_t len = 0;

	if (cn->state != CONN_NEW) {
		/* Who is joined takes leave by an end, and waits for ours. */
		cn->alive = !(events & (EPOLLHUP | EPOLLERR));
		conn_drop(cn);
		return;
	}
	if (fd_recv(src->fd, buf, sizeof(buf), &len, cn->fds, CTL_MAX_FDS, &cn->n_fds,
		    NULL) != 0 ||
	    len == 0) {
		conn_drop(cn); /* an empty message may carry descriptors, too */
		return;
	}
	request_serve(cn, buf, len);
}

/* ---- who may ask ---- */

static bool same_user_namespace(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0) && same_user_namespace(peer.pid);
}

/* The one that has waited longest without asking anything; NULL: they all asked. */
static struct conn *longest_idle(struct control *c)
{
	struct conn *found = NULL;

	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state == CONN_NEW &&
		    (!found || c->conns[i].since < found->since))
			found = &c->conns[i];
	return found;
}

/* Who asks nothing makes room for who may. */
static struct conn *free_conn(struct control *c)
{
	struct conn *idle;

	if (!c->conns) {
		c->conns = calloc(CONNS, sizeof(*c->conns));
		c->n_conns = c->conns ? CONNS : 0;
	}
	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state == CONN_FREE)
			return &c->conns[i];
	idle = longest_idle(c);
	if (idle)
		conn_drop(idle);
	return idle;
}

/* No descriptors are left: as long as somebody waits at the door, the loop would not
 * rest. Who asks nothing goes, else who has just come. */
static void turn_away(struct control *c)
{
	struct conn *idle = longest_idle(c);
	int fd;

	if (idle) {
		conn_drop(idle);
		return;
	}
	if (c->spare >= 0)
		(void)close(c->spare);
	fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	c->spare = fd_dup_above(c->listener.fd, 3);
}

static void on_listener(struct source *src, uint32_t events)
{
	struct control *c = container_of(src, struct control, listener);
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *cn;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(c);
		return;
	}
	cn = may_ask(fd) ? free_conn(c) : NULL;
	if (cn) {
		*cn = (struct conn){ .src = SOURCE_INIT,
				     .c = c,
				     .state = CONN_NEW,
				     .since = c->n_came++ };
		if (loop_add(&c->t->loop, &cn->src, fd, EPOLLIN, on_conn) == 0)
			return;
		cn->state = CONN_FREE;
	}
	(void)close(fd);
}

static int bind_in(int dirfd, const char *name, int type, int *ret_fd, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_fd fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s", dirfd,
		       name);
	(void)unlinkat(dirfd, name, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    (type == SOCK_SEQPACKET && listen(fd, 16) < 0))
		return err_sys(err, "cannot make the socket '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int control_open(struct tender *t, int dirfd, struct err *err)
{
	struct control *c = calloc(1, sizeof(*c));
	int fd = -1, r;

	if (!c)
		return err_oom(err);
	c->t = t;
	c->dirfd = dirfd;
	c->listener = c->ready_timer = c->notify = SOURCE_INIT;
	t->control = c;
	r = bind_in(dirfd, "ctl", SOCK_SEQPACKET, &fd, err);
	if (r == 0)
		r = loop_add(&t->loop, &c->listener, fd, EPOLLIN, on_listener);
	c->spare = r == 0 ? fd_dup_above(fd, 3) : -1;
	return r == 0 ? ready_open(c) : r;
}

void control_ended(struct tender *t)
{
	struct control *c = t->control;

	for (size_t i = 0; c && i < c->n_conns; i++) {
		struct conn *cn = &c->conns[i];

		if (cn->state == CONN_WAIT_END)
			conn_answer_end(cn, t->status);
		else if (cn->state == CONN_EXEC)
			conn_answer_end(cn, SIGKILL);
		else if (cn->state != CONN_FREE && cn->state != CONN_NEW &&
			 cn->state != CONN_JOINED)
			conn_refuse(cn, CTL_REFUSED, "it has ended");
	}
}

void control_unjoin(struct tender *t, const char *name)
{
	struct control *c = t->control;

	for (size_t i = 0; c && i < c->n_conns; i++) {
		struct conn *cn = &c->conns[i];

		if (cn->state != CONN_JOINED || !streq(cn->joined, name))
			continue;
		cn->alive = true;
		conn_drop(cn);
	}
}

void control_unlist(struct tender *t)
{
	struct control *c = t->control;

	if (!c || c->dirfd < 0)
		return;
	(void)unlinkat(c->dirfd, "ctl", 0);
	if (t->job->notify_fd >= 0)
		(void)unlinkat(c->dirfd, "notify", 0);
	c->dirfd = -1;
}

void control_close(struct tender *t)
{
	struct control *c = t->control;

	if (!c)
		return;
	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state != CONN_FREE)
			conn_drop(&c->conns[i]);
	for (size_t i = 0; c->have_ns && i < SANDBOX_NS_MAX; i++)
		if (c->nsfds[i] >= 0)
			(void)close(c->nsfds[i]);
	if (c->listener.fd >= 0)
		(void)close(c->listener.fd);
	if (c->spare >= 0)
		(void)close(c->spare);
	ready_close(c);
	control_unlist(t);
	free(c->conns);
	free(c);
	t->control = NULL;
}
