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
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "tender/tender-internal.h"

#define CONNS 64
#define CONNS_QUICK 8 /* of them for requests that are answered at once, and stop */
#define READY_EVERY_MS 20
#define READY_DEFAULT_MS 30000

enum conn_state {
	CONN_FREE,
	CONN_NEW,
	CONN_WAIT_END,
	CONN_WAIT_READY,
	CONN_WAIT_NS,
	CONN_EXEC,
	CONN_JOINED
};

struct conn {
	struct source src;
	struct control *c;
	enum conn_state state;
	struct ctl_head head;
	uint64_t since; /* in the order of their coming */
	pid_t watcher;
	char *joined; /* the net device, in CONN_JOINED */
	/* of a request that waits for the namespaces */
	char *body;
	size_t body_len;
	int fds[CTL_MAX_FDS];
	size_t n_fds;
};

struct control {
	struct tender *t;
	struct source listener, ready_timer, notify;
	int dirfd;
	struct conn *conns; /* CONNS, once somebody has come */
	size_t n_conns;
	int nsfds[SANDBOX_NS_MAX];
	int spare; /* given up for a moment where there are no descriptors left */
	uint64_t n_came;
	bool have_ns, asked_ns;
	bool ready_over; /* it did not become ready in time */
	uint64_t ready_left_ms;
};

/* ---- answers ---- */

static void drop(struct conn *cn)
{
	int fd = cn->src.fd;

	if (cn->watcher > 0)
		(void)kill(cn->watcher, SIGKILL); /* ours, not reaped yet */
	if (cn->state == CONN_JOINED)
		cn->c->t->ops->unjoin(cn->c->t, cn->joined);
	free(cn->joined);
	loop_del(&cn->c->t->loop, &cn->src);
	if (fd >= 0)
		(void)close(fd);
	fd_close_list(cn->fds, cn->n_fds);
	free(cn->body);
	*cn = (struct conn){ .src = SOURCE_INIT, .c = cn->c };
}

static void send_answer(struct conn *cn, enum ctl_code code, const struct str *body,
			int fd)
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

static void answer(struct conn *cn, enum ctl_code code, const struct str *body)
{
	send_answer(cn, code, body, -1);
	drop(cn);
}

static void refuse(struct conn *cn, enum ctl_code code, const char *sentence)
{
	auto_str body = STR_INIT;

	put_str(&body, sentence);
	answer(cn, code, &body);
}

static void answer_end(struct conn *cn, int status)
{
	auto_str body = STR_INIT;

	put_u32(&body, (uint32_t)status);
	answer(cn, CTL_ENDED, &body);
}

/* ---- exec and open: they need the namespaces ---- */

static bool has_var(char **v, const char *var)
{
	size_t n = strcspn(var, "=") + 1;

	for (; *v; v++)
		if (strncmp(*v, var, n) == 0)
			return true;
	return false;
}

/* The program's own variables where a request does not set them. v has room. */
static void complete_vars(char **v, const struct spec *s)
{
	size_t n = 0;

	while (v[n])
		n++;
	for (size_t i = 0; i < s->n_envp; i++)
		if (!has_var(v, s->envp[i]) && !str_starts(s->envp[i], "NOTIFY_SOCKET="))
			v[n++] = s->envp[i];
}

/* more: places left free behind what was read. */
static char **get_vec(struct rbuf *r, size_t more)
{
	uint32_t n = get_count(r, 5);
	char **v = calloc((size_t)n + more + 1, sizeof(*v));

	for (uint32_t i = 0; v && i < n; i++)
		v[i] = (char *)get_str(r); /* points into the request */
	return v;
}

