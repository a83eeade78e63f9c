/* SPDX-License-Identifier: ISC */
/*
 * udp.c - datagrams. Told from the loop, too: a packet waits in its socket's queue, at
 * most QUEUE of them; what comes beyond that is lost, as with any socket.
 */
#include "net-internal.h"

#include "lwip/ip.h"
#include "lwip/udp.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE 128

struct waiting {
	struct pbuf *p;
	struct pg_endpoint from, to;
};

struct pg_udp {
	struct pg_task task; /* first */
	struct udp_pcb *pcb;
	pg_udp_fn *fn;
	void *arg;
	bool in_call, closed;
	unsigned head, n;
	uint8_t *flat; /* for packets that came in pieces */
	struct waiting queue[QUEUE];
};

static void on_packet(void *arg, struct udp_pcb *pcb, struct pbuf *p,
		      const ip_addr_t *from, u16_t port)
{
	struct pg_udp *u = arg;
	struct waiting *w;

	if (u->n == QUEUE || u->closed) {
		pg_net_counts.dropped_in++;
		pbuf_free(p);
		return;
	}
	w = &u->queue[(u->head + u->n++) % QUEUE];
	w->p = p;
	pg_ip_from_lwip(&w->from.ip, from);
	pg_ip_from_lwip(&w->to.ip, ip_current_dest_addr());
	w->from.port = port;
	w->to.port = pcb->local_port;
	pg_task_queue(&u->task);
}

/* The bytes in one piece; NULL: no memory. */
static const void *flatten(struct pg_udp *u, struct pbuf *p)
{
	if (!p->next)
		return p->payload;
	if (!u->flat)
		u->flat = malloc(65536);
	if (u->flat)
		pbuf_copy_partial(p, u->flat, p->tot_len, 0);
	return u->flat;
}

static void udp_free(struct pg_udp *u)
{
	pg_task_remove(&u->task);
	for (; u->n; u->n--, u->head++)
		pbuf_free(u->queue[u->head % QUEUE].p);
	free(u->flat);
	free(u);
}

static void tell(struct pg_task *t)
{
	struct pg_udp *u = (struct pg_udp *)t;

	u->in_call = true;
	while (u->n && !u->closed) {
		struct waiting w = u->queue[u->head];
		struct pg_packet p = { flatten(u, w.p), w.p->tot_len, w.from, w.to };

		u->head = (u->head + 1) % QUEUE;
		u->n--;
		if (p.data)
			u->fn(u, &p, u->arg);
		pbuf_free(w.p);
	}
	u->in_call = false;
	if (u->closed)
		udp_free(u);
}

int pg_udp_open(const struct pg_ip *ip, uint16_t port, pg_udp_fn *fn, void *arg,
		struct pg_udp **ret)
{
	struct pg_udp *u = calloc(1, sizeof *u);
	struct udp_pcb *pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
	struct pg_ip any = { 0 };
	ip_addr_t a;

	if (!u || !pcb) {
		free(u);
		if (pcb)
			udp_remove(pcb);
		return PG_NO_MEMORY;
	}
	pg_ip_to_lwip(&a, ip ? ip : &any);
	if (udp_bind(pcb, &a, port) != ERR_OK) {
		free(u);
		udp_remove(pcb);
		return PG_INVALID;
	}
	u->task.fn = tell;
	u->pcb = pcb;
	u->fn = fn;
	u->arg = arg;
	udp_recv(pcb, on_packet, u);
	*ret = u;
	return PG_OK;
}

void pg_udp_close(struct pg_udp *u)
{
	if (!u || u->closed)
		return;
	u->closed = true;
	udp_remove(u->pcb);
	u->pcb = NULL;
	if (!u->in_call)
		udp_free(u);
}

static int send(struct pg_udp *u, const struct pg_endpoint *from,
		const struct pg_endpoint *to, const void *data, size_t len)
{
	struct netif *netif;
	ip_addr_t a, source;
	struct pbuf *p;
	err_t e;

	if (!u->pcb || len > 65507 || !to->ip.version)
		return PG_INVALID;
	p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
	if (!p)
		return PG_OK; /* lost */
	memcpy(p->payload, data, len);
	pg_ip_to_lwip(&a, &to->ip);
	if (from) {
		pg_ip_to_lwip(&source, &from->ip);
		netif = ip_route(&source, &a);
		e = netif ? udp_sendto_if_src(u->pcb, p, &a, to->port, netif, &source) :
			    ERR_RTE;
	} else {
		e = udp_sendto(u->pcb, p, &a, to->port);
	}
	pbuf_free(p);
	return e == ERR_RTE || e == ERR_VAL ? PG_FAILED : PG_OK;
}

int pg_udp_send(struct pg_udp *u, const struct pg_endpoint *to, const void *data,
		size_t len)
{
	return send(u, NULL, to, data, len);
}

/* What was sent to a group or to all is answered from an address of our own. */
int pg_udp_reply(struct pg_udp *u, const struct pg_packet *p, const void *data,
		 size_t len)
{
	ip_addr_t to;
	bool own = false;

	pg_ip_to_lwip(&to, &p->to.ip);
	for (struct pg_iface *i = pg_ifaces; i && !own; i = i->next) {
		if (IP_IS_V4_VAL(to))
			own = ip4_addr_cmp(ip_2_ip4(&to), netif_ip4_addr(&i->netif));
		else
			own = netif_get_ip6_addr_match(&i->netif, ip_2_ip6(&to)) >= 0;
	}
	return send(u, own ? &p->to : NULL, &p->from, data, len);
}
