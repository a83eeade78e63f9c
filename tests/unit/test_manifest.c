/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests: what is read from one, and where each mistake is said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "manifest/manifest.h"

const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 forgets a kilobyte on some syntax errors; ours would still show. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

static const struct path_base base = { .cwd = "/dir", .home = "/home/u" };

struct loaded {
	struct graph *g;
	struct diags d;
	int r;
};

static struct loaded load(const char *text)
{
	struct loaded l = { .g = graph_new() };
	struct err err = ERR_INIT;

	l.r = manifest_load_text(l.g, "m.yaml", text, strlen(text), &base, &l.d, &err);
	return l;
}

static struct loaded load_good(const char *text)
{
	struct loaded l = load(text);

	if (l.d.n)
		fail_msg("%u:%u: %s", l.d.v[0].pos.line, l.d.v[0].pos.column,
			 l.d.v[0].text);
	assert_int_equal(l.r, 0);
	return l;
}

static void loaded_fini(struct loaded *l)
{
	diags_fini(&l->d);
	graph_free(l->g);
}

static void want_slot(const struct genv *e, const char *slot, const char *written)
{
	const struct binding *b = genv_binding(e, slot);
	auto_str out = STR_INIT;

	assert_non_null(b);
	binding_write(b, &out);
	assert_string_equal(str_text(&out), written);
}

static void everything(void **state)
{
	struct loaded l =
		load_good("name: fleet\n"
			  "quota: {mem: 1G, pids: 100}\n"
			  "environments:\n"
			  "  web:\n"
			  "    run: [httpd, -f, '']\n"
			  "    vars: {LANG: C, N: 1, HOME: null, EMPTY: ''}\n"
			  "    root: ./tree\n"
			  "    chdir: /srv\n"
			  "    slots:\n"
			  "      /srv: ../www,ro\n"
			  "      /home/x: ~/x\n"
			  "      /none: ~\n"
			  "      socket:/run/db: env:db/sql\n"
			  "      net: null\n"
			  "      console: own,size=8K\n"
			  "    exposes:\n"
			  "      pages: {dir: /srv}\n"
			  "    limits: {mem: 64M, cpu: 50%, pids: 8, time: 1h}\n"
			  "    ready: {path: /run/up, timeout: 5s}\n"
			  "    after: [db]\n"
			  "  db:\n"
			  "    run: db --path '/a b' \"c\\\"d\" e\\ f\n"
			  "    exposes: {sql: {socket: /run/sql}}\n"
			  "    ready: {notify: true}\n");
	struct host_facts facts = HOST_FACTS_ALL;
	struct genv *web = graph_env(l.g, "web"), *db = graph_env(l.g, "db");

	(void)state;
	assert_string_equal(l.g->name, "fleet");
	assert_int_equal(l.g->quota.mem_bytes, 1 << 30);
	assert_int_equal(web->n_argv, 3);
	assert_string_equal(web->argv[2], "");
	assert_null(web->argv[3]);
	assert_int_equal(web->n_vars, 4);
	assert_string_equal(web->vars[1].value, "1");
	assert_null(web->vars[2].value);
	assert_string_equal(web->vars[3].value, "");
	assert_string_equal(genv_root(web), "/dir/tree");
	assert_string_equal(web->chdir, "/srv");
	want_slot(web, "/srv", "/srv=/dir/../www,ro");
	want_slot(web, "/home/x", "/home/x=/home/u/x");
	want_slot(web, "/none", "/none=null");
	want_slot(web, "/run/db", "socket:/run/db=env:db/sql");
	want_slot(web, "console", "console=own,size=8K");
	assert_true(genv_binding(web, "clock")->implied);
	assert_false(genv_binding(web, "net")->implied);
	assert_int_equal(genv_expose(web, "pages")->iface, IF_DIR);
	assert_int_equal(web->limits.cpu_percent, 50);
	assert_int_equal(web->ready.kind, READY_PATH);
	assert_string_equal(web->ready.path, "/run/up");
	assert_int_equal(web->ready.timeout_ms, 5000);
	assert_int_equal(db->ready.kind, READY_NOTIFY);
	assert_int_equal(db->n_argv, 5);
	assert_string_equal(db->argv[2], "/a b");
	assert_string_equal(db->argv[3], "c\"d");
	assert_string_equal(db->argv[4], "e f");
	assert_int_equal(graph_check(l.g, &facts, false, &l.d), 0);
	assert_int_equal(web->order, 1);
	loaded_fini(&l);
}

