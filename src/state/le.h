/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* le.h - numbers in little-endian bytes, wherever they lie. */
#ifndef POLDER_STATE_LE_H
#define POLDER_STATE_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define LE_PAIR(bits)                                                                    \
	static inline void le##bits##_put(void *at, uint##bits##_t value)                \
	{                                                                                \
		value = htole##bits(value);                                              \
		memcpy(at, &value, sizeof(value));                                       \
	}                                                                                \
	static inline uint##bits##_t le##bits##_get(const void *at)                      \
	{                                                                                \
		uint##bits##_t value;                                                    \
                                                                                         \
		memcpy(&value, at, sizeof(value));                                       \
		return le##bits##toh(value);                                             \
	}

LE_PAIR(16)
LE_PAIR(32)
LE_PAIR(64)

#endif
