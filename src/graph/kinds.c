/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * THE table: what each interface can be bound to, for each kind of program. A source
 * that is not here cannot be written anywhere in Polder, and one that is refused is
 * refused with the sentence that stands here. docs/servers.md explains, this decides.
 */
#include "graph/kinds.h"
#include "graph/graph-internal.h"

#include <assert.h>

#define IF(name) (1u << IF_##name)
#define SRC(name) (1u << SRC_##name)
#define EVERY_IFACE ((1u << IF_COUNT) - 1)
#define EVERY_SOURCE ((1u << SRC_COUNT) - 1)

#define GIVEN(strength, sentence)                                                        \
	{                                                                                \
		.cut = CUT_##strength, .text = sentence                                  \
	}
#define REFUSED(sentence)                                                                \
	{                                                                                \
		.refused = true, .text = sentence                                        \
	}

#define NO_STORE REFUSED("store: comes with the store, which this version does not have")
#define NO_VOLUME                                                                        \
	REFUSED("a block device cannot be handed to a Linux program without privilege; " \
		"bind a dir")
#define NO_ENTROPY                                                                       \
	REFUSED("the processor's RDRAND and the kernel's getrandom cannot be taken "     \
		"away from a Linux program; entropy=parent is what it has")
#define NO_SPAWN                                                                         \
	REFUSED("spawn comes with changing environments while they run, which this "     \
		"version does not do; spawn=null is there")
#define ROOT_ONLY                                                                        \
	"the root is a directory of the host (/=DIR), or is left out for the "           \
	"host's programs, read-only"

