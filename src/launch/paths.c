/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host path that is granted at the same place inside: -r and -w. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "launch/verbs.h"

static bool has_dots(const char *path)
{
	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n <= 2 && n > 0 && strncmp(p, "..", n) == 0)
			return true;
		p += n;
	}
	return false;
}

/* The first directory is a link on the host (/bin, /lib): inside it is one too. */
static bool starts_with_link(const char *path)
{
	char first[PATH_MAX];
	struct stat st;

	(void)snprintf(first, sizeof(first), "/%.*s", (int)strcspn(path + 1, "/"),
		       path + 1);
	return lstat(first, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Where a granted path is inside: as it was written, made absolute and clean. */
static int inside_path(const char *cwd, const char *path, char *ret, struct err *err)
{
	char text[PATH_MAX], dir[PATH_MAX], *slash;
	size_t len;
	int n = path[0] == '/' ? snprintf(text, sizeof(text), "%s", path) :
				 snprintf(text, sizeof(text), "%s/%s", cwd, path);

	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(err, -ENAMETOOLONG, "'%s' is too long", path);
	for (len = strlen(text); len > 1 && text[len - 1] == '/'; len--)
		text[len - 1] = '\0';
	slash = strrchr(text, '/');
	if (has_dots(slash) || streq(text, "/"))
		return realpath(text, ret) ? 0 : err_sys(err, "cannot grant '%s'", path);
	if (has_dots(text) || strstr(text, "//") || starts_with_link(text)) {
		*slash = '\0';
		if (!realpath(*text ? text : "/", dir))
			return err_sys(err, "cannot grant '%s'", path);
		n = snprintf(ret, PATH_MAX, "%s/%s", streq(dir, "/") ? "" : dir,
			     slash + 1);
		return n < PATH_MAX ?
			       0 :
			       err_set(err, -ENAMETOOLONG, "'%s' is too long", path);
	}
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

/* What is written to may be new: a directory if it ends in a slash, else a file. */
static int make_missing(const char *path, struct err *err)
{
	size_t len = strlen(path);
	auto_fd fd = -1;

	if (access(path, F_OK) == 0 || errno != ENOENT)
		return 0;
	if (len > 0 && path[len - 1] == '/')
		return mkdir(path, 0777) == 0 ? 0 :
						err_sys(err, "cannot make '%s'", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return fd >= 0 ? 0 :
			 err_sys(err,
				 "cannot make the file '%s' (for a directory, end its "
				 "name in '/')",
				 path);
}

int grant_path(struct genv *e, const char *cwd, const char *path, bool write,
	       struct err *err)
{
	char inside[PATH_MAX], real[PATH_MAX];
	struct binding *b;
	int r = write ? make_missing(path, err) : 0;

	if (r != 0)
		return r;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return err_set(err, PE_NOTFOUND,
			       "there is no '%s' to grant; make it first, or, "
			       "if the program is to make it, use -w",
			       path);
	r = inside_path(cwd, path, inside, err);
	if (r == 0 && !realpath(path, real))
		r = err_sys(err, "cannot grant '%s'", path);
	if (r == 0)
		r = genv_add_binding(e, IF_DIR, inside, (struct pos){ 0 }, &b, err);
	if (r != 0)
		return r;
	b->source = SRC_HOST;
	b->unbound = false;
	b->sugar = true;
	b->ref = strdup(real);
	if (!b->ref)
		return err_oom(err);
	return write ? 0 : binding_add_through(b, "ro", NULL, (struct pos){ 0 });
}