static void the_long_form(void **state)
{
	struct loaded l =
		load_good("environments:\n"
			  "  a:\n"
			  "    run: x\n"
			  "    slots:\n"
			  "      /d: {from: /srv, through: [ro, {subdir: a/b}]}\n"
			  "      /e: {from: '/srv,ro', through: subdir=c}\n"
			  "      /f: {from: fake, files: {x: 1, y/z: \"\\t\", e: ~}}\n"
			  "      /o: {optional: true}\n"
			  "      /p: {from: null, required: false}\n"
			  "      /q: {from: own, size: 1M}\n"
			  "      identity: {from: own, root: true, hostname: box}\n"
			  "      console: {from: fake, input: 'a,b=c'}\n"
			  "  b:\n"
			  "    run: x\n"
			  "    slots:\n"
			  "      identity: {from: own, root: false}\n");
	struct genv *a = graph_env(l.g, "a");
	const struct binding *f = genv_binding(a, "/f");

	(void)state;
	want_slot(a, "/d", "/d=/srv,ro,subdir=a/b");
	want_slot(a, "/e", "/e=/srv,ro,subdir=c");
	assert_int_equal(f->n_fakes, 3);
	assert_string_equal(f->fakes[0].content, "1");
	assert_string_equal(f->fakes[1].path, "y/z");
	assert_int_equal(f->fakes[2].content_len, 0);
	assert_true(genv_binding(a, "/o")->unbound && genv_binding(a, "/o")->optional);
	assert_false(genv_binding(a, "/p")->unbound);
	assert_true(genv_binding(a, "/p")->optional);
	want_slot(a, "/q", "/q=own,size=1M");
	want_slot(a, "identity", "identity=own,root,hostname=box");
	want_slot(a, "console", "console=fake,input=a\\,b=c");
	want_slot(graph_env(l.g, "b"), "identity", "identity=own");
	loaded_fini(&l);
}

static void unikernels(void **state)
{
	struct loaded l =
		load_good("templates:\n"
			  "  t: {image: old.hvt, args: [--old]}\n"
			  "environments:\n"
			  "  web:\n"
			  "    image: web.spt\n"
			  "    args: [--ip, '']\n"
			  "    slots:\n"
			  "      dev:storage: ../disk.img,ro\n"
			  "      dev:data: {from: own, base: ./b, block: 4096}\n"
			  "      dev:service: {from: own, mac: '52:54:00:00:00:01'}\n"
			  "      net:dev:two: env:db/dev:eth\n"
			  "  db: {like: t, image: ~/u.spt}\n"
			  "  shell: {like: t, run: sh}\n"
			  "  args: {like: t, args: --verbose 'a b'}\n");
	struct genv *web = graph_env(l.g, "web"), *db = graph_env(l.g, "db");
	struct genv *sh = graph_env(l.g, "shell"), *args = graph_env(l.g, "args");

	(void)state;
	assert_string_equal(web->image, "/dir/web.spt");
	assert_int_equal(web->image_pos.line, 5);
	assert_int_equal(web->image_pos.column, 12);
	assert_true(program_is_unikernel(web->program));
	assert_false(web->devices_known);
	assert_int_equal(web->n_argv, 2);
	assert_string_equal(web->argv[0], "--ip");
	want_slot(web, "dev:storage", "dev:storage=/dir/../disk.img,ro");
	want_slot(web, "dev:data", "dev:data=own,base=/dir/b,block=4096");
	want_slot(web, "dev:service", "dev:service=own,mac=52:54:00:00:00:01");
	want_slot(web, "dev:two", "net:dev:two=env:db/eth");
	assert_null(genv_binding(web, "net"));
	assert_null(genv_binding(web, "identity"));
	assert_string_equal(db->image, "/home/u/u.spt");
	assert_int_equal(db->n_argv, 0);
	assert_null(sh->image);
	assert_int_equal(sh->program, PROGRAM_LINUX);
	assert_int_equal(sh->n_argv, 1);
	assert_non_null(genv_binding(sh, "identity"));
	assert_string_equal(args->image, "/dir/old.hvt");
	assert_string_equal(args->argv[1], "a b");
	loaded_fini(&l);
}

