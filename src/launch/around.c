/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Around a start: what is said where a program is missing, the way to the background, and what
 * is cleared away after the dead. */
#include "launch/around-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "launch/launch.h"
#include "sandbox/cgroup.h"
#include "tender/tender.h"
#include "wire/wire.h"

static bool on_host_path(const char *name, char *ret, size_t size)
{
	const char *dir = getenv("PATH");

	if (strchr(name, '/')) {
		(void)snprintf(ret, size, "%s", name);
		return access(name, X_OK) == 0;
	}
	while (dir && *dir) {
		size_t n = strcspn(dir, ":");

		(void)snprintf(ret, size, "%.*s/%s", (int)n, dir, name);
		if (n > 0 && access(ret, X_OK) == 0)
			return true;
		dir += n + (dir[n] == ':');
	}
	return false;
}

/* 127, but the host has it: say what would help. */
void launch_hint_not_found(const struct genv *e, struct err *err)
{
	char path[1024], *slash;

	if (!on_host_path(e->argv[0], path, sizeof(path)))
		return;
	slash = strrchr(path, '/');
	if (!e->root && str_starts(path, "/usr/"))
		err_append(err, " (its interpreter or a library may be missing inside)");
	else if (e->root)
		err_append(err, "; the host has '%s', but the root given does not", path);
	else if (slash && slash != path && path[0] == '/' && !strchr(e->argv[0], '/'))
		err_append(err,
			   "; the host has '%s': grant it with -r '%.*s' and -e PATH, or "
			   "name it: -r '%s' -- '%s' …",
			   path, (int)(slash - path), path, path, path);
	else
		err_append(err, "; the host has it: grant it with -r '%s'", path);
}

void launch_leave_terminal(const char *console)
{
	bool keeps_streams = streq(console, "parent");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	for (int i = 0; null >= 0 && i < 3; i++)
		if (!keeps_streams || isatty(i))
			(void)dup2(null, i);
	if (null > 2)
		(void)close(null);
}

/* The last act: whoever reads it finds the environment stopped, or gone. */
void launch_tell_end(int fd, int status_)
{
	auto_str out = STR_INIT;

	put_u32(&out, (uint32_t)status_);
	(void)fd_write_all(fd, str_text(&out), out.len, NULL);
}

int launch_await_start(int fd, int *ret_code, struct err *err)
{
	struct tender_ready ready;
	size_t len = 0;
	int r = fd_read_full(fd, &ready, sizeof(ready), &len, err);

	*ret_code = 125;
	if (r != 0)
		return r;
	if (len != sizeof(ready))
		return err_set(err, PE_REFUSED,
			       "the environment's tender died while starting");
	*ret_code = ready.code;
	if (ready.code == 0)
		return 0;
	ready.text[sizeof(ready.text) - 1] = '\0';
	return err_set(err, PE_REFUSED, "%s", ready.text);
}

int launch_cleanup(void *unused, const struct reg_entry *e, struct err *err)
{
	const char *line = e->cgroups;
	int r = 0;

	(void)unused;
	while (r == 0 && *line) {
		char path[300];
		size_t n = strcspn(line, "\n");

		(void)snprintf(path, sizeof(path), "%.*s", (int)n, line);
		if (str_starts(path, "/sys/fs/cgroup/"))
			r = cgroup_remove_path(path, err);
		line += n + (line[n] == '\n');
	}
	return r;
}
