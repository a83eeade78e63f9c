/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graph.h - the composition engine: environments, slots, bindings.
 *
 * Decides and never acts: pure C, no system call, no clock, no file. What the kernel
 * can do comes in as struct host_facts; a manifest comes in through src/manifest, a
 * command line through graph_env_bind(); answers go out as structs, text or JSON.
 *
 * Ownership: a struct graph owns everything below it; graph_free() releases all. Text
 * passed in is copied. Pointers handed out live as long as the graph.
 *
 * Order of calls: graph_new, then environments and bindings, then graph_check (adds
 * diagnostics, resolves env: sources, computes the start order), then questions.
 *
 * Errors: PE_USAGE for words that are wrong, -E2BIG for more than an environment or graph
 * may hold, -ENOMEM; each with the sentence in struct err. What is wrong with a whole composition is collected in struct diags, all of it.
 */
#ifndef POLDER_GRAPH_GRAPH_H
#define POLDER_GRAPH_GRAPH_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* ---- the words ---- */

enum iface {
	IF_CONSOLE,
	IF_DIR,
	IF_VOLUME,
	IF_NET,
	IF_CLOCK,
	IF_ENTROPY,
	IF_IDENTITY,
	IF_SOCKET,
	IF_SPAWN,
	IF_COUNT
};

enum source {
	SRC_OWN,
	SRC_PARENT,
	SRC_HOST,  /* ref: an absolute path; for net "host" itself */
	SRC_STORE, /* ref: REF */
	SRC_ENV,   /* ref: NAME/SERVER */
	SRC_NULL,
	SRC_FAKE,
	SRC_COUNT
};

enum cut { CUT_COMPLETE, CUT_NEW_USES, CUT_RESTART, CUT_IMPOSSIBLE, CUT_COUNT };

enum program_kind { PROGRAM_LINUX, PROGRAM_SPT, PROGRAM_HVT, PROGRAM_COUNT };

const char *iface_name(enum iface i);
const char *source_name(enum source s);
const char *cut_name(enum cut c);
bool iface_from_name(const char *name, enum iface *ret);

/* Where a thing was written. file is NULL for a command line; line and column from 1. */
struct pos {
	const char *file;
	unsigned line, column;
};

struct kv {
	char *key;
	char *value; /* NULL: no "=" was written */
	struct pos pos;
};

/* A file of a fake dir, or a scripted answer: written in the manifest only. */
struct fake_file {
	char *path; /* relative, no ".." */
	char *content;
	size_t content_len;
};

struct binding {
	enum iface iface;
	char *slot; /* "/data", "console", "net", "dev:NAME", … */
	enum source source;
	char *ref; /* see enum source; NULL where it has none. For parent of a dir or
		    * socket: the creator's path, which is the slot's. For a net device
		    * from the host: the TAP's name; from env: NAME/DEVICE, a join */
	struct kv *options;
	size_t n_options;
	struct kv *through; /* caretakers; [0] is nearest the program */
	size_t n_through;
	struct fake_file *fakes;
	size_t n_fakes;
	bool optional; /* manifest only: a slot that may be left unbound or fail */
	bool unbound; /* a declared slot without a source: null if optional, else an error */
	bool implied; /* a default of the program kind, nobody wrote it */
	bool sugar;   /* written as -r or -w */
	bool is_file; /* set by whoever has looked: the host's path is not a directory */
	bool typed;   /* of a device: its interface was written before the slot */
	bool untold;  /* of a device: nobody has said yet which interface it has */
	bool live;    /* made while the program ran, by whoever makes it */
	bool broken;  /* a device that was revoked to error: every use fails */
	bool stale;   /* of one that runs, to env:, by whoever has looked: its server has
		       * been started anew since, and this leads nowhere */
	enum program_kind program; /* of the environment that holds it */
	uint32_t mark;             /* of whoever builds it; never looked at here */
	struct pos pos;
	/* filled by graph_check for SRC_ENV: */
	struct genv *server_env;
	struct expose *server;
	struct binding *joined; /* of a net device: the other end, which is own */
};

/* A server that an environment exposes: a directory or Unix socket of its own. */
struct expose {
	char *name;
	enum iface iface; /* IF_DIR or IF_SOCKET */
	char *path;       /* absolute, inside the environment */
	struct pos pos;
};

enum ready_kind { READY_STARTED, READY_PATH, READY_NOTIFY };