static void layers(void **state)
{
	struct loaded l =
		load_good("defaults:\n"
			  "  vars: {A: 1, B: 1}\n"
			  "  slots: {net: null, /common: own}\n"
			  "  limits: {mem: 64M, pids: 9}\n"
			  "templates:\n"
			  "  base:\n"
			  "    run: [base]\n"
			  "    vars: {B: 2}\n"
			  "    slots: {/data: /base, /x: /x}\n"
			  "    exposes: {d: {dir: /data}}\n"
			  "  more: {like: base, run: more it, limits: {mem: 128M}}\n"
			  "environments:\n"
			  "  a:\n"
			  "    like: more\n"
			  "    slots: {/data/: '/a,ro', /common: null}\n"
			  "    exposes: {d: {socket: /s}}\n"
			  "  b: {like: a, vars: {A: 3}, slots: {net: host}, root: /t}\n"
			  "  c: {like: b, root: null}\n"
			  "  d: {run: alone}\n");
	struct genv *a = graph_env(l.g, "a"), *b = graph_env(l.g, "b"),
		    *c = graph_env(l.g, "c");

	(void)state;
	assert_string_equal(a->argv[0], "more");
	assert_int_equal(a->n_argv, 2);
	assert_string_equal(a->vars[0].value, "1");
	assert_string_equal(a->vars[1].value, "2");
	assert_int_equal(a->limits.mem_bytes, 128 << 20);
	assert_int_equal(a->limits.pids, 9);
	want_slot(a, "/data", "/data=/a,ro");
	want_slot(a, "/x", "/x=/x");
	want_slot(a, "/common", "/common=null");
	assert_int_equal(a->n_exposes, 1);
	assert_int_equal(genv_expose(a, "d")->iface, IF_SOCKET);
	want_slot(b, "net", "net=host");
	want_slot(b, "/data", "/data=/a,ro");
	assert_string_equal(b->vars[0].value, "3");
	assert_string_equal(genv_root(b), "/t");
	assert_null(genv_root(c));
	want_slot(graph_env(l.g, "d"), "/common", "/common=own");
	assert_int_equal(graph_env(l.g, "d")->limits.mem_bytes, 64 << 20);
	loaded_fini(&l);
}

static void documents_and_lists(void **state)
{
	struct loaded l = load_good("name: fleet\n"
				    "---\n"
				    "environments:\n"
				    "- {name: a, run: x, like: late}\n"
				    "- name: b\n"
				    "  run: &cmd [y, z]\n"
				    "- {name: c, run: *cmd}\n"
				    "---\n"
				    "environments:\n"
				    "  d: {run: w}\n"
				    "---\n"
				    "templates: {late: {vars: {T: 1}}}\n");

	(void)state;
	assert_int_equal(l.g->n_envs, 4);
	assert_string_equal(graph_env(l.g, "c")->argv[1], "z");
	assert_string_equal(graph_env(l.g, "a")->vars[0].key, "T");
	assert_int_equal(graph_env(l.g, "d")->pos.line, 10);
	loaded_fini(&l);
}

/* ---- mistakes ---- */

struct mistake {
	const char *text;
	unsigned line, column;
	const char *sentence, *hint;
};

