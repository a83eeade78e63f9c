/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what runs to what is wanted: which steps, in which order, and what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "graph/plan.h"

#define S ((uint64_t)1000000000)

static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };
static struct host_facts facts;
static struct plan_how how;

static struct pos at(struct graph *g, unsigned line)
{
	return (struct pos){ graph_file(g, "f.yaml"), line, 5 };
}

static struct genv *env(struct graph *g, const char *name, unsigned line)
{
	struct genv *e = NULL;

	assert_int_equal(graph_env_new(g, name, at(g, line), &e, NULL), 0);
	assert_int_equal(genv_add_arg(e, "true"), 0);
	return e;
}

static struct binding *bind(struct genv *e, const char *text, unsigned line)
{
	struct err err = ERR_INIT;
	struct binding *b = NULL;

	if (graph_env_bind(e, text, &base, at(e->graph, line), &b, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return b;
}

/* A binding that begins with "+" was granted while it ran. */
static void bind_all(struct genv *e, const char *const *texts)
{
	for (unsigned i = 0; i < 4 && texts[i]; i++) {
		bool live = *texts[i] == '+';

		bind(e, texts[i] + live, 10 + i)->live = live;
	}
	assert_int_equal(genv_add_defaults(e), 0);
}

static void want_plan(struct graph *running, struct graph *wanted, const char *text)
{
	struct diags d = { 0 };
	struct err err = ERR_INIT;
	struct plan p = { 0 };
	auto_str out = STR_INIT;

	if (graph_check(wanted, &facts, false, &d) != 0)
		fail_msg("%s", d.v[0].text);
	if (graph_plan(running, wanted, &facts, &how, &p, &err) != 0)
		fail_msg("%s", err.text);
	plan_write(&p, &out);
	if (!streq(str_text(&out), text))
		print_error("%s", str_text(&out));
	assert_string_equal(str_text(&out), text);
	plan_fini(&p);
	diags_fini(&d);
}

static int setup(void **state)
{
	(void)state;
	facts = HOST_FACTS_ALL;
	how = (struct plan_how){ .now_ns = 1000 * S };
	return 0;
}

static void slots(void **state)
{
	static const struct {
		const char *held[4], *wanted[4], *plan;
	} cases[] = {
		{ { NULL }, { NULL }, "nothing to do\n" },
		{ { "/d=/srv,ro" }, { "/d=/srv,ro" }, "nothing to do\n" },
		{ { "+/d=/srv,ro,log" }, { "/d=/srv,log,ro" }, "nothing to do\n" },
		{ { "+/d=/srv,max=1024" }, { "/d=/srv,max=1K" }, "nothing to do\n" },
		{ { NULL },
		  { "/d=/srv,ro,ttl=1m" },
		  "~ web: grant /d=/srv,ro,ttl=@1060  (f.yaml:10:5)\n" },
		{ { "+/d=/srv" }, { NULL }, "~ web: revoke /d  (f.yaml:1:5)\n" },
		{ { "+/d=/srv" }, { "/d=null" }, "~ web: revoke /d  (f.yaml:10:5)\n" },
		{ { "+/d=null" }, { NULL }, "nothing to do\n" },
		{ { "/d=null" }, { NULL }, "nothing to do\n" },
		{ { NULL }, { "/d=null" }, "~ web: grant /d=null  (f.yaml:10:5)\n" },
		{ { "/d=null" }, { "/d=/srv" }, "~ web: grant /d=/srv  (f.yaml:10:5)\n" },
		{ { "+/d=/srv,max=5M" },
		  { "/d=/srv,max=4M,log" },
		  "~ web: attenuate /d max=4M,log  (f.yaml:10:5)\n" },
		{ { "/d=/srv,log" },
		  { "/d=/srv,log,ro" },
		  "~ web: attenuate /d ro  (f.yaml:10:5)\n" },
		{ { "+/d=/srv,max=4M" },
		  { "/d=/srv,max=5M" },
		  "~ web: revoke /d  (f.yaml:10:5)\n"
		  "~ web: grant /d=/srv,max=5M  (f.yaml:10:5)\n" },
		{ { "+/d=/srv", "+/e=/x" },
		  { "/d=/opt", "/e=/x" },
		  "~ web: revoke /d  (f.yaml:10:5)\n"
		  "~ web: grant /d=/opt  (f.yaml:10:5)\n" },
		/* What a mount holds open would stay. */
		{ { "/d=/srv" },
		  { "/d=/opt" },
		  "! web: restart, because \"/d\": what the program has open there would "
		  "stay usable (bind mount; cutting it is new-uses). --new-only takes "
		  "away the rest, --kill ends the program  (f.yaml:10:5)\n" },
		/* The end is counted once, when it was granted. */
		{ { "+/d=/srv,ttl=@1050" }, { "/d=/srv,ttl=1m" }, "nothing to do\n" },
		{ { "+/d=/srv,ttl=@1090" },
		  { "/d=/srv,ttl=1m" },
		  "~ web: attenuate /d ttl=@1060  (f.yaml:10:5)\n" },
		{ { "+/d=/srv,ttl=@1050" },
		  { "/d=/srv,ttl=@1060" },
		  "~ web: revoke /d  (f.yaml:10:5)\n"
		  "~ web: grant /d=/srv,ttl=@1060  (f.yaml:10:5)\n" },
		/* Inner slots go first, and come last. */
		{ { "/c=own", "+/c/b=/srv,log", "+/a=/srv" },
		  { "/c=own", "/c/d=/x", "/b=/opt" },
		  "~ web: revoke /c/b  (f.yaml:1:5)\n"
		  "~ web: revoke /a  (f.yaml:1:5)\n"
		  "~ web: grant /b=/opt  (f.yaml:12:5)\n"
		  "~ web: grant /c/d=/x  (f.yaml:11:5)\n" },
		{ { "/a=own", "+/a/b=/srv" },
		  { "/a=own", "/a/b=/opt", "/a/c=/srv" },
		  "~ web: revoke /a/b  (f.yaml:11:5)\n"
		  "~ web: grant /a/b=/opt  (f.yaml:11:5)\n"
		  "~ web: grant /a/c=/srv  (f.yaml:12:5)\n" },
		/* What cannot change while it runs. */
		{ { "net=host" },
		  { NULL },
		  "! web: restart, because \"net\": the network namespace is chosen when "
		  "the program starts  (f.yaml:1:5)\n" },
		{ { "console=own" }, { NULL }, "nothing to do\n" },
		{ { "console=own" },
		  { "console=null" },
		  "! web: restart, because \"console\": the program's streams are open "
		  "from its start  (f.yaml:10:5)\n" },
		{ { "/d=/srv", "/d/x=null" },
		  { "/d=/srv" },
		  "! web: restart, because what null covers at \"/d/x\" can only be seen "
		  "then  (f.yaml:1:5)\n" },
		{ { "socket:/s=/run/a" }, { "socket:/s=/run/a" }, "nothing to do\n" },
		{ { NULL },
		  { "socket:/s=/run/a" },
		  "~ web: grant socket:/s=/run/a  (f.yaml:10:5)\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct graph *a = graph_new(), *b = graph_new();

		(void)setup(state);
		bind_all(env(a, "web", 1), cases[i].held);
		bind_all(env(b, "web", 1), cases[i].wanted);
		want_plan(a, b, cases[i].plan);
		graph_free(a);
		graph_free(b);
	}
}

static void want_refused(struct graph *running, struct graph *wanted, const char *text)
{
	struct err err = ERR_INIT;
	struct plan p = { 0 };

	assert_int_equal(graph_plan(running, wanted, &facts, &how, &p, &err), PE_REFUSED);
	assert_int_equal(p.n, 0);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
}

/* A weak cut is no matter where the program ends all the same. */
static void a_weak_cut_beside(void **state)
{
	static const char *const held[4] = { "/d=/srv" }, *const wanted[4] = {
		"/d=/opt", "socket:/s=/run/a"
	};
	struct graph *a = graph_new(), *b = graph_new();

	(void)state;
	bind_all(env(a, "web", 1), held);
	bind_all(env(b, "web", 1), wanted);
	how.refuse_weak = true;
	want_refused(a, b, "--new-only");
	how.no_mounts = true;
	want_plan(a, b,
		  "! web: restart, because \"/s\" is mounted when it starts  "
		  "(f.yaml:11:5)\n");
	graph_free(a);
	graph_free(b);
}

static void accepting_what_stays(void **state)
{
	static const char *const held[4] = { "/d=/srv" }, *const wanted[4] = {
		"/d=/opt"
	};
	struct graph *a = graph_new(), *b = graph_new();

	(void)state;
	how.revoke = REVOKE_NEW_ONLY;
	bind_all(env(a, "web", 1), held);
	bind_all(env(b, "web", 1), wanted);
	want_plan(a, b,
		  "~ web: revoke /d  (f.yaml:10:5)\n"
		  "~ web: grant /d=/opt  (f.yaml:10:5)\n");
	how.revoke = REVOKE_KILL;
	want_plan(a, b,
		  "! web: restart, because what it has open is taken away with the "
		  "program  (f.yaml:10:5)\n");
	how = (struct plan_how){ .now_ns = 1000 * S, .refuse_weak = true };
	want_refused(a, b, "f.yaml:10:5: web: \"/d\": what the program has open there");
	assert_int_equal(genv_add_arg(b->envs[0], "-v"), 0);
	want_plan(a, b,
		  "! web: restart, because its arguments are others  (f.yaml:1:5)\n");
	graph_free(a);
	graph_free(b);
}

/* Half of a change and a restart would be worse than either. */
static void a_restart_alone(void **state)
{
	static const char *const held[4] = { "+/a=/srv", "/m=/srv" }, *const wanted[4] = {
		"/b=/srv", "/m=/opt"
	};
	struct graph *a = graph_new(), *b = graph_new();
	struct plan p = { 0 };

	(void)state;
	bind_all(env(a, "web", 1), held);
	bind_all(env(b, "web", 1), wanted);
	assert_int_equal(graph_plan(a, b, &facts, &how, &p, NULL), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.v[0].op, PLAN_RESTART);
	plan_fini(&p);
	facts.fuse = false; /* no caretaker can be had, so nothing is granted live */
	assert_int_equal(graph_plan(a, b, &facts, &how, &p, NULL), 0);
	assert_int_equal(p.v[0].op, PLAN_RESTART);
	plan_fini(&p);
	graph_free(a);
	graph_free(b);
}

static void beside_slots(void **state)
{
	static const char *const none[4] = { NULL };
	static const char *const reasons[] = {
		"its arguments are others",   "its variables are others",
		"its root is another one",    "its working directory is another one",
		"what it exposes is decided", "its limits are set when it starts",
		"its program is another one",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		struct graph *a = graph_new(), *b = graph_new();
		struct genv *now = env(b, "web", 3);
		struct plan p = { 0 };
		auto_str out = STR_INIT;

		bind_all(env(a, "web", 1), none);
		bind_all(now, none);
		if (i == 0)
			assert_int_equal(genv_add_arg(now, "-v"), 0);
		if (i == 1)
			assert_int_equal(genv_add_var(now, "A", NULL, at(b, 4)), 0);
		if (i == 2)
			now->root = strdup("/tree");
		if (i == 3)
			now->chdir = strdup("/");
		if (i == 4)
			assert_int_equal(genv_add_expose(now, IF_DIR, "d", "/d", at(b, 4),
							 NULL, NULL),
					 0);
		if (i == 5)
			now->limits.pids = 9;
		if (i == 6)
			assert_int_equal(genv_set_image(now, "/x.spt", at(b, 4)), 0);
		assert_int_equal(graph_plan(a, b, &facts, &how, &p, NULL), 0);
		plan_write(&p, &out);
		assert_non_null(strstr(str_text(&out), "! web: restart, because "));
		if (!strstr(str_text(&out), reasons[i]))
			fail_msg("%s: %s", reasons[i], str_text(&out));
		assert_non_null(strstr(str_text(&out), "(f.yaml:"));
		plan_fini(&p);
		graph_free(a);
		graph_free(b);
	}
}

static void environments(void **state)
{
	static const char *const none[4] = { NULL }, *const client[4] = { "/d=env:db/d" },
				 *const other[4] = { "/d=env:cache/d" };
	struct graph *a = graph_new(), *b = graph_new();
	struct genv *db, *cache;

	(void)state;
	bind_all(env(a, "old", 1), none);
	bind_all(env(a, "web", 2), client);
	db = env(a, "db", 3);
	bind_all(db, none);
	assert_int_equal(genv_add_expose(db, IF_DIR, "d", "/d", at(a, 3), NULL, NULL), 0);

	bind_all(env(b, "web", 22), client);
	bind_all(env(b, "more", 23), other);
	db = env(b, "db", 24);
	cache = env(b, "cache", 25);
	bind_all(db, none);
	bind_all(cache, none);
	assert_int_equal(genv_add_expose(db, IF_DIR, "d", "/d", at(b, 4), NULL, NULL), 0);
	assert_int_equal(genv_add_expose(cache, IF_DIR, "d", "/d", at(b, 4), NULL, NULL),
			 0);
	want_plan(a, b,
		  "- old: stop\n"
		  "+ cache: start  (f.yaml:25:5)\n"
		  "+ more: start  (f.yaml:23:5)\n");
	genv_binding(graph_env(a, "web"), "/d")->stale = true;
	want_plan(a, b,
		  "- old: stop\n"
		  "+ cache: start  (f.yaml:25:5)\n"
		  "! web: restart, because \"/d\" is bound to db, which was started anew "
		  "since  (f.yaml:10:5)\n"
		  "+ more: start  (f.yaml:23:5)\n");
	genv_binding(graph_env(a, "web"), "/d")->stale = false;
	db->limits.pids = 9; /* restarted, and whoever is bound to it */
	want_plan(a, b,
		  "- old: stop\n"
		  "! db: restart, because its limits are set when it starts  "
		  "(f.yaml:24:5)\n"
		  "+ cache: start  (f.yaml:25:5)\n"
		  "! web: restart, because \"/d\" is bound to db, which is another "
		  "one then  (f.yaml:10:5)\n"
		  "+ more: start  (f.yaml:23:5)\n");
	graph_free(a);
	graph_free(b);
}

static void passed(void **state)
{
	static const char *const none[4] = { NULL }, *const wanted[4] = {
		"/d=/x,ttl=@9"
	};
	struct graph *a = graph_new(), *b = graph_new();
	struct err err = ERR_INIT;
	struct plan p = { 0 };

	(void)state;
	bind_all(env(a, "web", 1), none);
	bind_all(env(b, "web", 1), wanted);
	assert_int_equal(graph_plan(a, b, &facts, &how, &p, &err), PE_REFUSED);
	assert_string_equal(err.text, "\"/d\": ttl=@9 has passed");
	assert_int_equal(p.n, 0);
	graph_free(a);
	graph_free(b);
}

static void as_json(void **state)
{
	static const char *const held[4] = { "+/d=/srv" }, *const wanted[4] = { "/e=/x" };
	struct graph *a = graph_new(), *b = graph_new();
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);
	struct plan p = { 0 };

	(void)state;
	bind_all(env(a, "web", 1), held);
	bind_all(env(b, "web", 1), wanted);
	assert_int_equal(graph_plan(a, b, &facts, &how, &p, NULL), 0);
	assert_int_equal(plan_todo(&p), 2);
	assert_int_equal(p.v[0].change.step, CHANGE_CUT);
	assert_null(p.v[0].change.binding.slot);
	assert_int_equal(p.v[1].change.step, CHANGE_CARETAKER);
	assert_string_equal(p.v[1].change.binding.slot, "/e");
	plan_to_json(&p, &j);
	assert_string_equal(
		str_text(&out),
		"[{\"environment\":\"web\",\"op\":\"revoke\",\"slot\":\"/d\",\"what\":"
		"\"/d\",\"step\":\"cut\",\"cut\":\"complete\",\"because\":null,\"at\":"
		"\"f.yaml:1:5\"},{\"environment\":\"web\",\"op\":\"grant\",\"slot\":"
		"\"/e\",\"what\":\"/e=/x\",\"step\":\"caretaker\",\"cut\":\"complete\","
		"\"because\":null,\"at\":\"f.yaml:10:5\"}]");
	plan_fini(&p);
	graph_free(a);
	graph_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(slots, setup),
		cmocka_unit_test_setup(accepting_what_stays, setup),
		cmocka_unit_test_setup(a_weak_cut_beside, setup),
		cmocka_unit_test_setup(a_restart_alone, setup),
		cmocka_unit_test_setup(beside_slots, setup),
		cmocka_unit_test_setup(environments, setup),
		cmocka_unit_test_setup(passed, setup),
		cmocka_unit_test_setup(as_json, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
