/* SPDX-License-Identifier: ISC */
/* identity.c - who we are and whom we trust: certificates and keys become a struct pg_tls. */
#include "tls-internal.h"

#include <polder/guest/entropy.h>

#include "mbedtls/platform_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what mbedTLS asks of a system ---- */

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *t, struct tm *ret)
{
	return gmtime_r(t, ret);
}

int pg_tls_random(void *unused, unsigned char *buf, size_t len)
{
	(void)unused;
	return pg_entropy(buf, len) == PG_OK ? 0 : PG_TLS_NO_ENTROPY;
}

/* ---- reading ---- */

static int refuse(char why[PG_TLS_WHY], int status, const char *text)
{
	snprintf(why, PG_TLS_WHY, "%s", text);
	return status;
}

static int check_entropy(char why[PG_TLS_WHY])
{
	unsigned char probe[16];
	int r = pg_entropy(probe, sizeof probe);

	if (r == PG_OK)
		return PG_OK;
	return refuse(
		why, PG_NO_ENTROPY,
		"there is no good source of random numbers, so no key would be safe");
}

/* PEM is text, and mbedTLS wants the zero behind it counted. */
static unsigned char *with_zero(const void *data, size_t len, size_t *ret_len)
{
	unsigned char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, data, len);
	copy[len] = 0;
	*ret_len = strstr((char *)copy, "-----BEGIN ") ? len + 1 : len;
	return copy;
}

static int read_certs(mbedtls_x509_crt *ret, const void *data, size_t len)
{
	size_t n = 0;
	unsigned char *copy = len ? with_zero(data, len, &n) : NULL;
	int r = copy ? mbedtls_x509_crt_parse(ret, copy, n) : -1;

	free(copy);
	return r;
}

static int read_key(mbedtls_pk_context *ret, const void *data, size_t len)
{
	size_t n = 0;
	unsigned char *copy = len ? with_zero(data, len, &n) : NULL;
	int r = copy ? mbedtls_pk_parse_key(ret, copy, n, NULL, 0) : -1;

	if (copy)
		mbedtls_platform_zeroize(copy, len);
	free(copy);
	return r;
}

static int set_identity(struct pg_tls *t, const struct pg_tls_identity *id,
			char why[PG_TLS_WHY])
{
	if (read_certs(&t->cert, id->cert, id->cert_len) != 0)
		return refuse(why, PG_INVALID, "the certificate cannot be read");
	if (read_key(&t->key, id->key, id->key_len) != 0)
		return refuse(why, PG_INVALID,
			      "the key cannot be read (encrypted keys are not)");
	if (mbedtls_pk_check_pair(&t->cert.pk, &t->key) != 0)
		return refuse(why, PG_INVALID, "the key is not that of the certificate");
	if (mbedtls_ssl_conf_own_cert(&t->conf, &t->cert, &t->key) != 0)
		return refuse(why, PG_NO_MEMORY, "out of memory");
	return PG_OK;
}

/* ---- struct pg_tls ---- */

static void tls_free(struct pg_tls *t)
{
	mbedtls_ssl_cache_free(&t->cache);
	mbedtls_ssl_config_free(&t->conf);
	mbedtls_pk_free(&t->key);
	mbedtls_x509_crt_free(&t->cert);
	mbedtls_x509_crt_free(&t->authorities);
	free(t);
}

static struct pg_tls *tls_new(bool is_server)
{
	static const mbedtls_ecp_group_id curves[] = { MBEDTLS_ECP_DP_SECP256R1,
						       MBEDTLS_ECP_DP_CURVE25519,
						       MBEDTLS_ECP_DP_SECP384R1,
						       MBEDTLS_ECP_DP_NONE };
	struct pg_tls *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->is_server = is_server;
	mbedtls_ssl_config_init(&t->conf);
	mbedtls_ssl_cache_init(&t->cache);
	mbedtls_x509_crt_init(&t->cert);
	mbedtls_x509_crt_init(&t->authorities);
	mbedtls_pk_init(&t->key);
	if (mbedtls_ssl_config_defaults(
		    &t->conf, is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
		    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		tls_free(t);
		return NULL;
	}
	mbedtls_ssl_conf_min_version(&t->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_curves(&t->conf, curves);
	mbedtls_ssl_conf_rng(&t->conf, pg_tls_random, NULL);
	return t;
}

int pg_tls_server(const struct pg_tls_identity *id, struct pg_tls **ret,
		  char why[PG_TLS_WHY])
{
	struct pg_tls *t;
	int r = check_entropy(why);

	if (r != PG_OK)
		return r;
	t = tls_new(true);
	if (!t)
		return refuse(why, PG_NO_MEMORY, "out of memory");
	r = set_identity(t, id, why);
	if (r != PG_OK) {
		tls_free(t);
		return r;
	}
	mbedtls_ssl_cache_set_max_entries(&t->cache, 64);
	mbedtls_ssl_cache_set_timeout(&t->cache, 3600);
	mbedtls_ssl_conf_session_cache(&t->conf, &t->cache, mbedtls_ssl_cache_get,
				       mbedtls_ssl_cache_set);
	pg_tls_use();
	*ret = t;
	return PG_OK;
}

int pg_tls_require_client(struct pg_tls *server, const void *authorities, size_t len)
{
	if (!server->is_server || server->authorities.version ||
	    read_certs(&server->authorities, authorities, len) != 0)
		return PG_INVALID;
	mbedtls_ssl_conf_ca_chain(&server->conf, &server->authorities, NULL);
	mbedtls_ssl_conf_authmode(&server->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	return PG_OK;
}

static int set_trust(struct pg_tls *t, const struct pg_tls_trust *trust,
		     char why[PG_TLS_WHY])
{
	if (trust->trust_anybody) {
		if (trust->authorities)
			return refuse(why, PG_INVALID,
				      "authorities and trust_anybody exclude each other");
		mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_NONE);
	} else {
		/* Above 0 it counts the certificates that could not be read. */
		if (read_certs(&t->authorities, trust->authorities,
			       trust->authorities_len) < 0 ||
		    !t->authorities.version)
			return refuse(
				why, PG_INVALID,
				"the certificates of the authorities cannot be read");
		mbedtls_ssl_conf_ca_chain(&t->conf, &t->authorities, NULL);
		mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	}
	return trust->id ? set_identity(t, trust->id, why) : PG_OK;
}

int pg_tls_client(const struct pg_tls_trust *trust, struct pg_tls **ret,
		  char why[PG_TLS_WHY])
{
	struct pg_tls *t;
	int r = check_entropy(why);

	if (r != PG_OK)
		return r;
	t = tls_new(false);
	if (!t)
		return refuse(why, PG_NO_MEMORY, "out of memory");
	r = set_trust(t, trust, why);
	if (r != PG_OK) {
		tls_free(t);
		return r;
	}
	pg_tls_use();
	*ret = t;
	return PG_OK;
}
