/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder exec: one more program in an environment that runs, under the same walls. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "launch/client.h"
#include "launch/launch.h"
#include "sandbox/lockdown.h"

struct exec {
	const char *chdir;
	bool tty;
	const char *vars[64];
	size_t n_vars;
	int master;
};

static void put_list(struct str *body, char *const *v, size_t n)
{
	put_u32(body, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(body, v[i]);
}

/* The same clean set as the program's own, and what -e adds. */
static void put_environment(struct str *body, const struct exec *x)
{
	static const char *const passed[] = { "LANG", "LC_ALL", "TERM", "COLORTERM" };
	struct str vars[ARRAY_LEN(passed)] = { 0 };
	char *list[80];
	size_t n = 0;

	list[n++] = (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/"
			    "sbin:/bin";
	list[n++] = (char *)"HOME=/home/user";
	list[n++] = (char *)"USER=user";
	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		if (!getenv(passed[i]))
			continue;
		str_addf(&vars[i], "%s=%s", passed[i], getenv(passed[i]));
		if (!vars[i].failed)
			list[n++] = vars[i].p;
	}
	for (size_t i = 0; i < x->n_vars; i++)
		list[n++] = (char *)x->vars[i];
	put_list(body, list, n);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		str_fini(&vars[i]);
}

static void resize(void *userdata, uint16_t rows, uint16_t cols)
{
	struct exec *x = userdata;
	struct winsize ws = { .ws_row = rows, .ws_col = cols };

	(void)ioctl(x->master, TIOCSWINSZ, &ws);
}

static int check_streams(struct err *err)
{
	for (int i = 0; i < 3; i++) {
		struct stat st;

		if (fstat(i, &st) == 0 && S_ISDIR(st.st_mode))
			return err_set(err, PE_USAGE,
				       "a directory as input or output would be a "
				       "way out of the environment");
		if (fstat(i, &st) == 0 && S_ISREG(st.st_mode) &&
		    lockdown_landlock_abi() == 0)
			return err_set(err, PE_REFUSED,
				       "this kernel has no Landlock to keep a "
				       "redirected file from being reopened with more "
				       "rights: use "
				       "a pipe");
	}
	return 0;
}

static int exec_in(struct cli_state *st, const struct reg_entry *e, struct exec *x,
		   char **argv, size_t n, int *ret_code, struct err *err)
{
	static const int streams[3] = { 0, 1, 2 };
	struct client_answer a;
	auto_str body = STR_INIT;
	auto_fd sock = -1;
	uint16_t rows, cols;
	int r = x->tty ? 0 : check_streams(err);

	cli_window(&rows, &cols);
	put_list(&body, argv, n);
	put_environment(&body, x);
	put_str(&body, x->chdir ? x->chdir : "");
	put_u8(&body, x->tty);
	put_u16(&body, rows);
	put_u16(&body, cols);
	if (r == 0)
		r = client_ask(st->reg, e, CTL_EXEC, &body, streams, x->tty ? 0 : 3,
			       &sock, err);
	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r == 0 && a.code == CTL_MASTER) {
		x->master = a.fd;
		(void)cli_relay(a.fd, false, resize, x);
		client_answer_fini(&a);
		r = client_answer(sock, &a, err);
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
