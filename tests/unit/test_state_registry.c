/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_state.h"

#include "state/registry.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct registry *reg;
static struct err err;
static unsigned cleaned;
static char cleaned_cgroups[256];
static uint32_t cleaned_base;
static int cleanup_says;

static int cleanup(void *userdata, const struct reg_entry *e, struct err *ret)
{
	(void)userdata;
	if (cleanup_says)
		return err_set(ret, cleanup_says, "the cgroup is busy");
	cleaned++;
	(void)snprintf(cleaned_cgroups, sizeof(cleaned_cgroups), "%s", e->cgroups);
	cleaned_base = e->uid_base;
	return 0;
}

static void reopen(void)
{
	registry_close(reg);
	assert_int_equal(registry_open(&reg, &places, &err), 0);
	registry_on_cleanup(reg, cleanup, NULL);
}

static int setup(void **state)
{
	if (setup_places(state) != 0)
		return -1;
	err = ERR_INIT;
	cleaned = 0;
	cleanup_says = 0;
	reg = NULL;
	reopen();
	return 0;
}

static int teardown(void **state)
{
	registry_close(reg);
	return teardown_places(state);
}

static struct reg_held create(const char *name, bool kept)
{
	struct reg_new new = { .name = name,
			       .kind = "linux",
			       .console = "own",
			       .summary = "sleep 1",
			       .cgroups = "/cg/a\n/cg/b",
			       .uid_base = 200000,
			       .uid_count = 65536,
			       .kept = kept,
			       .spec = kept ? "SPEC" : NULL,
			       .spec_len = 4 };
	struct reg_held h;

	assert_int_equal(registry_create(reg, &new, &h, &err), 0);
	assert_true(h.dirfd >= 0 && h.lockfd >= 0);
	assert_int_equal(h.generation, 1);
	return h;
}

static void start(struct reg_held *h)
{
	struct reg_run run = { .tender = 4321 };

	assert_int_equal(registry_started(reg, h, &run, &err), 0);
}

static struct reg_list list(void)
{
	struct reg_list l;

	assert_int_equal(registry_list(reg, &l, &err), 0);
	return l;
}

static void expect_count(size_t n)
{
	struct reg_list l = list();

	assert_int_equal(l.n, n);
	reg_list_fini(&l);
}

/* The one environment there is. The caller frees it. */
static struct reg_entry *the_one(void)
{
	struct reg_list l = list();
	struct reg_entry *e;

	assert_int_equal(l.n, 1);
	e = TAKE_PTR(l.v[0]);
	l.n = 0;
	reg_list_fini(&l);
	return e;
}

static void expect_state(enum reg_state state)
{
	struct reg_entry *e = the_one();

	assert_string_equal(reg_state_name(e->state), reg_state_name(state));
	reg_entry_free(e);
}

/* As the kernel does when the tender dies. */
static void die(struct reg_held *h)
{
	reg_held_fini(h);
}

static void disposable_life(void **state)
{
	struct reg_held h = create(NULL, false);
	struct reg_entry *e;

	(void)state;
	expect_state(REG_CREATED);
	start(&h);
	e = the_one();
	assert_int_equal(e->state, REG_RUNNING);
	assert_int_equal(e->tender, 4321);
	assert_true(e->start_ns > 1500000000000000000);
	assert_string_equal(e->cgroups, "/cg/a\n/cg/b");
	assert_int_equal(e->uid_base, 200000);
	assert_string_equal(e->name, "");
	assert_string_equal(e->summary, "sleep 1");
	assert_string_equal(e->kind, "linux");
	assert_string_equal(e->console, "own");
	assert_false(e->kept);
	reg_entry_free(e);
	assert_int_equal(registry_paused(reg, &h, &err), 0);
	expect_state(REG_PAUSED);
	assert_int_equal(registry_resumed(reg, &h, &err), 0);
	expect_state(REG_RUNNING);
	assert_int_equal(registry_stopped(reg, &h, 0, &err), 0);
	expect_count(0);
	assert_int_equal(registry_removed(reg, &h, &err), 0);
	reg_held_fini(&h);
	assert_int_equal(count_in("run/e"), 0);
	assert_int_equal(cleaned, 0);
}

