/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A change goes through here in the tender's process, one at a time:
 *
 *	src/graph decides, by what is held now	a refusal touches nothing
 *	the intent is recorded
 *	the tender does it			what fails is recorded as cut
 *	the end is recorded
 *	what is held is changed, and for a kept environment what it will be asked to be
 *
 * So what is enforced is never more than the journal's records and its open intent say,
 * wherever any of us dies: with the tender the environment dies, and a caretaker that
 * dies has cut its grant. Narrowing is told to the caretaker before it is held, cutting
 * before it is answered.
 *
 * A grant comes with the descriptor of what the command line opened: no path is looked up
 * again. What a start is to serve is opened here, once.
 */
#include "launch/live-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "graph/caretaker.h"
#include "graph/change.h"
#include "launch/launch.h"
#include "sandbox/facts.h"
#include "sandbox/live.h"
#include "wire/ctl.h"

static uint64_t now_ns(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- what is recorded ---- */

static struct live_bind **find_bind(struct live *l, const char *slot)
{
	struct live_bind **at = &l->binds;

	while (*at && !streq((*at)->slot, slot))
		at = &(*at)->next;
	return at;
}

static void drop_bind(struct live_bind **at)
{
	struct live_bind *b = *at;

	*at = b->next;
	free(b->slot);
	free(b);
}

void live_fini(struct live *l)
{
	while (l->binds)
		drop_bind(&l->binds);
}

static int record_intent(struct live *l, const struct binding *b, struct reg_id *ret_id,
			 struct err *err)
{
	auto_str text = STR_INIT;

	binding_write(b, &text);
	if (text.failed)
		return err_oom(err);
	if (l->reg)
		return registry_bind_intent(l->reg, l->held, text.p, ret_id, err);
	return getrandom(ret_id->b, sizeof(ret_id->b), 0) == sizeof(ret_id->b) ?
		       0 :
		       err_sys(err, "cannot make an id");
}

static int record_done(struct live *l, const struct reg_id *id, const char *slot,
		       struct err *err)
{
	struct live_bind *b = calloc(1, sizeof(*b));

	if (!b || !(b->slot = strdup(slot))) {
		free(b);
		return err_oom(err);
	}
	b->id = *id;
	b->next = l->binds;
	l->binds = b;
	return l->reg ? registry_bind_done(l->reg, l->held, id, err) : 0;
}

static void record_cut(struct live *l, const char *slot)
{
	struct live_bind **at = find_bind(l, slot);

	if (!*at)
		return; /* held since the start */
	if (l->reg)
		(void)registry_bind_cut(l->reg, l->held, &(*at)->id, NULL);
	drop_bind(at);
}

/* From the next start on. What was taken is on the disk before that is answered: nothing brings
 * it back. What was given may be lost with the machine's power. */
static int keep(struct live *l, bool taken, struct err *err)
{
	auto_str spec = STR_INIT;

	if (!l->reg || !l->held->kept)
		return 0;
	record_encode(l->env, l->cwd, l->composition, &spec);
	if (spec.failed)
		return err_oom(err);
	return registry_rewrite(l->reg, l->held, spec.p, spec.len, taken, err);
}

/* ---- words for a caretaker ---- */

struct words {
	struct tender_taker v[64];
	char text[64][80]; /* of those whose form differs */
	size_t n;
};

static void fault_text(const struct caretaker_args *a, char *text, size_t size)
{
	static const char *const kinds[] = {
		[FAULT_EIO] = "eio", [FAULT_ENOSPC] = "enospc", [FAULT_SHORT] = "short"
	};
	char kind[32];

	(void)snprintf(kind, sizeof(kind), "slow=%llu", (unsigned long long)a->slow_ms);
	(void)snprintf(text, size, "%s:%.10f:%llu",
		       a->fault == FAULT_SLOW ? kind : kinds[a->fault],
		       (double)a->probability / (double)CARE_CERTAIN,
		       (unsigned long long)a->seed);
}

/* How the caretaker wants a word whose form differs: as plain numbers. */
static const char *argument(const struct caretaker_args *a, const struct kv *k,
			    char *text, size_t size)
{
	if (a->kind == CARE_TTL)
		(void)snprintf(text, size, "%llu",
			       (unsigned long long)(a->until_ns / 1000000));
	else if (a->kind == CARE_MAX && a->unit == CARE_FILES)
		(void)snprintf(text, size, "%llu,%llu", 1ull << 62,
			       (unsigned long long)a->amount);
	else if (a->kind == CARE_MAX)
		(void)snprintf(text, size, "%llu", (unsigned long long)a->amount);
	else if (a->kind == CARE_FAULT)
		fault_text(a, text, size);
	else
		return k->value;
	return text;
}

static bool in(const struct kv *k, const struct binding *b)
{
	for (size_t i = 0; b && i < b->n_through; i++)
		if (streq(b->through[i].key, k->key) &&
		    streq(b->through[i].value ? b->through[i].value : "",
			  k->value ? k->value : ""))
			return true;
	return false;
}

/* One pass: `log` alone, or the others. subdir= is the way to what is served, and no caretaker
 * of it. */
static int add_words(struct words *w, const struct binding *b, const struct binding *but,
		     bool log, struct err *err)
{
	for (size_t i = 0; i < b->n_through; i++) {
		const struct kv *k = &b->through[i];
		struct caretaker_args a;
		int r;

		if (streq(k->key, "subdir") || streq(k->key, "log") != log || in(k, but))
			continue;
		if (w->n == ARRAY_LEN(w->v))
			return err_set(err, PE_REFUSED, "%s: too many caretakers",
				       b->slot);
		r = caretaker_parse(k, now_ns(), &a, err);
		if (r != 0)
			return r;
		w->v[w->n] =
			(struct tender_taker){ k->key, argument(&a, k, w->text[w->n],
								sizeof(w->text[0])) };
		w->n++;
	}
	return 0;
}

/* Those of b that `but` (NULL: nothing) does not have. What is logged is what the program
 * asked for and how that ended, so log stands nearest to it. */
static int list_words(struct words *w, const struct binding *b, const struct binding *but,
		      struct err *err)
{
	int r;

	w->n = 0;
	r = add_words(w, b, but, true, err);
	return r == 0 ? add_words(w, b, but, false, err) : r;
}

/* ---- served ---- */

static struct live_cover *list_covers(const struct spec *s, size_t *ret_n)
{
	struct live_cover *v = calloc(s->n_mounts + 1, sizeof(*v));

	*ret_n = 0;
	for (size_t i = 0; v && i < s->n_mounts; i++)
		v[(*ret_n)++] = (struct live_cover){
			.path = s->mounts[i].dst,
			.mask = s->mounts[i].kind == SPEC_MOUNT_MASK,
			.read_only = s->mounts[i].flags & SPEC_MOUNT_RO,
		};
	return v;
}

static int serve_guarded(struct live *l, struct tender *t, const struct binding *b,
			 const struct reg_id *id, int fd, const struct spec *guards,
			 struct err *err)
{
	auto_str rule = STR_INIT;
	auto_free struct live_cover *covers = NULL;
	struct tender_serve s = { .slot = b->slot,
				  .root_fd = fd,
				  /* A mount that denies tells nobody. */
				  .read_only = binding_readonly(b) &&
					       !binding_caretaker(b, "log"),
				  .passthrough = binding_option(b, "passthrough"),
				  .host_uid = geteuid(),
				  .host_gid = getegid() };
	struct words w;
	struct stat st;
	int r = list_words(&w, b, NULL, err);

	if (r != 0)
		return r;
	binding_write(b, &rule);
	covers = list_covers(guards, &s.n_covers);
	if (rule.failed || !covers)
		return err_oom(err);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s: cannot examine what is granted", b->slot);
	memcpy(s.binding, id->b, sizeof(s.binding));
	s.rule = rule.p;
	s.is_file = !S_ISDIR(st.st_mode);
	s.takers = w.v;
	s.n_takers = w.n;
	s.covers = covers;
	(void)l;
	return tender_serve(t, &s, err);
}

/* from: of b's path, opened by who asked; -1: nobody has. */
static int serve(struct live *l, struct tender *t, const struct binding *b,
		 const struct reg_id *id, int from, struct err *err)
{
	struct spec guards = SPEC_INIT;
	auto_fd fd = -1;
	int r = server_open_served(b, from, &fd, err);

	guards.flags = l->spec->flags;
	if (r == 0)
		r = server_guard_served(&guards, l->env, b, l->cx, fd, err);
	if (r == 0 && guards.failed)
		r = err_oom(err);
	if (r == 0)
		r = serve_guarded(l, t, b, id, fd, &guards, err);
	spec_fini(&guards);
	return r;
}

bool live_is_needed(const struct genv *e)
{
	for (size_t i = 0; i < e->n_bindings; i++)
		if (binding_needs_caretaker(&e->bindings[i]))
			return true;
	return false;
}

int live_begin(struct genv *e, bool again, struct err *err)
{
	uint64_t now = live_is_needed(e) ? now_ns() : 0;

	for (size_t i = 0; now && i < e->n_bindings; i++) {
		struct binding *b = &e->bindings[i];
		int r;

		if (again && binding_until(b) <= now) {
			b->source = SRC_NULL; /* it held until then, and no longer */
			b->n_through = 0;
			continue;
		}
		r = binding_fix_ttl(b, now, err);
		if (r != 0)
			return r;
	}
	return 0;
}

int live_serve_all(struct live *l, struct tender *t, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->env->n_bindings; i++) {
		const struct binding *b = &l->env->bindings[i];
		struct reg_id id;

		if (!binding_needs_caretaker(b))
			continue;
		if (getrandom(id.b, sizeof(id.b), 0) != sizeof(id.b))
			return err_sys(err, "cannot make an id");
		r = serve(l, t, b, &id, -1, err);
		if (r == PE_NOTFOUND && b->optional)
			r = 0;
	}
	return r;
}

