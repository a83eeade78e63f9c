/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of src/tender alone. */
#ifndef POLDER_TENDER_INTERNAL_H
#define POLDER_TENDER_INTERNAL_H

#include "loop/loop.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"
#include "tender/tender.h"
#include "wire/ctl.h"

#include <signal.h>
#include <spawn.h>
#include <sys/user.h>
#include <termios.h>

/*
 * The life of an environment, as its tender sees it:
 *
 *	STARTING ──► RUNNING ◄──► PAUSED
 *	   │            │            │
 *	   └──► ENDED ◄─┴────────────┘
 *
 * Requests that need a program are refused in STARTING and ENDED.
 */
enum tender_state { TENDER_STARTING, TENDER_RUNNING, TENDER_PAUSED, TENDER_ENDED };

#define BUF_BYTES 16384u
#define SHADOWS 32

/* Bytes on their way; [from, to) of buf, which has BUF_BYTES, are filled. */
struct pipe_buf {
	size_t from, to;
	char *buf;
};

struct care; /* care.c */
struct care_logged;
struct console; /* console.c */
struct control; /* control.c */
struct link;    /* links.c */
struct unikernel_net;
struct tender;

/*
 * What one kind of program brings; everything else is the core's. start adds what it
 * listens to to the loop; nothing of the program runs before release. It tells the core
 * what happens by the four calls below. The status of .child(t) is left unreaped until
 * fini, which kills what is left.
 *
 * ask_namespaces NULL: nothing can be entered or opened inside, and no_inside says why.
 */
struct tender_ops {
	int (*start)(struct tender *t, const struct sandbox_io *io, struct err *err);
	int (*release)(struct tender *t, struct err *err);
	/* To the program; group: to its process group. */
	int (*signal)(struct tender *t, int sig, bool group);
	/* Everything that it is made of; it cannot evade it. */
	int (*pause)(struct tender *t, bool stop);
	void (*kill)(struct tender *t);
	void (*fini)(struct tender *t);
	pid_t (*child)(const struct tender *t);
	void (*child_event)(
		struct tender *t); /* SIGCHLD; NULL: its watchers are reaped */
	/* Links to a net device, by its name; NULL: it has none. The descriptor is lent. */
	int (*join)(struct tender *t, const char *name, int *ret_fd, struct err *err);
	int (*tie)(struct tender *t, const char *name, int end, struct err *err);
	void (*unjoin)(struct tender *t, const char *name, bool alive);
	bool plain_console; /* it can do nothing to a terminal but write, and reads nothing */
	const char *no_inside;
	int (*ask_namespaces)(struct tender *t); /* answered by control_namespaces */
	int (*exec)(const struct sandbox_exec *x, pid_t *ret_watcher, struct err *err);
	int (*open_inside)(const int *nsfds, const char *path, int *ret_mountfd,
			   struct err *err);
};
extern const struct tender_ops tender_linux;     /* linux.c */
extern const struct tender_ops tender_unikernel; /* unikernel.c */

/* The state of linux.c. */
struct tender_linux {
	struct sandbox sb;
	struct sandbox_io io; /* the console's descriptors */
	struct source chan, refresh;
	int shadows[SHADOWS]; /* of read-only directories: see sandbox_refresh */
	size_t n_shadows;
	bool has_terminal; /* the console has the master of one */
};

/* The state of unikernel.c. */
struct tender_unikernel {
	pid_t pid; /* 0: none, or reaped */
	int spec_fd, alive_fd;
	struct source report;
	bool report_is_socket;
	bool traced;
	struct source swap; /* the listener of its filter; see swap.c */
	uint64_t swap_at;   /* of a system call instruction in it */
	struct link *links; /* for each net device */
	size_t n_links;
};

/* ---- unikernel.c, for swap.c ---- */

/* What its wait status said: a stop, which it goes on from; the end. */
void unikernel_stop(struct tender *t, int status);
void unikernel_ended(struct tender *t, int status);
void unikernel_note(struct tender *t, const char *text);

/* ---- swap.c ---- */

/* A child that is stopped by us for a moment. */
struct unikernel_held {
	struct user_regs_struct regs;
	bool paused;      /* by SIGSTOP, before */
	uint64_t signals; /* that came meanwhile: bit n - 1 */
};
/* -ESRCH: it is not traced, or has ended; -ETIMEDOUT: it goes on. */
int unikernel_hold(struct tender *t, struct unikernel_held *ret);
int unikernel_go_on(struct tender *t, const struct unikernel_held *h);

