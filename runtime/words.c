/* SPDX-License-Identifier: ISC */
#include "words.h"

#include <stdbool.h>

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One word from *p on, without its quotes; leaves *p behind it. Returns the end of what
 * it wrote, which is never more than it read. */
static char *one_word(const char **p, char *out)
{
	bool quoted = false;

	for (; **p != '\0' && (quoted || !is_space(**p)); (*p)++) {
		if (**p == '"') {
			quoted = !quoted;
		} else {
			if (**p == '\\' && (*p)[1] != '\0')
				(*p)++;
			*out++ = **p;
		}
	}
	return out;
}

int pg_words_split(const char *line, char *buf, char **words, int max)
{
	int n = 0;

	for (;;) {
		while (is_space(*line))
			line++;
		if (*line == '\0')
			return n;
		if (n == max)
			return -1;
		words[n++] = buf;
		buf = one_word(&line, buf);
		/* The next word is read from behind this one's end, so that the NUL
		 * cannot fall on it. */
		if (*line != '\0')
			line++;
		*buf++ = '\0';
	}
}
