/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libpolder without an environment: what is wrong in a call is said and does nothing,
 * checks find what there is to find, and whatever stands in polder's place is not
 * believed. Everything is reached through the public header.
 */
#include <polder/polder.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[] = "/tmp/polder-lib-XXXXXX";

static int set_up_all(void **state)
{
	char path[256];

	(void)state;
	if (!mkdtemp(top))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/run", top);
	(void)setenv("POLDER_RUNTIME_DIR", path, 1);
	(void)snprintf(path, sizeof(path), "%s/data", top);
	(void)setenv("POLDER_DATA_DIR", path, 1);
	return 0;
}

static int tear_down_all(void **state)
{
	char command[256];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static int set_up(void **state)
{
	*state = polder_new();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	polder_free(*state);
	return 0;
}

static void assert_says(const struct polder *p, const char *sentence)
{
	if (!strstr(polder_error(p), sentence))
		fail_msg("\"%s\" does not say \"%s\"", polder_error(p), sentence);
}

/* ---- wrong calls ---- */

static void nothing_given(void **state)
{
	static const int fds[3] = { 0, 1, 2 };
	static const char *const words[] = { "true", NULL };
	struct polder *p = *state;
	struct polder_child *child;
	struct polder_report *r;
	struct polder_list *l;
	struct polder_view *v;
	struct polder_env *e;
	int fd;

	assert_int_equal(polder_list(NULL, &l), POLDER_USAGE);
	assert_int_equal(polder_list(p, NULL), POLDER_USAGE);
	assert_says(p, "NULL");
	assert_int_equal(polder_show(p, NULL, &v), POLDER_USAGE);
	assert_int_equal(polder_check_file(p, NULL, 0, &r), POLDER_USAGE);
	assert_int_equal(polder_check_file(p, "x", 0, NULL), POLDER_USAGE);
	assert_int_equal(polder_check_text(p, "x", NULL, 1, NULL, 0, &r), POLDER_USAGE);
	assert_int_equal(polder_check_bindings(p, NULL, 0, &r), POLDER_USAGE);
	assert_int_equal(polder_env_new(NULL, "x", &e), POLDER_USAGE);
	assert_int_equal(polder_env_new(p, "x", NULL), POLDER_USAGE);
	assert_int_equal(polder_env_program(NULL, words), POLDER_USAGE);
	assert_int_equal(polder_env_bind(NULL, "net=null"), POLDER_USAGE);
	assert_int_equal(polder_env_streams(NULL, 0, 1, 2), POLDER_USAGE);
	assert_int_equal(polder_env_readiness(NULL, NULL, 0), POLDER_USAGE);
	assert_int_equal(polder_start(NULL, 0, NULL), POLDER_USAGE);
	assert_int_equal(polder_run(NULL, 0, NULL, &child), POLDER_USAGE);
	assert_int_equal(polder_start_again(p, NULL), POLDER_USAGE);
	assert_int_equal(polder_wait(p, NULL, 0, NULL), POLDER_USAGE);
	assert_int_equal(polder_stop(p, NULL, 0, 0), POLDER_USAGE);
	assert_int_equal(polder_pause(NULL, "x"), POLDER_USAGE);
	assert_int_equal(polder_remove(p, NULL, false), POLDER_USAGE);
	assert_int_equal(polder_enter(p, "x", NULL, NULL, NULL, fds, &child),
			 POLDER_USAGE);
	assert_int_equal(polder_enter(p, "x", words, NULL, NULL, NULL, &child),
			 POLDER_USAGE);
	assert_int_equal(polder_child_wait(NULL, 0, NULL), POLDER_USAGE);
	assert_int_equal(polder_log(p, "x", NULL), POLDER_USAGE);
	assert_int_equal(polder_attach(p, NULL, 1, 1, &fd), POLDER_USAGE);
	assert_int_equal(polder_set_program(p, NULL), POLDER_USAGE);
	polder_free(NULL);
	polder_env_free(NULL);
	polder_list_free(NULL);
	polder_view_free(NULL);
	polder_report_free(NULL);
	polder_child_free(NULL);
	assert_string_equal(polder_error(NULL), "");
	assert_int_equal(polder_child_fd(NULL), -1);
	assert_null(polder_list_info(NULL, 0));
	assert_null(polder_view_slot(NULL, 0));
	assert_null(polder_report_diag(NULL, 0));
}

static void a_handle(void **state)
{
	struct polder *p = *state;

	assert_true(strchr(polder_version(), '.') != NULL);
	assert_string_equal(polder_error(p), "");
	assert_string_equal(polder_notes(p), "");
	assert_string_equal(polder_notes(NULL), "");
	assert_int_equal(polder_set_program(p, "polder"), POLDER_USAGE);
	assert_says(p, "absolute");
	assert_string_equal(polder_state_name(POLDER_STATE_PAUSED), "paused");
	assert_string_equal(polder_state_name((enum polder_state)99), "");
}

static void one_that_is_not_there(void **state)
{
	static const char *const words[] = { "true", NULL };
	struct polder *p = *state;
	struct polder_child *child;
	struct polder_list *l = NULL;
	struct polder_view *v;
	int code, fd, null = open("/dev/null", O_RDWR);
	int streams[3] = { null, null, null };

	assert_int_equal(polder_list(p, &l), 0);
	assert_int_equal(polder_list_count(l), 0);
	assert_null(polder_list_info(l, 0));
	polder_list_free(l);
	assert_int_equal(polder_show(p, "nobody", &v), POLDER_NOTFOUND);
	assert_says(p, "nobody");
	assert_int_equal(polder_wait(p, "nobody", 0, &code), POLDER_NOTFOUND);
	assert_int_equal(polder_stop(p, "nobody", 0, 0), POLDER_NOTFOUND);
	assert_int_equal(polder_pause(p, "nobody"), POLDER_NOTFOUND);
	assert_int_equal(polder_resume(p, "nobody"), POLDER_NOTFOUND);
	assert_int_equal(polder_start_again(p, "nobody"), POLDER_NOTFOUND);
	assert_int_equal(polder_await_ready(p, "nobody", 0), POLDER_NOTFOUND);
	assert_int_equal(polder_remove(p, "nobody", true), POLDER_NOTFOUND);
	assert_int_equal(polder_log(p, "nobody", &fd), POLDER_NOTFOUND);
	assert_int_equal(polder_attach(p, "nobody", 24, 80, &fd), POLDER_NOTFOUND);
	assert_int_equal(polder_enter(p, "nobody", words, NULL, NULL, streams, &child),
			 POLDER_NOTFOUND);
	assert_int_equal(polder_attach(p, "nobody", 0, 80, &fd), POLDER_USAGE);
	assert_int_equal(polder_attach(p, "nobody", 24, 70000, &fd), POLDER_USAGE);
	assert_int_equal(polder_stop(p, "nobody", 1000, 0), POLDER_USAGE);
	assert_int_equal(polder_stop(p, "nobody", -1, 0), POLDER_USAGE);
	(void)close(null);
	assert_int_not_equal(polder_enter(p, "nobody", words, NULL, NULL,
					  (const int[3]){ -1, -1, -1 }, &child),
			     0);
}

static void words_to_enter_with(void **state)
{
	static const char *const none[] = { NULL }, *const empty[] = { "", NULL };
	static const char *const words[] = { "true", NULL };
	static const char *const bad[] = { "VALUE", NULL }, *const bad2[] = { "=x",
									      NULL };
	struct polder *p = *state;
	struct polder_child *child;
	int dir = open("/", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);
	const int out[3] = { null, null, null }, way_out[3] = { dir, null, null };

	assert_int_equal(polder_enter(p, "x", none, NULL, NULL, out, &child),
			 POLDER_USAGE);
	assert_int_equal(polder_enter(p, "x", empty, NULL, NULL, out, &child),
			 POLDER_USAGE);
	assert_int_equal(polder_enter(p, "x", words, bad, NULL, out, &child),
			 POLDER_USAGE);
	assert_says(p, "NAME=VALUE");
	assert_int_equal(polder_enter(p, "x", words, bad2, NULL, out, &child),
			 POLDER_USAGE);
	assert_int_equal(polder_enter(p, "x", words, NULL, NULL, way_out, &child),
			 POLDER_USAGE);
	assert_says(p, "directory");
	(void)close(dir);
	(void)close(null);
}

/* ---- describing ---- */

static void a_description(void **state)
{
	static const char *const none[] = { NULL }, *const words[] = { "true", "x",
								       NULL };
	struct polder *p = *state;
	struct polder_env *e = NULL;

	assert_int_equal(polder_env_new(p, "Not_A_Name", &e), POLDER_USAGE);
	assert_null(e);
	assert_int_equal(polder_env_new(p, "web", &e), 0);
	assert_int_equal(polder_start(e, 0, NULL), POLDER_USAGE);
	assert_says(p, "no program");
	assert_int_equal(polder_env_program(e, none), POLDER_USAGE);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_env_variable(e, "", "x"), POLDER_USAGE);
	assert_int_equal(polder_env_variable(e, "A=B", "x"), POLDER_USAGE);
	assert_int_equal(polder_env_variable(e, "POLDER_NO_SUCH", NULL), POLDER_USAGE);
	assert_int_equal(polder_env_variable(e, "A", "x"), 0);
	assert_int_equal(polder_env_bind(e, "nosuch=null"), POLDER_USAGE);
	assert_says(p, "nosuch");
	assert_int_equal(polder_env_bind(e, "net=null"), 0);
	assert_int_equal(polder_env_bind(e, "net=null"), POLDER_EXISTS);
	assert_int_equal(polder_env_limit(e, "mem", "many"), POLDER_USAGE);
	assert_int_equal(polder_env_limit(e, "weight", "1"), POLDER_USAGE);
	assert_int_equal(polder_env_limit(e, "pids", "64"), 0);
	assert_int_equal(polder_env_chdir(e, "relative"), POLDER_USAGE);
	assert_int_equal(polder_env_chdir(e, "/tmp/"), 0);
	assert_int_equal(polder_env_root(e, "/no/such/root"), -ENOENT);
	assert_int_equal(polder_env_expose(e, "net", "x", "/x"), POLDER_USAGE);
	assert_int_equal(polder_env_expose(e, "dir", "x", "relative"), POLDER_USAGE);
	assert_int_equal(polder_env_expose(e, "dir", "x", "/x"), 0);
	assert_int_equal(polder_env_expose(e, "dir", "x", "/y"), POLDER_EXISTS);
	assert_int_equal(polder_env_readiness(e, "relative", 0), POLDER_USAGE);
	assert_int_equal(polder_env_grant(e, "", false), POLDER_USAGE);
	assert_int_equal(polder_env_grant(e, "/no/such/file", false), POLDER_NOTFOUND);
	assert_int_equal(polder_start(e, 1u << 20, NULL), POLDER_USAGE);
	assert_says(p, "flag");
	polder_env_free(e);
	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_start(e, POLDER_KEEP, NULL), POLDER_USAGE);
	assert_says(p, "needs a name");
	polder_env_free(e);
}

