/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/ctl.h"

#define CTL_MAGIC 0x4c544350u /* "PCTL" */

void ctl_encode(struct str *out, const struct ctl_head *head)
{
	put_u32(out, CTL_MAGIC);
	put_u16(out, CTL_VERSION);
	put_u16(out, head->verb);
	put_u16(out, head->code);
	put_u16(out, 0);
	put_u64(out, head->generation);
}

int ctl_decode(const void *buf, size_t len, struct ctl_head *ret, struct rbuf *ret_body,
	       struct err *err)
{
	struct rbuf r = RBUF_INIT(buf, len);

	if (get_u32(&r) != CTL_MAGIC || get_u16(&r) != CTL_VERSION)
		return err_set(err, PE_BAD, "control: not a message of version %d",
			       CTL_VERSION);
	ret->verb = get_u16(&r);
	ret->code = get_u16(&r);
	if (get_u16(&r) != 0)
		r.bad = true;
	ret->generation = get_u64(&r);
	if (r.bad || ret->verb == 0 || ret->verb >= CTL_VERB_COUNT)
		return err_set(err, PE_BAD, "control: damaged, or an unknown verb");
	*ret_body = r;
	return 0;
}