/* ---- asked ---- */

/* A device needs none of what takes a process to find out. */
static void look_at_host(const struct live *l, struct host_facts *ret)
{
	if (l->unikernel)
		host_facts_assume(ret);
	else
		host_facts_probe(ret);
}

/* The binding of a request, in a graph of its own. */
static int read_binding(struct graph *g, const char *text, struct binding **ret,
			struct err *err)
{
	struct path_base base = { .cwd = NULL };
	struct genv *e;
	int r = graph_env_new(g, "", (struct pos){ 0 }, &e, err);

	return r == 0 ? graph_env_bind(e, text, &base, (struct pos){ 0 }, ret, err) : r;
}

static int do_grant(struct live *l, struct tender *t, const struct genv_change *c,
		    int source, struct err *err)
{
	struct reg_id id;
	int r;

	if (c->step != CHANGE_CARETAKER && c->step != CHANGE_DEVICE)
		return err_set(err, PE_REFUSED,
			       "%s: what another environment exposes cannot be granted "
			       "while it runs yet; restart it with this binding",
			       c->slot);
	r = record_intent(l, &c->binding, &id, err);
	if (r != 0)
		return r;
	r = c->step == CHANGE_DEVICE ? live_device_grant(l, t, &c->binding, err) :
				       serve(l, t, &c->binding, &id, source, err);
	if (r == 0)
		r = record_done(l, &id, c->slot, err);
	if (r != 0 && l->reg)
		(void)registry_bind_cut(l->reg, l->held, &id, NULL);
	return r;
}

