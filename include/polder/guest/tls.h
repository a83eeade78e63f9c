/* SPDX-License-Identifier: ISC */
/*
 * tls.h - TLS 1.2 on the connections of net.h. Made of mbedTLS; link with -lpoldertls
 * before -lpoldernet.
 *
 * A struct pg_tls says who we are and whom we trust. It is given to a listener (struct
 * pg_listen, .tls) or to pg_tls_connect(), and from then on the connection is used like a
 * plain one: PG_CONN_OPEN is told when the handshake is done, a failed one is PG_CONN_END.
 *
 * No key is made and no handshake begun while pg_entropy() refuses: the calls here say
 * PG_NO_ENTROPY.
 *
 * Where a certificate's dates are checked, the clock is pg_clock_wall(): as right as the
 * tender's.
 *
 * Ciphers: ECDHE with AES-GCM or ChaCha20-Poly1305; curves X25519, P-256, P-384. No
 * renegotiation, no compression, no tickets; a server remembers sessions (64, one hour).
 */
#ifndef POLDER_GUEST_TLS_H
#define POLDER_GUEST_TLS_H

#include <polder/guest/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* PEM or DER. PEM may hold the certificates above the first, in order. Copied. */
struct pg_tls_identity {
	const void *cert;
	size_t cert_len;
	const void *key; /* not encrypted */
	size_t key_len;
};

#define PG_TLS_WHY 120

/*
 * A server's side. PG_OK; PG_INVALID (a certificate or a key cannot be read, or they do not
 * belong together), PG_NO_ENTROPY, PG_NO_MEMORY: why holds a sentence. For as long as the
 * program runs.
 */
int pg_tls_server(const struct pg_tls_identity *id, struct pg_tls **ret,
		  char why[PG_TLS_WHY]);

struct pg_tls_trust {
	const void *authorities; /* PEM or DER: whom we believe */
	size_t authorities_len;
	const struct pg_tls_identity *id; /* who we are to the server; NULL: nobody */
	/*
	 * Believe whoever answers. Anybody on the way can then read and change everything;
	 * authorities must be NULL with it.
	 */
	bool trust_anybody;
};

/*
 * A client's side. The peer's certificate must lead to one of the authorities, be valid
 * today and be for the name that pg_tls_connect() asks for. Results as above.
 */
int pg_tls_client(const struct pg_tls_trust *trust, struct pg_tls **ret,
		  char why[PG_TLS_WHY]);

/* As pg_connect(). name: the host's, as in its certificate; copied. PG_INVALID: tls is a server's, or no name. */
int pg_tls_connect(const struct pg_endpoint *to, const char *name, struct pg_tls *tls,
		   pg_conn_fn *fn, void *arg, struct pg_conn **ret);

/*
 * Servers that ask for certificates: from now on a client must show one that leads to
 * these authorities. PG_INVALID.
 */
int pg_tls_require_client(struct pg_tls *server, const void *authorities, size_t len);

/* The subject of the peer's certificate, or "" where it showed none. */
void pg_tls_peer(const struct pg_conn *c, char *ret, size_t size);

/* "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", or "" before the handshake is done. */
const char *pg_tls_cipher(const struct pg_conn *c);

#ifdef __cplusplus
}
#endif
#endif
