/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * analyzer.h - what the static analyzer cannot see: err_…() never returns success.
 *
 * Given to clang-tidy before every source but src/base/err.c (tools/lint), never to a
 * compiler.
 */
#include "base/err.h"

#define err_set(err, pe, ...)  ((void)err_set(err, pe, __VA_ARGS__), (pe))
#define err_sys(err, ...)      ((void)err_sys(err, __VA_ARGS__), -EIO)
#define err_neg(err, neg, ...) ((void)err_neg(err, neg, __VA_ARGS__), -EIO)
#define err_oom(err)           ((void)err_oom(err), -ENOMEM)
