/* SPDX-License-Identifier: ISC */
/*
 * timers.c - the program's timers and lwIP's.
 *
 * Theory of operation
 *
 * One list, sorted by deadline; the first is what the loop waits for. lwIP wants some
 * functions called at intervals. An idle guest should sleep, so those run on multiples of
 * their interval, which makes the ones of a second fall together, and those that have
 * something to do only now and then are asked first: they are looked at whenever the loop
 * is about to wait, and not set while they have nothing to do.
 */
#include "net-internal.h"

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#include <stdlib.h>

static struct pg_timer *timers;

void pg_timer_stop(struct pg_timer *t)
{
	if (!t->prev_)
		return;
	*t->prev_ = t->next_;
	if (t->next_)
		t->next_->prev_ = t->prev_;
	t->next_ = NULL;
	t->prev_ = NULL;
}

void pg_timer_set(struct pg_timer *t, uint64_t deadline, void (*fn)(void *arg), void *arg)
{
	struct pg_timer **at = &timers;

	pg_timer_stop(t);
	while (*at && (*at)->deadline_ <= deadline)
		at = &(*at)->next_;
	t->deadline_ = deadline;
	t->fn_ = fn;
	t->arg_ = arg;
	t->next_ = *at;
	t->prev_ = at;
	if (*at)
		(*at)->prev_ = &t->next_;
	*at = t;
}

/* ---- lwIP's ---- */

static bool tcp_needed(void)
{
	return tcp_active_pcbs || tcp_tw_pcbs;
}

/*
 * A peer that closes its window and acknowledges what is not sent yet can leave lwIP
 * (2.1.3) with its clock for closed windows running and nothing to probe with, which its
 * timer takes for a bug of its own, and ends the program. So such clocks are stopped
 * first, and a retransmission's is running wherever something is under way.
 */
static void tcp_due(void)
{
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		if (pcb->persist_backoff == 0 || (pcb->unsent && !pcb->unacked))
			continue;
		pcb->persist_backoff = 0;
		pcb->persist_cnt = 0;
		pcb->persist_probe = 0;
		if (pcb->unacked && pcb->rtime < 0)
			pcb->rtime = 0;
	}
	tcp_tmr();
}

static bool dhcp_needed(void)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next) {
		struct dhcp *d = netif_dhcp_data(&i->netif);

		if (d && d->request_timeout > 0)
			return true;
	}
	return false;
}

static bool dhcp_used(void)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next)
		if (netif_dhcp_data(&i->netif))
			return true;
	return false;
}

static bool mld_needed(void)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next)
		for (struct mld_group *g = netif_mld6_data(&i->netif); g; g = g->next)
			if (g->timer > 0)
				return true;
	return false;
}

static struct interval {
	uint32_t ms;
	void (*fn)(void);
	bool (*needed)(void); /* NULL: always */
	struct pg_timer timer;
} intervals[] = {
	{ TCP_TMR_INTERVAL, tcp_due, tcp_needed, { 0 } },
	{ IP_TMR_INTERVAL, ip_reass_tmr, NULL, { 0 } },
	{ ARP_TMR_INTERVAL, etharp_tmr, NULL, { 0 } },
	{ DHCP_COARSE_TIMER_MSECS, dhcp_coarse_tmr, dhcp_used, { 0 } },
	{ DHCP_FINE_TIMER_MSECS, dhcp_fine_tmr, dhcp_needed, { 0 } },
	{ DNS_TMR_INTERVAL, dns_tmr, NULL, { 0 } },
	{ ND6_TMR_INTERVAL, nd6_tmr, NULL, { 0 } },
	{ IP6_REASS_TMR_INTERVAL, ip6_reass_tmr, NULL, { 0 } },
	{ MLD6_TMR_INTERVAL, mld6_tmr, mld_needed, { 0 } },
};
#define N_INTERVALS (sizeof intervals / sizeof *intervals)

static bool started;

static void interval_due(void *arg);

static void interval_set(struct interval *i)
{
	uint64_t step = i->ms * PG_MS;

	pg_timer_set(&i->timer, (pg_clock_monotonic() / step + 1) * step, interval_due,
		     i);
}

static void interval_due(void *arg)
{
	struct interval *i = arg;

	i->fn();
	if (!i->needed || i->needed())
		interval_set(i);
}

void sys_timeouts_init(void)
{
	started = true;
}

/* lwIP says that there is a connection; pg_timers_next() sees that as well. */
void tcp_timer_needed(void)
{
}

u32_t sys_now(void)
{
	return (u32_t)(pg_clock_monotonic() / PG_MS);
}

/* ---- for those who use lwIP's own interface ---- */

struct timeout {
	struct pg_timer timer;
	struct timeout *next;
	sys_timeout_handler fn;
	void *arg;
};

static struct timeout *timeouts;

static void timeout_free(struct timeout **at)
{
	struct timeout *t = *at;

	*at = t->next;
	pg_timer_stop(&t->timer);
	free(t);
}

static void timeout_due(void *arg)
{
	struct timeout **at = &timeouts, *t = arg;
	sys_timeout_handler fn = t->fn;
	void *fn_arg = t->arg;

	while (*at != t)
		at = &(*at)->next;
	timeout_free(at);
	fn(fn_arg);
}

void sys_timeout(u32_t msecs, sys_timeout_handler handler, void *arg)
{
	struct timeout *t = calloc(1, sizeof *t);

	LWIP_ASSERT("sys_timeout: no memory", t != NULL);
	t->fn = handler;
	t->arg = arg;
	t->next = timeouts;
	timeouts = t;
	pg_timer_set(&t->timer, pg_deadline_in(msecs * PG_MS), timeout_due, t);
}

void sys_untimeout(sys_timeout_handler handler, void *arg)
{
	for (struct timeout **at = &timeouts; *at; at = &(*at)->next) {
		if ((*at)->fn == handler && (*at)->arg == arg) {
			timeout_free(at);
			return;
		}
	}
}

/* ---- the loop's ---- */

uint64_t pg_timers_next(void)
{
	if (started)
		for (struct interval *i = intervals; i < intervals + N_INTERVALS; i++)
			if (!i->timer.prev_ && (!i->needed || i->needed()))
				interval_set(i);
	return timers ? timers->deadline_ : PG_NEVER;
}

void pg_timers_run(uint64_t now)
{
	/* As many as there are now: one that sets itself again waits for the next round. */
	unsigned n = 0;

	for (struct pg_timer *t = timers; t && t->deadline_ <= now; t = t->next_)
		n++;
	for (; n && timers && timers->deadline_ <= now; n--) {
		struct pg_timer *t = timers;

		pg_timer_stop(t);
		t->fn_(t->arg_);
	}
}
