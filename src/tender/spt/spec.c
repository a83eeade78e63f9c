/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spec.c - what the starter says: the command line, the streams, the spec.
 */
#include <errno.h>

#include "tender/spt/spt-internal.h"

_Noreturn static void usage(void)
{
	spt_refuse(NULL, SPT_BAD_SPEC, "usage: polder-tender-spt --spec FD");
}

static int spec_fd(int argc, char **argv)
{
	int fd = 0;

	if (argc != 3 || strcmp(argv[1], "--spec") != 0 || !argv[2][0])
		usage();
	for (const char *p = argv[2]; *p; p++) {
		if (*p < '0' || *p > '9' || fd > 1 << 20)
			usage();
		fd = fd * 10 + (*p - '0');
	}
	return fd;
}

/* A closed 0, 1 or 2 would be the number of the next file opened: the image as console. */
void spt_streams_open(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (SYS2(SYS_fcntl, fd, F_GETFD) == -EBADF &&
		    sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0) != fd)
			sys_exit(SPT_BAD_SPEC);
}

void spt_spec_read(struct spt *s, int argc, char **argv)
{
	static char buf[USPEC_MAX_BYTES + 1];
	int fd = spec_fd(argc, argv);
	const char *why;
	size_t len = 0;
	long r;

	do {
		r = sys_read(fd, buf + len, sizeof(buf) - len);
		len += r > 0 ? (size_t)r : 0;
	} while (r == -EINTR || (r > 0 && len < sizeof(buf)));
	if (r < 0)
		spt_refuse_sys(NULL, SPT_BAD_SPEC, r, "cannot read the spec");
	if (uspec_decode(&s->spec, buf, len, &why) != 0) {
		s->spec.report_fd = -1;
		spt_refuse(NULL, SPT_BAD_SPEC, why);
	}
	if (fd > 2) /* it is no device's */
		sys_close(fd);
	if (s->spec.kind != USPEC_SPT)
		spt_refuse(s, SPT_BAD_SPEC, "the spec is for polder-tender-hvt");
}
