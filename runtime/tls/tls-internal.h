/* SPDX-License-Identifier: ISC */
#ifndef POLDER_TLS_INTERNAL_H
#define POLDER_TLS_INTERNAL_H

#include <polder/guest/tls.h>

#include "mbedtls/ssl.h"
#include "mbedtls/ssl_cache.h"

#define PG_TLS_NO_ENTROPY (-0x003C) /* as mbedTLS's own entropy source would say */

struct pg_tls {
	bool is_server;
	mbedtls_ssl_config conf;
	mbedtls_ssl_cache_context cache;
	mbedtls_x509_crt cert, authorities;
	mbedtls_pk_context key;
};

int pg_tls_random(void *unused, unsigned char *buf, size_t len);
/* From now on listeners can be given one. */
void pg_tls_use(void);

#endif
