/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is read back from files and sockets of the user's own: the record of a kept
 * environment, and control messages. A record that is understood is written, read again
 * and written again: the same bytes.
 */
#include "launch/launch.h"
#include "wire/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void control(const uint8_t *data, size_t size)
{
	auto_str out = STR_INIT;
	struct ctl_head head;
	struct rbuf body;

	if (ctl_decode(data, size, &head, &body, NULL) != 0)
		return;
	require(head.verb > 0 && head.verb < CTL_VERB_COUNT && body.end == data + size);
	ctl_encode(&out, &head);
	require(out.len <= size && memcmp(out.p, data, out.len) == 0);
}

static void write_and_read(const struct genv *e, const char *cwd, const char *composition)
{
	auto_str first = STR_INIT, second = STR_INIT;
	struct graph *g = graph_new();
	const char *again_cwd, *again_composition;
	struct genv *again;

	record_encode(e, cwd, composition, &first);
	if (g && record_decode(g, first.p, first.len, &again, &again_cwd,
			       &again_composition, NULL) == 0) {
		record_encode(again, again_cwd, again_composition, &second);
		require(first.len == second.len &&
			memcmp(first.p, second.p, first.len) == 0);
	}
	graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct graph *g = graph_new();
	const char *cwd, *composition;
	struct err err = ERR_INIT;
	struct genv *e;

	control(data, size);
	if (g && record_decode(g, data, size, &e, &cwd, &composition, &err) == 0)
		write_and_read(e, cwd, composition);
	graph_free(g);
	return 0;
}
