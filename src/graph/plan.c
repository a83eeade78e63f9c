/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Each environment is decided by itself, those that others are bound to first: whether an
 * exposed server will be another one is then known. What is not a binding (program,
 * arguments, limits, …) is fixed while a program runs, so a difference there is a
 * restart. For bindings the changes are played through on a copy of what runs, one after
 * the other, with the same functions that decide them when they are asked for one by one:
 * a plan has no rules of its own. As soon as one is refused, the whole environment is
 * restarted instead, with that refusal as the reason: half of a change and a restart
 * would be worse than either.
 */
#include "graph/plan.h"
#include "graph/caretaker.h"
#include "graph/graph-internal.h"

#include <assert.h>

static const char *const op_names[] = {
	[PLAN_NOTHING] = "nothing", [PLAN_STOP] = "stop",
	[PLAN_START] = "start",     [PLAN_RESTART] = "restart",
	[PLAN_REVOKE] = "revoke",   [PLAN_ATTENUATE] = "attenuate",
	[PLAN_GRANT] = "grant",
};
static_assert(ARRAY_LEN(op_names) == PLAN_OP_COUNT, "every step has a name");

const char *plan_op_name(enum plan_op op)
{
	return op_names[op];
}

struct planner {
	const struct graph *running;
	const struct host_facts *facts;
	const struct plan_how *how;
	struct plan *plan;
	bool *renewed;         /* of wanted's environments: its servers are new ones */
	struct graph *scratch; /* one environment: what holds after the steps so far */
	struct genv *held;
	struct str reason; /* of a restart; empty: none */
	struct pos reason_pos;
	struct str weak; /* why a cut that is to be complete is not; empty: all are */
	struct pos weak_pos;
	struct err *err;
};

/* ---- steps ---- */

static void step_fini(struct plan_step *s)
{
	genv_change_fini(&s->change);
	free(s->what);
	free(s->reason);
}

void plan_fini(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		step_fini(&p->v[i]);
	free(p->v);
	*p = (struct plan){ 0 };
}

static int add_step(struct planner *p, enum plan_op op, const struct genv *running,
		    const struct genv *wanted, struct pos pos)
{
	struct plan_step *room = list_room(p->plan->v, p->plan->n, sizeof(*room));

	if (!room)
		return err_oom(p->err);
	p->plan->v = room;
	room[p->plan->n++] = (struct plan_step){
		.op = op, .running = running, .wanted = wanted, .pos = pos
	};
	return 0;
}

/* The changes that were planned for it so far are not made. */
static void forget_changes(struct planner *p, size_t from)
{
	while (p->plan->n > from)
		step_fini(&p->plan->v[--p->plan->n]);
}

/* Only the first reason is kept. */
static void restart_for(struct planner *p, struct pos pos, const char *text)
{
	if (p->reason.len > 0)
		return;
	str_add(&p->reason, text);
	p->reason_pos = pos;
}

