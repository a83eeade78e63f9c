/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* graph_check: every sentence with which something is refused, and beside each what is
 * accepted; how a binding is enforced on hosts that can do more and less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "graph/graph.h"
#include "graph/kinds.h"

static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };
static const struct pos nowhere = { 0 };

struct world {
	struct graph *g;
	struct genv *e;
	struct diags d;
};

static void world_init(struct world *w)
{
	struct genv *db = NULL;

	*w = (struct world){ .g = graph_new() };
	assert_int_equal(graph_env_new(w->g, "web", nowhere, &w->e, NULL), 0);
	assert_int_equal(graph_env_new(w->g, "db", nowhere, &db, NULL), 0);
	assert_int_equal(genv_add_arg(w->e, "true"), 0);
	assert_int_equal(genv_add_arg(db, "true"), 0);
	assert_int_equal(genv_add_expose(db, IF_DIR, "d", "/d", nowhere, NULL, NULL), 0);
	assert_int_equal(genv_add_expose(db, IF_SOCKET, "s", "/s", nowhere, NULL, NULL),
			 0);
}

static void world_fini(struct world *w)
{
	diags_fini(&w->d);
	graph_free(w->g);
}

static void bind(struct world *w, const char *text)
{
	struct err err = ERR_INIT;

	if (graph_env_bind(w->e, text, &base, nowhere, NULL, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

/* The one error, or warning, that text leads to; NULL: none. In w->d. */
static const struct diag *check_one(struct world *w, const char *text,
				    const struct host_facts *facts, bool accept_weaker)
{
	int r;

	world_init(w);
	bind(w, text);
	r = graph_check(w->g, facts, accept_weaker, &w->d);
	assert_int_equal(r, w->d.n_errors ? PE_REFUSED : 0);
	if (w->d.n > 1)
		fail_msg("%s: %zu diagnostics: %s | %s", text, w->d.n, w->d.v[0].text,
			 w->d.v[1].text);
	return w->d.n ? &w->d.v[0] : NULL;
}

/* A text that binds this source of this interface in the plainest way. */
static void plain(enum iface iface, enum source source, bool root, struct str *out)
{
	static const char *const slots[] = {
		[IF_CONSOLE] = "console",   [IF_DIR] = "/data",
		[IF_VOLUME] = "volume",     [IF_NET] = "net",
		[IF_CLOCK] = "clock",       [IF_ENTROPY] = "entropy",
		[IF_IDENTITY] = "identity", [IF_SOCKET] = "socket:/run/s",
		[IF_SPAWN] = "spawn",
	};
	static const char *const sources[] = {
		[SRC_OWN] = "own",      [SRC_PARENT] = "parent",
		[SRC_HOST] = "/srv/x",  [SRC_STORE] = "store:main",
		[SRC_ENV] = "env:db/d", [SRC_NULL] = "null",
		[SRC_FAKE] = "fake",
	};

	str_addf(out, "%s=", root ? "/" : slots[iface]);
	if (iface == IF_NET && source == SRC_HOST)
		str_add(out, "host");
	else if (iface == IF_SOCKET && source == SRC_ENV)
		str_add(out, "env:db/s");
	else
		str_add(out, sources[source]);
	if (iface == IF_IDENTITY && source == SRC_FAKE)
		str_add(out, ",user=ada");
}

/* Every row of the table: refused with its sentence, or accepted. */
static void check_row(enum iface iface, enum source source, bool root)
{
	const struct source_kind *k = kind_source(PROGRAM_LINUX, iface, root, source);
	struct host_facts facts = HOST_FACTS_ALL;
	const struct diag *diag;
	auto_str text = STR_INIT;
	struct world w;

	plain(iface, source, root, &text);
	if (iface == IF_DIR && source == SRC_FAKE && !root)
		return; /* needs files, which no command line can say: tested below */
	diag = check_one(&w, str_text(&text), &facts, false);
	assert_true(*k->text);
	if (k->refused) {
		assert_non_null(diag);
		assert_false(diag->warning);
		assert_non_null(strstr(diag->text, k->text));
		assert_non_null(strstr(diag->text, source_name(source)));
	} else if (k->weak) {
		assert_non_null(diag);
		assert_true(diag->warning);
		assert_string_equal(diag->text,
				    kind_warning(PROGRAM_LINUX, iface, source));
	} else if (diag) {
		fail_msg("%s: %s", str_text(&text), diag->text);
	}
	world_fini(&w);
}

static void every_row(void **state)
{
	(void)state;
	for (int i = 0; i < IF_COUNT; i++)
		for (int s = 0; s < SRC_COUNT; s++)
			check_row((enum iface)i, (enum source)s, false);
	for (int s = 0; s < SRC_COUNT; s++)
		check_row(IF_DIR, (enum source)s, true);
}

/* What the issue of a refusal says, in words: the table cannot lose one unnoticed. */
static void refused(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "console=/x",
		  "\"console\" cannot be host: a console is no file of the host" },
		{ "net=own", "comes with the router" },
		{ "net=parent", "comes with the router" },
		{ "net=env:db/d", "comes with the router" },
		{ "net=fake", "comes with the router" },
		{ "net=/x", "a net is no path of the host" },
		{ "clock=fake", "a time namespace cannot change the wall clock" },
		{ "clock=host", "clock=parent" },
		{ "entropy=own", "RDRAND" },
		{ "entropy=null", "RDRAND" },
		{ "entropy=fake", "RDRAND" },
		{ "volume=null", "without privilege" },
		{ "spawn=parent", "spawn=null is there" },
		{ "socket:/s=fake", "a scripted socket comes with" },
		{ "socket:/s=own", "env:NAME/SERVER" },
		{ "/x=store:main", "comes with the store" },
		{ "/=own", "comes with the store" },
		{ "/=parent", "whole tree is never given" },
		{ "/x=host", "needs a path of the host" },
		{ "/x=fake", "a fake directory needs files" },
		{ "dev:eth0=null", "names a device of a unikernel" },
		{ "/x=/y,ask", "caretaker ask is not available yet" },
		{ "net=null,ro", "the caretaker ro has no meaning for a net" },
		{ "console=own,subdir=a", "has no meaning for a console" },
		{ "/x=/y,ro=1", "ro takes nothing after it, not \"1\"" },
		{ "/x=/y,subdir", "subdir takes a relative path" },
		{ "/x=/y,subdir=/a", "subdir takes a relative path" },
		{ "/x=/y,subdir=a/../b", "subdir takes a relative path" },
		{ "/x=/y,subdir=a/./b", "subdir takes a relative path" },
		{ "/x=own,size=2000T", "size takes a size" },
		{ "/x=/y,subdir=a,subdir=b", "subdir is given twice" },
		{ "/x=own,subdir=a", "subdir= has nothing to choose from in own" },
		{ "/=/tree,subdir=a", "subdir= does not go with the root" },
		{ "/x=env:db/d,subdir=a",
		  "subdir= is not available yet for what another" },
		{ "/x=own,size=lots", "size takes a size, as 64K or 1G, not \"lots\"" },
		{ "/x=own,size=0", "size takes a size" },
		{ "/x=own,size", "size takes a size" },
		{ "/x=own,size=1K,size=2K", "size is given twice" },
		{ "/x=/y,size=1K", "size does not go with the source host" },
		{ "net=null,size=1K", "a net has no option \"size\"" },
		{ "console=own,size=1K", "a ring holds from 4K to 64M" },
		{ "console=own,size=1G", "a ring holds from 4K to 64M" },
		{ "console=null,input=a", "input does not go with the source null" },
		{ "clock=own,offset=soon", "offset takes a duration" },
		{ "clock=parent,offset=1h", "offset does not go with the source parent" },
		{ "identity=fake", "fake needs hostname=, user= or machine-id=" },
		{ "identity=fake,hostname=a b", "hostname takes a host name" },
		{ "identity=fake,user=9", "user takes a user's name" },
		{ "identity=fake,machine-id=12", "machine-id takes 32 digits" },
		{ "identity=parent,root", "root does not go with the source parent" },
		{ "/x=own,cut=complete", "cut=complete is not available yet for a dir" },
		{ "/x=/y,cut=never", "cut takes complete, new-uses or restart" },
		{ "entropy=parent,cut=restart", "cutting it is impossible" },
		{ "/proc=/x", "made by Polder and cannot be bound over" },
		{ "/proc/sys=own", "made by Polder" },
		{ "/dev=own", "made by Polder" },
		{ "/x=/proc", "is the kernel's" },
		{ "/x=/sys/fs", "is the kernel's" },
		{ "/x=env:bd/d", "there is no environment \"bd\"" },
		{ "/x=env:db/e", "\"db\" exposes no server \"e\"" },
		{ "/x=env:db/s", "\"/x\" needs a dir, and \"db/s\" is a socket" },
		{ "socket:/x=env:db/d", "needs a socket, and \"db/d\" is a dir" },
		{ "/x=env:web/d", "\"web\" exposes no server \"d\"" },
	};
	struct host_facts facts = HOST_FACTS_ALL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		const struct diag *diag = check_one(&w, cases[i].text, &facts, false);

		if (!diag || !strstr(diag->text, cases[i].sentence))
			fail_msg("%s: %s", cases[i].text, diag ? diag->text : "accepted");
		assert_false(diag->warning);
		world_fini(&w);
	}
}

