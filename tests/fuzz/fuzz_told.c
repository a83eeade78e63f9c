/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one process of ours tells another on the host: the request and the answer of a
 * start for a library, and a tender's list of slots. What is taken is written again and
 * must come out the same.
 */
#include "launch/request.h"
#include "launch/verbs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void request(const void *buf, size_t len)
{
	struct start_request q, again;
	auto_str out = STR_INIT;

	if (request_decode(buf, len, &q, NULL) != 0)
		return;
	request_encode(&q, &out);
	must(request_decode(out.p, out.len, &again, NULL) == 0);
	must(streq(q.again, again.again) && q.keep == again.keep &&
	     q.accept_weaker == again.accept_weaker && q.record_len == again.record_len);
}

static void answer(const void *buf, size_t len)
{
	struct start_answer a, again;
	auto_str out = STR_INIT;

	if (answer_decode(buf, len, &a, NULL) != 0)
		return;
	answer_encode(&a, &out);
	must(answer_decode(out.p, out.len, &again, NULL) == 0);
	must(a.result == again.result && a.code == again.code && streq(a.id, again.id) &&
	     streq(a.text, again.text));
}

static void write_rows(const struct slot_rows *rows, struct str *out)
{
	struct json j = JSON_INIT(out);

	json_open(&j, '[');
	for (size_t i = 0; i < rows->n; i++) {
		json_open(&j, '{');
		json_kstr(&j, "slot", rows->v[i].slot);
		json_kstr(&j, "interface", rows->v[i].iface);
		json_kstr(&j, "asked", rows->v[i].asked);
		json_kbool(&j, "implied", rows->v[i].implied);
		json_kstr(&j, "enforced", rows->v[i].enforced);
		json_kstr(&j, "cut", rows->v[i].cut);
		json_kbool(&j, "weaker", rows->v[i].weaker);
		json_close(&j, '}');
	}
	json_close(&j, ']');
}

static void slots(const void *buf, size_t len)
{
	struct slot_rows rows, again;
	auto_str text = STR_INIT, out = STR_INIT;

	str_addn(&text, buf, len);
	if (slots_read(str_text(&text), &rows, NULL) != 0)
		return;
	write_rows(&rows, &out);
	must(slots_read(str_text(&out), &again, NULL) == 0 && again.n == rows.n);
	slot_rows_fini(&rows);
	slot_rows_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	request(data, size);
	answer(data, size);
	slots(data, size);
	return 0;
}