/* ---- what is fixed ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && streq(a, b));
}

static bool same_args(const struct genv *a, const struct genv *b)
{
	if (a->n_argv != b->n_argv)
		return false;
	for (size_t i = 0; i < a->n_argv; i++)
		if (!streq(a->argv[i], b->argv[i]))
			return false;
	return true;
}

static bool same_vars(const struct genv *a, const struct genv *b)
{
	return a->n_vars == b->n_vars &&
	       kv_has_all(a->vars, a->n_vars, b->vars, b->n_vars);
}

static bool same_exposes(const struct genv *a, const struct genv *b)
{
	if (a->n_exposes != b->n_exposes)
		return false;
	for (size_t i = 0; i < a->n_exposes; i++) {
		const struct expose *x = genv_expose(b, a->exposes[i].name);

		if (!x || x->iface != a->exposes[i].iface ||
		    !streq(x->path, a->exposes[i].path))
			return false;
	}
	return true;
}

static bool same_limits(const struct limits *a, const struct limits *b)
{
	return a->mem_bytes == b->mem_bytes && a->cpu_percent == b->cpu_percent &&
	       a->pids == b->pids && a->time_ms == b->time_ms;
}

static struct pos pos_or(struct pos pos, const struct genv *e)
{
	return pos.line ? pos : e->pos;
}

static void compare_fixed(struct planner *p, const struct genv *old,
			  const struct genv *now)
{
	if (old->program != now->program || !same_text(old->image, now->image))
		restart_for(p, pos_or(now->image_pos, now), "its program is another one");
	if (!same_args(old, now))
		restart_for(p, pos_or(now->args_pos, now), "its arguments are others");
	if (!same_vars(old, now))
		restart_for(p, now->n_vars ? pos_or(now->vars[0].pos, now) : now->pos,
			    "its variables are others");
	if (!same_text(old->root, now->root))
		restart_for(p, pos_or(now->root_pos, now), "its root is another one");
	if (!same_text(old->chdir, now->chdir))
		restart_for(p, pos_or(now->chdir_pos, now),
			    "its working directory is another one");
	if (!same_exposes(old, now))
		restart_for(p, now->n_exposes ? now->exposes[0].pos : now->pos,
			    "what it exposes is decided when it starts");
	if (!same_limits(&old->limits, &now->limits))
		restart_for(p, pos_or(now->limits.pos, now),
			    "its limits are set when it starts");
}

/* ---- bindings ---- */

/* A duration in the manifest is no new grant each time that it is read: what runs keeps
 * its end where that is the earlier one. */
static int keep_ttl(struct binding *want, const struct binding *as_written,
		    const struct binding *old)
{
	for (size_t i = 0; i < want->n_through; i++) {
		const struct kv *t = binding_caretaker(old, "ttl");
		struct kv *w = &want->through[i];
		char *value;

		if (!streq(w->key, "ttl") || !as_written->through[i].value ||
		    *as_written->through[i].value == '@' || !t || !t->value ||
		    !caretaker_within(t, w))
			continue;
		value = strdup(t->value);
		if (!value)
			return -ENOMEM;
		free(w->value);
		w->value = value;
	}
	return 0;
}

/* All but the caretakers. */
static bool same_server(const struct binding *a, const struct binding *b)
{
	bool powerful = binding_powerful(a);

	if (a->iface != b->iface || powerful != binding_powerful(b))
		return false;
	return !powerful || (a->source == b->source && same_text(a->ref, b->ref) &&
			     binding_same_options(a, b) && binding_same_fakes(a, b));
}

static bool within(const struct binding *a, const struct binding *b)
{
	return through_within(a->through, a->n_through, b->through, b->n_through);
}

/* Its server is, or will be, another one than that which it is bound to. */
static bool server_renewed(const struct planner *p, const struct binding *want)
{
	return want->source == SRC_ENV && want->server_env &&
	       p->renewed[want->server_env->mark];
}

/* A refusal is the reason of a restart; what else went wrong ends the planning. */
static int refused(struct planner *p, int r, const struct err *err, struct pos pos)
{
	if (r <= 0)
		return r == 0 ? 0 : err_neg(p->err, r, "cannot plan");
	restart_for(p, pos, err->text);
	return 0;
}

/* Takes the change over, and plays it. */
static int add_change(struct planner *p, enum plan_op op, const struct genv *running,
		      const struct genv *wanted, struct genv_change *c, struct pos pos,
		      struct str *what)
{
	struct genv_change shown = *c;
	struct plan_step *s;
	int r = 0;

	shown.slot = strdup(c->slot);
	if (c->binding.slot)
		r = binding_copy(&shown.binding, &c->binding);
	if (r == 0 && shown.slot)
		r = add_step(p, op, running, wanted, pos);
	if (r != 0 || !shown.slot) {
		free(shown.slot);
		genv_change_fini(c);
		return err_oom(p->err);
	}
	s = &p->plan->v[p->plan->n - 1];
	s->change = shown;
	s->what = str_take(what);
	r = genv_change_apply(p->held, c);
	genv_change_fini(c);
	return r != 0 || !s->what ? err_oom(p->err) : 0;
}

