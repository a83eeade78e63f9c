/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unikernel images, made here byte by byte: one that is good, and beside it each thing
 * that is refused.
 */
#include "solo5/solo5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"

#define FILE_BYTES 0x5000u
#define MEM (16ull << 20)

/* Program headers of the good image, and offsets of fields in one. */
enum { INTERP, TEXT, DATA, BSS, FOREIGN, ABI, MFT, N_PHDR };
enum { TYPE = 0, FLAGS = 4, OFFSET = 8, VADDR = 16, FILESZ = 32, MEMSZ = 40 };
enum { R = 4, W = 2, X = 1 };

/* Where the notes of the good image lie in it. */
#define FOREIGN_AT 0x1100u
#define ABI_AT 0x1200u
#define MFT_AT 0x1300u
#define ENTRY_AT(i) (MFT_AT + 24u + 8u + 104u * (i))

static uint8_t image[FILE_BYTES];

static void put(size_t at, uint64_t v, unsigned bytes)
{
	assert_true(at + bytes <= sizeof(image));
	for (unsigned i = 0; i < bytes; i++)
		image[at + i] = (uint8_t)(v >> (8 * i));
}

static size_t phdr(unsigned n, unsigned field)
{
	return 64 + n * 56 + field;
}

static void set_phdr(unsigned n, uint32_t type, uint32_t flags, uint64_t offset,
		     uint64_t vaddr, uint64_t filesz, uint64_t memsz)
{
	put(phdr(n, TYPE), type, 4);
	put(phdr(n, FLAGS), flags, 4);
	put(phdr(n, OFFSET), offset, 8);
	put(phdr(n, VADDR), vaddr, 8);
	put(phdr(n, FILESZ), filesz, 8);
	put(phdr(n, MEMSZ), memsz, 8);
}

static void note(size_t at, const char *name, uint32_t namesz, uint32_t descsz,
		 uint32_t type)
{
	put(at, namesz, 4);
	put(at + 4, descsz, 4);
	put(at + 8, type, 4);
	memset(image + at + 12, 0, 8);
	memcpy(image + at + 12, name, strlen(name));
}

static void device(unsigned i, const char *name, uint32_t type)
{
	memset(image + ENTRY_AT(i), 0, 104);
	memcpy(image + ENTRY_AT(i), name, strlen(name));
	put(ENTRY_AT(i) + 68, type, 4);
}

static void manifest(unsigned entries)
{
	note(MFT_AT, "Solo5", 6, 4 + 8 + 104 * entries, 0x3154464d);
	put(MFT_AT + 24, 1, 4);
	put(MFT_AT + 28, entries, 4);
	put(phdr(MFT, FILESZ), 20 + 4 + 8 + 104 * entries, 8);
}

static void good(void)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	memset(image, 0, sizeof(image));
	memcpy(image, ident, sizeof(ident));
	put(16, 2, 2);
	put(18, 62, 2);
	put(20, 1, 4);
	put(24, 0x100040, 8); /* entry */
	put(32, 64, 8);
	put(52, 64, 2);
	put(54, 56, 2);
	put(56, N_PHDR, 2);
	set_phdr(INTERP, 3, R, 0x1000, 0x100000, 20, 20);
	set_phdr(TEXT, 1, R | X, 0x1000, 0x100000, 0x1800, 0x1800);
	set_phdr(DATA, 1, R | W, 0x3000, 0x102000, 0x100, 0x180);
	set_phdr(BSS, 1, R | W, 0, 0x103000, 0, 0x2345);
	set_phdr(FOREIGN, 4, R, FOREIGN_AT, 0x100100, 24, 24);
	set_phdr(ABI, 4, R, ABI_AT, 0x100200, 36, 36);
	set_phdr(MFT, 4, R, MFT_AT, 0x100300, 0, 0);
	memcpy(image + 0x1000, SOLO5_INTERP, SOLO5_INTERP_BYTES);
	note(FOREIGN_AT, "OpenBSD", 8, 4, 1);
	note(ABI_AT, "Solo5", 6, 16, 0x31494241);
	put(ABI_AT + 20, SOLO5_SPT, 4);
	put(ABI_AT + 24, 2, 4);
	manifest(3);
	device(0, "", 1u << 30);
	device(1, "storage", SOLO5_BLOCK);
	device(2, "service", SOLO5_NET);
}

