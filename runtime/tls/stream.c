/* SPDX-License-Identifier: ISC */
/*
 * stream.c - TLS between a program and the bytes of its connection.
 *
 * Theory of operation
 *
 * A struct pg_filter (net-internal.h) in front of a connection. mbedTLS reads from the
 * connection's ring and writes into TCP's queue, and never waits: where there is nothing,
 * it comes back and is called again at the next event.
 *
 * A record is written only where TCP has room for all of it, so a record is never half
 * sent; should TCP take less all the same (no memory), the rest is mbedTLS's to keep, and
 * goes before anything else ("stuck").
 *
 * The end of the connection without TLS's own word for it is a failure (anybody on the way
 * could have cut it). Who fails the handshake is told why by an alert, then closed; the
 * program learns of it as PG_CONN_END.
 */
#include "../net/net-internal.h"
#include "tls-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_TIME (120 * PG_SECOND) /* a processor may be emulated */
#define RECORD_OVERHEAD 96u
#define SMALLEST_ROOM 1024u

struct stream {
	mbedtls_ssl_context ssl;
	bool done, failed, over; /* the handshake; anything; the peer's last word came */
	size_t stuck;
	char why[96];
};

static struct stream *stream_of(const struct pg_conn *c)
{
	return c->state;
}

/* ---- what mbedTLS calls ---- */

static int bio_send(void *arg, const unsigned char *buf, size_t len)
{
	size_t taken;
	int r = pg_raw_write(arg, buf, len, false, &taken);

	if (r == PG_OK)
		return (int)taken;
	return r == PG_AGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int bio_recv(void *arg, unsigned char *buf, size_t len)
{
	size_t n;
	int r = pg_raw_read(arg, buf, len, &n);

	if (r == PG_OK)
		return n ? (int)n : MBEDTLS_ERR_SSL_CONN_EOF;
	return r == PG_AGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* ---- failing ---- */

static const char *reason(struct stream *s, int r)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);

	switch (r) {
	case MBEDTLS_ERR_SSL_CONN_EOF: return "TLS: the connection ended in the middle";
	case PG_TLS_NO_ENTROPY: return "TLS: there is no good source of random numbers";
	case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
	case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
		return "TLS: the peer has no version or cipher that is good enough";
	case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return "TLS: the peer refused";
	case MBEDTLS_ERR_SSL_ALLOC_FAILED: return "TLS: out of memory";
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
		return flags & MBEDTLS_X509_BADCERT_CN_MISMATCH ?
			       "TLS: the certificate is for another name" :
		       flags & MBEDTLS_X509_BADCERT_EXPIRED ?
			       "TLS: the certificate has expired" :
		       flags & MBEDTLS_X509_BADCERT_FUTURE ?
			       "TLS: the certificate is not valid yet" :
			       "TLS: the certificate leads to no authority that is "
			       "trusted";
	default:
		snprintf(s->why, sizeof s->why, "TLS: broken (mbedTLS -0x%04x)",
			 (unsigned)-r);
		return s->why;
	}
}

/* An alert may be under way: what is queued is still sent when the program closes. */
static void fail(struct pg_conn *c, int r)
{
	struct stream *s = stream_of(c);

	if (s->failed)
		return;
	s->failed = true;
	if (!c->why)
		c->why = reason(s, r);
	pg_conn_tell(c, PG_CONN_END);
}

static bool waits(int r)
{
	return r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* ---- the filter ---- */

static unsigned on_event(struct pg_conn *c, unsigned events)
{
	struct stream *s = stream_of(c);
	int r;

	if (events & PG_CONN_END || s->failed)
		return PG_CONN_END;
	if (s->done)
		return events;
	r = mbedtls_ssl_handshake(&s->ssl);
	if (waits(r))
		return 0;
	if (r != 0) {
		fail(c, r);
		return PG_CONN_END;
	}
	s->done = true;
	pg_conn_deadline(c, PG_NEVER);
	return PG_CONN_OPEN | PG_CONN_READ; /* data may have come along */
}

static int read_plain(struct pg_conn *c, void *buf, size_t size, size_t *ret_len)
{
	struct stream *s = stream_of(c);
	int r;

	*ret_len = 0;
	if (s->over)
		return PG_OK;
	if (s->failed)
		return PG_FAILED;
	if (!s->done)
		return PG_AGAIN;
	if (size == 0)
		return PG_INVALID;
	r = mbedtls_ssl_read(&s->ssl, buf, size);
	if (r > 0) {
		*ret_len = (size_t)r;
		return PG_OK;
	}
	if (waits(r))
		return PG_AGAIN;
	if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		s->over = true;
		return PG_OK;
	}
	fail(c, r);
	return PG_FAILED;
}

/* false: still stuck, or failed. */
static bool unstick(struct pg_conn *c)
{
	struct stream *s = stream_of(c);
	unsigned char nothing = 0;
	int r;

	if (!s->stuck)
		return true;
	/* With something left to send, it looks at the length alone. */
	r = mbedtls_ssl_write(&s->ssl, &nothing, s->stuck);
	if (r < 0 && !waits(r))
		fail(c, r);
	if (r <= 0)
		return false;
	s->stuck = 0;
	return true;
}

