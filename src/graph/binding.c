/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 *	[INTERFACE:]SLOT=SOURCE[,OPTION[=ARG]|,CARETAKER[=ARG]]…
 *
 * The text is cut at unescaped commas, the first piece at its first unescaped "=", the
 * others at theirs; only then are escapes taken out, so that "\," "\=" and "\\" can
 * stand anywhere. A word is an option if the interface has one of that name, else a
 * caretaker; a word that is neither is refused here, so that it is never lost. Whether
 * source, options and caretakers fit each other is graph_check's business: a manifest
 * makes the same bindings word by word and wants all its mistakes at once.
 */
#include "graph/graph-internal.h"
#include "graph/kinds.h"

void binding_fini(struct binding *b)
{
	for (size_t i = 0; i < b->n_options; i++)
		kv_fini(&b->options[i]);
	for (size_t i = 0; i < b->n_through; i++)
		kv_fini(&b->through[i]);
	for (size_t i = 0; i < b->n_fakes; i++) {
		free(b->fakes[i].path);
		free(b->fakes[i].content);
	}
	free(b->options);
	free(b->through);
	free(b->fakes);
	free(b->slot);
	free(b->ref);
	*b = (struct binding){ 0 };
}

static int copy_words(struct kv **ret, size_t *ret_n, const struct kv *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = kv_add(ret, ret_n, MAX_WORDS, v[i].key, v[i].value, v[i].pos);
	return r;
}

int binding_copy(struct binding *ret, const struct binding *b)
{
	int r;

	*ret = *b;
	ret->options = ret->through = NULL;
	ret->fakes = NULL;
	ret->n_options = ret->n_through = ret->n_fakes = 0;
	ret->slot = strdup(b->slot);
	ret->ref = b->ref ? strdup(b->ref) : NULL;
	ret->server_env = NULL;
	ret->server = NULL;
	ret->joined = NULL;
	r = !ret->slot || (b->ref && !ret->ref) ? -ENOMEM : 0;
	if (r == 0)
		r = copy_words(&ret->options, &ret->n_options, b->options, b->n_options);
	if (r == 0)
		r = copy_words(&ret->through, &ret->n_through, b->through, b->n_through);
	for (size_t i = 0; i < b->n_fakes && r == 0; i++)
		r = binding_add_fake(ret, b->fakes[i].path, b->fakes[i].content,
				     b->fakes[i].content_len, NULL);
	if (r != 0)
		binding_fini(ret);
	return r;
}

/* ---- slots ---- */

static int slot_of_prefix(const char *text, const char *colon, enum iface *ret,
			  struct err *err)
{
	char word[16];
	size_t n = (size_t)(colon - text);

	if (n < sizeof(word)) {
		memcpy(word, text, n);
		word[n] = '\0';
		if (iface_from_name(word, ret))
			return 0;
	}
	return err_set(err, PE_USAGE,
		       "\"%.*s\" is no interface; there are console, dir, "
		       "volume, net, clock, entropy, identity, socket and spawn",
		       (int)MIN(n, (size_t)40), text);
}

static int unknown_slot(const char *text, struct err *err)
{
	const char *names[IF_COUNT], *near;

	for (size_t i = 0; i < IF_COUNT; i++)
		names[i] = iface_name((enum iface)i);
	near = str_nearest(text, names, IF_COUNT);
	if (near)
		return err_set(err, PE_USAGE,
			       "there is no slot \"%.80s\"; did you mean %s?", text,
			       near);
	return err_set(
		err, PE_USAGE,
		"there is no slot \"%.80s\"; a slot is a path that begins "
		"with \"/\", or console, net, clock, entropy, identity or spawn, or "
		"dev:NAME for a device of a unikernel",
		text);
}

int slot_parse(const char *text, enum iface *ret, const char **ret_slot, struct err *err)
{
	const char *colon = strchr(text, ':');
	int r;

	*ret_slot = text;
	*ret = IF_DIR;
	if (*text == '\0')
		return err_set(err, PE_USAGE, "a slot is missing before \"=\"");
	if (*text == '/')
		return 0;
	if (slot_device(text)) {
		*ret = IF_VOLUME; /* until somebody knows the devices */
		return 0;
	}
	if (!colon)
		return iface_from_name(text, ret) ? 0 : unknown_slot(text, err);
	r = slot_of_prefix(text, colon, ret, err);
	if (r != 0)
		return r;
	*ret_slot = colon + 1;
	if (colon[1] == '\0')
		return err_set(err, PE_USAGE, "a slot is missing after \"%s\"", text);
	return 0;
}