/* As a tender reads a file; blocks of the exact size, so that a sanitizer sees more. */
static int parse(struct solo5_image *im, uint64_t mem, const char **why)
{
	size_t head = MIN(sizeof(image), (size_t)SOLO5_HEADER_BYTES);
	auto_free uint8_t *header = malloc(head);
	int r;

	assert_non_null(header);
	memcpy(header, image, head);
	r = solo5_image_parse(im, header, head, sizeof(image), why);
	if (r == 0)
		r = solo5_interp_parse(image + im->interp, SOLO5_INTERP_BYTES, why);
	for (uint32_t i = 0; r == 0 && i < im->n_notes; i++) {
		auto_free uint8_t *bytes = malloc(im->note[i].size + 1);

		assert_non_null(bytes);
		memcpy(bytes, image + im->note[i].offset, im->note[i].size);
		r = solo5_note_parse(im, bytes, im->note[i].size, why);
	}
	return r != 0 ? r : solo5_image_check(im, mem, why);
}

static void assert_good(void)
{
	struct solo5_image im;
	const char *why = "";

	if (parse(&im, MEM, &why) != 0)
		fail_msg("refused: %s", why);
}

/* What was put into the good image is refused; then it is good again. */
static void assert_bad(const char *sentence)
{
	struct solo5_image im;
	const char *why = "accepted";

	assert_int_equal(parse(&im, MEM, &why), PE_BAD);
	if (!strstr(why, sentence))
		fail_msg("\"%s\" does not say \"%s\"", why, sentence);
	good();
	assert_good();
}

static void a_good_image_is_understood(void **state)
{
	struct solo5_image im;
	const char *why;
	uint64_t interp = 0;

	(void)state;
	good();
	assert_good();
	assert_int_equal(parse(&im, MEM, &why), 0);
	assert_int_equal(im.entry, 0x100040);
	assert_int_equal(im.end, 0x106000);
	assert_int_equal(im.n_seg, 3);
	assert_true(im.seg[0].r && !im.seg[0].w && im.seg[0].x);
	assert_true(im.seg[1].r && im.seg[1].w && !im.seg[1].x);
	assert_int_equal(im.seg[1].offset, 0x3000);
	assert_int_equal(im.seg[2].filesz, 0);
	assert_int_equal(im.target, SOLO5_SPT);
	assert_int_equal(im.version, 2);
	assert_int_equal(im.n_devices, 2);
	assert_string_equal(im.device[0].name, "storage");
	assert_int_equal(im.device[0].type, SOLO5_BLOCK);
	assert_string_equal(im.device[1].name, "service");
	assert_int_equal(im.device[1].type, SOLO5_NET);
	assert_true(solo5_may_be_image(image, SOLO5_HEADER_BYTES, &interp));
	assert_int_equal(interp, 0x1000);
}

