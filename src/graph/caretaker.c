/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * One reader for each kind of argument; arg_valid() asks the same readers, so that what
 * was checked can be parsed. Numbers are exact: a probability has at most six decimals
 * and becomes a count of 2^32, so that whoever enforces it needs no floating point and
 * the same seed gives the same faults everywhere.
 *
 * "Narrower" is said only where it is certain. What cannot be compared (two hide=
 * patterns, a duration beside a point in time) is not narrower.
 */
#include "graph/caretaker.h"
#include "graph/graph-internal.h"
#include "graph/kinds.h"

#include <assert.h>
#include <inttypes.h>

#define NS_PER_S ((uint64_t)1000000000)
#define MAX_AMOUNT ((uint64_t)1 << 50)
#define MAX_TTL_MS (100ull * 366 * 86400 * 1000)

static const char *const names[] = {
	[CARE_RO] = "ro",     [CARE_SUBDIR] = "subdir", [CARE_HIDE] = "hide",
	[CARE_MAX] = "max",   [CARE_RATE] = "rate",     [CARE_TTL] = "ttl",
	[CARE_ONCE] = "once", [CARE_LOG] = "log",       [CARE_FAULT] = "fault",
	[CARE_ASK] = "ask",
};
static_assert(ARRAY_LEN(names) == CARE_COUNT, "every caretaker has a name");

static const char *const faults[] = {
	[FAULT_EIO] = "eio",
	[FAULT_ENOSPC] = "enospc",
	[FAULT_SHORT] = "short",
	[FAULT_SLOW] = "slow=",
};
static_assert(ARRAY_LEN(faults) == FAULT_COUNT, "every fault has a name");

/* ---- patterns ---- */

/* The "]" that closes what opens at p; one that comes first is a member. NULL: none. */
static const char *set_end(const char *p)
{
	p += p[1] == '!' ? 2 : 1;
	return *p ? strchr(p + 1, ']') : NULL;
}

bool pattern_valid(const char *pattern)
{
	size_t n = strlen(pattern);

	if (n == 0 || n > 255 || strchr(pattern, '/') || !text_plain(pattern) ||
	    streq(pattern, ".") || streq(pattern, ".."))
		return false;
	for (const char *p = pattern; *p; p++)
		if (*p == '[' && !(p = set_end(p)))
			return false;
	return true;
}

/* [p, end] is a set with its brackets. */
static bool in_set(const char *p, const char *end, unsigned char c)
{
	bool inverted = p[1] == '!', found = false;

	for (p += inverted ? 2 : 1; p < end; p++) {
		unsigned char from = (unsigned char)*p, to = from;

		if (p[1] == '-' && p + 2 < end) {
			to = (unsigned char)p[2];
			p += 2;
		}
		found |= c >= from && c <= to;
	}
	return found != inverted;
}

/* One piece of the pattern at *p against one byte; moves *p behind the piece. */
static bool match_one(const char **p, char c)
{
	const char *at = *p, *end = *at == '[' ? set_end(at) : NULL;

	*p = end ? end + 1 : at + 1;
	if (end)
		return in_set(at, end, (unsigned char)c);
	return *at == '?' || *at == c;
}

bool pattern_match(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL, *p = pattern;

	while (*name) {
		const char *next = p;

		if (*p == '*') {
			star = ++p;
			again = name;
		} else if (*p && match_one(&next, *name)) {
			p = next;
			name++;
		} else if (star) { /* the last star takes one byte more */
			p = star;
			name = ++again;
		} else {
			return false;
		}
	}
	return p[strspn(p, "*")] == '\0';
}

/* ---- arguments ---- */

/* text without its ending, in buf; false: it does not end so, or is too long. */
static bool without(const char *text, const char *ending, char *buf, size_t size)
{
	size_t n = strlen(text), m = strlen(ending);

	if (n <= m || n - m >= size || !streq(text + n - m, ending))
		return false;
	memcpy(buf, text, n - m);
	buf[n - m] = '\0';
	return true;
}

static bool in_range(uint64_t n)
{
	return n >= 1 && n <= MAX_AMOUNT;
}

/* "10M", "100files" */
static bool read_max(const char *text, struct caretaker_args *ret)
{
	char digits[24];

	ret->unit = CARE_BYTES;
	if (without(text, "files", digits, sizeof(digits))) {
		ret->unit = CARE_FILES;
		return str_to_u64(digits, &ret->amount) && in_range(ret->amount);
	}
	return str_to_bytes(text, &ret->amount) && in_range(ret->amount);
}

