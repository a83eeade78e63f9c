/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-caretaker [OPTION…] GRANT PLACE CMD…: polder-caretaker-dir by hand. GRANT is a directory or
 * file, PLACE an empty directory (of a file: a file) in which it is mounted, in user and
 * mount namespaces of CMD's own. CMD begins in the mount (of a file: beside it); its exit
 * status is this one's.
 *
 *	-t KIND[=ARG]	one more caretaker; the first is nearest CMD
 *	-f WORD		ro, cross, passthrough: flags of the spec; leak: keep a copy of the
 *			FUSE descriptor, as nobody should
 *	-w FIFO		words for the caretaker are read from it, a line each:
 *			cut, stats, front KIND[=ARG], behind KIND[=ARG], stale, damaged, kill,
 *			stop, cont
 *	-o FILE		what it says is appended there, a line each
 *	-p PROGRAM	instead of polder-caretaker-dir
 */
#include "base/fd.h"
#include "sandbox/fuse.h"
#include "sandbox/sys.h"
#include "wire/care.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define INSIDE 1000u
#define OUTSIDE 100000u /* of a user that root starts */
#define FUSE_FD 20
#define ROOT_FD 21
#define CTL_FD 22
#define SPEC_FD 23

static struct care_spec spec;
static const char *program = "polder-caretaker-dir", *words_path, *said_path;
static bool leak;
static FILE *said;
static pid_t server;
static struct timespec begun;

_Noreturn static void fail(const char *what)
{
	(void)fprintf(stderr, "run-caretaker: %s: %s\n", what, strerror(errno));
	exit(125);
}

_Noreturn static void fail_err(const struct err *err)
{
	(void)fprintf(stderr, "run-caretaker: %s\n", err->text);
	exit(125);
}

static struct care_taker taker_of(char *word)
{
	struct care_taker t = { 0 };
	char *arg = strchr(word, '=');

	if (arg)
		*arg++ = '\0';
	t.arg = arg;
	for (uint8_t i = 1; i < CARE_KIND_COUNT; i++)
		if (strcmp(care_kind_name(i), word) == 0)
			t.kind = i;
	return t;
}

static void flag(const char *word)
{
	leak = leak || strcmp(word, "leak") == 0;
	if (strcmp(word, "ro") == 0)
		spec.flags |= CARE_READ_ONLY;
	if (strcmp(word, "cross") == 0)
		spec.flags |= CARE_CROSS;
	if (strcmp(word, "passthrough") == 0)
		spec.flags |= CARE_PASSTHROUGH;
}

static char **options(int argc, char **argv)
{
	int o;

	spec = CARE_SPEC_INIT;
	while ((o = getopt(argc, argv, "+t:f:w:o:p:")) != -1) {
		if (o == 't' && spec.n_takers < CARE_MAX_CARETAKERS)
			spec.takers[spec.n_takers++] = taker_of(optarg);
		else if (o == 'f')
			flag(optarg);
		else if (o == 'w')
			words_path = optarg;
		else if (o == 'o')
			said_path = optarg;
		else if (o == 'p')
			program = optarg;
		else
			exit(125);
	}
	if (argc - optind < 3) {
		(void)fprintf(stderr,
			      "usage: run-caretaker [OPTION...] GRANT PLACE CMD...\n");
		exit(125);
	}
	return argv + optind;
}

/* ---- inside ---- */

static void become(int chan)
{
	uint32_t id = getuid() ? getuid() : INSIDE;
	char go;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		fail("unshare");
	if (write(chan, "u", 1) != 1 || read(chan, &go, 1) != 1)
		exit(125);
	if (getuid() != id && (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0))
		fail("setresuid");
}

/* The mount's place is the working directory, which unshare keeps where it is. */
static void attach(int mount, const char *place, bool is_file)
{
	if (SYS5(SYS_move_mount, mount, "", AT_FDCWD, is_file ? place : ".",
		 MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail("move_mount");
}

_Noreturn static void inside(int chan, const char *place, bool is_file, char **cmd)
{
	struct err err = ERR_INIT;
	int fuse, mount;
	struct stat st;
	char go;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!is_file && chdir(place) < 0)
		fail(place);
	become(chan);
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		fail("/dev/fuse");
	if (fuse_mount_new(fuse, spec.flags & CARE_READ_ONLY, is_file, &mount, &err) != 0)
		fail_err(&err);
	attach(mount, place, is_file);
	if (fd_send(chan, "f", 1, &fuse, 1, &err) != 0)
		fail_err(&err);
	(void)close(fuse);
	if (read(chan, &go, 1) != 1)
		exit(125);
	/* Not before: whoever uses the mount waits for its server. */
	if (fstat(mount, &st) < 0)
		fail("the mount");
	if (!is_file && fchdir(mount) < 0)
		fail("fchdir");
	(void)close(mount);
	(void)close(chan);
	execvp(cmd[0], cmd);
	fail(cmd[0]);
}

/* ---- outside ---- */

static void write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	(void)close(fd);
}

