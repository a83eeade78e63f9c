/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuse.h - a file system that a process outside serves, as a detached mount.
 *
 * devfuse_fd is /dev/fuse, open for reading and writing, borrowed. It must have been opened
 * in the user namespace in which this is called (the kernel compares the opener's with the
 * mount's), and each opening serves one mount. The caller has CAP_SYS_ADMIN there, and a
 * mount namespace that belongs to it.
 *
 * The mount is nosuid and nodev, and anybody inside may use it, as far as the permission
 * bits that the server reports allow. Nothing waits for the server: it may be
 * started before or after the mount is attached, but reads devfuse_fd only after this.
 * Whoever uses the mount before the server has answered waits, so leave it alone until
 * then; and stat its root once as soon as it serves: before that the kernel does not know
 * whose the root is, and refuses to write it where it is a file.
 *
 * Errors: PE_REFUSED where this kernel or namespace cannot, with a sentence; -errno.
 */
#ifndef POLDER_SANDBOX_FUSE_H
#define POLDER_SANDBOX_FUSE_H

#include "base/err.h"

/* is_file: its root is a regular file, to be attached on one. */
int fuse_mount_new(int devfuse_fd, bool read_only, bool is_file, int *ret_mountfd,
		   struct err *err);

#endif