static const struct mistake mistakes[] = {
	{ "environments: {a: {run: x}}\nnmae: b", 2, 1, "a manifest has no key \"nmae\"",
	  "did you mean \"name\"?" },
	{ "name: B", 1, 7, "\"B\" is not a name", NULL },
	{ "name: [b]", 1, 7, "name is a text, not a list", NULL },
	{ "- a", 1, 1, "a manifest is a mapping (\"key: value\"), not a list", NULL },
	{ "just words", 1, 1, "a manifest is a mapping (\"key: value\"), not a text",
	  NULL },
	{ "environments: 3", 1, 15, "environments is a mapping", NULL },
	{ "environments:\n- run: x", 2, 3, "an environment in a list needs name:", NULL },
	{ "environments:\n- 3", 2, 3, "an environment is a mapping", NULL },
	{ "environments:\n- {name: ''}", 2, 10, "an environment's name is empty", NULL },
	{ "environments:\n  A: {run: x}", 2, 3, "\"A\" is not a name", NULL },
	{ "environments:\n  a: x", 2, 6, "an environment is a mapping", NULL },
	{ "environments:\n  a: {name: b, run: x}", 2, 13, "named by its key", NULL },
	{ "environments:\n- {name: a, run: x}\n- {name: a, run: x}", 3, 10,
	  "two environments \"a\" (first: m.yaml:2:10)", NULL },
	{ "environments:\n  a: {run: x}\n  a: {run: x}", 3, 3,
	  "the key \"a\" is there twice", "the first is at m.yaml:2:3" },
	{ "environments:\n  a: {run: x, rnu: y}", 2, 15,
	  "an environment has no key \"rnu\"", "did you mean \"run\"?" },
	{ "environments:\n  a: {run: x, colour: y}", 2, 15, "has no key \"colour\"",
	  "there are: run, vars" },
	{ "environments:\n  a: {run: []}", 2, 12,
	  "run is a text or a list of texts, and not", "as run: [PROGRAM" },
	{ "environments:\n  a: {run: {x: y}}", 2, 12, "run is a text or a list", NULL },
	{ "environments:\n  a: {run: }", 2, 7, "run is a text or a list", NULL },
	{ "environments:\n  a: {run: [x, ~]}", 2, 16,
	  "an argument (\"\" is the empty one)", NULL },
	{ "environments:\n  a: {run: ['', x]}", 2, 12, "the program's name is empty",
	  NULL },
	{ "environments:\n  a: {run: '  '}", 2, 12, "run is empty", NULL },
	{ "environments:\n  a: {run: 'x \"y'}", 2, 12, "the quote \" is not closed",
	  NULL },
	{ "environments:\n  a: {run: x, vars: {1A: b}}", 2, 22,
	  "\"1A\" is not the name of a "
	  "variable",
	  NULL },
	{ "environments:\n  a: {run: x, vars: {A: [b]}}", 2, 25,
	  "a variable's value is a text", NULL },
	{ "environments:\n  a: {run: x, vars: [A]}", 2, 21, "vars is a mapping", NULL },
	{ "environments:\n  a: {run: x, root: tree}", 2, 21, "is not a path that begins",
	  NULL },
	{ "environments:\n  a: {run: x, chdir: tmp}", 2, 22, "chdir is an absolute path",
	  NULL },
	{ "environments:\n  a: {run: x, slots: [net]}", 2, 22, "slots is a mapping",
	  NULL },
	{ "environments:\n  a: {run: x, slots: {nte: ~}}", 2, 23,
	  "there is no slot \"nte\"", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: [y]}}", 2, 27,
	  "a slot's binding is a text", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: '/y,rw'}}", 2, 27,
	  "\"rw\" is neither", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: /y,ro}}", 2, 30,
	  "there is no slot \"ro\"", "a comma ends a text" },
	{ "environments:\n  a: {run: x, slots: {/x: /y,subdir=z}}", 2, 30,
	  "there is no slot \"subdir=z\"", "a comma ends a text" },
	{ "environments:\n  a:\n    run: x\n    slots:\n      /x: own\n      /x/: own", 6,
	  7, "the slot \"/x\" is bound twice (first: m.yaml:5:11)", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {form: /y}}}", 2, 28,
	  "a dir slot has no key \"form\"", "did you mean \"from\"?" },
	{ "environments:\n  a: {run: x, slots: {net: {size: 1}}}", 2, 29,
	  "a net slot has no key \"size\"", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {from: /y, optional: maybe}}}", 2, 48,
	  "optional is true or false", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {from: /y, optional: true, required: "
	  "true}}}",
	  2, 27, "optional and required say the same", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {from: fake, files: {../y: ''}}}}", 2,
	  48, "has a relative path without \"..\"", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {from: fake, files: {y: []}}}}", 2,
	  51, "a file's content is a text", NULL },
	{ "environments:\n  a: {run: x, slots: {/x: {from: /y, through: {a: b, c: d}}}}",
	  2, 47, "a caretaker is a text", NULL },
	{ "environments:\n  a: {run: x, slots: {identity: {from: own, root: 1}}}", 2, 51,
	  "root is true or false", NULL },
	{ "environments:\n  a: {run: x, exposes: {d: /x}}", 2, 28,
	  "a server is one interface and one path", "as {dir: /srv/data}" },
	{ "environments:\n  a: {run: x, exposes: {d: {dri: /x}}}", 2, 29,
	  "\"dri\" is no interface", "dir or socket" },
	{ "environments:\n  a: {run: x, exposes: {d: {net: /x}}}", 2, 34,
	  "a Linux program exposes a dir or a socket, not a net", NULL },
	{ "environments:\n  a: {run: x, exposes: {d: {dir: x}}}", 2, 34,
	  "a server's path is absolute", NULL },
	{ "environments:\n  a: {run: x, limits: {mem: 1Q}}", 2, 29, "mem takes bytes",
	  NULL },
	{ "environments:\n  a: {run: x, limits: {meme: 1G}}", 2, 24,
	  "no limit is called \"meme\" (did you mean mem?)", NULL },
	{ "quota: {pids: none}", 1, 15, "pids takes a number", NULL },
	{ "environments:\n  a: {run: x, ready: {path: x}}", 2, 29, "path is absolute",
	  NULL },
	{ "environments:\n  a: {run: x, ready: {timeout: long}}", 2, 32,
	  "timeout is a duration", NULL },
	{ "environments:\n  a: {run: x, ready: {path: /x, notify: true}}", 2, 22,
	  "ready is a path or a notification", NULL },
	{ "environments:\n  a: {run: x, ready: {notify: 1}}", 2, 31,
	  "notify is true or false", NULL },
	{ "environments:\n  a: {run: x, after: [[b]]}", 2, 23,
	  "the name of an environment to", NULL },
	{ "environments:\n  a: {run: x, links: {}}", 2, 15, "come with the router",
	  "expose a socket" },
	{ "links: {}\nenvironments: {a: {run: x}}", 1, 1, "come with the router", NULL },
	{ "templates: {work: {run: x}}\nenvironments: {a: {like: wrok, run: x}}", 2, 26,
	  "there is no template or environment \"wrok\"", "did you mean work?" },
	{ "environments:\n  a: {like: b, run: x}\n  b: {like: a}", 3, 13,
	  "like: goes in a circle", NULL },
	{ "defaults: {like: a}\nenvironments: {a: {run: x}}", 1, 18,
	  "defaults cannot be like", NULL },
	{ "defaults: {name: a}\nenvironments: {a: {run: x}}", 1, 18,
	  "defaults have no name", NULL },
	{ "defaults: {vars: {A: 1}}\n---\ndefaults: {vars: {A: 1}}", 3, 1,
	  "defaults in an earlier document", NULL },
	{ "templates: {t: {run: x}}\n---\ntemplates: {u: {run: x}}", 3, 1,
	  "templates in an earlier document", NULL },
	{ "quota: {pids: 3}\n---\nquota: {pids: 3}", 3, 1, "quota in an earlier document",
	  NULL },
	{ "environments:\n  a: {run: x, image: y}", 2, 12, "run and image are both",
	  "stand in args" },
	{ "environments:\n  a: {run: x, args: [y]}", 2, 15, "args belong to an image",
	  "stand in run" },
	{ "environments:\n  a: {image: [x]}", 2, 14, "an image is a text", NULL },
	{ "environments:\n  a: {image: ''}", 2, 14, "image is empty", NULL },
	{ "environments:\n  a: {image: ~x/y}", 2, 14, "only ~/ is known", NULL },
	{ "environments:\n  a: {image: x, args: {y: z}}", 2, 23, "args is a text", NULL },
	{ "environments:\n  a: {image: x, slots: {dev:d: {from: own, base: x}}}", 2, 50,
	  "is not a path that begins with", NULL },
	{ "environments:\n  a: {image: x, slots: {\"dev:a/b\": ~}}", 2, 25,
	  "the name of a device", NULL },
	{ "name: a\n---\nname: b", 3, 1, "named twice", NULL },
	{ "templates: {t: {unused: 1}}\nenvironments: {a: {run: x}}", 1, 17,
	  "has no key \"unused\"", NULL },
	{ "templates: {t: x}\nenvironments: {a: {run: x}}", 1, 16,
	  "a template is a mapping", NULL },
	/* YAML itself */
	{ "environments: {a: *b}", 1, 19, "there is no anchor \"b\" before this", NULL },
	{ "environments: {a: &b {run: *b}}", 1, 28, "there is no anchor \"b\"", NULL },
	{ "environments: !x {}", 1, 18, "a manifest has no tags", NULL },
	{ "? [a]\n: b", 1, 3, "a key is a text, not a list", NULL },
	{ "environments:\n  a: {run: \"x", 2, 13, "without closing quote", NULL },
	{ "environments:\n\ta: 3", 2, 1, "tab", NULL },
	{ "environments: {a: {run: [x, \"a\\0b\"]}}", 1, 29,
	  "a text cannot hold a zero byte", NULL },
	{ "a: \xc3\xa9\xff", 1, 5, "the byte 0xff is not UTF-8", "UTF-8" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1, 25, "nested deeper than 24", NULL },
};