static void only_such_elf_files(void **state)
{
	static const struct {
		uint8_t at, value;
	} wrong[] = { { 0, 'E' }, { 4, 1 },  { 5, 2 },  { 6, 0 },    { 16, 3 },
		      { 18, 3 },  { 20, 2 }, { 54, 8 }, { 57, 0x7f } };
	uint64_t interp;

	(void)state;
	good();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		image[wrong[i].at] = wrong[i].value;
		assert_false(solo5_may_be_image(image, SOLO5_HEADER_BYTES, &interp));
		assert_bad("not a unikernel");
	}
	put(32, SOLO5_HEADER_BYTES - 56 * N_PHDR + 1, 8);
	assert_bad("first page");
	put(32, UINT64_MAX - 10, 8);
	assert_bad("first page");
	put(phdr(INTERP, FILESZ), 19, 8);
	assert_false(solo5_may_be_image(image, SOLO5_HEADER_BYTES, &interp));
	assert_bad("interpreter");
	put(phdr(INTERP, TYPE), 0, 4);
	assert_false(solo5_may_be_image(image, SOLO5_HEADER_BYTES, &interp));
	assert_bad("interpreter");
	put(phdr(FOREIGN, TYPE), 3, 4); /* two, the second a wrong one */
	assert_bad("interpreter");
	image[0x1001] = 'N';
	assert_bad("interpreter");
	put(phdr(INTERP, OFFSET), FILE_BYTES - 19, 8);
	assert_bad("cut short");
	for (size_t len = 0; len < 64; len++)
		assert_false(solo5_may_be_image(image, len, &interp));
}

static void segments_are_in_their_places(void **state)
{
	(void)state;
	good();
	put(phdr(TEXT, FLAGS), R | W | X, 4);
	assert_bad("writable and executable");
	put(phdr(BSS, FLAGS), R | W | X, 4);
	assert_bad("writable and executable");
	put(phdr(TEXT, VADDR), 0xff000, 8);
	assert_bad("below 1 MiB");
	put(phdr(TEXT, VADDR), 0, 8);
	assert_bad("below 1 MiB");
	put(phdr(DATA, VADDR), 0x102800, 8);
	assert_bad("begin at a page");
	put(phdr(DATA, VADDR), 0x101000, 8); /* the text ends in that page */
	assert_bad("overlap");
	put(phdr(DATA, VADDR), 0x100000, 8);
	assert_bad("overlap");
	put(phdr(BSS, VADDR), 0x102100, 8); /* the data goes on to 0x102180 */
	assert_bad("overlap");
	put(phdr(BSS, VADDR), 0x102180, 8);
	assert_good();
	put(phdr(DATA, VADDR), UINT64_MAX - 4095, 8);
	assert_bad("outside of any memory");
	put(phdr(DATA, MEMSZ), UINT64_MAX - 0x100000, 8); /* wraps */
	assert_bad("outside of any memory");
	/* An end that wraps to 0 would leave all segments before it unbounded. */
	put(phdr(BSS, VADDR), UINT64_MAX / 2, 8);
	put(phdr(BSS, MEMSZ), UINT64_MAX / 2, 8);
	assert_bad("outside of any memory");
	put(phdr(BSS, VADDR), 1ull << 47, 8);
	assert_bad("outside of any memory");
	put(phdr(BSS, MEMSZ), (1ull << 47) - 0x103000, 8);
	assert_bad("memory is too small");
	put(phdr(DATA, MEMSZ), 0xff, 8);
	assert_bad("larger in the file");
	put(phdr(DATA, OFFSET), FILE_BYTES - 0xff, 8);
	assert_bad("cut short");
	put(phdr(DATA, OFFSET), UINT64_MAX - 0x10, 8); /* wraps */
	assert_bad("cut short");
	put(phdr(BSS, MEMSZ), MEM, 8);
	assert_bad("memory is too small");
	put(phdr(BSS, OFFSET), UINT64_MAX, 8); /* without bytes it means nothing */
	assert_good();
	put(phdr(DATA, FILESZ), 0, 8);
	put(phdr(DATA, MEMSZ), 0, 8);
	put(phdr(DATA, VADDR), 7, 8); /* nothing at all */
	assert_good();
}

static void the_entry_is_code(void **state)
{
	static const uint64_t wrong[] = { 0,        0xfffff,  0x101800,
					  0x102000, 0x103000, UINT64_MAX };

	(void)state;
	good();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		put(24, wrong[i], 8);
		assert_bad("entry");
	}
	put(24, 0x1017ff, 8);
	assert_good();
}