/* Goes on without it; at the end it is refused, unless there is a restart anyway. */
static int weak_cut(struct planner *p, const struct binding *b, enum revoke_to to,
		    struct pos pos, struct genv_change *ret, struct err *err)
{
	int r = graph_revoke(p->held, b->slot, to, REVOKE_NEW_ONLY, p->facts, ret, NULL);

	if (r != 0)
		return PE_REFUSED;
	if (p->weak.len == 0) {
		str_add(&p->weak, err->text);
		p->weak_pos = pos;
	}
	*err = ERR_INIT;
	return 0;
}

static int plan_revoke(struct planner *p, const struct genv *old, const struct genv *now,
		       const struct binding *b, const struct binding *want)
{
	enum revoke_to to = want ? REVOKE_TO_NULL : REVOKE_TO_ERROR;
	struct err err = ERR_INIT;
	struct genv_change c = { 0 };
	auto_str what = STR_INIT;
	struct pos pos = want ? want->pos : now->pos;
	int r = graph_revoke(p->held, b->slot, to, p->how->revoke, p->facts, &c, &err);

	if (r == PE_REFUSED && p->how->refuse_weak && p->how->revoke == REVOKE_COMPLETE)
		r = weak_cut(p, b, to, pos, &c, &err);
	if (r != 0)
		return refused(p, r, &err, pos);
	str_add(&what, b->slot);
	if (c.kill)
		restart_for(p, pos, "what it has open is taken away with the program");
	return add_change(p, PLAN_REVOKE, old, now, &c, pos, &what);
}

static int plan_grant(struct planner *p, const struct genv *old, const struct genv *now,
		      const struct binding *want)
{
	struct err err = ERR_INIT;
	struct genv_change c = { 0 };
	auto_str what = STR_INIT;
	int r = graph_grant(p->held, want, p->facts, p->how->accept_weaker,
			    p->how->now_ns, &c, &err);

	if (r != 0)
		return refused(p, r, &err, want->pos);
	if (c.step == CHANGE_MOUNT && p->how->no_mounts) {
		str_addf(&what, "\"%.200s\" is mounted when it starts", want->slot);
		restart_for(p, want->pos, str_text(&what));
		str_clear(&what);
	}
	binding_write(&c.binding, &what);
	return add_change(p, PLAN_GRANT, old, now, &c, want->pos, &what);
}

/* The words of want that b does not have. */
static int plan_attenuate(struct planner *p, const struct genv *old,
			  const struct genv *now, const struct binding *b,
			  const struct binding *want)
{
	struct err err = ERR_INIT;
	struct genv_change c = { 0 };
	auto_str words = STR_INIT, what = STR_INIT;
	const char *text;
	int r;

	for (size_t i = 0; i < want->n_through; i++)
		if (!through_within(b->through, b->n_through, &want->through[i], 1))
			binding_write_word(&want->through[i], words.len > 0, &words);
	text = str_text(&words);
	r = graph_attenuate(p->held, b->slot, &text, 1, p->facts, p->how->now_ns, &c,
			    &err);
	if (r != 0)
		return refused(p, r, &err, want->pos);
	str_addf(&what, "%s %s", b->slot, text);
	return add_change(p, PLAN_ATTENUATE, old, now, &c, want->pos, &what);
}

enum difference { SAME, NARROWER, OTHER };

static enum difference difference(const struct planner *p, const struct binding *b,
				  const struct binding *want)
{
	if (!want)
		return binding_powerful(b) ? OTHER : SAME;
	if (want->iface == IF_CONSOLE && want->implied && b->source == SRC_OWN)
		return SAME; /* what a start in the background makes of it */
	if (!same_server(b, want) ||
	    (binding_powerful(b) && (b->stale || server_renewed(p, want))))
		return OTHER;
	if (within(b, want) && within(want, b))
		return SAME;
	return within(want, b) && binding_needs_caretaker(b) ? NARROWER : OTHER;
}

