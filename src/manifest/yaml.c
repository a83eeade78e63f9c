/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The library hands out events; a stack of open collections turns them into a tree. The
 * text is hostile: its depth, its size and the number of its nodes are bounded, an alias
 * refers to a finished node (so there are no cycles), and nobody walks the tree deeper
 * than the grammar of a manifest goes, so that aliases to aliases cannot multiply.
 *
 * A mapping with many keys gets a hash table when its end is reached. A key that is
 * there twice is reported and its second value dropped.
 */
#include "manifest/yaml.h"

#include <libfyaml.h>
#include <stdio.h>

enum { MAX_DEPTH = 24, MAX_NODES = 4000000, SMALL_MAP = 12 };

struct anchor {
	struct anchor *next;
	char *name;
	struct ynode *node;
};

struct reader {
	struct yaml *y;
	struct diags *d;
	const char *file;
	struct ynode *stack[MAX_DEPTH];
	struct ynode *key; /* of the innermost mapping, waiting for its value */
	struct ynode *keys[MAX_DEPTH];
	size_t depth, n_nodes;
	struct anchor *anchors;
};

/* ---- nodes ---- */

static void ynode_free(struct ynode *n)
{
	free(n->text);
	free(n->pairs);
	free(n->items);
	free(n->hash);
	free(n);
}

void yaml_fini(struct yaml *y)
{
	while (y->nodes) {
		struct ynode *n = y->nodes;

		y->nodes = n->next;
		ynode_free(n);
	}
	free(y->docs);
	*y = (struct yaml){ 0 };
}

struct pos ynode_text_pos(const struct ynode *n)
{
	struct pos pos = n->pos;

	pos.column += n->quoted;
	return pos;
}

const char *ynode_type_name(const struct ynode *n)
{
	static const char *const names[] = { [Y_NULL] = "nothing",
					     [Y_SCALAR] = "a text",
					     [Y_MAP] = "a mapping",
					     [Y_SEQ] = "a list" };

	return names[n->type];
}

static uint32_t hash(const char *s)
{
	uint32_t h = 0x811c9dc5u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x01000193u;
	return h ^ (h >> 15);
}

/* The place of key in map->hash: filled, or the free one where it would be. */
static uint32_t *hash_place(const struct ynode *map, const char *key)
{
	size_t i = hash(key) & (map->n_hash - 1);

	while (map->hash[i] && strcmp(map->pairs[map->hash[i] - 1].key->text, key) != 0)
		i = (i + 1) & (map->n_hash - 1);
	return &map->hash[i];
}

static struct ynode *pair_key(const struct ynode *map, const char *key, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (streq(map->pairs[i].key->text, key))
			return map->pairs[i].key;
	return NULL;
}

struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	if (map->type != Y_MAP)
		return NULL;
	if (map->hash) {
		uint32_t at = *hash_place(map, key);

		return at ? map->pairs[at - 1].value : NULL;
	}
	for (size_t i = 0; i < map->n; i++)
		if (streq(map->pairs[i].key->text, key))
			return map->pairs[i].value;
	return NULL;
}

static int hash_make(struct ynode *map)
{
	map->n_hash = 32;
	while (map->n_hash < map->n * 2)
		map->n_hash *= 2;
	map->hash = calloc(map->n_hash, sizeof(uint32_t));
	return map->hash ? 0 : -ENOMEM;
}

static void duplicate(struct reader *r, const struct ynode *key,
		      const struct ynode *first)
{
	auto_str at = STR_INIT;

	str_add(&at, "the first is at ");
	pos_write(first->pos, &at);
	diags_add(r->d, key->pos, false, str_text(&at),
		  "the key \"%.200s\" is there twice", key->text);
}

