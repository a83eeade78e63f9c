/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auto.h - scope-bound ownership and the handful of macros every file uses.
 *
 * auto_free and auto_fd release what they hold when the scope ends; TAKE_PTR and
 * TAKE_FD move ownership out, leaving NULL or -1 behind.
 */
#ifndef POLDER_BASE_AUTO_H
#define POLDER_BASE_AUTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_USE __attribute__((warn_unused_result))

static inline void auto_free_p(void *p)
{
	free(*(void **)p);
}
#define auto_free __attribute__((cleanup(auto_free_p)))

static inline void auto_fd_p(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* never retried: on Linux the descriptor is gone */
	*fd = -1;
}
#define auto_fd __attribute__((cleanup(auto_fd_p))) int

#define TAKE_PTR(p)                                                                      \
	({                                                                               \
		__typeof__(p) take_ptr_ = (p);                                           \
		(p) = NULL;                                                              \
		take_ptr_;                                                               \
	})

#define TAKE_FD(fd)                                                                      \
	({                                                                               \
		int take_fd_ = (fd);                                                     \
		(fd) = -1;                                                               \
		take_fd_;                                                                \
	})

#endif
