// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * try-files - one attempt at a file, printed as "ok" or an errno's name.
 *
 *	try-files open PATH r|w|rw|a|trunc   (what was read follows "ok")
 *	try-files openfd DIRFD PATH          relative to a descriptor
 *	try-files connect PATH|@NAME         a Unix stream socket
 *	try-files fifo PATH                  opens it for writing, without waiting
 *	try-files fifo-read PATH             for reading
 *	try-files fds                        lists the open descriptors
 *	try-files sysctl DIR                 names everything below DIR that opens for writing
 *	try-files rename A B | exchange A B | link A B | mkdir A | unlink A
 *	try-files chmod PATH MODE            MODE in octal
 *	try-files create PATH MODE           open(O_CREAT) with that mode
 *	try-files xattr PATH NAME VALUE
 *
 * Always ends with 0 if the attempt could be made.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static int say(long r)
{
	puts(r < 0 ? strerrorname_np(errno) : "ok");
	return 0;
}

static int try_open(int dirfd, const char *path, const char *how)
{
	int flags = strcmp(how, "w") == 0     ? O_WRONLY :
		    strcmp(how, "rw") == 0    ? O_RDWR :
		    strcmp(how, "a") == 0     ? O_WRONLY | O_APPEND :
		    strcmp(how, "trunc") == 0 ? O_WRONLY | O_TRUNC :
						O_RDONLY;
	int fd = openat(dirfd, path, flags | O_NONBLOCK | O_NOCTTY);
	char buf[200];
	ssize_t n;

	(void)say(fd);
	if (fd < 0)
		return 0;
	if ((flags & O_ACCMODE) == O_RDONLY) {
		n = read(fd, buf, sizeof(buf) - 1);
		printf("%.*s\n", n > 0 ? (int)n : 0, buf);
	} else if (write(fd, "written-inside\n", 15) != 15) {
		puts("but the write fails");
	}
	return 0;
}

static int try_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	else
		len++;
	return say(fd < 0 ? fd : connect(fd, (struct sockaddr *)&addr, len));
}

static int try_fifo(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK);

	return say(fd < 0 ? fd : flags == O_RDONLY ? 0 : write(fd, "x", 1));
}

static int list_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char link[256];
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (n >= 0 && atol(e->d_name) != dirfd(d))
			printf("%s %.*s\n", e->d_name, (int)n, link);
	}
	return 0;
}

static long n_seen, n_open;

static int open_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	n_seen++;
	fd = open(path, O_WRONLY | O_NONBLOCK);
	if (fd >= 0) {
		n_open++;
		puts(path);
		(void)close(fd);
	}
	return 0;
}

static int walk(const char *dir)
{
	(void)nftw(dir, open_one, 16, FTW_PHYS);
	printf("%ld seen, %ld writable\n", n_seen, n_open);
	return 0;
}

static int two(const char *what, const char *a, const char *b)
{
	mode_t mode = (mode_t)strtoul(b, NULL, 8);

	(void)umask(0);
	if (strcmp(what, "rename") == 0)
		return say(rename(a, b));
	if (strcmp(what, "exchange") == 0)
		return say(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
	if (strcmp(what, "link") == 0)
		return say(linkat(AT_FDCWD, a, AT_FDCWD, b, AT_SYMLINK_FOLLOW));
	if (strcmp(what, "chmod") == 0)
		return say(chmod(a, mode));
	if (strcmp(what, "create") == 0)
		return say(open(a, O_WRONLY | O_CREAT | O_EXCL, mode));
	if (strcmp(what, "open") == 0)
		return try_open(AT_FDCWD, a, b);
	if (strcmp(what, "openfd") == 0)
		return try_open((int)strtol(a, NULL, 10), b, "r");
	return 2;
}

static int one(const char *what, const char *a)
{
	if (strcmp(what, "connect") == 0)
		return try_connect(a);
	if (strcmp(what, "fifo") == 0)
		return try_fifo(a, O_WRONLY);
	if (strcmp(what, "fifo-read") == 0)
		return try_fifo(a, O_RDONLY);
	if (strcmp(what, "sysctl") == 0)
		return walk(a);
	if (strcmp(what, "mkdir") == 0)
		return say(mkdir(a, 0755));
	if (strcmp(what, "unlink") == 0)
		return say(unlink(a));
	return 2;
}

int main(int argc, char **argv)
{
	int r = 2;

	if (argc == 2 && strcmp(argv[1], "fds") == 0)
		r = list_fds();
	else if (argc == 3)
		r = one(argv[1], argv[2]);
	else if (argc == 4)
		r = two(argv[1], argv[2], argv[3]);
	else if (argc == 5 && strcmp(argv[1], "xattr") == 0)
		r = say(setxattr(argv[2], argv[3], argv[4], strlen(argv[4]), 0));
	if (r == 2)
		fputs("try-files: bad usage\n", stderr);
	return r;
}
