/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hvt.h - the monitor of a unikernel in a KVM guest.
 *
 * Order of calls: hvt_open, hvt_drop, hvt_devices, hvt_memory, hvt_vcpu, hvt_lockdown,
 * hvt_run. Nothing of the image is read before hvt_drop. Up to hvt_lockdown each returns
 * 0, PE_… or -errno with a sentence, and the caller gives up by exiting; nothing is
 * released, the process is all there is to release. From hvt_lockdown on nothing is
 * allocated and no file is opened: the system calls that are left stand in lockdown.c.
 *
 * The guest is one vCPU, and this is the one thread: while a hypercall is served, nobody
 * changes guest memory.
 */
#ifndef POLDER_TENDER_HVT_H
#define POLDER_TENDER_HVT_H

#include <poll.h>

#include "base/err.h"
#include "solo5/gate.h"
#include "wire/uspec.h"

struct kvm_run;
struct kvm_regs;

/* What of a file the monitor may touch: lockdown.c makes the filter from it. */
struct hvt_block {
	int fd, base; /* base: of a copy-on-write device, else -1 */
	bool ro;
	uint64_t capacity;
	uint32_t block_size;
	/* Copy-on-write, by chunks: a set bit says that the chunk is in fd, whose last
	 * bytes, [map_at, map_end), are the same map. */
	uint32_t chunk_bytes;
	uint64_t map_at, map_end;
	uint8_t *bitmap, *chunk;
};

struct hvt_net {
	int fd;
	uint32_t frame_max; /* bytes */
	bool dead;          /* its interface is gone: never ready again */
	bool full;          /* the other side took nothing in time */
};

struct hvt_device {
	enum solo5_device type;
	struct hvt_block block;
	struct hvt_net net;
};

/* Why a guest was stopped. why is a static sentence, about "it". */
struct hvt_fault {
	int code; /* exit status: 128 + SIGSEGV or SIGSYS */
	const char *what, *why;
	uint64_t address; /* in the guest; 0: unknown */
};

enum hvt_outcome { HVT_GOES_ON, HVT_HALTED, HVT_FAULTED };

struct hvt {
	struct gate gate;
	/* Entry i of the image's manifest; the guest's handle is i + 1. */
	struct hvt_device device[USPEC_MAX_DEVICES];
	uint32_t n_devices;
	struct pollfd pollfd[USPEC_MAX_DEVICES]; /* fd -1 where nothing is waited for */
	int console_fd;
	bool clock_given;
	bool swaps; /* the supervisor is to be able to exchange volumes */
	uint64_t wall_start_ns, mono_start_ns;
	int kvm; /* -errno: it cannot be opened; until hvt_vcpu */
	int vcpu;
	struct kvm_run *run;
	uint64_t tsc_hz;
	int report_fd, core_fd;
	/* The end: */
	int status;      /* of a halt */
	uint64_t cookie; /* of a halt: 512 readable bytes, or 0 */
	struct hvt_fault fault;
};

/* ---- devices.c: what the spec gives for what the image declares ---- */
/* With the starter's authority: /dev/kvm, and the disks that s names by their path. */
int hvt_open(struct hvt *h, struct uspec *s, struct err *err);
int hvt_devices(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
		struct solo5_attached *ret_attached, struct err *err);

/* ---- block.c, net.c: *a is checked but for .handle's range, which is the caller's; both
 * answer an enum gate_result. data has a->len bytes ---- */
int hvt_block_cow(struct hvt_block *b, struct err *err);
bool hvt_block_fits(const struct hvt_block *b, const struct gate_args *a);
int hvt_block_io(struct hvt_block *b, const struct gate_args *a, uint8_t *data,
		 bool write);
int hvt_net_write(struct hvt_net *n, const uint8_t *data, uint64_t len);
int hvt_net_read(struct hvt_net *n, uint8_t *data, uint64_t *len);

/* ---- calls.c ---- */
enum hvt_outcome hvt_call(struct hvt *h, uint32_t nr, uint64_t gpa);
uint64_t hvt_monotonic_ns(void);

/* ---- memory.c: private memory with the image mapped into it; tables, boot info ---- */
int hvt_memory(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
	       int image_fd, struct err *err);
/* Needs tsc_hz. */
void hvt_boot_info(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
		   const struct solo5_attached *attached);

/* ---- vcpu.c ---- */
int hvt_vcpu(struct hvt *h, uint64_t entry, struct err *err);
/* Never gives HVT_GOES_ON. */
enum hvt_outcome hvt_run(struct hvt *h);

/* ---- lockdown.c ---- */
int hvt_drop(const struct uspec *s, struct err *err);
int hvt_lockdown(const struct hvt *h, struct err *err);

/* ---- fault.c ---- */
void hvt_tell_started(const struct hvt *h);
/* Tells the starter, or standard error; writes the core. */
void hvt_tell_fault(const struct hvt *h);
void hvt_tell_refused(int report_fd, int code, const char *sentence);
/* ELF core of memory and registers, if one is wanted. */
void hvt_core(const struct hvt *h);

#endif
