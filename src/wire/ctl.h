/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ctl.h - requests to a tender, and its answers.
 *
 * One SEQPACKET message each: a fixed head, then a body in the wire's form. A request
 * that is not for the generation that runs is refused with CTL_STALE. docs/protocol.md
 * specifies every verb; ctl_decode checks lengths, magic and version.
 */
#ifndef POLDER_WIRE_CTL_H
#define POLDER_WIRE_CTL_H

#include "base/err.h"
#include "wire/wire.h"

#define CTL_VERSION 1
#define CTL_MAX_BYTES (128u << 10)
#define CTL_MAX_FDS 3

enum ctl_verb {
	CTL_STATUS = 1, /* → text: JSON of requested beside enforced */
	CTL_SIGNAL,     /* u32 signal */
	CTL_STOP,       /* u32 signal, u64 timeout ms; answered when it has ended */
	CTL_PAUSE,
	CTL_RESUME,
	CTL_WAIT,    /* answered when it has ended: i32 wait status */
	CTL_ATTACH,  /* u16 rows, u16 cols; fd: a stream socket for the console */
	CTL_WINSIZE, /* u16 rows, u16 cols */
	CTL_EXEC, /* strings argv, strings envp, cwd, u8 tty, u16 rows, cols; fds 0, 1, 2 */
	CTL_OPEN,  /* name of an exposed server; → u8 is_file, fd: a detached mount */
	CTL_READY, /* answered when it is ready, or cannot be any more */
	CTL_JOIN, /* name of a net device; → fd: its far end; joined until the connection
		    * is closed. With fd, the end of one that runs: tied to that */
	CTL_GRANT, /* binding, u8 accept weaker; fd: the source, O_PATH → how, cut */
	CTL_ATTENUATE, /* slot, strings CARETAKER[=ARG] → the binding as it is now */
	CTL_REVOKE, /* slot, u8 to, u8 how → u8 complete, u32 files, u32 unfinished */
	CTL_VERB_COUNT
};

enum ctl_code {
	CTL_OK,
	CTL_STALE,   /* another generation */
	CTL_REFUSED, /* body: the sentence */
	CTL_ENDED,   /* body: i32 wait status */
	CTL_MASTER,  /* of CTL_EXEC: fd: the terminal's master; CTL_ENDED follows */
};

struct ctl_head {
	uint16_t verb;       /* of an answer: the request's */
	uint16_t code;       /* of an answer: enum ctl_code; of a request 0 */
	uint64_t generation; /* 0: whatever runs */
};

void ctl_encode(struct str *out, const struct ctl_head *head);
/* PE_BAD. On success *ret_body reads what follows the head. */
int ctl_decode(const void *buf, size_t len, struct ctl_head *ret, struct rbuf *ret_body,
	       struct err *err);

#endif
