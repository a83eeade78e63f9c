/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/fd.h"

#define START_MS 5000u
#define START_STEP_MS 5u
#define TENDER_S 3

/* One that starts has no socket yet; it does not come where the start fails. */
static bool await_socket(struct registry *reg, const struct reg_entry *e,
			 unsigned *waited_ms)
{
	const struct timespec step = { .tv_nsec = START_STEP_MS * 1000000L };

	if ((e->state != REG_CREATED && e->state != REG_STARTING) ||
	    *waited_ms >= START_MS ||
	    registry_wait(reg, &e->id, e->generation, 0, NULL) == 0)
		return false;
	(void)nanosleep(&step, NULL);
	*waited_ms += START_STEP_MS;
	return true;
}

static int connect_to(struct registry *reg, const struct reg_entry *e, int *ret_sock,
		      struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_free char *label = reg_entry_label(e);
	auto_fd dir = -1, sock = -1;
	int r = registry_open_run(reg, &e->id, &dir, err);
	unsigned waited_ms = 0;

	if (r != 0)
		return err_set(err, PE_NOTFOUND, "'%s' is not running",
			       label ? label : "");
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/ctl", dir);
	r = sock < 0 ? -1 : connect(sock, (struct sockaddr *)&addr, sizeof(addr));
	while (r < 0 && sock >= 0 && (errno == ENOENT || errno == ECONNREFUSED)) {
		int why = errno;

		if (!await_socket(reg, e, &waited_ms)) {
			errno = why;
			break;
		}
		r = connect(sock, (struct sockaddr *)&addr, sizeof(addr));
	}
	if (r < 0)
		return errno == ENOENT || errno == ECONNREFUSED ?
			       err_set(err, PE_NOTFOUND, "'%s' is not running",
				       label ? label : "") :
			       err_sys(err, "cannot reach the tender of '%s'",
				       label ? label : "");
	*ret_sock = TAKE_FD(sock);
	return 0;
}

static bool is_suspended(pid_t pid)
{
	char path[64], *text = NULL, *end;
	bool yes;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fd_read_file_at(AT_FDCWD, path, 4096, &text, NULL, NULL) != 0)
		return false;
	end = strrchr(text, ')');
	yes = end && end[1] == ' ' && end[2] == 'T';
	free(text);
	return yes;
}

/* Ctrl-Z stops a polder run in the foreground, which then answers nobody. What can wait
 * does; who is to end is woken up first. */
static int check_awake(const struct reg_entry *e, int sock, enum ctl_verb verb,
		       struct err *err)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (verb == CTL_WAIT || verb == CTL_READY ||
	    getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0 ||
	    !is_suspended(peer.pid))
		return 0;
	if (verb == CTL_STOP)
		return kill(peer.pid, SIGCONT) == 0 ?
			       0 :
			       err_sys(err, "cannot wake the tender of '%s'", e->name);
	return err_set(
		err, PE_BUSY,
		"'%s' is suspended in its terminal (Ctrl-Z): fg there lets it go on, "
		"polder stop ends it",
		e->name);
}

int client_ask(struct registry *reg, const struct reg_entry *e, enum ctl_verb verb,
	       const struct str *body, const int *fds, size_t n_fds, int *ret_sock,
	       struct err *err)
{
	struct ctl_head head = { .verb = (uint16_t)verb, .generation = e->generation };
	auto_str out = STR_INIT;
	auto_fd sock = -1;
	int r = connect_to(reg, e, &sock, err);

	if (r == 0)
		r = check_awake(e, sock, verb, err);
	if (r != 0)
		return r;
	ctl_encode(&out, &head);
	if (body && body->len)
		str_addn(&out, body->p, body->len);
	if (out.failed)
		return err_oom(err);
	if (out.len > CTL_MAX_BYTES)
		return err_set(err, PE_USAGE,
			       "that is more than %u bytes of arguments and "
			       "variables",
			       CTL_MAX_BYTES);
	r = fd_send(sock, out.p, out.len, fds, n_fds, err);
	if (r == 0)
		*ret_sock = TAKE_FD(sock);
	return r;
}

void client_answer_fini(struct client_answer *a)
{
	str_fini(&a->body);
	if (a->fd >= 0)
		(void)close(a->fd);
	a->fd = -1;
}

