/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left to somebody who has taken the monitor over: each attempt is made by a
 * child that has been locked down as for a guest with one of each device. A call that
 * the filter stops kills the child by SIGSYS; others end it with 0 or an errno.
 */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "sandbox/sys.h"
#include "tender/hvt/hvt.h"

#define CAPACITY 65536
#define STOPPED (-1)

static struct hvt hvt;
static int vcpu, disk, ro, over, base, net, net_peer, core, other;
static char buf[8192];

static int file(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0 && ftruncate(fd, CAPACITY) == 0);
	return fd;
}

static struct hvt_device block(int fd, int base_fd, bool read_only)
{
	return (struct hvt_device){ .type = SOLO5_BLOCK,
				    .block = { .fd = fd,
					       .base = base_fd,
					       .ro = read_only,
					       .capacity = CAPACITY,
					       .block_size = 512,
					       .chunk_bytes = 4096,
					       .map_end = CAPACITY + 64 } };
}

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	vcpu = open("/dev/null", O_RDWR | O_CLOEXEC); /* no KVM: ioctl gives ENOTTY */
	assert_true(vcpu >= 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	net = pair[0];
	net_peer = pair[1];
	disk = file();
	ro = file();
	over = file();
	base = file();
	core = file();
	other = file();
	hvt = (struct hvt){ .console_fd = vcpu,
			    .vcpu = vcpu,
			    .report_fd = -1,
			    .core_fd = core,
			    .gate = { .size = 2 << 20 },
			    .n_devices = 4,
			    .device = { block(disk, -1, false),
					block(ro, -1, true),
					block(over, base, false),
					{ .type = SOLO5_NET, .net = { .fd = net } } } };
	return 0;
}

/* 0, an errno, or STOPPED. */
static int attempt(long nr, long a, long b, long c, long d)
{
	struct uspec s = { .uid = geteuid() ? geteuid() : 65534,
			   .gid = geteuid() ? getegid() : 65534,
			   .alive_fd = -1 };
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct err err = ERR_INIT;
		long r;

		if (hvt_drop(&s, &err) != 0 || hvt_lockdown(&hvt, &err) != 0) {
			(void)dprintf(2, "%s\n", err.text);
			sys_exit(200);
		}
		r = SYS4(nr, a, b, c, d);
		sys_exit(r < 0 ? (int)-r : 0);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGSYS);
		return STOPPED;
	}
	assert_int_not_equal(WEXITSTATUS(status), 200);
	return WEXITSTATUS(status);
}

#define AT(p) ((long)(uintptr_t)(p))

static void test_disks(void **state)
{
	(void)state;
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 512, 0), 0);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 512, CAPACITY - 512), 0);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 512, CAPACITY - 511),
			 STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 513, 0), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 1l << 32, 0), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 512, 1l << 32), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, disk, AT(buf), 512, -512), STOPPED);
	assert_int_equal(attempt(SYS_pread64, disk, AT(buf), 512, CAPACITY - 512), 0);
	assert_int_equal(attempt(SYS_pread64, disk, AT(buf), 512, CAPACITY), STOPPED);
	assert_int_equal(attempt(SYS_write, disk, AT(buf), 512, 0), STOPPED);
	assert_int_equal(attempt(SYS_ftruncate, disk, 0, 0, 0), STOPPED);
}

static void test_what_is_only_read(void **state)
{
	(void)state;
	assert_int_equal(attempt(SYS_pread64, ro, AT(buf), 512, 0), 0);
	assert_int_equal(attempt(SYS_pwrite64, ro, AT(buf), 512, 0), STOPPED);
	assert_int_equal(attempt(SYS_pread64, base, AT(buf), 4096, 0), 0);
	assert_int_equal(attempt(SYS_pwrite64, base, AT(buf), 512, 0), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, over, AT(buf), 4096, 0), 0);
	assert_int_equal(attempt(SYS_pwrite64, over, AT(buf), 4097, 0), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, over, AT(buf), 1, CAPACITY + 63), 0);
	assert_int_equal(attempt(SYS_pwrite64, over, AT(buf), 1, CAPACITY + 64), STOPPED);
}

