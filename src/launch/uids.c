/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

#include "server/server.h"

#define RANGE 65536u

static int lock_slot(int fd, uint32_t slot)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1
	};

	return fcntl(fd, F_OFD_SETLK, &fl) == 0 ? 0 : -errno;
}

int uids_take(int rundir, uint32_t want, uint32_t *ret_base, int *ret_fd, struct err *err)
{
	auto_fd fd =
		openat(rundir, "uids", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint32_t slot = 0, tries = want ? 1 : SERVER_UID_SLOTS;

	if (fd < 0)
		return err_sys(err, "cannot open the list of user numbers");
	if (want)
		slot = (want - SERVER_UID_BASE) / RANGE;
	else if (getrandom(&slot, sizeof(slot), 0) != sizeof(slot))
		return err_sys(err, "cannot choose user numbers");
	for (; tries > 0; tries--, slot++) {
		slot %= SERVER_UID_SLOTS;
		if (lock_slot(fd, slot) != 0)
			continue;
		*ret_base = SERVER_UID_BASE + slot * RANGE;
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	return err_set(err, PE_BUSY,
		       want ? "its user numbers are in use by another environment" :
			      "all %u ranges of user numbers are in use",
		       SERVER_UID_SLOTS);
}
