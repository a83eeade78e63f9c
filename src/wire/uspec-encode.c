/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/uspec.h"

#include "wire/uspec-internal.h"
#include "wire/wire.h"

static void put_device(struct str *out, const struct uspec_device *d)
{
	put_str(out, d->name);
	put_u8(out, d->type);
	put_u32(out, d->flags);
	put_u32(out, (uint32_t)d->fd);
	put_u32(out, (uint32_t)d->base);
	put_str(out, d->path);
	put_u64(out, d->capacity);
	put_u16(out, d->block_size);
	str_addn(out, d->mac, sizeof(d->mac));
	put_u16(out, d->mtu);
}

void uspec_encode(const struct uspec *s, struct str *out)
{
	put_u32(out, USPEC_MAGIC);
	put_u32(out, USPEC_VERSION);
	str_addn(out, s->id, sizeof(s->id));
	put_u64(out, s->generation);
	put_str(out, s->name);
	put_u8(out, s->kind);
	put_u32(out, s->flags);
	put_u32(out, (uint32_t)s->image_fd);
	put_str(out, s->image_path);
	put_u64(out, s->mem_bytes);
	put_str(out, s->cmdline);
	put_u32(out, s->uid);
	put_u32(out, s->gid);
	put_u32(out, (uint32_t)s->report_fd);
	put_u32(out, (uint32_t)s->core_fd);
	put_u32(out, (uint32_t)s->alive_fd);
	put_u64(out, s->wall_start_ns);
	put_u32(out, s->n_devices);
	for (uint32_t i = 0; i < s->n_devices; i++)
		put_device(out, &s->devices[i]);
}
