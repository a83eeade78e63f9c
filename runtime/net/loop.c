/* SPDX-License-Identifier: ISC */
/*
 * loop.c - waits for frames and timers, and calls the program.
 *
 * Theory of operation
 *
 * A round is: frames into lwIP (at most a batch of each device), timers, then the tasks:
 * everything that has something to tell the program. lwIP's own functions only put tasks
 * into the queue. So a program's function never runs inside lwIP, may close or open what
 * it likes, and sees what a whole batch has brought in one call.
 */
#include "net-internal.h"

static struct pg_task *first, **last = &first;
static bool stopped;
static uint64_t round_began;

uint64_t pg_loop_now(void)
{
	if (!round_began)
		round_began = pg_clock_monotonic();
	return round_began;
}

void pg_task_queue(struct pg_task *t)
{
	if (t->queued)
		return;
	t->queued = true;
	t->next = NULL;
	*last = t;
	last = &t->next;
}

void pg_task_remove(struct pg_task *t)
{
	struct pg_task **at = &first;

	if (!t->queued)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (last == &t->next)
		last = at;
	t->queued = false;
}

/* Those that are there now; what they queue themselves comes in the next round. */
static void run_tasks(void)
{
	unsigned n = 0;

	for (struct pg_task *t = first; t; t = t->next)
		n++;
	for (; n && first; n--) {
		struct pg_task *t = first;

		first = t->next;
		if (!first)
			last = &first;
		t->queued = false;
		t->fn(t);
	}
}

void pg_loop_once(uint64_t deadline)
{
	uint64_t next = pg_timers_next();
	pg_set ready;

	if (first)
		deadline = 0;
	ready = pg_poll(next < deadline ? next : deadline);
	round_began = pg_clock_monotonic();
	for (struct pg_iface *i = pg_ifaces; i; i = i->next)
		if (pg_set_has(ready, i->device))
			pg_iface_input(i);
	pg_timers_run(round_began);
	run_tasks();
}

void pg_loop_run(void)
{
	stopped = false;
	while (!stopped)
		pg_loop_once(PG_NEVER);
}

void pg_loop_stop(void)
{
	stopped = true;
}
