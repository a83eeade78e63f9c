/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h - what this kernel and host can do, for the graph to decide with.
 *
 * host_facts_probe tries each ability, in a child, and takes some milliseconds: for
 * `check` and `show`. host_facts_assume takes none: it believes in the kernel, and what
 * it got wrong is refused by the start itself, with the reason.
 */
#ifndef POLDER_SANDBOX_FACTS_H
#define POLDER_SANDBOX_FACTS_H

#include "graph/graph.h"

void host_facts_probe(struct host_facts *ret);
void host_facts_assume(struct host_facts *ret);

#endif
