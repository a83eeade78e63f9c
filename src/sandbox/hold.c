/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The anchor's own side. It is one task with one poll loop and five sources: the pool's
 * queue, which tells when somebody has taken a network namespace; a timer, because the
 * pool is filled again only when starts have ceased for a moment (filling it while they
 * go on would take from them what it gives); who wants the anchor to stay; their ends; and
 * the host's mounts.
 *
 * Trust: it reads nothing but single bytes, whatever they are, and descriptors that it
 * only polls. A process of the same user can do to it what it can do to any of that user's;
 * that gains nothing, since the anchor can nothing that its user cannot. From inside
 * an environment it cannot be named: other pid namespace, masked run directory.
 *
 * Stale: its mount namespace is a slave of the host's, so what the host mounts and unmounts
 * later arrives by propagation, where the host's mounts are shared, as they are by default.
 * What is mounted on one that is private, or only a slave itself, does not. Where there is
 * any when the host's table changes, the anchor ends, and the next one sees the new
 * state. A grant is compared by device and inode in any case.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "sandbox/anchor.h"
#include "sandbox/sandbox-internal.h"

#define POOL_SIZE 8
#define CALM_MS 3 /* without a start, before the pool is filled again */
#define USERS_MAX 1024u
#define MOUNTS_MAX (4u << 20)

enum { SRC_TAKEN, SRC_USERS, SRC_MOUNTS, SRC_FIRST_USER };

struct holder {
	int file;         /* ANCHOR_FILE, locked */
	int queue, users; /* our ends */
	int taken;        /* an epoll: something was taken from the queue */
	int home;         /* a network namespace that is given to nobody */
	int mounts;       /* the table of the host's namespace */
	struct pollfd p[SRC_FIRST_USER + USERS_MAX];
	nfds_t n;
	bool filling; /* the pool is not full */
};

/* Above the numbers that are promised to others. */
static int move_up(int fd)
{
	int up = fd < 0 ? -1 : fd_dup_above(fd, 20);

	if (fd >= 0)
		(void)close(fd);
	return up;
}

