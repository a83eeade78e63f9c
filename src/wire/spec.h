/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spec.h - what a Linux tender is told: exactly what to start, and nothing implied.
 *
 * A struct spec owns an arena; spec_str() and the spec_add_… calls copy into it, and
 * spec_fini() releases all at once. Its encoded form is what `polder-tender-linux
 * --spec FD` reads (docs/protocol.md); decoding treats every byte as hostile and ends
 * with spec_check(), which an in-process start goes through as well.
 *
 * Numbers: sizes in bytes, times in ns unless the name says ms, ids as the kernel has
 * them. Paths are absolute, without "." and "..".
 */
#ifndef POLDER_WIRE_SPEC_H
#define POLDER_WIRE_SPEC_H

#include "base/err.h"
#include "base/str.h"

#define SPEC_VERSION 1
#define SPEC_MAX_BYTES (4u << 20)
#define SPEC_MAX_MOUNTS 1024

enum spec_flag {
	SPEC_NET_HOST = 1 << 0,      /* no network namespace of its own */
	SPEC_ROOT_IDENTITY = 1 << 1, /* uid 0 of a sub-range, with the few capabilities */
	SPEC_TIMENS = 1 << 2,        /* mono_offset_ns holds */
	SPEC_SUBUID_HELPER = 1 << 3, /* the maps need newuidmap and newgidmap */
	SPEC_LIMIT_PIDS_RLIMIT =
		1 << 4, /* limit_pids by RLIMIT_NPROC of the user namespace */
	SPEC_FLAGS_ALL = (1 << 5) - 1
};

enum spec_console {
	SPEC_CONSOLE_PARENT, /* the three descriptors as given; a terminal by a pty */
	SPEC_CONSOLE_OWN,    /* a pty kept by the tender, logged */
	SPEC_CONSOLE_NULL,
	SPEC_CONSOLE_FAKE, /* console_input, then end of file; output is logged */
	SPEC_CONSOLE_COUNT
};

enum spec_mount_kind {
	SPEC_MOUNT_BIND,   /* src; a directory or regular file of the host */
	SPEC_MOUNT_SHADOW, /* src: a directory, read-only, its sockets and FIFOs cut off */
	SPEC_MOUNT_SOCKET, /* src: a Unix socket of the host */
	SPEC_MOUNT_DEVICE, /* src: one of the harmless device nodes */
	SPEC_MOUNT_SCRATCH, /* a writable directory in memory; size: 0 shares one with others */
	SPEC_MOUNT_DIR,     /* a directory of the root itself, read-only and empty */
	SPEC_MOUNT_FILE,    /* a read-only file with data */
	SPEC_MOUNT_SYMLINK, /* src: the link's text */
	SPEC_MOUNT_PROC,
	SPEC_MOUNT_DEVPTS,
	SPEC_MOUNT_MASK,     /* covers what a mount before has there: an empty one */
	SPEC_MOUNT_DEADSOCK, /* a bound socket that refuses */
	SPEC_MOUNT_ENV,      /* src: path in another environment, reached by fd only */
	SPEC_MOUNT_KIND_COUNT
};

enum spec_mount_flag {
	SPEC_MOUNT_RO = 1 << 0,
	SPEC_MOUNT_NOEXEC = 1 << 1,
	SPEC_MOUNT_IS_FILE = 1 << 2,  /* src is not a directory */
	SPEC_MOUNT_OPTIONAL = 1 << 3, /* skipped where dst or src is missing */
	SPEC_MOUNT_GRANT =
		1 << 4, /* somebody's files: owner mapped when started by root */
	SPEC_MOUNT_ROOT = 1 << 5, /* becomes the root directory itself */
	SPEC_MOUNT_WEAKER =
		1 << 6,           /* a SHADOW may be a plain read-only bind if need be */
	SPEC_MOUNT_OVER = 1 << 7, /* a FILE: mounted on what a mount before has there */
	SPEC_MOUNT_FLAGS_ALL = (1 << 8) - 1
};

struct spec_map {
	uint32_t inside, outside, count;
};

struct spec_mount {
	enum spec_mount_kind kind;
	uint32_t flags;
	uint32_t mode; /* of what is made; 0: 0755 or 0644 */
	uint64_t size;
	const char *src; /* NULL where the kind has none */
	const char *dst;
	uint64_t dev, ino; /* of src as the command line opened it; 0, 0: not compared */
	const void *data;
	size_t data_len;
	int fd; /* a detached mount made beforehand, or -1; never encoded, owned by the spec */
};

struct spec {
	uint8_t id[16];
	uint64_t generation;
	const char *name; /* "" for an unnamed one */
	uint32_t flags;

	char **argv, **envp; /* NULL-terminated */
	size_t n_argv, n_envp;
	const char *cwd;
	const char *hostname;

	uint32_t uid, gid; /* inside */
	struct spec_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;

	enum spec_console console;
	uint64_t console_bytes; /* the log's bound */
	const void *console_input;
	size_t console_input_len;

	int64_t mono_offset_ns;
	uint64_t limit_mem, limit_cpu_percent, limit_pids, limit_time_ms; /* 0: none */

	struct spec_mount *mounts;
	size_t n_mounts, cap_mounts;

	uint8_t ready_kind; /* enum ready_kind of the graph: started, path, notify */
	const char *ready_path;
	uint64_t ready_timeout_ms;

	struct spec_chunk *chunks;
	bool failed; /* memory ran out while building */
};

#define SPEC_INIT ((struct spec){ .name = "" })

void spec_fini(struct spec *s);
/* Arena copies; NULL and .failed when memory ran out. */
void *spec_alloc(struct spec *s, size_t n);
char *spec_str(struct spec *s, const char *text);
char *spec_strf(struct spec *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds a mount with src and dst copied; never NULL: on failure a dummy, and .failed. */
struct spec_mount *spec_add_mount(struct spec *s, enum spec_mount_kind kind,
				  const char *src, const char *dst);
/* Copies a NULL-terminated vector. */
char **spec_vec(struct spec *s, char *const *v, size_t *ret_n);

/* PE_BAD with the sentence. */
int spec_check(const struct spec *s, struct err *err);
void spec_encode(const struct spec *s, struct str *out);
/* Strings are copied: buf may go. PE_BAD on damage. */
int spec_decode(struct spec *ret, const void *buf, size_t len, struct err *err);

#endif