/* Bytes of the program's that fit into one record now. */
static size_t record_room(struct pg_conn *c)
{
	int max = mbedtls_ssl_get_max_out_record_payload(&stream_of(c)->ssl);
	size_t room = pg_raw_room(c);

	if (max <= 0 || room < SMALLEST_ROOM)
		return 0;
	room -= RECORD_OVERHEAD;
	return room < (size_t)max ? room : (size_t)max;
}

static int write_plain(struct pg_conn *c, const void *data, size_t len, size_t *ret_taken)
{
	struct stream *s = stream_of(c);
	size_t done = 0, n;
	int r = 0;

	*ret_taken = 0;
	if (s->failed || !c->pcb)
		return PG_FAILED;
	while (s->done && done < len && unstick(c) && (n = record_room(c))) {
		if (n > len - done)
			n = len - done;
		r = mbedtls_ssl_write(&s->ssl, (const unsigned char *)data + done, n);
		if (waits(r))
			s->stuck = n; /* all of it is in the record */
		else if (r < 0)
			break;
		done += n;
	}
	if (r < 0 && !waits(r))
		fail(c, r);
	if (s->failed && !done)
		return PG_FAILED;
	if (done < len)
		c->want_room = true;
	*ret_taken = done;
	return done || !len ? PG_OK : PG_AGAIN;
}

static size_t plain_room(const struct pg_conn *c)
{
	const struct stream *s = stream_of(c);
	size_t room = pg_raw_room(c);

	if (!s->done || s->failed || s->stuck || room < SMALLEST_ROOM)
		return 0;
	return room - RECORD_OVERHEAD * (1 + room / 16384);
}

static void on_close(struct pg_conn *c)
{
	struct stream *s = stream_of(c);

	if (s->done && !s->failed && unstick(c))
		mbedtls_ssl_close_notify(&s->ssl);
}

static void on_free(struct pg_conn *c)
{
	struct stream *s = stream_of(c);

	mbedtls_ssl_free(&s->ssl);
	free(s);
	c->filter = NULL;
	c->state = NULL;
}

static const struct pg_filter filter = {
	.event = on_event,
	.read = read_plain,
	.write = write_plain,
	.room = plain_room,
	.closing = on_close,
	.free = on_free,
};

/* ---- putting it on ---- */

static int put_on(struct pg_conn *c, struct pg_tls *tls, const char *name)
{
	struct stream *s = calloc(1, sizeof *s);

	if (!s)
		return PG_NO_MEMORY;
	mbedtls_ssl_init(&s->ssl);
	if (mbedtls_ssl_setup(&s->ssl, &tls->conf) != 0 ||
	    (name && mbedtls_ssl_set_hostname(&s->ssl, name) != 0)) {
		mbedtls_ssl_free(&s->ssl);
		free(s);
		return PG_NO_MEMORY;
	}
	mbedtls_ssl_set_bio(&s->ssl, c, bio_send, bio_recv, NULL);
	c->state = s;
	c->filter = &filter;
	pg_conn_deadline(c, pg_deadline_in(HANDSHAKE_TIME));
	return PG_OK;
}

static int accept_tls(struct pg_conn *c, struct pg_tls *tls)
{
	return tls->is_server ? put_on(c, tls, NULL) : PG_INVALID;
}

static const struct pg_tls_hook hook = { accept_tls };

void pg_tls_use(void)
{
	pg_tls_hook = &hook;
}

int pg_tls_connect(const struct pg_endpoint *to, const char *name, struct pg_tls *tls,
		   pg_conn_fn *fn, void *arg, struct pg_conn **ret)
{
	struct pg_conn *c;
	int r;

	if (tls->is_server || !name || !*name)
		return PG_INVALID;
	r = pg_connect(to, fn, arg, &c);
	if (r != PG_OK)
		return r;
	r = put_on(c, tls, name);
	if (r != PG_OK) {
		pg_conn_abort(c);
		return r;
	}
	*ret = c;
	return PG_OK;
}

/* ---- asking ---- */

void pg_tls_peer(const struct pg_conn *c, char *ret, size_t size)
{
	const mbedtls_x509_crt *cert = NULL;

	if (size)
		ret[0] = 0;
	if (c->filter == &filter)
		cert = mbedtls_ssl_get_peer_cert(&stream_of(c)->ssl);
	if (cert && mbedtls_x509_dn_gets(ret, size, &cert->subject) < 0 && size)
		ret[0] = 0;
}

const char *pg_tls_cipher(const struct pg_conn *c)
{
	const char *name = c->filter == &filter && stream_of(c)->done ?
				   mbedtls_ssl_get_ciphersuite(&stream_of(c)->ssl) :
				   NULL;

	return name ? name : "";
}