static void accepted(void **state)
{
	static const char *const cases[] = {
		"/x=/y,ro,subdir=a/b",
		"/x=own,size=1G,ro",
		"/x=null",
		"/=/tree,ro",
		"console=own,size=64K",
		"console=fake,input=y",
		"clock=own,offset=-3d",
		"clock=null",
		"identity=own,root,hostname=box",
		"identity=null",
		("identity=fake,hostname=a.b,user=_x,machine-id="
		 "00000000000000000000000000000000"),
		"socket:/s=/run/s",
		"socket:/s=null",
		"/x=env:db/d,ro",
		"spawn=null",
		"/x=/y,cut=new-uses",
		"net=null,cut=complete",
		"/dev/shm=own",
		"/x=/process",
	};
	struct host_facts facts = HOST_FACTS_ALL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		const struct diag *diag = check_one(&w, cases[i], &facts, false);

		if (diag)
			fail_msg("%s: %s", cases[i], diag->text);
		world_fini(&w);
	}
}

/* Weaker than asked: refused, and a warning where that is accepted. */
static void weaker(void **state)
{
	static const char *const cases[] = { "/x=/y,ro", "/x=parent,ro", "/x=env:db/d,ro",
					     "/=/tree,ro" };
	struct host_facts plain_host = HOST_FACTS_ALL;

	(void)state;
	plain_host.overlay = plain_host.idmap = false;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		const struct diag *diag = check_one(&w, cases[i], &plain_host, false);

		assert_non_null(diag);
		assert_non_null(strstr(diag->text, "weaker than asked"));
		assert_non_null(strstr(diag->text, "sockets and FIFOs"));
		assert_non_null(strstr(diag->hint, "--accept-weaker"));
		assert_false(diag->warning);
		world_fini(&w);
		diag = check_one(&w, cases[i], &plain_host, true);
		assert_non_null(diag);
		assert_true(diag->warning);
		world_fini(&w);
		diag = check_one(&w, "/x=/y", &plain_host, false);
		assert_null(diag);
		world_fini(&w);
	}
}