static void want_mistake(const struct mistake *m)
{
	struct loaded l = load(m->text);
	size_t i;

	for (i = 0; i < l.d.n; i++)
		if (strstr(l.d.v[i].text, m->sentence))
			break;
	if (i == l.d.n || l.d.v[i].pos.line != m->line ||
	    l.d.v[i].pos.column != m->column)
		fail_msg("%s\n%u:%u: %s", m->text,
			 l.d.n ? l.d.v[i < l.d.n ? i : 0].pos.line : 0,
			 l.d.n ? l.d.v[i < l.d.n ? i : 0].pos.column : 0,
			 l.d.n ? l.d.v[i < l.d.n ? i : 0].text : "accepted");
	assert_int_equal(l.r, PE_BAD);
	assert_string_equal(l.d.v[i].pos.file, "m.yaml");
	if (m->hint) {
		assert_non_null(l.d.v[i].hint);
		assert_non_null(strstr(l.d.v[i].hint, m->hint));
	}
	loaded_fini(&l);
}

static void each_mistake(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
		want_mistake(&mistakes[i]);
}

/* All at once: each is reported, none hides another. */
static void all_mistakes(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	struct loaded l = load("nmae: x\n"
			       "environments:\n"
			       "  a:\n"
			       "    rnu: x\n"
			       "    slots:\n"
			       "      clokc: ~\n"
			       "      /x: env:b/none\n"
			       "      net: own\n"
			       "    limits: {mem: x, pids: y}\n"
			       "  b: {run: 'a | b', after: [cc]}\n"
			       "  c: {run: x, after: [c]}\n");
	auto_str out = STR_INIT;

	(void)state;
	assert_int_equal(graph_check(l.g, &facts, false, &l.d), PE_REFUSED);
	diags_sort(&l.d);
	diags_write(&l.d, l.g, &out);
	assert_int_equal(l.d.n_errors, 10);
	assert_int_equal(l.d.n, 11);
	assert_non_null(strstr(str_text(&out),
			       "m.yaml:3:3: error: \"a\" has nothing to run\n"
			       "    3 |   a:\n"
			       "      |   ^\n"
			       "      = hint: add run:"));
	assert_non_null(
		strstr(str_text(&out), "m.yaml:7:11: error: \"b\" exposes no server"));
	assert_non_null(
		strstr(str_text(&out), "m.yaml:10:12: warning: \"|\" is given to the"));
	assert_non_null(strstr(str_text(&out),
			       "m.yaml:11:23: error: environments wait for each "
			       "other: c → c"));
	loaded_fini(&l);
}

