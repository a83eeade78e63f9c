/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h - which environments there are: the running graph, folded from the journal.
 *
 * An environment has a random id that is never used again, and a generation that grows
 * with every start. Whoever tends it holds an exclusive flock on the file `lock` in its
 * run directory, from birth to death: that lock, and no process number, says whether it
 * is alive. A disposable environment is gone with its tender. A kept one (it has a name
 * and no --rm) stays, stopped, and survives a reboot in the data directory.
 *
 * Order of calls, for a tender:
 *
 *   registry_create or registry_restart      created, starting   (holds the lock)
 *   registry_started                         running
 *   registry_paused, registry_resumed        paused, running
 *   registry_stopped                         stopped: after the tender cleaned up
 *   registry_removed                         gone (for a kept one: `polder rm`)
 *
 * A disposable environment may go from any state straight to registry_removed. For an
 * unnamed disposable one none of these reads the journal.
 *
 * Ownership: struct reg_held owns its descriptors (reg_held_fini). lockfd and keptfd
 * must reach the tender, and every process that the tender makes without exec must close
 * them: a copy keeps the environment alive in everybody's eyes. Lists are the caller's.
 * A tender keeps its registry open: where the run directory lies in /tmp, that keeps
 * systemd-tmpfiles from removing the lock files of the living.
 * A struct registry borrows nothing; it works on both sides of a fork(), but not in a
 * child that shares memory (CLONE_VM).
 *
 * Errors: PE_EXISTS (name taken), PE_NOTFOUND, PE_BUSY (it is running), PE_REFUSED
 * (stale generation, or not from this state), PE_USAGE (a bad name), -errno. Damage that
 * was repaired is no error; registry_notes() has a sentence for the person.
 */
#ifndef POLDER_STATE_REGISTRY_H
#define POLDER_STATE_REGISTRY_H

#include "base/err.h"
#include "base/str.h"
#include "state/places.h"

#include <sys/types.h>

#define REG_ID_BYTES 16
#define REG_ID_HEX 33 /* with its NUL */
#define REG_NAME_MAX 200
#define REG_TEXT_MAX 4096

struct reg_id {
	uint8_t b[REG_ID_BYTES];
};

void reg_id_hex(const struct reg_id *id, char ret[REG_ID_HEX]);
bool reg_id_from_hex(const char *hex, struct reg_id *ret);
static inline bool reg_id_eq(const struct reg_id *a, const struct reg_id *b)
{
	return memcmp(a->b, b->b, REG_ID_BYTES) == 0;
}

enum reg_state {
	REG_CREATED,  /* first generation, a tender is at work, not running yet */
	REG_STARTING, /* the same for a later generation */
	REG_RUNNING,
	REG_PAUSED,
	REG_STOPPED,
	REG_STATE_COUNT
};
const char *reg_state_name(enum reg_state s);

/* A binding made while the environment ran. */
struct reg_bind {
	struct reg_id id;
	bool done; /* false: an intent whose end is not recorded */
	char *text;
};

struct reg_entry {
	struct reg_id id;
	uint64_t generation;
	enum reg_state state;
	bool kept;
	bool died;        /* the tender died: its end was found, not told */
	bool cleanup_due; /* and what it left is not cleaned up yet */
	bool has_status;
	int status;       /* as wait() gives it, if has_status */
	pid_t tender;     /* for people and signals; never proof of life. 0: none */
	int64_t start_ns; /* CLOCK_REALTIME; 0: never started */
	uint32_t uid_base, uid_count; /* range of user numbers taken for it; 0: none */
	char *name;                   /* "" if it has none */
	char *composition;            /* "" if it belongs to none */
	char *kind;                   /* "linux", … */
	char *console;                /* "own", "parent", … */
	char *summary;                /* the command, for ps */
	char *cgroups;                /* made for it; absolute paths, one a line, or "" */
	struct reg_bind *binds;
	size_t n_binds;
};

void reg_entry_free(struct reg_entry *e);
/* COMPOSITION.NAME, or NAME, or the first 12 digits of the id. Allocated. */
char *reg_entry_label(const struct reg_entry *e);

struct reg_held {
	struct reg_id id;
	uint64_t generation;
	enum reg_state state;
	bool kept;
	int dirfd;  /* its run directory; -1: not held */
	int lockfd; /* holds the lock; -1: not held */
	/*
	 * A kept one's data directory, locked too, for those who share the data but not
	 * the run directory; -1: none.
	 */
	int keptfd;
};
#define REG_HELD_INIT ((struct reg_held){ .dirfd = -1, .lockfd = -1, .keptfd = -1 })
void reg_held_fini(struct reg_held *h);
/* To name an environment that somebody else tends, for registry_removed. */
struct reg_held reg_held_of(const struct reg_entry *e);

struct registry;

