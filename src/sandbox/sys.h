/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.h - system calls that return -errno and touch no C library state.
 *
 * The payload task shares its memory with init until it executes the program, errno
 * included, so between clone and exec only these are called. Constants that the oldest
 * supported headers (Linux 6.1) do not know are defined here, from the kernel's UAPI.
 */
#ifndef POLDER_SANDBOX_SYS_H
#define POLDER_SANDBOX_SYS_H

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1u << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

#if defined(__x86_64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "Polder knows the system calls of x86_64 and aarch64"
#endif

#define SYS0(n) sys6((n), 0, 0, 0, 0, 0, 0)
#define SYS1(n, a) sys6((n), (long)(a), 0, 0, 0, 0, 0)
#define SYS2(n, a, b) sys6((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(n, a, b, c) sys6((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(n, a, b, c, d) sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(n, a, b, c, d, e)                                                           \
	sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(n, a, b, c, d, e, f)                                                        \
	sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode,
			      uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };

	return (int)SYS4(SYS_openat2, dirfd, path, &how, sizeof(how));
}

static inline int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return (int)SYS3(SYS_open_tree, dirfd, path, flags);
}

static inline int sys_move_mount(int from, int to, const char *to_path)
{
	return (int)SYS5(SYS_move_mount, from, "", to, to_path,
			 MOVE_MOUNT_F_EMPTY_PATH |
				 (*to_path ? 0 : 0x40 /* T_EMPTY_PATH */));
}

static inline int sys_mount_setattr(int fd, const char *path, unsigned flags,
				    struct mount_attr *attr)
{
	return (int)SYS5(SYS_mount_setattr, fd, path, flags, attr, sizeof(*attr));
}

static inline int sys_fsopen(const char *fs)
{
	return (int)SYS2(SYS_fsopen, fs, FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value,
			       int aux)
{
	return (int)SYS5(SYS_fsconfig, fd, cmd, key, value, aux);
}

static inline int sys_fsmount(int fd, unsigned attrs)
{
	return (int)SYS3(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attrs);
}

static inline int sys_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (int)SYS4(SYS_openat, dirfd, path, flags | O_CLOEXEC, mode);
}

static inline int sys_mkdirat(int dirfd, const char *path, unsigned mode)
{
	return (int)SYS3(SYS_mkdirat, dirfd, path, mode);
}

static inline long sys_write(int fd, const void *p, size_t n)
{
	return SYS3(SYS_write, fd, p, n);
}

static inline long sys_read(int fd, void *p, size_t n)
{
	return SYS3(SYS_read, fd, p, n);
}

static inline void sys_close(int fd)
{
	(void)SYS1(SYS_close, fd);
}

static inline long sys_prctl(int op, unsigned long a, unsigned long b)
{
	return SYS5(SYS_prctl, op, a, b, 0, 0);
}

_Noreturn static inline void sys_exit(int code)
{
	for (;;)
		(void)SYS1(SYS_exit_group, code);
}

#endif