static int on_grant(struct live *l, struct tender *t, struct rbuf *body, const int *fds,
		    size_t n_fds, struct str *reply, struct err *err)
{
	const char *text = get_str(body);
	bool weaker = get_u8(body);
	struct graph *g = graph_new();
	struct host_facts facts;
	struct genv_change c = { .step = CHANGE_NOTHING };
	struct binding *b = NULL;
	int r = g ? 0 : err_oom(err);

	look_at_host(l, &facts);
	if (r == 0 && (body->bad || body->p != body->end || n_fds > 1))
		r = err_set(err, PE_BAD, "a damaged request");
	if (r == 0)
		r = read_binding(g, text, &b, err);
	if (r == 0)
		r = graph_grant(l->env, b, &facts, weaker, now_ns(), &c, err);
	if (r == 0)
		c.binding.live = true;
	if (r == 0 && c.step != CHANGE_NOTHING)
		r = do_grant(l, t, &c, n_fds ? fds[0] : -1, err);
	if (r == 0) {
		put_str(reply, c.how);
		put_str(reply, cut_name(c.cut));
	}
	if (r == 0 && c.step != CHANGE_NOTHING)
		r = genv_change_apply(l->env, &c);
	if (r == 0)
		r = keep(l, false, err);
	genv_change_fini(&c);
	graph_free(g);
	return r;
}

static const struct binding *held_at(const struct genv *e, const char *slot)
{
	return genv_binding(e, slot);
}

static int do_narrow(struct live *l, struct tender *t, const struct genv_change *c,
		     struct err *err)
{
	struct words w;
	int r;

	if (c->step == CHANGE_DEVICE)
		return live_device_narrow(t, &c->binding, err);
	r = list_words(&w, &c->binding, held_at(l->env, c->slot), err);
	return r == 0 ? tender_narrow(t, c->slot, w.v, w.n, err) : r;
}