static void facts_that_are_missing(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	const struct diag *diag;
	struct world w;

	(void)state;
	facts.timens = false;
	diag = check_one(&w, "clock=null", &facts, true);
	assert_non_null(strstr(diag->text, "no time namespaces"));
	world_fini(&w);
	diag = check_one(&w, "clock=own,offset=1h", &facts, true);
	assert_non_null(strstr(diag->text, "no time namespaces"));
	world_fini(&w);
	facts.subuid = false;
	diag = check_one(&w, "identity=own,root", &facts, false);
	assert_non_null(strstr(diag->text, "root needs a range of user ids"));
	world_fini(&w);
	facts.root = true;
	assert_null(check_one(&w, "identity=own,root", &facts, false));
	world_fini(&w);
	facts.idmap = false;
	diag = check_one(&w, "/x=/y", &facts, false);
	assert_non_null(strstr(diag->text, "through idmapped mounts"));
	world_fini(&w);
}

static void enforced(void **state)
{
	static const struct {
		const char *text;
		bool as_root;
		const char *how;
		enum cut cut;
	} cases[] = {
		{ "/x=/y", false, "bind mount", CUT_NEW_USES },
		{ "/x=/y", true, "idmapped mount", CUT_NEW_USES },
		{ "/x=/y,ro", false, "read-only overlay", CUT_NEW_USES },
		{ "/x=/y,ro", true, "read-only idmapped mount", CUT_NEW_USES },
		{ "/x=null", false, "an empty read-only directory", CUT_COMPLETE },
		{ "identity=own,root", false, "uid 0 of a sub-range", CUT_RESTART },
		{ "entropy=parent", false, "getrandom", CUT_IMPOSSIBLE },
		{ "console=parent", false, "relayed through a pty", CUT_NEW_USES },
		{ "net=host", false, "shared", CUT_RESTART },
		{ "/=/t,ro", false, "the given tree as root, read-only overlay",
		  CUT_RESTART },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host_facts facts = HOST_FACTS_ALL;
		struct enforcement e;
		struct world w;

		facts.root = cases[i].as_root;
		world_init(&w);
		bind(&w, cases[i].text);
		e = binding_enforcement(&w.e->bindings[0], &facts);
		assert_true(str_starts(e.how, cases[i].how) ||
			    strstr(e.how, cases[i].how));
		assert_int_equal(e.cut, cases[i].cut);
		assert_false(e.weaker);
		w.e->bindings[0].is_file = true;
		e = binding_enforcement(&w.e->bindings[0], &facts);
		assert_true(!str_starts(cases[i].text, "/x=/y") ||
			    strstr(e.how, "of a file"));
		world_fini(&w);
	}
}

