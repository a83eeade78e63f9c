/* SPDX-License-Identifier: ISC */
/*
 * The processor, as an hvt guest finds it and as C needs it.
 *
 * Theory of operation
 *
 * The tender enters with paging, flat segments, SSE switched on and no interrupt table.
 * Without one, a fault would be a triple fault, which tells nobody anything. So all 32
 * exceptions lead to one line on the console with the kind and the place, and to status
 * 255. They run on a stack of their own (the only purpose of the task segment), since the
 * program's may be what is broken; nothing ever returns from them, and so the area below
 * the stack pointer need not be kept free.
 *
 * The tables of the tender cannot be used for it: they lie in memory that the guest may
 * not write, and loading a task segment writes to its descriptor.
 *
 * AVX is switched on where the processor has it, as an operating system does: programs
 * ask OSXSAVE before they use it.
 */
#include "hvt.h"
#include "internal.h"

#define VECTORS 32
#define CR4_OSXSAVE (1u << 18)

/* Selectors; the first two are the tender's, and the segments are the same. */
enum { SEL_CODE = 8, SEL_DATA = 16, SEL_TASK = 24 };

struct __attribute__((packed)) gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, zero;
};

struct __attribute__((packed)) task {
	uint32_t zero0;
	uint64_t rsp[3], zero1, ist[7], zero2;
	uint16_t zero3, io_map;
};
_Static_assert(sizeof(struct gate) == 16 && sizeof(struct task) == 104,
	       "as the processor");

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

struct frame { /* what hvt-trap.S pushes, and the processor before it */
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern char hvt_trap_stubs[]; /* VECTORS × 16 bytes */
void hvt_trap(const struct frame *f) __attribute__((noreturn));

static struct task task;
static struct gate idt[VECTORS];
static uint64_t gdt[5] = {
	[SEL_CODE / 8] = 0x00af9b000000ffffull,
	[SEL_DATA / 8] = 0x00cf93000000ffffull,
};
static uint8_t trap_stack[2048] __attribute__((aligned(16)));

static void cpuid(uint32_t leaf, uint32_t *a, uint32_t *c)
{
	uint32_t b, d;

	__asm__ volatile("cpuid"
			 : "=a"(*a), "=b"(b), "=c"(*c), "=d"(d)
			 : "a"(leaf), "c"(0));
}

static void traps_init(void)
{
	uint64_t base = (uint64_t)(uintptr_t)&task;
	struct table_register gdtr = { sizeof(gdt) - 1, (uint64_t)(uintptr_t)gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uint64_t)(uintptr_t)idt };
	unsigned i;

	for (i = 0; i < VECTORS; i++) {
		uint64_t stub = (uint64_t)(uintptr_t)hvt_trap_stubs + 16 * i;

		idt[i] = (struct gate){
			(uint16_t)stub,         SEL_CODE, 1, 0x8e, (uint16_t)(stub >> 16),
			(uint32_t)(stub >> 32), 0
		};
	}
	task.ist[0] = (uint64_t)(uintptr_t)(trap_stack + sizeof(trap_stack));
	task.io_map = sizeof(task);
	/* An available 64-bit task segment: base and limit in pieces, type 9, present. */
	gdt[SEL_TASK / 8] = (sizeof(task) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			    (base >> 24 & 0xff) << 56;
	gdt[SEL_TASK / 8 + 1] = base >> 32;
	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2"
			 :
			 : "m"(gdtr), "m"(idtr), "r"(SEL_TASK)
			 : "memory");
}

/* x87, SSE, AVX; the rest of what XSAVE knows stays off. */
static void vectors_init(void)
{
	uint32_t a, c;
	uint64_t cr4;

	__asm__ volatile("fninit");
	cpuid(1, &a, &c);
	if (!(c >> 26 & 1)) /* XSAVE */
		return;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE) : "memory");
	cpuid(0xd, &a, &c);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(a & 7), "d"(0) : "memory");
}

void hvt_cpu_init(void)
{
	traps_init();
	vectors_init();
}

static const char *kind(uint64_t vector)
{
	switch (vector) {
	case 0: return "division by zero";
	case 3: return "breakpoint";
	case 6: return "invalid instruction";
	case 8: return "double fault";
	case 13: return "access that is not allowed";
	case 14: return "page fault";
	case 16:
	case 19: return "floating-point exception";
	case 17: return "unaligned access";
	default: return "exception";
	}
}

void hvt_trap(const struct frame *f)
{
	uint64_t address;

	__asm__ volatile("mov %%cr2, %0" : "=r"(address));
	pg_print("fault: ");
	pg_print(kind(f->vector));
	if (f->vector == 14) {
		pg_print(f->error & 2 ? ", writing to " : ", reading ");
		pg_print_hex(address);
	}
	pg_print(", at the instruction ");
	pg_print_hex(f->rip);
	pg_print(", stack ");
	pg_print_hex(f->rsp);
	pg_print("\n");
	abi_halt(255);
}
