/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of src/server that make a unikernel's devices. */
#ifndef POLDER_SERVER_UNIKERNEL_INTERNAL_H
#define POLDER_SERVER_UNIKERNEL_INTERNAL_H

#include "server/server-internal.h"
#include "server/unikernel.h"

typedef int device_fn(struct unikernel *u, struct uspec_device *d,
		      const struct binding *b, const struct server_ctx *cx,
		      struct err *err);
device_fn server_volume, server_frames;

/* u owns fd from then on; closed if there is no room. */
int unikernel_keep(struct unikernel *u, int take_fd, struct err *err);

#endif
