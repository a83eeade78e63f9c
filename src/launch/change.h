/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h - asking for changes of an environment that runs.
 *
 * Each asks its tender, and returns once what was asked for holds. Entries are borrowed.
 * Errors: PE_NOTFOUND (it is not there or does not run; no such slot or file), PE_REFUSED
 * with the sentence of who decides, PE_USAGE, -errno; nothing has changed then.
 */
#ifndef POLDER_LAUNCH_CHANGE_H
#define POLDER_LAUNCH_CHANGE_H

#include "base/err.h"
#include "graph/change.h"
#include "state/registry.h"

/* Either a binding as one writes it, or a path at the same place inside. */
struct grant_words {
	const char *binding; /* NULL: path */
	const char *path;
	bool write;
	const char *cwd; /* for paths that are not absolute */
	bool accept_weaker;
};

struct granted {
	char binding[4096]; /* as it is recorded */
	char how[128], cut[16];
};

int change_grant(struct registry *reg, const struct reg_entry *e,
		 const struct grant_words *w, struct granted *ret, struct err *err);

/* words: CARETAKER[=ARG][,…] each. */
int change_attenuate(struct registry *reg, const struct reg_entry *e, const char *slot,
		     char *const *words, size_t n, struct err *err);

struct revoked {
	bool complete;       /* else what it had read or mapped may still be there */
	uint32_t files;      /* whose pages were taken back */
	uint32_t unfinished; /* calls on the host that had not returned */
};
int change_revoke(struct registry *reg, const struct reg_entry *e, const char *slot,
		  enum revoke_to to, enum revoke_how how, struct revoked *ret,
		  struct err *err);

#endif
