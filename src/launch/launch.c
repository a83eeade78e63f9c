/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The order matters for what a crash leaves. The registry entry is made first, with the
 * names of the cgroups that will be made; its lock is held by this process, which
 * becomes the tender, until it ends. Then the spec, which may still be refused; then the
 * tender, which records "running" before it releases the program. Whatever kills us, the
 * lock is free and the next command clears up by the record.
 *
 * A disposable environment in the foreground goes another order, because it can: its
 * namespaces are begun first of all, so that the kernel makes them while we plan, and its
 * root is built while we record. All of that is memory, which dies with us; nothing runs
 * before the record.
 *
 * In the background the tender is a fork that leaves the session; the starter waits for
 * one message of it: it runs, or why not.
 */
#include "launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/stack.h"
#include "launch/around-internal.h"
#include "launch/client.h"
#include "launch/live-internal.h"
#include "launch/uids.h"
#include "launch/verbs.h"
#include "sandbox/cgroup.h"
#include "sandbox/facts.h"
#include "server/unikernel.h"
#include "tender/tender.h"

/* One start, from its record to its end. */
struct start {
	const struct launch *l;
	struct reg_held held;
	struct spec spec;
	struct unikernel *unikernel; /* NULL: a Linux program */
	struct tender_expose *exposes;
	struct server_ctx cx;
	struct live live;
	struct sandbox sandbox;
	char programs[512], cgroups[512], cgroup_name[17];
	char *own_dirs; /* NULL: in memory */
	int uid_fd, log_dir, notify_fd;
	int skeleton; /* keeps the /etc that is mounted */
	int ready_fd;
	bool spec_only; /* nobody is there to keep what it would mount */
	bool has_id;    /* in spec, before it is recorded */
	bool concluded;
	bool left; /* something that only a later command can remove */
};

#define SOLO5_ABORTED 255 /* the ABI's exit status of an abort */

extern char **environ;

static void find_programs(struct start *st)
{
	ssize_t n = readlink("/proc/self/exe", st->programs, sizeof(st->programs) - 1);

	st->programs[n > 0 ? n : 0] = '\0';
	for (char *slash = strrchr(st->programs, '/'); slash; slash = NULL)
		*slash = '\0';
}

static bool grants_files(const struct genv *e)
{
	bool any = e->root || e->image;

	for (size_t i = 0; i < e->n_bindings; i++)
		any |= e->bindings[i].iface == IF_DIR;
	return any;
}

static const char *console_word(const struct genv *e)
{
	const struct binding *b = genv_binding(e, "console");

	return b ? source_name(b->source) : "parent";
}

static char *summary(const struct genv *e)
{
	struct str s = STR_INIT;

	if (e->image)
		str_add(&s, strrchr(e->image, '/') + 1);
	for (size_t i = 0; i < e->n_argv && s.len < 200; i++)
		str_addf(&s, "%s%s", s.len ? " " : "", e->argv[i]);
	return str_take(&s);
}

static void new_random_id(uint8_t *id, const struct reg_held *h)
{
	memcpy(id, h->id.b, REG_ID_BYTES);
}

/* Groups are recorded before they are made, so their name cannot be the id. */
static int predict_cgroups(struct start *st, struct err *err)
{
	const struct genv *e = st->l->env;
	struct cgroup_limits limits = { .mem_bytes = e->limits.mem_bytes,
					.cpu_percent = e->limits.cpu_percent,
					.pids = e->limits.pids };
	uint8_t random[8];

	if (program_is_unikernel(e->program)) /* see plan_core */
		limits.mem_bytes = limits.pids = 0;

	if (!limits.mem_bytes && !limits.cpu_percent && !limits.pids)
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(err, "cannot name a cgroup");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(st->cgroup_name + 2 * i, 3, "%02x", random[i]);
	cgroup_predict(st->cgroup_name, &limits, st->cgroups, sizeof(st->cgroups));
	return 0;
}

