/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The spec of a unikernel's tender: what goes in comes out, and what is damaged or makes
 * no sense does not come in.
 */
#include "wire/uspec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"

static struct uspec s;

static void good(void)
{
	s = USPEC_INIT;
	memset(s.id, 7, sizeof(s.id));
	s.generation = 3;
	s.name = "web";
	s.kind = USPEC_SPT;
	s.flags = USPEC_TRACED;
	s.image_fd = 3;
	s.mem_bytes = 64 << 20;
	s.cmdline = "--hello=world";
	s.uid = s.gid = 1000;
	s.report_fd = 4;
	s.alive_fd = 5;
	s.n_devices = 3;
	s.devices[0] = (struct uspec_device){ .name = "storage",
					      .type = USPEC_BLOCK,
					      .flags = USPEC_DEV_RO,
					      .fd = 6,
					      .base = -1,
					      .capacity = 1 << 20,
					      .block_size = 512 };
	s.devices[1] = (struct uspec_device){ .name = "service",
					      .type = USPEC_NET,
					      .fd = 7,
					      .base = -1,
					      .mac = { 2, 0, 0, 0, 0, 1 },
					      .mtu = 1500 };
	s.devices[2] = (struct uspec_device){ .name = "copy",
					      .type = USPEC_BLOCK,
					      .flags = USPEC_DEV_COW,
					      .fd = 8,
					      .base = 9,
					      .capacity = 4096,
					      .block_size = 4096 };
}

static void assert_good(void)
{
	const char *why = "";

	if (uspec_check(&s, &why) != 0)
		fail_msg("refused: %s", why);
}

/* What was changed in the good one is refused, decoded from bytes too. */
static void assert_bad(const char *sentence)
{
	auto_str bytes = STR_INIT;
	const char *why = "accepted";
	struct uspec t;

	assert_int_equal(uspec_check(&s, &why), PE_BAD);
	if (!strstr(why, sentence))
		fail_msg("\"%s\" does not say \"%s\"", why, sentence);
	if (s.n_devices <= USPEC_MAX_DEVICES) {
		uspec_encode(&s, &bytes);
		assert_int_equal(uspec_decode(&t, bytes.p, bytes.len, &why), PE_BAD);
	}
	good();
	assert_good();
}

static void comes_out_as_it_went_in(void **state)
{
	auto_str bytes = STR_INIT, again = STR_INIT;
	const char *why = "";
	struct uspec t;

	(void)state;
	good();
	uspec_encode(&s, &bytes);
	assert_int_equal(uspec_decode(&t, bytes.p, bytes.len, &why), 0);
	assert_memory_equal(t.id, s.id, sizeof(s.id));
	assert_int_equal(t.generation, 3);
	assert_string_equal(t.name, "web");
	assert_int_equal(t.kind, USPEC_SPT);
	assert_int_equal(t.flags, USPEC_TRACED);
	assert_int_equal(t.image_fd, 3);
	assert_null(t.image_path);
	assert_int_equal(t.mem_bytes, 64 << 20);
	assert_string_equal(t.cmdline, "--hello=world");
	assert_int_equal(t.report_fd, 4);
	assert_int_equal(t.core_fd, -1);
	assert_int_equal(t.alive_fd, 5);
	assert_int_equal(t.n_devices, 3);
	assert_string_equal(t.devices[0].name, "storage");
	assert_int_equal(t.devices[0].flags, USPEC_DEV_RO);
	assert_int_equal(t.devices[0].capacity, 1 << 20);
	assert_int_equal(t.devices[0].block_size, 512);
	assert_int_equal(t.devices[1].fd, 7);
	assert_memory_equal(t.devices[1].mac, s.devices[1].mac, 6);
	assert_int_equal(t.devices[1].mtu, 1500);
	assert_int_equal(t.devices[2].base, 9);
	uspec_encode(&t, &again);
	assert_int_equal(again.len, bytes.len);
	assert_memory_equal(again.p, bytes.p, bytes.len);
}

static void is_refused_when_cut_short(void **state)
{
	auto_str bytes = STR_INIT;
	struct uspec t;

	(void)state;
	good();
	uspec_encode(&s, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		auto_free uint8_t *exact = malloc(len + !len);
		const char *why = NULL;

		assert_non_null(exact);
		memcpy(exact, bytes.p, len);
		assert_int_equal(uspec_decode(&t, exact, len, &why), PE_BAD);
		assert_non_null(why);
	}
	str_addn(&bytes, "x", 1);
	assert_int_equal(uspec_decode(&t, bytes.p, bytes.len, &(const char *){ NULL }),
			 PE_BAD);
}

