/* SPDX-License-Identifier: ISC */
/*
 * net.h - TCP, UDP and names over the network devices that a program declares
 * (PG_NET_DEVICE in device.h), IPv4 and IPv6. Made of lwIP; link with -lpoldernet.
 *
 *	PG_NET_DEVICE("service");
 *
 *	static void echo(struct pg_conn *c, unsigned events, void *arg)
 *	{
 *		char buf[2048];
 *		size_t n;
 *		...pg_conn_read(c, buf, sizeof buf, &n), pg_conn_write(...)
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct pg_listen how = { .port = 7, .fn = echo };
 *
 *		if (pg_ip_start(&argc, argv) != PG_OK || pg_listen(&how, NULL) != PG_OK)
 *			return 1;
 *		pg_loop_run();
 *		return 0;
 *	}
 *
 * Order: pg_ip_start() once, then everything else. A program is a set of functions that
 * the loop calls: there is one thread, so a function that waits would hold up every
 * connection; and lwIP's own calls are not safe in the middle of one another. So what
 * comes in is collected first, and the program's functions are called afterwards, from
 * pg_loop_run() alone, where every call here and every call of lwIP's raw API is allowed
 * (pg_netif() gives its interface; include "lwip/tcp.h").
 *
 * Results are enum pg_status, PG_OK is 0. Sizes are bytes; times ns, deadlines on
 * pg_clock_monotonic().
 *
 * Bounds: see pg_net_limits() for how many connections there may be and what the stack
 * may take of the memory. At those it refuses new ones, it never ends the program.
 */
#ifndef POLDER_GUEST_NET_H
#define POLDER_GUEST_NET_H

#include <polder/guest/clock.h>
#include <polder/guest/device.h>
#include <polder/guest/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- addresses ---- */

struct pg_ip {
	uint8_t version;   /* 4 or 6; 0: any, or none */
	uint8_t zone;      /* of a link-local address: which interface, from 1; else 0 */
	uint8_t bytes[16]; /* as on the wire; 4 or 16 of them */
};

struct pg_endpoint {
	struct pg_ip ip;
	uint16_t port;
};

#define PG_IP_TEXT 48
#define PG_ENDPOINT_TEXT 56

/* PG_INVALID. No names are looked up. */
int pg_ip_parse(const char *text, struct pg_ip *ret);
/* ret is returned: "10.0.0.2", "fd00::2", "[fd00::2]:80". */
char *pg_ip_text(const struct pg_ip *ip, char ret[PG_IP_TEXT]);
char *pg_endpoint_text(const struct pg_endpoint *ep, char ret[PG_ENDPOINT_TEXT]);
bool pg_ip_equal(const struct pg_ip *a, const struct pg_ip *b);

/* ---- start ---- */

/*
 * Brings every declared network device up as the command line says, and takes the words
 * that it understood out of argv:
 *
 *	--ipv4=ADDRESS/PREFIX | dhcp | none    dhcp if there is no such word
 *	--ipv4-gateway=ADDRESS
 *	--ipv6=ADDRESS/64 | auto | none        auto (router advertisements) likewise
 *	--ipv6-gateway=ADDRESS
 *	--accept-router-advertisements=BOOL    with an address: also or not
 *	--nameserver=ADDRESS                   at most twice
 *	--hostname=NAME                        told to the DHCP server
 *
 * A program with several devices writes --DEVICE-ipv4=... and so on; without a device's
 * name the word is for the first. A link-local IPv6 address is always there, unless
 * --ipv6=none.
 *
 * PG_OK: interfaces are coming up (pg_ip_wait() waits for addresses). PG_NOT_FOUND: no
 * device is declared. PG_INVALID: a sentence was written to the console.
 */
int pg_ip_start(int *argc, char **argv);

/*
 * Runs the loop until every interface has an address that can be used (of IPv4 where that
 * was not `none`), or the deadline: PG_AGAIN.
 */
int pg_ip_wait(uint64_t deadline);

/* The index-th address of the device; PG_NOT_FOUND behind the last. Link-local ones count. */
int pg_ip_address(pg_device d, unsigned index, struct pg_ip *ret);

/* What "addresses" of a device are for a person, on the console: one line each. */
void pg_ip_print(void);

struct netif; /* lwIP's */
struct netif *pg_netif(pg_device d);

/* ---- the loop ---- */

/* Until pg_loop_stop(). */
void pg_loop_run(void);
void pg_loop_stop(void);
/* One round: waits until something is there or the deadline, and does what is due. */
void pg_loop_once(uint64_t deadline);

/* When this round began, on pg_clock_monotonic(): no call of the tender, so cheap enough
 * for every packet. */
uint64_t pg_loop_now(void);

/* Zeroed before its first use. The program's, and must stay where it is while it is set. */
struct pg_timer {
	struct pg_timer *next_, **prev_;
	uint64_t deadline_;
	void (*fn_)(void *arg);
	void *arg_;
};

/* Calls fn once, at the deadline or soon after. Setting again replaces it. */
void pg_timer_set(struct pg_timer *t, uint64_t deadline, void (*fn)(void *arg),
		  void *arg);
void pg_timer_stop(struct pg_timer *t);

/* ---- TCP ---- */

struct pg_conn;
struct pg_listener;

enum pg_conn_event {
	PG_CONN_OPEN = 1,    /* a new connection, or pg_connect() has one */
	PG_CONN_READ = 2,    /* there is something to read, or the peer's end of it */
	PG_CONN_WRITE = 4,   /* there is room again after PG_AGAIN */
	PG_CONN_DRAINED = 8, /* all that was written has reached the peer's kernel */
	PG_CONN_END = 16     /* broken, refused or timed out: nothing more can be sent */
};