/* A template's mistake is reported once, however many use it. */
static void shared_mistakes(void **state)
{
	struct host_facts facts = HOST_FACTS_ALL;
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "defaults: {slots: {net: own}, vras: 1}\nenvironments:\n");
	for (int i = 0; i < 50; i++)
		str_addf(&text, "  e%d: {run: x}\n", i);
	l = load(str_text(&text));
	assert_int_equal(graph_check(l.g, &facts, false, &l.d), PE_REFUSED);
	assert_int_equal(l.d.n, 2);
	loaded_fini(&l);
}

static void many_shared_mistakes(void **state)
{
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "defaults:\n  vars:\n");
	for (int i = 0; i < 100; i++)
		str_addf(&text, "    %dX: 1\n", i);
	str_add(&text, "environments: {a: {run: x}, b: {run: x}}\n");
	l = load(str_text(&text));
	assert_int_equal(l.d.n, 100);
	loaded_fini(&l);
}

static void a_long_way_of_likes(void **state)
{
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "templates:\n  t0: {run: x}\n");
	for (int i = 1; i < 40; i++)
		str_addf(&text, "  t%d: {like: t%d}\n", i, i - 1);
	str_add(&text, "environments: {a: {like: t30}}\n");
	l = load_good(str_text(&text));
	assert_string_equal(graph_env(l.g, "a")->argv[0], "x");
	loaded_fini(&l);
	str_add(&text, "---\nenvironments: {b: {like: t39}}\n");
	l = load(str_text(&text));
	assert_non_null(strstr(l.d.v[0].text, "like: goes over more than 32 steps"));
	loaded_fini(&l);
}

