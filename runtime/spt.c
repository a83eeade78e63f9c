/* SPDX-License-Identifier: ISC */
/*
 * The ABI "spt": a Linux process whose filter allows a dozen system calls with exactly
 * these arguments, and kills at any other. So nothing here may try a call to see whether
 * it works.
 *
 * Time and waiting share one descriptor each that the tender made: an epoll set of all
 * net devices (data = handle) and of a timer (data = TIMER). The timer is armed for every
 * wait and never read; arming it anew is what makes it quiet again.
 */
#include "internal.h"

#include <stddef.h>

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_PREAD64 = 17,
	NR_PWRITE64 = 18,
	NR_ARCH_PRCTL = 158,
	NR_CLOCK_GETTIME = 228,
	NR_EXIT_GROUP = 231,
	NR_EPOLL_PWAIT = 281,
	NR_TIMERFD_SETTIME = 286
};

enum { LINUX_EINTR = 4, LINUX_EAGAIN = 11 };
enum { LINUX_CLOCK_REALTIME = 0, LINUX_CLOCK_MONOTONIC = 1 };

#define LINUX_ARCH_SET_FS 0x1002
#define LINUX_TFD_TIMER_ABSTIME 1
#define CONSOLE 1 /* descriptor */
#define TIMER 0xfffffffeu
#define EVENTS_MAX 64

struct boot_info {
	uint64_t mem_size, kernel_end;
	const char *cmdline;
	const void *manifest;
	int32_t epollfd, timerfd;
};
_Static_assert(sizeof(struct boot_info) == 40, "the boot information has 40 bytes");

struct linux_timespec {
	int64_t sec, nsec;
};

struct linux_itimerspec {
	struct linux_timespec interval, value;
};

struct __attribute__((packed)) linux_epoll_event {
	uint32_t events;
	uint64_t data;
};

const char abi_name[] = "spt";

static int epollfd, timerfd;

static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static long call4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static long call3(long nr, long a, long b, long c)
{
	return call4(nr, a, b, c, 0);
}

void abi_init(const void *boot_info, struct abi_boot *ret)
{
	const struct boot_info *bi = boot_info;

	epollfd = bi->epollfd;
	timerfd = bi->timerfd;
	*ret = (struct abi_boot){ bi->mem_size, bi->kernel_end,
				  bi->cmdline ? bi->cmdline : "", bi->manifest };
}

void abi_set_thread_pointer(const void *tp)
{
	(void)call3(NR_ARCH_PRCTL, LINUX_ARCH_SET_FS, (long)tp, 0);
}

void abi_halt(int status)
{
	for (;;)
		(void)call3(NR_EXIT_GROUP, status, 0, 0);
}

/* ---- time ---- */

static uint64_t clock_read(long which)
{
	struct linux_timespec ts = { 0, 0 };

	(void)call3(NR_CLOCK_GETTIME, which, (long)&ts, 0);
	return (uint64_t)ts.sec * PG_SECOND + (uint64_t)ts.nsec;
}

uint64_t abi_monotonic(void)
{
	return clock_read(LINUX_CLOCK_MONOTONIC);
}

uint64_t abi_wall(void)
{
	return clock_read(LINUX_CLOCK_REALTIME);
}

/* A time of 0 would switch the timer off: the lowest bit makes it another one. */
static void timer_set(uint64_t deadline)
{
	struct linux_itimerspec it = {
		.value = { (int64_t)(deadline / PG_SECOND),
			   (int64_t)(deadline % PG_SECOND | 1) },
	};

	(void)call4(NR_TIMERFD_SETTIME, timerfd, LINUX_TFD_TIMER_ABSTIME, (long)&it, 0);
}

uint64_t abi_poll(uint64_t deadline)
{
	struct linux_epoll_event ev[EVENTS_MAX];
	uint64_t ready = 0;
	long i, n;

	timer_set(deadline);
	do
		n = call6(NR_EPOLL_PWAIT, epollfd, (long)ev, pg_net_count() + 1, -1, 0,
			  0);
	while (n == -LINUX_EINTR);
	for (i = 0; i < n; i++)
		if (ev[i].data < 64)
			ready |= PG_SET_OF(ev[i].data);
	return ready;
}

/* ---- console ---- */

/* A console that takes nothing now (a full pipe that does not block) is tried again
 * every ms: the filter knows no way to wait for it. Any other error loses the rest. */
void abi_console_write(const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		long n = call3(NR_WRITE, CONSOLE, (long)p, (long)len);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == -LINUX_EAGAIN) {
			pg_sleep_until(pg_deadline_in(PG_MS));
		} else if (n != -LINUX_EINTR) {
			return;
		}
	}
}

/* ---- devices ---- */

int abi_block_read(pg_device d, int hostfd, uint64_t offset, void *buf, size_t len)
{
	long n = call4(NR_PREAD64, hostfd, (long)buf, (long)len, (long)offset);

	(void)d;
	return n == (long)len ? PG_OK : PG_FAILED;
}

int abi_block_write(pg_device d, int hostfd, uint64_t offset, const void *buf, size_t len)
{
	long n = call4(NR_PWRITE64, hostfd, (long)buf, (long)len, (long)offset);

	(void)d;
	return n == (long)len ? PG_OK : PG_FAILED;
}

/* An empty read is the end of some kinds of descriptor, and never a frame. */
int abi_net_read(pg_device d, int hostfd, void *buf, size_t size, size_t *ret_len)
{
	long n = call3(NR_READ, hostfd, (long)buf, (long)size);

	(void)d;
	if (n == 0 || n == -LINUX_EAGAIN || n == -LINUX_EINTR)
		return PG_AGAIN;
	if (n < 0)
		return PG_FAILED;
	*ret_len = (size_t)n;
	return PG_OK;
}

int abi_net_write(pg_device d, int hostfd, const void *frame, size_t len)
{
	long n = call3(NR_WRITE, hostfd, (long)frame, (long)len);

	(void)d;
	if (n == -LINUX_EAGAIN || n == -LINUX_EINTR)
		return PG_AGAIN;
	return n == (long)len ? PG_OK : PG_FAILED;
}
