/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.c - reading the image, and laying out the guest's memory.
 *
 * The file is somebody's, and may change while it is read: headers and notes are copied
 * once, and what is decided is decided by the copy. What a segment holds is the guest's
 * own business. Segments are mapped, not read, so that guests of one image share what they
 * do not write, and a snapshot is what differs from the file.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tender/spt/spt-internal.h"

#define PAGE 4096ull
#define PAGE_UP(n) (((n) + PAGE - 1) & ~(PAGE - 1))
#define HUGE_PAGE (2ull << 20)

void spt_image_open(struct spt *s)
{
	s->image_fd = s->spec.image_fd;
	if (s->image_fd >= 0)
		return;
	/* O_NONBLOCK: a FIFO would keep us waiting. */
	s->image_fd = sys_openat(AT_FDCWD, s->spec.image_path,
				 O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (s->image_fd < 0)
		spt_refuse_sys(s, SPT_BAD_IMAGE, s->image_fd, "cannot open the image '",
			       s->spec.image_path, "'");
}

/* At most n bytes; how many there were. */
static size_t read_at(const struct spt *s, void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		long r = SYS4(SYS_pread64, s->image_fd, (char *)buf + done, n - done,
			      offset + done);

		if (r == -EINTR)
			continue;
		if (r < 0)
			spt_refuse_sys(s, SPT_BAD_IMAGE, r, "cannot read the image");
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return done;
}

_Noreturn static void refuse(const struct spt *s, const char *why)
{
	spt_refuse(s, SPT_BAD_IMAGE, why);
}

static void read_notes(struct spt *s)
{
	struct solo5_image *im = &s->image;
	uint8_t note[SOLO5_NOTE_MAX];
	const char *why;

	for (uint32_t i = 0; i < im->n_notes; i++) {
		size_t n = read_at(s, note, (size_t)im->note[i].size, im->note[i].offset);

		if (solo5_note_parse(im, note, n, &why) != 0)
			refuse(s, why);
	}
}

void spt_image_read(struct spt *s)
{
	uint8_t header[SOLO5_HEADER_BYTES], interp[SOLO5_INTERP_BYTES];
	struct solo5_image *im = &s->image;
	const char *why;
	struct stat st = { 0 };
	size_t n;
	long r;

	r = SYS2(SYS_fstat, s->image_fd, &st);
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "the descriptor of the image");
	if (!S_ISREG(st.st_mode))
		refuse(s, "the image is not a regular file");
	n = read_at(s, header, sizeof(header), 0);
	if (solo5_image_parse(im, header, n, (uint64_t)st.st_size, &why) != 0)
		refuse(s, why);
	n = read_at(s, interp, sizeof(interp), im->interp);
	if (solo5_interp_parse(interp, n, &why) != 0)
		refuse(s, why);
	read_notes(s);
	if (im->has_abi && im->target == SOLO5_HVT)
		refuse(s, "the image is built for hvt: it is for polder-tender-hvt");
	if (solo5_image_check(im, s->spec.mem_bytes, &why) != 0)
		refuse(s, why);
}

static int protection(const struct solo5_segment *g)
{
	return (g->r ? PROT_READ : 0) | (g->w ? PROT_WRITE : 0) | (g->x ? PROT_EXEC : 0);
}

static void protect(const struct spt *s, const struct solo5_segment *g, int prot)
{
	long r = SYS3(SYS_mprotect, g->vaddr, PAGE_UP(g->memsz), prot);

	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_IMAGE, r,
			       "cannot protect a segment of the image");
}

/* Zero to the end of the last page that comes from the file: behind a segment lies in the
 * file what is not part of it. */
static void zero_tail(const struct solo5_segment *g)
{
	uint64_t end = g->vaddr + g->filesz;

	memset((void *)end, 0, (size_t)(PAGE_UP(end) - end));
}

static void map_segment(const struct spt *s, const struct solo5_segment *g)
{
	int prot = protection(g);
	/* Read-only memory behind the file's bytes is zero, too: write, then protect. */
	bool zero = g->filesz % PAGE != 0 && (g->w || g->memsz > g->filesz);
	bool later = !g->w && g->memsz > g->filesz;
	long r;

	if (g->offset % PAGE != 0) {
		if (read_at(s, (void *)g->vaddr, (size_t)g->filesz, g->offset) !=
		    g->filesz)
			refuse(s, "the image was cut short while it was read");
		protect(s, g, prot);
		return;
	}
	r = SYS6(SYS_mmap, g->vaddr, PAGE_UP(g->filesz),
		 later ? PROT_READ | PROT_WRITE : prot, MAP_PRIVATE | MAP_FIXED,
		 s->image_fd, g->offset);
	if (r == -EPERM && g->x)
		refuse(s, "the image lies in a file system that is mounted noexec");
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_IMAGE, r, "cannot map the image");
	if (zero)
		zero_tail(g);
	if (later)
		protect(s, g, prot);
}

void spt_image_map(const struct spt *s)
{
	uint64_t mem = s->spec.mem_bytes;
	char digits[21];
	long r;

	r = SYS6(SYS_mmap, SPT_MEM_MIN, mem - SPT_MEM_MIN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (r >= 0 && r != (long)SPT_MEM_MIN)
		r = -EEXIST; /* a kernel that does not know the flag */
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot have ",
			       spt_number(digits, mem >> 10), " KiB of memory at 64 KiB");
	/* A stack is a few pages: not a huge one, where those are given unasked. */
	if (mem >= 2 * HUGE_PAGE)
		(void)SYS3(SYS_madvise, mem - HUGE_PAGE, HUGE_PAGE, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < s->image.n_seg; i++)
		if (s->image.seg[i].filesz > 0)
			map_segment(s, &s->image.seg[i]);
}
