/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The binding grammar: each line of the input is one binding of one environment. What
 * was understood is written, read again and written again: the texts must be the same.
 * Then everything that looks at bindings looks at them, and each is granted to an
 * environment that runs, narrowed and revoked.
 */
#include "graph/caretaker.h"
#include "graph/plan.h"

#define NOW ((uint64_t)1700000000 * 1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct host_facts all = HOST_FACTS_ALL;
static const struct path_base base = { .cwd = "/cwd", .home = "/home/u" };

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void round_trip(const struct binding *b)
{
	struct graph *g = graph_new();
	struct genv *e = NULL;
	struct binding *again = NULL;
	auto_str first = STR_INIT, second = STR_INIT;

	require(g && graph_env_new(g, "x", (struct pos){ 0 }, &e, NULL) == 0);
	binding_write(b, &first);
	require(graph_env_bind(e, str_text(&first), NULL, (struct pos){ 0 }, &again,
			       NULL) == 0);
	binding_write(again, &second);
	require(streq(str_text(&first), str_text(&second)));
	require(again->iface == b->iface && again->source == b->source);
	require(again->n_options == b->n_options && again->n_through == b->n_through);
	require(streq(again->slot, b->slot));
	graph_free(g);
}

static void look(struct graph *g, struct genv *e)
{
	struct host_facts none = { 0 };
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);
	struct diags d = { 0 };

	(void)graph_check(g, &none, false, &d);
	(void)graph_check(g, &all, true, &d);
	diags_sort(&d);
	diags_write(&d, g, &out);
	for (size_t i = 0; i < e->n_bindings; i++)
		(void)graph_why(g, "e", e->bindings[i].slot, &out);
	graph_to_dot(g, &out);
	require(graph_authdiff(g, g, false, &out) == 0);
	str_clear(&out);
	graph_to_json(g, &all, &j);
	diags_fini(&d);
}

/* What was decided once is decided so when it is played, and has a sentence if not. */
static void play_one(struct genv *run, const struct binding *b)
{
	static const char *const words[] = { "ro", "hide=x,max=1", "ttl=1" };
	struct genv_change c;
	struct err err = ERR_INIT;
	int r = graph_grant(run, b, &all, true, NOW, &c, &err);

	require(r == 0 || (r > 0 && *err.text) || r == -E2BIG);
	if (r != 0)
		return;
	require(c.binding.slot && genv_change_apply(run, &c) == 0);
	genv_change_fini(&c);
	r = graph_attenuate(run, b->slot, words, ARRAY_LEN(words), &all, NOW, &c, &err);
	require(r == 0 || (r > 0 && *err.text) || r == -E2BIG);
	if (r == 0) {
		require(genv_change_apply(run, &c) == 0);
		genv_change_fini(&c);
		r = graph_attenuate(run, b->slot, words, ARRAY_LEN(words), &all, NOW, &c,
				    &err);
		require(r == 0 && c.step == CHANGE_NOTHING);
		genv_change_fini(&c);
	}
	if (b->source == SRC_OWN) /* what comes next may lie in it */
		return;
	r = graph_revoke(run, b->slot, REVOKE_TO_NULL, REVOKE_KILL, &all, &c, &err);
	require(r == 0 || (r > 0 && *err.text));
	if (r == 0)
		require(genv_change_apply(run, &c) == 0);
	if (r == 0)
		genv_change_fini(&c);
}

static void play(struct graph *g, const struct genv *e)
{
	static const struct plan_how how = { .now_ns = NOW, .accept_weaker = true };
	struct graph *running = graph_new();
	struct genv *run = NULL;
	struct plan p;
	bool fixed = true;

	require(running && graph_env_new(running, "e", e->pos, &run, NULL) == 0);
	running->open = true;
	for (size_t i = 0; i < e->n_bindings; i++) {
		play_one(run, &e->bindings[i]);
		fixed &= binding_fix_ttl(&e->bindings[i], NOW, NULL) == 0;
	}
	graph_free(running);
	if (!fixed)
		return;
	require(graph_plan(g, g, &all, &how, &p, NULL) == 0 && plan_todo(&p) == 0);
	plan_fini(&p);
}

/* The same bindings beside a unikernel that has some of their devices. */
static void become_unikernel(struct genv *e)
{
	bool net = false;

	require(genv_set_image(e, "/x.hvt", (struct pos){ "f", 1, 1 }) == 0);
	genv_set_program(e, PROGRAM_HVT);
	for (size_t i = 0; i < e->n_bindings && e->n_devices < 40; i++) {
		const char *name = slot_device(e->bindings[i].slot);

		net = !net;
		if (name && i % 5 != 4)
			require(genv_add_device(e, name, net ? IF_NET : IF_VOLUME,
						NULL) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct graph *g = graph_new();
	auto_free char *text = malloc(size + 1);
	struct genv *e = NULL;
	char *line, *next;

	require(g && text && graph_env_new(g, "e", (struct pos){ 0 }, &e, NULL) == 0);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (line = text; line; line = next) {
		struct err err = ERR_INIT;
		struct binding *b = NULL;
		int r;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = graph_env_bind(e, line, &base, (struct pos){ "f", 1, 1 }, &b, &err);
		require(r == 0 || (r > 0 && *err.text));
		if (r == 0)
			round_trip(b);
	}
	require(genv_add_defaults(e) == 0 || e->n_bindings > 1000);
	look(g, e);
	play(g, e);
	become_unikernel(e);
	look(g, e);
	graph_free(g);
	return 0;
}
