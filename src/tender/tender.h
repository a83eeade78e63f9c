/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tender.h - the supervisor of one environment.
 *
 * tender_run() starts exactly what the spec says, supervises it to its end and returns
 * how it ended. It owns the control socket, the console and the limits; what died, it
 * clears away. The porcelain (`polder run`) and the plumbing (`polder-tender-linux
 * --spec FD`) both come through here.
 */
#ifndef POLDER_TENDER_TENDER_H
#define POLDER_TENDER_TENDER_H

#include "base/err.h"
#include "sandbox/sandbox.h"
#include "state/registry.h"
#include "wire/spec.h"
#include "wire/wire.h"

struct tender;
struct unikernel;  /* server/unikernel.h */
struct live_cover; /* sandbox/live.h */

/* A server that others may open. */
struct tender_expose {
	const char *name, *path;
	bool is_socket;
};

/*
 * What those who decide are asked while it runs, with the functions below to have it done.
 * They return 0 or an error with the sentence for whoever asked.
 */
struct tender_decide {
	/* Everything that must be served before the program is released; NULL: nothing. */
	int (*serve)(void *userdata, struct tender *t, struct err *err);
	/* One of the CTL_ verbs of changes; body and fds are the request's, borrowed; what
	 * is put into reply goes with the answer. */
	int (*change)(void *userdata, struct tender *t, uint16_t verb, struct rbuf *body,
		      const int *fds, size_t n_fds, struct str *reply, struct err *err);
	/* What was served at slot is cut, though nobody asked for it; why: a sentence. */
	void (*lost)(void *userdata, const char *slot, const char *why);
};

struct tender_job {
	struct spec *spec;
	struct sandbox *begun; /* begun already, and taken over; NULL: not */
	struct registry *reg;  /* NULL: plumbing, nothing is recorded */
	struct reg_held *held; /* with reg */
	int log_dir;           /* where `log` goes; -1: none */
	int ready_fd;          /* told when it runs: see tender_ready; -1: nobody waits */
	bool background;       /* no terminal, no signals to pass on */
	bool lasting;          /* an anchor is wanted while it runs */
	int notify_fd;         /* a bound datagram socket for readiness; -1: none */
	void (*status)(void *userdata, struct str *out); /* JSON for CTL_STATUS */
	/* The program has ended with this wait status, and the kernel is taking down what
	 * is left of it, which nothing can stop any more: what is to be recorded of the
	 * end may be recorded meanwhile. Not called where a cgroup must be removed
	 * first, nor for a start that failed. NULL: nobody wants to know. */
	void (*ending)(void *userdata, int status);
	struct tender_decide decide; /* all may be NULL */
	void *userdata;
	const struct tender_expose *exposes;
	size_t n_exposes;
	const char *cgroup_name; /* as recorded before */
	bool exits;              /* the process ends next: what is its own is not freed */
	bool ret_left;      /* set: a cgroup could not be removed, and stays recorded */
	bool ret_timed_out; /* set: it was killed by its time limit */

	/* A unikernel: spec has what the core reads, this the rest. */
	struct unikernel *unikernel; /* NULL: a Linux program */
	const char *programs;        /* the directory of its tenders */
	int core_fd;                 /* for a core file on a fault; -1: none */
	bool verbose;                /* a fault is told with its registers */
	char ret_note[800];          /* what is to be said of its end; "" for nothing */
};

/* What goes over ready_fd, once: the state, then the sentence if it failed. */
struct tender_ready {
	int32_t code; /* 0: it runs; 125, 126, 127: it does not */
	char text[768];
};

/*
 * Returns 0 with *ret_status, a wait status, once the program has run and ended. Else
 * the reason is in err and *ret_code says 125, 126 or 127.
 */
int tender_run(struct tender_job *job, int *ret_status, int *ret_code, struct err *err);

/* ---- changing what a running environment holds (care.c) ---- */

/* docs/protocol.md has what there is, and the arguments. */
struct tender_taker {
	const char *name, *arg; /* arg NULL: none */
};

/* A directory or file of the host, served at a slot by a caretaker. All borrowed. */
struct tender_serve {
	uint8_t binding[16];
	const char *slot;
	const char *rule; /* the binding as written, for what is logged */
	int root_fd;      /* O_PATH */
	bool is_file, read_only, passthrough;
	uint32_t host_uid, host_gid; /* shown as the program's own */
	const struct tender_taker *takers;
	size_t n_takers;
	const struct live_cover *covers;
	size_t n_covers;
};
int tender_serve(struct tender *t, const struct tender_serve *s, struct err *err);

/* More caretakers before those that are there. What cannot be told is cut. */
int tender_narrow(struct tender *t, const char *slot, const struct tender_taker *takers,
		  size_t n, struct err *err);

struct tender_cut {
	bool complete;       /* else what was read or mapped before may still be there */
	uint32_t files;      /* whose pages were taken back */
	uint32_t unfinished; /* calls on the host that had not returned */
};
/* to_errors: a dead mount stays at the slot; else nothing, or an empty directory. An error
 * is about what is seen there: the access is cut in any case. */
int tender_cut(struct tender *t, const char *slot, bool to_errors, struct tender_cut *ret,
	       struct err *err);
/* A mount of the start goes; what is open stays. */
int tender_unmount(struct tender *t, const char *slot, struct err *err);
/* ---- the devices of a unikernel that runs, by their names (links.c) ---- */

/* A net device falls silent: nothing comes, and what is sent vanishes, or fails
 * (to_errors). Whoever was joined is not any more. */
int tender_net_cut(struct tender *t, const char *name, bool to_errors, struct err *err);
/* One that is silent becomes one that others can be joined to, or a sinkhole. */
int tender_net_give(struct tender *t, const char *name, bool sinkhole, struct err *err);
/* The end of one that is silent, lent, for another's tender to tie; once it has, the
 * connection over which it was asked (taken over). */
int tender_net_end(struct tender *t, const char *name, int *ret_fd, struct err *err);
int tender_net_joined(struct tender *t, const char *name, int take_conn, struct err *err);

/*
 * Volumes (swap.c). From when these return no read or write reaches what was there before,
 * and nobody of ours has it open. PE_REFUSED: it is no volume, or this host does not let
 * them be exchanged; PE_NOTFOUND: it has ended; -errno: it was ended.
 */
/* Another file, borrowed, of at least the size that the guest was told. */
int tender_volume_put(struct tender *t, const char *name, int fd, struct err *err);
/* Reads zeros and takes what is written; or (to_errors) both fail. */
int tender_volume_cut(struct tender *t, const char *name, bool to_errors,
		      struct err *err);
/* The same file, for reading alone. */
int tender_volume_narrow(struct tender *t, const char *name, struct err *err);

/* All of the program. */
void tender_kill(struct tender *t);

#endif
