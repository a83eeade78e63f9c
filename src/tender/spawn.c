/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting one of Polder's own programs, which lies beside the others and reads its spec from a
 * descriptor: the tenders of unikernels, caretakers. */
#include <signal.h>
#include <stdio.h>

#include "tender/tender-internal.h"

int part_spawn(const struct tender *t, const char *name, int spec_fd,
	       posix_spawn_file_actions_t *take_fa, pid_t *ret_pid, struct err *err)
{
	char path[600], number[12];
	char *argv[] = { (char *)name, (char[]){ "--spec" }, number, NULL };
	char *envp[] = { NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", t->job->programs, name);
	(void)snprintf(number, sizeof(number), "%d", spec_fd);
	(void)sigemptyset(&none);
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		(void)posix_spawnattr_setsigmask(&attr, &none);
		(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
		r = posix_spawn(ret_pid, path, take_fa, &attr, argv, envp);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(take_fa);
	if (r == 0)
		return 0;
	*ret_pid = 0;
	return err_neg(err, -r, "cannot start '%s'", path);
}