/* Drops keys that are there twice; makes the table. */
static int map_finish(struct reader *r, struct ynode *map)
{
	size_t all = map->n, kept = 0;

	if (all > SMALL_MAP && hash_make(map) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++) {
		struct ypair pair = map->pairs[i];
		uint32_t *place = map->hash ? hash_place(map, pair.key->text) : NULL;
		struct ynode *first =
			place ? (*place ? map->pairs[*place - 1].key : NULL) :
				pair_key(map, pair.key->text, kept);

		if (first) {
			duplicate(r, pair.key, first);
			continue;
		}
		map->pairs[kept++] = pair;
		if (place)
			*place = (uint32_t)kept;
	}
	map->n = kept;
	return 0;
}

/* ---- events ---- */

static struct pos event_pos(const struct reader *r, struct fy_event *ev)
{
	const struct fy_mark *m = fy_event_start_mark(ev);
	struct pos pos = { r->file, 1, 1 };

	if (m && m->line >= 0 && m->column >= 0) {
		pos.line = (unsigned)m->line + 1;
		pos.column = (unsigned)m->column + 1;
	}
	return pos;
}

static struct ynode *node_new(struct reader *r, enum ytype type, struct pos pos)
{
	struct ynode *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	r->n_nodes++;
	n->type = type;
	n->pos = pos;
	n->plain = true;
	n->next = r->y->nodes;
	r->y->nodes = n;
	return n;
}

static void *room(void *v, size_t n, size_t size)
{
	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return v;
	return realloc(v, (n == 0 ? 4 : 2 * n) * size);
}

static int add_item(struct ynode ***v, size_t *n, struct ynode *item)
{
	struct ynode **more = room(*v, *n, sizeof(struct ynode *));

	if (!more)
		return -ENOMEM;
	*v = more;
	more[(*n)++] = item;
	return 0;
}

static int add_pair(struct ynode *map, struct ynode *key, struct ynode *value)
{
	struct ypair *more = room(map->pairs, map->n, sizeof(struct ypair));

	if (!more)
		return -ENOMEM;
	map->pairs = more;
	more[map->n++] = (struct ypair){ key, value };
	return 0;
}

/* A key may be null or a collection in YAML; here it is a text. */
static int take_key(struct reader *r, struct ynode *n)
{
	if (n->type == Y_MAP || n->type == Y_SEQ)
		diags_add(r->d, n->pos, false, NULL, "a key is a text, not %s",
			  ynode_type_name(n));
	if (!n->text) {
		/* an alias may be meant as a value elsewhere: give the key one of its own */
		struct ynode *key = node_new(r, Y_SCALAR, n->pos);

		if (!key || !(key->text = strdup("")))
			return -ENOMEM;
		n = key;
	}
	r->key = n;
	return 0;
}

/* A finished or opening node goes where the reader stands. */
static int place_node(struct reader *r, struct ynode *n)
{
	struct ynode *in = r->depth ? r->stack[r->depth - 1] : NULL;
	struct ynode *key = r->key;

	if (!in)
		return add_item(&r->y->docs, &r->y->n_docs, n);
	if (in->type == Y_SEQ)
		return add_item(&in->items, &in->n, n);
	if (!key)
		return take_key(r, n);
	r->key = NULL;
	return add_pair(in, key, n);
}

static int keep_anchor(struct reader *r, struct fy_event *ev, struct ynode *n)
{
	struct fy_token *t = fy_event_get_anchor_token(ev);
	size_t len = 0;
	const char *name = t ? fy_token_get_text(t, &len) : NULL;
	struct anchor *a;

	if (!name)
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a || !(a->name = strndup(name, len))) {
		free(a);
		return -ENOMEM;
	}
	a->node = n;
	a->next = r->anchors;
	r->anchors = a;
	return 0;
}

static void drop_anchors(struct reader *r)
{
	while (r->anchors) {
		struct anchor *a = r->anchors;

		r->anchors = a->next;
		free(a->name);
		free(a);
	}
}

static bool is_null(const char *text, size_t len)
{
	return len == 0 || (len == 1 && *text == '~') ||
	       (len == 4 && (!memcmp(text, "null", 4) || !memcmp(text, "Null", 4) ||
			     !memcmp(text, "NULL", 4)));
}