/* Where null covers a part of another tree, leaving it out would show that part. */
static bool null_covers(const struct genv *e, const struct binding *null)
{
	if (null->iface != IF_DIR)
		return false;
	if (genv_root(e))
		return true;
	for (size_t i = 0; i < e->n_bindings; i++)
		if (&e->bindings[i] != null && *e->bindings[i].slot == '/' &&
		    path_below(null->slot, e->bindings[i].slot))
			return true;
	return false;
}

/* A slot of both: wants[i] is the copy that is compared and granted. */
struct pair {
	const struct binding *old, *want;
	struct binding copy; /* of want, with its ttl= as a point in time */
	enum difference diff;
};

static int by_slot(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	const char *s = x->old ? x->old->slot : x->want->slot;
	const char *t = y->old ? y->old->slot : y->want->slot;

	return strcmp(s, t); /* an outer slot comes before what lies in it */
}

static int make_pair(struct planner *p, struct pair *pair, const struct binding *old,
		     const struct binding *want)
{
	int r;

	*pair = (struct pair){ .old = old, .want = want, .diff = OTHER };
	if (want) {
		r = binding_copy(&pair->copy, want);
		if (r != 0)
			return err_oom(p->err);
		pair->copy.server_env = want->server_env;
		r = binding_fix_ttl(&pair->copy, p->how->now_ns, p->err);
		if (r == 0 && old)
			r = keep_ttl(&pair->copy, want, old);
		if (r != 0)
			return r < 0 ? err_oom(p->err) : r;
	}
	if (old)
		pair->diff = difference(p, old, want ? &pair->copy : NULL);
	else if (want && want->unbound)
		pair->diff = SAME; /* optional: nothing is there, and nothing wanted */
	return 0;
}

static void judge_pair(struct planner *p, const struct genv *old, const struct genv *now,
		       const struct pair *pair)
{
	const struct binding *any = pair->want ? pair->want : pair->old;
	struct pos pos = pair->want ? pair->want->pos : now->pos;
	auto_str text = STR_INIT;
	const char *fixed;

	if (!any)
		return; /* one of the two is there */
	/* A plan for a unikernel is a restart as yet; people may change its devices. */
	fixed = program_is_unikernel(any->program) ?
			"a unikernel is started anew for another composition" :
			binding_fixed(any, &HOST_FACTS_ALL);
	if (pair->old && !pair->want && pair->diff == SAME && !pair->old->unbound &&
	    null_covers(old, pair->old))
		str_addf(&text, "what null covers at \"%.200s\" can only be seen then",
			 any->slot);
	else if (pair->diff != SAME && fixed)
		str_addf(&text, "\"%.200s\": %s", any->slot, fixed);
	else if (pair->diff != SAME && pair->want && pair->old &&
		 server_renewed(p, pair->want) && !binding_needs_caretaker(pair->old))
		str_addf(&text, "\"%.200s\" is bound to %s, which is another one then",
			 any->slot, pair->want->server_env->name);
	else if (pair->diff != SAME && pair->want && pair->old && pair->old->stale)
		str_addf(&text, "\"%.200s\" is bound to %s, which was started anew since",
			 any->slot,
			 pair->want->server_env ? pair->want->server_env->name :
						  "another one");
	if (text.len)
		restart_for(p, pos, str_text(&text));
}

static int plan_pairs(struct planner *p, const struct genv *old, const struct genv *now,
		      struct pair *v, size_t n)
{
	int r = 0;

	for (size_t i = n; i-- > 0 && r == 0;)
		if (v[i].diff == OTHER && v[i].old && binding_powerful(v[i].old))
			r = plan_revoke(p, old, now, v[i].old, v[i].want);
	for (size_t i = 0; i < n && r == 0; i++)
		if (v[i].diff == NARROWER)
			r = plan_attenuate(p, old, now, v[i].old, &v[i].copy);
	for (size_t i = 0; i < n && r == 0; i++)
		if (v[i].diff == OTHER && v[i].want &&
		    (binding_powerful(v[i].want) || !v[i].old))
			r = plan_grant(p, old, now, &v[i].copy);
	return r;
}

static int pair_up(struct planner *p, const struct genv *old, const struct genv *now,
		   struct pair *v, size_t *ret_n)
{
	int r = 0;

