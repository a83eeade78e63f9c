/* SPDX-License-Identifier: ISC */
/*
 * Devices: the manifest as the tender filled it in. It was copied into our memory before
 * the start and does not change; it is checked once, since a tender may have faults, and
 * used in place.
 */
#include "internal.h"

#include <stddef.h>
#include <string.h>

#define ENTRIES_MAX 64

struct entry { /* Solo5's, 104 bytes */
	char name[68];
	uint32_t type;
	union {
		struct {
			uint64_t capacity;
			uint16_t block_size;
		} block;
		struct {
			uint8_t mac[6];
			uint16_t mtu;
		} net;
	} u;
	int32_t hostfd; /* spt: the descriptor */
	uint32_t pad;
	uint8_t attached;
};

struct manifest {
	uint32_t version, n_entries;
	struct entry entry[];
};

_Static_assert(sizeof(struct entry) == 104, "an entry has 104 bytes");
_Static_assert(offsetof(struct entry, hostfd) == 88, "the descriptor lies at 88");
_Static_assert(offsetof(struct entry, attached) == 96, "attached lies at 96");
_Static_assert(offsetof(struct manifest, entry) == 8, "entries follow 8 bytes");

static const struct manifest *manifest;
static unsigned n_net;

static const struct entry *by_name(const char *name)
{
	uint32_t i;

	for (i = 1; i < manifest->n_entries; i++)
		if (strcmp(manifest->entry[i].name, name) == 0)
			return &manifest->entry[i];
	return NULL;
}

static const struct entry *by_handle(pg_device d, uint32_t type)
{
	if (d == 0 || d >= manifest->n_entries || manifest->entry[d].type != type)
		return NULL;
	return &manifest->entry[d];
}

static void entry_check(const struct entry *e)
{
	uint32_t size = e->u.block.block_size;

	if (!e->attached || memchr(e->name, '\0', sizeof(e->name)) == NULL)
		pg_abort("the tender attached not all devices");
	if (by_name(e->name) != e)
		pg_abort("two devices have one name");
	if (e->type == PG_BLOCK &&
	    (size < 512 || (size & (size - 1)) != 0 || e->u.block.capacity % size != 0))
		pg_abort("the tender gave a block device of a size that cannot be");
}

void pg_devices_init(const void *from_tender)
{
	uint32_t i;

	manifest = from_tender;
	if (!manifest || manifest->version != 1 || manifest->n_entries < 1 ||
	    manifest->n_entries > ENTRIES_MAX)
		pg_abort("the tender gave a manifest that cannot be");
	for (i = 1; i < manifest->n_entries; i++) {
		entry_check(&manifest->entry[i]);
		if (manifest->entry[i].type == PG_NET)
			n_net++;
	}
}

unsigned pg_net_count(void)
{
	return n_net;
}

int pg_device_next(pg_device *it, const char **ret_name, enum pg_device_type *ret_type)
{
	if (*it + 1 >= manifest->n_entries)
		return 0;
	++*it;
	if (ret_name)
		*ret_name = manifest->entry[*it].name;
	if (ret_type)
		*ret_type = (enum pg_device_type)manifest->entry[*it].type;
	return 1;
}

static int find(const char *name, uint32_t type, pg_device *ret)
{
	const struct entry *e = by_name(name);

	if (!e || e->type != type || e == manifest->entry)
		return PG_NOT_FOUND;
	*ret = (pg_device)(e - manifest->entry);
	return PG_OK;
}

/* ---- block ---- */

int pg_block_info(pg_device d, struct pg_block_info *ret_info)
{
	const struct entry *e = by_handle(d, PG_BLOCK);

	if (!e)
		return PG_NOT_FOUND;
	*ret_info = (struct pg_block_info){ e->u.block.capacity, e->u.block.block_size };
	return PG_OK;
}

int pg_block_find(const char *name, pg_device *ret, struct pg_block_info *ret_info)
{
	int r = find(name, PG_BLOCK, ret);

	return r == PG_OK && ret_info ? pg_block_info(*ret, ret_info) : r;
}

/* PG_OK, and the entry, if that range can be moved. */
static int range_check(pg_device d, uint64_t offset, size_t len, const struct entry **ret)
{
	const struct entry *e = by_handle(d, PG_BLOCK);
	uint64_t mask;

	if (!e)
		return PG_INVALID;
	mask = (uint64_t)e->u.block.block_size - 1;
	if (((offset | len) & mask) != 0 || offset > e->u.block.capacity ||
	    len > e->u.block.capacity - offset)
		return PG_INVALID;
	*ret = e;
	return PG_OK;
}

int pg_block_read(pg_device d, uint64_t offset, void *buf, size_t len)
{
	const struct entry *e;
	size_t done;
	int r = range_check(d, offset, len, &e);

	for (done = 0; r == PG_OK && done < len; done += e->u.block.block_size)
		r = abi_block_read(d, e->hostfd, offset + done, (char *)buf + done,
				   e->u.block.block_size);
	return r;
}

int pg_block_write(pg_device d, uint64_t offset, const void *buf, size_t len)
{
	const struct entry *e;
	size_t done;
	int r = range_check(d, offset, len, &e);

	for (done = 0; r == PG_OK && done < len; done += e->u.block.block_size)
		r = abi_block_write(d, e->hostfd, offset + done, (const char *)buf + done,
				    e->u.block.block_size);
	return r;
}

/* ---- net ---- */

int pg_net_info(pg_device d, struct pg_net_info *ret_info)
{
	const struct entry *e = by_handle(d, PG_NET);

	if (!e)
		return PG_NOT_FOUND;
	memcpy(ret_info->mac, e->u.net.mac, sizeof(ret_info->mac));
	ret_info->mtu = e->u.net.mtu;
	return PG_OK;
}

int pg_net_find(const char *name, pg_device *ret, struct pg_net_info *ret_info)
{
	int r = find(name, PG_NET, ret);

	return r == PG_OK && ret_info ? pg_net_info(*ret, ret_info) : r;
}

int pg_net_read(pg_device d, void *buf, size_t size, size_t *ret_len)
{
	const struct entry *e = by_handle(d, PG_NET);

	if (!e || size < PG_NET_FRAME_BYTES(e->u.net.mtu))
		return PG_INVALID;
	return abi_net_read(d, e->hostfd, buf, size, ret_len);
}

int pg_net_write(pg_device d, const void *frame, size_t len)
{
	const struct entry *e = by_handle(d, PG_NET);

	if (!e || len < 14 || len > PG_NET_FRAME_BYTES(e->u.net.mtu))
		return PG_INVALID;
	return abi_net_write(d, e->hostfd, frame, len);
}
