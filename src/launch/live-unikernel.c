/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a unikernel that runs: what of a change is special to them. live.c has
 * when it is recorded.
 *
 * A volume that is granted is opened here as at a start, with the same checks and its
 * lock, before anything is touched. A net device that is joined brings its own end to the
 * tender of the other, which decides whether that is free.
 */
#include "launch/live-internal.h"

#include <stdio.h>

#include "server/unikernel.h"

static const struct uspec_device *device_of(const struct live *l, const char *name)
{
	const struct uspec *s = &l->unikernel->spec;

	for (uint32_t i = 0; i < s->n_devices; i++)
		if (streq(s->devices[i].name, name))
			return &s->devices[i];
	return NULL;
}

static int grant_volume(struct live *l, struct tender *t, const struct binding *b,
			struct err *err)
{
	const char *name = slot_device(b->slot);
	const struct uspec_device *d = device_of(l, name);
	auto_fd fd = -1;
	int r = d ? server_volume_again(&fd, d, b, l->cx, err) :
		    err_set(err, PE_NOTFOUND, "there is no device \"%s\"", name);

	return r == 0 ? tender_volume_put(t, name, fd, err) : r;
}

static int join(struct live *l, struct tender *t, const struct binding *b,
		struct err *err)
{
	const char *name = slot_device(b->slot);
	int end = -1, conn = -1;
	int r = tender_net_end(t, name, &end, err);

	if (r == 0)
		r = l->cx->tie(l->cx->userdata, b, end, &conn, err);
	return r == 0 ? tender_net_joined(t, name, conn, err) : r;
}

static int grant_net(struct live *l, struct tender *t, const struct binding *b,
		     struct err *err)
{
	const char *name = slot_device(b->slot);

	if (b->source == SRC_NULL)
		return 0; /* it is silent */
	if (b->source == SRC_ENV)
		return join(l, t, b, err);
	if (b->source == SRC_OWN || b->source == SRC_FAKE)
		return tender_net_give(t, name, b->source == SRC_FAKE, err);
	return err_set(err, PE_REFUSED, "%s: a TAP takes a restart", b->slot);
}

int live_device_grant(struct live *l, struct tender *t, const struct binding *b,
		      struct err *err)
{
	return b->iface == IF_NET ? grant_net(l, t, b, err) : grant_volume(l, t, b, err);
}

int live_device_narrow(struct tender *t, const struct binding *b, struct err *err)
{
	return tender_volume_narrow(t, slot_device(b->slot), err);
}

/* So that it is as large when it starts anew as null. */
static int add_size(const struct live *l, struct binding *b, struct err *err)
{
	const struct uspec_device *d = device_of(l, slot_device(b->slot));
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu",
		       (unsigned long long)(d ? d->capacity : 0));
	return binding_add_option(b, "size", text, b->pos) == 0 ? 0 : err_oom(err);
}

int live_device_revoke(struct live *l, struct tender *t, struct genv_change *c,
		       enum revoke_to to, struct err *err)
{
	const char *name = slot_device(c->slot);
	bool to_errors = to == REVOKE_TO_ERROR;

	if (c->binding.iface == IF_NET)
		return tender_net_cut(t, name, to_errors, err);
	if (add_size(l, &c->binding, err) != 0)
		return -ENOMEM;
	return tender_volume_cut(t, name, to_errors, err);
}
