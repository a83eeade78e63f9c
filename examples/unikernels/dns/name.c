/* SPDX-License-Identifier: ISC */
#include "zone.h"

#include <stdio.h>
#include <string.h>

size_t name_len(const uint8_t *name)
{
	size_t len = 1;

	while (name[len - 1])
		len += name[len - 1] + 1u;
	return len;
}

unsigned name_labels(const uint8_t *name)
{
	unsigned n = 0;

	for (; *name; name += *name + 1)
		n++;
	return n;
}

const uint8_t *name_parent(const uint8_t *name)
{
	return *name ? name + *name + 1 : NULL;
}

void name_lower(uint8_t *name)
{
	for (size_t i = 0; name[i]; i += name[i] + 1u)
		for (size_t k = 1; k <= name[i]; k++)
			if (name[i + k] >= 'A' && name[i + k] <= 'Z')
				name[i + k] += 'a' - 'A';
}

/* Where each label of a name begins; a name of 255 bytes has at most 127. */
static unsigned label_starts(const uint8_t *name, uint8_t starts[128])
{
	unsigned n = 0, at = 0;

	for (; name[at]; at += name[at] + 1u)
		starts[n++] = (uint8_t)at;
	return n;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	size_t shorter = *a < *b ? *a : *b;
	int r = memcmp(a + 1, b + 1, shorter);

	if (r)
		return r < 0 ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t in_a[128], in_b[128];
	unsigned n_a = label_starts(a, in_a), n_b = label_starts(b, in_b);
	int r;

	while (n_a && n_b) {
		r = label_compare(a + in_a[--n_a], b + in_b[--n_b]);
		if (r)
			return r;
	}
	return (n_a > 0) - (n_b > 0);
}

bool name_below(const uint8_t *a, const uint8_t *b)
{
	size_t len = name_len(b);
	size_t len_a = name_len(a);

	while (len_a > len) {
		len_a -= *a + 1u;
		a += *a + 1u;
	}
	return len_a == len && memcmp(a, b, len) == 0;
}

/*
 * A pointer must lead in front of the piece that it stands in. So every jump goes further
 * back, and the walk ends.
 */
bool name_read(const uint8_t *msg, size_t len, size_t *pos, uint8_t ret[DNS_NAME_MAX])
{
	size_t at = *pos, piece = at, out = 0;
	bool jumped = false;

	for (;;) {
		uint8_t c;

		if (at >= len)
			return false;
		c = msg[at];
		if (c >= 0xc0) {
			size_t target;

			if (at + 1 >= len)
				return false;
			target = (size_t)(c & 0x3f) << 8 | msg[at + 1];
			if (target >= piece)
				return false;
			if (!jumped)
				*pos = at + 2;
			jumped = true;
			at = piece = target;
			continue;
		}
		if (c > 63 || c > len - at - 1 || out + c + 1u > DNS_NAME_MAX - (c > 0))
			return false;
		memcpy(ret + out, msg + at, c + 1u);
		out += c + 1u;
		at += c + 1u;
		if (c == 0)
			break;
	}
	if (!jumped)
		*pos = at;
	return true;
}

int text_char(const char *text, size_t len, size_t *at)
{
	unsigned value = 0;

	if (text[*at] != '\\')
		return (uint8_t)text[(*at)++];
	if (++*at >= len)
		return -1;
	if (text[*at] < '0' || text[*at] > '9')
		return (uint8_t)text[(*at)++];
	for (int i = 0; i < 3; i++, ++*at) {
		if (*at >= len || text[*at] < '0' || text[*at] > '9')
			return -1;
		value = value * 10 + (unsigned)(text[*at] - '0');
	}
	return value < 256 ? (int)value : -1;
}

bool name_parse(const char *text, size_t len, const uint8_t *origin,
		uint8_t ret[DNS_NAME_MAX])
{
	size_t at = 0, out = 0;

	if (len == 1 && text[0] == '@' && origin) {
		memcpy(ret, origin, name_len(origin));
		return true;
	}
	if (len == 1 && text[0] == '.') {
		ret[0] = 0;
		return true;
	}
	if (len == 0)
		return false;
	while (at < len) {
		size_t label = out++, n = 0;

		while (at < len && text[at] != '.') {
			int c = text_char(text, len, &at);

			if (c < 0 || n == 63 || out >= DNS_NAME_MAX - 1)
				return false;
			ret[out++] = (uint8_t)c;
			n++;
		}
		if (n == 0 || label >= DNS_NAME_MAX - 1)
			return false;
		ret[label] = (uint8_t)n;
		if (at < len && ++at == len) { /* it ended with the dot */
			ret[out] = 0;
			return true;
		}
	}
	if (!origin || out + name_len(origin) > DNS_NAME_MAX)
		return false;
	memcpy(ret + out, origin, name_len(origin));
	return true;
}

void name_text(const uint8_t *name, char *ret, size_t size)
{
	size_t out = 0;

	if (*name == 0) {
		snprintf(ret, size, ".");
		return;
	}
	for (size_t i = 0; name[i] && out < size; i += name[i] + 1u) {
		for (size_t k = 1; k <= name[i] && out < size; k++) {
			uint8_t c = name[i + k];
			bool plain = c > 32 && c < 127 && c != '.' && c != '\\';

			out += (size_t)snprintf(ret + out, size - out,
						plain ? "%c" : "\\%03u", c);
		}
		if (out < size)
			out += (size_t)snprintf(ret + out, size - out, ".");
	}
}
