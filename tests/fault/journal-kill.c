/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kills what changes the registry, and looks whether the next command finds a picture
 * that agrees with what is there.
 *
 * First a whole life of environments is killed before and after every one of its system
 * calls, once each. Then several at once are killed at random moments, while another
 * process lists. Prints TAP.
 */
#include "base/fd.h"
#include "state/registry.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 400
#define AT_ONCE 8

static char base[64];
static struct places places;
static unsigned tests, failed;

static void ok(bool good, const char *what, const char *why)
{
	tests++;
	failed += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", tests, what);
	if (!good)
		printf("# %s\n", why);
	(void)fflush(stdout);
}

/* ---- what is killed ---- */

/* Stands for a cgroup: made by the tender, removed by it or by the cleanup hook. */
static void marker_path(char ret[128], unsigned long n)
{
	(void)snprintf(ret, 128, "%s/marks/%lu", base, n);
}

static int life_of(struct registry *reg, const char *name, bool kept, unsigned long n,
		   struct err *err)
{
	struct reg_held h = REG_HELD_INIT;
	struct reg_run run = { .tender = getpid() };
	char mark[128];
	int r;
	struct reg_new new = { .name = name,
			       .kind = "linux",
			       .summary = "sleep 1",
			       .cgroups = mark,
			       .kept = kept,
			       .spec = "spec",
			       .spec_len = 4 };

	marker_path(mark, n);
	r = registry_create(reg, &new, &h, err);
	if (r != 0)
		return r;
	(void)close(open(mark, O_CREAT | O_WRONLY, 0600));
	r = registry_started(reg, &h, &run, err);
	if (r == 0)
		r = registry_paused(reg, &h, err);
	if (r == 0)
		r = registry_resumed(reg, &h, err);
	(void)unlink(mark);
	if (r == 0)
		r = registry_stopped(reg, &h, 0, err);
	if (r == 0 && kept) {
		uint64_t generation = h.generation;
		struct reg_id id = h.id;

		reg_held_fini(&h);
		r = registry_restart(reg, &id, generation, &new, &h, err);
		if (r != 0)
			return r;
		(void)close(open(mark, O_CREAT | O_WRONLY, 0600));
		r = registry_started(reg, &h, &run, err);
		(void)unlink(mark);
		if (r == 0)
			r = registry_stopped(reg, &h, 0, err);
	}
	if (r == 0)
		r = registry_removed(reg, &h, err);
	reg_held_fini(&h);
	return r;
}

static int remove_mark(void *userdata, const struct reg_entry *e, struct err *err)
{
	(void)userdata;
	(void)err;
	if (e->cgroups[0])
		(void)unlink(e->cgroups);
	return 0;
}

static int lives(unsigned long seed, struct err *err)
{
	struct registry *reg;
	char name[32];
	int r;

	r = registry_open(&reg, &places, err);
	if (r != 0)
		return r;
	registry_on_cleanup(reg, remove_mark, NULL);
	(void)snprintf(name, sizeof(name), "kept-%lu", seed);
	r = life_of(reg, NULL, false, seed * 3, err);
	if (r == 0)
		r = life_of(reg, name, true, seed * 3 + 1, err);
	name[0] = 'd';
	if (r == 0)
		r = life_of(reg, name, false, seed * 3 + 2, err);
	registry_close(reg);
	return r;
}

/* ---- what must be true afterwards ---- */

static unsigned count(const char *sub, bool tell)
{
	char path[128];
	struct dirent *de;
	unsigned n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/%s", base, sub);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		if (tell)
			printf("# left over: %s/%s\n", sub, de->d_name);
	}
	(void)closedir(dir);
	return n;
}

/* Nobody is alive: all that is listed is kept and stopped, and can be started. */
static bool check_list(struct registry *reg, const struct reg_list *l, char why[256])
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		const struct reg_entry *e = l->v[i];
		char *spec = NULL;
		int fd = -1;

		if (!e->kept || e->state != REG_STOPPED || e->cleanup_due || e->tender) {
			(void)snprintf(why, 256, "'%s' is listed as %s", e->name,
				       reg_state_name(e->state));
			return false;
		}
		if (registry_open_kept(reg, &e->id, &fd, &err) != 0 ||
		    fd_read_file_at(fd, "spec", 100, &spec, NULL, &err) != 0) {
			(void)snprintf(why, 256, "'%s' has no spec: %.180s", e->name,
				       err.text);
			return false;
		}
		(void)close(fd);
		free(spec);
	}
	return true;
}

static bool remove_kept(struct registry *reg, const struct reg_list *l, char why[256])
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < l->n; i++) {
		struct reg_held h = reg_held_of(l->v[i]);

		if (registry_removed(reg, &h, &err) != 0) {
			(void)snprintf(why, 256, "cannot remove: %.200s", err.text);
			return false;
		}
	}
	return true;
}

