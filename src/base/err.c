/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF_LIKE(3, 0)
static void put(struct err *err, size_t at, const char *fmt, va_list ap)
{
	if (at < sizeof(err->text))
		(void)vsnprintf(err->text + at, sizeof(err->text) - at, fmt, ap);
}

static void put_reason(struct err *err, int errnum)
{
	size_t len = strlen(err->text);

	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		       strerror(errnum));
}

int err_set(struct err *err, int pe, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		put(err, 0, fmt, ap);
		va_end(ap);
	}
	return pe;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		put(err, 0, fmt, ap);
		va_end(ap);
		put_reason(err, saved);
	}
	errno = saved;
	return saved > 0 ? -saved : -EIO;
}

int err_neg(struct err *err, int neg, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		put(err, 0, fmt, ap);
		va_end(ap);
		put_reason(err, -neg);
	}
	return neg;
}

int err_oom(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	if (!err)
		return;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	put(err, 0, fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
}

void err_append(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	put(err, strlen(err->text), fmt, ap);
	va_end(ap);
}