/* What the child has sent for its volumes to be exchanged; consumed. */
int swap_open(struct tender *t, int take_fd, uint64_t at);

/* ---- links.c ---- */
int links_watch(struct tender *t, struct err *err);
int links_join(struct tender *t, const char *name, int *ret_fd, struct err *err);
int links_tie(struct tender *t, const char *name, int end, struct err *err);
void links_unjoin(struct tender *t, const char *name, bool alive);
struct unikernel_net *links_find(struct tender *t, const char *name);
int links_point_away(struct tender *t, struct unikernel_net *n, struct err *err);
void links_close(struct tender *t);

/* What stopped an spt guest (fault.c). */
struct fault {
	int sig;
	siginfo_t info;
	struct user_regs_struct regs;
	char text[256], detail[640];
};
/* pid is in a ptrace stop. False: nothing can be read of it. */
bool fault_read(struct fault *ret, pid_t pid, int sig);
/* A core file for a debugger: registers, and memory below end (bytes). */
void core_write(int fd, pid_t pid, const struct fault *f, uint64_t end);

struct tender {
	struct tender_job *job;
	const struct tender_ops *ops;
	struct loop loop;
	struct tender_linux linux_;
	struct tender_unikernel unikernel;
	struct source signals, deadline, stop_timer;
	enum tender_state state;
	int status; /* a wait status, in ENDED */
	int fail_code;
	struct err fail;
	bool ready;
	bool entered; /* somebody was let in beside what init knows of */
	bool going;   /* what is left of it is being taken down by the kernel */
	bool hurry;   /* in ENDED: nobody wants to wait for what is still to be written */
	struct console *console;
	struct control *control;
	struct care *cares;
	struct cgroup cgroup;
};

/* ---- spawn.c ---- */

/* A program of Polder's, with --spec and no environment. take_fa: what it inherits; destroyed
 * in any case. *ret_pid is 0 after an error. */
int part_spawn(const struct tender *t, const char *name, int spec_fd,
	       posix_spawn_file_actions_t *take_fa, pid_t *ret_pid, struct err *err);

/* ---- care.c ---- */

/* A child of ours has ended. */
void care_child(struct tender *t, pid_t pid);
void care_close(struct tender *t);

/* ---- audit.c ---- */
void audit_write(struct tender *t, const char *slot, const char *rule,
		 const struct care_logged *l);

/* ---- tender.c ---- */
void tender_stop(struct tender *t, int sig, uint64_t timeout_ms);
int tender_pause(struct tender *t, bool stop);
/* Told by the ops: it runs; it will not run (code: 125, 126 or 127); it stopped itself;
 * it is over, with a wait status. */
void tender_started(struct tender *t);
void tender_failed(struct tender *t, int code, const char *text);
void tender_program_stopped(struct tender *t);
void tender_ended(struct tender *t, int status);

/* ---- console.c ---- */

/* Decides what 0, 1, 2 are for the program. */
int console_open(struct tender *t, struct sandbox_io *ret_io, struct err *err);
/* The pty's master is here. take_fd: consumed. */
void console_master(struct tender *t, int take_fd);
/* A client's stream; consumed. */
int console_attach(struct tender *t, int take_fd, uint16_t rows, uint16_t cols);
void console_winsize(struct tender *t, uint16_t rows, uint16_t cols);
/* The person's own terminal: its new size; its modes for us or for the shell. */
void console_resized(struct tender *t);
void console_suspend(struct tender *t, bool suspend);
/* A line of the tender's own into the log, if there is one. */
void console_note(struct tender *t, const char *text);
/* Brings out what is still in the pty, restores the terminal. The loop runs meanwhile. */
void console_close(struct tender *t);

/* ---- control.c ---- */
int control_open(struct tender *t, int dirfd, struct err *err);
void control_started(struct tender *t); /* answers CTL_READY */
void control_ended(struct tender *t);   /* answers everybody who waits */
void control_namespaces(struct tender *t, const int *nsfds); /* consumed */
/* Those that are known, or NULL: in the order of ns_names. */
const int *control_nsfds(const struct tender *t);
/* Asks for them and waits, while it starts. */
int control_await_namespaces(struct tender *t, struct err *err);
void control_child(struct tender *t, pid_t pid, int status);
/* Whoever is joined to that net device no longer is. */
void control_unjoin(struct tender *t, const char *name);
void control_unlist(struct tender *t); /* nobody finds it any more */
void control_close(struct tender *t);

#endif
