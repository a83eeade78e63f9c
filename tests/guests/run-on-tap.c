/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-on-tap TENDER IMAGE TAP [WORD…]: becomes the tender (polder-tender-spt or -hvt) of a
 * unikernel whose one device, "service", is the TAP interface of that name, with the words
 * as its command line. Plumbing alone, nothing of polder run. RUN_MEM: MiB of memory (64);
 * RUN_MTU: of the interface (1500).
 */
#include "base/auto.h"
#include "base/str.h"
#include "wire/uspec.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 125;
}

static int open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return -1;
	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	auto_str bytes = STR_INIT, words = STR_INIT;
	struct uspec s = USPEC_INIT;
	const char *mem = getenv("RUN_MEM"), *mtu = getenv("RUN_MTU");
	char number[16];
	size_t len;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: run-on-tap TENDER IMAGE TAP [WORD...]\n");
		return 125;
	}
	for (int i = 4; i < argc; i++)
		str_addf(&words, "%s%s", i > 4 ? " " : "", argv[i]);
	len = strlen(argv[2]);
	s.kind =
		len > 4 && strcmp(argv[2] + len - 4, ".hvt") == 0 ? USPEC_HVT : USPEC_SPT;
	s.image_path = argv[2];
	s.mem_bytes = (mem ? strtoull(mem, NULL, 10) : 64) << 20;
	s.cmdline = str_text(&words);
	s.uid = geteuid() ? geteuid() : 65534;
	s.gid = getegid() ? getegid() : 65534;
	s.n_devices = 1;
	s.devices[0] = (struct uspec_device){
		.name = "service",
		.type = USPEC_NET,
		.fd = open_tap(argv[3]),
		.base = -1,
		.mac = { 2, 0x10, 0x20, 0x30, 0x40, 0x50 },
		.mtu = (uint16_t)(mtu ? strtoul(mtu, NULL, 10) : 1500)
	};
	if (s.devices[0].fd < 0)
		return fail(argv[3]);
	uspec_encode(&s, &bytes);
	fd = memfd_create("spec", 0);
	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return fail("spec");
	snprintf(number, sizeof number, "%d", fd);
	execl(argv[1], argv[1], "--spec", number, (char *)NULL);
	return fail(argv[1]);
}
