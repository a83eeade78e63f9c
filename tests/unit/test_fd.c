/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char base[64];
static struct err err;

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	(void)snprintf(base, sizeof(base), "/tmp/polder-test-XXXXXX");
	return mkdtemp(base) ? chdir(base) : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "f", "f.new", "fifo", "big" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(names[i]);
	(void)rmdir("dir");
	return chdir("/") == 0 ? rmdir(base) : -1;
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void files_are_replaced_whole(void **state)
{
	struct stat st;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(
		fd_write_file_at(AT_FDCWD, "f", "old", 3, 0600, FD_WRITE_PLAIN, &err), 0);
	assert_int_equal(
		fd_write_file_at(AT_FDCWD, "f", "a\0b", 3, 0600, FD_WRITE_SYNC, &err), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "f", 3, &text, &len, &err), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "a\0b", 4);
	free(text);
	assert_int_equal(stat("f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access("f.new", F_OK), -1);
	assert_true(fd_write_file_at(AT_FDCWD, "no/f", "x", 1, 0600, FD_WRITE_PLAIN,
				     &err) < 0);
	assert_non_null(strstr(err.text, "no/f"));
}

static void reading_has_limits(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(
		fd_write_file_at(AT_FDCWD, "f", "12345", 5, 0600, FD_WRITE_PLAIN, &err),
		0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "f", 4, &text, NULL, &err), -EFBIG);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "none", 4, &text, NULL, &err),
			 -ENOENT);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "dir", 4, &text, NULL, &err), -EISDIR);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "fifo", 4, &text, NULL, &err),
			 -EINVAL);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "/dev/zero", 4, &text, NULL, &err),
			 -EINVAL);
	assert_null(text);
	/* A file of the kernel that says it has no length. */
	assert_int_equal(
		fd_read_file_at(AT_FDCWD, "/proc/self/maps", 1 << 20, &text, NULL, &err),
		0);
	assert_true(strlen(text) > 500);
	free(text);
}

static void descriptors_travel(void **state)
{
	int sv[2], pipefd[2], got[3] = { -1, -1, -1 };
	unsigned before = open_fds();
	size_t len, n;
	char buf[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(fd_send(sv[0], "hello", 5, pipefd, 2, &err), 0);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 3, &n, &err), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(n, 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(pipefd[0], buf, 1), 1);
	fd_close_list(got, 2);

	assert_int_equal(fd_send(sv[0], "a", 1, NULL, 0, &err), 0);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 3, &n, &err), 0);
	assert_int_equal(n, 0);
	fd_close_list(pipefd, 2);
	(void)close(sv[0]);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 3, &n, &err), 0);
	assert_int_equal(len, 0);
	(void)close(sv[1]);
	assert_int_equal(open_fds(), before);
}

static void surplus_is_refused_and_closed(void **state)
{
	int sv[2], many[10], got[2];
	unsigned before;
	size_t len, n;
	char buf[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	before = open_fds();
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = sv[0];
	assert_int_equal(fd_send(sv[0], "a", 1, many, 10, &err), 0);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 2, &n, &err),
			 PE_BAD);
	assert_int_equal(open_fds(), before);
	assert_int_equal(fd_send(sv[0], "a", 1, many, 2, &err), 0);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, NULL, 0, NULL, &err),
			 PE_BAD);
	assert_int_equal(open_fds(), before);
	assert_int_equal(fd_send(sv[0], "12345", 5, many, 1, &err), 0);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 2, &n, &err),
			 PE_BAD);
	assert_int_equal(open_fds(), before);
	assert_int_equal(fd_recv(sv[1], buf, sizeof(buf), &len, got, 2, &n, &err),
			 -EAGAIN);
	assert_int_equal(fd_send(sv[0], "a", 1, many, FD_MESSAGE_MAX + 1, &err), -EINVAL);
	fd_close_list(sv, 2);
}

static void flags_and_duplicates(void **state)
{
	int fd = open("/dev/null", O_RDONLY), high;

	(void)state;
	assert_int_equal(fd_set_cloexec(fd, true), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(fd, false), 0);
	assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_set_nonblock(fd, true), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	high = fd_dup_above(fd, 100);
	assert_true(high >= 100);
	assert_true(fcntl(high, F_GETFD) & FD_CLOEXEC);
	(void)close(high);
	(void)close(fd);
	assert_int_equal(fd_set_cloexec(fd, true), -EBADF);
	assert_int_equal(fd_dup_above(-1, 3), -EBADF);
}

static void all_but_a_list_is_closed(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		const int keep[] = { 0, 1, 2, 50, 51, 99 }, bad[] = { 5, 4 };
		bool good;

		(void)dup2(1, 50);
		(void)dup2(1, 51);
		(void)dup2(1, 52);
		(void)dup2(1, 99);
		(void)dup2(1, 100);
		good = fd_close_but(bad, 2) == -EINVAL && fcntl(1, F_GETFD) >= 0;
		good = good && fd_close_but(keep, ARRAY_LEN(keep)) == 0;
		good = good && fcntl(50, F_GETFD) >= 0 && fcntl(51, F_GETFD) >= 0 &&
		       fcntl(99, F_GETFD) >= 0;
		good = good && fcntl(52, F_GETFD) < 0 && fcntl(100, F_GETFD) < 0 &&
		       fcntl(3, F_GETFD) < 0;
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* What came with the start of a program, and what is its own. */
static void what_is_foreign_is_closed(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		bool good;

		(void)dup2(1, 50);
		(void)dup2(1, 99);
		(void)dup3(1, 60, O_CLOEXEC);
		fd_close_foreign();
		good = fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 &&
		       fcntl(2, F_GETFD) >= 0 && fcntl(60, F_GETFD) >= 0;
		good = good && fcntl(50, F_GETFD) < 0 && fcntl(99, F_GETFD) < 0;
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
#define FD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		FD_TEST(files_are_replaced_whole),
		FD_TEST(reading_has_limits),
		FD_TEST(descriptors_travel),
		FD_TEST(surplus_is_refused_and_closed),
		FD_TEST(flags_and_duplicates),
		FD_TEST(all_but_a_list_is_closed),
		FD_TEST(what_is_foreign_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