static const struct source_kind linux_sources[IF_COUNT][SRC_COUNT] = {
	[IF_CONSOLE] = {
		[SRC_OWN] = GIVEN(COMPLETE, "a pty or ring that the tender keeps, logged"),
		[SRC_PARENT] = GIVEN(NEW_USES, "the creator's streams; a terminal is "
					       "relayed through a pty"),
		[SRC_HOST] = REFUSED("a console is no file of the host; write parent for "
				     "the creator's streams, or own"),
		[SRC_STORE] = REFUSED("a console cannot come out of a store"),
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, not "
				    "consoles"),
		[SRC_NULL] = GIVEN(COMPLETE, "reads end, writes vanish"),
		[SRC_FAKE] = GIVEN(COMPLETE, "scripted input, output logged by the tender"),
	},
	[IF_DIR] = {
		[SRC_OWN] = GIVEN(NEW_USES, "a fresh directory of its own"),
		[SRC_PARENT] = GIVEN(NEW_USES, "bind mount"),
		[SRC_HOST] = GIVEN(NEW_USES, "bind mount"),
		[SRC_STORE] = NO_STORE,
		[SRC_ENV] = GIVEN(NEW_USES, "bind mount of what the other exposes"),
		[SRC_NULL] = GIVEN(COMPLETE, "an empty read-only directory"),
		[SRC_FAKE] = GIVEN(NEW_USES, "the manifest's files, read-only"),
	},
	[IF_VOLUME] = {
		[SRC_OWN] = NO_VOLUME,	[SRC_PARENT] = NO_VOLUME, [SRC_HOST] = NO_VOLUME,
		[SRC_STORE] = NO_VOLUME, [SRC_ENV] = NO_VOLUME,	  [SRC_NULL] = NO_VOLUME,
		[SRC_FAKE] = NO_VOLUME,
	},
	[IF_NET] = {
		[SRC_OWN] = REFUSED("a network port of its own comes with the router, which "
				    "this version does not have; null and host are there"),
		[SRC_PARENT] = REFUSED("the creator's network through forwarding comes with "
				       "the router, which this version does not have; null "
				       "and host are there"),
		[SRC_HOST] = { .cut = CUT_RESTART,
			       .text = "the host's own network stack, shared",
			       .weak = true },
		[SRC_STORE] = REFUSED("a network cannot come out of a store"),
		[SRC_ENV] = REFUSED("a link between environments comes with the router, "
				    "which this version does not have; expose a socket"),
		[SRC_NULL] = GIVEN(COMPLETE, "a network namespace with loopback only"),
		[SRC_FAKE] = REFUSED("a network sinkhole comes with the router, which this "
				     "version does not have"),
	},
	[IF_CLOCK] = {
		[SRC_OWN] = { .cut = CUT_RESTART, .need = NEED_TIMENS,
			      .text = "a time namespace: monotonic and boottime shifted, the "
				     "wall clock stays the host's" },
		[SRC_PARENT] = GIVEN(RESTART, "the host's clocks"),
		[SRC_HOST] = REFUSED("the host's clock is clock=parent"),
		[SRC_STORE] = REFUSED("a clock cannot come out of a store"),
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, not "
				    "clocks"),
		[SRC_NULL] = { .cut = CUT_RESTART, .need = NEED_TIMENS,
			       .text = "a time namespace: monotonic and boottime begin at "
				      "zero, the wall clock stays the host's" },
		[SRC_FAKE] = REFUSED("a time namespace cannot change the wall clock, so a "
				     "Linux program cannot be given a start of its own; "
				     "own,offset= shifts the monotonic clocks"),
	},
	[IF_ENTROPY] = {
		[SRC_OWN] = NO_ENTROPY,
		[SRC_PARENT] = GIVEN(IMPOSSIBLE, "the kernel's getrandom, the processor's "
						 "RDRAND"),
		[SRC_HOST] = REFUSED("the host's entropy is entropy=parent"),
		[SRC_STORE] = REFUSED("entropy cannot come out of a store"),
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, not "
				    "entropy"),
		[SRC_NULL] = NO_ENTROPY,
		[SRC_FAKE] = NO_ENTROPY,
	},
	[IF_IDENTITY] = {
		[SRC_OWN] = GIVEN(RESTART, "a fresh host name, users and machine id"),
		[SRC_PARENT] = GIVEN(RESTART, "the caller's number under the name user"),
		[SRC_HOST] = REFUSED("the host's identity is not given; identity=parent keeps "
				     "the caller's number"),
		[SRC_STORE] = REFUSED("an identity cannot come out of a store"),
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, not "
				    "identities"),
		[SRC_NULL] = GIVEN(RESTART, "anonymous: nobody on localhost, machine id of "
					    "zeros"),
		[SRC_FAKE] = GIVEN(RESTART, "the given host name, user and machine id"),
	},
	[IF_SOCKET] = {
		[SRC_OWN] = REFUSED("a socket has no server of its own; let another "
				    "environment expose one and bind env:NAME/SERVER"),
		[SRC_PARENT] = GIVEN(NEW_USES, "bind mount of the creator's socket"),
		[SRC_HOST] = GIVEN(NEW_USES, "bind mount of the host's socket"),
		[SRC_STORE] = REFUSED("a socket cannot come out of a store"),
		[SRC_ENV] = GIVEN(NEW_USES, "bind mount of the socket that the other exposes"),
		[SRC_NULL] = GIVEN(COMPLETE, "bound, nobody listens: ECONNREFUSED"),
		[SRC_FAKE] = REFUSED("a scripted socket comes with caretakers that answer, "
				     "which this version does not have; let another "
				     "environment expose one and bind env:NAME/SERVER"),
	},
	[IF_SPAWN] = {
		[SRC_OWN] = NO_SPAWN,	[SRC_PARENT] = NO_SPAWN, [SRC_HOST] = NO_SPAWN,
		[SRC_STORE] = NO_SPAWN, [SRC_ENV] = NO_SPAWN,
		[SRC_NULL] = GIVEN(COMPLETE, "nothing is there"),
		[SRC_FAKE] = NO_SPAWN,
	},
};

/* The slot "/" of a Linux program. */
static const struct source_kind linux_root[SRC_COUNT] = {
	[SRC_OWN] =
		REFUSED("a copy-on-write root comes with the store, which this version "
			"does not have; " ROOT_ONLY),
	[SRC_PARENT] =
		REFUSED("the creator's whole tree is never given as a root; " ROOT_ONLY),
	[SRC_HOST] = GIVEN(RESTART, "the given tree as root"),
	[SRC_STORE] = NO_STORE,
	[SRC_ENV] = REFUSED("an exposed directory cannot be a root; " ROOT_ONLY),
	[SRC_NULL] = GIVEN(RESTART, "exempt: the host's programs, read-only, since a "
				    "program cannot start from nothing"),
	[SRC_FAKE] = REFUSED("a root cannot be made of a manifest's files; " ROOT_ONLY),
};

/*
 * A unikernel: what its ABI has, and nothing else. Rows of volume and net are of its
 * devices. The two kinds differ in the clock alone: an spt guest asks the kernel, an hvt
 * guest its tender.
 */
#define NO_FILES                                                                           \
	REFUSED("a unikernel has no files: bind its devices, -g dev:NAME=…, or put the " \
		"files into its image")
