/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's decoder and the fold above it, over hostile bytes. Beside not crashing:
 * what was read and is written again must be whole and say the same.
 *
 * The first byte chooses how the rest is used: as a file; or as payloads that are
 * wrapped into good records, because no mutation finds a checksum.
 */
#include "state/journal.h"
#include "state/registry-internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* u8 type, u16 length, payload; again and again. */
static void wrap(struct str *file, const uint8_t *p, size_t left)
{
	static const uint16_t types[] = { 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 99 };
	struct journal_writer w = { .base = 1000 };

	journal_encode_header(&w.out, w.base);
	while (left >= 3) {
		size_t len = MIN((size_t)(p[1] | p[2] << 8), left - 3);

		journal_add(&w, types[p[0] % ARRAY_LEN(types)], p + 3, len);
		p += 3 + len;
		left -= 3 + len;
	}
	*file = w.out;
}

static void same(const struct reg_table *a, const struct reg_table *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct reg_entry *e = a->v[i], *f;

		if (!e)
			continue;
		f = reg_table_get(b, &e->id);
		must(f && f->generation == e->generation && f->state == e->state);
		must(streq(f->name, e->name) && streq(f->cgroups, e->cgroups));
		must(f->n_binds == e->n_binds);
	}
}

static void fold_twice(const void *bytes, size_t len)
{
	struct reg_table t = { 0 }, u = { 0 };
	struct journal_writer w = { .base = 7 };
	struct journal_scan scan, again;

	must(journal_decode(bytes, len, reg_table_fold, &t, &scan) == 0);
	must(scan.good_end <= len || len < JOURNAL_HEADER);
	must(scan.lost <= len);
	if (scan.state == JOURNAL_WHOLE)
		must(scan.lost == 0 && scan.good_end == len);
	journal_encode_header(&w.out, w.base);
	must(reg_table_write(&t, &w, NULL) == 0);
	must(journal_decode(w.out.p, w.out.len, reg_table_fold, &u, &again) == 0);
	must(again.state == JOURNAL_WHOLE && u.unknown == 0);
	same(&t, &u);
	same(&u, &t);
	str_fini(&w.out);
	reg_table_fini(&t);
	reg_table_fini(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str file = STR_INIT;

	if (size == 0)
		return 0;
	if (data[0] & 1) {
		wrap(&file, data + 1, size - 1);
		fold_twice(file.p, file.len);
		str_fini(&file);
	} else {
		fold_twice(data + 1, size - 1);
	}
	return 0;
}
