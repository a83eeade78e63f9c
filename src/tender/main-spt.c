/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-tender-spt: reads a spec and becomes the unikernel that it names.
 *
 *	polder-tender-spt --spec FD
 *
 * Theory of operation
 *
 * There is no supervisor in here. One process reads the spec (docs/protocol.md), opens
 * what it names, gives up what it may, lays out the guest's memory, and then unmaps itself
 * and jumps to the guest's first instruction: the process that was the tender is the guest.
 *
 *	opens		image, devices by path		with the starter's authority
 *	drops		ids, capabilities, tracing	privilege.c
 *	parses		the image			hostile
 *	checks		that devices are what the spec and the image say
 *	maps		memory, segments		image.c
 *	renumbers	descriptors; closes the rest	devices.c
 *	writes		manifest, command line, boot info
 *	builds		the filter			filter.c
 *	unmaps		everything of its own but a page of code
 *	confines	seccomp
 *	jumps						enter.S
 *
 * What the guest can reach: nine system calls, each for descriptors that are its devices
 * (and where it has volumes a tenth, in which it can only wait: swap.c); its own memory; and one page of code that it could have brought itself. The stack with
 * the arguments and variables of whoever started us, the spec, the vdso and the tender's
 * own text and data are unmapped before the filter is installed. (Where the kernel seals
 * its vdso that stays: it holds code and the clock, and nothing of anybody's.) Registers
 * are cleared; the vector registers were never used, nothing here is compiled to.
 * The kernel's vsyscall page is not ours to unmap: what it does passes the filter, which
 * names none of its three calls. FS is the guest's own, GS was never set, no
 * restartable sequence, robust list, alternate stack or signal handler exists: none was
 * registered. A signal's default action needs no stack; so a fault ends the guest, and
 * nothing is written anywhere.
 *
 * The guest ends by its own exit_group, a fault, the filter (SIGSYS), or whoever may
 * signal it. What it used are its own descriptors and memory: there is nothing to clean
 * up. A supervisor that wants to see faults traces it from the start (USPEC_TRACED).
 *
 * Memory is private and anonymous, with the file's segments mapped privately over it. So a
 * page that nobody wrote is nobody's memory, and a snapshot is the pages that differ. The
 * price: an image must not be changed in place while guests of it run. A linker or an
 * install makes a new file.
 *
 * Nothing here allocates; the stack holds a few KiB at most, and the spec is in .bss.
 */
#include <sys/mman.h>

#include "tender/spt/spt-internal.h"

_Noreturn void spt_main(long *stack);

/* The highest address that a process has by itself; with five levels of page tables
 * higher ones are given on request only. */
#define USER_END 0x7ffffffff000ull
#define PAGE 4096ull

/* As in the ABI. */
struct boot_info {
	uint64_t mem_size, kernel_end, cmdline, manifest;
	int32_t epoll_fd, timer_fd;
};

/* Manifest, command line and boot info; returns the first address behind. */
static uint64_t write_boot_info(const struct spt *s)
{
	struct solo5_attached v[SOLO5_MAX_ENTRIES] = { 0 };
	struct boot_info *info = (struct boot_info *)SPT_BOOT_INFO;
	uint32_t n = s->image.n_devices;

	for (uint32_t i = 0; i < n; i++) {
		const struct uspec_device *d = s->device[i].spec;

		v[i] = (struct solo5_attached){ .capacity = d->capacity,
						.block_size = d->block_size,
						.mtu = d->mtu,
						.hostfd = s->device[i].fd };
		memcpy(v[i].mac, d->mac, sizeof(v[i].mac));
	}
	info->mem_size = s->spec.mem_bytes;
	info->kernel_end = s->image.end;
	info->manifest = SPT_BOOT_INFO + sizeof(*info);
	info->cmdline = info->manifest + SOLO5_MANIFEST_BYTES(n);
	info->epoll_fd = SPT_EPOLL_FD;
	info->timer_fd = SPT_TIMER_FD;
	solo5_manifest_write(&s->image, v, (void *)info->manifest);
	memcpy((void *)info->cmdline, s->spec.cmdline, strlen(s->spec.cmdline) + 1);
	return info->cmdline + strlen(s->spec.cmdline) + 1;
}

static size_t build_filter(const struct spt *s, struct sock_filter *ret)
{
	struct spt_rules rules = { .swaps = s->spec.flags & USPEC_SWAPS };

	for (uint32_t i = 0; i < s->image.n_devices; i++) {
		const struct uspec_device *d = s->device[i].spec;

		if (d->type == USPEC_NET)
			rules.n_net++;
		else
			rules.block[rules.n_block++] =
				(struct spt_block){ .fd = s->device[i].fd,
						    .capacity = d->capacity,
						    .block_size = d->block_size,
						    .ro = d->flags & USPEC_DEV_RO };
	}
	return spt_filter_build(&rules, ret);
}

/* What the guest has not: above its devices, standard input and error. */
static void close_rest(const struct spt *s)
{
	(void)SYS3(SYS_close_range, SPT_DEVICE_FD + s->image.n_devices, ~0u, 0);
	sys_close(0);
	sys_close(2);
}

/*
 * The page of enter.S, moved close above the guest's memory: at home it alone would need
 * three pages of page tables. Not right above, so that running over the end is a fault.
 */
static uint64_t move_page(const struct spt *s)
{
	uint64_t from = (uint64_t)spt_enter & ~(PAGE - 1),
		 to = s->spec.mem_bytes + SPT_GAP;
	long r = SYS5(SYS_mremap, from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot move a page");
	return to;
}

/* In the guest's memory, below where an image may begin, what enter.S needs. */
_Noreturn static void enter(const struct spt *s, uint64_t free)
{
	struct spt_enter *e = (struct spt_enter *)((free + 15) & ~15ull);
	struct sock_filter *filter = (struct sock_filter *)(e + 1);
	uint64_t page = move_page(s);
	void (*go)(const struct spt_enter *) =
		(void *)(page | ((uint64_t)spt_enter & (PAGE - 1)));
	size_t n = build_filter(s, filter);

	*e = (struct spt_enter){
		.unmap_from = page + PAGE,
		.unmap_to = USER_END,
		.filter = { .len = (unsigned short)n, .filter = filter },
		.wipe_bytes = (uint64_t)(filter + n) - (uint64_t)e,
		.entry = s->image.entry,
		.stack = s->spec.mem_bytes - 8,
		.boot_info = SPT_BOOT_INFO,
	};
	spt_swap_offer(s, page + ((uint64_t)spt_enter_call & (PAGE - 1)));
	close_rest(s);
	go(e);
	__builtin_unreachable();
}

void spt_main(long *stack)
{
	static struct spt s;

	spt_streams_open();
	spt_spec_read(&s, (int)stack[0], (char **)(stack + 1));
	spt_wait_for_starter(&s);
	spt_open(&s);
	spt_privilege_drop(&s);
	spt_image_read(&s);
	spt_devices_match(&s);
	spt_devices_check(&s);
	spt_image_map(&s);
	spt_devices_place(&s);
	enter(&s, write_boot_info(&s));
}
