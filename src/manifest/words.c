/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command line as a shell would cut it, and nothing more of a shell. */
#include "manifest/manifest.h"

struct splitter {
	char **words;
	size_t n;
	struct str word;
	bool in_word;
	char shell;
};

static void cut_fini(struct splitter *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->words[i]);
	free(c->words);
	str_fini(&c->word);
}

static int end_word(struct splitter *c)
{
	char **room;

	if (!c->in_word)
		return 0;
	room = realloc(c->words, (c->n + 2) * sizeof(char *));
	if (!room)
		return -ENOMEM;
	c->words = room;
	room[c->n] = str_take(&c->word);
	if (!room[c->n])
		return -ENOMEM;
	room[++c->n] = NULL;
	c->in_word = false;
	return 0;
}

/* From the opening quote to the closing one; NULL: there is none. */
static const char *quoted(struct splitter *c, const char *p)
{
	char quote = *p++;

	for (; *p && *p != quote; p++) {
		if (quote == '"' && *p == '\\' && p[1] && strchr("\"\\$`", p[1]))
			p++;
		str_addc(&c->word, *p);
	}
	return *p ? p : NULL;
}

static int cut_words(struct splitter *c, const char *text, struct err *err)
{
	for (const char *p = text; *p; p++) {
		if (strchr(" \t\r\n", *p)) {
			if (end_word(c) < 0)
				return err_oom(err);
			continue;
		}
		c->in_word = true;
		if (*p == '\'' || *p == '"') {
			const char *open = p;

			p = quoted(c, p);
			if (!p)
				return err_set(err, PE_USAGE,
					       "the quote %c is not closed", *open);
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		else if (strchr("|&;<>$`", *p) && !c->shell)
			c->shell = *p;
		str_addc(&c->word, *p);
	}
	return end_word(c) < 0 ? err_oom(err) : 0;
}

int words_split(const char *text, char ***ret, size_t *ret_n, char *ret_shell,
		struct err *err)
{
	struct splitter c = { .word = STR_INIT };
	int r = cut_words(&c, text, err);

	if (r == 0) {
		*ret = TAKE_PTR(c.words);
		*ret_n = c.n;
		*ret_shell = c.shell;
		c.n = 0;
	}
	cut_fini(&c);
	return r;
}
