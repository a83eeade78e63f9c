/* SPDX-License-Identifier: ISC */
/*
 * http.c - requests are read, parts of answers written.
 *
 * Theory of operation
 *
 * The head of a request is hostile text of at most HTTP_HEAD_MAX bytes. It is read only
 * when it is whole, line by line; what is not understood is refused with a status and
 * ends the connection, because where the next request begins would be a guess. Lines may
 * end with a bare LF; a header that is continued on the next line, a space before the
 * colon, and two lengths are refused, as are bodies in effect: a request that has one is
 * answered, and the connection ends, so that no body is ever taken for a request.
 */
#include "http.h"

#include <stdio.h>
#include <string.h>

struct text {
	const char *p;
	size_t len;
};

static bool is(struct text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_nocase(struct text t, const char *lower_s)
{
	if (t.len != strlen(lower_s))
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (lower(t.p[i]) != lower_s[i])
			return false;
	return true;
}

static struct text trim(struct text t)
{
	while (t.len && (t.p[0] == ' ' || t.p[0] == '\t')) {
		t.p++;
		t.len--;
	}
	while (t.len && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* The line at the front of *rest without its end, which is taken off too. */
static bool next_line(struct text *rest, struct text *ret)
{
	const char *end = memchr(rest->p, '\n', rest->len);

	if (!end)
		return false;
	*ret = (struct text){ rest->p, (size_t)(end - rest->p) };
	rest->len -= ret->len + 1;
	rest->p = end + 1;
	if (ret->len && end[-1] == '\r')
		ret->len--;
	return true;
}

/* ---- the path ---- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without query and fragment, %XX resolved; no control characters, also none hidden. */
static bool decode(struct text t, char ret[HTTP_PATH_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < t.len && t.p[i] != '?' && t.p[i] != '#'; i++) {
		int c = (unsigned char)t.p[i];

		if (c == '%') {
			if (t.len - i < 3 || hex(t.p[i + 1]) < 0 || hex(t.p[i + 2]) < 0)
				return false;
			c = hex(t.p[i + 1]) << 4 | hex(t.p[i + 2]);
			i += 2;
		}
		if (c < 32 || c == 127 || n == HTTP_PATH_MAX - 1)
			return false;
		ret[n++] = (char)c;
	}
	ret[n] = 0;
	return true;
}

/* Segments of "." go; one of ".." takes the one before along, and none above the root. */
static bool normalise(char *path)
{
	char *out = path, *in = path;

	if (*path != '/')
		return false;
	while (*in) {
		size_t len;

		while (*in == '/')
			in++;
		len = strcspn(in, "/");
		if (len == 2 && in[0] == '.' && in[1] == '.') {
			if (out == path)
				return false;
			while (*--out != '/')
				;
		} else if (len && !(len == 1 && in[0] == '.')) {
			*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in += len;
		if (!*in && (len == 0 || in[-1] == '.') &&
		    (len == 0 || (len == 1 && in[-1] == '.') ||
		     (len == 2 && in[-1] == '.' && in[-2] == '.')))
			*out++ = '/'; /* it named a directory */
	}
	if (out == path)
		*out++ = '/';
	*out = 0;
	return true;
}

/* "/path", or "http://host/path" as clients of proxies send it. */
static bool read_target(struct text t, char ret[HTTP_PATH_MAX])
{
	if (t.len > 7 && (memcmp(t.p, "http://", 7) == 0)) {
		const char *slash = memchr(t.p + 7, '/', t.len - 7);

		if (!slash)
			return snprintf(ret, HTTP_PATH_MAX, "/") == 1;
		t.len -= (size_t)(slash - t.p);
		t.p = slash;
	}
	return decode(t, ret) && normalise(ret);
}

/* ---- lines ---- */

static int read_request_line(struct text line, struct http_request *q)
{
	const char *first = memchr(line.p, ' ', line.len), *second;
	struct text method, target, version;

	if (!first)
		return -400;
	method = (struct text){ line.p, (size_t)(first - line.p) };
	second = memchr(first + 1, ' ', line.len - method.len - 1);
	if (!second)
		return -400;
	target = (struct text){ first + 1, (size_t)(second - first - 1) };
	version = (struct text){ second + 1, line.len - method.len - target.len - 2 };
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0)
		return -400;
	if (!is(version, "HTTP/1.1") && !is(version, "HTTP/1.0"))
		return -505;
	q->keep_alive = version.p[7] == '1';
	if (is(method, "GET"))
		q->method = HTTP_GET;
	else if (is(method, "HEAD"))
		q->method = HTTP_HEAD;
	else
		return -405;
	return read_target(target, q->path) ? 0 : -400;
}

static bool read_number(struct text *t, uint64_t *ret)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < t->len && t->p[n] >= '0' && t->p[n] <= '9'; n++) {
		if (v > (UINT64_MAX >> 1) / 10 - 1)
			return false;
		v = v * 10 + (uint64_t)(t->p[n] - '0');
	}
	t->p += n;
	t->len -= n;
	*ret = v;
	return n > 0;
}

/* One range; several, or what is malformed, is as if there were none (RFC 9110 14.2). */
static void read_range(struct text t, struct http_request *q)
{
	uint64_t from = 0, to = UINT64_MAX - 1;

	if (t.len < 7 || memcmp(t.p, "bytes=", 6) != 0)
		return;
	t = trim((struct text){ t.p + 6, t.len - 6 });
	if (t.len && t.p[0] == '-') {
		t.p++;
		t.len--;
		if (!read_number(&t, &to) || t.len)
			return;
		from = UINT64_MAX;
	} else {
		if (!read_number(&t, &from) || !t.len || t.p[0] != '-')
			return;
		t.p++;
		t.len--;
		if (t.len && (!read_number(&t, &to) || t.len || to < from))
			return;
	}
	q->has_range = true;
	q->from = from;
	q->to = to;
}

static void copy_short(char ret[64], struct text t)
{
	if (t.len < 64) {
		memcpy(ret, t.p, t.len);
		ret[t.len] = 0;
	}
}

/* Whether a list of words has this one. */
static bool has_word(struct text t, const char *word)
{
	while (t.len) {
		const char *comma = memchr(t.p, ',', t.len);
		size_t len = comma ? (size_t)(comma - t.p) : t.len;

		if (is_nocase(trim((struct text){ t.p, len }), word))
			return true;
		t.p += len + (comma != NULL);
		t.len -= len + (comma != NULL);
	}
	return false;
}

static int read_header(struct text line, struct http_request *q, bool *has_host)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct text name, value;
	uint64_t length;

	if (!colon || colon == line.p)
		return -400;
	name = (struct text){ line.p, (size_t)(colon - line.p) };
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] == 127)
			return -400;
	value = trim((struct text){ colon + 1, line.len - name.len - 1 });
	if (is_nocase(name, "connection")) {
		if (has_word(value, "close"))
			q->keep_alive = false;
		else if (has_word(value, "keep-alive"))
			q->keep_alive = true;
	} else if (is_nocase(name, "content-length")) {
		if (!read_number(&value, &length) || value.len)
			return -400;
		q->has_body |= length > 0;
	} else if (is_nocase(name, "transfer-encoding")) {
		q->has_body = true;
	} else if (is_nocase(name, "range")) {
		read_range(value, q);
	} else if (is_nocase(name, "if-none-match")) {
		copy_short(q->if_none_match, value);
	} else if (is_nocase(name, "if-range")) {
		q->has_if_range = true;
		copy_short(q->if_range, value);
	} else if (is_nocase(name, "host")) {
		if (*has_host)
			return -400;
		*has_host = true;
	}
	return 0;
}

