/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last page of polder-tender-spt, run in children: what lies in its way is unmapped,
 * sealed pages are left, its own notes are wiped, registers are clear, and what cannot be
 * done ends the process before the guest has run.
 */
#include "tender/spt/spt-internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define PAGES 37 /* no power of two */

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static char *area;
static struct spt_enter *notes;
static uint64_t stays; /* a bit for each page that must still be there */

static struct sock_filter allow[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };

/* The guest: what it finds is its exit status, 0 if all is well. */
static void check_pages(long boot_info, uint64_t registers)
{
	unsigned char seen;

	if (boot_info != 0x1234 || registers != 0)
		sys_exit(3);
	for (size_t i = 0; i < sizeof(*notes); i++)
		if (((char *)notes)[i])
			sys_exit(4);
	for (unsigned i = 0; i < PAGES; i++) {
		bool there = SYS3(SYS_mincore, area + i * PAGE, PAGE, &seen) == 0;

		if (there != ((stays >> i & 1) != 0))
			sys_exit(5);
	}
	sys_exit(0);
}

/* All general registers but rax, rdi and rsp, one into the other. */
__attribute__((naked)) static void guest(void)
{
	__asm__("mov %rbx, %rsi\n"
		"or %rcx, %rsi\nor %rdx, %rsi\nor %rbp, %rsi\nor %r8, %rsi\n"
		"or %r9, %rsi\nor %r10, %rsi\nor %r11, %rsi\nor %r12, %rsi\n"
		"or %r13, %rsi\nor %r14, %rsi\nor %r15, %rsi\n"
		"push %rax\n"
		"jmp *guest_checks(%rip)");
}

void (*guest_checks)(long, uint64_t) = check_pages;

static int run(unsigned first_sealed, unsigned n_sealed, const struct sock_filter *filter,
	       uint64_t from)
{
	int status;
	pid_t pid;

	stays = ((1ull << n_sealed) - 1) << first_sealed;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *stack = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		notes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stack == MAP_FAILED || notes == MAP_FAILED ||
		    sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0) < 0)
			sys_exit(10);
		if (n_sealed &&
		    SYS3(SYS_mseal, area + first_sealed * PAGE, n_sealed * PAGE, 0) < 0)
			sys_exit(77);
		*notes = (struct spt_enter){
			.unmap_from = from ? from : (uint64_t)area,
			.unmap_to = (uint64_t)area + PAGES * PAGE,
			.filter = { .len = 1, .filter = (struct sock_filter *)filter },
			.wipe_bytes = sizeof(*notes),
			.entry = (uint64_t)guest,
			.stack = (uint64_t)stack + 16 * PAGE - 8,
			.boot_info = 0x1234,
		};
		spt_enter(notes);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void everything_is_unmapped(void **state)
{
	(void)state;
	assert_int_equal(run(0, 0, allow, 0), 0);
}

static void but_for_sealed_pages(void **state)
{
	static const struct {
		unsigned first, n;
	} sealed[] = { { 0, 1 }, { 36, 1 }, { 17, 1 }, { 3, 6 }, { 31, 6 }, { 0, 37 } };

	(void)state;
	if (run(0, 1, allow, 0) == 77) {
		print_message("skipped: this kernel cannot seal memory\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(sealed); i++)
		assert_int_equal(run(sealed[i].first, sealed[i].n, allow, 0), 0);
}

static void a_failure_ends_it(void **state)
{
	static struct sock_filter bad[] = { { 0xffff, 0, 0, 0 } };

	(void)state;
	assert_int_equal(run(0, 0, bad, 0), 125);
	assert_int_equal(run(0, 0, NULL, 0), 125);
	assert_int_equal(run(0, 0, allow, (uint64_t)area + 1), 125);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_unmapped),
		cmocka_unit_test(but_for_sealed_pages),
		cmocka_unit_test(a_failure_ends_it),
	};

	area = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
