// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * listen - the host's side of a socket: binds PATH (or @NAME, abstract), writes "ready"
 * and then a line for every connection.
 *
 * usage: listen PATH|@NAME
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2)
		return 2;
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[1]);
	if (argv[1][0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	if (bind(s, (struct sockaddr *)&addr, len) < 0 || listen(s, 8) < 0) {
		perror("listen");
		return 1;
	}
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		int c = accept(s, NULL, NULL);

		if (c < 0)
			return 1;
		puts("connected");
		(void)fflush(stdout);
		(void)close(c);
	}
}
