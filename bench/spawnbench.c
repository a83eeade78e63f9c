/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawnbench.c - what it costs to start commands, from vfork to reaped.
 *
 *   spawnbench [-n ROUNDS] [-w WARMUP] [-r MS] [-b NAME] NAME CMD… ::: NAME CMD… ::: …
 *   spawnbench -p COUNT                          NAME CMD… ::: …
 *
 * Serial: the commands take turns, so that what disturbs the machine disturbs all of
 * them; after WARMUP rounds, ROUNDS are measured. Prints minimum, median and p90 in
 * microseconds, and each median over that of NAME (-b; else the last one). With -r there
 * are so many milliseconds of rest before each start: the kernel takes a network namespace
 * down, and an anchor makes another one, when the command that had it is over, and without
 * a rest that is charged to whoever comes next.
 *
 * -p: COUNT of a command are started at once and all reaped; prints microseconds each.
 *
 * A CMD may begin with N<FILE, one digit: it finds FILE open for reading as descriptor N.
 *
 * The commands' output goes to /dev/null. One that fails ends the whole: a number for
 * something that did not happen is worse than none.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define SEPARATOR ":::"

struct command {
	const char *name;
	char **argv;
	double *us; /* one for each measured round */
};

struct options {
	unsigned rounds;
	unsigned warmup;
	unsigned parallel; /* 0: serial */
	unsigned rest;     /* ms */
	const char *base;
};

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool is_redirection(const char *word)
{
	return word[0] >= '3' && word[0] <= '9' && word[1] == '<';
}

static void redirect(const char *word)
{
	int to = word[0] - '0', fd = open(word + 2, O_RDONLY);

	if (fd < 0 || (fd != to && dup2(fd, to) < 0))
		_exit(127);
	if (fd != to)
		(void)close(fd);
}

_Noreturn static void become(char **argv)
{
	for (; *argv && is_redirection(*argv); argv++)
		redirect(*argv);
	(void)execvp(argv[0], argv);
	_exit(127);
}

/* The child shares our memory until it execs: it calls little more than exec and _exit. */
static pid_t start(char **argv)
{
	pid_t pid = vfork(); /* NOLINT: what is measured */

	if (pid == 0)
		become(argv);
	return pid;
}

/* name: for the message; NULL for none, after one like it. */
static int reap(pid_t pid, const char *name)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (name && WIFSIGNALED(status))
		fprintf(stderr, "spawnbench: %s: signal %d\n", name, WTERMSIG(status));
	else if (name)
		fprintf(stderr, "spawnbench: %s: status %d\n", name, WEXITSTATUS(status));
	return -1;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct command *commands, unsigned n, const struct options *opt)
{
	for (unsigned round = 0; round < opt->warmup + opt->rounds; round++)
		for (unsigned i = 0; i < n; i++) {
			double begin;
			pid_t pid;

			if (opt->rest)
				(void)usleep(opt->rest * 1000);
			begin = now_us();
			pid = start(commands[i].argv);
			if (pid < 0 || reap(pid, commands[i].name) < 0)
				return -1;
			if (round >= opt->warmup)
				commands[i].us[round - opt->warmup] = now_us() - begin;
		}
	return 0;
}

static double median(const struct command *command, unsigned rounds)
{
	return command->us[rounds / 2];
}

static void print_serial(const struct command *commands, unsigned n,
			 const struct options *opt)
{
	const struct command *base = &commands[n - 1];

	for (unsigned i = 0; i < n; i++) {
		qsort(commands[i].us, opt->rounds, sizeof(double), compare);
		if (opt->base && strcmp(commands[i].name, opt->base) == 0)
			base = &commands[i];
	}
	printf("%-24s %8s %8s %8s   %s\n", "", "min", "median", "p90", "of median");
	for (unsigned i = 0; i < n; i++)
		printf("%-24s %8.0f %8.0f %8.0f   %.2f\n", commands[i].name,
		       commands[i].us[0], median(&commands[i], opt->rounds),
		       commands[i].us[(size_t)opt->rounds * 9 / 10],
		       median(&commands[i], opt->rounds) / median(base, opt->rounds));
}

static int parallel(const struct command *command, unsigned count)
{
	pid_t *pids = calloc(count, sizeof(*pids));
	double begin = now_us();
	int r = pids ? 0 : -1;

	for (unsigned i = 0; pids && i < count; i++)
		if ((pids[i] = start(command->argv)) < 0)
			r = -1;
	for (unsigned i = 0; pids && i < count; i++)
		if (pids[i] > 0 && reap(pids[i], r == 0 ? command->name : NULL) < 0)
			r = -1;
	free(pids);
	if (r == 0)
		printf("%-24s %8.0f\n", command->name, (now_us() - begin) / count);
	return r;
}

/* Splits argv at the separators; returns how many commands, 0 if the words are wrong. */
static unsigned split(char **argv, struct command *commands)
{
	unsigned n = 0;

	while (*argv) {
		if (n == MAX_COMMANDS || !argv[1])
			return 0;
		commands[n].name = *argv++;
		commands[n++].argv = argv;
		while (*argv && strcmp(*argv, SEPARATOR) != 0)
			argv++;
		if (*argv)
			*argv++ = NULL;
	}
	return n;
}

static bool number(const char *text, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*ret = (unsigned)v;
	return *text && !*end && v <= 1000000;
}

static bool options(int argc, char **argv, struct options *opt)
{
	int c;

	while ((c = getopt(argc, argv, "+n:w:p:r:b:")) != -1) {
		if (c == 'b')
			opt->base = optarg;
		else if (!(c == 'n' && number(optarg, &opt->rounds)) &&
			 !(c == 'w' && number(optarg, &opt->warmup)) &&
			 !(c == 'r' && number(optarg, &opt->rest)) &&
			 !(c == 'p' && number(optarg, &opt->parallel)))
			return false;
	}
	return opt->rounds > 0;
}

static int serial(struct command *commands, unsigned n, const struct options *opt)
{
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		commands[i].us = calloc(opt->rounds, sizeof(double));
		if (!commands[i].us)
			r = -1;
	}
	if (r == 0)
		r = measure(commands, n, opt);
	if (r == 0)
		print_serial(commands, n, opt);
	for (unsigned i = 0; i < n; i++)
		free(commands[i].us);
	return r;
}

/* Keeps standard error: it says why a command failed. */
static int quiet(int *ret_out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	*ret_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (null < 0 || *ret_out < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		return -1;
	return close(null);
}

int main(int argc, char **argv)
{
	struct options opt = { .rounds = 200, .warmup = 20 };
	struct command commands[MAX_COMMANDS] = { 0 };
	unsigned n = 0;
	int out, r = 0;

	if (options(argc, argv, &opt))
		n = split(argv + optind, commands);
	if (n == 0) {
		fprintf(stderr, "usage: spawnbench [-n ROUNDS] [-w WARMUP] [-r MS] "
				"[-b NAME] [-p COUNT] NAME CMD… [::: NAME CMD…]…\n");
		return 2;
	}
	if (quiet(&out) < 0 || !(stdout = fdopen(out, "w"))) {
		perror("spawnbench");
		return 1;
	}
	if (opt.parallel == 0)
		r = serial(commands, n, &opt);
	for (unsigned i = 0; opt.parallel > 0 && r == 0 && i < n; i++)
		r = parallel(&commands[i], opt.parallel);
	return r < 0 || fflush(stdout) != 0;
}
