/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Whoever can write in the run directory can speak for the user's environments, so it
 * is used only if its last component is a real directory, owned by the effective user
 * and closed to everybody else. That matters most in /tmp, where anyone may have made
 * /tmp/polder-UID first: such a directory is refused, never adopted or removed.
 *
 * Nothing is asked before it is needed: an open is tried, and only when it fails is
 * the directory made, because the start of an environment counts microseconds.
 */
#include "state/places.h"
#include "base/str.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

static int put(char ret[PLACES_PATH_MAX], struct err *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static int put(char ret[PLACES_PATH_MAX], struct err *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ret, PLACES_PATH_MAX, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PLACES_PATH_MAX)
		return err_set(err, PE_REFUSED,
			       "a path of polder's own directories is "
			       "longer than %d bytes: set POLDER_RUNTIME_DIR, "
			       "POLDER_DATA_DIR or POLDER_CONFIG_DIR to a shorter one",
			       PLACES_PATH_MAX - 1);
	return 0;
}

/* An environment variable that holds an absolute path, else NULL. */
static const char *path_var(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static bool owned_by_us(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int find_run(struct places *p, struct err *err)
{
	const char *over = getenv("POLDER_RUNTIME_DIR"), *xdg;

	if (over && over[0] != '/')
		return err_set(err, PE_REFUSED,
			       "POLDER_RUNTIME_DIR is '%s': set it to an "
			       "absolute path",
			       over);
	if (over)
		return put(p->run, err, "%s", over);
	if (geteuid() == 0)
		return put(p->run, err, "/run/polder");
	xdg = path_var("XDG_RUNTIME_DIR");
	if (xdg && owned_by_us(xdg))
		return put(p->run, err, "%s/polder", xdg);
	p->run_is_shared = true;
	return put(p->run, err, "/tmp/polder-%u", (unsigned)geteuid());
}

static const char *home(void)
{
	const char *dir = path_var("HOME");
	const struct passwd *pw;

	if (dir)
		return dir;
	pw = getpwuid(geteuid());
	return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

static int find_home(char ret[PLACES_PATH_MAX], const char *over_name,
		     const char *xdg_name, const char *in_home, const char *of_root,
		     struct err *err)
{
	const char *over = path_var(over_name), *xdg, *dir;

	if (over)
		return put(ret, err, "%s", over);
	if (geteuid() == 0)
		return put(ret, err, "%s", of_root);
	xdg = path_var(xdg_name);
	if (xdg)
		return put(ret, err, "%s/polder", xdg);
	dir = home();
	if (!dir)
		return err_set(err, PE_REFUSED,
			       "you have no home directory: set HOME or %s "
			       "to an absolute path",
			       over_name);
	return put(ret, err, "%s/%s/polder", dir, in_home);
}

int places_init(struct places *p, struct err *err)
{
	int r;

	p->run_is_shared = false;
	r = find_run(p, err);
	if (r == 0)
		r = find_home(p->data, "POLDER_DATA_DIR", "XDG_DATA_HOME", ".local/share",
			      "/var/lib/polder", err);
	if (r == 0)
		r = find_home(p->config, "POLDER_CONFIG_DIR", "XDG_CONFIG_HOME",
			      ".config", "/etc/polder", err);
	return r;
}

/* Opens it as it is; -errno without a sentence. flags: O_NOFOLLOW or 0. */
static int open_dir(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

/* Ours, and closed to others. A directory that is merely readable is closed here. */
static int check_ours(int fd, const char *path, const char *var, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", path);
	if (st.st_uid != geteuid())
		return err_set(err, PE_REFUSED,
			       "'%s' belongs to user %u and not to you: "
			       "have it removed, or set %s",
			       path, (unsigned)st.st_uid, var);
	if (st.st_mode & 0022)
		return err_set(err, PE_REFUSED,
			       "others may write in '%s': remove it, or "
			       "chmod 700 it if you trust what is inside",
			       path);
	if ((st.st_mode & 0077) && fchmod(fd, 0700) < 0)
		return err_sys(err, "cannot close '%s' to others", path);
	return 0;
}

static int cannot_use(const struct places *p, int neg, struct err *err)
{
	if (neg == -ELOOP || neg == -ENOTDIR)
		return err_set(err, PE_REFUSED,
			       "'%s' is not a directory (a symbolic link is "
			       "not accepted): remove it, or set POLDER_RUNTIME_DIR",
			       p->run);
	if (p->run_is_shared)
		return err_set(
			err, PE_REFUSED,
			"there is no runtime directory: '%s' cannot "
			"be made (%s); set XDG_RUNTIME_DIR to a directory that you "
			"own",
			p->run, strerror(-neg));
	return err_set(err, PE_REFUSED,
		       "there is no runtime directory: '%s' cannot be made "
		       "(%s); set POLDER_RUNTIME_DIR to a directory that you can make",
		       p->run, strerror(-neg));
}

int places_open_run(const struct places *p, int *ret_fd, struct err *err)
{
	auto_fd fd = open_dir(p->run, O_NOFOLLOW);
	int r;

	if (fd == -ENOENT) {
		if (mkdir(p->run, 0700) < 0 && errno != EEXIST)
			return cannot_use(p, -errno, err);
		fd = open_dir(p->run, O_NOFOLLOW);
	}
	if (fd < 0)
		return cannot_use(p, fd, err);
	r = check_ours(fd, p->run, "POLDER_RUNTIME_DIR", err);
	if (r != 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Makes a directory and what it lies in; those above with ordinary permissions. */
static int make_with_parents(const char *path)
{
	char part[PLACES_PATH_MAX];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int places_open_data(const char *data, int *ret_fd, struct err *err)
{
	auto_fd fd = open_dir(data, 0);
	int r;

	if (fd == -ENOENT) {
		r = make_with_parents(data);
		fd = r < 0 ? r : open_dir(data, 0);
	}
	if (fd < 0)
		return err_set(err, PE_REFUSED,
			       "'%s', where environments with a name are "
			       "kept, cannot be used (%s): set POLDER_DATA_DIR or "
			       "XDG_DATA_HOME",
			       data, strerror(-fd));
	r = check_ours(fd, data, "POLDER_DATA_DIR", err);
	if (r != 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int places_open_config(const struct places *p, int *ret_fd, struct err *err)
{
	int fd = open(p->config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return PE_NOTFOUND;
	if (fd < 0)
		return err_sys(err, "cannot open the configuration '%s'", p->config);
	*ret_fd = fd;
	return 0;
}
