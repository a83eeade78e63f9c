/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fd_write_all(int fd, const void *data, size_t len, struct err *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_read_full(int fd, void *buf, size_t max, size_t *ret_len, struct err *err)
{
	char *p = buf;
	size_t len = 0;

	while (len < max) {
		ssize_t n = read(fd, p + len, max - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

/* Reads to the end in growing steps: the size that fstat tells is only a hint. */
static int read_growing(int fd, const char *path, size_t hint, size_t max, char **ret,
			size_t *ret_len, struct err *err)
{
	auto_free char *buf = NULL;
	size_t len = 0, cap = MIN(hint, max) + 1, n = 0;
	int r;

	for (;;) {
		char *bigger = realloc(buf, cap + 1);

		if (!bigger)
			return err_oom(err);
		buf = bigger;
		r = fd_read_full(fd, buf + len, cap - len, &n, err);
		if (r != 0) {
			err_prefix(err, "'%s'", path);
			return r;
		}
		len += n;
		if (len > max)
			return err_neg(err, -EFBIG, "'%s' is longer than %zu bytes", path,
				       max);
		if (len < cap)
			break;
		cap = MIN(cap * 2 + 4096, max + 1);
	}
	buf[len] = '\0';
	*ret = TAKE_PTR(buf);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len,
		    struct err *err)
{
	auto_fd fd = -1;
	struct stat st;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_neg(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
			       "'%s' is not a regular file", path);
	max = MIN(max, (size_t)SSIZE_MAX / 4);
	return read_growing(fd, path, st.st_size > 0 ? (size_t)st.st_size : 4096, max,
			    ret, ret_len, err);
}

/* Makes a rename in the directory of path last. */
static int sync_parent(int dirfd, const char *path, struct err *err)
{
	auto_free char *dir = strdup(path);
	auto_fd fd = -1;
	char *slash;

	if (!dir)
		return err_oom(err);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = openat(dirfd, slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, "cannot write '%s' to the disk", path);
	return 0;
}

int fd_write_file_at(int dirfd, const char *path, const void *data, size_t len,
		     mode_t mode, enum fd_write how, struct err *err)
{
	char tmp[PATH_MAX];
	auto_fd fd = -1;
	int n, r;

	n = snprintf(tmp, sizeof(tmp), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return err_neg(err, -ENAMETOOLONG, "cannot write '%s'", path);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    mode);
	if (fd < 0)
		return err_sys(err, "cannot make '%s'", tmp);
	r = fd_write_all(fd, data, len, err);
	if (r == 0 && how == FD_WRITE_SYNC && fsync(fd) < 0)
		r = err_sys(err, "cannot write to the disk");
	if (r == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
		r = err_sys(err, "cannot put the new file in place");
	if (r != 0) {
		(void)unlinkat(dirfd, tmp, 0);
		err_prefix(err, "'%s'", path);
		return r;
	}
	return how == FD_WRITE_SYNC ? sync_parent(dirfd, path, err) : 0;
}

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
};

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
	    struct err *err)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (n_fds > FD_MESSAGE_MAX)
		return err_neg(err, -EINVAL, "cannot send %zu descriptors at once",
			       n_fds);
	if (n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	if (n < 0)
		return err_sys(err, "cannot send a message");
	if ((size_t)n != len)
		return err_neg(err, -EIO, "a message was sent in part");
	return 0;
}

/* Moves what the control data carries to fds, as far as it fits; the rest is closed. */
static bool take_fds(struct msghdr *msg, int *fds, size_t max, size_t *ret_n)
{
	bool all = true;
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < max) {
				fds[count++] = fd;
			} else {
				(void)close(fd);
				all = false;
			}
		}
	}
	*ret_n = count;
	return all;
}

int fd_recv(int sock, void *buf, size_t max, size_t *ret_len, int *ret_fds,
	    size_t max_fds, size_t *ret_n_fds, struct err *err)
{
	struct iovec iov = { .iov_base = buf, .iov_len = max };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	size_t n_fds = 0;
	bool all;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	if (n < 0)
		return err_sys(err, "cannot receive a message");
	all = take_fds(&msg, ret_fds, max_fds, &n_fds);
	if (!all || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fd_close_list(ret_fds, n_fds);
		return err_set(err, PE_BAD,
			       "a message is longer, or carries more "
			       "descriptors, than was agreed");
	}
	*ret_len = (size_t)n;
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	else
		fd_close_list(ret_fds, n_fds);
	return 0;
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	if (((flags & flag) != 0) == on)
		return 0;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_set_nonblock(int fd, bool on)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_dup_above(int fd, int min)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return copy < 0 ? -errno : copy;
}

/* from to to inclusive; an empty range is fine. */
static int close_from(unsigned from, unsigned to)
{
	if (from > to)
		return 0;
	return syscall(SYS_close_range, from, to, 0) < 0 ? -errno : 0;
}

int fd_close_but(const int *keep, size_t n)
{
	unsigned from = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (keep[i] < 0 || (i > 0 && keep[i] <= keep[i - 1]))
			return -EINVAL;
	for (size_t i = 0; i < n && r == 0; i++) {
		if (keep[i] > 0)
			r = close_from(from, (unsigned)keep[i] - 1);
		from = (unsigned)keep[i] + 1;
	}
	return r == 0 ? close_from(from, ~0U) : r;
}

void fd_close_foreign(void)
{
	DIR *dir = opendir("/proc/self/fd");

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		uint64_t fd;

		if (str_to_u64(e->d_name, &fd) && fd > 2 && fcntl((int)fd, F_GETFD) == 0)
			(void)close((int)fd);
	}
	if (dir)
		(void)closedir(dir);
}

void fd_close_list(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}
