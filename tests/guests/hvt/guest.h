/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hvt ABI as its guests see it, with nothing around it; tests alone use this. */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_info {
	uint64_t mem_size, kernel_end, cycle_freq;
	const char *cmdline;
	const uint8_t *mft;
	uint32_t host_features, guest_features;
	uint64_t net_ring;
};

enum { WALLTIME = 1, PUTS, POLL, BLOCK_WRITE, BLOCK_READ, NET_WRITE, NET_READ, HALT };

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "d"(port) : "memory");
}

static inline void call(int nr, const volatile void *arg)
{
	out32((uint16_t)(0x500 + nr), (uint32_t)(uintptr_t)arg);
}

static inline void print(const char *text)
{
	volatile uint64_t a[2] = { (uintptr_t)text, 0 };

	while (text[a[1]])
		a[1]++;
	call(PUTS, a);
}

_Noreturn static inline void halt(int status)
{
	volatile uint64_t a[2] = { 0, (uint32_t)status };

	for (;;)
		call(HALT, a);
}

/* nr is BLOCK_WRITE or BLOCK_READ. */
static inline int block(int nr, uint64_t handle, uint64_t offset,
			const volatile void *data, uint64_t len)
{
	volatile uint64_t a[5] = { handle, offset, (uintptr_t)data, len, 99 };

	call(nr, a);
	return (int)a[4];
}

static inline int net(int nr, uint64_t handle, const volatile void *data, uint64_t *len)
{
	volatile uint64_t a[4] = { handle, (uintptr_t)data, *len, 99 };

	call(nr, a);
	*len = a[2];
	return (int)a[3];
}

static inline int poll(uint64_t timeout_ns, uint64_t *ret_ready)
{
	volatile uint64_t a[3] = { timeout_ns, 99, 99 };

	call(POLL, a);
	*ret_ready = a[1];
	return (int)a[2];
}

static inline bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

_Noreturn void guest_main(const struct boot_info *info);

#endif
