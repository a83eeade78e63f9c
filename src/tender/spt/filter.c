/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.c - the guest's system calls, as a filter made by hand.
 *
 * Attaching a filter costs what its paths cost: the kernel runs it once for each number
 * that there is, to know which are always allowed. So the architecture comes first, then
 * a tree over the numbers in which the empty ranges end early. What is not named is the
 * end of the process; x32 calls are numbers that are not named, 32-bit calls another
 * architecture.
 *
 * Arguments: the kernel looks at the lower half of what it takes for an int (descriptors,
 * clocks, operations), so these are compared by that half; of a length, an offset or a
 * pointer both halves are compared. Everything comes from the tender's own decisions
 * (struct spt_rules), nothing from the guest's memory, which the guest may write.
 *
 * Jumps of a condition reach 255 instructions: each block device's rule is closed in
 * itself, with an end of its own, and stands behind all others.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "tender/spt/spt-internal.h"

#define ARCH_SET_FS 0x1002

struct out {
	struct sock_filter *v;
	size_t n;
};

static void op(struct out *o, unsigned code, uint32_t k, unsigned t, unsigned f)
{
	o->v[o->n++] = (struct sock_filter){
		.code = (uint16_t)code, .jt = (uint8_t)t, .jf = (uint8_t)f, .k = k
	};
}

