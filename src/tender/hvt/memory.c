/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Guest memory is one private anonymous mapping between two pages that nobody may touch.
 * The image's segments are mapped over it, private and straight from the file, so that
 * guests of one image share what they only read; what lies behind a segment's file part
 * is zeroed. Their protections are the mapping's: a guest that writes to its code or
 * constants meets the host's memory manager, and the same ranges are closed to the
 * monitor itself by the gate. Execution needs reading alone: the processor fetches by the
 * guest's own page tables.
 *
 * No huge pages: a guest that has touched three places would hold three times 2 MiB, and
 * most guests are small and many.
 *
 * Below 1 MiB are the tables that the guest is started with, and its boot info. To the
 * guest they are read-only or absent, so the gate does not write there either.
 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tender/hvt/hvt.h"

#define PAGE 4096ull
#define BIG_PAGE (2ull << 20)

/* Where things lie in the guest. */
enum {
	AT_GDT = 0x1000,
	AT_PML4 = 0x2000,
	AT_PDPT = 0x3000,
	AT_PD = 0x4000, /* four pages */
	AT_PT0 = 0x8000,
	AT_BOOT_INFO = 0x10000,
	AT_MANIFEST = 0x10040,
	PRESENT = 1,
	WRITABLE = 2,
	BIG = 0x80
};

struct boot_info {
	uint64_t mem_size, kernel_end, cycle_freq, cmdline, mft;
	uint32_t host_features, guest_features;
	uint64_t net_ring;
};

static_assert(sizeof(struct boot_info) == 56, "the ABI's size");
static_assert(AT_MANIFEST + SOLO5_MANIFEST_BYTES(USPEC_MAX_DEVICES) +
			      USPEC_CMDLINE_BYTES <
		      SOLO5_LOAD_MIN,
	      "boot info stays below the image");

static uint64_t page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(PAGE - 1);
}

static void put_entry(uint8_t *mem, uint64_t table, uint64_t index, uint64_t entry)
{
	memcpy(mem + table + 8 * index, &entry, sizeof(entry));
}

/* Identity: the first 2 MiB by small pages, the rest by big ones. */
static void write_page_tables(uint8_t *mem, uint64_t size)
{
	put_entry(mem, AT_PML4, 0, AT_PDPT | PRESENT | WRITABLE);
	for (uint64_t i = 0; i < 4; i++)
		put_entry(mem, AT_PDPT, i, (AT_PD + PAGE * i) | PRESENT | WRITABLE);
	put_entry(mem, AT_PD, 0, AT_PT0 | PRESENT | WRITABLE);
	for (uint64_t at = BIG_PAGE; at < size; at += BIG_PAGE)
		put_entry(mem, AT_PD, at / BIG_PAGE, at | PRESENT | WRITABLE | BIG);
	for (uint64_t at = AT_BOOT_INFO; at < BIG_PAGE; at += PAGE)
		put_entry(mem, AT_PT0, at / PAGE,
			  at | PRESENT | (at < SOLO5_LOAD_MIN ? 0 : WRITABLE));
}

static void write_gdt(uint8_t *mem)
{
	static const uint64_t gdt[] = { 0, 0x00af99000000ffff, /* code: 64 bits */
					0x00cf93000000ffff };  /* data */

	memcpy(mem + AT_GDT, gdt, sizeof(gdt));
}

static int image_failed(struct err *err)
{
	return err_sys(err, "cannot load the image");
}

/* The end of the last page: the file goes on there, the guest's memory is zero. Pages
 * that are zero already stay the file's. */
static void zero_rest(uint8_t *from, uint8_t *to)
{
	for (uint8_t *p = from; p < to; p++)
		if (*p != 0)
			*p = 0;
}

static int read_segment(uint8_t *to, const struct solo5_segment *seg, int fd,
			struct err *err)
{
	uint64_t done = 0;

	while (done < seg->filesz) {
		ssize_t n = pread(fd, to + done, seg->filesz - done,
				  (off_t)(seg->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return image_failed(err);
		if (n == 0)
			return err_set(err, PE_BAD,
				       "the image ends before its last segment does");
		done += (uint64_t)n;
	}
	return 0;
}

static int load_segment(struct hvt *h, const struct solo5_segment *seg, int fd,
			struct err *err)
{
	uint8_t *to = h->gate.base + seg->vaddr;
	uint64_t file_end = page_up(seg->filesz);
	int prot = seg->w           ? PROT_READ | PROT_WRITE :
		   seg->r || seg->x ? PROT_READ :
				      PROT_NONE;
	int r;

	if (seg->filesz == 0)
		return 0; /* memory is zero, and the guest's to write, already */
	if (seg->offset % PAGE != 0) {
		r = read_segment(to, seg, fd, err);
		if (r != 0)
			return r;
	} else {
		if (mmap(to, file_end, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
			 (off_t)seg->offset) == MAP_FAILED)
			return image_failed(err);
		zero_rest(to + seg->filesz, to + file_end);
	}
	if (mprotect(to, page_up(seg->memsz), prot) < 0)
		return image_failed(err);
	if (!seg->w)
		h->gate.range[h->gate.n_ranges++] =
			(struct gate_range){ .start = seg->vaddr,
					     .end = seg->vaddr + page_up(seg->memsz),
					     .readable = prot != PROT_NONE };
	return 0;
}

int hvt_memory(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
	       int image_fd, struct err *err)
{
	uint8_t *p;
	int r;

	p = mmap(NULL, s->mem_bytes + 2 * PAGE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || mprotect(p + PAGE, s->mem_bytes, PROT_READ | PROT_WRITE))
		return err_sys(err, "cannot get %llu MiB for the guest",
			       (unsigned long long)s->mem_bytes >> 20);
	(void)madvise(p + PAGE, s->mem_bytes, MADV_NOHUGEPAGE);
	h->gate = (struct gate){
		.base = p + PAGE,
		.size = s->mem_bytes,
		.range = { { .start = 0, .end = SOLO5_LOAD_MIN, .readable = true } },
		.n_ranges = 1
	};
	for (uint32_t i = 0; i < im->n_seg; i++) {
		r = load_segment(h, &im->seg[i], image_fd, err);
		if (r != 0)
			return r;
	}
	write_gdt(h->gate.base);
	write_page_tables(h->gate.base, h->gate.size);
	return 0;
}

void hvt_boot_info(struct hvt *h, const struct uspec *s, const struct solo5_image *im,
		   const struct solo5_attached *attached)
{
	uint8_t *mem = h->gate.base;
	uint64_t cmdline = AT_MANIFEST + SOLO5_MANIFEST_BYTES(im->n_devices);
	struct boot_info info = { .mem_size = h->gate.size,
				  .kernel_end = im->end,
				  .cycle_freq = h->tsc_hz,
				  .cmdline = cmdline,
				  .mft = AT_MANIFEST };

	memcpy(mem + AT_BOOT_INFO, &info, sizeof(info));
	solo5_manifest_write(im, attached, mem + AT_MANIFEST);
	(void)snprintf((char *)mem + cmdline, USPEC_CMDLINE_BYTES, "%s", s->cmdline);
}
