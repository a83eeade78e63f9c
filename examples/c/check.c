/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check: everything that is wrong with a manifest, one finding a line, as editors like
 * to read it.
 *
 *	cc check.c $(pkg-config --cflags --libs libpolder) && ./a.out FILE
 */
#include <polder/polder.h>

#include <stdio.h>

int main(int argc, char **argv)
{
	struct polder *p = polder_new();
	struct polder_report *report;
	const struct polder_diag *d;
	int rc;

	if (!p || argc != 2)
		return 2;
	if (polder_check_file(p, argv[1], POLDER_ANY_HOST, &report) != 0) {
		(void)fprintf(stderr, "check: %s\n", polder_error(p));
		polder_free(p);
		return 2;
	}
	for (size_t i = 0; (d = polder_report_diag(report, i)) != NULL; i++)
		(void)printf("%s:%u:%u: %s: %s%s%s\n", d->file ? d->file : argv[1],
			     d->line, d->column, d->warning ? "warning" : "error",
			     d->text, d->hint ? "; " : "", d->hint ? d->hint : "");
	rc = polder_report_errors(report) > 0;
	polder_report_free(report);
	polder_free(p);
	return rc;
}
