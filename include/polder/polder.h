/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file polder.h
 * libpolder: run programs in least-authority environments, from C.
 *
 * An *environment* is one isolated system: a program and its *slots*. A slot is bound to
 * a *server*, directly or through *caretakers*; what is not bound is not there. The
 * words are those of polder(1), and so is the grammar of a binding:
 *
 *	[INTERFACE:]SLOT=SOURCE[,OPTION=...][,CARETAKER[=ARG]...]
 *
 * What a program can do with this library it can do with polder(1), and the two see the
 * same environments: there is no daemon between them, and none is needed.
 *
 * @par Order of calls
 * polder_new(), then any of the others, then polder_free(). To make an environment:
 * polder_env_new(), the polder_env_ functions that say what it is to hold, optionally
 * polder_check_env(), then polder_start(), then polder_env_free(), which takes nothing
 * back from what runs.
 *
 * @par Names
 * Where a function takes @c word, that is a name, COMPOSITION.NAME, or an id or its first
 * four or more digits. Who keeps an environment by its id is never misled by a name that
 * was given up and taken by somebody else.
 *
 * @par Results
 * Every function that can fail returns an int: 0 is success; a positive number is one of
 * enum polder_result; a negative number is -errno. polder_error() has the sentence for a
 * person. Outputs (ret_...) are untouched unless 0 is returned.
 *
 * @par Ownership
 * What comes out through a pointer to a pointer is the caller's, and has a function of
 * its own that frees it (which takes NULL). Text and structs inside such an object live
 * as long as it does. What is passed in is copied before the call returns. Descriptors
 * that are passed in are borrowed; those that come out are the caller's, close-on-exec.
 *
 * @par Threads and processes
 * The library has no state of its own: no globals, no threads, no signal handlers; it
 * prints nothing and never exits. A struct polder and what was made from it belong to
 * one thread at a time; several threads have one each. Calls that wait do so in their
 * own thread alone. polder_start() and polder_start_again() run the program polder(1),
 * by posix_spawn, so that they are safe in a program with threads; the environment's
 * supervisor is that program's child and no part of the caller. The caller gets one
 * SIGCHLD for each, already waited for. A check against this host and polder_show() of
 * something stopped try out what the kernel can, in a short-lived child of their own.
 * A handle does not cross a fork(): the child calls polder_new().
 *
 * @par What is read from the caller's process
 * The working directory; HOME, PATH, XDG_RUNTIME_DIR, XDG_DATA_HOME, XDG_CONFIG_HOME and
 * POLDER_RUNTIME_DIR, POLDER_DATA_DIR, POLDER_CONFIG_DIR, which say where Polder keeps
 * things; the variables that an environment is to be passed. A set-user-id program must
 * not use the library.
 *
 * @par Units
 * Times are milliseconds; a timeout of -1 is none. Points in time are seconds since 1970.
 * Lines and columns count from 1; 0 is "not known".
 *
 * @par Versions
 * The library's number is POLDER_VERSION_MAJOR.MINOR. Within one major number, programs
 * built for an earlier minor one go on working: functions are added and never changed;
 * structs that the library hands out may grow at their end, and are never made, copied
 * or put into arrays by the caller. Enumerations may get new members.
 */
#ifndef POLDER_POLDER_H
#define POLDER_POLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define POLDER_API __attribute__((visibility("default")))
#define POLDER_CHECKED __attribute__((visibility("default"), warn_unused_result))
#else
#define POLDER_API
#define POLDER_CHECKED
#endif

/** The interface that this header describes. */
#define POLDER_VERSION_MAJOR 0
#define POLDER_VERSION_MINOR 1

/** "MAJOR.MINOR.PATCH" of the library that is linked. */
POLDER_API const char *polder_version(void);

