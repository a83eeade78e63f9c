/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answers: why, authdiff, dot, JSON, and diagnostics as people see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "graph/graph.h"

static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };

static struct graph *with_env(const char *name, struct genv **ret)
{
	struct graph *g = graph_new();
	struct pos pos = { graph_file(g, "f.yaml"), 2, 3 };

	assert_int_equal(graph_env_new(g, name, pos, ret, NULL), 0);
	assert_int_equal(genv_add_arg(*ret, "true"), 0);
	return g;
}

static void bind(struct genv *e, const char *text, unsigned line)
{
	struct err err = ERR_INIT;
	struct pos pos = { graph_file(e->graph, "f.yaml"), line, 5 };
	struct binding *b = NULL;

	if (graph_env_bind(e, text, &base, pos, &b, &err) != 0)
		fail_msg("%s", err.text);
}

static void want_why(struct graph *g, const char *slot, bool can, const char *text)
{
	auto_str out = STR_INIT;
	bool r = graph_why(g, "web", slot, &out);

	if (!strstr(str_text(&out), text))
		print_error("why %s: %s", slot, str_text(&out));
	assert_int_equal(r, can);
	assert_non_null(strstr(str_text(&out), text));
}

static void why(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct diags d = { 0 };
	struct genv *e = NULL, *db = NULL;
	struct graph *g = with_env("web", &e);

	(void)state;
	assert_int_equal(graph_env_new(g, "db", e->pos, &db, NULL), 0);
	assert_int_equal(genv_add_arg(db, "true"), 0);
	assert_int_equal(
		genv_add_expose(db, IF_SOCKET, "sql", "/run/sql", db->pos, NULL, NULL),
		0);
	bind(e, "/data=/srv,ro", 10);
	bind(e, "/data/deep=/tmp/y", 11);
	bind(e, "/data/deep/gone=null", 12);
	bind(e, "/sub=/srv,subdir=a/b", 13);
	bind(e, "socket:/srv/db=env:db/sql", 14);
	bind(e, "console=null", 15);
	bind(e, "/seen=/srv,hide=.git,hide=*.key", 16);
	assert_int_equal(genv_add_defaults(e), 0);
	assert_int_equal(graph_check(g, &facts, false, &d), 0);
	want_why(g, "/data", true,
		 "web may read /data and not write it, because f.yaml:10:5 says "
		 "/data=/srv,ro; it is /srv of the host");
	want_why(g, "/seen/a/b", true, "it is /srv/a/b of the host");
	want_why(g, "/seen", true, "web may read and write /seen, ");
	want_why(g, "/seen/a/x.key/b", false,
		 "web cannot use /seen/a/x.key/b, because hide=*.key keeps it out of "
		 "sight: f.yaml:16:5 says /seen=/srv,hide=.git,hide=*.key");
	want_why(g, "/seen/.git", false, "because hide=.git keeps");
	want_why(g, "/data/x/../y", false, "is no absolute path");
	want_why(g, "/data//x/", true, "it is /srv/x of the host");
	want_why(g, "/database", false, "nothing is bound to it");
	want_why(g, "/data/deep/z", true,
		 "web may read and write /data/deep/z, because "
		 "f.yaml:11:5");
	want_why(g, "/data/deep/gone/z", false,
		 "web cannot use /data/deep/gone/z, because "
		 "f.yaml:12:5 says");
	want_why(g, "/sub/c", true, "it is /srv/a/b/c of the host");
	want_why(g, "/srv/db", true, "\"db\" exposes /run/sql as \"sql\" at f.yaml:2:3");
	want_why(g, "socket:/srv/db", true, "socket:/srv/db=env:db/sql");
	want_why(g, "/srv/db/x", false, "nothing is bound");
	want_why(g, "/run/x", true, "an empty one of its own");
	want_why(g, "console", false, "because f.yaml:15:5 says console=null");
	want_why(g, "net", false, "the default of a Linux program is net=null");
	want_why(g, "clock", true, "the default of a Linux program is clock=parent");
	want_why(g, "spawn", false, "nothing is bound to it");
	want_why(g, "/usr/bin/env", true, "the host's programs are there, read-only");
	want_why(g, "/etc/shadow", false, "nothing is bound");
	want_why(g, "/etc/ssl/certs/ca.pem", true, "no secret");
	want_why(g, "/root", false, "nothing is bound to it or to a directory above it");
	e->root = strdup("/tree");
	want_why(g, "/usr/bin/env", true, "gives it the root /tree");
	want_why(g, "/proc/1", true, "/proc/sys read-only");
	diags_fini(&d);
	graph_free(g);
}