static void do_exec(struct conn *cn)
{
	struct rbuf r = RBUF_INIT(cn->body, cn->body_len);
	struct tender *t = cn->c->t;
	const struct spec *s = t->job->spec;
	auto_free char **argv = get_vec(&r, 0);
	auto_free char **envp = get_vec(&r, s->n_envp);
	struct sandbox_exec x = { .nsfds = cn->c->nsfds,
				  .argv = argv,
				  .envp = envp,
				  .flags = s->flags,
				  .limit_pids = s->limit_pids,
				  .uid = s->uid,
				  .gid = s->gid,
				  .fd = { -1, -1, -1 },
				  .master_to = -1,
				  .cgroup = cgroup_used(&t->cgroup) ? &t->cgroup : NULL };
	struct err err = ERR_INIT;
	int pair[2] = { -1, -1 };

	x.cwd = get_str(&r);
	x.tty = get_u8(&r);
	x.rows = get_u16(&r);
	x.cols = get_u16(&r);
	if (r.bad || r.p != r.end || !argv || !envp || !argv[0] ||
	    (!x.tty && cn->n_fds != 3)) {
		refuse(cn, CTL_REFUSED, "a damaged request");
		return;
	}
	if (!*x.cwd)
		x.cwd = s->cwd;
	complete_vars(envp, s);
	for (size_t i = 0; i < cn->n_fds && i < 3; i++)
		x.fd[i] = cn->fds[i];
	if (x.tty && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(cn, CTL_REFUSED, strerror(errno));
		return;
	}
	x.master_to = pair[1];
	if (t->ops->exec(&x, &cn->watcher, &err) != 0) {
		cn->watcher = 0;
		refuse(cn, CTL_REFUSED, err.text);
	} else {
		cn->state = CONN_EXEC;
	}
	if (x.tty) {
		int master = -1;
		size_t len, n = 0;
		char byte;

		(void)close(pair[1]);
		if (cn->state == CONN_EXEC &&
		    fd_recv(pair[0], &byte, 1, &len, &master, 1, &n, NULL) == 0 &&
		    n == 1) {
			send_answer(cn, CTL_MASTER, NULL, master);
			(void)close(master);
		}
		(void)close(pair[0]);
	}
	fd_close_list(cn->fds, cn->n_fds);
	cn->n_fds = 0;
}

static const struct tender_expose *find_expose(const struct tender *t, const char *name)
{
	for (size_t i = 0; i < t->job->n_exposes; i++)
		if (streq(t->job->exposes[i].name, name))
			return &t->job->exposes[i];
	return NULL;
}

static void do_open(struct conn *cn)
{
	struct rbuf r = RBUF_INIT(cn->body, cn->body_len);
	const struct tender_expose *ex = find_expose(cn->c->t, get_str(&r));
	struct err err = ERR_INIT;
	auto_str body = STR_INIT;
	auto_fd tree = -1;

	if (r.bad || !ex) {
		refuse(cn, CTL_REFUSED, "it exposes no server of that name");
		return;
	}
	if (cn->c->t->ops->open_inside(cn->c->nsfds, ex->path, &tree, &err) != 0) {
		refuse(cn, CTL_REFUSED, err.text);
		return;
	}
	put_u8(&body, ex->is_socket);
	send_answer(cn, CTL_OK, &body, tree);
	drop(cn);
}

static void need_namespaces(struct conn *cn, struct rbuf *body)
{
	struct control *c = cn->c;

	if (!c->t->ops->ask_namespaces) {
		refuse(cn, CTL_REFUSED, c->t->ops->no_inside);
		return;
	}
	cn->body_len = (size_t)(body->end - body->p);
	cn->body = malloc(cn->body_len + 1);
	if (!cn->body) {
		refuse(cn, CTL_REFUSED, "out of memory");
		return;
	}
	memcpy(cn->body, body->p, cn->body_len);
	cn->state = CONN_WAIT_NS;
	if (c->have_ns) {
		control_namespaces(c->t, NULL);
	} else if (!c->asked_ns) {
		c->asked_ns = true;
		(void)c->t->ops->ask_namespaces(c->t);
	}
}

void control_namespaces(struct tender *t, const int *nsfds)
{
	struct control *c = t->control;

	if (nsfds && (!c || c->have_ns)) {
		for (size_t i = 0; i < SANDBOX_NS_MAX; i++)
			if (nsfds[i] >= 0)
				(void)close(nsfds[i]);
		return;
	}
	if (nsfds) {
		memcpy(c->nsfds, nsfds, sizeof(c->nsfds));
		c->have_ns = true;
	}
	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state == CONN_WAIT_NS) {
			if (c->conns[i].head.verb == CTL_EXEC)
				do_exec(&c->conns[i]);
			else
				do_open(&c->conns[i]);
		}
}