static void the_abi_note_is_ours(void **state)
{
	(void)state;
	good();
	put(ABI_AT + 20, 3, 4);
	assert_bad("neither hvt nor spt");
	put(ABI_AT + 20, SOLO5_HVT, 4); /* which tender may start it, that asks */
	assert_good();
	put(ABI_AT + 24, 1, 4);
	assert_bad("version");
	put(ABI_AT + 28, 1, 4);
	assert_bad("ABI note is damaged");
	put(ABI_AT + 32, 1, 4);
	assert_bad("ABI note is damaged");
	put(ABI_AT + 4, 12, 4);
	assert_bad("ABI note is damaged");
	put(ABI_AT + 4, 17, 4);
	assert_bad("cut short");
	put(ABI_AT + 4, UINT32_MAX, 4);
	assert_bad("cut short");
	put(ABI_AT + 8, 0x31494242, 4);
	assert_bad("no ABI note");
	image[ABI_AT + 12] = 's';
	assert_bad("no ABI note");
	put(phdr(ABI, FILESZ), 19, 8);
	assert_bad("no ABI note");
	put(phdr(ABI, TYPE), 0, 4);
	assert_bad("no ABI note");
	memcpy(image + FOREIGN_AT, image + ABI_AT, 36);
	put(phdr(FOREIGN, FILESZ), 36, 8);
	assert_bad("two ABI notes");
	put(phdr(ABI, FILESZ), FILE_BYTES, 8);
	assert_bad("cut short");
}

/* As the toolchains of others write them. */
static void more_than_needed_is_no_harm(void **state)
{
	uint64_t interp = 0;

	(void)state;
	good();
	put(phdr(INTERP, FILESZ), 24, 8);
	put(0x1000 + SOLO5_INTERP_BYTES, 0x64636261, 4);
	assert_true(solo5_may_be_image(image, SOLO5_HEADER_BYTES, &interp));
	assert_int_equal(interp, 0x1000);
	assert_good();
	put(phdr(FOREIGN, FILESZ), SOLO5_NOTE_MAX + 1, 8);
	assert_good();
	put(phdr(ABI, FILESZ), SOLO5_NOTE_MAX + 1, 8);
	assert_good();
	put(phdr(BSS, TYPE), 0, 4);
	assert_good();
	put(phdr(TEXT, FLAGS), X, 4);
	assert_good();
}

static void the_manifest_is_whole(void **state)
{
	(void)state;
	good();
	put(phdr(MFT, TYPE), 0, 4);
	assert_bad("no manifest");
	put(MFT_AT + 24, 2, 4);
	assert_bad("another version");
	put(MFT_AT + 28, 2, 4);
	assert_bad("length");
	put(MFT_AT + 28, 0, 4);
	assert_bad("length");
	put(MFT_AT + 28, 65, 4);
	assert_bad("length");
	put(MFT_AT + 28, 0x80000003, 4);
	assert_bad("length");
	put(MFT_AT + 4, 4 + 8 + 104 * 3 - 1, 4);
	assert_bad("length");
	put(MFT_AT + 4, 11, 4);
	assert_bad("manifest is cut short");
	put(phdr(MFT, FILESZ), 20 + 4 + 8 + 104 * 3 - 1, 8);
	assert_bad("cut short");
	device(0, "x", 1u << 30);
	assert_bad("reserved");
	device(0, "", SOLO5_BLOCK);
	assert_bad("reserved");
	manifest(1);
	assert_good();
	good();
	manifest(64);
	for (unsigned i = 1; i < 64; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "d%u", i);
		device(i, name, SOLO5_NET);
	}
	assert_good();
	manifest(65);
	put(phdr(MFT, FILESZ), SOLO5_NOTE_MAX, 8); /* what it claims is longer */
	assert_bad("cut short");
}

