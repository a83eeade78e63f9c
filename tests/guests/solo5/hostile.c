/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that tries one thing that it may not, named by its command line (spt alone). It
 * has a block device "storage" and a net device "service". Where it still runs afterwards
 * it prints "still here" and ends with 0: so a test sees whether it died of it.
 */
#include "guest.h"

GUEST_DEVICES(GUEST_BLOCK("storage"), GUEST_NET("service"));

static char buf[8192] = "data";
static const char constant[] = "constant";
static uint64_t capacity, bs;

struct call {
	const char *word;
	long n, a, b, c, d, e, f;
};

#define BUF ((long)buf)

/* Every one of them ends the guest. */
static const struct call calls[] = {
	{ "read-1", 0, 1, BUF, 1, 0, 0, 0 },
	{ "read-epoll", 0, 3, BUF, 1, 0, 0, 0 },
	{ "read-timer", 0, 4, BUF, 8, 0, 0, 0 },
	{ "read-beyond", 0, 7, BUF, 8, 0, 0, 0 },
	{ "read-minus-1", 0, -1, BUF, 8, 0, 0, 0 },
	{ "write-0", 1, 0, BUF, 1, 0, 0, 0 },
	{ "write-2", 1, 2, BUF, 1, 0, 0, 0 },
	{ "write-timer", 1, 4, BUF, 8, 0, 0, 0 },
	{ "write-block", 1, 6, BUF, 512, 0, 0, 0 },
	{ "write-beyond", 1, 7, BUF, 8, 0, 0, 0 },
	{ "write-minus-1", 1, -1, BUF, 8, 0, 0, 0 },
	{ "pread-net", 17, 5, BUF, 512, 0, 0, 0 },
	{ "pread-console", 17, 1, BUF, 512, 0, 0, 0 },
	{ "pread-beyond", 17, 7, BUF, 512, 0, 0, 0 },
	{ "pwrite-console", 18, 1, BUF, 512, 0, 0, 0 },
	{ "pwrite-net", 18, 5, BUF, 512, 0, 0, 0 },
	{ "count-0", 17, 6, BUF, 0, 0, 0, 0 },
	{ "count-less", 17, 6, BUF, 511, 0, 0, 0 },
	{ "count-more", 18, 6, BUF, 1024, 0, 0, 0 },
	{ "count-high", 17, 6, BUF, 512 | 1l << 32, 0, 0, 0 },
	{ "count-minus", 18, 6, BUF, -512, 0, 0, 0 },
	{ "offset-minus", 17, 6, BUF, 512, -512, 0, 0 },
	{ "offset-minus-1", 18, 6, BUF, 512, -1, 0, 0 },
	{ "offset-high", 17, 6, BUF, 512, 1l << 32, 0, 0 },
	{ "offset-highest", 18, 6, BUF, 512, INT64_MAX, 0, 0 },
	{ "clock-process", 228, 2, BUF, 0, 0, 0, 0 },
	{ "clock-of-another", 228, -10, BUF, 0, 0, 0, 0 },
	{ "poll-other", 281, 4, BUF, 1, 0, 0, 0 },
	{ "poll-mask", 281, 3, BUF, 1, 0, BUF, 8 },
	{ "poll-mask-high", 281, 3, BUF, 1, 0, 1l << 32, 8 },
	{ "timer-other", 286, 3, 0, BUF, 0, 0, 0 },
	{ "set-gs", 158, 0x1001, 0x100000, 0, 0, 0, 0 },
	{ "get-fs", 158, 0x1003, BUF, 0, 0, 0, 0 },
	{ "cpuid-fault", 158, 0x1012, 0, 0, 0, 0, 0 },
	{ "epoll-ctl", 233, 3, 2, 4, 0, 0, 0 },
	{ "epoll-create", 291, 0, 0, 0, 0, 0, 0 },
	{ "epoll-wait", 232, 3, BUF, 1, 0, 0, 0 },
	{ "open", 2, (long)"/etc/passwd", 0, 0, 0, 0, 0 },
	{ "openat", 257, -100, (long)"/etc/passwd", 0, 0, 0, 0 },
	{ "openat2", 437, -100, (long)"/", BUF, 24, 0, 0 },
	{ "close", 3, 1, 0, 0, 0, 0, 0 },
	{ "dup", 32, 1, 0, 0, 0, 0, 0 },
	{ "dup2", 33, 1, 7, 0, 0, 0, 0 },
	{ "fcntl", 72, 1, 3, 0, 0, 0, 0 },
	{ "ioctl", 16, 1, 0x5401, BUF, 0, 0, 0 },
	{ "lseek", 8, 6, 0, 2, 0, 0, 0 },
	{ "readv", 19, 5, BUF, 1, 0, 0, 0 },
	{ "writev", 20, 1, BUF, 1, 0, 0, 0 },
	{ "sendto", 44, 5, BUF, 1, 0, 0, 0 },
	{ "sendmsg", 46, 5, BUF, 0, 0, 0, 0 },
	{ "socket", 41, 2, 1, 0, 0, 0, 0 },
	{ "mmap", 9, 0, 4096, 7, 0x22, -1, 0 },
	{ "mprotect", 10, 0x100000, 4096, 7, 0, 0, 0 },
	{ "munmap", 11, 0x200000, 4096, 0, 0, 0, 0 },
	{ "mremap", 25, 0x200000, 4096, 8192, 1, 0, 0 },
	{ "madvise", 28, 0x200000, 4096, 4, 0, 0, 0 },
	{ "remap-file-pages", 216, 0x200000, 4096, 0, 0, 0, 0 },
	{ "brk", 12, 0, 0, 0, 0, 0, 0 },
	{ "userfaultfd", 323, 0, 0, 0, 0, 0, 0 },
	{ "pkey-mprotect", 329, 0x100000, 4096, 7, 0, 0, 0 },
	{ "shmat", 30, 0, 0, 0, 0, 0, 0 },
	{ "fork", 57, 0, 0, 0, 0, 0, 0 },
	{ "vfork", 58, 0, 0, 0, 0, 0, 0 },
	{ "clone", 56, 0x100, 0, 0, 0, 0, 0 },
	{ "clone3", 435, BUF, 88, 0, 0, 0, 0 },
	{ "execve", 59, (long)"/bin/sh", 0, 0, 0, 0, 0 },
	{ "execveat", 322, -100, (long)"/bin/sh", 0, 0, 0, 0 },
	{ "exit-thread", 60, 0, 0, 0, 0, 0, 0 },
	{ "kill", 62, 0, 0, 0, 0, 0, 0 },
	{ "tgkill", 234, 0, 0, 0, 0, 0, 0 },
	{ "ptrace", 101, 0, 0, 0, 0, 0, 0 },
	{ "process-vm-readv", 310, 1, BUF, 1, BUF, 1, 0 },
	{ "getpid", 39, 0, 0, 0, 0, 0, 0 },
	{ "prctl", 157, 4, 1, 0, 0, 0, 0 },
	{ "prlimit", 302, 0, 4, 0, BUF, 0, 0 },
	{ "seccomp", 317, 0, 0, 0, 0, 0, 0 },
	{ "bpf", 321, 0, 0, 0, 0, 0, 0 },
	{ "io-uring", 425, 1, BUF, 0, 0, 0, 0 },
	{ "sigaction", 13, 11, BUF, 0, 8, 0, 0 },
	{ "sigprocmask", 14, 0, BUF, 0, 8, 0, 0 },
	{ "sigaltstack", 131, BUF, 0, 0, 0, 0, 0 },
	{ "sigreturn", 15, 0, 0, 0, 0, 0, 0 },
	{ "restart", 219, 0, 0, 0, 0, 0, 0 },
	{ "set-tid-address", 218, BUF, 0, 0, 0, 0, 0 },
	{ "robust-list", 273, BUF, 24, 0, 0, 0, 0 },
	{ "rseq", 334, BUF, 32, 0, 0, 0, 0 },
	{ "futex", 202, BUF, 0, 0, 0, 0, 0 },
	{ "nanosleep", 35, BUF, 0, 0, 0, 0, 0 },
	{ "settimeofday", 164, BUF, 0, 0, 0, 0, 0 },
	{ "getrandom", 318, BUF, 8, 0, 0, 0, 0 },
	{ "last", 462, 0, 0, 0, 0, 0, 0 },
	{ "no-such-call", 100000, 0, 0, 0, 0, 0, 0 },
	{ "minus-1", -1, 0, 0, 0, 0, 0, 0 },
	{ "minus-2", -2, 0, 0, 0, 0, 0, 0 },
	{ "x32-write", 0x40000001, 1, BUF, 4, 0, 0, 0 },
	{ "x32-read", 0x40000000, 5, BUF, 4, 0, 0, 0 },
	{ "x32-exit", 0x400000e7, 7, 0, 0, 0, 0, 0 },
};

