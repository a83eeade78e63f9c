/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/spec.h"

#include <stdio.h>

#include "wire/wire.h"

#define SPEC_MAGIC 0x43455053u /* "SPEC" */
#define CHUNK_BYTES 8192u
#define FIRST_CHUNK_BYTES 960u /* all that a unikernel's takes */
#define MAX_STRINGS 65536u

struct spec_chunk {
	struct spec_chunk *next;
	size_t used, cap;
	_Alignas(16) uint8_t bytes[];
};

void spec_fini(struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].fd >= 0)
			(void)close(s->mounts[i].fd);
	for (struct spec_chunk *c = s->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	*s = SPEC_INIT;
}

void *spec_alloc(struct spec *s, size_t n)
{
	struct spec_chunk *c = s->chunks;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!c || c->cap - c->used < n) {
		size_t cap = MAX(n, (size_t)(c ? CHUNK_BYTES : FIRST_CHUNK_BYTES));

		c = malloc(sizeof(*c) + cap);
		if (!c) {
			s->failed = true;
			return NULL;
		}
		c->next = s->chunks;
		c->used = 0;
		c->cap = cap;
		s->chunks = c;
	}
	p = c->bytes + c->used;
	c->used += n;
	memset(p, 0, n);
	return p;
}

static void *copy(struct spec *s, const void *bytes, size_t n)
{
	char *p = spec_alloc(s, n + 1);

	if (p && n > 0)
		memcpy(p, bytes, n);
	return p;
}

char *spec_str(struct spec *s, const char *text)
{
	return text ? copy(s, text, strlen(text)) : NULL;
}

char *spec_strf(struct spec *s, const char *fmt, ...)
{
	char buf[4352];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf)) {
		s->failed = true;
		return NULL;
	}
	return copy(s, buf, (size_t)n);
}

struct spec_mount *spec_add_mount(struct spec *s, enum spec_mount_kind kind,
				  const char *src, const char *dst)
{
	static struct spec_mount dummy;
	struct spec_mount *m;

	if (s->n_mounts == s->cap_mounts) {
		size_t cap = s->cap_mounts ? s->cap_mounts * 2 : 64;
		struct spec_mount *v = spec_alloc(s, cap * sizeof(*v));

		if (!v) {
			dummy = (struct spec_mount){ .fd = -1 };
			return &dummy;
		}
		if (s->n_mounts)
			memcpy(v, s->mounts, s->n_mounts * sizeof(*v));
		s->mounts = v;
		s->cap_mounts = cap;
	}
	m = &s->mounts[s->n_mounts++];
	*m = (struct spec_mount){ .kind = kind, .fd = -1 };
	m->src = spec_str(s, src);
	m->dst = spec_str(s, dst);
	return m;
}

char **spec_vec(struct spec *s, char *const *v, size_t *ret_n)
{
	size_t n = 0;
	char **copyv;

	while (v && v[n])
		n++;
	copyv = spec_alloc(s, (n + 1) * sizeof(*copyv));
	for (size_t i = 0; copyv && i < n; i++)
		copyv[i] = spec_str(s, v[i]);
	*ret_n = copyv ? n : 0;
	return copyv;
}

/* Absolute, no empty, "." or ".." part, at most PATH_MAX. */
static bool path_ok(const char *p)
{
	size_t len = strlen(p);

	if (p[0] != '/' || len >= 4096)
		return false;
	if (len == 1)
		return true;
	for (const char *part = p + 1;; part++) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') ||
		    (n == 2 && part[0] == '.' && part[1] == '.') || n > 255)
			return false;
		part += n;
		if (!*part)
			return true;
	}
}

static bool kind_has_src(enum spec_mount_kind k)
{
	return k == SPEC_MOUNT_BIND || k == SPEC_MOUNT_SHADOW || k == SPEC_MOUNT_SOCKET ||
	       k == SPEC_MOUNT_DEVICE || k == SPEC_MOUNT_ENV;
}

static int check_mount(const struct spec_mount *m, struct err *err)
{
	if ((unsigned)m->kind >= SPEC_MOUNT_KIND_COUNT ||
	    (m->flags & ~SPEC_MOUNT_FLAGS_ALL))
		return err_set(err, PE_BAD, "spec: a mount of unknown kind or flags");
	if (!m->dst || !path_ok(m->dst))
		return err_set(err, PE_BAD, "spec: '%s' is no clean absolute path",
			       m->dst ? m->dst : "");
	if (kind_has_src(m->kind) && (!m->src || !path_ok(m->src)))
		return err_set(err, PE_BAD,
			       "spec: mount on '%s': '%s' is no clean absolute "
			       "path",
			       m->dst, m->src ? m->src : "");
	if (m->kind == SPEC_MOUNT_SYMLINK && (!m->src || !*m->src))
		return err_set(err, PE_BAD, "spec: symbolic link '%s' has no text",
			       m->dst);
	return 0;
}

