/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checking: manifests and lists of bindings. A report owns copies of all it shows, so
 * that it outlives the graph that it was made from. */
#include <limits.h>
#include <string.h>

#include "lib/lib-internal.h"
#include "manifest/manifest.h"

struct polder_report {
	struct polder_diag *v; /* .file, .text and .hint are our own copies */
	size_t n, n_errors;
	char *text;
};

static bool copy(const char *from, const char **to)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

static bool fill(struct polder_report *r, const struct diags *d, const struct graph *g)
{
	auto_str text = STR_INIT;
	bool ok = true;

	r->v = calloc(d->n + 1, sizeof(*r->v));
	if (!r->v)
		return false;
	r->n = d->n;
	r->n_errors = d->n_errors;
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *from = &d->v[i];
		struct polder_diag *to = &r->v[i];

		to->line = from->pos.line;
		to->column = from->pos.column;
		to->warning = from->warning;
		ok = copy(from->pos.file, &to->file) && ok;
		ok = copy(from->text, &to->text) && ok;
		ok = copy(from->hint, &to->hint) && ok;
	}
	diags_write(d, g, &text);
	r->text = str_take(&text);
	return ok && r->text;
}

int report_new(struct polder_report **ret, struct diags *take_diags,
	       const struct graph *g, struct err *err)
{
	struct polder_report *r = calloc(1, sizeof(*r));
	bool ok;

	diags_sort(take_diags);
	ok = r && fill(r, take_diags, g);
	diags_fini(take_diags);
	if (!ok) {
		polder_report_free(r);
		return err_oom(err);
	}
	*ret = r;
	return 0;
}

void report_facts(struct host_facts *ret, unsigned flags)
{
	if (flags & POLDER_ANY_HOST)
		*ret = HOST_FACTS_ALL;
	else
		launch_facts(ret);
}

size_t polder_report_errors(const struct polder_report *r)
{
	return r ? r->n_errors : 0;
}

size_t polder_report_count(const struct polder_report *r)
{
	return r ? r->n : 0;
}

const struct polder_diag *polder_report_diag(const struct polder_report *r, size_t at)
{
	return r && at < r->n ? &r->v[at] : NULL;
}

const char *polder_report_text(const struct polder_report *r)
{
	return r ? r->text : "";
}

void polder_report_free(struct polder_report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		free((char *)r->v[i].file);
		free((char *)r->v[i].text);
		free((char *)r->v[i].hint);
	}
	free(r->v);
	free(r->text);
	free(r);
}

/* ---- the checks ---- */

/* What was read, as far as it was understood, and all that is wrong with it. r is of
 * the reading. */
static int finish(struct polder *p, int r, struct graph *g, struct diags *d,
		  unsigned flags, struct polder_report **ret, struct err *err)
{
	struct host_facts facts;

	if (r == 0 || r == PE_BAD) {
		report_facts(&facts, flags);
		r = graph_check(g, &facts, flags & POLDER_ACCEPT_WEAKER, d);
		if (r < 0)
			(void)err_oom(err);
		else
			r = report_new(ret, d, g, err);
	}
	diags_fini(d);
	graph_free(g);
	return lib_end(p, r, err);
}

int polder_check_file(struct polder *p, const char *path, unsigned flags,
		      struct polder_report **ret_report)
{
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	char cwd[PATH_MAX];
	struct path_base base = { .cwd = cwd, .home = getenv("HOME") };
	struct graph *g;
	int r;

	if (!p || !path || !ret_report)
		return LIB_NULL(p);
	if (flags & ~(unsigned)(POLDER_ACCEPT_WEAKER | POLDER_ANY_HOST))
		return lib_usage(p, "a flag that no check has");
	if (streq(path, "-")) /* a library has no business with standard input */
		path = "./-";
	g = graph_new();
	r = g ? lib_cwd(cwd, &err) : err_oom(&err);
	if (r == 0)
		r = manifest_load(g, path, &base, &d, &err);
	return finish(p, r, g, &d, flags, ret_report, &err);
}

int polder_check_text(struct polder *p, const char *name, const char *text, size_t len,
		      const char *dir, unsigned flags, struct polder_report **ret_report)
{
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	char cwd[PATH_MAX];
	struct path_base base = { .cwd = dir ? dir : cwd, .home = getenv("HOME") };
	struct graph *g;
	int r;

	if (!p || !name || (!text && len > 0) || !ret_report)
		return LIB_NULL(p);
	if (flags & ~(unsigned)(POLDER_ACCEPT_WEAKER | POLDER_ANY_HOST))
		return lib_usage(p, "a flag that no check has");
	if (dir && dir[0] != '/')
		return lib_usage(p, "the directory must be absolute");
	g = graph_new();
	r = g ? 0 : err_oom(&err);
	if (r == 0 && !dir)
		r = lib_cwd(cwd, &err);
	if (r == 0)
		r = manifest_load_text(g, name, text ? text : "", len, &base, &d, &err);
	return finish(p, r, g, &d, flags, ret_report, &err);
}

static int bind_all(struct genv *e, const char *const *bindings,
		    const struct path_base *base, struct diags *d)
{
	for (size_t i = 0; bindings[i]; i++) {
		struct pos pos = { .line = (unsigned)MIN(i + 1, (size_t)UINT_MAX),
				   .column = 1 };
		struct err err = ERR_INIT;
		int r = graph_env_bind(e, bindings[i], base, pos, NULL, &err);

		if (r == -ENOMEM)
			return r;
		if (r != 0)
			diags_add(d, pos, false, NULL, "%s", err.text);
	}
	return genv_add_defaults(e);
}

int polder_check_bindings(struct polder *p, const char *const *bindings, unsigned flags,
			  struct polder_report **ret_report)
{
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	char cwd[PATH_MAX];
	struct path_base base = { .cwd = cwd, .home = getenv("HOME") };
	struct graph *g;
	struct genv *e;
	int r;

	if (!p || !bindings || !ret_report)
		return LIB_NULL(p);
	if (flags & ~(unsigned)(POLDER_ACCEPT_WEAKER | POLDER_ANY_HOST))
		return lib_usage(p, "a flag that no check has");
	g = graph_new();
	r = g ? lib_cwd(cwd, &err) : err_oom(&err);
	if (r == 0)
		r = graph_env_new(g, "", (struct pos){ 0 }, &e, &err);
	if (g)
		g->open = true;
	if (r == 0)
		r = bind_all(e, bindings, &base, &d);
	return finish(p, r, g, &d, flags, ret_report, &err);
}