static int record(struct start *st, struct err *err)
{
	const struct launch *l = st->l;
	const struct genv *e = l->env;
	auto_str spec = STR_INIT;
	auto_free char *words = summary(e);
	struct reg_id id = { .b = { 0 } };
	struct reg_new new = { .id = st->has_id ? &id : NULL,
			       .name = e->name,
			       .composition = l->composition,
			       .kind = program_name(e->program),
			       .console = console_word(e),
			       .summary = words,
			       .kept = l->keep,
			       .uid_base = st->cx.uid_base,
			       .uid_count = st->cx.uid_base ? 65536 : 0,
			       .cgroups = st->cgroups };
	int r;

	memcpy(id.b, st->spec.id, REG_ID_BYTES);
	if (l->keep) {
		record_encode(e, l->cwd, l->composition ? l->composition : "", &spec);
		new.spec = spec.p;
		new.spec_len = spec.len;
	}
	if (l->again)
		r = registry_restart(l->reg, &l->again->id, l->again->generation, &new,
				     &st->held, err);
	else
		r = registry_create(l->reg, &new, &st->held, err);
	if (r == 0) {
		new_random_id(st->spec.id, &st->held);
		st->spec.generation = st->held.generation;
	}
	return r;
}

static int take_uids(struct start *st, struct err *err)
{
	const struct reg_entry *again = st->l->again;
	auto_fd run = -1;
	int r;

	if (geteuid() != 0)
		return 0;
	r = places_open_run(st->l->places, &run, err);
	return r != 0 ? r :
			uids_take(run, again ? again->uid_base : 0, &st->cx.uid_base,
				  &st->uid_fd, err);
}

