/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a well-behaved guest does, one thing for each word of command line. */
#include "guest.h"

static char data_text[] = "data ";
static uint8_t zeros[8192], buf[8192];

static void print_number(uint64_t v)
{
	char text[24];
	int i = sizeof(text);

	text[--i] = 0;
	do {
		text[--i] = (char)('0' + v % 10);
	} while (v /= 10);
	print(text + i);
}

static uint64_t wall(void)
{
	volatile uint64_t t = 0;

	call(WALLTIME, &t);
	return t;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Data and zeros are where the image has them; the boot info is whole. */
static int sane(const struct boot_info *info)
{
	for (unsigned i = 0; i < sizeof(zeros); i += 64)
		if (zeros[i])
			return 1;
	data_text[4] = '\n';
	print(data_text);
	if (info->cycle_freq < 1000000 || info->host_features || info->net_ring ||
	    info->kernel_end < (uintptr_t)zeros + sizeof(zeros) ||
	    info->kernel_end % 4096)
		return 2;
	print_number(info->mem_size);
	print("\n");
	/* The last word of memory is ours, and the first of the stack. */
	*(volatile uint64_t *)(info->mem_size - 8) = 1;
	return 0;
}

static int waits(const struct boot_info *info)
{
	uint64_t ready, w = wall(), t = tsc();

	if (poll(50000000, &ready) != 0 || ready != 0)
		return 1;
	w = wall() - w;
	t = (tsc() - t) / (info->cycle_freq / 1000);
	/* In ms; time passes for both clocks. */
	return w < 49000000 ? 2 : t < 49 ? 3 : t > 10000 ? 4 : 0;
}

/* Blocks of the size in the manifest; "disk" is handle 1. */
static int disk(const struct boot_info *info, int first)
{
	uint64_t capacity = *(const volatile uint64_t *)(info->mft + 8 + 104 + 72);
	uint16_t size = *(const volatile uint16_t *)(info->mft + 8 + 104 + 80);
	int r;

	if (info->mft[8 + 104 + 96] != 1 || size < 512 || size > 4096)
		return 1;
	r = block(BLOCK_READ, 1, 0, buf, size);
	if (r != 0 || buf[0] != first)
		return 2;
	buf[0] = 'X';
	r = block(BLOCK_WRITE, 1, capacity - size, buf, size);
	if (r != 0)
		return 10 + r;
	buf[0] = 0;
	if (block(BLOCK_READ, 1, capacity - size, buf, size) != 0)
		return 3;
	return buf[0] == 'X' ? 0 : 4;
}

static int disk_rules(const struct boot_info *info)
{
	uint64_t capacity = *(const volatile uint64_t *)(info->mft + 8 + 104 + 72);

	if (block(BLOCK_READ, 1, 0, buf, 1024) != 0)
		return 1;
	if (block(BLOCK_READ, 1, capacity, buf, 512) != 2 ||
	    block(BLOCK_READ, 1, capacity - 512, buf, 1024) != 2 ||
	    block(BLOCK_READ, 1, UINT64_MAX - 511, buf, 512) != 2 ||
	    block(BLOCK_READ, 1, 512, buf, UINT64_MAX - 511) != 2)
		return 2;
	if (block(BLOCK_READ, 1, 1, buf, 512) != 2 ||
	    block(BLOCK_READ, 1, 0, buf, 100) != 2 ||
	    block(BLOCK_READ, 1, 0, buf, 0) != 2)
		return 3;
	if (block(BLOCK_READ, 0, 0, buf, 512) != 2 ||
	    block(BLOCK_READ, 2, 0, buf, 512) != 2 ||
	    block(BLOCK_READ, 3, 0, buf, 512) != 2 ||
	    block(BLOCK_READ, UINT64_MAX, 0, buf, 512) != 2)
		return 4;
	return 0;
}

/* Sends a frame and waits for it to come back; "net" is handle 2. */
static int echo(void)
{
	uint64_t ready, len = 60;

	for (int i = 0; i < 60; i++)
		buf[i] = (uint8_t)i;
	if (net(NET_WRITE, 2, buf, &len) != 0)
		return 1;
	if (poll(10000000000ull, &ready) != 1 || ready != 1 << 2)
		return 2;
	len = sizeof(buf);
	buf[59] = 0;
	if (net(NET_READ, 2, buf, &len) != 0 || len != 60 || buf[59] != 59)
		return 3;
	return net(NET_READ, 2, buf, &len) == 1 ? 0 : 4;
}

static int net_rules(const struct boot_info *info)
{
	uint64_t len = 1519, ready;

	if (*(const volatile uint16_t *)(info->mft + 8 + 208 + 78) != 1500 ||
	    info->mft[8 + 208 + 72] != 2)
		return 1;
	if (net(NET_WRITE, 2, buf, &len) != 2)
		return 2;
	len = 60;
	if (net(NET_WRITE, 1, buf, &len) != 2 || net(NET_WRITE, 3, buf, &len) != 2)
		return 3;
	if (poll(0, &ready) != 0 || ready != 0 || net(NET_READ, 2, buf, &len) != 1)
		return 4;
	return 0;
}

/* More than any queue takes: all "sent", and nobody waits. */
static int net_flood(void)
{
	uint64_t len;

	for (int i = 0; i < 2000; i++) {
		len = 1500;
		if (net(NET_WRITE, 2, buf, &len) != 0)
			return 1;
	}
	return 0;
}

/* The other end is gone for good: at first that may wake a wait, but not for ever. */
static int net_ended(void)
{
	uint64_t len, ready;

	for (int i = 0; i < 5; i++) {
		if (poll(50000000, &ready) == 0)
			return 0;
		len = sizeof(buf);
		if (net(NET_READ, 2, buf, &len) != 1)
			return 1;
	}
	return 2;
}

_Noreturn void guest_main(const struct boot_info *info)
{
	const char *what = info->cmdline;

	if (same(what, "hello")) {
		print("hello\n");
		halt(0);
	}
	if (what[0] == 'e' && what[1] == '=')
		halt((what[2] - '0') * 100 + (what[3] - '0') * 10 + (what[4] - '0'));
	if (same(what, "sane"))
		halt(sane(info));
	if (same(what, "waits"))
		halt(waits(info));
	if (same(what, "wall")) {
		print_number(wall() / 1000000000);
		print("\n");
		halt(0);
	}
	if (same(what, "disk"))
		halt(disk(info, 'A'));
	if (same(what, "disk-again"))
		halt(disk(info, 'X'));
	if (same(what, "disk-zero"))
		halt(disk(info, 0));
	if (same(what, "disk-rules"))
		halt(disk_rules(info));
	if (same(what, "echo"))
		halt(echo());
	if (same(what, "net-rules"))
		halt(net_rules(info));
	if (same(what, "net-flood"))
		halt(net_flood());
	if (same(what, "net-ended"))
		halt(net_ended());
	print(what);
	print("\n");
	halt(99);
}
