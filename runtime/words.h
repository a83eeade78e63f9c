/* SPDX-License-Identifier: ISC */
/*
 * words.h - a command line as argv (guest.h says the rules). Pure; tested on the host.
 */
#ifndef POLDER_RUNTIME_WORDS_H
#define POLDER_RUNTIME_WORDS_H

#include <stddef.h>

/*
 * Splits line into words, which it writes one after the other into buf, NUL-terminated;
 * buf has strlen(line) + 1 bytes and may be line itself. words[0 … n-1] point into it.
 * Returns n, or -1 when there are more than max.
 */
int pg_words_split(const char *line, char *buf, char **words, int max);

#endif
