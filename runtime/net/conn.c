/* SPDX-License-Identifier: ISC */
/*
 * conn.c - TCP connections as programs see them.
 *
 * Theory of operation
 *
 * Inside lwIP's calls, only facts are written down: bytes go into the connection's ring,
 * ends and errors become flags, and the connection is queued to be told (loop.c). The ring
 * is never larger than TCP's window, and lwIP is told that bytes were taken only when the
 * program has read them, so what a peer can make us keep is bounded whatever the size of
 * its packets. An empty ring is given back: a connection that waits holds no buffer.
 *
 * After pg_conn_close() a connection lingers: our end is sent behind what was written,
 * what still comes in is thrown away, and counts for nothing; the peer's end, an error, or
 * time without progress frees it. Closing both directions at once would answer late bytes with a
 * reset, and that throws away what the peer has not read yet.
 *
 * A struct pg_conn lives until both sides have let go: lwIP (pcb is NULL) and the program
 * (closing). It is freed from the loop alone, never while a function of the program is
 * running with it.
 */
#include "net-internal.h"

#include "lwip/priv/tcp_priv.h"

#include <stdlib.h>
#include <string.h>

#define RING_MIN 2048u
#define LINGER (10 * PG_SECOND)      /* without progress of what was written */
#define LINGER_MAX (120 * PG_SECOND) /* in any case */
#define TICK (500 * PG_MS)
#define WRITE_MAX 32768u /* of one call of lwIP's, which counts in 16 bits */
#define HOLD_BACK 8192u  /* of the window, before lwIP is told that it was read */

static struct pg_conn *conns;
static struct pg_timer tick;
static uint64_t tick_due;
const struct pg_tls_hook *pg_tls_hook;

/* ---- life ---- */

static void detach(struct pg_conn *c)
{
	if (!c->pcb)
		return;
	tcp_arg(c->pcb, NULL);
	tcp_recv(c->pcb, NULL);
	tcp_sent(c->pcb, NULL);
	tcp_err(c->pcb, NULL);
	c->pcb = NULL;
}

static void conn_free(struct pg_conn *c)
{
	pg_task_remove(&c->task);
	if (c->filter)
		c->filter->free(c);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (!conns)
		pg_timer_stop(&tick);
	if (c->listener && --c->listener->count == 0 && c->listener->closed)
		free(c->listener);
	pg_net_counts.connections--;
	pg_lwip_free(c->ring);
	free(c);
}

/* lwIP lets go of it now; a reset goes out. */
static void drop(struct pg_conn *c)
{
	struct tcp_pcb *pcb = c->pcb;

	detach(c);
	if (pcb)
		tcp_abort(pcb);
}

void pg_conn_break(struct pg_conn *c, const char *why)
{
	drop(c);
	c->broken = true;
	if (!c->why)
		c->why = why;
	pg_conn_tell(c, PG_CONN_END);
}

void pg_conn_tell(struct pg_conn *c, unsigned events)
{
	c->events |= events;
	pg_task_queue(&c->task);
}

static void tell(struct pg_task *t)
{
	struct pg_conn *c = (struct pg_conn *)t;
	unsigned events = c->events;

	c->events = 0;
	if (c->filter && events && !c->ended)
		events = c->filter->event(c, events);
	if (c->told_end)
		events &= ~(unsigned)PG_CONN_END;
	c->told_end |= (events & PG_CONN_END) != 0;
	if (events && !c->closing) {
		c->in_call = true;
		c->fn(c, events, c->arg);
		c->in_call = false;
	}
	if (c->pcb)
		tcp_output(c->pcb);
	if (c->closing && !c->pcb)
		conn_free(c);
}

/* ---- time ---- */

static void check(struct pg_conn *c, uint64_t now)
{
	if (!c->pcb)
		return;
	if (c->idle && now - c->active >= c->idle && now > c->active)
		pg_conn_break(c, "timed out: nothing has moved");
	else if (now >= c->deadline)
		pg_conn_break(c, "timed out");
}

static void on_tick(void *arg);

static void set_tick(uint64_t now)
{
	tick_due = (now / TICK + 1) * TICK;
	pg_timer_set(&tick, tick_due, on_tick, NULL);
}

/*
 * Where the tick itself is late, this program was busy or paused, and nobody else is to
 * blame: that time does not count.
 */
static void on_tick(void *arg)
{
	uint64_t now = pg_clock_monotonic();
	uint64_t lost = now > tick_due + TICK ? now - tick_due : 0;

	(void)arg;
	for (struct pg_conn *c = conns; c; c = c->next) {
		c->active += lost;
		if (c->deadline < PG_NEVER - lost)
			c->deadline += lost;
		check(c, now);
	}
	if (conns)
		set_tick(now);
}

/* ---- what lwIP says ---- */

