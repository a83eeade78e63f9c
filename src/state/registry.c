/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Three things say what there is: the journal (what was decided), the run directory
 * e/ID of each environment with its lock (who is alive), and for kept environments
 * data/env/ID (what survives a reboot). Every change below is made under the journal's
 * lock, in an order that lets whoever comes next see from these three how far a killed
 * one got. Nobody is asked, no number of a process is believed.
 *
 * create    1 record ENTRY (created)   2 mkdir e/ID   3 its `lock`, locked
 *           4 let go of the journal    5 kept: data/env/ID/spec, then its file `env`
 *   killed after 1..3   an entry that should be alive and whose lock is free: it died.
 *                       Disposable: forgotten. Kept without its file `env`: the same,
 *                       so nothing half-known remains
 *   killed after 5      a kept one that died before it ran: listed as stopped
 *
 * started, paused, resumed    one record each
 *
 * stopped   the tender has cleaned up already    1 record STOPPED
 *           2 kept: e/ID goes
 *   killed after 1      kept: a directory of a stopped entry with a free lock, removed.
 *                       Disposable: stopped and not tended, removed
 *
 * removed   1 e/ID goes   2 record REMOVED   3 kept: the file `env` goes
 *           4 let go of the journal          5 kept: data/env/ID goes
 *   killed in 1         a disposable one that died, with half a directory: forgotten.
 *                       A kept one was stopped, and still is
 *   killed after 2      kept: its file `env` is found, it is taken up again as stopped:
 *                       the removal did not happen
 *   killed after 3      a directory without `env` and unknown: removed
 *
 * died      by whoever finds an entry that should be alive and has a free lock:
 *           1 record STOPPED with the mark "died"; it is now due for cleaning
 *           2 let go of the journal, under the lock `sweep` call the hook, remove e/ID
 *           3 record CLEANED, or REMOVED for a disposable one
 *   killed in 2         still due: the next one calls the hook again
 *
 * Generations: one who was overtaken must not be believed. The lock file holds the
 * generation (empty: the first). A holder whose lock file is still in place and has its
 * number is current, and that needs no look into the journal; so an unnamed disposable
 * environment comes and goes without reading it. Anybody else is checked against it.
 *
 * The journal grows by about a thousand bytes per environment, and is rewritten by a
 * removal that finds it long, never on the way to a start.
 */
#include "base/fd.h"
#include "state/le.h"
#include "state/registry-internal.h"
#include "state/rmtree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define SUMMARY_MAX 400

/* ---- opening ---- */

int registry_open(struct registry **ret, const struct places *places, struct err *err)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	int r;

	if (!reg)
		return err_oom(err);
	reg->rundir = -1;
	reg->places.run = strdup(places->run);
	reg->places.data = strdup(places->data);
	r = reg->places.run && reg->places.data ?
		    places_open_run(places, &reg->rundir, err) :
		    err_oom(err);
	journal_init(&reg->journal, reg->rundir);
	if (r != 0) {
		registry_close(reg);
		return r;
	}
	/* In /tmp old files are removed, but not below a directory that is locked. */
	if (places->run_is_shared)
		(void)flock(reg->rundir, LOCK_SH | LOCK_NB);
	*ret = reg;
	return 0;
}

void registry_close(struct registry *reg)
{
	if (!reg)
		return;
	journal_fini(&reg->journal);
	if (reg->rundir >= 0)
		(void)close(reg->rundir);
	free(reg->places.run);
	free(reg->places.data);
	str_fini(&reg->notes);
	free(reg->notes_out);
	free(reg);
}

int registry_run_dir(const struct registry *reg)
{
	return reg->rundir;
}

const char *registry_notes(struct registry *reg)
{
	if (reg->notes.len == 0)
		return "";
	free(reg->notes_out);
	reg->notes_out = str_take(&reg->notes);
	return reg->notes_out ? reg->notes_out : "";
}

void registry_on_cleanup(struct registry *reg, reg_cleanup_fn *fn, void *userdata)
{
	reg->cleanup = fn;
	reg->cleanup_userdata = userdata;
}

void reg_held_fini(struct reg_held *h)
{
	if (h->dirfd >= 0)
		(void)close(h->dirfd);
	if (h->lockfd >= 0)
		(void)close(h->lockfd);
	if (h->keptfd >= 0)
		(void)close(h->keptfd);
	h->dirfd = h->lockfd = h->keptfd = -1;
}

struct reg_held reg_held_of(const struct reg_entry *e)
{
	struct reg_held h = REG_HELD_INIT;

