/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list: which environments there are, and what each holds.
 *
 *	cc list.c $(pkg-config --cflags --libs libpolder) && ./a.out [ENV]
 */
#include <polder/polder.h>

#include <stdio.h>

static int complain(struct polder *p)
{
	(void)fprintf(stderr, "list: %s\n", polder_error(p));
	return 1;
}

static int show(struct polder *p, const char *word)
{
	const struct polder_slot *s;
	struct polder_view *v;

	if (polder_show(p, word, &v) != 0)
		return complain(p);
	(void)printf("%s (%s):\n", polder_view_info(v)->command,
		     polder_state_name(polder_view_info(v)->state));
	for (size_t i = 0; (s = polder_view_slot(v, i)) != NULL; i++)
		(void)printf("  %s: %s (cut: %s)%s\n", s->asked, s->enforced, s->cut,
			     s->weaker ? ", weaker than asked" : "");
	polder_view_free(v);
	return 0;
}

static int list(struct polder *p)
{
	const struct polder_info *in;
	struct polder_list *l;

	if (polder_list(p, &l) != 0)
		return complain(p);
	for (size_t i = 0; (in = polder_list_info(l, i)) != NULL; i++)
		(void)printf("%.12s %s %s\n", in->id, *in->name ? in->name : "-",
			     polder_state_name(in->state));
	polder_list_free(l);
	return 0;
}

int main(int argc, char **argv)
{
	struct polder *p = polder_new();
	int rc;

	if (!p)
		return 1;
	rc = argc > 1 ? show(p, argv[1]) : list(p);
	polder_free(p);
	return rc;
}
