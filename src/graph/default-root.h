/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * default-root.h - what a Linux program sees that was given no root: decided here, so
 * that `why` and the spec say the same.
 */
#ifndef POLDER_GRAPH_DEFAULT_ROOT_H
#define POLDER_GRAPH_DEFAULT_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/* Files and directories of the host's /etc that are shown; each is skipped where the
 * host has none. */
extern const char *const default_etc_shown[];
extern const size_t default_etc_n_shown;

/* True if path is one of them, lies below one, or is made for the environment. */
bool default_etc_has(const char *path);

#endif
