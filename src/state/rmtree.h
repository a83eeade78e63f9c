/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rmtree.h - removes a directory and all below it.
 *
 * For trees that a hostile program filled and that nobody uses any more: any depth with
 * a fixed number of descriptors, symbolic links are never followed, what is mounted
 * inside is not entered. Something that vanishes meanwhile is no error; nor is a tree
 * that is not there.
 */
#ifndef POLDER_STATE_RMTREE_H
#define POLDER_STATE_RMTREE_H

#include "base/err.h"

int rmtree_at(int dirfd, const char *name, struct err *err);

#endif
