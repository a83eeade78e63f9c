/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graph-internal.h - what the files of src/graph share with each other and with nobody.
 */
#ifndef POLDER_GRAPH_INTERNAL_H
#define POLDER_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* What one environment, and one composition, may hold. */
enum {
	MAX_ENVS = 100000,
	MAX_BINDINGS = 1024,
	MAX_ALL_BINDINGS = 1000000,
	MAX_WORDS = 64,   /* options, and caretakers, of one binding */
	MAX_ITEMS = 4096, /* arguments, variables, exposed servers, names to wait for */
	MAX_NAME = 63,
	MAX_SLOT = 4095,
	MAX_DEVICES = 63,
	MAX_DEVICE_NAME = 67,
};

/* Makes room for one more of the v[n] that grows by doubling; NULL when there is no
 * memory (v is still there then). */
void *list_room(void *v, size_t n, size_t size);

/* No control characters: such a name could forge what is shown of it. */
bool text_plain(const char *text);
/* Plain, relative, no "..", not empty, no "//". */
bool relative_path_valid(const char *path);
/* *ret: the plain absolute path without "." "//" and a slash at the end, allocated.
 * PE_USAGE: not absolute, not plain, has "..", too long. */
int slot_path(const char *path, char **ret);
/* What the path has after prefix, which covers it: "" or "/rest"; NULL: it does not. */
const char *path_below(const char *path, const char *prefix);

void kv_fini(struct kv *kv);
int kv_add(struct kv **v, size_t *n, size_t max, const char *key, const char *value,
	   struct pos pos);
const struct kv *kv_find(const struct kv *v, size_t n, const char *key);
/* Every word of b is one of a, with the same value. */
bool kv_has_all(const struct kv *a, size_t n_a, const struct kv *b, size_t n_b);

void binding_fini(struct binding *b);
/* Without what graph_check found for it. -ENOMEM, and *ret is empty. */
int binding_copy(struct binding *ret, const struct binding *b);
/* WORD[=ARG][,WORD[=ARG]]…: options and caretakers, as after a source. */
int binding_parse_words(struct binding *b, const char *text, const struct path_base *base,
			struct pos pos, struct err *err);
/* The part after "=", as one would write it. */
void binding_write_source(const struct binding *b, struct str *out);
/* One option or caretaker, as one would write it. */
void binding_write_word(const struct kv *word, bool comma, struct str *out);
/* True if the server behind it can do anything at all. */
bool binding_powerful(const struct binding *b);

/* For a sentence: what of b needs a caretaker; NULL: nothing does. */
const char *binding_caretaker_for(const struct binding *b);

/* names → environments */
int index_add(struct graph *g, struct genv *e);
void index_free(struct index *index);

/* text for a person's terminal: control characters become "?". */
void text_show(struct str *out, const char *text, size_t n, bool keep_newline);
/* What pos says of a line; false: its text is not there. Not NUL-terminated. */
bool graph_line(const struct graph *g, struct pos pos, const char **ret, size_t *ret_len);
void texts_free(struct text *texts);

/* Computes .order; adds a diagnostic for each cycle. */
int graph_order(struct graph *g, struct diags *diags);

/* The same options, in any order; the same files of a fake directory, in theirs. */
bool binding_same_options(const struct binding *a, const struct binding *b);
bool binding_same_fakes(const struct binding *a, const struct binding *b);

#endif
