/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why an environment can, or cannot: the one binding that decides, and where it was
 * written. A path is decided by the binding with the longest slot that covers it; where
 * none does, by what every Linux program sees.
 */
#include "graph/caretaker.h"
#include "graph/default-root.h"
#include "graph/graph-internal.h"

static const struct binding *covering(const struct genv *e, const char *path)
{
	const struct binding *best = NULL;

	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];
		bool exact = b->iface == IF_SOCKET && streq(b->slot, path);

		if (*b->slot != '/' || streq(b->slot, "/"))
			continue;
		if (!exact && (b->iface != IF_DIR || !path_below(path, b->slot)))
			continue;
		if (!best || strlen(b->slot) > strlen(best->slot))
			best = b;
	}
	return best;
}

static void write_because(const struct binding *b, struct str *out)
{
	if (b->implied) {
		str_addf(out,
			 "because nothing else is bound to it, and the default of a %s "
			 "is ",
			 program_is_unikernel(b->program) ? "unikernel" :
							    "Linux program");
		binding_write(b, out);
		return;
	}
	str_add(out, "because ");
	pos_write(b->pos, out);
	str_add(out, " says ");
	binding_write(b, out);
}

/* What it is on the other side of the binding. */
static void write_behind(const struct binding *b, const char *rest, struct str *out)
{
	const struct kv *sub = binding_caretaker(b, "subdir");

	if (b->source == SRC_ENV && b->server) {
		str_addf(out, "; \"%s\" exposes %s as \"%s\" at ", b->server_env->name,
			 b->server->path, b->server->name);
		pos_write(b->server->pos, out);
	} else if (b->joined && b->source == SRC_ENV) {
		str_addf(out, "; it is joined to %s of \"%s\", at ", b->joined->slot,
			 b->server_env->name);
		pos_write(b->joined->pos, out);
	} else if (b->ref && *b->ref == '/') {
		str_addf(out, "; it is %s%s%s%s of the host", b->ref, sub ? "/" : "",
			 sub && sub->value ? sub->value : "", rest);
	}
}

static const struct kv *hides(const struct binding *b, const char *name)
{
	for (size_t i = 0; i < b->n_through; i++)
		if (streq(b->through[i].key, "hide") && b->through[i].value &&
		    pattern_match(b->through[i].value, name))
			return &b->through[i];
	return NULL;
}

/* The hide= that a name in rest ("" or "/a/b") falls under; NULL: none. */
static const struct kv *hidden_by(const struct binding *b, const char *rest)
{
	const struct kv *by = NULL;

	while (!by && *rest == '/') {
		size_t n = strcspn(rest + 1, "/");
		auto_free char *name = strndup(rest + 1, n);

		by = name ? hides(b, name) : NULL;
		rest += 1 + n;
	}
	return by;
}

static bool why_hidden(const struct genv *e, const struct binding *b, const struct kv *by,
		       const char *slot, struct str *out)
{
	str_addf(out, "%s cannot use %s, because hide=%s keeps it out of sight: ",
		 *e->name ? e->name : "the environment", slot, by->value);
	pos_write(b->pos, out);
	str_add(out, " says ");
	binding_write(b, out);
	str_addc(out, '\n');
	return false;
}

static bool why_binding(const struct genv *e, const struct binding *b, const char *slot,
			const char *rest, struct str *out)
{
	bool can = binding_powerful(b);
	const struct kv *by = can ? hidden_by(b, rest) : NULL;

	if (by)
		return why_hidden(e, b, by, slot, out);

	str_addf(out, "%s ", *e->name ? e->name : "the environment");
	if (!can)
		str_addf(out, "cannot use %s, ", slot);
	else if (b->iface != IF_DIR && b->iface != IF_VOLUME)
		str_addf(out, "may use %s, ", slot);
	else if (binding_readonly(b))
		str_addf(out, "may read %s and not write it, ", slot);
	else
		str_addf(out, "may read and write %s, ", slot);
	if (b->unbound) {
		str_add(out, "because the slot is optional and nothing is bound to it: ");
		pos_write(b->pos, out);
	} else {
		write_because(b, out);
	}
	if (can)
		write_behind(b, rest, out);
	str_addc(out, '\n');
	return can;
}

