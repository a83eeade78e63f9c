/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter.c - the system calls that serving files needs, and no other.
 *
 * Landlock keeps a caretaker that was taken over to the granted tree, but it knows no
 * sockets that have a path: with one of those it could ask somebody outside (a desktop's bus,
 * another tender) to do what it cannot. There is no socket, no program, no other process
 * here. What is refused says EPERM; a call that a later C library tries first says ENOSYS.
 */
#include "caretaker/dir.h"

#include <assert.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no system-call filter for this machine yet"
#endif
#define X32 0x40000000u
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const uint32_t allowed[] = {
	/* the kernel's requests, the channel, timers */
	SYS_read,
	SYS_write,
	SYS_writev,
	SYS_sendto,
	SYS_recvmsg,
	SYS_ppoll,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_timerfd_create,
	SYS_timerfd_settime,
	SYS_dup3,
	SYS_close,
	SYS_fcntl,
	/* files: by a node's descriptor, which Landlock has a look at */
	SYS_openat,
	SYS_openat2,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_pread64,
	SYS_pwrite64,
	SYS_pwritev2,
	SYS_lseek,
	SYS_getdents64,
	SYS_copy_file_range,
	SYS_fsync,
	SYS_fdatasync,
	SYS_fallocate,
	SYS_ftruncate,
	SYS_fstatfs,
	SYS_readlinkat,
	SYS_linkat,
	SYS_symlinkat,
	SYS_mkdirat,
	SYS_mknodat,
	SYS_unlinkat,
	SYS_renameat2,
	SYS_fchmodat,
	SYS_fchmodat2,
	SYS_fchownat,
	SYS_utimensat,
	SYS_getxattr,
	SYS_setxattr,
	SYS_listxattr,
	SYS_removexattr,
	/* memory, threads */
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_futex,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_sigaltstack,
	SYS_rt_sigprocmask,
	SYS_rt_sigaction,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_getpid,
	SYS_gettid,
	SYS_getrandom,
	SYS_exit,
	SYS_exit_group,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
};

struct prog {
	struct sock_filter f[256];
	unsigned short n;
};

static void emit(struct prog *p, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
	p->f[p->n++] =
		(struct sock_filter){ (uint16_t)code, (uint8_t)yes, (uint8_t)no, k };
}

static void load(struct prog *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void ret(struct prog *p, uint32_t what)
{
	emit(p, BPF_RET | BPF_K, what, 0, 0);
}

static void ret_errno(struct prog *p, int e)
{
	ret(p, SECCOMP_RET_ERRNO | (uint32_t)e);
}

static void allow(struct prog *p, uint32_t nr)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	ret(p, SECCOMP_RET_ALLOW);
}

/* Allowed if the argument's low half, under mask, is that. */
static void allow_if(struct prog *p, uint32_t nr, unsigned arg, uint32_t mask,
		     uint32_t value)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 5);
	load(p, offsetof(struct seccomp_data, args) + 8u * arg);
	emit(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	ret(p, SECCOMP_RET_ALLOW);
	ret_errno(p, EPERM);
}

static_assert(2 * ARRAY_LEN(allowed) + 60 < ARRAY_LEN(((struct prog *)0)->f),
	      "the filter has room");

static void make(struct prog *p, bool passthrough)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		allow(p, allowed[i]);
	/* No code comes to what there is. */
	allow_if(p, SYS_mmap, 2, PROT_EXEC, 0);
	allow_if(p, SYS_mprotect, 2, PROT_EXEC, 0);
	/* Threads, no processes. clone3's flags are behind a pointer: the C library falls
	 * back to clone. */
	allow_if(p, SYS_clone, 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	ret_errno(p, ENOSYS);
	allow_if(p, SYS_tgkill, 0, ~0u, (uint32_t)getpid());
	if (passthrough)
		allow(p, SYS_ioctl);
	ret_errno(p, EPERM);
}

int filter_install(bool passthrough)
{
	static struct prog p;
	struct sock_fprog program = { .filter = p.f };

	make(&p, passthrough);
	program.len = p.n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno :
										0;
}
