/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest.h - reads a manifest (YAML) into a graph.
 *
 * docs/manifest.md is the grammar. All mistakes of a file are collected in struct diags
 * with file, line and column; the graph keeps the file's text, so that diags_print can
 * show the line. What was understood is in the graph even if something else was wrong,
 * so that graph_check can go on to find more.
 *
 * Returns 0; PE_BAD when errors were added to diags; PE_USAGE when the file is too large
 * or no text at all; -errno when it cannot be read.
 */
#ifndef POLDER_MANIFEST_MANIFEST_H
#define POLDER_MANIFEST_MANIFEST_H

#include "graph/graph.h"

#include <stdio.h>

/* path "-" is standard input. base: the caller's working directory and home; paths in
 * the file that begin with ./ or ../ start at the file's own directory. */
int manifest_load(struct graph *g, const char *path, const struct path_base *base,
		  struct diags *d, struct err *err);
/* name is what diagnostics call it; base->cwd is where ./ starts. */
int manifest_load_text(struct graph *g, const char *name, const char *text, size_t len,
		       const struct path_base *base, struct diags *d, struct err *err);

/* diags_write to a stream. */
void diags_print(FILE *out, const struct graph *g, const struct diags *d);

/* Cuts a command as a shell does, with quotes and backslashes and without any expansion.
 * *ret: allocated strings in an allocated array. PE_USAGE: a quote is not closed.
 * *ret_shell: a character that would mean something to a shell stood there bare, or 0. */
int words_split(const char *text, char ***ret, size_t *ret_n, char *ret_shell,
		struct err *err);

#endif
