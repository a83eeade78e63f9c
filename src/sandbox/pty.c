/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pseudo-terminal of the environment's own devpts, so that its name resolves inside. */
#include <sys/ioctl.h>
#include <termios.h>

#include "sandbox/sandbox-internal.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

int pty_open(int rootfd, uint16_t rows, uint16_t cols, int *ret_master, int *ret_slave)
{
	struct winsize ws = { .ws_row = rows, .ws_col = cols };
	int unlock = 0, slave;
	auto_fd master = sys_openat(rootfd, "dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	long r = master;

	if (r >= 0)
		r = SYS3(SYS_ioctl, master, TIOCSPTLCK, &unlock);
	if (r >= 0)
		r = SYS3(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r < 0)
		return (int)r;
	slave = (int)r;
	if (rows && cols)
		(void)SYS3(SYS_ioctl, master, TIOCSWINSZ, &ws);
	*ret_slave = slave;
	*ret_master = TAKE_FD(master);
	return 0;
}
