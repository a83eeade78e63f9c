/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * solo5.h - unikernel images: ELF segments, ABI and manifest notes.
 *
 * Pure and freestanding: no allocation, no system call, no libc but memcpy and its like,
 * so that the tender without a libc, the command and the fuzzers run the same code. A
 * caller reads the first SOLO5_HEADER_BYTES of the file (or all, if there are fewer) and
 * calls solo5_image_parse; reads SOLO5_INTERP_BYTES where that found the interpreter and
 * each note where that found it, for solo5_interp_parse and solo5_note_parse; and asks
 * solo5_image_check once.
 *
 * What an image may be follows Solo5 0.12's ABI: ELF64 little-endian ET_EXEC x86-64, the
 * interpreter /nonexistent/solo5/, segments ascending, page-aligned, without overlap,
 * never writable and executable, between 1 MiB and the memory's end.
 *
 * Errors: PE_BAD, with one static sentence in *ret_why.
 */
#ifndef POLDER_SOLO5_SOLO5_H
#define POLDER_SOLO5_SOLO5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOLO5_HEADER_BYTES 4096u /* the ELF header and all program headers lie in it */
#define SOLO5_INTERP "/nonexistent/solo5/"
#define SOLO5_INTERP_BYTES 20u /* with the NUL; the segment may be longer */
#define SOLO5_MAX_SEGMENTS 32
#define SOLO5_MAX_NOTES 8
#define SOLO5_MAX_ENTRIES 64 /* with the reserved first */
#define SOLO5_NAME_BYTES 68
#define SOLO5_LOAD_MIN 0x100000ull
#define SOLO5_ABI_VERSION 2         /* of both targets */
#define SOLO5_STACK_MIN (64u << 10) /* what memory must hold above the image, at least */
#define SOLO5_NOTE_MAX (20u + 4u + 8u + 104u * SOLO5_MAX_ENTRIES)

enum solo5_target { SOLO5_HVT = 1, SOLO5_SPT = 2 };
enum solo5_device { SOLO5_BLOCK = 1, SOLO5_NET = 2 };

struct solo5_segment {
	uint64_t vaddr, offset, filesz, memsz; /* filesz may be 0: zeroed memory */
	bool r, w, x;
};

struct solo5_image {
	uint64_t entry;
	uint64_t end; /* of the last segment, bss included, rounded up to a page */
	struct solo5_segment seg[SOLO5_MAX_SEGMENTS];
	uint32_t n_seg;
	uint64_t interp; /* where in the file SOLO5_INTERP stands */
	/* Where the notes lie in the file; each is at most SOLO5_NOTE_MAX. Others than ours
	 * may be among them. */
	struct {
		uint64_t offset, size;
	} note[SOLO5_MAX_NOTES];
	uint32_t n_notes;
	/* From the notes: */
	bool has_abi, has_manifest;
	uint32_t target;  /* enum solo5_target */
	uint32_t version; /* of that ABI */
	struct {
		char name[SOLO5_NAME_BYTES];
		uint32_t type; /* enum solo5_device */
	} device[SOLO5_MAX_ENTRIES - 1];
	uint32_t n_devices;
};

/*
 * True if these bytes begin an ELF file that may be an image: SOLO5_INTERP_BYTES of the
 * file at *ret_interp decide. Whether the rest is right is another question.
 */
bool solo5_may_be_image(const void *header, size_t len, uint64_t *ret_interp);
/* file_size bounds what segments and notes may claim. */
int solo5_image_parse(struct solo5_image *ret, const void *header, size_t len,
		      uint64_t file_size, const char **ret_why);
/* The bytes of the file at .interp. */
int solo5_interp_parse(const void *interp, size_t len, const char **ret_why);
/* The bytes of note[i] of the file; to be called for each. */
int solo5_note_parse(struct solo5_image *im, const void *note, size_t len,
		     const char **ret_why);
/* Once all notes are in: both are there, the ABI is one that we know, and the memory is
 * enough for the image. */
int solo5_image_check(const struct solo5_image *im, uint64_t mem_bytes,
		      const char **ret_why);

/*
 * The manifest as the guest sees it: 8 bytes and 104 for each entry. handles[i] is what
 * the tender attached for device[i].
 */
struct solo5_attached {
	uint64_t capacity; /* block */
	uint16_t block_size;
	uint8_t mac[6]; /* net */
	uint16_t mtu;
	int32_t hostfd; /* spt: the number inside; hvt: 0 */
};
#define SOLO5_MANIFEST_BYTES(n_devices) (8u + 104u * ((n_devices) + 1u))
/* ret has SOLO5_MANIFEST_BYTES. */
void solo5_manifest_write(const struct solo5_image *im, const struct solo5_attached *v,
			  void *ret);

#endif
