/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir.h - the parts of polder-caretaker-dir.
 *
 *	main-dir.c	the spec, giving up authority, the start
 *	dir.c		the root, the chain
 *	control.c	the control channel, timers, the end
 *	cut.c		taking everything back
 *	serve.c		worker threads: requests of the kernel, admission, answers
 *	filter.c	which system calls are left
 *	guard.c		names that may not be changed
 *	node.c		which files the kernel remembers, and which are open
 *	names.c		what is done to a name in a directory
 *	files.c		what is done to an open file
 *	attrs.c		what is done to a file as such
 *	list.c		directories
 *
 * and takers.h with a file for each caretaker. serve.c opens with how they work
 * together.
 *
 * Errors of everything that answers a request: 0 or a negative errno, as FUSE has it.
 */
#ifndef POLDER_CARETAKER_DIR_H
#define POLDER_CARETAKER_DIR_H

#include "caretaker/fuse-abi.h"
#include "caretaker/slots.h"
#include "caretaker/takers.h"
#include "wire/care.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#define WORKERS_MAX 12
#define MAX_PAGES 256u
#define DATA_MAX (MAX_PAGES * 4096u) /* of one read or write */
#define IN_MAX (DATA_MAX + 8192u)
#define OUT_HEAD 4096u /* before an answer's data, which so lies on a page */
#define NOBODY 65534u

/* A file that the kernel remembers: as long as it is here, fd keeps its inode number from
 * being used again, so (dev, ino) is who it is. */
struct node {
	uint64_t id;
	struct node *next;   /* of the same hash */
	struct node *parent; /* where it was looked up last; NULL: the root */
	char *name;          /* there */
	uint64_t nlookup;    /* how often the kernel was told its number */
	uint32_t pins;       /* requests, handles and children that use it */
	uint32_t handles;
	dev_t dev;
	ino_t ino;
	mode_t type;               /* S_IFMT; never changes */
	int fd;                    /* O_PATH */
	const struct guard *guard; /* it was met at such a name (guard.c) */
	bool barred; /* it came under a hidden name: nothing is done to it any more */
	bool opened; /* seen holds: as it was when it was opened last */
	struct {
		struct timespec mtime, ctime;
		off_t size;
	} seen;
	uint32_t backing, backing_uses; /* passthrough; 0: none */
};

struct handle {
	uint64_t id;
	struct node *node;
	int fd;
	bool writes;
	uint32_t pins;
	bool gone;            /* released, but still used */
	pthread_mutex_t lock; /* of a directory's position */
	int64_t position;
	_Atomic uint64_t read, written;
};

struct dir;

struct worker {
	struct dir *d;
	pthread_t thread;
	pid_t tid;       /* 0: not yet */
	uint64_t unique; /* of what it works on; 0: nothing */
	const struct chain *chain;
	bool abandoned; /* it was answered in its place */
	bool left;
	bool interrupted;
	uint8_t *in, *out;
};

struct dir {
	/* from the start on */
	struct care_spec spec;
	int fuse, proc, ctl, null;
	int wake; /* eventfd: another thread wants the end */
	dev_t dev;
	bool cross, passthrough;
	uint32_t minor; /* of the protocol, as agreed */
	struct taker_host host;
	struct guard *guards;

	/* under lock, as all of nodes, handles and workers */
	pthread_mutex_t lock;
	pthread_cond_t change; /* somebody left, or has to stop waiting */
	struct chain *chain;
	bool cut;  /* nothing is admitted */
	bool stop; /* workers leave */
	enum care_why why;
	char why_text[256];
	struct slots nodes, handles;
	struct node **buckets, *root;
	uint32_t n_buckets, n_handles, trim_hand;
	_Atomic uint32_t n_nodes, trim_at; /* also looked at without the lock */
	bool trimming;
	_Atomic bool prunes; /* prunes: the kernel does that by number */
	struct worker workers[WORKERS_MAX + 1]; /* the last: for a cut, control.c */
	uint32_t n_workers, idle;
	struct care_stats stats;

	pthread_mutex_t tell_lock; /* what goes over ctl, one message after the other */
};

/* One request. name and name2 are checked: one part of a path, not "." or "..". */
struct req {
	struct dir *d;
	struct worker *w;
	const struct fuse_in_header *h;
	const void *arg; /* its structure */
	const char *name, *name2;
	const void *data; /* what follows the structure, where that is no name */
	size_t data_len;
	struct node *node, *node2; /* node2: the other directory, the linked file */
	struct handle *handle, *handle2;
	const struct chain *chain;
	struct care_op op;
	struct care_paths paths;
	struct str was; /* of a link: the path of what is linked */
	void *out;      /* where an answer is put together, DATA_MAX bytes */
	size_t out_len;
	bool silent; /* no answer */
};

/* ---- dir.c ---- */

/* With .spec, .null and the limits set. PE_BAD, PE_REFUSED, -errno. */
int dir_init(struct dir *d, struct err *err);
/* Another thread wants the end. The first one's reason counts. */
void dir_broken(struct dir *d, enum care_why why, const char *text);

/* ---- serve.c ---- */

int serve_more(struct dir *d); /* one more worker; -errno. Under lock */
void *serve_thread(void *worker);
/* Asks the chain, and waits as long as it says. Fills what is the same for all. */
int req_before(struct req *r, enum care_act act);
/* Tells the chain; returns error. error: negative. */
int req_after(struct req *r, int error);
/* One request of that many bytes, in w->in. */
void serve_one(struct worker *w, size_t len);

