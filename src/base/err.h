/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err.h - the one error contract.
 *
 * A function that can fail returns int: zero is success, positive (PE_…) is a
 * documented outcome that the caller handles, negative is -errno, forwarded
 * unchanged. struct err lives on the caller's stack, is untouched on success and
 * carries the sentence that a person reads: what failed, on what, why, and what to
 * do. Libraries never print; the request boundary (a main(), a control request)
 * does, once.
 *
 * A NULL struct err is allowed everywhere: the sentence is dropped.
 */
#ifndef POLDER_BASE_ERR_H
#define POLDER_BASE_ERR_H

#include "base/auto.h"

#include <errno.h>

enum {
	PE_USAGE = 1,    /* the person's words are wrong */
	PE_NOTFOUND = 2, /* no such environment, slot, server, file */
	PE_BUSY = 3,     /* somebody else holds it, or it is running */
	PE_REFUSED = 4,  /* policy or kernel ability forbids it */
	PE_BAD = 5,      /* hostile or damaged input */
	PE_EXISTS = 6,
};

struct err {
	char text[768];
};

#define ERR_INIT ((struct err){ .text = "" })

/* Each returns what the caller returns: pe, -errno as it was on entry, -ENOMEM. */
int err_set(struct err *err, int pe, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As err_sys, for code that carries -errno in a value. neg is negative. */
int err_neg(struct err *err, int neg, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_oom(struct err *err);
/* Puts "prefix: " before the sentence. */
void err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a sentence at the end, " (…)" style left to the caller. */
void err_append(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