	h.id = e->id;
	h.generation = e->generation;
	h.state = e->state;
	h.kept = e->kept;
	return h;
}

void reg_run_path(const struct reg_id *id, const char *file, char ret[64])
{
	char hex[REG_ID_HEX];

	reg_id_hex(id, hex);
	(void)snprintf(ret, 64, "e/%s%s%s", hex, file ? "/" : "", file ? file : "");
}

/* ---- the journal ---- */

int registry_read(struct registry *reg, struct reg_table *ret, struct err *err)
{
	int r = journal_read(&reg->journal, reg_table_fold, ret, &reg->notes, err);

	return r == -ENOMEM ? err_oom(err) : r;
}

int registry_write(struct registry *reg, enum reg_type type, const struct str *payload,
		   struct err *err)
{
	if (payload->failed)
		return err_oom(err);
	return journal_append(&reg->journal, (uint16_t)type, payload->p, payload->len,
			      &reg->notes, err);
}

int registry_write_entry(struct registry *reg, const struct reg_entry *e, struct err *err)
{
	auto_str payload = STR_INIT;

	reg_entry_encode(e, &payload);
	return registry_write(reg, REG_T_ENTRY, &payload, err);
}

int registry_write_head(struct registry *reg, enum reg_type type, const struct reg_id *id,
			uint64_t generation, struct err *err)
{
	auto_str payload = STR_INIT;

	reg_head_encode(&payload, id, generation);
	return registry_write(reg, type, &payload, err);
}

int registry_write_stopped(struct registry *reg, const struct reg_id *id,
			   uint64_t generation, int status, uint32_t flags,
			   struct err *err)
{
	auto_str payload = STR_INIT;

	reg_head_encode(&payload, id, generation);
	reg_put_u32(&payload, (uint32_t)status);
	reg_put_u32(&payload, flags);
	return registry_write(reg, REG_T_STOPPED, &payload, err);
}

int registry_write_died(struct registry *reg, const struct reg_entry *e, struct err *err)
{
	return registry_write_stopped(reg, &e->id, e->generation, 0, REG_STOPPED_DIED,
				      err);
}

void registry_compact(struct registry *reg)
{
	auto_table t = { 0 };

	if (!journal_is_long(&reg->journal))
		return;
	/* What this version does not understand stays: try again at twice the length. */
	if (registry_read(reg, &t, NULL) != 0 || t.unknown > 0 ||
	    journal_rewrite(&reg->journal, reg_table_write, &t, NULL) != 0)
		reg->journal.compact_at = reg->journal.end * 2;
}

/* ---- words ---- */

bool registry_name_is_good(const char *name)
{
	size_t len = strlen(name);
	bool at_start = true;

	if (len == 0 || len > REG_NAME_MAX)
		return false;
	for (const char *p = name; *p; p++) {
		if (at_start ? !(*p >= 'a' && *p <= 'z') :
			       !((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
				 *p == '-' || *p == '.'))
			return false;
		at_start = *p == '.';
	}
	return !at_start;
}

static int check_words(const struct reg_new *new, struct err *err)
{
	const struct {
		const char *what, *name;
	} names[] = { { "name", new->name }, { "composition", new->composition } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].name && names[i].name[0] &&
		    !registry_name_is_good(names[i].name))
			return err_set(err, PE_USAGE,
				       "'%s' cannot be the %s: use a-z, 0-9 "
				       "and -, beginning with a letter",
				       names[i].name, names[i].what);
	if (new->kept && (!new->name || !new->name[0]))
		return err_set(err, PE_USAGE, "an environment that is kept needs a name");
	if ((new->kind &&strlen(new->kind) > REG_NAME_MAX) ||
	    (new->console &&strlen(new->console) > REG_NAME_MAX) ||
	    (new->cgroups &&strlen(new->cgroups) > REG_TEXT_MAX))
		return err_set(err, PE_USAGE,
			       "what describes the environment is too long");
	return 0;
}