static int take_file(struct holder *h, int run, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	h->file = move_up(openat(run, ANCHOR_FILE,
				 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (h->file < 0)
		return err_sys(err, "cannot open the anchor's file");
	if (fcntl(h->file, F_OFD_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ?
			       err_set(err, PE_BUSY, "there is an anchor already") :
			       err_sys(err, "cannot lock the anchor's file");
	return ftruncate(h->file, 0) < 0 ?
		       err_sys(err, "cannot write the anchor's file") :
		       0;
}

/* One word of mountinfo after " - " is enough: a mount that has no such tag before it. The
 * table is that of whoever opened it. */
static bool some_mount_is_apart(int mounts)
{
	auto_free char *text = malloc(MOUNTS_MAX + 1);
	bool found = false;
	size_t len = 0;

	if (!text || lseek(mounts, 0, SEEK_SET) < 0 ||
	    fd_read_full(mounts, text, MOUNTS_MAX, &len, NULL) != 0 || len == MOUNTS_MAX)
		return true;
	text[len] = '\0';
	for (char *line = text; *line && !found;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		found = !strstr(line, " shared:");
		line = end ? end + 1 : line + strlen(line);
	}
	return found;
}

static int write_own(const char *file, const char *text)
{
	auto_fd fd = sys_openat(AT_FDCWD, file, O_WRONLY, 0);
	long r = fd < 0 ? fd : sys_write(fd, text, strlen(text));

	return r < 0 ? (int)r : 0;
}

/* One to one: below it, numbers mean what they mean on the host. */
static int make_outer(struct err *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[64];
	long r = SYS1(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET);

	(void)snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	if (r == 0)
		r = write_own("/proc/self/uid_map", text);
	if (r == 0)
		r = write_own("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	if (r == 0)
		r = write_own("/proc/self/gid_map", text);
	return r < 0 ? err_neg(err, (int)r, "cannot make the anchor's namespaces") : 0;
}

static int place(int fd, int number)
{
	int r = dup3(fd, number, O_CLOEXEC);

	(void)close(fd);
	return r;
}

/* At exactly the numbers that others take them from. */
static int open_sockets(struct holder *h, struct err *err)
{
	struct epoll_event taken = { .events = EPOLLOUT | EPOLLET };
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int pool[2], users[2];

	if (socketpair(AF_UNIX, type, 0, pool) < 0 ||
	    socketpair(AF_UNIX, type, 0, users) < 0)
		return err_sys(err, "cannot make the anchor's sockets");
	for (int i = 0; i < 2; i++) {
		pool[i] = move_up(pool[i]);
		users[i] = move_up(users[i]);
	}
	h->queue = pool[0];
	h->users = users[0];
	/* A queue is always writable; that its reader took something is an edge. */
	h->taken = move_up(epoll_create1(EPOLL_CLOEXEC));
	if (place(pool[1], ANCHOR_POOL_FD) < 0 || place(users[1], ANCHOR_USER_FD) < 0 ||
	    h->taken < 0 || epoll_ctl(h->taken, EPOLL_CTL_ADD, h->queue, &taken) < 0)
		return err_sys(err, "cannot place the anchor's sockets");
	return 0;
}

static int publish(struct holder *h, const struct anchor_view *view, struct err *err)
{
	struct anchor_record rec = { .magic = ANCHOR_MAGIC,
				     .pid = getpid(),
				     .view = *view };

	return pwrite(h->file, &rec, sizeof(rec), 0) == (ssize_t)sizeof(rec) ?
		       0 :
		       err_sys(err, "cannot write the anchor's file");
}

/* ---- the pool ---- */

static int queued(void)
{
	int n = 0;

	return ioctl(ANCHOR_POOL_FD, FIONREAD, &n) < 0 ? -errno : n;
}

/* A fresh one, made, sent and let go of; we are back at home afterwards. */
static int add_network(const struct holder *h)
{
	auto_fd fd = -1;
	long r = SYS1(SYS_unshare, CLONE_NEWNET);

	if (r == 0)
		r = loopback_up();
	if (r == 0)
		r = fd = sys_openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY, 0);
	if (r >= 0)
		r = SYS2(SYS_setns, h->home, CLONE_NEWNET);
	if (r >= 0)
		r = fd_send(h->queue, "", 1, &fd, 1, NULL);
	return (int)r;
}

static void fill(struct holder *h)
{
	int n = queued();

	while (n >= 0 && n < POOL_SIZE && add_network(h) == 0)
		n++;
	h->filling = false;
}

/* ---- users ---- */

static void add_user(struct holder *h, int take_fd)
{
	if (h->n == ARRAY_LEN(h->p)) {
		(void)close(take_fd);
		return;
	}
	h->p[h->n++] = (struct pollfd){ .fd = take_fd, .events = POLLIN };
}

static void hear_users(struct holder *h)
{
	size_t len, n;
	char byte;
	int fd;

	for (;;) {
		n = 0;
		if (fd_recv(h->users, &byte, 1, &len, &fd, 1, &n, NULL) != 0)
			return;
		if (n == 1)
			add_user(h, fd);
	}
}

static void drop_ended(struct holder *h)
{
	for (nfds_t i = SRC_FIRST_USER; i < h->n;) {
		if (h->p[i].revents == 0) {
			i++;
			continue;
		}
		(void)close(h->p[i].fd);
		h->p[i] = h->p[--h->n];
	}
}

/* ---- the loop ---- */

static void serve(struct holder *h)
{
	struct epoll_event ev;

	while (h->n > SRC_FIRST_USER) {
		int r = poll(h->p, h->n, h->filling ? CALM_MS : -1);

		if (r < 0 && errno != EINTR)
			return;
		if (r == 0)
			fill(h);
		if (r <= 0)
			continue;
		if (h->p[SRC_MOUNTS].revents && some_mount_is_apart(h->mounts))
			return; /* stale: the next one sees what there is now */
		if (h->p[SRC_TAKEN].revents) {
			(void)epoll_wait(h->taken, &ev, 1, 0);
			h->filling = queued() < POOL_SIZE;
		}
		if (h->p[SRC_USERS].revents)
			hear_users(h);
		drop_ended(h);
	}
}

/* Nothing of whoever started us stays, and streams lead nowhere. */
static int clear_table(struct holder *h, int run, int user)
{
	int keep[3] = { h->file, run, user }, null;

	for (size_t i = 0; i < 2; i++)
		for (size_t k = i + 1; k < 3; k++)
			if (keep[k] < keep[i]) {
				int t = keep[i];

				keep[i] = keep[k];
				keep[k] = t;
			}
	(void)fd_close_but(keep, 3);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null == 0 && fcntl(null, F_DUPFD_CLOEXEC, 1) == 1 &&
			       fcntl(null, F_DUPFD_CLOEXEC, 2) == 2 && chdir("/") == 0 ?
		       0 :
		       -1;
}

int anchor_hold(int run, int take_user, struct err *err)
{
	static struct holder h = {
		.file = -1, .queue = -1, .users = -1, .home = -1, .mounts = -1
	};
	struct anchor_view view;
	int r;

	run = fd_dup_above(run, 20);
	take_user = move_up(take_user);
	if (run < 0 || take_user < 0)
		return err_sys(err, "cannot place the anchor's descriptors");
	r = take_file(&h, run, err);
	if (r != 0)
		return r;
	if (clear_table(&h, run, take_user) < 0 || anchor_view_of_self(&view) != 0)
		return err_sys(err, "cannot tell what the anchor sees");
	h.mounts = move_up(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
	if (h.mounts < 0)
		return err_sys(err, "cannot watch the host's mounts");
	r = make_outer(err);
	if (r == 0) {
		h.home = move_up(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
		r = open_sockets(&h, err);
	}
	if (r != 0)
		return r;
	h.p[SRC_TAKEN] = (struct pollfd){ .fd = h.taken, .events = POLLIN };
	h.p[SRC_USERS] = (struct pollfd){ .fd = h.users, .events = POLLIN };
	h.p[SRC_MOUNTS] = (struct pollfd){ .fd = h.mounts, .events = POLLPRI };
	h.n = SRC_FIRST_USER;
	add_user(&h, take_user);
	fill(&h);
	r = publish(&h, &view, err);
	if (r == 0)
		serve(&h);
	return r; /* the file stays: without its lock it says nothing */
}
