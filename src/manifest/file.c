/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest's file, and diagnostics to a stream. */
#include "manifest/manifest.h"

enum { READ_MAX = (64 << 20) + 1 };

static int read_stream(FILE *f, struct str *out)
{
	char buf[16384];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
		str_addn(out, buf, n);
		if (out->len > READ_MAX)
			return -EFBIG;
	}
	if (ferror(f))
		return errno > 0 ? -errno : -EIO;
	return out->failed ? -ENOMEM : 0;
}

static int read_file(const char *path, struct str *out, struct err *err)
{
	FILE *f = streq(path, "-") ? stdin : fopen(path, "re");
	int r;

	if (!f)
		return err_sys(err, "cannot open '%s'", path);
	errno = 0;
	r = read_stream(f, out);
	if (f != stdin)
		(void)fclose(f);
	return r < 0 ? err_neg(err, r, "cannot read '%s'", path) : 0;
}

/* The directory that ./ means in the file; the caller's own for standard input. */
static int dir_of(const char *path, const struct path_base *base, char **ret,
		  struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = NULL, *written = NULL;

	if (streq(path, "-") || !slash) {
		*ret = base->cwd ? strdup(base->cwd) : NULL;
		return base->cwd && !*ret ? err_oom(err) : 0;
	}
	dir = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	written = dir && *dir != '/' ? str_printf("./%s", dir) : TAKE_PTR(dir);
	if (!written)
		return err_oom(err);
	return path_resolve(written, base, ret, err);
}

int manifest_load(struct graph *g, const char *path, const struct path_base *base,
		  struct diags *d, struct err *err)
{
	auto_free char *dir = NULL;
	auto_str text = STR_INIT;
	struct path_base own;
	int r = read_file(path, &text, err);

	if (r == 0)
		r = dir_of(path, base, &dir, err);
	if (r != 0)
		return r;
	own = (struct path_base){ .cwd = dir, .home = base->home };
	return manifest_load_text(g, streq(path, "-") ? "<stdin>" : path, str_text(&text),
				  text.len, &own, d, err);
}

void diags_print(FILE *out, const struct graph *g, const struct diags *d)
{
	auto_str text = STR_INIT;

	diags_write(d, g, &text);
	(void)fputs(str_text(&text), out);
}