#define NO_SOCKETS                                                                       \
	REFUSED("a unikernel has no sockets of the host; join its net device to "        \
		"another's")
#define NO_IDENTITY                                                                      \
	REFUSED("a unikernel has no host name, users or machine id; leave identity out")
#define NO_SPAWN_HERE REFUSED("a unikernel can start nothing; leave spawn out")
#define ENTROPY_OF_CPU                                                                   \
	REFUSED("the processor's RDRAND is all that the ABI has, and it cannot be "      \
		"taken away or replaced; entropy=parent is what there is")
#define CLOCK_OF_KERNEL                                                                  \
	REFUSED("an spt guest asks the kernel for the time, which cannot be given "      \
		"another; an hvt guest's clock can be set")

#define UNIKERNEL_ROWS                                                                   \
	[IF_CONSOLE] = {                                                                 \
		[SRC_OWN] = GIVEN(COMPLETE, "a pipe that the tender reads, logged"),     \
		[SRC_PARENT] = GIVEN(RESTART, "the creator's standard output"),          \
		[SRC_HOST] = REFUSED("a console is no file of the host; write parent "   \
				     "for the creator's output, or own"),                \
		[SRC_STORE] = REFUSED("a console cannot come out of a store"),           \
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, "   \
				    "not consoles"),                                     \
		[SRC_NULL] = GIVEN(COMPLETE, "writes vanish"),                           \
		[SRC_FAKE] = GIVEN(COMPLETE, "output logged by the tender; a "           \
					     "unikernel's console has no input"),        \
	},                                                                               \
	[IF_DIR] = { NO_FILES, NO_FILES, NO_FILES, NO_FILES, NO_FILES, NO_FILES,         \
		     NO_FILES },                                                         \
	[IF_VOLUME] = {                                                                  \
		[SRC_OWN] = GIVEN(COMPLETE, "a fresh block device of its own, sparse"),  \
		[SRC_PARENT] = REFUSED("the creator holds no block device that it could " \
				       "hand on; name a file: ./disk.img"),              \
		[SRC_HOST] = GIVEN(COMPLETE, "the file, by the descriptor that the "     \
					     "tender opened"),                           \
		[SRC_STORE] = NO_STORE,                                                  \
		[SRC_ENV] = REFUSED("two that write one block device destroy it; give "  \
				    "each own,base=FILE"),                               \
		[SRC_NULL] = GIVEN(COMPLETE, "reads zeros, discards writes"),            \
		[SRC_FAKE] = GIVEN(COMPLETE, "the given content, in memory"),            \
	},                                                                               \
	[IF_NET] = {                                                                     \
		[SRC_OWN] = GIVEN(COMPLETE, "silent until another's device is joined "   \
					    "to it"),                                    \
		[SRC_PARENT] = REFUSED("a unikernel has frames and no connections, so "  \
				       "the creator's reach is not for it; host:TAP, "   \
				       "env:NAME/DEVICE, own, fake and null are there"), \
		[SRC_HOST] = GIVEN(RESTART, "the frames of a TAP interface of the host"), \
		[SRC_STORE] = REFUSED("a network cannot come out of a store"),           \
		[SRC_ENV] = GIVEN(COMPLETE, "joined to the other's device, with a "      \
					    "filter that can cut it"),                   \
		[SRC_NULL] = GIVEN(COMPLETE, "silent: nothing comes, what is sent "      \
					     "vanishes"),                                \
		[SRC_FAKE] = GIVEN(COMPLETE, "a sinkhole that counts what is sent"),     \
	},                                                                               \
	[IF_ENTROPY] = {                                                                 \
		[SRC_OWN] = ENTROPY_OF_CPU,                                              \
		[SRC_PARENT] = GIVEN(IMPOSSIBLE, "the processor's RDRAND and RDSEED"),   \
		[SRC_HOST] = REFUSED("the host's entropy is entropy=parent"),            \
		[SRC_STORE] = REFUSED("entropy cannot come out of a store"),             \
		[SRC_ENV] = REFUSED("an environment exposes directories and sockets, "   \
				    "not entropy"),                                      \
		[SRC_NULL] = ENTROPY_OF_CPU,                                             \
		[SRC_FAKE] = ENTROPY_OF_CPU,                                             \
	},                                                                               \
	[IF_IDENTITY] = {                                                                \
		[SRC_OWN] = NO_IDENTITY, [SRC_PARENT] = NO_IDENTITY,                     \
		[SRC_HOST] = NO_IDENTITY, [SRC_STORE] = NO_IDENTITY,                     \
		[SRC_ENV] = NO_IDENTITY,                                                 \
		[SRC_NULL] = GIVEN(COMPLETE, "nothing is there"),                        \
		[SRC_FAKE] = NO_IDENTITY,                                                \
	},                                                                               \
	[IF_SOCKET] = { NO_SOCKETS, NO_SOCKETS, NO_SOCKETS, NO_SOCKETS, NO_SOCKETS,      \
			NO_SOCKETS, NO_SOCKETS },                                        \
	[IF_SPAWN] = {                                                                   \
		[SRC_OWN] = NO_SPAWN_HERE, [SRC_PARENT] = NO_SPAWN_HERE,                 \
		[SRC_HOST] = NO_SPAWN_HERE, [SRC_STORE] = NO_SPAWN_HERE,                 \
		[SRC_ENV] = NO_SPAWN_HERE,                                               \
		[SRC_NULL] = GIVEN(COMPLETE, "nothing is there"),                        \
		[SRC_FAKE] = NO_SPAWN_HERE,                                              \
	}

#define CLOCK_ELSEWHERE                                                                  \
	[SRC_HOST] = REFUSED("the host's clock is clock=parent"),                        \
	[SRC_STORE] = REFUSED("a clock cannot come out of a store"),                     \
	[SRC_ENV] =                                                                      \
		REFUSED("an environment exposes directories and sockets, not clocks")

static const struct source_kind spt_sources[IF_COUNT][SRC_COUNT] = {
	UNIKERNEL_ROWS,
	[IF_CLOCK] = {
		[SRC_OWN] = CLOCK_OF_KERNEL,
		[SRC_PARENT] = GIVEN(RESTART, "the host's clocks"),
		[SRC_NULL] = CLOCK_OF_KERNEL,
		[SRC_FAKE] = CLOCK_OF_KERNEL,
		CLOCK_ELSEWHERE,
	},
};

static const struct source_kind hvt_sources[IF_COUNT][SRC_COUNT] = {
	UNIKERNEL_ROWS,
	[IF_CLOCK] = {
		[SRC_OWN] = GIVEN(RESTART, "the tender's answer, shifted; monotonic time "
					   "is the processor's counter"),
		[SRC_PARENT] = GIVEN(RESTART, "the host's clock, asked for by the tender"),
		[SRC_NULL] = GIVEN(RESTART, "wall time begins at 1970; monotonic time is "
					    "the processor's counter"),
		[SRC_FAKE] = GIVEN(RESTART, "wall time begins where it was told to"),
		CLOCK_ELSEWHERE,
	},
};

static const struct {
	const char *name;
	const struct source_kind (*sources)[SRC_COUNT];
	const struct source_kind *root;
} programs[] = {
	[PROGRAM_LINUX] = { "linux", linux_sources, linux_root },
	[PROGRAM_SPT] = { "spt", spt_sources, spt_sources[IF_DIR] },
	[PROGRAM_HVT] = { "hvt", hvt_sources, hvt_sources[IF_DIR] },
};
static_assert(ARRAY_LEN(programs) == PROGRAM_COUNT, "every program kind has a row");

#define LINUX (1u << PROGRAM_LINUX)
#define HVT (1u << PROGRAM_HVT)
#define UNIKERNELS (1u << PROGRAM_SPT | HVT)
#define EVERY_PROGRAM ((1u << PROGRAM_COUNT) - 1)

static const struct option_kind options[] = {
	{ "size", ARG_BYTES, IF(CONSOLE), SRC(OWN), EVERY_PROGRAM },
	{ "size", ARG_BYTES, IF(DIR), SRC(OWN), LINUX },
	{ "size", ARG_BYTES, IF(VOLUME), SRC(OWN) | SRC(NULL) | SRC(FAKE), UNIKERNELS },
	{ "block", ARG_BLOCK, IF(VOLUME), EVERY_SOURCE, UNIKERNELS },
	{ "base", ARG_PATH, IF(VOLUME), SRC(OWN), UNIKERNELS },
	{ "content", ARG_TEXT, IF(VOLUME), SRC(FAKE), UNIKERNELS },
	{ "mac", ARG_MAC, IF(NET), EVERY_SOURCE, UNIKERNELS },
	{ "mtu", ARG_MTU, IF(NET), EVERY_SOURCE, UNIKERNELS },
	{ "start", ARG_TIME, IF(CLOCK), SRC(FAKE), HVT },
	{ "input", ARG_TEXT, IF(CONSOLE), SRC(FAKE), LINUX },
	{ "offset", ARG_SHIFT, IF(CLOCK), SRC(OWN), LINUX | HVT },
	{ "root", ARG_NONE, IF(IDENTITY), SRC(OWN), LINUX },
	{ "hostname", ARG_HOSTNAME, IF(IDENTITY), SRC(OWN) | SRC(FAKE), LINUX },
	{ "user", ARG_USER, IF(IDENTITY), SRC(FAKE), LINUX },
	{ "machine-id", ARG_MACHINE_ID, IF(IDENTITY), SRC(FAKE), LINUX },
	{ "passthrough", ARG_NONE, IF(DIR), SRC(PARENT) | SRC(HOST), LINUX },
	{ "cut", ARG_CUT, EVERY_IFACE, EVERY_SOURCE, EVERY_PROGRAM },
};

/* What is used, as files and frames are; a clock or an identity only is. */
#define USED (IF(CONSOLE) | IF(DIR) | IF(VOLUME) | IF(NET) | IF(SOCKET) | IF(SPAWN))

static const struct caretaker_kind caretakers[] = {
	{ "ro", ARG_NONE, IF(DIR) | IF(VOLUME), IF(DIR) | IF(VOLUME) },
	{ "subdir", ARG_BELOW, IF(DIR), IF(DIR) },
	{ "hide", ARG_HIDE, IF(DIR), IF(DIR) },
	{ "max", ARG_MAX, USED, IF(DIR) },
	{ "rate", ARG_RATE, USED, IF(DIR) },
	{ "ttl", ARG_TTL, EVERY_IFACE, IF(DIR) },
	{ "once", ARG_NONE, USED, IF(DIR) },
	{ "log", ARG_NONE, EVERY_IFACE, IF(DIR) },
	{ "fault", ARG_FAULT, USED | IF(CLOCK) | IF(ENTROPY), IF(DIR) },
	{ "ask", ARG_TEXT, EVERY_IFACE, 0 },
};

static const char arg_likes[][96] = {
	[ARG_NONE] = "nothing after it",
	[ARG_BYTES] = "a size, as 64K or 1G",
	[ARG_SHIFT] = "a duration, as 1h, 30m or -10s",
	[ARG_BELOW] = "a relative path without \"..\"",
	[ARG_HOSTNAME] =
		"a host name: small letters, digits, \"-\" and \".\", at most 64",
	[ARG_USER] = "a user's name: small letters, \"_\", digits and \"-\", at most 31",
	[ARG_MACHINE_ID] = "32 digits of 0-9 and a-f",
	[ARG_CUT] = "complete, new-uses or restart",
	[ARG_MAC] = "six bytes, as 52:54:00:12:34:56, that are not a group's",
	[ARG_MTU] = "a number from 576 to 9000",
	[ARG_BLOCK] = "a power of two from 512 to 32768",
	[ARG_PATH] = "a path of the host",
	[ARG_TIME] = "seconds since 1970, or a time as 2026-01-31T10:00:00Z",
	[ARG_HIDE] = "a name, or a pattern as *.key, without \"/\"",
	[ARG_MAX] = "a size, as 10M, or a number of files, as 100files",
	[ARG_RATE] = "a size each second, as 1M/s, or operations, as 50ops/s",
	[ARG_TTL] = "a duration, as 10m, or a point in time, as @1767225600",
	[ARG_FAULT] =
		("KIND:PROBABILITY[:SEED], as eio:0.01 or slow=20:5%:7; kinds: eio, "
		 "enospc, short, slow=MS"),
	[ARG_TEXT] = "a text",
};
static_assert(ARRAY_LEN(arg_likes) == ARG_COUNT, "every kind of argument is described");

const struct source_kind *kind_source(enum program_kind program, enum iface iface,
				      bool is_root, enum source source)
{
	return is_root ? &programs[program].root[source] :
			 &programs[program].sources[iface][source];
}

const char *kind_warning(enum program_kind program, enum iface iface, enum source source)
{
	assert(program == PROGRAM_LINUX && iface == IF_NET && source == SRC_HOST);
	return "net=host shares the host's own network stack: every address, port and "
	       "listener of the host can be reached, and nothing filters it";
}

/* Of one that is not told yet, any interface of a device; and a device's are a
 * unikernel's words even where nobody has said that it is one. */
static bool is_word_of(const struct option_kind *k, const struct binding *b)
{
	unsigned ifaces = b->untold ? IF(VOLUME) | IF(NET) : 1u << b->iface;
	unsigned kinds = slot_device(b->slot) ? UNIKERNELS : 1u << b->program;

	return (k->ifaces & ifaces) && (k->programs & kinds);
}

const struct option_kind *kind_option(const struct binding *b, const char *name)
{
	const struct option_kind *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (streq(options[i].name, name) && is_word_of(&options[i], b) &&
		    (!found || (options[i].sources & (1u << b->source))))
			found = &options[i];
	return found;
}

const struct caretaker_kind *kind_caretaker(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(caretakers); i++)
		if (streq(caretakers[i].name, name))
			return &caretakers[i];
	return NULL;
}

