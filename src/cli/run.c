/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder run: one program, one environment. Words become bindings of a graph; from
 * there on it is the same for every way of starting something. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "graph/graph.h"
#include "launch/launch.h"
#include "launch/verbs.h"
#include "sandbox/facts.h"

enum key {
	K_GRANT = 1,
	K_READ,
	K_WRITE,
	K_NAME,
	K_RM,
	K_BACKGROUND,
	K_VAR,
	K_CHDIR,
	K_MEM,
	K_CPU,
	K_PIDS,
	K_TIME,
	K_ROOT,
	K_PROFILE,
	K_JSON,
	K_WEAKER,
	K_EXPOSE,
	K_SPEC,
	K_FILE,
	K_VERBOSE,
	K_CORE,
};

static const struct cli_option options[] = {
	{ "g", true, K_GRANT },
	{ "grant", true, K_GRANT },
	{ "r", true, K_READ },
	{ "w", true, K_WRITE },
	{ "n", true, K_NAME },
	{ "name", true, K_NAME },
	{ "rm", false, K_RM },
	{ "d", false, K_BACKGROUND },
	{ "detach", false, K_BACKGROUND },
	{ "e", true, K_VAR },
	{ "env", true, K_VAR },
	{ "chdir", true, K_CHDIR },
	{ "mem", true, K_MEM },
	{ "cpu", true, K_CPU },
	{ "pids", true, K_PIDS },
	{ "time", true, K_TIME },
	{ "root", true, K_ROOT },
	{ "profile", true, K_PROFILE },
	{ "json", false, K_JSON },
	{ "accept-weaker", false, K_WEAKER },
	{ "expose", true, K_EXPOSE },
	{ "write-spec", true, K_SPEC },
	{ "verbose", false, K_VERBOSE },
	{ "core", true, K_CORE },
	{ "f", true, K_FILE },
	{ "file", true, K_FILE },
};

const char cli_run_options[] =
	"\n  -r PATH, -w PATH     grant a file or directory, read-only or for writing\n"
	"  -g BINDING           grant anything: SLOT=SOURCE[,OPTION…][,CARETAKER…]\n"
	"  --profile NAME       a set of bindings from the configuration\n"
	"  -n NAME              keep it, under this name, until rm\n"
	"  --rm                 do not keep it in spite of a name\n"
	"  -d                   in the background\n"
	"  -e VAR[=VALUE]       set a variable, or pass it on\n"
	"  --chdir DIR          where it starts; else here\n"
	"  --root DIR           another root tree than the host's programs\n"
	"  --mem BYTES  --cpu PERCENT  --pids N  --time DURATION\n"
	"  --expose NAME=dir:PATH|socket:PATH   a server that others may be bound to\n"
	"  -f FILE ENV          an environment of a manifest\n"
	"  --accept-weaker      start even where something is enforced weaker than "
	"asked\n"
	"  --write-spec FILE    write what would be started, for polder-tender-linux\n"
	"  --core FILE          of a unikernel: a core file, if a fault stops it\n"
	"  --verbose            of a unikernel: a fault is told with its registers\n"
	"  --json               with -d: print the id and name as JSON\n";

struct run {
	struct cli_state st;
	struct graph *g;
	struct genv *env;
	const char *name, *spec_file, *core_file;
	char *cwd; /* no room for the longest: a supervisor keeps it */
	bool rm, background, json, weaker, verbose, exits;
	struct reg_entry *again;
};

/* ---- words ---- */

static int grant(struct run *run, const char *text, struct err *err)
{
	struct path_base base = { .cwd = run->cwd, .home = getenv("HOME") };

	return graph_env_bind(run->env, text, &base, (struct pos){ 0 }, NULL, err);
}

