/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * anchor.h - a user's one holder of namespaces that many environments start from.
 *
 * The anchor is a process of an ordinary user (root needs none). It holds an outer user
 * namespace, of which that user is the owner, a mount namespace that shows the host as
 * the user sees it, and a few network namespaces made ahead of time. A tender that finds it
 * makes its environment *below* that user namespace: a later process of the same user may
 * then act on two environments at once, and none waits for the kernel to make a network
 * namespace. Without it everything works the same, one step slower.
 *
 * It is found by the file `anchor.lock` in the run directory: whoever holds its lock (an open
 * file description lock on its first byte) is the anchor, and the file says which process that is and from where it sees the host. It has
 * no parser and no listener: its namespaces and the two sockets below are taken from it
 * by descriptor (pidfd), which the kernel allows to the owner of its user namespace.
 *
 *	ANCHOR_POOL_FD	each message is one byte and a network namespace, loopback up;
 *			the kernel hands each to one reader
 *	ANCHOR_USER_FD	each message is one byte and the pidfd of one who wants it to stay
 *
 * It ends after the last of those, and before its view of the host could become stale.
 *
 * Errors: everything here is an offer. PE_NOTFOUND without a sentence: there is none to
 * be had, go without.
 */
#ifndef POLDER_SANDBOX_ANCHOR_H
#define POLDER_SANDBOX_ANCHOR_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

#define ANCHOR_FILE "anchor.lock"
#define ANCHOR_MAGIC 0x32726f68636e61ull /* "anchor2" */
#define ANCHOR_POOL_FD 3
#define ANCHOR_USER_FD 4

/* From where a process sees the host, and what below it depends on who made it: the one
 * group that is mapped, and the limits that the kernel keeps with a user namespace and
 * applies to all that is below. Who differs in any of it goes without. */
struct anchor_view {
	uint64_t user_ns, mount_ns, pid_ns, root_dev, root_ino, root_mount;
	uint64_t gid, limits[4];
};

/* What the file holds. Both ends are one version; magic has it. */
struct anchor_record {
	uint64_t magic;
	int64_t pid;
	struct anchor_view view;
};

int anchor_view_of_self(struct anchor_view *ret);

/* A living anchor that sees what we see; *ret_pidfd is the caller's. run: the run
 * directory. */
int anchor_find(int run, int *ret_pidfd);
/* A network namespace of its pool; the caller's. PE_NOTFOUND: none is ready. */
int anchor_take_network(int pidfd, int *ret_netns);
/* It stays at least as long as this process lives. */
int anchor_stay(int pidfd);
/* The same, and starts one from the program `polder-anchor` in that directory if there is
 * none; does not wait for it. Nothing for root. */
void anchor_want(int run, const char *programs);

/*
 * The holder. Takes the file's lock, makes its namespaces, and serves until nobody wants it
 * any more. PE_BUSY: there is one already. take_user: a pidfd, consumed.
 */
int anchor_hold(int run, int take_user, struct err *err);

#endif