static void disposable_needs_no_stop(void **state)
{
	struct reg_held h = create(NULL, false);

	(void)state;
	start(&h);
	assert_int_equal(registry_removed(reg, &h, &err), 0);
	reg_held_fini(&h);
	expect_count(0);
	assert_int_equal(count_in("run/e"), 0);
}

static void only_allowed_steps(void **state)
{
	struct reg_held h = create(NULL, false);
	struct reg_run run = { .tender = 1 };

	(void)state;
	assert_int_equal(registry_paused(reg, &h, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "created cannot be paused"));
	assert_int_equal(registry_resumed(reg, &h, &err), PE_REFUSED);
	start(&h);
	assert_int_equal(registry_started(reg, &h, &run, &err), PE_REFUSED);
	assert_int_equal(registry_resumed(reg, &h, &err), PE_REFUSED);
	assert_int_equal(registry_stopped(reg, &h, 0, &err), 0);
	assert_int_equal(registry_stopped(reg, &h, 0, &err), PE_REFUSED);
	assert_int_equal(registry_removed(reg, &h, &err), 0);
	reg_held_fini(&h);
}

static void dead_disposable_is_cleared(void **state)
{
	struct reg_held h = create(NULL, false);
	int fd;

	(void)state;
	start(&h);
	fd = openat(h.dirfd, "control", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(mkdirat(h.dirfd, "sub", 0700), 0);
	die(&h);
	expect_count(0);
	assert_int_equal(cleaned, 1);
	assert_string_equal(cleaned_cgroups, "/cg/a\n/cg/b");
	assert_int_equal(cleaned_base, 200000);
	assert_int_equal(count_in("run/e"), 0);
	expect_count(0);
	assert_int_equal(cleaned, 1);
}

static void failed_cleanup_is_tried_again(void **state)
{
	struct reg_held h = create("web", true);

	(void)state;
	start(&h);
	die(&h);
	cleanup_says = -EBUSY;
	expect_state(REG_STOPPED);
	assert_non_null(strstr(registry_notes(reg), "the cgroup is busy"));
	h = reg_held_of(&(struct reg_entry){
		.id = h.id, .generation = 1, .kept = true, .state = REG_STOPPED });
	assert_int_equal(registry_removed(reg, &h, &err), PE_BUSY);
	assert_int_equal(registry_restart(reg, &h.id, 1, NULL, &h, &err), PE_BUSY);
	cleanup_says = 0;
	expect_state(REG_STOPPED);
	assert_int_equal(cleaned, 1);
	assert_string_equal(registry_notes(reg), "");
}

static void a_hook_that_hangs_stops_nobody(void **state)
{
	struct reg_held h = create(NULL, false), web = create("web", true);
	auto_fd fd = -1;
	char path[128];

	(void)state;
	start(&web);
	die(&h);
	(void)snprintf(path, sizeof(path), "%s/run/sweep", base);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	expect_state(REG_RUNNING);
	assert_int_equal(cleaned, 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	expect_state(REG_RUNNING);
	assert_int_equal(cleaned, 1);
	reg_held_fini(&web);
}

static void without_a_hook_cgroups_wait(void **state)
{
	struct reg_held h = create(NULL, false);

	(void)state;
	die(&h);
	registry_on_cleanup(reg, NULL, NULL);
	expect_count(0);
	assert_int_equal(cleaned, 0);
	registry_on_cleanup(reg, cleanup, NULL);
	expect_count(0);
	assert_int_equal(cleaned, 1);
}

static void killed_process_is_found_out(void **state)
{
	int pipefd[2], status;
	char c;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	child = fork();
	if (child == 0) {
		struct reg_held h = create(NULL, false);

		start(&h);
		(void)!write(pipefd[1], "x", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(pipefd[0], &c, 1), 1);
	expect_state(REG_RUNNING);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	expect_count(0);
	assert_int_equal(cleaned, 1);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
}

static void kept_life(void **state)
{
	struct reg_held h = create("web", true), again;
	struct reg_new new = { .summary = "other" };
	struct reg_entry *e;
	char *spec;
	int fd;

	(void)state;
	start(&h);
	assert_int_equal(registry_stopped(reg, &h, 3 << 8, &err), 0);
	reg_held_fini(&h);
	assert_int_equal(count_in("run/e"), 0);
	e = the_one();
	assert_int_equal(e->state, REG_STOPPED);
	assert_true(e->has_status && e->status == 3 << 8 && !e->died);
	reg_entry_free(e);
	assert_int_equal(registry_open_kept(reg, &h.id, &fd, &err), 0);
	assert_int_equal(fd_read_file_at(fd, "spec", 100, &spec, NULL, &err), 0);
	assert_string_equal(spec, "SPEC");
	free(spec);
	(void)close(fd);
	assert_int_equal(registry_restart(reg, &h.id, 1, &new, &again, &err), 0);
	assert_int_equal(again.generation, 2);
	assert_int_equal(again.state, REG_STARTING);
	expect_state(REG_STARTING);
	start(&again);
	e = the_one();
	assert_int_equal(e->state, REG_RUNNING);
	assert_string_equal(e->summary, "other");
	assert_false(e->has_status);
	reg_entry_free(e);
	h = again;
	h.dirfd = h.lockfd = -1;
	assert_int_equal(registry_removed(reg, &h, &err), PE_BUSY);
	assert_int_equal(registry_stopped(reg, &again, 9, &err), 0);
	reg_held_fini(&again);
	assert_int_equal(registry_removed(reg, &h, &err), 0);
	expect_count(0);
	assert_int_equal(count_in("data/env"), 0);
	assert_int_equal(registry_removed(reg, &h, &err), PE_NOTFOUND);
}

static void kept_one_that_died(void **state)
{
	struct reg_held h = create("web", true);
	struct reg_entry *e;

	(void)state;
	start(&h);
	die(&h);
	e = the_one();
	assert_int_equal(e->state, REG_STOPPED);
	assert_true(e->died && !e->has_status && !e->cleanup_due);
	assert_string_equal(e->cgroups, "");
	assert_int_equal(e->uid_base, 200000);
	assert_int_equal(e->tender, 0);
	reg_entry_free(e);
	assert_int_equal(cleaned, 1);
	reopen();
	expect_state(REG_STOPPED);
	assert_int_equal(cleaned, 1);
}

static void stale_generations_are_refused(void **state)
{
	struct reg_held old = create("web", true), now, copy;
	struct reg_run run = { .tender = 1 };

	(void)state;
	start(&old);
	assert_int_equal(registry_stopped(reg, &old, 0, &err), 0);
	assert_int_equal(registry_restart(reg, &old.id, 1, NULL, &now, &err), 0);
	assert_int_equal(registry_restart(reg, &old.id, 1, NULL, &copy, &err),
			 PE_REFUSED);
	old.state = REG_RUNNING;
	assert_int_equal(registry_paused(reg, &old, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "stale"));
	assert_int_equal(registry_stopped(reg, &old, 0, &err), PE_REFUSED);
	assert_int_equal(registry_removed(reg, &old, &err), PE_REFUSED);
	copy = now;
	copy.generation = 1;
	assert_int_equal(registry_started(reg, &copy, &run, &err), PE_REFUSED);
	start(&now);
	expect_state(REG_RUNNING);
	assert_int_equal(registry_restart(reg, &now.id, 2, NULL, &copy, &err), PE_BUSY);
	reg_held_fini(&old);
	reg_held_fini(&now);
}

static void names_are_taken_once(void **state)
{
	struct reg_held web = create("web", true), h;
	struct reg_new same = { .name = "web" };
	struct reg_new other = { .name = "web", .composition = "fleet" };

	(void)state;
	assert_int_equal(registry_create(reg, &same, &h, &err), PE_EXISTS);
	assert_int_equal(h.state, REG_CREATED);
	assert_int_equal(h.lockfd, -1);
	start(&web);
	assert_int_equal(registry_create(reg, &same, &h, &err), PE_EXISTS);
	assert_int_equal(h.state, REG_RUNNING);
	assert_true(reg_id_eq(&h.id, &web.id));
	assert_int_equal(registry_stopped(reg, &web, 0, &err), 0);
	assert_int_equal(registry_create(reg, &same, &h, &err), PE_EXISTS);
	assert_int_equal(h.state, REG_STOPPED);
	assert_non_null(strstr(err.text, "'web' exists already and is stopped"));
	assert_int_equal(registry_create(reg, &other, &h, &err), 0);
	reg_held_fini(&web);
	reg_held_fini(&h);
}

static void name_of_the_dead_is_free(void **state)
{
	struct reg_held h = create("web", false);

	(void)state;
	start(&h);
	die(&h);
	h = create("web", false);
	assert_int_equal(cleaned, 1);
	reg_held_fini(&h);
}

static void bad_words_are_refused(void **state)
{
	static const char *const bad[] = { "Web",  "1web", "-web", "w b", "web.",
					   ".web", "a..b", "wéb",  "a/b", "../x" };
	struct reg_held h;
	struct reg_new new = { .kept = true };

	(void)state;
	assert_int_equal(registry_create(reg, &new, &h, &err), PE_USAGE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		new.name = bad[i];
		assert_int_equal(registry_create(reg, &new, &h, &err), PE_USAGE);
	}
	new.name = "a.b-2";
	assert_int_equal(registry_create(reg, &new, &h, &err), 0);
	reg_held_fini(&h);
}

static void long_summaries_are_cut(void **state)
{
	char summary[1000];
	struct reg_new new = { .summary = summary };
	struct reg_entry *e;
	struct reg_held h;

	(void)state;
	memset(summary, 'x', sizeof(summary));
	memcpy(summary + 399, "é", 2);
	summary[999] = '\0';
	assert_int_equal(registry_create(reg, &new, &h, &err), 0);
	e = the_one();
	assert_int_equal(strlen(e->summary), 399);
	reg_entry_free(e);
	reg_held_fini(&h);
}

static void found_by_name_and_id(void **state)
{
	struct reg_held web = create("web", false), anon = create(NULL, false), b;
	struct reg_new in_b = { .name = "web", .composition = "fleet" };
	struct reg_new db = { .name = "db", .composition = "fleet" };
	struct reg_held h;
	struct reg_entry *e;
	char hex[REG_ID_HEX];

	(void)state;
	assert_int_equal(registry_create(reg, &in_b, &b, &err), 0);
	assert_int_equal(registry_create(reg, &db, &h, &err), 0);
	assert_int_equal(registry_find(reg, "web", &e, &err), 0);
	assert_true(reg_id_eq(&e->id, &web.id));
	reg_entry_free(e);
	assert_int_equal(registry_find(reg, "fleet.web", &e, &err), 0);
	assert_true(reg_id_eq(&e->id, &b.id));
	reg_entry_free(e);
	assert_int_equal(registry_find(reg, "db", &e, &err), 0);
	assert_true(reg_id_eq(&e->id, &h.id));
	reg_entry_free(e);
	reg_id_hex(&anon.id, hex);
	assert_int_equal(registry_find(reg, hex, &e, &err), 0);
	reg_entry_free(e);
	hex[12] = '\0';
	assert_int_equal(registry_find(reg, hex, &e, &err), 0);
	assert_true(reg_id_eq(&e->id, &anon.id));
	reg_entry_free(e);
	hex[3] = '\0';
	assert_int_equal(registry_find(reg, hex, &e, &err), PE_NOTFOUND);
	assert_int_equal(registry_find(reg, "", &e, &err), PE_NOTFOUND);
	assert_int_equal(registry_find(reg, "nobody", &e, &err), PE_NOTFOUND);
	reg_held_fini(&web);
	reg_held_fini(&anon);
	reg_held_fini(&b);
	reg_held_fini(&h);
}

static void ambiguous_names_say_so(void **state)
{
	struct reg_new a = { .name = "web", .composition = "a" };
	struct reg_new b = { .name = "web", .composition = "b" };
	struct reg_held ha, hb;
	struct reg_entry *e;

	(void)state;
	assert_int_equal(registry_create(reg, &a, &ha, &err), 0);
	assert_int_equal(registry_create(reg, &b, &hb, &err), 0);
	assert_int_equal(registry_find(reg, "web", &e, &err), PE_USAGE);
	assert_non_null(strstr(err.text, "a.web, b.web"));
	reg_held_fini(&ha);
	reg_held_fini(&hb);
}

static void lose_rundir(void)
{
	registry_close(reg);
	reg = NULL;
	assert_int_equal(rmtree_at(AT_FDCWD, places.run, NULL), 0);
	reopen();
}

static void kept_ones_survive_a_reboot(void **state)
{
	struct reg_held h = create("web", true), gone = create(NULL, false), again;
	struct reg_entry *e;

	(void)state;
	start(&h);
	assert_int_equal(registry_stopped(reg, &h, 0, &err), 0);
	assert_int_equal(registry_restart(reg, &h.id, 1, NULL, &again, &err), 0);
	reg_held_fini(&h);
	reg_held_fini(&again);
	reg_held_fini(&gone);
	lose_rundir();
	e = the_one();
	assert_true(reg_id_eq(&e->id, &h.id));
	assert_int_equal(e->generation, 2);
	assert_int_equal(e->uid_base, 200000);
	assert_int_equal(e->uid_count, 65536);
	assert_int_equal(e->state, REG_STOPPED);
	assert_true(e->kept);
	assert_string_equal(e->name, "web");
	assert_string_equal(e->summary, "sleep 1");
	assert_int_equal(registry_restart(reg, &e->id, 2, NULL, &again, &err), 0);
	assert_int_equal(again.generation, 3);
	reg_held_fini(&again);
	reg_entry_free(e);
}

static void remains_are_removed(void **state)
{
	struct reg_held h = create("web", true);
	char path[128], hex[REG_ID_HEX];

	(void)state;
	reg_held_fini(&h);
	reg_id_hex(&h.id, hex);
	(void)snprintf(path, sizeof(path), "%s/data/env/%s/env", base, hex);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/data/env/%s/dirs", base, hex);
	assert_int_equal(mkdir(path, 0), 0);
	lose_rundir();
	expect_count(0);
	assert_int_equal(count_in("data/env"), 0);
}

static void bad_env_files_are_told(void **state)
{
	static const char *const bad[] = {
		"",
		"polder-environment 2\n",
		"polder-environment 1\n",
		"polder-environment 1\nid 00\ngeneration 1\nname web\n",
		"polder-environment 1\ngeneration 0\nname web\n",
		"polder-environment 1\ngeneration 1\nname W\n",
		"polder-environment 1\ngeneration 1\nname web\ncomposition ../x\n",
		"polder-environment 1\nnonsense\n",
		"polder-environment 1\ngeneration 1\nname web\nuids 1\n",
		"polder-environment 1\ngeneration 1\nname web\nuids 0 65536\n",
		"polder-environment 1\ngeneration 1\nname web\nuids 4294967295 65536\n",
	};
	char hex[] = "00112233445566778899aabbccddeeff", dir[128], file[160];
	FILE *f;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/data/env/%s", base, hex);
	(void)snprintf(file, sizeof(file), "%s/env", dir);
	{
		struct reg_held h = create("x", true);

		reg_held_fini(&h);
	}
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		f = fopen(file, "w");
		assert_non_null(f);
		(void)fputs(bad[i], f);
		(void)fclose(f);
		expect_count(1);
		assert_non_null(strstr(registry_notes(reg), "cannot be read"));
	}
	f = fopen(file, "w");
	assert_non_null(f);
	(void)fputs("polder-environment 1\ngeneration 5\nname x\n", f);
	(void)fclose(f);
	expect_count(1);
	assert_non_null(strstr(registry_notes(reg), "another has taken"));
	f = fopen(file, "w");
	assert_non_null(f);
	(void)fputs("polder-environment 1\ngeneration 5\nname y\nfuture key\n", f);
	(void)fclose(f);
	expect_count(2);
	assert_string_equal(registry_notes(reg), "");
}

static const char *journal_path(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/run/journal", base);
	return path;
}

static void orphans_are_removed_and_the_living_stay(void **state)
{
	struct reg_held h = create(NULL, false);
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/run/e/00112233445566778899aabbccddeeff",
		       base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(count_in("run/e"), 2);
	expect_count(1);
	assert_int_equal(count_in("run/e"), 1);
	/* The journal is lost; the living one's directory is not touched. */
	assert_int_equal(unlink(journal_path()), 0);
	expect_count(0);
	assert_int_equal(count_in("run/e"), 1);
	reg_held_fini(&h);
	expect_count(0);
	assert_int_equal(count_in("run/e"), 0);
}

static void bindings_are_folded(void **state)
{
	struct reg_held h = create(NULL, false);
	struct reg_id a, b, c;
	struct reg_entry *e;

	(void)state;
	start(&h);
	assert_int_equal(registry_bind_intent(reg, &h, "/a=host:/a", &a, &err), 0);
	assert_int_equal(registry_bind_intent(reg, &h, "/b=host:/b", &b, &err), 0);
	assert_int_equal(registry_bind_intent(reg, &h, "/c=host:/c", &c, &err), 0);
	assert_int_equal(registry_bind_done(reg, &h, &b, &err), 0);
	assert_int_equal(registry_bind_cut(reg, &h, &a, &err), 0);
	e = the_one();
	assert_int_equal(e->state, REG_RUNNING);
	assert_int_equal(e->n_binds, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_b = reg_id_eq(&e->binds[i].id, &b);

		assert_string_equal(e->binds[i].text, is_b ? "/b=host:/b" : "/c=host:/c");
		assert_true(e->binds[i].done == is_b);
	}
	reg_entry_free(e);
	reg_held_fini(&h);
}

static void two_run_directories_share_the_data(void **state)
{
	struct reg_held h = create("web", true), stolen;
	struct registry *other;
	struct reg_list l;
	struct reg_held of;

	(void)state;
	start(&h);
	set_place("POLDER_RUNTIME_DIR", "run2");
	assert_int_equal(places_init(&places, &err), 0);
	assert_int_equal(registry_open(&other, &places, &err), 0);
	/* It runs there: here it is not seen. */
	assert_int_equal(registry_list(other, &l, &err), 0);
	assert_int_equal(l.n, 0);
	reg_list_fini(&l);
	/* It is stopped: both see it, one can start it. */
	assert_int_equal(registry_stopped(reg, &h, 0, &err), 0);
	assert_int_equal(registry_list(other, &l, &err), 0);
	assert_int_equal(l.n, 1);
	of = reg_held_of(l.v[0]);
	reg_list_fini(&l);
	reg_held_fini(&h);
	assert_int_equal(registry_restart(reg, &h.id, 1, NULL, &h, &err), 0);
	assert_int_equal(registry_restart(other, &of.id, 1, NULL, &stolen, &err),
			 PE_BUSY);
	assert_non_null(strstr(err.text, "another runtime directory"));
	assert_int_equal(registry_removed(other, &of, &err), PE_BUSY);
	assert_int_equal(count_in("data/env"), 1);
	reg_held_fini(&h);
	assert_int_equal(registry_removed(other, &of, &err), 0);
	assert_int_equal(count_in("data/env"), 0);
	expect_count(0);
	registry_close(other);
}

static off_t journal_size(void)
{
	struct stat st;

	assert_int_equal(stat(journal_path(), &st), 0);
	return st.st_size;
}

static void journal_stays_short(void **state)
{
	struct reg_held web = create("web", true), h;
	struct reg_entry *e;
	struct reg_id bind;

	(void)state;
	start(&web);
	assert_int_equal(registry_bind_intent(reg, &web, "/a=host:/a", &bind, &err), 0);
	for (int i = 0; i < 1500; i++) {
		h = create(NULL, false);
		start(&h);
		assert_int_equal(registry_removed(reg, &h, &err), 0);
		reg_held_fini(&h);
	}
	assert_true(journal_size() < 300 * 1024);
	e = the_one();
	assert_string_equal(e->name, "web");
	assert_int_equal(e->state, REG_RUNNING);
	assert_int_equal(e->n_binds, 1);
	reg_entry_free(e);
	reg_held_fini(&web);
}

static void waiting_for_the_end(void **state)
{
	struct reg_held h = create(NULL, false);

	(void)state;
	assert_int_equal(registry_wait(reg, &h.id, 1, 30, &err), PE_BUSY);
	assert_int_equal(registry_wait(reg, &h.id, 2, 30, &err), 0);
	die(&h);
	assert_int_equal(registry_wait(reg, &h.id, 1, 0, &err), 0);
	expect_count(0);
	assert_int_equal(registry_wait(reg, &h.id, 1, 0, &err), 0);
}

static void many_are_listed_in_order(void **state)
{
	struct reg_held h[200];
	struct reg_list l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		h[i] = create(NULL, false);
	l = list();
	assert_int_equal(l.n, ARRAY_LEN(h));
	for (size_t i = 0; i < l.n; i++)
		assert_true(reg_id_eq(&l.v[i]->id, &h[i].id));
	reg_list_fini(&l);
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		reg_held_fini(&h[i]);
	expect_count(0);
	assert_int_equal(cleaned, ARRAY_LEN(h));
}

static void ids_are_read_strictly(void **state)
{
	struct reg_id id;
	char hex[REG_ID_HEX];

	(void)state;
	assert_true(reg_id_from_hex("00112233445566778899aabbccddeeff", &id));
	reg_id_hex(&id, hex);
	assert_string_equal(hex, "00112233445566778899aabbccddeeff");
	assert_false(reg_id_from_hex("00112233445566778899aabbccddeef", &id));
	assert_false(reg_id_from_hex("00112233445566778899aabbccddeeff0", &id));
	assert_false(reg_id_from_hex("00112233445566778899AABBCCDDEEFF", &id));
	assert_false(reg_id_from_hex("", &id));
}

int main(void)
{
#define REG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		REG_TEST(disposable_life),
		REG_TEST(disposable_needs_no_stop),
		REG_TEST(only_allowed_steps),
		REG_TEST(dead_disposable_is_cleared),
		REG_TEST(failed_cleanup_is_tried_again),
		REG_TEST(a_hook_that_hangs_stops_nobody),
		REG_TEST(without_a_hook_cgroups_wait),
		REG_TEST(killed_process_is_found_out),
		REG_TEST(kept_life),
		REG_TEST(kept_one_that_died),
		REG_TEST(stale_generations_are_refused),
		REG_TEST(names_are_taken_once),
		REG_TEST(name_of_the_dead_is_free),
		REG_TEST(bad_words_are_refused),
		REG_TEST(long_summaries_are_cut),
		REG_TEST(found_by_name_and_id),
		REG_TEST(ambiguous_names_say_so),
		REG_TEST(kept_ones_survive_a_reboot),
		REG_TEST(remains_are_removed),
		REG_TEST(bad_env_files_are_told),
		REG_TEST(orphans_are_removed_and_the_living_stay),
		REG_TEST(bindings_are_folded),
		REG_TEST(two_run_directories_share_the_data),
		REG_TEST(journal_stays_short),
		REG_TEST(waiting_for_the_end),
		REG_TEST(many_are_listed_in_order),
		cmocka_unit_test(ids_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
