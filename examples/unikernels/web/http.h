/* SPDX-License-Identifier: ISC */
/*
 * http.h - what a client of a static site may ask, as bytes. Plain C99 without a
 * socket, so that the same code is fuzzed and tested on the host.
 */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 4096 /* of a request, up to its empty line */
#define HTTP_PATH_MAX 512

enum http_method { HTTP_GET = 1, HTTP_HEAD };

struct http_request {
	enum http_method method;
	char path[HTTP_PATH_MAX]; /* decoded, begins with a slash, without "." and ".." */
	bool keep_alive;
	bool has_body; /* which is not read: the connection ends with the answer */
	bool has_range;
	uint64_t from,
		to; /* the first and the last byte; from UINT64_MAX: the last `to` */
	char if_none_match[64]; /* "" if there is none, or a longer one */
	char if_range[64];
	bool has_if_range;
};

/*
 * Reads a request's head from the front of buf. Above 0: the bytes that it has. 0: more
 * must come. Below 0: the status to refuse it with, negative; nothing behind it can be
 * understood.
 */
int http_parse(const char *buf, size_t len, struct http_request *ret);

/*
 * The bytes *ret_from to *ret_to (the last one) of size that a range asks for.
 * 200: all of it; 206; 416: none of it is there.
 */
int http_range(const struct http_request *q, uint64_t size, uint64_t *ret_from,
	       uint64_t *ret_to);

/* By the name's ending; never NULL. */
const char *http_type(const char *path);

const char *http_reason(int status);

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define HTTP_DATE_BYTES 30
void http_date(uint64_t seconds, char ret[HTTP_DATE_BYTES]);

#endif
