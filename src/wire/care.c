/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * care.c - the spec of a caretaker and its messages, as bytes.
 *
 * A message has the same fields, whatever it says; those that its verb does not use must be
 * zero, which msg_check asks for. So one encoder and one decoder do.
 */
#include "wire/care.h"

#include "wire/wire.h"

#define SPEC_MAGIC 0x43505343u /* "CSPC" */
#define MSG_MAGIC 0x4d505343u  /* "CSPM" */
#define FIRST_FD 3
#define TAKER_BYTES_MIN 5u

static const char *const kind_names[CARE_KIND_COUNT] = {
	[CARE_RO] = "ro",     [CARE_SUBDIR] = "subdir", [CARE_HIDE] = "hide",
	[CARE_MAX] = "max",   [CARE_RATE] = "rate",     [CARE_TTL] = "ttl",
	[CARE_ONCE] = "once", [CARE_LOG] = "log",       [CARE_FAULT] = "fault",
};

static const char *const act_names[CARE_ACT_COUNT] = {
	[CARE_ACT_LOOKUP] = "lookup", [CARE_ACT_STAT] = "stat",
	[CARE_ACT_OPEN] = "open",     [CARE_ACT_CLOSE] = "close",
	[CARE_ACT_READ] = "read",     [CARE_ACT_WRITE] = "write",
	[CARE_ACT_LIST] = "list",     [CARE_ACT_CREATE] = "create",
	[CARE_ACT_MKDIR] = "mkdir",   [CARE_ACT_SYMLINK] = "symlink",
	[CARE_ACT_LINK] = "link",     [CARE_ACT_RENAME] = "rename",
	[CARE_ACT_UNLINK] = "unlink", [CARE_ACT_RMDIR] = "rmdir",
	[CARE_ACT_ATTR] = "attr",     [CARE_ACT_TRUNCATE] = "truncate",
	[CARE_ACT_XATTR] = "xattr",
};

const char *care_kind_name(uint8_t kind)
{
	return kind < CARE_KIND_COUNT ? kind_names[kind] : NULL;
}

const char *care_act_name(uint8_t act)
{
	return act < CARE_ACT_COUNT ? act_names[act] : NULL;
}

/* ---- what both have ---- */

static void put_takers(struct str *out, const struct care_taker *t, uint32_t n)
{
	put_u32(out, n);
	for (uint32_t i = 0; i < n; i++) {
		put_u8(out, t[i].kind);
		put_str(out, t[i].arg);
	}
}

static uint32_t get_takers(struct rbuf *r, struct care_taker *t)
{
	uint32_t n = get_count(r, TAKER_BYTES_MIN);

	if (n > CARE_MAX_CARETAKERS) {
		r->bad = true;
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		t[i].kind = get_u8(r);
		t[i].arg = get_str_or_null(r);
	}
	return n;
}

static int check_takers(const struct care_taker *t, uint32_t n, struct err *err)
{
	if (n > CARE_MAX_CARETAKERS)
		return err_set(err, PE_BAD, "there are more than %d caretakers",
			       CARE_MAX_CARETAKERS);
	for (uint32_t i = 0; i < n; i++) {
		if (!care_kind_name(t[i].kind))
			return err_set(err, PE_BAD, "a caretaker is of an unknown kind");
		if (t[i].arg && strlen(t[i].arg) > CARE_ARG_MAX)
			return err_set(
				err, PE_BAD,
				"the argument of caretaker %s is longer than %d bytes",
				care_kind_name(t[i].kind), CARE_ARG_MAX);
	}
	return 0;
}

/* ---- the spec ---- */

static void put_guarded(struct str *out, const struct care_guarded *g, uint32_t n)
{
	put_u32(out, n);
	for (uint32_t i = 0; i < n; i++) {
		put_u8(out, g[i].how);
		put_str(out, g[i].path);
	}
}

static uint32_t get_guarded(struct rbuf *r, struct care_guarded *g)
{
	uint32_t n = get_count(r, TAKER_BYTES_MIN);

	if (n > CARE_MAX_GUARDED) {
		r->bad = true;
		return 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		g[i].how = get_u8(r);
		g[i].path = get_str(r);
	}
	return n;
}

/* "a/b": parts that are names, with one slash between them. */
static bool is_relative(const char *path)
{
	size_t n;

	if (strlen(path) > CARE_PATH_MAX)
		return false;
	for (const char *p = path;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || n > 255 || (n <= 2 && strncmp(p, "..", n) == 0))
			return false;
		if (!p[n])
			return true;
	}
}

static int check_guarded(const struct care_spec *s, struct err *err)
{
	if (s->n_guarded > CARE_MAX_GUARDED)
		return err_set(err, PE_BAD, "more than %d names are guarded",
			       CARE_MAX_GUARDED);
	for (uint32_t i = 0; i < s->n_guarded; i++)
		if (s->guarded[i].how == 0 || s->guarded[i].how >= CARE_GUARD_COUNT ||
		    !is_relative(s->guarded[i].path))
			return err_set(err, PE_BAD, "a guarded name is none");
	return 0;
}