/*
 * Called from the loop when something has changed; events is a set of the above, never
 * empty. What is not read stays there, and is not told of again until more comes: read
 * until PG_AGAIN, or call read again when it suits (the peer is held up meanwhile by
 * TCP's own window). After PG_CONN_END, call pg_conn_close().
 */
typedef void pg_conn_fn(struct pg_conn *c, unsigned events, void *arg);

struct pg_tls;

struct pg_listen {
	uint16_t port;
	struct pg_ip ip;    /* of one's own; zeroed: all, IPv4 and IPv6 */
	unsigned max;       /* connections at once; 0: 256. Further ones are reset */
	uint64_t idle;      /* see pg_conn_idle(); 0: 60 s */
	struct pg_tls *tls; /* from tls.h; NULL: plain. Connections are told open when the
			     * handshake is done */
	pg_conn_fn *fn;
	void *arg; /* of every new connection, until pg_conn_set() */
};

/* how is copied. ret_listener may be NULL. PG_INVALID (the port is taken, or 0),
 * PG_NO_MEMORY. */
int pg_listen(const struct pg_listen *how, struct pg_listener **ret_listener);
/* No new ones; those that are there stay. */
void pg_listener_close(struct pg_listener *l);
/* Connections that are there now. */
unsigned pg_listener_count(const struct pg_listener *l);

/* PG_OK: PG_CONN_OPEN or PG_CONN_END will be told. PG_NO_MEMORY, PG_FAILED (no route). */
int pg_connect(const struct pg_endpoint *to, pg_conn_fn *fn, void *arg,
	       struct pg_conn **ret);

/* PG_OK with *ret_len > 0; PG_OK with 0: the peer has said that there is no more.
 * PG_AGAIN; PG_FAILED: broken (what came before that can still be read first). */
int pg_conn_read(struct pg_conn *c, void *buf, size_t size, size_t *ret_len);

/*
 * Takes a part or all of it (copied): *ret_taken > 0. PG_AGAIN: no room, PG_CONN_WRITE
 * will be told. PG_FAILED: broken. Sent when the program's function returns.
 */
int pg_conn_write(struct pg_conn *c, const void *data, size_t len, size_t *ret_taken);
/* The same without a copy where that can be: the bytes stay as they are for ever. */
int pg_conn_write_static(struct pg_conn *c, const void *data, size_t len,
			 size_t *ret_taken);
/* Bytes that a write would take now. */
size_t pg_conn_room(const struct pg_conn *c);

/*
 * No more from us. What was written is still sent, for as long as the peer takes some of
 * it every 10 s, and two minutes at most. c is no longer the program's. NULL is allowed.
 */
void pg_conn_close(struct pg_conn *c);
/* At once; the peer sees a reset. */
void pg_conn_abort(struct pg_conn *c);

/* Who is called from now on, and with what. */
void pg_conn_set(struct pg_conn *c, pg_conn_fn *fn, void *arg);
/* PG_CONN_END when for so long nothing came in and nothing of what was written was
 * taken by the peer. 0: never. Looked at every 500 ms. */
void pg_conn_idle(struct pg_conn *c, uint64_t ns);
/* PG_CONN_END at this time, whatever happens. PG_NEVER. */
void pg_conn_deadline(struct pg_conn *c, uint64_t deadline);
void pg_conn_peer(const struct pg_conn *c, struct pg_endpoint *ret);
void pg_conn_local(const struct pg_conn *c, struct pg_endpoint *ret);
/* A few words for a person: why it ended. Never NULL. */
const char *pg_conn_why(const struct pg_conn *c);

/* ---- UDP ---- */

struct pg_udp;

struct pg_packet {
	const void *data; /* good until the function returns */
	size_t len;
	struct pg_endpoint from, to;
};

typedef void pg_udp_fn(struct pg_udp *u, const struct pg_packet *p, void *arg);

/* port 0: any that is free. ip NULL or zeroed: all. PG_INVALID (taken), PG_NO_MEMORY. */
int pg_udp_open(const struct pg_ip *ip, uint16_t port, pg_udp_fn *fn, void *arg,
		struct pg_udp **ret);
void pg_udp_close(struct pg_udp *u);
/* PG_OK: sent, or lost as on a wire. PG_INVALID: too long; PG_FAILED: no way there. */
int pg_udp_send(struct pg_udp *u, const struct pg_endpoint *to, const void *data,
		size_t len);
/* The same back to where p came from, from the address that it was sent to. */
int pg_udp_reply(struct pg_udp *u, const struct pg_packet *p, const void *data,
		 size_t len);

/* ---- names ---- */

/*
 * Asks the name servers (of --nameserver, DHCP or router advertisements). version: 4, 6,
 * or 0 for IPv4 and then IPv6. fn is called once, from the loop; ip is NULL
 * where the name has no address or nobody answered. PG_OK; PG_INVALID (no name),
 * PG_NO_MEMORY (too many at once): fn is not called then.
 */
int pg_resolve(const char *name, unsigned version,
	       void (*fn)(const struct pg_ip *ip, void *arg), void *arg);

/* ---- bounds and counts ---- */

struct pg_net_limits {
	unsigned connections; /* in all, half-open and ending ones included: 1024 */
	size_t memory; /* for packets and queues: a quarter of the heap, at most 64 MiB */
};

struct pg_net_stats {
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
	uint64_t dropped_in;  /* no memory for them, or not for us to read */
	uint64_t dropped_out; /* the device did not take them */
	uint64_t refused;     /* connections, for a bound */
	unsigned connections; /* of programs, now */
	size_t memory;        /* in use now */
};

/* Before pg_ip_start(); a field that is 0 stays as it is. */
void pg_net_set_limits(const struct pg_net_limits *limits);
void pg_net_stats(struct pg_net_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
