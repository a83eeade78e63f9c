/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder exec: one more program in an environment that runs, under the same walls. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cli/cli.h"
#include "launch/client.h"
#include "launch/verbs.h"

struct exec {
	const char *chdir;
	bool tty;
	const char *vars[64];
	size_t n_vars;
	int master;
};

static void resize(void *userdata, uint16_t rows, uint16_t cols)
{
	struct exec *x = userdata;
	struct winsize ws = { .ws_row = rows, .ws_col = cols };

	(void)ioctl(x->master, TIOCSWINSZ, &ws);
}

/* Nobody has the other side of the terminal open any more. */
static bool is_hung_up(int master)
{
	struct pollfd p = { .fd = master };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static int exec_in(struct cli_state *st, const struct reg_entry *e, struct exec *x,
		   char **argv, size_t n, int *ret_code, struct err *err)
{
	static const int streams[3] = { 0, 1, 2 };
	struct enter in = { .argv = (const char *const *)argv,
			    .n_argv = n,
			    .vars = x->vars,
			    .n_vars = x->n_vars,
			    .chdir = x->chdir,
			    .fds = x->tty ? NULL : streams };
	struct client_answer a, terminal;
	auto_fd sock = -1;
	int r;

	cli_window(&in.rows, &in.cols);
	r = enter_ask(st->reg, e, &in, &sock, err);
	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r == 0 && a.code == CTL_MASTER) {
		terminal = a;
		x->master = terminal.fd;
		(void)cli_relay(terminal.fd, false, resize, x);
		/* While it ends by itself, a closed terminal would kill it in its exit; if it
		 * was us who stopped to listen, that is what tells it. */
		if (!is_hung_up(terminal.fd))
			client_answer_fini(&terminal);
		r = client_answer(sock, &a, err);
		client_answer_fini(&terminal);
	}
	if (r != 0)
		return r;
	*ret_code = a.code == CTL_ENDED ? cli_exit_code((int)get_u32(&a.r)) : EXIT_OURS;
	client_answer_fini(&a);
	return 0;
}

static int add_var(struct exec *x, const char *text, struct str *keep, struct err *err)
{
	if (x->n_vars == ARRAY_LEN(x->vars))
		return err_set(err, PE_USAGE, "more than %zu variables",
			       ARRAY_LEN(x->vars));
	if (*text == '=' || !*text)
		return err_set(err, PE_USAGE,
			       "-e '%s': write VAR=VALUE, or VAR to pass it on", text);
	if (!strchr(text, '=')) {
		const char *value = getenv(text);

		if (!value)
			return err_set(err, PE_USAGE,
				       "-e %s: there is no such variable here to "
				       "pass on",
				       text);
		str_addf(keep, "%s=%s", text, value);
		text = keep->p;
		*keep = STR_INIT; /* lives until exit */
	}
	x->vars[x->n_vars++] = text;
	return 0;
}

int cmd_exec(int argc, char **argv)
{
	static const struct cli_option options[] = {
		{ "t", false, 't' }, { "tty", false, 't' }, { "i", false, 'i' },
		{ "e", true, 'e' },  { "env", true, 'e' },  { "chdir", true, 'c' }
	};
	struct exec x = { .tty = isatty(0) && isatty(1), .master = -1 };
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	struct str keep = STR_INIT;
	const char *value, *word;
	int key, code = EXIT_OURS, at = 1, r = 0;
	auto_cli st = { .reg = NULL };

	while (r == 0 && (key = cli_next_option(argc, argv, &at, options,
						ARRAY_LEN(options), &value, &err)) > 0) {
		if (key == 't')
			x.tty = true;
		else if (key == 'c')
			x.chdir = value;
		else if (key == 'e')
			r = add_var(&x, value, &keep, &err);
	}
	if (r != 0 || key < 0)
		return cli_fail(&err);
	if (at >= argc)
		return cli_usage(argv[0]);
	word = argv[at++];
	if (at < argc && streq(argv[at], "--"))
		at++;
	if (at >= argc)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, word, &e, &err);
	if (r == 0)
		r = exec_in(&st, e, &x, argv + at, (size_t)(argc - at), &code, &err);
	reg_entry_free(e);
	return r == 0 ? code : cli_fail(&err);
}
