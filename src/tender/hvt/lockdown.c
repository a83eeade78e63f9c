/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Whoever gets out of the guest into this process, or writes its memory, is to have got
 * nothing: no more than the guest had. In this order, each for what the one before
 * leaves:
 *
 *	ids, capabilities	never root's, whoever started it
 *	PDEATHSIG		where there is a starter to die with
 *	not dumpable, no core	nobody of the same user looks in; no core handler runs
 *	descriptors		the vCPU, the devices, the console, the report: no others
 *	Landlock without rules	no path, port or abstract socket, where the kernel has it
 *	filter			eight system calls, most of them on those descriptors only;
 *				with volumes a ninth, in which it can only wait until the
 *				supervisor has exchanged one
 *
 * The first three come before anything of the image is read (hvt_drop), the rest when all is
 * built (hvt_lockdown).
 *
 * There are no namespaces of its own: they would cost the start a millisecond, and keep
 * what no call that is left could name. The filter is made here and not when Polder is
 * built, since the descriptors and the sizes behind them are part of it.
 *
 * Mustn't, from hvt_lockdown on: open, map, allocate, start anything.
 */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/lockdown.h"
#include "tender/hvt/hvt.h"

#define KEEP_MAX (2 * USPEC_MAX_DEVICES + 5)
#define CORE_PIECE 4096u

#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- the filter ---- */

struct prog {
	struct sock_filter f[BPF_MAXINSNS];
	unsigned n;
};

#define ARG_LOW(i) ((uint32_t)(offsetof(struct seccomp_data, args) + 8u * (i)))
#define ARG_HIGH(i) (ARG_LOW(i) + 4u)

static void emit(struct prog *p, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
	if (p->n < BPF_MAXINSNS)
		p->f[p->n] = (struct sock_filter){ .code = (uint16_t)code,
						   .k = k,
						   .jt = (uint8_t)yes,
						   .jf = (uint8_t)no };
	p->n++; /* past the end: seen before it is installed */
}

static void load(struct prog *p, uint32_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void ret(struct prog *p, uint32_t what)
{
	emit(p, BPF_RET | BPF_K, what, 0, 0);
}

static void if_equal(struct prog *p, uint32_t k, unsigned yes, unsigned no)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, yes, no);
}

static void if_above(struct prog *p, uint32_t k, unsigned yes, unsigned no)
{
	emit(p, BPF_JMP | BPF_JGT | BPF_K, k, yes, no);
}

/* What follows, up to call_end, is about this call alone. */
static unsigned call_begin(struct prog *p, uint32_t nr)
{
	if_equal(p, nr, 1, 0);
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	return p->n - 1;
}

static void call_end(struct prog *p, unsigned begin)
{
	ret(p, SECCOMP_RET_KILL_PROCESS);
	if (p->n <= BPF_MAXINSNS)
		p->f[begin].k = p->n - begin - 1;
}

static void allow_call(struct prog *p, uint32_t nr)
{
	if_equal(p, nr, 0, 1);
	ret(p, SECCOMP_RET_ALLOW);
}

/* The first argument is loaded. */
static void allow_fd(struct prog *p, int fd)
{
	if (fd < 0)
		return;
	if_equal(p, (uint32_t)fd, 0, 1);
	ret(p, SECCOMP_RET_ALLOW);
}

/* The same, for at most count bytes at an offset of at most last. */
static void allow_fd_within(struct prog *p, int fd, uint32_t count, uint64_t last)
{
	if (fd < 0)
		return;
	if_equal(p, (uint32_t)fd, 0, 11);
	load(p, ARG_HIGH(2));
	if_equal(p, 0, 0, 8);
	load(p, ARG_LOW(2));
	if_above(p, count, 6, 0);
	load(p, ARG_HIGH(3));
	if_above(p, (uint32_t)(last >> 32), 4, 0);
	if_equal(p, (uint32_t)(last >> 32), 0, 2);
	load(p, ARG_LOW(3));
	if_above(p, (uint32_t)last, 1, 0);
	ret(p, SECCOMP_RET_ALLOW);
	ret(p, SECCOMP_RET_KILL_PROCESS);
}

static void allow_ioctl(struct prog *p, int vcpu)
{
	unsigned begin = call_begin(p, SYS_ioctl);

	load(p, ARG_LOW(0));
	if_equal(p, (uint32_t)vcpu, 1, 0);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	load(p, ARG_LOW(1));
	if_equal(p, (uint32_t)KVM_RUN, 2, 0);
	if_equal(p, (uint32_t)KVM_GET_REGS, 1, 0);
	if_equal(p, (uint32_t)KVM_GET_SREGS, 0, 1);
	ret(p, SECCOMP_RET_ALLOW);
	call_end(p, begin);
}

/* Frames: whole descriptors. Writing also the console, and the report or, where there is
 * nobody to report to, standard error. */
static void allow_streams(struct prog *p, const struct hvt *h, bool write)
{
	unsigned begin = call_begin(p, write ? SYS_write : SYS_read);

	load(p, ARG_LOW(0));
	if (write) {
		allow_fd(p, h->console_fd);
		allow_fd(p, h->report_fd >= 0 ? h->report_fd : STDERR_FILENO);
	}
	for (uint32_t i = 0; i < h->n_devices; i++)
		if (h->device[i].type == SOLO5_NET)
			allow_fd(p, h->device[i].net.fd);
	call_end(p, begin);
}

/* Blocks: inside of the device, a block or (copy-on-write) a chunk at a time; and the map
 * behind an overlay. */
