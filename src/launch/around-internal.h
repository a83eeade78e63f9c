/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands around a start and knows nothing of its steps; for launch.c alone. */
#ifndef POLDER_LAUNCH_AROUND_INTERNAL_H
#define POLDER_LAUNCH_AROUND_INTERNAL_H

#include "base/err.h"
#include "graph/graph.h"

/* A program was not found (127): adds to err where the host has it, and what would help. */
void launch_hint_not_found(const struct genv *e, struct err *err);
/* A session of its own; streams that are a terminal, or not the program's, go to /dev/null. */
void launch_leave_terminal(const char *console);
/* fd is told a wait status, a u32: whoever reads it finds the environment stopped, or gone. */
void launch_tell_end(int fd, int wait_status);
/* For the tender in the background: it runs, or err and *ret_code say why not. */
int launch_await_start(int fd, int *ret_code, struct err *err);

#endif
