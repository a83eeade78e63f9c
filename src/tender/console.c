/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A program never gets the person's terminal. Where one of its three streams would be a
 * terminal, it gets the slave of a pty made inside the environment, and the tender
 * relays between the master and the terminal, which is in raw mode meanwhile. Pipes,
 * sockets and files are handed over as they are: Landlock keeps a redirected file from
 * being reopened with more rights than its descriptor has.
 *
 * An environment whose console is its own has a pty that the tender keeps: what comes
 * out is logged (two files of bounded size) and goes to whoever is attached; a client
 * that does not keep up loses its attachment, never the program its output.
 *
 * Backpressure: one buffer each way; what does not fit is not read. The terminal is
 * opened anew, so that it does not block the tender when nobody reads it; what it has
 * not taken when the program ends is waited for, until somebody asks for the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "sandbox/lockdown.h"
#include "tender/tender-internal.h"

#define CLIENTS 8
#define LOG_CHUNK 1024u
#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80
/* A terminal may block in the middle of a longer write. */
#define TTY_CHUNK 256u
#define HURRY_MS 200

struct client {
	struct source src;
	struct tender *t;
};

struct console {
	struct tender *t;
	enum spec_console kind;
	struct source master; /* the pty's, or the read end of a fake one's output */
	struct source tty_in, tty_out;
	int in_fd, out_fd; /* the person's terminal; -1 */
	int own_out;       /* out_fd, if it is opened anew; -1 */
	bool raw, is_pipe;
	bool plain_output; /* the terminal translates line ends, not the pty */
	struct termios saved;
	struct client clients[CLIENTS];
	int log_dir, log, opened[3];
	uint64_t log_size, log_max;
	struct pipe_buf in, out; /* to the master; to the terminal */
	/* Of in and out. Last: a page that nobody has written is no memory, and a console
	 * without anything to relay is allocated without them. */
	char buf[2][BUF_BYTES];
};

static size_t space(const struct pipe_buf *b)
{
	return BUF_BYTES - b->to;
}

static void consume(struct pipe_buf *b, size_t n)
{
	b->from += n;
	if (b->from == b->to)
		b->from = b->to = 0;
}

static void want(struct console *c)
{
	struct loop *l = &c->t->loop;

	loop_want(l, &c->tty_in, space(&c->in) ? EPOLLIN : 0);
	loop_want(l, &c->tty_out, c->out.to > c->out.from ? EPOLLOUT : 0);
	loop_want(l, &c->master,
		  (space(&c->out) ? EPOLLIN : 0u) |
			  (c->in.to > c->in.from ? EPOLLOUT : 0u));
	for (size_t i = 0; i < CLIENTS; i++)
		loop_want(l, &c->clients[i].src, space(&c->in) ? EPOLLIN : 0);
}

/* Nobody has the other side open, or there is no room for what it says: the hangup is
 * told for ever, so only changes are heard. */