void control_child(struct tender *t, pid_t pid, int status)
{
	struct control *c = t->control;

	for (size_t i = 0; c && i < c->n_conns; i++)
		if (c->conns[i].state == CONN_EXEC && c->conns[i].watcher == pid) {
			c->conns[i].watcher = 0;
			answer_end(&c->conns[i], status);
		}
}

/* ---- readiness ---- */

static const char not_ready[] = "it did not become ready in time";

static void tell_ready(struct control *c, bool ready)
{
	c->t->ready = ready;
	c->ready_over = !ready;
	for (size_t i = 0; i < c->n_conns; i++)
		if (c->conns[i].state == CONN_WAIT_READY) {
			if (ready)
				answer(&c->conns[i], CTL_OK, NULL);
			else
				refuse(&c->conns[i], CTL_REFUSED, not_ready);
		}
}

static bool path_is_there(struct control *c)
{
	int tree;

	if (!c->have_ns) {
		if (!c->asked_ns)
			(void)c->t->ops->ask_namespaces(c->t);
		c->asked_ns = true;
		return false;
	}
	if (c->t->ops->open_inside(c->nsfds, c->t->job->spec->ready_path, &tree, NULL) !=
	    0)
		return false;
	(void)close(tree);
	return true;
}

static void on_ready_timer(struct source *src, uint32_t events)
{
	struct control *c = container_of(src, struct control, ready_timer);
	uint64_t ticks;
	int fd = src->fd;

	(void)events;
	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (c->t->state == TENDER_ENDED)
		c->ready_left_ms = 0;
	else if (!c->t->ready && c->t->job->spec->ready_kind == 1 && path_is_there(c))
		tell_ready(c, true);
	c->ready_left_ms -= MIN(c->ready_left_ms, ticks * READY_EVERY_MS);
	if (!c->t->ready && c->ready_left_ms > 0)
		return;
	if (!c->t->ready)
		tell_ready(c, false);
	loop_del(&c->t->loop, src);
	(void)close(fd);
}

static void watch_readiness(struct control *c)
{
	struct itimerspec its = { .it_interval.tv_nsec = READY_EVERY_MS * 1000000,
				  .it_value.tv_nsec = 1000000 };
	uint64_t asked = c->t->job->spec->ready_timeout_ms;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	c->ready_left_ms = asked ? asked : READY_DEFAULT_MS;
	if (fd >= 0 && timerfd_settime(fd, 0, &its, NULL) == 0)
		(void)loop_add(&c->t->loop, &c->ready_timer, fd, EPOLLIN, on_ready_timer);
}

/* sd_notify(3)'s protocol: lines in a datagram; only READY=1 is read. */
static void on_notify(struct source *src, uint32_t events)
{
	struct control *c = container_of(src, struct control, notify);
	char text[4096];
	ssize_t n = recv(src->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	(void)events;
	if (n <= 0)
		return;
	text[n] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts(line, "READY=1") && !c->t->ready)
			tell_ready(c, true);
	}
}

void control_started(struct tender *t)
{
	struct control *c = t->control;

	if (!c)
		return;
	if (t->job->spec->ready_kind == 0)
		tell_ready(c, true);
	else
		watch_readiness(c);
}

/* ---- requests ---- */

typedef void verb_fn(struct conn *cn, struct rbuf *body);

static void verb_status(struct conn *cn, struct rbuf *body)
{
	auto_str out = STR_INIT, text = STR_INIT;
	struct tender_job *job = cn->c->t->job;

	(void)body;
	if (job->status)
		job->status(job->userdata, &text);
	put_str(&out, str_text(&text));
	answer(cn, CTL_OK, &out);
}

static void verb_signal(struct conn *cn, struct rbuf *body)
{
	uint32_t sig = get_u32(body);

	if (body->bad || sig > 64) {
		refuse(cn, CTL_REFUSED, "no such signal");
		return;
	}
	(void)cn->c->t->ops->signal(cn->c->t, (int)sig, false);
	answer(cn, CTL_OK, NULL);
}

