/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A change is decided whole before anything is touched: the slot (can it change at all
 * while the program runs), its place among the others, the binding itself by the same
 * rules as at a start, and what the step can and cannot do.
 *
 * Slots in each other. Taking a mount away takes along what is mounted in it, and putting
 * one over another makes that unreachable without a word. So a grant never covers, and a
 * revocation is refused while something that has power lies below. A null below goes with
 * it: there is nothing left that it could cover. Into what a caretaker serves nothing is
 * mounted: when that is cut, or its process dies, the path to the other would be gone.
 * And what lies over somebody else's tree is revoked to null only: without a mount in its
 * place, what it covers would be seen.
 *
 * Devices of a unikernel are no paths, and lie in nothing. They are there from the start to
 * the end, since the image declares them: what is revoked leaves a null, or a broken one
 * where it was revoked to error. What the guest was told of them when it began (address,
 * mtu, block size) stays true: it cannot be granted another.
 *
 * Attenuation. Only a caretaker can be told anything, and a volume. A mount would have to be replaced,
 * and what is open in it stays as it was: that is a revocation with --new-only and a new
 * grant, and is to be asked for as such.
 */
#include "graph/change.h"
#include "graph/caretaker.h"
#include "graph/check-internal.h"

#include <assert.h>

static const char *const step_names[] = {
	[CHANGE_NOTHING] = "nothing",
	[CHANGE_MOUNT] = "mount",
	[CHANGE_CARETAKER] = "caretaker",
	[CHANGE_ATTENUATE] = "attenuate",
	[CHANGE_CUT] = "cut",
	[CHANGE_UNMOUNT] = "unmount",
	[CHANGE_DEVICE] = "device",
};
static_assert(ARRAY_LEN(step_names) == CHANGE_STEP_COUNT, "every step has a name");

const char *change_step_name(enum change_step s)
{
	return step_names[s];
}

void genv_change_fini(struct genv_change *c)
{
	free(c->slot);
	binding_fini(&c->binding);
	*c = (struct genv_change){ 0 };
}

/* ---- what can change ---- */

static const char *device_fixed(const struct binding *b, const struct host_facts *facts)
{
	if (b->iface == IF_NET)
		return b->source == SRC_HOST ?
			       "the guest holds the TAP interface itself" :
			       NULL;
	return facts->ptrace ? NULL :
			       "its tender may not trace it on this host (Yama's "
			       "ptrace_scope), and cannot exchange what it holds";
}

const char *binding_fixed(const struct binding *b, const struct host_facts *facts)
{
	static const char *const why[IF_COUNT] = {
		[IF_CONSOLE] = "the program's streams are open from its start",
		[IF_VOLUME] = "a block device is opened before the program begins",
		[IF_NET] = "the network namespace is chosen when the program starts",
		[IF_CLOCK] = "the time namespace is chosen when the program starts",
		[IF_ENTROPY] = "it cannot be taken from a program that runs",
		[IF_IDENTITY] = "a process keeps the ids that it was started with",
		[IF_SPAWN] = "starting environments from inside is not available yet",
	};

	if (program_is_unikernel(b->program) && slot_device(b->slot))
		return device_fixed(b, facts);
	if (program_is_unikernel(b->program))
		return "what a unikernel has beside its devices is set when it begins";
	if (b->iface == IF_DIR && streq(b->slot, "/"))
		return "the root is what the program started from";
	return why[b->iface];
}

static int check_fixed(const struct binding *b, const struct host_facts *facts,
		       struct err *err)
{
	const char *why = binding_fixed(b, facts);

	if (!why)
		return 0;
	return err_set(
		err, PE_REFUSED,
		"\"%.200s\" cannot change while the program runs: %s; this takes a "
		"restart with another binding",
		b->slot, why);
}

/* By the rules of a start, and with what is there. The first mistake is the sentence. */
static int check_rules(const struct genv *now, struct binding *b,
		       const struct host_facts *facts, bool accept_weaker,
		       struct err *err)
{
	struct diags d = { 0 };
	struct check c = { now->graph, facts, accept_weaker, &d };
	int r = 0;

	check_binding(&c, now, b);
	for (size_t i = 0; i < d.n && r == 0; i++) {
		if (d.v[i].warning)
			continue;
		r = d.v[i].text ? err_set(err, PE_REFUSED, "%s%s%s", d.v[i].text,
					  d.v[i].hint ? "; " : "",
					  d.v[i].hint ? d.v[i].hint : "") :
				  err_oom(err);
	}
	if (r == 0 && d.n_errors > 0)
		r = err_oom(err);
	diags_fini(&d);
	return r;
}

