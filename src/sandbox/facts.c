/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/lockdown.h"
#include "sandbox/sandbox-internal.h"

/* Bits that the probing child returns. */
enum { HAS_USERNS = 1, HAS_OVERLAY = 2, HAS_TIMENS = 4 };

_Noreturn static void probe_inside(void)
{
	int found = 0, fs;

	if (SYS1(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) == 0)
		found |= HAS_USERNS;
	fs = sys_fsopen("overlay");
	if (found && fs >= 0)
		found |= HAS_OVERLAY;
	if (found && SYS1(SYS_unshare, CLONE_NEWTIME) == 0)
		found |= HAS_TIMENS;
	sys_exit(found);
}

static int probe(void)
{
	long pid = fork_with(0);
	int status = 0;

	if (pid == 0)
		probe_inside();
	while (pid > 0 && waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static bool has_ranges(const char *file)
{
	auto_free char *text = NULL;

	if (fd_read_file_at(AT_FDCWD, file, 1u << 20, &text, NULL, NULL) != 0)
		return false;
	/* By name or by number: the start looks closely, here a line at all will do. */
	return strchr(text, ':') != NULL;
}

static void limits(struct host_facts *f)
{
	bool unified = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char bus[512];

	f->limit_pids = true;
	if (f->root) {
		f->limit_mem = unified ||
			       access("/sys/fs/cgroup/memory/cgroup.procs", F_OK) == 0;
		f->limit_cpu =
			unified || access("/sys/fs/cgroup/cpu/cgroup.procs", F_OK) == 0;
		f->no_limit_reason = "this host has no cgroup for it";
		return;
	}
	(void)snprintf(bus, sizeof(bus), "%s/bus", runtime ? runtime : "");
	f->limit_mem = f->limit_cpu = unified && runtime && access(bus, F_OK) == 0;
	f->no_limit_reason =
		unified ? "the user's systemd cannot be asked for a cgroup" :
			  "cgroups of version 1 belong to root: start it as root, or "
			  "leave the limit out";
}

/* Permission bits are not all: a container's device cgroup refuses at open alone. */
static bool can_open(const char *device)
{
	auto_fd fd = open(device, O_RDWR | O_CLOEXEC);

	return fd >= 0;
}

/* Yama: 2 leaves it to who has the capability, 3 to nobody. */
static bool can_trace(bool root)
{
	auto_fd fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	char scope = '0';

	return fd < 0 || read(fd, &scope, 1) != 1 || scope < (root ? '3' : '2');
}

void host_facts_assume(struct host_facts *ret)
{
	*ret = HOST_FACTS_ALL;
	ret->root = geteuid() == 0;
	ret->ptrace = can_trace(ret->root);
	ret->landlock_abi = lockdown_landlock_abi();
}

void host_facts_probe(struct host_facts *ret)
{
	int found = probe();

	host_facts_assume(ret);
	ret->userns = found & HAS_USERNS;
	ret->overlay = found & HAS_OVERLAY;
	ret->timens = found & HAS_TIMENS;
	ret->fuse = can_open("/dev/fuse");
	ret->kvm = access("/dev/kvm", R_OK | W_OK) == 0;
	ret->subuid =
		has_ranges("/etc/subuid") && access("/usr/bin/newuidmap", X_OK) == 0;
	limits(ret);
}
