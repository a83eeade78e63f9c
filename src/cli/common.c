/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "launch/verbs.h"

int cli_fail(const struct err *err)
{
	auto_str text = STR_INIT;

	str_add_printable(&text, err->text[0] ? err->text : "it failed", 0);
	(void)fprintf(stderr, "polder: %s\n", str_text(&text));
	return EXIT_OURS;
}

int cli_usage(const char *name)
{
	for (size_t i = 0; i < cli_n_commands; i++)
		if (streq(cli_commands[i].name, name))
			(void)fprintf(
				stderr,
				"usage: polder %s %s\n%s; man polder-%s tells more\n",
				name, cli_commands[i].usage, cli_commands[i].summary,
				name);
	if (streq(name, "run"))
		(void)fputs(cli_run_options, stderr);
	return EXIT_OURS;
}

int cli_out(struct str *out)
{
	struct err err = ERR_INIT;
	int r = out->failed ? err_oom(&err) :
			      fd_write_all(1, str_text(out), out->len, &err);

	str_fini(out);
	return r == 0 ? 0 : cli_fail(&err);
}

static const struct cli_option *find(const char *name, size_t len,
				     const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

static int no_such_option(const char *word, const struct cli_option *options, size_t n,
			  struct err *err)
{
	const char *names[64];
	const char *near;

	for (size_t i = 0; i < n && i < ARRAY_LEN(names); i++)
		names[i] = options[i].name;
	near = str_nearest(word + strspn(word, "-"), names, MIN(n, ARRAY_LEN(names)));
	(void)err_set(
		err, PE_USAGE, "there is no option '%s'%s%s%s", word,
		near ? (strlen(near) > 1 ? "; did you mean '--" : "; did you mean '-") :
		       "",
		near ? near : "", near ? "'?" : "");
	return -1;
}

int cli_next_option(int argc, char **argv, int *at, const struct cli_option *options,
		    size_t n, const char **ret_value, struct err *err)
{
	const struct cli_option *o;
	const char *word, *joined = NULL;
	size_t len;

	*ret_value = NULL;
	if (*at >= argc || argv[*at][0] != '-' || !argv[*at][1])
		return 0;
	word = argv[(*at)++];
	if (streq(word, "--"))
		return 0;
	if (word[1] == '-') {
		len = strcspn(word + 2, "=");
		o = len > 1 ? find(word + 2, len, options, n) : NULL;
		joined = o && word[2 + len] ? word + 3 + len : NULL;
	} else {
		o = find(word + 1, 1, options, n);
		joined = o && word[2] ? word + 2 : NULL;
	}
	if (!o)
		return no_such_option(word, options, n, err);
	if (!o->takes_value && joined) {
		(void)err_set(err, PE_USAGE, "the option '%s' takes no value", word);
		return -1;
	}
	if (o->takes_value && !joined && *at >= argc) {
		(void)err_set(err, PE_USAGE, "the option '%s' needs a value", word);
		return -1;
	}
	if (o->takes_value)
		*ret_value = joined ? joined : argv[(*at)++];
	return o->key;
}

int cli_open(struct cli_state *st, struct err *err)
{
	st->reg = NULL;
	return launch_open(&st->places, &st->reg, err);
}

void cli_close(struct cli_state *st)
{
	cli_notes(st);
	registry_close(st->reg);
	st->reg = NULL;
}

void cli_notes(struct cli_state *st)
{
	const char *notes = st->reg ? registry_notes(st->reg) : "";

	if (*notes)
		(void)fprintf(stderr, "polder: note: %s\n", notes);
}

int cli_find(struct cli_state *st, const char *word, struct reg_entry **ret,
	     struct err *err)
{
	return registry_find(st->reg, word, ret, err);
}

int cli_exit_code(int wait_status)
{
	return launch_exit_code(wait_status);
}

/* ---- a terminal and a stream ---- */

void cli_window(uint16_t *ret_rows, uint16_t *ret_cols)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };

	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0)
			break;
	*ret_rows = ws.ws_row;
	*ret_cols = ws.ws_col;
}

