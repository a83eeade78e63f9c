/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * What is granted to an environment that runs, or asks for more than a mount can give, is
 * served by a caretaker: one process outside for each binding, our child, which answers
 * the environment's FUSE mount (docs/protocol.md, "Caretakers"). Here they are started,
 * told and cut.
 *
 *	serve	the mount is made inside, unseen; the caretaker starts; it says READY;
 *		only then the mount is put at its place
 *	narrow	one request, one answer
 *	cut	the caretaker lets no request through any more, has the kernel forget
 *		what was read and mapped, and answers DONE; then the mount is taken away
 *
 * Each waits here for its answer, a few seconds at most. One that does not answer is
 * killed, and with it the kernel aborts its connection: nobody ever has more for it.
 * The same is true of one that dies, or that we leave behind when we die ourselves (its
 * end of the channel closes, and the mount namespace is gone).
 *
 * What they say is decoded by src/wire and believed as far as their own grant goes: they
 * read hostile requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "sandbox/live.h"
#include "tender/tender-internal.h"
#include "wire/care.h"

#define READY_MS 5000
#define CUT_MS 10000
#define END_MS 500
#define AT_MOST 64 /* served at once */

struct care {
	struct care *next;
	struct tender *t;
	struct source chan;
	pid_t pid;
	uint32_t seq;
	uint64_t mount;
	char *slot, *rule;
};

static struct live_env live_env(const struct tender *t)
{
	const struct spec *s = t->job->spec;

	return (struct live_env){
		.nsfds = control_nsfds(t), .flags = s->flags, .uid = s->uid, .gid = s->gid
	};
}

static struct care *find(const struct tender *t, const char *slot)
{
	struct care *c = t->cares;

	while (c && !streq(c->slot, slot))
		c = c->next;
	return c;
}

/* It ends by its end of the channel; killed, it need not be believed that it does. */
static void let_go(struct care *c)
{
	int fd = c->chan.fd;

	for (struct care **at = &c->t->cares; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL); /* ours, not reaped */
	loop_del(&c->t->loop, &c->chan);
	if (fd >= 0)
		(void)close(fd);
	free(c->slot);
	free(c->rule);
	free(c);
}

void care_child(struct tender *t, pid_t pid)
{
	for (struct care *c = t->cares; c; c = c->next)
		if (c->pid == pid)
			c->pid = 0;
}

void care_close(struct tender *t)
{
	while (t->cares)
		let_go(t->cares);
}

/* ---- what they say ---- */

/* Cut by itself, or dead: the kernel has aborted the connection already. */
static void over(struct care *c, const char *why)
{
	struct live_env e = live_env(c->t);
	struct tender *t = c->t;
	auto_free char *slot = strdup(c->slot);

	(void)live_detach(&e, c->slot, c->mount, NULL);
	let_go(c);
	if (slot && t->job->decide.lost)
		t->job->decide.lost(t->job->userdata, slot, why);
}

static const char *why_ended(const struct care_msg *m)
{
	return m->what == CARE_WHY_TTL       ? "its time is over (ttl)" :
	       m->what == CARE_WHY_ONCE      ? "it was used once" :
	       m->what == CARE_WHY_UNMOUNTED ? "its mount is gone" :
	       m->text                       ? m->text :
					       "its caretaker has failed";
}

/* One message: PE_BUSY: none is there; -EPIPE: none will come. */
static int receive(struct care *c, char *buf, struct care_msg *ret)
{
	size_t len = 0;
	int r = fd_recv(c->chan.fd, buf, CARE_MAX_BYTES, &len, NULL, 0, NULL, NULL);

	if (r == -EAGAIN)
		return PE_BUSY;
	if (r != 0 || len == 0)
		return -EPIPE;
	return care_msg_decode(ret, buf, len, NULL) == 0 ? 0 : -EPIPE;
}

