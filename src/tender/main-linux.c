/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-tender-linux: starts exactly what a spec says, and nothing implied.
 *
 *	polder-tender-linux --spec FD [--control FD] [--log FD] [--ready FD] [--background]
 *
 * The plumbing under `polder run`: no journal, no names, no defaults. FD are numbers of
 * open descriptors: the spec's bytes (docs/protocol.md); a directory for the control
 * socket; a directory for the console's log; a pipe that is told when it runs. Exits as
 * the program does; 125 with a sentence if it did not come to that.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/sandbox.h"
#include "tender/tender.h"

struct args {
	int spec, control, log, ready;
	bool background;
};

static int usage(void)
{
	(void)fputs("usage: polder-tender-linux --spec FD [--control FD] [--log FD] "
		    "[--ready FD] "
		    "[--background]\n",
		    stderr);
	return 125;
}

static bool parse(struct args *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "spec", required_argument, NULL, 's' },
		{ "control", required_argument, NULL, 'c' },
		{ "log", required_argument, NULL, 'l' },
		{ "ready", required_argument, NULL, 'r' },
		{ "background", no_argument, NULL, 'b' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int *fd = c == 's' ? &a->spec :
			  c == 'c' ? &a->control :
			  c == 'l' ? &a->log :
			  c == 'r' ? &a->ready :
				     NULL;
		uint64_t n;

		if (c == 'b') {
			a->background = true;
			continue;
		}
		if (!fd || !str_to_u64(optarg, &n) || n > 1u << 20 ||
		    fd_set_cloexec((int)n, true) < 0)
			return false;
		*fd = (int)n;
	}
	return a->spec >= 0 && optind == argc;
}

static int read_spec(int fd, struct spec *ret, struct err *err)
{
	auto_free char *buf = malloc(SPEC_MAX_BYTES + 1);
	size_t len = 0;
	int r = buf ? fd_read_full(fd, buf, SPEC_MAX_BYTES + 1, &len, err) : err_oom(err);

	return r != 0 ? r : spec_decode(ret, buf, len, err);
}

static int fail(const struct err *err, int code)
{
	(void)fprintf(stderr, "polder-tender-linux: %s\n", err->text);
	return code;
}

int main(int argc, char **argv)
{
	struct args a = { .spec = -1, .control = -1, .log = -1, .ready = -1 };
	struct reg_held held = REG_HELD_INIT;
	struct spec spec = SPEC_INIT;
	struct err err = ERR_INIT;
	struct tender_job job = { .spec = &spec, .notify_fd = -1 };
	char group[2 * sizeof(spec.id) + 1];
	int status = 0, code = 125, r;

	sandbox_title_area(argc, argv);
	if (!parse(&a, argc, argv))
		return usage();
	r = read_spec(a.spec, &spec, &err);
	if (r != 0)
		return fail(&err, 125);
	held.dirfd = a.control;
	job.held = a.control >= 0 ? &held : NULL;
	job.log_dir = a.log;
	job.ready_fd = a.ready;
	job.background = a.background;
	for (size_t i = 0; i < sizeof(spec.id); i++)
		(void)snprintf(group + 2 * i, 3, "%02x", spec.id[i]);
	job.cgroup_name = group;
	r = tender_run(&job, &status, &code, &err);
	spec_fini(&spec);
	if (r != 0)
		return fail(&err, code);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
