/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib-life SUBJECT: uses libpolder as somebody's program would; fails with a sentence.
 * lib.sh builds it against what is installed.
 */
#include <polder/polder.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4

static void fail_at(int line, const char *what, int got, const struct polder *p)
{
	(void)fprintf(stderr, "line %d: %s: %d: %s\n", line, what, got,
		      p ? polder_error(p) : "");
	_exit(1);
}

#define WANT(result, call)                                                               \
	do {                                                                             \
		int got_ = (call);                                                       \
		if (got_ != (result))                                                    \
			fail_at(__LINE__, #call, got_, p);                               \
	} while (0)
#define TRUE(x)                                                                          \
	do {                                                                             \
		if (!(x))                                                                \
			fail_at(__LINE__, #x, 0, NULL);                                  \
	} while (0)

static struct polder_env *describe(struct polder *p, const char *name, const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct polder_env *e;

	WANT(0, polder_env_new(p, name, &e));
	WANT(0, polder_env_program(e, argv));
	return e;
}

/* Everything that comes from fd, until its end or enough is there. */
static void read_until(int fd, const char *wanted, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	ret[0] = '\0';
	while (!(wanted && strstr(ret, wanted)) &&
	       (n = read(fd, ret + len, size - 1 - len)) > 0) {
		len += (size_t)n;
		ret[len] = '\0';
	}
	TRUE(!wanted || strstr(ret, wanted));
}

static int enter(struct polder *p, const char *word, const char *script, char *ret,
		 size_t size)
{
	const char *argv[] = { "sh", "-c", script, NULL },
		   *vars[] = { "HOME=/x", "A=b c", NULL };
	struct polder_child *child;
	int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC), streams[3], code = -1;

	TRUE(pipe2(ends, O_CLOEXEC) == 0 && null >= 0);
	streams[0] = null;
	streams[1] = streams[2] = ends[1];
	WANT(0, polder_enter(p, word, argv, vars, "/tmp", streams, &child));
	(void)close(ends[1]);
	(void)close(null);
	read_until(ends[0], NULL, ret, size);
	(void)close(ends[0]);
	WANT(0, polder_child_wait(child, -1, &code));
	WANT(0, polder_child_wait(child, 0, &code)); /* again */
	polder_child_free(child);
	return code;
}

/* A kept one, from its start to its removal. */
static void life(struct polder *p)
{
	struct polder_env *e =
		describe(p, "life", "echo begun; read x; echo got $x; exit 7");
	char id[POLDER_ID_SIZE], again[POLDER_ID_SIZE], text[4096];
	struct polder_list *l;
	struct polder_view *v;
	int code = -1, fd, seen = 0;

	WANT(0, polder_env_bind(e, "/data=own"));
	WANT(0, polder_start(e, POLDER_KEEP, id));
	TRUE(strlen(id) == 32);
	WANT(POLDER_BUSY, polder_start(e, POLDER_KEEP, again));
	WANT(0, polder_list(p, &l));
	for (size_t i = 0; i < polder_list_count(l); i++)
		seen += strcmp(polder_list_info(l, i)->id, id) == 0 &&
			strcmp(polder_list_info(l, i)->name, "life") == 0 &&
			polder_list_info(l, i)->state == POLDER_STATE_RUNNING &&
			polder_list_info(l, i)->kept;
	TRUE(seen == 1);
	polder_list_free(l);
	WANT(0, polder_show(p, id, &v));
	seen = 0;
	for (size_t i = 0; i < polder_view_count(v); i++)
		seen += strcmp(polder_view_slot(v, i)->asked, "/data=own") == 0 &&
			strcmp(polder_view_slot(v, i)->interface_, "dir") == 0 &&
			polder_view_slot(v, i)->enforced[0] &&
			!polder_view_slot(v, i)->implied;
	TRUE(seen == 1);
	polder_view_free(v);

	WANT(POLDER_BUSY, polder_wait(p, "life", 50, &code));
	WANT(POLDER_REFUSED, polder_resume(p, "life"));
	WANT(0, polder_pause(p, "life"));
	WANT(0, polder_show(p, "life", &v));
	TRUE(polder_view_info(v)->state == POLDER_STATE_PAUSED);
	polder_view_free(v);
	WANT(0, polder_resume(p, "life"));
	WANT(POLDER_BUSY, polder_remove(p, "life", false));
	WANT(3, enter(p, id, "echo $HOME $A; pwd; exit 3", text, sizeof(text)));
	TRUE(strcmp(text, "/x b c\n/tmp\n") == 0);
	WANT(0, polder_attach(p, id, 24, 80, &fd));
	TRUE(write(fd, "word\n", 5) == 5);
	read_until(fd, "got word", text, sizeof(text));
	(void)close(fd);
	WANT(0, polder_wait(p, id, 10000, &code));
	TRUE(code == 7);
	WANT(0, polder_log(p, id, &fd));
	read_until(fd, NULL, text, sizeof(text));
	(void)close(fd);
	TRUE(strstr(text, "begun") && strstr(text, "got word"));
	WANT(0, polder_show(p, id, &v));
	TRUE(polder_view_info(v)->exit_code == 7 && polder_view_info(v)->supervisor == 0);
	polder_view_free(v);
	WANT(POLDER_REFUSED, polder_pause(p, id));

	WANT(0, polder_start_again(p, "life"));
	WANT(POLDER_BUSY, polder_start_again(p, "life"));
	WANT(0, polder_await_ready(p, "life", 5000));
	WANT(0, polder_stop(p, "life", SIGKILL, -1));
	WANT(0, polder_stop(p, "life", 0, 0));
	WANT(0, polder_start(e, POLDER_KEEP, again)); /* as it is described now */
	TRUE(strcmp(id, again) == 0);
	WANT(0, polder_remove(p, "life", true));
	WANT(POLDER_NOTFOUND, polder_wait(p, id, 0, &code));
	polder_env_free(e);
}

/* A disposable one with descriptors of ours, readiness and a variable passed on. */
static void streams(struct polder *p)
{
	struct polder_env *e = describe(p, NULL,
					"echo out $GIVEN; echo err >&2; cat; "
					"touch /tmp/ready; cat; exit 4");
	char id[POLDER_ID_SIZE], text[4096];
	int in[2], out[2], code = -1, r;
	struct polder_list *l;

	TRUE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	TRUE(setenv("GIVEN", "given", 1) == 0);
	WANT(0, polder_env_variable(e, "GIVEN", NULL));
	WANT(0, polder_env_readiness(e, "/tmp/ready", 300));
	WANT(0, polder_env_streams(e, in[0], out[1], out[1]));
	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	(void)close(in[0]);
	(void)close(out[1]);
	read_until(out[0], "err\n", text, sizeof(text));
	TRUE(strncmp(text, "out given\n", 10) == 0);
	WANT(POLDER_BUSY, polder_await_ready(p, id, 1));
	WANT(POLDER_REFUSED, polder_await_ready(p, id, 5000)); /* not within 300 ms */
	TRUE(write(in[1], "fed\n", 4) == 4);
	read_until(out[0], "fed\n", text, sizeof(text));
	(void)close(in[1]);
	read_until(out[0], NULL, text, sizeof(text)); /* ends with it */
	r = polder_wait(p, id, 5000, &code);
	TRUE((r == 0 && code == 4) || r == POLDER_NOTFOUND); /* or gone already */
	WANT(0, polder_list(p, &l));
	TRUE(polder_list_count(l) == 0);
	polder_list_free(l);
	(void)close(out[0]);
}

/* What cannot be, and that nothing of it stays. */
static void refused(struct polder *p)
{
	const char *nosuch[] = { "no-such-program", NULL }, *dir[] = { "/tmp", NULL };
	struct polder_env *e = describe(p, "no", "true");
	struct polder_report *r;
	struct polder_list *l;

	WANT(0, polder_env_program(e, nosuch));
	WANT(POLDER_NOTFOUND, polder_start(e, POLDER_KEEP, NULL));
	TRUE(strstr(polder_error(p), "no-such-program"));
	WANT(0, polder_env_program(e, dir));
	WANT(POLDER_REFUSED, polder_start(e, 0, NULL));
	WANT(0, polder_env_bind(e, "net=own"));
	WANT(0, polder_check_env(e, 0, &r));
	TRUE(polder_report_errors(r) == 1);
	polder_report_free(r);
	WANT(POLDER_REFUSED, polder_start(e, 0, NULL));
	TRUE(strstr(polder_error(p), "router"));
	polder_env_free(e);
	WANT(0, polder_list(p, &l));
	TRUE(polder_list_count(l) == 0);
	polder_list_free(l);
}

/* The exit code of what leaves nothing behind, however short it is. */
static void run(struct polder *p)
{
	static const struct {
		const char *script;
		int code;
	} tries[] = { { "exit 0", 0 },
		      { "exit 42", 42 },
		      { "kill -KILL $$", 137 },
		      { "sleep 0.2; exit 5", 5 } };
	struct polder_child *child = NULL;
	const char *nosuch[] = { "no-such-program", NULL };
	struct polder_env *e;
	struct polder_view *v;
	char id[POLDER_ID_SIZE];
	int code;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		e = describe(p, NULL, tries[i].script);
		code = -1;
		WANT(0, polder_run(e, 0, id, &child));
		polder_env_free(e);
		WANT(0, polder_child_wait(child, 10000, &code));
		TRUE(code == tries[i].code);
		WANT(0, polder_child_wait(child, 0, &code));
		WANT(POLDER_NOTFOUND, polder_show(p, id, &v));
		polder_child_free(child);
	}
	child = NULL;
	e = describe(p, NULL, "true");
	WANT(0, polder_env_program(e, nosuch));
	WANT(POLDER_NOTFOUND, polder_run(e, 0, NULL, &child));
	TRUE(!child);
	polder_env_free(e);

	e = describe(p, "short", "sleep 100");
	WANT(0, polder_run(e, POLDER_KEEP, id, &child));
	polder_env_free(e);
	WANT(POLDER_BUSY, polder_child_wait(child, 10, &code));
	WANT(0, polder_stop(p, "short", 0, 1000));
	WANT(0, polder_child_wait(child, 5000, &code));
	TRUE(code == 143);
	polder_child_free(child);
	WANT(0, polder_start_again(p, "short"));
	WANT(0, polder_remove(p, "short", true));

	/* Not ended by letting go of it; its supervisor's death is told. */
	e = describe(p, NULL, "sleep 100");
	WANT(0, polder_run(e, 0, id, &child));
	polder_child_free(child);
	WANT(0, polder_show(p, id, &v));
	polder_view_free(v);
	WANT(0, polder_remove(p, id, true));
	WANT(0, polder_run(e, 0, id, &child));
	polder_env_free(e);
	WANT(0, polder_show(p, id, &v));
	TRUE(kill((pid_t)polder_view_info(v)->supervisor, SIGKILL) == 0);
	polder_view_free(v);
	WANT(POLDER_REFUSED, polder_child_wait(child, 5000, &code));
	polder_child_free(child);
}

