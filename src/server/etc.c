/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The /etc of the default root. */
#include <stdio.h>
#include <sys/stat.h>

#include "graph/default-root.h"
#include "server/server-internal.h"

static void add_file(struct spec *s, const char *path, const char *text)
{
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_FILE, NULL, path);

	m->data = text;
	m->data_len = text ? strlen(text) : 0;
	m->mode = 0444;
}

/* A link stays a link if it leads into /usr; else what it leads to is bound. */
static void show(struct spec *s, const char *path)
{
	struct spec_mount *m;
	char target[512];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (str_starts(target, "/usr/") || str_starts(target, "../usr/")) {
			(void)spec_add_mount(s, SPEC_MOUNT_SYMLINK, target, path);
			return;
		}
		if (stat(path, &st) < 0)
			return;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return;
	m = spec_add_mount(s, SPEC_MOUNT_BIND, path, path);
	m->flags = SPEC_MOUNT_RO | SPEC_MOUNT_NOEXEC | SPEC_MOUNT_OPTIONAL |
		   (S_ISDIR(st.st_mode) ? 0 : SPEC_MOUNT_IS_FILE);
}

static void add_users(struct spec *s, const char *user)
{
	bool root = s->flags & SPEC_ROOT_IDENTITY, nobody = streq(user, "nobody");
	char *line = root || nobody ? spec_str(s, "") :
				      spec_strf(s, "%s:x:%u:%u:%s:%s:/bin/sh\n", user,
						s->uid, s->gid, user, server_home(s));
	char *group = root || nobody ? spec_str(s, "") :
				       spec_strf(s, "%s:x:%u:\n", user, s->gid);

	add_file(s, "/etc/passwd",
		 spec_strf(s,
			   "root:x:0:0:root:/root:/bin/sh\n%s"
			   "nobody:x:65534:65534:nobody:%s:/bin/sh\n",
			   line ? line : "", nobody ? server_home(s) : "/nonexistent"));
	add_file(s, "/etc/group",
		 spec_strf(s, "root:x:0:\n%snogroup:x:65534:\n", group ? group : ""));
}

/* Not the host's: the environment's id, zeros for the anonymous, or what was given. */
static const char *machine_id(struct spec *s, const struct binding *b)
{
	const struct kv *given = b ? binding_option(b, "machine-id") : NULL;
	char hex[33];

	if (given && given->value)
		return spec_strf(s, "%s\n", given->value);
	for (size_t i = 0; i < sizeof(s->id); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x",
			       b && b->source == SRC_NULL ? 0 : s->id[i]);
	return spec_strf(s, "%s\n", hex);
}

int server_etc(struct spec *s, const struct genv *e, const struct server_ctx *cx,
	       struct err *err)
{
	const struct binding *identity = genv_binding(e, "identity");

	(void)cx;
	(void)spec_add_mount(s, SPEC_MOUNT_DIR, NULL, "/etc");
	add_users(s, server_user_name(e, s));
	add_file(s, "/etc/hostname", spec_strf(s, "%s\n", s->hostname));
	add_file(s, "/etc/hosts",
		 spec_strf(s, "127.0.0.1 localhost %s\n::1 localhost\n", s->hostname));
	add_file(s, "/etc/machine-id", machine_id(s, identity));
	add_file(s, "/etc/nsswitch.conf",
		 "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
		 "protocols: files\n");
	(void)spec_add_mount(s, SPEC_MOUNT_SYMLINK, "../usr/lib/os-release",
			     "/etc/os-release");
	(void)spec_add_mount(s, SPEC_MOUNT_SYMLINK, "/proc/self/mounts", "/etc/mtab");
	for (size_t i = 0; i < default_etc_n_shown; i++)
		show(s, default_etc_shown[i]);
	if (s->flags & SPEC_NET_HOST)
		show(s, "/etc/resolv.conf");
	return s->failed ? err_oom(err) : 0;
}
