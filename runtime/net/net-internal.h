/* SPDX-License-Identifier: ISC */
/* net-internal.h - what the files of runtime/net share. */
#ifndef POLDER_NET_INTERNAL_H
#define POLDER_NET_INTERNAL_H

#include <polder/guest/entropy.h>
#include <polder/guest/net.h>
#include <polder/guest/poll.h>

#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"

/* ---- addr.c ---- */

void pg_ip_from_lwip(struct pg_ip *ret, const ip_addr_t *ip);
void pg_ip_to_lwip(ip_addr_t *ret, const struct pg_ip *ip);

/* ---- options.c: what the command line says about one device ---- */

enum pg_ip_mode { PG_MODE_DEFAULT, PG_MODE_NONE, PG_MODE_AUTO, PG_MODE_STATIC };

struct pg_ip_option {
	enum pg_ip_mode mode;
	struct pg_ip address, gateway;
	unsigned prefix;
};

struct pg_net_options {
	struct pg_ip_option v4, v6;
	int accept_ra; /* -1: not said */
};

struct pg_common_options {
	struct pg_ip nameservers[2];
	unsigned n_nameservers;
	char hostname[64];
};

/*
 * Takes its words out of argv. names: of the devices, n of them, each with options that
 * are filled in. false: the sentence is in why.
 */
bool pg_options_read(int *argc, char **argv, const char *const *names, unsigned n,
		     struct pg_net_options *ret, struct pg_common_options *ret_common,
		     char why[160]);

/* ---- nameservers.c: who is asked for names ---- */

/* n of the command line, in place of all others. */
void pg_nameservers_named(const struct pg_ip *ip, unsigned n);

/* ---- memory.c ---- */

extern size_t pg_lwip_bytes;     /* in use */
extern size_t pg_lwip_max_bytes; /* at most */
extern unsigned pg_lwip_max_connections;

/* ---- timers.c ---- */

/* Runs what is due. */
void pg_timers_run(uint64_t now);
/* When the next is due, or PG_NEVER. */
uint64_t pg_timers_next(void);

/* ---- iface.c: a device as an interface of lwIP ---- */

struct pg_iface {
	struct netif netif; /* first: lwIP gives it back */
	struct pg_iface *next;
	pg_device device;
	struct pg_net_info info;
	const char *name;
	struct pg_net_options options;
};

extern struct pg_iface *pg_ifaces;
extern struct pg_net_stats pg_net_counts;

/* Makes it known to lwIP; not yet up. */
bool pg_iface_add(struct pg_iface *i);
/* Hands what has come in to lwIP, at most one batch. */
void pg_iface_input(struct pg_iface *i);

/* ---- loop.c ---- */

/*
 * The connections that have something to tell are a list; told are they when nothing of
 * lwIP's is on the stack.
 */
struct pg_task {
	struct pg_task *next;
	bool queued;
	void (*fn)(struct pg_task *t);
};
void pg_task_queue(struct pg_task *t);
void pg_task_remove(struct pg_task *t);

/* ---- conn.c ---- */

/*
 * What stands between the program and the bytes of the connection: TLS. Calls have the
 * meanings of pg_conn_read() and so on; they use the pg_raw_ functions for what is on the
 * wire. event: called in place of the program; gives what the program is to be told.
 */
struct pg_filter {
	unsigned (*event)(struct pg_conn *c, unsigned events);
	int (*read)(struct pg_conn *c, void *buf, size_t size, size_t *ret_len);
	int (*write)(struct pg_conn *c, const void *data, size_t len, size_t *ret_taken);
	size_t (*room)(const struct pg_conn *c);
	void (*closing)(
		struct pg_conn *c); /* the last words, before the connection ends */
	void (*free)(struct pg_conn *c);
};

struct pg_conn {
	struct pg_task task; /* first */
	struct tcp_pcb *pcb; /* NULL once lwIP has let it go */
	struct pg_conn *next, **prev;
	pg_conn_fn *fn;
	void *arg;
	struct pg_listener *listener;
	const struct pg_filter *filter;
	void *state; /* the filter's */
	const char *why;
	unsigned events; /* to be told */
	bool peer_done, broken, closing, want_room, told_end, in_call, ended;
	uint8_t *ring;
	uint32_t ring_size, ring_at, ring_len;
	uint64_t idle, active, deadline;
	uint32_t held_back; /* bytes read that lwIP was not told of yet */
	struct pg_endpoint peer, local;
};

struct pg_listener {
	struct tcp_pcb *pcb;
	struct pg_listen how;
	unsigned count;
	bool closed;
};

int pg_raw_read(struct pg_conn *c, void *buf, size_t size, size_t *ret_len);
int pg_raw_write(struct pg_conn *c, const void *data, size_t len, bool is_static,
		 size_t *ret_taken);
size_t pg_raw_room(const struct pg_conn *c);
/* It is as good as reset, for this reason. */
void pg_conn_break(struct pg_conn *c, const char *why);
/* events for the program, at the next chance. */
void pg_conn_tell(struct pg_conn *c, unsigned events);

/* NULL: no memory, or too many. */
struct pg_conn *pg_conn_new(struct tcp_pcb *pcb, pg_conn_fn *fn, void *arg);

/* tls.h's part, linked only with it: a listener or a program that uses TLS names it. */
struct pg_tls_hook {
	/* Puts the filter on; PG_NO_MEMORY, PG_NO_ENTROPY. */
	int (*accept)(struct pg_conn *c, struct pg_tls *tls);
};
extern const struct pg_tls_hook *pg_tls_hook;

#endif
