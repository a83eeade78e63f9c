/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unikernels in the graph: what their devices may be bound to and what is missing,
 * extra or wrong; joins; and what the answers say of them. */
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
	struct genv *web, *db, *sh; /* two unikernels and a Linux program */
	struct diags d;
};

static void bind_to(struct genv *e, const char *text)
{
	struct err err = ERR_INIT;

	if (graph_env_bind(e, text, &base, nowhere, NULL, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static struct genv *unikernel(struct graph *g, const char *name, enum program_kind kind)
{
	struct genv *e = NULL;

	assert_int_equal(graph_env_new(g, name, nowhere, &e, NULL), 0);
	assert_int_equal(genv_set_image(e, "/srv/u.img", nowhere), 0);
	genv_set_program(e, kind);
	assert_int_equal(genv_add_device(e, "storage", IF_VOLUME, NULL), 0);
	assert_int_equal(genv_add_device(e, "service", IF_NET, NULL), 0);
	return e;
}

static void world_init(struct world *w, enum program_kind kind)
{
	*w = (struct world){ .g = graph_new() };
	w->web = unikernel(w->g, "web", kind);
	w->db = unikernel(w->g, "db", kind);
	bind_to(w->db, "dev:storage=null");
	bind_to(w->db, "dev:service=own");
	assert_int_equal(graph_env_new(w->g, "sh", nowhere, &w->sh, NULL), 0);
	assert_int_equal(genv_add_arg(w->sh, "true"), 0);
}

static void world_fini(struct world *w)
{
	diags_fini(&w->d);
	graph_free(w->g);
}

static int check(struct world *w)
{
	struct host_facts facts = HOST_FACTS_ALL;

	diags_fini(&w->d);
	return graph_check(w->g, &facts, false, &w->d);
}

/* The first complaint when text is bound and the other device is null. */
static void expect(enum program_kind kind, const char *text, const char *sentence)
{
	struct world w;
	int r;

	world_init(&w, kind);
	bind_to(w.web, text);
	if (!strstr(text, "dev:storage="))
		bind_to(w.web, "dev:storage=null");
	if (!strstr(text, "dev:service="))
		bind_to(w.web, "dev:service=null");
	r = check(&w);
	if (!sentence && r != 0)
		fail_msg("%s: %s", text, w.d.v[0].text);
	if (sentence && r == 0)
		fail_msg("%s: accepted", text);
	if (sentence && !strstr(w.d.v[0].text, sentence))
		fail_msg("%s: %s", text, w.d.v[0].text);
	assert_int_equal(w.d.n_errors, sentence ? 1 : 0);
	world_fini(&w);
}

static void both(const char *text, const char *sentence)
{
	expect(PROGRAM_SPT, text, sentence);
	expect(PROGRAM_HVT, text, sentence);
}

static void devices(void **state)
{
	static const struct {
		const char *text, *sentence; /* NULL: accepted */
	} cases[] = {
		{ "dev:storage=./disk.img", NULL },
		{ "dev:storage=./disk.img,ro", NULL },
		{ "volume:dev:storage=./disk.img,block=4096", NULL },
		{ "dev:storage=own,size=1M", NULL },
		{ "dev:storage=own,base=./b", NULL },
		{ "dev:storage=null,size=1G", NULL },
		{ "dev:storage=fake,content=hello", NULL },
		{ "dev:service=null", NULL },
		{ "dev:service=fake,mac=52:54:00:00:00:01,mtu=9000", NULL },
		{ "dev:service=own", NULL },
		{ "dev:service=host:tap0", NULL },
		{ "net:dev:service=env:db/service", NULL },
		{ "dev:service=env:db/dev:service", NULL },
		{ "console=own,size=1M", NULL },
		{ "console=null", NULL },
		{ "console=fake", NULL },
		{ "entropy=parent", NULL },
		{ "identity=null", NULL },
		{ "spawn=null", NULL },
		/* the wrong kind of thing */
		{ "net:dev:storage=null", "is a volume in the unikernel, not a net" },
		{ "volume:dev:service=null", "is a net in the unikernel, not a volume" },
		{ "dev:sorage=null", "declares no such device" },
		{ "dev:storage=parent", "holds no block device" },
		{ "dev:storage=store:x", "store" },
		{ "dev:storage=env:db/storage", "own,base=FILE" },
		{ "dev:storage=own", "needs a size= or a base=" },
		{ "dev:storage=fake", "needs a content=" },
		{ "dev:storage=own,size=1000", "no multiple of the block size" },
		{ "dev:storage=own,size=4608,block=4096", "no multiple of the block" },
		{ "dev:storage=null,block=100", "block takes a power of two" },
		{ "dev:storage=null,block=65536", "block takes a power of two" },
		{ "dev:storage=null,mac=52:54:00:00:00:01", "no option \"mac\"" },
		{ "dev:storage=./x,base=./y", "base does not go with" },
		{ "dev:storage=host", "needs a path of the host" },
		{ "dev:service=./x", "the name of a TAP" },
		{ "dev:service=host", "the name of a TAP" },
		{ "dev:service=host:a-name-that-is-too-long", "the name of a TAP" },
		{ "dev:service=parent", "frames and no connections" },
		{ "dev:service=null,ro", "has no meaning for a net" },
		{ "dev:service=null,mac=53:54:00:00:00:01", "mac takes six bytes" },
		{ "dev:service=null,mtu=20", "mtu takes a number" },
		{ "dev:service=null,size=1M", "no option \"size\"" },
		/* joins */
		{ "dev:service=env:db/sevice", "has no net device \"sevice\"" },
		{ "dev:service=env:db/storage", "has no net device \"storage\"" },
		{ "dev:service=env:bd/service", "there is no environment \"bd\"" },
		{ "dev:service=env:sh/service", "is a Linux program" },
		/* what only a Linux program has */
		{ "/data=./x", "a unikernel has no files" },
		{ "/data=null", "a unikernel has no files" },
		{ "/=./x", "a unikernel has no files" },
		{ "socket:/run/x=null", "no sockets of the host" },
		{ "net=null", "a unikernel has no slot of this name" },
		{ "volume=null", "a unikernel has no slot of this name" },
		{ "identity=parent", "no host name, users" },
		{ "spawn=parent", "can start nothing" },
		{ "entropy=null", "RDRAND" },
		{ "console=fake,input=x", "no option \"input\"" },
		{ "console=/x", "no file of the host" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		both(cases[i].text, cases[i].sentence);
}

static void clocks(void **state)
{
	(void)state;
	both("clock=parent", NULL);
	expect(PROGRAM_HVT, "clock=null", NULL);
	expect(PROGRAM_HVT, "clock=own,offset=-1h", NULL);
	expect(PROGRAM_HVT, "clock=fake,start=2026-01-31T10:00:00Z", NULL);
	expect(PROGRAM_HVT, "clock=fake", "needs a start=");
	expect(PROGRAM_HVT, "clock=fake,start=2026-02-30T10:00:00Z", "start takes");
	expect(PROGRAM_SPT, "clock=null", "asks the kernel for the time");
	expect(PROGRAM_SPT, "clock=own", "asks the kernel for the time");
	expect(PROGRAM_SPT, "clock=fake", "asks the kernel for the time");
}

/* Every row of the tables says how, or why not. */
static void every_row(void **state)
{
	(void)state;
	for (int p = 0; p < PROGRAM_COUNT; p++)
		for (int i = 0; i < IF_COUNT; i++)
			for (int s = 0; s < SRC_COUNT; s++) {
				const struct source_kind *k =
					kind_source((enum program_kind)p, (enum iface)i,
						    false, (enum source)s);

				assert_true(*k->text);
			}
}

static void times(void **state)
{
	uint64_t ns;

	(void)state;
	assert_true(time_parse("1970-01-01T00:00:00Z", &ns) && ns == 0);
	assert_true(time_parse("2000-03-01T00:00:01Z", &ns));
	assert_int_equal(ns, 951868801ull * 1000000000);
	assert_true(time_parse("2024-02-29T23:59:59Z", &ns));
	assert_int_equal(ns, 1709251199ull * 1000000000);
	assert_true(time_parse("86400", &ns) && ns == 86400ull * 1000000000);
	assert_false(time_parse("2023-02-29T00:00:00Z", &ns));
	assert_false(time_parse("2023-02-01T24:00:00Z", &ns));
	assert_false(time_parse("2023-02-01T00:00:00", &ns));
	assert_false(time_parse("2023-02-01T00:00:00Zx", &ns));
	assert_false(time_parse("-1", &ns));
	assert_false(time_parse("99999999999999999999", &ns));
	assert_false(time_parse("", &ns));
}

static void missing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	bind_to(w.web, "dev:srvice=null");
	assert_int_equal(check(&w), PE_REFUSED);
	assert_int_equal(w.d.n_errors, 3);
	assert_non_null(strstr(w.d.v[0].text, "it has: storage (volume), service (net)"));
	assert_string_equal(w.d.v[0].hint, "did you mean dev:service?");
	assert_non_null(
		strstr(w.d.v[1].text, "declares the device \"storage\" (volume)"));
	assert_non_null(strstr(w.d.v[1].hint, "-g dev:storage=null"));
	assert_non_null(strstr(w.d.v[2].text, "declares the device \"service\" (net)"));
	world_fini(&w);
}

static void joins(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_HVT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=env:db/service");
	assert_int_equal(check(&w), 0);
	assert_int_equal(w.db->order, 0);
	assert_int_equal(w.web->order, 1);
	assert_ptr_equal(genv_binding(w.web, "dev:service")->joined,
			 genv_binding(w.db, "dev:service"));
	/* a second time, nothing is left of the first */
	assert_int_equal(check(&w), 0);
	genv_binding(w.db, "dev:service")->source = SRC_NULL;
	assert_int_equal(check(&w), PE_REFUSED);
	assert_non_null(strstr(w.d.v[0].text, "is not own"));
	genv_binding(w.db, "dev:service")->source = SRC_OWN;
	genv_binding(w.db, "dev:storage")->source = SRC_OWN;
	world_fini(&w);
}

static void one_join_at_a_time(void **state)
{
	struct genv *third;
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	third = unikernel(w.g, "third", PROGRAM_SPT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=env:db/service");
	bind_to(third, "dev:storage=null");
	bind_to(third, "dev:service=env:db/service");
	assert_int_equal(check(&w), PE_REFUSED);
	assert_int_equal(w.d.n_errors, 1);
	assert_non_null(strstr(w.d.v[0].text, "is joined to another device already"));
	world_fini(&w);
}

static void only_linux(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=null");
	assert_int_equal(check(&w), 0);
	w.web->root = strdup("/tree");
	w.web->chdir = strdup("/");
	w.web->ready.kind = READY_NOTIFY;
	assert_int_equal(genv_add_var(w.web, "A", "b", nowhere), 0);
	assert_int_equal(genv_add_expose(w.web, IF_DIR, "d", "/d", nowhere, NULL, NULL),
			 0);
	assert_int_equal(check(&w), PE_REFUSED);
	assert_int_equal(w.d.n_errors, 5);
	world_fini(&w);
	/* and the other way round */
	world_init(&w, PROGRAM_SPT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=null");
	bind_to(w.sh, "dev:storage=null");
	bind_to(w.sh, "net=null");
	assert_int_equal(check(&w), PE_REFUSED);
	assert_int_equal(w.d.n_errors, 1);
	assert_non_null(strstr(w.d.v[0].text, "this is a Linux program"));
	world_fini(&w);
}

static void memory(void **state)
{
	struct host_facts no_kvm = HOST_FACTS_ALL;
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_HVT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=null");
	assert_int_equal(genv_guest_mem(w.web), 512u << 20);
	w.web->limits.mem_bytes = (5u << 20) + 4097;
	assert_int_equal(genv_guest_mem(w.web), 4u << 20);
	assert_int_equal(check(&w), 0);
	w.web->mem_needed = 6u << 20;
	assert_int_equal(check(&w), PE_REFUSED);
	assert_non_null(strstr(w.d.v[0].text, "for its image alone"));
	w.web->mem_needed = 0;
	w.web->limits.mem_bytes = 5ull << 30;
	assert_int_equal(check(&w), PE_REFUSED);
	genv_set_program(w.web, PROGRAM_SPT);
	assert_int_equal(check(&w), 0);
	genv_set_program(w.web, PROGRAM_HVT);
	w.web->limits.mem_bytes = 0;
	no_kvm.kvm = no_kvm.limit_mem = no_kvm.limit_pids = false;
	diags_fini(&w.d);
	assert_int_equal(graph_check(w.g, &no_kvm, false, &w.d), PE_REFUSED);
	assert_non_null(strstr(w.d.v[0].text, "/dev/kvm"));
	world_fini(&w);
	/* spt needs nobody to enforce mem and pids */
	world_init(&w, PROGRAM_SPT);
	bind_to(w.web, "dev:storage=null");
	bind_to(w.web, "dev:service=null");
	w.web->limits.mem_bytes = 64u << 20;
	w.web->limits.pids = 1;
	assert_int_equal(graph_check(w.g, &no_kvm, false, &w.d), 0);
	world_fini(&w);
}

static void unread_image(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	assert_int_equal(genv_set_image(w.web, "/srv/other", nowhere), 0);
	assert_false(w.web->devices_known);
	bind_to(w.web, "dev:whatever=own"); /* nobody knows: it is not judged */
	assert_int_equal(check(&w), 0);
	assert_int_equal(genv_set_image(w.web, NULL, nowhere), 0);
	assert_int_equal(w.web->program, PROGRAM_LINUX);
	world_fini(&w);
}

static void defaults(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	assert_int_equal(genv_add_defaults(w.web), 0);
	assert_int_equal(w.web->n_bindings, 3);
	assert_int_equal(genv_binding(w.web, "console")->source, SRC_PARENT);
	assert_int_equal(genv_binding(w.web, "clock")->source, SRC_PARENT);
	assert_int_equal(genv_binding(w.web, "entropy")->source, SRC_PARENT);
	assert_int_equal(check(&w), PE_REFUSED); /* devices have none */
	assert_int_equal(w.d.n_errors, 2);
	world_fini(&w);
}

static void expect_why(struct world *w, const char *slot, bool can, const char *text)
{
	auto_str out = STR_INIT;

	assert_int_equal(graph_why(w->g, "web", slot, &out), can);
	if (!strstr(str_text(&out), text))
		fail_msg("%s: %s", slot, str_text(&out));
}

static void answers(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	auto_str out = STR_INIT, diff = STR_INIT;
	struct json j = JSON_INIT(&out);
	struct world w, v;

	(void)state;
	world_init(&w, PROGRAM_SPT);
	bind_to(w.web, "dev:storage=./d.img,ro");
	bind_to(w.web, "dev:service=env:db/service");
	assert_int_equal(genv_add_defaults(w.web), 0);
	assert_int_equal(check(&w), 0);
	expect_why(&w, "dev:storage", true, "may read dev:storage and not write it");
	expect_why(&w, "dev:storage", true, "it is /cwd/d.img of the host");
	expect_why(&w, "volume:dev:storage", true, "may read dev:storage");
	expect_why(&w, "dev:service", true, "joined to dev:service of \"db\"");
	expect_why(&w, "dev:nope", false, "it has no such device");
	expect_why(&w, "/etc", false, "a unikernel has no files");
	expect_why(&w, "clock", true, "the default of a unikernel");
	genv_to_json(w.web, &facts, &j);
	assert_non_null(strstr(str_text(&out), "\"image\":\"/srv/u.img\""));
	assert_non_null(strstr(str_text(&out), "\"name\":\"storage\""));
	str_clear(&out);
	graph_to_dot(w.g, &out);
	assert_non_null(strstr(str_text(&out), "\"env web\" -> \"env db\""));
	world_init(&v, PROGRAM_SPT);
	bind_to(v.web, "dev:storage=./d.img");
	bind_to(v.web, "dev:service=null");
	assert_int_equal(genv_set_image(v.web, "/srv/new.img", nowhere), 0);
	assert_int_not_equal(graph_authdiff(w.g, v.g, false, &diff), 0);
	assert_non_null(
		strstr(str_text(&diff), "~ web image: /srv/u.img → /srv/new.img"));
	assert_non_null(strstr(str_text(&diff), "(gives"));
	assert_non_null(strstr(str_text(&diff), "- web dev:service"));
	world_fini(&w);
	world_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices),
		cmocka_unit_test(clocks),
		cmocka_unit_test(every_row),
		cmocka_unit_test(times),
		cmocka_unit_test(missing),
		cmocka_unit_test(joins),
		cmocka_unit_test(one_join_at_a_time),
		cmocka_unit_test(only_linux),
		cmocka_unit_test(memory),
		cmocka_unit_test(unread_image),
		cmocka_unit_test(defaults),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
