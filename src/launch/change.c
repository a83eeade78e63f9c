/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking for changes of an environment that runs; its tender decides (live.c). */
#include "launch/change.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "launch/client.h"
#include "launch/verbs.h"

/* One question with one answer, which is the caller's. */
static int call(struct registry *reg, const struct reg_entry *e, enum ctl_verb verb,
		const struct str *body, int fd, struct client_answer *ret,
		struct err *err)
{
	auto_fd sock = -1;
	int r = body->failed ? err_oom(err) :
			       client_ask(reg, e, verb, body, &fd, fd >= 0, &sock, err);

	return r == 0 ? client_answer(sock, ret, err) : r;
}

/* What is granted is what this opens: its real path is for people, and for a start anew. */
static int open_source(struct binding *b, int *ret_fd, struct err *err)
{
	const char *path = b->source == SRC_HOST ? b->ref : b->slot;
	char real[PATH_MAX];
	auto_fd fd = -1;
	char *copy;

	if (b->iface != IF_DIR || (b->source != SRC_HOST && b->source != SRC_PARENT))
		return 0;
	if (!realpath(path, real))
		return errno == ENOENT ? err_set(err, PE_NOTFOUND,
						 "there is no '%s' to grant", path) :
					 err_sys(err, "cannot grant '%s'", path);
	fd = open(real, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "cannot grant '%s'", path);
	copy = b->source == SRC_HOST ? strdup(real) : NULL;
	if (b->source == SRC_HOST && !copy)
		return err_oom(err);
	if (copy) {
		free(b->ref);
		b->ref = copy;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int ask_grant(struct registry *reg, const struct reg_entry *e, struct binding *b,
		     bool accept_weaker, struct granted *ret, struct err *err)
{
	auto_str text = STR_INIT, body = STR_INIT;
	struct client_answer a;
	auto_fd fd = -1;
	int r = open_source(b, &fd, err);

	if (r != 0)
		return r;
	binding_write(b, &text);
	put_str(&body, str_text(&text));
	put_u8(&body, accept_weaker);
	if (text.failed)
		return err_oom(err);
	r = call(reg, e, CTL_GRANT, &body, fd, &a, err);
	if (r != 0)
		return r;
	(void)snprintf(ret->binding, sizeof(ret->binding), "%s", text.p);
	(void)snprintf(ret->how, sizeof(ret->how), "%s", get_str(&a.r));
	(void)snprintf(ret->cut, sizeof(ret->cut), "%s", get_str(&a.r));
	client_answer_fini(&a);
	return 0;
}

int change_grant(struct registry *reg, const struct reg_entry *e,
		 const struct grant_words *w, struct granted *ret, struct err *err)
{
	struct path_base base = { .cwd = w->cwd, .home = getenv("HOME") };
	struct graph *g = graph_new();
	struct binding *b = NULL;
	struct genv *env;
	int r = g ? graph_env_new(g, "", (struct pos){ 0 }, &env, err) : err_oom(err);

	if (r == 0 && w->binding) {
		r = graph_env_bind(env, w->binding, &base, (struct pos){ 0 }, &b, err);
	} else if (r == 0) {
		r = grant_path(env, w->cwd, w->path, w->write, err);
		b = r == 0 ? &env->bindings[env->n_bindings - 1] : NULL;
	}
	if (r == 0)
		r = ask_grant(reg, e, b, w->accept_weaker, ret, err);
	graph_free(g);
	return r;
}

int change_attenuate(struct registry *reg, const struct reg_entry *e, const char *slot,
		     char *const *words, size_t n, struct err *err)
{
	auto_str body = STR_INIT;
	struct client_answer a;
	int r;

	put_str(&body, slot);
	put_u32(&body, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(&body, words[i]);
	r = call(reg, e, CTL_ATTENUATE, &body, -1, &a, err);
	if (r == 0)
		client_answer_fini(&a);
	return r;
}

int change_revoke(struct registry *reg, const struct reg_entry *e, const char *slot,
		  enum revoke_to to, enum revoke_how how, struct revoked *ret,
		  struct err *err)
{
	auto_str body = STR_INIT;
	struct client_answer a;
	int r;

	put_str(&body, slot);
	put_u8(&body, (uint8_t)to);
	put_u8(&body, (uint8_t)how);
	r = call(reg, e, CTL_REVOKE, &body, -1, &a, err);
	if (r != 0)
		return r;
	ret->complete = get_u8(&a.r);
	ret->files = get_u32(&a.r);
	ret->unfinished = get_u32(&a.r);
	client_answer_fini(&a);
	return 0;
}