static void map_ids(pid_t pid)
{
	bool root = getuid() == 0;
	char text[64];

	if (!root)
		write_file(pid, "setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1", root ? INSIDE : getuid(),
		       root ? OUTSIDE : getuid());
	write_file(pid, "uid_map", text);
	(void)snprintf(text, sizeof(text), "%u %u 1", root ? INSIDE : getgid(),
		       root ? OUTSIDE : getgid());
	write_file(pid, "gid_map", text);
	spec.uid = (struct care_id){ getuid(), root ? INSIDE : getuid() };
	spec.gid = (struct care_id){ getgid(), root ? INSIDE : getgid() };
}

static int spec_fd(void)
{
	auto_str bytes = STR_INIT;
	int fd = memfd_create("spec", 0);

	spec.generation = 7;
	spec.fuse_fd = FUSE_FD;
	spec.root_fd = ROOT_FD;
	spec.ctl_fd = CTL_FD;
	care_spec_encode(&spec, &bytes);
	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len ||
	    lseek(fd, 0, SEEK_SET) < 0)
		fail("spec");
	return fd;
}

static void serve(int fuse, int root, int ctl, int bytes)
{
	char number[16];

	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	server = fork();
	if (server < 0)
		fail("fork");
	if (server > 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fuse, FUSE_FD) < 0 || dup2(root, ROOT_FD) < 0 || dup2(ctl, CTL_FD) < 0 ||
	    dup2(bytes, SPEC_FD) < 0)
		fail("dup2");
	(void)snprintf(number, sizeof(number), "%d", SPEC_FD);
	execlp(program, program, "--spec", number, (char *)NULL);
	fail(program);
}

static unsigned since(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - begun.tv_sec) * 1000000 +
			  (now.tv_nsec - begun.tv_nsec) / 1000);
}

static void show(const struct care_msg *m)
{
	const struct care_logged *l = &m->logged;
	const struct care_stats *s = &m->stats;

	switch (m->verb) {
	case CARE_READY: fprintf(said, "ready %s after %u us\n", m->text, since()); break;
	case CARE_REFUSED: fprintf(said, "refused %u %s\n", m->seq, m->text); break;
	case CARE_ENDED:
		fprintf(said, "ended %u invalidated %u %s\n", m->what, m->invalidated,
			m->text);
		break;
	case CARE_LOGGED:
		fprintf(said,
			"log %s %s %s %s errno %u read %" PRIu64 " written %" PRIu64 "\n",
			l->denied ? "deny" : "allow", care_act_name(l->act), l->path,
			l->path2 ? l->path2 : "-", l->error, l->read, l->written);
		break;
	default:
		fprintf(said,
			"done %u what %u invalidated %u unfinished %u nodes %" PRIu64
			" max %" PRIu64 " limit %" PRIu64 " toomany %" PRIu64
			" handles %" PRIu64 " requests %" PRIu64 " denied %" PRIu64
			" read %" PRIu64 " written %" PRIu64 " us %u\n",
			m->seq, m->what, m->invalidated, m->unfinished, s->nodes,
			s->nodes_max, s->nodes_limit, s->nodes_refused, s->handles,
			s->requests, s->denied, s->bytes_read, s->bytes_written, since());
	}
	(void)fflush(said);
}

/* False: the caretaker's end is closed. */
static bool hear(int ctl)
{
	static uint8_t buf[CARE_MAX_BYTES];
	struct err err = ERR_INIT;
	struct care_msg m;
	size_t len;

	if (fd_recv(ctl, buf, sizeof(buf), &len, NULL, 0, NULL, &err) != 0 || len == 0)
		return false;
	if (care_msg_decode(&m, buf, len, &err) != 0)
		fail_err(&err);
	show(&m);
	return true;
}