static void why_nobody(void **state)
{
	struct genv *e = NULL;
	struct graph *g = with_env("web", &e);
	auto_str out = STR_INIT;

	(void)state;
	assert_false(graph_why(g, "nobody", "net", &out));
	assert_string_equal(str_text(&out), "there is no environment \"nobody\"\n");
	graph_free(g);
}

/* One environment each, with these bindings (NULL: none); the difference as text. */
static size_t diff(const char *const *old, const char *const *now, struct str *out)
{
	struct genv *a = NULL, *b = NULL;
	struct graph *ga = with_env("web", &a), *gb = with_env("web", &b);
	size_t n;

	for (size_t i = 0; old[i]; i++)
		bind(a, old[i], 10 + (unsigned)i);
	for (size_t i = 0; now[i]; i++)
		bind(b, now[i], 20 + (unsigned)i);
	assert_int_equal(genv_add_defaults(a), 0);
	assert_int_equal(genv_add_defaults(b), 0);
	n = graph_authdiff(ga, gb, false, out);
	graph_free(ga);
	graph_free(gb);
	return n;
}

static void authdiff(void **state)
{
	static const struct {
		const char *old[3], *now[3];
		size_t n;
		const char *text;
	} cases[] = {
		{ { "/x=/y" }, { "/x=/y" }, 0, "" },
		{ { "/x=/y", "/z=own" }, { "/z=own", "/x/=host:/y" }, 0, "" },
		{ { "/x=/y,ro,subdir=a" }, { "/x=/y,subdir=a,ro" }, 0, "" },
		{ { "/x=/y,ro" }, { "/x=/y,subdir=a" }, 1, "(changes;" },
		{ { "/x=own,size=1K" }, { "/x=own,size=2K" }, 1, "(changes;" },
		{ { "socket:/x=/y" }, { "/x=/y" }, 1, "(changes;" },
		{ { NULL }, { "/x=/y" }, 1, "+ web /x: /y  (gives; f.yaml:20:5)\n" },
		{ { "/x=/y" }, { NULL }, 1, "- web /x: /y  (takes; f.yaml:10:5)\n" },
		{ { "/x=/y" },
		  { "/x=/y,ro" },
		  1,
		  "~ web /x: /y → /y,ro  (takes; f.yaml:20:5)\n" },
		{ { "/x=/y,ro,subdir=a" }, { "/x=/y,subdir=a" }, 1, "(gives;" },
		{ { "/x=/y,subdir=a" }, { "/x=/y,subdir=b" }, 1, "(changes;" },
		{ { "/x=/y,subdir=a" }, { "/x=/y,subdir=a/b" }, 1, "(takes;" },
		{ { "/x=/y,max=10M" }, { "/x=/y,max=9M" }, 1, "(takes;" },
		{ { "/x=/y,max=9M" }, { "/x=/y,max=10M,log" }, 1, "(changes;" },
		{ { "/x=/y,max=1024" }, { "/x=/y,max=1K" }, 0, "" },
		{ { "/x=/y,max=9M" }, { "/x=/y,max=9files" }, 1, "(changes;" },
		{ { "/x=/y,rate=1ops/s" }, { "/x=/y,rate=2ops/s" }, 1, "(gives;" },
		{ { "/x=/y,ttl=1h" }, { "/x=/y,ttl=30m" }, 1, "(takes;" },
		{ { "/x=/y,ttl=@99" }, { "/x=/y,ttl=@98" }, 1, "(takes;" },
		{ { "/x=/y,ttl=@99" }, { "/x=/y,ttl=1s" }, 1, "(changes;" },
		{ { "/x=/y,hide=a" }, { "/x=/y,hide=a,hide=b" }, 1, "(takes;" },
		{ { "/x=/y,hide=a" }, { "/x=/y,hide=b" }, 1, "(changes;" },
		{ { "/x=/y,fault=eio:5%" }, { "/x=/y,fault=eio:6%" }, 1, "(takes;" },
		{ { "/x=/y" }, { "/x=/y,passthrough" }, 1, "(changes;" },
		{ { "/x=/y" }, { "/x=/z" }, 1, "~ web /x: /y → /z  (changes;" },
		{ { "/x=/y" }, { "/x=null" }, 1, "- web /x: /y  (takes;" },
		{ { "/x=null" }, { "/x=/y" }, 1, "+ web /x: /y  (gives;" },
		{ { NULL }, { "/x=null" }, 0, "" },
		{ { NULL }, { "net=null" }, 0, "" },
		{ { NULL }, { "net=host" }, 1, "+ web net: host  (gives;" },
		{ { NULL }, { "clock=null" }, 1, "- web clock: parent  (takes;" },
		{ { "/x=/y" },
		  { "/x=/y", "/x/secret=null" },
		  1,
		  "+ web /x/secret: null  (takes;" },
		{ { "/x=/y", "/x/secret=null" },
		  { "/x=/y" },
		  1,
		  "- web /x/secret: null  (gives;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_str out = STR_INIT;
		size_t n = diff(cases[i].old, cases[i].now, &out);

		if (n != cases[i].n || !strstr(str_text(&out), cases[i].text))
			print_error("case %zu: %zu %s", i, n, str_text(&out));
		assert_int_equal(n, cases[i].n);
		assert_non_null(strstr(str_text(&out), cases[i].text));
	}
}

static void authdiff_beside_slots(void **state)
{
	static const char *const expected =
		"+ (composition) limit pids: 9  (takes; the command line)\n"
		"~ web limit mem: 100 → 200  (gives; the command line)\n"
		"- web limit pids: 5  (gives; the command line)\n";
	struct genv *a = NULL, *b = NULL;
	struct graph *ga = with_env("web", &a), *gb = with_env("web", &b);
	auto_str out = STR_INIT;
	size_t n;

	(void)state;
	gb->quota.pids = 9;
	a->limits = (struct limits){ .mem_bytes = 100, .pids = 5 };
	b->limits = (struct limits){ .mem_bytes = 200 };
	assert_int_equal(genv_add_var(a, "KEPT", "1", a->pos), 0);
	assert_int_equal(genv_add_var(a, "HOME", NULL, a->pos), 0);
	assert_int_equal(genv_add_var(b, "TOKEN", NULL, b->pos), 0);
	assert_int_equal(genv_add_expose(a, IF_DIR, "d", "/d", a->pos, NULL, NULL), 0);
	assert_int_equal(genv_add_expose(b, IF_DIR, "d", "/e", b->pos, NULL, NULL), 0);
	a->root = strdup("/tree");
	n = graph_authdiff(ga, gb, false, &out);
	assert_int_equal(n, 7);
	assert_non_null(
		strstr(str_text(&out), "- web root: /tree  (takes; f.yaml:2:3)\n"));
	assert_non_null(
		strstr(str_text(&out), "~ web exposes d: dir /d → dir /e  (changes;"));
	assert_non_null(
		strstr(str_text(&out), "- web passes the variable: HOME  (takes;"));
	assert_non_null(
		strstr(str_text(&out), "+ web passes the variable: TOKEN  (gives;"));
	assert_true(str_starts(str_text(&out), "+ (composition) limit pids: 9  (takes;"));
	assert_non_null(strstr(str_text(&out), strchr(expected, '\n') + 1));
	graph_free(ga);
	graph_free(gb);
}

static void authdiff_environments(void **state)
{
	struct genv *a = NULL, *b = NULL;
	struct graph *ga = with_env("old", &a), *gb = with_env("new", &b);
	auto_str out = STR_INIT, json = STR_INIT;

	(void)state;
	bind(a, "/x=/y", 10);
	bind(b, "/x=/y", 20);
	bind(b, "/q=null", 21);
	assert_int_equal(genv_add_defaults(a), 0);
	assert_int_equal(genv_add_defaults(b), 0);
	assert_int_equal(graph_authdiff(ga, gb, false, &out), 4);
	assert_string_equal(str_text(&out),
			    "- old environment: true  (takes; f.yaml:2:3)\n"
			    "- old /x: /y  (takes; f.yaml:10:5)\n"
			    "+ new environment: true  (gives; f.yaml:2:3)\n"
			    "+ new /x: /y  (gives; f.yaml:20:5)\n");
	assert_int_equal(graph_authdiff(ga, gb, true, &json), 4);
	assert_true(str_starts(
		str_text(&json),
		"[{\"op\":\"-\",\"environment\":\"old\",\"what\":\"environment\","
		"\"old\":\"true\",\"new\":null,\"effect\":\"takes\",\"at\":"
		"\"f.yaml:2:3\"},{\"op\":\"-\",\"environment\":\"old\","
		"\"what\":\"/x\",\"old\":\"/y\","));
	assert_non_null(
		strstr(str_text(&json),
		       "\"new\":\"/y\",\"effect\":\"gives\",\"at\":\"f.yaml:20:5\"}]\n"));
	graph_free(ga);
	graph_free(gb);
}

static void pictures(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct diags d = { 0 };
	struct genv *e = NULL, *db = NULL;
	struct graph *g = with_env("web", &e);
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	(void)state;
	assert_int_equal(graph_env_new(g, "db", e->pos, &db, NULL), 0);
	assert_int_equal(genv_add_arg(db, "true"), 0);
	assert_int_equal(
		genv_add_expose(db, IF_SOCKET, "sql", "/run/sql", db->pos, NULL, NULL),
		0);
	bind(e, "socket:/run/db=env:db/sql", 4);
	bind(e, "/q\"=/a\"b,ro", 5);
	bind(e, "/n=null", 6);
	assert_int_equal(genv_add_defaults(e), 0);
	assert_int_equal(graph_check(g, &facts, false, &d), 0);
	graph_to_dot(g, &out);
	assert_string_equal(
		str_text(&out),
		"digraph \"composition\" {\n\trankdir=LR;\n\tnode [shape=ellipse];\n"
		"\t\"env web\" [shape=box, label=\"web\"];\n"
		"\t\"env db\" [shape=box, label=\"db\"];\n"
		"\t\"env web\" -> \"env db\" [label=\"/run/db → sql\"];\n"
		"\t\"env web\" -> \"host /a\\\"b\" [label=\"/q\\\" → ro\", "
		"style=dashed];\n}\n");
	str_clear(&out);
	graph_to_json(g, &facts, &j);
	assert_int_equal(j.depth, 0);
	assert_non_null(strstr(
		str_text(&out),
		"{\"slot\":\"/q\\\"\",\"interface\":\"dir\",\"asked\":\"/a\\\"b,ro\","
		"\"source\":\"host\",\"ref\":\"/a\\\"b\",\"options\":[],"
		"\"through\":[{\"name\":\"ro\",\"value\":null}],"
		"\"optional\":false,\"default\":false,\"enforced\":"));
	assert_non_null(strstr(str_text(&out), "\"cut\":\"new-uses\",\"weaker\":false,"
					       "\"at\":\"f.yaml:5:5\"}"));
	assert_non_null(strstr(str_text(&out), "\"name\":\"web\",\"program\":\"linux\","
					       "\"run\":[\"true\"]"));
	assert_non_null(strstr(str_text(&out), "\"stage\":1"));
	diags_fini(&d);
	graph_free(g);
}

static void diagnostics(void **state)
{
	static const char text[] = "one\n\ttwo: \033[2J three\r\nlast";
	struct graph *g = graph_new();
	const char *file = graph_file_text(g, "f.yaml", text, sizeof(text) - 1);
	struct diags d = { 0 };
	auto_str out = STR_INIT, json = STR_INIT;
	struct json j = JSON_INIT(&json);

	(void)state;
	assert_ptr_equal(graph_file(g, "f.yaml"), file);
	diags_add(&d, (struct pos){ file, 3, 2 }, false, NULL, "late");
	diags_add(&d, (struct pos){ file, 2, 7 }, true, "do \"that\"", "early %d \033[1m",
		  1);
	diags_add(&d, (struct pos){ file, 2, 7 }, true, "do \"that\"", "early %d \033[1m",
		  1);
	diags_add(&d, (struct pos){ file, 9, 1 }, false, NULL, "beyond");
	diags_add(&d, (struct pos){ 0 }, false, NULL, "nowhere");
	assert_int_equal(d.n, 4);
	assert_int_equal(d.n_errors, 3);
	diags_sort(&d);
	diags_write(&d, g, &out);
	assert_string_equal(str_text(&out), "error: nowhere\n"
					    "f.yaml:2:7: warning: early 1 ?[1m\n"
					    "    2 |  two: ?[2J three\n"
					    "      |       ^\n"
					    "      = hint: do \"that\"\n"
					    "f.yaml:3:2: error: late\n"
					    "    3 | last\n"
					    "      |  ^\n"
					    "f.yaml:9:1: error: beyond\n");
	diags_to_json(&d, &j);
	assert_non_null(strstr(str_text(&json),
			       "{\"level\":\"warning\",\"file\":\"f.yaml\","
			       "\"line\":2,\"column\":7,\"text\":\"early 1 "
			       "\\u001b[1m\",\"hint\":\"do \\\"that\\\"\"}"));
	diags_fini(&d);
	graph_free(g);
}

static void too_many_mistakes(void **state)
{
	struct graph *g = graph_new();
	struct diags d = { 0 };
	auto_str out = STR_INIT;

	(void)state;
	for (unsigned i = 0; i < 10007; i++)
		diags_add(&d, (struct pos){ "f", i, 1 }, false, NULL, "x");
	assert_int_equal(d.n, 10000);
	assert_int_equal(d.n_errors, 10007);
	diags_write(&d, g, &out);
	assert_non_null(strstr(str_text(&out), "error: and 7 more errors\n"));
	graph_free(g);
	diags_fini(&d);
}

static void long_lines(void **state)
{
	struct graph *g = graph_new();
	struct diags d = { 0 };
	auto_str text = STR_INIT, out = STR_INIT;
	const char *file, *caret;

	(void)state;
	for (int i = 0; i < 10000; i++)
		str_add(&text, "ä");
	file = graph_file_text(g, "f", text.p, text.len);
	diags_add(&d, (struct pos){ file, 1, 5000 }, false, NULL, "x");
	diags_write(&d, g, &out);
	assert_true(out.len < 1000);
	caret = strchr(str_text(&out), '^');
	assert_non_null(caret);
	graph_free(g);
	diags_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why),
		cmocka_unit_test(why_nobody),
		cmocka_unit_test(authdiff),
		cmocka_unit_test(authdiff_beside_slots),
		cmocka_unit_test(authdiff_environments),
		cmocka_unit_test(pictures),
		cmocka_unit_test(diagnostics),
		cmocka_unit_test(too_many_mistakes),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