/* A profile is a file of bindings, one a line; "#" begins a comment. */
static int profile(struct run *run, const char *name, struct err *err)
{
	auto_free char *text = NULL;
	char path[300];
	auto_fd dir = -1;
	int r = strchr(name, '/') || name[0] == '.' ?
			err_set(err, PE_USAGE, "'%s' is no name of a profile", name) :
			places_open_config(&run->st.places, &dir, err);

	(void)snprintf(path, sizeof(path), "profiles/%s", name);
	if (r == 0)
		r = fd_read_file_at(dir, path, 1u << 16, &text, NULL, NULL);
	if (r != 0)
		return r == PE_USAGE ?
			       r :
			       err_set(err, PE_NOTFOUND,
				       "there is no profile '%s' (a "
				       "file of bindings, one a line, in %s/profiles/)",
				       name, run->st.places.config);
	for (char *line = text, *next; r == 0 && *line; line = next) {
		size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		line[n] = '\0';
		line += strspn(line, " \t");
		if (*line && *line != '#')
			r = grant(run, line, err);
		if (r != 0)
			err_prefix(err, "profile '%s'", name);
	}
	return r;
}

static int add_var(struct run *run, const char *text, struct err *err)
{
	size_t n = strcspn(text, "=");
	auto_free char *key = strndup(text, n);

	if (!key)
		return err_oom(err);
	if (n == 0)
		return err_set(err, PE_USAGE,
			       "-e '%s': write VAR=VALUE, or VAR to pass it on", text);
	if (!text[n] && !getenv(key))
		return err_set(err, PE_USAGE,
			       "-e %s: there is no such variable here to pass on", key);
	return genv_add_var(run->env, key, text[n] ? text + n + 1 : NULL,
			    (struct pos){ 0 });
}

/* NAME=dir:/path or NAME=socket:/path */
static int add_expose(struct run *run, const char *text, struct err *err)
{
	const char *eq = strchr(text, '='), *colon = eq ? strchr(eq, ':') : NULL;
	auto_free char *name = eq ? strndup(text, (size_t)(eq - text)) : NULL;
	auto_free char *word = colon ? strndup(eq + 1, (size_t)(colon - eq - 1)) : NULL;
	struct expose *x;
	enum iface iface;

	if (!name || !word || !iface_from_name(word, &iface))
		return err_set(err, PE_USAGE,
			       "--expose '%s': write NAME=dir:/PATH or "
			       "NAME=socket:/PATH",
			       text);
	return genv_add_expose(run->env, iface, name, colon + 1, (struct pos){ 0 }, &x,
			       err);
}

static int set_path(char **where, const struct run *run, const char *value, bool must_be,
		    struct err *err)
{
	char real[PATH_MAX];

	if (must_be && !realpath(value, real))
		return err_sys(err, "cannot use '%s'", value);
	if (!must_be && value[0] == '/')
		(void)snprintf(real, sizeof(real), "%s", value);
	else if (!must_be && (size_t)snprintf(real, sizeof(real), "%s/%s", run->cwd,
					      value) >= sizeof(real))
		return err_set(err, -ENAMETOOLONG, "'%s' is too long", value);
	for (size_t n = strlen(real); n > 1 && real[n - 1] == '/'; n--)
		real[n - 1] = '\0';
	free(*where);
	*where = strdup(real);
	return *where ? 0 : err_oom(err);
}

static int take(struct run *run, int key, const char *value, struct err *err)
{
	struct genv *e = run->env;

	switch (key) {
	case K_GRANT: return grant(run, value, err);
	case K_READ:
	case K_WRITE: return grant_path(e, run->cwd, value, key == K_WRITE, err);
	case K_RM: run->rm = true; return 0;
	case K_BACKGROUND: run->background = true; return 0;
	case K_VAR: return add_var(run, value, err);
	case K_CHDIR: return set_path(&e->chdir, run, value, false, err);
	case K_MEM: return limits_set(&e->limits, "mem", value, err);
	case K_CPU: return limits_set(&e->limits, "cpu", value, err);
	case K_PIDS: return limits_set(&e->limits, "pids", value, err);
	case K_TIME: return limits_set(&e->limits, "time", value, err);
	case K_ROOT: return set_path(&e->root, run, value, true, err);
	case K_PROFILE: return profile(run, value, err);
	case K_JSON: run->json = true; return 0;
	case K_WEAKER: run->weaker = true; return 0;
	case K_EXPOSE: return add_expose(run, value, err);
	case K_SPEC: run->spec_file = value; return 0;
	case K_VERBOSE: run->verbose = true; return 0;
	case K_CORE: run->core_file = value; return 0;
	default: return 0; /* -n was taken before */
	}
}