/** What a call can come to, besides 0 and -errno. */
enum polder_result {
	POLDER_OK = 0,
	POLDER_USAGE = 1,    /**< the words that were passed are wrong */
	POLDER_NOTFOUND = 2, /**< no such environment, program, file */
	POLDER_BUSY = 3,     /**< it is running, or not there yet: try later */
	POLDER_REFUSED = 4,  /**< policy, or what this kernel can do, forbids it */
	POLDER_BAD = 5,      /**< hostile or damaged input */
	POLDER_EXISTS = 6    /**< the name is taken */
};

/* ---- the handle ---- */

/** One thread's access to Polder. */
struct polder;

/**
 * Makes a handle. Nothing is opened or made on disk before a call needs it.
 * @return the handle, or NULL if memory ran out.
 */
POLDER_API struct polder *polder_new(void);

/** Frees a handle, after everything that was made from it. NULL is fine. */
POLDER_API void polder_free(struct polder *p);

/**
 * The sentence for the last call on this handle that failed; "" before the first one.
 * It may hold any bytes of what was passed in, control characters too. Valid until the
 * next call on the handle.
 */
POLDER_API const char *polder_error(const struct polder *p);

/**
 * What the calls on this handle found damaged and repaired, for a person: sentences, one a
 * line; "" if there are none. Each is told once. Valid until the next call on the handle.
 */
POLDER_API const char *polder_notes(struct polder *p);

/**
 * Which polder(1) starts environments: an absolute path. Without it: the one beside the
 * library (DIR/polder, DIR/../bin/polder, DIR/../../bin/polder), else that of PATH.
 * @retval POLDER_USAGE the path is not absolute.
 */
POLDER_CHECKED int polder_set_program(struct polder *p, const char *path);

/* ---- checking ---- */

/** One finding of a check. */
struct polder_diag {
	const char *file; /**< as it was passed; NULL: not from a file */
	unsigned line, column;
	bool warning;     /**< else an error */
	const char *text; /**< what is wrong, and why */
	const char *hint; /**< what to do; NULL if nothing is known */
};

/** Everything that a check found. */
struct polder_report;

/** Flags of the checks and of polder_start(). */
enum polder_flag {
	/** What can only be enforced more weakly than asked is a warning, not an error. */
	POLDER_ACCEPT_WEAKER = 1,
	/** Check for a host that can do everything, instead of this one. */
	POLDER_ANY_HOST = 2,
	/** The environment stays when it has ended, until polder_remove(). It needs a name. */
	POLDER_KEEP = 4
};

/**
 * Checks a manifest: all of its mistakes are found, and nothing is started.
 * @param path  the file; paths in it that begin with ./ start at its directory.
 * @param flags POLDER_ACCEPT_WEAKER, POLDER_ANY_HOST.
 * @retval 0 *ret_report is made, whether or not something was found in it.
 * @retval POLDER_USAGE the file is too large, or no text.
 */
POLDER_CHECKED int polder_check_file(struct polder *p, const char *path, unsigned flags,
				     struct polder_report **ret_report);

/**
 * The same for text in memory.
 * @param name what diagnostics call it.
 * @param dir  where ./ starts; NULL: the working directory.
 */
POLDER_CHECKED int polder_check_text(struct polder *p, const char *name, const char *text,
				     size_t len, const char *dir, unsigned flags,
				     struct polder_report **ret_report);

/**
 * Checks a list of bindings as one environment would hold them. Each finding's line is
 * the place of its binding in the list, from 1; its file is NULL.
 * @param bindings NULL-terminated.
 */
POLDER_CHECKED int polder_check_bindings(struct polder *p, const char *const *bindings,
					 unsigned flags,
					 struct polder_report **ret_report);

/** How many findings are errors: 0 means that it can be started. */
POLDER_API size_t polder_report_errors(const struct polder_report *r);
/** How many findings there are: the first ten thousand. */
POLDER_API size_t polder_report_count(const struct polder_report *r);
/** One of them, in order of file, line and column; NULL if at is too high. */
POLDER_API const struct polder_diag *polder_report_diag(const struct polder_report *r,
							size_t at);
