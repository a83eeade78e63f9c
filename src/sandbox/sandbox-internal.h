/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of src/sandbox alone. */
#ifndef POLDER_SANDBOX_INTERNAL_H
#define POLDER_SANDBOX_INTERNAL_H

#include "sandbox/sandbox.h"
#include "sandbox/sys.h"

/* ---- source.c ---- */

/* Opens a path as granted (no symlink on the way, the same device and inode as the
 * command line saw) in the caller's mount namespace: an O_PATH descriptor. */
int source_open(const struct spec_mount *m, int *ret_fd, struct err *err);
/* In init: a detached mount in m->fd for every mount with a source that has none; of the
 * mounts from there on. */
int sources_clone(struct spec *s, size_t from, struct err *err);
/* In a tender that is root: the grants' mounts, with owners mapped. */
int sources_clone_idmapped(struct spec *s, struct err *err);
/* Overlay mounts for SPEC_MOUNT_SHADOW; empty: a directory of ours, attached. */
int source_shadow(const struct spec_mount *m, int empty, int *ret_fd, int *ret_context,
		  struct err *err);

/* What --accept-weaker accepts instead. */
int source_plain(const struct spec_mount *m, int *ret_fd, struct err *err);

/* ---- root.c ---- */

/* In init: a root being built. The same spec may grow between the calls. */
struct root {
	int top, pool, empty;
	unsigned next;   /* names in the pool */
	char known[32];  /* a directory that is there, while own_ground */
	bool own_ground; /* nothing of anybody else is below top yet */
	bool made_empty_file;
	dev_t ours[2];
	size_t n_ours;
	const struct spec *spec;
};

/* Makes the first mount the root to be, and puts the others below it; adds the mounts from
 * there on; enters it. After an error nothing but exit makes sense. */
int root_begin(struct root *ret, struct spec *s, struct err *err);
int root_add(struct root *b, struct spec *s, size_t from, struct err *err);
int root_enter(struct root *b, struct spec *s, struct err *err);

/* ---- ids.c ---- */

/* In spec.flags, never encoded: who starts it is kernel uid 0, which is mapped nowhere.
 * Inside, such a task seems to be 65534 and may not be taken for a user of that number. */
#define IDS_FOREIGN (1u << 31)

/* Writes the maps of a process in a new user namespace. pid 0: the caller itself. */
int ids_write_maps(pid_t pid, const struct spec *s, struct err *err);
/* A user namespace with these maps, for idmapped mounts; a descriptor. */
int ids_userns(const struct spec_map *uid, const struct spec_map *gid, int *ret_fd,
	       struct err *err);

/* ---- payload.c ---- */

enum payload_step {
	STEP_NONE,
	STEP_NETNS,
	STEP_LOOPBACK,
	STEP_IDS,
	STEP_LIMITS,
	STEP_CAPS,
	STEP_FILTER,
	STEP_LANDLOCK,
	STEP_CHDIR,
	STEP_STDIO,
	STEP_EXEC,
	STEP_COUNT
};

/* In one page that init and the payload share; the words are futexes. */
struct rendezvous {
	uint32_t ids_ready; /* init → payload: maps are written */
	uint32_t net_ready; /* payload → init: netfd is there */
	uint32_t released;  /* init → payload: the root stands, go */
	uint32_t unshared;  /* payload → init: it has a descriptor table of its own */
	uint32_t failed;    /* either: give up */
	int32_t netfd;
	int32_t step, error; /* of a payload that failed */
};

struct payload {
	struct rendezvous *meet;
	/* Init's own, which has ids and flags when ids_ready is set, and the rest when it is
	 * released. */
	const struct spec *spec;
	const struct sandbox_io *io; /* the same, when it is released */
	bool host_network;
	int exec_pipe; /* write end */
	int slave;     /* of the pty, -1; set by init before it releases */
	mode_t umask;
};

