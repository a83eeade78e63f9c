/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The binding grammar, names and paths, limits, the start order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph/graph.h"

static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };
static const struct pos nowhere = { 0 };

struct fixture {
	struct graph *g;
	struct genv *e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->g = graph_new();
	assert_int_equal(graph_env_new(f->g, "web", nowhere, &f->e, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	graph_free(f->g);
	free(f);
	return 0;
}

/* ---- what is written comes back ---- */

static void round_trips(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{ "/data=/srv/data", "/data=/srv/data" },
		{ "/data=host:/srv/data,ro", "/data=/srv/data,ro" },
		{ "/data/=./x/./y//z/", "/data=/cwd/x/y/z" },
		{ "/a//b/./c=.", "/a/b/c=/cwd" },
		{ "/up=../x", "/up=/cwd/../x" },
		{ "/h=~/doc,ro,subdir=a/b", "/h=/home/u/doc,ro,subdir=a/b" },
		{ "/h2=~", "/h2=/home/u" },
		{ "/=/", "/=/" },
		{ "dir:/x=own,size=1G", "/x=own,size=1G" },
		{ "socket:/run/db=env:db/sock", "socket:/run/db=env:db/sock" },
		{ "/c=env:a.b-1/srv", "/c=env:a.b-1/srv" },
		{ "/s=store:main~2", "/s=store:main~2" },
		{ "net=host", "net=host" },
		{ "net=null", "net=null" },
		{ "clock=own,offset=-3h", "clock=own,offset=-3h" },
		{ "identity=own,root", "identity=own,root" },
		{ "console=fake,input=a\\,b=c\\\\d", "console=fake,input=a\\,b=c\\\\d" },
		{ "/e\\=q\\,r=/s\\,t=u", "/e\\=q\\,r=/s\\,t=u" },
		{ "dev:disk=null", "dev:disk=null" },
		{ "volume:dev:disk=null,block=4096,size=1M",
		  "volume:dev:disk=null,block=4096,size=1M" },
		{ "dev:eth=host:tap0,mac=52:54:00:12:34:56",
		  "dev:eth=host:tap0,mac=52:54:00:12:34:56" },
		{ "dev:D-1=./disk.img,ro", "dev:D-1=/cwd/disk.img,ro" },
		{ "dev:d=own,base=../b\\,c", "dev:d=own,base=/cwd/../b\\,c" },
		{ "dev:eth=env:db/dev:Service", "dev:eth=env:db/Service" },
		{ "dev:a\\=b=null", "dev:a\\=b=null" },
		{ "net:dev:eth=null", "net:dev:eth=null" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_str out = STR_INIT, again = STR_INIT;
		struct err err = ERR_INIT;
		struct binding *b = NULL;
		int r = graph_env_bind(f->e, cases[i].text, &base, nowhere, &b, &err);

		if (r != 0)
			print_error("%s: %s\n", cases[i].text, err.text);
		assert_int_equal(r, 0);
		binding_write(b, &out);
		assert_string_equal(str_text(&out), cases[i].written);
		genv_drop_binding(f->e, b);
		r = graph_env_bind(f->e, str_text(&out), NULL, nowhere, &b, &err);
		assert_int_equal(r, 0);
		binding_write(b, &again);
		assert_string_equal(str_text(&again), cases[i].written);
		genv_drop_binding(f->e, b);
	}
}

static void escapes_are_taken_out(void **state)
{
	struct fixture *f = *state;
	struct binding *b = NULL;

	assert_int_equal(
		graph_env_bind(f->e, "/a\\=b\\\\c=/s\\,t\\=u", &base, nowhere, &b, NULL),
		0);
	assert_string_equal(b->slot, "/a=b\\c");
	assert_string_equal(b->ref, "/s,t=u");
	assert_int_equal(b->source, SRC_HOST);
	assert_int_equal(graph_env_bind(f->e, "console=fake,input=x\\,y=z", &base,
					nowhere, &b, NULL),
			 0);
	assert_string_equal(binding_option(b, "input")->value, "x,y=z");
	assert_null(binding_option(b, "size"));
}

static void parent_means_the_same_path(void **state)
{
	struct fixture *f = *state;
	struct binding *b = NULL;

	assert_int_equal(graph_env_bind(f->e, "/data=parent", &base, nowhere, &b, NULL),
			 0);
	assert_string_equal(b->ref, "/data");
	assert_int_equal(graph_env_bind(f->e, "console=parent", &base, nowhere, &b, NULL),
			 0);
	assert_null(b->ref);
}

/* ---- what is wrong is said ---- */

static void mistakes(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *sentence;
	} cases[] = {
		{ "", PE_USAGE, "is not a binding: SLOT=SOURCE" },
		{ "/data", PE_USAGE, "is not a binding: SLOT=SOURCE" },
		{ "a\\=b", PE_USAGE, "is not a binding: SLOT=SOURCE" },
		{ "/a\033[2J=own", PE_USAGE, "control characters" },
		{ "/a=/b\nc", PE_USAGE, "no control characters" },
		{ "=own", PE_USAGE, "a slot is missing before" },
		{ "data=own", PE_USAGE, "there is no slot \"data\"" },
		{ "nett=null", PE_USAGE, "did you mean net?" },
		{ "foo:/x=own", PE_USAGE, "\"foo\" is no interface" },
		{ "dir:=own", PE_USAGE, "a slot is missing after \"dir:\"" },
		{ "net:eth0=null", PE_USAGE,
		  "a program has one net, and its slot is called" },
		{ "console:/x=own", PE_USAGE, "a program has one console" },
		{ "dir:data=own", PE_USAGE, "the slot of a dir is an absolute path" },
		{ "/a/../b=own", PE_USAGE, "without \"..\"" },
		{ "socket:run/x=null", PE_USAGE,
		  "the slot of a socket is an absolute path" },
		{ "socket:/=null", PE_USAGE, "the root cannot be a socket" },
		{ "/x=", PE_USAGE, "a source is missing" },
		{ "/x=,ro", PE_USAGE, "a source is missing" },
		{ "/x=ownn", PE_USAGE, "\"ownn\" is no source (did you mean own?)" },
		{ "/x=data", PE_USAGE, "is no source; there are own, parent" },
		{ "/x=store:", PE_USAGE, "is no source" },
		{ "/x=.hidden", PE_USAGE, "not a path that begins with" },
		{ "/x=~bob/y", PE_USAGE, "only ~/ is known" },
		{ "/x=host:", PE_USAGE, "not a path that begins with" },
		{ "/x=host:srv", PE_USAGE, "not a path that begins with" },
		{ "/x=env:db", PE_USAGE, "is not env:NAME/SERVER" },
		{ "/x=env:/s", PE_USAGE, "is not env:NAME/SERVER" },
		{ "/x=env:Db/s", PE_USAGE, "is not env:NAME/SERVER" },
		{ "/x=env:db/s/t", PE_USAGE, "is not env:NAME/SERVER" },
		{ "/x=own,,ro", PE_USAGE, "nothing stands between two commas" },
		{ "/x=own,", PE_USAGE, "nothing stands between two commas" },
		{ "/x=/y,rw", PE_USAGE,
		  "\"rw\" is neither an option nor a caretaker of a dir "
		  "(did you mean ro?); options: size=, passthrough, cut=; "
		  "caretakers: ro, subdir=, hide=, max=, rate=, ttl=, once, log, "
		  "fault=" },
		{ "net=null,xyzzy", PE_USAGE, "caretakers: none yet" },
		{ "/x=own\\", PE_USAGE, "a backslash at the end" },
		{ "/x=ow\\n", PE_USAGE, "\"\\n\": a backslash escapes" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		int r = graph_env_bind(f->e, cases[i].text, &base, nowhere, NULL, &err);

		if (r != cases[i].r || !strstr(err.text, cases[i].sentence))
			print_error("%s: %d %s\n", cases[i].text, r, err.text);
		assert_int_equal(r, cases[i].r);
		assert_non_null(strstr(err.text, cases[i].sentence));
		assert_int_equal(f->e->n_bindings, 0);
	}
}

static void without_a_base(void **state)
{
	static const struct path_base none = { 0 };
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(graph_env_bind(f->e, "/x=./y", &none, nowhere, NULL, &err),
			 PE_USAGE);
	assert_non_null(strstr(err.text, "relative path cannot be used"));
	assert_int_equal(graph_env_bind(f->e, "/x=~/y", NULL, nowhere, NULL, &err),
			 PE_USAGE);
	assert_non_null(strstr(err.text, "no home directory"));
	assert_int_equal(graph_env_bind(f->e, "/x=/y", NULL, nowhere, NULL, &err), 0);
}

static void a_slot_is_bound_once(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(graph_env_bind(f->e, "/x=own", &base, nowhere, NULL, &err), 0);
	assert_int_equal(graph_env_bind(f->e, "/x/=null", &base, nowhere, NULL, &err),
			 PE_EXISTS);
	assert_non_null(strstr(err.text, "bound twice (first: the command line)"));
	assert_int_equal(
		graph_env_bind(f->e, "socket:/x=null", &base, nowhere, NULL, &err),
		PE_EXISTS);
}

static void defaults_give_way(void **state)
{
	struct fixture *f = *state;
	const struct binding *net;

	assert_int_equal(genv_add_defaults(f->e), 0);
	assert_int_equal(f->e->n_bindings, 5);
	assert_true(genv_binding(f->e, "console")->implied);
	assert_int_equal(graph_env_bind(f->e, "net=host", &base, nowhere, NULL, NULL), 0);
	net = genv_binding(f->e, "net");
	assert_false(net->implied);
	assert_int_equal(net->source, SRC_HOST);
	assert_int_equal(f->e->n_bindings, 5);
	assert_int_equal(genv_add_defaults(f->e), 0);
	assert_int_equal(f->e->n_bindings, 5);
}

static void too_much_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	auto_str words = STR_INIT, path = STR_INIT;
	int r = 0;

	str_add(&words, "/w=own");
	for (int i = 0; i < 100; i++)
		str_add(&words, ",ro");
	assert_int_equal(
		graph_env_bind(f->e, str_text(&words), &base, nowhere, NULL, &err),
		PE_USAGE);
	str_add(&path, "/p=");
	for (int i = 0; i < 5000; i++)
		str_add(&path, "/x");
	assert_int_equal(
		graph_env_bind(f->e, str_text(&path), &base, nowhere, NULL, &err),
		PE_USAGE);
	for (int i = 0; i < 2000 && r == 0; i++) {
		auto_free char *text = str_printf("/slot%d=own", i);

		r = graph_env_bind(f->e, text, &base, nowhere, NULL, &err);
	}
	assert_int_equal(r, -E2BIG);
	assert_non_null(strstr(err.text, "more than 1024 slots"));
}

/* ---- names ---- */

static void names(void **state)
{
	static const char *const good[] = { "a", "a1", "web-2", "a.b",
					    "fleet.web.child" };
	static const char *const bad[] = {
		"A",
		"1a",
		"-a",
		"a_b",
		"a.",
		".a",
		"a..b",
		"a.1",
		"ä",
		"a b",
		("a23456789012345678901234567890123456789012345678901"
		 "2345678901234"),
	};
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct genv *e;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(graph_env_new(f->g, good[i], nowhere, &e, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(graph_env_new(f->g, bad[i], nowhere, &e, &err),
				 PE_USAGE);
		assert_non_null(strstr(err.text, "is not a name"));
	}
	assert_int_equal(graph_env_new(f->g, "web", nowhere, &e, &err), PE_EXISTS);
	assert_non_null(strstr(err.text, "two environments \"web\""));
	assert_ptr_equal(graph_env(f->g, "web"), f->e);
	assert_null(graph_env(f->g, "nobody"));
}

static void many_names(void **state)
{
	struct fixture *f = *state;
	struct genv *e;
	char name[32];

	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "e%d", i);
		assert_int_equal(graph_env_new(f->g, name, nowhere, &e, NULL), 0);
	}
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "e%d", i);
		assert_string_equal(graph_env(f->g, name)->name, name);
	}
}

