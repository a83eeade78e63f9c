/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock: the host's, or monotonic and boot time of its own by a time namespace. */
#include <time.h>

#include "server/server-internal.h"

static int64_t now_ns(clockid_t id)
{
	struct timespec t;

	return clock_gettime(id, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec :
					    0;
}

int server_clock(struct spec *s, const struct genv *e, const struct binding *b,
		 const struct server_ctx *cx, struct err *err)
{
	const struct kv *offset = binding_option(b, "offset");
	const char *text = offset && offset->value ? offset->value : "0s";
	bool back = *text == '-';
	uint64_t ms = 0;

	(void)e;
	(void)cx;
	if (b->source == SRC_PARENT)
		return 0;
	s->flags |= SPEC_TIMENS;
	if (b->source == SRC_NULL) {
		/* Boot time is at least monotonic time, so neither goes below zero. */
		s->mono_offset_ns = -now_ns(CLOCK_MONOTONIC);
		return 0;
	}
	if (!str_to_ms(text + (back || *text == '+'), &ms))
		return err_set(err, PE_USAGE,
			       "clock: offset= needs a duration, as in offset=2h");
	if (ms > INT64_MAX / 1000000)
		return err_set(err, PE_USAGE, "clock: offset=%s is too long", text);
	s->mono_offset_ns = (back ? -1 : 1) * (int64_t)ms * 1000000;
	if (s->mono_offset_ns < -now_ns(CLOCK_MONOTONIC))
		return err_set(err, PE_USAGE,
			       "clock: offset=%s would be before this machine's "
			       "start",
			       text);
	return 0;
}
