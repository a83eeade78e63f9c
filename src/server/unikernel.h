/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unikernel.h - from the bindings of a unikernel to what its tender is told and keeps.
 *
 * server_plan_unikernel() opens what every device is: files, memory, socket pairs, a TAP.
 * The spec has their numbers as they are here; whoever starts the tender lets it inherit
 * exactly unikernel_inherits(). Nothing of it is opened again later, so what was checked
 * is what the guest has.
 *
 * Ownership: a struct unikernel owns its descriptors and texts; unikernel_free closes
 * all. A net device's .peer and .joint are the supervisor's, never the guest's.
 *
 * Errors: as server.h.
 */
#ifndef POLDER_SERVER_UNIKERNEL_H
#define POLDER_SERVER_UNIKERNEL_H

#include "base/err.h"
#include "wire/spec.h"
#include "wire/uspec.h"

/* For tenders, too, which know nothing of the graph. */
struct genv;
struct server_ctx;
struct binding;

enum net_kind {
	NET_SILENT, /* null: nothing comes, what is sent is dropped by a filter */
	NET_SINK,   /* fake: what is sent is read and counted */
	NET_OWN,    /* silent until another is joined to its peer */
	NET_JOINED, /* the peer of another's NET_OWN */
	NET_TAP
};

struct unikernel_net {
	const char *name; /* of its device in the spec */
	enum net_kind kind;
	int fd;      /* the guest's end, kept to be cut off; a TAP's */
	int peer;    /* the other end, or what it is tied to; -1: joined, or a TAP */
	int joint;   /* NET_JOINED: the connection to the other's tender, open as long as
		    * the join is to last; else -1 */
	bool joined; /* NET_OWN: somebody is */
	bool away;   /* fd is tied to peer, and peer not to fd */
	uint64_t frames, bytes; /* NET_SINK: what was sent so far */
};

/* Allocated with room for the devices that there are, no more: a supervisor lives with
 * it for long. */
struct unikernel {
	size_t n_nets, n_fds;
	bool exchanges; /* set by its tender: volumes can be exchanged while it runs */
	bool must_exchange; /* that was asked for: cut=complete */
	int *kept; /* of each device of the spec: a duplicate of a volume's; -1: none */
	int *fds;  /* everything opened but what net[] has */
	char *cmdline;
	struct unikernel_net *net;
	struct uspec spec;
};

/* core gets what every kind of program has: name, console, limits. Both start empty. */
int server_plan_unikernel(struct unikernel **ret, struct spec *core, const struct genv *e,
			  const struct server_ctx *cx, struct err *err);
void unikernel_free(struct unikernel *u);
/* The child has inherited what it needs: what nobody else does is closed. Of volumes that
 * can be exchanged a duplicate is kept, so that it can be opened anew for reading alone,
 * without its path. */
void unikernel_given(struct unikernel *u);
/* What may stand where the volume of a guest that runs was: for the device d of its spec,
 * opened and locked as at a start. PE_REFUSED: it does not fit what the guest was told. */
int server_volume_again(int *ret_fd, const struct uspec_device *d,
			const struct binding *b, const struct server_ctx *cx,
			struct err *err);

/* A filter that lets nothing in: what is sent to this socket vanishes and still
 * "succeeds". Taken off again where off. */
int net_silence(int sock, bool off, struct err *err);
/* Throws away what waits to be read. */
void net_drain(int sock);
/* A silent socket that an end can be tied to. */
int net_nowhere(int *ret_fd, struct err *err);
/* What is sent into from comes out of to, from now on; from takes nothing any more that
 * others send. It is to be silent and drained; to is tied to nothing, or to from. */
int net_tie(int from, int to, struct err *err);
/* Sending fails from now on. It is to be silent, which is all that keeps others out. */
int net_untie(int sock, struct err *err);
/* What can be tied: a datagram socket, of this kernel alone. */
bool net_is_end(int fd);

#endif