/* What a Linux program sees without any binding. */
static bool why_default(const struct genv *e, const char *path, struct str *out)
{
	static const struct {
		const char *prefix, *what;
		bool given_root_too;
	} places[] = {
		{ "/proc", "its own processes are there, with /proc/sys read-only",
		  true },
		{ "/dev", "a few harmless devices are there", true },
		{ "/tmp", "an empty one of its own is there", true },
		{ "/var/tmp", "an empty one of its own is there", false },
		{ "/run", "an empty one of its own is there", true },
		{ "/home/user", "an empty home of its own is there", true },
		{ "/usr", "the host's programs are there, read-only", false },
		{ "/bin", "the host's programs are there, read-only", false },
		{ "/sbin", "the host's programs are there, read-only", false },
		{ "/lib", "the host's programs are there, read-only", false },
		{ "/lib64", "the host's programs are there, read-only", false },
		{ "/etc", "the few files that programs need are there, and no secret",
		  false },
	};
	const struct binding *root = genv_binding(e, "/");
	const char *tree = genv_root(e), *name = *e->name ? e->name : "the environment";

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (path_below(path, places[i].prefix) &&
		    (!str_starts(path, "/etc/") || default_etc_has(path)) &&
		    (!tree || places[i].given_root_too)) {
			str_addf(out,
				 "%s may use %s, because every Linux program may: %s\n",
				 name, path, places[i].what);
			return true;
		}
	if (root && tree)
		return why_binding(e, root, path, streq(path, "/") ? "" : path, out);
	if (tree) {
		str_addf(out, "%s may read and write %s, because ", name, path);
		pos_write(e->pos, out);
		str_addf(out, " gives it the root %s\n", tree);
		return true;
	}
	str_addf(out,
		 "%s cannot use %s, because nothing is bound to it or to a directory "
		 "above "
		 "it\n",
		 name, path);
	return false;
}

static bool why_path(const struct genv *e, const char *path, struct str *out)
{
	auto_free char *clean = NULL;
	const struct binding *b;

	if (slot_path(path, &clean) != 0) {
		str_addf(out, "\"%s\" is no absolute path without \"..\"\n", path);
		return false;
	}
	if (program_is_unikernel(e->program)) {
		str_addf(out, "%s cannot use %s, because a unikernel has no files\n",
			 *e->name ? e->name : "the environment", clean);
		return false;
	}
	b = covering(e, clean);
	if (!b)
		return why_default(e, clean, out);
	return why_binding(e, b, clean, path_below(clean, b->slot), out);
}

static bool why_slot(const struct graph *g, const char *env, const char *slot,
		     struct str *out)
{
	const struct genv *e = graph_env(g, env);
	const struct binding *b;
	enum iface iface;
	const char *name;

	if (!e) {
		str_addf(out, "there is no environment \"%s\"\n", env);
		return false;
	}
	if (slot_parse(slot, &iface, &name, NULL) == 0)
		slot = name;
	if (*slot == '/')
		return why_path(e, slot, out);
	b = genv_binding(e, slot);
	if (b)
		return why_binding(e, b, slot, "", out);
	str_addf(out, "%s cannot use %s, because %s\n", e->name, slot,
		 slot_device(slot) && !genv_device(e, slot_device(slot)) ?
			 "it has no such device" :
			 "nothing is bound to it");
	return false;
}

bool graph_why(const struct graph *g, const char *env, const char *slot, struct str *out)
{
	auto_str line = STR_INIT;
	bool can = why_slot(g, env, slot, &line);

	text_show(out, str_text(&line), line.len ? line.len - 1 : 0, false);
	str_addc(out, '\n');
	return can;
}
