/* SPDX-License-Identifier: ISC */
/*
 * echo - sends back what comes in, by TCP and UDP (RFC 862), on port 7 or --port=N.
 *
 * A peer that sends and never reads is held up by TCP itself: what could not be written
 * is not read either.
 */
#include <polder/guest/guest.h>
#include <polder/guest/net.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PG_NET_DEVICE("service");

struct echo {
	size_t from, to; /* what is still to be written of buf */
	char buf[4096];
};

static void finish(struct pg_conn *c, struct echo *e)
{
	pg_conn_close(c);
	free(e);
}

/* false: nothing more can be done now, or ever; then *ret_end. */
static int step(struct pg_conn *c, struct echo *e)
{
	size_t n;
	int r;

	if (e->from == e->to) {
		r = pg_conn_read(c, e->buf, sizeof e->buf, &n);
		if (r != PG_OK)
			return r;
		if (n == 0)
			return PG_NOT_FOUND; /* the peer's end */
		e->from = 0;
		e->to = n;
	}
	r = pg_conn_write(c, e->buf + e->from, e->to - e->from, &n);
	e->from += n;
	return r;
}

static void on_tcp(struct pg_conn *c, unsigned events, void *arg)
{
	struct echo *e = arg;
	int r = PG_OK;

	if (!e) {
		e = calloc(1, sizeof *e);
		if (!e) {
			pg_conn_abort(c);
			return;
		}
		pg_conn_set(c, on_tcp, e);
	}
	if (events & PG_CONN_END) {
		finish(c, e);
		return;
	}
	while (r == PG_OK)
		r = step(c, e);
	if (r != PG_AGAIN)
		finish(c, e);
}

/* Never to a port below 1024 that is not a client's: two echo servers would talk for ever. */
static void on_udp(struct pg_udp *u, const struct pg_packet *p, void *arg)
{
	(void)arg;
	if (p->from.port >= 1024)
		pg_udp_reply(u, p, p->data, p->len);
}

static uint16_t port_of(int argc, char **argv)
{
	long port = 7;

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--port=", 7) == 0)
			port = strtol(argv[i] + 7, NULL, 10);
	return port > 0 && port < 65536 ? (uint16_t)port : 0;
}

int main(int argc, char **argv)
{
	struct pg_listen how = { .fn = on_tcp };
	struct pg_udp *udp;

	if (pg_ip_start(&argc, argv) != PG_OK)
		return 1;
	how.port = port_of(argc, argv);
	if (pg_listen(&how, NULL) != PG_OK ||
	    pg_udp_open(NULL, how.port, on_udp, NULL, &udp) != PG_OK) {
		pg_println("echo: the port cannot be used");
		return 1;
	}
	while (pg_ip_wait(pg_deadline_in(10 * PG_SECOND)) != PG_OK)
		pg_println("echo: waiting for an address");
	pg_ip_print();
	printf("echo: ready on port %u\n", how.port);
	fflush(stdout);
	pg_loop_run();
	return 0;
}
