/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linked by other.lds: that all of it is where it should be, with thread-local variables. */
#include "guest.h"

GUEST_DEVICES();

/* Longer than any note of ours. */
__attribute__((section(".note.other"), used, aligned(4))) static const struct {
	struct g_note note;
	char desc[9000];
} other = { { 8, 9000, 1, "Other" }, "" };

extern const char tls_first[], tls_last[], tls_zeroes[];

static int zero[3000], one = 1;
static const int two = 2;
static _Thread_local volatile uint64_t three = 3, nothing;

static _Alignas(16) char tls[8192];

static void set_tls(uint64_t base)
{
#ifdef GUEST_HVT
	__asm__ volatile("wrmsr"
			 :
			 : "c"(0xc0000100), "a"((uint32_t)base),
			   "d"((uint32_t)(base >> 32)));
#else
	(void)g_sys(158, 0x1002, (long)base, 0, 0, 0, 0);
#endif
}

/* The variables lie right below what the base shows to, the first values first. */
static void use_tls(void)
{
	size_t n = (size_t)(tls_last - tls_first);
	uint64_t base = ((uintptr_t)tls + n + (uintptr_t)tls_zeroes + 7) & ~7ull;

	g_require(base + 8 <= (uintptr_t)tls + sizeof(tls));
	g_copy(tls, tls_first, n);
	g_copy((void *)(uintptr_t)base, &base, 8);
	set_tls(base);
	g_require(three == 3 && nothing == 0);
	three = nothing = 4;
	g_require(three == 4 && nothing == 4);
}

void guest_main(void)
{
	volatile int *z = zero, *o = &one;
	const volatile int *t = &two;

	for (size_t i = 0; i < 3000; i++)
		g_require(z[i] == 0);
	g_require(*o == 1 && *t == 2);
	*o = z[2999] = 3;
	g_require(*o == 3 && z[2999] == 3);
	use_tls();
	if (g_word("write"))
		*(volatile char *)(uintptr_t)tls_first = 1;
	g_puts("all there\n");
}

GUEST_END
