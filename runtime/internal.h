/* SPDX-License-Identifier: ISC */
/*
 * internal.h - between the parts of the guest runtime.
 *
 * What depends on the ABI is behind the abi_ functions, which spt.c and hvt.c each
 * implement; all other files are compiled once and linked with either. Order: the entry
 * (entry.S) changes to the image's own stack and calls pg_start(); that calls abi_init()
 * before anything else.
 */
#ifndef POLDER_RUNTIME_INTERNAL_H
#define POLDER_RUNTIME_INTERNAL_H

#include <polder/guest/guest.h>

/* ---- the ABI ---- */

struct abi_boot {
	uint64_t mem_size;   /* from address 0 */
	uint64_t kernel_end; /* the tender's idea of where the image ends */
	const char *cmdline;
	const void *manifest;
};

/* Once, first. boot_info is what the tender passed. */
void abi_init(const void *boot_info, struct abi_boot *ret);
extern const char abi_name[];

void abi_console_write(const void *data, size_t len);
uint64_t abi_monotonic(void);
uint64_t abi_wall(void);
void abi_halt(int status) __attribute__((noreturn));
void abi_set_thread_pointer(const void *tp);

/* Waits at most until deadline, perhaps less; the bits of ready net devices. */
uint64_t abi_poll(uint64_t deadline);

/*
 * d is a handle that has been checked, hostfd what its manifest entry says; len of the
 * block calls is the block size. enum pg_status.
 */
int abi_block_read(pg_device d, int hostfd, uint64_t offset, void *buf, size_t len);
int abi_block_write(pg_device d, int hostfd, uint64_t offset, const void *buf,
		    size_t len);
int abi_net_read(pg_device d, int hostfd, void *buf, size_t size, size_t *ret_len);
int abi_net_write(pg_device d, int hostfd, const void *frame, size_t len);

/* The net devices of the manifest, for spt's wait. */
unsigned pg_net_count(void);

/* ---- parts ---- */

void pg_start(const void *boot_info) __attribute__((noreturn));
void pg_devices_init(const void *manifest);
void pg_memory_init(const struct abi_boot *boot);

/* More of the heap for malloc(), or NULL. */
void *pg_memory_grow(size_t bytes);

/* A number that others can hardly guess, cheap, before anything else works. */
uint64_t pg_entropy_early(void);

#endif
