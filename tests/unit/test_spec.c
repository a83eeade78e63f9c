/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The spec of a tender: what goes in comes out, and what is damaged or forbidden does
 * not come in.
 */
#include "wire/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static char arg0[] = "true", arg1[] = "", env0[] = "PATH=/usr/bin";

static struct spec good(void)
{
	struct spec s = SPEC_INIT;
	char *argv[] = { arg0, arg1, NULL }, *envp[] = { env0, NULL };
	struct spec_mount *m;

	memset(s.id, 7, sizeof(s.id));
	s.generation = 3;
	s.name = spec_str(&s, "web");
	s.flags = SPEC_TIMENS;
	s.argv = spec_vec(&s, argv, &s.n_argv);
	s.envp = spec_vec(&s, envp, &s.n_envp);
	s.cwd = spec_str(&s, "/home/user");
	s.hostname = spec_str(&s, "polder");
	s.uid = s.gid = 1000;
	s.uid_maps = spec_alloc(&s, sizeof(*s.uid_maps));
	s.gid_maps = spec_alloc(&s, sizeof(*s.gid_maps));
	assert_true(s.uid_maps && s.gid_maps);
	*s.uid_maps = *s.gid_maps = (struct spec_map){ 1000, 100000, 1 };
	s.n_uid_maps = s.n_gid_maps = 1;
	s.console = SPEC_CONSOLE_FAKE;
	s.console_input = spec_str(&s, "abc");
	s.console_input_len = 3;
	s.mono_offset_ns = -5;
	s.limit_mem = 1 << 30;
	s.ready_path = spec_str(&s, "/run/sock");
	m = spec_add_mount(&s, SPEC_MOUNT_BIND, "/usr", "/usr");
	m->flags = SPEC_MOUNT_RO;
	m->dev = 2;
	m->ino = 11;
	m = spec_add_mount(&s, SPEC_MOUNT_FILE, NULL, "/etc/hostname");
	m->data = spec_str(&s, "polder\n");
	m->data_len = 7;
	assert_false(s.failed);
	return s;
}

static void assert_bad(const struct spec *s, const char *sentence)
{
	struct err err = ERR_INIT;

	assert_int_equal(spec_check(s, &err), PE_BAD);
	if (!strstr(err.text, sentence))
		fail_msg("\"%s\" does not say \"%s\"", err.text, sentence);
}

static void comes_out_as_it_went_in(void **state)
{
	struct spec s = good(), t = SPEC_INIT;
	auto_str bytes = STR_INIT;
	struct err err = ERR_INIT;

	(void)state;
	spec_encode(&s, &bytes);
	assert_int_equal(spec_decode(&t, bytes.p, bytes.len, &err), 0);
	assert_memory_equal(t.id, s.id, sizeof(s.id));
	assert_string_equal(t.name, "web");
	assert_int_equal(t.n_argv, 2);
	assert_string_equal(t.argv[0], "true");
	assert_string_equal(t.argv[1], "");
	assert_null(t.argv[2]);
	assert_string_equal(t.envp[0], "PATH=/usr/bin");
	assert_int_equal(t.uid_maps[0].outside, 100000);
	assert_int_equal(t.console, SPEC_CONSOLE_FAKE);
	assert_memory_equal(t.console_input, "abc", 3);
	assert_true(t.mono_offset_ns == -5);
	assert_string_equal(t.ready_path, "/run/sock");
	assert_int_equal(t.n_mounts, 2);
	assert_int_equal(t.mounts[0].ino, 11);
	assert_int_equal(t.mounts[0].fd, -1);
	assert_null(t.mounts[1].src);
	assert_memory_equal(t.mounts[1].data, "polder\n", 7);
	spec_fini(&t);
	spec_fini(&s);
}

static void is_refused_when_cut_short(void **state)
{
	struct spec s = good(), t = SPEC_INIT;
	auto_str bytes = STR_INIT;

	(void)state;
	spec_encode(&s, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		struct err err = ERR_INIT;
		auto_free uint8_t *exact = malloc(len + !len);

		assert_non_null(exact);
		memcpy(exact, bytes.p, len);
		assert_int_equal(spec_decode(&t, exact, len, &err), PE_BAD);
		assert_true(err.text[0] != '\0');
	}
	str_addn(&bytes, "x", 1);
	assert_int_equal(spec_decode(&t, bytes.p, bytes.len, NULL), PE_BAD);
	spec_fini(&s);
}

static void survives_any_flipped_byte(void **state)
{
	struct spec s = good();
	auto_str bytes = STR_INIT;

	(void)state;
	spec_encode(&s, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct spec t = SPEC_INIT;

			bytes.p[i] = (char)(bytes.p[i] ^ (1 << bit));
			(void)spec_decode(&t, bytes.p, bytes.len, NULL);
			spec_fini(&t);
			bytes.p[i] = (char)(bytes.p[i] ^ (1 << bit));
		}
	spec_fini(&s);
}

static void maps_never_reach_kernel_id_zero(void **state)
{
	struct spec s = good();

	(void)state;
	assert_int_equal(spec_check(&s, NULL), 0);
	s.uid_maps[0].outside = 0;
	assert_bad(&s, "id 0");
	s.uid_maps[0] = (struct spec_map){ 1000, UINT32_MAX - 5, 10 };
	assert_bad(&s, "wraps");
	s.uid_maps[0] = (struct spec_map){ 1000, 100000, 0 };
	assert_bad(&s, "empty");
	s.uid_maps[0] = (struct spec_map){ 5, 100000, 1 };
	assert_bad(&s, "1000 is not mapped");
	spec_fini(&s);
}

static void paths_are_clean(void **state)
{
	static const char *const bad[] = { "",       "usr",     "/usr/",   "//usr",
					   "/a/./b", "/a/../b", "/usr/..", "/." };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct spec s = good();

		s.mounts[0].dst = bad[i];
		assert_bad(&s, "clean");
		s.mounts[0].dst = "/";
		assert_int_equal(spec_check(&s, NULL), 0);
		s.mounts[0].src = bad[i];
		assert_bad(&s, "clean");
		s.mounts[0].src = "/..a";
		assert_int_equal(spec_check(&s, NULL), 0);
		s.cwd = bad[i];
		assert_bad(&s, "working directory");
		spec_fini(&s);
	}
}

static void what_is_unknown_is_refused(void **state)
{
	struct spec s = good();
	char *argv0 = s.argv[0];

	(void)state;
	s.flags = SPEC_FLAGS_ALL + 1;
	assert_bad(&s, "flags");
	s.flags = 0;
	s.console = SPEC_CONSOLE_COUNT;
	assert_bad(&s, "console");
	s.console = SPEC_CONSOLE_NULL;
	s.mounts[0].kind = SPEC_MOUNT_KIND_COUNT;
	assert_bad(&s, "kind");
	s.mounts[0].kind = SPEC_MOUNT_BIND;
	s.mounts[0].flags = SPEC_MOUNT_FLAGS_ALL + 1;
	assert_bad(&s, "flags");
	s.mounts[0].flags = 0;
	s.argv[0] = arg1;
	assert_bad(&s, "no program");
	s.argv[0] = argv0;
	assert_int_equal(spec_check(&s, NULL), 0);
	spec_fini(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_out_as_it_went_in),
		cmocka_unit_test(is_refused_when_cut_short),
		cmocka_unit_test(survives_any_flipped_byte),
		cmocka_unit_test(maps_never_reach_kernel_id_zero),
		cmocka_unit_test(paths_are_clean),
		cmocka_unit_test(what_is_unknown_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
