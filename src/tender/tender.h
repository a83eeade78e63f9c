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

struct unikernel; /* server/unikernel.h */

/* A server that others may open. */
struct tender_expose {
	const char *name, *path;
	bool is_socket;
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
	void *userdata;
	const struct tender_expose *exposes;
	size_t n_exposes;
	const char *cgroup_name; /* as recorded before */
	bool exits;              /* the process ends next: what is its own is not freed */
	bool ret_timed_out;      /* set: it was killed by its time limit */

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

#endif