static void syntax_hides_the_rest(void **state)
{
	struct loaded l = load("nmae: x\nenvironments:\n  a: {run: [x\n  b: 3\n");

	(void)state;
	assert_int_equal(l.r, PE_BAD);
	assert_int_equal(l.d.n_errors, 1);
	assert_int_equal(l.g->n_envs, 0);
	loaded_fini(&l);
}

static void nothing_in_it(void **state)
{
	struct loaded l = load("# only a comment\n");

	(void)state;
	assert_int_equal(l.r, 0);
	assert_true(l.d.n == 1 && l.d.v[0].warning);
	loaded_fini(&l);
}

static void aliases_do_not_multiply(void **state)
{
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "templates:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 20; i++) {
		str_addf(&text, "  a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			str_addf(&text, "%s*a%d", k ? ", " : "", i - 1);
		str_add(&text, "]\n");
	}
	str_add(&text, "environments: {a: {run: *a19}}\n");
	l = load(str_text(&text));
	assert_int_equal(l.r, PE_BAD);
	assert_true(l.d.n < 50);
	loaded_fini(&l);
}

static void a_large_mapping(void **state)
{
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "environments:\n");
	for (int i = 0; i < 3000; i++)
		str_addf(&text, "  e%d: {run: x}\n", i);
	str_add(&text, "  e1234: {run: y}\n");
	l = load(str_text(&text));
	assert_int_equal(l.g->n_envs, 3000);
	assert_int_equal(l.d.n, 1);
	assert_int_equal(l.d.v[0].pos.line, 3002);
	assert_string_equal(l.d.v[0].hint, "the first is at m.yaml:1236:3");
	assert_string_equal(graph_env(l.g, "e1234")->argv[0], "x");
	loaded_fini(&l);
}