static void verb_stop(struct conn *cn, struct rbuf *body)
{
	uint32_t sig = get_u32(body);
	uint64_t ms = get_u64(body);

	if (body->bad || sig > 64) {
		refuse(cn, CTL_REFUSED, "no such signal");
		return;
	}
	cn->state = CONN_WAIT_END;
	tender_stop(cn->c->t, (int)sig, ms);
}

static void verb_pause(struct conn *cn, struct rbuf *body)
{
	bool stop = cn->head.verb == CTL_PAUSE;
	struct tender *t = cn->c->t;

	(void)body;
	if (t->state != (stop ? TENDER_RUNNING : TENDER_PAUSED))
		refuse(cn, CTL_REFUSED, stop ? "it is not running" : "it is not paused");
	else if (tender_pause(t, stop) != 0)
		refuse(cn, CTL_REFUSED, "its init does not answer");
	else
		answer(cn, CTL_OK, NULL);
}

static void verb_wait(struct conn *cn, struct rbuf *body)
{
	(void)body;
	cn->state = CONN_WAIT_END;
}

static void verb_ready(struct conn *cn, struct rbuf *body)
{
	(void)body;
	if (cn->c->t->ready)
		answer(cn, CTL_OK, NULL);
	else if (cn->c->ready_over)
		refuse(cn, CTL_REFUSED, not_ready);
	else
		cn->state = CONN_WAIT_READY;
}

static void verb_attach(struct conn *cn, struct rbuf *body)
{
	uint16_t rows = get_u16(body), cols = get_u16(body);
	int r;

	if (body->bad || cn->n_fds != 1) {
		refuse(cn, CTL_REFUSED, "a damaged request");
		return;
	}
	cn->n_fds = 0;
	r = console_attach(cn->c->t, cn->fds[0], rows, cols);
	if (r == 0)
		cn->state = CONN_WAIT_END;
	else
		refuse(cn, CTL_REFUSED,
		       r == PE_BUSY ? "too many are attached already" :
				      "its console is not its own (-g console=own), so "
				      "there is nothing to "
				      "attach to");
}

static void verb_winsize(struct conn *cn, struct rbuf *body)
{
	uint16_t rows = get_u16(body), cols = get_u16(body);

	if (!body->bad)
		console_winsize(cn->c->t, rows, cols);
	answer(cn, CTL_OK, NULL);
}

static void verb_exec(struct conn *cn, struct rbuf *body)
{
	if (cn->c->t->state == TENDER_PAUSED)
		refuse(cn, CTL_REFUSED, "it is paused");
	else
		need_namespaces(cn, body);
}

static void verb_open(struct conn *cn, struct rbuf *body)
{
	need_namespaces(cn, body);
}

static void verb_join(struct conn *cn, struct rbuf *body)
{
	struct tender *t = cn->c->t;
	const char *name = get_str(body);
	struct err err = ERR_INIT;
	int fd = -1;

	if (body->bad) {
		refuse(cn, CTL_REFUSED, "a damaged request");
	} else if (!t->ops->join) {
		refuse(cn, CTL_REFUSED,
		       "it is a Linux program, and only unikernels can be joined");
	} else if (!(cn->joined = strdup(name))) {
		refuse(cn, CTL_REFUSED, "out of memory");
	} else if (t->ops->join(t, name, &fd, &err) != 0) {
		refuse(cn, CTL_REFUSED, err.text);
	} else {
		cn->state = CONN_JOINED;
		send_answer(cn, CTL_OK, NULL, fd);
	}
}

static const struct {
	verb_fn *fn;
	bool while_starting;
	bool stays; /* the connection does, for as long as anything runs */
} verbs[CTL_VERB_COUNT] = {
	[CTL_STATUS] = { verb_status, true, false },
	[CTL_SIGNAL] = { verb_signal, false, false },
	[CTL_STOP] = { verb_stop, true, false },
	[CTL_PAUSE] = { verb_pause, false, false },
	[CTL_RESUME] = { verb_pause, false, false },
	[CTL_WAIT] = { verb_wait, true, true },
	[CTL_ATTACH] = { verb_attach, false, true },
	[CTL_WINSIZE] = { verb_winsize, false, false },
	[CTL_EXEC] = { verb_exec, false, true },
	[CTL_OPEN] = { verb_open, false, false },
	[CTL_READY] = { verb_ready, true, true },
	[CTL_JOIN] = { verb_join, false, true },
};

