/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is said of a unikernel alone: every device that its image declares is bound, and
 * to the right thing; nothing is that it does not declare; and what only a Linux program
 * has is not asked for.
 */
#include "graph/check-internal.h"
#include "graph/kinds.h"

#define DEFAULT_MEM (512ull << 20)
#define HVT_MEM_STEP (2ull << 20)
#define HVT_MEM_MAX (4ull << 30)

uint64_t genv_guest_mem(const struct genv *e)
{
	uint64_t mem = e->limits.mem_bytes ? e->limits.mem_bytes : DEFAULT_MEM;

	return mem - mem % (e->program == PROGRAM_HVT ? HVT_MEM_STEP : 4096);
}

static void list_devices(const struct genv *e, struct str *out)
{
	for (size_t i = 0; i < e->n_devices && out->len < 300; i++)
		str_addf(out, "%s%s (%s)", i ? ", " : "", e->devices[i].name,
			 iface_name(e->devices[i].iface));
}

static const char *nearest_device(const struct genv *e, const char *name)
{
	const char *names[MAX_DEVICES];

	for (size_t i = 0; i < e->n_devices; i++)
		names[i] = e->devices[i].name;
	return str_nearest(name, names, e->n_devices);
}

static void no_such_device(struct check *c, const struct genv *e, const struct binding *b)
{
	const char *near = nearest_device(e, slot_device(b->slot));
	auto_free char *hint = near ? str_printf("did you mean dev:%s?", near) : NULL;
	auto_str list = STR_INIT;

	list_devices(e, &list);
	ERROR(c, b->pos, hint, "\"%s\": the unikernel declares no such device%s%s",
	      b->slot, list.len ? "; it has: " : ", and no other", str_text(&list));
}

bool check_device(struct check *c, const struct genv *e, const struct binding *b)
{
	const char *name = slot_device(b->slot);
	const struct gdevice *d;

	if (!name || !program_is_unikernel(e->program))
		return true;
	if (!e->devices_known)
		return false; /* the image could not be read, which was said */
	d = genv_device(e, name);
	if (!d) {
		no_such_device(c, e, b);
		return false;
	}
	if (d->iface != b->iface) {
		ERROR(c, b->pos, NULL, "\"%s\" is a %s in the unikernel, not a %s",
		      b->slot, iface_name(d->iface), iface_name(b->iface));
		return false;
	}
	return true;
}

static void check_missing(struct check *c, const struct genv *e)
{
	struct pos pos = e->image_pos.line ? e->image_pos : e->pos;

	for (size_t i = 0; i < e->n_devices; i++) {
		const struct gdevice *d = &e->devices[i];
		auto_free char *slot = str_printf("dev:%s", d->name);
		auto_free char *hint = NULL;

		if (!slot || genv_binding(e, slot))
			continue;
		hint = pos.line ? str_printf("slots: {dev:%s: null}, for one that does "
					     "nothing",
					     d->name) :
				  str_printf("-g dev:%s=null, for one that does nothing",
					     d->name);
		ERROR(c, pos, hint,
		      "the unikernel declares the device \"%s\" (%s), and nothing is "
		      "bound to it",
		      d->name, iface_name(d->iface));
	}
}

static void check_linux_only(struct check *c, const struct genv *e)
{
	if (e->root)
		ERROR(c, e->root_pos.line ? e->root_pos : e->pos, NULL,
		      "a unikernel has no root directory");
	if (e->chdir)
		ERROR(c, e->chdir_pos.line ? e->chdir_pos : e->pos, NULL,
		      "a unikernel has no working directory");
	if (e->n_vars > 0)
		ERROR(c, e->vars[0].pos.line ? e->vars[0].pos : e->pos,
		      "what it is to know stands in its arguments",
		      "a unikernel has no environment variables");
	for (size_t i = 0; i < e->n_exposes; i++)
		ERROR(c, e->exposes[i].pos,
		      "another can be joined to its net device: env:NAME/DEVICE",
		      "\"%s\": a unikernel exposes no directories or sockets",
		      e->exposes[i].name);
	if (e->ready.kind != READY_STARTED)
		ERROR(c, e->pos, NULL,
		      "a unikernel cannot tell when it is ready: it is as soon as it "
		      "runs");
}

static void check_memory(struct check *c, const struct genv *e, struct pos pos)
{
	uint64_t mem = genv_guest_mem(e);

	if (e->program == PROGRAM_HVT && mem > HVT_MEM_MAX)
		ERROR(c, pos, NULL, "an hvt guest has at most 4G of memory");
	else if (e->program == PROGRAM_HVT && mem == 0)
		ERROR(c, pos, NULL, "an hvt guest has at least 2M of memory");
	else if (e->mem_needed > mem)
		ERROR(c, pos, NULL,
		      "the unikernel needs more than %lluK of memory (mem): %lluK for "
		      "its image alone",
		      (unsigned long long)mem / 1024,
		      (unsigned long long)e->mem_needed / 1024);
}