static void survives_any_flipped_bit(void **state)
{
	auto_str bytes = STR_INIT;

	(void)state;
	good();
	uspec_encode(&s, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			const char *why = NULL;
			struct uspec t;

			bytes.p[i] = (char)(bytes.p[i] ^ (1 << bit));
			assert_true(uspec_decode(&t, bytes.p, bytes.len, &why) == 0 ||
				    why);
			bytes.p[i] = (char)(bytes.p[i] ^ (1 << bit));
		}
}

static void never_user_zero(void **state)
{
	(void)state;
	good();
	s.uid = 0;
	assert_bad("user or group 0");
	s.gid = 0;
	assert_bad("user or group 0");
	s.uid = UINT32_MAX;
	assert_bad("user or group 0");
}

static void memory_is_of_its_kind(void **state)
{
	(void)state;
	good();
	s.mem_bytes = (1 << 20) - 4096;
	assert_bad("between 1 MiB and 1 TiB");
	s.mem_bytes = USPEC_SPT_MEM_MAX + 4096;
	assert_bad("between 1 MiB and 1 TiB");
	s.mem_bytes = (64 << 20) + 2048;
	assert_bad("multiple of 4 KiB");
	s.mem_bytes = USPEC_SPT_MEM_MAX;
	assert_good();
	good();
	s.kind = USPEC_HVT;
	s.flags = 0;
	assert_good();
	s.mem_bytes = USPEC_HVT_MEM_MAX;
	assert_good();
	s.mem_bytes += 2 << 20;
	assert_bad("between 1 MiB and 4 GiB");
	s.kind = USPEC_HVT;
	s.flags = 0;
	s.mem_bytes = 3 << 20;
	assert_bad("multiple of 2 MiB");
}

static void flags_and_what_they_need(void **state)
{
	(void)state;
	good();
	s.kind = 3;
	assert_bad("neither spt nor hvt");
	s.flags = USPEC_FLAGS_ALL + 1;
	assert_bad("unknown flags");
	s.alive_fd = -1;
	assert_bad("starter's pipe");
	s.core_fd = 10;
	assert_bad("core file");
	s.flags |= USPEC_CORE;
	assert_bad("core file");
	s.flags |= USPEC_CORE;
	s.core_fd = 10;
	assert_bad("written by its tracer");
	s.wall_start_ns = 1;
	assert_bad("host's clock");
	s.flags |= USPEC_CLOCK_START;
	assert_bad("host's clock");
	s.kind = USPEC_HVT;
	assert_bad("traced start");
	s.flags = USPEC_SWAPS;
	assert_good();
	s.flags = USPEC_SWAPS;
	s.report_fd = -1;
	assert_bad("volumes that can be exchanged");
	s.flags = USPEC_SWAPS;
	s.alive_fd = -1;
	assert_bad("volumes that can be exchanged");
	s.kind = USPEC_HVT;
	s.flags = USPEC_CORE | USPEC_CLOCK_START;
	s.core_fd = 10;
	s.wall_start_ns = 1;
	assert_good();
}

static void descriptors_have_one_role(void **state)
{
	int32_t *fds[] = { &s.image_fd,       &s.report_fd,     &s.alive_fd,
			   &s.devices[0].fd,  &s.devices[1].fd, &s.devices[2].fd,
			   &s.devices[2].base };

	(void)state;
	good();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		*fds[i] = 2;
		assert_bad("below 3");
		for (size_t j = 0; j < ARRAY_LEN(fds); j++)
			if (i != j) {
				*fds[i] = *fds[j];
				assert_bad("two roles");
			}
	}
	s.report_fd = -2;
	assert_bad("below 3");
}

static void the_image_has_one_place(void **state)
{
	(void)state;
	good();
	s.image_fd = -1;
	assert_bad("image has neither");
	s.image_path = "/srv/web.spt";
	assert_bad("image has neither");
	s.image_fd = -1;
	s.image_path = "web.spt";
	assert_bad("absolute");
	s.image_fd = -1;
	s.image_path = "/srv/web.spt";
	assert_good();
}

