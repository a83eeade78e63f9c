/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The /etc of the default root. */
#include <stdio.h>
#include <sys/stat.h>

#include "graph/default-root.h"
#include "server/server-internal.h"

static struct spec_mount *add_file(struct spec *s, const char *path, const char *text)
{
	struct spec_mount *m = spec_add_mount(s, SPEC_MOUNT_FILE, NULL, path);

	m->data = text;
	m->data_len = text ? strlen(text) : 0;
	m->mode = 0444;
	return m;
}

/* A link stays a link if it leads into /usr; else what it leads to is bound. */
void server_etc_show(struct spec *s, const char *path)
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

/* One that skeleton.c may have made before: path, NUL, text, NUL. */
static void begin_file(struct str *made, const char *path)
{
	str_addn(made, path, strlen(path) + 1);
}

static void end_file(struct str *made)
{
	str_addc(made, '\0');
}

static void make_users(struct str *made, const struct spec *s, const char *user)
{
	bool root = s->flags & SPEC_ROOT_IDENTITY, nobody = streq(user, "nobody");

	begin_file(made, "/etc/passwd");
	str_add(made, "root:x:0:0:root:/root:/bin/sh\n");
	if (!root && !nobody)
		str_addf(made, "%s:x:%u:%u:%s:%s:/bin/sh\n", user, s->uid, s->gid, user,
			 server_home(s));
	str_addf(made, "nobody:x:65534:65534:nobody:%s:/bin/sh\n",
		 nobody ? server_home(s) : "/nonexistent");
	end_file(made);
	begin_file(made, "/etc/group");
	str_add(made, "root:x:0:\n");
	if (!root && !nobody)
		str_addf(made, "%s:x:%u:\n", user, s->gid);
	str_add(made, "nogroup:x:65534:\n");
	end_file(made);
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

const char *const server_etc_links[][2] = {
	{ "../usr/lib/os-release", "/etc/os-release" },
	{ "/proc/self/mounts", "/etc/mtab" },
};
const size_t server_etc_n_links = ARRAY_LEN(server_etc_links);

static void make_files(struct str *made, const struct spec *s, const struct genv *e)
{
	str_reserve(made, 1000);
	make_users(made, s, server_user_name(e, s));
	begin_file(made, "/etc/hostname");
	str_addf(made, "%s\n", s->hostname);
	end_file(made);
	begin_file(made, "/etc/hosts");
	str_addf(made, "127.0.0.1 localhost %s\n::1 localhost\n", s->hostname);
	end_file(made);
	begin_file(made, "/etc/nsswitch.conf");
	str_add(made, "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
		      "protocols: files\n");
	end_file(made);
}

static void put_together(struct spec *s, const struct str *made)
{
	(void)spec_add_mount(s, SPEC_MOUNT_DIR, NULL, "/etc");
	for (const char *p = made->p; p < made->p + made->len;) {
		const char *text = p + strlen(p) + 1;

		add_file(s, p, spec_str(s, text));
		p = text + strlen(text) + 1;
	}
	for (size_t i = 0; i < server_etc_n_links; i++)
		(void)spec_add_mount(s, SPEC_MOUNT_SYMLINK, server_etc_links[i][0],
				     server_etc_links[i][1]);
	for (size_t i = 0; i < default_etc_n_shown; i++)
		server_etc_show(s, default_etc_shown[i]);
	if (s->flags & SPEC_NET_HOST)
		server_etc_show(s, "/etc/resolv.conf");
}

int server_etc(struct spec *s, const struct genv *e, const struct server_ctx *cx,
	       struct err *err)
{
	const char *id = machine_id(s, genv_binding(e, "identity"));
	auto_str made = STR_INIT;

	make_files(&made, s, e);
	if (made.failed)
		return err_oom(err);
	if (skeleton_use(s, e, cx, &made)) {
		add_file(s, "/etc/machine-id", id)->flags = SPEC_MOUNT_OVER;
	} else {
		put_together(s, &made);
		(void)add_file(s, "/etc/machine-id", id);
	}
	return s->failed ? err_oom(err) : 0;
}
