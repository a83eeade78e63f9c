/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uspec.h - what a unikernel's tender is told: exactly what to start, and nothing implied.
 *
 * The encoded form is what `polder-tender-spt --spec FD` and `polder-tender-hvt --spec FD`
 * read (docs/protocol.md). Those tenders have no allocator, so this is one struct of
 * fixed size whose strings point into the buffer that was decoded: the buffer must
 * outlive it. Decoding treats every byte as hostile and ends with uspec_check().
 *
 * Devices are descriptors that the starter opened and that the tender inherits; where
 * .fd of a block device is -1 the tender opens .path itself (plumbing by hand). The
 * console is standard output and error of the tender, as inherited. So descriptors have
 * numbers from 3 on, each of them one role.
 *
 * Numbers: sizes in bytes, times in ns, ids as the kernel has them.
 *
 * Errors: PE_BAD with a sentence.
 */
#ifndef POLDER_WIRE_USPEC_H
#define POLDER_WIRE_USPEC_H

#include "base/str.h"

/* Limits of the ABI (Solo5 0.12): entries of a manifest without the reserved first, the
 * name with its NUL, the command line with its NUL. */
#define USPEC_MAX_DEVICES 63
#define USPEC_NAME_BYTES 68
#define USPEC_CMDLINE_BYTES 8192
#define USPEC_VERSION 1
#define USPEC_MAX_BYTES (1u << 20)
#define USPEC_SPT_MEM_MAX (1ull << 40) /* the tender itself lies above */
#define USPEC_HVT_MEM_MAX (4ull << 30)

enum uspec_kind { USPEC_SPT = 1, USPEC_HVT = 2 };

enum uspec_flag {
	USPEC_TRACED = 1 << 0,      /* spt: the starter attaches with ptrace, and then
				     * writes a byte to alive_fd: wait for that */
	USPEC_CORE = 1 << 1,        /* hvt: core_fd holds: a core file on a fault */
	USPEC_CLOCK_START = 1 << 2, /* wall_start_ns holds; hvt alone */
	USPEC_SWAPS = 1 << 3,       /* the starter traces it, and report_fd is a socket:
				     * over that comes what it needs to exchange the
				     * descriptors of volumes (USPEC_SWAP) */
	USPEC_FLAGS_ALL = (1 << 4) - 1
};

enum uspec_device_type { USPEC_BLOCK = 1, USPEC_NET = 2 };

enum uspec_device_flag {
	USPEC_DEV_RO = 1 << 0, /* a block device that refuses writes */
	USPEC_DEV_COW =
		1 << 1, /* base is only read; what is written goes to fd, sparse */
	USPEC_DEV_FLAGS_ALL = (1 << 2) - 1
};

struct uspec_device {
	const char *name; /* as the unikernel declares it */
	uint8_t type;     /* enum uspec_device_type */
	uint32_t flags;
	int32_t fd;          /* inherited, or -1: path */
	int32_t base;        /* with COW: inherited; else -1 */
	const char *path;    /* NULL, or absolute */
	uint64_t capacity;   /* block: a non-zero multiple of block_size */
	uint16_t block_size; /* block: a power of two, 512 to 32768 */
	uint8_t mac[6];      /* net */
	uint16_t mtu;        /* net */
};

struct uspec {
	uint8_t id[16];
	uint64_t generation;
	const char *name; /* "" for an unnamed one */
	uint8_t kind;     /* enum uspec_kind */
	uint32_t flags;
	int32_t image_fd; /* inherited, or -1: image_path */
	const char *image_path;
	uint64_t mem_bytes;  /* guest memory, from 1 MiB on. spt: a multiple of 4 KiB up
			      * to 1 TiB; hvt: a multiple of 2 MiB up to 4 GiB */
	const char *cmdline; /* joined by spaces, below USPEC_CMDLINE_BYTES */
	uint32_t uid, gid;   /* the tender becomes these, if it is not already; never 0 */
	int32_t report_fd;   /* told once how the start went (uspec_report); -1: nobody */
	int32_t core_fd;     /* -1: none */
	/* The reading end of a pipe whose other end the starter, the parent, holds to its
	 * own end: the tender dies with it. -1: it does not. */
	int32_t alive_fd;
	uint64_t wall_start_ns; /* since 1970 */
	uint32_t n_devices;
	struct uspec_device devices[USPEC_MAX_DEVICES];
};

#define USPEC_INIT                                                                       \
	((struct uspec){ .name = "",                                                     \
			 .cmdline = "",                                                  \
			 .image_fd = -1,                                                 \
			 .report_fd = -1,                                                \
			 .core_fd = -1,                                                  \
			 .alive_fd = -1 })

/*
 * What goes over report_fd. spt: nothing but its end when the guest's first instruction is
 * about to run, or one record when it will not run. hvt, whose monitor stays: a record
 * when the guest is about to run, a second one if it broke a rule, then the end.
 */
enum uspec_outcome {
	USPEC_REFUSED =
		1, /* the image or the spec; exit status 125, or 126 for the image */
	USPEC_FAULT =
		2, /* hvt: the guest was stopped; exit status 128 + SIGSEGV or SIGSYS */
	USPEC_STARTED = 3, /* hvt: it runs; code 0, no text */
	USPEC_SWAP = 4     /* first of all, with the listener of a filter that tells of
			    * USPEC_SWAP_CALL; address: of a system call instruction */
};

/*
 * How a descriptor of a guest is exchanged: whoever traces it has it make this call, which
 * has no other use, and the listener puts another file at the descriptor's number. A guest
 * that makes it by itself waits until it is ended.
 */
#define USPEC_SWAP_CALL 39 /* getpid */
struct uspec_report {
	uint32_t outcome; /* enum uspec_outcome */
	int32_t code;     /* exit status */
	uint64_t address; /* of a fault, in the guest; 0: unknown */
	char text[512];   /* one sentence, NUL-terminated */
	char detail[512]; /* of a fault: the registers, in lines; else "" */
};

#define USPEC_SPT_DEVICE_FD 5 /* of an spt guest's first device; net before block */

/* PE_BAD. Freestanding: no allocation, no system call. ret_why: a static sentence. */
int uspec_check(const struct uspec *s, const char **ret_why);
int uspec_decode(struct uspec *ret, const void *buf, size_t len, const char **ret_why);
void uspec_encode(const struct uspec *s, struct str *out);

#endif