static void devices_have_names_and_types(void **state)
{
	static const char *const wrong[] = { "", "a b", "a/b", "a\x1b[m", "a=b", "\xff" };

	(void)state;
	good();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		device(1, wrong[i], SOLO5_BLOCK);
		assert_bad("name");
	}
	memset(image + ENTRY_AT(1), 'a', SOLO5_NAME_BYTES);
	assert_bad("without an end");
	memset(image + ENTRY_AT(1), 'a', SOLO5_NAME_BYTES - 1);
	assert_good();
	good();
	device(2, "storage", SOLO5_NET);
	assert_bad("same name");
	device(1, "storage", 3);
	assert_bad("neither a block nor");
	device(1, "storage", 1u << 30);
	assert_bad("neither a block nor");
	image[ENTRY_AT(1) + 96] = 1;
	assert_bad("attached already");
}

static void memory_holds_the_image(void **state)
{
	struct solo5_image im;
	const char *why;

	(void)state;
	good();
	assert_int_equal(parse(&im, 0x106000 + SOLO5_STACK_MIN, &why), 0);
	assert_int_equal(parse(&im, 0x106000 + SOLO5_STACK_MIN - 1, &why), PE_BAD);
	assert_int_equal(parse(&im, 0, &why), PE_BAD);
}

static void any_flipped_bit_is_survived(void **state)
{
	(void)state;
	good();
	for (size_t at = 0; at < ENTRY_AT(3); at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct solo5_image im;
			const char *why = NULL;

			image[at] ^= (uint8_t)(1 << bit);
			assert_true(parse(&im, MEM, &why) == 0 || why);
			image[at] ^= (uint8_t)(1 << bit);
		}
}

static uint64_t at(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void the_guest_sees_what_was_attached(void **state)
{
	struct solo5_attached v[2] = {
		{ .capacity = 1 << 20, .block_size = 512, .hostfd = 5 },
		{ .mac = { 2, 3, 4, 5, 6, 7 }, .mtu = 1500, .hostfd = 6 },
	};
	uint8_t m[SOLO5_MANIFEST_BYTES(2) + 1];
	struct solo5_image im;
	const char *why;

	(void)state;
	good();
	assert_int_equal(parse(&im, MEM, &why), 0);
	memset(m, 0xaa, sizeof(m));
	solo5_manifest_write(&im, v, m);
	assert_int_equal(m[sizeof(m) - 1], 0xaa);
	assert_int_equal(at(m, 4), 1);
	assert_int_equal(at(m + 4, 4), 3);
	assert_int_equal(at(m + 8 + 68, 4), 1u << 30);
	assert_string_equal((char *)m + 8 + 104, "storage");
	assert_int_equal(at(m + 8 + 104 + 68, 4), SOLO5_BLOCK);
	assert_int_equal(at(m + 8 + 104 + 72, 8), 1 << 20);
	assert_int_equal(at(m + 8 + 104 + 80, 2), 512);
	assert_int_equal(at(m + 8 + 104 + 88, 4), 5);
	assert_int_equal(m[8 + 104 + 96], 1);
	assert_string_equal((char *)m + 8 + 208, "service");
	assert_memory_equal(m + 8 + 208 + 72, v[1].mac, 6);
	assert_int_equal(at(m + 8 + 208 + 78, 2), 1500);
	assert_int_equal(at(m + 8 + 208 + 88, 4), 6);
	assert_int_equal(m[8 + 208 + 96], 1);
	assert_int_equal(m[8 + 96], 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_image_is_understood),
		cmocka_unit_test(only_such_elf_files),
		cmocka_unit_test(segments_are_in_their_places),
		cmocka_unit_test(the_entry_is_code),
		cmocka_unit_test(the_abi_note_is_ours),
		cmocka_unit_test(the_manifest_is_whole),
		cmocka_unit_test(devices_have_names_and_types),
		cmocka_unit_test(memory_holds_the_image),
		cmocka_unit_test(any_flipped_bit_is_survived),
		cmocka_unit_test(the_guest_sees_what_was_attached),
		cmocka_unit_test(more_than_needed_is_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
