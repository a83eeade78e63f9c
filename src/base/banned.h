/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * banned.h - functions that this project does not call.
 *
 * The build includes this file before every source of our own (-include), so a use
 * fails to compile wherever it stands. A banned name becomes an undeclared one that
 * says why. Macros rather than "#pragma GCC poison": headers of libraries mention some
 * of these names, and only an expansion in our code is an error.
 *
 * The headers that declare the names come first, so that the declarations themselves
 * are never rewritten.
 */
#if !defined(POLDER_BASE_BANNED_H) && !defined(__ASSEMBLER__)
#define POLDER_BASE_BANNED_H

#include <alloca.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

#define POLDER_BANNED(name, instead) name##_is_banned_use_##instead

/* No bound on what is written. */
#undef strcpy
#define strcpy(d, s) POLDER_BANNED(strcpy, snprintf)
#undef stpcpy
#define stpcpy(d, s) POLDER_BANNED(stpcpy, snprintf)
#undef strcat
#define strcat(d, s) POLDER_BANNED(strcat, str_add)
#undef strncat
#define strncat(d, s, n) POLDER_BANNED(strncat, str_add)
#undef sprintf
#define sprintf(...) POLDER_BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) POLDER_BANNED(vsprintf, vsnprintf)
#undef gets
#define gets(s) POLDER_BANNED(gets, getline)

/* State hidden between calls. */
#undef strtok
#define strtok(s, d) POLDER_BANNED(strtok, strchr)

/* No way to see that the text was no number, or too big a one. */
#undef atoi
#define atoi(s) POLDER_BANNED(atoi, str_to_u64)
#undef atol
#define atol(s) POLDER_BANNED(atol, str_to_u64)
#undef atoll
#define atoll(s) POLDER_BANNED(atoll, str_to_u64)

/* The stack grows by what somebody else says. */
#undef alloca
#define alloca(n) POLDER_BANNED(alloca, malloc)

/* A name that somebody else can take between asking and opening. */
#undef tmpnam
#define tmpnam(s) POLDER_BANNED(tmpnam, mkstemp)
#undef tempnam
#define tempnam(d, p) POLDER_BANNED(tempnam, mkstemp)
#undef mktemp
#define mktemp(t) POLDER_BANNED(mktemp, mkstemp)

#endif