static void words_are_bounded(void **state)
{
	char *line = malloc(USPEC_CMDLINE_BYTES + 1);

	(void)state;
	good();
	assert_non_null(line);
	memset(line, 'x', USPEC_CMDLINE_BYTES + 1);
	line[USPEC_CMDLINE_BYTES - 1] = '\0';
	s.cmdline = line;
	assert_good();
	line[USPEC_CMDLINE_BYTES - 1] = 'x';
	line[USPEC_CMDLINE_BYTES] = '\0';
	assert_bad("command line");
	s.name = "a b";
	assert_bad("no word");
	s.name = "a\x1b";
	assert_bad("no word");
	line[256] = '\0';
	s.name = line;
	assert_bad("too long");
	s.name = "";
	assert_good();
	free(line);
}

static void devices_make_sense(void **state)
{
	struct uspec_device *block = &s.devices[0], *net = &s.devices[1],
			    *cow = &s.devices[2];

	(void)state;
	good();
	block->name = "";
	assert_bad("empty");
	block->name = "a b";
	assert_bad("no word");
	block->name = "service";
	assert_bad("same name");
	block->type = 3;
	assert_bad("neither block nor net");
	block->flags = USPEC_DEV_FLAGS_ALL + 1;
	assert_bad("unknown flags");
	block->path = "/disk";
	assert_bad("or both");
	block->fd = -1;
	assert_bad("neither a descriptor");
	block->fd = -1;
	block->path = "disk";
	assert_bad("absolute");
	block->fd = -1;
	block->path = "/disk";
	assert_good();
	good();
	static const uint16_t sizes[] = { 0, 256, 511, 513, 768, 65535 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		block->block_size = sizes[i];
		assert_bad("power of two");
	}
	block->block_size = 32768;
	assert_good();
	block->capacity = 0;
	assert_bad("capacity");
	block->capacity = 1000;
	assert_bad("capacity");
	block->capacity = 1ull << 63;
	assert_bad("capacity");
	block->base = 10;
	assert_bad("two descriptors");
	cow->base = -1;
	assert_bad("two descriptors");
	cow->fd = -1;
	assert_bad("neither a descriptor");
	cow->flags |= USPEC_DEV_RO;
	assert_bad("two descriptors");
	net->flags = USPEC_DEV_RO;
	assert_bad("flags of a block");
	net->fd = -1;
	assert_bad("one descriptor");
	net->path = "/dev/net/tun";
	assert_bad("one descriptor");
	net->base = 10;
	assert_bad("one descriptor");
	net->mac[0] = 3;
	assert_bad("hardware address");
	memset(net->mac, 0, 6);
	assert_bad("hardware address");
	net->mtu = 67;
	assert_bad("mtu");
	s.n_devices = USPEC_MAX_DEVICES + 1;
	assert_bad("63 devices");
}

static void as_many_as_the_abi_has(void **state)
{
	static char names[USPEC_MAX_DEVICES + 1][8];
	auto_str bytes = STR_INIT, more = STR_INIT;
	const char *why = "";
	struct uspec t;

	(void)state;
	good();
	for (unsigned i = 0; i < USPEC_MAX_DEVICES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "d%u", i);
		s.devices[i] = s.devices[1];
		s.devices[i].name = names[i];
		s.devices[i].fd = (int32_t)i + 100;
	}
	s.n_devices = USPEC_MAX_DEVICES;
	uspec_encode(&s, &bytes);
	assert_int_equal(uspec_decode(&t, bytes.p, bytes.len, &why), 0);
	assert_string_equal(t.devices[62].name, "d62");
	/* One more than there is room for, on the wire. */
	good();
	uspec_encode(&s, &more);
	for (size_t i = 0; i < more.len; i++)
		if (memcmp(more.p + i, "\3\0\0\0\7\0\0\0storage", 15) == 0) {
			uint8_t n[4] = { 200, 0, 0, 0 };
			char pad[200 * 64] = { 0 };

			memcpy(more.p + i, n, 4);
			str_addn(&more, pad, sizeof(pad));
			assert_int_equal(uspec_decode(&t, more.p, more.len, &why),
					 PE_BAD);
			assert_string_equal(why, "the spec has more than 63 devices");
			return;
		}
	fail_msg("the count of devices was not found");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_out_as_it_went_in),
		cmocka_unit_test(is_refused_when_cut_short),
		cmocka_unit_test(survives_any_flipped_bit),
		cmocka_unit_test(never_user_zero),
		cmocka_unit_test(memory_is_of_its_kind),
		cmocka_unit_test(flags_and_what_they_need),
		cmocka_unit_test(descriptors_have_one_role),
		cmocka_unit_test(the_image_has_one_place),
		cmocka_unit_test(words_are_bounded),
		cmocka_unit_test(devices_make_sense),
		cmocka_unit_test(as_many_as_the_abi_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
