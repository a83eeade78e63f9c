/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole spec of one Linux environment, interface by interface. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "server/server-internal.h"

static server_fn *const plan[IF_COUNT] = {
	[IF_CONSOLE] = server_console, [IF_DIR] = server_dir,
	[IF_NET] = server_net,         [IF_CLOCK] = server_clock,
	[IF_ENTROPY] = server_entropy, [IF_IDENTITY] = server_identity,
	[IF_SOCKET] = server_socket,
};

/* Parents before what lies in them, whatever the order of writing. */
static int by_slot(const void *a, const void *b)
{
	const struct binding *const *x = a, *const *y = b;

	return strcmp((*x)->slot, (*y)->slot);
}

static int plan_bindings(struct spec *s, const struct genv *e,
			 const struct server_ctx *cx, bool paths, struct err *err)
{
	const struct binding **sorted = calloc(e->n_bindings + 1, sizeof(*sorted));
	int r = sorted ? 0 : err_oom(err);

	for (size_t i = 0; r == 0 && i < e->n_bindings; i++)
		sorted[i] = &e->bindings[i];
	if (r == 0)
		qsort(sorted, e->n_bindings, sizeof(*sorted), by_slot);
	for (size_t i = 0; r == 0 && i < e->n_bindings; i++) {
		const struct binding *b = sorted[i];
		bool is_path = b->iface == IF_DIR || b->iface == IF_SOCKET;

		if (is_path != paths || !plan[b->iface] || streq(b->slot, "/"))
			continue;
		r = plan[b->iface](s, e, b, cx, err);
	}
	free(sorted);
	return r;
}

/* True if path is dst or lies below it. */
static bool lies_on(const char *path, const char *dst)
{
	size_t n = streq(dst, "/") ? 0 : strlen(dst);

	return strncmp(path, dst, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* What a path inside will be found on: the last of the longest targets. */
static const struct spec_mount *mount_of(const struct spec *s, const char *path)
{
	const struct spec_mount *best = NULL;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (m->kind != SPEC_MOUNT_DIR && m->kind != SPEC_MOUNT_MASK &&
		    m->kind != SPEC_MOUNT_SYMLINK && lies_on(path, m->dst) &&
		    (!best || strlen(m->dst) >= strlen(best->dst)))
			best = m;
	}
	return best;
}

/* True if the directory is in what was granted; what another exposes cannot be seen. */
static bool is_there(const struct spec_mount *m, const char *path)
{
	const char *rest = path + (streq(m->dst, "/") ? 0 : strlen(m->dst));
	char source[8192];
	struct stat st;
	int n = snprintf(source, sizeof(source), "%s%s", m->src ? m->src : "", rest);

	if (m->kind == SPEC_MOUNT_ENV)
		return !*rest;
	return m->src && n > 0 && (size_t)n < sizeof(source) && stat(source, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* The caller's path, so that relative names mean the same inside: made where the ground
 * is our own, kept where what was granted holds it, else the root. What was asked for
 * by name is entered or fails. */
static void plan_cwd(struct spec *s, const struct genv *e, const struct server_ctx *cx)
{
	const struct spec_mount *m = mount_of(s, e->chdir ? e->chdir : cx->cwd);

	s->cwd = spec_str(s, e->chdir ? e->chdir : cx->cwd);
	if (e->chdir || !m || streq(cx->cwd, "/"))
		return;
	if (m->kind == SPEC_MOUNT_SCRATCH &&
	    (!(m->flags & SPEC_MOUNT_RO) || streq(m->dst, "/")))
		(void)spec_add_mount(s, SPEC_MOUNT_DIR, NULL, cx->cwd);
	else if (!is_there(m, cx->cwd))
		s->cwd = spec_str(s, "/");
}

static const char *find_var(const struct server_ctx *cx, const char *name)
{
	size_t n = strlen(name);

	for (char *const *v = cx->environ_; v && *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

struct vars {
	char **v;
	size_t n;
	struct spec *s;
};

static void set_var(struct vars *vars, const char *key, const char *value)
{
	size_t len = strlen(key), i;

	for (i = 0; i < vars->n; i++)
		if (strncmp(vars->v[i], key, len) == 0 && vars->v[i][len] == '=')
			break;
	vars->v[i] = spec_strf(vars->s, "%s=%s", key, value);
	if (i == vars->n)
		vars->n++;
}

/* A clean set: nothing of the caller's but the language, and what a terminal needs. */
static int plan_vars(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		     struct err *err)
{
	static const char *const passed[] = { "LANG", "LC_ALL", "LC_CTYPE", "TZ" };
	static const char *const terminal[] = { "TERM", "COLORTERM" };
	struct vars vars = { .s = s };

	vars.v = spec_alloc(s, (e->n_vars + 16) * sizeof(*vars.v));
	if (!vars.v)
		return err_oom(err);
	set_var(&vars, "PATH",
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	set_var(&vars, "HOME", server_home(s));
	set_var(&vars, "USER", server_user_name(e, s));
	set_var(&vars, "LOGNAME", server_user_name(e, s));
	set_var(&vars, "SHELL", "/bin/sh");
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (find_var(cx, passed[i]))
			set_var(&vars, passed[i], find_var(cx, passed[i]));
	for (size_t i = 0; cx->terminal && i < ARRAY_LEN(terminal); i++)
		if (find_var(cx, terminal[i]))
			set_var(&vars, terminal[i], find_var(cx, terminal[i]));
	for (size_t i = 0; i < e->n_vars; i++) {
		const char *value = e->vars[i].value ? e->vars[i].value :
						       find_var(cx, e->vars[i].key);

		if (value)
			set_var(&vars, e->vars[i].key, value);
	}
	s->envp = vars.v;
	s->n_envp = vars.n;
	return s->failed ? err_oom(err) : 0;
}

int server_plan_begin(struct spec *ret, const struct genv *e, const struct server_ctx *cx,
		      struct err *err)
{
	struct spec *s = ret;
	int r;

	s->name = spec_str(s, e->name);
	s->hostname = spec_str(s, "polder");
	s->argv = spec_vec(s, e->argv, &s->n_argv);
	s->limit_mem = e->limits.mem_bytes;
	s->limit_cpu_percent = e->limits.cpu_percent;
	s->limit_pids = e->limits.pids;
	s->limit_time_ms = e->limits.time_ms;
	s->ready_kind = (uint8_t)e->ready.kind;
	s->ready_path = spec_str(s, e->ready.path);
	s->ready_timeout_ms = e->ready.timeout_ms;
	r = plan_bindings(s, e, cx, false, err);
	return r == 0 ? server_default_root(s, e, cx, err) : r;
}

int server_plan_rest(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		     struct err *err)
{
	int r = server_root(s, e, cx, err);

	if (r == 0)
		r = plan_bindings(s, e, cx, true, err);
	if (r != 0)
		return r;
	plan_cwd(s, e, cx);
	return plan_vars(s, e, cx, err);
}
