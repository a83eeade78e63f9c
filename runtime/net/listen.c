/* SPDX-License-Identifier: ISC */
/* listen.c - connections come to be: from listeners, and by pg_connect(). */
#include "net-internal.h"

#include <stdlib.h>

#define DEFAULT_MAX 256
#define DEFAULT_IDLE (60 * PG_SECOND)

static void remember_ends(struct pg_conn *c)
{
	pg_ip_from_lwip(&c->peer.ip, &c->pcb->remote_ip);
	pg_ip_from_lwip(&c->local.ip, &c->pcb->local_ip);
	c->peer.port = c->pcb->remote_port;
	c->local.port = c->pcb->local_port;
}

static err_t refuse(struct tcp_pcb *pcb)
{
	pg_net_counts.refused++;
	tcp_abort(pcb);
	return ERR_ABRT;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct pg_listener *l = arg;
	struct pg_conn *c;

	if (err != ERR_OK || !pcb)
		return ERR_VAL;
	if (l->closed || l->count >= l->how.max)
		return refuse(pcb);
	c = pg_conn_new(pcb, l->how.fn, l->how.arg);
	if (!c)
		return refuse(pcb);
	c->listener = l;
	l->count++;
	remember_ends(c);
	pg_conn_idle(c, l->how.idle);
	if (!l->how.tls) {
		pg_conn_tell(c, PG_CONN_OPEN);
		return ERR_OK;
	}
	/* Without its filter nobody may have it in hand. */
	if (pg_tls_hook->accept(c, l->how.tls) != PG_OK) {
		pg_net_counts.refused++;
		pg_conn_abort(c);
		return ERR_ABRT;
	}
	return ERR_OK;
}

int pg_listen(const struct pg_listen *how, struct pg_listener **ret_listener)
{
	struct pg_listener *l = calloc(1, sizeof *l);
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *listening = NULL;
	ip_addr_t ip;
	int r = PG_NO_MEMORY;

	if (!l || !pcb)
		goto fail;
	r = PG_INVALID;
	if (!how->port || !how->fn || (how->tls && !pg_tls_hook))
		goto fail;
	pg_ip_to_lwip(&ip, &how->ip);
	if (tcp_bind(pcb, &ip, how->port) != ERR_OK)
		goto fail;
	r = PG_NO_MEMORY;
	listening = tcp_listen_with_backlog(pcb, 0xff);
	if (!listening)
		goto fail;
	l->pcb = listening;
	l->how = *how;
	if (!l->how.max)
		l->how.max = DEFAULT_MAX;
	if (!l->how.idle)
		l->how.idle = DEFAULT_IDLE;
	tcp_arg(listening, l);
	tcp_accept(listening, on_accept);
	if (ret_listener)
		*ret_listener = l;
	return PG_OK;
fail:
	if (pcb)
		tcp_close(pcb);
	free(l);
	return r;
}

void pg_listener_close(struct pg_listener *l)
{
	if (!l || l->closed)
		return;
	tcp_arg(l->pcb, NULL);
	tcp_accept(l->pcb, NULL);
	tcp_close(l->pcb);
	l->pcb = NULL;
	l->closed = true;
	if (l->count == 0)
		free(l);
}

unsigned pg_listener_count(const struct pg_listener *l)
{
	return l->count;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct pg_conn *c = arg;

	(void)pcb;
	if (err == ERR_OK && !c->closing) {
		remember_ends(c);
		pg_conn_idle(c, c->idle);
		pg_conn_tell(c, PG_CONN_OPEN);
	}
	return ERR_OK;
}

int pg_connect(const struct pg_endpoint *to, pg_conn_fn *fn, void *arg,
	       struct pg_conn **ret)
{
	struct tcp_pcb *pcb =
		tcp_new_ip_type(to->ip.version == 6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
	struct pg_conn *c;
	ip_addr_t ip;

	if (!pcb)
		return PG_NO_MEMORY;
	c = pg_conn_new(pcb, fn, arg);
	if (!c) {
		tcp_abort(pcb);
		return PG_NO_MEMORY;
	}
	pg_ip_to_lwip(&ip, &to->ip);
	c->peer = *to;
	c->idle = DEFAULT_IDLE;
	if (tcp_connect(pcb, &ip, to->port, on_connected) != ERR_OK) {
		pg_conn_abort(c);
		return PG_FAILED;
	}
	*ret = c;
	return PG_OK;
}