/** All of it for a person: with the lines, carets and hints. */
POLDER_API const char *polder_report_text(const struct polder_report *r);
POLDER_API void polder_report_free(struct polder_report *r);

/* ---- looking ---- */

enum polder_state {
	POLDER_STATE_CREATED,  /**< its first start is under way */
	POLDER_STATE_STARTING, /**< a later one is */
	POLDER_STATE_RUNNING,
	POLDER_STATE_PAUSED,
	POLDER_STATE_STOPPED
};

/** "created", "starting", "running", "paused", "stopped"; "" for no state. */
POLDER_API const char *polder_state_name(enum polder_state state);

/** An environment at one moment, as polder ps shows it. */
struct polder_info {
	const char *id;          /**< 32 hexadecimal digits, never used again */
	const char *name;        /**< "" if it has none */
	const char *composition; /**< "" if it belongs to none */
	uint64_t generation;     /**< how often it was started */
	enum polder_state state;
	bool kept;
	bool died;           /**< stopped, and its supervisor was killed */
	int exit_code;       /**< of a stopped one, 128 + n for signal n; else -1 */
	const char *kind;    /**< "linux" */
	const char *console; /**< the source of its console: "own", "parent", ... */
	const char *command; /**< the beginning of its command line */
	int64_t supervisor;  /**< a process id, for people; 0: none */
	int64_t started;     /**< seconds since 1970; 0: never */
};

/** Several environments. */
struct polder_list;

/** All there are, in the order of their making; what died is cleared up first. */
POLDER_CHECKED int polder_list(struct polder *p, struct polder_list **ret_list);
POLDER_API size_t polder_list_count(const struct polder_list *l);
/** NULL if at is too high. */
POLDER_API const struct polder_info *polder_list_info(const struct polder_list *l,
						      size_t at);
POLDER_API void polder_list_free(struct polder_list *l);

/** A slot: what was asked beside what is enforced. */
struct polder_slot {
	const char *slot;       /**< "/data", "net", ... */
	const char *interface_; /**< "dir", "net", ... */
	const char *asked;      /**< the binding, as one would write it */
	const char *enforced;   /**< how, in a few words */
	/** What revoking would leave: "complete" (nothing), "new-uses" (what is open stays),
	 * "restart" (it takes one), "impossible". */
	const char *cut;
	bool implied; /**< a default that nobody asked for */
	bool weaker;  /**< enforced more weakly than asked, and that was accepted */
};

/** One environment with its slots. */
struct polder_view;

/** @retval POLDER_NOTFOUND there is none. @retval POLDER_USAGE word fits several. */
POLDER_CHECKED int polder_show(struct polder *p, const char *word,
			       struct polder_view **ret_view);
POLDER_API const struct polder_info *polder_view_info(const struct polder_view *v);
POLDER_API size_t polder_view_count(const struct polder_view *v);
/** NULL if at is too high. */
POLDER_API const struct polder_slot *polder_view_slot(const struct polder_view *v,
						      size_t at);
POLDER_API void polder_view_free(struct polder_view *v);

/* ---- making ---- */

/** What an environment is to be, before it is started. */
struct polder_env;

/**
 * Begins a description. It belongs to the handle and must be freed before it.
 * @param name [a-z][a-z0-9-]*, at most 63 bytes; NULL: none.
 */
POLDER_CHECKED int polder_env_new(struct polder *p, const char *name,
				  struct polder_env **ret_env);
POLDER_API void polder_env_free(struct polder_env *e);

/** The program and its arguments, NULL-terminated. A second call replaces the first. */
POLDER_CHECKED int polder_env_program(struct polder_env *e, const char *const *argv);

/**
 * A variable besides the clean set that every program gets.
 * @param value NULL: the value that the caller of polder_start() has.
 */
POLDER_CHECKED int polder_env_variable(struct polder_env *e, const char *name,
				       const char *value);