static void allow_blocks(struct prog *p, const struct hvt *h, bool write)
{
	unsigned begin = call_begin(p, write ? SYS_pwrite64 : SYS_pread64);

	load(p, ARG_LOW(0));
	for (uint32_t i = 0; i < h->n_devices; i++) {
		const struct hvt_block *b = &h->device[i].block;
		uint64_t last = b->capacity - b->block_size;

		if (h->device[i].type != SOLO5_BLOCK)
			continue;
		if (b->base >= 0)
			allow_fd_within(p, b->fd, b->chunk_bytes, b->map_end - 1);
		else if (!write || !b->ro)
			allow_fd_within(p, b->fd, b->block_size, last);
		if (!write)
			allow_fd_within(p, b->base, b->chunk_bytes, last);
	}
	if (write)
		allow_fd_within(p, h->core_fd, CORE_PIECE, h->gate.size);
	call_end(p, begin);
}

static int install_filter(const struct hvt *h)
{
	static struct prog p;
	struct sock_fprog program = { .filter = p.f };

	load(&p, offsetof(struct seccomp_data, arch));
	if_equal(&p, AUDIT_ARCH_X86_64, 1, 0);
	ret(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
	allow_ioctl(&p, h->vcpu);
	allow_streams(&p, h, true);
	allow_streams(&p, h, false);
	allow_blocks(&p, h, true);
	allow_blocks(&p, h, false);
	allow_call(&p, SYS_ppoll);
	allow_call(&p, SYS_clock_gettime); /* where the vDSO has no fast clock */
	allow_call(&p, SYS_exit_group);
	if (h->swaps) /* another filter tells the supervisor of it */
		allow_call(&p, USPEC_SWAP_CALL);
	if (SANITIZED) /* what it does before a function that does not return */
		allow_call(&p, SYS_sigaltstack);
	ret(&p, SECCOMP_RET_KILL_PROCESS);
	if (p.n > BPF_MAXINSNS)
		return -E2BIG;
	program.len = (unsigned short)p.n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno :
										0;
}

/* ---- exchanging volumes ---- */

/* The same as in tender/spt/swap.c. */
extern const char hvt_swap_call[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
	".globl hvt_swap_call\n"
	".hidden hvt_swap_call\n"
	"hvt_swap_call: syscall\n"
	"hlt\n"
	".popsection");

static int install_swap(void)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, USPEC_SWAP_CALL },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW }, /* the next one decides */
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			 SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);

	return r < 0 ? -errno : (int)r;
}

/* What the supervisor needs; no copy stays here (close_others). */
static int offer_swap(const struct hvt *h, struct err *err)
{
	static const struct uspec_report none;
	struct uspec_report report = none;
	int listener = h->swaps ? install_swap() : -1;

	if (listener < 0)
		return 0; /* below a filter that has one; the supervisor misses ours */
	report.outcome = USPEC_SWAP;
	report.address = (uintptr_t)hvt_swap_call;
	return fd_send(h->report_fd, &report, sizeof(report), &listener, 1, err);
}

/* ---- the rest ---- */

static int become(const struct uspec *s, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (geteuid() == 0 || getuid() != s->uid || geteuid() != s->uid ||
	    getgid() != s->gid || getegid() != s->gid)
		if (setgroups(0, NULL) < 0 || setresgid(s->gid, s->gid, s->gid) < 0 ||
		    setresuid(s->uid, s->uid, s->uid) < 0)
			return err_sys(err, "cannot become user %u, group %u", s->uid,
				       s->gid);
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(err, "cannot give up capabilities");
	return 0;
}

/* A change of ids clears PDEATHSIG, so this comes after it. The starter's pipe has ended
 * if it died before the kernel was asked to tell. */
static int die_with_starter(int alive_fd, struct err *err)
{
	struct pollfd p = { .fd = alive_fd };

	if (alive_fd < 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "cannot be bound to its starter");
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)))
		return err_set(err, PE_REFUSED, "its starter is gone");
	return 0;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : 1;
}

static int close_others(const struct hvt *h, struct err *err)
{
	int keep[KEEP_MAX] = { h->console_fd, h->vcpu, h->core_fd,
			       h->report_fd >= 0 ? h->report_fd : STDERR_FILENO };
	size_t n = 4, used = 0;
	int r;

	for (uint32_t i = 0; i < h->n_devices; i++) {
		bool is_block = h->device[i].type == SOLO5_BLOCK;

		keep[n++] = is_block ? h->device[i].block.fd : h->device[i].net.fd;
		if (is_block)
			keep[n++] = h->device[i].block.base;
	}
	qsort(keep, n, sizeof(keep[0]), ascending);
	for (size_t i = 0; i < n; i++) /* -1 is none; two devices may share one */
		if (keep[i] >= 0 && (used == 0 || keep[i] != keep[used - 1]))
			keep[used++] = keep[i];
	r = fd_close_but(keep, used);
	return r < 0 ? err_neg(err, r, "cannot close what it does not need") : 0;
}

static int hide(struct err *err)
{
	/* 0 would not keep a core handler that is a pipe from being run. */
	const struct rlimit core = { 1, 1 };

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "cannot close itself to others");
	return 0;
}

int hvt_drop(const struct uspec *s, struct err *err)
{
	int r = become(s, err);

	if (r == 0)
		r = die_with_starter(s->alive_fd, err);
	return r != 0 ? r : hide(err);
}

int hvt_lockdown(const struct hvt *h, struct err *err)
{
	int r = offer_swap(h, err);

	if (r == 0)
		r = close_others(h, err);
	if (r != 0)
		return r;
	r = lockdown_landlock_nothing();
	if (r == 0)
		r = install_filter(h);
	return r < 0 ? err_neg(err, r, "cannot lock itself down") : 0;
}
