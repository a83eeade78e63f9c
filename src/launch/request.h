/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h - asking the program polder to start something, from a process that must
 * not become a tender itself (libpolder: the caller may have threads).
 *
 *	polder --start REQUESTFD ANSWERFD [ENDFD]
 *
 * Both ends are of one version or say so; neither trusts the other's lengths. Text that
 * is decoded points into the buffer. PE_BAD: damaged, or of another version.
 */
#ifndef POLDER_LAUNCH_REQUEST_H
#define POLDER_LAUNCH_REQUEST_H

#include "base/err.h"
#include "base/str.h"

#define REQUEST_MAX (1u << 20) /* bytes */
#define ANSWER_MAX 4096u       /* fits into a pipe, so that nobody waits for its reader */

struct start_request {
	const char *again; /* the id of a stopped one; "": record says what is new */
	bool keep, accept_weaker;
	const void *record; /* of record_encode */
	size_t record_len;
};

struct start_answer {
	int result;       /* 0, PE_… or -errno */
	int code;         /* where it is not 0: 125, 126 or 127 */
	const char *id;   /* hexadecimal; "" on failure */
	const char *text; /* the sentence; "" on success */
};

void request_encode(const struct start_request *q, struct str *out);
int request_decode(const void *buf, size_t len, struct start_request *ret,
		   struct err *err);
void answer_encode(const struct start_answer *a, struct str *out);
int answer_decode(const void *buf, size_t len, struct start_answer *ret, struct err *err);

#endif
