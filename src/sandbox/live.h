/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live.h - mounts in an environment that runs.
 *
 * Each call forks a child that joins the environment's user and mount namespace (not its
 * pid namespace: nobody inside sees it), does one thing and ends. The caller waits for it a
 * few seconds at most; one that does not answer, because a file system inside does not, is
 * killed and reaped by whoever reaps the caller's children.
 *
 * A file system that is served from outside takes two steps, since its server must have
 * answered before it is shown: live_open makes the mount and gives the server's
 * descriptor; once the server serves, live_attach puts it at its place.
 *
 * Places are looked up without following symbolic links. A place that is missing is made
 * where the file system is the environment's own, never on the host.
 *
 * Errors: PE_REFUSED and PE_USAGE with a sentence; -ETIMEDOUT; -errno.
 */
#ifndef POLDER_SANDBOX_LIVE_H
#define POLDER_SANDBOX_LIVE_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* The environment: borrowed for each call. */
struct live_env {
	const int *nsfds;  /* as sandbox_next_event gives them */
	uint32_t flags;    /* of its spec */
	uint32_t uid, gid; /* of its program, inside */
};

/* What lies below the place and is protected there. */
struct live_cover {
	const char *path; /* a clean path inside; skipped where there is nothing */
	bool mask; /* an empty one is put in its place; else it is mounted on itself, */
	bool read_only; /* and only read */
};

struct live_mount {
	const char *path; /* a clean path inside */
	bool is_file, read_only;
	const struct live_cover *covers;
	size_t n_covers;
};

struct live_door {
	pid_t pid;
	int chan;
};
#define LIVE_DOOR_INIT ((struct live_door){ .chan = -1 })

/* *ret_fuse: /dev/fuse, for the server alone; the caller's. */
int live_open(const struct live_env *e, const struct live_mount *m, struct live_door *ret,
	      int *ret_fuse, struct err *err);
/* *ret_mount: its id, for live_detach. Ends d in any case. */
int live_attach(struct live_door *d, uint64_t *ret_mount, struct err *err);
/* Gives it up; nothing was shown. */
void live_close(struct live_door *d);

/*
 * Takes the mount away, if it is still what is at that path, with all that is mounted below
 * it. Where the host's files would come to light, an empty directory or file is put in its
 * place. Zero also where there was nothing to take away any more.
 */
int live_detach(const struct live_env *e, const char *path, uint64_t mount,
		struct err *err);

/* The root of a mount whose id nobody has noted; ino 0: not known either. */
struct live_root {
	uint64_t dev, ino;
};
/* The same for a mount that was there from the start. PE_REFUSED: it is not at that path,
 * since the program has moved a directory above it. */
int live_unmount(const struct live_env *e, const char *path, struct live_root was,
		 struct err *err);

#endif
