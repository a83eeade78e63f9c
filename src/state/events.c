/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tender tells about its environment; registry.c has the theory. */
#include "base/fd.h"
#include "state/le.h"
#include "state/registry-internal.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define FROM(state) (1U << (state))
#define FROM_TENDED                                                                      \
	(FROM(REG_CREATED) | FROM(REG_STARTING) | FROM(REG_RUNNING) | FROM(REG_PAUSED))

/* A holder whose lock file is in place and has its generation needs no other proof. */
bool reg_holds_current(const struct reg_held *h)
{
	uint8_t generation[8];
	struct stat st;
	ssize_t n;

	if (h->lockfd < 0 || fstat(h->lockfd, &st) < 0 || st.st_nlink == 0)
		return false;
	n = pread(h->lockfd, generation, sizeof(generation), 0);
	return n == 0 ? h->generation == 1 :
			n == 8 && le64_get(generation) == h->generation;
}

/* Lock held: h is current, and in one of the states of from. */
static int check_held(struct registry *reg, struct reg_held *h, unsigned from,
		      const char *what, struct err *err)
{
	if (!reg_holds_current(h)) {
		auto_table t = { 0 };
		const struct reg_entry *e;
		int r = registry_read(reg, &t, err);

		if (r != 0)
			return r;
		e = reg_table_get(&t, &h->id);
		if (!e)
			return err_set(err, PE_NOTFOUND,
				       "there is no such environment any "
				       "more");
		if (e->generation != h->generation)
			return err_set(err, PE_REFUSED,
				       "a stale generation: this environment "
				       "was started again meanwhile");
		if (e->cleanup_due && from == FROM(REG_STOPPED))
			return err_set(err, PE_BUSY,
				       "what the last run left is not cleared "
				       "up yet");
		h->state = e->state;
		h->kept = e->kept;
	}
	if (!(from & FROM(h->state)))
		return err_set(err,
			       h->lockfd < 0 && h->state != REG_STOPPED ? PE_BUSY :
									  PE_REFUSED,
			       "an environment that is %s cannot be %s",
			       reg_state_name(h->state), what);
	return 0;
}

/* Lock held, and its end is recorded: what it had is free for others. */
static int let_go(struct registry *reg, struct reg_held *h, struct err *err)
{
	if (h->keptfd >= 0)
		(void)flock(h->keptfd, LOCK_UN);
	return h->kept ? registry_drop_rundir(reg, &h->id, err) : 0;
}

struct event {
	enum reg_type type;
	unsigned from;
	enum reg_state to;
	const char *what;
};

static int event(struct registry *reg, struct reg_held *h, const struct event *ev,
		 const struct str *more, struct err *err)
{
	auto_str payload = STR_INIT;
	int r;

	r = journal_lock(&reg->journal, err);
	if (r != 0)
		return r;
	r = check_held(reg, h, ev->from, ev->what, err);
	if (r == 0) {
		reg_head_encode(&payload, &h->id, h->generation);
		if (more) {
			str_addn(&payload, more->p, more->len);
			payload.failed |= more->failed;
		}
		r = registry_write(reg, ev->type, &payload, err);
	}
	if (r == 0 && ev->type < REG_T_BIND_INTENT)
		h->state = ev->to;
	if (r == 0 && ev->type == REG_T_STOPPED)
		r = let_go(reg, h, err);
	journal_unlock(&reg->journal);
	return r;
}

int registry_started(struct registry *reg, struct reg_held *h, const struct reg_run *run,
		     struct err *err)
{
	static const struct event ev = { REG_T_STARTED,
					 FROM(REG_CREATED) | FROM(REG_STARTING),
					 REG_RUNNING, "started" };
	auto_str more = STR_INIT;
	struct timespec now;

