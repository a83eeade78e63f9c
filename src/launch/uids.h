/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uids.h - 65536 user numbers for an environment that root starts, shared with none.
 *
 * A range is a byte of the file `uids` in the run directory, locked (an open file
 * description lock) as long as the environment lives; the kernel gives it back.
 */
#ifndef POLDER_LAUNCH_UIDS_H
#define POLDER_LAUNCH_UIDS_H

#include "base/err.h"

/* want: a base taken before, 0 for any. PE_BUSY: that one is taken, or all are. The
 * descriptor holds the range and is the caller's. */
int uids_take(int rundir, uint32_t want, uint32_t *ret_base, int *ret_fd,
	      struct err *err);

#endif
