/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Caretakers: what each argument means, what goes together, what needs a process that
 * serves files, and what is refused where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph/caretaker.h"

#define S ((uint64_t)1000000000)

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
}

static void world_fini(struct world *w)
{
	diags_fini(&w->d);
	graph_free(w->g);
}

static struct binding *bind(struct world *w, const char *text)
{
	struct err err = ERR_INIT;
	struct binding *b = NULL;

	if (graph_env_bind(w->e, text, &base, nowhere, &b, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return b;
}

/* The first error that text leads to; NULL: none. In w->d. */
static const struct diag *check(struct world *w, const char *text,
				const struct host_facts *facts)
{
	world_init(w);
	(void)bind(w, text);
	(void)graph_check(w->g, facts, false, &w->d);
	return w->d.n ? &w->d.v[0] : NULL;
}

static int parse(const char *key, const char *value, uint64_t now,
		 struct caretaker_args *ret, struct err *err)
{
	char k[16], v[64];
	struct kv kv = { .key = k, .value = value ? v : NULL };

	(void)snprintf(k, sizeof(k), "%s", key);
	(void)snprintf(v, sizeof(v), "%s", value ? value : "");
	return caretaker_parse(&kv, now, ret, err);
}

static void arguments(void **state)
{
	static const struct {
		const char *key, *value;
		struct caretaker_args want;
	} cases[] = {
		{ "ro", NULL, { .kind = CARE_RO } },
		{ "log", NULL, { .kind = CARE_LOG } },
		{ "once", NULL, { .kind = CARE_ONCE } },
		{ "max", "10M", { .kind = CARE_MAX, .amount = 10 << 20 } },
		{ "max",
		  "100files",
		  { .kind = CARE_MAX, .unit = CARE_FILES, .amount = 100 } },
		{ "rate", "64K/s", { .kind = CARE_RATE, .amount = 64 << 10 } },
		{ "rate",
		  "50ops/s",
		  { .kind = CARE_RATE, .unit = CARE_OPS, .amount = 50 } },
		{ "ttl",
		  "10m",
		  { .kind = CARE_TTL, .ttl_ms = 600000, .until_ns = 1601 * S } },
		{ "ttl",
		  "@1767225600",
		  { .kind = CARE_TTL, .absolute = true, .until_ns = 1767225600 * S } },
		{ "fault",
		  "eio:1",
		  { .kind = CARE_FAULT,
		    .fault = FAULT_EIO,
		    .probability = CARE_CERTAIN } },
		{ "fault",
		  "enospc:0.25:7",
		  { .kind = CARE_FAULT,
		    .fault = FAULT_ENOSPC,
		    .probability = CARE_CERTAIN / 4,
		    .seed = 7 } },
		{ "fault",
		  "short:12.5%",
		  { .kind = CARE_FAULT,
		    .fault = FAULT_SHORT,
		    .probability = CARE_CERTAIN / 8 } },
		{ "fault",
		  "slow=20:100%:18446744073709551615",
		  { .kind = CARE_FAULT,
		    .fault = FAULT_SLOW,
		    .slow_ms = 20,
		    .probability = CARE_CERTAIN,
		    .seed = UINT64_MAX } },
		{ "fault",
		  "eio:0.000001",
		  { .kind = CARE_FAULT, .fault = FAULT_EIO, .probability = 4294 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct caretaker_args *want = &cases[i].want;
		struct caretaker_args got;

		assert_int_equal(
			parse(cases[i].key, cases[i].value, 1000 * S + 1, &got, NULL), 0);
		assert_int_equal(got.kind, want->kind);
		assert_int_equal(got.unit, want->unit);
		assert_true(got.amount == want->amount);
		assert_true(got.absolute == want->absolute);
		assert_true(got.ttl_ms == want->ttl_ms);
		assert_true(got.until_ns == want->until_ns);
		assert_int_equal(got.fault, want->fault);
		assert_true(got.probability == want->probability);
		assert_true(got.seed == want->seed);
		assert_true(got.slow_ms == want->slow_ms);
	}
}

static void no_arguments(void **state)
{
	static const struct {
		const char *key, *value;
	} cases[] = {
		{ "ro", "1" },
		{ "once", "" },
		{ "log", "file" },
		{ "hide", NULL },
		{ "hide", "" },
		{ "hide", "a/b" },
		{ "hide", "." },
		{ "hide", ".." },
		{ "hide", "[a" },
		{ "hide", "[" },
		{ "hide", "[!" },
		{ "hide", "[]" },
		{ "hide", "a\nb" },
		{ "max", NULL },
		{ "max", "" },
		{ "max", "0" },
		{ "max", "0files" },
		{ "max", "files" },
		{ "max", "-1" },
		{ "max", "10Mfiles" },
		{ "max", "1M/s" },
		{ "max", "2000T" },
		{ "max", "99999999999999999999999files" },
		{ "rate", "1M" },
		{ "rate", "/s" },
		{ "rate", "0/s" },
		{ "rate", "ops/s" },
		{ "rate", "5ops" },
		{ "rate", "5files/s" },
		{ "ttl", "0" },
		{ "ttl", "soon" },
		{ "ttl", "-1h" },
		{ "ttl", "@" },
		{ "ttl", "@-1" },
		{ "ttl", "@99999999999999" },
		{ "ttl", "1000000d" },
		{ "fault", "eio" },
		{ "fault", "eio:" },
		{ "fault", ":1" },
		{ "fault", "eio:0" },
		{ "fault", "eio:0.0" },
		{ "fault", "eio:1.1" },
		{ "fault", "eio:101%" },
		{ "fault", "eio:1." },
		{ "fault", "eio:.5" },
		{ "fault", "eio:1:2:3" },
		{ "fault", "eio:1:" },
		{ "fault", "eio:1:x" },
		{ "fault", "eio:0.1234567" },
		{ "fault", "eio:99999999999999999999999999" },
		{ "fault", "slow:1" },
		{ "fault", "slow=:1" },
		{ "fault", "slow=0:1" },
		{ "fault", "slow=99999:1" },
		{ "fault", "slow=" },
		{ "fault", "panic:1" },
		{ "nothing", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *value = cases[i].value;
		struct err err = ERR_INIT;
		struct caretaker_args got;

		if (parse(cases[i].key, value, 0, &got, &err) != PE_USAGE)
			fail_msg("%s=%s was taken", cases[i].key, value ? value : "?");
		assert_non_null(strstr(err.text, cases[i].key));
	}
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool is;
	} cases[] = {
		{ ".git", ".git", true },
		{ ".git", ".gitx", false },
		{ ".git", ".gi", false },
		{ "*", "", true },
		{ "*", ".hidden", true },
		{ "*.key", "a.key", true },
		{ "*.key", ".key", true },
		{ "*.key", "a.keys", false },
		{ "id_*", "id_rsa", true },
		{ "?", "a", true },
		{ "?", "", false },
		{ "?", "ab", false },
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "dx", false },
		{ "[!a-c]x", "dx", true },
		{ "[!a-c]x", "ax", false },
		{ "[]a]", "]", true },
		{ "[a-]", "-", true },
		{ "[-a]", "-", true },
		{ "[!]]", "]", false },
		{ "a*b*c", "aXbYbc", true },
		{ "a*b*c", "aXbYb", false },
		{ "**a**", "bab", true },
		{ "\\*", "\\x", true },
		{ "\xc3\xa9*", "\xc3\xa9t", true },
		{ "a*", "ba", false },
	};
	char many[256], name[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (pattern_match(cases[i].pattern, cases[i].name) != cases[i].is)
			fail_msg("%s %s", cases[i].pattern, cases[i].name);
	/* What takes exponential time in a naive matcher. */
	for (size_t i = 0; i < 254; i += 2)
		memcpy(many + i, "*a", 2);
	memcpy(many + 253, "b", 2);
	memset(name, 'a', 255);
	name[255] = '\0';
	assert_true(pattern_valid(many));
	assert_false(pattern_match(many, name));
}

static void ttl(void **state)
{
	struct world w;
	struct binding *b;
	auto_str out = STR_INIT;

	(void)state;
	world_init(&w);
	b = bind(&w, "/x=/y,ro,ttl=90s,log");
	assert_true(binding_until(b) == UINT64_MAX);
	assert_int_equal(binding_fix_ttl(b, 1000 * S + 5, NULL), 0);
	binding_write(b, &out);
	assert_string_equal(str_text(&out), "/x=/y,ro,ttl=@1091,log");
	assert_true(binding_until(b) == 1091 * S);
	assert_int_equal(binding_fix_ttl(b, 1090 * S, NULL), 0);
	str_clear(&out);
	binding_write(b, &out);
	assert_string_equal(str_text(&out), "/x=/y,ro,ttl=@1091,log");
	assert_int_equal(binding_fix_ttl(b, 1091 * S, NULL), PE_REFUSED);
	/* What was written is written back, digit for digit. */
	b = bind(&w, "/z=/y,ttl=@0001767225600");
	assert_int_equal(binding_fix_ttl(b, 1091 * S, NULL), 0);
	str_clear(&out);
	binding_write(b, &out);
	assert_string_equal(str_text(&out), "/z=/y,ttl=@0001767225600");
	world_fini(&w);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "/x=/y,max=lots", "max takes a size, as 10M, or a number of files" },
		{ "/x=/y,max", "max takes a size" },
		{ "/x=/y,rate=3", "rate takes a size each second, as 1M/s" },
		{ "/x=/y,ttl=never", "ttl takes a duration, as 10m" },
		{ "/x=/y,log=f", "log takes nothing after it" },
		{ "/x=/y,fault=3", "fault takes KIND:PROBABILITY[:SEED]" },
		{ "/x=/y,once=2", "once takes nothing after it" },
		{ "/x=/y,hide=a/b", "hide takes a name" },
		{ "/x=/y,ttl=1m,ttl=2m", "ttl is given twice" },
		{ "/x=/y,ttl=1m,ttl=@99", "ttl is given twice" },
		{ "/x=/y,max=1M,max=2M", "max is given twice" },
		{ "/x=/y,max=1files,max=2files", "max is given twice" },
		{ "/x=/y,hide=a,hide=a", "hide is given twice" },
		{ "/x=/y,fault=eio:1,fault=eio:5%", "fault is given twice" },
		{ "/x=/y,log,log", "log is given twice" },
		{ "/x=/y,max=1M,ro", "ro lets nothing be written" },
		{ "/x=/y,ro,max=9files", "ro lets nothing be written" },
		{ "/x=/y,ro,fault=enospc:1", "ro lets nothing be written" },
		{ "/x=null,ttl=1m", "ttl has nothing to stand before in null" },
		{ "/x=own,max=1M", "max is not available yet for a dir from own" },
		{ "/x=own,log", "log is not available yet for a dir from own" },
		{ "/=/tree,ttl=1m", "so ttl cannot be kept there" },
		{ "/=/tree,log", "the root is mounted and never served" },
		{ "/=/tree,passthrough", "the root is mounted and never served" },
		{ "/x=own,passthrough", "passthrough does not go with the source own" },
		{ "/x=env:db/d,passthrough", "does not go with the source env" },
		{ "/x=/y,passthrough=1", "passthrough takes nothing after it" },
		{ "/x=/y,passthrough,cut=complete", "exclude each other" },
		{ "/x=/y,passthrough,log", "log cannot be kept with passthrough" },
		{ "/x=/y,hide=a,passthrough", "hide cannot be kept with passthrough" },
		{ "/x=env:db/d,log", "cannot be served by a caretaker yet, which log" },
		{ "/x=env:db/d,cut=complete", "cannot be served by a caretaker yet" },
		{ "socket:/s=/s,ttl=1m", "ttl is not available yet for a socket" },
		{ "socket:/s=/s,max=1M", "max is not available yet for a socket" },
		{ "clock=parent,max=1M", "max has no meaning for a clock" },
		{ "identity=own,once", "once has no meaning for a identity" },
		{ "clock=parent,ttl=1m", "ttl is not available yet for a clock" },
		{ "socket:/s=/s,passthrough", "a socket has no option" },
	};
	struct host_facts facts = HOST_FACTS_ALL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		const struct diag *diag = check(&w, cases[i].text, &facts);

		if (!diag || !strstr(diag->text, cases[i].sentence))
			fail_msg("%s: %s", cases[i].text, diag ? diag->text : "accepted");
		if (w.d.n > 1)
			fail_msg("%s: also %s", cases[i].text, w.d.v[1].text);
		world_fini(&w);
	}
}

/* What is mounted, what is served, and what is left of it after it was cut. */
static void served(void **state)
{
	static const struct {
		const char *text;
		const char *by; /* NULL: mounted */
		enum cut cut;
	} cases[] = {
		{ "/x=/y", NULL, CUT_NEW_USES },
		{ "/x=/y,ro", NULL, CUT_NEW_USES },
		{ "/x=/y,ro,subdir=a", NULL, CUT_NEW_USES },
		{ "/x=/y,cut=new-uses", NULL, CUT_NEW_USES },
		{ "/x=/y,cut=complete", "by a caretaker", CUT_COMPLETE },
		{ "/x=/y,ro,cut=complete", "by a caretaker", CUT_COMPLETE },
		{ "/x=parent,log", "by a caretaker", CUT_COMPLETE },
		{ "/x=/y,max=1M,max=9files,rate=1M/s,rate=9ops/s", "by a caretaker",
		  CUT_COMPLETE },
		{ "/x=/y,hide=.git,hide=*.key,fault=eio:1%,fault=slow=5:1,once",
		  "by a caretaker", CUT_COMPLETE },
		{ "/x=/y,passthrough", "open files pass by", CUT_NEW_USES },
		{ "/x=/y,ro,subdir=a,passthrough,cut=new-uses", "open files pass by",
		  CUT_NEW_USES },
		{ "/x=own", NULL, CUT_NEW_USES },
		{ "/x=null", NULL, CUT_COMPLETE },
	};
	struct host_facts facts = HOST_FACTS_ALL, none = HOST_FACTS_ALL;

	(void)state;
	none.fuse = false;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		const struct diag *diag = check(&w, cases[i].text, &facts);
		const struct binding *b = &w.e->bindings[0];
		struct enforcement e = binding_enforcement(b, &facts);

		if (diag)
			fail_msg("%s: %s", cases[i].text, diag->text);
		assert_true(binding_needs_caretaker(b) == (cases[i].by != NULL));
		assert_int_equal(e.cut, cases[i].cut);
		assert_true(!cases[i].by || strstr(e.how, cases[i].by));
		world_fini(&w);
		diag = check(&w, cases[i].text, &none);
		assert_true((diag != NULL) == (cases[i].by != NULL));
		assert_true(!diag || strstr(diag->text, "/dev/fuse"));
		assert_true(!diag || strstr(diag->hint, "loads the module fuse"));
		world_fini(&w);
	}
}