/* ---- node.c; under lock unless it says otherwise ---- */

struct node *node_of(struct dir *d, uint64_t id);
/* The node of what fd (O_PATH, taken) is; counts one lookup. NULL: no memory. */
struct node *node_enter(struct dir *d, int take_fd, const struct stat *st,
			struct node *parent, const char *name);
/* If it is there: counts a lookup, and moves it to that name. */
struct node *node_again(struct dir *d, const struct stat *st, struct node *parent,
			const char *name);
void node_renamed(struct dir *d, struct node *node, struct node *parent,
		  const char *name);
void node_forget(struct dir *d, uint64_t id, uint64_t n);
void node_pin(struct node *node);
void node_unpin(struct dir *d, struct node *node);
/* "/a/b" */
void node_path(const struct dir *d, const struct node *node, const char *name,
	       struct str *out);
/* Bars what lies under a name that is hidden now. How many there are. */
uint32_t node_bar_hidden(struct dir *d);
int node_root(struct dir *d, int take_fd, const struct stat *st, struct err *err);
struct handle *handle_of(struct dir *d, uint64_t id);
struct handle *handle_new(struct dir *d, struct node *node, int take_fd, bool writes);
/* A descriptor that is to be closed, later; -1: it is still used. */
int handle_unpin(struct dir *d, struct handle *h);

/* Of a file that is known; NULL: it is not. */
struct node *node_met(const struct dir *d, const struct stat *st);

/* ---- guard.c; under lock unless it says otherwise ---- */

/* Once the root is there. -errno. */
int guard_begin(struct dir *d, const struct care_spec *s);
/* node was found in parent by that name. */
void guard_met(const struct dir *d, struct node *node, const struct node *parent,
	       const char *name);
/* Whether node and node2 (or NULL) may be used, or changed, and a name (or NULL) be made in
 * node. 0 or -errno. */
int guard_admits(const struct dir *d, const struct node *node, const struct node *node2,
		 const char *name, bool changes);
/* Whether a name may be removed or replaced. Takes the lock. 0 or -errno. */
int guard_leaves(struct dir *d, const struct node *dir, const char *name);

/* ---- filter.c ---- */

/* For the rest of this process, before there is a second thread. -errno. */
int filter_install(bool passthrough);

/* ---- the operations ---- */

int do_lookup(struct req *r);
int do_mknod(struct req *r);
int do_mkdir(struct req *r);
int do_symlink(struct req *r);
int do_link(struct req *r);
int do_unlink(struct req *r);
int do_rmdir(struct req *r);
int do_rename(struct req *r);
int do_rename2(struct req *r);
int do_create(struct req *r);

int do_open(struct req *r);
int do_read(struct req *r);
int do_write(struct req *r);
int do_flush(struct req *r);
int do_fsync(struct req *r);
int do_release(struct req *r);
int do_fallocate(struct req *r);
int do_lseek(struct req *r);
int do_copy_file_range(struct req *r);

int do_getattr(struct req *r);
int do_setattr(struct req *r);
int do_readlink(struct req *r);
int do_statfs(struct req *r);
int do_setxattr(struct req *r);
int do_getxattr(struct req *r);
int do_listxattr(struct req *r);
int do_removexattr(struct req *r);

int do_opendir(struct req *r);
int do_readdir(struct req *r);
int do_readdirplus(struct req *r);

/* ---- what they share ---- */

/* names.c: finds a name of a directory, and counts the lookup. out->nodeid 0: it is not to
 * be told (-errno). */
int names_find(struct dir *d, const struct chain *chain, struct node *dir,
	       const char *name, struct fuse_entry_out *out);
void entry_fill(const struct dir *d, const struct node *node, const struct stat *st,
		struct fuse_entry_out *out);
/* attrs.c */
void attr_fill(const struct dir *d, const struct stat *st, struct fuse_attr *out);
bool mode_allowed(mode_t asked, mode_t had);
/* files.c: opens a node's file once more. Never waits for anybody. -errno. */
int node_open(const struct dir *d, const struct node *node, int flags);
int open_flags(uint32_t asked);
/* Makes the handle and fills the answer. take_fd is open. */
int file_opened(struct req *r, struct node *node, int take_fd, uint32_t flags,
		const struct stat *st, struct fuse_open_out *out);
/* node.c: "/proc/self/fd/N" of an O_PATH descriptor. */
#define FD_PATH_MAX 32
void fd_path(int fd, char path[FD_PATH_MAX]);
void fd_name(int fd, char name[FD_PATH_MAX]); /* beneath d->proc */

/* ---- control.c, cut.c ---- */

struct cut_result {
	bool complete;
	uint32_t invalidated, unfinished;
};

/* Returns when nothing of the grant can be used any more. */
void cut_all(struct dir *d, struct cut_result *ret);
/* Drops the kernel's pages of a node. */
int cut_pages(struct dir *d, uint64_t id);
/* Waits, at most that long, until every request admitted under another chain than the
 * present one has ended. How many have not. */
uint32_t cut_drain(struct dir *d, bool all, unsigned ms);
/* Has the kernel forget some of what nobody uses; at most one at a time. Under lock. */
void trim_start(struct dir *d);

int control_run(struct dir *d); /* to the end; the exit status */
void control_tell(void *dir, const struct care_logged *what);
void control_ready(struct dir *d);

#endif
