/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Describing an environment, and starting it. A description is a graph of one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "launch/request.h"
#include "lib/lib-internal.h"

struct polder_env {
	struct polder *p;
	struct graph *g;
	struct genv *env;
	char cwd[PATH_MAX]; /* when it was begun */
	bool has_streams;
	int streams[3]; /* borrowed */
};

int polder_env_new(struct polder *p, const char *name, struct polder_env **ret_env)
{
	struct polder_env *e;
	struct err err = ERR_INIT;
	int r;

	if (!p || !ret_env)
		return LIB_NULL(p);
	e = calloc(1, sizeof(*e));
	r = e ? lib_cwd(e->cwd, &err) : err_oom(&err);
	if (r == 0) {
		e->p = p;
		e->g = graph_new();
		r = e->g ? graph_env_new(e->g, name ? name : "", (struct pos){ 0 },
					 &e->env, &err) :
			   err_oom(&err);
	}
	if (r == 0)
		e->g->open = true;
	if (r == 0)
		*ret_env = e;
	else
		polder_env_free(e);
	return lib_end(p, r, &err);
}

void polder_env_free(struct polder_env *e)
{
	if (!e)
		return;
	graph_free(e->g);
	free(e);
}

/* What the graph returns without a sentence. */
static int added(struct polder_env *e, int r)
{
	struct err err = ERR_INIT;

	if (r == -ENOMEM)
		(void)err_oom(&err);
	else if (r == -E2BIG)
		(void)err_set(&err, r, "that is more than an environment may hold");
	return lib_end(e->p, r, &err);
}

int polder_env_program(struct polder_env *e, const char *const *argv)
{
	size_t n;
	int r = 0;

	if (!e || !argv)
		return LIB_NULL(e ? e->p : NULL);
	n = lib_count(argv, LIB_WORDS_MAX);
	if (n == 0 || !argv[0][0])
		return lib_usage(e->p, "there is no program");
	if (n > LIB_WORDS_MAX)
		return added(e, -E2BIG);
	genv_clear_args(e->env);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = genv_add_arg(e->env, argv[i]);
	return added(e, r);
}

int polder_env_variable(struct polder_env *e, const char *name, const char *value)
{
	if (!e || !name)
		return LIB_NULL(e ? e->p : NULL);
	if (!name[0] || strchr(name, '='))
		return lib_usage(e->p, "that is no name of a variable");
	if (!value && !getenv(name))
		return lib_usage(e->p, "there is no such variable here to pass on");
	return added(e, genv_add_var(e->env, name, value, (struct pos){ 0 }));
}

int polder_env_bind(struct polder_env *e, const char *binding)
{
	struct err err = ERR_INIT;
	struct path_base base = { .home = getenv("HOME") };

	if (!e || !binding)
		return LIB_NULL(e ? e->p : NULL);
	base.cwd = e->cwd;
	return lib_end(
		e->p,
		graph_env_bind(e->env, binding, &base, (struct pos){ 0 }, NULL, &err),
		&err);
}

int polder_env_grant(struct polder_env *e, const char *path, bool write)
{
	struct err err = ERR_INIT;

	if (!e || !path)
		return LIB_NULL(e ? e->p : NULL);
	if (!path[0])
		return lib_usage(e->p, "the path is empty");
	return lib_end(e->p, grant_path(e->env, e->cwd, path, write, &err), &err);
}

int polder_env_limit(struct polder_env *e, const char *what, const char *value)
{
	struct err err = ERR_INIT;

	if (!e || !what || !value)
		return LIB_NULL(e ? e->p : NULL);
	return lib_end(e->p, limits_set(&e->env->limits, what, value, &err), &err);
}

static int replace(struct polder_env *e, char **where, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return added(e, -ENOMEM);
	free(*where);
	*where = copy;
	return 0;
}

