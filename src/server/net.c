/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net: nothing but a loopback of its own, or the host's own stack. */
#include "server/server-internal.h"

int server_net(struct spec *s, const struct genv *e, const struct binding *b,
	       const struct server_ctx *cx, struct err *err)
{
	(void)e;
	(void)cx;
	if (b->source == SRC_HOST)
		s->flags |= SPEC_NET_HOST;
	else if (b->source != SRC_NULL)
		return err_set(err, PE_REFUSED,
			       "net=%s comes with the router, which this version "
			       "does not have",
			       source_name(b->source));
	return 0;
}