const char *slot_device(const char *slot)
{
	return str_starts(slot, "dev:") ? slot + 4 : NULL;
}

bool device_name_valid(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || name[i] == '/')
			return false;
	return n > 0 && n <= MAX_DEVICE_NAME;
}

static bool has_path(enum iface iface)
{
	return iface == IF_DIR || iface == IF_SOCKET;
}

/* The slot's final text, allocated. */
static int slot_final(enum iface iface, const char *slot, char **ret, struct err *err)
{
	int r;

	const char *device = slot_device(slot);

	if (device && !device_name_valid(device))
		return err_set(err, PE_USAGE,
			       "\"%.80s\": the name of a device is 1 to %d visible "
			       "characters without \"/\"",
			       slot, MAX_DEVICE_NAME);
	if (device && iface != IF_VOLUME && iface != IF_NET)
		return err_set(err, PE_USAGE,
			       "\"%.80s\": a device is a volume or a net, not a %s", slot,
			       iface_name(iface));
	if (!has_path(iface) && !streq(slot, iface_name(iface)) && !device)
		return err_set(err, PE_USAGE,
			       "a program has one %s, and its slot is called "
			       "\"%s\", not \"%.80s\"",
			       iface_name(iface), iface_name(iface), slot);
	if (!has_path(iface)) {
		*ret = strdup(slot);
		return *ret ? 0 : err_oom(err);
	}
	r = slot_path(slot, ret);
	if (r < 0)
		return err_oom(err);
	if (r > 0)
		return err_set(
			err, PE_USAGE,
			"\"%.80s\": the slot of a %s is an absolute path "
			"without \"..\" and control characters, of at most %d bytes",
			slot, iface_name(iface), MAX_SLOT);
	if (iface == IF_SOCKET && streq(*ret, "/")) {
		free(TAKE_PTR(*ret));
		return err_set(err, PE_USAGE, "the root cannot be a socket");
	}
	return 0;
}

struct binding *genv_binding(const struct genv *e, const char *slot)
{
	for (size_t i = 0; i < e->n_bindings; i++)
		if (streq(e->bindings[i].slot, slot))
			return &e->bindings[i];
	return NULL;
}

struct binding *genv_binding_of(const struct genv *e, enum iface iface, const char *slot)
{
	auto_free char *final = NULL;

	return slot_final(iface, slot, &final, NULL) == 0 ? genv_binding(e, final) : NULL;
}

void genv_drop_binding(struct genv *e, struct binding *b)
{
	size_t at = (size_t)(b - e->bindings);

	binding_fini(b);
	memmove(b, b + 1, (e->n_bindings - at - 1) * sizeof(*b));
	e->n_bindings--;
	e->graph->n_bindings--;
}

static int slot_taken(const struct binding *old, struct err *err)
{
	auto_str at = STR_INIT;

	pos_write(old->pos, &at);
	return err_set(err, PE_EXISTS,
		       "the slot \"%.200s\" is bound twice (first: "
		       "%s)",
		       old->slot, str_text(&at));
}

int genv_add_binding(struct genv *e, enum iface iface, const char *slot, struct pos pos,
		     struct binding **ret, struct err *err)
{
	auto_free char *final = NULL;
	const struct gdevice *device;
	struct binding *old, *room;
	int r = slot_final(iface, slot, &final, err);

	if (r != 0)
		return r;
	old = genv_binding(e, final);
	if (old && !old->implied)
		return slot_taken(old, err);
	if (old)
		genv_drop_binding(e, old);
	if (e->n_bindings >= MAX_BINDINGS)
		return err_set(err, -E2BIG, "more than %d slots", MAX_BINDINGS);
	if (e->graph->n_bindings >= MAX_ALL_BINDINGS)
		return err_set(err, -E2BIG, "more than %d slots in all",
			       MAX_ALL_BINDINGS);
	room = list_room(e->bindings, e->n_bindings, sizeof(*room));
	if (!room)
		return err_oom(err);
	e->bindings = room;
	*ret = &room[e->n_bindings++];
	e->graph->n_bindings++;
	**ret = (struct binding){ .iface = iface,
				  .slot = TAKE_PTR(final),
				  .source = SRC_NULL,
				  .unbound = true,
				  .program = e->program,
				  .pos = pos };
	device = slot_device((*ret)->slot) ? genv_device(e, slot_device((*ret)->slot)) :
					     NULL;
	(*ret)->untold = slot_device((*ret)->slot) && !device;
	if (device)
		(*ret)->iface = device->iface;
	return 0;
}

