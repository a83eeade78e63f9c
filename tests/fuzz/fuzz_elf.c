/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image that anybody made, as a tender reads it: the input is the file. What is
 * accepted keeps the promises that a tender relies on, and its manifest can be written.
 */
#include "solo5/solo5.h"

#include <string.h>

#include "base/auto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void promises(const struct solo5_image *im, uint64_t file, uint64_t mem)
{
	bool entry = false;

	require(im->end <= mem && im->end >= SOLO5_LOAD_MIN);
	for (uint32_t i = 0; i < im->n_seg; i++) {
		const struct solo5_segment *s = &im->seg[i];

		require(!(s->w && s->x) && s->filesz <= s->memsz);
		require(s->vaddr >= SOLO5_LOAD_MIN && s->vaddr + s->memsz <= im->end);
		require(s->filesz == 0 || (s->vaddr % 4096 == 0 && s->offset <= file &&
					   s->offset + s->filesz <= file));
		require(i == 0 || s->vaddr >= s[-1].vaddr + s[-1].memsz);
		entry |=
			s->x && im->entry >= s->vaddr && im->entry < s->vaddr + s->filesz;
	}
	require(entry);
}

static void write_manifest(const struct solo5_image *im)
{
	struct solo5_attached v[SOLO5_MAX_ENTRIES] = { 0 };
	uint8_t m[SOLO5_MANIFEST_BYTES(SOLO5_MAX_ENTRIES - 1)];

	require(im->n_devices < SOLO5_MAX_ENTRIES);
	solo5_manifest_write(im, v, m);
	for (uint32_t i = 0; i < im->n_devices; i++)
		require(strcmp((char *)m + 8 + 104 * (i + 1), im->device[i].name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t mem = 64 << 20;
	struct solo5_image im;
	const char *why = NULL;
	uint64_t interp = 0;
	bool may =
		solo5_may_be_image(data, MIN(size, (size_t)SOLO5_HEADER_BYTES), &interp);
	int r = solo5_image_parse(&im, data, MIN(size, (size_t)SOLO5_HEADER_BYTES), size,
				  &why);

	require(r != 0 || (may && im.interp <= size - SOLO5_INTERP_BYTES));
	if (r == 0)
		r = solo5_interp_parse(data + im.interp, SOLO5_INTERP_BYTES, &why);
	for (uint32_t i = 0; r == 0 && i < im.n_notes; i++) {
		size_t len = (size_t)im.note[i].size;
		auto_free uint8_t *note = malloc(len + !len);

		require(note && len <= SOLO5_NOTE_MAX);
		if (len > 0)
			memcpy(note, data + im.note[i].offset, len);
		r = solo5_note_parse(&im, note, len, &why);
	}
	if (r == 0)
		r = solo5_image_check(&im, mem, &why);
	require(r == 0 || why);
	if (r == 0) {
		promises(&im, size, mem);
		write_manifest(&im);
	}
	return 0;
}