/**
 * One binding. Host paths that begin with ./ ../ ~/ start at the working directory and
 * at HOME.
 * @retval POLDER_EXISTS the slot is bound already.
 */
POLDER_CHECKED int polder_env_bind(struct polder_env *e, const char *binding);

/**
 * A host file or directory at the same path inside: polder run's -r and -w. With write,
 * what is missing is made: "DIR/" as a directory, else a file.
 */
POLDER_CHECKED int polder_env_grant(struct polder_env *e, const char *path, bool write);

/**
 * A limit: "mem" ("256M"), "cpu" ("150%" of one), "pids" ("64"), "time" ("10s").
 * The start is refused where it cannot be enforced.
 */
POLDER_CHECKED int polder_env_limit(struct polder_env *e, const char *what,
				    const char *value);

/** A directory of the host as its root, instead of the host's programs. */
POLDER_CHECKED int polder_env_root(struct polder_env *e, const char *dir);

/** Where its program begins: an absolute path inside. Default: the caller's path. */
POLDER_CHECKED int polder_env_chdir(struct polder_env *e, const char *dir);

/**
 * Exposes a server of its own, for others to bind as env:NAME/SERVER.
 * @param interface_ "dir" or "socket".  @param path absolute, inside.
 */
POLDER_CHECKED int polder_env_expose(struct polder_env *e, const char *interface_,
				     const char *server, const char *path);

/**
 * When polder_await_ready() is to return: the path appears inside; NULL: the program
 * says so on the socket that NOTIFY_SOCKET names (sd_notify(3)). Default: at once.
 * @param timeout_ms 0: 30 seconds.
 */
POLDER_CHECKED int polder_env_readiness(struct polder_env *e, const char *path,
					unsigned timeout_ms);

/**
 * The program's standard input, output and error (console=parent). Without this call it
 * has a console of its own: polder_log() reads it, polder_attach() talks to it.
 * They are borrowed until polder_start() has returned. polder_start_again() gives it a
 * console of its own.
 * @retval POLDER_USAGE a directory, or a terminal: a terminal is never shared.
 */
POLDER_CHECKED int polder_env_streams(struct polder_env *e, int in, int out, int err);

/** Checks it as polder_start() will; flags as polder_check_file(). */
POLDER_CHECKED int polder_check_env(struct polder_env *e, unsigned flags,
				    struct polder_report **ret_report);

/** Room for an id with its NUL. */
#define POLDER_ID_SIZE 33

/**
 * Starts it in the background and returns once its program runs. A name that a stopped,
 * kept environment has is started again, as it is described now. The same description
 * may be started again if it has no name.
 * @param flags  POLDER_KEEP, POLDER_ACCEPT_WEAKER.
 * @param ret_id its id; may be NULL.
 * @retval POLDER_USAGE no program, or POLDER_KEEP without a name.
 * @retval POLDER_REFUSED the check failed, or the kernel refused: the sentence says why.
 * @retval POLDER_NOTFOUND the program is not there inside, or there is no polder(1).
 * @retval POLDER_BUSY the name is that of one that runs.
 */
POLDER_CHECKED int polder_start(struct polder_env *e, unsigned flags,
				char ret_id[POLDER_ID_SIZE]);

/** Something that runs and whose end the caller wants to be told. */
struct polder_child;

/**
 * Starts it as polder_start() does, and tells how it ends: what polder run is in the
 * foreground, except that the caller does not wait. Use this to run a program for its
 * output or its exit code.
 * @param ret_id    may be NULL.
 * @param ret_child for polder_child_wait(); polder_child_free() of it does not end the
 *                  environment.
 */
POLDER_CHECKED int polder_run(struct polder_env *e, unsigned flags,
			      char ret_id[POLDER_ID_SIZE],
			      struct polder_child **ret_child);

/** A descriptor, still the child's, that can be read from (poll(2)) when it has ended. */
POLDER_API int polder_child_fd(const struct polder_child *c);

