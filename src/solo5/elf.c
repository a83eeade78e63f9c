/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elf.c - the ELF header and program headers of an image.
 *
 * Every number of the file is hostile: offsets and sizes are compared by subtraction from
 * what bounds them, so that no sum can wrap.
 */
#include "solo5/solo5.h"

#include <string.h>

#include "solo5/solo5-internal.h"

#define PAGE 4096ull
#define MEMORY_END (1ull << 47) /* no guest's memory, and no process's, goes beyond */
#define EHDR_BYTES 64u
#define PHDR_BYTES 56u

enum { PT_LOAD = 1, PT_INTERP = 3, PT_NOTE = 4, PF_X = 1, PF_W = 2, PF_R = 4 };

struct phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz;
};

static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* LE */, 1 };

static struct phdr phdr_at(const uint8_t *h, size_t at)
{
	return (struct phdr){
		.type = (uint32_t)le_get(h + at, 4),
		.flags = (uint32_t)le_get(h + at + 4, 4),
		.offset = le_get(h + at + 8, 8),
		.vaddr = le_get(h + at + 16, 8),
		.filesz = le_get(h + at + 32, 8),
		.memsz = le_get(h + at + 40, 8),
	};
}

/* An ELF file of our kind, with where its program headers lie in what was read. */
static bool elf_kind(const uint8_t *h, size_t len, size_t *ret_at, uint32_t *ret_n)
{
	uint64_t at;

	if (len < EHDR_BYTES || memcmp(h, ident, sizeof(ident)) != 0 ||
	    le_get(h + 16, 2) != 2 /* ET_EXEC */ ||
	    le_get(h + 18, 2) != 62 /* x86-64 */ || le_get(h + 20, 4) != 1 ||
	    le_get(h + 54, 2) != PHDR_BYTES)
		return false;
	at = le_get(h + 32, 8);
	*ret_n = (uint32_t)le_get(h + 56, 2);
	if (at > len || (len - at) / PHDR_BYTES < *ret_n)
		return false;
	*ret_at = (size_t)at;
	return true;
}

bool solo5_may_be_image(const void *header, size_t len, uint64_t *ret_interp)
{
	const uint8_t *h = header;
	uint32_t n;
	size_t at;

	if (!elf_kind(h, len, &at, &n))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct phdr p = phdr_at(h, at + (size_t)i * PHDR_BYTES);

		if (p.type == PT_INTERP && p.filesz >= SOLO5_INTERP_BYTES) {
			*ret_interp = p.offset;
			return true;
		}
	}
	return false;
}

static bool in_file(const struct phdr *p, uint64_t file_size)
{
	return p->offset <= file_size && p->filesz <= file_size - p->offset;
}

static int add_segment(struct solo5_image *im, const struct phdr *p, const char **ret_why)
{
	struct solo5_segment *s = &im->seg[im->n_seg];
	const struct solo5_segment *before = im->n_seg ? s - 1 : NULL;

	if (p->memsz == 0 && p->filesz == 0)
		return 0;
	if (im->n_seg == SOLO5_MAX_SEGMENTS)
		return solo5_bad(ret_why, "the image has more than 32 segments");
	if (p->filesz > p->memsz)
		return solo5_bad(ret_why, "a segment of the image is larger in the file "
					  "than in memory");
	if ((p->flags & PF_W) && (p->flags & PF_X))
		return solo5_bad(ret_why, "a segment of the image is both writable and "
					  "executable");
	if (p->vaddr < SOLO5_LOAD_MIN)
		return solo5_bad(ret_why, "a segment of the image lies below 1 MiB");
	if (p->filesz > 0 && p->vaddr % PAGE != 0)
		return solo5_bad(ret_why,
				 "a segment of the image does not begin at a page");
	if (p->vaddr > MEMORY_END || p->memsz > MEMORY_END - p->vaddr)
		return solo5_bad(ret_why, "a segment of the image lies outside of any "
					  "memory");
	/* Of the end byte before, not its page: one without bytes in the file may begin
	 * where the last one ended. Others begin at a page. */
	if (before && p->vaddr < before->vaddr + before->memsz)
		return solo5_bad(ret_why, "segments of the image overlap or are not in "
					  "ascending order");
	*s = (struct solo5_segment){ .vaddr = p->vaddr,
				     .offset = p->offset,
				     .filesz = p->filesz,
				     .memsz = p->memsz,
				     .r = p->flags & PF_R,
				     .w = p->flags & PF_W,
				     .x = p->flags & PF_X };
	im->n_seg++;
	im->end = (p->vaddr + p->memsz + PAGE - 1) / PAGE * PAGE;
	return 0;
}

