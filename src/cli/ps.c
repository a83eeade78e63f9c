/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ps, show, why: what runs, and what it holds. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/cli.h"
#include "graph/graph.h"
#include "launch/launch.h"
#include "launch/verbs.h"

static void add_state(const struct reg_entry *e, struct str *out)
{
	str_add(out, reg_state_name(e->state));
	if (e->state != REG_STOPPED || !e->has_status)
		return;
	if (e->died)
		str_add(out, " (its tender was killed)");
	else
		str_addf(out, " (%d)", cli_exit_code(e->status));
}

static void add_age(int64_t start_ns, struct str *out)
{
	struct timespec now;
	long long s;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	s = start_ns ? (long long)now.tv_sec - (long long)(start_ns / 1000000000) : -1;
	if (s < 0)
		str_add(out, "-");
	else if (s < 120)
		str_addf(out, "%llds", s);
	else if (s < 7200)
		str_addf(out, "%lldm", s / 60);
	else if (s < 172800)
		str_addf(out, "%lldh", s / 3600);
	else
		str_addf(out, "%lldd", s / 86400);
}

static void entry_json(const struct reg_entry *e, struct json *j)
{
	char hex[REG_ID_HEX];

	reg_id_hex(&e->id, hex);
	json_kstr(j, "id", hex);
	json_kstr(j, "name", e->name);
	json_kstr(j, "composition", e->composition);
	json_kint(j, "generation", (int64_t)e->generation);
	json_kstr(j, "state", reg_state_name(e->state));
	json_kbool(j, "kept", e->kept);
	json_kstr(j, "kind", e->kind);
	json_kstr(j, "console", e->console);
	json_kstr(j, "command", e->summary);
	json_kint(j, "tender", e->state == REG_STOPPED ? 0 : e->tender);
	json_kint(j, "started", e->start_ns / 1000000000);
	json_key(j, "exit");
	if (e->state == REG_STOPPED && e->has_status)
		json_int(j, cli_exit_code(e->status));
	else
		json_null(j);
}

static void list_json(const struct reg_list *l, struct str *out)
{
	struct json j = JSON_INIT(out);

	json_open(&j, '[');
	for (size_t i = 0; i < l->n; i++) {
		json_open(&j, '{');
		entry_json(l->v[i], &j);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	str_addc(out, '\n');
}

static void list_text(const struct reg_list *l, struct str *out)
{
	str_addf(out, "%-20s %-24s %-6s %-8s %s\n", "NAME", "STATE", "AGE", "CONSOLE",
		 "COMMAND");
	for (size_t i = 0; i < l->n; i++) {
		auto_free char *label = reg_entry_label(l->v[i]);
		auto_str state = STR_INIT, age = STR_INIT;

		add_state(l->v[i], &state);
		add_age(l->v[i]->start_ns, &age);
		str_addf(out, "%-20s %-24s %-6s %-8s ", label ? label : "",
			 str_text(&state), str_text(&age), l->v[i]->console);
		str_add_printable(out, l->v[i]->summary, 60);
		str_addc(out, '\n');
	}
}

static int json_option(int argc, char **argv, int *at, bool *ret_json, struct err *err)
{
	static const struct cli_option options[] = { { "json", false, 'j' } };
	const char *value;
	int key;

	while ((key = cli_next_option(argc, argv, at, options, ARRAY_LEN(options), &value,
				      err)) > 0)
		*ret_json = true;
	return key;
}

int cmd_ps(int argc, char **argv)
{
	struct reg_list list = { 0 };
	struct err err = ERR_INIT;
	struct str out = STR_INIT;
	bool as_json = false;
	int at = 1;
	auto_cli st = { .reg = NULL };

	if (json_option(argc, argv, &at, &as_json, &err) < 0)
		return cli_fail(&err);
	if (at != argc)
		return cli_usage(argv[0]);
	if (cli_open(&st, &err) != 0 || registry_list(st.reg, &list, &err) != 0)
		return cli_fail(&err);
	(as_json ? list_json : list_text)(&list, &out);
	reg_list_fini(&list);
	return cli_out(&out);
}

/* ---- show ---- */

static void slots_text(const struct slot_rows *rows, struct str *out)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct slot_row *row = &rows->v[i];
		auto_str asked = STR_INIT;

		str_add_printable(&asked, row->asked, 0);
		str_addf(out, "  %-40s ", str_text(&asked));
		if (asked.len > 40) /* a long one has its line for itself */
			str_addf(out, "\n%43s", "");
		str_addf(out, "%s%s\n%43scut: %s%s%s\n", row->enforced,
			 row->weaker ? " (WEAKER than asked)" : "", "", row->cut,
			 row->implied ? "; a default" : "",
			 row->live ? "; since it runs" : "");
	}
}

