/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The net devices of a unikernel, as its supervisor sees them: it counts what a sinkhole
 * is sent, lends the far end of a device that is own, and cuts it when whoever had it is
 * gone. The connection over which it was asked for is what says so, in both directions.
 *
 * A join that is made while both run has two ends that are in guests already: whoever
 * joins brings its own, and the tender of the one that is own ties them to each other.
 * One that is cut while both live on needs both tenders, too. Each silences its own side
 * at once; then the one that is own ties both ends to a socket that takes nothing in, so
 * that neither is an end of what is joined next; and then the other ties its own to one
 * of its own, since the first may die.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "base/fd.h"
#include "server/unikernel.h"
#include "tender/tender-internal.h"

#define SINK_BATCH 64 /* frames that are counted before others have their turn */
#define LINGER_MS 20
#define LINGER_STEPS 50
#define LEAVE_MS 1000

/* Watches one net device: what is sent into it, or whether the other side is there. */
struct link {
	struct source src;
	struct unikernel_net *net;
	struct tender *t;
	int patience; /* steps that are left, while it lingers */
};

static void on_sink(struct source *src, uint32_t events)
{
	struct link *k = container_of(src, struct link, src);
	char byte;

	(void)events;
	for (int i = 0; i < SINK_BATCH; i++) {
		ssize_t n = recv(src->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			return;
		k->net->frames++;
		k->net->bytes += (uint64_t)n;
	}
}

/* ---- joins ---- */

struct unikernel_net *links_find(struct tender *t, const char *name)
{
	struct unikernel *u = t->job->unikernel;

	for (size_t i = 0; i < u->n_nets; i++)
		if (streq(u->net[i].name, name))
			return &u->net[i];
	return NULL;
}

/* Two ends that guests have cannot be tied anew at once, and what is sent into the second
 * meanwhile would fail: our guest, which has that, is held for the few microseconds. A
 * monitor takes such a failure for a loss, and is not. */
static bool hold(struct tender *t, struct unikernel_held *ret)
{
	return t->job->unikernel->spec.kind == USPEC_SPT && unikernel_hold(t, ret) == 0;
}

static int tie_both(struct tender *t, struct unikernel_net *n, int nowhere,
		    struct err *err)
{
	struct unikernel_held h;
	bool held = n->joined && hold(t, &h);
	int r = 0;

	net_drain(n->fd);
	if (n->peer >= 0) {
		net_drain(n->peer);
		(void)net_tie(n->peer, nowhere, NULL);
	}
	r = net_tie(n->fd, nowhere, err);
	if (held)
		(void)unikernel_go_on(t, &h);
	return r;
}

/* Nothing comes, and what is sent vanishes: n's end is tied to a new socket that takes
 * nothing in, and so is the end that it was tied to, if that is here. */
int links_point_away(struct tender *t, struct unikernel_net *n, struct err *err)
{
	int nowhere = -1, r = net_silence(n->fd, false, err);

	if (r == 0)
		r = net_nowhere(&nowhere, err);
	if (r != 0)
		return r;
	r = tie_both(t, n, nowhere, err);
	if (r != 0) {
		(void)close(nowhere);
		return r;
	}
	if (n->peer >= 0)
		(void)close(n->peer);
	n->peer = nowhere;
	n->away = true;
	return 0;
}

static int find_free(struct tender *t, const char *name, struct unikernel_net **ret,
		     struct err *err)
{
	struct unikernel_net *n = links_find(t, name);

	if (!n || n->kind != NET_OWN)
		return err_set(err, PE_REFUSED,
			       "it has no net device '%s' that is own, so nothing can be "
			       "joined to it",
			       name);
	if (n->joined)
		return err_set(err, PE_REFUSED, "its device '%s' is joined already",
			       name);
	*ret = n;
	return 0;
}

int links_join(struct tender *t, const char *name, int *ret_fd, struct err *err)
{
	struct unikernel_net *n = NULL;
	int r = find_free(t, name, &n, err);

	if (r == 0 && n->away)
		r = net_tie(n->peer, n->fd, err);
	if (r != 0)
		return r;
	n->away = false;
	net_drain(n->peer);
	r = net_silence(n->fd, true, err);
	if (r == 0)
		r = net_silence(n->peer, true, err);
	if (r != 0)
		return r;
	n->joined = true;
	*ret_fd = n->peer;
	return 0;
}

/* Only what is tied to nothing, or to the other, can be tied to. */
static int tie_to(struct tender *t, const struct unikernel_net *n, int end,
		  struct err *err)
{
	struct unikernel_held h;
	bool held = hold(t, &h);
	int r = net_untie(n->fd, err);

	if (r == 0)
		r = net_tie(end, n->fd, err);
	if (r == 0)
		r = net_tie(n->fd, end, err);
	if (held)
		(void)unikernel_go_on(t, &h);
	return r;
}

int links_tie(struct tender *t, const char *name, int end, struct err *err)
{
	struct unikernel_net *n = NULL;
	int r = find_free(t, name, &n, err), theirs;

	if (r == 0 && !net_is_end(end))
		r = err_set(err, PE_REFUSED, "that is no end of a link");
	if (r == 0)
		r = net_silence(n->fd, false, err);
	if (r == 0)
		r = net_silence(end, false, err);
	if (r != 0)
		return r;
	theirs = fd_dup_above(end, 3);
	if (theirs < 0)
		return err_neg(err, theirs, "cannot keep the end of a link");
	net_drain(n->fd);
	net_drain(end);
	r = tie_to(t, n, end, err);
	(void)close(n->peer);
	n->peer = theirs;
	if (r == 0)
		r = net_silence(n->fd, true, err);
	if (r == 0)
		r = net_silence(end, true, err);
	n->away = false;
	n->joined = r == 0;
	if (r != 0)
		(void)links_point_away(t, n, NULL);
	return r;
}

/* Who was joined has gone, and may have left its end with somebody; or it lives on (alive)
 * and keeps its end: cut both ways, and then it is tied to nothing of ours any more. What
 * the dead have sent can still be read. */
void links_unjoin(struct tender *t, const char *name, bool alive)
{
	struct unikernel_net *n = links_find(t, name);

	if (!n || !n->joined)
		return;
	(void)net_silence(n->peer, false, NULL);
	(void)net_silence(n->fd, false, NULL);
	if (alive)
		(void)links_point_away(t, n, NULL);
	n->joined = false;
}

/* Tying it anew throws away what the guest has not read yet: that has a moment. */
static bool has_waiting(const struct link *k)
{
	int waiting = 0;

	return ioctl(k->net->fd, SIOCINQ, &waiting) == 0 && waiting > 0;
}

static void on_linger(struct source *src, uint32_t events)
{
	struct link *k = container_of(src, struct link, src);
	int fd = src->fd;
	uint64_t ticks;

	(void)events;
	(void)!read(fd, &ticks, sizeof(ticks));
	if (has_waiting(k) && k->patience-- > 0)
		return;
	(void)links_point_away(k->t, k->net, NULL);
	loop_del(&k->t->loop, src);
	(void)close(fd);
}

/* The other side of a joined one has gone. What is sent from now on is to vanish, as with
 * null, and not to fail. */
static void on_joint(struct source *src, uint32_t events)
{
	const struct itimerspec every = { { 0, LINGER_MS * 1000000 },
					  { 0, LINGER_MS * 1000000 } };
	struct link *k = container_of(src, struct link, src);
	int fd = src->fd, timer = -1;

	(void)events;
	loop_del(&k->t->loop, src);
	(void)close(fd);
	k->net->joint = -1;
	k->patience = LINGER_STEPS;
	if (has_waiting(k))
		timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer >= 0 && timerfd_settime(timer, 0, &every, NULL) == 0 &&
	    loop_add(&k->t->loop, &k->src, timer, EPOLLIN, on_linger) == 0)
		return;
	if (timer >= 0)
		(void)close(timer);
	(void)links_point_away(k->t, k->net, NULL);
}

