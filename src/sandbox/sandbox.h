/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox.h - namespaces, mounts, ids, filters: the only code that calls them.
 *
 * One struct sandbox is one started environment, as its tender holds it. Order of
 * calls: sandbox_begin and sandbox_build as soon as that much is known, so that the kernel
 * works meanwhile; sandbox_start in any case; sandbox_release once
 * everything else is recorded (the program does not run before); then
 * sandbox_next_event whenever .chan is readable, until SANDBOX_EXITED or
 * SANDBOX_FAILED; sandbox_fini kills what is left, at any point.
 *
 * The three roles are told in init.c. Errors: PE_REFUSED where this kernel or user
 * cannot do what was asked, with a sentence that says what to change; PE_BAD where a
 * granted path is not what the command line saw; -errno otherwise.
 */
#ifndef POLDER_SANDBOX_SANDBOX_H
#define POLDER_SANDBOX_SANDBOX_H

#include "base/err.h"
#include "sandbox/cgroup.h"
#include "wire/spec.h"

#include <sys/types.h>

/* What must be known of an environment before its namespaces are made. */
struct sandbox_shape {
	bool host_network; /* net=host */
	bool cgroup;       /* it will have one, and joins it before it makes anything */
	bool late;   /* a terminal or a clock of its own: the payload is made late */
	bool ranges; /* ids that only helpers outside can map */
};

struct sandbox {
	pid_t init; /* pid as the tender sees it; 0: none */
	int chan;   /* SEQPACKET to init; readable: an event */
	struct sandbox_shape shape;
	bool building;   /* it has the spec */
	size_t outlined; /* mounts of the spec that it was begun with */
	int run;       /* the run directory, borrowed, where an anchor may be found; -1 */
	bool anchored; /* it was made below one */
	bool alone;    /* it has ended, and no process of it but init was left */
};

#define SANDBOX_INIT ((struct sandbox){ .chan = -1, .run = -1 })

/* What the program gets as 0, 1, 2; -1: the pty's slave (pty must be true). Borrowed. */
struct sandbox_io {
	int fd[3];
	bool pty;
	uint16_t rows, cols;
};

enum sandbox_event_kind {
	SANDBOX_NOTHING,
	SANDBOX_PTY,     /* fd: the pty's master, the caller's from then on */
	SANDBOX_SHADOW,  /* fd: for sandbox_refresh, the caller's from then on */
	SANDBOX_STARTED, /* the program's image runs */
	SANDBOX_FAILED,  /* text says why; value: 125, 126 or 127. Nothing has run */
	SANDBOX_BROKEN,  /* the same, but the program may have run */
	SANDBOX_STOPPED, /* the program stopped itself; value: the signal */
	SANDBOX_EXITED,  /* value: a wait status */
	SANDBOX_NSFDS,   /* fds, answer to sandbox_ask_namespaces */
};

#define SANDBOX_NS_MAX 8

struct sandbox_event {
	enum sandbox_event_kind kind;
	int value;
	int fd;
	int nsfds[SANDBOX_NS_MAX]; /* -1 where none; the caller's */
	char text[640];
};

/* Called by main() before anything else: init wipes these words in its own copy. */
void sandbox_title_area(int argc, char **argv);

/* A directory of the host that init covers, in its own copy of the mounts, when it begins
 * with an outline. */
#define SANDBOX_COVERS "/sys"

/*
 * Makes init, and what it can make without a spec, below the anchor of sb->run if there is
 * one. Descriptors that are opened after this are not in its table.
 *
 * outline: a spec whose ids and flags are final, and whose mounts, none of them granted,
 * are the first of those that the whole spec will have: init builds that much at once.
 * NULL: nothing is known yet. Borrowed for the time of the call.
 */
int sandbox_begin(struct sandbox *sb, const struct sandbox_shape *shape,
		  const struct spec *outline, struct err *err);
/* Hands the spec over, so that the root is built meanwhile; sb: begun, without a cgroup,
 * and with the outline, if any, of this spec. The spec's mounts and ids must be final, and its descriptors are still the caller's. */
int sandbox_build(struct sandbox *sb, struct spec *spec, struct err *err);
/* Whatever of that is not done yet, and the streams. sb: in any of those states, or
 * SANDBOX_INIT. cgroup: joined before anything runs; NULL: none. Borrowed. What was begun
 * in a shape that the spec does not have is ended and begun anew. After an error sb is
 * SANDBOX_INIT. */
int sandbox_start(struct sandbox *sb, struct spec *spec, const struct sandbox_io *io,
		  struct cgroup *cgroup, struct err *err);
int sandbox_release(struct sandbox *sb, struct err *err);
/* Zero with SANDBOX_NOTHING if nothing is there; -EPIPE when init is gone. */
int sandbox_next_event(struct sandbox *sb, struct sandbox_event *ret);
/* Signals to the program (not to init); group: to its process group. */
int sandbox_signal(struct sandbox *sb, int sig, bool group);
/* Stops or continues every process inside; none can evade it. */
int sandbox_pause(struct sandbox *sb, bool stop);
int sandbox_ask_namespaces(struct sandbox *sb);
/* Has the kernel look names up anew in a read-only directory, so that what the host
 * replaced or added there is seen. What is open or somebody's directory stays. */
int sandbox_refresh(int shadow);
void sandbox_kill(struct sandbox *sb);
/* Kills, reaps, closes. */
void sandbox_fini(struct sandbox *sb);
/* Instead, for a caller that ends at once: where sb->alone says that init was the last
 * process, it is ending by itself, and what the kernel has still to take down (mounts that
 * nobody else sees) is not waited for. Otherwise the same as sandbox_fini. */
void sandbox_leave(struct sandbox *sb);

/*
 * A second program in the same environment (exec): joins the namespaces given, with
 * the same confinement. Returns the pid of a watcher process, the caller's child, that
 * ends with the program's status (a signal is passed on as such, 126 and 127 as usual).
 * tty: a pty is made inside, and its master sent over master_to.
 */
struct sandbox_exec {
	const int *nsfds;
	char *const *argv, *const *envp;
	const char *cwd;
	int fd[3];
	bool tty;
	int master_to;
	uint16_t rows, cols;
	uint32_t flags;      /* of the spec */
	uint64_t limit_pids; /* of the spec */
	uint32_t uid, gid;
	struct cgroup *cgroup; /* NULL: none */
};
int sandbox_exec(const struct sandbox_exec *x, pid_t *ret_watcher, struct err *err);

/*
 * Runs fn in a child that is uid 0 of a user namespace with the maps of s, and nothing
 * else of an environment: for files that belong to its numbers. fn returns 0 or -errno,
 * which comes back.
 */
int sandbox_as_its_root(const struct spec *s, int (*fn)(void *), void *arg,
			struct err *err);

/* A detached copy of a path inside those namespaces: a mount descriptor. */
int sandbox_open_inside(const int *nsfds, const char *path, int *ret_mountfd,
			struct err *err);

#endif