static bool is_consistent(char why[256])
{
	struct err err = ERR_INIT;
	struct registry *reg;
	struct reg_list l = { 0 };
	bool good = true;

	if (registry_open(&reg, &places, &err) != 0) {
		(void)snprintf(why, 256, "%.200s", err.text);
		return false;
	}
	registry_on_cleanup(reg, remove_mark, NULL);
	if (registry_list(reg, &l, &err) != 0) {
		(void)snprintf(why, 256, "cannot list: %.200s", err.text);
		good = false;
	} else if (registry_notes(reg)[0]) {
		(void)snprintf(why, 256, "a plain crash was called damage");
		good = false;
	} else if (count("run/e", false) || count("marks", false) ||
		   count("data/env", false) != l.n) {
		(void)snprintf(why, 256,
			       "%u run directories, %u marks, %u kept for %zu "
			       "listed",
			       count("run/e", true), count("marks", true),
			       count("data/env", true), l.n);
		good = false;
	}
	good = good && check_list(reg, &l, why) && remove_kept(reg, &l, why);
	if (good && count("data/env", false) != 0) {
		(void)snprintf(why, 256, "removed, but still in the data directory");
		good = false;
	}
	reg_list_fini(&l);
	registry_close(reg);
	return good;
}

/* ---- before and after every system call ---- */

/* Kills the child at its stop number at. False: it ended before. */
static bool kill_at(unsigned at, unsigned long seed)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct err err = ERR_INIT;

		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(lives(seed, &err) == 0 ? 0 : 1);
	}
	(void)waitpid(child, &status, 0);
	for (unsigned i = 0; WIFSTOPPED(status) && i < at; i++) {
		(void)ptrace(PTRACE_SYSCALL, child, NULL, NULL);
		(void)waitpid(child, &status, 0);
	}
	if (WIFSTOPPED(status)) {
		(void)kill(child, SIGKILL);
		(void)waitpid(child, &status, 0);
		return true;
	}
	if (status != 0)
		printf("# a life failed at stop %u\n", at);
	return false;
}

static void every_call(void)
{
	char why[256] = "", what[128];
	unsigned at = 1;
	bool good = true;

	while (good && kill_at(at, at)) {
		good = is_consistent(why);
		if (!good)
			printf("# at stop %u\n", at);
		at++;
	}
	(void)snprintf(what, sizeof(what), "killed at each of %u stops", at - 1);
	ok(good, what, why);
	ok(at > 200, "a life has some hundred stops", "it ended early");
	ok(is_consistent(why), "and nothing is left of the whole life", why);
}

/* ---- several at once ---- */

static pid_t start_one(unsigned long seed)
{
	pid_t child = fork();

	if (child == 0) {
		struct err err = ERR_INIT;
		int r = 0;

		for (unsigned long n = 0; r == 0; n++)
			r = lives(seed * 1000 + n, &err);
		(void)fprintf(stderr, "# a life failed: %s\n", err.text);
		_exit(1);
	}
	return child;
}

static pid_t start_lister(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct err err = ERR_INIT;
		struct registry *reg;

		if (registry_open(&reg, &places, &err) != 0)
			_exit(1);
		registry_on_cleanup(reg, remove_mark, NULL);
		for (;;) {
			struct reg_list l = { 0 };

			if (registry_list(reg, &l, &err) != 0) {
				(void)fprintf(stderr, "# listing failed: %s\n", err.text);
				_exit(1);
			}
			reg_list_fini(&l);
		}
	}
	return child;
}

/* All of them die within 3 ms; true if each still lived, that is, met no error. */
static bool kill_all(pid_t *children, size_t n)
{
	bool good = true;
	int status;

	for (size_t i = 0; i < n; i++) {
		struct timespec t = { .tv_nsec = random() % (3000000 / (long)n) };

		(void)nanosleep(&t, NULL);
		(void)kill(children[i], SIGKILL);
	}
	for (size_t i = 0; i < n; i++) {
		(void)waitpid(children[i], &status, 0);
		good = good && WIFSIGNALED(status);
	}
	return good;
}

static void at_random(void)
{
	pid_t children[AT_ONCE + 1];
	char why[256] = "";
	unsigned round;
	bool good = true, none_failed = true;

	for (round = 0; good && round < ROUNDS / AT_ONCE; round++) {
		for (size_t i = 0; i < AT_ONCE; i++)
			children[i] = start_one(round * AT_ONCE + i + 100);
		children[AT_ONCE] = start_lister();
		none_failed &= kill_all(children, AT_ONCE + 1);
		good = is_consistent(why);
	}
	ok(good, "400 killed at random moments, 8 at once and one listing", why);
	ok(none_failed, "none of them met an error before", "see above");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

int main(void)
{
	struct err err = ERR_INIT;
	char path[128];

	(void)snprintf(base, sizeof(base), "%s/polder-kill-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(base))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/run", base);
	(void)setenv("POLDER_RUNTIME_DIR", path, 1);
	(void)snprintf(path, sizeof(path), "%s/data", base);
	(void)setenv("POLDER_DATA_DIR", path, 1);
	(void)setenv("POLDER_CONFIG_DIR", path, 1);
	(void)snprintf(path, sizeof(path), "%s/marks", base);
	(void)mkdir(path, 0700);
	srandom((unsigned)time(NULL));
	if (places_init(&places, &err) != 0)
		return 1;
	printf("TAP version 13\n");
	every_call();
	at_random();
	printf("1..%u\n", tests);
	(void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed ? 1 : 0;
}
