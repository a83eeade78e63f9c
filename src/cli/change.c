/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grant, attenuate, revoke, audit: what an environment holds, changed and watched while it
 * runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "launch/change.h"
#include "launch/verbs.h"

enum { K_READ = 'r', K_WRITE = 'w', K_JSON = 256, K_WEAKER, K_TO, K_NEW_ONLY, K_KILL };

/* ---- grant ---- */

struct grant {
	struct grant_words words[64];
	size_t n;
	bool json, weaker;
};

static int add_words(struct grant *g, struct grant_words w, struct err *err)
{
	if (g->n == ARRAY_LEN(g->words))
		return err_set(err, PE_USAGE, "at most %zu grants at once",
			       ARRAY_LEN(g->words));
	g->words[g->n++] = w;
	return 0;
}

static int grant_options(int argc, char **argv, int *at, struct grant *g, struct err *err)
{
	static const struct cli_option options[] = { { "r", true, K_READ },
						     { "w", true, K_WRITE },
						     { "g", true, 'g' },
						     { "accept-weaker", false, K_WEAKER },
						     { "json", false, K_JSON } };
	const char *value;
	int key, r = 0;

	while (r == 0 && (key = cli_next_option(argc, argv, at, options,
						ARRAY_LEN(options), &value, err)) != 0) {
		if (key < 0)
			return PE_USAGE;
		if (key == K_JSON)
			g->json = true;
		else if (key == K_WEAKER)
			g->weaker = true;
		else if (key == 'g')
			r = add_words(g, (struct grant_words){ .binding = value }, err);
		else
			r = add_words(g,
				      (struct grant_words){ .path = value,
							    .write = key == K_WRITE },
				      err);
	}
	return r;
}

static void granted_json(const struct granted *all, size_t n)
{
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	json_open(&j, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&j, '{');
		json_kstr(&j, "binding", all[i].binding);
		json_kstr(&j, "enforced", all[i].how);
		json_kstr(&j, "cut", all[i].cut);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	str_addc(&out, '\n');
	(void)cli_out(&out);
}

/* The first that is refused ends it: what was granted before stays, and is said. */
static int grant_all(struct cli_state *st, const struct reg_entry *e, struct grant *g,
		     struct granted *done, size_t *ret_done, struct err *err)
{
	auto_free char *cwd = getcwd(NULL, 0);
	int r = cwd ? 0 : err_sys(err, "cannot tell the working directory");

	for (*ret_done = 0; r == 0 && *ret_done < g->n; *ret_done += r == 0) {
		struct grant_words *w = &g->words[*ret_done];

		w->cwd = cwd;
		w->accept_weaker = g->weaker;
		r = change_grant(st->reg, e, w, &done[*ret_done], err);
	}
	return r;
}

int cmd_grant(int argc, char **argv)
{
	struct grant g = { .n = 0 };
	struct granted *done = NULL;
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_cli st = { .reg = NULL };
	size_t n = 0;
	int at = 1, r;

	if (grant_options(argc, argv, &at, &g, &err) != 0)
		return cli_fail(&err);
	if (at >= argc || (g.n == 0 && at + 1 >= argc))
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[at++], &e, &err);
	for (; r == 0 && at < argc; at++)
		r = add_words(&g, (struct grant_words){ .binding = argv[at] }, &err);
	done = r == 0 ? calloc(g.n, sizeof(*done)) : NULL;
	if (r == 0)
		r = done ? grant_all(&st, e, &g, done, &n, &err) : err_oom(&err);
	if (g.json && done)
		granted_json(done, n);
	for (size_t i = 0; r != 0 && i < n; i++)
		(void)fprintf(stderr, "polder: granted before that: %s\n",
			      done[i].binding);
	free(done);
	reg_entry_free(e);
	return r == 0 ? 0 : cli_fail(&err);
}

/* ---- attenuate ---- */

int cmd_attenuate(int argc, char **argv)
{
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_cli st = { .reg = NULL };
	int r;

	if (argc < 4)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[1], &e, &err);
	if (r == 0)
		r = change_attenuate(st.reg, e, argv[2], argv + 3, (size_t)(argc - 3),
				     &err);
	reg_entry_free(e);
	return r == 0 ? 0 : cli_fail(&err);
}

/* ---- revoke ---- */

struct revoke {
	enum revoke_to to;
	enum revoke_how how;
};

static int revoke_options(int argc, char **argv, int *at, struct revoke *v,
			  struct err *err)
{
	static const struct cli_option options[] = { { "to", true, K_TO },
						     { "new-only", false, K_NEW_ONLY },
						     { "kill", false, K_KILL } };
	const char *value;
	int key;

	while ((key = cli_next_option(argc, argv, at, options, ARRAY_LEN(options), &value,
				      err)) > 0) {
		if (key == K_NEW_ONLY)
			v->how = REVOKE_NEW_ONLY;
		else if (key == K_KILL)
			v->how = REVOKE_KILL;
		else if (streq(value, "null") || streq(value, "error"))
			v->to = streq(value, "null") ? REVOKE_TO_NULL : REVOKE_TO_ERROR;
		else
			return err_set(err, PE_USAGE,
				       "--to takes null or error, not '%s'", value);
	}
	return key < 0 ? PE_USAGE : 0;
}

