/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The supervisor of an environment is a fork that goes on for as long as the environment
 * does, and in a program with threads a fork may do next to nothing. So the library never
 * forks: it runs polder(1) by posix_spawn, with the request in a file in
 * memory, and with a pipe for the answer. polder forks the supervisor and ends; only then
 * is the pipe read, without waiting, because an answer is smaller than a pipe. That the
 * supervisor may hold the pipe's other end, or that somebody else in the caller's program
 * has collected our child, does not matter that way. A second pipe, where one is wanted,
 * stays with the supervisor, which writes into it how the environment ended: so nobody
 * has to look for one that is gone already.
 *
 * The child gets five or six descriptors and no other, whatever the caller left open without
 * close-on-exec, and signals as a program finds them at its start.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/request.h"
#include "lib/lib-internal.h"

enum { FD_REQUEST = 3, FD_ANSWER = 4, FD_END = 5, FD_COUNT = 6 };

extern char **environ;

/* ---- where it is ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Beside the library, or where an installation has its programs. */
static bool beside_us(char *ret)
{
	static const char *const places[] = { "polder", "../bin/polder",
					      "../../bin/polder" };
	char self[PATH_MAX], path[PATH_MAX + 32];
	Dl_info info;
	char *slash;

	if (!dladdr((void *)(uintptr_t)polder_new, &info) || !info.dli_fname ||
	    info.dli_fname[0] != '/' || !realpath(info.dli_fname, self))
		return false;
	slash = strrchr(self, '/');
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		(void)snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self,
			       places[i]);
		if (is_program(path) && realpath(path, ret))
			return true;
	}
	return false;
}

static bool in_path(char *ret)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		size_t n = strcspn(dir, ":");

		if (dir[0] == '/' && n < PATH_MAX - 8) {
			(void)snprintf(ret, PATH_MAX, "%.*s/polder", (int)n, dir);
			if (is_program(ret))
				return true;
		}
		dir += n + (dir[n] == ':');
	}
	return false;
}

static int find_program(struct polder *p, struct err *err)
{
	char path[PATH_MAX];

	if (p->program)
		return 0;
	if (!beside_us(path) && !in_path(path))
		return err_set(err, PE_NOTFOUND,
			       "there is no program polder beside the library or "
			       "in PATH, and nothing can be started without it");
	p->program = strdup(path);
	return p->program ? 0 : err_oom(err);
}

/* ---- running it ---- */

static int request_file(const struct start_request *q, int *ret_fd, struct err *err)
{
	auto_str text = STR_INIT;
	auto_fd fd = -1;
	int r;

	request_encode(q, &text);
	if (text.failed)
		return err_oom(err);
	if (text.len > REQUEST_MAX)
		return err_set(err, -E2BIG, "that is more than an environment may hold");
	fd = memfd_create("polder-request", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot make the request");
	r = fd_write_all(fd, str_text(&text), text.len, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) != 0)
		r = err_sys(err, "cannot make the request");
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* Copies above the numbers that the child is to have, so that no dup2 hits another. */
static int lift(const int *from, int n, int *ret, struct err *err)
{
	for (int i = 0; i < n; i++) {
		ret[i] = from[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) :
				       fd_dup_above(from[i], FD_COUNT);
		if (from[i] < 0 && ret[i] >= 0 && ret[i] < FD_COUNT) {
			int low = ret[i];

			ret[i] = fd_dup_above(low, FD_COUNT);
			(void)close(low);
		}
		if (ret[i] < 0)
			return err_set(err, ret[i] < -1 ? ret[i] : -EBADF,
				       "a descriptor cannot be passed on");
	}
	return 0;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr,
		  const int *fds, int n)
{
	sigset_t none, all;
	int r = 0;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	for (int i = 0; r == 0 && i < n; i++)
		r = posix_spawn_file_actions_adddup2(actions, fds[i], i);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, n);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
							   POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int spawn(const char *program, const int *from, pid_t *ret_pid, struct err *err)
{
	char *argv[] = { (char *)"polder",
			 (char *)"--start",
			 (char *)"3",
			 (char *)"4",
			 from[FD_END] >= 0 ? (char *)"5" : NULL,
			 NULL };
	int fds[FD_COUNT] = { -1, -1, -1, -1, -1, -1 };
	int n = from[FD_END] >= 0 ? FD_COUNT : FD_END;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = lift(from, n, fds, err);

	if (r != 0) {
		fd_close_list(fds, FD_COUNT);
		return r;
	}
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawnattr_init(&attr);
		if (r == 0) {
			r = set_up(&actions, &attr, fds, n);
			if (r == 0)
				r = posix_spawn(ret_pid, program, &actions, &attr, argv,
						environ);
			(void)posix_spawnattr_destroy(&attr);
		}
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	fd_close_list(fds, FD_COUNT);
	if (r == ENOENT)
		return err_set(err, PE_NOTFOUND,
			       "there is no '%s', and nothing can be started "
			       "without it",
			       program);
	return r == 0 ? 0 : err_neg(err, -r, "cannot run '%s'", program);
}

static int take_answer(struct polder *p, int fd, char ret_id[POLDER_ID_SIZE],
		       struct err *err)
{
	char buf[ANSWER_MAX];
	ssize_t n = read(fd, buf, sizeof(buf)); /* non-blocking */
	struct start_answer a;
	struct reg_id id;
	int r;

	if (n <= 0)
		return err_set(err, PE_BAD,
			       "'%s' gave no answer: it died, or is of another "
			       "version than this library (%s)",
			       p->program, POLDER_VERSION);
	r = answer_decode(buf, (size_t)n, &a, err);
	if (r != 0)
		return r;
	if (a.result > PE_EXISTS || (a.result == 0 && !reg_id_from_hex(a.id, &id)))
		return err_set(err, PE_BAD, "the answer is damaged");
	if (a.result == 0)
		reg_id_hex(&id, ret_id);
	else
		r = err_set(err, a.code == 127 ? PE_NOTFOUND : a.result, "%s", a.text);
	return r;
}

int program_start(struct polder *p, const struct start_request *q, const int *streams,
		  int end_fd, char ret_id[POLDER_ID_SIZE], struct err *err)
{
	int fds[FD_COUNT] = { -1, -1, -1, -1, -1, -1 }, pipefd[2];
	auto_fd request = -1, answer = -1;
	pid_t pid = -1;
	int r = find_program(p, err);

	if (r == 0)
		r = request_file(q, &request, err);
	if (r != 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	answer = pipefd[0];
	if (streams)
		memcpy(fds, streams, 3 * sizeof(*fds));
	fds[FD_REQUEST] = request;
	fds[FD_ANSWER] = pipefd[1];
	fds[FD_END] = end_fd;
	r = fd_set_nonblock(answer, true) < 0 ? err_sys(err, "cannot make a pipe") :
						spawn(p->program, fds, &pid, err);
	(void)close(pipefd[1]);
	if (r != 0)
		return r;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return take_answer(p, answer, ret_id, err);
}
