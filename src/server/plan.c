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

/* The caller's path if it can be there, so that relative names mean the same inside. */
static void plan_cwd(struct spec *s, const struct genv *e, const struct server_ctx *cx)
{
	bool own_root = s->mounts[0].kind == SPEC_MOUNT_SCRATCH;
	const char *cwd = e->chdir ? e->chdir : cx->cwd;
	bool covered = false;

	for (size_t i = 1; i < s->n_mounts; i++) {
		const char *dst = s->mounts[i].dst;
		size_t n = strlen(dst);

		covered |= strncmp(dst, cwd, n) == 0 && (cwd[n] == '/' || cwd[n] == '\0');
	}
	if (!own_root && !covered && !e->chdir)
		cwd = "/";
	s->cwd = spec_str(s, cwd);
	if (own_root && !e->chdir)
		(void)spec_add_mount(s, SPEC_MOUNT_DIR, NULL, cwd);
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

int server_plan(struct spec *ret, const struct genv *e, const struct server_ctx *cx,
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
	if (r == 0)
		r = server_root(s, e, cx, err);
	if (r == 0)
		r = plan_bindings(s, e, cx, true, err);
	if (r != 0)
		return r;
	plan_cwd(s, e, cx);
	return plan_vars(s, e, cx, err);
}
