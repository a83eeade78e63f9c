/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing what an environment holds while it runs: what each step is, what is refused,
 * and beside each refusal what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "graph/caretaker.h"
#include "graph/change.h"

#define S ((uint64_t)1000000000)
#define NOW (1000 * S)

static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };
static const struct pos nowhere = { 0 };
static struct host_facts facts;

struct world {
	struct graph *g, *asked;
	struct genv *e, *wish; /* what runs; where a request is read */
};

static void world_init(struct world *w)
{
	facts = HOST_FACTS_ALL;
	*w = (struct world){ .g = graph_new(), .asked = graph_new() };
	w->g->open = true;
	assert_int_equal(graph_env_new(w->g, "web", nowhere, &w->e, NULL), 0);
	assert_int_equal(graph_env_new(w->asked, "", nowhere, &w->wish, NULL), 0);
	assert_int_equal(genv_add_arg(w->e, "true"), 0);
}

static void world_fini(struct world *w)
{
	graph_free(w->g);
	graph_free(w->asked);
}

static struct binding *bind(struct genv *e, const char *text)
{
	struct err err = ERR_INIT;
	struct binding *b = NULL;

	if (graph_env_bind(e, text, &base, nowhere, &b, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return b;
}

static int grant(struct world *w, const char *text, struct genv_change *c,
		 struct err *err)
{
	struct binding *b = bind(w->wish, text);
	int r = graph_grant(w->e, b, &facts, false, NOW, c, err);

	genv_drop_binding(w->wish, b);
	return r;
}

static int attenuate(struct world *w, const char *slot, const char *word,
		     struct genv_change *c, struct err *err)
{
	return graph_attenuate(w->e, slot, &word, 1, &facts, NOW, c, err);
}

static void apply(struct world *w, struct genv_change *c)
{
	assert_int_equal(genv_change_apply(w->e, c), 0);
	genv_change_fini(c);
}

static void do_grant(struct world *w, const char *text)
{
	struct err err = ERR_INIT;
	struct genv_change c;

	if (grant(w, text, &c, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	apply(w, &c);
}

static void do_revoke(struct world *w, const char *slot, enum revoke_to to,
		      enum revoke_how how)
{
	struct err err = ERR_INIT;
	struct genv_change c;

	if (graph_revoke(w->e, slot, to, how, &facts, &c, &err) != 0)
		fail_msg("%s: %s", slot, err.text);
	apply(w, &c);
}

static void want(const struct world *w, const char *slot, const char *text)
{
	const struct binding *b = genv_binding(w->e, slot);
	auto_str out = STR_INIT;

	assert_true((b != NULL) == (text != NULL));
	if (!b)
		return;
	binding_write(b, &out);
	assert_string_equal(str_text(&out), text);
}

static void granted(void **state)
{
	static const struct {
		const char *text, *held;
		enum change_step step;
		enum cut cut;
	} cases[] = {
		{ "/d=/srv", "/d=/srv", CHANGE_CARETAKER, CUT_COMPLETE },
		{ "/d=~/x,ro,log", "/d=/home/u/x,ro,log", CHANGE_CARETAKER,
		  CUT_COMPLETE },
		{ "/d=/srv,ttl=1m", "/d=/srv,ttl=@1060", CHANGE_CARETAKER, CUT_COMPLETE },
		{ "/d=/srv,passthrough", "/d=/srv,passthrough", CHANGE_CARETAKER,
		  CUT_NEW_USES },
		{ "/d=own,size=1M", "/d=own,size=1M", CHANGE_MOUNT, CUT_NEW_USES },
		{ "/d=null", "/d=null", CHANGE_MOUNT, CUT_COMPLETE },
		{ "socket:/d=/run/s", "socket:/d=/run/s", CHANGE_MOUNT, CUT_NEW_USES },
		{ "socket:/d=env:db/s", "socket:/d=env:db/s", CHANGE_MOUNT,
		  CUT_NEW_USES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct genv_change c;
		struct world w;

		world_init(&w);
		if (grant(&w, cases[i].text, &c, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(c.step, cases[i].step);
		assert_int_equal(c.cut, cases[i].cut);
		assert_string_equal(c.slot, "/d");
		assert_true(c.binding.live);
		want(&w, "/d", NULL);
		apply(&w, &c);
		want(&w, "/d", cases[i].held);
		world_fini(&w);
	}
}

static void not_granted(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *sentence;
	} cases[] = {
		{ "net=host", PE_REFUSED,
		  "chosen when the program starts; this takes a "
		  "restart" },
		{ "console=own", PE_REFUSED, "streams are open from its start" },
		{ "clock=null", PE_REFUSED, "takes a restart" },
		{ "entropy=parent", PE_REFUSED, "takes a restart" },
		{ "identity=own", PE_REFUSED, "keeps the ids" },
		{ "spawn=null", PE_REFUSED, "takes a restart" },
		{ "/=/tree", PE_REFUSED, "what the program started from" },
		{ "/served=/srv", PE_EXISTS,
		  "bound already, as /served=/srv,log: revoke that first" },
		{ "/mounted=/srv", PE_EXISTS, "revoke that first" },
		{ "/own=/srv", PE_EXISTS, "revoke that first" },
		{ "/served/x=/srv", PE_REFUSED, "which is served by a caretaker" },
		{ "/nothing/x=/srv", PE_REFUSED, "which is null" },
		{ "/none/x=/srv", PE_REFUSED, "which is null" },
		{ "/file/x=/srv", PE_REFUSED, "which is a file" },
		{ "/run/s/x=/srv", PE_REFUSED, "which is a socket" },
		{ "/deep=/srv", PE_REFUSED, "would cover \"/deep/down\"" },
		{ "/covers=/srv", PE_REFUSED, "would cover \"/covers/secret\"" },
		{ "socket:/nothing=/run/s", PE_REFUSED, "is the place of a dir" },
		{ "/new=/srv,ask", PE_REFUSED, "ask is not available yet" },
		{ "/new=/srv,max=0", PE_REFUSED, "max takes a size" },
		{ "/new=/srv,ttl=@999", PE_REFUSED, "ttl=@999 has passed" },
		{ "/new=/proc", PE_REFUSED, "is the kernel's" },
		{ "/proc/x=/srv", PE_REFUSED, "made by Polder" },
		{ "/new=store:x", PE_REFUSED, "comes with the store" },
		{ "/new=env:web/x", PE_REFUSED, "what it exposes itself" },
		{ "/new=env:web-2/x", PE_REFUSED, "cannot be served by a caretaker yet" },
		{ "/mounted/x=/srv", 0, NULL },
		{ "/own/x=/srv,ro", 0, NULL },
		{ "/nothing=/srv", 0, NULL },
		{ "/none=/srv", 0, NULL },
		{ "/served2=/srv", 0, NULL },
		{ "/new=/srv,ttl=@1001", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct binding *b = NULL;
		struct genv_change c;
		struct world w;
		size_t n;
		int r;

		world_init(&w);
		(void)bind(w.e, "/served=/srv,log");
		(void)bind(w.e, "/mounted=/srv,ro");
		(void)bind(w.e, "/own=own");
		(void)bind(w.e, "/nothing=null");
		(void)bind(w.e, "/deep/down=/srv");
		(void)bind(w.e, "/covers/secret=null");
		(void)bind(w.e, "socket:/run/s=/run/s");
		bind(w.e, "/file=/srv/f")->is_file = true;
		assert_int_equal(
			genv_add_binding(w.e, IF_DIR, "/none", nowhere, &b, NULL), 0);
		b->optional = true;
		assert_int_equal(genv_add_defaults(w.e), 0);
		n = w.e->n_bindings;
		r = grant(&w, cases[i].text, &c, &err);
		if (r != cases[i].r || (r && !strstr(err.text, cases[i].sentence)))
			fail_msg("%s: %d %s", cases[i].text, r, err.text);
		assert_int_equal(w.e->n_bindings, n);
		if (r == 0)
			apply(&w, &c);
		world_fini(&w);
	}
}

static void without_fuse(void **state)
{
	struct err err = ERR_INIT;
	struct genv_change c;
	struct world w;

	(void)state;
	world_init(&w);
	facts.fuse = false;
	assert_int_equal(grant(&w, "/d=/srv", &c, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "cannot be opened here; the administrator"));
	do_grant(&w, "/d=own");
	world_fini(&w);
}

static void attenuated(void **state)
{
	static const struct {
		const char *word, *held;
	} cases[] = {
		{ "ro", "/d=/srv,rate=1M/s,hide=a,ttl=@1100,ro" },
		{ "max=1M", "/d=/srv,rate=1M/s,hide=a,ttl=@1100,max=1M" },
		{ "max=5M,max=9files,log",
		  "/d=/srv,rate=1M/s,hide=a,ttl=@1100,max=5M,max=9files,log" },
		{ "rate=512K/s", "/d=/srv,max=10M,hide=a,ttl=@1100,rate=512K/s" },
		{ "rate=9ops/s",
		  "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1100,rate=9ops/s" },
		{ "hide=b", "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1100,hide=b" },
		{ "ttl=50s", "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1050" },
		{ "ttl=@1099", "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1099" },
		{ "once", "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1100,once" },
		{ "fault=eio:1%",
		  "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1100,fault=eio:1%" },
		{ "max=10M", NULL },
		{ "max=10240K", NULL },
		{ "ttl=100s", NULL },
		{ "hide=a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const char held[] = "/d=/srv,max=10M,rate=1M/s,hide=a,ttl=@1100";
		struct err err = ERR_INIT;
		struct genv_change c;
		struct world w;

		world_init(&w);
		do_grant(&w, held);
		if (attenuate(&w, "/d/", cases[i].word, &c, &err) != 0)
			fail_msg("%s: %s", cases[i].word, err.text);
		assert_int_equal(c.step,
				 cases[i].held ? CHANGE_ATTENUATE : CHANGE_NOTHING);
		assert_int_equal(c.cut, CUT_COMPLETE);
		want(&w, "/d", held);
		apply(&w, &c);
		want(&w, "/d", cases[i].held ? cases[i].held : held);
		world_fini(&w);
	}
}

static void not_attenuated(void **state)
{
	static const struct {
		const char *slot, *word;
		int r;
		const char *sentence;
	} cases[] = {
		{ "/d", "max=11M", PE_REFUSED,
		  "max=11M is no narrowing, since there is max=10M already" },
		{ "/d", "rate=2M/s", PE_REFUSED, "since there is rate=1M/s" },
		{ "/d", "ttl=2h", PE_REFUSED, "since there is ttl=@1100" },
		{ "/d", "fault=eio:1%", PE_REFUSED, "since there is fault=eio:5%" },
		{ "/d", "fault=eio:6%:9", PE_REFUSED, "fault is given twice" },
		{ "/d", "subdir=x", PE_REFUSED, "cannot be another one while it is" },
		{ "/d", "passthrough", PE_USAGE, "is an option of the source" },
		{ "/d", "cut=complete", PE_USAGE, "is an option of the source" },
		{ "/d", "rw", PE_USAGE, "neither an option nor a caretaker" },
		{ "/d", "", PE_USAGE, "nothing stands between two commas" },
		{ "/d", "max=lots", PE_USAGE, "max takes a size" },
		{ "/d", "ask", PE_REFUSED, "ask is not available yet" },
		{ "/d", "ttl=@900", PE_REFUSED, "has passed" },
		{ "/ro", "max=1M", PE_REFUSED, "no narrowing, since there is ro" },
		{ "/ro", "fault=enospc:1", PE_REFUSED, "since there is ro" },
		{ "/pass", "ro", PE_REFUSED, "has passthrough" },
		{ "/m", "ro", PE_REFUSED, "is mounted, without a caretaker" },
		{ "/own", "ro", PE_REFUSED, "is mounted, without a caretaker" },
		{ "/null", "ro", PE_REFUSED, "can be no narrower" },
		{ "/none", "ro", PE_NOTFOUND, "there is no slot \"/none\"" },
		{ "net", "log", PE_REFUSED, "takes a restart" },
		{ "bogus", "log", PE_USAGE, "there is no slot" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct genv_change c;
		struct world w;
		int r;

		world_init(&w);
		(void)bind(w.e, "/m=/srv,ro");
		do_grant(&w, "/d=/srv,max=10M,rate=1M/s,ttl=100s,fault=eio:5%");
		do_grant(&w, "/ro=/srv,ro");
		do_grant(&w, "/pass=/srv,passthrough");
		do_grant(&w, "/own=own");
		do_grant(&w, "/null=null");
		assert_int_equal(genv_add_defaults(w.e), 0);
		r = attenuate(&w, cases[i].slot, cases[i].word, &c, &err);
		if (r != cases[i].r || !strstr(err.text, cases[i].sentence))
			fail_msg("%s %s: %d %s", cases[i].slot, cases[i].word, r,
				 err.text);
		world_fini(&w);
	}
}

static void revoked(void **state)
{
	static const struct {
		const char *held; /* bound at the start where it begins with "=" */
		enum revoke_how how;
		enum change_step step;
		enum cut cut;
		bool kill;
	} cases[] = {
		{ "/d=/srv", REVOKE_COMPLETE, CHANGE_CUT, CUT_COMPLETE, false },
		{ "/d=/srv", REVOKE_KILL, CHANGE_CUT, CUT_COMPLETE, false },
		{ "/d=/srv", REVOKE_NEW_ONLY, CHANGE_CUT, CUT_COMPLETE, false },
		{ "/d=/srv,passthrough", REVOKE_NEW_ONLY, CHANGE_CUT, CUT_NEW_USES,
		  false },
		{ "/d=/srv,passthrough", REVOKE_KILL, CHANGE_CUT, CUT_NEW_USES, true },
		{ "=/d=/srv,log", REVOKE_COMPLETE, CHANGE_CUT, CUT_COMPLETE, false },
		{ "=/d=/srv", REVOKE_NEW_ONLY, CHANGE_UNMOUNT, CUT_NEW_USES, false },
		{ "=/d=/srv", REVOKE_KILL, CHANGE_UNMOUNT, CUT_NEW_USES, true },
		{ "/d=own", REVOKE_NEW_ONLY, CHANGE_UNMOUNT, CUT_NEW_USES, false },
		{ "=/d=null", REVOKE_COMPLETE, CHANGE_NOTHING, CUT_COMPLETE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct genv_change c;
		struct world w;

		world_init(&w);
		if (*cases[i].held == '=')
			(void)bind(w.e, cases[i].held + 1);
		else
			do_grant(&w, cases[i].held);
		if (graph_revoke(w.e, "/d", REVOKE_TO_NULL, cases[i].how, &facts, &c,
				 &err) != 0)
			fail_msg("%s: %s", cases[i].held, err.text);
		assert_int_equal(c.step, cases[i].step);
		assert_int_equal(c.cut, cases[i].cut);
		assert_true(c.kill == cases[i].kill);
		apply(&w, &c);
		want(&w, "/d", "/d=null");
		do_grant(&w, "/d=/srv/other"); /* and can be granted anew */
		do_revoke(&w, "/d", REVOKE_TO_ERROR, REVOKE_COMPLETE);
		want(&w, "/d", NULL);
		world_fini(&w);
	}
}

static void not_revoked(void **state)
{
	static const struct {
		const char *slot;
		enum revoke_to to;
		int r;
		const char *sentence;
	} cases[] = {
		{ "/m", REVOKE_TO_NULL, PE_REFUSED,
		  "cutting it is new-uses). --new-only takes away the rest, --kill "
		  "ends" },
		{ "/pass", REVOKE_TO_NULL, PE_REFUSED, "--new-only" },
		{ "socket:/run/s", REVOKE_TO_NULL, PE_REFUSED, "--new-only" },
		{ "/out", REVOKE_TO_NULL, PE_REFUSED, "\"/out/in\" lies in \"/out\"" },
		{ "/out/in", REVOKE_TO_ERROR, PE_REFUSED,
		  "covers a part of /out, which would be seen" },
		{ "/null", REVOKE_TO_ERROR, PE_REFUSED, "nothing is to be taken" },
		{ "/none", REVOKE_TO_NULL, PE_NOTFOUND, "there is no slot" },
		{ "net", REVOKE_TO_NULL, PE_REFUSED, "takes a restart" },
		{ "entropy", REVOKE_TO_NULL, PE_REFUSED, "takes a restart" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct genv_change c;
		struct world w;
		int r;

		world_init(&w);
		(void)bind(w.e, "/m=/srv,ro");
		(void)bind(w.e, "/out=/srv");
		(void)bind(w.e, "/null=null");
		do_grant(&w, "/out/in=/opt");
		do_grant(&w, "/pass=/srv,passthrough");
		do_grant(&w, "socket:/run/s=/run/s");
		assert_int_equal(genv_add_defaults(w.e), 0);
		r = graph_revoke(w.e, cases[i].slot, cases[i].to, REVOKE_COMPLETE, &facts,
				 &c, &err);
		if (r != cases[i].r || !strstr(err.text, cases[i].sentence))
			fail_msg("%s: %d %s", cases[i].slot, r, err.text);
		world_fini(&w);
	}
}

/* A root that was given: what is granted over a part of it is revoked to null. */
static void over_a_root(void **state)
{
	struct err err = ERR_INIT;
	struct genv_change c;
	struct world w;

	(void)state;
	world_init(&w);
	(void)bind(w.e, "/=/tree");
	do_grant(&w, "/d=/srv");
	assert_int_equal(graph_revoke(w.e, "/d", REVOKE_TO_ERROR, REVOKE_COMPLETE, &facts,
				      &c, &err),
			 PE_REFUSED);
	assert_non_null(strstr(err.text, "covers a part of the root"));
	do_revoke(&w, "/d", REVOKE_TO_NULL, REVOKE_COMPLETE);
	want(&w, "/d", "/d=null");
	world_fini(&w);
}

/* What is null below goes with what it was below, and a grant begins anew. */
static void nulls_below(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	(void)bind(w.e, "/d=/srv");
	(void)bind(w.e, "/d/secret=null");
	(void)bind(w.e, "/dx=null");
	do_revoke(&w, "/d", REVOKE_TO_NULL, REVOKE_NEW_ONLY);
	want(&w, "/d", "/d=null");
	want(&w, "/d/secret", NULL);
	want(&w, "/dx", "/dx=null");
	do_grant(&w, "/d=/srv");
	world_fini(&w);
}

/* A file's place stays a file's. */
static void files(void **state)
{
	struct err err = ERR_INIT;
	struct genv_change c;
	struct binding *b;
	struct world w;

	(void)state;
	world_init(&w);
	b = bind(w.wish, "/f=/srv/f");
	b->is_file = true;
	assert_int_equal(graph_grant(w.e, b, &facts, false, NOW, &c, &err), 0);
	genv_drop_binding(w.wish, b);
	apply(&w, &c);
	do_revoke(&w, "/f", REVOKE_TO_NULL, REVOKE_COMPLETE);
	assert_int_equal(grant(&w, "/f=/srv/d", &c, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "is the place of a file, and this is a dir"));
	world_fini(&w);
}

/* Until the next call. */
static const char *shown(struct world *w, const char *slot)
{
	static char text[200];
	auto_str out = STR_INIT;

	binding_write(genv_binding(w->e, slot), &out);
	(void)snprintf(text, sizeof(text), "%s", str_text(&out));
	return text;
}

/* Devices of a unikernel that runs, as its image declares them. */
static void device_world(struct world *w)
{
	struct err err = ERR_INIT;

	world_init(w);
	w->e->devices_known = true;
	genv_set_program(w->e, PROGRAM_SPT);
	assert_int_equal(genv_add_device(w->e, "v", IF_VOLUME, &err), 0);
	assert_int_equal(genv_add_device(w->e, "n", IF_NET, &err), 0);
	(void)bind(w->e, "volume:dev:v=/srv/d.img,block=4096");
	(void)bind(w->e, "net:dev:n=own,mac=52:54:00:12:34:56");
	genv_set_program(w->e, PROGRAM_SPT);
}

static void unikernels(void **state)
{
	struct err err = ERR_INIT;
	struct genv_change c;
	struct world w;

	(void)state;
	world_init(&w);
	genv_set_program(w.e, PROGRAM_SPT);
	assert_int_equal(grant(&w, "/d=/srv", &c, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "is set when it begins; this takes a restart"));
	world_fini(&w);

	device_world(&w);
	assert_int_equal(grant(&w, "dev:v=null", &c, &err), PE_EXISTS);
	assert_int_equal(grant(&w, "dev:x=null", &c, &err), PE_REFUSED);
	assert_int_equal(graph_revoke(w.e, "dev:v", REVOKE_TO_NULL, REVOKE_COMPLETE,
				      &facts, &c, &err),
			 0);
	assert_int_equal(c.step, CHANGE_DEVICE);
	assert_int_equal(c.cut, CUT_COMPLETE);
	apply(&w, &c);
	assert_string_equal(shown(&w, "dev:v"), "volume:dev:v=null,block=4096");
	assert_int_equal(grant(&w, "dev:v=/srv/e.img,block=512", &c, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "block is told to the guest when it begins"));
	assert_int_equal(grant(&w, "dev:v=/srv/e.img", &c, &err), 0);
	assert_int_equal(c.step, CHANGE_DEVICE);
	apply(&w, &c);
	assert_int_equal(attenuate(&w, "dev:v", "ro", &c, &err), 0);
	assert_int_equal(c.step, CHANGE_DEVICE);
	genv_change_fini(&c);
	assert_int_equal(attenuate(&w, "dev:v", "rate=1M/s", &c, &err), PE_REFUSED);
	world_fini(&w);
}

static void devices_of_net(void **state)
{
	struct err err = ERR_INIT;
	struct genv_change c;
	struct world w;

	(void)state;
	device_world(&w);
	assert_int_equal(graph_revoke(w.e, "dev:n", REVOKE_TO_ERROR, REVOKE_COMPLETE,
				      &facts, &c, &err),
			 0);
	assert_true(c.binding.broken); /* the device stays: the image declares it */
	apply(&w, &c);
	assert_string_equal(shown(&w, "dev:n"), "net:dev:n=null,mac=52:54:00:12:34:56");
	assert_int_equal(grant(&w, "dev:n=own,mtu=1400", &c, &err), PE_REFUSED);
	assert_int_equal(grant(&w, "dev:n=host:tap0", &c, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "TAP"));
	assert_int_equal(grant(&w, "dev:n=env:other/n", &c, &err), 0);
	assert_int_equal(c.step, CHANGE_DEVICE);
	assert_int_equal(c.binding.iface, IF_NET);
	apply(&w, &c);
	assert_string_equal(shown(&w, "dev:n"),
			    "dev:n=env:other/n,mac=52:54:00:12:34:56");
	world_fini(&w);
}

/* Where nobody may trace, volumes stay what they are, and links do not. */
static void without_ptrace(void **state)
{
	struct host_facts bare = facts;
	struct err err = ERR_INIT;
	struct genv_change c;
	struct world w;

	(void)state;
	bare.ptrace = false;
	device_world(&w);
	assert_int_equal(binding_enforcement(genv_binding(w.e, "dev:v"), &bare).cut,
			 CUT_RESTART);
	assert_int_equal(binding_enforcement(genv_binding(w.e, "dev:v"), &facts).cut,
			 CUT_COMPLETE);
	assert_int_equal(
		graph_revoke(w.e, "dev:v", REVOKE_TO_NULL, REVOKE_KILL, &bare, &c, &err),
		PE_REFUSED);
	assert_non_null(strstr(err.text, "ptrace_scope"));
	assert_int_equal(graph_revoke(w.e, "dev:n", REVOKE_TO_NULL, REVOKE_COMPLETE,
				      &bare, &c, &err),
			 0);
	genv_change_fini(&c);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(granted),        cmocka_unit_test(not_granted),
		cmocka_unit_test(without_fuse),   cmocka_unit_test(attenuated),
		cmocka_unit_test(not_attenuated), cmocka_unit_test(revoked),
		cmocka_unit_test(not_revoked),    cmocka_unit_test(over_a_root),
		cmocka_unit_test(nulls_below),    cmocka_unit_test(files),
		cmocka_unit_test(unikernels),     cmocka_unit_test(devices_of_net),
		cmocka_unit_test(without_ptrace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
