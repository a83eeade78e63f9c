/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket: one Unix socket by its path. */
#include <sys/stat.h>

#include "server/server-internal.h"

static int host_socket(struct spec *s, const struct binding *b,
		       const struct server_ctx *cx, const char *path, struct err *err)
{
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_SOCKET, NULL, b->slot);
	uint32_t mode;
	int r = server_examine(s, m, path, &mode, err);

	if (r == 0 && !S_ISSOCK(mode))
		return err_set(err, PE_USAGE,
			       "'%s' is no Unix socket; for files use -r or -w", path);
	return r != 0 ? r : guard_places(s, cx, m->src, b->slot, false, err);
}

static int env_socket(struct spec *s, const struct binding *b,
		      const struct server_ctx *cx, struct err *err)
{
	bool is_file = true;
	struct spec_mount *m;
	int fd = -1, r;

	if (!cx->open_server)
		return err_set(err, PE_REFUSED,
			       "%s=env:%s needs the other environment to run: "
			       "use polder up",
			       b->slot, b->ref);
	r = cx->open_server(cx->userdata, b, &fd, &is_file, err);
	if (r != 0)
		return r;
	m = spec_add_mount(s, SPEC_MOUNT_ENV, "/", b->slot);
	m->fd = fd;
	m->flags = SPEC_MOUNT_IS_FILE;
	return 0;
}

int server_socket(struct spec *s, const struct genv *e, const struct binding *b,
		  const struct server_ctx *cx, struct err *err)
{
	(void)e;
	if (b->source == SRC_HOST)
		return host_socket(s, b, cx, b->ref, err);
	if (b->source == SRC_PARENT)
		return host_socket(s, b, cx, b->slot, err);
	if (b->source == SRC_ENV)
		return env_socket(s, b, cx, err);
	if (b->source == SRC_NULL) {
		(void)spec_add_mount(s, SPEC_MOUNT_DEADSOCK, NULL, b->slot);
		return 0;
	}
	return err_set(err, PE_REFUSED, "%s: a socket cannot come from %s", b->slot,
		       source_name(b->source));
}
