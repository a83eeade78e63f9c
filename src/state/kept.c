/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A kept environment has a directory data/env/ID with `spec`, `dirs/`, `log` and the
 * small text file `env`. The file `env` is what makes it count: it is written last and
 * removed first. So a directory without it, of an id that the journal does not know,
 * was never finished or is being removed, and may be cleared away by anybody; ids never
 * come back.
 *
 * The run directory may vanish at a reboot. Then the journal does not know the id, and
 * the environment is taken up, stopped, from its file `env`.
 *
 * One user may have several run directories over one data directory (a session, and a
 * job without one). So whoever tends a kept environment holds a lock on its directory
 * too; what is locked is not taken up, started, removed or cleared away.
 */
#include "base/fd.h"
#include "state/registry-internal.h"
#include "state/rmtree.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define ENV_FILE_MAX 16384
#define FIRST_LINE "polder-environment 1"

int kept_open(struct registry *reg, bool make, int *ret_fd, struct err *err)
{
	auto_fd data = -1;
	int r;

	data = open(reg->places.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0 && !make) {
		*ret_fd = -1;
		return errno == ENOENT ?
			       0 :
			       err_sys(err, "cannot open '%s'", reg->places.data);
	}
	if (make) {
		auto_fd made = -1;

		r = places_open_data(reg->places.data, &made, err);
		if (r != 0)
			return r;
		if (mkdirat(made, "env", 0700) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make '%s/env'", reg->places.data);
		(void)close(data);
		data = TAKE_FD(made);
	}
	*ret_fd = openat(data, "env", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 && (errno != ENOENT || make))
		return err_sys(err, "cannot open '%s/env'", reg->places.data);
	return 0;
}

static void file_of(const struct reg_id *id, const char *file, char ret[64])
{
	char hex[REG_ID_HEX];

	reg_id_hex(id, hex);
	(void)snprintf(ret, 64, "%s%s%s", hex, file ? "/" : "", file ? file : "");
}

bool kept_is_there(int envfd, const struct reg_id *id)
{
	char path[64];
	struct stat st;

	file_of(id, "env", path);
	return fstatat(envfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the file `env`: "key value" lines ---- */

static void add_line(struct str *out, const char *key, const char *value)
{
	str_addf(out, "%s ", key);
	for (; *value; value++)
		str_addc(out,
			 (unsigned char)*value < ' ' || *value == 0x7f ? ' ' : *value);
	str_addc(out, '\n');
}

static void env_write(const struct reg_entry *e, struct str *out)
{
	char hex[REG_ID_HEX];

	reg_id_hex(&e->id, hex);
	str_add(out, FIRST_LINE "\n");
	add_line(out, "id", hex);
	str_addf(out, "generation %" PRIu64 "\n", e->generation);
	add_line(out, "name", e->name);
	add_line(out, "composition", e->composition);
	add_line(out, "kind", e->kind);
	add_line(out, "console", e->console);
	add_line(out, "summary", e->summary);
	if (e->uid_count)
		str_addf(out, "uids %u %u\n", e->uid_base, e->uid_count);
}

static bool set_text(char **member, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free(*member);
	*member = copy;
	return true;
}

/* "BASE COUNT" */
static bool read_uids(struct reg_entry *e, char *value)
{
	char *count = strchr(value, ' ');
	uint64_t base, n;

	if (!count)
		return false;
	*count++ = '\0';
	if (!str_to_u64(value, &base) || !str_to_u64(count, &n) || base == 0 || n == 0 ||
	    base > UINT32_MAX || n > UINT32_MAX - base)
		return false;
	e->uid_base = (uint32_t)base;
	e->uid_count = (uint32_t)n;
	return true;
}

static bool env_line(struct reg_entry *e, char *line)
{
	char *value = strchr(line, ' ');
	struct reg_id id;

	if (!value)
		return false;
	*value++ = '\0';
	if (streq(line, "id"))
		return reg_id_from_hex(value, &id) && reg_id_eq(&id, &e->id);
	if (streq(line, "generation"))
		return str_to_u64(value, &e->generation);
	if (streq(line, "name"))
		return set_text(&e->name, value);
	if (streq(line, "composition"))
		return set_text(&e->composition, value);
	if (streq(line, "kind"))
		return set_text(&e->kind, value);
	if (streq(line, "console"))
		return set_text(&e->console, value);
	if (streq(line, "summary"))
		return set_text(&e->summary, value);
	if (streq(line, "uids"))
		return read_uids(e, value);
	return true; /* a later version's key */
}

/* NULL: it is not what env_write made. */
static struct reg_entry *env_parse(const struct reg_id *id, char *text)
{
	struct reg_entry *e = reg_entry_new();
	char *line, *end;
	bool good = e != NULL;

	for (line = text; good && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (line == text) {
			e->id = *id;
			e->kept = true;
			e->state = REG_STOPPED;
			good = streq(line, FIRST_LINE);
		} else {
			good = env_line(e, line);
		}
	}
	if (good && e->kept && e->generation > 0 && registry_name_is_good(e->name) &&
	    (!e->composition[0] || registry_name_is_good(e->composition)))
		return e;
	reg_entry_free(e);
	return NULL;
}

/* ---- storing and removing ---- */

/* A look by somebody else takes the lock for a moment: so not at the first try alone. */
static bool lock_dir(int dir)
{
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (int tries = 0; flock(dir, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (errno != EWOULDBLOCK || tries == 5)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

int kept_lock(struct registry *reg, const struct reg_id *id, bool make, int *ret_fd,
	      struct err *err)
{
	auto_fd envfd = -1, dir = -1;
	char path[64];
	int r;

	r = kept_open(reg, make, &envfd, err);
	if (r != 0)
		return r;
	file_of(id, NULL, path);
	if (make && mkdirat(envfd, path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make a directory in '%s/env'",
			       reg->places.data);
	errno = ENOENT;
	if (envfd >= 0)
		dir = openat(envfd, path,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return err_set(err, PE_NOTFOUND,
			       "what '%s/env' kept of this environment is "
			       "gone",
			       reg->places.data);
	if (dir < 0)
		return err_sys(err, "cannot open '%s/env/%s'", reg->places.data, path);
	if (!lock_dir(dir))
		return errno != EWOULDBLOCK ?
			       err_sys(err, "cannot lock '%s/env/%s'", reg->places.data,
				       path) :
			       err_set(err, PE_BUSY,
				       "this environment runs, started with another "
				       "runtime directory than '%s'",
				       reg->places.run);
	*ret_fd = TAKE_FD(dir);
	return 0;
}

int kept_store(struct registry *reg, int keptfd, const struct reg_entry *e,
	       const void *spec, size_t len, struct err *err)
{
	auto_str text = STR_INIT;
	auto_fd envfd = -1;
	int r;

	if (spec) {
		r = fd_write_file_at(keptfd, "spec", spec, len, 0600, FD_WRITE_SYNC, err);
		if (r != 0)
			return r;
	}
	env_write(e, &text);
	if (text.failed)
		return err_oom(err);
	r = fd_write_file_at(keptfd, "env", text.p, text.len, 0600, FD_WRITE_SYNC, err);
	if (r == 0)
		r = kept_open(reg, true, &envfd, err);
	if (r == 0 && fsync(envfd) < 0)
		r = err_sys(err, "cannot write '%s/env' to the disk", reg->places.data);
	return r;
}

int kept_forget(struct registry *reg, const struct reg_id *id, struct err *err)
{
	auto_fd envfd = -1;
	char path[64];
	int r;

	r = kept_open(reg, false, &envfd, err);
	if (r != 0 || envfd < 0)
		return r;
	file_of(id, "env", path);
	if (unlinkat(envfd, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, "cannot remove what is kept of an environment");
	return 0;
}

int kept_remove(struct registry *reg, const struct reg_id *id, struct err *err)
{
	auto_fd envfd = -1;
	char path[64];
	int r;

	r = kept_open(reg, false, &envfd, err);
	if (r != 0 || envfd < 0)
		return r;
	file_of(id, NULL, path);
	r = rmtree_at(envfd, path, err);
	if (r != 0)
		err_prefix(err, "what was kept in '%s/env'", reg->places.data);
	return r;
}

/* ---- taking up ---- */

static int take_up_one(struct registry *reg, struct reg_table *t, int envfd,
		       const struct reg_id *id, struct err *err)
{
	auto_free char *text = NULL;
	struct reg_entry *e;
	char path[64];
	int r;

	file_of(id, "env", path);
	r = fd_read_file_at(envfd, path, ENV_FILE_MAX, &text, NULL, NULL);
	e = r == 0 ? env_parse(id, text) : NULL;
	if (!e) {
		str_addf(&reg->notes,
			 "'%s/env/%s' cannot be read: this environment is not "
			 "listed.\n",
			 reg->places.data, path);
		return 0;
	}
	if (reg_table_by_name(t, e->composition, e->name)) {
		str_addf(&reg->notes,
			 "'%s/env/%s' has the name '%s', which another has "
			 "taken: it is not listed.\n",
			 reg->places.data, path, e->name);
		reg_entry_free(e);
		return 0;
	}
	r = registry_write_entry(reg, e, err);
	if (r != 0) {
		reg_entry_free(e);
		return r;
	}
	return reg_table_put(t, e) ? 0 : err_oom(err);
}

/* Tended, or being made, by somebody with another run directory. */
static bool is_locked(int envfd, const struct reg_id *id)
{
	auto_fd dir = -1;
	char path[64];

	file_of(id, NULL, path);
	dir = openat(envfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 || flock(dir, LOCK_SH | LOCK_NB) < 0;
}

static bool add_id(struct reg_ids *ids, const struct reg_id *id)
{
	struct reg_id *bigger = realloc(ids->v, (ids->n + 1) * sizeof(*bigger));

	if (!bigger)
		return false;
	ids->v = bigger;
	ids->v[ids->n++] = *id;
	return true;
}

/* Those that were removed by way of another run directory. */
static int drop_removed(struct registry *reg, struct reg_table *t, int envfd,
			struct err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct reg_entry *e = t->v[i];
		struct reg_id id;
		int r;

		if (!e || !e->kept || e->cleanup_due || e->state != REG_STOPPED ||
		    kept_is_there(envfd, &e->id))
			continue;
		id = e->id;
		r = registry_write_head(reg, REG_T_REMOVED, &id, e->generation, err);
		if (r != 0)
			return r;
		reg_table_drop(t, &id);
	}
	return 0;
}

int kept_take_up(struct registry *reg, struct reg_table *t, struct reg_ids *remains,
		 struct err *err)
{
	int envfd = -1, r;
	struct dirent *de;
	DIR *dir;

	r = kept_open(reg, false, &envfd, NULL);
	if (r != 0 || envfd < 0)
		return 0; /* none are kept, or it is not our business now */
	dir = fdopendir(envfd);
	if (!dir) {
		(void)close(envfd);
		return err_sys(err, "cannot read '%s/env'", reg->places.data);
	}
	r = drop_removed(reg, t, envfd, err);
	while (r == 0 && (de = readdir(dir))) {
		struct reg_id id;

		if (!reg_id_from_hex(de->d_name, &id) || reg_table_get(t, &id) ||
		    is_locked(envfd, &id))
			continue;
		if (kept_is_there(envfd, &id))
			r = take_up_one(reg, t, envfd, &id, err);
		else if (!add_id(remains, &id))
			r = err_oom(err);
	}
	(void)closedir(dir);
	return r;
}