struct ready {
	enum ready_kind kind;
	char *path;          /* READY_PATH: absolute, inside: a socket or file appears */
	uint64_t timeout_ms; /* 0: the default, 30 s */
};

/* 0 means: none asked. */
struct limits {
	uint64_t mem_bytes;
	uint64_t cpu_percent; /* of one CPU: 150 is one and a half */
	uint64_t pids;
	uint64_t time_ms;
	struct pos pos;
};

/* A name as it was written; graph_check finds the environment. */
struct after {
	char *name;
	struct genv *env; /* NULL until then */
	struct pos pos;
};

/* What a unikernel declares that it needs: IF_VOLUME or IF_NET. */
struct gdevice {
	char *name;
	enum iface iface;
};

struct genv {
	char *name; /* "" for an unnamed one of a command line */
	enum program_kind program;
	char *image; /* NULL: a Linux program; else a unikernel's file, absolute */
	struct pos image_pos;
	struct gdevice *devices; /* as the image declares them, in its order */
	size_t n_devices;
	bool devices_known;  /* somebody has read the image */
	uint64_t mem_needed; /* bytes, for the image alone; 0: not known */
	char **argv;         /* NULL-terminated; a unikernel's: its arguments alone */
	size_t n_argv;
	struct kv *vars; /* value NULL: the caller's value is passed on */
	size_t n_vars;
	char *root;  /* NULL: the host's programs; else a host directory */
	char *chdir; /* NULL: the default */
	struct pos root_pos, chdir_pos, args_pos;
	struct binding *bindings;
	size_t n_bindings;
	struct expose *exposes;
	size_t n_exposes;
	struct limits limits;
	struct ready ready;
	struct after *after; /* explicit start order besides what bindings ask for */
	size_t n_after;
	struct graph *graph; /* the one that owns it */
	struct pos pos;
	unsigned order; /* by graph_check: its stage; equal ones may start in parallel */
	void *scratch;  /* of the caller; never looked at here */
	uint32_t mark;  /* of one walk inside src/graph; no meaning between calls */
};

struct graph {
	struct genv **envs;
	size_t n_envs;
	size_t n_bindings;   /* of all environments */
	char *name;          /* the composition's; "" if it has none */
	bool open;           /* env: may name one that runs and is not in here */
	struct limits quota; /* of the whole composition */
	struct index *index; /* names → environments */
	struct text *texts;  /* files kept alive for struct pos, and for their lines */
};

/* What this kernel and host can do; filled by src/sandbox, made up by tests. */
struct host_facts {
	bool userns;      /* user namespaces can be made by this user */
	bool root;        /* started by kernel uid 0 */
	bool subuid;      /* a sub-uid range is there for this user */
	bool overlay;     /* overlayfs in a user namespace */
	bool idmap;       /* idmapped mounts */
	bool timens;      /* time namespaces */
	bool fuse;        /* /dev/fuse can be opened */
	bool kvm;         /* /dev/kvm can be opened */
	bool ptrace;      /* a child can be traced (Yama may forbid it) */
	int landlock_abi; /* 0: none */
	bool limit_mem, limit_cpu, limit_pids; /* a cgroup (or better) can enforce them */
	const char *no_limit_reason;
};

#define HOST_FACTS_ALL                                                                   \
	((struct host_facts){ .userns = true,                                            \
			      .root = false,                                             \
			      .subuid = true,                                            \
			      .overlay = true,                                           \
			      .idmap = true,                                             \
			      .timens = true,                                            \
			      .fuse = true,                                              \
			      .kvm = true,                                               \
			      .ptrace = true,                                            \
			      .landlock_abi = 7,                                         \
			      .limit_mem = true,                                         \
			      .limit_cpu = true,                                         \
			      .limit_pids = true })

/* ---- diagnostics ---- */

struct diag {
	struct pos pos;
	bool warning;
	char *text; /* what, why */
	char *hint; /* what to do; NULL if nothing is known */
	size_t seq; /* of diags_sort */
};

/* n_errors counts all; the first ten thousand diagnostics are kept. */
struct diags {
	struct diag *v;
	size_t n;
	size_t n_errors;
};

/* The same text at the same place is kept once (a template that many use). hint: NULL
 * or a text that is copied. */
void diags_add(struct diags *d, struct pos pos, bool warning, const char *hint,
	       const char *fmt, ...) PRINTF_LIKE(5, 6);