int registry_open(struct registry **ret, const struct places *places, struct err *err);
void registry_close(struct registry *reg); /* NULL is fine */
/* The run directory, borrowed. */
int registry_run_dir(const struct registry *reg);
/* Sentences, one a line, for the person since the last call; "" if none. */
const char *registry_notes(struct registry *reg);

/*
 * Called for an environment whose tender died, before it is forgotten: removes its
 * cgroups and gives back its user numbers. It may be called again for one that it has
 * cleaned already. An error keeps the environment on the list of what is to be cleaned.
 * Without a hook, one that has cgroups or user numbers waits for a registry that has.
 * Runs without the journal's lock; must not call this registry. Others who have something
 * to clean wait for it at most 2 s, then go on without.
 */
typedef int reg_cleanup_fn(void *userdata, const struct reg_entry *e, struct err *err);
void registry_on_cleanup(struct registry *reg, reg_cleanup_fn *fn, void *userdata);

struct reg_new {
	const struct reg_id *id; /* 16 random bytes of the caller's; NULL: drawn here */
	const char *name;        /* NULL or "": none */
	const char *composition; /* all these may be NULL for "" */
	const char *kind, *console;
	const char *summary; /* cut where it is too long */
	const char *cgroups; /* those that will be made: recorded before they are */
	uint32_t uid_base, uid_count; /* kept ones have the same range for good */
	bool kept;                    /* needs a name */
	const void *spec; /* kept ones: stored as the file `spec`; may be NULL */
	size_t spec_len;
};

/*
 * PE_EXISTS: the name is taken; ret says by which id, generation and state, without
 * descriptors. On success the caller holds the lock.
 */
int registry_create(struct registry *reg, const struct reg_new *new, struct reg_held *ret,
		    struct err *err);

/*
 * Begins the next generation of a stopped, kept environment. again: what changes, NULL
 * for nothing; its members that are NULL or 0 stay as they were, name and kept are not
 * looked at. PE_BUSY: it is running, here or by another run directory. id may lie in
 * *ret.
 */
int registry_restart(struct registry *reg, const struct reg_id *id, uint64_t generation,
		     const struct reg_new *again, struct reg_held *ret, struct err *err);

struct reg_run {
	pid_t tender;
	const char *cgroups;          /* NULL: as created */
	uint32_t uid_base, uid_count; /* 0: as created */
};
int registry_started(struct registry *reg, struct reg_held *h, const struct reg_run *run,
		     struct err *err);
int registry_paused(struct registry *reg, struct reg_held *h, struct err *err);
int registry_resumed(struct registry *reg, struct reg_held *h, struct err *err);
/*
 * status as wait() gives it. The last call of a kept environment's tender: its run
 * directory goes away with it.
 */
int registry_stopped(struct registry *reg, struct reg_held *h, int status,
		     struct err *err);
/*
 * By its holder, or for a stopped one by anybody (reg_held_of). Removes its directories,
 * for a kept one those in the data directory too. PE_BUSY: it is running.
 */
int registry_removed(struct registry *reg, struct reg_held *h, struct err *err);

/* What a kept one is asked to be from the next start on; sync: it is on the disk when this
 * returns. Others: nothing to do. */
int registry_rewrite(struct registry *reg, const struct reg_held *h, const void *spec,
		     size_t len, bool sync, struct err *err);

/* A binding made or cut while it runs: intent, then done. */
int registry_bind_intent(struct registry *reg, struct reg_held *h, const char *text,
			 struct reg_id *ret_bind, struct err *err);
int registry_bind_done(struct registry *reg, struct reg_held *h,
		       const struct reg_id *bind, struct err *err);
int registry_bind_cut(struct registry *reg, struct reg_held *h, const struct reg_id *bind,
		      struct err *err);

struct reg_list {
	struct reg_entry **v; /* in order of creation */
	size_t n;
};
void reg_list_fini(struct reg_list *l);

/*
 * All of them, after clearing up what died: stopped disposable ones are not shown. Takes
 * up kept environments that only the data directory knows (after a boot).
 */
int registry_list(struct registry *reg, struct reg_list *ret, struct err *err);

/*
 * By COMPOSITION.NAME, NAME (if one composition has it), id or its first 4 or more
 * digits. PE_NOTFOUND; PE_USAGE: several match, the sentence says which. The caller
 * frees *ret.
 */
int registry_find(struct registry *reg, const char *word, struct reg_entry **ret,
		  struct err *err);

/* The directories of one environment: run; data (kept ones: spec, dirs/, log). */
int registry_open_run(struct registry *reg, const struct reg_id *id, int *ret_fd,
		      struct err *err);
int registry_open_kept(struct registry *reg, const struct reg_id *id, int *ret_fd,
		       struct err *err);

/* Until nobody tends that generation any more; PE_BUSY after timeout_ms. */
int registry_wait(struct registry *reg, const struct reg_id *id, uint64_t generation,
		  unsigned timeout_ms, struct err *err);

#endif
