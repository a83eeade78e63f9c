/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-anchor: holds what a user's environments start from (src/sandbox/anchor.h).
 *
 *	polder-anchor --run FD --user FD
 *
 * FD are open descriptors: the run directory, and a pidfd of whoever wants it. Started by
 * tenders, never by hand; goes into the background, and ends when nobody wants it any more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/str.h"
#include "sandbox/anchor.h"

static bool descriptor(const char *text, int *ret)
{
	uint64_t n;

	if (!str_to_u64(text, &n) || n > 1u << 20)
		return false;
	*ret = (int)n;
	return true;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int run = -1, user = -1, r;

	if (argc != 5 || strcmp(argv[1], "--run") != 0 ||
	    strcmp(argv[3], "--user") != 0 || !descriptor(argv[2], &run) ||
	    !descriptor(argv[4], &user)) {
		(void)fputs("usage: polder-anchor --run FD --user FD\n", stderr);
		return 125;
	}
	switch (fork()) {
	case -1: return 125;
	case 0: break;
	default: _exit(0);
	}
	(void)prctl(PR_SET_NAME, "polder-anchor");
	r = anchor_hold(run, user, &err);
	if (r != 0 && r != PE_BUSY)
		(void)fprintf(stderr, "polder-anchor: %s\n", err.text);
	return r == 0 || r == PE_BUSY ? 0 : 125;
}
