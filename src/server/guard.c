/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A granted tree may hold what would carry authority out of the environment: Polder's
 * own places (sockets, journal, profiles), its programs, and files that other programs
 * of the person execute (git's hooks and configuration, direnv's .envrc). The first are
 * covered, the second and third read-only.
 *
 * The kernel refuses to rename or remove a mount point, but not a directory above one:
 * with that moved away, a program could make the same path anew, without a cover. So
 * where the tree can be written, every directory on the way is mounted on itself. All
 * those come before any cover: a second mount on one would uncover what lies below.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "server/server-internal.h"

#define WAY_MAX 64 /* directories; a deeper path is not looked at further up */

bool server_lies_in(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	if (n == 1 && outer[0] == '/')
		return true;
	return strncmp(inner, outer, n) == 0 && (inner[n] == '/' || inner[n] == '\0');
}

/* Where path, which lies in src, is inside. */
static char *place_inside(struct spec *s, const char *src, const char *dst,
			  const char *path)
{
	const char *rest = path + (streq(src, "/") ? 0 : strlen(src));
	char *at = spec_strf(s, "%s%s", streq(dst, "/") ? "" : dst, rest);

	return at && !*at ? spec_str(s, "/") : at;
}

static void bind_on_itself(struct spec *s, const char *path, const char *inside,
			   uint32_t flags)
{
	spec_add_mount(s, SPEC_MOUNT_BIND, path, inside)->flags =
		SPEC_MOUNT_GRANT | flags;
}

/* Every directory between src and path, each once; mounts before `from` do not count. */
static void pin_way(struct spec *s, const char *src, const char *dst, const char *path,
		    size_t from)
{
	size_t skip = streq(src, "/") ? 1 : strlen(src) + 1;

	if (strlen(path) <= skip)
		return;
	for (const char *p = strchr(path + skip, '/'); p; p = strchr(p + 1, '/')) {
		char *dir = spec_strf(s, "%.*s", (int)(p - path), path);
		char *inside = dir ? place_inside(s, src, dst, dir) : NULL;
		bool there = !inside;

		for (size_t i = from; !there && i < s->n_mounts; i++)
			there = streq(s->mounts[i].dst, inside);
		if (!there)
			bind_on_itself(s, dir, inside, 0);
	}
}

/* Like mkdir -p, quietly: what cannot be made, the program cannot make either. */
static void make_way(const char *path)
{
	char part[4096];

	for (const char *p = path + 1; (p = strchr(p, '/')); p++) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		(void)mkdir(part, 0755);
	}
	(void)mkdir(path, 0700);
}

/* A path and every directory above it, by what is there: a mount of the same directory
 * elsewhere has another name. */
struct way {
	size_t n; /* 0: path is not there */
	struct {
		dev_t dev;
		ino_t ino;
		size_t len; /* of the name, in path */
	} at[WAY_MAX];
};

static void read_way(struct way *w, const char *path)
{
	char part[4096];
	size_t len = strlen(path);
	struct stat st;

	w->n = 0;
	if (len >= sizeof(part))
		return;
	memcpy(part, path, len + 1);
	while (w->n < WAY_MAX && stat(part, &st) == 0) {
		w->at[w->n].dev = st.st_dev;
		w->at[w->n].ino = st.st_ino;
		w->at[w->n++].len = len;
		if (len <= 1)
			return;
		while (len > 1 && part[len - 1] != '/')
			len--;
		len -= len > 1;
		part[len] = '\0';
	}
}

/* The rest of path below what `top` is the way to; NULL: it does not lie there. */
static const char *rest_below(const char *path, const struct way *w,
			      const struct way *top)
{
	for (size_t i = 0; top->n > 0 && i < w->n; i++)
		if (w->at[i].dev == top->at[0].dev && w->at[i].ino == top->at[0].ino)
			return path + (w->at[i].len == 1 ? 0 : w->at[i].len);
	return NULL;
}

/* Makes path, or what is left of it, a name in src. */
static bool rename_below(char *path, size_t size, const char *rest, const char *src)
{
	char name[4096];
	int n = snprintf(name, sizeof(name), "%s%s", streq(src, "/") ? "" : src, rest);

	if (n < 0 || (size_t)n >= sizeof(name) || (size_t)n >= size)
		return false;
	memcpy(path, name, (size_t)n + 1);
	return true;
}

struct place {
	char path[4096];
	bool held; /* by the grant */
};

/* What is not there cannot be covered, so it is made, where the program could make it. */
static int find_place(struct place *ret, const char *path, const struct server_ctx *cx,
		      const char *src, const struct way *src_way, bool writable,
		      struct err *err)
{
	const char *rest;
	struct way way;