/* So that somebody can always stop it. */
static bool is_crowded(const struct control *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_conns; i++)
		n += c->conns[i].state != CONN_FREE && c->conns[i].state != CONN_NEW;
	return n >= CONNS - CONNS_QUICK;
}

/* Its program has ended, and its last words wait for a slow terminal. */
static void hurry(struct conn *cn)
{
	cn->state = CONN_WAIT_END;
	cn->c->t->hurry = true;
}

static void serve(struct conn *cn, const char *buf, size_t len)
{
	struct tender *t = cn->c->t;
	struct err err = ERR_INIT;
	struct rbuf body;

	if (ctl_decode(buf, len, &cn->head, &body, &err) != 0) {
		drop(cn); /* not one of us: no answer */
		return;
	}
	if (cn->head.generation && cn->head.generation != t->job->spec->generation)
		refuse(cn, CTL_STALE, "that was an earlier start of it");
	else if (t->state == TENDER_ENDED && cn->head.verb == CTL_STOP)
		hurry(cn);
	else if (t->state == TENDER_ENDED ||
		 (t->state == TENDER_STARTING && !verbs[cn->head.verb].while_starting))
		refuse(cn, CTL_REFUSED, "it is not running");
	else if (verbs[cn->head.verb].stays && is_crowded(cn->c))
		refuse(cn, CTL_REFUSED, "too many wait for it or are inside it already");
	else
		verbs[cn->head.verb].fn(cn, &body);
}

/* After its request, all a peer can do is go away. */
static void on_conn(struct source *src, uint32_t events)
{
	struct conn *cn = container_of(src, struct conn, src);
	static char buf[CTL_MAX_BYTES];
	size_t len = 0;

	(void)events;
	if (cn->state != CONN_NEW) {
		drop(cn);
		return;
	}
	if (fd_recv(src->fd, buf, sizeof(buf), &len, cn->fds, CTL_MAX_FDS, &cn->n_fds,
		    NULL) != 0 ||
	    len == 0) {
		drop(cn); /* an empty message may carry descriptors, too */
		return;
	}
	serve(cn, buf, len);
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
		drop(idle);
	return idle;
}

/* No descriptors are left: as long as somebody waits at the door, the loop would not
 * rest. Who asks nothing goes, else who has just come. */
static void turn_away(struct control *c)
{
	struct conn *idle = longest_idle(c);
	int fd;

	if (idle) {
		drop(idle);
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
	if (r == 0 && t->job->notify_fd >= 0)
		r = loop_add(&t->loop, &c->notify, t->job->notify_fd, EPOLLIN, on_notify);
	return r;
}

void control_ended(struct tender *t)
{
	struct control *c = t->control;

	for (size_t i = 0; c && i < c->n_conns; i++) {
		struct conn *cn = &c->conns[i];

		if (cn->state == CONN_WAIT_END)
			answer_end(cn, t->status);
		else if (cn->state == CONN_EXEC)
			answer_end(cn, SIGKILL);
		else if (cn->state != CONN_FREE && cn->state != CONN_NEW &&
			 cn->state != CONN_JOINED)
			refuse(cn, CTL_REFUSED, "it has ended");
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
			drop(&c->conns[i]);
	for (size_t i = 0; c->have_ns && i < SANDBOX_NS_MAX; i++)
		if (c->nsfds[i] >= 0)
			(void)close(c->nsfds[i]);
	if (c->listener.fd >= 0)
		(void)close(c->listener.fd);
	if (c->spare >= 0)
		(void)close(c->spare);
	if (c->notify.fd >= 0)
		(void)close(c->notify.fd);
	if (c->ready_timer.fd >= 0)
		(void)close(c->ready_timer.fd);
	control_unlist(t);
	free(c->conns);
	free(c);
	t->control = NULL;
}
