/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_state.h"

#include <sys/wait.h>

static struct places p;
static struct err err;

static int setup(void **state)
{
	err = ERR_INIT;
	return setup_places(state);
}

static void clear_vars(void)
{
	static const char *const vars[] = { "POLDER_RUNTIME_DIR", "POLDER_DATA_DIR",
					    "POLDER_CONFIG_DIR",  "XDG_RUNTIME_DIR",
					    "XDG_DATA_HOME",      "XDG_CONFIG_HOME" };

	for (size_t i = 0; i < ARRAY_LEN(vars); i++)
		(void)unsetenv(vars[i]);
}

/*
 * Runs fn as the user 4711 (as root, else as who we are) and returns what it returns.
 * What it asserts ends it with 99.
 */
static int as_user(int (*fn)(void))
{
	pid_t child;
	int status;

	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgid(4711) < 0 || setuid(4711) < 0))
			_exit(98);
		clear_vars();
		_exit(fn());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- names ---- */

static void overrides_win(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(places_init(&p, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/run", base);
	assert_string_equal(p.run, path);
	(void)snprintf(path, sizeof(path), "%s/data", base);
	assert_string_equal(p.data, path);
	(void)snprintf(path, sizeof(path), "%s/config", base);
	assert_string_equal(p.config, path);
	(void)setenv("POLDER_RUNTIME_DIR", "relative", 1);
	assert_int_equal(places_init(&p, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "POLDER_RUNTIME_DIR"));
}

static int xdg_names(void)
{
	char path[128], want[160];

	(void)snprintf(path, sizeof(path), "%s/xdg-%u", base, (unsigned)geteuid());
	if (mkdir(path, 0700) < 0)
		return 1;
	(void)setenv("XDG_RUNTIME_DIR", path, 1);
	(void)setenv("XDG_DATA_HOME", "/d", 1);
	(void)setenv("XDG_CONFIG_HOME", "/c", 1);
	if (places_init(&p, &err) != 0)
		return 2;
	(void)snprintf(want, sizeof(want), "%s/polder", path);
	if (!streq(p.run, want) || p.run_is_shared)
		return 3;
	if (!streq(p.data, "/d/polder") || !streq(p.config, "/c/polder"))
		return 4;
	(void)setenv("XDG_DATA_HOME", "relative", 1);
	(void)setenv("XDG_RUNTIME_DIR", "/", 1); /* not ours */
	(void)unsetenv("XDG_CONFIG_HOME");
	(void)setenv("HOME", "/h", 1);
	if (places_init(&p, &err) != 0)
		return 5;
	(void)snprintf(want, sizeof(want), "/tmp/polder-%u", (unsigned)geteuid());
	if (!streq(p.run, want) || !p.run_is_shared)
		return 6;
	return streq(p.data, "/h/.local/share/polder") &&
			       streq(p.config, "/h/.config/polder") ?
		       0 :
		       7;
}

static void users_follow_xdg(void **state)
{
	(void)state;
	assert_int_equal(chmod(base, 01777), 0);
	assert_int_equal(as_user(xdg_names), 0);
}

static void root_has_its_own(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	clear_vars();
	(void)setenv("XDG_RUNTIME_DIR", base, 1);
	assert_int_equal(places_init(&p, &err), 0);
	assert_string_equal(p.run, "/run/polder");
	assert_string_equal(p.data, "/var/lib/polder");
	assert_string_equal(p.config, "/etc/polder");
}

static void too_long_a_path_is_refused(void **state)
{
	char path[PLACES_PATH_MAX + 10];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	(void)setenv("POLDER_RUNTIME_DIR", path, 1);
	assert_int_equal(places_init(&p, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "longer than"));
}

/* ---- opening ---- */

static void made_on_demand_and_private(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(places_open_run(&places, &fd, &err), 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		(void)close(fd);
	}
	set_place("POLDER_DATA_DIR", "a/b/c");
	assert_int_equal(places_init(&p, &err), 0);
	assert_int_equal(places_open_data(p.data, &fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)close(fd);
	assert_int_equal(places_open_config(&places, &fd, &err), PE_NOTFOUND);
}

static void readable_is_closed_writable_is_refused(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(mkdir(places.run, 0755), 0);
	assert_int_equal(places_open_run(&places, &fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)close(fd);
	assert_int_equal(chmod(places.run, 0770), 0);
	assert_int_equal(places_open_run(&places, &fd, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "others may write"));
}

static void symbolic_links_are_refused(void **state)
{
	char real[128];
	int fd;

	(void)state;
	(void)snprintf(real, sizeof(real), "%s/real", base);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink(real, places.run), 0);
	assert_int_equal(places_open_run(&places, &fd, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(unlink(places.run), 0);
	fd = open(places.run, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(places_open_run(&places, &fd, &err), PE_REFUSED);
}

static void other_users_directory_is_refused(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(places.run, 0700), 0);
	assert_int_equal(chown(places.run, 4711, 4711), 0);
	assert_int_equal(places_open_run(&places, &fd, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "belongs to user 4711"));
}

static void no_place_is_one_sentence(void **state)
{
	int fd;

	(void)state;
	(void)setenv("POLDER_RUNTIME_DIR", "/proc/no/such", 1);
	assert_int_equal(places_init(&p, &err), 0);
	assert_int_equal(places_open_run(&p, &fd, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "there is no runtime directory"));
	assert_non_null(strstr(err.text, "set POLDER_RUNTIME_DIR"));
	p.run_is_shared = true;
	assert_int_equal(places_open_run(&p, &fd, &err), PE_REFUSED);
	assert_non_null(strstr(err.text, "set XDG_RUNTIME_DIR"));
}

/* ---- removing trees ---- */

static void deep_and_hostile_trees_go(void **state)
{
	char path[128], outside[128];
	int fd, up;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tree", base);
	(void)snprintf(outside, sizeof(outside), "%s/outside", base);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(outside, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	for (int i = 0; i < 1500; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		assert_int_equal(mkdirat(fd, ".polder-rm-7", 0700), 0);
		assert_int_equal(symlinkat(outside, fd, "link"), 0);
		up = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		assert_true(up >= 0);
		if (i % 100 == 0)
			assert_int_equal(fchmod(fd, 0), 0);
		(void)close(fd);
		fd = up;
	}
	(void)close(fd);
	assert_int_equal(rmtree_at(AT_FDCWD, path, &err), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(outside, F_OK), 0);
	assert_int_equal(rmtree_at(AT_FDCWD, path, &err), 0);
	assert_int_equal(symlink(outside, path), 0);
	assert_true(rmtree_at(AT_FDCWD, path, &err) < 0);
	assert_int_equal(access(outside, F_OK), 0);
}

int main(void)
{
#define PLACES_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown_places)
	const struct CMUnitTest tests[] = {
		PLACES_TEST(overrides_win),
		PLACES_TEST(users_follow_xdg),
		PLACES_TEST(root_has_its_own),
		PLACES_TEST(too_long_a_path_is_refused),
		PLACES_TEST(made_on_demand_and_private),
		PLACES_TEST(readable_is_closed_writable_is_refused),
		PLACES_TEST(symbolic_links_are_refused),
		PLACES_TEST(other_users_directory_is_refused),
		PLACES_TEST(no_place_is_one_sentence),
		PLACES_TEST(deep_and_hostile_trees_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