static void granted_paths(void **state)
{
	char dir[256], file[256];
	struct polder *p = *state;
	struct polder_env *e;
	struct stat st;

	(void)snprintf(dir, sizeof(dir), "%s/made/", top);
	(void)snprintf(file, sizeof(file), "%s/made/file", top);
	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_grant(e, dir, true), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(polder_env_grant(e, file, true), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(polder_env_grant(e, file, false), POLDER_EXISTS);
	polder_env_free(e);
}

static void streams(void **state)
{
	static const char *const words[] = { "true", NULL };
	struct polder *p = *state;
	struct polder_env *e;
	int dir = open("/", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);
	int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_env_streams(e, dir, null, null), POLDER_USAGE);
	assert_int_equal(polder_env_streams(e, null, null, 9999), -EBADF);
	if (terminal >= 0) {
		assert_int_equal(polder_env_streams(e, null, terminal, null),
				 POLDER_USAGE);
		assert_says(p, "terminal");
	}
	assert_int_equal(polder_env_bind(e, "console=parent"), 0);
	assert_int_equal(polder_start(e, 0, NULL), POLDER_USAGE);
	assert_says(p, "streams");
	polder_env_free(e);
	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_env_bind(e, "console=null"), 0);
	assert_int_equal(polder_env_streams(e, null, null, null), 0);
	assert_int_equal(polder_start(e, 0, NULL), POLDER_USAGE);
	polder_env_free(e);
	(void)close(dir);
	(void)close(null);
	(void)close(terminal);
}

