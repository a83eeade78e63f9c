/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done to an environment that is there. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "launch/client.h"
#include "lib/lib-internal.h"

/* One verb that is answered at once. */
static int call(struct polder *p, const char *word, enum ctl_verb verb)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int r;

	if (!p || !word)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0)
		r = client_call(p->reg, e, verb, NULL, &err);
	if (r == PE_NOTFOUND && e)
		r = PE_REFUSED; /* it is there, and does not run */
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

int polder_pause(struct polder *p, const char *word)
{
	return call(p, word, CTL_PAUSE);
}

int polder_resume(struct polder *p, const char *word)
{
	return call(p, word, CTL_RESUME);
}

int polder_await_ready(struct polder *p, const char *word, int timeout_ms)
{
	struct client_answer a;
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_fd sock = -1;
	int r;

	if (!p || !word)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0) {
		r = client_ask(p->reg, e, CTL_READY, NULL, NULL, 0, &sock, &err);
		if (r == PE_NOTFOUND)
			r = PE_REFUSED;
	}
	if (r == 0)
		r = launch_await(sock, timeout_ms);
	if (r == 0)
		r = client_answer(sock, &a, &err);
	if (r == 0)
		client_answer_fini(&a);
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

int polder_wait(struct polder *p, const char *word, int timeout_ms, int *ret_exit_code)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int status = 0, r;

	if (!p || !word)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0)
		r = launch_wait(p->reg, e, timeout_ms, &status, &err);
	if (r == 0 && ret_exit_code)
		*ret_exit_code = launch_exit_code(status);
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

int polder_stop(struct polder *p, const char *word, int sig, int timeout_ms)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int r;

	if (!p || !word)
		return LIB_NULL(p);
	if (sig < 0 || sig >= NSIG)
		return lib_usage(p, "there is no such signal");
	r = lib_find(p, word, &e, &err);
	if (r == 0)
		r = launch_stop(p->reg, e, sig ? sig : SIGTERM,
				timeout_ms < 0 ? LAUNCH_STOP_MS : (uint64_t)timeout_ms,
				&err);
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

int polder_remove(struct polder *p, const char *word, bool force)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int r;

	if (!p || !word)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0)
		r = launch_remove(p->reg, e, force, &err);
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

/* ---- entering ---- */

static int enter_words(struct polder *p, const char *const *argv, const char *const *vars,
		       struct enter *x)
{
	x->argv = argv;
	x->n_argv = lib_count(argv, LIB_WORDS_MAX);
	x->vars = vars;
	x->n_vars = vars ? lib_count(vars, LIB_WORDS_MAX) : 0;
	if (x->n_argv == 0 || !argv[0][0])
		return lib_usage(p, "there is no program");
	if (x->n_argv > LIB_WORDS_MAX || x->n_vars > LIB_WORDS_MAX)
		return lib_usage(p, "that is more than a program can be given");
	for (size_t i = 0; i < x->n_vars; i++)
		if (vars[i][0] == '=' || !strchr(vars[i], '='))
			return lib_usage(p, "a variable is written NAME=VALUE");
	return 0;
}

int polder_enter(struct polder *p, const char *word, const char *const *argv,
		 const char *const *vars, const char *dir, const int streams[3],
		 struct polder_child **ret_child)
{
	struct enter x = { .chdir = dir, .fds = streams };
	struct polder_child *c = NULL;
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int r;

	if (!p || !word || !argv || !streams || !ret_child)
		return LIB_NULL(p);
	r = enter_words(p, argv, vars, &x);
	if (r != 0)
		return r;
	r = lib_check_streams(streams, &err);
	if (r == 0)
		r = lib_find(p, word, &e, &err);
	if (r == 0) {
		c = calloc(1, sizeof(*c));
		r = c ? enter_ask(p->reg, e, &x, &c->fd, &err) : err_oom(&err);
	}
	reg_entry_free(e);
	if (r != 0) {
		free(c);
		return lib_end(p, r, &err);
	}
	c->p = p;
	*ret_child = c;
	return 0;
}