/* Granted while the program runs: what would be mounted at the start is served. */
static void live(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct world w;
	struct binding *b;

	(void)state;
	world_init(&w);
	b = bind(&w, "/x=/y,ro");
	b->live = true;
	assert_true(binding_needs_caretaker(b));
	assert_int_equal(binding_enforcement(b, &facts).cut, CUT_COMPLETE);
	facts.fuse = false;
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_non_null(strstr(w.d.v[0].text, "granted to a program that runs"));
	world_fini(&w);
	/* Started by root, files are reached by a caretaker where no mount can do it. */
	facts = HOST_FACTS_ALL;
	facts.root = true;
	facts.idmap = false;
	assert_non_null(check(&w, "/x=/y", &facts));
	world_fini(&w);
	assert_null(check(&w, "/x=/y,log", &facts));
	world_fini(&w);
}

static void in_each_other(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct world w;

	(void)state;
	world_init(&w);
	(void)bind(&w, "/x=/y,log");
	(void)bind(&w, "/x2/z=/y");
	(void)bind(&w, "/m=/y");
	(void)bind(&w, "/m/z=/y,log");
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), 0);
	(void)bind(&w, "/x/z=null");
	assert_int_equal(graph_check(w.g, &facts, false, &w.d), PE_REFUSED);
	assert_non_null(
		strstr(w.d.v[0].text, "\"/x/z\" lies in \"/x\", which is served"));
	assert_int_equal(w.d.n, 1);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments), cmocka_unit_test(no_arguments),
		cmocka_unit_test(patterns),  cmocka_unit_test(ttl),
		cmocka_unit_test(refused),   cmocka_unit_test(served),
		cmocka_unit_test(live),      cmocka_unit_test(in_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