/* The name comes first wherever it stands: everything else is said of it. */
static int find_name(struct run *run, int argc, char **argv, struct err *err)
{
	const char *value;
	int key, at = 1;

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, err)) > 0)
		if (key == K_NAME)
			run->name = value;
	if (key < 0)
		return PE_USAGE;
	run->g = graph_new();
	if (!run->g)
		return err_oom(err);
	run->g->open = true;
	return graph_env_new(run->g, run->name ? run->name : "", (struct pos){ 0 },
			     &run->env, err);
}

static bool has_suffix(const char *word, const char *suffix)
{
	size_t n = strlen(word), k = strlen(suffix);

	return n > k && streq(word + n - k, suffix);
}

static bool is_meant(const struct run *run, const char *word)
{
	return !run->env->root &&
	       (has_suffix(word, ".spt") || has_suffix(word, ".hvt")) &&
	       access(word, F_OK) == 0;
}

/* A unikernel is a file, from here and not along PATH; what it is, is in it. */
static int find_image(struct run *run, char **argv, int *at, struct err *err)
{
	struct path_base base = { .cwd = run->cwd };
	const char *word = argv[*at];
	auto_free char *written = NULL, *path = NULL;
	int r;

	if (!image_is(word))
		return is_meant(run, word) ?
			       err_set(err, PE_BAD,
				       "'%s' is no unikernel: its interpreter is not "
				       "/nonexistent/solo5/",
				       word) :
			       0;
	written = *word == '/' ? strdup(word) : str_printf("./%s", word);
	r = written ? path_resolve(written, &base, &path, err) : err_oom(err);
	if (r == 0)
		r = genv_set_image(run->env, path, (struct pos){ 0 });
	if (r == 0)
		r = image_read(run->env, err);
	(*at)++;
	if (argv[*at] && streq(argv[*at], "--"))
		(*at)++;
	return r;
}

