/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A private set of places for the tests of src/state. */
#ifndef POLDER_TESTS_TEST_STATE_H
#define POLDER_TESTS_TEST_STATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "state/places.h"
#include "state/rmtree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static char base[64];
static struct places places;

static inline void set_place(const char *var, const char *sub)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", base, sub);
	assert_int_equal(setenv(var, path, 1), 0);
}

static int setup_places(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof(base), "/tmp/polder-test-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	set_place("POLDER_RUNTIME_DIR", "run");
	set_place("POLDER_DATA_DIR", "data");
	set_place("POLDER_CONFIG_DIR", "config");
	return places_init(&places, NULL);
}

static int teardown_places(void **state)
{
	(void)state;
	return rmtree_at(AT_FDCWD, base, NULL);
}

/* Counts what is in a directory below base; 0 if there is none. */
static inline unsigned count_in(const char *sub)
{
	char cmd[160];
	unsigned n = 0;
	FILE *f;

	(void)snprintf(cmd, sizeof(cmd), "ls -A %s/%s 2>/dev/null | wc -l", base, sub);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	(void)pclose(f);
	return n;
}

#endif