/* ---- checking ---- */

static void a_manifest(void **state)
{
	static const char text[] = "environments:\n"
				   "  web:\n"
				   "    run: [true]\n"
				   "    slots:\n"
				   "      nett: null\n"
				   "      /data: env:bd/data\n"
				   "  db:\n"
				   "    run: [true]\n";
	struct polder *p = *state;
	struct polder_report *r = NULL;
	const struct polder_diag *d;

	assert_int_equal(
		polder_check_text(p, "fleet.yaml", text, sizeof(text) - 1, "/", 0, &r),
		0);
	assert_int_equal(polder_report_errors(r), 2);
	assert_int_equal(polder_report_count(r), 2);
	d = polder_report_diag(r, 0);
	assert_string_equal(d->file, "fleet.yaml");
	assert_int_equal(d->line, 5);
	assert_int_equal(d->column, 7);
	assert_false(d->warning);
	assert_non_null(strstr(d->text, "nett"));
	assert_null(d->hint);
	d = polder_report_diag(r, 1);
	assert_int_equal(d->line, 6);
	assert_non_null(strstr(d->text, "bd"));
	assert_non_null(strstr(d->hint, "db"));
	assert_null(polder_report_diag(r, 2));
	assert_non_null(strstr(polder_report_text(r), "fleet.yaml:5:7: error:"));
	assert_non_null(strstr(polder_report_text(r), "^"));
	polder_report_free(r);
	assert_int_equal(polder_check_text(p, "x", text, 20, "rel", 0, &r), POLDER_USAGE);
	assert_int_equal(polder_check_text(p, "x", text, 20, NULL, POLDER_KEEP, &r),
			 POLDER_USAGE);
}

