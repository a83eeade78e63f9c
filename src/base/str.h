/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * str.h - a growing string, and reading numbers that people write.
 *
 * struct str starts as STR_INIT, owns .p, and is released by str_fini (or auto_str).
 * .p is NULL or NUL-terminated. Running out of memory sets .failed and makes later
 * calls do nothing, so that a builder checks once, at the end.
 */
#ifndef POLDER_BASE_STR_H
#define POLDER_BASE_STR_H

#include "base/auto.h"

#include <stdarg.h>
#include <string.h>

struct str {
	char *p;
	size_t len, cap;
	bool failed;
};

#define STR_INIT ((struct str){ 0 })

void str_fini(struct str *s);
#define auto_str __attribute__((cleanup(str_fini))) struct str

void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void str_vaddf(struct str *s, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* For a person's terminal: control characters become spaces. At most max bytes are taken
 * (0: all), and "…" says that there was more. */
void str_add_printable(struct str *s, const char *text, size_t max);
void str_clear(struct str *s);
/* Makes room for that many bytes at once, where it is known about how many will come. */
void str_reserve(struct str *s, size_t more);
/* Moves the text out ("" if nothing was added); NULL if memory ran out. */
char *str_take(struct str *s);
const char *str_text(const struct str *s);

/* Allocating formats; NULL when memory ran out. */
char *str_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * Whole-string readers; each false leaves *ret untouched.
 * bytes:    "512", "64K", "256M", "2G", "1T" (powers of 1024; an ending B, iB allowed)
 * duration: "250ms", "10s", "10m", "2h", "1d"; a bare number is seconds. In ms.
 */
bool str_to_u64(const char *s, uint64_t *ret);
bool str_to_bytes(const char *s, uint64_t *ret_bytes);
bool str_to_ms(const char *s, uint64_t *ret_ms);

/* Of names[0..n), the nearest to word if it is near enough to be a slip; else NULL. */
const char *str_nearest(const char *word, const char *const *names, size_t n);

#endif