static void exposed_servers(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct expose *x = NULL;

	assert_int_equal(
		genv_add_expose(f->e, IF_SOCKET, "sql", "/run//db/", nowhere, &x, &err),
		0);
	assert_string_equal(x->path, "/run/db");
	assert_int_equal(genv_add_expose(f->e, IF_DIR, "sql", "/x", nowhere, NULL, &err),
			 PE_EXISTS);
	assert_non_null(strstr(err.text, "exposes two servers called \"sql\""));
	assert_int_equal(genv_add_expose(f->e, IF_DIR, "S", "/x", nowhere, NULL, &err),
			 PE_USAGE);
	assert_int_equal(genv_add_expose(f->e, IF_DIR, "s", "x", nowhere, NULL, &err),
			 PE_USAGE);
	assert_int_equal(
		genv_add_expose(f->e, IF_DIR, "s", "/x/../y", nowhere, NULL, &err),
		PE_USAGE);
	assert_int_equal(genv_add_expose(f->e, IF_NET, "s", "/x", nowhere, NULL, &err),
			 PE_USAGE);
	assert_non_null(strstr(err.text, "exposes a dir or a socket, not a net"));
	assert_int_equal(f->e->n_exposes, 1);
}

static void limits(void **state)
{
	struct limits l = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(limits_set(&l, "mem", "256M", &err), 0);
	assert_int_equal(limits_set(&l, "cpu", "150%", &err), 0);
	assert_int_equal(limits_set(&l, "pids", "64", &err), 0);
	assert_int_equal(limits_set(&l, "time", "90s", &err), 0);
	assert_int_equal(l.mem_bytes, 256 << 20);
	assert_int_equal(l.cpu_percent, 150);
	assert_int_equal(l.pids, 64);
	assert_int_equal(l.time_ms, 90000);
	assert_int_equal(limits_set(&l, "cpu", "%", &err), PE_USAGE);
	assert_int_equal(limits_set(&l, "cpu", "50", &err), 0);
	assert_int_equal(l.cpu_percent, 50);
	assert_int_equal(limits_set(&l, "mem", "-1", &err), PE_USAGE);
	assert_int_equal(limits_set(&l, "mem", "0", &err), PE_USAGE);
	assert_non_null(strstr(err.text, "would stop everything"));
	assert_int_equal(limits_set(&l, "memm", "1", &err), PE_USAGE);
	assert_non_null(strstr(err.text, "did you mean mem?"));
	assert_int_equal(l.mem_bytes, 256 << 20);
}

