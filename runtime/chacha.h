/* SPDX-License-Identifier: ISC */
/*
 * chacha.h - one block of ChaCha20 (RFC 8439). Pure; tested on the host.
 */
#ifndef POLDER_RUNTIME_CHACHA_H
#define POLDER_RUNTIME_CHACHA_H

#include <stdint.h>

void pg_chacha20_block(const uint8_t key[32], uint32_t counter, const uint8_t nonce[12],
		       uint8_t ret[64]);

#endif
