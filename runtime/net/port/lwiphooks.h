/* SPDX-License-Identifier: ISC */
/* What lwIP asks in the middle of its work. */
#ifndef POLDER_LWIPHOOKS_H
#define POLDER_LWIPHOOKS_H

#include "lwip/ip_addr.h"

/* RFC 6528: nobody can guess where a connection's numbers begin. */
#define LWIP_HOOK_TCP_ISN pg_lwip_isn
u32_t pg_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
		  u16_t remote_port);

/* The router that the command line names goes before those that announce themselves. */
struct netif;
#define LWIP_HOOK_ND6_GET_GW pg_lwip_gateway6
const ip6_addr_t *pg_lwip_gateway6(struct netif *netif, const ip6_addr_t *to);

#endif
