/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - asking a tender something over its control socket.
 *
 * One connection, one request (docs/protocol.md). Errors: PE_NOTFOUND if it does not
 * run, PE_REFUSED with the tender's sentence, PE_BAD for an answer that makes no sense.
 */
#ifndef POLDER_LAUNCH_CLIENT_H
#define POLDER_LAUNCH_CLIENT_H

#include "base/err.h"
#include "base/str.h"
#include "state/registry.h"
#include "wire/ctl.h"

/* Sends; *ret_sock is the caller's, for client_answer. body may be NULL. */
int client_ask(struct registry *reg, const struct reg_entry *e, enum ctl_verb verb,
	       const struct str *body, const int *fds, size_t n_fds, int *ret_sock,
	       struct err *err);

struct client_answer {
	enum ctl_code code;
	int fd; /* -1 if none came; the caller's */
	struct str body;
	struct rbuf r; /* reads body */
};
/* Waits for one answer. CTL_REFUSED and CTL_STALE come as PE_REFUSED. */
int client_answer(int sock, struct client_answer *ret, struct err *err);
void client_answer_fini(struct client_answer *a);

/* ask, answer, nothing more. */
int client_call(struct registry *reg, const struct reg_entry *e, enum ctl_verb verb,
		const struct str *body, struct err *err);

/* "NAME/DEVICE": the far end of another unikernel's net device. It stays joined as long
 * as *ret_conn is open; that tells the end of the other, too. */
int client_join(struct registry *reg, const char *composition, const char *ref,
		int *ret_fd, int *ret_conn, struct err *err);

/* The same for a device that is in a guest already: end is tied to the other's. */
int client_tie(struct registry *reg, const char *composition, const char *ref, int end,
	       int *ret_conn, struct err *err);

/* "NAME/SERVER", as in env:NAME/SERVER, of the same composition. */
int client_open_server(struct registry *reg, const char *composition, const char *ref,
		       int *ret_mountfd, bool *ret_is_file, struct err *err);

#endif