static int add_note(struct solo5_image *im, const struct phdr *p, const char **ret_why)
{
	if (im->n_notes == SOLO5_MAX_NOTES)
		return solo5_bad(ret_why, "the image has more than 8 notes");
	im->note[im->n_notes].offset = p->offset;
	/* Ours is never longer, and comes first; what else is there need not be read. */
	im->note[im->n_notes].size =
		p->filesz < SOLO5_NOTE_MAX ? p->filesz : SOLO5_NOTE_MAX;
	im->n_notes++;
	return 0;
}

static int add(struct solo5_image *im, const struct phdr *p, uint64_t file_size,
	       bool *interp, const char **ret_why)
{
	if (p->type != PT_LOAD && p->type != PT_INTERP && p->type != PT_NOTE)
		return 0;
	/* Without bytes in the file, an offset means nothing. */
	if (p->filesz > 0 && !in_file(p, file_size))
		return solo5_bad(ret_why, "the image is cut short: a segment or note "
					  "lies beyond its end");
	if (p->type == PT_LOAD)
		return add_segment(im, p, ret_why);
	if (p->type == PT_NOTE)
		return add_note(im, p, ret_why);
	/* Toolchains pad it: what is behind the NUL is nobody's business. */
	if (*interp || p->filesz < SOLO5_INTERP_BYTES)
		return solo5_bad(ret_why, "not a unikernel: its interpreter is not "
					  "/nonexistent/solo5/");
	*interp = true;
	im->interp = p->offset;
	return 0;
}

/* Below the end of the last segment, and executable: any other faults at once. */
static bool entry_ok(const struct solo5_image *im)
{
	for (uint32_t i = 0; i < im->n_seg; i++)
		if (im->seg[i].x && im->entry >= im->seg[i].vaddr &&
		    im->entry - im->seg[i].vaddr < im->seg[i].filesz)
			return true;
	return false;
}

int solo5_image_parse(struct solo5_image *ret, const void *header, size_t len,
		      uint64_t file_size, const char **ret_why)
{
	const uint8_t *h = header;
	bool interp = false;
	uint32_t n;
	size_t at;

	memset(ret, 0, sizeof(*ret));
	if (!elf_kind(h, len, &at, &n))
		return solo5_bad(ret_why,
				 "not a unikernel: no static ELF program for x86-64 "
				 "with all its program headers in the first page");
	for (uint32_t i = 0; i < n; i++) {
		struct phdr p = phdr_at(h, at + (size_t)i * PHDR_BYTES);
		int r = add(ret, &p, file_size, &interp, ret_why);

		if (r != 0)
			return r;
	}
	if (!interp)
		return solo5_bad(ret_why, "not a unikernel: its interpreter is not "
					  "/nonexistent/solo5/");
	ret->entry = le_get(h + 24, 8);
	if (!entry_ok(ret))
		return solo5_bad(ret_why, "the image's entry lies outside of its code");
	return 0;
}

int solo5_interp_parse(const void *interp, size_t len, const char **ret_why)
{
	if (len != SOLO5_INTERP_BYTES || memcmp(interp, SOLO5_INTERP, len) != 0)
		return solo5_bad(ret_why, "not a unikernel: its interpreter is not "
					  "/nonexistent/solo5/");
	return 0;
}
