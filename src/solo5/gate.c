/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "solo5/gate.h"

#include <string.h>

#include "base/err.h"

#define ARGS_MAX 40u

/* Of each call's struct: its size, and whether anything is written back to it. */
static const struct call {
	uint8_t bytes;
	bool answers;
} calls[GATE_END] = {
	[GATE_WALLTIME] = { 8, true },    [GATE_PUTS] = { 16, false },
	[GATE_POLL] = { 24, true },       [GATE_BLOCK_WRITE] = { 40, true },
	[GATE_BLOCK_READ] = { 40, true }, [GATE_NET_WRITE] = { 32, true },
	[GATE_NET_READ] = { 32, true },   [GATE_HALT] = { 16, false },
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return PE_BAD;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, int32_t v)
{
	memcpy(p, &v, sizeof(v));
}

int gate_data(const struct gate *g, uint64_t gpa, uint64_t len, bool write,
	      uint8_t **ret_p, const char **ret_why)
{
	/* In this order nothing can wrap. */
	if (gpa > g->size || len > g->size - gpa)
		return bad(ret_why, "it named memory that it does not have");
	for (uint32_t i = 0; i < g->n_ranges; i++) {
		const struct gate_range *r = &g->range[i];

		if (len == 0 || gpa >= r->end || gpa + len <= r->start)
			continue;
		if (!r->readable)
			return bad(ret_why, "it named memory that nobody may read");
		if (write)
			return bad(ret_why,
				   "it wanted an answer in memory that is read-only");
	}
	*ret_p = g->base + gpa;
	return 0;
}

static void decode(uint32_t nr, const uint8_t *p, struct gate_args *ret)
{
	switch (nr) {
	case GATE_PUTS:
		ret->data = get64(p);
		ret->len = get64(p + 8);
		break;
	case GATE_POLL: ret->timeout_ns = get64(p); break;
	case GATE_BLOCK_WRITE:
	case GATE_BLOCK_READ:
		ret->handle = get64(p);
		ret->offset = get64(p + 8);
		ret->data = get64(p + 16);
		ret->len = get64(p + 24);
		break;
	case GATE_NET_WRITE:
	case GATE_NET_READ:
		ret->handle = get64(p);
		ret->data = get64(p + 8);
		ret->len = get64(p + 16);
		break;
	case GATE_HALT:
		ret->cookie = get64(p);
		memcpy(&ret->status, p + 8, sizeof(ret->status));
		break;
	default: break;
	}
}

int gate_take(const struct gate *g, uint32_t nr, uint64_t gpa, struct gate_args *ret,
	      const char **ret_why)
{
	uint8_t copy[ARGS_MAX], *p;
	int r;

	if (nr >= GATE_END || calls[nr].bytes == 0)
		return bad(ret_why, "there is no hypercall of that number");
	r = gate_data(g, gpa, calls[nr].bytes, calls[nr].answers, &p, ret_why);
	if (r != 0)
		return r;
	memcpy(copy, p, calls[nr].bytes);
	/* From here the compiler has the copy alone, and cannot read p again. */
	__asm__ volatile("" : : "r"(copy) : "memory");
	*ret = (struct gate_args){ 0 };
	decode(nr, copy, ret);
	return 0;
}

void gate_give(const struct gate *g, uint32_t nr, uint64_t gpa, const struct gate_args *a)
{
	const char *why;
	uint8_t *p;

	if (nr >= GATE_END || !calls[nr].answers ||
	    gate_data(g, gpa, calls[nr].bytes, true, &p, &why) != 0)
		return;
	switch (nr) {
	case GATE_WALLTIME: put64(p, a->wall_ns); break;
	case GATE_POLL:
		put64(p + 8, a->ready_set);
		put32(p + 16, a->ret);
		break;
	case GATE_BLOCK_WRITE:
	case GATE_BLOCK_READ: put32(p + 32, a->ret); break;
	case GATE_NET_READ:
		put64(p + 16, a->len);
		put32(p + 24, a->ret);
		break;
	case GATE_NET_WRITE: put32(p + 24, a->ret); break;
	default: break;
	}
}
