/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Root's environments each have 65,536 user and group numbers of their own, so that no
 * two share a kernel user. A range that is taken is a symbolic link u/BASE in the run
 * directory that points to the id of its environment: made by one call that fails if it
 * is there, under the journal's lock and before the record that names it; removed after
 * the record that ends it. A link whose environment is unknown or has another range is
 * what a crash in between left, and is removed by the next look at the list.
 *
 * The numbers lie above those that Debian's subuid ranges and systemd's containers use,
 * and below 2^31, which some programs take for negative.
 */
#include "state/registry-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#define FIRST 0x70000000U
#define SLOTS 4094U /* up to 0x7ffdffff */

static void path_of(uint32_t base, char ret[32])
{
	(void)snprintf(ret, 32, "u/%u", base);
}

int uids_take(struct registry *reg, const struct reg_id *id, uint32_t *ret_base,
	      struct err *err)
{
	char hex[REG_ID_HEX], path[32];
	uint32_t start = 0;

	if (getrandom(&start, sizeof(start), 0) != (ssize_t)sizeof(start))
		return err_sys(err, "cannot get random bytes");
	reg_id_hex(id, hex);
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t base = FIRST + (start % SLOTS + i) % SLOTS * REG_UIDS;

		path_of(base, path);
		if (symlinkat(hex, reg->rundir, path) == 0 ||
		    (errno == ENOENT && mkdirat(reg->rundir, "u", 0700) == 0 &&
		     symlinkat(hex, reg->rundir, path) == 0)) {
			*ret_base = base;
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(err, "cannot take user numbers in '%s'",
				       reg->places.run);
	}
	return err_set(err, PE_REFUSED,
		       "all %u ranges of user numbers are taken: stop some "
		       "environments",
		       SLOTS);
}

void uids_release(struct registry *reg, const struct reg_id *id, uint32_t base)
{
	char hex[REG_ID_HEX], path[32], target[REG_ID_HEX];

	if (base == 0)
		return;
	reg_id_hex(id, hex);
	path_of(base, path);
	/* A range that the caller brought along has no link, or another's. */
	if (readlinkat(reg->rundir, path, target, sizeof(target)) == REG_ID_HEX - 1 &&
	    memcmp(target, hex, REG_ID_HEX - 1) == 0)
		(void)unlinkat(reg->rundir, path, 0);
}

/* The environment that u/NAME points to still has that range. */
static bool is_used(struct registry *reg, const struct reg_table *t, int ufd,
		    const char *name)
{
	char target[REG_ID_HEX];
	const struct reg_entry *e;
	struct reg_id id;
	uint64_t base;

	if (readlinkat(ufd, name, target, sizeof(target)) != REG_ID_HEX - 1)
		return false;
	target[REG_ID_HEX - 1] = '\0';
	if (!reg_id_from_hex(target, &id) || !str_to_u64(name, &base))
		return false;
	e = reg_table_get(t, &id);
	return e ? e->uid_base == base : !registry_lock_is_free(reg, &id);
}

int uids_sweep(struct registry *reg, const struct reg_table *t, struct err *err)
{
	struct dirent *de;
	DIR *dir;
	int fd;

	fd = openat(reg->rundir, "u", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ?
			       0 :
			       err_sys(err, "cannot open '%s/u'", reg->places.run);
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return err_sys(err, "cannot read '%s/u'", reg->places.run);
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.' && !is_used(reg, t, fd, de->d_name))
			(void)unlinkat(fd, de->d_name, 0);
	(void)closedir(dir);
	return 0;
}
