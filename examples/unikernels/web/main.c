/* SPDX-License-Identifier: ISC */
/*
 * web - a static site out of the files that are sealed into the image.
 *
 *	/www/...            the site; "/" of a URL is /www/index.html
 *	/www/404.html       what is said where there is nothing, if there is such a file
 *	/tls/cert.pem       a certificate and those above it, and its
 *	/tls/key.pem        key: with both, HTTPS as well
 *
 *	--http=PORT, --https=PORT   80 and 443; 0: not at all
 *	--max=N                     connections at once, of each of the two (256)
 *
 * and the words of the network (net.h).
 *
 * Theory of operation
 *
 * A connection is a struct client: what came of a request so far, and what is left of the
 * answer: a head, and a piece of a file, which is never copied here. While an answer is
 * under way, nothing is read, so a client that sends request upon request and reads
 * nothing costs one buffer. Three clocks end a connection: a request's head must be whole
 * within HEAD_TIME of its first byte, an answer must be taken within ANSWER_TIME and a second for each
 * SLOWEST bytes, and between requests there may be IDLE_TIME.
 */
#include "http.h"

#include <polder/guest/guest.h>
#include <polder/guest/net.h>
#include <polder/guest/tls.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_TIME (10 * PG_SECOND)
#define IDLE_TIME (15 * PG_SECOND)
#define ANSWER_TIME (30 * PG_SECOND)
#define SLOWEST 4096u

PG_NET_DEVICE("service");

struct page {
	const struct pg_file *file;
	const char *type;
	char etag[20]; /* made at the first use */
};

struct client {
	char in[HTTP_HEAD_MAX];
	size_t in_len;
	char head[512];
	size_t head_at, head_len;
	const char *body;
	size_t body_left;
	bool answering, keep, at_end;
};

static struct page *pages;
static size_t n_pages;
static const struct page *not_found;

/* ---- the site ---- */

static int by_path(const void *key, const void *page)
{
	return strcmp(key, ((const struct page *)page)->file->path + 4);
}

/* path as in a URL; files are in the order of strcmp() already. */
static struct page *find(const char *path)
{
	return bsearch(path, pages, n_pages, sizeof *pages, by_path);
}

static bool load(void)
{
	pages = calloc(pg_file_count() + 1, sizeof *pages);
	for (size_t i = 0; pages && i < pg_file_count(); i++) {
		const struct pg_file *f = pg_file_at(i);

		if (strncmp(f->path, "/www/", 5) != 0)
			continue;
		pages[n_pages++] = (struct page){ .file = f, .type = http_type(f->path) };
	}
	not_found = n_pages ? find("/404.html") : NULL;
	return n_pages > 0;
}

/* Of the content, so that it changes when that does. */
static const char *etag_of(struct page *p)
{
	const uint8_t *data = p->file->data;
	uint64_t h = 0x9e3779b97f4a7c15u ^ p->file->size, w;

	if (p->etag[0])
		return p->etag;
	for (size_t left = p->file->size, n; left; left -= n, data += n) {
		n = left < 8 ? left : 8;
		w = 0;
		memcpy(&w, data, n);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	snprintf(p->etag, sizeof p->etag, "\"%016llx\"", (unsigned long long)h);
	return p->etag;
}

/* ---- answers ---- */

static const char *date_now(void)
{
	static char text[HTTP_DATE_BYTES];
	static uint64_t second = UINT64_MAX;
	uint64_t now = pg_loop_now() / PG_SECOND;

	if (now != second) {
		second = now;
		http_date(pg_clock_wall() / PG_SECOND, text);
	}
	return text;
}

__attribute__((format(printf, 2, 3))) static void head_add(struct client *cl,
							   const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(cl->head + cl->head_len, sizeof cl->head - cl->head_len, format,
		      ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof cl->head - cl->head_len)
		cl->head_len += (size_t)n;
}

/* The first lines of every answer; the body's length is what GET would bring. */
static void begin(struct client *cl, int status, const char *type, uint64_t length)
{
	cl->head_at = cl->head_len = 0;
	cl->body = NULL;
	cl->body_left = 0;
	cl->answering = true;
	head_add(cl, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status),
		 date_now());
	if (status != 304)
		head_add(cl, "Content-Length: %llu\r\n", (unsigned long long)length);
	if (type)
		head_add(cl, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n",
			 type);
}

static void end(struct client *cl)
{
	head_add(cl, "Connection: %s\r\n\r\n", cl->keep ? "keep-alive" : "close");
}