int polder_env_root(struct polder_env *e, const char *dir)
{
	struct err err = ERR_INIT;
	char real[PATH_MAX];

	if (!e || !dir)
		return LIB_NULL(e ? e->p : NULL);
	if (!realpath(dir, real))
		return lib_end(e->p, err_sys(&err, "cannot use '%s'", dir), &err);
	return replace(e, &e->env->root, real);
}

/* Without a slash at the end, as the graph has its paths. */
static int absolute(struct polder_env *e, const char *path, char *ret)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return lib_usage(e->p, "the path must be absolute");
	if (len >= PATH_MAX)
		return lib_usage(e->p, "the path is too long");
	memcpy(ret, path, len + 1);
	while (len > 1 && ret[len - 1] == '/')
		ret[--len] = '\0';
	return 0;
}

int polder_env_chdir(struct polder_env *e, const char *dir)
{
	char path[PATH_MAX];
	int r;

	if (!e || !dir)
		return LIB_NULL(e ? e->p : NULL);
	r = absolute(e, dir, path);
	return r != 0 ? r : replace(e, &e->env->chdir, path);
}

int polder_env_expose(struct polder_env *e, const char *interface_, const char *server,
		      const char *path)
{
	struct err err = ERR_INIT;
	struct expose *x;
	enum iface iface;

	if (!e || !interface_ || !server || !path)
		return LIB_NULL(e ? e->p : NULL);
	if (!iface_from_name(interface_, &iface) ||
	    (iface != IF_DIR && iface != IF_SOCKET))
		return lib_usage(e->p, "what can be exposed is a dir or a socket");
	return lib_end(
		e->p,
		genv_add_expose(e->env, iface, server, path, (struct pos){ 0 }, &x, &err),
		&err);
}

int polder_env_readiness(struct polder_env *e, const char *path, unsigned timeout_ms)
{
	char clean[PATH_MAX];
	int r;

	if (!e)
		return LIB_NULL(NULL);
	r = path ? absolute(e, path, clean) : 0;
	if (r == 0)
		r = replace(e, &e->env->ready.path, path ? clean : NULL);
	if (r != 0)
		return r;
	e->env->ready.kind = path ? READY_PATH : READY_NOTIFY;
	e->env->ready.timeout_ms = timeout_ms;
	return 0;
}

int lib_check_streams(const int *fds, struct err *err)
{
	for (int i = 0; i < 3; i++)
		if (isatty(fds[i]))
			return err_set(err, PE_USAGE,
				       "descriptor %d is a terminal, which is never "
				       "shared: use a pty, or a console of its own",
				       fds[i]);
	return enter_check_streams(fds, err);
}

int polder_env_streams(struct polder_env *e, int in, int out, int err_fd)
{
	const int fds[3] = { in, out, err_fd };
	struct err err = ERR_INIT;
	int r;

	if (!e)
		return LIB_NULL(NULL);
	r = lib_check_streams(fds, &err);
	if (r != 0)
		return lib_end(e->p, r, &err);
	memcpy(e->streams, fds, sizeof(fds));
	e->has_streams = true;
	return 0;
}

/* ---- its end as a description ---- */

/* The defaults; one's own console where no streams were given. May be called again. */
static int complete(struct polder_env *e, struct err *err)
{
	struct binding *b = genv_binding(e->env, "console");
	int r = 0;

	if (!b || b->implied) {
		r = graph_env_bind(e->env,
				   e->has_streams ? "console=parent" : "console=own",
				   NULL, (struct pos){ 0 }, &b, err);
		if (r == 0)
			b->implied = true;
	} else if (e->has_streams && b->source != SRC_PARENT) {
		return err_set(err, PE_USAGE,
			       "streams were given, and the console is bound to "
			       "something else");
	} else if (!e->has_streams && b->source == SRC_PARENT) {
		return err_set(err, PE_USAGE, "console=parent needs streams");
	}
	if (r == 0) {
		r = genv_add_defaults(e->env);
		if (r < 0)
			(void)err_oom(err);
	}
	return r;
}

int polder_check_env(struct polder_env *e, unsigned flags,
		     struct polder_report **ret_report)
{
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	struct host_facts facts;
	int r;