/* ---- the start order ---- */

static struct genv *add_env(struct graph *g, const char *name)
{
	struct genv *e = NULL;

	assert_int_equal(graph_env_new(g, name, nowhere, &e, NULL), 0);
	assert_int_equal(genv_add_arg(e, "true"), 0);
	assert_int_equal(genv_add_expose(e, IF_DIR, "d", "/d", nowhere, NULL, NULL), 0);
	return e;
}

static void bind(struct genv *e, const char *text)
{
	struct err err = ERR_INIT;

	if (graph_env_bind(e, text, &base, nowhere, NULL, &err) != 0)
		fail_msg("%s", err.text);
}

static void servers_start_first(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct graph *g = graph_new();
	struct genv *a = add_env(g, "a"), *b = add_env(g, "b"), *c = add_env(g, "c"),
		    *d = add_env(g, "d");
	struct diags diags = { 0 };

	(void)state;
	bind(a, "/b=env:b/d");
	bind(a, "/c=env:c/d");
	bind(b, "/c=env:c/d");
	assert_int_equal(genv_add_after(d, "a", nowhere), 0);
	assert_int_equal(graph_check(g, &facts, false, &diags), 0);
	assert_int_equal(c->order, 0);
	assert_int_equal(b->order, 1);
	assert_int_equal(a->order, 2);
	assert_int_equal(d->order, 3);
	assert_ptr_equal(genv_binding(a, "/b")->server_env, b);
	assert_string_equal(genv_binding(a, "/b")->server->path, "/d");
	diags_fini(&diags);
	graph_free(g);
}

