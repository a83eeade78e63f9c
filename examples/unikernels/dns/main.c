/* SPDX-License-Identifier: ISC */
/*
 * dns - answers for the zones that are sealed into the image, by UDP and TCP; it asks
 * nobody and answers for nothing else.
 *
 *	/zones/NAME    a master file; its name is the origin ("example.org",
 *	               "2.0.192.in-addr.arpa"), each of at most one zone
 *
 *	--port=N       53
 *	--max-tcp=N    connections at once (64)
 *
 * and the words of the network (net.h).
 *
 * Theory of operation
 *
 * answer.c makes an answer of a message, for both. By TCP a message has its length before
 * it, and there may be several behind one another: they are answered in order, and
 * nothing more is read while an answer waits to be taken. A connection ends when a message
 * is not whole within MESSAGE_TIME, or nothing was asked for IDLE_TIME.
 */
#include "zone.h"

#include <polder/guest/guest.h>
#include <polder/guest/net.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_TIME (5 * PG_SECOND)
#define IDLE_TIME (10 * PG_SECOND)
#define QUERY_MAX 1024 /* longer ones are none */

PG_NET_DEVICE("service");

static struct dns_server server;

struct client {
	uint8_t in[2 + QUERY_MAX];
	size_t in_len;
	uint8_t *out;
	size_t out_at, out_len;
};

/* ---- zones ---- */

static bool load_zone(const struct pg_file *f, struct zone *ret)
{
	uint8_t origin[DNS_NAME_MAX];
	const char *name = f->path + strlen("/zones/");
	uint8_t root = 0;
	struct zone_error error;
	char text[128];

	if (strchr(name, '/') || !name_parse(name, strlen(name), &root, origin)) {
		printf("dns: %s: the name of the file is no name of a zone\n", f->path);
		return false;
	}
	if (!zone_parse(ret, f->data, f->size, origin, &error)) {
		printf("dns: %s:%u: %s\n", f->path, error.line, error.text);
		return false;
	}
	name_text(ret->origin, text, sizeof text);
	printf("dns: %s: %u records\n", text, (unsigned)ret->n);
	return true;
}

static bool load(void)
{
	struct zone *zones = calloc(pg_file_count() + 1, sizeof *zones);
	size_t n = 0;

	for (size_t i = 0; zones && i < pg_file_count(); i++)
		if (strncmp(pg_file_at(i)->path, "/zones/", 7) == 0 &&
		    !load_zone(pg_file_at(i), &zones[n++]))
			return false;
	server = (struct dns_server){ zones, n };
	if (n == 0)
		printf("dns: the image has no files below /zones\n");
	return n > 0;
}

/* ---- UDP ---- */

static void on_udp(struct pg_udp *u, const struct pg_packet *p, void *arg)
{
	static uint8_t out[DNS_UDP_MAX];
	size_t n = dns_answer(&server, p->data, p->len, out, sizeof out, false);

	(void)arg;
	if (n)
		pg_udp_reply(u, p, out, n);
}

/* ---- TCP ---- */

static void finish(struct pg_conn *c, struct client *cl)
{
	pg_conn_close(c);
	if (cl)
		free(cl->out);
	free(cl);
}

/* PG_OK: there is nothing more to send. */
static int send_answer(struct pg_conn *c, struct client *cl)
{
	size_t n;
	int r;

	while (cl->out_at < cl->out_len) {
		r = pg_conn_write(c, cl->out + cl->out_at, cl->out_len - cl->out_at, &n);
		if (r != PG_OK)
			return r;
		cl->out_at += n;
	}
	free(cl->out);
	cl->out = NULL;
	cl->out_at = cl->out_len = 0;
	return PG_OK;
}

