/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caretaker/slots.h"

#include "base/auto.h"

static uint32_t slots_more(struct slots *s)
{
	struct slot *more;

	if (s->n + 1 >= s->cap) {
		uint32_t cap = s->cap ? 2 * s->cap : 64;

		more = cap > s->cap ? realloc(s->at, cap * sizeof(*more)) : NULL;
		if (!more)
			return 0;
		s->at = more;
		s->cap = cap;
	}
	s->n++;
	s->at[s->n] = (struct slot){ 0 };
	return s->n;
}

uint64_t slots_put(struct slots *s, void *what)
{
	uint32_t i = s->first_free;

	if (i) {
		s->first_free = s->at[i].next;
		s->at[i].uses++;
	} else {
		i = slots_more(s);
		if (i == 0)
			return 0;
	}
	s->at[i].what = what;
	return (uint64_t)s->at[i].uses << 32 | i;
}

void *slots_get(const struct slots *s, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	return i > 0 && i <= s->n && s->at[i].uses == id >> 32 ? s->at[i].what : NULL;
}

void slots_drop(struct slots *s, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (!slots_get(s, id))
		return;
	s->at[i].what = NULL;
	s->at[i].next = s->first_free;
	s->first_free = i;
}
