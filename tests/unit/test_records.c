/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control messages and the record of a kept environment: there and back; damage at every
 * byte is refused or understood, and never more. */
#include "launch/launch.h"
#include "wire/ctl.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void control(void **state)
{
	struct ctl_head head = { .verb = CTL_STOP, .generation = 1ull << 40 }, back;
	struct err err = ERR_INIT;
	auto_str s = STR_INIT;
	struct rbuf body;

	(void)state;
	ctl_encode(&s, &head);
	for (size_t n = 0; n < s.len; n++)
		assert_int_equal(ctl_decode(s.p, n, &back, &body, &err), PE_BAD);
	put_u32(&s, 15);
	assert_int_equal(ctl_decode(s.p, s.len, &back, &body, &err), 0);
	assert_int_equal(back.verb, CTL_STOP);
	assert_true(back.generation == head.generation);
	assert_int_equal(get_u32(&body), 15);
	assert_false(body.bad);
	assert_int_equal(get_u32(&body), 0);
	assert_true(body.bad);
	s.p[0] ^= 1;
	assert_int_equal(ctl_decode(s.p, s.len, &back, &body, &err), PE_BAD);
	s.p[0] ^= 1;
	str_clear(&s);
	head.verb = CTL_VERB_COUNT;
	ctl_encode(&s, &head);
	assert_int_equal(ctl_decode(s.p, s.len, &back, &body, &err), PE_BAD);
}

static void bind_one(struct genv *e, const char *text)
{
	struct err err = ERR_INIT;

	if (graph_env_bind(e, text, NULL, (struct pos){ 0 }, NULL, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void encode_example(struct str *out)
{
	struct graph *g = graph_new();
	struct err err = ERR_INIT;
	struct expose *x;
	struct genv *e;

	assert_int_equal(graph_env_new(g, "web", (struct pos){ 0 }, &e, &err), 0);
	assert_int_equal(genv_add_arg(e, "sh"), 0);
	assert_int_equal(genv_add_arg(e, ""), 0);
	assert_int_equal(genv_add_var(e, "A", "b=c", (struct pos){ 0 }), 0);
	assert_int_equal(genv_add_expose(e, IF_SOCKET, "sock", "/run/s",
					 (struct pos){ 0 }, &x, &err),
			 0);
	bind_one(e, "/data=/srv,ro,subdir=a");
	bind_one(e, "console=own,size=4K");
	bind_one(e, "identity=own,root,hostname=box");
	assert_int_equal(limits_set(&e->limits, "mem", "64M", &err), 0);
	record_encode(e, "/home/me", "fleet", out);
	assert_false(out->failed);
	graph_free(g);
}

static void record(void **state)
{
	auto_str first = STR_INIT, second = STR_INIT;
	struct graph *g = graph_new();
	const char *cwd, *composition;
	struct err err = ERR_INIT;
	struct genv *e;

	(void)state;
	encode_example(&first);
	assert_int_equal(
		record_decode(g, first.p, first.len, &e, &cwd, &composition, &err), 0);
	assert_string_equal(cwd, "/home/me");
	assert_string_equal(composition, "fleet");
	assert_string_equal(e->name, "web");
	assert_int_equal(e->n_argv, 2);
	assert_string_equal(e->argv[1], "");
	assert_true(e->limits.mem_bytes == 64u << 20);
	assert_non_null(genv_binding(e, "/data"));
	assert_true(binding_readonly(genv_binding(e, "/data")));
	assert_string_equal(genv_expose(e, "sock")->path, "/run/s");
	record_encode(e, cwd, composition, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.p, second.p, first.len);
	graph_free(g);
}

static void damage(void **state)
{
	auto_str good = STR_INIT;
	const char *cwd, *composition;

	(void)state;
	encode_example(&good);
	for (size_t n = 0; n < good.len; n++) {
		struct graph *g = graph_new();
		struct err err = ERR_INIT;
		struct genv *e;

		assert_int_not_equal(
			record_decode(g, good.p, n, &e, &cwd, &composition, &err), 0);
		assert_true(err.text[0]);
		graph_free(g);
	}
	for (size_t n = 0; n < good.len; n++)
		for (int flip = 1; flip < 256; flip *= 2) {
			struct graph *g = graph_new();
			struct err err = ERR_INIT;
			char *copy =
				malloc(good.len); /* exactly, so that ASan sees the end */
			struct genv *e;

			assert_non_null(copy);
			memcpy(copy, good.p, good.len);
			copy[n] ^= (char)flip;
			(void)record_decode(g, copy, good.len, &e, &cwd, &composition,
					    &err);
			graph_free(g);
			free(copy);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control),
		cmocka_unit_test(record),
		cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