void binding_typed(struct binding *b, enum iface iface)
{
	if (!slot_device(b->slot))
		return;
	b->typed = true;
	b->untold = false;
	b->iface = iface;
}

/* ---- words after the source ---- */

int binding_add_option(struct binding *b, const char *key, const char *value,
		       struct pos pos)
{
	return kv_add(&b->options, &b->n_options, MAX_WORDS, key, value, pos);
}

int binding_add_through(struct binding *b, const char *key, const char *value,
			struct pos pos)
{
	return kv_add(&b->through, &b->n_through, MAX_WORDS, key, value, pos);
}

const struct kv *binding_option(const struct binding *b, const char *key)
{
	return kv_find(b->options, b->n_options, key);
}

const struct kv *binding_caretaker(const struct binding *b, const char *key)
{
	return kv_find(b->through, b->n_through, key);
}

int binding_add_fake(struct binding *b, const char *path, const char *content, size_t len,
		     struct err *err)
{
	auto_free char *p = strdup(path), *c = malloc(len + 1);
	struct fake_file *room;

	if (!relative_path_valid(path))
		return err_set(err, PE_USAGE,
			       "\"%.200s\": a file of a fake directory has a "
			       "relative path without \"..\"",
			       path);
	for (size_t i = 0; i < b->n_fakes; i++)
		if (streq(b->fakes[i].path, path))
			return err_set(err, PE_EXISTS,
				       "the file \"%.200s\" is given twice", path);
	if (b->n_fakes >= MAX_BINDINGS)
		return err_set(err, PE_USAGE, "more than %d files", MAX_BINDINGS);
	room = list_room(b->fakes, b->n_fakes, sizeof(*room));
	if (room)
		b->fakes = room;
	if (!room || !p || !c)
		return err_oom(err);
	if (len > 0)
		memcpy(c, content, len);
	c[len] = '\0';
	room[b->n_fakes++] = (struct fake_file){ TAKE_PTR(p), TAKE_PTR(c), len };
	return 0;
}

/* ---- the grammar ---- */