static void answer_plain(struct client *cl, const struct http_request *q, int status)
{
	const char *text = http_reason(status);

	begin(cl, status, "text/plain; charset=utf-8", strlen(text));
	if (status == 405)
		head_add(cl, "Allow: GET, HEAD\r\n");
	end(cl);
	if (!q || q->method != HTTP_HEAD) {
		cl->body = text;
		cl->body_left = strlen(text);
	}
}

static void answer_missing(struct client *cl, const struct http_request *q)
{
	if (!not_found) {
		answer_plain(cl, q, 404);
		return;
	}
	begin(cl, 404, not_found->type, not_found->file->size);
	end(cl);
	if (q->method == HTTP_GET) {
		cl->body = not_found->file->data;
		cl->body_left = not_found->file->size;
	}
}

static void answer_page(struct client *cl, const struct http_request *q, struct page *p)
{
	uint64_t size = p->file->size, from, to;
	const char *etag = etag_of(p);
	int status = http_range(q, size, &from, &to);

	if (q->has_if_range && strcmp(q->if_range, etag) != 0) {
		status = 200;
		from = 0;
		to = size - 1;
	}
	if (strstr(q->if_none_match, etag) || strcmp(q->if_none_match, "*") == 0)
		status = 304;
	begin(cl, status, status == 304 || status == 416 ? NULL : p->type,
	      status == 416 ? 0 : to - from + 1);
	head_add(cl, "ETag: %s\r\nAccept-Ranges: bytes\r\n", etag);
	if (status == 206)
		head_add(cl, "Content-Range: bytes %llu-%llu/%llu\r\n",
			 (unsigned long long)from, (unsigned long long)to,
			 (unsigned long long)size);
	if (status == 416)
		head_add(cl, "Content-Range: bytes */%llu\r\n", (unsigned long long)size);
	end(cl);
	if ((status == 200 || status == 206) && q->method == HTTP_GET) {
		cl->body = (const char *)p->file->data + from;
		cl->body_left = (size_t)(to - from + 1);
	}
}

/* "/dir" is "/dir/", where that has an index: the browser has to know. The path is
 * written back with everything escaped that is not plain. */
static void answer_moved(struct client *cl, const struct http_request *q)
{
	char to[sizeof cl->head / 2];
	size_t n = 0;

	for (const char *p = q->path; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("/-._~", *p);

		if (n + 5 > sizeof to) {
			answer_missing(cl, q);
			return;
		}
		n += (size_t)snprintf(to + n, sizeof to - n, plain ? "%c" : "%%%02X",
				      (unsigned char)*p);
	}
	to[n] = 0;
	begin(cl, 301, NULL, 0);
	head_add(cl, "Location: %s/\r\n", to);
	end(cl);
}

static void answer(struct client *cl, const struct http_request *q)
{
	char path[HTTP_PATH_MAX + 16];
	size_t len = strlen(q->path);
	struct page *p;

	snprintf(path, sizeof path, "%s%s", q->path,
		 q->path[len - 1] == '/' ? "index.html" : "");
	p = find(path);
	if (p) {
		answer_page(cl, q, p);
		return;
	}
	snprintf(path, sizeof path, "%s/index.html", q->path);
	if (q->path[len - 1] != '/' && find(path))
		answer_moved(cl, q);
	else
		answer_missing(cl, q);
}

/* ---- connections ---- */

static void finish(struct pg_conn *c, struct client *cl)
{
	pg_conn_close(c);
	free(cl);
}

/* PG_OK: all of it is written. PG_AGAIN; PG_FAILED. */
static int send_answer(struct pg_conn *c, struct client *cl)
{
	size_t n;
	int r;

	while (cl->head_at < cl->head_len) {
		r = pg_conn_write(c, cl->head + cl->head_at, cl->head_len - cl->head_at,
				  &n);
		if (r != PG_OK)
			return r;
		cl->head_at += n;
	}
	while (cl->body_left) {
		r = pg_conn_write_static(c, cl->body, cl->body_left, &n);
		if (r != PG_OK)
			return r;
		cl->body += n;
		cl->body_left -= n;
	}
	cl->answering = false;
	return PG_OK;
}

/* What is there of the next request becomes an answer. false: it is not whole yet. */
static bool take_request(struct pg_conn *c, struct client *cl)
{
	struct http_request q;
	int r = http_parse(cl->in, cl->in_len, &q);

	if (r == 0)
		return false;
	if (r < 0) {
		cl->keep = false;
		answer_plain(cl, NULL, -r);
	} else {
		cl->keep = q.keep_alive;
		answer(cl, &q);
		cl->in_len -= (size_t)r;
		memmove(cl->in, cl->in + r, cl->in_len);
	}
	pg_conn_deadline(c, pg_loop_now() + ANSWER_TIME +
				    cl->body_left / SLOWEST * PG_SECOND);
	return true;
}