static void cycles_are_shown(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct graph *g = graph_new();
	struct genv *a = add_env(g, "a"), *b = add_env(g, "b"), *c = add_env(g, "c");
	struct diags diags = { 0 };

	(void)state;
	bind(a, "/x=env:b/d");
	bind(b, "/x=env:c/d");
	assert_int_equal(genv_add_after(c, "a", (struct pos){ "f", 7, 3 }), 0);
	bind(c, "/self=env:c/d");
	assert_int_equal(graph_check(g, &facts, false, &diags), PE_REFUSED);
	assert_int_equal(diags.n_errors, 2);
	assert_string_equal(diags.v[0].text, "environments wait for each other: c → c");
	assert_string_equal(diags.v[1].text,
			    "environments wait for each other: a → b → c → a");
	assert_int_equal(diags.v[1].pos.line, 7);
	assert_non_null(
		strstr(diags.v[1].hint, "b waits for c: the command line (/x=env:c/d)"));
	assert_non_null(strstr(diags.v[1].hint, "c waits for a: f:7:3 (after)"));
	diags_fini(&diags);
	graph_free(g);
}

static void a_long_chain(void **state)
{
	enum { N = 20000 };
	struct host_facts facts = HOST_FACTS_ALL;
	struct graph *g = graph_new();
	struct diags diags = { 0 };
	struct genv *e = NULL;
	char name[32];

	(void)state;
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "e%d", i);
		e = add_env(g, name);
		(void)snprintf(name, sizeof(name), "e%d", i + 1);
		if (i + 1 < N)
			assert_int_equal(genv_add_after(e, name, nowhere), 0);
	}
	assert_int_equal(graph_check(g, &facts, false, &diags), 0);
	assert_int_equal(graph_env(g, "e0")->order, N - 1);
	assert_int_equal(e->order, 0);
	diags_fini(&diags);
	graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trips, setup, teardown),
		cmocka_unit_test_setup_teardown(escapes_are_taken_out, setup, teardown),
		cmocka_unit_test_setup_teardown(parent_means_the_same_path, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_base, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_is_bound_once, setup, teardown),
		cmocka_unit_test_setup_teardown(defaults_give_way, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(many_names, setup, teardown),
		cmocka_unit_test_setup_teardown(exposed_servers, setup, teardown),
		cmocka_unit_test(limits),
		cmocka_unit_test(servers_start_first),
		cmocka_unit_test(cycles_are_shown),
		cmocka_unit_test(a_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
