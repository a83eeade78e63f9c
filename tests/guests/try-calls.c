// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * try-calls - makes system calls that an environment must not have, or must have, and
 * prints for each "NAME ok" or "NAME ERRNO"; a call that kills gives "NAME killed N".
 *
 * usage: try-calls GROUP|NAME…   (groups: denied, allowed; no argument: all)
 *
 * Arguments are chosen so that a call which is let through does no harm.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long zero16[64];
static char byte = 'x';

#define P(x) ((long)(uintptr_t)(x))
#define HIGH_BITS 0x100000000L

/* A call by number: what comes back is all that matters. */
struct call {
	const char *name;
	long nr, arg[6];
};

static const struct call denied[] = {
	{ "mount", SYS_mount, { P("none"), P("/tmp"), P("tmpfs"), 0, 0 } },
	{ "remount", SYS_mount, { P("none"), P("/"), 0, 32 /* MS_REMOUNT */ | 4096, 0 } },
	{ "umount", SYS_umount2, { P("/tmp"), 2 } },
	{ "pivot_root", SYS_pivot_root, { P("/tmp"), P("/tmp") } },
	{ "chroot", SYS_chroot, { P("/tmp") } },
	{ "open_tree", SYS_open_tree, { AT_FDCWD, P("/"), 1 } },
	{ "move_mount", SYS_move_mount, { AT_FDCWD, P("/tmp"), AT_FDCWD, P("/tmp"), 0 } },
	{ "fsopen", SYS_fsopen, { P("tmpfs"), 0 } },
	{ "fspick", SYS_fspick, { AT_FDCWD, P("/"), 0 } },
	{ "mount_setattr", SYS_mount_setattr, { AT_FDCWD, P("/"), 0, P(zero16), 32 } },
	{ "unshare-user", SYS_unshare, { CLONE_NEWUSER } },
	{ "unshare-mount", SYS_unshare, { CLONE_NEWNS } },
	{ "unshare-net", SYS_unshare, { CLONE_NEWNET } },
	{ "unshare-time", SYS_unshare, { 0x80 } },
	{ "unshare-cgroup", SYS_unshare, { CLONE_NEWCGROUP } },
	{ "clone-user", SYS_clone, { CLONE_NEWUSER | SIGCHLD } },
	{ "clone-user-high", SYS_clone, { HIGH_BITS | CLONE_NEWUSER | SIGCHLD } },
	{ "clone-pid", SYS_clone, { CLONE_NEWPID | SIGCHLD } },
	{ "clone3", SYS_clone3, { P(zero16), 64 } },
	{ "setns", SYS_setns, { 0, 0 } },
	{ "add_key", SYS_add_key, { P("user"), P("polder-test"), P("x"), 1, -1 } },
	{ "request_key", SYS_request_key, { P("user"), P("polder-test"), 0, -1 } },
	{ "keyctl", SYS_keyctl, { KEYCTL_GET_KEYRING_ID, -4, 1 } },
	{ "bpf", SYS_bpf, { 0, P(zero16), 72 } },
	{ "perf_event_open", SYS_perf_event_open, { P(zero16), 0, -1, -1, 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 4, P(zero16) } },
	{ "io_uring_enter", SYS_io_uring_enter, { -1, 0, 0, 0, 0, 0 } },
	{ "io_uring_register", SYS_io_uring_register, { -1, 0, 0, 0 } },
	{ "userfaultfd", SYS_userfaultfd, { 1 /* user mode only */ } },
	{ "init_module", SYS_init_module, { 0, 0, P("") } },
	{ "finit_module", SYS_finit_module, { -1, P(""), 0 } },
	{ "delete_module", SYS_delete_module, { P("polder-no-such"), 0 } },
	{ "kexec_load", SYS_kexec_load, { 0, 0, 0, 0 } },
	{ "kexec_file_load", SYS_kexec_file_load, { -1, -1, 0, 0, 0 } },
	{ "reboot", SYS_reboot, { 0, 0, 0, 0 } },
	{ "swapon", SYS_swapon, { P("/polder-no-such"), 0 } },
	{ "swapoff", SYS_swapoff, { P("/polder-no-such") } },
	{ "acct", SYS_acct, { P("/polder-no-such") } },
	{ "syslog", SYS_syslog, { 10 /* size of the log */, 0, 0 } },
	{ "quotactl", SYS_quotactl, { 0, 0, 0, 0 } },
	{ "settimeofday", SYS_settimeofday, { P(zero16), 0 } },
	{ "clock_settime", SYS_clock_settime, { CLOCK_REALTIME, P(zero16) } },
	{ "sethostname", SYS_sethostname, { P("x"), 1 } },
	{ "fanotify_init", SYS_fanotify_init, { 0, 0 } },
	{ "open_by_handle_at", SYS_open_by_handle_at, { AT_FDCWD, P(zero16), 0 } },
	{ "kcmp", SYS_kcmp, { 1, 1, 0, 0, 0 } },
	{ "vmsplice", SYS_vmsplice, { 1, 0, 0, 0 } },
	{ "personality", SYS_personality, { 0x0400000 /* READ_IMPLIES_EXEC */ } },
	{ "prctl-set-mm", SYS_prctl, { 35, 1, 0, 0, 0 } },
	{ "tiocsti", SYS_ioctl, { 0, 0x5412, P(&byte) } },
	{ "tiocsti-high", SYS_ioctl, { 0, HIGH_BITS | 0x5412, P(&byte) } },
	{ "tioclinux", SYS_ioctl, { 0, 0x541c, P(&byte) } },
	{ "tioclinux-high", SYS_ioctl, { 0, HIGH_BITS | 0x541c, P(&byte) } },
	{ "tiocsetd", SYS_ioctl, { 0, 0x5423, P(zero16) } },
	{ "mknod-char",
	  SYS_mknodat,
	  { AT_FDCWD, P("/tmp/char"), S_IFCHR | 0600, 0x103 } },
	{ "mknod-block",
	  SYS_mknodat,
	  { AT_FDCWD, P("/tmp/block"), S_IFBLK | 0600, 0x700 } },
	{ "mknod-setuid", SYS_mknodat, { AT_FDCWD, P("/tmp/set"), S_IFREG | 04755, 0 } },
	{ "chmod-setuid", SYS_fchmodat, { AT_FDCWD, P("/tmp"), 04755 } },
	{ "chmod-setuid-high", SYS_fchmodat, { AT_FDCWD, P("/tmp"), HIGH_BITS | 04755 } },
	{ "openat-setuid",
	  SYS_openat,
	  { AT_FDCWD, P("/tmp/s"), O_CREAT | O_WRONLY, 04755 } },
	{ "tmpfile-setuid",
	  SYS_openat,
	  { AT_FDCWD, P("/tmp"), O_TMPFILE | O_WRONLY, 04755 } },
	{ "openat2", SYS_openat2, { AT_FDCWD, P("/tmp"), P(zero16), 24 } },
	{ "socket-packet", SYS_socket, { 17, SOCK_RAW, 0 } },
	{ "socket-raw", SYS_socket, { AF_INET, SOCK_RAW, 1 } },
	{ "socket-raw6", SYS_socket, { AF_INET6, SOCK_RAW, 58 } },
	{ "socket-vsock", SYS_socket, { 40, SOCK_STREAM, 0 } },
	{ "socket-alg", SYS_socket, { 38, SOCK_SEQPACKET, 0 } },
	{ "socket-sctp", SYS_socket, { AF_INET, SOCK_STREAM, 132 } },
	{ "socket-dccp", SYS_socket, { AF_INET6, 6, 33 } },
	{ "socket-audit", SYS_socket, { AF_NETLINK, SOCK_RAW, 9 } },
	{ "socket-netfilter", SYS_socket, { AF_NETLINK, SOCK_RAW, 12 } },
	{ "socket-high", SYS_socket, { HIGH_BITS | 17, SOCK_RAW, 0 } },
	{ "kill-init-limits", SYS_prlimit64, { 1, RLIMIT_NOFILE, P(zero16), 0 } },
	{ "setgroups", SYS_setgroups, { 0, 0 } },
	{ "setuid-0", SYS_setresuid, { 0, 0, 0 } },
	{ "unknown", 600, { 0 } },
#ifdef __x86_64__
	{ "iopl", SYS_iopl, { 3 } },
	{ "ioperm", SYS_ioperm, { 0x80, 1, 1 } },
	{ "modify_ldt", SYS_modify_ldt, { 0, P(zero16), 16 } },
	{ "x32-getpid", 0x40000000 | SYS_getpid, { 0 } },
	{ "x32-execve", 0x40000000 | 520, { P("/bin/true"), 0, 0 } },
#endif
};