static void load(struct out *o, size_t offset)
{
	op(o, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_low(struct out *o, unsigned arg)
{
	load(o, offsetof(struct seccomp_data, args) + 8 * arg);
}

static void load_high(struct out *o, unsigned arg)
{
	load(o, offsetof(struct seccomp_data, args) + 8 * arg + 4);
}

static void ret(struct out *o, uint32_t action)
{
	op(o, BPF_RET | BPF_K, action, 0, 0);
}

/* Skips t instructions if it is so, f if not. */
static void if_equal(struct out *o, uint32_t k, unsigned t, unsigned f)
{
	op(o, BPF_JMP | BPF_JEQ | BPF_K, k, t, f);
}

static void if_above(struct out *o, uint32_t k, unsigned t, unsigned f)
{
	op(o, BPF_JMP | BPF_JGT | BPF_K, k, t, f);
}

/* Places in a tree whose targets come later: patched when those are known. */
enum { WRITE, READ, BLOCK, CLOCK, TIMER, POLL, PRCTL, N_RULES };

struct tree {
	size_t at[N_RULES]; /* the jump of each; 0: none */
};

static void to_rule(struct out *o, struct tree *t, unsigned rule)
{
	t->at[rule] = o->n;
	op(o, BPF_JMP | BPF_JA, 0, 0, 0);
}

static void here(struct out *o, const struct tree *t, unsigned rule)
{
	o->v[t->at[rule]].k = (uint32_t)(o->n - t->at[rule] - 1);
}

/* if (number == nr) goto rule */
static void on(struct out *o, struct tree *t, uint32_t nr, unsigned rule)
{
	if_equal(o, nr, 0, 1);
	to_rule(o, t, rule);
}

/* 0 read, 1 write, 17 pread64, 18 pwrite64, 158 arch_prctl, 228 clock_gettime,
 * 231 exit_group, 281 epoll_pwait, 286 timerfd_settime. */
static void numbers(struct out *o, struct tree *t, const struct spt_rules *r)
{
	size_t upper, middle;

	if_above(o, 286, 0, 1);
	ret(o, SECCOMP_RET_KILL_PROCESS);
	upper = o->n;
	if_above(o, 227, 0, 0);

	on(o, t, SYS_arch_prctl, PRCTL);
	if_above(o, SYS_pwrite64, 0, r->swaps ? 3 : 1);
	if (r->swaps) {
		if_equal(o, USPEC_SWAP_CALL, 0, 1);
		ret(o, SECCOMP_RET_ALLOW);
	}
	ret(o, SECCOMP_RET_KILL_PROCESS);
	on(o, t, SYS_write, WRITE);
	if (r->n_net > 0)
		on(o, t, SYS_read, READ);
	if (r->n_block > 0) {
		if_above(o, SYS_pread64 - 1, 0, 1);
		to_rule(o, t, BLOCK);
	}
	ret(o, SECCOMP_RET_KILL_PROCESS);

	o->v[upper].jt = (uint8_t)(o->n - upper - 1);
	middle = o->n;
	if_above(o, 280, 0, 0);
	on(o, t, SYS_clock_gettime, CLOCK);
	if_equal(o, SYS_exit_group, 0, 1);
	ret(o, SECCOMP_RET_ALLOW);
	ret(o, SECCOMP_RET_KILL_PROCESS);

	o->v[middle].jt = (uint8_t)(o->n - middle - 1);
	on(o, t, SYS_epoll_pwait, POLL);
	on(o, t, SYS_timerfd_settime, TIMER);
	ret(o, SECCOMP_RET_KILL_PROCESS);
}

/* The value loaded is k, else the end. */
static void must_equal(struct out *o, uint32_t k)
{
	if_equal(o, k, 1, 0);
	ret(o, SECCOMP_RET_KILL_PROCESS);
}

static void only_fd(struct out *o, uint32_t fd)
{
	load_low(o, 0);
	must_equal(o, fd);
	ret(o, SECCOMP_RET_ALLOW);
}

/* read, write: net devices; write: the console. */
static void streams(struct out *o, const struct tree *t, const struct spt_rules *r)
{
	here(o, t, WRITE);
	load_low(o, 0);
	if_equal(o, SPT_CONSOLE_FD, 0, 1);
	ret(o, SECCOMP_RET_ALLOW);
	if (r->n_net > 0) {
		here(o, t, READ);
		load_low(o, 0);
		if_above(o, SPT_DEVICE_FD + r->n_net - 1, 2, 0);
		if_above(o, SPT_DEVICE_FD - 1, 0, 1);
		ret(o, SECCOMP_RET_ALLOW);
	}
	ret(o, SECCOMP_RET_KILL_PROCESS);
}

/* offset <= last, by halves; else the end. */
static void offset_at_most(struct out *o, uint64_t last)
{
	uint32_t high = (uint32_t)(last >> 32), low = (uint32_t)last;

	load_high(o, 3);
	if_above(o, high, 3, 0);
	if_equal(o, high, 0, 3);
	load_low(o, 3);
	if_above(o, low, 0, 1);
	ret(o, SECCOMP_RET_KILL_PROCESS);
	ret(o, SECCOMP_RET_ALLOW);
}

/* One whole block within the device. The descriptor's number is loaded, and still is
 * where it is another's. */
static void block(struct out *o, const struct spt_block *b)
{
	size_t other = o->n;

	if_equal(o, (uint32_t)b->fd, 0, 0);
	load_high(o, 2);
	must_equal(o, 0);
	load_low(o, 2);
	must_equal(o, b->block_size);
	if (b->ro) {
		load(o, offsetof(struct seccomp_data, nr));
		if_equal(o, SYS_pwrite64, 0, 1);
		ret(o, SECCOMP_RET_ERRNO | EROFS);
	}
	offset_at_most(o, b->capacity - b->block_size);
	o->v[other].jf = (uint8_t)(o->n - other - 1);
}

size_t spt_filter_build(const struct spt_rules *r, struct sock_filter *ret_filter)
{
	struct out o = { .v = ret_filter };
	struct tree t = { 0 };

	load(&o, offsetof(struct seccomp_data, arch));
	must_equal(&o, AUDIT_ARCH_X86_64);
	load(&o, offsetof(struct seccomp_data, nr));
	numbers(&o, &t, r);

	streams(&o, &t, r);
	here(&o, &t, TIMER);
	only_fd(&o, SPT_TIMER_FD);
	/* With no mask of signals: none can be put off. */
	here(&o, &t, POLL);
	load_low(&o, 4);
	must_equal(&o, 0);
	load_high(&o, 4);
	must_equal(&o, 0);
	only_fd(&o, SPT_EPOLL_FD);
	/* CLOCK_REALTIME, CLOCK_MONOTONIC. */
	here(&o, &t, CLOCK);
	load_low(&o, 0);
	if_above(&o, 1, 0, 1);
	ret(&o, SECCOMP_RET_KILL_PROCESS);
	ret(&o, SECCOMP_RET_ALLOW);
	here(&o, &t, PRCTL);
	only_fd(&o, ARCH_SET_FS);
	if (r->n_block > 0) {
		here(&o, &t, BLOCK);
		load_low(&o, 0);
		for (uint32_t i = 0; i < r->n_block; i++)
			block(&o, &r->block[i]);
		ret(&o, SECCOMP_RET_KILL_PROCESS);
	}
	return o.n;
}
