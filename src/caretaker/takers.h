/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takers.h - caretakers: what is asked before each operation on granted files, and told
 * after it.
 *
 * A chain is an ordered list of them, the first nearest the program. An operation goes down
 * the chain; the first that denies it ends that, and those before it are told the error. What
 * was let through by all is done on the host, and all are told what came of it, in
 * the opposite order. Chains do not change: a longer one takes the place of the shorter, and
 * shares its caretakers.
 *
 * To add a kind: enum care_kind and its name (wire/care), a file here, a line in takers.c.
 * `before` and `after` are called by several threads at once; a caretaker that keeps a state
 * locks it itself. They must not block: a delay is asked for, never slept.
 */
#ifndef POLDER_CARETAKER_TAKERS_H
#define POLDER_CARETAKER_TAKERS_H

#include "base/err.h"
#include "wire/care.h"

/* What is about to be done. */
struct care_op {
	enum care_act act;
	bool changes;      /* something would be changed, or a file is opened for that */
	bool makes;        /* a file, directory or link would be made */
	const char *name;  /* in a directory; NULL: the file itself is meant */
	const char *name2; /* of a rename or link: the new name */
	uint64_t size;     /* bytes to be read or written; may be made smaller */
	uint64_t file;     /* says which opening, once there is one; else 0 */
	uint64_t read, written; /* of a close: by that opening */
	uint32_t pid;
	/* for a person to read; see op_path */
	const struct care_paths *paths;
	/* out */
	int error;         /* of a denial, an errno */
	bool denied;       /* by a caretaker */
	uint64_t delay_ns; /* to be waited before it is done; added up */
};

/* How the paths of an operation are found, when somebody wants them. */
struct care_paths {
	void *of;
	void (*write)(void *of, struct str *ret_path, struct str *ret_path2);
};

enum care_verdict {
	CARE_PASS,
	CARE_DENY, /* op->error */
	/* Later: CARE_WAIT, for `ask`: the thread would wait for an answer on the control
	 * channel where it now waits for delay_ns (serve_wait). */
};

struct caretaker;

struct taker_kind {
	/* Reads the argument. PE_BAD with a sentence. NULL: takes none. */
	int (*init)(struct caretaker *c, const char *arg, struct err *err);
	/* The same for one that takes none. */
	int (*start)(struct caretaker *c, struct err *err);
	enum care_verdict (*before)(struct caretaker *c, struct care_op *op);
	/* error: 0 or an errno */
	void (*after)(struct caretaker *c, const struct care_op *op, int error);
	bool at_start_alone;
	bool past_open; /* all its work is done at names and opens: fits passthrough */
};

/* What caretakers ask of whoever serves. */
struct taker_host {
	void *of;
	void (*cut)(void *of, enum care_why why); /* soon, by another thread */
	void (*tell)(void *of, const struct care_logged *what); /* may wait */
};

struct caretaker {
	const struct taker_kind *kind;
	uint8_t which; /* enum care_kind */
	const struct taker_host *host;
	char *arg;
	void *state;          /* its own */
	uint64_t deadline_ms; /* of ttl; since 1970; 0: none */
};

struct chain {
	uint32_t n;
	struct caretaker *at[2 * CARE_MAX_CARETAKERS];
};

extern const struct taker_kind taker_ro, taker_subdir, taker_hide, taker_max, taker_rate,
	taker_ttl, taker_once, taker_log, taker_fault;

const struct taker_kind *taker_kind_of(uint8_t which);

/* The caretakers of base (NULL: none) and those given, before or behind. *ret is the
 * caller's; base stays. PE_BAD, PE_REFUSED, -ENOMEM. */
int chain_new(struct chain **ret, const struct chain *base, const struct care_taker *t,
	      uint32_t n, enum care_place place, const struct taker_host *host,
	      struct err *err);

/* 0, or the errno of a denial. */
int chain_before(const struct chain *c, struct care_op *op);
void chain_after(const struct chain *c, const struct care_op *op, int error);
/* Whether a name is hidden by any of them. */
bool chain_hides(const struct chain *c, const char *name);
/* The earliest deadline, 0: none. */
uint64_t chain_deadline_ms(const struct chain *c);

bool hide_matches(const struct caretaker *c, const char *name);

#endif
