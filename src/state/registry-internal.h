/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry-internal.h - shared by entry.c events.c fold.c kept.c registry.c sweep.c. */
#ifndef POLDER_STATE_REGISTRY_INTERNAL_H
#define POLDER_STATE_REGISTRY_INTERNAL_H

#include "state/journal.h"
#include "state/registry.h"

#include <sys/types.h>

/* Numbers in the journal: never reused for another meaning. */
enum reg_type {
	REG_T_ENTRY = 1, /* a whole entry: created, begun anew, taken up, or compacted */
	REG_T_STARTED = 2,
	REG_T_PAUSED = 3,
	REG_T_RESUMED = 4,
	REG_T_STOPPED = 5,
	REG_T_CLEANED = 6, /* what a dead tender left is gone */
	REG_T_REMOVED = 7,
	REG_T_BIND_INTENT = 16,
	REG_T_BIND_DONE = 17,
	REG_T_BIND_CUT = 18,
};

#define REG_STOPPED_DIED 1U /* flag in REG_T_STOPPED */

/* ---- entry.c: entries and their bytes ---- */

struct reg_entry *reg_entry_new(void);
bool reg_entry_alive(const struct reg_entry *e); /* some tender should hold its lock */
/* What it took from the host is given back. A kept one's files have its user numbers. */
void reg_entry_clear(struct reg_entry *e);
/* Payload of REG_T_ENTRY. decode: NULL if it is malformed or memory ran out. */
void reg_entry_encode(const struct reg_entry *e, struct str *out);
struct reg_entry *reg_entry_decode(const uint8_t *p, size_t len);
/* Every other payload begins with id and generation. */
void reg_head_encode(struct str *out, const struct reg_id *id, uint64_t generation);
void reg_put_u32(struct str *out, uint32_t v);
void reg_put_u64(struct str *out, uint64_t v);
void reg_put_text(struct str *out, const char *text);

/* Reading: failed is set once something does not fit, and stays. */
struct reg_reader {
	const uint8_t *p;
	size_t left;
	bool failed;
};
uint32_t reg_get_u32(struct reg_reader *r);
uint64_t reg_get_u64(struct reg_reader *r);
void reg_get_id(struct reg_reader *r, struct reg_id *ret);
char *reg_get_text(struct reg_reader *r);     /* allocated, no NUL inside; NULL: failed */
bool reg_get_end(const struct reg_reader *r); /* all was read and nothing failed */

/* ---- fold.c: the journal's records to a table ---- */

struct reg_table {
	struct reg_entry **v; /* NULL: removed since */
	struct reg_id *ids;   /* of each in v */
	size_t n, cap;
	uint32_t *slots; /* index + 1 by id; 0: empty */
	size_t n_slots;
	size_t unknown; /* records that say nothing to this version */
	bool failed;    /* memory ran out */
};
void reg_table_fini(struct reg_table *t);
#define auto_table __attribute__((cleanup(reg_table_fini))) struct reg_table
struct reg_entry *reg_table_get(const struct reg_table *t, const struct reg_id *id);
struct reg_entry *reg_table_by_name(const struct reg_table *t, const char *composition,
				    const char *name);
bool reg_table_put(struct reg_table *t, struct reg_entry *take_e);
void reg_table_drop(struct reg_table *t, const struct reg_id *id);
/* A journal_fn; userdata is the table. */
int reg_table_fold(void *userdata, const struct journal_record *rec);
/* A journal_fill_fn; userdata is the table. */
int reg_table_write(void *userdata, struct journal_writer *w, struct err *err);

/* ---- registry.c ---- */

struct registry {
	struct {
		char *run, *data;
	} places; /* not as the caller's: a supervisor keeps these */
	int rundir;
	struct journal journal;
	struct str notes;
	char *notes_out;
	reg_cleanup_fn *cleanup;
	void *cleanup_userdata;
};

bool registry_name_is_good(const char *name);

/* The journal's lock is held in all of these. */
int registry_read(struct registry *reg, struct reg_table *ret, struct err *err);
int registry_write(struct registry *reg, enum reg_type type, const struct str *payload,
		   struct err *err);
int registry_write_entry(struct registry *reg, const struct reg_entry *e,
			 struct err *err);
/* A record of id and generation alone. */
int registry_write_head(struct registry *reg, enum reg_type type, const struct reg_id *id,
			uint64_t generation, struct err *err);
int registry_write_stopped(struct registry *reg, const struct reg_id *id,
			   uint64_t generation, int status, uint32_t flags,
			   struct err *err);
/* Removes e/ID; what is not there is no error. */
int registry_drop_rundir(struct registry *reg, const struct reg_id *id, struct err *err);
/* STOPPED with REG_STOPPED_DIED. */
int registry_write_died(struct registry *reg, const struct reg_entry *e, struct err *err);
void registry_compact(struct registry *reg);
int reg_random_id(struct reg_id *ret, struct err *err);
void reg_run_path(const struct reg_id *id, const char *file, char ret[64]);

/* Its lock file is in place and has its generation. */
bool reg_holds_current(const struct reg_held *h);

/* ---- kept.c: environments in the data directory ---- */

/* data/env; -1 in ret_fd and 0 if there is none and make is false. */
int kept_open(struct registry *reg, bool make, int *ret_fd, struct err *err);
/*
 * Its directory, locked against those who have another run directory. PE_BUSY: one of
 * them tends it. PE_NOTFOUND if there is none and make is false.
 */
int kept_lock(struct registry *reg, const struct reg_id *id, bool make, int *ret_fd,
	      struct err *err);
/* Writes spec (if not NULL) and the file `env`, which makes it count, in this order. */
int kept_store(struct registry *reg, int keptfd, const struct reg_entry *e,
	       const void *spec, size_t len, struct err *err);
bool kept_is_there(int envfd, const struct reg_id *id);
/* Lock held: it does not count any more. Its directory is left to kept_remove(). */
int kept_forget(struct registry *reg, const struct reg_id *id, struct err *err);
int kept_remove(struct registry *reg, const struct reg_id *id, struct err *err);
struct reg_ids {
	struct reg_id *v;
	size_t n;
};
/*
 * Lock held: those that t does not know are added to it and to the journal, those whose
 * file `env` is gone are dropped from both. remains: directories that do not count, for kept_remove() without the lock; the caller frees v.
 */
int kept_take_up(struct registry *reg, struct reg_table *t, struct reg_ids *remains,
		 struct err *err);

/* ---- sweep.c ---- */

/* The lock of the environment is held by nobody. Not provable: false. */
bool registry_lock_is_free(struct registry *reg, const struct reg_id *id);
/* Clears up after the dead, then fills ret. Takes and releases the journal's lock. */
int registry_sweep(struct registry *reg, struct reg_table *ret, struct err *err);

#endif