/* Answers the message at the front of in, if it is whole: PG_OK. PG_AGAIN: it is not yet. */
static int take_message(struct pg_conn *c, struct client *cl)
{
	static uint8_t answer[2 + DNS_TCP_MAX];
	size_t len = cl->in_len >= 2 ? (size_t)(cl->in[0] << 8 | cl->in[1]) : 0, n;

	if (cl->in_len >= 2 && (len < 12 || len > QUERY_MAX))
		return PG_FAILED;
	if (cl->in_len < 2 || cl->in_len < 2 + len)
		return PG_AGAIN;
	n = dns_answer(&server, cl->in + 2, len, answer + 2, DNS_TCP_MAX, true);
	if (n == 0)
		return PG_FAILED;
	cl->in_len -= 2 + len;
	memmove(cl->in, cl->in + 2 + len, cl->in_len);
	cl->out = malloc(2 + n);
	if (!cl->out)
		return PG_FAILED;
	answer[0] = (uint8_t)(n >> 8);
	answer[1] = (uint8_t)n;
	memcpy(cl->out, answer, 2 + n);
	cl->out_len = 2 + n;
	pg_conn_deadline(c, cl->in_len ? pg_deadline_in(MESSAGE_TIME) : PG_NEVER);
	return PG_OK;
}

static int fill(struct pg_conn *c, struct client *cl)
{
	size_t n;
	int r = pg_conn_read(c, cl->in + cl->in_len, sizeof cl->in - cl->in_len, &n);

	if (r != PG_OK)
		return r;
	if (n == 0)
		return PG_NOT_FOUND; /* the client's end */
	if (cl->in_len == 0)
		pg_conn_deadline(c, pg_deadline_in(MESSAGE_TIME));
	cl->in_len += n;
	return PG_OK;
}

static int step(struct pg_conn *c, struct client *cl)
{
	int r = send_answer(c, cl);

	if (r == PG_OK)
		r = take_message(c, cl);
	else
		return r;
	return r == PG_AGAIN ? fill(c, cl) : r;
}

static void on_tcp(struct pg_conn *c, unsigned events, void *arg)
{
	struct client *cl = arg;
	int r = PG_OK;

	if (!cl) {
		cl = calloc(1, sizeof *cl);
		pg_conn_set(c, on_tcp, cl);
		pg_conn_deadline(c, pg_deadline_in(MESSAGE_TIME));
	}
	while (cl && !(events & PG_CONN_END) && r == PG_OK)
		r = step(c, cl);
	if (r != PG_AGAIN)
		finish(c, cl);
}

/* ---- start ---- */

static bool read_number(const char *word, const char *name, long max, long *ret)
{
	size_t len = strlen(name);
	char *rest;

	if (strncmp(word, name, len) != 0)
		return false;
	*ret = strtol(word + len, &rest, 10);
	if (!*rest && word[len] && *ret > 0 && *ret <= max)
		return true;
	printf("dns: %s: want a number from 1 to %ld\n", word, max);
	exit(1);
}

int main(int argc, char **argv)
{
	long port = 53, max = 64;
	struct pg_listen how = { .idle = IDLE_TIME, .fn = on_tcp };
	struct pg_udp *udp;

	if (pg_ip_start(&argc, argv) != PG_OK || !load())
		return 1;
	for (int i = 1; i < argc; i++) {
		if (!read_number(argv[i], "--port=", 65535, &port) &&
		    !read_number(argv[i], "--max-tcp=", 1000, &max)) {
			printf("dns: '%s' is not known here\n", argv[i]);
			return 1;
		}
	}
	how.port = (uint16_t)port;
	how.max = (unsigned)max;
	if (pg_listen(&how, NULL) != PG_OK ||
	    pg_udp_open(NULL, how.port, on_udp, NULL, &udp) != PG_OK) {
		printf("dns: port %ld cannot be used\n", port);
		return 1;
	}
	while (pg_ip_wait(pg_deadline_in(10 * PG_SECOND)) != PG_OK)
		pg_println("dns: waiting for an address");
	pg_ip_print();
	printf("dns: ready\n");
	fflush(stdout);
	pg_loop_run();
	return 0;
}