int polder_child_fd(const struct polder_child *c)
{
	return c ? c->fd : -1;
}

/* A tender's last word. */
static int read_end(int fd, int *ret_status, struct err *err)
{
	char buf[4];
	struct rbuf r = RBUF_INIT(buf, sizeof(buf));
	size_t len = 0;
	int rc = fd_read_full(fd, buf, sizeof(buf), &len, err);

	if (rc != 0)
		return rc;
	if (len != sizeof(buf))
		return err_set(err, PE_REFUSED,
			       "its supervisor was killed, and it with it");
	*ret_status = (int)get_u32(&r);
	return 0;
}

static int read_answer(int sock, int *ret_status, struct err *err)
{
	struct client_answer a;
	int r = client_answer(sock, &a, err);

	if (r != 0)
		return r;
	*ret_status = (int)get_u32(&a.r);
	client_answer_fini(&a);
	return 0;
}

int polder_child_wait(struct polder_child *c, int timeout_ms, int *ret_exit_code)
{
	struct err err = ERR_INIT;
	int r, status = 0;

	if (!c)
		return LIB_NULL(NULL);
	r = c->ended ? 0 : launch_await(c->fd, timeout_ms);
	if (r == 0 && !c->ended) {
		r = c->is_end_fd ? read_end(c->fd, &status, &err) :
				   read_answer(c->fd, &status, &err);
		if (r == 0) {
			c->exit_code = launch_exit_code(status);
			c->ended = true;
		}
	}
	if (r == 0 && ret_exit_code)
		*ret_exit_code = c->exit_code;
	return lib_end(c->p, r, &err);
}

void polder_child_free(struct polder_child *c)
{
	if (!c)
		return;
	(void)close(c->fd);
	free(c);
}

/* ---- its console ---- */

static int no_console(const struct reg_entry *e, struct err *err)
{
	return err_set(err, PE_NOTFOUND,
		       "its console is '%s', and only one of its own "
		       "(console=own) is logged and can be attached to",
		       e->console);
}

int polder_log(struct polder *p, const char *word, int *ret_fd)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_fd dir = -1;
	int r, fd = -1;

	if (!p || !word || !ret_fd)
		return LIB_NULL(p);
	r = lib_find(p, word, &e, &err);
	if (r == 0)
		r = launch_open_log_dir(p->reg, e, &dir, &err);
	if (r == 0)
		fd = openat(dir, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r == 0 && fd < 0)
		r = no_console(e, &err);
	if (r == 0)
		*ret_fd = fd;
	reg_entry_free(e);
	return lib_end(p, r, &err);
}

static int attach(struct polder *p, const struct reg_entry *e, const struct str *size,
		  int *ret_fd, struct err *err)
{
	auto_fd sock = -1, ours = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a stream");
	ours = pair[0];
	r = client_ask(p->reg, e, CTL_ATTACH, size, &pair[1], 1, &sock, err);
	(void)close(pair[1]);
	if (r == 0)
		*ret_fd = TAKE_FD(ours);
	return r;
}

int polder_attach(struct polder *p, const char *word, unsigned rows, unsigned columns,
		  int *ret_fd)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_str size = STR_INIT;
	int r;

	if (!p || !word || !ret_fd)
		return LIB_NULL(p);
	if (rows == 0 || columns == 0 || rows > UINT16_MAX || columns > UINT16_MAX)
		return lib_usage(p, "a window has 1 to 65535 rows and columns");
	r = lib_find(p, word, &e, &err);
	if (r == 0 && !streq(e->console, "own"))
		r = no_console(e, &err);
	put_u16(&size, (uint16_t)rows);
	put_u16(&size, (uint16_t)columns);
	if (r == 0)
		r = size.failed ? err_oom(&err) : attach(p, e, &size, ret_fd, &err);
	reg_entry_free(e);
	return lib_end(p, r, &err);
}