void diags_fini(struct diags *d);
/* By file, line and column; the order of making where they are equal. */
void diags_sort(struct diags *d);
/* For people: "file:line:column: error: text", the source line with a caret where the
 * graph holds the file's text, "hint: …". Control characters are escaped. */
void diags_write(const struct diags *d, const struct graph *g, struct str *out);
void diags_to_json(const struct diags *d, struct json *out);
/* "file:line:column", "line:column" or "the command line". */
void pos_write(struct pos pos, struct str *out);

/* ---- building ---- */

struct graph *graph_new(void);
void graph_free(struct graph *g);
/* Keeps a copy of a file's name for struct pos; the same name gives the same pointer. */
const char *graph_file(struct graph *g, const char *name);
/* The same, and keeps a copy of the file's text so that diagnostics can show lines.
 * NULL when memory ran out. */
const char *graph_file_text(struct graph *g, const char *name, const char *text,
			    size_t len);
/* [a-z][a-z0-9-]*, at most 63 bytes; with dots between several of them if dotted. */
bool name_valid(const char *name, bool dotted);
/* PE_USAGE: not a name [a-z][a-z0-9-]*(.[a-z]…)*, at most 63 bytes; PE_EXISTS: taken.
 * An empty name is an unnamed environment. */
int graph_env_new(struct graph *g, const char *name, struct pos pos, struct genv **ret,
		  struct err *err);
struct genv *graph_env(const struct graph *g, const char *name);
int genv_add_arg(struct genv *e, const char *arg);
void genv_clear_args(struct genv *e);
int genv_add_var(struct genv *e, const char *key, const char *value, struct pos pos);
/*
 * The program is the unikernel in that file. Which kind it is and which devices it
 * declares is in the file, which is not read here: whoever does says it, with
 * genv_set_program and then genv_add_device for each. Bindings of devices get their
 * interface then. path NULL: a Linux program again.
 */
int genv_set_image(struct genv *e, const char *path, struct pos pos);
void genv_set_program(struct genv *e, enum program_kind program);
/* PE_USAGE: no name of a device. PE_EXISTS: declared twice. */
int genv_add_device(struct genv *e, const char *name, enum iface iface, struct err *err);
/* A unikernel's memory in bytes: the limit mem, rounded down to what its kind can have,
 * else 512 MiB, of which it takes what it touches. */
uint64_t genv_guest_mem(const struct genv *e);
const struct gdevice *genv_device(const struct genv *e, const char *name);
/* "dev:NAME" → NAME; NULL: the slot is not of a device. */
const char *slot_device(const char *slot);
/* 1 to 67 visible characters without "/". */
bool device_name_valid(const char *name);
static inline bool program_is_unikernel(enum program_kind p)
{
	return p == PROGRAM_SPT || p == PROGRAM_HVT;
}
const char *program_name(enum program_kind p);
/* A later value for the same key replaces the earlier one. */
int genv_add_after(struct genv *e, const char *name, struct pos pos);
/* Sets mem, cpu, pids or time from text ("256M", "150" or "150%", "64", "10s").
 * PE_USAGE: no such limit, not a number of that kind, or zero. */
int limits_set(struct limits *l, const char *key, const char *value, struct err *err);
/* PE_USAGE: the name or path is wrong; PE_EXISTS: the name is taken. */
int genv_add_expose(struct genv *e, enum iface iface, const char *name, const char *path,
		    struct pos pos, struct expose **ret, struct err *err);
struct expose *genv_expose(const struct genv *e, const char *name);
void genv_drop_expose(struct genv *e, struct expose *x);
/* The host directory that is the root: "root" or the slot "/"; NULL: the default. */
const char *genv_root(const struct genv *e);

/*
 * One binding in the one grammar:
 *	[INTERFACE:]SLOT=SOURCE[,OPTION=…][,CARETAKER[=ARG]…]
 * SOURCE: own parent null fake host, host:…, store:REF, env:NAME/SERVER, or a path that
 * begins with / ./ ../ ~/ (home and cwd make it absolute; either may be NULL, then such
 * a path is an error). "\," "\=" and "\\" escape. PE_USAGE with a sentence that shows
 * where. A slot that is already bound by somebody (not implied) is PE_EXISTS.
 */
struct path_base {
	const char *cwd, *home;
};
/* Makes a path that begins with / ./ ../ ~/ absolute; "." and "//" go, ".." stays, for
 * the kernel to resolve. PE_USAGE: it does not begin so, or the base is missing. */
