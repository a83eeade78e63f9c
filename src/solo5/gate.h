/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gate.h - hypercalls of a KVM guest: what crosses from guest memory and back.
 *
 * A guest's memory is hostile at every moment. An argument struct is copied once, by
 * gate_take, into a struct of the monitor's own; nothing is read from guest memory a
 * second time. Results go back by gate_give. A buffer that the arguments name is reached
 * through gate_data alone, which gives a pointer only if all of it lies in the guest's
 * memory and may be touched that way.
 *
 * What the guest may not write, the monitor does not write for it: memory that is
 * read-only to the guest is read-only here, too (struct gate_range).
 *
 * Pure: no system call, no allocation. Addresses are guest-physical, sizes bytes, times
 * ns. Errors: PE_BAD, with one static sentence in *ret_why.
 */
#ifndef POLDER_SOLO5_GATE_H
#define POLDER_SOLO5_GATE_H

#include "solo5/solo5.h"

#define GATE_PORT 0x500u /* call n is a 4-byte OUT to this port + n */
#define GATE_COOKIE_BYTES 512u

enum gate_call {
	GATE_WALLTIME = 1,
	GATE_PUTS,
	GATE_POLL,
	GATE_BLOCK_WRITE,
	GATE_BLOCK_READ,
	GATE_NET_WRITE,
	GATE_NET_READ,
	GATE_HALT,
	GATE_END /* one past the last */
};

/* What a guest is answered. */
enum gate_result { GATE_OK = 0, GATE_AGAIN = 1, GATE_EINVAL = 2, GATE_EUNSPEC = 3 };

/* [start, end): not writable; readable or not even that. */
struct gate_range {
	uint64_t start, end;
	bool readable;
};

/* The memory below the first range's start, above the last one's end and between them may
 * be read and written. base is the monitor's mapping of guest-physical 0. */
struct gate {
	uint8_t *base;
	uint64_t size;
	struct gate_range range[SOLO5_MAX_SEGMENTS + 1];
	uint32_t n_ranges;
};

/* All calls' arguments; each call has some of them. */
struct gate_args {
	uint64_t handle, offset, data, len;
	uint64_t timeout_ns, cookie;
	int32_t status;
	/* Results: */
	uint64_t wall_ns, ready_set;
	int32_t ret;
};

/* Copies what call nr has at gpa; the results are zero then. */
int gate_take(const struct gate *g, uint32_t nr, uint64_t gpa, struct gate_args *ret,
	      const char **ret_why);
/* Writes the results of the call that gate_take took. */
void gate_give(const struct gate *g, uint32_t nr, uint64_t gpa,
	       const struct gate_args *a);
/* A buffer of the guest's; write: the monitor is going to write to it. len may be 0. */
int gate_data(const struct gate *g, uint64_t gpa, uint64_t len, bool write,
	      uint8_t **ret_p, const char **ret_why);

#endif