static bool ring_room(struct pg_conn *c, uint32_t need)
{
	uint32_t size = c->ring_size ? c->ring_size : RING_MIN;
	uint8_t *more;
	uint32_t first;

	if (c->ring_size - c->ring_len >= need)
		return true;
	while (size - c->ring_len < need)
		size *= 2;
	more = pg_lwip_malloc(size);
	if (!more)
		return false;
	first = c->ring_size - c->ring_at;
	if (first > c->ring_len)
		first = c->ring_len;
	if (c->ring_len) {
		memcpy(more, c->ring + c->ring_at, first);
		memcpy(more + first, c->ring, c->ring_len - first);
	}
	pg_lwip_free(c->ring);
	c->ring = more;
	c->ring_size = size;
	c->ring_at = 0;
	return true;
}

static void ring_put(struct pg_conn *c, const uint8_t *p, uint32_t n)
{
	uint32_t at = (c->ring_at + c->ring_len) & (c->ring_size - 1);
	uint32_t first = c->ring_size - at;

	if (first > n)
		first = n;
	memcpy(c->ring + at, p, first);
	memcpy(c->ring, p + first, n - first);
	c->ring_len += n;
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct pg_conn *c = arg;

	(void)err;
	if (!c->closing)
		c->active = pg_loop_now();
	if (!p) {
		c->peer_done = true;
		if (c->closing)
			detach(c); /* both ends are said: the rest is lwIP's */
		pg_conn_tell(c, PG_CONN_READ);
		return ERR_OK;
	}
	if (c->closing) {
		tcp_recved(pcb, p->tot_len);
		pbuf_free(p);
		return ERR_OK;
	}
	if (c->ring_len + p->tot_len > TCP_WND || !ring_room(c, p->tot_len))
		return ERR_MEM; /* lwIP keeps it, and comes again */
	for (struct pbuf *q = p; q; q = q->next)
		ring_put(c, q->payload, q->len);
	pbuf_free(p);
	pg_conn_tell(c, PG_CONN_READ);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct pg_conn *c = arg;
	unsigned events = 0;

	(void)len;
	c->active = pg_loop_now();
	if (c->want_room && pg_raw_room(c) >= TCP_SND_BUF / 4) {
		c->want_room = false;
		events |= PG_CONN_WRITE;
	}
	if (!pcb->unacked && !pcb->unsent)
		events |= PG_CONN_DRAINED;
	if (events)
		pg_conn_tell(c, events);
	return ERR_OK;
}

static void on_error(void *arg, err_t err)
{
	struct pg_conn *c = arg;

	c->pcb = NULL; /* it is gone already */
	c->broken = true;
	if (!c->why)
		c->why = err == ERR_RST  ? "reset by the peer" :
			 err == ERR_ABRT ? "no answer, or no memory for it" :
					   "closed";
	pg_conn_tell(c, PG_CONN_END);
}

struct pg_conn *pg_conn_new(struct tcp_pcb *pcb, pg_conn_fn *fn, void *arg)
{
	struct pg_conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->task.fn = tell;
	c->pcb = pcb;
	c->fn = fn;
	c->arg = arg;
	c->deadline = PG_NEVER;
	c->active = pg_loop_now();
	c->next = conns;
	c->prev = &conns;
	if (conns)
		conns->prev = &c->next;
	conns = c;
	if (!tick.prev_)
		set_tick(pg_clock_monotonic());
	tcp_arg(pcb, c);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_err(pcb, on_error);
	tcp_nagle_disable(pcb); /* what a program writes in one call leaves together */
	pg_net_counts.connections++;
	return c;
}

/* ---- reading and writing ---- */

static void give_back(struct pg_conn *c, uint32_t n)
{
	uint32_t left;

	c->held_back += n;
	if (!c->pcb || (c->held_back < HOLD_BACK && c->ring_len))
		return;
	for (left = c->held_back; left; left -= n) {
		n = left < 0xffff ? left : 0xffff;
		tcp_recved(c->pcb, (u16_t)n);
	}
	c->held_back = 0;
}

int pg_raw_read(struct pg_conn *c, void *buf, size_t size, size_t *ret_len)
{
	uint32_t n = size < c->ring_len ? (uint32_t)size : c->ring_len;
	uint32_t first = c->ring_size - c->ring_at;

	if (n == 0) {
		*ret_len = 0;
		if (c->ring_len)
			return PG_INVALID; /* no room in buf */
		if (c->peer_done)
			return PG_OK;
		return c->broken || c->closing ? PG_FAILED : PG_AGAIN;
	}
	if (first > n)
		first = n;
	memcpy(buf, c->ring + c->ring_at, first);
	memcpy((uint8_t *)buf + first, c->ring, n - first);
	c->ring_at = (c->ring_at + n) & (c->ring_size - 1);
	c->ring_len -= n;
	if (c->ring_len == 0) {
		pg_lwip_free(c->ring);
		c->ring = NULL;
		c->ring_size = c->ring_at = 0;
	}
	give_back(c, n);
	*ret_len = n;
	return PG_OK;
}

