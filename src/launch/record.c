/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kept environment on disk: what it was asked to be. Bindings are kept as they are
 * written, so that an old record is read by the grammar of today. The file lies in the
 * user's own data directory; it is decoded as if it did not.
 */
#include <fcntl.h>

#include "base/fd.h"
#include "launch/launch.h"
#include "wire/wire.h"

#define RECORD_MAGIC 0x56454c50u /* "PLEV" */
#define RECORD_VERSION 2         /* 1 had no image */
#define RECORD_MAX (1u << 20)

static void put_binding(const struct binding *b, struct str *out)
{
	auto_str text = STR_INIT;

	binding_write(b, &text);
	put_str(out, str_text(&text));
	put_u8(out, (uint8_t)(b->optional | b->implied << 1 | b->sugar << 2));
	put_u32(out, (uint32_t)b->n_fakes);
	for (size_t i = 0; i < b->n_fakes; i++) {
		put_str(out, b->fakes[i].path);
		put_bytes(out, b->fakes[i].content, b->fakes[i].content_len);
	}
}

void record_encode(const struct genv *e, const char *cwd, const char *composition,
		   struct str *out)
{
	put_u32(out, RECORD_MAGIC);
	put_u32(out, RECORD_VERSION);
	put_str(out, cwd);
	put_str(out, composition);
	put_str(out, e->name);
	put_u8(out, (uint8_t)e->program);
	put_u32(out, (uint32_t)e->n_argv);
	for (size_t i = 0; i < e->n_argv; i++)
		put_str(out, e->argv[i]);
	put_u32(out, (uint32_t)e->n_vars);
	for (size_t i = 0; i < e->n_vars; i++) {
		put_str(out, e->vars[i].key);
		put_str(out, e->vars[i].value);
	}
	put_str(out, e->root);
	put_str(out, e->chdir);
	put_u64(out, e->limits.mem_bytes);
	put_u64(out, e->limits.cpu_percent);
	put_u64(out, e->limits.pids);
	put_u64(out, e->limits.time_ms);
	put_u8(out, (uint8_t)e->ready.kind);
	put_str(out, e->ready.path);
	put_u64(out, e->ready.timeout_ms);
	put_u32(out, (uint32_t)e->n_exposes);
	for (size_t i = 0; i < e->n_exposes; i++) {
		put_u8(out, (uint8_t)e->exposes[i].iface);
		put_str(out, e->exposes[i].name);
		put_str(out, e->exposes[i].path);
	}
	put_u32(out, (uint32_t)e->n_bindings);
	for (size_t i = 0; i < e->n_bindings; i++)
		put_binding(&e->bindings[i], out);
	put_str(out, e->image);
}

static char *copy_or_null(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int get_binding(struct genv *e, struct rbuf *r, struct err *err)
{
	const char *text = get_str(r);
	uint8_t flags = get_u8(r);
	uint32_t n = get_count(r, 9);
	struct binding *b = NULL;
	struct pos pos = { 0 };
	int rc = r->bad ? PE_BAD : graph_env_bind(e, text, NULL, pos, &b, err);

	if (rc != 0)
		return rc;
	b->optional = flags & 1;
	b->implied = flags & 2;
	b->sugar = flags & 4;
	for (uint32_t i = 0; rc == 0 && i < n && !r->bad; i++) {
		const char *path = get_str(r);
		size_t len;
		const void *content = get_bytes(r, &len);

		if (!r->bad)
			rc = binding_add_fake(b, path, content, len, err);
	}
	return rc;
}

static int get_lists(struct genv *e, struct rbuf *r, struct err *err)
{
	struct pos pos = { 0 };
	int rc = 0;

	for (uint32_t i = 0, n = get_count(r, 2); rc == 0 && i < n; i++) {
		uint8_t iface = get_u8(r);
		const char *name = get_str(r), *path = get_str(r);
		struct expose *x;

		if (iface >= IF_COUNT)
			r->bad = true;
		if (!r->bad)
			rc = genv_add_expose(e, (enum iface)iface, name, path, pos, &x,
					     err);
	}
	for (uint32_t i = 0, n = get_count(r, 9); rc == 0 && i < n; i++)
		rc = get_binding(e, r, err);
	return rc;
}

static int get_env(struct genv *e, struct rbuf *r, struct err *err)
{
	struct pos pos = { 0 };
	uint8_t program = get_u8(r);
	int rc = 0;

	if (program >= PROGRAM_COUNT) { /* bindings below are read by it */
		r->bad = true;
		return 0;
	}
	e->program = (enum program_kind)program;
	for (uint32_t i = 0, n = get_count(r, 5); rc == 0 && i < n; i++)
		rc = genv_add_arg(e, get_str(r));
	for (uint32_t i = 0, n = get_count(r, 8); rc == 0 && i < n; i++) {
		const char *key = get_str(r);

		rc = genv_add_var(e, key, get_str_or_null(r), pos);
	}
	e->root = copy_or_null(get_str_or_null(r));
	e->chdir = copy_or_null(get_str_or_null(r));
	e->limits.mem_bytes = get_u64(r);
	e->limits.cpu_percent = get_u64(r);
	e->limits.pids = get_u64(r);
	e->limits.time_ms = get_u64(r);
	e->ready.kind = (enum ready_kind)get_u8(r);
	e->ready.path = copy_or_null(get_str_or_null(r));
	e->ready.timeout_ms = get_u64(r);
	return rc != 0 ? rc : get_lists(e, r, err);
}

/* Which kind it is, is in the file, and found anew at each start. */
static int get_image(struct genv *e, struct rbuf *r)
{
	const char *path = get_str_or_null(r);

	return path && !r->bad ? genv_set_image(e, path, (struct pos){ 0 }) : 0;
}

int record_decode(struct graph *g, const void *buf, size_t len, struct genv **ret,
		  const char **ret_cwd, const char **ret_composition, struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);
	uint32_t version;
	const char *name;
	struct genv *e;
	int rc;

	if (get_u32(&r) != RECORD_MAGIC || (version = get_u32(&r)) < 1 ||
	    version > RECORD_VERSION)
		return err_set(err, PE_BAD,
			       "its record is not of a version that this Polder "
			       "reads");
	*ret_cwd = get_str(&r);
	*ret_composition = get_str(&r);
	name = get_str(&r);
	if (r.bad)
		return err_set(err, PE_BAD, "its record is damaged");
	rc = graph_env_new(g, name, (struct pos){ 0 }, &e, err);
	if (rc != 0)
		return rc;
	rc = get_env(e, &r, err);
	if (rc == 0 && version >= 2)
		rc = get_image(e, &r);
	if (rc != 0 || r.bad || r.p != r.end || e->ready.kind > READY_NOTIFY)
		return err_set(err, PE_BAD, "its record is damaged");
	*ret = e;
	return 0;
}

int record_load(struct registry *reg, const struct reg_id *id, struct graph *g,
		struct genv **ret, const char **ret_cwd, char **ret_buf, struct err *err)
{
	auto_free char *buf = NULL;
	const char *composition;
	auto_fd dir = -1;
	size_t len = 0;
	int r = registry_open_kept(reg, id, &dir, err);

	if (r == 0)
		r = fd_read_file_at(dir, "spec", RECORD_MAX, &buf, &len, err);
	if (r == 0)
		r = record_decode(g, buf, len, ret, ret_cwd, &composition, err);
	if (r == 0)
		*ret_buf = TAKE_PTR(buf);
	return r;
}
