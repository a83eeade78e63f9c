/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The net devices of a unikernel, as its supervisor sees them: it counts what a sinkhole
 * is sent, lends the far end of a device that is own, and cuts it when whoever had it is
 * gone. The connection over which it was asked for is what says so, in both directions.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "base/fd.h"
#include "server/unikernel.h"
#include "tender/tender-internal.h"

#define SINK_BATCH 64 /* frames that are counted before others have their turn */
#define LINGER_MS 20
#define LINGER_STEPS 50

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

static struct unikernel_net *find_net(struct tender *t, const char *name)
{
	struct unikernel *u = t->job->unikernel;

	for (size_t i = 0; i < u->n_nets; i++)
		if (streq(u->net[i].name, name))
			return &u->net[i];
	return NULL;
}

int links_join(struct tender *t, const char *name, int *ret_fd, struct err *err)
{
	struct unikernel_net *n = find_net(t, name);
	int r;

	if (!n || n->kind != NET_OWN)
		return err_set(err, PE_REFUSED,
			       "it has no net device '%s' that is own, so nothing can be "
			       "joined to it",
			       name);
	if (n->joined)
		return err_set(err, PE_REFUSED, "its device '%s' is joined already",
			       name);
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

/* Who was joined has gone, and may have left its end with somebody: cut both ways. */
void links_unjoin(struct tender *t, const char *name)
{
	struct unikernel_net *n = find_net(t, name);

	if (!n || !n->joined)
		return;
	(void)net_silence(n->peer, false, NULL);
	(void)net_silence(n->fd, false, NULL);
	n->joined = false;
}

/* What is sent from now on is to vanish, as with null, and not to fail: the guest's end
 * is tied to a socket of ours that takes nothing in. */
static void fall_silent(struct unikernel_net *n)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t); /* the kernel finds a name */

	n->peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Before it has a name, which anybody may send to. */
	if (n->peer < 0 || net_silence(n->peer, false, NULL) != 0 ||
	    bind(n->peer, (struct sockaddr *)&addr, len) < 0)
		return;
	len = sizeof(addr);
	if (getsockname(n->peer, (struct sockaddr *)&addr, &len) == 0)
		(void)connect(n->fd, (struct sockaddr *)&addr, len);
}

/* Tying it anew throws away what the guest has not read yet: that has a moment. */
static void on_linger(struct source *src, uint32_t events)
{
	struct link *k = container_of(src, struct link, src);
	int fd = src->fd, waiting = 0;
	uint64_t ticks;

	(void)events;
	(void)!read(fd, &ticks, sizeof(ticks));
	if (ioctl(k->net->fd, SIOCINQ, &waiting) == 0 && waiting > 0 && k->patience-- > 0)
		return;
	fall_silent(k->net);
	loop_del(&k->t->loop, src);
	(void)close(fd);
}

/* The other side of a joined one has gone. */
static void on_joint(struct source *src, uint32_t events)
{
	const struct itimerspec every = { { 0, LINGER_MS * 1000000 },
					  { 0, LINGER_MS * 1000000 } };
	struct link *k = container_of(src, struct link, src);
	int fd = src->fd, timer;

	(void)events;
	loop_del(&k->t->loop, src);
	(void)close(fd);
	k->net->joint = -1;
	k->patience = LINGER_STEPS;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer >= 0 && timerfd_settime(timer, 0, &every, NULL) == 0 &&
	    loop_add(&k->t->loop, &k->src, timer, EPOLLIN, on_linger) == 0)
		return;
	if (timer >= 0)
		(void)close(timer);
	fall_silent(k->net);
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
