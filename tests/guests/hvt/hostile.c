/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a hostile guest tries: one attempt for each rule, chosen by the command line. One
 * that is not stopped says so, with status 66.
 */
#include "guest.h"

#define MEM(info) ((info)->mem_size)

static const char constant[64] = "constant";
static uint8_t buf[4096];
static volatile uint64_t arg[64];
static const struct boot_info *info;
static uint64_t tables[3 * 512] __attribute__((aligned(4096)));

static void put(int nr, uint64_t a, uint64_t b)
{
	arg[0] = a;
	arg[1] = b;
	call(nr, arg);
}

static void jump(uint64_t to)
{
	__asm__ volatile("jmp *%0" : : "r"(to));
}

static uint8_t read_at(uint64_t at)
{
	return *(volatile uint8_t *)at;
}

static void write_at(uint64_t at)
{
	*(volatile uint8_t *)at = 1;
}

/* Its own page tables: 2 MiB pages, the identity, everything writable, and at 1 GiB minus
 * 2 MiB whatever is asked for. */
static void own_tables(uint64_t physical)
{
	tables[0] = (uintptr_t)(tables + 512) | 3;
	tables[512] = (uintptr_t)(tables + 1024) | 3;
	for (uint64_t at = 0; at < MEM(info); at += 2 << 20)
		tables[1024 + at / (2 << 20)] = at | 0x83;
	tables[1024 + 511] = physical | 0x83;
	__asm__ volatile("mov %0, %%cr3" : : "r"((uintptr_t)tables) : "memory");
}

#define OWN_AT ((1ull << 30) - (2ull << 20))

/* ---- hypercalls ---- */

static void gpa_beyond(void)
{
	out32(0x501, 0xfffffff0);
}
static void gpa_far(void)
{
	out32(0x502, 0x80000000);
}
static void gpa_end(void)
{
	out32(0x503, (uint32_t)MEM(info) - 8);
}
static void gpa_constant(void)
{
	out32(0x501, (uint32_t)(uintptr_t)constant);
}
static void gpa_low(void)
{
	out32(0x501, 0x2000);
}
static void puts_beyond(void)
{
	put(PUTS, MEM(info), 1);
}
static void puts_long(void)
{
	put(PUTS, 0x100000, MEM(info));
}
static void puts_wrap(void)
{
	put(PUTS, 0x100000, UINT64_MAX - 0xfffff);
}
static void puts_wrap_address(void)
{
	put(PUTS, UINT64_MAX - 7, 16);
}
static void block_beyond(void)
{
	(void)block(BLOCK_READ, 1, 0, (void *)MEM(info), 512);
}
static void block_end(void)
{
	(void)block(BLOCK_READ, 1, 0, (void *)(MEM(info) - 511), 512);
}
static void block_wrap(void)
{
	(void)block(BLOCK_WRITE, 1, 0, (void *)(UINT64_MAX - 255), 512);
}
static void block_into_text(void)
{
	(void)block(BLOCK_READ, 1, 0, (void *)0x100000, 512);
}
static void block_into_constants(void)
{
	(void)block(BLOCK_READ, 1, 0, constant, 512);
}
static void block_into_tables(void)
{
	(void)block(BLOCK_READ, 1, 0, (void *)0x8000, 512);
}

static void net_beyond(void)
{
	uint64_t len = UINT64_MAX;

	(void)net(NET_READ, 2, buf, &len);
}

static void net_into_text(void)
{
	uint64_t len = 512;

	(void)net(NET_READ, 2, (void *)0x100000, &len);
}

static void halt_cookie(void)
{
	put(HALT, MEM(info) - 511, 0);
}
static void call_zero(void)
{
	out32(0x500, (uint32_t)(uintptr_t)arg);
}
static void call_nine(void)
{
	out32(0x509, (uint32_t)(uintptr_t)arg);
}

/* ---- ports ---- */

static void port_other(void)
{
	out32(0x80, 0);
}
static void port_kick(void)
{
	out32(0x600, 0);
}

static void port_byte(void)
{
	__asm__ volatile("outb %%al, %%dx" : : "a"(0), "d"(0x502));
}

static void port_in(void)
{
	uint32_t v;

	__asm__ volatile("inl %%dx, %%eax" : "=a"(v) : "d"(0x501));
}

static void port_string(void)
{
	const volatile uint64_t *from = arg;
	uint64_t n = 4;

	arg[0] = arg[1] = 0;
	__asm__ volatile("rep outsl" : "+S"(from), "+c"(n) : "d"(0x502) : "memory");
}

/* ---- memory ---- */

static void write_text(void)
{
	write_at(0x100000);
}
static void write_constant(void)
{
	write_at((uintptr_t)constant);
}
static void write_boot_info(void)
{
	write_at(0x10000);
}
static void read_null(void)
{
	(void)read_at(0);
}
static void write_null(void)
{
	write_at(8);
}
static void read_tables(void)
{
	(void)read_at(0x2000);
}
static void read_beyond(void)
{
	(void)read_at(MEM(info));
}
static void write_beyond(void)
{
	write_at(MEM(info) + (1 << 20));
}
static void read_far(void)
{
	(void)read_at(1ull << 40);
}
static void jump_absent(void)
{
	jump(0x8000);
}
static void jump_beyond(void)
{
	jump(MEM(info));
}
static void jump_far(void)
{
	jump(0x800000000000ull);
}

