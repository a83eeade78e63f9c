/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caretakers of one binding: whether each has a meaning there and an argument that
 * makes sense, whether they go together, and whether somebody can be them on this host.
 */
#include "graph/caretaker.h"
#include "graph/check-internal.h"
#include "graph/kinds.h"

static bool has_tree(const struct binding *b)
{
	return b->source == SRC_PARENT || b->source == SRC_HOST || b->source == SRC_ENV ||
	       b->source == SRC_STORE;
}

static bool is(const struct kv *t, const char *name)
{
	return streq(t->key, name);
}

/* ---- one ---- */

static void no_such(struct check *c, const struct binding *b, const struct kv *t,
		    const char *known)
{
	const char *near = kind_nearest_word(t->key, b);
	auto_free char *hint = near ? str_printf("did you mean %s?", near) : NULL;

	ERROR(c, t->pos, hint,
	      "\"%s\": there is no caretaker \"%s\"; for a %s there are: %s", b->slot,
	      t->key, iface_name(b->iface), known);
}

/* False: said that it cannot be had here. */
static bool check_kind(struct check *c, const struct binding *b, const struct kv *t)
{
	const struct caretaker_kind *k = kind_caretaker(t->key);
	auto_str known = STR_INIT;

	kind_list_caretakers(b, &known);
	if (known.len == 0)
		str_add(&known, "none yet");
	if (!k)
		no_such(c, b, t, str_text(&known));
	else if (!(k->ifaces & (1u << b->iface)))
		ERROR(c, t->pos, NULL,
		      "\"%s\": the caretaker %s has no meaning for a %s; there are: %s",
		      b->slot, t->key, iface_name(b->iface), str_text(&known));
	else if (!(k->there & (1u << b->iface)))
		ERROR(c, t->pos, NULL,
		      "\"%s\": the caretaker %s is not available yet for a %s; there "
		      "are: %s",
		      b->slot, t->key, iface_name(b->iface), str_text(&known));
	else if (!arg_valid(k->arg, t->value))
		ERROR(c, t->pos, NULL, "\"%s\": %s takes %s%s%s%s", b->slot, t->key,
		      arg_like(k->arg), t->value ? ", not \"" : "",
		      t->value ? t->value : "", t->value ? "\"" : "");
	else
		return true;
	return false;
}

/* Where nobody would look at it, the whole would be given for a part. */
static void check_subdir(struct check *c, const struct binding *b, const struct kv *t)
{
	if (!has_tree(b))
		ERROR(c, t->pos, NULL, "\"%s\": subdir= has nothing to choose from in %s",
		      b->slot, source_name(b->source));
	else if (streq(b->slot, "/"))
		ERROR(c, t->pos, "as /=DIR/PART",
		      "\"/\": subdir= does not go with the root; name the part itself");
	else if (b->source == SRC_ENV)
		ERROR(c, t->pos, "expose the part itself, under a name of its own",
		      "\"%s\": subdir= is not available yet for what another environment "
		      "exposes",
		      b->slot);
}

/* All but ro and subdir= stand before a tree of somebody else's, in a process. */
static void check_place(struct check *c, const struct binding *b, const struct kv *t)
{
	if (streq(b->slot, "/"))
		ERROR(c, t->pos, NULL,
		      "\"/\": the root is mounted and never served by a caretaker, so %s "
		      "cannot be kept there; ro can",
		      t->key);
	else if (b->source == SRC_NULL)
		ERROR(c, t->pos, NULL, "\"%s\": %s has nothing to stand before in null",
		      b->slot, t->key);
	else if (!has_tree(b))
		ERROR(c, t->pos, is(t, "max") ? "size= bounds an own directory" : NULL,
		      "\"%s\": the caretaker %s is not available yet for a dir from %s",
		      b->slot, t->key, source_name(b->source));
}

/* ---- several ---- */

static bool is_repeated(const struct binding *b, const struct kv *t)
{
	for (const struct kv *k = b->through; k < t; k++)
		if (streq(k->key, t->key) && caretaker_same_subject(k, t))
			return true;
	return false;
}

/* Conditions on writing, where nothing can be written. */
static void check_useless(struct check *c, const struct binding *b, const struct kv *t)
{
	bool enospc = is(t, "fault") && str_starts(t->value, "enospc");

	if (binding_caretaker(b, "ro") && is(t, "max"))
		ERROR(c, t->pos, "leave one of the two out",
		      "\"%s\": max= counts what is written, and ro lets nothing be "
		      "written",
		      b->slot);
	else if (binding_caretaker(b, "ro") && enospc)
		ERROR(c, t->pos, "leave one of the two out",
		      "\"%s\": enospc is an answer to a write, and ro lets nothing be "
		      "written",
		      b->slot);
}

static void check_caretaker(struct check *c, const struct binding *b, const struct kv *t)
{
	if (!check_kind(c, b, t))
		return;
	if (is_repeated(b, t))
		ERROR(c, t->pos, NULL, "\"%s\": %s is given twice", b->slot, t->key);
	else if (b->unbound)
		return;
	else if (is(t, "subdir"))
		check_subdir(c, b, t);
	else if (!is(t, "ro"))
		check_place(c, b, t);
	check_useless(c, b, t);
}

static void check_passthrough(struct check *c, const struct binding *b)
{
	const struct kv *o = binding_option(b, "passthrough");
	const struct kv *cut = binding_option(b, "cut");

	if (!o || b->iface != IF_DIR || !has_tree(b))
		return;
	if (streq(b->slot, "/"))
		ERROR(c, o->pos, NULL,
		      "\"/\": the root is mounted and never served by a caretaker that "
		      "something could pass by");
	if (cut && cut->value && streq(cut->value, cut_name(CUT_COMPLETE)))
		ERROR(c, o->pos, "leave one of the two out",
		      "\"%s\": passthrough and cut=complete exclude each other: what a "
		      "program has open passes by the caretaker, which then cannot cut "
		      "it",
		      b->slot);
	for (size_t i = 0; i < b->n_through; i++)
		if (!is(&b->through[i], "ro") && !is(&b->through[i], "subdir"))
			ERROR(c, b->through[i].pos, "leave one of the two out",
			      "\"%s\": %s cannot be kept with passthrough: reads and "
			      "writes pass by the caretaker; ro and subdir= can",
			      b->slot, b->through[i].key);
}

void check_caretakers(struct check *c, const struct binding *b)
{
	for (size_t i = 0; i < b->n_through; i++)
		check_caretaker(c, b, &b->through[i]);
	check_passthrough(c, b);
}

void check_caretaker_there(struct check *c, const struct binding *b)
{
	const char *what = binding_caretaker_for(b);

	/* A caretaker opens what it serves by a path of the host, and this has none. */
	if (what && b->source == SRC_ENV && !binding_option(b, "passthrough"))
		ERROR(c, b->pos,
		      b->live ? "bind it at a start, without a caretaker" :
				"leave it out: ro needs no caretaker",
		      "\"%s\": what another environment exposes cannot be served by a "
		      "caretaker yet, which %s needs",
		      b->slot, what);
	else if (what && !c->facts->fuse)
		ERROR(c, b->pos,
		      b->live ? "the administrator loads the module fuse and lets you "
				"open /dev/fuse (mode 0666); or bind it at the start" :
				"the administrator loads the module fuse and lets you "
				"open /dev/fuse (mode 0666); or leave it out: ro and "
				"subdir= need no caretaker",
		      "\"%s\": %s needs a caretaker, which serves files through "
		      "/dev/fuse, and that cannot be opened here",
		      b->slot, what);
}