/* A kept environment's own directories, home and log live in the data directory. */
static int open_kept(struct start *st, struct err *err)
{
	char link[64], path[PLACES_PATH_MAX];
	ssize_t n;
	int r;

	if (!st->l->keep) {
		st->log_dir = fcntl(st->held.dirfd, F_DUPFD_CLOEXEC, 3);
		return 0;
	}
	r = registry_open_kept(st->l->reg, &st->held.id, &st->log_dir, err);
	if (r != 0)
		return r;
	if (mkdirat(st->log_dir, "dirs", 0700) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make the environment's own directories");
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", st->log_dir);
	n = readlink(link, path, sizeof(path));
	if (n <= 0)
		return err_sys(err, "cannot find the environment's own directories");
	st->own_dirs = str_printf("%.*s/dirs", (int)n, path);
	st->cx.own_dirs = st->own_dirs;
	return st->own_dirs ? 0 : err_oom(err);
}

/* Readiness by notification: a socket of the tender's, and NOTIFY_SOCKET inside. */
static int open_notify(struct start *st, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct spec *s = &st->spec;
	struct spec_mount *m;
	struct stat sb;
	char **envp;

	if (st->l->env->ready.kind != READY_NOTIFY)
		return 0;
	st->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/notify",
		       st->held.dirfd);
	(void)unlinkat(st->held.dirfd, "notify", 0);
	if (st->notify_fd < 0 ||
	    bind(st->notify_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    fstatat(st->held.dirfd, "notify", &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "cannot make the socket for readiness");
	m = spec_add_mount(s, SPEC_MOUNT_SOCKET, NULL, "/run/notify");
	{
		char link[64], dir[PLACES_PATH_MAX];
		ssize_t n;

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", st->held.dirfd);
		n = readlink(link, dir, sizeof(dir) - 1);
		dir[n > 0 ? n : 0] = '\0';
		m->src = spec_strf(s, "%s/notify", dir);
	}
	m->dev = sb.st_dev;
	m->ino = sb.st_ino;
	m->flags = SPEC_MOUNT_GRANT | SPEC_MOUNT_IS_FILE;
	envp = spec_alloc(s, (s->n_envp + 2) * sizeof(*envp));
	if (!envp)
		return err_oom(err);
	memcpy(envp, s->envp, s->n_envp * sizeof(*envp));
	envp[s->n_envp++] = spec_str(s, "NOTIFY_SOCKET=/run/notify");
	s->envp = envp;
	return 0;
}

static int open_server(void *userdata, const struct binding *b, int *ret_mountfd,
		       bool *ret_is_file, struct err *err)
{
	struct start *st = userdata;

	return client_open_server(st->l->reg, st->l->composition, b->ref, ret_mountfd,
				  ret_is_file, err);
}

static int join(void *userdata, const struct binding *b, int *ret_fd, int *ret_conn,
		struct err *err)
{
	struct start *st = userdata;

	return client_join(st->l->reg, st->l->composition, b->ref, ret_fd, ret_conn, err);
}

static int tie(void *userdata, const struct binding *b, int end, int *ret_conn,
	       struct err *err)
{
	struct start *st = userdata;

	if (!st->l->reg)
		return err_set(err, PE_REFUSED, "%s: nobody else is known here", b->slot);
	return client_tie(st->l->reg, st->l->composition, b->ref, end, ret_conn, err);
}

/* Who it is, who may be told apart by the guest. */
static int plan_unikernel(struct start *st, struct err *err)
{
	int r = server_plan_unikernel(&st->unikernel, &st->spec, st->l->env, &st->cx,
				      err);

	if (r != 0)
		return r;
	memcpy(st->unikernel->spec.id, st->spec.id, sizeof(st->spec.id));
	st->unikernel->spec.generation = st->spec.generation;
	return 0;
}

static int plan_begin(struct start *st, struct err *err)
{
	const struct genv *e = st->l->env;
	const struct binding *identity = genv_binding(e, "identity");
	const char *home = getenv("HOME");

	st->cx.uid = geteuid();
	st->cx.gid = getegid();
	st->cx.cwd = st->l->cwd;
	st->cx.home = home;
	if (identity && binding_option(identity, "root")) { /* /etc/subuid has names */
		const struct passwd *pw = getpwuid(geteuid());

		st->cx.user = pw ? pw->pw_name : NULL;
	}
	st->cx.environ_ = environ;
	st->cx.places = st->l->places;
	st->cx.programs = st->programs;
	st->cx.accept_weaker = st->l->accept_weaker;
	st->cx.terminal = isatty(0) || isatty(1) || streq(console_word(e), "own");
	st->cx.open_server = open_server;
	st->cx.join = join;
	st->cx.tie = tie;
	st->cx.userdata = st;
	st->cx.rundir = st->l->reg ? registry_run_dir(st->l->reg) : -1;
	st->cx.ret_skeleton = st->spec_only ? NULL : &st->skeleton;
	return e->image ? 0 : server_plan_begin(&st->spec, e, &st->cx, err);
}

static int plan_rest(struct start *st, struct err *err)
{
	const struct genv *e = st->l->env;

	if (grants_files(e)) /* else nobody asks for them */
		find_programs(st);
	if (e->image)
		return plan_unikernel(st, err);
	return server_plan_rest(&st->spec, e, &st->cx, err);
}

static int plan(struct start *st, struct err *err)
{
	int r = plan_begin(st, err);

	return r == 0 ? plan_rest(st, err) : r;
}

static int list_exposes(struct start *st, struct err *err)
{
	const struct genv *e = st->l->env;

	if (e->n_exposes == 0)
		return 0;
	st->exposes = calloc(e->n_exposes, sizeof(*st->exposes));
	if (!st->exposes)
		return err_oom(err);
	for (size_t i = 0; i < e->n_exposes; i++)
		st->exposes[i] =
			(struct tender_expose){ .name = e->exposes[i].name,
						.path = e->exposes[i].path,
						.is_socket = e->exposes[i].iface ==
							     IF_SOCKET };
	return 0;
}

/* Limits on processes by the user namespace where no cgroup can be had: exact as long
 * as there is one user number inside. */
static void choose_pids_limit(struct start *st)
{
	if (st->spec.limit_pids && geteuid() != 0 &&
	    !(st->spec.flags & SPEC_ROOT_IDENTITY))
		st->spec.flags |= SPEC_LIMIT_PIDS_RLIMIT;
}

static int prepare(struct start *st, struct err *err)
{
	int r = take_uids(st, err);

	if (r == 0)
		r = predict_cgroups(st, err);
	if (r == 0)
		r = record(st, err);
	if (r == 0)
		r = open_kept(st, err);
	if (r == 0)
		r = plan(st, err);
	if (r == 0)
		r = open_notify(st, err);
	if (r == 0)
		r = list_exposes(st, err);
	choose_pids_limit(st);
	return r;
}

static void status(void *userdata, struct str *out)
{
	struct start *st = userdata;
	struct json j = JSON_INIT(out);

	launch_running_json(st->l->env, st->unikernel, &j);
}

/* What is kept is stopped; the rest is gone. A start that failed keeps a kept one only
 * if it was there before. */
static int conclude(struct start *st, bool ran, int status_, struct err *err)
{
	bool stay = st->l->keep && (ran || st->l->again);
	int r;

	if (st->held.lockfd < 0 || st->concluded)
		return 0;
	if (st->left && !stay)
		return 0; /* the next command finds one that is dead, and clears up after it */
	r = stay ? registry_stopped(st->l->reg, &st->held, ran ? status_ : 125 << 8,
				    err) :
		   registry_removed(st->l->reg, &st->held, err);
	st->concluded = r == 0;
	return r;
}

/* A disposable one leaves nothing that a next start could meet, so its record goes while
 * the kernel takes it down. What is kept could be started again at once, in the same
 * directories: that waits until all is down. */
static void ending(void *userdata, int status_)
{
	struct start *st = userdata;

	if (!st->l->keep)
		(void)conclude(st, true, status_, NULL);
}

static int serve_all(void *userdata, struct tender *t, struct err *err)
{
	struct start *st = userdata;

	if (!*st->programs)
		find_programs(st);
	return live_serve_all(&st->live, t, err);
}

static int change(void *userdata, struct tender *t, uint16_t verb, struct rbuf *body,
		  const int *fds, size_t n_fds, struct str *reply, struct err *err)
{
	struct start *st = userdata;
	auto_free struct places *places = NULL;
	int r = 0;

	if (!*st->programs)
		find_programs(st);
	/* A unikernel's supervisor has left the stack that it began on, and what lay there:
	 * its starter's places among it. */
	if (st->unikernel) {
		places = calloc(1, sizeof(*places));
		r = places ? places_init(places, err) : err_oom(err);
		st->cx.places = places;
	}
	if (r == 0)
		r = live_change(&st->live, t, verb, body, fds, n_fds, reply, err);
	if (st->unikernel)
		st->cx.places = NULL;
	return r;
}

static void lost(void *userdata, const char *slot, const char *why)
{
	struct start *st = userdata;

	live_lost(&st->live, slot, why);
}

static struct tender_decide decide_live(struct start *st)
{
	st->live = (struct live){ .env = st->l->env,
				  .cwd = st->l->cwd,
				  .composition =
					  st->l->composition ? st->l->composition : "",
				  .reg = st->l->reg,
				  .held = &st->held,
				  .spec = &st->spec,
				  .unikernel = st->unikernel,
				  .cx = &st->cx };
	return (struct tender_decide){ .serve = live_is_needed(st->l->env) ? serve_all :
									     NULL,
				       .change = change,
				       .lost = lost };
}

static int run_tender(struct start *st, bool background, int *ret_status, int *ret_code,
		      struct err *err)
{
	struct tender_job job = { .spec = &st->spec,
				  .begun = &st->sandbox,
				  .reg = st->l->reg,
				  .held = &st->held,
				  .log_dir = st->log_dir,
				  .ready_fd = st->ready_fd,
				  .notify_fd = st->notify_fd,
				  .background = background,
				  .exits = st->l->exits && !background &&
					   !st->l->env->image,
				  .lasting = background || st->l->keep,
				  .cgroup_name = st->cgroup_name,
				  .status = status,
				  .ending = ending,
				  .userdata = st,
				  .exposes = st->exposes,
				  .unikernel = st->unikernel,
				  .programs = st->programs,
				  .core_fd = st->l->core_fd ? st->l->core_fd : -1,
				  .verbose = st->l->verbose,
				  .n_exposes = st->l->env->n_exposes };
	int r;

	*ret_code = 125;
	if (job.lasting && !*st->programs)
		find_programs(st);
	job.decide = decide_live(st);
	r = tender_run(&job, ret_status, ret_code, err);
	st->ready_fd = job.ready_fd;
	st->left = job.ret_left;
	if (job.ret_timed_out)
		(void)err_set(st->l->note, 0, "its time was up after %llu ms (--time)",
			      (unsigned long long)st->spec.limit_time_ms);
	else if (job.ret_note[0])
		(void)err_set(st->l->note, 0, "%s", job.ret_note);
	else if (r == 0 && st->unikernel && *ret_status == SOLO5_ABORTED << 8)
		(void)err_set(st->l->note, 0, "the unikernel aborted (exit status %d)",
			      SOLO5_ABORTED);
	if (r != 0 && *ret_code == 127)
		launch_hint_not_found(st->l->env, err);
	return r;
}

static void release(struct start *st)
{
	sandbox_fini(&st->sandbox);
	spec_fini(&st->spec);
	unikernel_free(st->unikernel);
	live_fini(&st->live);
	free(st->exposes);
	free(st->own_dirs);
	fd_close_list((int[]){ st->uid_fd, st->log_dir, st->notify_fd, st->skeleton }, 4);
	reg_held_fini(&st->held);
}

static struct start start_init(const struct launch *l)
{
	struct start st = { .l = l,
			    .held = REG_HELD_INIT,
			    .spec = SPEC_INIT,
			    .sandbox = SANDBOX_INIT,
			    .uid_fd = -1,
			    .log_dir = -1,
			    .skeleton = -1,
			    .notify_fd = -1,
			    .ready_fd = -1 };

	if (l->reg && geteuid() != 0)
		st.sandbox.run = registry_run_dir(l->reg);
	return st;
}

/* What follows from the bindings alone. */
static struct sandbox_shape shape_of(const struct genv *e)
{
	const struct binding *net = genv_binding(e, "net"),
			     *clock = genv_binding(e, "clock"),
			     *identity = genv_binding(e, "identity");
	const char *console = console_word(e);

	return (struct sandbox_shape){
		.host_network = net && net->source == SRC_HOST,
		.cgroup = e->limits.mem_bytes || e->limits.cpu_percent || e->limits.pids,
		.late = streq(console, "own") ||
			(streq(console, "parent") &&
			 (isatty(0) || isatty(1) || isatty(2))) ||
			(clock && clock->source != SRC_PARENT),
		.ranges =
			geteuid() == 0 || (identity && binding_option(identity, "root")),
	};
}

/* What init can build before the rest is planned; NULL: nothing. It covers a directory of the
 * host for that, and cannot write every kind of maps. */
static const struct spec *outline(const struct start *st)
{
	const struct spec *s = &st->spec;

	return s->n_mounts && !(s->flags & SPEC_SUBUID_HELPER) &&
			       access(SANDBOX_COVERS, F_OK) == 0 ?
		       s :
		       NULL;
}

/* Init makes namespaces and what every root has while we plan, and the rest of the root
 * while we record. What is kept must be recorded before it is planned: it has directories
 * of its own. */
static int prepare_early(struct start *st, const struct sandbox_shape *shape,
			 struct err *err)
{
	int r = 0;

	if (getrandom(st->spec.id, sizeof(st->spec.id), 0) != sizeof(st->spec.id))
		r = err_sys(err, "cannot make an id");
	st->has_id = r == 0;
	if (r == 0)
		r = take_uids(st, err);
	if (r == 0)
		r = plan_begin(st, err);
	if (r == 0)
		r = sandbox_begin(&st->sandbox, shape, outline(st), err);
	if (r == 0)
		r = plan_rest(st, err);
	if (r == 0)
		r = sandbox_build(&st->sandbox, &st->spec, err);
	if (r == 0)
		r = record(st, err);
	if (r == 0)
		r = open_kept(st, err);
	return r == 0 ? list_exposes(st, err) : r;
}

int launch_foreground(const struct launch *l, int *ret_code, struct err *err)
{
	struct start st = start_init(l);
	struct sandbox_shape shape = shape_of(l->env);
	struct err after = ERR_INIT;
	int status_ = 0, code = 125, r;
	bool ran = false;

	r = live_begin(l->env, l->again != NULL, err);
	if (r != 0) {
		*ret_code = 125;
		return r;
	}
	if (l->env->image || l->keep || l->again || shape.cgroup || shape.late ||
	    l->env->ready.kind == READY_NOTIFY)
		r = prepare(&st, err);
	else
		r = prepare_early(&st, &shape, err);
	if (r == 0) {
		r = run_tender(&st, false, &status_, &code, err);
		ran = r == 0;
	}
	if (conclude(&st, ran, status_, &after) != 0 && r == 0)
		r = err_set(err, PE_BUSY, "%s", after.text);
	if (l->exits && !l->env->image)
		sandbox_fini(&st.sandbox);
	else
		release(&st);
	*ret_code = r != 0 ? code : launch_exit_code(status_);
	return r;
}

/* For tenders that are started by hand: paths where the starter would open, descriptors
 * only where there is no path. */
static int spec_of_paths(struct start *st, struct err *err)
{
	struct uspec *s = &st->unikernel->spec;

	s->image_fd = -1;
	s->image_path = st->l->env->image;
	for (uint32_t i = 0; i < s->n_devices; i++) {
		struct uspec_device *d = &s->devices[i];
		auto_free char *slot = str_printf("dev:%s", d->name);
		const struct binding *b = slot ? genv_binding(st->l->env, slot) : NULL;

		if (!b)
			return err_oom(err);
		if (d->type != USPEC_BLOCK ||
		    (b->source != SRC_HOST && b->source != SRC_NULL))
			return err_set(
				err, PE_REFUSED,
				"%s: a spec holds volumes that are files or null; "
				"descriptors of others would have to be handed over",
				b->slot);
		d->fd = -1;
		d->path = b->source == SRC_HOST ? b->ref : "/dev/zero";
	}
	return 0;
}

int launch_spec(const struct launch *l, struct str *out, struct err *err)
{
	struct start st = start_init(l);
	int r = take_uids(&st, err);

	st.spec_only = true;
	if (r == 0 && getrandom(st.spec.id, sizeof(st.spec.id), 0) != sizeof(st.spec.id))
		r = err_sys(err, "cannot make an id");
	if (r == 0)
		r = plan(&st, err);
	choose_pids_limit(&st);
	if (r == 0 && st.unikernel) {
		r = spec_of_paths(&st, err);
		if (r == 0)
			uspec_encode(&st.unikernel->spec, out);
	} else if (r == 0) {
		r = spec_check(&st.spec, err);
		if (r == 0)
			spec_encode(&st.spec, out);
	}
	release(&st);
	return r;
}

/* ---- in the background ---- */

/* What a tender in the background works with is not on the stack, which it leaves. */
struct background {
	struct launch l;
	struct start st;
	int await_fd; /* the starter's end of ready_fd */
};

static void tend_in_background(void *userdata)
{
	static struct err err; /* of zeroes that nobody has touched yet */
	struct background *b = userdata;
	struct start *st = &b->st;
	int status_ = 0, code = 125, r;

	(void)prctl(PR_SET_NAME, "polder-tender");
	(void)close(b->await_fd);
	launch_leave_terminal(console_word(st->l->env));
	r = run_tender(st, true, &status_, &code, &err);
	(void)conclude(st, r == 0, status_, NULL);
	release(st);
	if (r == 0 && st->l->end_fd)
		launch_tell_end(st->l->end_fd, status_);
	_exit(r == 0 ? 0 : code);
}

static struct background *background_new(const struct launch *l)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->l = *l;
	b->st = start_init(&b->l);
	return b;
}

static pid_t fork_tender(struct background *b)
{
	pid_t child;

	if (b->st.unikernel)
		return stack_fork(tend_in_background, b);
	child = fork();
	if (child == 0)
		tend_in_background(b);
	return child;
}

/* Once all is prepared. take_pipe: by which the tender tells how its start went. */
static int start_tender(struct background *b, const int *take_pipe, int *ret_code,
			struct err *err)
{
	pid_t child;
	int r;

	fd_close_foreign(); /* it would hold them open, and have a table that has room */
	b->await_fd = take_pipe[0];
	b->st.ready_fd = take_pipe[1];
	child = fork_tender(b);
	(void)close(take_pipe[1]);
	if (child < 0)
		r = err_sys(err, "cannot fork");
	else
		r = launch_await_start(take_pipe[0], ret_code, err);
	(void)close(take_pipe[0]);
	if (r != 0 && child > 0) { /* it clears up after itself; wait for that */
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		if (*ret_code == 127)
			launch_hint_not_found(b->l.env, err);
	}
	return r;
}

int launch_background(const struct launch *l, struct launched *ret, int *ret_code,
		      struct err *err)
{
	auto_free struct background *b = background_new(l);
	int pipefd[2], r;

	*ret_code = 125;
	if (!b)
		return err_oom(err);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	r = live_begin(l->env, l->again != NULL, err);
	if (r == 0)
		r = prepare(&b->st, err);
	if (r == 0) {
		ret->id = b->st.held.id;
		ret->generation = b->st.held.generation;
		r = start_tender(b, pipefd, ret_code, err);
	} else {
		(void)conclude(&b->st, false, 0, NULL);
		fd_close_list(pipefd, 2);
	}
	release(&b->st);
	return r;
}
