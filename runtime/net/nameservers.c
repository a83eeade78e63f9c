/* SPDX-License-Identifier: ISC */
/*
 * nameservers.c - which name servers are asked, and in which order.
 *
 * Theory of operation
 *
 * lwIP keeps one list. A DHCP lease and a router's advertisement each write it from its
 * beginning, over what the other one said and over what the command line names. So both
 * are compiled to call the functions below instead (see build-others), and each has a
 * list of its own here. lwIP's is made of them: those of the command line alone, where it
 * names any; else those of whoever spoke first, then the other's. A server thus keeps its
 * place while a question is out to it; lwIP drops an answer from one that has lost it.
 *
 * lwIP stops at the first empty place, so there is none between two.
 */
#include "net-internal.h"

#include "lwip/dns.h"

#include <assert.h>

enum { EACH = 2, LISTS = 2 };
static_assert(EACH * LISTS == DNS_MAX_SERVERS, "room for all");

struct list {
	ip_addr_t ip[EACH]; /* any: none */
};

static struct list dhcp, router;
static struct list *order[LISTS]; /* by who spoke first */
static bool named;

static void publish(void)
{
	u8_t n = 0;

	if (named)
		return;
	for (unsigned l = 0; l < LISTS && order[l]; l++)
		for (unsigned k = 0; k < EACH; k++)
			if (!ip_addr_isany(&order[l]->ip[k]))
				dns_setserver(n++, &order[l]->ip[k]);
	while (n < DNS_MAX_SERVERS)
		dns_setserver(n++, NULL);
}

/* ip is NULL where the server is taken back. */
static void set(struct list *list, u8_t n, const ip_addr_t *ip)
{
	unsigned l = 0;

	if (n >= EACH)
		return;
	if (ip)
		list->ip[n] = *ip;
	else
		ip_addr_set_zero(&list->ip[n]);
	while (order[l] && order[l] != list)
		l++;
	order[l] = list;
	publish();
}

/* lwIP's dhcp.c and nd6.c know these as dns_setserver() and dns_getserver(). */
void pg_dhcp_set_nameserver(u8_t n, const ip_addr_t *ip);
void pg_router_set_nameserver(u8_t n, const ip_addr_t *ip);
const ip_addr_t *pg_router_nameserver(u8_t n);

void pg_dhcp_set_nameserver(u8_t n, const ip_addr_t *ip)
{
	set(&dhcp, n, ip);
}

void pg_router_set_nameserver(u8_t n, const ip_addr_t *ip)
{
	set(&router, n, ip);
}

const ip_addr_t *pg_router_nameserver(u8_t n)
{
	return n < EACH ? &router.ip[n] : IP_ADDR_ANY;
}

void pg_nameservers_named(const struct pg_ip *ip, unsigned n)
{
	for (unsigned k = 0; k < n && k < DNS_MAX_SERVERS; k++) {
		ip_addr_t a;

		pg_ip_to_lwip(&a, &ip[k]);
		dns_setserver((u8_t)k, &a);
	}
	named = n > 0;
}
