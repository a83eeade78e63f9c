/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter of an spt guest, run here over every system call there could be, and over
 * the edges of every argument that it compares.
 */
#include "tender/spt/spt-internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS
#define REFUSE (SECCOMP_RET_ERRNO | EROFS)

static struct sock_filter filter[SPT_FILTER_MAX];
static size_t len;

static void build(const struct spt_rules *r)
{
	memset(filter, 0xff, sizeof(filter));
	len = spt_filter_build(r, filter);
	assert_in_range(len, 1, SPT_FILTER_MAX);
}

/* As the kernel runs it, with its rules: inside, forward, an end on every path. */
static uint32_t run(const struct seccomp_data *d, unsigned *ret_steps)
{
	uint32_t a = 0;
	unsigned steps = 1;

	for (size_t pc = 0; pc < len; pc++, steps++) {
		const struct sock_filter *f = &filter[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k % 4 == 0 && f->k + 4 <= sizeof(*d));
			memcpy(&a, (const char *)d + f->k, 4);
			break;
		case BPF_JMP | BPF_JA: pc += f->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > f->k ? f->jt : f->jf; break;
		case BPF_RET | BPF_K:
			if (ret_steps)
				*ret_steps = steps;
			return f->k;
		default: fail_msg("an instruction of an unknown kind");
		}
	}
	fail_msg("it runs over its end");
	return 0;
}

static uint32_t call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct seccomp_data data = { .nr = (int)nr,
				     .arch = AUDIT_ARCH_X86_64,
				     .args = { a, b, c, d } };

	return run(&data, NULL);
}

#define assert_is(action, ...) assert_int_equal(call(__VA_ARGS__), action)

static bool named(int nr, const struct spt_rules *r)
{
	switch (nr) {
	case SYS_read: return r->n_net > 0;
	case SYS_pread64:
	case SYS_pwrite64: return r->n_block > 0;
	case SYS_write:
	case SYS_arch_prctl:
	case SYS_clock_gettime:
	case SYS_exit_group:
	case SYS_epoll_pwait:
	case SYS_timerfd_settime: return true;
	case USPEC_SWAP_CALL: return r->swaps;
	default: return false;
	}
}

static const struct spt_rules none,
	some = { .n_net = 2,
		 .n_block = 2,
		 .block = { { 7, 1 << 20, 512, false }, { 8, 1ull << 40, 4096, true } } },
	exchanged = { .swaps = true,
		      .n_net = 2,
		      .n_block = 1,
		      .block = { { 7, 1 << 20, 512, false } } };

/* With arguments that each of them allows, or none. */
static bool ever_allowed(int nr)
{
	static const struct {
		uint64_t v[4];
	} args[] = {
		{ { 0 } },      { { 1 } }, { { SPT_EPOLL_FD } }, { { SPT_TIMER_FD } },
		{ { 0x1002 } }, { { 5 } }, { { 7, 0, 512, 0 } }, { { 8, 0, 4096, 0 } }
	};

	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		if (call(nr, args[i].v[0], args[i].v[1], args[i].v[2], args[i].v[3]) ==
		    ALLOW)
			return true;
	return false;
}

static void only_the_named_calls(void **state)
{
	const struct spt_rules *rules[] = { &none, &some, &exchanged };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		build(rules[i]);
		for (int nr = -1024; nr < 4096; nr++)
			if (ever_allowed(nr) != named(nr, rules[i]))
				fail_msg("call %d", nr);
		for (int nr = 0; nr < 1024; nr++) { /* x32 */
			assert_false(ever_allowed(nr | 0x40000000));
			assert_false(ever_allowed(nr | INT32_MIN));
		}
	}
}

