/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"

#define ROOT "/sys/fs/cgroup"
#define PERIOD_US 100000u

static bool unified(void)
{
	return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

static int write_file(const char *dir, const char *file, const char *text)
{
	char path[512];
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(const char *dir, const char *file, uint64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return write_file(dir, file, text);
}

/* ---- version 1: a hierarchy for each controller ---- */

static bool v1_mounted(const char *controller)
{
	char path[128];

	(void)snprintf(path, sizeof(path), ROOT "/%s/cgroup.procs", controller);
	return access(path, F_OK) == 0;
}

static int limit_v1(const struct cgroup *c, const char *controller, const char *dir)
{
	int r = 0;

	if (streq(controller, "memory")) {
		r = write_number(dir, "memory.limit_in_bytes", c->mem_bytes);
		/* Where swap is counted, it counts too; an old kernel may not count it. */
		if (r == 0)
			(void)write_number(dir, "memory.memsw.limit_in_bytes",
					   c->mem_bytes);
	} else if (streq(controller, "cpu")) {
		r = write_number(dir, "cpu.cfs_period_us", PERIOD_US);
		if (r == 0)
			r = write_number(dir, "cpu.cfs_quota_us",
					 c->cpu_percent * (PERIOD_US / 100));
	} else {
		r = write_number(dir, "pids.max", c->pids);
	}
	return r;
}

/* ROOT/CONTROLLER/polder/ID. The directory between goes with its last group, perhaps
 * just now: then it is made again. */
static int make_group(const char *above, const char *dir)
{
	for (int tries = 0; tries < 10; tries++) {
		if (mkdir(above, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (mkdir(dir, 0755) == 0)
			return 0;
		if (errno != ENOENT)
			return -errno;
	}
	return -EBUSY;
}

static int make_v1(struct cgroup *c, const char *controller, const char *id,
		   struct err *err)
{
	char above[64], *dir = c->path[c->n];
	int r;

	if (!v1_mounted(controller))
		return err_set(err, PE_REFUSED,
			       "a %s limit was asked for, and this host has no "
			       "cgroup for it (neither version 2 nor " ROOT "/%s)",
			       controller, controller);
	(void)snprintf(above, sizeof(above), ROOT "/%s/polder", controller);
	(void)snprintf(dir, sizeof(c->path[0]), "%s/%s", above, id);
	r = make_group(above, dir);
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return err_set(err, PE_REFUSED,
			       "a %s limit was asked for, and this user may not make "
			       "cgroups here (version 1 belongs to root): start it as "
			       "root, or leave the limit out",
			       controller);
	if (r < 0)
		return err_neg(err, r, "cannot make the cgroup '%s'", dir);
	c->n++;
	r = limit_v1(c, controller, dir);
	return r < 0 ? err_neg(err, r, "cannot set the %s limit in '%s'", controller,
			       dir) :
		       0;
}

/* ---- version 2 ---- */

static int limit_v2(const struct cgroup *c, const char *dir, struct err *err)
{
	char text[64];
	int r = 0;

	if (c->mem_bytes) {
		r = write_number(dir, "memory.max", c->mem_bytes);
		if (r == 0)
			(void)write_number(dir, "memory.swap.max", 0);
	}
	if (r == 0 && c->pids)
		r = write_number(dir, "pids.max", c->pids);
	(void)snprintf(text, sizeof(text), "%llu %u",
		       (unsigned long long)c->cpu_percent * (PERIOD_US / 100), PERIOD_US);
	if (r == 0 && c->cpu_percent)
		r = write_file(dir, "cpu.max", text);
	return r < 0 ? err_set(err, PE_REFUSED,
			       "a limit was asked for, and its controller is not "
			       "available in '%s' (%s)",
			       dir, strerror(-r)) :
		       0;
}

static int make_v2_root(struct cgroup *c, const char *id, struct err *err)
{
	static const char all[] = "+memory +pids +cpu";
	char *dir = c->path[0];
	int r;

	(void)snprintf(dir, sizeof(c->path[0]), ROOT "/polder/%s", id);
	r = make_group(ROOT "/polder", dir);
	if (r < 0)
		return err_neg(err, r, "cannot make the cgroup '%s'", dir);
	c->n = 1;
	(void)write_file(ROOT, "cgroup.subtree_control", all);
	(void)write_file(ROOT "/polder", "cgroup.subtree_control", all);
	return limit_v2(c, dir, err);
}

/* ---- the user's systemd ---- */

static int busctl(char *const *argv, const char *what, struct err *err)
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	int status, r;
	pid_t child;

	(void)posix_spawn_file_actions_init(&quiet);
	(void)posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&child, "busctl", &quiet, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&quiet);
	while (r == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status == 0)
		return 0;
	return err_set(err, PE_REFUSED,
		       "a limit was asked for, and the user's systemd, which an "
		       "ordinary user needs for it, %s: start it as root, log in so that "
		       "systemd --user runs, or leave the limit out",
		       r ? "cannot be asked (busctl is missing)" : what);
}

#define SYSTEMD                                                                          \
	"busctl", "--user", "call", "org.freedesktop.systemd1",                          \
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

static int start_scope(struct cgroup *c, pid_t pid, struct err *err)
{
	static const char *const fixed[] = { SYSTEMD, "StartTransientUnit",
					     "ssa(sv)a(sa(sv))" };
	char number[4][32], count[8];
	const char *argv[48];
	size_t n = 0, props = 2, at;

	for (; n < ARRAY_LEN(fixed); n++)
		argv[n] = fixed[n];
	argv[n++] = c->scope;
	argv[n++] = "fail";
	at = n++;
	(void)snprintf(number[0], sizeof(number[0]), "%d", pid);
	(void)snprintf(number[1], sizeof(number[0]), "%llu",
		       (unsigned long long)c->mem_bytes);
	(void)snprintf(number[2], sizeof(number[0]), "%llu", (unsigned long long)c->pids);
	(void)snprintf(number[3], sizeof(number[0]), "%llu",
		       (unsigned long long)c->cpu_percent * 10000);
	argv[n++] = "PIDs", argv[n++] = "au", argv[n++] = "1", argv[n++] = number[0];
	argv[n++] = "Delegate", argv[n++] = "b", argv[n++] = "true";
	if (c->mem_bytes) {
		argv[n++] = "MemoryMax", argv[n++] = "t", argv[n++] = number[1], props++;
		argv[n++] = "MemorySwapMax", argv[n++] = "t", argv[n++] = "0", props++;
	}
	if (c->pids)
		argv[n++] = "TasksMax", argv[n++] = "t", argv[n++] = number[2], props++;
	if (c->cpu_percent)
		argv[n++] = "CPUQuotaPerSecUSec", argv[n++] = "t", argv[n++] = number[3],
		props++;
	argv[n++] = "0";
	argv[n] = NULL;
	(void)snprintf(count, sizeof(count), "%zu", props);
	argv[at] = count;
	return busctl((char *const *)argv, "does not answer or refuses", err);
}

static int attach_to_scope(struct cgroup *c, pid_t pid, struct err *err)
{
	char number[16];
	const char *argv[] = {
		SYSTEMD, "AttachProcessesToUnit", "ssau", c->scope, "", "1", number, NULL
	};

	(void)snprintf(number, sizeof(number), "%d", pid);
	return busctl((char *const *)argv, "did not take a second process", err);
}

/* systemd moves the process; that its limits hold is looked up, not believed. */
static int verify_scope(const struct cgroup *c, pid_t pid, struct err *err)
{
	char path[64], *text = NULL, *line;
	int tries = 50;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	do {
		struct timespec t = { .tv_nsec = 10 * 1000 * 1000 };

		free(text);
		text = NULL;
		if (fd_read_file_at(AT_FDCWD, path, 1u << 16, &text, NULL, NULL) == 0 &&
		    (line = strstr(text, "0::")) && strstr(line, c->scope)) {
			char dir[512], file[600];
			bool ok;

			line[strcspn(line, "\n")] = '\0';
			(void)snprintf(dir, sizeof(dir), ROOT "%s", line + 3);
			(void)snprintf(file, sizeof(file), "%s/%s", dir,
				       c->mem_bytes ? "memory.max" :
				       c->pids      ? "pids.max" :
						      "cpu.max");
			ok = access(file, F_OK) == 0;
			free(text);
			return ok ? 0 :
				    err_set(err, PE_REFUSED,
					    "a limit was asked for, and the "
					    "user's systemd was given no such controller "
					    "(Delegate= of user@.service)");
		}
		(void)nanosleep(&t, NULL);
	} while (--tries > 0);
	free(text);
	return err_set(err, PE_REFUSED,
		       "a limit was asked for, and the user's systemd did not "
		       "move the environment into its scope");
}

/* ---- all ---- */

int cgroup_make(struct cgroup *ret, const char *id, const struct cgroup_limits *limits,
		struct err *err)
{
	struct cgroup c = { .mem_bytes = limits->mem_bytes,
			    .cpu_percent = limits->cpu_percent,
			    .pids = limits->pids };
	int r = 0;

	if (unified() && geteuid() == 0) {
		r = make_v2_root(&c, id, err);
	} else if (unified()) {
		(void)snprintf(c.scope, sizeof(c.scope), "polder-%s.scope", id);
	} else {
		if (c.mem_bytes)
			r = make_v1(&c, "memory", id, err);
		if (r == 0 && c.pids)
			r = make_v1(&c, "pids", id, err);
		if (r == 0 && c.cpu_percent)
			r = make_v1(&c, "cpu", id, err);
	}
	if (r != 0) {
		(void)cgroup_remove(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void cgroup_predict(const char *id, const struct cgroup_limits *limits, char *ret,
		    size_t size)
{
	const struct {
		uint64_t asked;
		const char *controller;
	} v1[] = { { limits->mem_bytes, "memory/" },
		   { limits->pids, "pids/" },
		   { limits->cpu_percent, "cpu/" } };
	size_t n = 0;

	ret[0] = '\0';
	if (unified()) {
		if (geteuid() == 0 && (v1[0].asked || v1[1].asked || v1[2].asked))
			(void)snprintf(ret, size, ROOT "/polder/%s", id);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(v1); i++)
		if (v1[i].asked && n < size)
			n += (size_t)snprintf(ret + n, size - n, "%s" ROOT "/%spolder/%s",
					      n ? "\n" : "", v1[i].controller, id);
}

int cgroup_join(struct cgroup *c, pid_t pid, struct err *err)
{
	int r = 0;

	if (c->scope[0] && pid) {
		r = start_scope(c, pid, err);
		return r != 0 ? r : verify_scope(c, pid, err);
	}
	if (c->scope[0])
		return attach_to_scope(c, getpid(), err);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		r = write_number(c->path[i], "cgroup.procs", (uint64_t)pid);
	return r < 0 ? err_neg(err, r, "cannot move the environment into its cgroup") : 0;
}

static void kill_members(const char *dir)
{
	auto_free char *text = NULL;
	char path[512];

	if (write_file(dir, "cgroup.kill", "1") == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	if (fd_read_file_at(AT_FDCWD, path, 1u << 20, &text, NULL, NULL) != 0)
		return;
	for (char *p = text; *p; p += strspn(p, "\n")) {
		size_t n = strcspn(p, "\n");
		uint64_t pid;
		char end = p[n];

		p[n] = '\0';
		if (str_to_u64(p, &pid) && pid > 1 && pid < INT32_MAX)
			(void)kill((pid_t)pid, SIGKILL);
		p[n] = end;
		p += n;
	}
}

/* The directory of all groups goes with the last; one with others in it stays. */
static void remove_above(const char *path)
{
	const char *slash = strrchr(path, '/');
	char above[300];

	(void)snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - path) : 0,
		       path);
	if (slash && strlen(above) > 7 && streq(above + strlen(above) - 7, "/polder"))
		(void)rmdir(above);
}

int cgroup_remove_path(const char *path, struct err *err)
{
	for (int tries = 0; tries < 100; tries++) {
		struct timespec t = { .tv_nsec = 5 * 1000 * 1000 };

		if (rmdir(path) == 0 || errno == ENOENT) {
			remove_above(path);
			return 0;
		}
		if (errno != EBUSY)
			break;
		kill_members(path);
		(void)nanosleep(&t, NULL);
	}
	return err_sys(err, "cannot remove the cgroup '%s'", path);
}

bool cgroup_remove(struct cgroup *c)
{
	bool all = true;

	while (c->n > 0)
		all &= cgroup_remove_path(c->path[--c->n], NULL) == 0;
	return all;
}