static void on_care(struct source *src, uint32_t events)
{
	struct care *c = container_of(src, struct care, chan);
	static char buf[CARE_MAX_BYTES];
	struct care_msg m;
	int r = receive(c, buf, &m);

	(void)events;
	if (r == PE_BUSY)
		return;
	if (r == 0 && m.verb == CARE_LOGGED)
		audit_write(c->t, c->slot, c->rule, &m.logged);
	else if (r == 0 && m.verb == CARE_ENDED)
		over(c, why_ended(&m));
	else if (r != 0)
		over(c, "its caretaker has died");
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until a message of that verb (or one that says that none will come) is there; events are
 * told meanwhile. -EPIPE, -ETIMEDOUT. */
static int await(struct care *c, uint16_t verb, int timeout_ms, char *buf,
		 struct care_msg *ret)
{
	struct pollfd p = { .fd = c->chan.fd, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		int64_t left = end - now_ms();
		int r = receive(c, buf, ret);

		if (r == 0 && ret->verb == CARE_LOGGED)
			audit_write(c->t, c->slot, c->rule, &ret->logged);
		else if (r == 0 && (ret->verb == verb || ret->verb == CARE_ENDED ||
				    ret->verb == CARE_REFUSED))
			return 0;
		else if (r == -EPIPE)
			return r;
		if (left <= 0)
			return -ETIMEDOUT;
		if (r == PE_BUSY)
			(void)poll(&p, 1, (int)left);
	}
}

static int ask(struct care *c, struct care_msg *m)
{
	auto_str out = STR_INIT;

	m->seq = ++c->seq;
	m->generation = c->t->job->spec->generation;
	care_msg_encode(m, &out);
	return out.failed ? -ENOMEM : fd_send(c->chan.fd, out.p, out.len, NULL, 0, NULL);
}

/* Killed, and seen to be dead: then nothing is answered any more. What the host holds up
 * in it is not waited for. */
static void await_end(struct care *c)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	int64_t end = now_ms() + END_MS;
	siginfo_t si = { .si_pid = 0 };

	if (c->pid <= 0)
		return;
	(void)kill(c->pid, SIGKILL);
	while (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid == 0 && now_ms() < end)
		(void)nanosleep(&pause, NULL);
}

/* ---- started ---- */

static uint8_t kind_of(const char *name)
{
	for (int k = 1; k < CARE_KIND_COUNT; k++)
		if (streq(care_kind_name((uint8_t)k), name))
			return (uint8_t)k;
	return 0;
}

static int list_takers(const struct tender_taker *from, size_t n, struct care_taker *to,
		       uint32_t *ret_n, struct err *err)
{
	if (n > CARE_MAX_CARETAKERS)
		return err_set(err, PE_REFUSED, "at most %d caretakers",
			       CARE_MAX_CARETAKERS);
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct care_taker){ kind_of(from[i].name), from[i].arg };
		if (!to[i].kind)
			return err_set(err, PE_REFUSED, "there is no caretaker '%s' yet",
				       from[i].name);
	}
	*ret_n = (uint32_t)n;
	return 0;
}

/* What covers protect inside, the caretaker protects too. */
static int list_guarded(const struct tender_serve *s, struct care_spec *cs,
			struct err *err)
{
	size_t skip = strlen(s->slot) + 1;

	if (s->n_covers > CARE_MAX_GUARDED)
		return err_set(err, PE_REFUSED, "%s: too much in it is to be protected",
			       s->slot);
	for (size_t i = 0; i < s->n_covers; i++) {
		const struct live_cover *c = &s->covers[i];

		if (strncmp(c->path, s->slot, skip - 1) != 0 || c->path[skip - 1] != '/')
			return err_set(err, -EINVAL, "cannot protect '%s'", c->path);
		cs->guarded[cs->n_guarded++] = (struct care_guarded){
			.how = c->mask      ? CARE_CLOSED :
			       c->read_only ? CARE_KEPT :
					      CARE_WAY,
			.path = c->path + skip,
		};
	}
	return 0;
}