/* Runs in the payload task; never returns. */
int payload_main(void *payload);
/* The steps, shared with exec; all return 0 or -errno. */
int payload_ids(uint32_t flags, uint32_t uid, uint32_t gid);
int payload_limits(uint32_t flags, uint64_t pids);
int payload_privileges(uint32_t flags);
int payload_stdio(const int *fd, int slave);
void payload_signals(void);
int payload_exec(char *const *argv, char *const *envp);
const char *payload_step_text(int step);
int loopback_up(void);

void futex_set(uint32_t *word, uint32_t value);
/* Waits until *word is set or meet->failed; false if failed. */
bool meet_wait(struct rendezvous *meet, uint32_t *word);

/* ---- init.c ---- */

/* What init knows before it has the spec. */
struct init_start {
	struct sandbox_shape shape;
	bool has_network; /* it is in its own already */
	int chan;
	int tender_chan; /* the other end, to be closed */
	mode_t umask;
	struct spec *outline; /* of the spec that will come, in init's copy; NULL: none */
};

/* The payload is made before there is a spec; SANDBOX_NOTHING says that it is. */
static inline bool init_is_early(const struct sandbox_shape *s)
{
	return !s->cgroup && !s->late;
}

/*
 * How the spec comes: one message with this head and the encoded spec, or a descriptor
 * of it if it is longer than SPEC_INLINE; then its mounts' descriptors, in messages of
 * their own. Later the streams, in a message with their descriptors.
 */
#define SPEC_INLINE 16384u

struct spec_head {
	int32_t kind;   /* INIT_SPEC */
	uint32_t len;   /* of the encoded spec */
	uint32_t body;  /* the same with a bit for each mount: it has a descriptor */
	uint32_t n_fds; /* that follow */
	uint32_t flags; /* of the spec, with those that are never encoded */
	uint8_t maps;   /* the tender has written them */
};

struct streams_head {
	int32_t kind;  /* INIT_STREAMS */
	uint32_t sent; /* bit i: stream i comes here */
	uint32_t
		terminals; /* bit i: stream i is the slave of the pty; neither: as inherited */
	uint8_t pty;
	uint16_t rows, cols; /* of the pty */
};

/* ---- handover.c ---- */
int spec_send(int chan, const struct spec *spec, bool maps, struct err *err);
int streams_send(int chan, const struct sandbox_io *io, struct err *err);
/* ret: SPEC_INIT. -EPIPE: the tender is gone, or has given up. */
int spec_receive(int chan, struct spec *ret, bool *ret_maps, struct err *err);
int streams_receive(int chan, struct sandbox_io *ret);

/* What goes over the channel. Both ends are one binary. */
enum init_request {
	INIT_SPEC = 64, /* a struct spec_head, not an init_msg */
	INIT_MAPS,      /* the tender has written the maps of the outline */
	INIT_STREAMS,   /* a struct streams_head */
	INIT_GO,
	INIT_SIGNAL,
	INIT_SIGNAL_GROUP,
	INIT_PAUSE,
	INIT_RESUME,
	INIT_NSFDS,
};

struct init_msg {
	int32_t kind, value;
	bool alone; /* with SANDBOX_EXITED: nothing that init knows of is left inside */
	char text[640];
};

_Noreturn void init_main(const struct init_start *st);
int chan_send(int chan, const struct init_msg *m, const int *fds, size_t n_fds);
/* A fork by clone3 with these flags, pids as fork's; -errno. */
long fork_with(uint64_t flags);
/* What /proc/PID/cmdline of a fork of the tender tells: nothing. */
void title_wipe(void);

/* ---- pty.c ---- */
int pty_open(int rootfd, uint16_t rows, uint16_t cols, int *ret_master, int *ret_slave);

/* ---- exec.c ---- */
/* Joins those of CLONE_NEW… that are named, by the descriptors that init gave; -errno. */
int ns_join(const int *nsfds, uint64_t which);

/* The namespaces that can be joined, in the order of struct sandbox_event.nsfds. */
extern const char *const ns_names[SANDBOX_NS_MAX];

#endif