int links_watch(struct tender *t, struct err *err)
{
	struct unikernel *uk = t->job->unikernel;
	struct tender_unikernel *u = &t->unikernel;
	int r = 0;

	if (uk->n_nets == 0)
		return 0;
	u->links = calloc(uk->n_nets, sizeof(*u->links));
	if (!u->links)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < uk->n_nets; i++) {
		struct link *k = &u->links[u->n_links++];

		*k = (struct link){ SOURCE_INIT, &uk->net[i], t, 0 };
		if (uk->net[i].kind == NET_SINK)
			r = loop_add(&t->loop, &k->src, uk->net[i].peer, EPOLLIN,
				     on_sink);
		else if (uk->net[i].kind == NET_JOINED)
			r = loop_add(&t->loop, &k->src, uk->net[i].joint, EPOLLIN,
				     on_joint);
	}
	return r;
}

/* ---- changed while it runs ---- */

static struct link *link_of(struct tender *t, const struct unikernel_net *n)
{
	for (size_t i = 0; i < t->unikernel.n_links; i++)
		if (t->unikernel.links[i].net == n)
			return &t->unikernel.links[i];
	return NULL;
}

/* Nothing is watched any more. A sinkhole's descriptor is the device's own. */
static void unwatch(struct link *k)
{
	int fd = k->src.fd;
	bool lingers = fd >= 0 && k->src.fn == on_linger;

	loop_del(&k->t->loop, &k->src);
	if (lingers)
		(void)close(fd);
}

