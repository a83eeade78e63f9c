/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"

#include <stdio.h>

void str_fini(struct str *s)
{
	free(s->p);
	*s = STR_INIT;
}

static bool grow(struct str *s, size_t more)
{
	size_t need, cap;
	char *p;

	if (s->failed || __builtin_add_overflow(s->len, more, &need) ||
	    __builtin_add_overflow(need, 1, &need)) {
		s->failed = true;
		return false;
	}
	if (s->p && need <= s->cap)
		return true;
	cap = MAX(need, MAX((size_t)64, s->cap + s->cap / 2));
	p = realloc(s->p, cap);
	if (!p) {
		s->failed = true;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void str_reserve(struct str *s, size_t more)
{
	(void)grow(s, more);
}

void str_addn(struct str *s, const void *bytes, size_t n)
{
	if (!grow(s, n))
		return;
	if (n > 0)
		memcpy(s->p + s->len, bytes, n);
	s->len += n;
	s->p[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !grow(s, (size_t)n)) {
		s->failed = true;
		return;
	}
	(void)vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	s->len += (size_t)n;
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

void str_add_printable(struct str *s, const char *text, size_t max)
{
	size_t n = strlen(text), cut = max && n > max ? max : n;

	while (cut < n && cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
		cut--; /* not in the middle of a character */
	for (size_t i = 0; i < cut; i++)
		str_addc(s, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' :
									       text[i]);
	if (cut < n)
		str_add(s, "…");
}

void str_clear(struct str *s)
{
	s->len = 0;
	if (s->p)
		s->p[0] = '\0';
}

char *str_take(struct str *s)
{
	char *p;

	if (!grow(s, 0)) {
		str_fini(s);
		return NULL;
	}
	s->p[s->len] = '\0';
	p = s->p;
	*s = STR_INIT;
	return p;
}

const char *str_text(const struct str *s)
{
	return s->p ? s->p : "";
}

char *str_printf(const char *fmt, ...)
{
	struct str s = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&s, fmt, ap);
	va_end(ap);
	return str_take(&s);
}

/* Reads digits at *s, moves *s past them; false on none or overflow. */
static bool digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*ret = v;
	*s = p;
	return true;
}

bool str_to_u64(const char *s, uint64_t *ret)
{
	uint64_t v;

	if (!digits(&s, &v) || *s)
		return false;
	*ret = v;
	return true;
}

bool str_to_bytes(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t v, mul = 1;
	const char *u;

	if (!digits(&s, &v))
		return false;
	if (*s && (u = strchr(units, *s >= 'a' ? *s - 'a' + 'A' : *s))) {
		mul = 1ULL << (10 * (u - units + 1));
		s++;
		if (*s == 'i')
			s++;
	}
	if (*s == 'B' || *s == 'b')
		s++;
	if (*s || __builtin_mul_overflow(v, mul, &v))
		return false;
	*ret_bytes = v;
	return true;
}

bool str_to_ms(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "", 1000 },       { "ms", 1 },          { "s", 1000 },
		      { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 86400 * 1000 } };
	uint64_t v;

	if (!digits(&s, &v))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (streq(s, units[i].name) &&
		    !__builtin_mul_overflow(v, units[i].ms, &v)) {
			*ret_ms = v;
			return true;
		}
	return false;
}

/* Insertions, deletions, changes, and two neighbours swapped; words cut at 31
 * characters. rows: this one, the one above, the one above that. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][32], la = MIN(strlen(a), (size_t)31),
			    lb = MIN(strlen(b), (size_t)31);

	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *row = rows[i % 3], *up = rows[(i + 2) % 3],
		       *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			bool same = a[i - 1] == b[j - 1];

			row[j] = MIN(MIN(up[j], row[j - 1]) + 1, up[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

const char *str_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t limit = strlen(word) <= 3 ? 1 :
		       strlen(word) <= 6 ? 2 :
					   3,
	       best_d = limit + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, names[i]);

		if (d < best_d) {
			best_d = d;
			best = names[i];
		}
	}
	return best;
}
