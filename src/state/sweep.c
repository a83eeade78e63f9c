/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Every look at the list first puts right what the dead left; registry.c says what that
 * can be. Short things are done under the journal's lock: finding out who died, taking
 * up kept environments, removing orphaned run directories. What may take long (the
 * hook that empties cgroups, a big directory) is done without it, so that no start has
 * to wait: an entry marked as due for cleaning can neither be started nor removed, and
 * the lock `sweep` makes sure that one process at a time cleans. Locks are always taken
 * in the order sweep, journal.
 */
#include "base/fd.h"
#include "state/registry-internal.h"
#include "state/rmtree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define SWEEP_TRIES 400 /* 5 ms apart */

bool registry_lock_is_free(struct registry *reg, const struct reg_id *id)
{
	auto_fd fd = -1;
	char path[64];

	reg_run_path(id, "lock", path);
	fd = openat(reg->rundir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
	return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

/*
 * A dead one without its file `env`: killed before that was there, so it was never kept,
 * or removed by way of another run directory. Not provable: false.
 */
static bool was_not_kept(struct registry *reg, const struct reg_entry *e)
{
	auto_fd envfd = -1;

	if (!e->kept || kept_open(reg, false, &envfd, NULL) != 0)
		return false;
	if (envfd < 0)
		return e->generation == 1 && e->start_ns == 0;
	return !kept_is_there(envfd, &e->id);
}

/* ---- under the journal's lock ---- */

/* Marks who died; *ret_due counts the entries that wait for cleaning. */
static int find_dead(struct registry *reg, struct reg_table *t, size_t *ret_due,
		     struct err *err)
{
	int r;

	*ret_due = 0;
	for (size_t i = 0; i < t->n; i++) {
		struct reg_entry *e = t->v[i];

		if (!e)
			continue;
		if (!e->cleanup_due && (reg_entry_alive(e) || !e->kept) &&
		    registry_lock_is_free(reg, &e->id)) {
			if (reg_entry_alive(e)) {
				r = registry_write_died(reg, e, err);
				if (r != 0)
					return r;
				e->state = REG_STOPPED;
				e->died = true;
				e->has_status = false;
				e->tender = 0;
			}
			e->cleanup_due = true;
		}
		*ret_due += e->cleanup_due;
	}
	return 0;
}

/* Directories of e/ that belong to nobody alive and to nothing due for cleaning. */
static int remove_orphans(struct registry *reg, const struct reg_table *t,
			  struct err *err)
{
	struct dirent *de;
	char path[64];
	DIR *dir;
	int fd;

	fd = openat(reg->rundir, "e", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ?
			       0 :
			       err_sys(err, "cannot open '%s/e'", reg->places.run);
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return err_sys(err, "cannot read '%s/e'", reg->places.run);
	}
	while ((de = readdir(dir))) {
		const struct reg_entry *e;
		struct reg_id id;

		if (!reg_id_from_hex(de->d_name, &id))
			continue;
		e = reg_table_get(t, &id);
		if (e && (reg_entry_alive(e) || e->cleanup_due))
			continue;
		reg_run_path(&id, NULL, path);
		if (registry_lock_is_free(reg, &id))
			(void)rmtree_at(reg->rundir, path, NULL);
	}
	(void)closedir(dir);
	return 0;
}

struct look {
	size_t due;
	struct reg_ids remains;
};

static int look(struct registry *reg, struct reg_table *t, struct look *ret,
		struct err *err)
{
	int r;

	r = journal_lock(&reg->journal, err);
	if (r != 0)
		return r;
	r = registry_read(reg, t, err);
	if (r == 0)
		r = kept_take_up(reg, t, &ret->remains, err);
	if (r == 0)
		r = find_dead(reg, t, &ret->due, err);
	if (r == 0)
		r = remove_orphans(reg, t, err);
	if (r == 0)
		registry_compact(reg);
	journal_unlock(&reg->journal);
	return r;
}

/* ---- without it ---- */

static int call_hook(struct registry *reg, const struct reg_entry *e, struct err *err)
{
	if (reg->cleanup)
		return reg->cleanup(reg->cleanup_userdata, e, err);
	return e->cgroups[0] || e->uid_count ? PE_BUSY : 0;
}

/* What one dead environment left. True if nothing of it is there any more. */
static bool clean(struct registry *reg, const struct reg_entry *e, bool forget)
{
	struct err err = { .text = "" };
	auto_free char *label = NULL;
	char path[64];
	int r;

	r = call_hook(reg, e, &err);
	if (r == 0) {
		reg_run_path(&e->id, NULL, path);
		r = rmtree_at(reg->rundir, path, &err);
	}
	if (r == 0 && forget && e->kept)
		r = kept_remove(reg, &e->id, &err);
	if (r == 0)
		return true;
	label = reg_entry_label(e);
	if (err.text[0])
		str_addf(&reg->notes, "What '%s' left is not cleared up: %s.\n",
			 label ? label : "?", err.text);
	return false;
}

static int record_cleaned(struct registry *reg, struct reg_table *t, struct reg_entry *e,
			  bool forget, struct err *err)
{
	const struct reg_id id = e->id;
	int r;

	r = registry_write_head(reg, forget ? REG_T_REMOVED : REG_T_CLEANED, &id,
				e->generation, err);
	if (r != 0)
		return r;
	if (forget) {
		reg_table_drop(t, &id);
		return 0;
	}
	reg_entry_clear(e);
	return 0;
}

enum verdict { LEAVE, CLEANED, FORGET };

static int record_all(struct registry *reg, struct reg_table *t,
		      const enum verdict *verdicts, struct err *err)
{
	int r = journal_lock(&reg->journal, err);

	if (r != 0)
		return r;
	for (size_t i = 0; i < t->n && r == 0; i++)
		if (t->v[i] && verdicts[i] != LEAVE)
			r = record_cleaned(reg, t, t->v[i], verdicts[i] == FORGET, err);
	journal_unlock(&reg->journal);
	return r;
}

static int clean_all(struct registry *reg, struct reg_table *t, struct err *err)
{
	auto_free enum verdict *verdicts = calloc(t->n + 1, sizeof(*verdicts));

	if (!verdicts)
		return err_oom(err);
	for (size_t i = 0; i < t->n; i++) {
		const struct reg_entry *e = t->v[i];
		bool forget;

		if (!e || !e->cleanup_due)
			continue;
		forget = !e->kept || was_not_kept(reg, e);
		if (clean(reg, e, forget))
			verdicts[i] = forget ? FORGET : CLEANED;
	}
	return record_all(reg, t, verdicts, err);
}

/* PE_BUSY: another has been cleaning for so long that it is better to go on without. */
static int take_sweep(struct registry *reg, int *ret_fd, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	auto_fd fd = -1;

	fd = openat(reg->rundir, "sweep", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(err, "cannot open '%s/sweep'", reg->places.run);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "cannot lock '%s/sweep'", reg->places.run);
		if (tries >= SWEEP_TRIES)
			return PE_BUSY;
		(void)nanosleep(&pause, NULL);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Under the lock `sweep`: looks again, because another may have cleaned meanwhile. */
static int sweep_locked(struct registry *reg, struct reg_table *t, struct err *err)
{
	auto_fd sweep = -1;
	struct look again = { 0 };
	int r;

	r = take_sweep(reg, &sweep, err);
	if (r == PE_BUSY)
		return 0; /* what is dead is known to be, only not cleared up */
	if (r != 0)
		return r;
	reg_table_fini(t);
	r = look(reg, t, &again, err);
	if (r == 0 && again.due > 0)
		r = clean_all(reg, t, err);
	for (size_t i = 0; r == 0 && i < again.remains.n; i++) {
		struct err why = { .text = "" };

		if (kept_remove(reg, &again.remains.v[i], &why) != 0)
			str_addf(&reg->notes, "%s.\n", why.text);
	}
	free(again.remains.v);
	return r;
}

int registry_sweep(struct registry *reg, struct reg_table *ret, struct err *err)
{
	struct look first = { 0 };
	int r;

	r = look(reg, ret, &first, err);
	if (r == 0 && (first.due > 0 || first.remains.n > 0))
		r = sweep_locked(reg, ret, err);
	free(first.remains.v);
	return r;
}

/* ---- lists ---- */

/* Moves out of the table what a person should see. */
static int show(struct registry *reg, struct reg_table *t, struct reg_list *ret,
		struct err *err)
{
	struct reg_list l = { .v = calloc(t->n + 1, sizeof(struct reg_entry *)) };

	if (!l.v)
		return err_oom(err);
	for (size_t i = 0; i < t->n; i++) {
		struct reg_entry *e = t->v[i];

		if (!e || (!e->kept && e->state == REG_STOPPED) ||
		    (e->cleanup_due && was_not_kept(reg, e)))
			continue;
		l.v[l.n++] = TAKE_PTR(t->v[i]);
	}
	*ret = l;
	return 0;
}

void reg_list_fini(struct reg_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		reg_entry_free(l->v[i]);
	free(l->v);
	*l = (struct reg_list){ 0 };
}

int registry_list(struct registry *reg, struct reg_list *ret, struct err *err)
{
	auto_table t = { 0 };
	int r = registry_sweep(reg, &t, err);

	return r == 0 ? show(reg, &t, ret, err) : r;
}

/* How well a word names an entry; more is better, 0 not at all. */
static int match(const struct reg_entry *e, const char *word)
{
	auto_free char *label = reg_entry_label(e);
	size_t len = strlen(word);
	char hex[REG_ID_HEX];

	if (e->name[0] && label && streq(label, word))
		return 3;
	if (e->name[0] && streq(e->name, word))
		return 2;
	reg_id_hex(&e->id, hex);
	return len >= 4 && len < REG_ID_HEX && memcmp(hex, word, len) == 0 ? 1 : 0;
}

static int ambiguous(const struct reg_list *l, const char *word, int best,
		     struct err *err)
{
	auto_str which = STR_INIT;
	size_t shown = 0;

	for (size_t i = 0; i < l->n; i++) {
		auto_free char *label = NULL;

		if (match(l->v[i], word) != best)
			continue;
		if (++shown > 5) {
			str_add(&which, ", …");
			break;
		}
		label = reg_entry_label(l->v[i]);
		str_addf(&which, "%s%s", shown > 1 ? ", " : "", label ? label : "?");
	}
	return err_set(err, PE_USAGE, "'%s' may be any of these: %s", word,
		       str_text(&which));
}

int registry_find(struct registry *reg, const char *word, struct reg_entry **ret,
		  struct err *err)
{
	struct reg_list l = { 0 };
	size_t at = 0, count = 0;
	int best = 0, r;

	r = registry_list(reg, &l, err);
	if (r != 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		int m = match(l.v[i], word);

		if (m > best) {
			best = m;
			at = i;
			count = 0;
		}
		count += m != 0 && m == best;
	}
	if (count == 0)
		r = err_set(err, PE_NOTFOUND, "there is no environment '%s'", word);
	else if (count > 1)
		r = ambiguous(&l, word, best, err);
	else
		*ret = TAKE_PTR(l.v[at]);
	reg_list_fini(&l);
	return r;
}

/* ---- one of them ---- */

int registry_open_run(struct registry *reg, const struct reg_id *id, int *ret_fd,
		      struct err *err)
{
	char path[64];
	int fd;

	reg_run_path(id, NULL, path);
	fd = openat(reg->rundir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, PE_NOTFOUND, "this environment is not running");
	if (fd < 0)
		return err_sys(err, "cannot open '%s/%s'", reg->places.run, path);
	*ret_fd = fd;
	return 0;
}

int registry_open_kept(struct registry *reg, const struct reg_id *id, int *ret_fd,
		       struct err *err)
{
	auto_fd envfd = -1;
	char hex[REG_ID_HEX];
	int fd, r;

	r = kept_open(reg, false, &envfd, err);
	if (r != 0)
		return r;
	reg_id_hex(id, hex);
	errno = ENOENT;
	fd = envfd < 0 ?
		     -1 :
		     openat(envfd, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, PE_NOTFOUND, "this environment keeps nothing");
	if (fd < 0)
		return err_sys(err, "cannot open '%s/env/%s'", reg->places.data, hex);
	*ret_fd = fd;
	return 0;
}

int registry_wait(struct registry *reg, const struct reg_id *id, uint64_t generation,
		  unsigned timeout_ms, struct err *err)
{
	struct reg_held h = REG_HELD_INIT;
	unsigned waited = 0, step = 1;

	h.id = *id;
	h.generation = generation;
	for (;;) {
		struct timespec pause = { .tv_nsec = step * 1000000L };
		char path[64];
		bool over;

		reg_run_path(id, "lock", path);
		h.lockfd = openat(reg->rundir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		over = !reg_holds_current(&h) || flock(h.lockfd, LOCK_SH | LOCK_NB) == 0;
		reg_held_fini(&h);
		if (over)
			return 0;
		if (waited >= timeout_ms)
			return err_set(err, PE_BUSY, "it is still there after %u ms",
				       timeout_ms);
		(void)nanosleep(&pause, NULL);
		waited += step;
		step = MIN(step * 2, 20U);
	}
}
