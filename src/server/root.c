/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root of a Linux environment. Where none was asked for: the host's programs,
 * read-only, and an /etc made of the few files that programs need and that tell
 * nothing that the host's users would mind. Every root gets its own /proc, a minimal
 * /dev, /tmp, /run and an empty home.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "server/server-internal.h"

static struct spec_mount *add(struct spec *s, enum spec_mount_kind kind, const char *src,
			      const char *dst, uint32_t flags, uint32_t mode)
{
	struct spec_mount *m = spec_add_mount(s, kind, src, dst);

	m->flags = flags;
	m->mode = mode;
	return m;
}

/* /bin and its like: a link into /usr on a merged system, a directory on others. */
static void add_programs(struct spec *s)
{
	static const char *const dirs[] = { "/bin",   "/sbin",  "/lib",
					    "/lib32", "/lib64", "/libx32" };
	char target[256];

	(void)add(s, SPEC_MOUNT_BIND, "/usr", "/usr", SPEC_MOUNT_RO, 0);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		ssize_t n = readlink(dirs[i], target, sizeof(target) - 1);

		if (n > 0) {
			target[n] = '\0';
			(void)add(s, SPEC_MOUNT_SYMLINK, target, dirs[i], 0, 0);
		} else if (n < 0 && errno == EINVAL) {
			(void)add(s, SPEC_MOUNT_BIND, dirs[i], dirs[i], SPEC_MOUNT_RO, 0);
		}
	}
}

static void add_dev(struct spec *s)
{
	static const char *const nodes[] = { "/dev/null", "/dev/zero",   "/dev/full",
					     "/dev/tty",  "/dev/random", "/dev/urandom" };
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		(void)add(s, SPEC_MOUNT_DEVICE, nodes[i], nodes[i], SPEC_MOUNT_IS_FILE,
			  0);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		(void)add(s, SPEC_MOUNT_SYMLINK, links[i][0], links[i][1], 0, 0);
	(void)add(s, SPEC_MOUNT_DEVPTS, NULL, "/dev/pts", 0, 0);
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/dev/shm", SPEC_MOUNT_NOEXEC, 01777);
}

static int add_home(struct spec *s, const struct server_ctx *cx, struct err *err)
{
	const char *home = server_home(s);
	struct spec_mount *m;
	uint32_t mode;
	char *path;

	if (!cx->own_dirs) {
		(void)add(s, SPEC_MOUNT_SCRATCH, NULL, home, 0, 0700);
		return 0;
	}
	path = spec_strf(s, "%s/home", cx->own_dirs);
	if (!path || (mkdir(path, 0700) < 0 && errno != EEXIST))
		return err_sys(err, "cannot make '%s'", path ? path : "");
	m = spec_add_mount(s, SPEC_MOUNT_BIND, NULL, home);
	return server_examine(s, m, path, &mode, err);
}

static int given_root(struct spec *s, const struct genv *e, const struct binding *b,
		      const struct server_ctx *cx, struct err *err)
{
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_BIND, NULL, "/");
	const char *dir = b ? b->ref : e->root;
	uint32_t mode = 0;
	int r = server_examine(s, m, dir, &mode, err);

	if (r != 0)
		return r;
	if (!S_ISDIR(mode))
		return err_set(err, PE_USAGE, "root '%s' is no directory", dir);
	m->flags |= SPEC_MOUNT_ROOT;
	if (b && binding_readonly(b)) {
		m->kind = SPEC_MOUNT_SHADOW;
		m->flags |= SPEC_MOUNT_RO | (cx->accept_weaker ? SPEC_MOUNT_WEAKER : 0);
	}
	if (!(m->flags & SPEC_MOUNT_RO))
		r = server_guard_setuid(s, cx, m->src, err);
	if (r == 0)
		r = guard_places(s, cx, m->src, "/", m->kind == SPEC_MOUNT_BIND, err);
	if (r != 0)
		return r;
	if (streq(m->src, "/"))
		(void)add(s, SPEC_MOUNT_MASK, NULL, "/sys", 0, 0);
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/dev", 0, 0755);
	return 0;
}

static void add_every(struct spec *s)
{
	(void)add(s, SPEC_MOUNT_PROC, NULL, "/proc", 0, 0);
	add_dev(s);
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/tmp", 0, 01777);
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/run", 0, 0755);
}

static bool is_given(const struct genv *e)
{
	const struct binding *b = genv_binding(e, "/");

	return e->root || (b && b->source == SRC_HOST);
}

int server_default_root(struct spec *s, const struct genv *e, const struct server_ctx *cx,
			struct err *err)
{
	int r;

	if (is_given(e))
		return 0;
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/", SPEC_MOUNT_ROOT | SPEC_MOUNT_RO,
		  0755);
	add_programs(s);
	add_every(s);
	(void)add(s, SPEC_MOUNT_SCRATCH, NULL, "/var/tmp", 0, 01777);
	r = add_home(s, cx, err);
	return r != 0 ? r : s->failed ? err_oom(err) : 0;
}

int server_root(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		struct err *err)
{
	const struct binding *b = genv_binding(e, "/");
	int r;

	if (is_given(e)) {
		r = given_root(s, e, b && b->source == SRC_HOST ? b : NULL, cx, err);
		if (r == 0)
			add_every(s);
	} else {
		r = server_etc(s, e, cx, err);
	}
	return r != 0 ? r : s->failed ? err_oom(err) : 0;
}
