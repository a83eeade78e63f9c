/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * care.h - what a caretaker of files is told, and what is said to it while it runs.
 *
 * The encoded spec is what `polder-caretaker-dir --spec FD` reads; the messages go over
 * the SEQPACKET socket that the spec names, one record each. docs/protocol.md has both,
 * field by field.
 *
 * Strings of a decoded record point into its buffer, which must outlive it. Decoding takes
 * every byte for hostile and ends with the record's check. Numbers: sizes in bytes, ids as
 * the kernel has them.
 *
 * Errors: PE_BAD with a sentence.
 */
#ifndef POLDER_WIRE_CARE_H
#define POLDER_WIRE_CARE_H

#include "base/err.h"
#include "base/str.h"

#define CARE_VERSION 1
#define CARE_MAX_BYTES (64u << 10) /* of a spec, and of a message */
#define CARE_MAX_CARETAKERS 16
#define CARE_ARG_MAX 4095 /* bytes of an argument */
#define CARE_TEXT_MAX 700 /* bytes of a sentence */
#define CARE_PATH_MAX 4095
#define CARE_MAX_GUARDED 128

enum care_interface { CARE_DIR = 1 };

enum care_flag {
	CARE_IS_FILE = 1 << 0,     /* the grant is one file */
	CARE_READ_ONLY = 1 << 1,   /* nothing is written, whatever the caretakers say */
	CARE_CROSS = 1 << 2,       /* what is mounted below the directory belongs to it */
	CARE_PASSTHROUGH = 1 << 3, /* files go past the caretaker: fast, and the cut does
				    * not reach what is open */
	CARE_FLAGS_ALL = (1 << 4) - 1
};

/* What is left when it is cut. */
enum care_cut {
	CARE_CUT_ERRORS = 1, /* every use fails, with ENOTCONN; a mapping with SIGBUS */
	CARE_CUT_COUNT
};

/* docs/protocol.md says what each takes as its argument; NULL: none. */
enum care_kind {
	CARE_RO = 1,
	CARE_SUBDIR,
	CARE_HIDE,
	CARE_MAX,
	CARE_RATE,
	CARE_TTL,
	CARE_ONCE,
	CARE_LOG,
	CARE_FAULT,
	CARE_KIND_COUNT
};

struct care_taker {
	uint8_t kind; /* enum care_kind */
	const char *arg;
};

/* An id of the host, and the one that is shown for it inside; all others are 65534. */
struct care_id {
	uint32_t host, shown;
};

/* From the mildest to the strictest. */
enum care_guard {
	CARE_WAY = 1, /* it cannot be removed, renamed or replaced */
	CARE_KEPT,    /* nor changed, with all that lies in it */
	CARE_CLOSED,  /* nor read */
	CARE_GUARD_COUNT
};

/* A name of the served directory that the program may not change, also if it is made later. */
struct care_guarded {
	uint8_t how;      /* enum care_guard */
	const char *path; /* "a/b", from the root that is served: behind all subdir= */
};

struct care_spec {
	uint8_t id[16]; /* of the binding */
	uint64_t generation;
	uint8_t interface; /* enum care_interface */
	uint8_t cut;       /* enum care_cut */
	uint32_t flags;
	struct care_id uid, gid;
	int32_t fuse_fd; /* /dev/fuse, mounted; nobody else keeps it open */
	int32_t root_fd; /* O_PATH, of the directory or the file */
	int32_t ctl_fd;  /* SEQPACKET; its end is the caretaker's end. -1: none */
	int32_t log_fd; /* the caretaker's own complaints, as lines. -1: standard error */
	uint32_t n_takers;
	struct care_taker takers[CARE_MAX_CARETAKERS]; /* [0] is nearest the program */
	uint32_t n_guarded;
	struct care_guarded guarded[CARE_MAX_GUARDED];
};

#define CARE_SPEC_INIT                                                                   \
	((struct care_spec){ .interface = CARE_DIR,                                      \
			     .cut = CARE_CUT_ERRORS,                                     \
			     .fuse_fd = -1,                                              \
			     .root_fd = -1,                                              \
			     .ctl_fd = -1,                                               \
			     .log_fd = -1 })

