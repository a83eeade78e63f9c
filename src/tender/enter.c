/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests that need the environment's namespaces: to run a program in it (exec), to
 * hand out a server that it exposes (open), and to change what it holds. Init gives the namespaces when they are first
 * asked for; who asks meanwhile waits in CONN_WAIT_NS.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "tender/control-internal.h"

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
		conn_refuse(cn, CTL_REFUSED, "a damaged request");
		return;
	}
	if (!*x.cwd)
		x.cwd = s->cwd;
	complete_vars(envp, s);
	for (size_t i = 0; i < cn->n_fds && i < 3; i++)
		x.fd[i] = cn->fds[i];
	if (x.tty && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		conn_refuse(cn, CTL_REFUSED, strerror(errno));
		return;
	}
	x.master_to = pair[1];
	if (t->ops->exec(&x, &cn->watcher, &err) != 0) {
		cn->watcher = 0;
		conn_refuse(cn, CTL_REFUSED, err.text);
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
			conn_send(cn, CTL_MASTER, NULL, master);
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
		conn_refuse(cn, CTL_REFUSED, "it exposes no server of that name");
		return;
	}
	if (cn->c->t->ops->open_inside(cn->c->nsfds, ex->path, &tree, &err) != 0) {
		conn_refuse(cn, CTL_REFUSED, err.text);
		return;
	}
	put_u8(&body, ex->is_socket);
	conn_send(cn, CTL_OK, &body, tree);
	conn_drop(cn);
}

static void do_change(struct conn *cn)
{
	struct rbuf r = RBUF_INIT(cn->body, cn->body_len);
	const struct tender_job *job = cn->c->t->job;
	struct err err = ERR_INIT;
	auto_str reply = STR_INIT;

	if (job->decide.change(job->userdata, cn->c->t, cn->head.verb, &r, cn->fds,
			       cn->n_fds, &reply, &err) != 0)
		conn_refuse(cn, CTL_REFUSED, err.text);
	else
		conn_answer(cn, CTL_OK, &reply);
}

static void do_request(struct conn *cn)
{
	switch (cn->head.verb) {
	case CTL_EXEC: do_exec(cn); break;
	case CTL_OPEN: do_open(cn); break;
	default: do_change(cn); break;
	}
}

void enter_request(struct conn *cn, struct rbuf *body)
{
	struct control *c = cn->c;

	cn->c->t->entered = true;
	if (!c->t->ops->ask_namespaces) {
		conn_refuse(cn, CTL_REFUSED, c->t->ops->no_inside);
		return;
	}
	cn->body_len = (size_t)(body->end - body->p);
	cn->body = malloc(cn->body_len + 1);
	if (!cn->body) {
		conn_refuse(cn, CTL_REFUSED, "out of memory");
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
		if (c->conns[i].state == CONN_WAIT_NS)
			do_request(&c->conns[i]);
}

const int *control_nsfds(const struct tender *t)
{
	return t->control && t->control->have_ns ? t->control->nsfds : NULL;
}

int control_await_namespaces(struct tender *t, struct err *err)
{
	int r = 0;

	if (!t->control || !t->ops->ask_namespaces)
		return err_set(err, PE_REFUSED, "%s",
			       t->control ? t->ops->no_inside :
					    "without a control socket nothing is served");
	t->control->asked_ns = true;
	if (t->ops->ask_namespaces(t) < 0)
		return err_set(err, PE_REFUSED, "the environment's init has ended");
	while (r >= 0 && t->state == TENDER_STARTING && !t->control->have_ns)
		r = loop_step(&t->loop, -1);
	return t->control->have_ns ? 0 :
	       t->fail_code        ? err_set(err, PE_REFUSED, "%s", t->fail.text) :
				     err_set(err, PE_REFUSED,
					     "the environment's init ended before the "
						    "program started");
}

void control_child(struct tender *t, pid_t pid, int status)
{
	struct control *c = t->control;

	for (size_t i = 0; c && i < c->n_conns; i++)
		if (c->conns[i].state == CONN_EXEC && c->conns[i].watcher == pid) {
			c->conns[i].watcher = 0;
			conn_answer_end(&c->conns[i], status);
		}
}