static void readonly(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	bind(&w, "/a=/x");
	bind(&w, "/b=/x,ro");
	bind(&w, "/c=null");
	bind(&w, "/d=own");
	bind(&w, "/e=fake");
	assert_false(binding_readonly(genv_binding(w.e, "/a")));
	assert_true(binding_readonly(genv_binding(w.e, "/b")));
	assert_true(binding_readonly(genv_binding(w.e, "/c")));
	assert_false(binding_readonly(genv_binding(w.e, "/d")));
	assert_true(binding_readonly(genv_binding(w.e, "/e")));
	world_fini(&w);
}

static void fakes(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct err err = ERR_INIT;
	struct binding *b = NULL;
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(graph_env_bind(w.e, "/a=fake", &base, nowhere, &b, &err), 0);
	assert_int_equal(binding_add_fake(b, "x/y", "a\0b", 3, &err), 0);
	assert_memory_equal(b->fakes[0].content, "a\0b", 4);
	assert_int_equal(binding_add_fake(b, "x/y", "", 0, &err), PE_EXISTS);
	assert_int_equal(binding_add_fake(b, "../y", "", 0, &err), PE_USAGE);
	assert_int_equal(binding_add_fake(b, "/y", "", 0, &err), PE_USAGE);
	assert_int_equal(binding_add_fake(b, "", "", 0, &err), PE_USAGE);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	assert_int_equal(graph_env_bind(w.e, "/b=own", &base, nowhere, &b, &err), 0);
	assert_int_equal(binding_add_fake(b, "x", "", 0, &err), 0);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[0].text, "\"/b\": files belong to a dir from fake");
	world_fini(&w);
}