int cmd_revoke(int argc, char **argv)
{
	struct revoke v = { REVOKE_TO_NULL, REVOKE_COMPLETE };
	struct revoked done = { .complete = true };
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_cli st = { .reg = NULL };
	int at = 1, r;

	if (revoke_options(argc, argv, &at, &v, &err) != 0)
		return cli_fail(&err);
	if (at + 2 > argc)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[at++], &e, &err);
	for (; r == 0 && at < argc; at++) {
		r = change_revoke(st.reg, e, argv[at], v.to, v.how, &done, &err);
		if (r == 0 && !done.complete)
			(void)fprintf(stderr,
				      "polder: note: %s: what was read or mapped before "
				      "may still be there\n",
				      argv[at]);
		if (r == 0 && done.unfinished)
			(void)fprintf(stderr,
				      "polder: note: %s: %u calls on the host had not "
				      "returned; their results go nowhere\n",
				      argv[at], done.unfinished);
	}
	reg_entry_free(e);
	return r == 0 ? 0 : cli_fail(&err);
}

/* ---- audit ---- */

/* The value of a member of one of our own flat lines, as text. A control character stays
 * escaped: a program chose the names. */
static void member(const char *line, const char *key, char *ret, size_t size)
{
	char want[32];
	const char *p, *end;
	size_t n = 0;

	(void)snprintf(want, sizeof(want), "\"%s\":", key);
	p = strstr(line, want);
	p = p ? p + strlen(want) : "";
	p += strspn(p, " ");
	end = *p == '"' ? "\"\n" : ",}\n";
	p += *p == '"';
	for (; *p && !strchr(end, *p) && n + 1 < size; p++) {
		if (*p == '\\' && (p[1] == '\\' || p[1] == '"'))
			p++;
		ret[n++] = *p;
	}
	ret[n] = '\0';
}

static void print_line(const char *line, bool json)
{
	char when[64], slot[1024], act[32], denied[16], error[128], path[4096],
		rule[2048], clock[32] = "";
	struct tm tm;
	time_t s;

	if (json) {
		(void)fputs(line, stdout);
		return;
	}
	member(line, "time_ms", when, sizeof(when));
	member(line, "slot", slot, sizeof(slot));
	member(line, "act", act, sizeof(act));
	member(line, "denied", denied, sizeof(denied));
	member(line, "error", error, sizeof(error));
	member(line, "path", path, sizeof(path));
	member(line, "rule", rule, sizeof(rule));
	s = (time_t)(strtoull(when, NULL, 10) / 1000);
	if (localtime_r(&s, &tm))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	(void)printf("%s %s %-7s %s%s%s%s  (%s)\n", clock,
		     streq(denied, "true") ? "deny " : "allow", act, slot,
		     streq(path, "/") ? "" : path, *error ? ": " : "", error, rule);
}

static int print_file(int dir, const char *name, long *at, bool json)
{
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f)
		return -ENOENT;
	TAKE_FD(fd);
	if (fseek(f, 0, SEEK_END) == 0 && ftell(f) < *at)
		*at = 0; /* another file by now */
	(void)fseek(f, *at, SEEK_SET);
	while ((n = getline(&line, &size, f)) > 0 && line[n - 1] == '\n') {
		print_line(line, json);
		*at += n;
	}
	free(line);
	(void)fclose(f);
	(void)fflush(stdout);
	return 0;
}

static void follow_audit(struct cli_state *st, const struct reg_entry *e, int dir,
			 long at, bool json)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	bool last = false;

	while (!last) {
		(void)nanosleep(&pause, NULL);
		last = registry_wait(st->reg, &e->id, e->generation, 0, NULL) == 0;
		(void)print_file(dir, "audit", &at, json);
	}
}

int cmd_audit(int argc, char **argv)
{
	static const struct cli_option options[] = { { "f", false, 'f' },
						     { "follow", false, 'f' },
						     { "json", false, K_JSON } };
	bool follow_it = false, json = false;
	struct reg_entry *e = NULL;
	struct err err = ERR_INIT;
	auto_cli st = { .reg = NULL };
	auto_fd dir = -1;
	const char *value;
	long old = 0, now = 0;
	int at = 1, key, r;

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, &err)) > 0) {
		follow_it |= key == 'f';
		json |= key == K_JSON;
	}
	if (key < 0)
		return cli_fail(&err);
	if (at + 1 != argc)
		return cli_usage(argv[0]);
	r = cli_open(&st, &err);
	if (r == 0)
		r = cli_find(&st, argv[at], &e, &err);
	if (r == 0)
		r = launch_open_log_dir(st.reg, e, &dir, &err);
	if (r == 0) {
		(void)print_file(dir, "audit.1", &old, json);
		(void)print_file(dir, "audit", &now, json);
		if (follow_it && e->state != REG_STOPPED)
			follow_audit(&st, e, dir, now, json);
	}
	reg_entry_free(e);
	return r == 0 ? 0 : cli_fail(&err);
}
