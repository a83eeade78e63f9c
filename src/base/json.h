/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - writing JSON, without a library on the start path. (Reading is done by
 * libraries, off it.) Commas are placed by the writer; keys and strings are escaped;
 * bytes that are not UTF-8 become U+FFFD. Unbalanced calls are a bug and assert.
 */
#ifndef POLDER_BASE_JSON_H
#define POLDER_BASE_JSON_H

#include "base/str.h"

struct json {
	struct str *out;
	unsigned depth;
	bool need_comma, after_key;
};

#define JSON_INIT(str_out) ((struct json){ .out = (str_out) })

void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, const char *value); /* NULL writes null */
void json_strn(struct json *j, const char *value, size_t n);
void json_int(struct json *j, int64_t value);
void json_bool(struct json *j, bool value);
void json_null(struct json *j);
/* key and value in one */
void json_kstr(struct json *j, const char *key, const char *value);
void json_kint(struct json *j, const char *key, int64_t value);
void json_kbool(struct json *j, const char *key, bool value);

#endif
