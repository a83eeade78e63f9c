/* SPDX-License-Identifier: ISC */
/*
 * entropy.h - random bytes, and how much is known to be good about them.
 *
 * The ABIs have no call for it. The runtime keeps one generator (ChaCha20, whose key is
 * replaced after every use, so that what was given out before cannot be found from the
 * memory later) and feeds it from the processor's RDSEED, else RDRAND: at start, and at
 * every request again, so that two copies of one memory image go apart. What a processor
 * gives is counted as good only if it passes a plausibility check (instructions are
 * known that answer with constants).
 *
 * Without such a processor the generator knows of 0 bits, and pg_entropy() refuses: no
 * key can be made by mistake. A program that has a seed from elsewhere (a block device,
 * a peer that it trusts) adds it and says how good it is.
 *
 * getentropy() of the C library is pg_entropy() (EIO where that refuses), for at most
 * 256 bytes. rand() and random() are the C library's, seeded with a constant.
 */
#ifndef POLDER_GUEST_ENTROPY_H
#define POLDER_GUEST_ENTROPY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As many bits as make a key that cannot be guessed; more are not counted. */
#define PG_ENTROPY_FULL 256

/* Bits that are known to be good, 0 to PG_ENTROPY_FULL. */
unsigned pg_entropy_bits(void);

/* Where they come from, for a person: "rdseed", "rdrand", "added" or "none". */
const char *pg_entropy_source(void);

/*
 * Bytes fit for keys. PG_OK, or PG_NO_ENTROPY while pg_entropy_bits() is less than
 * PG_ENTROPY_FULL; buf is zeroed then. Never waits.
 */
int pg_entropy(void *buf, size_t len);

/*
 * Bytes that are good enough for what is no secret: port numbers, transaction numbers,
 * the order of a table. As good as pg_entropy() where that works; else from the clock
 * and what was added, which others may guess. Cannot fail.
 */
void pg_entropy_weak(void *buf, size_t len);

/*
 * Mixes a seed in. good_bits is what the caller vouches for: bits that nobody else can
 * know; 0 if it cannot tell, which never does harm.
 */
void pg_entropy_add(const void *seed, size_t len, unsigned good_bits);

#ifdef __cplusplus
}
#endif
#endif
