/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.c - the two notes of an image, which ABI it speaks and which devices it needs,
 * and the manifest that a tender hands to the guest.
 */
#include "solo5/solo5.h"

#include <string.h>

#include "solo5/solo5-internal.h"

#define NOTE_HEADER 20u /* three lengths and the name, padded */
#define ENTRY_BYTES 104u
#define TYPE_ABI 0x31494241u /* "ABI1" */
#define TYPE_MFT 0x3154464du /* "MFT1" */
#define ENTRY_RESERVED (1u << 30)

/* As people and command lines can write it. */
static bool name_ok(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || *name == '_' || *name == '-' ||
		      *name == '.'))
			return false;
	return true;
}

static int parse_abi(struct solo5_image *im, const uint8_t *desc, size_t len,
		     const char **ret_why)
{
	if (im->has_abi)
		return solo5_bad(ret_why, "the image has two ABI notes");
	if (len != 16 || le_get(desc + 8, 8) != 0)
		return solo5_bad(ret_why, "the image's ABI note is damaged");
	im->has_abi = true;
	im->target = (uint32_t)le_get(desc, 4);
	im->version = (uint32_t)le_get(desc + 4, 4);
	return 0;
}

static int add_device(struct solo5_image *im, const uint8_t *entry, const char **ret_why)
{
	uint32_t type = (uint32_t)le_get(entry + SOLO5_NAME_BYTES, 4);
	char *name = im->device[im->n_devices].name;

	if (!memchr(entry, 0, SOLO5_NAME_BYTES))
		return solo5_bad(ret_why, "a device of the image's manifest has a name "
					  "without an end");
	memcpy(name, entry, SOLO5_NAME_BYTES);
	if (!name_ok(name))
		return solo5_bad(ret_why,
				 "a device of the image's manifest has a name that is "
				 "empty or not of letters, digits and _-.");
	if (type != SOLO5_BLOCK && type != SOLO5_NET)
		return solo5_bad(ret_why, "a device of the image's manifest is neither a "
					  "block nor a net device");
	if (entry[96] != 0)
		return solo5_bad(ret_why, "a device of the image's manifest claims to be "
					  "attached already");
	for (uint32_t i = 0; i < im->n_devices; i++)
		if (strcmp(im->device[i].name, name) == 0)
			return solo5_bad(ret_why, "two devices of the image's manifest "
						  "have the same name");
	im->device[im->n_devices].type = type;
	im->n_devices++;
	return 0;
}

static int parse_manifest(struct solo5_image *im, const uint8_t *desc, size_t len,
			  const char **ret_why)
{
	const uint8_t *m = desc + 4; /* aligned to 8 in the file */
	uint64_t n;
	int r = 0;

	if (im->has_manifest)
		return solo5_bad(ret_why, "the image has two manifests");
	if (len < 4 + 8)
		return solo5_bad(ret_why, "the image's manifest is cut short");
	if (le_get(m, 4) != 1)
		return solo5_bad(ret_why,
				 "the image's manifest is of another version than 1");
	n = le_get(m + 4, 4);
	if (n < 1 || n > SOLO5_MAX_ENTRIES || len - 4 != 8 + ENTRY_BYTES * n)
		return solo5_bad(ret_why,
				 "the image's manifest has a length that does "
				 "not fit its number of devices, or more than 63");
	if (m[8] != 0 || le_get(m + 8 + SOLO5_NAME_BYTES, 4) != ENTRY_RESERVED)
		return solo5_bad(ret_why,
				 "the first entry of the image's manifest is not the "
				 "reserved one");
	for (uint64_t i = 1; r == 0 && i < n; i++)
		r = add_device(im, m + 8 + i * ENTRY_BYTES, ret_why);
	im->has_manifest = true;
	return r;
}

int solo5_note_parse(struct solo5_image *im, const void *note, size_t len,
		     const char **ret_why)
{
	const uint8_t *p = note;
	uint64_t desc;

	if (len < NOTE_HEADER || le_get(p, 4) != 6 || memcmp(p + 12, "Solo5\0\0", 8) != 0)
		return 0; /* somebody else's */
	desc = le_get(p + 4, 4);
	if (desc > len - NOTE_HEADER)
		return solo5_bad(ret_why, "a note of the image is cut short");
	switch (le_get(p + 8, 4)) {
	case TYPE_ABI: return parse_abi(im, p + NOTE_HEADER, (size_t)desc, ret_why);
	case TYPE_MFT: return parse_manifest(im, p + NOTE_HEADER, (size_t)desc, ret_why);
	default: return 0;
	}
}

/* Each by its own numbers, since each is mapped by them. */
static bool segments_fit(const struct solo5_image *im, uint64_t mem_bytes)
{
	for (uint32_t i = 0; i < im->n_seg; i++)
		if (im->seg[i].vaddr > mem_bytes ||
		    im->seg[i].memsz > mem_bytes - im->seg[i].vaddr)
			return false;
	return true;
}

int solo5_image_check(const struct solo5_image *im, uint64_t mem_bytes,
		      const char **ret_why)
{
	if (!im->has_abi)
		return solo5_bad(ret_why, "the image has no ABI note");
	if (!im->has_manifest)
		return solo5_bad(ret_why, "the image has no manifest");
	if (im->target != SOLO5_HVT && im->target != SOLO5_SPT)
		return solo5_bad(ret_why, "the image is built for neither hvt nor spt");
	if (im->version != SOLO5_ABI_VERSION)
		return solo5_bad(ret_why, "the image speaks another version of its ABI "
					  "than 2");
	if (mem_bytes < im->end || mem_bytes - im->end < SOLO5_STACK_MIN ||
	    !segments_fit(im, mem_bytes))
		return solo5_bad(ret_why, "the memory is too small for the image");
	return 0;
}

static void write_entry(uint8_t *e, const char *name, uint32_t type,
			const struct solo5_attached *v)
{
	memcpy(e, name, SOLO5_NAME_BYTES);
	le_put(e + 68, type, 4);
	if (type == SOLO5_BLOCK) {
		le_put(e + 72, v->capacity, 8);
		le_put(e + 80, v->block_size, 2);
	} else {
		memcpy(e + 72, v->mac, sizeof(v->mac));
		le_put(e + 78, v->mtu, 2);
	}
	le_put(e + 88, (uint32_t)v->hostfd, 4);
	e[96] = 1;
}

void solo5_manifest_write(const struct solo5_image *im, const struct solo5_attached *v,
			  void *ret)
{
	uint8_t *m = ret;

	memset(m, 0, SOLO5_MANIFEST_BYTES(im->n_devices));
	le_put(m, 1, 4);
	le_put(m + 4, im->n_devices + 1u, 4);
	le_put(m + 8 + 68, ENTRY_RESERVED, 4);
	for (uint32_t i = 0; i < im->n_devices; i++)
		write_entry(m + 8 + (i + 1) * ENTRY_BYTES, im->device[i].name,
			    im->device[i].type, &v[i]);
}