/* Up to and with the empty line; 0: it is not there yet. */
static size_t head_len(const char *buf, size_t len)
{
	const char *p = buf, *end = buf + len;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && *p == '\n')
			return (size_t)(p - buf) + 1;
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p - buf) + 2;
	}
	return 0;
}

int http_parse(const char *buf, size_t len, struct http_request *ret)
{
	bool has_host = false, first = true;
	size_t blank = 0, head;
	struct text rest, line;
	int r;

	memset(ret, 0, sizeof *ret);
	/* Empty lines before a request are allowed for (RFC 9112 2.2), a few of them. */
	while (blank < len && blank < 4 && (buf[blank] == '\r' || buf[blank] == '\n'))
		blank++;
	head = head_len(buf + blank, len - blank);
	if (head == 0 || head > HTTP_HEAD_MAX)
		return head > HTTP_HEAD_MAX || len - blank >= HTTP_HEAD_MAX ? -431 : 0;
	rest = (struct text){ buf + blank, head };
	while (next_line(&rest, &line) && (line.len || first)) {
		if (memchr(line.p, 0, line.len) || memchr(line.p, '\r', line.len))
			return -400;
		r = first ? read_request_line(line, ret) :
			    read_header(line, ret, &has_host);
		if (r < 0)
			return r;
		first = false;
	}
	ret->keep_alive &= !ret->has_body;
	return (int)(blank + head);
}

/* ---- for answers ---- */

int http_range(const struct http_request *q, uint64_t size, uint64_t *ret_from,
	       uint64_t *ret_to)
{
	*ret_from = 0;
	*ret_to = size - 1;
	if (!q->has_range || q->method != HTTP_GET)
		return 200;
	if (q->from == UINT64_MAX) {
		if (q->to == 0 || size == 0)
			return 416;
		*ret_from = q->to < size ? size - q->to : 0;
		return 206;
	}
	if (q->from >= size)
		return 416;
	*ret_from = q->from;
	*ret_to = q->to < size ? q->to : size - 1;
	return 206;
}

const char *http_type(const char *path)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".htm", "text/html; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".md", "text/markdown; charset=utf-8" },
		{ ".xml", "application/xml" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },
		{ ".gif", "image/gif" },
		{ ".webp", "image/webp" },
		{ ".avif", "image/avif" },
		{ ".ico", "image/vnd.microsoft.icon" },
		{ ".woff", "font/woff" },
		{ ".woff2", "font/woff2" },
		{ ".pdf", "application/pdf" },
		{ ".wasm", "application/wasm" },
		{ ".mp4", "video/mp4" },
		{ ".webm", "video/webm" },
		{ ".mp3", "audio/mpeg" },
		{ ".gz", "application/gzip" },
		{ ".zip", "application/zip" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (is_nocase((struct text){ dot, strlen(dot) }, types[i][0]))
			return types[i][1];
	return "application/octet-stream";
}

const char *http_reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 206: return "Partial Content";
	case 301: return "Moved Permanently";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 416: return "Range Not Satisfiable";
	case 431: return "Request Header Fields Too Large";
	case 505: return "HTTP Version Not Supported";
	default: return "Error";
	}
}

/* Days since 1970-03-01 have leap days at the end of each year of this calendar. */
void http_date(uint64_t seconds, char ret[HTTP_DATE_BYTES])
{
	static const char days[] = "ThuFriSatSunMonTueWed";
	static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
	uint64_t day = seconds / 86400, s = seconds % 86400;
	uint64_t z = day + 719468, era = z / 146097, of_era = z % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153,
		 of_month = of_year - (153 * month + 2) / 5;

	year += era * 400 + (month >= 10);
	snprintf(ret, HTTP_DATE_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		 days + day % 7 * 3, (unsigned)of_month + 1, months + month * 3,
		 (unsigned)(year % 10000), (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
		 (unsigned)(s % 60));
}
