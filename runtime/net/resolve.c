/* SPDX-License-Identifier: ISC */
/*
 * resolve.c - names become addresses.
 *
 * lwIP asks for one kind of address at a time, and what it tells comes in the middle of
 * its work. So an answer is only written down there; the second question, and the
 * program's function, come from the loop.
 */
#include "net-internal.h"

#include "lwip/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
	struct pg_task task; /* first */
	void (*fn)(const struct pg_ip *ip, void *arg);
	void *arg;
	struct pg_ip ip; /* version 0: there is none */
	bool then_v6;
	char name[DNS_MAX_NAME_LENGTH];
};

static void found(const char *name, const ip_addr_t *ip, void *arg)
{
	struct lookup *l = arg;

	(void)name;
	if (ip)
		pg_ip_from_lwip(&l->ip, ip);
	pg_task_queue(&l->task);
}

/* PG_OK: found() has been or will be called. */
static int ask(struct lookup *l, unsigned version)
{
	ip_addr_t ip;
	err_t e = dns_gethostbyname_addrtype(l->name, &ip, found, l,
					     version == 6 ? LWIP_DNS_ADDRTYPE_IPV6 :
							    LWIP_DNS_ADDRTYPE_IPV4);

	if (e == ERR_OK)
		found(l->name, &ip, l);
	else if (e == ERR_VAL)
		found(l->name, NULL, l); /* no name server is known */
	else if (e != ERR_INPROGRESS)
		return e == ERR_ARG ? PG_INVALID : PG_NO_MEMORY;
	return PG_OK;
}

static void tell(struct pg_task *t)
{
	struct lookup *l = (struct lookup *)t;

	if (!l->ip.version && l->then_v6) {
		l->then_v6 = false;
		if (ask(l, 6) == PG_OK)
			return;
	}
	l->fn(l->ip.version ? &l->ip : NULL, l->arg);
	free(l);
}

int pg_resolve(const char *name, unsigned version,
	       void (*fn)(const struct pg_ip *ip, void *arg), void *arg)
{
	struct lookup *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return PG_NO_MEMORY;
	if (!*name || strlen(name) >= sizeof l->name) {
		free(l);
		return PG_INVALID;
	}
	l->task.fn = tell;
	l->fn = fn;
	l->arg = arg;
	l->then_v6 = version == 0;
	snprintf(l->name, sizeof l->name, "%s", name);
	r = ask(l, version);
	if (r != PG_OK)
		free(l);
	return r;
}