static void own_tables_text(void)
{
	own_tables(0);
	write_at(0x100000);
}

static void own_tables_beyond(void)
{
	own_tables(MEM(info));
	(void)read_at(OWN_AT);
}

static void own_tables_write_beyond(void)
{
	own_tables(0xfec00000);
	write_at(OWN_AT);
}

static void own_tables_jump_beyond(void)
{
	own_tables(0xc0000000);
	jump(OWN_AT);
}

/* ---- the processor ---- */

static void undefined(void)
{
	__asm__ volatile("ud2");
}
static void breakpoint(void)
{
	__asm__ volatile("int3");
}
static void interrupt(void)
{
	__asm__ volatile("int $0x80");
}

static void divide(void)
{
	__asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx"
			 :
			 : "a"(1)
			 : "ecx", "edx");
}

static void halt_processor(void)
{
	__asm__ volatile("hlt");
}
static void halt_for_ever(void)
{
	__asm__ volatile("cli; hlt");
}

static void read_msr(void)
{
	__asm__ volatile("rdmsr" : : "c"(0x12345678) : "eax", "edx");
}

static void write_msr(void)
{
	__asm__ volatile("wrmsr" : : "c"(0x12345678), "a"(1), "d"(1));
}

/* What KVM keeps its clock by: it writes where it is told, inside of memory or nowhere. */
static void write_clock_msr(void)
{
	__asm__ volatile("wrmsr" : : "c"(0x4b564d01), "a"(0xfffff001), "d"(0xff));
}

static void hypervisor_call(void)
{
	__asm__ volatile("vmcall" : : "a"(1), "b"(2), "c"(3) : "memory");
}

static void processor_id(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	halt(a > 0 ? 0 : 1);
}

static void no_paging(void)
{
	__asm__ volatile("mov %%cr0, %%rax; btr $31, %%rax; mov %%rax, %%cr0"
			 :
			 :
			 : "rax");
}

/* ---- time ---- */

static void spin(void)
{
	for (;;)
		__asm__ volatile("");
}

static void flood(void)
{
	for (;;)
		put(PUTS, 0x100000, 4096);
}

static void flood_gently(void)
{
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = 'x';
	for (int i = 0; i < 64; i++)
		put(PUTS, (uintptr_t)buf, sizeof(buf));
	halt(0);
}

static void wait_for_ever(void)
{
	print("waiting\n");
	for (;;)
		put(POLL, UINT64_MAX, 0);
}

/* The arguments are in the file's page of constants, and nothing else that is used. */
static void ask_from_constants(void)
{
	static const volatile uint64_t nothing[2] = { 0x100000, 0 };

	print("waiting\n");
	for (;;)
		call(PUTS, nothing);
}

static void wait_not(void)
{
	for (;;)
		put(POLL, 0, 0);
}

static const struct {
	const char *name;
	void (*try)(void);
} attempts[] = {
#define A(f)                                                                             \
	{                                                                                \
#f, f                                                                    \
	}
	A(gpa_beyond),
	A(gpa_far),
	A(gpa_end),
	A(gpa_constant),
	A(gpa_low),
	A(puts_beyond),
	A(puts_long),
	A(puts_wrap),
	A(puts_wrap_address),
	A(block_beyond),
	A(block_end),
	A(block_wrap),
	A(block_into_text),
	A(block_into_constants),
	A(block_into_tables),
	A(net_beyond),
	A(net_into_text),
	A(halt_cookie),
	A(call_zero),
	A(call_nine),
	A(port_other),
	A(port_kick),
	A(port_byte),
	A(port_in),
	A(port_string),
	A(write_text),
	A(write_constant),
	A(write_boot_info),
	A(read_null),
	A(write_null),
	A(read_tables),
	A(read_beyond),
	A(write_beyond),
	A(read_far),
	A(jump_absent),
	A(jump_beyond),
	A(jump_far),
	A(own_tables_text),
	A(own_tables_beyond),
	A(own_tables_write_beyond),
	A(own_tables_jump_beyond),
	A(undefined),
	A(breakpoint),
	A(interrupt),
	A(divide),
	A(halt_processor),
	A(halt_for_ever),
	A(read_msr),
	A(write_msr),
	A(write_clock_msr),
	A(hypervisor_call),
	A(processor_id),
	A(no_paging),
	A(spin),
	A(flood),
	A(flood_gently),
	A(wait_for_ever),
	A(ask_from_constants),
	A(wait_not),
};

_Noreturn void guest_main(const struct boot_info *boot)
{
	info = boot;
	for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (same(info->cmdline, attempts[i].name)) {
			attempts[i].try();
			print("not stopped\n");
			halt(66);
		}
	print("no such attempt\n");
	halt(67);
}