/* The other's tender is to cut its side too, and to tell us by closing that it has. Ours
 * is cut by then; one that does not answer is left. */
static void take_leave(struct unikernel_net *n)
{
	struct pollfd p = { .fd = n->joint, .events = POLLIN };

	if (n->joint < 0)
		return;
	if (shutdown(n->joint, SHUT_WR) == 0)
		(void)poll(&p, 1, LEAVE_MS);
	(void)close(n->joint);
	n->joint = -1;
}

int tender_net_cut(struct tender *t, const char *name, bool to_errors, struct err *err)
{
	struct unikernel_net *n = links_find(t, name);
	struct link *k = n ? link_of(t, n) : NULL;
	int r;

	if (!k || n->kind == NET_TAP)
		return err_set(err, PE_REFUSED, "%s: it is no link", name);
	r = net_silence(n->fd, false, err);
	if (r != 0)
		return r;
	unwatch(k);
	if (n->kind == NET_OWN)
		control_unjoin(t, name);
	take_leave(n);
	/* Who was joined may still be tied to where that points. */
	r = n->kind == NET_OWN && n->away ? 0 : links_point_away(t, n, err);
	n->kind = NET_SILENT;
	return r == 0 && to_errors ? net_untie(n->fd, err) : r;
}

int tender_net_give(struct tender *t, const char *name, bool sinkhole, struct err *err)
{
	struct unikernel_net *n = links_find(t, name);
	struct link *k = n ? link_of(t, n) : NULL;
	int r;

	if (!k || n->kind != NET_SILENT)
		return err_set(err, PE_REFUSED, "%s: it is not silent", name);
	r = links_point_away(t, n, err); /* from wherever it was tied to, or not */
	if (r == 0 && sinkhole)
		r = net_silence(n->peer, true, err);
	if (r == 0 && sinkhole)
		r = loop_add(&t->loop, &k->src, n->peer, EPOLLIN, on_sink);
	if (r == 0)
		n->kind = sinkhole ? NET_SINK : NET_OWN;
	return r;
}

int tender_net_end(struct tender *t, const char *name, int *ret_fd, struct err *err)
{
	struct unikernel_net *n = links_find(t, name);
	int r;

	if (!n || n->kind != NET_SILENT)
		return err_set(err, PE_REFUSED, "%s: it is not silent", name);
	r = links_point_away(t, n, err);
	if (r == 0)
		*ret_fd = n->fd;
	return r;
}

int tender_net_joined(struct tender *t, const char *name, int take_conn, struct err *err)
{
	struct unikernel_net *n = links_find(t, name);
	struct link *k = n ? link_of(t, n) : NULL;
	int r = k ? loop_add(&t->loop, &k->src, take_conn, EPOLLIN, on_joint) : -ENOENT;

	if (r != 0) {
		(void)close(take_conn);
		return err_neg(err, r, "%s: cannot watch the other side", name);
	}
	(void)close(n->peer); /* nothing is tied to it any more */
	n->peer = -1;
	n->away = false;
	n->kind = NET_JOINED;
	n->joint = take_conn;
	return 0;
}

void links_close(struct tender *t)
{
	struct tender_unikernel *u = &t->unikernel;

	for (size_t i = 0; i < u->n_links; i++) /* the others are the devices' own */
		if (u->links[i].src.fd >= 0 && u->links[i].src.fn == on_linger)
			(void)close(u->links[i].src.fd);
	free(u->links);
	u->links = NULL;
	u->n_links = 0;
}