static void test_streams(void **state)
{
	(void)state;
	assert_int_equal(attempt(SYS_write, net, AT(buf), 60, 0), 0);
	assert_true(send(net_peer, buf, 60, 0) == 60);
	assert_int_equal(attempt(SYS_read, net, AT(buf), 60, 0), 0);
	assert_int_equal(attempt(SYS_write, vcpu, AT(buf), 60, 0),
			 0); /* the console here */
	assert_int_equal(attempt(SYS_read, 0, AT(buf), 60, 0), STOPPED);
	assert_int_equal(attempt(SYS_write, other, AT(buf), 60, 0), STOPPED);
	assert_int_equal(attempt(SYS_write, net_peer, AT(buf), 60, 0), STOPPED);
	assert_int_equal(attempt(SYS_pwrite64, core, AT(buf), 4096, 2 << 20), 0);
	assert_int_equal(attempt(SYS_pwrite64, core, AT(buf), 4096, (2 << 20) + 1),
			 STOPPED);
	assert_int_equal(attempt(SYS_pread64, core, AT(buf), 4096, 0), STOPPED);
}

static void test_processor(void **state)
{
	(void)state;
	assert_int_equal(attempt(SYS_ioctl, vcpu, KVM_RUN, 0, 0), ENOTTY);
	assert_int_equal(attempt(SYS_ioctl, vcpu, KVM_GET_REGS, AT(buf), 0), ENOTTY);
	assert_int_equal(attempt(SYS_ioctl, vcpu, KVM_GET_SREGS, AT(buf), 0), ENOTTY);
	assert_int_equal(attempt(SYS_ioctl, vcpu, KVM_SET_REGS, AT(buf), 0), STOPPED);
	assert_int_equal(attempt(SYS_ioctl, vcpu, KVM_SET_MSRS, AT(buf), 0), STOPPED);
	assert_int_equal(attempt(SYS_ioctl, net, KVM_RUN, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_ioctl, net, KVM_GET_SREGS, 0, 0), STOPPED);
}

static void test_the_rest(void **state)
{
	struct timespec now;

	(void)state;
	assert_int_equal(attempt(SYS_clock_gettime, CLOCK_REALTIME, AT(&now), 0, 0), 0);
	assert_int_equal(attempt(SYS_ppoll, 0, 0, AT(&(struct timespec){ 0 }), 0), 0);
	assert_int_equal(attempt(SYS_openat, AT_FDCWD, AT("/"), O_RDONLY, 0), STOPPED);
	assert_int_equal(attempt(SYS_open, AT("/"), O_RDONLY, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_socket, AF_INET, SOCK_STREAM, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_execve, AT("/bin/true"), 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE),
			 STOPPED);
	assert_int_equal(attempt(SYS_mprotect, AT(buf), 4096, PROT_EXEC, 0), STOPPED);
	assert_int_equal(attempt(SYS_clone, SIGCHLD, 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_kill, 1, 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_ptrace, 0, 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_sendmsg, net, 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_recvmsg, net, 0, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_dup2, net, 1, 0, 0), STOPPED);
	assert_int_equal(attempt(SYS_brk, 0, 0, 0, 0), STOPPED);
}

static void test_names_of_32_bits(void **state)
{
	(void)state;
	/* The other number space of the processor. */
	assert_int_equal(attempt(0x40000000l | SYS_write, net, AT(buf), 60, 0), STOPPED);
	assert_int_equal(attempt(0x40000000l | SYS_openat, AT_FDCWD, AT("/"), 0, 0),
			 STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disks),    cmocka_unit_test(test_what_is_only_read),
		cmocka_unit_test(test_streams),  cmocka_unit_test(test_processor),
		cmocka_unit_test(test_the_rest), cmocka_unit_test(test_names_of_32_bits),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
