/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket, shared by control.c, requests.c, enter.c and ready.c alone; control.c
 * has the theory of operation. */
#ifndef POLDER_TENDER_CONTROL_INTERNAL_H
#define POLDER_TENDER_CONTROL_INTERNAL_H

#include "tender/tender-internal.h"

#define CONNS 64
#define CONNS_QUICK 8 /* of them for requests that are answered at once, and stop */

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
	bool alive;   /* who was joined lives on */
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

/* ---- control.c: connections and answers ---- */

/* The connection is over, and free for another. */
void conn_drop(struct conn *cn);
/* fd: goes with it, borrowed; -1: none. The connection stays. */
void conn_send(struct conn *cn, enum ctl_code code, const struct str *body, int fd);
/* These end it. */
void conn_answer(struct conn *cn, enum ctl_code code, const struct str *body);
void conn_refuse(struct conn *cn, enum ctl_code code, const char *sentence);
void conn_answer_end(struct conn *cn, int status);

/* ---- requests.c ---- */

/* One message of a peer, with the descriptors that are in cn already. */
void request_serve(struct conn *cn, const char *buf, size_t len);

/* ---- enter.c: requests that need the namespaces ---- */

void enter_request(struct conn *cn, struct rbuf *body);

/* ---- ready.c ---- */

void ready_request(struct conn *cn, struct rbuf *body);
/* Watches where the environment asks for it; answers who waits. */
int ready_open(struct control *c);
void ready_close(struct control *c);

#endif