static int check_fds(const struct care_spec *s, struct err *err)
{
	const int32_t fd[] = { s->fuse_fd, s->root_fd, s->ctl_fd, s->log_fd };

	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		bool none = fd[i] == -1;

		if (none ? i < 2 : fd[i] < FIRST_FD)
			return err_set(err, PE_BAD,
				       "a descriptor of the spec is missing or below 3");
		for (size_t j = 0; j < i; j++)
			if (fd[i] >= 0 && fd[i] == fd[j])
				return err_set(err, PE_BAD,
					       "a descriptor of the spec has two roles");
	}
	return 0;
}

int care_spec_check(const struct care_spec *s, struct err *err)
{
	int r;

	if (s->interface != CARE_DIR)
		return err_set(err, PE_BAD, "the spec is for no caretaker of files");
	if (s->cut == 0 || s->cut >= CARE_CUT_COUNT)
		return err_set(err, PE_BAD, "the spec cuts in an unknown way");
	if (s->flags & ~(uint32_t)CARE_FLAGS_ALL)
		return err_set(err, PE_BAD, "the spec has unknown flags");
	if (s->uid.host == UINT32_MAX || s->uid.shown == UINT32_MAX ||
	    s->gid.host == UINT32_MAX || s->gid.shown == UINT32_MAX)
		return err_set(err, PE_BAD, "an id of the spec is none");
	r = check_takers(s->takers, s->n_takers, err);
	if (r == 0)
		r = check_guarded(s, err);
	return r != 0 ? r : check_fds(s, err);
}

void care_spec_encode(const struct care_spec *s, struct str *out)
{
	put_u32(out, SPEC_MAGIC);
	put_u32(out, CARE_VERSION);
	str_addn(out, s->id, sizeof(s->id));
	put_u64(out, s->generation);
	put_u8(out, s->interface);
	put_u8(out, s->cut);
	put_u32(out, s->flags);
	put_u32(out, s->uid.host);
	put_u32(out, s->uid.shown);
	put_u32(out, s->gid.host);
	put_u32(out, s->gid.shown);
	put_u32(out, (uint32_t)s->fuse_fd);
	put_u32(out, (uint32_t)s->root_fd);
	put_u32(out, (uint32_t)s->ctl_fd);
	put_u32(out, (uint32_t)s->log_fd);
	put_takers(out, s->takers, s->n_takers);
	put_guarded(out, s->guarded, s->n_guarded);
}

static void read_spec(struct rbuf *r, struct care_spec *s)
{
	for (size_t i = 0; i < sizeof(s->id); i++)
		s->id[i] = get_u8(r);
	s->generation = get_u64(r);
	s->interface = get_u8(r);
	s->cut = get_u8(r);
	s->flags = get_u32(r);
	s->uid.host = get_u32(r);
	s->uid.shown = get_u32(r);
	s->gid.host = get_u32(r);
	s->gid.shown = get_u32(r);
	s->fuse_fd = (int32_t)get_u32(r);
	s->root_fd = (int32_t)get_u32(r);
	s->ctl_fd = (int32_t)get_u32(r);
	s->log_fd = (int32_t)get_u32(r);
	s->n_takers = get_takers(r, s->takers);
	s->n_guarded = get_guarded(r, s->guarded);
}

int care_spec_decode(struct care_spec *ret, const void *buf, size_t len, struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);

	memset(ret, 0, sizeof(*ret));
	if (len > CARE_MAX_BYTES)
		return err_set(err, PE_BAD, "the spec is longer than 64 KiB");
	if (get_u32(&r) != SPEC_MAGIC || get_u32(&r) != CARE_VERSION)
		return err_set(err, PE_BAD, "not a caretaker's spec of version %d",
			       CARE_VERSION);
	read_spec(&r, ret);
	if (r.bad || r.p != r.end)
		return err_set(err, PE_BAD, "the spec is damaged or cut short");
	return care_spec_check(ret, err);
}

/* ---- messages ---- */

static void put_stats(struct str *out, const struct care_stats *s)
{
	put_u64(out, s->nodes);
	put_u64(out, s->nodes_max);
	put_u64(out, s->nodes_limit);
	put_u64(out, s->nodes_refused);
	put_u64(out, s->handles);
	put_u64(out, s->requests);
	put_u64(out, s->denied);
	put_u64(out, s->bytes_read);
	put_u64(out, s->bytes_written);
}

static void get_stats(struct rbuf *r, struct care_stats *s)
{
	s->nodes = get_u64(r);
	s->nodes_max = get_u64(r);
	s->nodes_limit = get_u64(r);
	s->nodes_refused = get_u64(r);
	s->handles = get_u64(r);
	s->requests = get_u64(r);
	s->denied = get_u64(r);
	s->bytes_read = get_u64(r);
	s->bytes_written = get_u64(r);
}

static bool is_zero(const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i])
			return false;
	return true;
}

static bool text_ok(const char *s, size_t max)
{
	return !s || strlen(s) <= max;
}

/* Which fields a verb uses. */
enum uses {
	USES_TAKERS = 1 << 0,
	USES_WHAT = 1 << 1,
	USES_COUNTS = 1 << 2,
	USES_STATS = 1 << 3,
	USES_LOGGED = 1 << 4,
	USES_TEXT = 1 << 5,
	IS_EVENT = 1 << 6,
};

