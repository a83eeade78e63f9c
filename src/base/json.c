/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>

static void before_value(struct json *j)
{
	if (j->need_comma && !j->after_key)
		str_addc(j->out, ',');
	j->after_key = false;
	j->need_comma = true;
}

void json_open(struct json *j, char bracket)
{
	before_value(j);
	str_addc(j->out, bracket);
	j->depth++;
	j->need_comma = false;
}

void json_close(struct json *j, char bracket)
{
	assert(j->depth > 0 && !j->after_key);
	str_addc(j->out, bracket);
	j->depth--;
	j->need_comma = true;
}

/* The length of the UTF-8 sequence at s, 0 if it is not one. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80                 ? 1 :
		     s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     (s[0] & 0xf0) == 0xe0       ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 :
						   0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (len == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0)))
		return 0;
	if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)))
		return 0;
	return len;
}

/* U+202A to 202E, U+2066 to 2069: they have a terminal show something else than is there. */
static bool is_bidi(const unsigned char *s, size_t len)
{
	return len == 3 && s[0] == 0xe2 &&
	       ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

static void escaped(struct str *out, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	str_addc(out, '"');
	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(s + i, n - i);

		if (len == 0) {
			str_add(out, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (s[i] == '"' || s[i] == '\\')
			str_addf(out, "\\%c", s[i]);
		else if (s[i] == '\n')
			str_add(out, "\\n");
		else if (s[i] < 0x20 || s[i] == 0x7f)
			str_addf(out, "\\u%04x", s[i]);
		else if (len == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0)
			str_addf(out, "\\u%04x", s[i + 1]); /* controls too */
		else if (is_bidi(s + i, len))
			str_addf(out, "\\u20%02x", (s[i + 1] & 3) << 6 | (s[i + 2] & 63));
		else
			str_addn(out, text + i, len);
		i += len;
	}
	str_addc(out, '"');
}

void json_key(struct json *j, const char *key)
{
	assert(!j->after_key);
	before_value(j);
	escaped(j->out, key, strlen(key));
	str_addc(j->out, ':');
	j->after_key = true;
}

void json_strn(struct json *j, const char *value, size_t n)
{
	before_value(j);
	escaped(j->out, value, n);
}

void json_str(struct json *j, const char *value)
{
	if (value)
		json_strn(j, value, strlen(value));
	else
		json_null(j);
}

void json_int(struct json *j, int64_t value)
{
	before_value(j);
	str_addf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, bool value)
{
	before_value(j);
	str_add(j->out, value ? "true" : "false");
}

void json_null(struct json *j)
{
	before_value(j);
	str_add(j->out, "null");
}

void json_kstr(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_str(j, value);
}

void json_kint(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

void json_kbool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}
