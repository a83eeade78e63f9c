/* SPDX-License-Identifier: ISC */
/*
 * memory.c - lwIP's memory: malloc() under one bound for all, and pools on top of it.
 *
 * Theory of operation
 *
 * What comes in from the wire decides how much lwIP wants. So every byte that it takes is
 * counted, and at the bound it is told that there is none, which it is made for: a packet
 * is lost, a connection refused, one that waits for its last packets is let go.
 *
 * lwIP's own pools are arrays that are linked through at the start: every page of them
 * would be touched before the first packet. These grow one element at a time, keep what
 * was freed for the next use, and have the same bound per kind.
 */
#include "net-internal.h"

#include <stdlib.h>
#include <string.h>

/* Everything that a pool may be made of. */
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/memp.h"
#include "lwip/mld6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

size_t pg_lwip_bytes;
size_t pg_lwip_max_bytes = (size_t)64 << 20;
unsigned pg_lwip_max_connections = MEMP_NUM_TCP_PCB;

/* In front of every piece; as long as malloc()'s alignment. */
struct piece {
	size_t size;
	size_t unused;
};

void *pg_lwip_malloc(size_t size)
{
	struct piece *p;

	if (size > pg_lwip_max_bytes || pg_lwip_bytes > pg_lwip_max_bytes - size)
		return NULL;
	p = malloc(sizeof *p + size);
	if (!p)
		return NULL;
	p->size = size;
	pg_lwip_bytes += size;
	return p + 1;
}

void *pg_lwip_calloc(size_t n, size_t size)
{
	void *p;

	if (size && n > SIZE_MAX / size)
		return NULL;
	p = pg_lwip_malloc(n * size);
	return p ? memset(p, 0, n * size) : NULL;
}

void pg_lwip_free(void *p)
{
	struct piece *piece = p;

	if (!p)
		return;
	pg_lwip_bytes -= piece[-1].size;
	free(piece - 1);
}

/* ---- pools ---- */

struct element {
	struct element *next;
};

static struct {
	struct element *spare;
	unsigned used, kept;
} pools[MEMP_MAX];

static const struct {
	uint32_t size, max;
} kinds[MEMP_MAX] = {
#define LWIP_MEMPOOL(name, num, size, desc) [MEMP_##name] = { size, num },
#include "lwip/priv/memp_std.h"
};

/* Not used: lwIP's headers name it. */
const struct memp_desc *const memp_pools[MEMP_MAX];

void memp_init(void)
{
}

static unsigned most(memp_t type)
{
	if (type == MEMP_TCP_PCB && pg_lwip_max_connections < kinds[type].max)
		return pg_lwip_max_connections;
	return kinds[type].max;
}

void *memp_malloc(memp_t type)
{
	struct element *e = pools[type].spare;

	if (pools[type].used >= most(type))
		return NULL;
	if (e) {
		pools[type].spare = e->next;
		pools[type].kept--;
	} else {
		e = pg_lwip_malloc(kinds[type].size);
	}
	if (e)
		pools[type].used++;
	return e;
}

/* A few are kept at hand; a burst's memory goes back. */
void memp_free(memp_t type, void *mem)
{
	struct element *e = mem;

	if (!e)
		return;
	pools[type].used--;
	if (pools[type].kept >= 64) {
		pg_lwip_free(e);
		return;
	}
	e->next = pools[type].spare;
	pools[type].spare = e;
	pools[type].kept++;
}