/* "1M/s", "50ops/s" */
static bool read_rate(const char *text, struct caretaker_args *ret)
{
	char each[40], digits[24];

	ret->unit = CARE_BYTES;
	if (!without(text, "/s", each, sizeof(each)))
		return false;
	if (without(each, "ops", digits, sizeof(digits))) {
		ret->unit = CARE_OPS;
		return str_to_u64(digits, &ret->amount) && in_range(ret->amount);
	}
	return str_to_bytes(each, &ret->amount) && in_range(ret->amount);
}

/* "10m", "@1767225600" */
static bool read_ttl(const char *text, uint64_t now_ns, struct caretaker_args *ret)
{
	uint64_t s, ns;

	ret->absolute = *text == '@';
	if (ret->absolute) {
		if (!str_to_u64(text + 1, &s) || s > UINT64_MAX / NS_PER_S)
			return false;
		ret->until_ns = s * NS_PER_S;
		return true;
	}
	if (!str_to_ms(text, &ret->ttl_ms) || ret->ttl_ms == 0 ||
	    ret->ttl_ms > MAX_TTL_MS)
		return false;
	if (__builtin_add_overflow(now_ns, ret->ttl_ms * 1000000, &ns) ||
	    ns > UINT64_MAX - NS_PER_S)
		return false;
	ret->until_ns = (ns + NS_PER_S - 1) / NS_PER_S * NS_PER_S;
	return true;
}

/* "0.25", "1", "5%", with at most six decimals; more than never, at most always. */
static bool read_probability(const char *text, uint64_t *ret)
{
	uint64_t whole = 0, scale = 1, millionths = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole <= 100; p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (p == text)
		return false;
	if (*p == '.') {
		if (*++p < '0' || *p > '9')
			return false;
		for (; *p >= '0' && *p <= '9' && scale < 1000000; p++, scale *= 10)
			millionths = millionths * 10 + (uint64_t)(*p - '0');
	}
	if (whole > 100)
		return false;
	millionths = whole * 1000000 + millionths * (1000000 / scale);
	whole = *p == '%' ? 100000000 : 1000000;
	p += *p == '%';
	if (*p || millionths > whole)
		return false;
	*ret = millionths * CARE_CERTAIN / whole;
	return *ret > 0;
}

/* The piece of *text up to a colon, moved behind it; *text NULL: that was the last. */
static bool next_piece(const char **text, char *buf, size_t size)
{
	size_t n = *text ? strcspn(*text, ":") : 0;

	if (!*text || n == 0 || n >= size)
		return false;
	memcpy(buf, *text, n);
	buf[n] = '\0';
	*text = (*text)[n] ? *text + n + 1 : NULL;
	return true;
}

static bool read_fault_kind(const char *word, struct caretaker_args *ret)
{
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		ret->fault = (enum care_fault)i;
		if (i != FAULT_SLOW && streq(word, faults[i]))
			return true;
	}
	ret->fault = FAULT_SLOW;
	return str_starts(word, faults[FAULT_SLOW]) &&
	       str_to_u64(word + strlen(faults[FAULT_SLOW]), &ret->slow_ms) &&
	       ret->slow_ms >= 1 && ret->slow_ms <= 60000;
}

/* KIND:PROBABILITY[:SEED] */
static bool read_fault(const char *text, struct caretaker_args *ret)
{
	char piece[40];

	if (!next_piece(&text, piece, sizeof(piece)) || !read_fault_kind(piece, ret) ||
	    !next_piece(&text, piece, sizeof(piece)) ||
	    !read_probability(piece, &ret->probability))
		return false;
	if (!text)
		return true;
	return next_piece(&text, piece, sizeof(piece)) && !text &&
	       str_to_u64(piece, &ret->seed);
}

static bool kind_of(const char *key, enum caretaker *ret)
{
	for (size_t i = 0; i < CARE_COUNT; i++)
		if (streq(key, names[i])) {
			*ret = (enum caretaker)i;
			return true;
		}
	return false;
}

static bool read_arg(const char *value, uint64_t now_ns, struct caretaker_args *ret)
{
	if (ret->kind == CARE_RO || ret->kind == CARE_ONCE || ret->kind == CARE_LOG)
		return !value;
	if (ret->kind == CARE_ASK)
		return true;
	if (!value)
		return false;
	switch (ret->kind) {
	case CARE_SUBDIR: ret->text = value; return relative_path_valid(value);
	case CARE_HIDE: ret->text = value; return pattern_valid(value);
	case CARE_MAX: return read_max(value, ret);
	case CARE_RATE: return read_rate(value, ret);
	case CARE_TTL: return read_ttl(value, now_ns, ret);
	case CARE_FAULT: return read_fault(value, ret);
	case CARE_RO:
	case CARE_ONCE:
	case CARE_LOG:
	case CARE_ASK:
	case CARE_COUNT: break;
	}
	return false;
}