static void only_this_architecture(void **state)
{
	struct seccomp_data d = { .nr = SYS_exit_group, .arch = AUDIT_ARCH_X86_64 };

	(void)state;
	build(&some);
	assert_int_equal(run(&d, NULL), ALLOW);
	for (unsigned bit = 0; bit < 32; bit++) {
		d.arch = AUDIT_ARCH_X86_64 ^ (1u << bit);
		assert_int_equal(run(&d, NULL), KILL);
	}
	d.arch = AUDIT_ARCH_I386;
	for (d.nr = 0; d.nr < 512; d.nr++)
		assert_int_equal(run(&d, NULL), KILL);
}

static void streams_by_their_numbers(void **state)
{
	(void)state;
	build(&some);
	for (uint64_t fd = 0; fd < 300; fd++) {
		bool net = fd == 5 || fd == 6;

		assert_is(net ? ALLOW : KILL, SYS_read, fd, 0x1000, 64, 0);
		assert_is(net || fd == 1 ? ALLOW : KILL, SYS_write, fd, 0x1000, 64, 0);
	}
	assert_is(KILL, SYS_write, UINT64_MAX, 0, 0, 0);
	assert_is(KILL, SYS_read, UINT64_MAX, 0, 0, 0);
	assert_is(KILL, SYS_read, INT32_MIN, 0, 0, 0);
	assert_is(ALLOW, SYS_write, 1ull << 32 | 1, 0, 0, 0); /* an int */
	build(&none);
	for (uint64_t fd = 0; fd < 300; fd++) {
		assert_is(KILL, SYS_read, fd, 0x1000, 64, 0);
		assert_is(fd == 1 ? ALLOW : KILL, SYS_write, fd, 0x1000, 64, 0);
	}
}

static void blocks_within_the_device(void **state)
{
	const long calls[] = { SYS_pread64, SYS_pwrite64 };

	(void)state;
	build(&some);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		long nr = calls[i];
		uint32_t big = nr == SYS_pread64 ? ALLOW : REFUSE;

		assert_is(ALLOW, nr, 7, 0, 512, 0);
		assert_is(ALLOW, nr, 7, 0, 512, (1 << 20) - 512);
		assert_is(KILL, nr, 7, 0, 512, (1 << 20) - 511);
		assert_is(KILL, nr, 7, 0, 512, 1 << 20);
		assert_is(KILL, nr, 7, 0, 512, 1ull << 32);
		assert_is(KILL, nr, 7, 0, 512, 1ull << 63);
		assert_is(KILL, nr, 7, 0, 512, UINT64_MAX - 511);
		assert_is(KILL, nr, 7, 0, 512, UINT64_MAX);
		assert_is(KILL, nr, 7, 0, 511, 0);
		assert_is(KILL, nr, 7, 0, 513, 0);
		assert_is(KILL, nr, 7, 0, 4096, 0);
		assert_is(KILL, nr, 7, 0, 0, 0);
		assert_is(KILL, nr, 7, 0, 1ull << 32 | 512, 0);
		assert_is(KILL, nr, 7, 0, UINT64_MAX - 511, 0);
		for (uint64_t fd = 0; fd < 300; fd++) {
			if (fd == 7 || fd == 8)
				continue;
			assert_is(KILL, nr, fd, 0, 512, 0);
			assert_is(KILL, nr, fd, 0, 4096, 0);
		}
		assert_is(big, nr, 8, 0, 4096, 0);
		if (nr == SYS_pwrite64)
			continue;
		assert_is(ALLOW, nr, 8, 0, 4096, (1ull << 40) - 4096);
		assert_is(KILL, nr, 8, 0, 4096, (1ull << 40) - 4095);
		assert_is(ALLOW, nr, 8, 0, 4096, (1ull << 40) - (1ull << 32));
		assert_is(KILL, nr, 8, 0, 4096, 1ull << 40);
		assert_is(KILL, nr, 8, 0, 512, 0);
	}
	/* Refused, whatever the place; but only as a block. */
	assert_is(REFUSE, SYS_pwrite64, 8, 0, 4096, 1ull << 50);
	assert_is(KILL, SYS_pwrite64, 8, 0, 512, 0);
}

