// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * try-control - who may talk to a tender, and with what it was handed.
 *
 *	try-control PATH            connects to a control socket; "kept" if the tender keeps
 *	                            the connection, "closed" if it closes it, or an errno
 *	try-control give SOCKET DIR waits on SOCKET for one peer and hands it DIR's descriptor
 *	try-control take SOCKET SUB fetches a descriptor there and tries SUB/ctl below it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_socket(int type, const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path);
	return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
}

static int try_path(const char *path)
{
	struct sockaddr_un addr;
	struct pollfd p = { .fd = unix_socket(SOCK_SEQPACKET, path, &addr),
			    .events = POLLIN };

	if (connect(p.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		puts(strerrorname_np(errno));
		return 0;
	}
	puts(poll(&p, 1, 500) > 0 ? "closed" : "kept");
	return 0;
}

static int give(const char *path, const char *dir)
{
	struct sockaddr_un addr;
	int s = unix_socket(SOCK_STREAM, path, &addr),
	    fd = open(dir, O_RDONLY | O_DIRECTORY), c;
	char byte = 'x', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room,
			    .msg_controllen = sizeof(room) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	if (fd < 0 || bind(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(s, 1) < 0)
		return 1;
	puts("ready");
	(void)fflush(stdout);
	c = accept(s, NULL, NULL);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sendmsg(c, &m, 0) == 1 ? 0 : 1;
}

static int take(const char *path, const char *sub)
{
	struct sockaddr_un addr;
	int s = unix_socket(SOCK_STREAM, path, &addr), fd = -1;
	char byte, room[CMSG_SPACE(sizeof(int))], ctl[100];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room,
			    .msg_controllen = sizeof(room) };

	if (connect(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    recvmsg(s, &m, 0) != 1 || !CMSG_FIRSTHDR(&m)) {
		puts("no descriptor");
		return 1;
	}
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	(void)snprintf(ctl, sizeof(ctl), "/proc/self/fd/%d/%s/ctl", fd, sub);
	return try_path(ctl);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "give") == 0)
		return give(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "take") == 0)
		return take(argv[2], argv[3]);
	return argc == 2 ? try_path(argv[1]) : 2;
}