static void show_text(const struct reg_entry *e, const struct slot_rows *slots,
		      struct str *out)
{
	auto_free char *label = reg_entry_label(e);
	char hex[REG_ID_HEX];

	reg_id_hex(&e->id, hex);
	str_addf(out, "%s  ", label ? label : "");
	add_state(e, out);
	str_addf(out, "\n  id %s, start %llu%s\n  ", hex,
		 (unsigned long long)e->generation, e->kept ? "" : ", disposable");
	str_add_printable(out, e->summary, 0);
	str_addc(out, '\n');
	if (e->state != REG_STOPPED)
		str_addf(out, "  tender %d\n", e->tender);
	str_addf(out, "\n  %-40s %s\n", "ASKED", "ENFORCED");
	slots_text(slots, out);
}

static int show(struct cli_state *st, const char *word, bool as_json, struct str *out,
		struct err *err)
{
	struct json j = JSON_INIT(out);
	struct reg_entry *e = NULL;
	struct slot_rows rows = { 0 };
	auto_str slots = STR_INIT;
	int r = cli_find(st, word, &e, err);

	if (r == 0)
		r = slots_of_entry(st->reg, e, &slots, err);
	if (r == 0 && !as_json)
		r = slots_read(str_text(&slots), &rows, err);
	if (r == 0 && as_json) {
		json_open(&j, '{');
		entry_json(e, &j);
		json_key(&j, "slots");
		str_add(out, str_text(&slots));
		str_add(out, "}\n");
	} else if (r == 0) {
		show_text(e, &rows, out);
	}
	slot_rows_fini(&rows);
	reg_entry_free(e);
	return r;
}

int cmd_show(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct str out = STR_INIT;
	bool as_json = false;
	int at = 1;
	auto_cli st = { .reg = NULL };

	if (json_option(argc, argv, &at, &as_json, &err) < 0)
		return cli_fail(&err);
	if (argc - at != 1)
		return cli_usage(argv[0]);
	if (cli_open(&st, &err) != 0 || show(&st, argv[at], as_json, &out, &err) != 0) {
		str_fini(&out);
		return cli_fail(&err);
	}
	return cli_out(&out);
}

/* ---- why ---- */

static int why_running(struct cli_state *st, const char *word, const char *slot,
		       bool *ret_can, struct str *out, struct err *err)
{
	struct graph *g = graph_new();
	struct reg_entry *e = NULL;
	struct genv *env;
	int r = g ? cli_find(st, word, &e, err) : err_oom(err);

	if (r == 0)
		r = held_load(st->reg, e, g, &env, err);
	if (r == 0)
		*ret_can = graph_why(g, env->name, slot, out);
	reg_entry_free(e);
	graph_free(g);
	return r;
}

int cmd_why(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct str out = STR_INIT;
	bool can = false;
	auto_cli st = { .reg = NULL };

	if (argc != 3)
		return cli_usage(argv[0]);
	if (cli_open(&st, &err) != 0 ||
	    why_running(&st, argv[1], argv[2], &can, &out, &err) != 0) {
		str_fini(&out);
		return cli_fail(&err);
	}
	return cli_out(&out) == 0 ? (can ? 0 : 1) : EXIT_OURS;
}
