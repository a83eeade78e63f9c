/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The graph for Graphviz: environments are boxes, what they hold of the host ellipses.
 * An arrow goes from who may use to what is used. Null servers and defaults are left
 * out: the picture shows authority.
 */
#include "graph/graph-internal.h"

static void quoted(struct str *out, const char *text)
{
	str_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			str_addc(out, '\\');
		str_addc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
	}
	str_addc(out, '"');
}

static void write_label(const struct binding *b, struct str *label)
{
	str_add(label, b->slot);
	for (size_t i = 0; i < b->n_through; i++)
		str_addf(label, " → %s%s%s", b->through[i].key,
			 b->through[i].value ? "=" : "",
			 b->through[i].value ? b->through[i].value : "");
	if (b->source == SRC_ENV)
		str_addf(label, " → %s", strchr(b->ref, '/') + 1);
}

static void write_target(const struct binding *b, struct str *target)
{
	if (b->server_env)
		str_addf(target, "env %s", b->server_env->name);
	else if (b->source == SRC_HOST && slot_device(b->slot))
		str_addf(target, "host %s", b->ref);
	else if (b->source == SRC_HOST && *b->ref == '/')
		str_addf(target, "host %s", b->ref);
	else if (b->source == SRC_PARENT && b->ref)
		str_addf(target, "host %s", b->ref);
	else
		str_addf(target, "%s %s", source_name(b->source),
			 b->source == SRC_ENV ? b->ref : iface_name(b->iface));
}

static void write_edge(const struct genv *e, const struct binding *b, struct str *out)
{
	auto_str from = STR_INIT, target = STR_INIT, label = STR_INIT;

	str_addf(&from, "env %s", e->name);
	write_target(b, &target);
	write_label(b, &label);
	str_add(out, "\t");
	quoted(out, str_text(&from));
	str_add(out, " -> ");
	quoted(out, str_text(&target));
	str_add(out, " [label=");
	quoted(out, str_text(&label));
	str_add(out, binding_readonly(b) ? ", style=dashed];\n" : "];\n");
}

void graph_to_dot(const struct graph *g, struct str *out)
{
	str_add(out, "digraph ");
	quoted(out, *g->name ? g->name : "composition");
	str_add(out, " {\n\trankdir=LR;\n\tnode [shape=ellipse];\n");
	for (size_t i = 0; i < g->n_envs; i++) {
		auto_str id = STR_INIT;

		str_addf(&id, "env %s", g->envs[i]->name);
		str_add(out, "\t");
		quoted(out, str_text(&id));
		str_add(out, " [shape=box, label=");
		quoted(out, g->envs[i]->name);
		str_add(out, "];\n");
	}
	for (size_t i = 0; i < g->n_envs; i++)
		for (size_t k = 0; k < g->envs[i]->n_bindings; k++) {
			const struct binding *b = &g->envs[i]->bindings[k];

			if (binding_powerful(b) && !b->implied && b->source != SRC_OWN)
				write_edge(g->envs[i], b, out);
		}
	str_add(out, "}\n");
}