/* As read; PG_NOT_FOUND: the client has said its last. */
static int fill(struct pg_conn *c, struct client *cl)
{
	bool was_empty = cl->in_len == 0;
	size_t n;
	int r = pg_conn_read(c, cl->in + cl->in_len, sizeof cl->in - cl->in_len, &n);

	if (r != PG_OK)
		return r;
	if (n == 0)
		return PG_NOT_FOUND;
	cl->in_len += n;
	if (was_empty)
		pg_conn_deadline(c, pg_loop_now() + HEAD_TIME);
	return PG_OK;
}

/* Does what can be done now; false: the connection is over. */
static bool serve(struct pg_conn *c, struct client *cl)
{
	int r;

	for (;;) {
		if (cl->answering) {
			r = send_answer(c, cl);
			if (r != PG_OK)
				return r == PG_AGAIN;
			if (!cl->keep)
				return false;
			pg_conn_deadline(c, cl->in_len ? pg_loop_now() + HEAD_TIME :
							 PG_NEVER);
		}
		if (cl->in_len && take_request(c, cl))
			continue;
		r = fill(c, cl);
		if (r != PG_OK)
			return r == PG_AGAIN;
	}
}

static void on_client(struct pg_conn *c, unsigned events, void *arg)
{
	struct client *cl = arg;

	if (!cl) {
		cl = calloc(1, sizeof *cl);
		if (!cl) {
			pg_conn_abort(c);
			return;
		}
		pg_conn_set(c, on_client, cl);
		pg_conn_deadline(c, pg_loop_now() + HEAD_TIME);
	}
	if (events & PG_CONN_END || !serve(c, cl))
		finish(c, cl);
}

/* ---- start ---- */

static bool read_number(const char *word, const char *name, unsigned max, unsigned *ret)
{
	size_t len = strlen(name);
	char *rest;
	unsigned long v;

	if (strncmp(word, name, len) != 0)
		return false;
	v = strtoul(word + len, &rest, 10);
	if (*rest || !word[len] || v > max) {
		printf("web: %s: want a number from 0 to %u\n", word, max);
		exit(1);
	}
	*ret = (unsigned)v;
	return true;
}

static bool listen_on(unsigned port, unsigned max, struct pg_tls *tls)
{
	struct pg_listen how = { .port = (uint16_t)port,
				 .max = max,
				 .idle = IDLE_TIME,
				 .tls = tls,
				 .fn = on_client };

	if (pg_listen(&how, NULL) == PG_OK)
		return true;
	printf("web: port %u cannot be used\n", port);
	return false;
}

/* NULL where the image has no certificate; ends the program where it has a bad one. */
static struct pg_tls *load_tls(void)
{
	const struct pg_file *cert = pg_file_find("/tls/cert.pem");
	const struct pg_file *key = pg_file_find("/tls/key.pem");
	struct pg_tls *tls;
	char why[PG_TLS_WHY];

	if (!cert && !key)
		return NULL;
	if (!cert || !key) {
		printf("web: /tls/cert.pem and /tls/key.pem go together\n");
		exit(1);
	}
	if (pg_tls_server(&(struct pg_tls_identity){ cert->data, cert->size, key->data,
						     key->size },
			  &tls, why) != PG_OK) {
		printf("web: no HTTPS: %s\n", why);
		exit(1);
	}
	return tls;
}

int main(int argc, char **argv)
{
	unsigned http = 80, https = 443, max = 256;
	struct pg_tls *tls;

	if (pg_ip_start(&argc, argv) != PG_OK)
		return 1;
	for (int i = 1; i < argc; i++) {
		if (!read_number(argv[i], "--http=", 65535, &http) &&
		    !read_number(argv[i], "--https=", 65535, &https) &&
		    !read_number(argv[i], "--max=", 1000, &max)) {
			printf("web: '%s' is not known here\n", argv[i]);
			return 1;
		}
	}
	if (!load()) {
		printf("web: the image has no files below /www\n");
		return 1;
	}
	tls = https ? load_tls() : NULL;
	if ((http && !listen_on(http, max, NULL)) || (tls && !listen_on(https, max, tls)))
		return 1;
	while (pg_ip_wait(pg_deadline_in(10 * PG_SECOND)) != PG_OK)
		pg_println("web: waiting for an address");
	pg_ip_print();
	printf("web: ready, %u files%s\n", (unsigned)n_pages, tls ? ", with TLS" : "");
	fflush(stdout);
	pg_loop_run();
	return 0;
}
