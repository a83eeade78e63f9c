/* SPDX-License-Identifier: ISC */
/* cc.h - the compiler and the machine, for lwIP. */
#ifndef POLDER_ARCH_CC_H
#define POLDER_ARCH_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER LITTLE_ENDIAN
#define SSIZE_MAX LONG_MAX
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#ifndef _SSIZE_T_DECLARED
#include <sys/types.h>
#endif

uint32_t pg_lwip_random(void);
void pg_lwip_broken(const char *what, const char *file, int line)
	__attribute__((noreturn));

#define LWIP_RAND() pg_lwip_random()
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(x) pg_lwip_broken(x, __FILE__, __LINE__)

/* One instruction each. */
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)

#endif