static const struct call allowed[] = {
	{ "getpid", SYS_getpid, { 0 } },
	{ "unshare-files", SYS_unshare, { CLONE_FILES } },
	{ "socket-unix", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
	{ "socket-inet", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "socket-tcp", SYS_socket, { AF_INET6, SOCK_STREAM, 6 } },
	{ "socket-inet6", SYS_socket, { AF_INET6, SOCK_DGRAM, 0 } },
	{ "socket-netlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 0 } },
	{ "mknod-fifo", SYS_mknodat, { AT_FDCWD, P("/tmp/fifo"), S_IFIFO | 0600, 0 } },
	{ "mknod-file", SYS_mknodat, { AT_FDCWD, P("/tmp/file"), S_IFREG | 0600, 0 } },
	{ "personality-query", SYS_personality, { 0xffffffff } },
	{ "prctl-name", SYS_prctl, { PR_SET_NAME, P("x"), 0, 0, 0 } },
	{ "own-limits", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, P(zero16) } },
	{ "core-limit",
	  SYS_prlimit64,
	  { 0, RLIMIT_CORE, P(zero16), 0 } }, /* but does nothing */
	{ "openat", SYS_openat, { AT_FDCWD, P("/tmp/o"), O_CREAT | O_WRONLY, 0755 } },
	{ "openat-plain", SYS_openat, { AT_FDCWD, P("/tmp"), O_RDONLY, 04755 } },
	{ "memfd", SYS_memfd_create, { P("x"), 0 } },
	{ "clock_gettime", SYS_clock_gettime, { CLOCK_REALTIME, P(zero16) } },
	{ "chmod", SYS_fchmodat, { AT_FDCWD, P("/tmp"), 01777 } },
};

static void report(const char *name, long r)
{
	printf("%s %s\n", name, r < 0 ? strerrorname_np(errno) : "ok");
	(void)fflush(stdout);
}

/* Each in a child, so that what it does to the process stays there. */
static void try_call(const struct call *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pid_t self = getpid();
		long r;

		errno = 0;
		r = syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
			    c->arg[5]);
		if (getpid() == self) /* a clone that was let through has a child */
			report(c->name, r);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		report(c->name, -1);
	else if (WIFSIGNALED(status))
		printf("%s killed %d\n", c->name, WTERMSIG(status));
}

#ifdef __x86_64__
static void try_32bit(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		long r;

		/* getpid of the 32-bit table */
		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
		errno = (int)-r;
		report("int80-getpid", r);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		printf("int80-getpid killed %d\n", WTERMSIG(status));
}
#else
static void try_32bit(void)
{
	printf("int80-getpid killed %d\n", SIGSYS);
}
#endif

static void run(const struct call *v, size_t n, const char *group, int argc, char **argv)
{
	for (size_t i = 0; i < n; i++) {
		int wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted |= strcmp(argv[k], group) == 0 ||
				  strcmp(argv[k], v[i].name) == 0;
		if (wanted)
			try_call(&v[i]);
	}
}

int main(int argc, char **argv)
{
	run(denied, sizeof(denied) / sizeof(*denied), "denied", argc, argv);
	run(allowed, sizeof(allowed) / sizeof(*allowed), "allowed", argc, argv);
	for (int k = 1; k < argc; k++)
		if (strcmp(argv[k], "denied") == 0)
			try_32bit();
	return 0;
}