static void the_rest_by_one_argument(void **state)
{
	struct seccomp_data poll = { .nr = SYS_epoll_pwait,
				     .arch = AUDIT_ARCH_X86_64,
				     .args = { SPT_EPOLL_FD, 1, 64, UINT64_MAX, 0, 8 } };

	(void)state;
	build(&some);
	for (uint64_t fd = 0; fd < 300; fd++) {
		assert_is(fd == SPT_EPOLL_FD ? ALLOW : KILL, SYS_epoll_pwait, fd, 0, 0,
			  0);
		assert_is(fd == SPT_TIMER_FD ? ALLOW : KILL, SYS_timerfd_settime, fd, 1,
			  0, 0);
		assert_is(fd < 2 ? ALLOW : KILL, SYS_clock_gettime, fd, 0, 0, 0);
		assert_is(ALLOW, SYS_exit_group, fd, 0, 0, 0);
	}
	assert_is(KILL, SYS_clock_gettime, UINT64_MAX, 0, 0, 0);
	assert_is(KILL, SYS_clock_gettime, (uint64_t)-6, 0, 0, 0);
	for (uint64_t op = 0x1000; op < 0x6000; op++)
		assert_is(op == 0x1002 ? ALLOW : KILL, SYS_arch_prctl, op, 0, 0, 0);
	assert_int_equal(run(&poll, NULL), ALLOW);
	poll.args[4] = 1;
	assert_int_equal(run(&poll, NULL), KILL);
	poll.args[4] = 1ull << 32;
	assert_int_equal(run(&poll, NULL), KILL);
}

static void as_many_as_there_can_be(void **state)
{
	struct spt_rules r = { .n_block = USPEC_MAX_DEVICES };

	(void)state;
	for (int i = 0; i < USPEC_MAX_DEVICES; i++)
		r.block[i] = (struct spt_block){ SPT_DEVICE_FD + i, 1ull << (33 + i % 8),
						 512u << i % 7, i % 2 };
	build(&r);
	for (int i = 0; i < USPEC_MAX_DEVICES; i++) {
		const struct spt_block *b = &r.block[i];
		uint64_t fd = (uint64_t)b->fd, n = b->block_size, end = b->capacity;

		assert_is(ALLOW, SYS_pread64, fd, 0, n, end - n);
		assert_is(KILL, SYS_pread64, fd, 0, n, end - n + 1);
		assert_is(KILL, SYS_pread64, fd, 0, n * 2, 0);
		assert_is(b->ro ? REFUSE : ALLOW, SYS_pwrite64, fd, 0, n, 0);
		assert_is(ALLOW, SYS_exit_group, 0, 0, 0, 0);
	}
	assert_is(KILL, SYS_pread64, SPT_DEVICE_FD + USPEC_MAX_DEVICES, 0, 512, 0);
	r = (struct spt_rules){ .n_net = USPEC_MAX_DEVICES };
	build(&r);
	for (uint64_t fd = 0; fd < 300; fd++)
		assert_is(fd >= 5 && fd < 5 + USPEC_MAX_DEVICES ? ALLOW : KILL, SYS_read,
			  fd, 0, 0, 0);
}

/* The kernel runs it for every number when it is attached: that is what it costs. */
static void paths_are_short(void **state)
{
	unsigned all = 0;

	(void)state;
	build(&some);
	for (int nr = 0; nr < 470; nr++) {
		struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };
		unsigned steps = 0;

		(void)run(&d, &steps);
		assert_in_range(steps, 4, 20);
		all += steps;
	}
	assert_in_range(all / 470, 4, 9);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_named_calls),
		cmocka_unit_test(only_this_architecture),
		cmocka_unit_test(streams_by_their_numbers),
		cmocka_unit_test(blocks_within_the_device),
		cmocka_unit_test(the_rest_by_one_argument),
		cmocka_unit_test(as_many_as_there_can_be),
		cmocka_unit_test(paths_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