static int write_spec(const struct care_spec *s, int *ret_fd, struct err *err)
{
	auto_fd fd = memfd_create("caretaker", MFD_CLOEXEC);
	auto_str out = STR_INIT;
	int r;

	care_spec_encode(s, &out);
	if (out.failed)
		return err_oom(err);
	if (fd < 0)
		return err_sys(err, "cannot write a caretaker's spec");
	r = fd_write_all(fd, out.p, out.len, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_sys(err, "cannot write a caretaker's spec");
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int spawn(struct care *c, const struct care_spec *s, int spec_fd, struct err *err)
{
	const int inherited[] = { s->fuse_fd, s->root_fd, s->ctl_fd, s->log_fd, spec_fd };
	posix_spawn_file_actions_t fa;
	int r;

	if (posix_spawn_file_actions_init(&fa) != 0)
		return err_oom(err);
	r = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
	for (int i = 1; r == 0 && i < 3; i++)
		r = posix_spawn_file_actions_adddup2(&fa, 0, i);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(inherited); i++)
		r = posix_spawn_file_actions_adddup2(&fa, inherited[i], inherited[i]);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return err_neg(err, -r, "cannot start '%s'", "polder-caretaker-dir");
	}
	return part_spawn(c->t, "polder-caretaker-dir", spec_fd, &fa, &c->pid, err);
}

/* Why it did not come to READY is in its log. */
static int failed(int log, int r, struct err *err)
{
	char text[400];
	ssize_t n = read(log, text, sizeof(text) - 1);

	if (n <= 0)
		return err_neg(err, r, "the caretaker did not begin to serve");
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(err, PE_REFUSED, "%s", text);
}

/* With take_fuse: consumed. Returns once it serves. */
static int start(struct care *c, const struct tender_serve *s, int take_fuse,
		 struct err *err)
{
	auto_fd fuse = take_fuse, spec = -1, theirs = -1, log_in = -1, log_out = -1;
	struct care_spec cs = CARE_SPEC_INIT;
	auto_free char *buf = malloc(CARE_MAX_BYTES);
	struct care_msg m;
	int pair[2], pipefd[2], r;

	memcpy(cs.id, s->binding, sizeof(cs.id));
	cs.generation = c->t->job->spec->generation;
	cs.flags = (s->is_file ? CARE_IS_FILE : 0) | (s->read_only ? CARE_READ_ONLY : 0) |
		   (s->passthrough ? CARE_PASSTHROUGH : 0);
	cs.uid = (struct care_id){ s->host_uid, c->t->job->spec->uid };
	cs.gid = (struct care_id){ s->host_gid, c->t->job->spec->gid };
	r = buf ? list_takers(s->takers, s->n_takers, cs.takers, &cs.n_takers, err) :
		  err_oom(err);
	if (r == 0)
		r = list_guarded(s, &cs, err);
	if (r != 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "cannot make a channel");
	c->chan.fd = pair[0]; /* let_go closes it */
	theirs = pair[1];
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	log_out = pipefd[0];
	log_in = pipefd[1];
	(void)fd_set_nonblock(c->chan.fd, true);
	cs.fuse_fd = fuse;
	cs.root_fd = s->root_fd;
	cs.ctl_fd = theirs;
	cs.log_fd = log_in;
	r = write_spec(&cs, &spec, err);
	if (r == 0)
		r = spawn(c, &cs, spec, err);
	(void)close(TAKE_FD(theirs));
	(void)close(TAKE_FD(log_in));
	(void)close(TAKE_FD(fuse)); /* only the caretaker may hold it */
	if (r != 0)
		return r;
	r = await(c, CARE_READY, READY_MS, buf, &m);
	return r == 0 && m.verb == CARE_READY ? 0 : failed(log_out, r ? r : -EPROTO, err);
}

static size_t count(const struct tender *t)
{
	size_t n = 0;

	for (const struct care *c = t->cares; c; c = c->next)
		n++;
	return n;
}

static struct care *care_new(struct tender *t, const struct tender_serve *s)
{
	struct care *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->t = t;
	c->chan = SOURCE_INIT;
	c->slot = strdup(s->slot);
	c->rule = strdup(s->rule);
	c->next = t->cares;
	t->cares = c;
	if (c->slot && c->rule)
		return c;
	let_go(c);
	return NULL;
}

