/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * solo5-start TENDER WORD…: writes a spec from words, and becomes the tender.
 * solo5-start - WORD…: writes the spec to standard output instead.
 *
 *	kind=spt|hvt image=PATH imagefd=N mem=SIZE cmdline=TEXT name=NAME uid=N gid=N
 *	report=N alive=N core=N traced start=NS
 *	block=NAME,OPTION…	path=PATH fd=N base=N size=SIZE bs=N ro cow
 *	net=NAME,OPTION…	fd=N mtu=N mac=N (its last byte); without fd a socket whose
 *				other end nobody has
 *
 * Nothing is checked: to write what is refused is what it is for. Defaults: 16M, the
 * caller's ids (65534 for root), 512, 1500.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "wire/uspec.h"

static struct uspec s;

static void die(const char *what, const char *word)
{
	(void)fprintf(stderr, "solo5-start: %s '%s'\n", what, word);
	exit(2);
}

static uint64_t number(const char *text)
{
	uint64_t v;

	if (!str_to_bytes(text, &v))
		die("no number:", text);
	return v;
}

/* A socket pair whose other end is closed when the tender closes what it was not told. */
static int lonely_socket(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0)
		die("cannot make a", "socket pair");
	return fds[0];
}

static void device_option(struct uspec_device *d, char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	if (streq(word, "ro"))
		d->flags |= USPEC_DEV_RO;
	else if (streq(word, "cow"))
		d->flags |= USPEC_DEV_COW;
	else if (!value)
		die("no option of a device:", word);
	else if (streq(word, "path"))
		d->path = value;
	else if (streq(word, "fd"))
		d->fd = (int)number(value);
	else if (streq(word, "base"))
		d->base = (int)number(value);
	else if (streq(word, "size"))
		d->capacity = number(value);
	else if (streq(word, "bs"))
		d->block_size = (uint16_t)number(value);
	else if (streq(word, "mtu"))
		d->mtu = (uint16_t)number(value);
	else if (streq(word, "mac"))
		d->mac[5] = (uint8_t)number(value);
	else
		die("no option of a device:", word);
}

static void device(uint8_t type, char *words)
{
	struct uspec_device *d = &s.devices[s.n_devices];
	bool first = true;

	if (s.n_devices == USPEC_MAX_DEVICES)
		die("too many devices:", words);
	*d = (struct uspec_device){ .type = type,
				    .fd = -1,
				    .base = -1,
				    .block_size = type == USPEC_BLOCK ? 512 : 0,
				    .mtu = type == USPEC_NET ? 1500 : 0 };
	if (type == USPEC_NET)
		memcpy(d->mac, (uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	for (char *w; (w = strsep(&words, ",")); first = false) {
		if (first)
			d->name = w;
		else
			device_option(d, w);
	}
	if (type == USPEC_NET && d->fd < 0)
		d->fd = lonely_socket();
	s.n_devices++;
}

static void word(char *w)
{
	char *value = strchr(w, '=');

	if (streq(w, "traced")) {
		s.flags |= USPEC_TRACED;
		return;
	}
	if (!value)
		die("no word:", w);
	*value++ = '\0';
	if (streq(w, "kind"))
		s.kind = streq(value, "hvt") ? USPEC_HVT : USPEC_SPT;
	else if (streq(w, "image"))
		s.image_path = value;
	else if (streq(w, "imagefd"))
		s.image_fd = (int)number(value);
	else if (streq(w, "mem"))
		s.mem_bytes = number(value);
	else if (streq(w, "cmdline"))
		s.cmdline = value;
	else if (streq(w, "name"))
		s.name = value;
	else if (streq(w, "uid"))
		s.uid = (uint32_t)number(value);
	else if (streq(w, "gid"))
		s.gid = (uint32_t)number(value);
	else if (streq(w, "report"))
		s.report_fd = (int)number(value);
	else if (streq(w, "alive"))
		s.alive_fd = (int)number(value);
	else if (streq(w, "core")) {
		s.flags |= USPEC_CORE;
		s.core_fd = (int)number(value);
	} else if (streq(w, "start")) {
		s.flags |= USPEC_CLOCK_START;
		s.wall_start_ns = number(value);
	} else if (streq(w, "block"))
		device(USPEC_BLOCK, value);
	else if (streq(w, "net"))
		device(USPEC_NET, value);
	else
		die("no word:", w);
}

int main(int argc, char **argv)
{
	auto_str bytes = STR_INIT;
	char number_text[16];
	int fd;

	s = USPEC_INIT;
	s.kind = USPEC_SPT;
	s.mem_bytes = 16 << 20;
	s.uid = getuid() ? getuid() : 65534;
	s.gid = getgid() ? getgid() : 65534;
	for (int i = 2; i < argc; i++)
		word(argv[i]);
	uspec_encode(&s, &bytes);
	if (argc < 2 || bytes.failed)
		die("nothing to do:", "TENDER WORD…");
	if (streq(argv[1], "-"))
		return fwrite(bytes.p, 1, bytes.len, stdout) != bytes.len;
	fd = memfd_create("spec", 0);
	if (fd < 0 || write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len ||
	    lseek(fd, 0, SEEK_SET) < 0)
		die("cannot write the", "spec");
	(void)snprintf(number_text, sizeof(number_text), "%d", fd);
	(void)execlp(argv[1], argv[1], "--spec", number_text, (char *)NULL);
	die("cannot start", argv[1]);
	return 2;
}