static int verb_uses(uint16_t verb)
{
	switch (verb) {
	case CARE_ATTENUATE: return USES_TAKERS;
	case CARE_CUT: return USES_WHAT;
	case CARE_STATS: return 0;
	case CARE_DONE: return USES_WHAT | USES_COUNTS | USES_STATS;
	case CARE_REFUSED: return USES_TEXT;
	case CARE_READY: return USES_TEXT | IS_EVENT;
	case CARE_ENDED:
		return USES_WHAT | USES_COUNTS | USES_STATS | USES_TEXT | IS_EVENT;
	case CARE_LOGGED: return USES_LOGGED | IS_EVENT;
	default: return -1;
	}
}

static bool logged_ok(const struct care_logged *l)
{
	return care_act_name(l->act) && l->denied <= 1 && l->path &&
	       text_ok(l->path, CARE_PATH_MAX) && text_ok(l->path2, CARE_PATH_MAX);
}

static bool what_ok(const struct care_msg *m)
{
	switch (m->verb) {
	case CARE_CUT: return m->what >= 1 && m->what < CARE_CUT_COUNT;
	case CARE_DONE: return m->what <= 1;
	default: return m->what >= CARE_WHY_TTL && m->what <= CARE_WHY_BROKEN;
	}
}

static int msg_check(const struct care_msg *m, struct err *err)
{
	int uses = verb_uses(m->verb);
	bool ok = uses >= 0;

	if (!ok)
		return err_set(err, PE_BAD, "caretaker: an unknown verb");
	ok = ok && ((uses & IS_EVENT) != 0) == (m->seq == 0);
	ok = ok && (uses & USES_TAKERS ? m->n_takers > 0 && (m->place == CARE_FRONT ||
							     m->place == CARE_BEHIND) :
					 m->n_takers == 0 && m->place == 0);
	ok = ok && (uses & USES_WHAT ? what_ok(m) : m->what == 0);
	ok = ok && (uses & USES_COUNTS || (!m->invalidated && !m->unfinished));
	ok = ok && (uses & USES_STATS || is_zero(&m->stats, sizeof(m->stats)));
	ok = ok && (uses & USES_LOGGED ? logged_ok(&m->logged) :
					 !m->logged.path && !m->logged.path2 &&
						 !m->logged.act && !m->logged.denied &&
						 !m->logged.error && !m->logged.pid &&
						 !m->logged.read && !m->logged.written);
	ok = ok &&
	     (uses & USES_TEXT ? m->text && text_ok(m->text, CARE_TEXT_MAX) : !m->text);
	if (!ok)
		return err_set(err, PE_BAD,
			       "caretaker: a message whose fields do not fit its verb");
	return check_takers(m->takers, m->n_takers, err);
}

void care_msg_encode(const struct care_msg *m, struct str *out)
{
	put_u32(out, MSG_MAGIC);
	put_u16(out, CARE_VERSION);
	put_u16(out, m->verb);
	put_u32(out, m->seq);
	put_u64(out, m->generation);
	put_u8(out, m->place);
	put_takers(out, m->takers, m->n_takers);
	put_u8(out, m->what);
	put_u32(out, m->invalidated);
	put_u32(out, m->unfinished);
	put_stats(out, &m->stats);
	put_u8(out, m->logged.act);
	put_u8(out, m->logged.denied);
	put_u32(out, m->logged.error);
	put_u32(out, m->logged.pid);
	put_u64(out, m->logged.read);
	put_u64(out, m->logged.written);
	put_str(out, m->logged.path);
	put_str(out, m->logged.path2);
	put_str(out, m->text);
}

static void read_msg(struct rbuf *r, struct care_msg *m)
{
	m->verb = get_u16(r);
	m->seq = get_u32(r);
	m->generation = get_u64(r);
	m->place = get_u8(r);
	m->n_takers = get_takers(r, m->takers);
	m->what = get_u8(r);
	m->invalidated = get_u32(r);
	m->unfinished = get_u32(r);
	get_stats(r, &m->stats);
	m->logged.act = get_u8(r);
	m->logged.denied = get_u8(r);
	m->logged.error = get_u32(r);
	m->logged.pid = get_u32(r);
	m->logged.read = get_u64(r);
	m->logged.written = get_u64(r);
	m->logged.path = get_str_or_null(r);
	m->logged.path2 = get_str_or_null(r);
	m->text = get_str_or_null(r);
}

int care_msg_decode(struct care_msg *ret, const void *buf, size_t len, struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);

	memset(ret, 0, sizeof(*ret));
	if (len > CARE_MAX_BYTES || get_u32(&r) != MSG_MAGIC ||
	    get_u16(&r) != CARE_VERSION)
		return err_set(err, PE_BAD, "caretaker: not a message of version %d",
			       CARE_VERSION);
	read_msg(&r, ret);
	if (r.bad || r.p != r.end)
		return err_set(err, PE_BAD, "caretaker: a damaged message");
	return msg_check(ret, err);
}
