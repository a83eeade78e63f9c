/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.h - descriptors: whole reads and writes, small files, messages that carry
 * descriptors.
 *
 * Ownership: a descriptor that is passed in is borrowed; one that comes out in ret_…
 * is the caller's, and is close-on-exec. -1 is "none".
 *
 * Errors: -errno with a sentence, PE_BAD for a message that is not what was agreed.
 * Interrupted calls are repeated; a close never is.
 */
#ifndef POLDER_BASE_FD_H
#define POLDER_BASE_FD_H

#include "base/err.h"

#include <sys/types.h>

/* The most descriptors in one message, the kernel's own limit (SCM_MAX_FD). */
#define FD_MESSAGE_MAX 253

/* All of it or an error; len in bytes. */
int fd_write_all(int fd, const void *data, size_t len, struct err *err);

/*
 * Up to the end of the file or max bytes, whatever comes first; *ret_len says how many.
 * Reads from the descriptor's position.
 */
int fd_read_full(int fd, void *buf, size_t max, size_t *ret_len, struct err *err);

/*
 * The whole of a file, NUL-terminated for convenience (*ret_len does not count that);
 * the caller frees *ret. -EFBIG: it is longer than max bytes. Symbolic links are
 * followed; a FIFO or a device is never waited for. ret_len may be NULL.
 */
int fd_read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
		    struct err *err);

enum fd_write { FD_WRITE_PLAIN, FD_WRITE_SYNC };

/*
 * Replaces a file at once: PATH.new is written and renamed, so that a reader sees the
 * old or the new content and a crash leaves one of them. FD_WRITE_SYNC: it is on the
 * disk when this returns. Two writers of one path must be kept apart by the caller.
 */
int fd_write_file_at(int dirfd, const char *path, const void *data, size_t len,
		     mode_t mode, enum fd_write how, struct err *err);

/*
 * One message on a SOCK_SEQPACKET or SOCK_DGRAM socket. fds may be NULL when n_fds is
 * 0. -EAGAIN (a non-blocking socket is full) comes without a sentence.
 */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
	    struct err *err);

/*
 * Receives one. *ret_len is 0 when the peer has closed. Descriptors come
 * close-on-exec. PE_BAD: the message is longer than max bytes or carries more than
 * max_fds descriptors; all of them are closed then. -EAGAIN without a sentence.
 */
int fd_recv(int sock, void *buf, size_t max, size_t *ret_len, int *ret_fds,
	    size_t max_fds, size_t *ret_n_fds, struct err *err);

int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);

/*
 * A close-on-exec duplicate numbered at least min, so that the low numbers are free for
 * an explicit list of what a child inherits. Returns the number or -errno.
 */
int fd_dup_above(int fd, int min);

/* Closes every descriptor but keep[0..n), which must be ascending. 0 or -errno. */
int fd_close_but(const int *keep, size_t n);

/* Closes every descriptor above 2 that is not close-on-exec: ours are, from their birth,
 * and the others came with the program's start. */
void fd_close_foreign(void);

void fd_close_list(const int *fds, size_t n);

#endif
