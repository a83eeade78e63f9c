/* SPDX-License-Identifier: ISC */
#include "internal.h"

#include <string.h>

void pg_console_write(const void *data, size_t len)
{
	if (len > 0)
		abi_console_write(data, len);
}

void pg_print(const char *text)
{
	if (!text)
		text = "(null)";
	pg_console_write(text, strlen(text));
}

void pg_println(const char *text)
{
	char line[256];
	size_t len;

	if (!text)
		text = "(null)";
	len = strlen(text);
	if (len < sizeof(line)) {
		memcpy(line, text, len);
		line[len] = '\n';
		pg_console_write(line, len + 1);
	} else {
		pg_console_write(text, len);
		pg_console_write("\n", 1);
	}
}

/* Digits from the end of buf backward; returns where they begin. */
static char *digits(uint64_t value, unsigned base, char *end)
{
	do {
		*--end = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	return end;
}

void pg_print_u64(uint64_t value)
{
	char buf[20], *p = digits(value, 10, buf + sizeof(buf));

	pg_console_write(p, (size_t)(buf + sizeof(buf) - p));
}

void pg_print_hex(uint64_t value)
{
	char buf[18], *p = digits(value, 16, buf + sizeof(buf));

	*--p = 'x';
	*--p = '0';
	pg_console_write(p, (size_t)(buf + sizeof(buf) - p));
}
