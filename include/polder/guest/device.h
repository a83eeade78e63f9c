/* SPDX-License-Identifier: ISC */
/*
 * device.h - block and network devices.
 *
 * A unikernel declares in its image what devices it has; a tender refuses to start it
 * until each of them is attached to something. So a device that is declared is there.
 * The declaration stands at file scope, in any source file of the program:
 *
 *	PG_BLOCK_DEVICE("storage");
 *	PG_NET_DEVICE("service");
 *
 *	struct pg_block_info info;
 *	pg_device disk;
 *
 *	if (pg_block_find("storage", &disk, &info) != PG_OK)
 *		...
 *
 * The same declaration in several files is one device. A name is 1 to 67 ASCII letters
 * and digits; one name for a block and a net device ends the program before main. At
 * most 63 devices; the linker refuses more.
 */
#ifndef POLDER_GUEST_DEVICE_H
#define POLDER_GUEST_DEVICE_H

#include <polder/guest/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * NAME is a string literal. One entry of the ABI's manifest, 104 bytes: name[68], type,
 * and room for what the tender fills in. A group of the linker's makes equal ones one.
 */
#define PG_DEVICE_ENTRY_(name, type)                                                     \
	__asm__(".ifndef .Lpolder_device_" #type "_" name "\n\t"                         \
		".pushsection .polder.device." name ",\"aG\",@progbits,"                 \
		"polder.device." #type "." name ",comdat\n"                              \
		".Lpolder_device_" #type "_" name ":\n"                                  \
		"991:\t.ascii \"" name "\"\n\t"                                          \
		".zero 68 - (. - 991b)\n\t.long " #type "\n\t.zero 32\n\t"               \
		".popsection\n\t.endif\n");                                              \
	extern char pg_device_name_is_1_to_67_bytes                                      \
		[sizeof(name) >= 2 && sizeof(name) <= 68 ? 1 : -1]
#define PG_BLOCK_DEVICE(name) PG_DEVICE_ENTRY_(name, 1)
#define PG_NET_DEVICE(name) PG_DEVICE_ENTRY_(name, 2)

/* A device's handle, 1 to 63: also its bit in the set that pg_poll() gives. */
typedef unsigned pg_device;

enum pg_device_type { PG_BLOCK = 1, PG_NET = 2 };

/* ---- what there is ---- */

/* Walks over all devices: *it begins as 0. False when there are no more. */
int pg_device_next(pg_device *it, const char **ret_name, enum pg_device_type *ret_type);

/* ---- block ---- */

struct pg_block_info {
	uint64_t capacity;   /* a non-zero multiple of block_size */
	uint32_t block_size; /* a power of two, at least 512 */
};

/* ret_info may be NULL. PG_NOT_FOUND (also if it is a net device). */
int pg_block_find(const char *name, pg_device *ret, struct pg_block_info *ret_info);
int pg_block_info(pg_device d, struct pg_block_info *ret_info);

/*
 * offset and len are multiples of block_size, and the range lies within capacity:
 * PG_INVALID if not, and nothing was moved. A len of 0 is PG_OK. The range goes over
 * block by block: after PG_FAILED the blocks before the failing one were read or
 * written, and the failing one may be in part. A device that is read-only fails writes
 * with PG_FAILED. Calls return when the tender has done the work; whether that has
 * reached a disk is the tender's affair, and there is no flush in the ABI.
 * PG_OK, PG_INVALID, PG_FAILED.
 */
int pg_block_read(pg_device d, uint64_t offset, void *buf, size_t len);
int pg_block_write(pg_device d, uint64_t offset, const void *buf, size_t len);

/* ---- net ---- */

struct pg_net_info {
	uint8_t mac[6];
	uint16_t mtu; /* bytes of payload in a frame, without the 14 of its header */
};

/* A frame with its Ethernet header and without checksum. */
#define PG_NET_FRAME_BYTES(mtu) ((size_t)(mtu) + 14)

/* ret_info may be NULL. PG_NOT_FOUND (also if it is a block device). */
int pg_net_find(const char *name, pg_device *ret, struct pg_net_info *ret_info);
int pg_net_info(pg_device d, struct pg_net_info *ret_info);

/*
 * One whole frame. buf has room for size bytes, which must be PG_NET_FRAME_BYTES(mtu) or
 * more. PG_OK with *ret_len > 0; PG_AGAIN if none is waiting; PG_INVALID; PG_FAILED. Read until
 * PG_AGAIN before pg_poll().
 */
int pg_net_read(pg_device d, void *buf, size_t size, size_t *ret_len);

/*
 * Sends one whole frame, of 14 to PG_NET_FRAME_BYTES(mtu) bytes. PG_OK means that the
 * tender took it, or dropped it as networks do. PG_INVALID; PG_FAILED. PG_AGAIN only
 * where the tender says so; pg_poll() does not tell when there is room again.
 */
int pg_net_write(pg_device d, const void *frame, size_t len);

#ifdef __cplusplus
}
#endif
#endif
