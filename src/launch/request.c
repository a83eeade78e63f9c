/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/request.h"

#include "wire/wire.h"

#define REQUEST_MAGIC 0x51534c50u /* "PLSQ" */
#define ANSWER_MAGIC 0x41534c50u  /* "PLSA" */
#define REQUEST_VERSION 1

void request_encode(const struct start_request *q, struct str *out)
{
	put_u32(out, REQUEST_MAGIC);
	put_u32(out, REQUEST_VERSION);
	put_str(out, q->again);
	put_u8(out, q->keep);
	put_u8(out, q->accept_weaker);
	put_bytes(out, q->record, q->record_len);
}

int request_decode(const void *buf, size_t len, struct start_request *ret,
		   struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);
	struct start_request q = { 0 };

	if (get_u32(&r) != REQUEST_MAGIC || get_u32(&r) != REQUEST_VERSION)
		return err_set(err, PE_BAD,
			       "that is no request to start something, or one of "
			       "another version");
	q.again = get_str(&r);
	q.keep = get_u8(&r);
	q.accept_weaker = get_u8(&r);
	q.record = get_bytes(&r, &q.record_len);
	if (r.bad || r.p != r.end)
		return err_set(err, PE_BAD, "the request to start something is damaged");
	*ret = q;
	return 0;
}

void answer_encode(const struct start_answer *a, struct str *out)
{
	put_u32(out, ANSWER_MAGIC);
	put_u32(out, REQUEST_VERSION);
	put_u32(out, (uint32_t)a->result);
	put_u32(out, (uint32_t)a->code);
	put_str(out, a->id);
	put_str(out, a->text);
}

int answer_decode(const void *buf, size_t len, struct start_answer *ret, struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);
	struct start_answer a = { 0 };

	if (get_u32(&r) != ANSWER_MAGIC || get_u32(&r) != REQUEST_VERSION)
		return err_set(err, PE_BAD,
			       "that is no answer, or one of another version");
	a.result = (int)get_u32(&r);
	a.code = (int)get_u32(&r);
	a.id = get_str(&r);
	a.text = get_str(&r);
	if (r.bad || r.p != r.end)
		return err_set(err, PE_BAD, "the answer is damaged");
	*ret = a;
	return 0;
}