	if (!e || !ret_report)
		return LIB_NULL(e ? e->p : NULL);
	if (flags & ~(unsigned)(POLDER_ACCEPT_WEAKER | POLDER_ANY_HOST | POLDER_KEEP))
		return lib_usage(e->p, "a flag that no check has");
	r = complete(e, &err);
	if (r != 0)
		return lib_end(e->p, r, &err);
	report_facts(&facts, flags);
	r = graph_check(e->g, &facts, flags & POLDER_ACCEPT_WEAKER, &d);
	r = r < 0 ? err_oom(&err) : report_new(ret_report, &d, e->g, &err);
	diags_fini(&d);
	return lib_end(e->p, r, &err);
}

static int check_start(struct polder_env *e, unsigned flags)
{
	if (flags & ~(unsigned)(POLDER_ACCEPT_WEAKER | POLDER_KEEP))
		return lib_usage(e->p, "a flag that no start has");
	if (e->env->n_argv == 0)
		return lib_usage(e->p,
				 "there is no program: polder_env_program() names it");
	if ((flags & POLDER_KEEP) && !*e->env->name)
		return lib_usage(e->p, "what is kept needs a name");
	return 0;
}

static int start(struct polder_env *e, unsigned flags, int end_fd,
		 char ret_id[POLDER_ID_SIZE], struct err *err)
{
	struct start_request q = { .again = "",
				   .keep = flags & POLDER_KEEP,
				   .accept_weaker = flags & POLDER_ACCEPT_WEAKER };
	auto_str record = STR_INIT;
	char id[POLDER_ID_SIZE];
	int r = complete(e, err);

	if (r != 0)
		return r;
	record_encode(e->env, e->cwd, "", &record);
	if (record.failed)
		return err_oom(err);
	q.record = record.p;
	q.record_len = record.len;
	r = program_start(e->p, &q, e->has_streams ? e->streams : NULL, end_fd, id, err);
	if (r == 0 && ret_id)
		memcpy(ret_id, id, sizeof(id));
	return r;
}

int polder_start(struct polder_env *e, unsigned flags, char ret_id[POLDER_ID_SIZE])
{
	struct err err = ERR_INIT;
	int r;

	if (!e)
		return LIB_NULL(NULL);
	r = check_start(e, flags);
	return r != 0 ? r : lib_end(e->p, start(e, flags, -1, ret_id, &err), &err);
}

int polder_run(struct polder_env *e, unsigned flags, char ret_id[POLDER_ID_SIZE],
	       struct polder_child **ret_child)
{
	struct polder_child *c;
	struct err err = ERR_INIT;
	int pipefd[2], r;

	if (!e || !ret_child)
		return LIB_NULL(e ? e->p : NULL);
	r = check_start(e, flags);
	if (r != 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return lib_end(e->p, err_oom(&err), &err);
	if (pipe2(pipefd, O_CLOEXEC) < 0) {
		free(c);
		return lib_end(e->p, err_sys(&err, "cannot make a pipe"), &err);
	}
	*c = (struct polder_child){ .p = e->p, .fd = pipefd[0], .is_end_fd = true };
	r = start(e, flags, pipefd[1], ret_id, &err);
	(void)close(pipefd[1]);
	if (r == 0)
		*ret_child = c;
	else
		polder_child_free(c);
	return lib_end(e->p, r, &err);
}

int polder_start_again(struct polder *p, const char *word)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	char hex[REG_ID_HEX], id[POLDER_ID_SIZE];
	struct start_request q = { .again = hex };
	int r;

	if (!p || !word)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0 && e->state != REG_STOPPED)
		r = err_set(&err, PE_BUSY, "'%s' is %s already", word,
			    reg_state_name(e->state));
	if (r == 0) {
		reg_id_hex(&e->id, hex);
		r = program_start(p, &q, NULL, -1, id, &err);
	}
	reg_entry_free(e);
	return lib_end(p, r, &err);
}
