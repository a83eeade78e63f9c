/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/le.h"
#include "state/registry-internal.h"

static const char state_names[][12] = {
	[REG_CREATED] = "created", [REG_STARTING] = "starting", [REG_RUNNING] = "running",
	[REG_PAUSED] = "paused",   [REG_STOPPED] = "stopped",
};
_Static_assert(ARRAY_LEN(state_names) == REG_STATE_COUNT, "a name for every state");

const char *reg_state_name(enum reg_state s)
{
	return s < REG_STATE_COUNT ? state_names[s] : "unknown";
}

void reg_id_hex(const struct reg_id *id, char ret[REG_ID_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < REG_ID_BYTES; i++) {
		ret[2 * i] = digits[id->b[i] >> 4];
		ret[2 * i + 1] = digits[id->b[i] & 15];
	}
	ret[2 * REG_ID_BYTES] = '\0';
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool reg_id_from_hex(const char *hex, struct reg_id *ret)
{
	struct reg_id id;

	for (size_t i = 0; i < REG_ID_BYTES; i++) {
		int hi = hex_digit(hex[2 * i]), lo;

		if (hi < 0)
			return false;
		lo = hex_digit(hex[2 * i + 1]);
		if (lo < 0)
			return false;
		id.b[i] = (uint8_t)(hi << 4 | lo);
	}
	if (hex[2 * REG_ID_BYTES])
		return false;
	*ret = id;
	return true;
}

struct reg_entry *reg_entry_new(void)
{
	struct reg_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->name = strdup("");
	e->composition = strdup("");
	e->kind = strdup("");
	e->console = strdup("");
	e->summary = strdup("");
	e->cgroups = strdup("");
	if (e->name && e->composition && e->kind && e->console && e->summary &&
	    e->cgroups)
		return e;
	reg_entry_free(e);
	return NULL;
}

void reg_entry_free(struct reg_entry *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_binds; i++)
		free(e->binds[i].text);
	free(e->binds);
	free(e->name);
	free(e->composition);
	free(e->kind);
	free(e->console);
	free(e->summary);
	free(e->cgroups);
	free(e);
}

bool reg_entry_alive(const struct reg_entry *e)
{
	return e->state != REG_STOPPED;
}

void reg_entry_clear(struct reg_entry *e)
{
	e->cleanup_due = false;
	e->cgroups[0] = '\0';
	if (!e->kept)
		e->uid_base = e->uid_count = 0;
}

char *reg_entry_label(const struct reg_entry *e)
{
	char hex[REG_ID_HEX];

	if (e->name[0] && e->composition[0])
		return str_printf("%s.%s", e->composition, e->name);
	if (e->name[0])
		return strdup(e->name);
	reg_id_hex(&e->id, hex);
	return str_printf("%.12s", hex);
}

/* ---- bytes ---- */

void reg_put_u32(struct str *out, uint32_t v)
{
	uint8_t b[4];

	le32_put(b, v);
	str_addn(out, b, sizeof(b));
}

void reg_put_u64(struct str *out, uint64_t v)
{
	uint8_t b[8];

	le64_put(b, v);
	str_addn(out, b, sizeof(b));
}

void reg_put_text(struct str *out, const char *text)
{
	size_t len = strlen(text);

	reg_put_u32(out, (uint32_t)len);
	str_addn(out, text, len);
}

static const uint8_t *take(struct reg_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || r->left < n) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

uint32_t reg_get_u32(struct reg_reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? le32_get(p) : 0;
}

uint64_t reg_get_u64(struct reg_reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? le64_get(p) : 0;
}

void reg_get_id(struct reg_reader *r, struct reg_id *ret)
{
	const uint8_t *p = take(r, REG_ID_BYTES);

	if (p)
		memcpy(ret->b, p, REG_ID_BYTES);
}

char *reg_get_text(struct reg_reader *r)
{
	uint32_t len = reg_get_u32(r);
	const uint8_t *p = take(r, len);
	char *text;

	if (!p || memchr(p, '\0', len)) {
		r->failed = true;
		return NULL;
	}
	text = malloc((size_t)len + 1);
	if (!text) {
		r->failed = true;
		return NULL;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	return text;
}

bool reg_get_end(const struct reg_reader *r)
{
	return !r->failed && r->left == 0;
}

void reg_head_encode(struct str *out, const struct reg_id *id, uint64_t generation)
{
	str_addn(out, id->b, REG_ID_BYTES);
	reg_put_u64(out, generation);
}

enum { F_KEPT = 1, F_DIED = 2, F_CLEANUP_DUE = 4, F_HAS_STATUS = 8, F_ALL = 15 };

void reg_entry_encode(const struct reg_entry *e, struct str *out)
{
	reg_head_encode(out, &e->id, e->generation);
	reg_put_u32(out, e->state);
	reg_put_u32(out, (e->kept ? F_KEPT : 0) | (e->died ? F_DIED : 0) |
				 (e->cleanup_due ? F_CLEANUP_DUE : 0) |
				 (e->has_status ? F_HAS_STATUS : 0));
	reg_put_u32(out, (uint32_t)e->status);
	reg_put_u32(out, (uint32_t)e->tender);
	reg_put_u64(out, (uint64_t)e->start_ns);
	reg_put_u32(out, e->uid_base);
	reg_put_u32(out, e->uid_count);
	reg_put_text(out, e->name);
	reg_put_text(out, e->composition);
	reg_put_text(out, e->kind);
	reg_put_text(out, e->console);
	reg_put_text(out, e->summary);
	reg_put_text(out, e->cgroups);
}

struct reg_entry *reg_entry_decode(const uint8_t *p, size_t len)
{
	struct reg_reader r = { .p = p, .left = len };
	struct reg_entry *e = calloc(1, sizeof(*e));
	uint32_t state, flags;

	if (!e)
		return NULL;
	reg_get_id(&r, &e->id);
	e->generation = reg_get_u64(&r);
	state = reg_get_u32(&r);
	flags = reg_get_u32(&r);
	e->status = (int)reg_get_u32(&r);
	e->tender = (pid_t)reg_get_u32(&r);
	e->start_ns = (int64_t)reg_get_u64(&r);
	e->uid_base = reg_get_u32(&r);
	e->uid_count = reg_get_u32(&r);
	e->name = reg_get_text(&r);
	e->composition = reg_get_text(&r);
	e->kind = reg_get_text(&r);
	e->console = reg_get_text(&r);
	e->summary = reg_get_text(&r);
	e->cgroups = reg_get_text(&r);
	if (!reg_get_end(&r) || state >= REG_STATE_COUNT || (flags & ~(uint32_t)F_ALL)) {
		reg_entry_free(e);
		return NULL;
	}
	e->state = (enum reg_state)state;
	e->kept = flags & F_KEPT;
	e->died = flags & F_DIED;
	e->cleanup_due = flags & F_CLEANUP_DUE;
	e->has_status = flags & F_HAS_STATUS;
	return e;
}