/* Ctrl-P Ctrl-Q, also when they come in two reads. */
static ssize_t find_detach(const char *p, ssize_t n, bool *pending)
{
	for (ssize_t i = 0; i < n; i++) {
		if (*pending && p[i] == 0x11)
			return i;
		*pending = p[i] == 0x10;
	}
	return -1;
}

static bool from_terminal(int fd, bool detachable, bool *pending, bool *ret_eof)
{
	char buf[4096];
	ssize_t n = read(0, buf, sizeof(buf));

	if (n <= 0) {
		*ret_eof = n == 0 || errno != EINTR;
		return false;
	}
	if (detachable && find_detach(buf, n, pending) >= 0)
		return true;
	(void)fd_write_all(fd, buf, (size_t)n, NULL);
	return false;
}

/* The other side is a terminal, where the end of input is a character; the second one is
 * for a line that has no end. */
static void end_input(int master)
{
	struct termios t;

	if (tcgetattr(master, &t) == 0 && (t.c_lflag & ICANON)) {
		const char eof[2] = { (char)t.c_cc[VEOF], (char)t.c_cc[VEOF] };

		(void)fd_write_all(master, eof, sizeof(eof), NULL);
	}
}

/* Who is killed while the terminal is raw gives it back first. Handlers, since a write to
 * a terminal that nobody reads may have to be interrupted. */
static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE };
static struct termios before_raw;

static void on_fatal(int sig)
{
	(void)tcsetattr(0, TCSANOW, &before_raw);
	(void)raise(sig); /* the handler is reset */
}

static void guard_terminal(const struct termios *saved)
{
	const struct sigaction die = { .sa_handler = on_fatal,
				       .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
	struct sigaction old;

	before_raw = *saved;
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(fatal[i], &die, NULL);
}

static void unguard_terminal(void)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	struct sigaction old;

	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == on_fatal)
			(void)sigaction(fatal[i], &usual, NULL);
}

bool cli_relay(int fd, bool detachable, void (*on_resize)(void *, uint16_t, uint16_t),
	       void *userdata)
{
	struct pollfd p[3] = { { .fd = fd, .events = POLLIN },
			       { .fd = 0, .events = POLLIN } };
	bool detached = false, pending = false, eof = false, tty;
	struct termios saved, raw;
	sigset_t winch;
	char buf[16384];

	tty = tcgetattr(0, &saved) == 0;
	(void)sigemptyset(&winch);
	(void)sigaddset(&winch, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &winch, NULL);
	p[2] = (struct pollfd){ .fd = signalfd(-1, &winch, SFD_CLOEXEC),
				.events = POLLIN };
	if (tty) {
		guard_terminal(&saved);
		raw = saved;
		cfmakeraw(&raw);
		(void)tcsetattr(0, TCSADRAIN, &raw);
	}
	while (!detached) {
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents) {
			ssize_t n = read(fd, buf, sizeof(buf));

			if (n <= 0 || fd_write_all(1, buf, (size_t)n, NULL) != 0)
				break;
		}
		if (p[1].revents)
			detached = from_terminal(fd, detachable, &pending, &eof);
		if (eof && p[1].fd == 0 && !tty && isatty(fd))
			end_input(fd);
		if (eof)
			p[1].fd = -1;
		if (p[2].revents && on_resize) {
			struct signalfd_siginfo si;
			uint16_t rows, cols;

			(void)!read(p[2].fd, &si, sizeof(si));
			cli_window(&rows, &cols);
			on_resize(userdata, rows, cols);
		}
	}
	if (tty) {
		(void)tcsetattr(0, TCSADRAIN, &saved);
		unguard_terminal();
	}
	if (p[2].fd >= 0)
		(void)close(p[2].fd);
	return detached;
}
