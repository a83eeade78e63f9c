/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POLDER_SOLO5_SOLO5_INTERNAL_H
#define POLDER_SOLO5_SOLO5_INTERNAL_H

#include "base/err.h"

/* Little-endian, at any address. */
static inline uint64_t le_get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline void le_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline int solo5_bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return PE_BAD;
}

#endif