	if (run->cgroups && strlen(run->cgroups) > REG_TEXT_MAX)
		return err_set(err, PE_USAGE, "the cgroups' paths are too long");
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return err_sys(err, "cannot read the clock");
	reg_put_u32(&more, (uint32_t)run->tender);
	reg_put_u64(&more, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	reg_put_u32(&more, run->uid_base);
	reg_put_u32(&more, run->uid_count);
	reg_put_text(&more, run->cgroups ? run->cgroups : "");
	return event(reg, h, &ev, &more, err);
}

int registry_paused(struct registry *reg, struct reg_held *h, struct err *err)
{
	static const struct event ev = { REG_T_PAUSED, FROM(REG_RUNNING), REG_PAUSED,
					 "paused" };

	return event(reg, h, &ev, NULL, err);
}

int registry_resumed(struct registry *reg, struct reg_held *h, struct err *err)
{
	static const struct event ev = { REG_T_RESUMED, FROM(REG_PAUSED), REG_RUNNING,
					 "resumed" };

	return event(reg, h, &ev, NULL, err);
}

int registry_stopped(struct registry *reg, struct reg_held *h, int status,
		     struct err *err)
{
	static const struct event ev = { REG_T_STOPPED, FROM_TENDED, REG_STOPPED,
					 "stopped" };
	auto_str more = STR_INIT;

	reg_put_u32(&more, (uint32_t)status);
	reg_put_u32(&more, 0);
	return event(reg, h, &ev, &more, err);
}

/* Lock held. PE_BUSY: by another run directory it is tended. */
static int remove_recorded(struct registry *reg, struct reg_held *h, struct err *err)
{
	auto_fd kept = -1;
	int r = 0;

	if (h->kept && h->keptfd < 0) {
		r = kept_lock(reg, &h->id, false, &kept, err);
		if (r == PE_NOTFOUND)
			r = 0;
	}
	if (r == 0)
		r = registry_drop_rundir(reg, &h->id, err);
	if (r == 0)
		r = registry_write_head(reg, REG_T_REMOVED, &h->id, h->generation, err);
	if (r == 0)
		r = let_go(reg, h, err);
	if (r == 0 && h->kept)
		r = kept_forget(reg, &h->id, err);
	return r;
}

int registry_removed(struct registry *reg, struct reg_held *h, struct err *err)
{
	unsigned from = FROM(REG_STOPPED) | (h->lockfd >= 0 ? FROM_TENDED : 0);
	int r;

	r = journal_lock(&reg->journal, err);
	if (r != 0)
		return r;
	r = check_held(reg, h, from, "removed", err);
	if (r == 0)
		r = remove_recorded(reg, h, err);
	if (r == 0)
		registry_compact(reg);
	journal_unlock(&reg->journal);
	if (r == 0) {
		h->state = REG_STOPPED;
		if (h->kept)
			r = kept_remove(reg, &h->id, err);
	}
	return r;
}

/* ---- bindings ---- */

int registry_bind_intent(struct registry *reg, struct reg_held *h, const char *text,
			 struct reg_id *ret_bind, struct err *err)
{
	static const struct event ev = { .type = REG_T_BIND_INTENT,
					 .from = FROM_TENDED,
					 .what = "bound to anything" };
	auto_str more = STR_INIT;
	int r;

	if (strlen(text) > REG_TEXT_MAX)
		return err_set(err, PE_USAGE, "a binding is longer than %d bytes",
			       REG_TEXT_MAX);
	r = reg_random_id(ret_bind, err);
	if (r != 0)
		return r;
	str_addn(&more, ret_bind->b, REG_ID_BYTES);
	reg_put_text(&more, text);
	return event(reg, h, &ev, &more, err);
}

static int bind_event(struct registry *reg, struct reg_held *h, enum reg_type type,
		      const struct reg_id *bind, struct err *err)
{
	const struct event ev = { .type = type,
				  .from = FROM_TENDED,
				  .what = "bound to anything" };
	auto_str more = STR_INIT;

	str_addn(&more, bind->b, REG_ID_BYTES);
	return event(reg, h, &ev, &more, err);
}

int registry_bind_done(struct registry *reg, struct reg_held *h,
		       const struct reg_id *bind, struct err *err)
{
	return bind_event(reg, h, REG_T_BIND_DONE, bind, err);
}

int registry_bind_cut(struct registry *reg, struct reg_held *h, const struct reg_id *bind,
		      struct err *err)
{
	return bind_event(reg, h, REG_T_BIND_CUT, bind, err);
}

int registry_rewrite(struct registry *reg, const struct reg_held *h, const void *spec,
		     size_t len, bool sync, struct err *err)
{
	(void)reg;
	if (!h->kept || h->keptfd < 0)
		return 0;
	return fd_write_file_at(h->keptfd, "spec", spec, len, 0600,
				sync ? FD_WRITE_SYNC : FD_WRITE_PLAIN, err);
}
