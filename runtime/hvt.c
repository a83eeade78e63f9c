/* SPDX-License-Identifier: ISC */
/*
 * The ABI "hvt": a KVM guest in long mode, at ring 0, which sees physical memory as it
 * is and has no interrupts. A call is an OUT of the address of its arguments to a port;
 * the tender has filled in the results when the instruction is done. Time is the
 * processor's counter.
 */
#include "hvt.h"
#include "internal.h"
#include "ticks.h"

enum {
	CALL_WALLTIME = 1,
	CALL_PUTS = 2,
	CALL_POLL = 3,
	CALL_BLOCK_WRITE = 4,
	CALL_BLOCK_READ = 5,
	CALL_NET_WRITE = 6,
	CALL_NET_READ = 7,
	CALL_HALT = 8
};
#define PORT 0x500

enum { HVT_OK = 0, HVT_AGAIN = 1, HVT_INVALID = 2 };

/* Longer waits are cut into ones that no tender's arithmetic has trouble with. */
#define WAIT_MAX (3600 * PG_SECOND)

struct boot_info {
	uint64_t mem_size, kernel_end, cycle_freq;
	const char *cmdline;
	const void *manifest;
	uint32_t host_features, guest_features;
	uint64_t net_ring;
};
_Static_assert(sizeof(struct boot_info) == 56, "the boot information has 56 bytes");

struct call_block {
	uint64_t handle, offset;
	uint64_t data, len;
	int32_t ret;
};

struct call_net {
	uint64_t handle;
	uint64_t data, len;
	int32_t ret;
};

const char abi_name[] = "hvt";

static uint64_t ticks_start, ticks_factor;

/* The memory is below 4 GiB, and so every address fits. */
static void call(unsigned n, void *arg)
{
	__asm__ volatile("outl %0, %w1"
			 :
			 : "a"((uint32_t)(uintptr_t)arg), "d"(PORT + n)
			 : "memory");
}

static int status_of(int32_t ret)
{
	switch (ret) {
	case HVT_OK: return PG_OK;
	case HVT_AGAIN: return PG_AGAIN;
	case HVT_INVALID: return PG_INVALID;
	default: return PG_FAILED;
	}
}

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void abi_init(const void *boot_info, struct abi_boot *ret)
{
	const struct boot_info *bi = boot_info;

	hvt_cpu_init();
	ticks_start = ticks();
	if (bi->cycle_freq == 0)
		pg_abort("the tender gave no clock frequency");
	ticks_factor = pg_ticks_factor(bi->cycle_freq);
	*ret = (struct abi_boot){ bi->mem_size, bi->kernel_end,
				  bi->cmdline ? bi->cmdline : "", bi->manifest };
}

void abi_set_thread_pointer(const void *tp)
{
	uint64_t value = (uint64_t)(uintptr_t)tp;

	/* IA32_FS_BASE */
	__asm__ volatile("wrmsr"
			 :
			 : "c"(0xc0000100u), "a"((uint32_t)value),
			   "d"((uint32_t)(value >> 32))
			 : "memory");
}

void abi_halt(int status)
{
	struct {
		uint64_t cookie;
		int32_t status;
	} arg = { 0, status };

	for (;;)
		call(CALL_HALT, &arg);
}

/* ---- time ---- */

uint64_t abi_monotonic(void)
{
	return pg_ticks_to_ns(ticks() - ticks_start, ticks_factor);
}

uint64_t abi_wall(void)
{
	uint64_t ns = 0;

	call(CALL_WALLTIME, &ns);
	return ns;
}

uint64_t abi_poll(uint64_t deadline)
{
	uint64_t now = abi_monotonic();
	struct {
		uint64_t timeout, ready;
		int32_t ret;
	} arg = { deadline > now ? deadline - now : 0, 0, 0 };

	if (arg.timeout > WAIT_MAX)
		arg.timeout = WAIT_MAX;
	call(CALL_POLL, &arg);
	return arg.ready;
}

/* ---- console ---- */

void abi_console_write(const void *data, size_t len)
{
	struct {
		uint64_t data, len;
	} arg = { (uint64_t)(uintptr_t)data, len };

	call(CALL_PUTS, &arg);
}

/* ---- devices ---- */

static int block_call(unsigned n, pg_device d, uint64_t offset, const void *buf,
		      size_t len)
{
	struct call_block arg = { d, offset, (uint64_t)(uintptr_t)buf, len, -1 };

	call(n, &arg);
	return status_of(arg.ret);
}

int abi_block_read(pg_device d, int hostfd, uint64_t offset, void *buf, size_t len)
{
	(void)hostfd;
	return block_call(CALL_BLOCK_READ, d, offset, buf, len);
}

int abi_block_write(pg_device d, int hostfd, uint64_t offset, const void *buf, size_t len)
{
	(void)hostfd;
	return block_call(CALL_BLOCK_WRITE, d, offset, buf, len);
}

int abi_net_read(pg_device d, int hostfd, void *buf, size_t size, size_t *ret_len)
{
	struct call_net arg = { d, (uint64_t)(uintptr_t)buf, size, -1 };

	(void)hostfd;
	call(CALL_NET_READ, &arg);
	if (arg.ret == HVT_OK && arg.len == 0)
		return PG_AGAIN;
	if (arg.ret == HVT_OK)
		*ret_len = arg.len;
	return status_of(arg.ret);
}

int abi_net_write(pg_device d, int hostfd, const void *frame, size_t len)
{
	struct call_net arg = { d, (uint64_t)(uintptr_t)frame, len, -1 };

	(void)hostfd;
	call(CALL_NET_WRITE, &arg);
	return status_of(arg.ret);
}
