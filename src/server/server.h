/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.h - from bindings that the graph has decided to a spec that a tender enforces.
 *
 * One file per interface knows its own, parent, null and fake for a Linux program, and
 * adds what it takes to the spec. Nothing is started here, and nothing on the host is
 * changed but what a grant asks for by its nature (a missing `-w` path is made by the
 * command line before).
 *
 * Errors: PE_USAGE, PE_NOTFOUND, PE_REFUSED with the sentence for the person.
 */
#ifndef POLDER_SERVER_SERVER_H
#define POLDER_SERVER_SERVER_H

#include "base/err.h"
#include "graph/graph.h"
#include "state/places.h"
#include "wire/spec.h"

#include <sys/types.h>

/* Who asks, and from where. All borrowed. */
struct server_ctx {
	uid_t uid;
	gid_t gid;
	const char *cwd, *home, *user;
	char *const *environ_;
	const struct places *places;
	const char *programs; /* the directory of Polder's own programs */
	const char *
		own_dirs; /* where a kept environment's own directories live; NULL: in memory */
	uint32_t uid_base; /* for an environment started by root */
	bool accept_weaker;
	bool terminal;     /* TERM and the like are passed on */
	int rundir;        /* the run directory; looked at only with ret_skeleton */
	int *ret_skeleton; /* a descriptor that keeps a finished /etc, to be closed when
			    * the environment has ended; -1: none. NULL: not wanted */
	/* Opens a server that another environment exposes: a detached mount. */
	int (*open_server)(void *userdata, const struct binding *b, int *ret_mountfd,
			   bool *ret_is_file, struct err *err);
	/* The far end of another unikernel's net device, and the connection over which
	 * it was asked for: it is joined until that closes. */
	int (*join)(void *userdata, const struct binding *b, int *ret_fd, int *ret_conn,
		    struct err *err);
	/* The same for an end that is in a guest already. */
	int (*tie)(void *userdata, const struct binding *b, int end, int *ret_conn,
		   struct err *err);
	void *userdata;
};

/*
 * Everything: root, ids, variables, every binding; in two steps. The first is quick: ids
 * and flags are final then, and where the root is the default one, so are the mounts that
 * every such root has (none of them granted), with which the second goes on. ret starts
 * as SPEC_INIT, with its id.
 */
int server_plan_begin(struct spec *ret, const struct genv *e, const struct server_ctx *cx,
		      struct err *err);
int server_plan_rest(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		     struct err *err);

/* What b grants, of the host: an O_PATH descriptor. fd: of b's path, borrowed, where somebody
 * else has opened that; -1: opened here. subdir= is taken beneath it, through no link.
 * PE_NOTFOUND: it is not there. */
int server_open_served(const struct binding *b, int fd, int *ret_fd, struct err *err);
/*
 * A directory or file of the host that a caretaker serves, at b: fd is open (O_PATH), and
 * what is protected inside of it is added to s as mounts on themselves (BIND) and covers
 * (MASK), by their targets. PE_USAGE, PE_REFUSED: it cannot be granted so.
 */
int server_guard_served(struct spec *s, const struct genv *e, const struct binding *b,
			const struct server_ctx *cx, int fd, struct err *err);

/* The maps of identity=own,root alone; cx: uid, gid, user, uid_base. */
int server_root_identity(struct spec *s, const struct server_ctx *cx, struct err *err);

/* The user numbers that an environment started by root runs under: 65536 from here. */
#define SERVER_UID_BASE 0x70000000u
#define SERVER_UID_SLOTS 4096u

#endif
