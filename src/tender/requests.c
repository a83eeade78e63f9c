/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tender can be asked, each in one function; those that need the environment's
 * namespaces are in enter.c. */
#include <signal.h>
#include <string.h>

#include "base/fd.h"
#include "tender/control-internal.h"

typedef void verb_fn(struct conn *cn, struct rbuf *body);

static void verb_status(struct conn *cn, struct rbuf *body)
{
	auto_str out = STR_INIT, text = STR_INIT;
	struct tender_job *job = cn->c->t->job;

	(void)body;
	if (job->status)
		job->status(job->userdata, &text);
	put_str(&out, str_text(&text));
	conn_answer(cn, CTL_OK, &out);
}

static void verb_signal(struct conn *cn, struct rbuf *body)
{
	uint32_t sig = get_u32(body);

	if (body->bad || sig > 64) {
		conn_refuse(cn, CTL_REFUSED, "no such signal");
		return;
	}
	(void)cn->c->t->ops->signal(cn->c->t, (int)sig, false);
	conn_answer(cn, CTL_OK, NULL);
}

static void verb_stop(struct conn *cn, struct rbuf *body)
{
	uint32_t sig = get_u32(body);
	uint64_t ms = get_u64(body);

	if (body->bad || sig > 64) {
		conn_refuse(cn, CTL_REFUSED, "no such signal");
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
		conn_refuse(cn, CTL_REFUSED,
			    stop ? "it is not running" : "it is not paused");
	else if (tender_pause(t, stop) != 0)
		conn_refuse(cn, CTL_REFUSED, "its init does not answer");
	else
		conn_answer(cn, CTL_OK, NULL);
}

static void verb_wait(struct conn *cn, struct rbuf *body)
{
	(void)body;
	cn->state = CONN_WAIT_END;
}

static void verb_attach(struct conn *cn, struct rbuf *body)
{
	uint16_t rows = get_u16(body), cols = get_u16(body);
	int r;

	if (body->bad || cn->n_fds != 1) {
		conn_refuse(cn, CTL_REFUSED, "a damaged request");
		return;
	}
	cn->n_fds = 0;
	r = console_attach(cn->c->t, cn->fds[0], rows, cols);
	if (r == 0)
		cn->state = CONN_WAIT_END;
	else
		conn_refuse(cn, CTL_REFUSED,
			    r == PE_BUSY ?
				    "too many are attached already" :
				    "its console is not its own (-g console=own), so "
				    "there is nothing to "
				    "attach to");
}

static void verb_winsize(struct conn *cn, struct rbuf *body)
{
	uint16_t rows = get_u16(body), cols = get_u16(body);

	if (!body->bad)
		console_winsize(cn->c->t, rows, cols);
	conn_answer(cn, CTL_OK, NULL);
}

static void verb_exec(struct conn *cn, struct rbuf *body)
{
	if (cn->c->t->state == TENDER_PAUSED)
		conn_refuse(cn, CTL_REFUSED, "it is paused");
	else
		enter_request(cn, body);
}

static void verb_join(struct conn *cn, struct rbuf *body)
{
	struct tender *t = cn->c->t;
	const char *name = get_str(body);
	struct err err = ERR_INIT;
	int fd = -1;

	if (body->bad) {
		conn_refuse(cn, CTL_REFUSED, "a damaged request");
	} else if (!t->ops->join) {
		conn_refuse(cn, CTL_REFUSED,
			    "it is a Linux program, and only unikernels can be joined");
	} else if (!(cn->joined = strdup(name))) {
		conn_refuse(cn, CTL_REFUSED, "out of memory");
	} else if (cn->n_fds > 0 && t->ops->tie(t, name, cn->fds[0], &err) != 0) {
		conn_refuse(cn, CTL_REFUSED, err.text);
	} else if (cn->n_fds == 0 && t->ops->join(t, name, &fd, &err) != 0) {
		conn_refuse(cn, CTL_REFUSED, err.text);
	} else {
		fd_close_list(cn->fds, cn->n_fds);
		cn->n_fds = 0;
		cn->state = CONN_JOINED;
		conn_send(cn, CTL_OK, NULL, fd);
	}
}

/* What has no namespaces to enter needs none to be changed. */
static void change_device(struct conn *cn, struct rbuf *body)
{
	const struct tender_job *job = cn->c->t->job;
	struct err err = ERR_INIT;
	auto_str reply = STR_INIT;

	if (job->decide.change(job->userdata, cn->c->t, cn->head.verb, body, cn->fds,
			       cn->n_fds, &reply, &err) != 0)
		conn_refuse(cn, CTL_REFUSED, err.text);
	else
		conn_answer(cn, CTL_OK, &reply);
}

static void verb_change(struct conn *cn, struct rbuf *body)
{
	struct tender *t = cn->c->t;

	if (t->job->decide.change && t->job->unikernel)
		change_device(cn, body);
	else if (t->job->decide.change)
		enter_request(cn, body);
	else
		conn_refuse(cn, CTL_REFUSED,
			    "nobody is there to decide about changes: it was started by "
			    "its tender alone");
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
	[CTL_OPEN] = { enter_request, false, false },
	[CTL_READY] = { ready_request, true, true },
	[CTL_JOIN] = { verb_join, false, true },
	[CTL_GRANT] = { verb_change, false, false },
	[CTL_ATTENUATE] = { verb_change, false, false },
	[CTL_REVOKE] = { verb_change, false, false },
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

void request_serve(struct conn *cn, const char *buf, size_t len)
{
	struct tender *t = cn->c->t;
	struct err err = ERR_INIT;
	struct rbuf body;

	if (ctl_decode(buf, len, &cn->head, &body, &err) != 0) {
		conn_drop(cn); /* not one of us: no answer */
		return;
	}
	if (cn->head.generation && cn->head.generation != t->job->spec->generation)
		conn_refuse(cn, CTL_STALE, "that was an earlier start of it");
	else if (t->state == TENDER_ENDED && cn->head.verb == CTL_STOP)
		hurry(cn);
	else if (t->state == TENDER_ENDED ||
		 (t->state == TENDER_STARTING && !verbs[cn->head.verb].while_starting))
		conn_refuse(cn, CTL_REFUSED, "it is not running");
	else if (verbs[cn->head.verb].stays && is_crowded(cn->c))
		conn_refuse(cn, CTL_REFUSED,
			    "too many wait for it or are inside it already");
	else
		verbs[cn->head.verb].fn(cn, &body);
}