static int begin(struct genv_change *c, const struct binding *b, struct err *err)
{
	*c = (struct genv_change){ .slot = strdup(b->slot) };
	if (!c->slot || binding_copy(&c->binding, b) != 0) {
		genv_change_fini(c);
		return err_oom(err);
	}
	return 0;
}

static int finish(struct genv_change *c, int r)
{
	if (r != 0)
		genv_change_fini(c);
	return r;
}

static void enforced(struct genv_change *c, const struct host_facts *facts)
{
	struct enforcement e = binding_enforcement(&c->binding, facts);

	c->how = e.how;
	c->cut = e.cut;
}

/* ---- grant ---- */

/* The slot that path is in, the innermost; not the root, and not path itself. */
static const struct binding *cover_of(const struct genv *e, const char *path)
{
	const struct binding *best = NULL;

	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];

		if (*b->slot == '/' && b->slot[1] && !streq(b->slot, path) &&
		    path_below(path, b->slot) &&
		    (!best || strlen(b->slot) > strlen(best->slot)))
			best = b;
	}
	return best;
}

/* Why nothing can be placed in what cover holds; NULL: it can. */
static const char *no_place_in(const struct binding *cover)
{
	if (cover->iface == IF_SOCKET)
		return "is a socket";
	if (cover->is_file)
		return "is a file";
	if (!binding_powerful(cover))
		return "is null, which is empty and stays so";
	if (cover->source == SRC_FAKE)
		return "is fake, which nothing can be added to";
	if (binding_needs_caretaker(cover))
		return "is served by a caretaker, and cutting that would cut this too";
	return NULL;
}

static int check_around(const struct genv *now, const struct binding *b, struct err *err)
{
	const struct binding *cover = cover_of(now, b->slot);
	const char *why = cover ? no_place_in(cover) : NULL;

	if (why)
		return err_set(
			err, PE_REFUSED,
			"\"%.150s\" would lie in \"%.150s\", which %s: grant it at "
			"another place",
			b->slot, cover->slot, why);
	for (size_t i = 0; i < now->n_bindings; i++) {
		const struct binding *o = &now->bindings[i];

		if (*o->slot == '/' && !streq(o->slot, b->slot) &&
		    path_below(o->slot, b->slot))
			return err_set(err, PE_REFUSED,
				       "\"%.150s\" would cover \"%.150s\": grant it at "
				       "another place, or what it has below, by name",
				       b->slot, o->slot);
	}
	return 0;
}

static int check_free(const struct genv *now, const struct binding *b, struct err *err)
{
	const struct binding *old = genv_binding(now, b->slot);
	auto_str held = STR_INIT;

	if (!old && now->n_bindings >= MAX_BINDINGS)
		return err_set(err, -E2BIG, "more than %d slots", MAX_BINDINGS);
	if (!old)
		return 0;
	if (binding_powerful(old)) {
		binding_write(old, &held);
		return err_set(err, PE_EXISTS,
			       "\"%.150s\" is bound already, as %.200s: revoke that "
			       "first, or attenuate it",
			       b->slot, str_text(&held));
	}
	if (old->iface != b->iface || (old->live && old->is_file != b->is_file))
		return err_set(err, PE_REFUSED,
			       "\"%.150s\" is the place of a %s, and this is a %s: grant "
			       "it at another place",
			       b->slot, old->is_file ? "file" : iface_name(old->iface),
			       b->is_file ? "file" : iface_name(b->iface));
	return 0;
}

static int check_itself(const struct genv *now, const struct binding *b, struct err *err)
{
	size_t n = strlen(now->name);

	if (b->source != SRC_ENV || n == 0 || !b->ref || !str_starts(b->ref, now->name) ||
	    b->ref[n] != '/')
		return 0;
	return err_set(err, PE_REFUSED,
		       "\"%.150s\": %s cannot be bound to what it exposes itself",
		       b->slot, now->name);
}

static bool is_device(const struct binding *b)
{
	return program_is_unikernel(b->program) && slot_device(b->slot);
}