/**
 * Waits for its end; may be asked again after that.
 * @param ret_exit_code the program's, 128 + n for signal n; may be NULL. Of a program that
 *        was entered also 126, it could not be run, and 127, it was not found.
 * @retval POLDER_BUSY the time is over.
 * @retval POLDER_REFUSED the environment refused what was to be entered, or the supervisor
 *         was killed.
 */
POLDER_CHECKED int polder_child_wait(struct polder_child *c, int timeout_ms,
				     int *ret_exit_code);

/**
 * Frees it, before its handle. A program of polder_enter() that has not ended is killed.
 * NULL is fine.
 */
POLDER_API void polder_child_free(struct polder_child *c);

/* ---- changing ---- */

/** Starts a stopped, kept one as it was asked for. @retval POLDER_BUSY it runs. */
POLDER_CHECKED int polder_start_again(struct polder *p, const char *word);

/**
 * Waits until it is ready (polder_env_readiness()).
 * @retval POLDER_BUSY the time is over. @retval POLDER_REFUSED it never will be.
 */
POLDER_CHECKED int polder_await_ready(struct polder *p, const char *word, int timeout_ms);

/**
 * Waits for its end.
 * @param ret_exit_code the program's, 128 + n for signal n; may be NULL.
 * @retval POLDER_BUSY the time is over.
 * @retval POLDER_NOTFOUND there is none: one that is not kept is gone once it has ended.
 *         Who must not miss the exit code uses polder_run(), or keeps it.
 */
POLDER_CHECKED int polder_wait(struct polder *p, const char *word, int timeout_ms,
			       int *ret_exit_code);

/**
 * Ends it: sends a signal to its program, and kills all of it when the time is over.
 * Returns when it has ended. One that is stopped already is a success.
 * @param sig 0: SIGTERM.  @param timeout_ms -1: 10 seconds.
 */
POLDER_CHECKED int polder_stop(struct polder *p, const char *word, int sig,
			       int timeout_ms);

/** Stops all its processes where they are. @retval POLDER_REFUSED it does not run. */
POLDER_CHECKED int polder_pause(struct polder *p, const char *word);
/** Lets them go on. @retval POLDER_REFUSED it is not paused. */
POLDER_CHECKED int polder_resume(struct polder *p, const char *word);

/**
 * Forgets a stopped one, and what it owns.
 * @param force one that runs is killed first.
 * @retval POLDER_BUSY it is not stopped.
 */
POLDER_CHECKED int polder_remove(struct polder *p, const char *word, bool force);

/* ---- entering, and its console ---- */

/**
 * Runs one more program inside, under the same walls, with the same clean set of
 * variables. Returns when it has been asked for; polder_child_wait() tells how it went.
 * @param argv    NULL-terminated.
 * @param vars    NULL-terminated VAR=VALUE, added to the clean set; may be NULL.
 * @param dir     where it begins, inside; NULL: where the environment's program began.
 * @param streams three descriptors, borrowed until the call returns.
 * @retval POLDER_USAGE one of them is a directory, or a terminal.
 */
POLDER_CHECKED int polder_enter(struct polder *p, const char *word,
				const char *const *argv, const char *const *vars,
				const char *dir, const int streams[3],
				struct polder_child **ret_child);

/**
 * The log of its own console, to read from the beginning. It is renewed when it gets
 * long, so that it holds what was printed last.
 * @retval POLDER_NOTFOUND its console is not its own, so it has none.
 */
POLDER_CHECKED int polder_log(struct polder *p, const char *word, int *ret_fd);

/**
 * A stream to its own console: what is written there it reads, and the other way round;
 * it ends with the environment. Several may be attached.
 * @param rows, columns the size of the caller's window, where the console is a terminal.
 */
POLDER_CHECKED int polder_attach(struct polder *p, const char *word, unsigned rows,
				 unsigned columns, int *ret_fd);

#ifdef __cplusplus
}
#endif

#endif