int tender_serve(struct tender *t, const struct tender_serve *s, struct err *err)
{
	struct live_env e = live_env(t);
	struct live_mount m = { .path = s->slot,
				.is_file = s->is_file,
				.read_only = s->read_only,
				.covers = s->covers,
				.n_covers = s->n_covers };
	struct live_door door = LIVE_DOOR_INIT;
	struct care *c;
	int fuse = -1, fd, r;

	if (count(t) >= AT_MOST)
		return err_set(err, PE_REFUSED, "at most %d can be served at once",
			       AT_MOST);
	t->entered = true;
	r = live_open(&e, &m, &door, &fuse, err);
	if (r != 0)
		return r;
	c = care_new(t, s);
	if (!c) {
		(void)close(fuse);
		live_close(&door);
		return err_oom(err);
	}
	r = start(c, s, fuse, err);
	if (r == 0)
		r = live_attach(&door, &c->mount, err);
	else
		live_close(&door);
	fd = c->chan.fd;
	if (r == 0) {
		c->chan.fd = -1;
		r = loop_add(&t->loop, &c->chan, fd, EPOLLIN, on_care);
		if (r != 0)
			(void)close(fd);
	}
	if (r != 0)
		let_go(c);
	return r;
}

/* ---- narrowed, cut ---- */

int tender_narrow(struct tender *t, const char *slot, const struct tender_taker *takers,
		  size_t n, struct err *err)
{
	struct care *c = find(t, slot);
	auto_free char *buf = malloc(CARE_MAX_BYTES);
	struct care_msg m = { .verb = CARE_ATTENUATE, .place = CARE_FRONT };
	int r;

	if (!c)
		return err_set(err, PE_REFUSED,
			       "%s: its caretaker has died, so nothing is granted there "
			       "any more",
			       slot);
	r = buf ? list_takers(takers, n, m.takers, &m.n_takers, err) : err_oom(err);
	if (r != 0)
		return r;
	r = ask(c, &m);
	if (r == 0)
		r = await(c, CARE_DONE, READY_MS, buf, &m);
	if (r == 0 && m.verb == CARE_REFUSED)
		return err_set(err, PE_REFUSED, "%s: %s", slot, m.text ? m.text : "");
	if (r == 0 && m.verb == CARE_DONE)
		return 0;
	/* It may hold or not: nothing is what surely is no more than that. */
	await_end(c);
	let_go(c);
	return err_set(err, PE_REFUSED,
		       "%s: its caretaker did not answer and was killed, so nothing is "
		       "granted there any more",
		       slot);
}

int tender_cut(struct tender *t, const char *slot, bool to_errors, struct tender_cut *ret,
	       struct err *err)
{
	struct care_msg m = { .verb = CARE_CUT, .what = CARE_CUT_ERRORS };
	auto_free char *buf = malloc(CARE_MAX_BYTES);
	struct live_env e = live_env(t);
	struct care *c = find(t, slot);
	bool answered = false;
	int r = 0;

	*ret = (struct tender_cut){ .complete = true };
	if (!c)
		return 0; /* it was cut when its caretaker died */
	if (buf && ask(c, &m) == 0)
		answered = await(c, CARE_DONE, CUT_MS, buf, &m) == 0 &&
			   m.verb != CARE_REFUSED;
	ret->complete = answered && m.what == 1 && m.verb == CARE_DONE;
	if (answered && m.verb == CARE_ENDED) /* by itself, just before */
		ret->complete = true;
	ret->files = answered ? m.invalidated : 0;
	ret->unfinished = answered ? m.unfinished : 0;
	if (!to_errors)
		r = live_detach(&e, slot, c->mount, err);
	await_end(c);
	let_go(c);
	return r;
}

int tender_unmount(struct tender *t, const char *slot, struct err *err)
{
	const struct spec *s = t->job->spec;
	struct live_env e = live_env(t);
	struct live_root was = { .ino = 0 };

	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].kind == SPEC_MOUNT_BIND && streq(s->mounts[i].dst, slot))
			was = (struct live_root){ s->mounts[i].dev, s->mounts[i].ino };
	return live_unmount(&e, slot, was, err);
}
