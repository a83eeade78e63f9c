/* SPDX-License-Identifier: ISC */
/*
 * console.h - text out. There is no text in: the ABIs have no way to read a console, and
 * standard input is at its end from the beginning.
 *
 * These do not go through stdio, are not buffered, and bring nothing of stdio into the
 * image. printf() and its like work as well, write the same bytes to the same place, and
 * cost code: 14 KB for stdio, 40 KB with the formats of printf(). Their buffer is flushed
 * at a newline (standard output) or at once (standard error). A program that mixes the
 * two calls fflush() in between.
 */
#ifndef POLDER_GUEST_CONSOLE_H
#define POLDER_GUEST_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes all of it; bytes are passed as they are. Cannot fail as far as the program can
 * tell: a console that nobody reads may hold the program up, or lose what was written.
 */
void pg_console_write(const void *data, size_t len);

/* A string, without a newline after it. NULL is written as "(null)". */
void pg_print(const char *text);

/* A string and a newline, in one write where it is no longer than 255 bytes. */
void pg_println(const char *text);

/* A number, in decimal and (with 0x before it) in hexadecimal digits. */
void pg_print_u64(uint64_t value);
void pg_print_hex(uint64_t value);

#ifdef __cplusplus
}
#endif
#endif
