/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity: who the program is told that it is, and under which kernel ids it runs.
 *
 *	ordinary user	its own id, mapped to the same number inside
 *	root		one id of a range that belongs to this environment; inside 1000
 *	own,root	uid 0 inside: root: of that range, all of which is mapped; an ordinary
 *			user: its own id as 0, and its sub-uid range from 1 on
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "server/server-internal.h"

#define RANGE 65536u
#define USER_OF_ROOT 1000u
#define NOBODY 65534u

static struct spec_map *maps(struct spec *s, size_t n)
{
	return spec_alloc(s, n * sizeof(struct spec_map));
}

static int one_id(struct spec *s, uint32_t inside_uid, uint32_t inside_gid,
		  const struct server_ctx *cx)
{
	bool root = cx->uid == 0;

	s->uid = inside_uid;
	s->gid = inside_gid;
	s->uid_maps = maps(s, 1);
	s->gid_maps = maps(s, 1);
	if (!s->uid_maps || !s->gid_maps)
		return -ENOMEM;
	s->uid_maps[0] = (struct spec_map){
		inside_uid, root ? cx->uid_base + inside_uid % RANGE : cx->uid, 1
	};
	s->gid_maps[0] = (struct spec_map){
		inside_gid, root ? cx->uid_base + inside_gid % RANGE : cx->gid, 1
	};
	s->n_uid_maps = s->n_gid_maps = 1;
	return 0;
}

/* "NAME:START:COUNT" or "UID:START:COUNT" lines; the first that is ours. */
static int sub_range(const char *file, const struct server_ctx *cx, uint32_t *ret_start,
		     uint32_t *ret_count, struct err *err)
{
	auto_free char *text = NULL;
	char number[16];
	int r = fd_read_file_at(AT_FDCWD, file, 1u << 20, &text, NULL, NULL);

	(void)snprintf(number, sizeof(number), "%u", (unsigned)cx->uid);
	for (char *line = text, *next; r == 0 && line && *line; line = next) {
		char *start, *count, *end = strchr(line, '\n');
		uint64_t a, n;

		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = '\0';
		start = strchr(line, ':');
		count = start ? strchr(start + 1, ':') : NULL;
		if (!count)
			continue;
		*start++ = '\0';
		*count++ = '\0';
		if ((!streq(line, number) && !(cx->user && streq(line, cx->user))) ||
		    !str_to_u64(start, &a) || !str_to_u64(count, &n) || n == 0 ||
		    a == 0 || a + n > UINT32_MAX)
			continue;
		*ret_start = (uint32_t)a;
		*ret_count = (uint32_t)MIN(n, (uint64_t)RANGE - 1);
		return 0;
	}
	return err_set(
		err, PE_REFUSED,
		"identity=own,root needs a range of user numbers for "
		"'%s' in %s; root can add one: usermod --add-subuids 100000-165535 "
		"--add-subgids 100000-165535 %s",
		cx->user ? cx->user : number, file, cx->user ? cx->user : number);
}

int server_root_identity(struct spec *s, const struct server_ctx *cx, struct err *err)
{
	uint32_t start = 0, count = 0;
	int r;

	s->flags |= SPEC_ROOT_IDENTITY;
	s->uid = s->gid = 0;
	s->uid_maps = maps(s, 2);
	s->gid_maps = maps(s, 2);
	if (!s->uid_maps || !s->gid_maps)
		return err_oom(err);
	if (cx->uid == 0) {
		s->uid_maps[0] = s->gid_maps[0] =
			(struct spec_map){ 0, cx->uid_base, RANGE };
		s->n_uid_maps = s->n_gid_maps = 1;
		return 0;
	}
	s->flags |= SPEC_SUBUID_HELPER;
	r = sub_range("/etc/subuid", cx, &start, &count, err);
	if (r != 0)
		return r;
	s->uid_maps[0] = (struct spec_map){ 0, cx->uid, 1 };
	s->uid_maps[1] = (struct spec_map){ 1, start, count };
	r = sub_range("/etc/subgid", cx, &start, &count, err);
	if (r != 0)
		return r;
	s->gid_maps[0] = (struct spec_map){ 0, cx->gid, 1 };
	s->gid_maps[1] = (struct spec_map){ 1, start, count };
	s->n_uid_maps = s->n_gid_maps = 2;
	return 0;
}

int server_identity(struct spec *s, const struct genv *e, const struct binding *b,
		    const struct server_ctx *cx, struct err *err)
{
	const struct kv *hostname = binding_option(b, "hostname");
	bool root = cx->uid == 0;
	int r;

	if (b->source == SRC_NULL) {
		s->hostname = spec_str(s, "localhost");
		r = one_id(s, NOBODY, NOBODY, cx);
	} else if (b->source == SRC_OWN && binding_option(b, "root")) {
		r = server_root_identity(s, cx, err);
	} else {
		r = one_id(s, root ? USER_OF_ROOT : cx->uid,
			   root ? USER_OF_ROOT : cx->gid, cx);
	}
	if (b->source == SRC_OWN)
		s->hostname = *e->name ? spec_str(s, e->name) :
					 spec_strf(s, "env-%02x%02x%02x", s->id[0],
						   s->id[1], s->id[2]);
	if (hostname && hostname->value)
		s->hostname = spec_str(s, hostname->value);
	return r == -ENOMEM ? err_oom(err) : r;
}

const char *server_home(const struct spec *s)
{
	return s->flags & SPEC_ROOT_IDENTITY ? "/root" : "/home/user";
}

const char *server_user_name(const struct genv *e, const struct spec *s)
{
	const struct binding *b = genv_binding(e, "identity");
	const struct kv *user = b ? binding_option(b, "user") : NULL;

	if (s->flags & SPEC_ROOT_IDENTITY)
		return "root";
	if (user && user->value)
		return user->value;
	return b && b->source == SRC_NULL ? "nobody" : "user";
}