void check_unikernel(struct check *c, const struct genv *e, struct pos limits)
{
	check_linux_only(c, e);
	if (!e->devices_known)
		return;
	if (e->program == PROGRAM_HVT && !c->facts->kvm)
		ERROR(c, e->image_pos.line ? e->image_pos : e->pos, NULL,
		      "an hvt unikernel needs /dev/kvm, which is not there or not yours "
		      "to open (it belongs to the group kvm)");
	check_missing(c, e);
	check_memory(c, e, limits);
}

/* ---- one device ---- */

static uint64_t number_of(const struct binding *b, const char *option, uint64_t otherwise)
{
	const struct kv *o = binding_option(b, option);
	uint64_t n;

	return o && o->value && str_to_bytes(o->value, &n) ? n : otherwise;
}

void check_volume(struct check *c, const struct binding *b)
{
	uint64_t size = number_of(b, "size", 0), block = number_of(b, "block", 512);
	bool content = binding_option(b, "content") || b->n_fakes > 0;

	if (b->source == SRC_OWN && !size && !binding_option(b, "base"))
		ERROR(c, b->pos, "as own,size=64M or own,base=./disk.img",
		      "\"%s\": a volume of its own needs a size= or a base=", b->slot);
	if (b->source == SRC_FAKE && !content)
		ERROR(c, b->pos, "as fake,content=hello",
		      "\"%s\": a fake volume needs a content=", b->slot);
	if (b->n_fakes > 1 || (b->n_fakes && b->source != SRC_FAKE) ||
	    (b->n_fakes && binding_option(b, "content")))
		ERROR(c, b->pos, NULL, "\"%s\": a fake volume has one content", b->slot);
	if (size && block && size % block != 0)
		ERROR(c, b->pos, NULL,
		      "\"%s\": size= is no multiple of the block size, %llu bytes",
		      b->slot, (unsigned long long)block);
}

/* A TAP: a name as the kernel has them. */
bool check_tap(struct check *c, const struct binding *b)
{
	size_t n = b->ref ? strlen(b->ref) : 0;

	if (n > 0 && n <= 15 && !strpbrk(b->ref, "/ %:\t") && !streq(b->ref, "host") &&
	    *b->ref != '.')
		return true;
	ERROR(c, b->pos, "as host:tap0",
	      "\"%s\": a net device from the host is the name of a TAP interface, at "
	      "most 15 characters",
	      b->slot);
	return false;
}

static struct binding *find_joined(struct check *c, const struct binding *b,
				   const struct genv *other, const char *device)
{
	auto_free char *slot = str_printf("dev:%s", device);
	struct binding *end = slot ? genv_binding(other, slot) : NULL;
	const struct gdevice *d;
	const char *near;
	auto_free char *hint = NULL;

	if (!program_is_unikernel(other->program)) {
		ERROR(c, b->pos, NULL,
		      "\"%s\" is a Linux program, and only unikernels can be joined",
		      other->name);
		return NULL;
	}
	d = genv_device(other, device);
	if (!other->devices_known || (!end && d && d->iface == IF_NET))
		return NULL; /* that it is not bound is said of the other */
	if (end && end->iface == IF_NET)
		return end;
	near = end ? NULL : nearest_device(other, device);
	hint = near ? str_printf("did you mean env:%s/%s?", other->name, near) : NULL;
	ERROR(c, b->pos, hint, "\"%s\" has no net device \"%s\"", other->name, device);
	return NULL;
}

/* The other end must be its own, and joined to nobody else. */
void check_join(struct check *c, struct binding *b, const struct genv *from,
		struct genv *other, const char *device)
{
	struct binding *end = find_joined(c, b, other, device);

	if (!end)
		return;
	if (other == from) {
		ERROR(c, b->pos, NULL,
		      "\"%s\": a device cannot be joined to its own "
		      "environment's",
		      b->slot);
	} else if (end->source != SRC_OWN || end->unbound) {
		ERROR(c, b->pos, "there: the device's source is to be own",
		      "\"%s\" of \"%s\" is not own, so nothing can be joined to it",
		      end->slot, other->name);
	} else if (end->joined) {
		ERROR(c, b->pos, NULL,
		      "\"%s\" of \"%s\" is joined to another device already", end->slot,
		      other->name);
	} else {
		b->joined = end;
		end->joined = b;
	}
}