static void want_changes(struct console *c)
{
	loop_want(&c->t->loop, &c->master, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* ---- the log ---- */

static void log_open(struct console *c)
{
	struct stat st;

	c->log = openat(c->log_dir, "log",
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	c->log_size = c->log >= 0 && fstat(c->log, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void log_rotate(struct console *c)
{
	(void)close(c->log);
	(void)renameat(c->log_dir, "log", c->log_dir, "log.1");
	log_open(c);
}

/* A terminal ends lines with CR LF, a log with LF. */
static void log_write(struct console *c, const char *p, size_t n)
{
	if (c->log >= 0 && c->log_size + n > c->log_max)
		log_rotate(c);
	while (c->log >= 0 && n > 0) {
		char clean[LOG_CHUNK];
		size_t k = 0, i;

		for (i = 0; i < n && i < sizeof(clean); i++)
			if (p[i] != '\r' || c->is_pipe)
				clean[k++] = p[i];
		if (fd_write_all(c->log, clean, k, NULL) == 0)
			c->log_size += k;
		p += i;
		n -= i;
	}
}

void console_note(struct tender *t, const char *text)
{
	struct console *c = t->console;

	if (!c || c->log < 0)
		return;
	log_write(c, "polder: ", strlen("polder: "));
	log_write(c, text, strlen(text));
	log_write(c, "\n", 1);
}

/* ---- clients ---- */

static void detach(struct client *cl)
{
	int fd = cl->src.fd;

	loop_del(&cl->t->loop, &cl->src);
	if (fd >= 0)
		(void)close(fd);
}

static void on_client(struct source *src, uint32_t events)
{
	struct client *cl = container_of(src, struct client, src);
	struct console *c = cl->t->console;
	ssize_t n;

	if (space(&c->in) == 0) {
		if (events & (EPOLLHUP | EPOLLERR))
			detach(cl);
		return;
	}
	n = recv(src->fd, c->in.buf + c->in.to, space(&c->in), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		detach(cl);
		return;
	}
	if (n > 0 && !c->is_pipe) /* else nothing reads it */
		c->in.to += (size_t)n;
	want(c);
}

static void to_clients(struct console *c, const char *p, size_t n)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (c->clients[i].src.fd >= 0 &&
		    send(c->clients[i].src.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) !=
			    (ssize_t)n)
			detach(&c->clients[i]);
}

int console_attach(struct tender *t, int take_fd, uint16_t rows, uint16_t cols)
{
	struct console *c = t->console;

	if (!c || c->kind != SPEC_CONSOLE_OWN || c->master.fd < 0) {
		(void)close(take_fd);
		return PE_REFUSED;
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *cl = &c->clients[i];

		if (cl->src.fd >= 0)
			continue;
		cl->t = t;
		if (loop_add(&t->loop, &cl->src, take_fd, EPOLLIN, on_client) != 0)
			break;
		console_winsize(t, rows, cols);
		return 0;
	}
	(void)close(take_fd);
	return PE_BUSY;
}

/* ---- the relay ---- */

static void set_raw(struct console *c);

static bool read_master(struct console *c)
{
	size_t before = c->out.to;
	ssize_t n = read(c->master.fd, c->out.buf + c->out.to, space(&c->out));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	log_write(c, c->out.buf + before, (size_t)n);
	to_clients(c, c->out.buf + before, (size_t)n);
	if (c->out_fd >= 0)
		c->out.to += (size_t)n;
	return true;
}

static void on_master(struct source *src, uint32_t events)
{
	struct console *c = container_of(src, struct console, master);

	if ((events & EPOLLOUT) && c->in.to > c->in.from) {
		ssize_t n = write(src->fd, c->in.buf + c->in.from, c->in.to - c->in.from);

		if (n > 0)
			consume(&c->in, (size_t)n);
	}
	if ((events & (EPOLLIN | EPOLLHUP)) && space(&c->out) && !read_master(c)) {
		int fd = src->fd;

		/* A pty comes back when one opens its other side. */
		if (c->is_pipe || c->t->state == TENDER_ENDED) {
			loop_del(&c->t->loop, src);
			(void)close(fd);
			return;
		}
		want_changes(c);
		return;
	}
	if ((events & EPOLLHUP) && !space(&c->out))
		want_changes(c);
	else
		want(c);
}

/* True unless somebody else has the terminal now. */
static bool in_foreground(const struct console *c)
{
	pid_t group = tcgetpgrp(c->in_fd);

	return group < 0 || group == getpgrp(); /* < 0: it controls nobody here */
}

static void on_tty_in(struct source *src, uint32_t events)
{
	struct console *c = container_of(src, struct console, tty_in);
	ssize_t n;

	(void)events;
	if (!in_foreground(c)) {
		/* A job in the background: what is typed is the shell's, and reading it would
		 * stop us. A new line tells whether that has changed. */
		loop_want(&c->t->loop, src, EPOLLIN | EPOLLET);
		return;
	}
	if (!c->raw)
		set_raw(c);
	n = read(src->fd, c->in.buf + c->in.to, space(&c->in));
	if (n > 0)
		c->in.to += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		loop_del(&c->t->loop, src);
	want(c);
}

static void on_tty_out(struct source *src, uint32_t events)
{
	struct console *c = container_of(src, struct console, tty_out);
	ssize_t n = write(src->fd, c->out.buf + c->out.from,
			  MIN(c->out.to - c->out.from, (size_t)TTY_CHUNK));

	(void)events;
	if (n > 0)
		consume(&c->out, (size_t)n);
	else if (n < 0 && errno != EINTR && errno != EAGAIN) {
		/* The terminal is gone: what is written to it vanishes. */
		loop_del(&c->t->loop, src);
		c->out_fd = -1;
		c->out.from = c->out.to = 0;
	}
	want(c);
}

/* ---- the person's terminal ---- */

static void set_raw(struct console *c)
{
	struct termios raw;

	if (c->in_fd < 0 || tcgetpgrp(c->in_fd) != getpgrp() ||
	    tcgetattr(c->in_fd, &c->saved) < 0)
		return;
	raw = c->saved;
	cfmakeraw(&raw);
	if (c->plain_output)
		raw.c_oflag = c->saved.c_oflag;
	c->raw = tcsetattr(c->in_fd, TCSADRAIN, &raw) == 0;
}

static void set_cooked(struct console *c)
{
	if (c->raw)
		(void)tcsetattr(c->in_fd, TCSADRAIN, &c->saved);
	c->raw = false;
}

void console_suspend(struct tender *t, bool suspend)
{
	if (!t->console)
		return;
	if (suspend)
		set_cooked(t->console);
	else
		set_raw(t->console);
}

static bool terminal_size(const struct console *c, struct winsize *ret)
{
	return (c->out_fd >= 0 && ioctl(c->out_fd, TIOCGWINSZ, ret) == 0) ||
	       (c->in_fd >= 0 && ioctl(c->in_fd, TIOCGWINSZ, ret) == 0);
}

void console_winsize(struct tender *t, uint16_t rows, uint16_t cols)
{
	struct winsize ws = { .ws_row = rows, .ws_col = cols };

	if (t->console && t->console->master.fd >= 0 && rows && cols)
		(void)ioctl(t->console->master.fd, TIOCSWINSZ, &ws);
}

void console_resized(struct tender *t)
{
	struct winsize ws;

	if (t->console && terminal_size(t->console, &ws))
		console_winsize(t, ws.ws_row, ws.ws_col);
}

/* Where others write to the terminal as well, it goes on translating line ends, and the
 * pty must not. */
static void no_output_processing(struct console *c, int master)
{
	struct termios tio;

	c->plain_output = true;
	if (tcgetattr(master, &tio) == 0) {
		tio.c_oflag &= ~(tcflag_t)OPOST;
		(void)tcsetattr(master, TCSANOW, &tio);
	}
}

/* A description of our own: whether it blocks is not the shell's business. A master
 * cannot be opened again. */
static void open_out(struct console *c)
{
	unsigned number;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", c->out_fd);
	if (ioctl(c->out_fd, TIOCGPTN, &number) < 0)
		c->own_out = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (c->own_out < 0) /* a number of its own, at least: it is in the loop twice */
		c->own_out = fd_dup_above(c->out_fd, 3);
	if (c->own_out >= 0)
		c->out_fd = c->own_out;
}

void console_master(struct tender *t, int take_fd)
{
	struct console *c = t->console;

	if (!c || c->master.fd >= 0) {
		(void)close(take_fd);
		return;
	}
	(void)fd_set_nonblock(take_fd, true);
	(void)loop_add(&t->loop, &c->master, take_fd, EPOLLIN, on_master);
	if (c->kind != SPEC_CONSOLE_PARENT)
		return;
	if (c->in_fd < 0 || !isatty(1) || !in_foreground(c))
		no_output_processing(c, take_fd);
	set_raw(c);
	if (c->in_fd >= 0)
		(void)loop_add(&t->loop, &c->tty_in, c->in_fd, EPOLLIN, on_tty_in);
	if (c->out_fd >= 0) {
		open_out(c);
		(void)loop_add(&t->loop, &c->tty_out, c->out_fd, 0, on_tty_out);
	}
}

/* ---- opening and closing ---- */

static int check_stream(int fd, struct err *err)
{
	static const char *const name[] = { "standard input", "standard output",
					    "standard error" };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s", name[fd]);
	if (S_ISDIR(st.st_mode))
		return err_set(err, PE_USAGE,
			       "%s is a directory, which would be a way out of the "
			       "environment",
			       name[fd]);
	if (S_ISREG(st.st_mode) && lockdown_landlock_abi() == 0)
		return err_set(err, PE_REFUSED,
			       "%s is a file, and this kernel has no Landlock to "
			       "keep it from being reopened with more rights: use a pipe "
			       "(cat FILE "
			       "| polder run …, or … | cat > FILE)",
			       name[fd]);
	return 0;
}

static int no_terminal(struct err *err)
{
	return err_set(err, PE_USAGE,
		       "a program in the background cannot have this terminal: redirect "
		       "its input and output, or use -g console=own");
}

static int open_parent(struct console *c, struct sandbox_io *io, struct err *err)
{
	struct winsize ws = { .ws_row = DEFAULT_ROWS, .ws_col = DEFAULT_COLS };
	int r;

	if (c->t->ops->plain_console && c->t->job->background && (isatty(1) || isatty(2)))
		return no_terminal(err);
	for (int i = 0; i < 3 && !c->t->ops->plain_console; i++) {
		r = check_stream(i, err);
		if (r != 0)
			return r;
		if (!isatty(i))
			continue;
		io->fd[i] = -1;
		io->pty = true;
		if (i == 0)
			c->in_fd = 0;
		else if (c->out_fd < 0)
			c->out_fd = i;
	}
	if (io->pty && c->t->job->background)
		return no_terminal(err);
	if (c->in_fd >= 0 && c->out_fd < 0)
		c->out_fd = 0; /* its echo belongs to the terminal that it is typed on */
	if (io->pty && terminal_size(c, &ws)) {
		io->rows = ws.ws_row;
		io->cols = ws.ws_col;
	}
	return 0;
}

static int open_null(struct console *c, struct sandbox_io *io, struct err *err)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && fd < 3)
		fd = fd_dup_above(fd, 3);
	if (fd < 0)
		return err_sys(err, "cannot open /dev/null");
	c->opened[0] = fd;
	io->fd[0] = io->fd[1] = io->fd[2] = fd;
	return 0;
}

/* What comes out, through a pipe. */
static int open_output(struct console *c, struct sandbox_io *io, struct err *err)
{
	int out[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	c->opened[1] = io->fd[1] = io->fd[2] = out[1];
	c->is_pipe = true;
	(void)fd_set_nonblock(out[0], true);
	return loop_add(&c->t->loop, &c->master, out[0], EPOLLIN, on_master);
}

/* The input is a file in memory, opened anew for reading only. */
static int open_fake(struct console *c, struct sandbox_io *io, struct err *err)
{
	const struct spec *s = c->t->job->spec;
	auto_fd memory = memfd_create("console", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char path[64];

	if (memory < 0 ||
	    fd_write_all(memory, s->console_input ? s->console_input : "",
			 s->console_input_len, err) != 0 ||
	    fcntl(memory, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_sys(err, "cannot keep the scripted input");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	c->opened[0] = io->fd[0] = open(path, O_RDONLY | O_CLOEXEC);
	return c->opened[0] < 0 ? err_sys(err, "cannot make the scripted console") :
				  open_output(c, io, err);
}

int console_open(struct tender *t, struct sandbox_io *ret_io, struct err *err)
{
	const struct spec *s = t->job->spec;
	bool relays = s->console == SPEC_CONSOLE_OWN || s->console == SPEC_CONSOLE_FAKE ||
		      (s->console == SPEC_CONSOLE_PARENT && !t->ops->plain_console);
	struct console *c =
		calloc(1, relays ? sizeof(*c) : offsetof(struct console, buf));

	if (!c)
		return err_oom(err);
	c->t = t;
	c->in.buf = relays ? c->buf[0] : NULL;
	c->out.buf = relays ? c->buf[1] : NULL;
	c->kind = s->console;
	c->in_fd = c->out_fd = c->own_out = c->log = c->opened[0] = c->opened[1] =
		c->opened[2] = -1;
	c->master = c->tty_in = c->tty_out = SOURCE_INIT;
	for (size_t i = 0; i < CLIENTS; i++)
		c->clients[i].src = SOURCE_INIT;
	c->log_dir = t->job->log_dir;
	c->log_max = s->console_bytes;
	t->console = c;
	*ret_io = (struct sandbox_io){ .fd = { 0, 1, 2 } };
	switch (s->console) {
	case SPEC_CONSOLE_PARENT: return open_parent(c, ret_io, err);
	case SPEC_CONSOLE_NULL: return open_null(c, ret_io, err);
	case SPEC_CONSOLE_FAKE:
		if (c->log_dir >= 0)
			log_open(c);
		return t->ops->plain_console ? open_output(c, ret_io, err) :
					       open_fake(c, ret_io, err);
	case SPEC_CONSOLE_OWN:
		if (c->log_dir >= 0)
			log_open(c);
		if (t->ops->plain_console)
			return open_output(c, ret_io, err);
		*ret_io = (struct sandbox_io){ .fd = { -1, -1, -1 },
					       .pty = true,
					       .rows = DEFAULT_ROWS,
					       .cols = DEFAULT_COLS };
		return 0;
	case SPEC_CONSOLE_COUNT: break;
	}
	return err_set(err, PE_BAD, "unknown console");
}

/* The program is dead: what it wrote last is still in the pty. */
static void drain(struct console *c)
{
	char buf[4096];
	ssize_t n;

	while (c->master.fd >= 0 && (n = read(c->master.fd, buf, sizeof(buf))) > 0) {
		log_write(c, buf, (size_t)n);
		to_clients(c, buf, (size_t)n);
	}
}

/* The same for the person's terminal, which may be slow, or frozen. */
static void drain_to_terminal(struct console *c)
{
	struct tender *t = c->t;
	ssize_t n;

	while (c->tty_out.fd >= 0) {
		while (c->master.fd >= 0 && space(&c->out) &&
		       (n = read(c->master.fd, c->out.buf + c->out.to, space(&c->out))) >
			       0)
			c->out.to += (size_t)n;
		if (c->out.to == c->out.from)
			return;
		loop_want(&t->loop, &c->tty_out, EPOLLOUT);
		if (loop_step(&t->loop, t->hurry ? HURRY_MS : -1) != 0)
			return;
	}
}

void console_close(struct tender *t)
{
	struct console *c = t->console;

	if (!c)
		return;
	drain_to_terminal(c);
	for (int i = 0; i < 3; i++)
		if (c->opened[i] >= 0)
			(void)close(c->opened[i]);
	drain(c);
	set_cooked(c);
	for (size_t i = 0; i < CLIENTS; i++)
		if (c->clients[i].src.fd >= 0)
			detach(&c->clients[i]);
	if (c->master.fd >= 0)
		(void)close(c->master.fd);
	if (c->log >= 0)
		(void)close(c->log);
	if (c->own_out >= 0)
		(void)close(c->own_out);
	free(c);
	t->console = NULL;
}