static void a_file(void **state)
{
	static const char text[] = "environments:\n  web:\n    run: [true]\n";
	struct polder *p = *state;
	struct polder_report *r = NULL;
	char path[256];
	FILE *f;

	assert_int_equal(polder_check_file(p, "/no/such/file", 0, &r), -ENOENT);
	assert_says(p, "/no/such/file");
	assert_int_equal(polder_check_file(p, "-", 0, &r),
			 -ENOENT); /* no standard input */
	assert_null(r);
	(void)snprintf(path, sizeof(path), "%s/good.yaml", top);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
	assert_int_equal(polder_check_file(p, path, 0, &r), 0);
	assert_int_equal(polder_report_errors(r), 0);
	polder_report_free(r);
}

static void bindings(void **state)
{
	static const char *const list[] = { "net=null",
					    "/x=nope",
					    "net=null",
					    "net2=null",
					    "/elsewhere=env:other/data",
					    NULL };
	static const char *const good[] = { "net=null", "/x=own", "console=null", NULL };
	struct polder *p = *state;
	struct polder_report *r = NULL;

	assert_int_equal(polder_check_bindings(p, list, POLDER_ANY_HOST, &r), 0);
	assert_int_equal(polder_report_errors(r), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(polder_report_diag(r, i)->line, i + 2);
		assert_null(polder_report_diag(r, i)->file);
	}
	polder_report_free(r);
	assert_int_equal(polder_check_bindings(p, good, POLDER_ANY_HOST, &r), 0);
	assert_int_equal(polder_report_errors(r), 0);
	assert_int_equal(polder_report_count(r), 0);
	assert_string_equal(polder_report_text(r), "");
	polder_report_free(r);
}

