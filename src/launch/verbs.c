/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/verbs.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#include "launch/client.h"
#include "launch/launch.h"
#include "sandbox/facts.h"
#include "sandbox/sandbox.h"
#include "server/server.h"
#include "state/rmtree.h"

#define GONE_MS 1000u
#define END_MS 5000u

int launch_open(struct places *places, struct registry **ret_reg, struct err *err)
{
	int r = places_init(places, err);

	if (r == 0)
		r = registry_open(ret_reg, places, err);
	if (r == 0)
		registry_on_cleanup(*ret_reg, launch_cleanup, NULL);
	return r;
}

void launch_facts(struct host_facts *ret)
{
	host_facts_probe(ret);
}

int launch_exit_code(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) :
					  WEXITSTATUS(wait_status);
}

/* ---- wait ---- */

/* It may end between our look at it and our request: then its record says how. */
static bool ended_meanwhile(struct registry *reg, const struct reg_entry *e,
			    int *ret_status)
{
	struct reg_entry *now = NULL;
	char hex[REG_ID_HEX];
	bool ended;

	reg_id_hex(&e->id, hex);
	ended = registry_wait(reg, &e->id, e->generation, GONE_MS, NULL) == 0 &&
		registry_find(reg, hex, &now, NULL) == 0 &&
		now->generation == e->generation && now->has_status;
	if (ended)
		*ret_status = now->status;
	reg_entry_free(now);
	return ended;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int launch_await(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;
	int n;

	do {
		int64_t left = MAX(end - now_ms(), (int64_t)0);

		n = poll(&p, 1, timeout_ms < 0 ? -1 : (int)left);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? PE_BUSY : -errno;
}

int launch_wait(struct registry *reg, const struct reg_entry *e, int timeout_ms,
		int *ret_status, struct err *err)
{
	struct client_answer a;
	auto_fd sock = -1;
	int r;

	if (e->state == REG_STOPPED) {
		*ret_status = e->has_status ? e->status : 0;
		return 0;
	}
	r = client_ask(reg, e, CTL_WAIT, NULL, NULL, 0, &sock, err);
	if (r == 0) {
		r = launch_await(sock, timeout_ms);
		if (r != 0)
			return r;
		r = client_answer(sock, &a, err);
	}
	if (r != 0)
		return ended_meanwhile(reg, e, ret_status) ? 0 : r;
	*ret_status = (int)get_u32(&a.r);
	client_answer_fini(&a);
	return registry_wait(reg, &e->id, e->generation, END_MS, err);
}

/* ---- stop, start again, remove ---- */

int launch_stop(struct registry *reg, const struct reg_entry *e, int sig,
		uint64_t timeout_ms, struct err *err)
{
	auto_str body = STR_INIT;
	struct client_answer a;
	auto_fd sock = -1;
	int r;

	if (e->state == REG_STOPPED)
		return 0;
	put_u32(&body, (uint32_t)sig);
	put_u64(&body, timeout_ms);
	r = client_ask(reg, e, CTL_STOP, &body, NULL, 0, &sock, err);
	if (r == 0)
		r = client_answer(sock, &a, err);
	if (r != 0) /* it may have ended by itself meanwhile */
		return registry_wait(reg, &e->id, e->generation, GONE_MS, NULL) == 0 ? 0 :
										       r;
	client_answer_fini(&a);
	return registry_wait(reg, &e->id, e->generation, END_MS, err);
}

static int first_error(const struct diags *d, struct err *err)
{
	size_t i = 0;

	while (i < d->n && d->v[i].warning)
		i++;
	return err_set(err, PE_REFUSED, "%s", i < d->n ? d->v[i].text : "refused");
}

int launch_again(struct registry *reg, const struct places *places,
		 const struct reg_entry *e, struct launched *ret, int *ret_code,
		 struct err *err)
{
	struct graph *g = graph_new();
	struct diags diags = { 0 };
	auto_free char *buf = NULL;
	struct host_facts facts;
	const char *cwd;
	struct genv *env;
	int r = g ? record_load(reg, &e->id, g, &env, &cwd, &buf, err) : err_oom(err);

	if (r == 0 && env->image)
		r = image_read(env, err);
	if (r == 0) {
		struct launch l = { .env = env,
				    .reg = reg,
				    .places = places,
				    .composition = e->composition,
				    .cwd = cwd,
				    .keep = true,
				    .background = true,
				    .again = e };
		struct binding *console = genv_binding(env, "console");

		/* Whoever started it first had streams; nobody has them now. */
		if (console && console->source == SRC_PARENT)
			console->source = SRC_OWN;
		host_facts_assume(&facts);
		g->open = true;
		/* Another image may stand there now, with other devices. */
		if (graph_check(g, &facts, true, &diags) == PE_REFUSED && env->image)
			r = first_error(&diags, err);
		if (r == 0)
			r = launch_background(&l, ret, ret_code, err);
	}
	diags_fini(&diags);
	graph_free(g);
	return r;
}

static int remove_dirs(void *dirfd)
{
	return rmtree_at(*(int *)dirfd, "dirs", NULL);
}

/* With identity=own,root an ordinary user's environment leaves files of numbers that are
 * not the user's: only who is root of those can remove them. What is in the way of that
 * is told by the removal itself. */
static void remove_foreign(struct registry *reg, const struct reg_entry *e)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct server_ctx cx = { .uid = geteuid(),
				 .gid = getegid(),
				 .user = pw ? pw->pw_name : NULL };
	struct spec maps = SPEC_INIT;
	auto_fd dir = -1;

	if (geteuid() != 0 && registry_open_kept(reg, &e->id, &dir, NULL) == 0 &&
	    flock(dir, LOCK_EX | LOCK_NB) == 0 && remove_dirs(&dir) != 0 &&
	    server_root_identity(&maps, &cx, NULL) == 0)
		(void)sandbox_as_its_root(&maps, remove_dirs, &dir, NULL);
	spec_fini(&maps);
}

int launch_remove(struct registry *reg, const struct reg_entry *e, bool force,
		  struct err *err)
{
	struct reg_held held;
	int r;

	if (e->state != REG_STOPPED && !force)
		return err_set(err, PE_BUSY, "'%s' is %s: stop it first, or rm -f",
			       e->name, reg_state_name(e->state));
	if (e->state != REG_STOPPED) {
		r = launch_stop(reg, e, SIGKILL, 1000, err);
		if (r != 0 || !e->kept)
			return r;
	}
	if (e->kept)
		remove_foreign(reg, e);
	held = reg_held_of(e);
	return registry_removed(reg, &held, err);
}

/* ---- finding ---- */

int launch_find_stopped(struct registry *reg, const char *name, struct reg_entry **ret,
			struct err *err)
{
	struct err why = ERR_INIT;
	struct reg_entry *e = NULL;
	int r = registry_find(reg, name, &e, &why);

	*ret = NULL;
	if (r == PE_NOTFOUND)
		return 0;
	if (r != 0)
		return err_set(err, r, "%s", why.text);
	if (!streq(e->name, name) || *e->composition) { /* a beginning of an id */
		reg_entry_free(e);
		return 0;
	}
	if (e->state != REG_STOPPED) {
		r = err_set(err, PE_BUSY,
			    "'%s' is %s already: polder exec %s -- … enters it, "
			    "polder stop %s ends it",
			    name, reg_state_name(e->state), name, name);
		reg_entry_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

int launch_open_log_dir(struct registry *reg, const struct reg_entry *e, int *ret_fd,
			struct err *err)
{
	return e->kept ? registry_open_kept(reg, &e->id, ret_fd, err) :
			 registry_open_run(reg, &e->id, ret_fd, err);
}