bool kind_word_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (streq(options[i].name, name))
			return true;
	return kind_caretaker(name) != NULL;
}

static void list_word(struct str *out, const char *name, enum arg arg)
{
	if (out->len && strstr(str_text(out), name))
		return; /* a name of several rows */
	str_addf(out, "%s%s%s", out->len ? ", " : "", name,
		 arg == ARG_NONE || arg == ARG_COUNT ? "" : "=");
}

void kind_list_options(const struct binding *b, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (is_word_of(&options[i], b))
			list_word(out, options[i].name, options[i].arg);
}

void kind_list_caretakers(const struct binding *b, struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(caretakers); i++)
		if (caretakers[i].there & (1u << b->iface))
			list_word(out, caretakers[i].name, caretakers[i].arg);
}

const char *kind_nearest_word(const char *word, const struct binding *b)
{
	const char *names[ARRAY_LEN(options) + ARRAY_LEN(caretakers)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (is_word_of(&options[i], b))
			names[n++] = options[i].name;
	for (size_t i = 0; i < ARRAY_LEN(caretakers); i++)
		if (caretakers[i].there & (1u << b->iface))
			names[n++] = caretakers[i].name;
	return str_nearest(word, names, n);
}

static bool all_of(const char *s, const char *digits_too, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') &&
		    !strchr(digits_too, s[i]))
			return false;
	return n > 0 && n <= max;
}

