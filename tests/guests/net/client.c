/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client - a unikernel that asks others, for tests/integration/unikernel-net.sh.
 *
 *	--resolve=NAME            says the address of NAME
 *	--get=NAME:PORT           connects to --to=ADDRESS, says what the first line is
 *	--tls                     with TLS, for NAME; believes /ca.pem, or
 *	--anybody                 anybody
 *
 * Its status is 0 where that worked, 2 where the other side was not believed or failed.
 */
#include <polder/guest/guest.h>
#include <polder/guest/net.h>
#include <polder/guest/tls.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PG_NET_DEVICE("service");

static int status = 2;

static void on_found(const struct pg_ip *ip, void *arg)
{
	char text[PG_IP_TEXT];

	(void)arg;
	printf("resolved: %s\n", ip ? pg_ip_text(ip, text) : "nothing");
	status = ip ? 0 : 2;
	pg_loop_stop();
}

static void on_conn(struct pg_conn *c, unsigned events, void *arg)
{
	static const char ask[] = "GET / HTTP/1.0\r\n\r\n";
	char buf[200], peer[100];
	size_t n;

	(void)arg;
	if (events & PG_CONN_OPEN) {
		pg_tls_peer(c, peer, sizeof peer);
		printf("open: %s %s\n", pg_tls_cipher(c), peer);
		pg_conn_write(c, ask, sizeof ask - 1, &n);
	}
	if (pg_conn_read(c, buf, sizeof buf - 1, &n) == PG_OK && n) {
		buf[n] = 0;
		buf[strcspn(buf, "\r\n")] = 0;
		printf("first line: %s\n", buf);
		status = 0;
	} else if (!(events & PG_CONN_END)) {
		return;
	} else {
		printf("end: %s\n", pg_conn_why(c));
	}
	pg_conn_close(c);
	pg_loop_stop();
}

static struct pg_tls *trust(int anybody)
{
	const struct pg_file *ca = pg_file_find("ca.pem");
	struct pg_tls_trust t = { .trust_anybody = anybody };
	struct pg_tls *tls;
	char why[PG_TLS_WHY];

	if (!anybody && ca) {
		t.authorities = ca->data;
		t.authorities_len = ca->size;
	}
	if (pg_tls_client(&t, &tls, why) == PG_OK)
		return tls;
	printf("refused: %s\n", why);
	exit(3);
}

static const char *value(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], name, strlen(name)) == 0)
			return argv[i] + strlen(name);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *name, *colon;
	struct pg_endpoint to = { .port = 0 };
	struct pg_conn *c;
	char host[100];
	int r;

	if (pg_ip_start(&argc, argv) != PG_OK ||
	    pg_ip_wait(pg_deadline_in(30 * PG_SECOND)))
		return 1;
	if ((name = value(argc, argv, "--resolve="))) {
		if (pg_resolve(name, 0, on_found, NULL) != PG_OK)
			return 1;
		pg_loop_run();
		return status;
	}
	name = value(argc, argv, "--get=");
	colon = name ? strchr(name, ':') : NULL;
	if (!colon || pg_ip_parse(value(argc, argv, "--to="), &to.ip) != PG_OK)
		return 1;
	snprintf(host, sizeof host, "%.*s", (int)(colon - name), name);
	to.port = (uint16_t)strtol(colon + 1, NULL, 10);
	if (value(argc, argv, "--tls") || value(argc, argv, "--anybody"))
		r = pg_tls_connect(&to, host,
				   trust(value(argc, argv, "--anybody") != NULL), on_conn,
				   NULL, &c);
	else
		r = pg_connect(&to, on_conn, NULL, &c);
	if (r != PG_OK)
		return 1;
	pg_loop_run();
	/* The goodbye goes out. */
	pg_loop_once(pg_deadline_in(50 * PG_MS));
	return status;
}
