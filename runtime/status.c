/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <polder/guest/status.h>

static const struct {
	const char *text;
	int number;
} table[] = {
	[PG_OK] = { "success", 0 },
	[PG_AGAIN] = { "nothing there yet", EAGAIN },
	[PG_INVALID] = { "an argument is not allowed", EINVAL },
	[PG_FAILED] = { "the tender could not do it", EIO },
	[PG_NOT_FOUND] = { "no such device or file", ENODEV },
	[PG_NO_ENTROPY] = { "no entropy that is known to be good", EIO },
	[PG_NO_MEMORY] = { "out of memory", ENOMEM },
};

#define KNOWN(s) ((s) >= 0 && (s) < (int)(sizeof(table) / sizeof(table[0])))

const char *pg_strstatus(int status)
{
	return KNOWN(status) ? table[status].text : "an unknown status";
}

int pg_errno(int status)
{
	return KNOWN(status) ? table[status].number : EIO;
}
