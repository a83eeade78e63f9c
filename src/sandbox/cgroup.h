/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.h - limits through cgroups, version 2 or 1, whichever the host has.
 *
 * Asked for limits, cgroup_make() makes one group in each hierarchy that is needed, or
 * refuses with the reason: never silently weaker. Root makes groups below /polder. An
 * ordinary user writes where a subtree was delegated to it and it is in that subtree
 * already; else it asks the user's systemd for a scope, by busctl(1). A group goes away
 * with cgroup_remove(), or by its recorded path.
 */
#ifndef POLDER_SANDBOX_CGROUP_H
#define POLDER_SANDBOX_CGROUP_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_MAX 3

struct cgroup {
	size_t n;
	char path[CGROUP_MAX][256]; /* directories below the cgroup mounts */
	char scope[64];             /* a unit of the user's systemd, "" if none */
	uint64_t mem_bytes, cpu_percent, pids;
};

#define CGROUP_INIT ((struct cgroup){ .n = 0 })

struct cgroup_limits {
	uint64_t mem_bytes, cpu_percent, pids; /* 0: none */
};

/* id: a name for the group. PE_REFUSED with the reason. */
int cgroup_make(struct cgroup *ret, const char *id, const struct cgroup_limits *limits,
		struct err *err);
static inline bool cgroup_used(const struct cgroup *c)
{
	return c->n > 0 || c->scope[0];
}
/* pid: a child that waits, or 0 for the caller. */
int cgroup_join(struct cgroup *c, pid_t pid, struct err *err);
/* False: one of them could not be removed; its recorded path can be, later. */
bool cgroup_remove(struct cgroup *c);
/* Kills what is in it, and removes one by its path; nothing there is no error. */
int cgroup_remove_path(const char *path, struct err *err);
/* The groups that cgroup_make will make for this id, one a line. */
void cgroup_predict(const char *id, const struct cgroup_limits *limits, char *ret,
		    size_t size);

#endif
