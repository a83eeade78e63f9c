/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* logs and attach: an environment's own console. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "launch/client.h"
#include "launch/verbs.h"

static int copy_out(int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fd_write_all(1, buf, (size_t)n, NULL) != 0)
			return -EPIPE;
	return 0;
}

static bool same_file(int dir, int fd)
{
	struct stat a, b;

	return fstatat(dir, "log", &a, 0) == 0 && fstat(fd, &b) == 0 &&
	       a.st_ino == b.st_ino;
}

/* Until it has ended and all is printed; a rotated log is followed into the new one. */
static int follow(struct cli_state *st, const struct reg_entry *e, int dir, int fd)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	bool last = false;

	while (copy_out(fd) == 0 && !last) {
		if (!same_file(dir, fd)) {
			int next = openat(dir, "log", O_RDONLY | O_CLOEXEC);

			if (next >= 0) {
				(void)close(fd);
				fd = next;
				continue;
			}
		}
		(void)nanosleep(&pause, NULL);
		last = registry_wait(st->reg, &e->id, e->generation, 0, NULL) == 0;
	}
	(void)close(fd);
	return 0;
}

static int print_logs(struct cli_state *st, const struct reg_entry *e, bool follow_it,
		      struct err *err)
{
	auto_fd dir = -1, old = -1;
	int fd, r = launch_open_log_dir(st->reg, e, &dir, err);

	if (r != 0)
		return r;
	old = openat(dir, "log.1", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	fd = openat(dir, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(err, PE_NOTFOUND,
			       "'%s' has no log: its console is '%s', and only "
			       "one of its own is logged (-g console=own)",
			       e->name, e->console);
	if (old >= 0)
		(void)copy_out(old);
	if (follow_it && e->state != REG_STOPPED)
		return follow(st, e, dir, fd);
	(void)copy_out(fd);
	(void)close(fd);
	return 0;
}

int cmd_logs(int argc, char **argv)
{
	static const struct cli_option options[] = { { "f", false, 'f' },
						     { "follow", false, 'f' } };
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	bool follow_it = false;
	const char *value;
	int key, r, at = 1;
	auto_cli st = { .reg = NULL };

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, &err)) > 0)
		follow_it = true;
	if (key < 0)
		return cli_fail(&err);
	if (argc - at != 1)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[at], &e, &err);
	if (r == 0)
		r = print_logs(&st, e, follow_it, &err);
	reg_entry_free(e);
	return r == 0 ? 0 : cli_fail(&err);
}

/* ---- attach ---- */

struct attached {
	struct cli_state *st;
	const struct reg_entry *e;
};

static void resize(void *userdata, uint16_t rows, uint16_t cols)
{
	struct attached *a = userdata;
	auto_str body = STR_INIT;

	put_u16(&body, rows);
	put_u16(&body, cols);
	(void)client_call(a->st->reg, a->e, CTL_WINSIZE, &body, NULL);
}

/* The request is answered when the environment ends: with how. */
static int attach(struct cli_state *st, const struct reg_entry *e, int *ret_code,
		  struct err *err)
{
	struct attached a = { st, e };
	struct client_answer end;
	auto_str body = STR_INIT;
	auto_fd sock = -1, ours = -1;
	uint16_t rows, cols;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a stream");
	ours = pair[0];
	cli_window(&rows, &cols);
	put_u16(&body, rows);
	put_u16(&body, cols);
	r = client_ask(st->reg, e, CTL_ATTACH, &body, &pair[1], 1, &sock, err);
	(void)close(pair[1]);
	if (r != 0)
		return r;
	*ret_code = 0;
	if (cli_relay(ours, isatty(0), resize, &a))
		return 0; /* detached */
	r = client_answer(sock, &end, err);
	if (r == 0) {
		*ret_code = cli_exit_code((int)get_u32(&end.r));
		client_answer_fini(&end);
	}
	return r;
}

int cmd_attach(int argc, char **argv)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	int code = 0, r;
	auto_cli st = { .reg = NULL };

	if (argc != 2)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[1], &e, &err);
	if (r == 0)
		r = attach(&st, e, &code, &err);
	reg_entry_free(e);
	return r == 0 ? code : cli_fail(&err);
}