/* The first unescaped c in [p, end), or end. */
static const char *find_bare(const char *p, const char *end, char c)
{
	for (; p < end && *p != c; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p : end;
}

/* [p, end) without its escapes, allocated. */
static int unescape(const char *p, const char *end, char **ret, struct err *err)
{
	auto_str out = STR_INIT;

	for (; p < end; p++) {
		if (*p != '\\') {
			str_addc(&out, *p);
			continue;
		}
		if (++p == end)
			return err_set(err, PE_USAGE,
				       "a backslash at the end escapes nothing; "
				       "write \"\\\\\" for itself");
		if (*p != ',' && *p != '=' && *p != '\\')
			return err_set(err, PE_USAGE,
				       "\"\\%c\": a backslash escapes \",\" "
				       "\"=\" and itself only",
				       *p >= ' ' && *p < 127 ? *p : '?');
		str_addc(&out, *p);
	}
	*ret = str_take(&out);
	return *ret ? 0 : err_oom(err);
}

static int unknown_word(const struct binding *b, const char *word, struct err *err)
{
	const char *near = kind_nearest_word(word, b);
	auto_str opts = STR_INIT, care = STR_INIT;

	kind_list_options(b, &opts);
	kind_list_caretakers(b, &care);
	return err_set(err, PE_USAGE,
		       "\"%.80s\" is neither an option nor a caretaker of a %s%s%s%s"
		       "; options: %s; caretakers: %s",
		       word, iface_name(b->iface), near ? " (did you mean " : "",
		       near ? near : "", near ? "?)" : "", str_text(&opts),
		       care.len ? str_text(&care) : "none yet");
}

/* A path among the options is the caller's, as a source's is. */
static int resolve_option(const struct binding *b, const char *key, char **value,
			  const struct path_base *base, struct err *err)
{
	const struct option_kind *k = kind_option(b, key);
	char *path = NULL;
	int r;

	if (!k || k->arg != ARG_PATH || !*value)
		return 0;
	r = path_resolve(*value, base, &path, err);
	if (r != 0)
		return r;
	free(*value);
	*value = path;
	return 0;
}

static int add_word(struct binding *b, const char *p, const char *end,
		    const struct path_base *base, struct pos pos, struct err *err)
{
	const char *eq = find_bare(p, end, '=');
	auto_free char *key = NULL, *value = NULL;
	int r = unescape(p, eq, &key, err);

	if (r == 0 && eq < end)
		r = unescape(eq + 1, end, &value, err);
	if (r != 0)
		return r;
	if (*key == '\0')
		return err_set(err, PE_USAGE, "nothing stands between two commas");
	r = resolve_option(b, key, &value, base, err);
	if (r != 0)
		return r;
	if (kind_option(b, key))
		r = binding_add_option(b, key, value, pos);
	else if (kind_caretaker(key))
		r = binding_add_through(b, key, value, pos);
	else if (kind_word_known(key))
		r = binding_add_option(b, key, value, pos);
	else
		return unknown_word(b, key, err);
	if (r == -E2BIG)
		return err_set(err, PE_USAGE, "more than %d words", MAX_WORDS);
	return r < 0 ? err_oom(err) : 0;
}

static int unknown_source(const char *word, struct err *err)
{
	static const char *const names[] = { "own", "parent", "host", "null", "fake" };
	const char *near = str_nearest(word, names, ARRAY_LEN(names));

	return err_set(
		err, PE_USAGE,
		"\"%.200s\" is no source%s%s%s; there are own, parent, "
		"null, fake, host:PATH, env:NAME/SERVER, store:REF, and paths that "
		"begin with / ./ ../ or ~/",
		word, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static int set_ref(struct binding *b, enum source source, const char *ref,
		   struct err *err)
{
	b->source = source;
	free(b->ref);
	b->ref = ref ? strdup(ref) : NULL;
	return ref && !b->ref ? err_oom(err) : 0;
}

static int set_host(struct binding *b, const char *path, const struct path_base *base,
		    struct err *err)
{
	auto_free char *abs = NULL;
	int r = path_resolve(path, base, &abs, err);

	return r != 0 ? r : set_ref(b, SRC_HOST, abs, err);
}

/* NAME/DEVICE or NAME/dev:DEVICE: the net device of another unikernel. */
static int set_join(struct binding *b, const char *name, const char *device,
		    struct err *err)
{
	auto_free char *ref = NULL;

	if (slot_device(device))
		device = slot_device(device);
	if (!name_valid(name, true) || !device_name_valid(device))
		return err_set(err, PE_USAGE,
			       "\"env:%.80s/%.80s\" is not env:NAME/DEVICE: the "
			       "environment, and the net device to be joined to",
			       name, device);
	ref = str_printf("%s/%s", name, device);
	return ref ? set_ref(b, SRC_ENV, ref, err) : err_oom(err);
}

/* NAME/SERVER */
static int set_env(struct binding *b, const char *ref, struct err *err)
{
	const char *slash = strchr(ref, '/');
	char name[MAX_NAME + 1];
	size_t n = slash ? (size_t)(slash - ref) : 0;

	if (n > 0 && n <= MAX_NAME) {
		memcpy(name, ref, n);
		name[n] = '\0';
	}
	if (n > 0 && n <= MAX_NAME && slot_device(b->slot))
		return set_join(b, name, slash + 1, err);
	if (n == 0 || n > MAX_NAME || !name_valid(name, true) ||
	    !name_valid(slash + 1, false))
		return err_set(err, PE_USAGE,
			       "\"env:%.150s\" is not env:NAME/SERVER: the "
			       "environment, and the server that it exposes",
			       ref);
	return set_ref(b, SRC_ENV, ref, err);
}

static int parse_source(struct binding *b, const char *word, const struct path_base *base,
			struct err *err)
{
	static const struct {
		char name[8];
		enum source source;
	} plain[] = { { "own", SRC_OWN }, { "null", SRC_NULL }, { "fake", SRC_FAKE } };

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (streq(word, plain[i].name))
			return set_ref(b, plain[i].source, NULL, err);
	if (!text_plain(word))
		return err_set(err, PE_USAGE, "a source has no control characters");
	if (*word == '\0')
		return err_set(err, PE_USAGE,
			       "a source is missing: own, parent, null, fake or a "
			       "path");
	if (streq(word, "parent"))
		return set_ref(b, SRC_PARENT, has_path(b->iface) ? b->slot : NULL, err);
	if (streq(word, "host"))
		return set_ref(b, SRC_HOST, "host", err);
	if (str_starts(word, "host:") && slot_device(b->slot) && word[5] &&
	    !strchr("/.~", word[5]))
		return set_ref(b, SRC_HOST, word + 5, err); /* a TAP's name */
	if (str_starts(word, "host:"))
		return set_host(b, word + 5, base, err);
	if (str_starts(word, "env:"))
		return set_env(b, word + 4, err);
	if (str_starts(word, "store:") && word[6])
		return set_ref(b, SRC_STORE, word + 6, err);
	if (strchr("/.~", *word))
		return set_host(b, word, base, err);
	return unknown_source(word, err);
}

/* pos, n characters further on its line. A command line has no columns. */
static struct pos pos_at(struct pos pos, const char *text, const char *at)
{
	if (pos.column > 0)
		for (; text < at; text++)
			pos.column += ((unsigned char)*text & 0xc0) != 0x80;
	return pos;
}

int binding_parse_words(struct binding *b, const char *text, const struct path_base *base,
			struct pos pos, struct err *err)
{
	const char *end = text + strlen(text), *p = text, *comma;
	int r;

	do {
		comma = find_bare(p, end, ',');
		r = add_word(b, p, comma, base, pos_at(pos, text, p), err);
		p = comma + 1;
	} while (r == 0 && comma < end);
	return r;
}

int binding_parse_source(struct binding *b, const char *text,
			 const struct path_base *base, struct pos pos, struct err *err)
{
	const char *end = text + strlen(text), *comma = find_bare(text, end, ',');
	auto_free char *word = NULL;
	int r = unescape(text, comma, &word, err);

	if (r == 0)
		r = parse_source(b, word, base, err);
	if (r == 0 && comma < end)
		r = binding_parse_words(b, comma + 1, base, pos_at(pos, text, comma + 1),
					err);
	if (r == 0)
		b->unbound = false;
	return r;
}

/* Says in which binding; a sentence that is long enough already stays as it is. */
static int in_binding(const char *text, int r, struct err *err)
{
	if (r > 0)
		err_prefix(err, "in \"%.*s%s\"", 120, text,
			   strlen(text) > 120 ? "…" : "");
	return r;
}

int graph_env_bind(struct genv *e, const char *text, const struct path_base *base,
		   struct pos pos, struct binding **ret, struct err *err)
{
	const char *end = text + strlen(text), *eq = find_bare(text, end, '='), *slot;
	auto_free char *left = NULL;
	struct binding *b = NULL;
	enum iface iface;
	int r;

	if (eq == end)
		return err_set(err, PE_USAGE,
			       "\"%.200s\" is not a binding: SLOT=SOURCE, as "
			       "/data=/srv/data,ro or net=null",
			       text);
	r = unescape(text, eq, &left, err);
	if (r == 0)
		r = slot_parse(left, &iface, &slot, err);
	if (r == 0)
		r = genv_add_binding(e, iface, slot, pos, &b, err);
	if (r != 0)
		return in_binding(text, r, err);
	if (slot != left)
		binding_typed(b, iface);
	r = binding_parse_source(b, eq + 1, base, pos_at(pos, text, eq + 1), err);
	if (r != 0) {
		genv_drop_binding(e, b);
		return in_binding(text, r, err);
	}
	if (ret)
		*ret = b;
	return 0;
}

int genv_add_defaults(struct genv *e)
{
	static const struct {
		enum iface iface;
		enum source source;
	} defaults[] = {
		{ IF_CONSOLE, SRC_PARENT },  { IF_NET, SRC_NULL },
		{ IF_CLOCK, SRC_PARENT },    { IF_ENTROPY, SRC_PARENT },
		{ IF_IDENTITY, SRC_PARENT },
	};
	bool unikernel = program_is_unikernel(e->program);
	struct binding *b;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
		const char *slot = iface_name(defaults[i].iface);

		if (genv_binding(e, slot))
			continue;
		if (unikernel &&
		    (defaults[i].iface == IF_NET || defaults[i].iface == IF_IDENTITY))
			continue;
		r = genv_add_binding(e, defaults[i].iface, slot, e->pos, &b, NULL);
		if (r != 0)
			return r;
		b->source = defaults[i].source;
		b->unbound = false;
		b->implied = true;
	}
	return 0;
}

bool binding_same_options(const struct binding *a, const struct binding *b)
{
	return a->n_options == b->n_options &&
	       kv_has_all(a->options, a->n_options, b->options, b->n_options);
}

bool binding_same_fakes(const struct binding *a, const struct binding *b)
{
	if (a->n_fakes != b->n_fakes)
		return false;
	for (size_t i = 0; i < a->n_fakes; i++)
		if (!streq(a->fakes[i].path, b->fakes[i].path) ||
		    a->fakes[i].content_len != b->fakes[i].content_len ||
		    memcmp(a->fakes[i].content, b->fakes[i].content,
			   a->fakes[i].content_len) != 0)
			return false;
	return true;
}