	ret->held = false;
	if (cx->own_dirs && server_lies_in(src, cx->own_dirs))
		return 0;
	if (writable && server_lies_in(path, src))
		make_way(path);
	ret->held = realpath(path, ret->path);
	if (!ret->held)
		(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
	read_way(&way, ret->path);
	if (server_lies_in(src, ret->path) || rest_below(src, src_way, &way))
		return err_set(err, PE_REFUSED,
			       "'%s' belongs to Polder itself and is granted to nobody",
			       src);
	if (ret->held && !server_lies_in(ret->path, src)) {
		rest = rest_below(ret->path, &way, src_way);
		ret->held = rest && rename_below(ret->path, sizeof(ret->path), rest, src);
	}
	return 0;
}

int guard_places(struct spec *s, const struct server_ctx *cx, const char *src,
		 const char *dst, bool writable, struct err *err)
{
	const char *const paths[] = { cx->places->run, cx->places->data,
				      cx->places->config };
	bool programs = writable && cx->programs[0] &&
			server_lies_in(cx->programs, src) && !streq(cx->programs, src);
	struct place places[ARRAY_LEN(paths)];
	size_t from = s->n_mounts;
	struct way src_way;

	read_way(&src_way, src);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int r = find_place(&places[i], paths[i], cx, src, &src_way, writable,
				   err);

		if (r != 0)
			return r;
		if (writable && places[i].held)
			pin_way(s, src, dst, places[i].path, from);
	}
	if (programs)
		pin_way(s, src, dst, cx->programs, from);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (places[i].held)
			(void)spec_add_mount(s, SPEC_MOUNT_MASK, NULL,
					     place_inside(s, src, dst, places[i].path));
	if (programs)
		bind_on_itself(s, cx->programs, place_inside(s, src, dst, cx->programs),
			       SPEC_MOUNT_RO);
	return s->failed ? err_oom(err) : 0;
}

/* ---- what others execute ---- */

/* S_IFMT of dir/name; 0: not there. */
static mode_t kind_of(const char *dir, const char *name)
{
	char path[4352];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static bool granted_by_name(const struct genv *e, const char *dst, const char *name)
{
	size_t n = strlen(dst);

	for (size_t i = 0; i < e->n_bindings; i++) {
		const char *slot = e->bindings[i].slot;

		if (strncmp(slot, dst, n) == 0 && slot[n] == '/' &&
		    streq(slot + n + 1, name))
			return true;
	}
	return false;
}

/* Read-only; a link cannot be kept from being replaced, so it is refused. */
static int protect(struct spec *s, const struct genv *e, const struct guarded_tree *t,
		   const char *name, struct err *err)
{
	const char *src = t->src, *dst = t->dst;
	mode_t kind = granted_by_name(e, dst, name) ? 0 : kind_of(t->at, name);

	if (S_ISLNK(kind))
		return err_set(
			err, PE_REFUSED,
			"'%s/%s' is a symbolic link, which the program "
			"could replace to run something outside: make it a file or "
			"directory, or grant it by name (-w '%s/%s')",
			src, name, src, name);
	if (S_ISDIR(kind) || S_ISREG(kind))
		bind_on_itself(s, spec_strf(s, "%s/%s", src, name),
			       spec_strf(s, "%s/%s", dst, name),
			       SPEC_MOUNT_RO | (S_ISREG(kind) ? SPEC_MOUNT_IS_FILE : 0));
	return 0;
}

/* .git is mounted on itself, so that it cannot be renamed and replaced; a missing hooks
 * is made, or the program could make it. */
int guard_planting(struct spec *s, const struct genv *e, const struct guarded_tree *t,
		   struct err *err)
{
	const char *src = t->src, *dst = t->dst;
	int r = 0;

	if (streq(src, "/"))
		return 0;
	if (S_ISDIR(kind_of(t->at, ".git"))) {
		if (kind_of(t->at, ".git/hooks") == 0)
			(void)mkdir(spec_strf(s, "%s/.git/hooks", t->at), 0755);
		if (!granted_by_name(e, dst, ".git"))
			bind_on_itself(s, spec_strf(s, "%s/.git", src),
				       spec_strf(s, "%s/.git", dst), 0);
		r = protect(s, e, t, ".git/hooks", err);
		if (r == 0)
			r = protect(s, e, t, ".git/config", err);
	} else {
		r = protect(s, e, t, ".git", err);
	}
	return r != 0 ? r : protect(s, e, t, ".envrc", err);
}

/* True if every directory on the way lets everybody through. */
static bool everybody_can_enter(const char *path)
{
	char part[4096];
	struct stat st;

	for (const char *p = path; p && *p; p = strchr(p + 1, '/')) {
		(void)snprintf(part, sizeof(part), "%.*s", (int)MAX(p - path, 1), path);
		if (stat(part, &st) < 0 || !(st.st_mode & S_IXOTH))
			return false;
	}
	return path && stat(path, &st) == 0 && (st.st_mode & S_IXOTH);
}

int server_guard_setuid(const struct spec *s, const struct server_ctx *cx,
			const char *path, struct err *err)
{
	if (!(s->flags & SPEC_ROOT_IDENTITY) || cx->accept_weaker ||
	    !everybody_can_enter(path))
		return 0;
	return err_set(
		err, PE_REFUSED,
		"a program that is uid 0 inside can leave setuid files in '%s' that "
		"are %s outside, and everybody on this host can reach them there: "
		"make it, or a directory above it, private (chmod 700), or accept "
		"that with --accept-weaker",
		path, cx->uid == 0 ? "root's" : "yours");
}