static bool parse(const struct kv *k, uint64_t now_ns, struct caretaker_args *ret)
{
	*ret = (struct caretaker_args){ 0 };
	return kind_of(k->key, &ret->kind) && read_arg(k->value, now_ns, ret);
}

bool caretaker_arg_valid(const char *key, const char *value)
{
	struct caretaker_args args = { 0 };

	return kind_of(key, &args.kind) && read_arg(value, 0, &args);
}

int caretaker_parse(const struct kv *k, uint64_t now_ns, struct caretaker_args *ret,
		    struct err *err)
{
	const struct caretaker_kind *kind = kind_caretaker(k->key);

	if (!kind)
		return err_set(err, PE_USAGE, "there is no caretaker \"%.80s\"", k->key);
	if (parse(k, now_ns, ret))
		return 0;
	return err_set(err, PE_USAGE, "%s takes %s%s%.80s%s", k->key, arg_like(kind->arg),
		       k->value ? ", not \"" : "", k->value ? k->value : "",
		       k->value ? "\"" : "");
}

/* ---- ttl ---- */

static int fix_word(struct kv *k, const char *slot, uint64_t now_ns, struct err *err)
{
	struct caretaker_args args;
	char *text;

	if (!streq(k->key, names[CARE_TTL]))
		return 0;
	if (!parse(k, now_ns, &args))
		return caretaker_parse(k, now_ns, &args, err);
	if (args.until_ns <= now_ns)
		return err_set(err, PE_REFUSED, "\"%.200s\": ttl=%.80s has passed", slot,
			       k->value);
	if (args.absolute)
		return 0;
	text = str_printf("@%" PRIu64, args.until_ns / NS_PER_S);
	if (!text)
		return err_oom(err);
	free(k->value);
	k->value = text;
	return 0;
}

int binding_fix_ttl(struct binding *b, uint64_t now_ns, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < b->n_through && r == 0; i++)
		r = fix_word(&b->through[i], b->slot, now_ns, err);
	return r;
}

uint64_t binding_until(const struct binding *b)
{
	uint64_t until = UINT64_MAX;
	struct caretaker_args a;

	for (size_t i = 0; i < b->n_through; i++)
		if (parse(&b->through[i], 0, &a) && a.kind == CARE_TTL && a.absolute)
			until = MIN(until, a.until_ns);
	return until;
}

/* ---- which is the narrower ---- */

static bool same_words(const struct kv *a, const struct kv *b)
{
	return streq(a->key, b->key) && (a->value != NULL) == (b->value != NULL) &&
	       (!a->value || streq(a->value, b->value));
}

static bool same_subject(const struct caretaker_args *a, const struct caretaker_args *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CARE_HIDE)
		return streq(a->text, b->text);
	if (a->kind == CARE_FAULT)
		return a->fault == b->fault;
	return a->unit == b->unit;
}

bool caretaker_same_subject(const struct kv *a, const struct kv *b)
{
	struct caretaker_args x, y;

	if (!parse(a, 0, &x) || !parse(b, 0, &y))
		return streq(a->key, b->key);
	return same_subject(&x, &y);
}

static bool fault_within(const struct caretaker_args *a, const struct caretaker_args *b)
{
	return a->probability >= b->probability && a->slow_ms >= b->slow_ms &&
	       a->seed == b->seed;
}

bool caretaker_within(const struct kv *a, const struct kv *b)
{
	struct caretaker_args x, y;

	if (!parse(a, 0, &x) || !parse(b, 0, &y))
		return same_words(a, b);
	if (x.kind == CARE_RO &&
	    (y.kind == CARE_MAX || (y.kind == CARE_FAULT && y.fault == FAULT_ENOSPC)))
		return true; /* where nothing is written, that limits nothing */
	if (!same_subject(&x, &y))
		return false;
	switch (x.kind) {
	case CARE_SUBDIR:
		return streq(x.text, y.text) ||
		       (str_starts(x.text, y.text) && x.text[strlen(y.text)] == '/');
	case CARE_MAX:
	case CARE_RATE: return x.amount <= y.amount;
	case CARE_TTL:
		return x.absolute == y.absolute && x.ttl_ms <= y.ttl_ms &&
		       x.until_ns <= y.until_ns;
	case CARE_FAULT: return fault_within(&x, &y);
	case CARE_ASK: return same_words(a, b);
	case CARE_RO:
	case CARE_HIDE:
	case CARE_ONCE:
	case CARE_LOG:
	case CARE_COUNT: break;
	}
	return true;
}

bool through_within(const struct kv *a, size_t n_a, const struct kv *b, size_t n_b)
{
	for (size_t i = 0; i < n_b; i++) {
		bool met = false;

		for (size_t k = 0; k < n_a && !met; k++)
			met = caretaker_within(&a[k], &b[i]);
		if (!met)
			return false;
	}
	return true;
}