/* Words that are signals. */
static bool to_server(const char *word)
{
	static const struct {
		const char *word;
		int sig;
	} words_of[] = { { "kill", SIGKILL }, { "stop", SIGSTOP }, { "cont", SIGCONT } };

	for (size_t i = 0; i < ARRAY_LEN(words_of); i++)
		if (strcmp(words_of[i].word, word) == 0) {
			(void)kill(server, words_of[i].sig);
			return true;
		}
	return false;
}

static void say(int ctl, char *word)
{
	static uint32_t seq;
	auto_str bytes = STR_INIT;
	struct care_msg m = { .seq = ++seq, .generation = spec.generation };
	char *rest = strchr(word, ' ');

	if (rest)
		*rest++ = '\0';
	if (to_server(word))
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	m.verb = strcmp(word, "cut") == 0 ? CARE_CUT : CARE_STATS;
	if (rest) {
		m.verb = CARE_ATTENUATE;
		m.place = strcmp(word, "front") == 0 ? CARE_FRONT : CARE_BEHIND;
		m.n_takers = 1;
		m.takers[0] = taker_of(rest);
	}
	m.what = m.verb == CARE_CUT ? CARE_CUT_ERRORS : 0;
	if (strcmp(word, "stale") == 0)
		m.generation++;
	care_msg_encode(&m, &bytes);
	(void)send(ctl, bytes.p, strcmp(word, "damaged") == 0 ? 9 : bytes.len,
		   MSG_NOSIGNAL);
}

static void words(int ctl, int fifo)
{
	static char line[4096];
	static size_t have;
	char *end;
	ssize_t n = read(fifo, line + have, sizeof(line) - 1 - have);

	if (n <= 0)
		return;
	have += (size_t)n;
	line[have] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end++ = '\0';
		say(ctl, line);
		have -= (size_t)(end - line);
		memmove(line, end, have + 1);
	}
}

static int watch(int ctl, pid_t child)
{
	struct pollfd p[] = {
		{ .fd = ctl, .events = POLLIN },
		{ .fd = words_path ? open(words_path, O_RDWR | O_CLOEXEC) : -1,
		  .events = POLLIN },
		{ .fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN }
	};
	int status;

	for (;;) {
		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			fail("poll");
		if (p[0].revents && !hear(ctl))
			p[0].fd = -1;
		if (p[1].revents)
			words(ctl, p[1].fd);
		if (p[2].revents)
			break;
	}
	if (waitpid(child, &status, 0) < 0)
		fail("waitpid");
	(void)shutdown(ctl, SHUT_WR);
	while (p[0].fd >= 0 && hear(ctl))
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char **args = options(argc, argv), got;
	int chan[2], ctl[2], root, fuse, status, r;
	struct err err = ERR_INIT;
	size_t len, n;
	struct stat st;
	pid_t child;

	root = open(args[0], O_PATH | O_CLOEXEC);
	if (root < 0 || fstat(root, &st) < 0)
		fail(args[0]);
	if (S_ISREG(st.st_mode))
		spec.flags |= CARE_IS_FILE;
	said = said_path ? fopen(said_path, "ae") : fopen("/dev/null", "ae");
	if (!said || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, chan) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0)
		fail("socketpair");
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		(void)close(chan[0]);
		(void)close(ctl[0]);
		(void)close(ctl[1]);
		inside(chan[1], args[1], S_ISREG(st.st_mode), args + 2);
	}
	(void)close(chan[1]);
	if (read(chan[0], &got, 1) != 1)
		return 125;
	map_ids(child);
	if (write(chan[0], "g", 1) != 1)
		fail("go");
	r = fd_recv(chan[0], &got, 1, &len, &fuse, 1, &n, &err);
	if (r != 0 || n != 1)
		return 125;
	serve(fuse, root, ctl[1], spec_fd());
	(void)close(ctl[1]);
	if (!leak)
		(void)close(fuse);
	if (!hear(ctl[0])) {
		(void)waitpid(server, &status, 0);
		return 125;
	}
	if (write(chan[0], "g", 1) != 1)
		fail("go");
	r = watch(ctl[0], child);
	(void)waitpid(server, &status, 0);
	(void)fprintf(said, "server %s %d\n", WIFEXITED(status) ? "exit" : "signal",
		      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	(void)fclose(said);
	return r;
}