int path_resolve(const char *text, const struct path_base *base, char **ret,
		 struct err *err);
int graph_env_bind(struct genv *e, const char *text, const struct path_base *base,
		   struct pos pos, struct binding **ret, struct err *err);
/* The part after "=" alone, for a binding that genv_add_binding made. */
int binding_parse_source(struct binding *b, const char *text,
			 const struct path_base *base, struct pos pos, struct err *err);
/* The same binding, as one would write it, escapes included. */
void binding_write(const struct binding *b, struct str *out);
/* Adds an empty binding for slot; used by the manifest's long form. */
int genv_add_binding(struct genv *e, enum iface iface, const char *slot, struct pos pos,
		     struct binding **ret, struct err *err);
/* Takes a slot out again: a manifest's environment overrides its template's. */
void genv_drop_binding(struct genv *e, struct binding *b);
struct binding *genv_binding(const struct genv *e, const char *slot);
/* The same for a slot that is not in its final form yet ("/data/"). */
struct binding *genv_binding_of(const struct genv *e, enum iface iface, const char *slot);
/* "own,start=": seconds since 1970, or 2026-01-31T10:00:00Z, as ns since 1970. */
bool time_parse(const char *text, uint64_t *ret_ns);
/* "52:54:00:12:34:56", not of a group. */
bool mac_parse(const char *text, uint8_t ret[6]);
/* The slot's interface as it follows from its own text: "socket:/run/db", "/data",
 * "net"; "dev:NAME" is a volume until somebody says which devices there are. *ret_slot
 * points into text. PE_USAGE with the sentence. */
int slot_parse(const char *text, enum iface *ret, const char **ret_slot, struct err *err);
/* Says that this interface was written before the slot, if it is a device's. */
void binding_typed(struct binding *b, enum iface iface);
int binding_add_option(struct binding *b, const char *key, const char *value,
		       struct pos pos);
int binding_add_through(struct binding *b, const char *key, const char *value,
			struct pos pos);
/* path: relative, no ".."; PE_USAGE otherwise, PE_EXISTS: given twice. */
int binding_add_fake(struct binding *b, const char *path, const char *content, size_t len,
		     struct err *err);
const struct kv *binding_option(const struct binding *b, const char *key);
const struct kv *binding_caretaker(const struct binding *b, const char *key);
/* True if caretaker ro is on it, or the source can only be read. */
bool binding_readonly(const struct binding *b);

/* Adds what a program of this kind always has and nobody bound: console=parent,
 * net=null, clock=parent, entropy=parent, identity=parent (all .implied). A unikernel has
 * no identity, and its devices have no default. */
int genv_add_defaults(struct genv *e);

/* ---- deciding ---- */

/* Checks everything, resolves env: sources, computes .order. Zero if no error was added
 * (warnings may have been); PE_REFUSED otherwise. accept_weaker turns "weaker than
 * asked" into warnings. */
int graph_check(struct graph *g, const struct host_facts *facts, bool accept_weaker,
		struct diags *diags);

/* How a binding is enforced: one short phrase each, and the cut strength. */
struct enforcement {
	const char *how; /* "read-only bind mount", "pty kept by the tender", … */
	enum cut cut;
	bool weaker;
};
struct enforcement binding_enforcement(const struct binding *b,
				       const struct host_facts *facts);

/* True if it is served by a caretaker (a process outside, through FUSE), not mounted:
 * graph/caretaker.h has what it is to enforce. */
bool binding_needs_caretaker(const struct binding *b);

/* "ENV may SLOT because FILE:LINE:COL binding", or "it cannot, because …". For a dir, slot may
 * be any path: the binding that covers it is named. True if it can. */
bool graph_why(const struct graph *g, const char *env, const char *slot, struct str *out);

/* Which authority new gives or takes against old; JSON or lines. Returns how many
 * differences; each is "+", "-" or "~". */
size_t graph_authdiff(const struct graph *old, const struct graph *new_, bool as_json,
		      struct str *out);

void graph_to_dot(const struct graph *g, struct str *out);
/* facts NULL: without how it is enforced. */
void graph_to_json(const struct graph *g, const struct host_facts *facts,
		   struct json *out);
void genv_to_json(const struct genv *e, const struct host_facts *facts, struct json *out);
void binding_to_json(const struct binding *b, const struct host_facts *facts,
		     struct json *out);

#endif