static void at_offset(uint64_t offset, long call)
{
	(void)g_sys(call, 6, BUF, (long)bs, (long)offset, 0, 0);
}

static long int80(long n, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(n), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static uint8_t peek(uint64_t address)
{
	return *(const volatile uint8_t *)address;
}

static void poke(const void *address)
{
	*(volatile uint8_t *)(uintptr_t)address = 0xc3;
}

static void jump(const void *address)
{
	((void (*)(void))(uintptr_t)address)();
}

static void memory(void)
{
	char stack[16];

	if (g_word("read-null"))
		(void)peek(0);
	if (g_word("read-below"))
		(void)peek(0xffff);
	if (g_word("read-above"))
		(void)peek(g_boot->mem_size);
	if (g_word("read-tender"))
		(void)peek(0x20000000000);
	if (g_word("write-enter")) { /* where the tender's last page is: it can be read */
		(void)peek(g_boot->mem_size + 0x10000);
		poke((void *)(g_boot->mem_size + 0x10000));
	}
	if (g_word("read-gap"))
		(void)peek(g_boot->mem_size + 0xffff);
	if (g_word("read-behind"))
		(void)peek(g_boot->mem_size + 0x11000);
	/* It would install a filter if it could, and unmap what it likes. */
	if (g_word("jump-enter"))
		((void (*)(const void *))(g_boot->mem_size + 0x10000))(buf);
	if (g_word("write-text"))
		poke((void *)(uintptr_t)guest_main);
	if (g_word("write-constant"))
		poke(constant);
	if (g_word("write-vsyscall"))
		poke((void *)0xffffffffff600000);
	if (g_word("read-vsyscall"))
		(void)peek(0xffffffffff600000);
	if (g_word("read-kernel"))
		(void)peek(0xffffffff81000000);
	if (g_word("jump-null"))
		jump(NULL);
	if (g_word("jump-data")) {
		buf[0] = (char)0xc3;
		jump(buf);
	}
	if (g_word("jump-constant"))
		jump(constant);
	if (g_word("jump-stack")) {
		stack[0] = (char)0xc3;
		__asm__ volatile("" : : "r"(stack) : "memory");
		jump(stack);
	}
	if (g_word("jump-boot-info"))
		jump(g_boot);
	if (g_word("jump-zero"))
		jump((void *)(g_boot->kernel_end + 4096));
	if (g_word("vsyscall-time"))
		jump((void *)0xffffffffff600400);
	if (g_word("vsyscall-gettimeofday"))
		jump((void *)0xffffffffff600000);
}

static void instructions(void)
{
	if (g_word("hlt"))
		__asm__ volatile("hlt");
	if (g_word("cli"))
		__asm__ volatile("cli");
	if (g_word("out"))
		__asm__ volatile("outb %%al, $0x80" : : "a"(0));
	if (g_word("ud2"))
		__asm__ volatile("ud2");
	if (g_word("int3"))
		__asm__ volatile("int3");
	if (g_word("divide"))
		__asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
	if (g_word("no-stack"))
		__asm__ volatile("xor %%esp, %%esp; push %%rax" : : : "memory");
	if (g_word("non-canonical-stack"))
		__asm__ volatile("mov $1, %%rsp; shl $63, %%rsp; push %%rax"
				 :
				 :
				 : "memory");
	if (g_word("single-step"))
		__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; nop" : : : "memory");
	if (g_word("int80-write"))
		(void)int80(4, 1, 0x100000, 4);
	if (g_word("int80-exit"))
		(void)int80(1, 7, 0, 0);
	if (g_word("int80-exit-group"))
		(void)int80(252, 7, 0, 0);
	if (g_word("sysenter"))
		__asm__ volatile("sysenter" : : "a"(1) : "memory");
}

/* These go on until somebody ends them. */
static void forever(void)
{
	if (g_word("flood"))
		for (;;)
			g_write(buf, sizeof(buf));
	if (g_word("spin"))
		for (;;)
			__asm__ volatile("");
	if (g_word("sleep"))
		for (;;)
			(void)g_yield(g_now() + 3600000000000u);
	if (g_word("no-stack-sleep")) {
		uint64_t far = g_now() + 3600000000000u;

		(void)far;
		__asm__ volatile("xor %%esp, %%esp\n1: mov $281, %%eax\n"
				 "mov $3, %%edi\nmov %0, %%rsi\nmov $1, %%edx\n"
				 "mov $-1, %%r10\nxor %%r8d, %%r8d\nxor %%r9d, %%r9d\n"
				 "syscall\njmp 1b"
				 :
				 : "r"(buf)
				 : "memory");
	}
	if (g_word("touch"))
		for (uint64_t a = g_boot->kernel_end; a < g_boot->mem_size - 65536;
		     a += 4096)
			*(volatile uint8_t *)a = 1;
}

static bool all_zero(uint64_t from, uint64_t to)
{
	for (uint64_t at = (from + 7) & ~7ull; at < to; at += 8)
		if (*(const volatile uint64_t *)at)
			return false;
	return true;
}

/* What the tender wrote for itself into the guest's memory is gone. */
static void residue(void)
{
	g_require(all_zero(0x10000, 0x11000));
	g_require(
		all_zero((uintptr_t)g_boot->cmdline + g_len(g_boot->cmdline), 0x100000));
	g_require(all_zero(g_boot->kernel_end, g_boot->mem_size - 65536));
}

/* The kernel answers these; the guest goes on. */
static void harmless(void)
{
	if (g_word("residue"))
		residue();
	if (g_word("pwrite-pointer"))
		g_require(g_sys(18, 6, 0x20000000000, (long)bs, 0, 0, 0) == -14);
	if (g_word("pread-into-text"))
		g_require(g_sys(17, 6, 0x100000, (long)bs, 0, 0, 0) == -14);
	if (g_word("write-pointer"))
		g_require(g_sys(1, 1, 0x1000, 100, 0, 0, 0) == -14);
	if (g_word("clock-pointer"))
		g_require(g_sys(228, 1, 0x1000, 0, 0, 0, 0) == -14);
	if (g_word("set-fs-non-canonical"))
		g_require(g_sys(158, 0x1002, INT64_MIN, 0, 0, 0, 0) == -1);
	if (g_word("poll-into-text"))
		(void)g_sys(281, 3, 0x100000, 1, 0, 0, 0);
	if (g_word("huge-frame"))
		g_require(g_sys(1, 5, 0x100000, 1 << 30, 0, 0, 0) < 0);
	if (g_word("offset-last"))
		g_require(g_sys(18, 6, BUF, (long)bs, (long)(capacity - bs), 0, 0) ==
			  (long)bs);
	if (g_word("offset-odd"))
		g_require(g_sys(17, 6, BUF, (long)bs, 1, 0, 0) == (long)bs);
	if (g_word("fd-high-half")) /* the kernel takes an int */
		g_require(g_sys(1, 1 | 1l << 32, (long)"high\n", 5, 0, 0, 0) == 5);
}

void guest_main(void)
{
	capacity = g_boot->manifest->e[1].u.block.capacity;
	bs = g_boot->manifest->e[1].u.block.block_size;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct call *c = &calls[i];

		if (g_word("list")) {
			g_puts(c->word);
			g_puts("\n");
		} else if (g_word(c->word)) {
			(void)g_sys(c->n, c->a, c->b, c->c, c->d, c->e, c->f);
		}
	}
	if (g_word("offset-beyond"))
		at_offset(capacity, 17);
	if (g_word("offset-beyond-1"))
		at_offset(capacity - bs + 1, 18);
	if (g_word("forge-manifest")) { /* what it may reach is not decided there */
		struct g_entry *e = (struct g_entry *)(uintptr_t)&g_boot->manifest->e[1];

		e->u.block.capacity = UINT64_MAX;
		at_offset(capacity, 17);
	}
	memory();
	instructions();
	forever();
	harmless();
	if (!g_word("list"))
		g_puts("still here\n");
}

GUEST_END
