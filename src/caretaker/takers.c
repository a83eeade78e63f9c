/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caretaker/takers.h"

static const struct taker_kind *const kinds[CARE_KIND_COUNT] = {
	[CARE_RO] = &taker_ro,       [CARE_SUBDIR] = &taker_subdir,
	[CARE_HIDE] = &taker_hide,   [CARE_MAX] = &taker_max,
	[CARE_RATE] = &taker_rate,   [CARE_TTL] = &taker_ttl,
	[CARE_ONCE] = &taker_once,   [CARE_LOG] = &taker_log,
	[CARE_FAULT] = &taker_fault,
};

const struct taker_kind *taker_kind_of(uint8_t which)
{
	return which < CARE_KIND_COUNT ? kinds[which] : NULL;
}

static int taker_new(struct caretaker **ret, const struct care_taker *t,
		     const struct taker_host *host, struct err *err)
{
	struct caretaker *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return err_oom(err);
	c->which = t->kind;
	c->kind = taker_kind_of(t->kind);
	c->host = host;
	c->arg = t->arg ? strdup(t->arg) : NULL;
	if (t->arg && !c->arg)
		r = err_oom(err);
	else if (c->kind->init && !t->arg)
		r = err_set(err, PE_BAD, "the caretaker %s needs an argument",
			    care_kind_name(t->kind));
	else if (!c->kind->init && t->arg)
		r = err_set(err, PE_BAD, "the caretaker %s takes no argument",
			    care_kind_name(t->kind));
	else if (c->kind->init)
		r = c->kind->init(c, c->arg, err);
	else if (c->kind->start)
		r = c->kind->start(c, err);
	if (r == 0) {
		*ret = c;
		return 0;
	}
	free(c->arg);
	free(c->state);
	free(c);
	return r;
}

static void add_base(struct chain *c, const struct chain *base)
{
	for (uint32_t i = 0; base && i < base->n; i++)
		c->at[c->n++] = base->at[i];
}

int chain_new(struct chain **ret, const struct chain *base, const struct care_taker *t,
	      uint32_t n, enum care_place place, const struct taker_host *host,
	      struct err *err)
{
	auto_free struct chain *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return err_oom(err);
	if ((base ? base->n : 0) + n > ARRAY_LEN(c->at))
		return err_set(err, PE_REFUSED, "there would be more than %zu caretakers",
			       ARRAY_LEN(c->at));
	if (place == CARE_BEHIND)
		add_base(c, base);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (base && taker_kind_of(t[i].kind)->at_start_alone)
			r = err_set(err, PE_REFUSED,
				    "the caretaker %s cannot come later: the root of the "
				    "grant would be another one",
				    care_kind_name(t[i].kind));
		else
			r = taker_new(&c->at[c->n], &t[i], host, err);
		c->n += r == 0;
	}
	if (r != 0)
		return r; /* those made are few, and lost */
	if (place == CARE_FRONT)
		add_base(c, base);
	*ret = TAKE_PTR(c);
	return 0;
}

static void tell_up_to(const struct chain *c, uint32_t n, const struct care_op *op,
		       int error)
{
	for (uint32_t i = n; i-- > 0;)
		if (c->at[i]->kind->after)
			c->at[i]->kind->after(c->at[i], op, error);
}

int chain_before(const struct chain *c, struct care_op *op)
{
	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->at[i]->kind->before ||
		    c->at[i]->kind->before(c->at[i], op) == CARE_PASS)
			continue;
		op->denied = true;
		tell_up_to(c, i, op, op->error);
		return op->error;
	}
	return 0;
}

void chain_after(const struct chain *c, const struct care_op *op, int error)
{
	tell_up_to(c, c->n, op, error);
}

bool chain_hides(const struct chain *c, const char *name)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->at[i]->which == CARE_HIDE && hide_matches(c->at[i], name))
			return true;
	return false;
}

uint64_t chain_deadline_ms(const struct chain *c)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < c->n; i++)
		if (c->at[i]->deadline_ms && (!first || c->at[i]->deadline_ms < first))
			first = c->at[i]->deadline_ms;
	return first;
}
