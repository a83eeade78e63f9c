/* SPDX-License-Identifier: ISC */
/* start.c - interfaces come up as the command line says; addresses; names. */
#include "net-internal.h"

#include <polder/guest/console.h>
#include <polder/guest/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwiphooks.h"

#define MAX_INTERFACES 8

static struct pg_common_options common;

/* ---- bounds ---- */

void pg_net_set_limits(const struct pg_net_limits *limits)
{
	if (limits->connections)
		pg_lwip_max_connections = limits->connections;
	if (limits->memory)
		pg_lwip_max_bytes = limits->memory;
}

void pg_net_stats(struct pg_net_stats *ret)
{
	*ret = pg_net_counts;
	ret->memory = pg_lwip_bytes;
}

static void bound_memory(void)
{
	struct pg_memory m;

	pg_memory(&m);
	if (pg_lwip_max_bytes > m.heap / 4)
		pg_lwip_max_bytes = m.heap / 4;
}

/* ---- one interface ---- */

static void up_v4(struct pg_iface *i)
{
	const struct pg_ip_option *o = &i->options.v4;
	ip_addr_t address, gateway;
	ip4_addr_t mask;

	if (o->mode == PG_MODE_NONE)
		return;
	if (o->mode != PG_MODE_STATIC) {
		dhcp_start(&i->netif);
		return;
	}
	mask.addr = o->prefix ? lwip_htonl(UINT32_MAX << (32 - o->prefix)) : 0;
	pg_ip_to_lwip(&address, &o->address);
	pg_ip_to_lwip(&gateway, &o->gateway);
	netif_set_addr(&i->netif, ip_2_ip4(&address), &mask,
		       o->gateway.version ? ip_2_ip4(&gateway) : IP4_ADDR_ANY4);
}

static void up_v6(struct pg_iface *i)
{
	const struct pg_ip_option *o = &i->options.v6;
	bool routers = o->mode != PG_MODE_STATIC;
	ip_addr_t address;

	if (o->mode == PG_MODE_NONE)
		return;
	if (i->options.accept_ra >= 0)
		routers = i->options.accept_ra;
	netif_set_ip6_autoconfig_enabled(&i->netif, routers);
	netif_create_ip6_linklocal_address(&i->netif, 1);
	if (o->mode != PG_MODE_STATIC)
		return;
	pg_ip_to_lwip(&address, &o->address);
	netif_ip6_addr_set(&i->netif, 1, ip_2_ip6(&address));
	netif_ip6_addr_set_state(&i->netif, 1, IP6_ADDR_TENTATIVE);
}

static bool up(struct pg_iface *i)
{
	if (!pg_iface_add(i))
		return false;
	if (common.hostname[0])
		netif_set_hostname(&i->netif, common.hostname);
	netif_set_up(&i->netif);
	up_v4(i);
	up_v6(i);
	if (!netif_default)
		netif_set_default(&i->netif);
	return true;
}

/*
 * lwIP takes routers from advertisements alone. One that the command line names is put
 * before its choice: see LWIP_HOOK_ND6_GET_GW.
 */
const ip6_addr_t *pg_lwip_gateway6(struct netif *netif, const ip6_addr_t *to)
{
	struct pg_iface *i = (struct pg_iface *)netif;
	static ip_addr_t gateway;

	(void)to;
	if (!i->options.v6.gateway.version)
		return NULL;
	pg_ip_to_lwip(&gateway, &i->options.v6.gateway);
	ip6_addr_assign_zone(ip_2_ip6(&gateway), IP6_UNICAST, netif);
	return ip_2_ip6(&gateway);
}

/* ---- all of them ---- */

static int refuse(const char *why)
{
	char line[192];

	snprintf(line, sizeof line, "network: %s", why);
	pg_println(line);
	return PG_INVALID;
}

static unsigned find_devices(const char *names[MAX_INTERFACES],
			     pg_device devices[MAX_INTERFACES])
{
	enum pg_device_type type;
	pg_device it = 0;
	unsigned n = 0;
	const char *name;

	while (n < MAX_INTERFACES && pg_device_next(&it, &name, &type)) {
		if (type == PG_NET) {
			names[n] = name;
			devices[n++] = it;
		}
	}
	return n;
}

int pg_ip_start(int *argc, char **argv)
{
	struct pg_net_options options[MAX_INTERFACES];
	const char *names[MAX_INTERFACES];
	pg_device devices[MAX_INTERFACES];
	unsigned n = find_devices(names, devices);
	char why[160];

	if (n == 0)
		return PG_NOT_FOUND;
	if (!pg_options_read(argc, argv, names, n, options, &common, why))
		return refuse(why);
	bound_memory();
	lwip_init();
	for (unsigned k = 0; k < n; k++) {
		struct pg_iface *i = calloc(1, sizeof *i);

		if (!i)
			return PG_NO_MEMORY;
		i->name = names[k];
		i->options = options[k];
		if (pg_net_find(names[k], &i->device, &i->info) != PG_OK ||
		    i->info.mtu < 576)
			return refuse(
				"a device cannot be used (its MTU must be 576 or more)");
		if (i->options.v6.mode != PG_MODE_NONE && i->info.mtu < 1280)
			i->options.v6.mode =
				PG_MODE_NONE; /* less than IPv6 asks of a link */
		if (!up(i))
			return PG_NO_MEMORY;
	}
	pg_nameservers_named(common.nameservers, common.n_nameservers);
	return PG_OK;
}

static bool has_address(struct pg_iface *i)
{
	if (i->options.v4.mode != PG_MODE_NONE)
		return !ip4_addr_isany_val(*netif_ip4_addr(&i->netif));
	for (int k = 1; k < LWIP_IPV6_NUM_ADDRESSES; k++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(&i->netif, k)))
			return true;
	return i->options.v6.mode == PG_MODE_NONE;
}

static bool all_have_addresses(void)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next)
		if (!has_address(i))
			return false;
	return true;
}

int pg_ip_wait(uint64_t deadline)
{
	while (!all_have_addresses()) {
		if (pg_clock_monotonic() >= deadline)
			return PG_AGAIN;
		pg_loop_once(deadline);
	}
	return PG_OK;
}

int pg_ip_address(pg_device d, unsigned index, struct pg_ip *ret)
{
	struct netif *netif = pg_netif(d);
	unsigned n = 0;

	if (!netif)
		return PG_NOT_FOUND;
	if (!ip4_addr_isany_val(*netif_ip4_addr(netif)) && n++ == index) {
		pg_ip_from_lwip(ret, netif_ip_addr4(netif));
		return PG_OK;
	}
	for (int k = 0; k < LWIP_IPV6_NUM_ADDRESSES; k++) {
		if (ip6_addr_isvalid(netif_ip6_addr_state(netif, k)) && n++ == index) {
			pg_ip_from_lwip(ret, netif_ip_addr6(netif, k));
			return PG_OK;
		}
	}
	return PG_NOT_FOUND;
}

void pg_ip_print(void)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next) {
		struct pg_ip ip;

		for (unsigned k = 0; pg_ip_address(i->device, k, &ip) == PG_OK; k++) {
			char text[PG_IP_TEXT], line[160];

			snprintf(line, sizeof line, "%s: %s", i->name,
				 pg_ip_text(&ip, text));
			pg_println(line);
		}
	}
}
