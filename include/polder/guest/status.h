/* SPDX-License-Identifier: ISC */
/*
 * status.h - how a call went. A call lists which of these it returns.
 */
#ifndef POLDER_GUEST_STATUS_H
#define POLDER_GUEST_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pg_status {
	PG_OK = 0,
	PG_AGAIN = 1,     /* nothing to read now, or no room to write: pg_poll(), again */
	PG_INVALID = 2,   /* an argument breaks a rule of the call; nothing happened */
	PG_FAILED = 3,    /* the tender could not; it does not say why */
	PG_NOT_FOUND = 4, /* no device or file of that name */
	PG_NO_ENTROPY = 5, /* less than 256 good bits are known of: see entropy.h */
	PG_NO_MEMORY = 6
};

/* A few words in English for a person; never NULL, also for other numbers. */
const char *pg_strstatus(int status);

/*
 * The errno (newlib's numbers) that says the same: EAGAIN, EINVAL, EIO, ENODEV, EIO,
 * ENOMEM; 0 for PG_OK.
 */
int pg_errno(int status);

#ifdef __cplusplus
}
#endif
#endif
