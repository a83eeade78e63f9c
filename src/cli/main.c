/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder: the one command that people type. What reads manifests is polder-compose, a
 * program of its own, so that the start path carries no parser for them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/pages.h"
#include "cli/cli.h"
#include "sandbox/sandbox.h"

const struct cli_command cli_commands[] = {
	{ "run", cmd_run, "[OPTION…] [--] COMMAND|IMAGE [ARG…]",
	  "run a program or unikernel in an environment" },
	{ "inspect", cmd_inspect, "[--json] FILE",
	  "what a unikernel's file says: kind, memory, devices", "" },
	{ "ps", cmd_ps, "[--json]", "list environments", "" },
	{ "show", cmd_show, "[--json] ENV | -f FILE [--dot|--json]",
	  "what an environment holds: asked, enforced, cut strength", "" },
	{ "why", cmd_why, "ENV SLOT | -f FILE ENV SLOT", "why it may, or why it cannot" },
	{ "logs", cmd_logs, "[-f] ENV", "what its own console printed", "" },
	{ "attach", cmd_attach, "ENV", "talk to its own console (Ctrl-P Ctrl-Q leaves)" },
	{ "exec", cmd_exec, "[-t] [-e VAR[=VALUE]] [--chdir DIR] ENV [--] COMMAND [ARG…]",
	  "run one more program inside" },
	{ "wait", cmd_wait, "ENV", "wait for its end; exits as it did" },
	{ "grant", cmd_grant, "[-r PATH] [-w PATH] [--json] ENV [BINDING…]",
	  "give a running one more", "rwg" },
	{ "attenuate", cmd_attenuate, "ENV SLOT CARETAKER…", "narrow what it was given" },
	{ "revoke", cmd_revoke, "[--to null|error] [--new-only|--kill] ENV SLOT…",
	  "take it back", "" },
	{ "audit", cmd_audit, "[-f] [--json] ENV", "what caretakers allowed and denied",
	  "" },
	{ "pause", cmd_pause, "ENV…", "stop all its processes where they are" },
	{ "resume", cmd_resume, "ENV…", "let them go on" },
	{ "stop", cmd_stop, "[-s SIGNAL] [-t SECONDS] ENV…", "end its program", "st" },
	{ "start", cmd_start, "ENV…", "start a stopped one again" },
	{ "restart", cmd_restart, "[-s SIGNAL] [-t SECONDS] ENV…", "stop and start",
	  "st" },
	{ "rm", cmd_rm, "[-f] ENV…", "forget a stopped one, and what it owns", "" },
	{ "check", NULL, "[--json] [--accept-weaker] FILE", "check a manifest" },
	{ "authdiff", NULL, "[--json] OLD NEW",
	  "which authority a change gives or takes" },
	{ "up", NULL, "[--json] [--accept-weaker] FILE", "start what a manifest says" },
	{ "down", NULL, "[--rm] FILE", "stop it; --rm forgets it too" },
	{ "apply", NULL,
	  "[--dry-run] [--json] [--accept-weaker] [--new-only|--kill] FILE",
	  "make what runs into what a manifest says" },
	{ "new", cmd_new, "unikernel NAME", "begin a program that is a unikernel" },
	{ "cc", cmd_cc, "[--target=spt|hvt] [--files=DIR] CC-ARGUMENT…",
	  "compile and link a unikernel" },
	{ "help", cmd_help, "[COMMAND]", "this" },
	{ "version", cmd_version, "", "which version this is" },
};
const size_t cli_n_commands = ARRAY_LEN(cli_commands);

int cli_hand_over_to(const char *program, char **argv)
{
	char path[1024];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		(void)snprintf(slash + 1, sizeof(path) - (size_t)(slash + 1 - path), "%s",
			       program);
		(void)execv(path, argv);
	}
	(void)fprintf(stderr, "polder: cannot start its part '%s': %s\n", path,
		      strerror(errno));
	return EXIT_OURS;
}

int cli_hand_over(char **argv)
{
	return cli_hand_over_to("polder-compose", argv);
}

/* `rm web -f` is `rm -f web`: commands read their options first. */
static void options_first(int argc, char **argv, const char *valued)
{
	int front = 1;

	for (int i = 1; i < argc && !streq(argv[i], "--"); i++) {
		const char *word = argv[i] + strspn(argv[i], "-");
		bool is_option = argv[i][0] == '-' && *word;
		bool alone =
			argv[i][1] == '-' ? !strchr(word, '=') : !word[0] || !word[1];
		int n = is_option && alone && strchr(valued, word[0]) && i + 1 < argc ?
				2 :
				1;

		for (int k = 0; is_option && k < n; k++, front++) {
			char *moved = argv[i + k];

			memmove(&argv[front + 1], &argv[front],
				(size_t)(i + k - front) * sizeof(*argv));
			argv[front] = moved;
		}
		i += n - 1;
	}
}

/* These read a manifest when -f is given before anything else. */
static bool wants_manifest(int argc, char **argv)
{
	if (!streq(argv[1], "show") && !streq(argv[1], "why"))
		return false;
	for (int i = 2; i < argc && argv[i][0] == '-' && !streq(argv[i], "--"); i++)
		if (streq(argv[i], "-f") || str_starts(argv[i], "--file"))
			return true;
	return false;
}

static int unknown(const char *word)
{
	const char *names[32];
	const char *near;

	for (size_t i = 0; i < cli_n_commands; i++)
		names[i] = cli_commands[i].name;
	near = str_nearest(word, names, cli_n_commands);
	(void)fprintf(stderr,
		      "polder: there is no command '%s'%s%s%s (polder help lists them)\n",
		      word, near ? "; did you mean '" : "", near ? near : "",
		      near ? "'?" : "");
	return EXIT_OURS;
}

/* 0, 1 and 2 must be there, or a descriptor of ours would take their place. */
static void open_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_OURS);
}

/* A page of nothing where the heap would begin has musl's malloc take its first pages
 * from among the others. The heap lies by itself, and its first page costs three more of
 * page tables: 16 KiB for each environment that is up. */
static void no_heap(void)
{
#ifndef __GLIBC__
	uintptr_t at = ((uintptr_t)syscall(SYS_brk, 0) + 4095) & ~(uintptr_t)4095;

	(void)mmap((void *)at, 4096, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
#endif
}

int main(int argc, char **argv)
{
	pages_want_code();
	no_heap();
	sandbox_title_area(argc, argv);
	open_standard();
	if (argc < 2)
		return cmd_help(argc, argv) ? EXIT_OURS : EXIT_OURS;
	if (streq(argv[1], "--help") || streq(argv[1], "-h"))
		return cmd_help(argc, argv);
	if (streq(argv[1], "--version"))
		return cmd_version(argc, argv);
	if (streq(argv[1], "--start"))
		return cmd_start_for(argc - 1, argv + 1);
	if (wants_manifest(argc, argv))
		return cli_hand_over(argv);
	for (size_t i = 0; i < cli_n_commands; i++) {
		const struct cli_command *c = &cli_commands[i];

		if (!streq(c->name, argv[1]))
			continue;
		for (int k = 2; k < argc && !streq(argv[k], "--") && argv[k][0] == '-';
		     k++)
			if (streq(argv[k], "--help"))
				return cli_usage(c->name) ? 0 : 0;
		if (c->valued)
			options_first(argc - 1, argv + 1, c->valued);
		return c->run ? c->run(argc - 1, argv + 1) : cli_hand_over(argv);
	}
	return unknown(argv[1]);
}
