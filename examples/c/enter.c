/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * enter: makes an environment, enters it, reads what was said there, and removes it.
 *
 *	cc enter.c $(pkg-config --cflags --libs libpolder) && ./a.out
 *
 * Nothing is granted: the program inside sees the system's programs, a network without
 * anybody on it, and none of the caller's files.
 */
#include <polder/polder.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int complain(struct polder *p, const char *what)
{
	(void)fprintf(stderr, "enter: %s: %s\n", what, polder_error(p));
	return 1;
}

/* Starts something that stays until it is stopped. */
static int begin(struct polder *p, char id[POLDER_ID_SIZE])
{
	const char *argv[] = { "sleep", "1000", NULL };
	struct polder_env *e;

	if (polder_env_new(p, NULL, &e) != 0)
		return -1;
	if (polder_env_program(e, argv) != 0 || polder_env_bind(e, "identity=own") != 0 ||
	    polder_env_limit(e, "pids", "64") != 0 || polder_start(e, 0, id) != 0) {
		polder_env_free(e);
		return -1;
	}
	polder_env_free(e);
	return 0;
}

/* Runs a command inside and copies what it writes. */
static int ask(struct polder *p, const char *id, int *ret_exit_code)
{
	const char *argv[] = { "sh", "-c", "id -un; ls -A /home/user | wc -l; exit 3",
			       NULL };
	struct polder_child *child;
	char buf[512];
	int ends[2], streams[3] = { 0, 1, 2 }, null_pipe[2], r;
	ssize_t n;

	if (pipe(ends) < 0 || pipe(null_pipe) < 0)
		return -1;
	(void)close(null_pipe[1]); /* input that has ended */
	streams[0] = null_pipe[0];
	streams[1] = ends[1];
	streams[2] = ends[1];
	r = polder_enter(p, id, argv, NULL, NULL, streams, &child);
	(void)close(ends[1]);
	(void)close(null_pipe[0]);
	if (r == 0) {
		while ((n = read(ends[0], buf, sizeof(buf))) > 0)
			(void)fwrite(buf, 1, (size_t)n, stdout);
		r = polder_child_wait(child, -1, ret_exit_code);
		polder_child_free(child);
	}
	(void)close(ends[0]);
	return r;
}

int main(void)
{
	struct polder *p = polder_new();
	char id[POLDER_ID_SIZE];
	int code, rc = 0;

	if (!p)
		return 1;
	if (begin(p, id) != 0) {
		rc = complain(p, "cannot start it");
		polder_free(p);
		return rc;
	}
	if (ask(p, id, &code) != 0)
		rc = complain(p, "cannot enter it");
	else
		(void)printf("it ended with %d\n", code);
	if (polder_remove(p, id, 1) != 0)
		rc = complain(p, "cannot remove it");
	polder_free(p);
	return rc;
}