/* Host files: one may be read, one may be written, the rest is not there. */
static void granted(struct polder *p)
{
	struct polder_env *e = describe(p, NULL, "sleep 100");
	char id[POLDER_ID_SIZE], text[4096], script[512], cwd[256];
	int fd = open("secret", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

	TRUE(getcwd(cwd, sizeof(cwd)) && fd >= 0);
	(void)close(fd);
	fd = open("read", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	TRUE(fd >= 0 && write(fd, "seen\n", 5) == 5);
	(void)close(fd);
	WANT(0, polder_env_grant(e, "read", false));
	WANT(0, polder_env_grant(e, "out/", true));
	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	(void)snprintf(
		script, sizeof(script),
		"cd %s; cat read; echo x >out/made; "
		"(echo x >read) 2>&- || echo denied; test -e secret || echo hidden",
		cwd);
	WANT(0, enter(p, id, script, text, sizeof(text)));
	TRUE(strcmp(text, "seen\ndenied\nhidden\n") == 0);
	TRUE(access("out/made", F_OK) == 0);
	WANT(0, polder_remove(p, id, true));
}

/* Programs that cannot be entered with. */
static void no_entry(struct polder *p)
{
	const char *nosuch[] = { "no-such-program", NULL }, *dir[] = { "/tmp", NULL };
	const char *good[] = { "true", NULL };
	const struct {
		const char *const *argv;
		int code;
	} tries[] = { { nosuch, 127 }, { dir, 126 }, { good, 0 } };
	struct polder_env *e = describe(p, NULL, "sleep 100");
	struct polder_child *child;
	char id[POLDER_ID_SIZE];
	int code, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		code = -1;
		WANT(0, polder_enter(p, id, tries[i].argv, NULL, NULL,
				     (int[3]){ null, null, null }, &child));
		WANT(0, polder_child_wait(child, 5000, &code));
		TRUE(code == tries[i].code);
		polder_child_free(child);
	}
	WANT(0, polder_pause(p, id));
	WANT(0,
	     polder_enter(p, id, good, NULL, NULL, (int[3]){ null, null, null }, &child));
	WANT(POLDER_REFUSED, polder_child_wait(child, 5000, &code));
	TRUE(strstr(polder_error(p), "paused"));
	polder_child_free(child);
	(void)close(null);
	WANT(0, polder_remove(p, id, true));
}

/* Who lets go of a program that was entered ends it. */
static void abandoned(struct polder *p)
{
	const char *argv[] = { "sleep", "1000", NULL };
	struct polder_env *e = describe(p, NULL, "sleep 100");
	struct polder_child *child;
	char id[POLDER_ID_SIZE], byte;
	int ends[2], code, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct pollfd at;

	TRUE(pipe2(ends, O_CLOEXEC) == 0);
	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	WANT(0, polder_enter(p, id, argv, NULL, NULL, (int[3]){ null, ends[1], null },
			     &child));
	(void)close(ends[1]);
	WANT(POLDER_BUSY, polder_child_wait(child, 100, &code));
	at = (struct pollfd){ .fd = polder_child_fd(child), .events = POLLIN };
	TRUE(poll(&at, 1, 0) == 0);
	polder_child_free(child);
	TRUE(read(ends[0], &byte, 1) == 0); /* nobody writes any more */
	(void)close(ends[0]);
	(void)close(null);
	WANT(0, polder_remove(p, id, true));
}

/* One exposes, another binds it. */
static void exposed(struct polder *p)
{
	struct polder_env *e =
		describe(p, "srv", "echo shared >/tmp/f; touch /tmp/ready; sleep 100");
	char id[POLDER_ID_SIZE], other[POLDER_ID_SIZE], text[512];

	WANT(0, polder_env_expose(e, "dir", "data", "/tmp"));
	WANT(0, polder_env_readiness(e, "/tmp/ready", 0));
	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	WANT(0, polder_await_ready(p, id, 10000));
	e = describe(p, NULL, "sleep 100");
	WANT(0, polder_env_bind(e, "/data=env:srv/data,ro"));
	WANT(0, polder_start(e, 0, other));
	polder_env_free(e);
	WANT(0, enter(p, other, "cat /data/f", text, sizeof(text)));
	TRUE(strcmp(text, "shared\n") == 0);
	WANT(0, polder_remove(p, other, true));
	WANT(0, polder_remove(p, id, true));
}

/* ---- a program with threads, and one that takes care of children itself ---- */

static atomic_int done;

static void *busy(void *unused)
{
	while (!done)
		free(malloc(4096));
	return unused;
}

static void look_around(struct polder *p, const char *id)
{
	static const char text[] =
		"environments:\n  a:\n    run: [x]\n    slots:\n      /x: env:b/c\n";
	struct polder_report *r;
	struct polder_list *l;
	struct polder_view *v;

	WANT(0, polder_check_text(p, "x", text, sizeof(text) - 1, NULL, 0, &r));
	TRUE(polder_report_errors(r) == 1);
	polder_report_free(r);
	WANT(0, polder_list(p, &l));
	TRUE(polder_list_count(l) > 0);
	polder_list_free(l);
	WANT(0, polder_show(p, id, &v));
	TRUE(polder_view_count(v) > 0);
	polder_view_free(v);
	WANT(POLDER_NOTFOUND, polder_show(p, "nobody", &v));
	TRUE(polder_notes(p)[0] == '\0');
}

static void *one_of_many(void *unused)
{
	struct polder *p = polder_new();
	char text[512];

	TRUE(p);
	for (int i = 0; i < 3; i++) {
		struct polder_env *e = describe(p, NULL, "sleep 100");
		char id[POLDER_ID_SIZE];

		WANT(0, polder_start(e, 0, id));
		polder_env_free(e);
		WANT(0, enter(p, id, "echo in", text, sizeof(text)));
		TRUE(strcmp(text, "in\n") == 0);
		look_around(p, id);
		WANT(0, polder_remove(p, id, true));
	}
	polder_free(p);
	return unused;
}

static void threads(struct polder *p)
{
	pthread_t busy_one, all[THREADS];

	(void)p;
	TRUE(pthread_create(&busy_one, NULL, busy, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		TRUE(pthread_create(&all[i], NULL, one_of_many, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		TRUE(pthread_join(all[i], NULL) == 0);
	done = 1;
	TRUE(pthread_join(busy_one, NULL) == 0);
}

/* Children that nobody waits for, signals ignored and blocked, standard streams closed. */
static void rough(struct polder *p)
{
	struct polder_env *e = describe(p, NULL,
					"trap 'exit 9' TERM; echo ready; "
					"while :; do sleep 0.05; done");
	char id[POLDER_ID_SIZE], text[512];
	sigset_t all;
	int fd;

	TRUE(signal(SIGCHLD, SIG_IGN) != SIG_ERR && signal(SIGTERM, SIG_IGN) != SIG_ERR);
	(void)sigfillset(&all);
	TRUE(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	(void)close(0);
	(void)close(1);
	WANT(0, polder_start(e, 0, id));
	polder_env_free(e);
	WANT(0, polder_attach(p, id, 24, 80, &fd));
	(void)close(fd);
	WANT(0, enter(p, id, "echo in", text, sizeof(text)));
	TRUE(strcmp(text, "in\n") == 0);
	WANT(0, polder_stop(p, id, SIGTERM, 5000));
}

static const struct {
	const char *name;
	void (*run)(struct polder *p);
} subjects[] = {
	{ "life", life },       { "run", run },           { "streams", streams },
	{ "refused", refused }, { "granted", granted },   { "abandoned", abandoned },
	{ "exposed", exposed }, { "no_entry", no_entry }, { "threads", threads },
	{ "rough", rough },
};

int main(int argc, char **argv)
{
	struct polder *p = polder_new();

	for (size_t i = 0; p && argc == 2 && i < sizeof(subjects) / sizeof(subjects[0]);
	     i++)
		if (strcmp(subjects[i].name, argv[1]) == 0) {
			subjects[i].run(p);
			polder_free(p);
			return 0;
		}
	polder_free(p);
	return 2;
}