static void limits(void **state)
{
	static const struct {
		struct limits l;
		const char *sentence;
	} cases[] = {
		{ { .mem_bytes = 4096 }, "under 1M lets no program start" },
		{ { .mem_bytes = 1ULL << 60 }, "is no limit" },
		{ { .cpu_percent = 100000000 }, "is no limit" },
		{ { .pids = 1 << 30 }, "is no limit" },
		{ { .time_ms = 1ULL << 50 }, "is no limit" },
		{ { .mem_bytes = 3 << 20 },
		  "the mem limit is above that of the composition" },
		{ { .pids = 11 }, "the pids limit is above that of the composition" },
	};
	struct host_facts facts = HOST_FACTS_ALL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		world_init(&w);
		if (i > 4)
			w.g->quota = (struct limits){ .mem_bytes = 2 << 20, .pids = 10 };
		w.e->limits = cases[i].l;
		assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
		assert_int_equal(w.d.n, 1);
		assert_non_null(strstr(w.d.v[0].text, cases[i].sentence));
		world_fini(&w);
	}
}

static void limits_of_a_child(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct genv *child = NULL;
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(graph_env_new(w.g, "web.child", nowhere, &child, NULL), 0);
	assert_int_equal(genv_add_arg(child, "true"), 0);
	w.e->limits.mem_bytes = 4 << 20;
	child->limits.mem_bytes = 4 << 20;
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	child->limits.mem_bytes = 5 << 20;
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[0].text, "the mem limit is above that of web");
	world_fini(&w);
}

static void limits_that_cannot_be_enforced(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct world w;

	(void)state;
	facts.limit_mem = false;
	facts.no_limit_reason = "no cgroup is delegated";
	world_init(&w);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	w.e->limits.mem_bytes = 4 << 20;
	w.e->limits.time_ms = 1000;
	assert_int_equal(graph_check(w.g, &facts, true, &w.d), 0);
	assert_true(w.d.v[0].warning);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[1].text,
			    "the limit mem cannot be enforced here: no cgroup is "
			    "delegated");
	world_fini(&w);
}

static void whole_environments(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct world w;
	struct genv *e = NULL;

	(void)state;
	world_init(&w);
	assert_int_equal(graph_env_new(w.g, "nope", nowhere, &e, NULL), 0);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[0].text, "\"nope\" has nothing to run");
	assert_int_equal(genv_add_arg(e, "true"), 0);
	assert_int_equal(genv_add_after(e, "wbe", nowhere), 0);
	assert_int_equal(genv_add_expose(e, IF_DIR, "root", "/", nowhere, NULL, NULL), 0);
	e->root = strdup("/tree");
	assert_int_equal(graph_env_bind(e, "/=/other", &base, nowhere, NULL, NULL), 0);
	diags_fini(&w.d);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_int_equal(w.d.n, 3);
	assert_non_null(strstr(w.d.v[0].text, "the root is given twice"));
	assert_non_null(strstr(w.d.v[1].text, "cannot be exposed"));
	assert_non_null(strstr(w.d.v[2].text, "there is no environment \"wbe\""));
	world_fini(&w);
}

static void below_a_socket(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct world w;

	(void)state;
	world_init(&w);
	bind(&w, "socket:/run/s=null");
	bind(&w, "/run/sx=own");
	bind(&w, "/run=own");
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	bind(&w, "/run/s/x=own");
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[0].text, "\"/run/s/x\" is below the socket \"/run/s\"");
	world_fini(&w);
}

static void unbound_slots(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct binding *b = NULL;
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(genv_add_binding(w.e, IF_DIR, "/x", nowhere, &b, NULL), 0);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_string_equal(w.d.v[0].text, "\"/x\" is declared and bound to nothing");
	w.e->bindings[0].optional = true;
	diags_fini(&w.d);
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(refused),
		cmocka_unit_test(accepted),
		cmocka_unit_test(weaker),
		cmocka_unit_test(facts_that_are_missing),
		cmocka_unit_test(enforced),
		cmocka_unit_test(readonly),
		cmocka_unit_test(fakes),
		cmocka_unit_test(limits),
		cmocka_unit_test(limits_of_a_child),
		cmocka_unit_test(limits_that_cannot_be_enforced),
		cmocka_unit_test(whole_environments),
		cmocka_unit_test(below_a_socket),
		cmocka_unit_test(unbound_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