size_t pg_raw_room(const struct pg_conn *c)
{
	if (!c->pcb || c->closing)
		return 0;
	/* Every write may need two packets' worth of bookkeeping. */
	if (tcp_sndqueuelen(c->pcb) + 8 > TCP_SND_QUEUELEN)
		return 0;
	return tcp_sndbuf(c->pcb);
}

int pg_raw_write(struct pg_conn *c, const void *data, size_t len, bool is_static,
		 size_t *ret_taken)
{
	size_t done = 0;

	*ret_taken = 0;
	if (!c->pcb || c->closing || c->broken)
		return PG_FAILED;
	while (done < len) {
		size_t n = pg_raw_room(c);

		if (n > len - done)
			n = len - done;
		if (n > WRITE_MAX)
			n = WRITE_MAX;
		if (n == 0 || tcp_write(c->pcb, (const uint8_t *)data + done, (u16_t)n,
					(is_static ? 0 : TCP_WRITE_FLAG_COPY) |
						(n < len - done ? TCP_WRITE_FLAG_MORE :
								  0)) != ERR_OK)
			break;
		done += n;
	}
	if (done < len) {
		c->want_room = true;
		/* Nothing is under way that would wake us: look again soon. */
		if (!c->pcb->unacked && !c->pcb->unsent)
			pg_conn_tell(c, PG_CONN_WRITE);
	}
	if (!c->in_call)
		pg_task_queue(&c->task); /* which sends it */
	*ret_taken = done;
	return done || !len ? PG_OK : PG_AGAIN;
}

int pg_conn_read(struct pg_conn *c, void *buf, size_t size, size_t *ret_len)
{
	return (c->filter ? c->filter->read : pg_raw_read)(c, buf, size, ret_len);
}

int pg_conn_write(struct pg_conn *c, const void *data, size_t len, size_t *ret_taken)
{
	if (c->filter)
		return c->filter->write(c, data, len, ret_taken);
	return pg_raw_write(c, data, len, false, ret_taken);
}

int pg_conn_write_static(struct pg_conn *c, const void *data, size_t len,
			 size_t *ret_taken)
{
	if (c->filter)
		return c->filter->write(c, data, len, ret_taken);
	return pg_raw_write(c, data, len, true, ret_taken);
}

size_t pg_conn_room(const struct pg_conn *c)
{
	return c->filter ? c->filter->room(c) : pg_raw_room(c);
}

/* ---- the end ---- */

/* Bytes that nobody will read count as read: with a full window, closing sends an end and
 * not a reset. */
static void forget_unread(struct pg_conn *c)
{
	uint32_t n = c->ring_len;

	c->ring_len = 0;
	pg_lwip_free(c->ring);
	c->ring = NULL;
	c->ring_size = c->ring_at = 0;
	give_back(c, n);
}

void pg_conn_close(struct pg_conn *c)
{
	if (!c || c->closing)
		return;
	if (c->filter && c->pcb && !c->broken)
		c->filter->closing(c);
	c->closing = true;
	c->ended = true;
	pg_task_queue(&c->task);
	if (!c->pcb)
		return;
	forget_unread(c);
	if (c->peer_done) {
		struct tcp_pcb *pcb = c->pcb;

		detach(c);
		if (tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
		return;
	}
	c->idle = LINGER;
	c->deadline = pg_loop_now() + LINGER_MAX;
	c->active = pg_loop_now();
	if (tcp_shutdown(c->pcb, 0, 1) != ERR_OK)
		drop(c);
}

void pg_conn_abort(struct pg_conn *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	c->ended = true;
	drop(c);
	pg_task_queue(&c->task);
}

/* ---- asking and setting ---- */

void pg_conn_set(struct pg_conn *c, pg_conn_fn *fn, void *arg)
{
	c->fn = fn;
	c->arg = arg;
}

void pg_conn_idle(struct pg_conn *c, uint64_t ns)
{
	c->idle = ns;
	c->active = pg_loop_now();
}

void pg_conn_deadline(struct pg_conn *c, uint64_t deadline)
{
	c->deadline = deadline;
}

void pg_conn_peer(const struct pg_conn *c, struct pg_endpoint *ret)
{
	*ret = c->peer;
}

void pg_conn_local(const struct pg_conn *c, struct pg_endpoint *ret)
{
	*ret = c->local;
}

const char *pg_conn_why(const struct pg_conn *c)
{
	return c->why ? c->why : c->peer_done ? "closed by the peer" : "open";
}