static bool replace_text(char **member, const char *value, size_t max)
{
	size_t len;
	char *copy;

	if (!value)
		return true;
	len = strnlen(value, max);
	while (value[len] && len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
		len--; /* not in the middle of a character */
	copy = strndup(value, len);
	if (!copy)
		return false;
	free(*member);
	*member = copy;
	return true;
}

/* What a start may change. */
static bool apply(struct reg_entry *e, const struct reg_new *new)
{
	if (new->uid_count) {
		e->uid_base = new->uid_base;
		e->uid_count = new->uid_count;
	}
	return replace_text(&e->kind, new->kind, REG_NAME_MAX) &&
	       replace_text(&e->console, new->console, REG_NAME_MAX) &&
	       replace_text(&e->summary, new->summary, SUMMARY_MAX) &&
	       replace_text(&e->cgroups, new->cgroups, REG_TEXT_MAX);
}

static struct reg_entry *entry_of(const struct reg_new *new)
{
	struct reg_entry *e = reg_entry_new();

	if (!e)
		return NULL;
	e->generation = 1;
	e->state = REG_CREATED;
	e->kept = new->kept;
	if (apply(e, new) && replace_text(&e->name, new->name, REG_NAME_MAX) &&
	    replace_text(&e->composition, new->composition, REG_NAME_MAX))
		return e;
	reg_entry_free(e);
	return NULL;
}

int reg_random_id(struct reg_id *ret, struct err *err)
{
	if (getrandom(ret->b, REG_ID_BYTES, 0) != REG_ID_BYTES)
		return err_sys(err, "cannot get random bytes");
	return 0;
}

/* ---- the run directory of one environment ---- */

static int make_rundir(struct registry *reg, const char *path, struct err *err)
{
	if (mkdirat(reg->rundir, path, 0700) == 0)
		return 0;
	if (errno == ENOENT &&
	    (mkdirat(reg->rundir, "e", 0700) == 0 || errno == EEXIST) &&
	    mkdirat(reg->rundir, path, 0700) == 0)
		return 0;
	return err_sys(err, "cannot make '%s/%s'", reg->places.run, path);
}

/* Makes e/ID and takes its lock. */
static int take_rundir(struct registry *reg, const struct reg_entry *e,
		       struct reg_held *ret, struct err *err)
{
	struct reg_held h = reg_held_of(e);
	uint8_t generation[8];
	char path[64];
	int r;

	reg_run_path(&e->id, NULL, path);
	r = make_rundir(reg, path, err);
	if (r != 0)
		return r;
	h.dirfd = openat(reg->rundir, path,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h.dirfd >= 0)
		h.lockfd =
			openat(h.dirfd, "lock",
			       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	le64_put(generation, e->generation);
	if (h.lockfd < 0 || flock(h.lockfd, LOCK_EX) < 0 ||
	    (e->generation > 1 && pwrite(h.lockfd, generation, 8, 0) != 8)) {
		r = err_sys(err, "cannot lock '%s/%s'", reg->places.run, path);
		reg_held_fini(&h);
		return r;
	}
	*ret = h;
	return 0;
}

int registry_drop_rundir(struct registry *reg, const struct reg_id *id, struct err *err)
{
	char path[64];

	reg_run_path(id, "lock", path);
	(void)unlinkat(reg->rundir, path, 0);
	reg_run_path(id, NULL, path);
	if (unlinkat(reg->rundir, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return rmtree_at(reg->rundir, path, err);
}

/* ---- create ---- */

static int name_is_taken(const struct reg_entry *other, struct reg_held *ret,
			 struct err *err)
{
	auto_free char *label = reg_entry_label(other);

	*ret = reg_held_of(other);
	return err_set(err, PE_EXISTS, "'%s' exists already and is %s",
		       label ? label : "?", reg_state_name(other->state));
}

/* Lock held. -EAGAIN: the holder of the name has died since; sweep and ask again. */
static int check_name(struct registry *reg, const struct reg_entry *e,
		      struct reg_held *ret, struct err *err)
{
	auto_table t = { 0 };
	const struct reg_entry *other;
	int r;

	r = registry_read(reg, &t, err);
	if (r != 0)
		return r;
	other = reg_table_by_name(&t, e->composition, e->name);
	if (!other)
		return 0;
	if ((reg_entry_alive(other) || !other->kept) &&
	    registry_lock_is_free(reg, &other->id))
		return -EAGAIN;
	return name_is_taken(other, ret, err);
}

/* Lock held: record, directory, lock. */
static int bring_in(struct registry *reg, const struct reg_entry *e, struct reg_held *ret,
		    struct err *err)
{
	int r;

	r = registry_write_entry(reg, e, err);
	if (r != 0)
		return r;
	r = take_rundir(reg, e, ret, err);
	if (r != 0) {
		(void)registry_drop_rundir(reg, &e->id, NULL);
		if (e->generation == 1)
			(void)registry_write_head(reg, REG_T_REMOVED, &e->id, 1, NULL);
		else
			(void)registry_write_stopped(reg, &e->id, e->generation, 0,
						     REG_STOPPED_DIED, NULL);
	}
	return r;
}

static int create_once(struct registry *reg, const struct reg_entry *e,
		       struct reg_held *ret, struct err *err)
{
	int r;

	if (e->name[0]) {
		auto_table t = { 0 };

		r = registry_sweep(reg, &t, err);
		if (r != 0)
			return r;
	}
	r = journal_lock(&reg->journal, err);
	if (r != 0)
		return r;
	if (e->name[0])
		r = check_name(reg, e, ret, err);
	if (r == 0)
		r = bring_in(reg, e, ret, err);
	journal_unlock(&reg->journal);
	return r;
}

static int keep_new(struct registry *reg, const struct reg_entry *e,
		    const struct reg_new *new, struct reg_held *h, struct err *err)
{
	int r = kept_lock(reg, &e->id, true, &h->keptfd, err);

	if (r == 0)
		r = kept_store(reg, h->keptfd, e, new->spec, new->spec_len, err);
	if (r != 0) {
		(void)registry_removed(reg, h, NULL);
		reg_held_fini(h);
	}
	return r;
}

int registry_create(struct registry *reg, const struct reg_new *new, struct reg_held *ret,
		    struct err *err)
{
	struct reg_entry *e;
	int r;

	*ret = REG_HELD_INIT;
	r = check_words(new, err);
	if (r != 0)
		return r;
	e = entry_of(new);
	if (!e)
		return err_oom(err);
	if (new->id)
		e->id = *new->id;
	else
		r = reg_random_id(&e->id, err);
	if (r == 0)
		r = create_once(reg, e, ret, err);
	for (int tries = 0; r == -EAGAIN && tries < 3; tries++)
		r = create_once(reg, e, ret, err);
	if (r == -EAGAIN)
		r = err_set(err, PE_BUSY,
			    "what was named '%s' is being cleared up: try "
			    "again",
			    e->name);
	if (r == 0 && new->kept)
		r = keep_new(reg, e, new, ret, err);
	reg_entry_free(e);
	return r;
}

/* ---- restart ---- */

static int may_restart(const struct reg_entry *e, uint64_t generation, struct err *err)
{
	if (!e || (!e->kept && e->state == REG_STOPPED))
		return err_set(err, PE_NOTFOUND, "there is no such environment any more");
	if (e->generation != generation)
		return err_set(err, PE_REFUSED,
			       "'%s' was started by somebody else meanwhile", e->name);
	if (reg_entry_alive(e))
		return err_set(err, PE_BUSY, "'%s' is %s", e->name,
			       reg_state_name(e->state));
	if (e->cleanup_due)
		return err_set(err, PE_BUSY,
			       "what the last run of '%s' left is not cleared "
			       "up yet",
			       e->name);
	return 0;
}

/* Lock held. */
static int begin_again(struct registry *reg, struct reg_entry *e,
		       const struct reg_new *again, struct reg_held *ret, struct err *err)
{
	auto_fd kept = -1;
	int r;

	if (again && !apply(e, again))
		return err_oom(err);
	r = kept_lock(reg, &e->id, false, &kept, err);
	if (r == 0)
		r = registry_drop_rundir(reg, &e->id, err);
	if (r != 0)
		return r;
	e->generation++;
	e->state = REG_STARTING;
	e->died = e->has_status = false;
	e->status = 0;
	e->tender = 0;
	r = bring_in(reg, e, ret, err);
	if (r == 0)
		ret->keptfd = TAKE_FD(kept);
	return r;
}

int registry_restart(struct registry *reg, const struct reg_id *id, uint64_t generation,
		     const struct reg_new *again, struct reg_held *ret, struct err *err)
{
	const struct reg_id wanted = *id; /* may lie in *ret */
	auto_table t = { 0 };
	struct reg_entry *e;
	int r;

	*ret = REG_HELD_INIT;
	r = again ? check_words(again, err) : 0;
	if (r == 0)
		r = journal_lock(&reg->journal, err);
	if (r != 0)
		return r;
	r = registry_read(reg, &t, err);
	e = r == 0 ? reg_table_get(&t, &wanted) : NULL;
	if (r == 0)
		r = may_restart(e, generation, err);
	if (r == 0)
		r = begin_again(reg, e, again, ret, err);
	journal_unlock(&reg->journal);
	if (r != 0)
		return r;
	r = kept_store(reg, ret->keptfd, e, again ? again->spec : NULL,
		       again ? again->spec_len : 0, err);
	if (r != 0) {
		(void)registry_stopped(reg, ret, 125 << 8, NULL);
		reg_held_fini(ret);
	}
	return r;
}