static int check_maps(const struct spec_map *v, size_t n, uint32_t id, struct err *err)
{
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (v[i].count == 0 || v[i].inside > UINT32_MAX - v[i].count ||
		    v[i].outside > UINT32_MAX - v[i].count)
			return err_set(err, PE_BAD, "spec: an id map is empty or wraps");
		if (v[i].outside == 0)
			return err_set(err, PE_BAD,
				       "spec: kernel id 0 must not be mapped");
		found |= id >= v[i].inside && id - v[i].inside < v[i].count;
	}
	if (!found)
		return err_set(err, PE_BAD, "spec: id %u is not mapped", id);
	return 0;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '/')
			return false;
	return true;
}

int spec_check(const struct spec *s, struct err *err)
{
	int r;

	if (s->failed)
		return err_oom(err);
	if (s->n_argv == 0 || !s->argv[0][0])
		return err_set(err, PE_BAD, "spec: no program to start");
	if (!s->cwd || !path_ok(s->cwd))
		return err_set(err, PE_BAD,
			       "spec: the working directory is no clean path");
	if (!s->hostname || strlen(s->hostname) > 64)
		return err_set(err, PE_BAD,
			       "spec: the host name is missing or over 64 bytes");
	if (!printable(s->hostname) || !s->name || !printable(s->name))
		return err_set(err, PE_BAD,
			       "spec: a space, slash or control character in the name "
			       "or host name");
	if (s->ready_kind > 2)
		return err_set(err, PE_BAD, "spec: unknown kind of readiness");
	if (s->flags & ~(uint32_t)SPEC_FLAGS_ALL)
		return err_set(err, PE_BAD, "spec: unknown flags");
	if ((unsigned)s->console >= SPEC_CONSOLE_COUNT)
		return err_set(err, PE_BAD, "spec: unknown console");
	if (s->n_mounts == 0 || s->n_mounts > SPEC_MAX_MOUNTS)
		return err_set(err, PE_BAD, "spec: %zu mounts; 1 to %d are allowed",
			       s->n_mounts, SPEC_MAX_MOUNTS);
	r = check_maps(s->uid_maps, s->n_uid_maps, s->uid, err);
	if (r == 0)
		r = check_maps(s->gid_maps, s->n_gid_maps, s->gid, err);
	for (size_t i = 0; r == 0 && i < s->n_mounts; i++)
		r = check_mount(&s->mounts[i], err);
	if (r == 0 && s->ready_path && !path_ok(s->ready_path))
		r = err_set(err, PE_BAD, "spec: the readiness path is no clean path");
	return r;
}

static void put_vec(struct str *out, char *const *v, size_t n)
{
	put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(out, v[i]);
}

static void put_maps(struct str *out, const struct spec_map *v, size_t n)
{
	put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		put_u32(out, v[i].inside);
		put_u32(out, v[i].outside);
		put_u32(out, v[i].count);
	}
}

void spec_encode(const struct spec *s, struct str *out)
{
	put_u32(out, SPEC_MAGIC);
	put_u32(out, SPEC_VERSION);
	str_addn(out, s->id, sizeof(s->id));
	put_u64(out, s->generation);
	put_str(out, s->name);
	put_u32(out, s->flags);
	put_vec(out, s->argv, s->n_argv);
	put_vec(out, s->envp, s->n_envp);
	put_str(out, s->cwd);
	put_str(out, s->hostname);
	put_u32(out, s->uid);
	put_u32(out, s->gid);
	put_maps(out, s->uid_maps, s->n_uid_maps);
	put_maps(out, s->gid_maps, s->n_gid_maps);
	put_u8(out, (uint8_t)s->console);
	put_u64(out, s->console_bytes);
	put_bytes(out, s->console_input, s->console_input_len);
	put_u64(out, (uint64_t)s->mono_offset_ns);
	put_u64(out, s->limit_mem);
	put_u64(out, s->limit_cpu_percent);
	put_u64(out, s->limit_pids);
	put_u64(out, s->limit_time_ms);
	put_u8(out, s->ready_kind);
	put_str(out, s->ready_path);
	put_u64(out, s->ready_timeout_ms);
	put_u32(out, (uint32_t)s->n_mounts);
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		put_u8(out, (uint8_t)m->kind);
		put_u32(out, m->flags);
		put_u32(out, m->mode);
		put_u64(out, m->size);
		put_str(out, m->src);
		put_str(out, m->dst);
		put_u64(out, m->dev);
		put_u64(out, m->ino);
		put_bytes(out, m->data, m->data_len);
	}
}

