/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lockdown.h - what a task gives up before untrusted code runs in it.
 *
 * All return 0 or -errno and use raw system calls only: they run in tasks that share
 * memory with another.
 */
#ifndef POLDER_SANDBOX_LOCKDOWN_H
#define POLDER_SANDBOX_LOCKDOWN_H

#include <stdbool.h>
#include <stdint.h>

/* Capabilities of identity=own,root, inside its own user namespace. */
#define LOCKDOWN_ROOT_CAPS                                                               \
	(1ull << 0 /* CHOWN */ | 1ull << 1 /* DAC_OVERRIDE */ | 1ull << 3 /* FOWNER */ | \
	 1ull << 4 /* FSETID */ | 1ull << 5 /* KILL */ | 1ull << 6 /* SETGID */ |        \
	 1ull << 7 /* SETUID */ | 1ull << 10 /* NET_BIND_SERVICE */ |                    \
	 1ull << 31 /* SETFCAP */)

/* Keeps exactly these capabilities: bounding, permitted, effective; none inheritable or
 * ambient. */
int lockdown_caps(uint64_t keep);
int lockdown_no_new_privs(void);
/* root_identity: setuid programs may be made. */
int lockdown_filter(bool root_identity);
/* The ABI of Landlock; 0 where there is none. */
int lockdown_landlock_abi(void);
/* Landlock as the second wall: everything beneath "/", nothing outside; redirected
 * files in fd[0..3) may be reopened only as they are open. Abstract sockets and (if
 * scope_signals) signals stay inside, where the kernel knows how. */
int lockdown_landlock(const int *fd, bool scope_signals);
/* Landlock for a task that needs no file any more: no path can be opened, made or
 * connected to, no TCP port used, nothing outside signalled; as far as the kernel knows
 * how. */
int lockdown_landlock_nothing(void);
/* The same for one that needs what lies beneath fd (O_PATH; is_file: that file) and no
 * other. Nothing, where the kernel's Landlock would forbid renaming too (before 5.19). */
int lockdown_landlock_beneath(int fd, bool is_file);

#endif
