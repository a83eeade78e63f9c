/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A binding as one would write it, and what can be said of one by looking at it. */
#include "graph/graph-internal.h"

static void escape(struct str *out, const char *text, bool also_equals)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '\\' || (*text == '=' && also_equals))
			str_addc(out, '\\');
		str_addc(out, *text);
	}
}

void binding_write_word(const struct kv *word, bool comma, struct str *out)
{
	if (comma)
		str_addc(out, ',');
	escape(out, word->key, true);
	if (!word->value)
		return;
	str_addc(out, '=');
	escape(out, word->value, false);
}

static void write_words(struct str *out, const struct kv *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		binding_write_word(&v[i], true, out);
}

void binding_write_source(const struct binding *b, struct str *out)
{
	if (b->source == SRC_HOST && b->ref && *b->ref == '/') {
		escape(out, b->ref, false);
	} else {
		bool tap = b->source == SRC_HOST && slot_device(b->slot);

		str_add(out, source_name(b->source));
		if (b->ref && (b->source == SRC_STORE || b->source == SRC_ENV || tap)) {
			str_addc(out, ':');
			escape(out, b->ref, false);
		}
	}
	write_words(out, b->options, b->n_options);
	write_words(out, b->through, b->n_through);
}

void binding_write(const struct binding *b, struct str *out)
{
	if (*b->slot == '/' && b->iface != IF_DIR)
		str_addf(out, "%s:", iface_name(b->iface));
	else if (b->typed)
		str_addf(out, "%s:", iface_name(b->iface));
	escape(out, b->slot, true);
	str_addc(out, '=');
	binding_write_source(b, out);
}

bool binding_readonly(const struct binding *b)
{
	if (binding_caretaker(b, "ro"))
		return true;
	return b->iface == IF_DIR && (b->source == SRC_NULL || b->source == SRC_FAKE);
}

bool binding_powerful(const struct binding *b)
{
	return b->source != SRC_NULL && !b->unbound;
}