	for (size_t i = 0; i < old->n_bindings && r == 0; i++)
		r = make_pair(p, &v[(*ret_n)++], &old->bindings[i],
			      genv_binding(now, old->bindings[i].slot));
	for (size_t i = 0; i < now->n_bindings && r == 0; i++)
		if (!genv_binding(old, now->bindings[i].slot))
			r = make_pair(p, &v[(*ret_n)++], NULL, &now->bindings[i]);
	return r;
}

/* What holds, where the steps are played: a copy, alone in a graph. */
static int copy_held(struct planner *p, const struct genv *old)
{
	int r = graph_env_new(p->scratch, "", old->pos, &p->held, p->err);

	if (r != 0)
		return r;
	p->held->program = old->program;
	p->held->root = old->root ? strdup(old->root) : NULL;
	if (old->root && !p->held->root)
		return err_oom(p->err);
	for (size_t i = 0; i < old->n_bindings; i++) {
		struct genv_change c = { .step = CHANGE_MOUNT,
					 .slot = old->bindings[i].slot };

		if (binding_copy(&c.binding, &old->bindings[i]) != 0)
			return err_oom(p->err);
		r = genv_change_apply(p->held, &c);
		binding_fini(&c.binding);
		if (r != 0)
			return err_oom(p->err);
	}
	return 0;
}

static int compare_bindings(struct planner *p, const struct genv *old,
			    const struct genv *now)
{
	auto_free struct pair *v =
		calloc(old->n_bindings + now->n_bindings + 1, sizeof(*v));
	size_t n = 0;
	int r = v ? pair_up(p, old, now, v, &n) : err_oom(p->err);

	for (size_t i = 0; i < n && r == 0; i++)
		judge_pair(p, old, now, &v[i]);
	if (r == 0 && p->reason.len == 0) {
		qsort(v, n, sizeof(*v), by_slot);
		r = copy_held(p, old);
		if (r == 0)
			r = plan_pairs(p, old, now, v, n);
	}
	for (size_t i = 0; i < n; i++)
		binding_fini(&v[i].copy);
	return r;
}

/* ---- environments ---- */

static int refuse_weak(struct planner *p, const struct genv *now)
{
	auto_str at = STR_INIT;

	pos_write(p->weak_pos, &at);
	return err_set(p->err, PE_REFUSED, "%s: %s: %s", str_text(&at), now->name,
		       str_text(&p->weak));
}

static int compare(struct planner *p, const struct genv *old, const struct genv *now)
{
	size_t from = p->plan->n;
	int r = 0;

	str_clear(&p->reason);
	str_clear(&p->weak);
	compare_fixed(p, old, now);
	if (p->reason.len == 0) {
		p->scratch = graph_new();
		if (!p->scratch)
			return err_oom(p->err);
		p->scratch->open = true;
		r = compare_bindings(p, old, now);
		graph_free(p->scratch);
		p->scratch = NULL;
	}
	if (r == 0 && p->reason.len == 0 && p->weak.len > 0)
		r = refuse_weak(p, now);
	if (r != 0)
		return r;
	if (p->reason.len == 0)
		return p->plan->n == from ?
			       add_step(p, PLAN_NOTHING, old, now, now->pos) :
			       0;
	forget_changes(p, from);
	p->renewed[now->mark] = true;
	r = add_step(p, PLAN_RESTART, old, now, p->reason_pos);
	if (r == 0)
		p->plan->v[p->plan->n - 1].reason = strdup(str_text(&p->reason));
	return r == 0 && !p->plan->v[p->plan->n - 1].reason ? err_oom(p->err) : r;
}

