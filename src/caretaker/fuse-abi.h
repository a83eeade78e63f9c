/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuse-abi.h - the kernel's FUSE protocol: its header, and what came after Linux 6.1. All of
 * this is negotiated; a kernel of 7.36 (Linux 5.17) is the oldest that is served.
 */
#ifndef POLDER_CARETAKER_FUSE_ABI_H
#define POLDER_CARETAKER_FUSE_ABI_H

#include <linux/fuse.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define ABI_MINOR_MIN 36u
#define ABI_MINOR 40u /* what is answered at most: 7.40 has passthrough */

#ifndef FUSE_PASSTHROUGH
#define FUSE_PASSTHROUGH (1ull << 37)
#define FOPEN_PASSTHROUGH (1u << 7)
struct fuse_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(FUSE_DEV_IOC_MAGIC, 1, struct fuse_backing_map)
#define FUSE_DEV_IOC_BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t)
/* Where they stand in the structures of 7.38. */
#define abi_stack_depth(init_out) ((init_out)->unused[0])
#define abi_backing_id(open_out) ((open_out)->padding)
#else
#define abi_stack_depth(init_out) ((init_out)->max_stack_depth)
#define abi_backing_id(open_out) ((open_out)->backing_id)
#endif

/* 7.45 (Linux 6.18): files that nobody uses are forgotten, by their numbers, without a lock on
 * their directory. An older kernel says EINVAL. */
#define ABI_NOTIFY_PRUNE 9
struct abi_notify_prune_out {
	uint32_t count;
	uint32_t padding;
	uint64_t spare;
	/* uint64_t nodeid[count] */
};

#endif