/* An option that tells the guest something when it begins. */
static const struct kv *told_at_start(const struct binding *b)
{
	static const char *const words[] = { "mac", "mtu", "block" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (binding_option(b, words[i]))
			return binding_option(b, words[i]);
	return NULL;
}

/* What holds whatever it is bound to. */
static int keep_told(struct binding *ret, const struct binding *old, struct err *err)
{
	static const char *const words[] = { "mac", "mtu", "block" };

	for (size_t i = 0; old && i < ARRAY_LEN(words); i++) {
		const struct kv *o = binding_option(old, words[i]);

		if (o && binding_add_option(ret, o->key, o->value, o->pos) != 0)
			return err_oom(err);
	}
	return 0;
}

/* Its interface is the image's; before that a device is taken for a volume. */
static int grant_device(const struct genv *now, struct binding *b, struct err *err)
{
	const struct gdevice *d = genv_device(now, slot_device(b->slot));
	const struct kv *told = told_at_start(b);

	if (d && !b->typed)
		b->iface = d->iface;
	b->untold = false;
	if (told)
		return err_set(
			err, PE_REFUSED,
			"\"%.150s\": %s is told to the guest when it begins: leave "
			"it out, what it was told stays",
			b->slot, told->key);
	return keep_told(b, genv_binding(now, b->slot), err);
}

int graph_grant(const struct genv *now, const struct binding *b,
		const struct host_facts *facts, bool accept_weaker, uint64_t now_ns,
		struct genv_change *ret, struct err *err)
{
	int r = begin(ret, b, err);

	if (r != 0)
		return r;
	ret->binding.program = now->program;
	ret->binding.live = true;
	if (is_device(&ret->binding))
		r = grant_device(now, &ret->binding, err);
	if (r == 0)
		r = check_fixed(&ret->binding, facts, err);
	if (r == 0 && b->unbound)
		r = err_set(err, PE_USAGE, "\"%.200s\": nothing is said to be granted",
			    b->slot);
	if (r == 0)
		r = check_free(now, &ret->binding, err);
	if (r == 0)
		r = check_around(now, b, err);
	if (r == 0)
		r = check_itself(now, b, err);
	if (r == 0)
		r = binding_fix_ttl(&ret->binding, now_ns, err);
	if (r == 0)
		r = check_rules(now, &ret->binding, facts, accept_weaker, err);
	if (r == 0) {
		ret->step = is_device(&ret->binding)               ? CHANGE_DEVICE :
			    binding_needs_caretaker(&ret->binding) ? CHANGE_CARETAKER :
								     CHANGE_MOUNT;
		enforced(ret, facts);
	}
	return finish(ret, r);
}

/* ---- the slot that is there ---- */

static int find(const struct genv *now, const char *text, const struct binding **ret,
		struct err *err)
{
	const char *slot;
	enum iface iface;
	int r = slot_parse(text, &iface, &slot, err);

	if (r != 0)
		return r;
	*ret = genv_binding_of(now, iface, slot);
	if (!*ret)
		return err_set(err, PE_NOTFOUND, "there is no slot \"%.200s\"", text);
	return 0;
}

/* ---- attenuate ---- */

static int can_narrow(const struct binding *b, struct err *err)
{
	if (!binding_powerful(b))
		return err_set(err, PE_REFUSED,
			       "\"%.200s\" is null and can be no narrower", b->slot);
	if (is_device(b))
		return 0;
	if (binding_needs_caretaker(b) && binding_option(b, "passthrough"))
		return err_set(err, PE_REFUSED,
			       "\"%.200s\" has passthrough, so what is open passes by "
			       "its caretaker and cannot be narrowed: revoke it with "
			       "--new-only, and grant it anew",
			       b->slot);
	if (!binding_needs_caretaker(b))
		return err_set(err, PE_REFUSED,
			       "\"%.200s\" is mounted, without a caretaker that could be "
			       "told: revoke it with --new-only, and grant it anew",
			       b->slot);
	return 0;
}

static void drop_word(struct binding *b, size_t at)
{
	kv_fini(&b->through[at]);
	memmove(&b->through[at], &b->through[at + 1],
		(b->n_through - at - 1) * sizeof(*b->through));
	b->n_through--;
}

static void write_word(const struct kv *k, struct str *out)
{
	str_addf(out, "%s%s%.80s", k->key, k->value ? "=" : "", k->value ? k->value : "");
}

static int no_narrowing(const struct binding *b, const struct kv *word,
			const struct kv *held, struct err *err)
{
	auto_str a = STR_INIT, h = STR_INIT;

	write_word(word, &a);
	write_word(held, &h);
	return err_set(err, PE_REFUSED,
		       "\"%.200s\": %s is no narrowing, since there is %s already",
		       b->slot, str_text(&a), str_text(&h));
}

/* One word more. *changed is left alone where it holds already. */
static int narrow(struct binding *b, const struct kv *word, bool *changed,
		  struct err *err)
{
	int r;

	if (streq(word->key, "subdir"))
		return err_set(err, PE_REFUSED,
			       "\"%.200s\": the directory that is served cannot be "
			       "another one while it is: revoke it, and grant it anew "
			       "with subdir=",
			       b->slot);
	for (size_t i = 0; i < b->n_through; i++)
		if (caretaker_within(&b->through[i], word))
			return caretaker_within(word, &b->through[i]) ?
				       0 :
				       no_narrowing(b, word, &b->through[i], err);
	for (size_t i = b->n_through; i-- > 0;)
		if (caretaker_within(word, &b->through[i]))
			drop_word(b, i);
	r = binding_add_through(b, word->key, word->value, word->pos);
	*changed = true;
	return r == -E2BIG ? err_set(err, r, "more than %d caretakers", MAX_WORDS) :
	       r < 0       ? err_oom(err) :
			     0;
}

/* The words, read as those of a binding like b. */
static int read_words(struct binding *scratch, const struct binding *b,
		      const char *const *words, size_t n, uint64_t now_ns,
		      struct err *err)
{
	int r = 0;

	*scratch = (struct binding){ .iface = b->iface,
				     .slot = strdup(b->slot),
				     .source = b->source,
				     .program = b->program };
	if (!scratch->slot)
		return err_oom(err);
	if (n == 0)
		r = err_set(err, PE_USAGE, "\"%.200s\": no caretaker is named", b->slot);
	for (size_t i = 0; i < n && r == 0; i++)
		r = binding_parse_words(scratch, words[i], NULL, (struct pos){ 0 }, err);
	if (r == 0 && scratch->n_options > 0)
		r = err_set(err, PE_USAGE,
			    "%.80s is an option of the source, and no caretaker: it can "
			    "only be said when \"%.200s\" is granted",
			    scratch->options[0].key, b->slot);
	for (size_t i = 0; i < scratch->n_through && r == 0; i++) {
		struct caretaker_args args;

		r = caretaker_parse(&scratch->through[i], now_ns, &args, err);
	}
	return r == 0 ? binding_fix_ttl(scratch, now_ns, err) : r;
}

static int narrow_all(struct genv_change *c, const struct binding *words, struct err *err)
{
	bool changed = false;
	int r = 0;

	for (size_t i = 0; i < words->n_through && r == 0; i++)
		r = narrow(&c->binding, &words->through[i], &changed, err);
	c->step = !changed               ? CHANGE_NOTHING :
		  is_device(&c->binding) ? CHANGE_DEVICE :
					   CHANGE_ATTENUATE;
	return r;
}

int graph_attenuate(const struct genv *now, const char *slot, const char *const *words,
		    size_t n, const struct host_facts *facts, uint64_t now_ns,
		    struct genv_change *ret, struct err *err)
{
	const struct binding *b = NULL;
	struct binding scratch = { 0 };
	int r = find(now, slot, &b, err);

	if (r == 0)
		r = check_fixed(b, facts, err);
	if (r == 0)
		r = can_narrow(b, err);
	if (r == 0)
		r = begin(ret, b, err);
	if (r != 0)
		return r;
	r = read_words(&scratch, b, words, n, now_ns, err);
	if (r == 0)
		r = narrow_all(ret, &scratch, err);
	if (r == 0)
		r = check_rules(now, &ret->binding, facts, true, err);
	binding_fini(&scratch);
	enforced(ret, facts);
	return finish(ret, r);
}

/* ---- revoke ---- */

static int check_below_it(const struct genv *now, const struct binding *b,
			  struct err *err)
{
	for (size_t i = 0; i < now->n_bindings; i++) {
		const struct binding *o = &now->bindings[i];

		if (o != b && *o->slot == '/' && path_below(o->slot, b->slot) &&
		    binding_powerful(o))
			return err_set(err, PE_REFUSED,
				       "\"%.150s\" lies in \"%.150s\" and would go with "
				       "it: revoke that first",
				       o->slot, b->slot);
	}
	return 0;
}

/* Without anything in its place, what lies underneath would be seen; in what is the
 * environment's own, that is nothing new. */
static int check_uncovers(const struct genv *now, const struct binding *b,
			  enum revoke_to to, struct err *err)
{
	const struct binding *cover = cover_of(now, b->slot);

	if (to == REVOKE_TO_NULL || (cover ? cover->source == SRC_OWN : !genv_root(now)))
		return 0;
	return err_set(err, PE_REFUSED,
		       "\"%.150s\" covers a part of %.150s, which would be seen: revoke "
		       "it to null",
		       b->slot, cover ? cover->slot : "the root");
}

static int check_strength(struct genv_change *c, const struct binding *b,
			  enum revoke_how how, struct err *err)
{
	if (c->cut == CUT_COMPLETE || is_device(b))
		return 0;
	c->kill = how == REVOKE_KILL;
	if (how != REVOKE_COMPLETE)
		return 0;
	return err_set(err, PE_REFUSED,
		       "\"%.150s\": what the program has open there would stay usable "
		       "(%s; cutting it is %s). --new-only takes away the rest, --kill "
		       "ends the program",
		       b->slot, c->how, cut_name(c->cut));
}

static int to_null(struct binding *ret, const struct binding *b)
{
	*ret = (struct binding){ .iface = b->iface,
				 .slot = strdup(b->slot),
				 .source = SRC_NULL,
				 .optional = b->optional,
				 .is_file = b->is_file,
				 .live = true,
				 .program = b->program,
				 .typed = b->typed,
				 .mark = b->mark };
	if (!ret->slot)
		return -ENOMEM;
	return is_device(b) ? keep_told(ret, b, NULL) : 0;
}

static int decide_revoke(const struct genv *now, const struct binding *b,
			 enum revoke_to to, enum revoke_how how, struct genv_change *c,
			 const struct host_facts *facts, struct err *err)
{
	int r = is_device(b) ? 0 : check_below_it(now, b, err);

	if (r == 0 && !is_device(b))
		r = check_uncovers(now, b, to, err);
	enforced(c, facts);
	if (r == 0)
		r = check_strength(c, b, how, err);
	c->step = is_device(b)               ? CHANGE_DEVICE :
		  binding_needs_caretaker(b) ? CHANGE_CUT :
					       CHANGE_UNMOUNT;
	binding_fini(&c->binding);
	if (r == 0 && (to == REVOKE_TO_NULL || is_device(b)) &&
	    to_null(&c->binding, b) != 0)
		r = err_oom(err);
	c->binding.broken = to == REVOKE_TO_ERROR;
	return r;
}

int graph_revoke(const struct genv *now, const char *slot, enum revoke_to to,
		 enum revoke_how how, const struct host_facts *facts,
		 struct genv_change *ret, struct err *err)
{
	const struct binding *b = NULL;
	int r = find(now, slot, &b, err);

	if (r == 0)
		r = check_fixed(b, facts, err);
	if (r == 0 && !binding_powerful(b) && to == REVOKE_TO_ERROR)
		r = err_set(err, PE_REFUSED, "\"%.200s\" is null: nothing is to be taken",
			    b->slot);
	if (r == 0)
		r = begin(ret, b, err);
	if (r != 0)
		return r;
	if (!binding_powerful(b)) {
		ret->step = CHANGE_NOTHING;
		enforced(ret, facts);
		return 0;
	}
	return finish(ret, decide_revoke(now, b, to, how, ret, facts, err));
}

/* ---- what holds then ---- */

static void drop_nulls_below(struct genv *e, const char *slot)
{
	for (size_t i = e->n_bindings; i-- > 0;)
		if (*e->bindings[i].slot == '/' && !streq(e->bindings[i].slot, slot) &&
		    path_below(e->bindings[i].slot, slot))
			genv_drop_binding(e, &e->bindings[i]);
}

int genv_change_apply(struct genv *e, struct genv_change *c)
{
	struct binding *b = genv_binding(e, c->slot);
	int r;

	if (c->step == CHANGE_NOTHING)
		return 0;
	if (!b && c->binding.slot) {
		r = genv_add_binding(e, c->binding.iface, c->slot, c->binding.pos, &b,
				     NULL);
		if (r != 0)
			return r;
	}
	if (c->step == CHANGE_CUT || c->step == CHANGE_UNMOUNT) {
		drop_nulls_below(e, c->slot);
		b = genv_binding(e, c->slot); /* what comes after it has moved */
	}
	if (!c->binding.slot) {
		if (b)
			genv_drop_binding(e, b);
		return 0;
	}
	binding_fini(b);
	*b = c->binding;
	c->binding = (struct binding){ 0 };
	return 0;
}