int care_spec_check(const struct care_spec *s, struct err *err);
int care_spec_decode(struct care_spec *ret, const void *buf, size_t len, struct err *err);
void care_spec_encode(const struct care_spec *s, struct str *out);

/* ---- messages ---- */

enum care_verb {
	/* requests; each is answered with DONE or REFUSED, in their order */
	CARE_ATTENUATE = 1,
	CARE_CUT,
	CARE_STATS,
	/* answers */
	CARE_DONE = 16,
	CARE_REFUSED,
	/* events: seq is 0 */
	CARE_READY = 32, /* the first: it serves; text: how */
	CARE_ENDED,      /* the last, if it ends by itself: why */
	CARE_LOGGED,
};

enum care_place { CARE_FRONT = 1, CARE_BEHIND = 2 }; /* nearest the program; the source */

enum care_why {
	CARE_WHY_TTL = 1,
	CARE_WHY_ONCE,
	CARE_WHY_UNMOUNTED,
	CARE_WHY_BROKEN, /* the text says what */
};

/* What there is, and since it began. */
struct care_stats {
	uint64_t nodes, nodes_max, nodes_limit; /* files that the kernel remembers */
	uint64_t nodes_refused;                 /* ENFILE since there were too many */
	uint64_t handles;                       /* open files and directories */
	uint64_t requests, denied;              /* denied: by a caretaker */
	uint64_t bytes_read, bytes_written;
};

/* What was done or refused: the words of docs/protocol.md, "LOGGED". */
enum care_act {
	CARE_ACT_LOOKUP = 1, /* logged only when it is denied */
	CARE_ACT_STAT,       /* never logged */
	CARE_ACT_OPEN,
	CARE_ACT_CLOSE, /* read, written: by this opening */
	CARE_ACT_READ,  /* these two: only when denied */
	CARE_ACT_WRITE,
	CARE_ACT_LIST, /* a directory is opened */
	CARE_ACT_CREATE,
	CARE_ACT_MKDIR,
	CARE_ACT_SYMLINK,
	CARE_ACT_LINK,   /* path2: the new name */
	CARE_ACT_RENAME, /* path2: the new name */
	CARE_ACT_UNLINK,
	CARE_ACT_RMDIR,
	CARE_ACT_ATTR,
	CARE_ACT_TRUNCATE,
	CARE_ACT_XATTR,
	CARE_ACT_COUNT
};

struct care_logged {
	uint8_t act;    /* enum care_act */
	uint8_t denied; /* 1: by a caretaker; 0: it went to the host */
	uint32_t error; /* errno, 0: it was done */
	uint32_t pid;   /* who asked, as numbered where the file system is mounted */
	uint64_t read, written;
	const char
		*path; /* from the grant's root, "/a/b"; the names that were used last */
	const char *path2; /* NULL: none */
};

struct care_msg {
	uint16_t verb; /* enum care_verb */
	uint32_t seq;  /* of a request: any but 0; of an answer: the request's */
	uint64_t generation;
	/* ATTENUATE */
	uint8_t place; /* enum care_place */
	uint32_t n_takers;
	struct care_taker takers[CARE_MAX_CARETAKERS];
	/* CUT: enum care_cut. DONE: 1 if a cut is complete, 0 if passthrough keeps open
	 * files alive; else 0. ENDED: enum care_why */
	uint8_t what;
	uint32_t invalidated; /* DONE of a CUT, ENDED: files whose pages were dropped */
	uint32_t unfinished;  /* the same: requests that the host still held up */
	struct care_stats stats;   /* DONE, ENDED */
	struct care_logged logged; /* LOGGED */
	const char *text;          /* REFUSED, ENDED, READY: a sentence; else NULL */
};

int care_msg_decode(struct care_msg *ret, const void *buf, size_t len, struct err *err);
void care_msg_encode(const struct care_msg *m, struct str *out);

const char *care_kind_name(uint8_t kind); /* NULL: unknown */
const char *care_act_name(uint8_t act);

#endif
