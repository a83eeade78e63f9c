/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: where the program's three streams go. */
#include "server/server-internal.h"

#define RING_BYTES (64u << 10)

int server_console(struct spec *s, const struct genv *e, const struct binding *b,
		   const struct server_ctx *cx, struct err *err)
{
	static const enum spec_console kind[SRC_COUNT] = {
		[SRC_OWN] = SPEC_CONSOLE_OWN,
		[SRC_PARENT] = SPEC_CONSOLE_PARENT,
		[SRC_NULL] = SPEC_CONSOLE_NULL,
		[SRC_FAKE] = SPEC_CONSOLE_FAKE,
	};
	const struct kv *size = binding_option(b, "size"),
			*input = binding_option(b, "input");

	(void)e;
	(void)cx;
	s->console = kind[b->source];
	s->console_bytes = RING_BYTES;
	if (size && size->value && !str_to_bytes(size->value, &s->console_bytes))
		return err_set(err, PE_USAGE, "console: size=%s is no number of bytes",
			       size->value);
	if (input && input->value) {
		s->console_input = spec_str(s, input->value);
		s->console_input_len = strlen(input->value);
	} else if (b->n_fakes > 0) {
		char *copy = spec_alloc(s, b->fakes[0].content_len + 1);

		if (copy)
			memcpy(copy, b->fakes[0].content, b->fakes[0].content_len);
		s->console_input = copy;
		s->console_input_len = b->fakes[0].content_len;
	}
	return 0;
}
