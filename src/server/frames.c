/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net of a unikernel: one end of a datagram socket pair, a frame in each datagram, or a
 * TAP interface of the host.
 *
 * Theory of operation
 *
 * A pair needs no network of the host. The supervisor keeps both ends: with a filter that
 * lets nothing in on the far end, what the guest sends vanishes, and sending still
 * succeeds; that is `null`, and `own` as long as nobody is joined. Two that are joined
 * have the two ends of one pair, so that nothing stands between them; the tender of the
 * one that is `own` puts the filters back when the other has gone. A datagram pair and no
 * other: where a stream's or sequenced packet's peer dies, a guest that polls never
 * rests.
 *
 * A guest keeps its end for its whole life. What changes is where that is tied to
 * (net_tie), for which the kernel gives it a name. Nobody else can use the name: a
 * datagram socket takes nothing but from what it is tied to itself, and what is not tied
 * has a filter that takes nothing. An end that is tied anew while frames wait in it has
 * its old peer told of an error; so it is silenced and drained first, and nobody is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "server/unikernel-internal.h"

#define DEFAULT_MTU 1500

int net_silence(int sock, bool off, struct err *err)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog program = { 1, &nothing };
	int none = 0;

	if (off ? setsockopt(sock, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) :
		  setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			     sizeof(program)))
		return off && errno == ENOENT ? 0 : err_sys(err, "cannot filter a link");
	return 0;
}

void net_drain(int sock)
{
	char byte;

	while (recv(sock, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}

int net_nowhere(int *ret_fd, struct err *err)
{
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int room = 1 << 20;

	/* Before it has a name, which anybody may send to. */
	if (fd < 0 || net_silence(fd, false, NULL) != 0)
		return err_sys(err, "cannot make a socket for a link");
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int net_tie(int from, int to, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr);

	/* Without one, the kernel finds a name; where it has one, that stays. */
	if (bind(to, (struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
	    getsockname(to, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(from, (struct sockaddr *)&addr, len) < 0)
		return err_sys(err, "cannot tie a link");
	return 0;
}

int net_untie(int sock, struct err *err)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(sock, &none, sizeof(none)) == 0 ?
		       0 :
		       err_sys(err, "cannot untie a link");
}

bool net_is_end(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       domain == AF_UNIX && type == SOCK_DGRAM;
}

static int open_pair(struct unikernel_net *n, bool silent, struct err *err)
{
	const int room = 1 << 20; /* as much of it as the system lets anybody have */
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "cannot make the link of '%s'", n->name);
	for (size_t i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	n->fd = pair[0];
	n->peer = pair[1];
	return silent ? net_silence(n->peer, false, err) : 0;
}

static int tap_missing(const struct binding *b, struct err *err)
{
	return err_set(err, PE_NOTFOUND,
		       "%s: there is no TAP interface '%s' here; the administrator makes "
		       "one: ip tuntap add dev %s mode tap user USER, ip link set %s up",
		       b->slot, b->ref, b->ref, b->ref);
}

static bool ask(const char *name, unsigned long what, struct ifreq *ret)
{
	auto_fd sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%s", name);
	return sock >= 0 && ioctl(sock, what, ret) == 0;
}

/* Only one that is there: opening would make one, which whoever may does not want. */
static int open_tap(struct unikernel_net *n, const struct binding *b, struct err *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI }, here = { 0 };

	if (!ask(b->ref, SIOCGIFINDEX, &here))
		return tap_missing(b, err);
	n->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (n->fd < 0)
		return err_sys(err, "%s: cannot open /dev/net/tun", b->slot);
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", b->ref);
	if (ioctl(n->fd, TUNSETIFF, &ifr) == 0)
		return 0;
	if (errno == EPERM)
		return err_set(err, PE_REFUSED,
			       "%s: the TAP interface '%s' is not yours: ip tuntap add "
			       "dev %s mode tap user USER makes one that is",
			       b->slot, b->ref, b->ref);
	if (errno == EBUSY)
		return err_set(err, PE_BUSY,
			       "%s: the TAP interface '%s' is used by another program",
			       b->slot, b->ref);
	if (errno == EINVAL)
		return err_set(err, PE_USAGE, "%s: the interface '%s' is no TAP", b->slot,
			       b->ref);
	return err_sys(err, "%s: cannot use the TAP interface '%s'", b->slot, b->ref);
}

/* The guest's frames are to be what the interface takes, if nobody says otherwise. */
static void take_mtu(struct uspec_device *d, const struct binding *b)
{
	struct ifreq ifr = { 0 };

	if (!binding_option(b, "mtu") && ask(b->ref, SIOCGIFMTU, &ifr) &&
	    ifr.ifr_mtu > 0 && ifr.ifr_mtu <= UINT16_MAX)
		d->mtu = (uint16_t)ifr.ifr_mtu;
}

static int join(struct unikernel_net *n, const struct binding *b,
		const struct server_ctx *cx, struct err *err)
{
	if (!cx->join)
		return err_set(err, PE_REFUSED,
			       "%s=env:%s needs the other unikernel to run", b->slot,
			       b->ref);
	return cx->join(cx->userdata, b, &n->fd, &n->joint, err);
}

static int read_address(struct uspec_device *d, const struct binding *b, struct err *err)
{
	const struct kv *mac = binding_option(b, "mac"), *mtu = binding_option(b, "mtu");
	uint64_t n = DEFAULT_MTU;

	if (mtu && mtu->value && !str_to_u64(mtu->value, &n))
		return err_set(err, PE_USAGE, "%s: mtu=%s is no number", b->slot,
			       mtu->value);
	d->mtu = (uint16_t)n;
	if (mac && mac->value)
		return mac_parse(mac->value, d->mac) ?
			       0 :
			       err_set(err, PE_USAGE, "%s: mac=%s is no address", b->slot,
				       mac->value);
	if (getrandom(d->mac, sizeof(d->mac), 0) != sizeof(d->mac))
		return err_sys(err, "cannot choose an address for %s", b->slot);
	d->mac[0] = (d->mac[0] & 0xfe) | 2; /* one machine's, and made up here */
	return 0;
}

int server_frames(struct unikernel *u, struct uspec_device *d, const struct binding *b,
		  const struct server_ctx *cx, struct err *err)
{
	static const enum net_kind kinds[SRC_COUNT] = {
		[SRC_OWN] = NET_OWN,     [SRC_HOST] = NET_TAP,  [SRC_ENV] = NET_JOINED,
		[SRC_NULL] = NET_SILENT, [SRC_FAKE] = NET_SINK,
	};
	struct unikernel_net *n = &u->net[u->n_nets++];
	enum source source = b->unbound ? SRC_NULL : b->source;
	int r = read_address(d, b, err);

	*n = (struct unikernel_net){
		.name = d->name, .kind = kinds[source], .fd = -1, .peer = -1, .joint = -1
	};
	d->type = USPEC_NET;
	if (r != 0)
		return r;
	if (source == SRC_HOST) {
		r = open_tap(n, b, err);
		take_mtu(d, b);
	} else if (source == SRC_ENV)
		r = join(n, b, cx, err);
	else
		r = open_pair(n, source != SRC_FAKE, err);
	d->fd = n->fd;
	return r;
}
