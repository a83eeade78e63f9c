/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem.c - what the compiler and the shared sources call of a libc. Byte by byte where it
 * is a few bytes, by the processor's own instruction where it may be more.
 */
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *p = to;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int value, size_t n)
{
	void *p = to;

	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (size_t i = 0; i < n; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

void *memchr(const void *from, int value, size_t n)
{
	const unsigned char *p = from;

	for (size_t i = 0; i < n; i++)
		if (p[i] == (unsigned char)value)
			return (void *)&p[i];
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}