static char **read_vec(struct spec *s, struct rbuf *r, size_t *ret_n)
{
	uint32_t n = get_count(r, 5);
	char **v;

	if (n > MAX_STRINGS) {
		r->bad = true;
		n = 0;
	}
	v = spec_alloc(s, ((size_t)n + 1) * sizeof(*v));
	for (uint32_t i = 0; v && i < n; i++)
		v[i] = spec_str(s, get_str(r));
	*ret_n = v ? n : 0;
	return v;
}

static struct spec_map *read_maps(struct spec *s, struct rbuf *r, size_t *ret_n)
{
	uint32_t n = get_count(r, 12);
	struct spec_map *v;

	if (n > 340) { /* the kernel's own bound on lines */
		r->bad = true;
		n = 0;
	}
	v = spec_alloc(s, (size_t)n * sizeof(*v));
	for (uint32_t i = 0; v && i < n; i++) {
		v[i].inside = get_u32(r);
		v[i].outside = get_u32(r);
		v[i].count = get_u32(r);
	}
	*ret_n = v ? n : 0;
	return v;
}

static void read_mount(struct spec *s, struct rbuf *r)
{
	enum spec_mount_kind kind = get_u8(r);
	uint32_t flags = get_u32(r), mode = get_u32(r);
	uint64_t size = get_u64(r);
	const char *src = get_str_or_null(r), *dst = get_str(r);
	struct spec_mount *m = spec_add_mount(s, kind, src, dst);
	const void *data;

	m->flags = flags;
	m->mode = mode & 07777;
	m->size = size;
	m->dev = get_u64(r);
	m->ino = get_u64(r);
	data = get_bytes(r, &m->data_len);
	m->data = data ? copy(s, data, m->data_len) : NULL;
}

int spec_decode(struct spec *ret, const void *buf, size_t len, struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);
	struct spec s = SPEC_INIT;
	const void *input;
	uint32_t n;
	int rc;

	if (len > SPEC_MAX_BYTES)
		return err_set(err, PE_BAD, "spec: %zu bytes are over the bound of %u",
			       len, SPEC_MAX_BYTES);
	if (get_u32(&r) != SPEC_MAGIC || get_u32(&r) != SPEC_VERSION)
		return err_set(err, PE_BAD, "spec: not a spec of version %d",
			       SPEC_VERSION);
	for (size_t i = 0; i < sizeof(s.id); i++)
		s.id[i] = get_u8(&r);
	s.generation = get_u64(&r);
	s.name = spec_str(&s, get_str(&r));
	s.flags = get_u32(&r);
	s.argv = read_vec(&s, &r, &s.n_argv);
	s.envp = read_vec(&s, &r, &s.n_envp);
	s.cwd = spec_str(&s, get_str(&r));
	s.hostname = spec_str(&s, get_str(&r));
	s.uid = get_u32(&r);
	s.gid = get_u32(&r);
	s.uid_maps = read_maps(&s, &r, &s.n_uid_maps);
	s.gid_maps = read_maps(&s, &r, &s.n_gid_maps);
	s.console = get_u8(&r);
	s.console_bytes = get_u64(&r);
	input = get_bytes(&r, &s.console_input_len);
	s.console_input = input ? copy(&s, input, s.console_input_len) : NULL;
	s.mono_offset_ns = (int64_t)get_u64(&r);
	s.limit_mem = get_u64(&r);
	s.limit_cpu_percent = get_u64(&r);
	s.limit_pids = get_u64(&r);
	s.limit_time_ms = get_u64(&r);
	s.ready_kind = get_u8(&r);
	s.ready_path = spec_str(&s, get_str_or_null(&r));
	s.ready_timeout_ms = get_u64(&r);
	n = get_count(&r, 45);
	for (uint32_t i = 0; i < n && !r.bad && i <= SPEC_MAX_MOUNTS; i++)
		read_mount(&s, &r);
	rc = r.bad || r.p != r.end ? err_set(err, PE_BAD, "spec: damaged or cut short") :
				     spec_check(&s, err);
	if (rc != 0) {
		spec_fini(&s);
		return rc;
	}
	*ret = s;
	return 0;
}
