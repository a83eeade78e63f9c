/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a binding is enforced on this kernel for this user. The table says what holds
 * everywhere; what follows from the facts is here: how "read-only" is kept for a
 * directory, what a fresh identity with root needs.
 *
 * Read-only means that files cannot change *and* that a socket or FIFO in the tree
 * cannot be used. A read-only bind mount lets both through, so it is enough for a
 * single file alone; a directory needs an overlay (an ordinary user) or an idmapped
 * mount (started by root), else it is weaker than asked.
 *
 * A mount cannot be taken back from who has a file open in it, and it cannot count, slow
 * down or forget. So a directory is mounted where nothing but ro and subdir= is asked for
 * at the start, and is served through FUSE by a caretaker, a process outside, where more
 * is asked for or where it is granted to a program that runs. A caretaker sees every use,
 * and when it stops serving, what is open fails too. With passthrough the kernel reads
 * and writes open files without asking it: quick as a mount, and cut as one.
 *
 * A unikernel's volume is a descriptor of one process, in whose place its tender puts
 * another one, for which it has to trace it. Where the host forbids that, it takes a
 * restart.
 */
#include "graph/graph-internal.h"
#include "graph/kinds.h"

static bool is_tree(const struct binding *b)
{
	return b->iface == IF_DIR && !b->unbound &&
	       (b->source == SRC_PARENT || b->source == SRC_HOST || b->source == SRC_ENV);
}

static bool asks_complete(const struct binding *b)
{
	const struct kv *cut = binding_option(b, "cut");

	return cut && cut->value && streq(cut->value, cut_name(CUT_COMPLETE));
}

const char *binding_caretaker_for(const struct binding *b)
{
	if (!is_tree(b) || program_is_unikernel(b->program) || streq(b->slot, "/"))
		return NULL;
	for (size_t i = 0; i < b->n_through; i++)
		if (!streq(b->through[i].key, "ro") &&
		    !streq(b->through[i].key, "subdir"))
			return b->through[i].key;
	if (binding_option(b, "passthrough"))
		return "passthrough";
	if (asks_complete(b))
		return "cut=complete";
	return b->live ? "a directory that is granted to a program that runs" : NULL;
}

bool binding_needs_caretaker(const struct binding *b)
{
	return binding_caretaker_for(b) != NULL;
}

static void enforce_caretaker(const struct binding *b, struct enforcement *e)
{
	if (binding_option(b, "passthrough")) {
		e->how = "FUSE, served from outside by a caretaker, which open files "
			 "pass by";
		e->cut = CUT_NEW_USES;
	} else {
		e->how = "FUSE, served from outside by a caretaker";
		e->cut = CUT_COMPLETE;
	}
}

static void enforce_tree(const struct binding *b, const struct host_facts *facts,
			 struct enforcement *e)
{
	bool ro = binding_readonly(b), is_root = streq(b->slot, "/");

	if (b->is_file) {
		e->how = ro ? "read-only bind mount of a file" : "bind mount of a file";
	} else if (facts->root && facts->idmap) {
		e->how = is_root ? "the given tree as root, idmapped" :
			 ro      ? "read-only idmapped mount" :
				   "idmapped mount";
	} else if (ro && facts->overlay) {
		e->how = is_root ? "the given tree as root, read-only overlay" :
				   "read-only overlay (a file: read-only bind mount)";
	} else if (ro) {
		e->how = "read-only bind mount: sockets and FIFOs in it can be reached";
		e->weaker = true;
	}
}

static void enforce_volume(const struct binding *b, const struct host_facts *facts,
			   struct enforcement *e)
{
	bool ro = binding_readonly(b);

	if (!facts->ptrace && !b->unbound && b->source != SRC_NULL)
		e->cut = CUT_RESTART;
	if (b->source == SRC_OWN && binding_option(b, "base"))
		e->how =
			ro ? "the base, read-only" :
			b->program == PROGRAM_SPT ?
			     "a copy of the base, made at the start (of shared blocks "
			     "where the file system can)" :
			     "copy-on-write: the base is only read, what is written goes "
			     "to a sparse file of its own";
	else if (ro && b->source == SRC_HOST)
		e->how = "the file, opened for reading alone";
	else if (ro && b->source == SRC_OWN)
		e->how = "a fresh block device of its own, sparse; writes are refused";
}

struct enforcement binding_enforcement(const struct binding *b,
				       const struct host_facts *facts)
{
	enum source source = b->unbound ? SRC_NULL : b->source;
	bool is_root = b->iface == IF_DIR && streq(b->slot, "/");
	const struct source_kind *k = kind_source(b->program, b->iface, is_root, source);
	struct enforcement e = { k->text, (enum cut)k->cut, false };

	if (k->refused)
		return e;
	if (binding_needs_caretaker(b))
		enforce_caretaker(b, &e);
	else if (is_tree(b))
		enforce_tree(b, facts, &e);
	if (b->iface == IF_VOLUME)
		enforce_volume(b, facts, &e);
	if (b->broken)
		e.how = "nothing: every use fails";
	if (b->iface == IF_IDENTITY && binding_option(b, "root"))
		e.how = "uid 0 of a sub-range, in its own user namespace only";
	return e;
}