static int on_attenuate(struct live *l, struct tender *t, struct rbuf *body,
			struct str *reply, struct err *err)
{
	const char *slot = get_str(body), *words[16];
	uint32_t n = get_count(body, 5);
	struct genv_change c = { .step = CHANGE_NOTHING };
	struct host_facts facts;
	auto_str text = STR_INIT;
	int r;

	if (n > ARRAY_LEN(words))
		return err_set(err, PE_REFUSED, "at most %zu caretakers at once",
			       ARRAY_LEN(words));
	for (uint32_t i = 0; i < n; i++)
		words[i] = get_str(body);
	if (body->bad || body->p != body->end)
		return err_set(err, PE_BAD, "a damaged request");
	look_at_host(l, &facts);
	r = graph_attenuate(l->env, slot, words, n, &facts, now_ns(), &c, err);
	if (r == 0 && c.step != CHANGE_NOTHING) {
		r = do_narrow(l, t, &c, err);
		if (r == 0) {
			binding_write(&c.binding, &text);
			r = genv_change_apply(l->env, &c);
		}
		if (r == 0)
			r = keep(l, true, err);
	}
	put_str(reply, str_text(&text));
	genv_change_fini(&c);
	return r;
}

static int do_revoke(struct live *l, struct tender *t, struct genv_change *c,
		     enum revoke_to to, struct tender_cut *cut, struct err *err)
{
	struct err why = ERR_INIT;
	int r = 0;

	if (c->step == CHANGE_CUT)
		r = tender_cut(t, c->slot, to == REVOKE_TO_ERROR, cut, &why);
	else if (c->step == CHANGE_UNMOUNT)
		r = tender_unmount(t, c->slot, &why);
	else if (c->step == CHANGE_DEVICE)
		r = live_device_revoke(l, t, c, to, &why);
	/* Where the program is ended for it, it need not be taken away. */
	if (r != 0 && c->step != CHANGE_CUT && !(c->step == CHANGE_UNMOUNT && c->kill))
		return err_set(err, r, "%s", why.text);
	record_cut(l, c->slot);
	return 0;
}

static int on_revoke(struct live *l, struct tender *t, struct rbuf *body,
		     struct str *reply, struct err *err)
{
	const char *slot = get_str(body);
	uint8_t to = get_u8(body), how = get_u8(body);
	struct genv_change c = { .step = CHANGE_NOTHING };
	struct tender_cut cut = { .complete = true };
	struct host_facts facts;
	bool kill_it;
	int r;

	if (body->bad || body->p != body->end || to > REVOKE_TO_ERROR ||
	    how > REVOKE_KILL)
		return err_set(err, PE_BAD, "a damaged request");
	look_at_host(l, &facts);
	r = graph_revoke(l->env, slot, (enum revoke_to)to, (enum revoke_how)how, &facts,
			 &c, err);
	if (r == 0 && c.step != CHANGE_NOTHING)
		r = do_revoke(l, t, &c, (enum revoke_to)to, &cut, err);
	kill_it = r == 0 && c.kill;
	if (r == 0 && c.step != CHANGE_NOTHING)
		r = genv_change_apply(l->env, &c);
	if (r == 0)
		r = keep(l, true, err);
	genv_change_fini(&c);
	if (kill_it)
		tender_kill(t);
	put_u8(reply, cut.complete);
	put_u32(reply, cut.files);
	put_u32(reply, cut.unfinished);
	return r;
}

int live_change(struct live *l, struct tender *t, uint16_t verb, struct rbuf *body,
		const int *fds, size_t n_fds, struct str *reply, struct err *err)
{
	switch (verb) {
	case CTL_GRANT: return on_grant(l, t, body, fds, n_fds, reply, err);
	case CTL_ATTENUATE: return on_attenuate(l, t, body, reply, err);
	case CTL_REVOKE: return on_revoke(l, t, body, reply, err);
	default: return err_set(err, PE_BAD, "no such change");
	}
}

/* The slot falls to null, as it would if it were revoked. */
void live_lost(struct live *l, const char *slot, const char *why)
{
	struct genv_change c = { .step = CHANGE_NOTHING };
	struct host_facts facts = HOST_FACTS_ALL;

	(void)why;
	record_cut(l, slot);
	if (graph_revoke(l->env, slot, REVOKE_TO_NULL, REVOKE_NEW_ONLY, &facts, &c,
			 NULL) == 0 &&
	    c.step != CHANGE_NOTHING && genv_change_apply(l->env, &c) == 0)
		(void)keep(l, true, NULL);
	genv_change_fini(&c);
}
