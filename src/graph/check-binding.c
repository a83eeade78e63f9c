/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One binding of a composition: what the table, the kernel and the others say to it. */
#include "graph/check-internal.h"
#include "graph/kinds.h"

/* What is there, but less than was asked for. */
static void weaker(struct check *c, struct pos pos, const char *what)
{
	diags_add(c->diags, pos, c->accept_weaker,
		  c->accept_weaker ? NULL : "--accept-weaker starts it nevertheless",
		  "weaker than asked: %s", what);
}

/* ---- one binding ---- */

static bool is_below(const char *path, const char *prefix)
{
	return path_below(path, prefix) != NULL;
}

const char *check_kernel_place(const char *path)
{
	static const char *const places[] = { "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (is_below(path, places[i]))
			return places[i];
	return NULL;
}

static void check_places(struct check *c, const struct binding *b)
{
	const char *place;

	if (*b->slot == '/' && (place = check_kernel_place(b->slot)))
		ERROR(c, b->pos, NULL,
		      "\"%s\": %s is made by Polder and cannot be bound over", b->slot,
		      place);
	else if (streq(b->slot, "/dev"))
		ERROR(c, b->pos, NULL,
		      "\"/dev\" is made by Polder and cannot be bound over");
	if (b->source == SRC_HOST && b->ref && (place = check_kernel_place(b->ref)))
		ERROR(c, b->pos, "every environment has its own /proc",
		      "\"%s\": %s of the host is the kernel's, and no directory to grant",
		      b->slot, place);
}

static void check_option(struct check *c, const struct binding *b, const struct kv *o)
{
	const struct option_kind *k = kind_option(b, o->key);
	auto_str known = STR_INIT;

	if (!k) {
		const char *near = kind_nearest_word(o->key, b);
		auto_free char *hint = near ? str_printf("did you mean %s?", near) : NULL;

		kind_list_options(b, &known);
		ERROR(c, o->pos, hint, "\"%s\": a %s has no option \"%s\"; there are: %s",
		      b->slot, iface_name(b->iface), o->key, str_text(&known));
	} else if (!b->unbound && !(k->sources & (1u << b->source))) {
		ERROR(c, o->pos, NULL, "\"%s\": %s does not go with the source %s",
		      b->slot, o->key, source_name(b->source));
	} else if (!arg_valid(k->arg, o->value)) {
		ERROR(c, o->pos, NULL, "\"%s\": %s takes %s%s%s%s", b->slot, o->key,
		      arg_like(k->arg), o->value ? ", not \"" : "",
		      o->value ? o->value : "", o->value ? "\"" : "");
	} else if (kv_find(b->options, b->n_options, o->key) != o) {
		ERROR(c, o->pos, NULL, "\"%s\": %s is given twice", b->slot, o->key);
	}
}

static void check_size(struct check *c, const struct binding *b)
{
	const struct kv *size = binding_option(b, "size");
	uint64_t n;

	if (b->iface == IF_CONSOLE && size && size->value &&
	    str_to_bytes(size->value, &n) && (n < 4096 || n > 64 << 20))
		ERROR(c, size->pos, NULL,
		      "\"console\": a ring holds from 4K to 64M, not %s", size->value);
}

static void check_fakes(struct check *c, const struct binding *b)
{
	if (b->iface == IF_VOLUME)
		return;
	if (b->n_fakes > 0 && (b->iface != IF_DIR || b->source != SRC_FAKE))
		ERROR(c, b->pos, NULL, "\"%s\": files belong to a dir from fake",
		      b->slot);
	else if (b->iface == IF_DIR && b->source == SRC_FAKE && b->n_fakes == 0)
		ERROR(c, b->pos, "in a manifest: {from: fake, files: {NAME: TEXT}}",
		      "\"%s\": a fake directory needs files, which a manifest gives",
		      b->slot);
}

/* Options that a source cannot do without, and kernel ability that they need. */
static void check_source_options(struct check *c, const struct binding *b)
{
	const struct kv *o;

	if (b->iface == IF_IDENTITY && (o = binding_option(b, "root")) &&
	    !c->facts->root && !c->facts->subuid)
		ERROR(c, o->pos,
		      "the administrator adds a line for you to /etc/subuid and "
		      "/etc/subgid",
		      "\"identity\": root needs a range of user ids, and this "
		      "user has none");
	if (b->iface == IF_IDENTITY && b->source == SRC_FAKE && b->n_options == 0)
		ERROR(c, b->pos, NULL,
		      "\"identity\": fake needs hostname=, user= or "
		      "machine-id=");
	check_size(c, b);
	if (b->iface == IF_VOLUME)
		check_volume(c, b);
	if (b->iface == IF_CLOCK && b->source == SRC_FAKE && !binding_option(b, "start"))
		ERROR(c, b->pos, "as fake,start=2026-01-31T10:00:00Z",
		      "\"clock\": a fake clock needs a start=");
	check_fakes(c, b);
}

static void check_cut(struct check *c, const struct binding *b, enum cut given)
{
	const struct kv *o = binding_option(b, "cut");
	enum cut asked = CUT_COMPLETE;

	if (!o || !o->value || !arg_valid(ARG_CUT, o->value))
		return;
	if (binding_option(b, "passthrough") && binding_needs_caretaker(b))
		return; /* what of that is too much has been said */
	while (!streq(cut_name(asked), o->value))
		asked++;
	if (given > asked) {
		auto_free char *what =
			str_printf("\"%s\": cut=%s is not available yet for a %s from "
				   "%s; cutting it is %s",
				   b->slot, o->value, iface_name(b->iface),
				   source_name(b->source), cut_name(given));

		weaker(c, o->pos, what ? what : "out of memory");
	}
}

/* A path for a net, a word for a dir: the same source, the wrong kind of ref. */
static bool check_host_ref(struct check *c, const struct binding *b)
{
	bool is_path = b->ref && *b->ref == '/';
	bool wants_path =
		b->iface == IF_DIR || b->iface == IF_SOCKET || b->iface == IF_VOLUME;

	if (b->source == SRC_HOST && b->iface == IF_NET && slot_device(b->slot))
		return check_tap(c, b);
	if (b->source != SRC_HOST || is_path == wants_path)
		return true;
	if (wants_path)
		ERROR(c, b->pos, NULL,
		      "\"%s\": a %s needs a path of the host, as host:/srv/x", b->slot,
		      iface_name(b->iface));
	else
		ERROR(c, b->pos, NULL, "\"%s\": a %s is no path of the host", b->slot,
		      iface_name(b->iface));
	return false;
}

static void check_enforced(struct check *c, const struct binding *b)
{
	struct enforcement e = binding_enforcement(b, c->facts);

	if (e.weaker) {
		auto_free char *what = str_printf("\"%s\": %s", b->slot, e.how);

		weaker(c, b->pos, what ? what : "out of memory");
	}
	check_caretaker_there(c, b);
	if (b->iface == IF_DIR && (b->source == SRC_HOST || b->source == SRC_PARENT) &&
	    c->facts->root && !c->facts->idmap && !binding_needs_caretaker(b))
		ERROR(c, b->pos, NULL,
		      "\"%s\": started by root, host files are reached "
		      "through idmapped mounts, which this kernel does not have",
		      b->slot);
	check_cut(c, b, e.cut);
}

static void check_source(struct check *c, const struct binding *b)
{
	bool is_root = b->iface == IF_DIR && streq(b->slot, "/");
	const struct source_kind *k =
		kind_source(b->program, b->iface, is_root, b->source);
	const char *missing = need_missing((enum need)k->need, c->facts);

	if (slot_device(b->slot) && !program_is_unikernel(b->program)) {
		ERROR(c, b->pos, NULL,
		      "\"%s\": dev: names a device of a unikernel, and this is "
		      "a Linux program",
		      b->slot);
		return;
	}
	if (program_is_unikernel(b->program) && !slot_device(b->slot) &&
	    (b->iface == IF_NET || b->iface == IF_VOLUME)) {
		ERROR(c, b->pos, "polder inspect FILE lists its devices",
		      "\"%s\": a unikernel has no slot of this name; its devices are "
		      "dev:NAME",
		      b->slot);
		return;
	}
	if (!k->refused && !check_host_ref(c, b))
		return;
	if (k->refused) {
		ERROR(c, b->pos, NULL, "\"%s\" cannot be %s: %s", b->slot,
		      source_name(b->source), k->text);
		return;
	}
	if (missing)
		ERROR(c, b->pos, NULL, "\"%s\" cannot be %s: %s", b->slot,
		      source_name(b->source), missing);
	if (k->weak)
		WARN(c, b->pos, NULL, "%s",
		     kind_warning(b->program, b->iface, b->source));
	check_enforced(c, b);
	check_source_options(c, b);
}

static void check_resolved(struct check *c, struct binding *b)
{
	if (b->iface == b->server->iface)
		return;
	ERROR(c, b->pos, NULL, "\"%s\" needs a %s, and \"%s\" is a %s", b->slot,
	      iface_name(b->iface), b->ref, iface_name(b->server->iface));
	b->server = NULL;
}

static const char *nearest_env(const struct graph *g, const char *name)
{
	const char *best = NULL;
	size_t n = MIN(g->n_envs, (size_t)1000);
	auto_free const char **names = calloc(n + 1, sizeof(*names));

	for (size_t i = 0; names && i < n; i++)
		names[i] = g->envs[i]->name;
	if (names)
		best = str_nearest(name, names, n);
	return best && *best ? best : NULL;
}

void check_no_such_env(struct check *c, struct pos pos, const char *name)
{
	const char *near = nearest_env(c->graph, name);
	auto_free char *hint = near ? str_printf("did you mean %s?", near) : NULL;

	ERROR(c, pos, hint, "there is no environment \"%s\"", name);
}

static void no_such_server(struct check *c, const struct binding *b, const struct genv *e,
			   const char *server)
{
	auto_str list = STR_INIT;

	for (size_t i = 0; i < MIN(e->n_exposes, (size_t)10); i++)
		str_addf(&list, "%s%s", i ? ", " : "it exposes: ", e->exposes[i].name);
	ERROR(c, b->pos, list.len ? str_text(&list) : "it exposes nothing",
	      "\"%s\" exposes no server \"%s\"", e->name, server);
}

static void resolve(struct check *c, const struct genv *e, struct binding *b)
{
	char name[MAX_NAME + 1];
	const char *slash = strchr(b->ref, '/');
	size_t n = slash ? (size_t)(slash - b->ref) : sizeof(name);

	if (n >= sizeof(name))
		return; /* binding_parse_source lets no such ref through */
	memcpy(name, b->ref, n);
	name[n] = '\0';
	b->server = NULL;
	b->server_env = graph_env(c->graph, name);
	if (!b->server_env) {
		if (!c->graph->open) /* else the start asks who runs */
			check_no_such_env(c, b->pos, name);
		return;
	}
	if (slot_device(b->slot) && b->live)
		return; /* the other's tender knows whom it is joined to */
	if (slot_device(b->slot)) {
		check_join(c, b, e, b->server_env, slash + 1);
		return;
	}
	b->server = genv_expose(b->server_env, slash + 1);
	if (b->server)
		check_resolved(c, b);
	else
		no_such_server(c, b, b->server_env, slash + 1);
}

void check_binding(struct check *c, const struct genv *e, struct binding *b)
{
	if (!check_device(c, e, b))
		return;
	if (b->unbound && !b->optional) {
		ERROR(c, b->pos, "write from:, or optional: true",
		      "\"%s\" is declared and "
		      "bound to nothing",
		      b->slot);
		return;
	}
	for (size_t i = 0; i < b->n_options; i++)
		check_option(c, b, &b->options[i]);
	check_caretakers(c, b);
	if (b->unbound)
		return;
	check_source(c, b);
	check_places(c, b);
	if (b->source == SRC_ENV && b->ref &&
	    (b->iface == IF_DIR || b->iface == IF_SOCKET ||
	     (b->iface == IF_NET && slot_device(b->slot) &&
	      program_is_unikernel(b->program))))
		resolve(c, e, b);
}