static int by_stage(const void *a, const void *b)
{
	const struct genv *x = *(struct genv *const *)a, *y = *(struct genv *const *)b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

static int plan_all(struct planner *p, const struct graph *wanted)
{
	auto_free struct genv **v = calloc(wanted->n_envs + 1, sizeof(struct genv *));
	int r = 0;

	if (!v)
		return err_oom(p->err);
	for (size_t i = 0; i < wanted->n_envs; i++) {
		v[i] = wanted->envs[i];
		v[i]->mark = (uint32_t)i;
	}
	qsort(v, wanted->n_envs, sizeof(*v), by_stage);
	for (size_t i = 0; i < p->running->n_envs && r == 0; i++) {
		const struct genv *old = p->running->envs[i];

		if (!graph_env(wanted, old->name))
			r = add_step(p, PLAN_STOP, old, NULL, old->pos);
	}
	for (size_t i = 0; i < wanted->n_envs && r == 0; i++) {
		const struct genv *old = graph_env(p->running, v[i]->name);

		if (old) {
			r = compare(p, old, v[i]);
			continue;
		}
		p->renewed[v[i]->mark] = true;
		r = add_step(p, PLAN_START, NULL, v[i], v[i]->pos);
	}
	return r;
}

int graph_plan(const struct graph *running, const struct graph *wanted,
	       const struct host_facts *facts, const struct plan_how *how,
	       struct plan *ret, struct err *err)
{
	auto_free bool *renewed = calloc(wanted->n_envs + 1, sizeof(*renewed));
	struct planner p = { .running = running,
			     .facts = facts,
			     .how = how,
			     .plan = ret,
			     .renewed = renewed,
			     .err = err };
	int r;

	*ret = (struct plan){ 0 };
	if (!renewed)
		return err_oom(err);
	r = plan_all(&p, wanted);
	str_fini(&p.reason);
	str_fini(&p.weak);
	if (r != 0)
		plan_fini(ret);
	return r;
}

/* ---- telling ---- */

size_t plan_todo(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].op != PLAN_NOTHING;
	return n;
}

static const char *env_name(const struct plan_step *s)
{
	const struct genv *e = s->wanted ? s->wanted : s->running;

	return *e->name ? e->name : "the environment";
}

static void write_step(const struct plan_step *s, struct str *out)
{
	static const char marks[] = {
		[PLAN_NOTHING] = '=', [PLAN_STOP] = '-',   [PLAN_START] = '+',
		[PLAN_RESTART] = '!', [PLAN_REVOKE] = '~', [PLAN_ATTENUATE] = '~',
		[PLAN_GRANT] = '~'
	};
	auto_str line = STR_INIT;

	str_addf(&line, "%c %s: %s", marks[s->op], env_name(s), op_names[s->op]);
	if (s->what)
		str_addf(&line, " %s", s->what);
	if (s->reason)
		str_addf(&line, ", because %s", s->reason);
	if (s->wanted && s->pos.line) {
		str_add(&line, "  (");
		pos_write(s->pos, &line);
		str_addc(&line, ')');
	}
	text_show(out, str_text(&line), line.len, false);
	str_addc(out, '\n');
}

void plan_write(const struct plan *p, struct str *out)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].op != PLAN_NOTHING)
			write_step(&p->v[i], out);
	if (plan_todo(p) == 0)
		str_add(out, "nothing to do\n");
}

void plan_step_to_json(const struct plan_step *s, struct json *j)
{
	const struct genv *e = s->wanted ? s->wanted : s->running;
	auto_str at = STR_INIT;

	if (s->wanted && s->pos.line)
		pos_write(s->pos, &at);
	json_kstr(j, "environment", *e->name ? e->name : NULL);
	json_kstr(j, "op", op_names[s->op]);
	json_kstr(j, "slot", s->change.slot);
	json_kstr(j, "what", s->what);
	json_kstr(j, "step", s->change.slot ? change_step_name(s->change.step) : NULL);
	json_kstr(j, "cut", s->change.slot ? cut_name(s->change.cut) : NULL);
	json_kstr(j, "because", s->reason);
	json_kstr(j, "at", at.len ? str_text(&at) : NULL);
}

void plan_to_json(const struct plan *p, struct json *j)
{
	json_open(j, '[');
	for (size_t i = 0; i < p->n; i++) {
		json_open(j, '{');
		plan_step_to_json(&p->v[i], j);
		json_close(j, '}');
	}
	json_close(j, ']');
}