int client_answer(int sock, struct client_answer *ret, struct err *err)
{
	struct client_answer a = { .fd = -1, .body = STR_INIT };
	auto_free char *buf = malloc(CTL_MAX_BYTES);
	struct ctl_head head;
	struct rbuf body;
	size_t len = 0, n = 0;
	int r;

	if (!buf)
		return err_oom(err);
	r = fd_recv(sock, buf, CTL_MAX_BYTES, &len, &a.fd, 1, &n, err);
	if (r != 0 && r != -ECONNRESET)
		return r;
	if (r != 0 || len == 0)
		return err_set(err, PE_NOTFOUND, "its tender closed the connection");
	r = ctl_decode(buf, len, &head, &body, err);
	if (r == 0 && (head.code == CTL_REFUSED || head.code == CTL_STALE))
		r = err_set(err, PE_REFUSED, "%s", get_str(&body));
	if (r == 0) {
		a.code = (enum ctl_code)head.code;
		str_addn(&a.body, body.p, (size_t)(body.end - body.p));
		a.r = RBUF_INIT(str_text(&a.body), a.body.len);
	}
	if (r != 0) {
		client_answer_fini(&a);
		return r;
	}
	*ret = a;
	return 0;
}

int client_call(struct registry *reg, const struct reg_entry *e, enum ctl_verb verb,
		const struct str *body, struct err *err)
{
	struct client_answer a;
	auto_fd sock = -1;
	int r = client_ask(reg, e, verb, body, NULL, 0, &sock, err);

	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r == 0)
		client_answer_fini(&a);
	return r;
}

/* The answer to verb about SERVER, of "NAME/SERVER"; it has a descriptor. */
static int ask_about(struct registry *reg, const char *composition, const char *ref,
		     enum ctl_verb verb, int fd, struct client_answer *ret, int *ret_sock,
		     struct err *err)
{
	const char *slash = strchr(ref, '/');
	auto_str word = STR_INIT, body = STR_INIT;
	const struct timeval patience = { .tv_sec = TENDER_S };
	struct reg_entry *e = NULL;
	auto_fd sock = -1;
	int r;

	if (!slash)
		return err_set(err, PE_USAGE, "env:%s: write env:NAME/SERVER", ref);
	if (composition && *composition)
		str_addf(&word, "%s.", composition);
	str_addn(&word, ref, (size_t)(slash - ref));
	put_str(&body, slash + 1);
	if (word.failed || body.failed)
		return err_oom(err);
	r = registry_find(reg, word.p, &e, err);
	if (r == 0)
		r = client_ask(reg, e, verb, &body, &fd, fd >= 0, &sock, err);
	/* Who brings an end is a tender, and may be asked something by the other. */
	if (r == 0 && fd >= 0 &&
	    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		r = err_sys(err, "cannot ask another tender");
	if (r == 0)
		r = client_answer(sock, ret, err);
	reg_entry_free(e);
	if (r != 0) {
		err_prefix(err, "env:%s", ref);
		return r;
	}
	if (ret->fd < 0 && fd < 0) {
		client_answer_fini(ret);
		return err_set(err, PE_BAD, "env:%s: no descriptor came", ref);
	}
	*ret_sock = TAKE_FD(sock);
	return 0;
}

int client_join(struct registry *reg, const char *composition, const char *ref,
		int *ret_fd, int *ret_conn, struct err *err)
{
	struct client_answer a;
	int r = ask_about(reg, composition, ref, CTL_JOIN, -1, &a, ret_conn, err);

	if (r != 0)
		return r;
	*ret_fd = TAKE_FD(a.fd);
	client_answer_fini(&a);
	return 0;
}

int client_tie(struct registry *reg, const char *composition, const char *ref, int end,
	       int *ret_conn, struct err *err)
{
	struct client_answer a;
	int r = ask_about(reg, composition, ref, CTL_JOIN, end, &a, ret_conn, err);

	if (r == 0)
		client_answer_fini(&a);
	return r;
}

int client_open_server(struct registry *reg, const char *composition, const char *ref,
		       int *ret_mountfd, bool *ret_is_file, struct err *err)
{
	struct client_answer a;
	auto_fd sock = -1;
	int r = ask_about(reg, composition, ref, CTL_OPEN, -1, &a, &sock, err);

	if (r != 0)
		return r;
	*ret_is_file = get_u8(&a.r);
	*ret_mountfd = TAKE_FD(a.fd);
	client_answer_fini(&a);
	return 0;
}