/* For what it needs a name and a path, before anything starts. */
static int open_core(struct run *run, int *ret_fd, struct err *err)
{
	if (!run->env->image)
		return err_set(err, PE_USAGE,
			       "--core and --verbose are for unikernels; a Linux "
			       "program's core is the system's");
	if (!run->core_file)
		return 0;
	*ret_fd = open(run->core_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(err, "cannot write '%s'", run->core_file) : 0;
}

static int read_words(struct run *run, int argc, char **argv, struct err *err)
{
	const char *value;
	int key, at = 1, r = find_name(run, argc, argv, err);

	while (r == 0 && (key = cli_next_option(argc, argv, &at, options,
						ARRAY_LEN(options), &value, err)) > 0)
		r = take(run, key, value, err);
	if (r == 0 && at < argc)
		r = find_image(run, argv, &at, err);
	for (; r == 0 && at < argc; at++)
		r = genv_add_arg(run->env, argv[at]);
	if (r == 0 && run->env->n_argv == 0 && !run->env->image)
		r = err_set(err, PE_USAGE,
			    "no program: polder run [OPTION…] [--] COMMAND [ARG…]");
	return r;
}

/* Nobody has a terminal in the background. */
static int choose_console(struct run *run, struct err *err)
{
	bool redirected = !isatty(0) && !isatty(1) && !isatty(2);

	if (!run->background || genv_binding(run->env, "console") ||
	    (redirected && !run->name))
		return 0;
	return graph_env_bind(run->env, "console=own", NULL, (struct pos){ 0 }, NULL,
			      err);
}

static int decide(struct run *run, struct err *err)
{
	struct diags diags = { 0 };
	struct host_facts facts;
	int r = choose_console(run, err);

	if (r == 0)
		r = genv_add_defaults(run->env);
	if (r != 0)
		return r < 0 ? err_oom(err) : r;
	host_facts_assume(&facts);
	r = graph_check(run->g, &facts, run->weaker, &diags);
	for (size_t i = 0; i < diags.n; i++) {
		const struct diag *d = &diags.v[i];

		if (d->warning)
			(void)fprintf(stderr, "polder: note: %s\n", d->text);
		else
			r = err_set(err, PE_REFUSED, "%s%s%s", d->text,
				    d->hint ? "; " : "", d->hint ? d->hint : "");
		if (!d->warning)
			break;
	}
	diags_fini(&diags);
	return r;
}

/* A name that is there and stopped is started again, as it is asked for now. */
static int find_stopped(struct run *run, struct err *err)
{
	int r = run->name ?
			launch_find_stopped(run->st.reg, run->name, &run->again, err) :
			0;

	if (r == 0 && run->again && run->rm)
		return err_set(
			err, PE_EXISTS,
			"'%s' is kept already, and --rm would remove it in the end, "
			"with its home and all that it owns: leave --rm out, or polder "
			"rm %s first",
			run->name, run->name);
	return r;
}

static void print_started(const struct run *run, const struct launched *up)
{
	char hex[REG_ID_HEX];
	auto_str out = STR_INIT;
	struct json j = JSON_INIT(&out);

	reg_id_hex(&up->id, hex);
	if (run->json) {
		json_open(&j, '{');
		json_kstr(&j, "id", hex);
		json_kstr(&j, "name", run->name);
		json_close(&j, '}');
	} else {
		str_add(&out, run->name ? run->name : hex);
	}
	str_addc(&out, '\n');
	(void)cli_out(&out);
}

/* No fault, no core. */
static void drop_empty(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		(void)unlink(path);
}

/* Nothing is started: polder-tender-linux --spec can do that. */
static int write_spec(struct run *run, const struct launch *l, int *ret_code,
		      struct err *err)
{
	auto_str out = STR_INIT;
	auto_fd fd = -1;
	int r = launch_spec(l, &out, err);

	if (r != 0)
		return r;
	fd = streq(run->spec_file, "-") ?
		     fd_dup_above(1, 3) :
		     open(run->spec_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot write '%s'", run->spec_file);
	*ret_code = 0;
	return fd_write_all(fd, str_text(&out), out.len, err);
}

static int launch(struct run *run, int *ret_code, struct err *err)
{
	struct launch l = { .env = run->env,
			    .exits = run->exits,
			    .reg = run->st.reg,
			    .places = &run->st.places,
			    .composition = "",
			    .cwd = run->cwd,
			    .keep = run->name && !run->rm,
			    .background = run->background,
			    .accept_weaker = run->weaker,
			    .again = run->again };
	struct err note = ERR_INIT;
	struct launched up;
	auto_fd core = -1;
	int r;

	l.verbose = run->verbose;
	r = run->verbose || run->core_file ? open_core(run, &core, err) : 0;
	if (r != 0)
		return r;
	l.core_fd = core < 0 ? 0 : core;
	if (run->spec_file)
		return write_spec(run, &l, ret_code, err);
	if (!run->background) {
		l.note = &note;
		r = launch_foreground(&l, ret_code, err);
		if (core >= 0)
			drop_empty(core, run->core_file);
		if (note.text[0])
			(void)fprintf(stderr, "polder: note: %s\n", note.text);
		return r;
	}
	r = launch_background(&l, &up, ret_code, err);
	if (r == 0)
		print_started(run, &up);
	return r;
}

/* With -f the environment is in a manifest, which polder-compose reads. */
static bool wants_manifest(int argc, char **argv)
{
	const char *value;
	int key, at = 1;

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, NULL)) > 0)
		if (key == K_FILE)
			return true;
	return false;
}

int cmd_run(int argc, char **argv)
{
	static struct run run; /* beside what is written anyway: see its cwd */
	struct err err = ERR_INIT;
	int code = EXIT_OURS, r;

	run.exits = CLI_LEAVES_FREEING;
	if (wants_manifest(argc, argv))
		return cli_hand_over(argv - 1);
	r = cli_open(&run.st, &err);

	if (r == 0 && !(run.cwd = getcwd(NULL, 0)))
		r = err_sys(&err, "cannot tell the working directory");
	if (r == 0)
		r = read_words(&run, argc, argv, &err);
	if (r == 0)
		r = decide(&run, &err);
	if (r == 0)
		r = find_stopped(&run, &err);
	if (r == 0)
		r = launch(&run, &code, &err);
	if (r != 0)
		(void)cli_fail(&err);
	if (run.exits) {
		cli_notes(&run.st);
		return code;
	}
	reg_entry_free(run.again);
	graph_free(run.g);
	free(run.cwd);
	cli_close(&run.st);
	return code;
}
