/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an environment holds. The tender tells it as JSON of launch_slots_json: an array
 * of flat objects of strings and booleans. slots_read takes exactly that and nothing
 * else, because a tender is another process, of another version perhaps.
 */
#include <string.h>

#include "launch/client.h"
#include "launch/launch.h"
#include "launch/verbs.h"
#include "sandbox/facts.h"
#include "server/unikernel.h"

#define ROWS_MAX 65536u

/* ---- what the tender tells ---- */

/* What a sinkhole has swallowed so far stands beside what it is. */
static void write_enforced(const struct binding *b, const char *how,
			   const struct unikernel *u, struct str *out)
{
	const char *device = slot_device(b->slot);

	str_add(out, how);
	for (size_t i = 0; u && device && i < u->n_nets; i++)
		if (u->net[i].kind == NET_SINK && streq(u->net[i].name, device))
			str_addf(out, ": %llu frames, %llu bytes",
				 (unsigned long long)u->net[i].frames,
				 (unsigned long long)u->net[i].bytes);
}

void launch_running_json(const struct genv *e, const struct unikernel *u,
			 struct json *out)
{
	struct host_facts facts;

	host_facts_probe(&facts);
	json_open(out, '[');
	for (size_t i = 0; i < e->n_bindings; i++) {
		const struct binding *b = &e->bindings[i];
		struct enforcement en = binding_enforcement(b, &facts);
		auto_str text = STR_INIT, how = STR_INIT;

		binding_write(b, &text);
		write_enforced(b, en.how, u, &how);
		json_open(out, '{');
		json_kstr(out, "slot", b->slot);
		json_kstr(out, "interface", iface_name(b->iface));
		json_kstr(out, "asked", str_text(&text));
		json_kbool(out, "implied", b->implied);
		json_kbool(out, "live", b->live);
		json_kstr(out, "enforced", str_text(&how));
		if (u && b->iface == IF_VOLUME && b->source != SRC_NULL && !u->exchanges)
			en.cut = CUT_RESTART; /* as it turned out */
		json_kstr(out, "cut", cut_name(en.cut));
		json_kbool(out, "weaker", en.weaker);
		json_close(out, '}');
	}
	json_close(out, ']');
}

void launch_slots_json(const struct genv *e, struct json *out)
{
	launch_running_json(e, NULL, out);
}

/* ---- and what is read of it ---- */

static int told_by_tender(struct registry *reg, const struct reg_entry *e,
			  struct str *ret, struct err *err)
{
	struct client_answer a;
	auto_fd sock = -1;
	int r = client_ask(reg, e, CTL_STATUS, NULL, NULL, 0, &sock, err);

	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r == 0) {
		str_add(ret, get_str(&a.r));
		client_answer_fini(&a);
	}
	return r;
}

int slots_of_entry(struct registry *reg, const struct reg_entry *e, struct str *ret,
		   struct err *err)
{
	struct json j = JSON_INIT(ret);
	auto_free char *buf = NULL;
	struct graph *g;
	const char *cwd;
	struct genv *env;
	int r;

	if (e->state != REG_STOPPED)
		return told_by_tender(reg, e, ret, err);
	g = graph_new();
	r = g ? record_load(reg, &e->id, g, &env, &cwd, &buf, err) : err_oom(err);
	if (r == 0 && env->image)
		(void)image_read(env, NULL); /* which may be gone */
	if (r == 0)
		launch_slots_json(env, &j);
	graph_free(g);
	return r;
}

/* ---- reading ---- */

struct reader {
	const char *p;
	bool bad;
};

/* True if c comes next; then it is passed over. */
static bool next_is(struct reader *r, char c)
{
	if (r->bad || *r->p != c)
		return false;
	r->p++;
	return true;
}

static void want(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if (!r->bad && strncmp(r->p, text, n) == 0)
		r->p += n;
	else
		r->bad = true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash. Only what our own writer makes: \" \\ \n and \u00XX. */
static void get_escape(struct reader *r, struct str *out)
{
	int high, low;

	if (next_is(r, '"')) {
		str_addc(out, '"');
	} else if (next_is(r, '\\')) {
		str_addc(out, '\\');
	} else if (next_is(r, 'n')) {
		str_addc(out, '\n');
	} else {
		want(r, "u00");
		high = r->bad ? -1 : hex_digit(r->p[0]);
		low = high < 0 ? -1 : hex_digit(r->p[1]);
		if (low < 0 || high * 16 + low == 0) {
			r->bad = true;
			return;
		}
		str_addc(out, (char)(high * 16 + low));
		r->p += 2;
	}
}

static char *get_text(struct reader *r)
{
	auto_str out = STR_INIT;

	want(r, "\"");
	while (!r->bad && *r->p && *r->p != '"') {
		if (next_is(r, '\\'))
			get_escape(r, &out);
		else
			str_addc(&out, *r->p++);
	}
	want(r, "\"");
	return r->bad ? NULL : str_take(&out);
}

static bool get_bool(struct reader *r)
{
	bool yes = !r->bad && *r->p == 't';

	want(r, yes ? "true" : "false");
	return yes;
}

static void get_member(struct reader *r, struct slot_row *row)
{
	auto_free char *key = get_text(r);
	const struct {
		const char *key;
		char **text;
		bool *flag;
	} members[] = {
		{ "slot", &row->slot, NULL },     { "interface", &row->iface, NULL },
		{ "asked", &row->asked, NULL },   { "enforced", &row->enforced, NULL },
		{ "cut", &row->cut, NULL },       { "implied", NULL, &row->implied },
		{ "weaker", NULL, &row->weaker }, { "live", NULL, &row->live }
	};

	want(r, ":");
	for (size_t i = 0; key && !r->bad && i < ARRAY_LEN(members); i++) {
		if (!streq(members[i].key, key))
			continue;
		if (members[i].flag) {
			*members[i].flag = get_bool(r);
		} else {
			free(*members[i].text);
			*members[i].text = get_text(r);
		}
		return;
	}
	if (!r->bad && *r->p == '"') /* of a later version */
		free(get_text(r));
	else
		(void)get_bool(r);
}

static void row_fini(struct slot_row *row)
{
	free(row->slot);
	free(row->iface);
	free(row->asked);
	free(row->enforced);
	free(row->cut);
}

void slot_rows_fini(struct slot_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		row_fini(&rows->v[i]);
	free(rows->v);
	*rows = (struct slot_rows){ 0 };
}

static void get_row(struct reader *r, struct slot_rows *rows)
{
	struct slot_row *more = rows->n < ROWS_MAX ?
					realloc(rows->v, (rows->n + 1) * sizeof(*more)) :
					NULL,
			*row;

	if (!more) {
		r->bad = true;
		return;
	}
	rows->v = more;
	row = &rows->v[rows->n++];
	*row = (struct slot_row){ 0 };
	want(r, "{");
	do
		get_member(r, row);
	while (next_is(r, ','));
	want(r, "}");
	if (!row->slot || !row->iface || !row->asked || !row->enforced || !row->cut)
		r->bad = true;
}

int slots_read(const char *json, struct slot_rows *ret, struct err *err)
{
	struct slot_rows rows = { 0 };
	struct reader r = { .p = json };

	want(&r, "[");
	if (!next_is(&r, ']')) {
		do
			get_row(&r, &rows);
		while (next_is(&r, ','));
		want(&r, "]");
	}
	if (r.bad || *r.p) {
		slot_rows_fini(&rows);
		return err_set(err, PE_BAD,
			       "what it holds cannot be read: its tender is of "
			       "another version, or memory ran out");
	}
	*ret = rows;
	return 0;
}
