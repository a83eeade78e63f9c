/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* entropy: the host's; a process cannot be kept from it, so there is nothing else. */
#include "server/server-internal.h"

int server_entropy(struct spec *s, const struct genv *e, const struct binding *b,
		   const struct server_ctx *cx, struct err *err)
{
	(void)s;
	(void)e;
	(void)cx;
	if (b->source != SRC_PARENT)
		return err_set(err, PE_REFUSED,
			       "entropy=%s cannot be given to a Linux program: "
			       "getrandom() and the processor's own generator cannot be "
			       "taken from "
			       "it",
			       source_name(b->source));
	return 0;
}