static void add_slots(struct str *text, const char *name, int from, int n)
{
	str_addf(text, "  %s:\n    slots:\n", name);
	for (int i = from; i < from + n; i++)
		str_addf(text, "      /s%d: own\n", i);
}

/* What one template may hold, two may not: the second use of both is reported too. */
static void too_many_slots(void **state)
{
	auto_str text = STR_INIT;
	struct loaded l;

	(void)state;
	str_add(&text, "templates:\n");
	add_slots(&text, "half", 0, 600);
	add_slots(&text, "other", 600, 600);
	str_add(&text, "    like: half\n"
		       "environments:\n"
		       "  one: {like: half, run: x}\n");
	l = load_good(str_text(&text));
	loaded_fini(&l);
	str_add(&text, "  two: {like: other, run: x}\n  three: {like: other, run: x}\n");
	l = load(str_text(&text));
	assert_int_equal(l.r, PE_BAD);
	assert_string_equal(l.d.v[0].text, "more than 1024 slots");
	assert_non_null(strstr(l.d.v[l.d.n - 1].text, "\"three\" has too many slots"));
	loaded_fini(&l);
}

static void files(void **state)
{
	static const struct path_base cwd = { .cwd = "/else", .home = "/h" };
	char path[] = "/tmp/polder-manifest-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "environments: {a: {run: x, slots: {/d: ./data}}}\n";
	struct graph *g = graph_new();
	struct diags d = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	(void)close(fd);
	assert_int_equal(manifest_load(g, path, &cwd, &d, &err), 0);
	want_slot(graph_env(g, "a"), "/d", "/d=/tmp/data");
	(void)unlink(path);
	assert_int_equal(manifest_load(g, path, &cwd, &d, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot open '/tmp/polder-manifest-"));
	diags_fini(&d);
	graph_free(g);
}

static void words(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *last;
		char shell;
	} cases[] = {
		{ "", 0, NULL, 0 },
		{ " a  b\tc\n", 3, "c", 0 },
		{ "a ''", 2, "", 0 },
		{ "a'b'\"c\"d", 1, "abcd", 0 },
		{ "'a\\b'", 1, "a\\b", 0 },
		{ "'a\\\"b'", 1, "a\\\"b", 0 },
		{ "\"a\\b\\\"\\$\"", 1, "a\\b\"$", 0 },
		{ "a\\ b", 1, "a b", 0 },
		{ "a\\", 1, "a\\", 0 },
		{ "a $B", 2, "$B", '$' },
		{ "a '$B|'", 2, "$B|", 0 },
		{ "a > b", 3, "b", '>' },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char **v = NULL, shell = 0;
		size_t n = 0;

		assert_int_equal(words_split(cases[i].text, &v, &n, &shell, NULL), 0);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(shell, cases[i].shell);
		if (n > 0)
			assert_string_equal(v[n - 1], cases[i].last);
		for (size_t k = 0; k < n; k++)
			free(v[k]);
		free(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),
		cmocka_unit_test(the_long_form),
		cmocka_unit_test(unikernels),
		cmocka_unit_test(layers),
		cmocka_unit_test(documents_and_lists),
		cmocka_unit_test(each_mistake),
		cmocka_unit_test(all_mistakes),
		cmocka_unit_test(shared_mistakes),
		cmocka_unit_test(many_shared_mistakes),
		cmocka_unit_test(a_long_way_of_likes),
		cmocka_unit_test(syntax_hides_the_rest),
		cmocka_unit_test(nothing_in_it),
		cmocka_unit_test(aliases_do_not_multiply),
		cmocka_unit_test(a_large_mapping),
		cmocka_unit_test(too_many_slots),
		cmocka_unit_test(files),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
