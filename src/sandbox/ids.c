/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * User and group id maps. An ordinary user may map one id, its own, by itself; a
 * sub-uid range takes the setuid helpers newuidmap and newgidmap; root maps what it
 * likes, which is never kernel id 0 (spec_check).
 */
#include <errno.h>
#include <linux/prctl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/sandbox-internal.h"

static int write_proc(pid_t pid, const char *file, const char *text, size_t len)
{
	char path[64];
	auto_fd fd = -1;
	long r;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	else
		(void)snprintf(path, sizeof(path), "/proc/self/%s", file);
	fd = sys_openat(AT_FDCWD, path, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	r = sys_write(fd, text, len);
	return r < 0 ? (int)r : 0;
}

static int write_map(pid_t pid, const char *file, const struct spec_map *v, size_t n)
{
	char text[4096];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int k = snprintf(text + len, sizeof(text) - len, "%u %u %u\n",
				 v[i].inside, v[i].outside, v[i].count);

		if (k < 0 || (size_t)k >= sizeof(text) - len)
			return -E2BIG;
		len += (size_t)k;
	}
	return write_proc(pid, file, text, len);
}

/* newuidmap PID inside outside count … */
static int run_helper(const char *helper, pid_t pid, const struct spec_map *v, size_t n,
		      struct err *err)
{
	char words[2 + 3 * 16][16];
	char *argv[4 + 3 * 16];
	char env_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	     *envp[] = { env_path, NULL };
	char path[64];
	size_t k = 0;
	int status;
	pid_t child;

	if (n > 16)
		return err_set(err, PE_REFUSED, "too many ranges for %s", helper);
	(void)snprintf(path, sizeof(path), "/usr/bin/%s", helper);
	argv[k++] = path;
	(void)snprintf(words[0], sizeof(words[0]), "%d", pid);
	argv[k++] = words[0];
	for (size_t i = 0; i < n; i++) {
		const uint32_t part[3] = { v[i].inside, v[i].outside, v[i].count };

		for (size_t j = 0; j < 3; j++) {
			(void)snprintf(words[1 + 3 * i + j], sizeof(words[0]), "%u",
				       part[j]);
			argv[k++] = words[1 + 3 * i + j];
		}
	}
	argv[k] = NULL;
	status = posix_spawn(&child, path, NULL, NULL, argv, envp);
	if (status != 0)
		return err_set(err, PE_REFUSED,
			       "identity=own,root needs %s (package uidmap): %s", path,
			       strerror(status));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "cannot wait for %s", helper);
	if (status != 0)
		return err_set(err, PE_REFUSED,
			       "%s refused the id range; see its message above and "
			       "/etc/subuid, /etc/subgid",
			       helper);
	return 0;
}

int ids_write_maps(pid_t pid, const struct spec *s, struct err *err)
{
	int r;

	if (s->flags & SPEC_SUBUID_HELPER) {
		r = run_helper("newuidmap", pid, s->uid_maps, s->n_uid_maps, err);
		return r != 0 ? r :
				run_helper("newgidmap", pid, s->gid_maps, s->n_gid_maps,
					   err);
	}
	r = write_map(pid, "uid_map", s->uid_maps, s->n_uid_maps);
	if (r == 0 && pid == 0)
		r = write_proc(pid, "setgroups", "deny", 4);
	if (r == 0)
		r = write_map(pid, "gid_map", s->gid_maps, s->n_gid_maps);
	if (r < 0)
		return err_neg(err, r, "cannot write the id maps");
	return 0;
}

/* Shares memory with the tender. Must not outlive it, whenever that is killed. */
static int wait_to_be_killed(void *tender)
{
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	if (SYS0(SYS_getppid) != (long)(intptr_t)tender)
		sys_exit(0);
	for (;;)
		(void)SYS2(SYS_ppoll, 0, 0);
	return 0;
}

int ids_userns(const struct spec_map *uid, const struct spec_map *gid, int *ret_fd,
	       struct err *err)
{
	_Alignas(16) char stack[4096];
	char path[64];
	pid_t child = clone(wait_to_be_killed, stack + sizeof(stack),
			    CLONE_NEWUSER | CLONE_VM | CLONE_FILES | SIGCHLD,
			    (void *)(intptr_t)getpid());
	int r, fd = -1;

	if (child < 0)
		return err_sys(err, "cannot make a user namespace for idmapped mounts");
	r = write_map(child, "uid_map", uid, 1);
	if (r == 0)
		r = write_map(child, "gid_map", gid, 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	if (r == 0)
		r = fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_neg(err, r, "cannot set up ids for idmapped mounts");
	*ret_fd = fd;
	return 0;
}

_Noreturn static void be_its_root(int go, int (*fn)(void *), void *arg)
{
	char byte;
	int r;

	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	if (sys_read(go, &byte, 1) != 1) /* the maps could not be written */
		sys_exit(EPERM);
	r = (int)SYS3(SYS_setresgid, 0, 0, 0);
	if (r == 0)
		r = (int)SYS3(SYS_setresuid, 0, 0, 0);
	if (r == 0)
		r = fn(arg);
	sys_exit(r < 0 && r > -256 ? -r : r ? EIO : 0);
}

int sandbox_as_its_root(const struct spec *s, int (*fn)(void *), void *arg,
			struct err *err)
{
	int go[2], status = 0, r;
	long pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	pid = fork_with(CLONE_NEWUSER);
	if (pid == 0) {
		sys_close(go[1]);
		be_its_root(go[0], fn, arg);
	}
	(void)close(go[0]);
	r = pid < 0 ? err_neg(err, (int)pid, "cannot make a user namespace") :
		      ids_write_maps((pid_t)pid, s, err);
	if (r == 0 && write(go[1], "x", 1) != 1)
		r = err_sys(err, "cannot talk to a child");
	(void)close(go[1]);
	while (pid > 0 && waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		r = err_neg(err, WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO,
			    "cannot act for the environment's numbers");
	return r;
}