static bool is_machine_id(const char *s)
{
	return strlen(s) == 32 && strspn(s, "0123456789abcdef") == 32;
}

bool arg_valid(enum arg arg, const char *value)
{
	uint64_t n;

	if (arg == ARG_NONE || !value)
		return arg == ARG_NONE && !value;
	switch (arg) {
	case ARG_BYTES: return str_to_bytes(value, &n) && n > 0 && n <= 1ULL << 50;
	case ARG_SHIFT:
		return str_to_ms(value + (*value == '-' || *value == '+'), &n) &&
		       n <= 100ULL * 366 * 86400 * 1000;
	case ARG_BELOW: return relative_path_valid(value);
	case ARG_HOSTNAME:
		return all_of(value, "-.", 64) && *value != '-' && *value != '.';
	case ARG_USER: return all_of(value, "-_", 31) && (*value > '9' && *value != '-');
	case ARG_MACHINE_ID: return is_machine_id(value);
	case ARG_CUT:
		return streq(value, cut_name(CUT_COMPLETE)) ||
		       streq(value, cut_name(CUT_NEW_USES)) ||
		       streq(value, cut_name(CUT_RESTART));
	case ARG_MAC: return mac_parse(value, (uint8_t[6]){ 0 });
	case ARG_MTU: return str_to_u64(value, &n) && n >= 576 && n <= 9000;
	case ARG_BLOCK:
		return str_to_u64(value, &n) && n >= 512 && n <= 32768 &&
		       (n & (n - 1)) == 0;
	case ARG_PATH: return *value == '/';
	case ARG_TIME: return time_parse(value, &n);
	case ARG_HIDE: return caretaker_arg_valid("hide", value);
	case ARG_MAX: return caretaker_arg_valid("max", value);
	case ARG_RATE: return caretaker_arg_valid("rate", value);
	case ARG_TTL: return caretaker_arg_valid("ttl", value);
	case ARG_FAULT: return caretaker_arg_valid("fault", value);
	case ARG_TEXT: return true;
	case ARG_NONE:
	case ARG_COUNT: break;
	}
	return false;
}

const char *arg_like(enum arg arg)
{
	return arg_likes[arg];
}

const char *need_missing(enum need need, const struct host_facts *facts)
{
	if (need == NEED_TIMENS && !facts->timens)
		return "this kernel has no time namespaces (CONFIG_TIME_NS)";
	return NULL;
}