static void refuse_tag(struct reader *r, struct fy_event *ev, struct pos pos)
{
	if (fy_event_get_tag_token(ev))
		diags_add(r->d, pos, false, NULL, "a manifest has no tags (\"!…\")");
}

static int on_scalar(struct reader *r, struct fy_event *ev)
{
	struct fy_token *t = ev->scalar.value;
	size_t len = 0;
	const char *text = t ? fy_token_get_text(t, &len) : "";
	enum fy_scalar_style style = t ? fy_token_scalar_style(t) : FYSS_PLAIN;
	struct ynode *n = node_new(r, Y_SCALAR, event_pos(r, ev));

	if (!n || !text)
		return -ENOMEM;
	n->plain = style == FYSS_PLAIN;
	n->quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	if (n->quoted && n->pos.column > 1)
		n->pos.column--; /* the library's mark is behind the quote */
	refuse_tag(r, ev, n->pos);
	if (memchr(text, '\0', len)) {
		diags_add(r->d, n->pos, false, NULL, "a text cannot hold a zero byte");
		len = 0;
	}
	n->text = malloc(len + 1);
	if (!n->text)
		return -ENOMEM;
	memcpy(n->text, text, len);
	n->text[len] = '\0';
	n->len = len;
	if (n->plain && is_null(text, len))
		n->type = Y_NULL;
	return keep_anchor(r, ev, n) < 0 ? -ENOMEM : place_node(r, n);
}

static int on_alias(struct reader *r, struct fy_event *ev)
{
	size_t len = 0;
	const char *name = fy_token_get_text(ev->alias.anchor, &len);
	struct pos pos = event_pos(r, ev);
	struct ynode *null;

	if (pos.column > 1)
		pos.column--; /* the library's mark is behind the star */
	for (struct anchor *a = r->anchors; name && a; a = a->next)
		if (strlen(a->name) == len && !memcmp(a->name, name, len) &&
		    !a->node->open)
			return place_node(r, a->node);
	diags_add(r->d, pos, false, NULL, "there is no anchor \"%.*s\" before this",
		  (int)MIN(len, (size_t)100), name ? name : "");
	null = node_new(r, Y_NULL, pos);
	return null && (null->text = strdup("")) ? place_node(r, null) : -ENOMEM;
}

static int on_start(struct reader *r, struct fy_event *ev, enum ytype type)
{
	struct ynode *n = node_new(r, type, event_pos(r, ev));

	if (!n)
		return -ENOMEM;
	refuse_tag(r, ev, n->pos);
	n->open = true;
	if (keep_anchor(r, ev, n) < 0 || place_node(r, n) < 0)
		return -ENOMEM;
	if (r->depth == MAX_DEPTH) {
		diags_add(r->d, n->pos, false, NULL, "nested deeper than %d", MAX_DEPTH);
		return PE_BAD;
	}
	r->keys[r->depth] = r->key;
	r->key = NULL;
	r->stack[r->depth++] = n;
	return 0;
}

static int on_end(struct reader *r)
{
	struct ynode *n;

	if (r->depth == 0)
		return PE_BAD;
	n = r->stack[--r->depth];
	n->open = false;
	r->key = r->keys[r->depth];
	return n->type == Y_MAP ? map_finish(r, n) : 0;
}

static int on_event(struct reader *r, struct fy_event *ev)
{
	if (r->n_nodes > MAX_NODES) {
		diags_add(r->d, event_pos(r, ev), false, NULL, "more than %d values",
			  MAX_NODES);
		return PE_BAD;
	}
	switch (ev->type) {
	case FYET_SCALAR: return on_scalar(r, ev);
	case FYET_ALIAS: return on_alias(r, ev);
	case FYET_MAPPING_START: return on_start(r, ev, Y_MAP);
	case FYET_SEQUENCE_START: return on_start(r, ev, Y_SEQ);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END: return on_end(r);
	case FYET_DOCUMENT_START: drop_anchors(r); return 0;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END: break;
	}
	return 0;
}

/* ---- the library's own errors ---- */