static void one_description(void **state)
{
	static const char *const words[] = { "true", NULL };
	struct polder *p = *state;
	struct polder_report *r = NULL;
	struct polder_env *e;

	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_check_env(e, POLDER_ANY_HOST, &r), 0);
	assert_int_equal(polder_report_errors(r), 0);
	polder_report_free(r);
	/* A check binds nothing for good. */
	assert_int_equal(polder_env_bind(e, "console=null"), 0);
	assert_int_equal(polder_env_bind(e, "net=own"), 0);
	assert_int_equal(polder_check_env(e, POLDER_ANY_HOST, &r), 0);
	assert_int_equal(polder_report_errors(r), 1);
	polder_report_free(r);
	polder_env_free(e);
}

/* ---- something else in polder's place ---- */

static int start_with(struct polder *p, const char *script)
{
	static const char *const words[] = { "true", NULL };
	struct polder_env *e;
	char path[256];
	FILE *f;
	int r;

	(void)snprintf(path, sizeof(path), "%s/polder", top);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\ncd '%s'\n%s\n", top, script) > 0);
	assert_int_equal(fchmod(fileno(f), 0755), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(polder_set_program(p, path), 0);
	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	r = polder_start(e, 0, NULL);
	polder_env_free(e);
	return r;
}

static void false_programs(void **state)
{
	struct polder *p = *state;
	struct polder_env *e;
	static const char *const words[] = { "true", NULL };

	assert_int_equal(start_with(p, "exit 0"), POLDER_BAD);
	assert_says(p, "no answer");
	assert_int_equal(start_with(p, "kill -KILL $$"), POLDER_BAD);
	assert_int_equal(start_with(p, "echo yes >&4"), POLDER_BAD);
	assert_int_equal(start_with(p, "head -c 5000 /dev/zero >&4"), POLDER_BAD);
	/* The right beginning, then a length that is too much. */
	assert_int_equal(start_with(p, "printf 'PLSA\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"
				       "\\377\\377\\0\\0' >&4"),
			 POLDER_BAD);
	assert_says(p, "damaged");
	assert_int_equal(polder_set_program(p, "/no/such/polder"), 0);
	assert_int_equal(polder_env_new(p, NULL, &e), 0);
	assert_int_equal(polder_env_program(e, words), 0);
	assert_int_equal(polder_start(e, 0, NULL), POLDER_NOTFOUND);
	polder_env_free(e);
}

/* Nothing that the caller left open, whatever its number, and no dead signal. */
static void what_it_inherits(void **state)
{
	struct polder *p = *state;
	char path[256], text[512] = "";
	int leaked = dup2(0, 77);
	FILE *f;

	assert_int_equal(leaked, 77);
	assert_int_equal(
		start_with(p, "ls /proc/$$/fd >fds; readlink /proc/$$/fd/0 >>fds"),
		POLDER_BAD);
	(void)close(leaked);
	(void)snprintf(path, sizeof(path), "%s/fds", top);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	(void)fclose(f);
	assert_non_null(strstr(text, "3\n4\n"));
	assert_null(strstr(text, "\n5\n"));
	assert_null(strstr(text, "77"));
	assert_non_null(strstr(text, "/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(nothing_given),
		T(a_handle),
		T(one_that_is_not_there),
		T(words_to_enter_with),
		T(a_description),
		T(granted_paths),
		T(streams),
		T(a_manifest),
		T(a_file),
		T(bindings),
		T(one_description),
		T(false_programs),
		T(what_it_inherits),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