static void quiet(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	(void)diag;
	(void)user;
	(void)buf;
	(void)len;
}

static struct fy_diag *diag_new(void)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *diag;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = quiet;
	cfg.level = FYET_ERROR;
	cfg.colorize = false;
	diag = fy_diag_create(&cfg);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

static void take_errors(struct reader *r, struct fy_diag *diag)
{
	struct fy_diag_error *e;
	struct pos start = { r->file, 1, 1 };
	size_t before = r->d->n_errors;
	void *prev = NULL;

	while ((e = fy_diag_errors_iterate(diag, &prev))) {
		struct pos pos = start;

		if (e->line > 0 && e->column > 0) {
			pos.line = (unsigned)e->line;
			pos.column = (unsigned)e->column;
		}
		diags_add(r->d, pos, false, NULL, "%s", e->msg);
	}
	if (r->d->n_errors == before)
		diags_add(r->d, start, false, NULL, "not YAML");
}

static int read_events(struct reader *r, struct fy_parser *fyp)
{
	int rc = 0;

	while (rc == 0) {
		struct fy_event *ev = fy_parser_parse(fyp);
		bool last = !ev || ev->type == FYET_STREAM_END;

		if (ev)
			rc = on_event(r, ev);
		fy_parser_event_free(fyp, ev);
		if (last)
			break;
	}
	return rc;
}

/* The first byte that is not UTF-8, or is zero; len if there is none. Other encodings,
 * which the library would take for a byte order mark's sake, are refused with it. */
static size_t first_bad_byte(const unsigned char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n = s[i] < 0x80                 ? 1 :
			   s[i] >= 0xc2 && s[i] < 0xe0 ? 2 :
			   (s[i] & 0xf0) == 0xe0       ? 3 :
			   s[i] >= 0xf0 && s[i] < 0xf5 ? 4 :
							 0;

		if (s[i] == 0 || n == 0 || n > len - i)
			return i;
		for (size_t k = 1; k < n; k++)
			if ((s[i + k] & 0xc0) != 0x80)
				return i;
		if ((s[i] == 0xe0 && s[i + 1] < 0xa0) ||
		    (s[i] == 0xed && s[i + 1] > 0x9f) ||
		    (s[i] == 0xf0 && s[i + 1] < 0x90) ||
		    (s[i] == 0xf4 && s[i + 1] > 0x8f))
			return i;
		i += n;
	}
	return len;
}

static bool is_text(const char *file, const char *text, size_t len, struct diags *d)
{
	size_t bad = first_bad_byte((const unsigned char *)text, len);
	struct pos pos = { file, 1, 1 };

	if (bad == len)
		return true;
	for (size_t i = 0; i < bad; i++) {
		pos.column += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (text[i] == '\n') {
			pos.line++;
			pos.column = 1;
		}
	}
	diags_add(d, pos, false, "a manifest is written in UTF-8",
		  "the byte 0x%02x is not UTF-8 text", (unsigned char)text[bad]);
	return false;
}

int yaml_parse(struct yaml *y, const char *file, const char *text, size_t len,
	       struct diags *d)
{
	struct reader r = { .y = y, .d = d, .file = file };
	struct fy_diag *diag = diag_new();
	struct fy_parse_cfg cfg = { .flags = FYPCF_DEFAULT_PARSE | FYPCF_COLLECT_DIAG |
					     FYPCF_JSON_NONE,
				    .diag = diag };
	struct fy_parser *fyp = diag ? fy_parser_create(&cfg) : NULL;
	int rc = -ENOMEM;

	if (fyp && !is_text(file, text, len, d))
		rc = PE_BAD;
	else if (fyp && fy_parser_set_string(fyp, text, len) == 0)
		rc = read_events(&r, fyp);
	if (rc == 0 && fy_parser_get_stream_error(fyp)) {
		take_errors(&r, diag);
		rc = PE_BAD;
	}
	drop_anchors(&r);
	if (fyp)
		fy_parser_destroy(fyp);
	if (diag)
		fy_diag_destroy(diag);
	return rc;
}
