/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * Two files: `journal`, and `lock`, whose flock is held for every look and change. The
 * kernel drops the lock with its holder, so a killed writer blocks nobody.
 *
 * An append must know that the file ends with a whole record, or it would bury a torn
 * one in the middle. It does not read the journal for that: whoever lets go of the lock
 * leaves a voucher in the lock file, "inode I is whole up to byte E". If the journal is
 * that inode and that long, it is vouched for. Otherwise (a writer was killed, somebody
 * replaced or touched the file, the first use after boot) the whole file is read and
 * put right before anything is added.
 *
 * Crash points, and what the next holder of the lock finds:
 *   in the write of a record      longer than vouched, torn: cut off
 *   after it, before the voucher  longer than vouched, whole: the records count
 *   while `journal.new` is made   an old journal, whole; journal.new is overwritten
 *   after its rename              a new inode, not vouched: read once
 *   after `journal` went aside    no journal: an empty one is made. So a damaged file
 *                                 is first linked to its new name, and `journal` is
 *                                 then replaced by the rewritten one in one rename
 *
 * A file that cannot be understood is never deleted here.
 */
#include "state/journal.h"
#include "base/fd.h"
#include "state/le.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define VOUCHER_SIZE 40
#define DAMAGED_MAX 1000 /* files kept aside */
#define LOCK_WAIT_US (5 * 1000000)

void journal_init(struct journal *j, int dirfd)
{
	*j = (struct journal){ .dirfd = dirfd, .lockfd = -1, .fd = -1 };
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void journal_fini(struct journal *j)
{
	close_one(&j->lockfd);
	close_one(&j->fd);
	j->locked = false;
}

/* A descriptor that came through fork() shares its lock with the parent: open anew. */
static int open_lock(struct journal *j, struct err *err)
{
	pid_t self = getpid();

	if (j->lockfd >= 0 && j->owner == self)
		return 0;
	close_one(&j->lockfd);
	j->lockfd =
		openat(j->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->lockfd < 0)
		return err_sys(err, "cannot open the lock of the running environments");
	j->owner = self;
	return 0;
}

/* Who holds the lock, by the kernel's list; 0 if it does not say. */
static int holder_of(int lockfd)
{
	auto_free char *text = NULL;
	struct stat st;
	int pid = 0;

	if (fstat(lockfd, &st) < 0 ||
	    fd_read_file_at(AT_FDCWD, "/proc/locks", 1 << 20, &text, NULL, NULL) != 0)
		return 0;
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		unsigned long long ino;
		int holder;

		line += *line == '\n';
		/* "1: FLOCK  ADVISORY  WRITE 708 00:1b:5271 0 EOF" */
		if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %d %*x:%*x:%llu", &holder,
			   &ino) == 2 &&
		    ino == st.st_ino)
			pid = holder;
	}
	return pid;
}

/*
 * Holders need it for microseconds. One that was stopped in between would stop everybody
 * else, without a word: so there is an end to waiting.
 */
static int take_lock(int lockfd, struct err *err)
{
	struct timespec pause = { .tv_nsec = 50 * 1000 };
	long waited_us = 0;

	while (flock(lockfd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "cannot lock the running environments");
		if (waited_us > LOCK_WAIT_US)
			return err_set(
				err, PE_BUSY,
				"process %d holds the lock of the running environments "
				"for %d s now: it may be stopped (kill -CONT, or end it)",
				holder_of(lockfd), LOCK_WAIT_US / 1000000);
		(void)nanosleep(&pause, NULL);
		waited_us += pause.tv_nsec / 1000;
		pause.tv_nsec = MIN(pause.tv_nsec * 2, 2000L * 1000);
	}
	return 0;
}

int journal_lock(struct journal *j, struct err *err)
{
	struct stat st;
	int r;

	assert(!j->locked || j->owner != getpid());
	for (;;) {
		r = open_lock(j, err);
		if (r != 0)
			return r;
		r = take_lock(j->lockfd, err);
		if (r != 0)
			return r;
		if (fstat(j->lockfd, &st) < 0)
			return err_sys(err, "cannot look at the lock");
		if (st.st_nlink > 0)
			break;
		close_one(&j->lockfd); /* somebody removed the file meanwhile */
	}
	j->locked = true;
	j->vouched = false;
	return 0;
}

static void write_voucher(struct journal *j)
{
	uint8_t v[VOUCHER_SIZE] = { 0 };

	le64_put(v, j->ino);
	le64_put(v + 8, j->end);
	le64_put(v + 16, j->base);
	le64_put(v + 24, j->compact_at);
	le32_put(v + 36, crc32c(0, v, 36));
	/* Without a voucher the next one reads the journal: nothing is lost by failing. */
	if (pwrite(j->lockfd, v, sizeof(v), 0) < 0)
		j->vouched = false;
}

void journal_unlock(struct journal *j)
{
	assert(j->locked);
	if (j->vouched)
		write_voucher(j);
	j->locked = false;
	(void)flock(j->lockfd, LOCK_UN);
}

/* True if the voucher speaks for the journal as it is now. */
static bool check_voucher(struct journal *j)
{
	uint8_t v[VOUCHER_SIZE];
	struct stat st;

	if (pread(j->lockfd, v, sizeof(v), 0) != (ssize_t)sizeof(v) ||
	    crc32c(0, v, 36) != le32_get(v + 36))
		return false;
	j->compact_at = le64_get(v + 24);
	if (j->fd >= 0 &&
	    (fstat(j->fd, &st) < 0 || st.st_nlink == 0 || st.st_ino != le64_get(v)))
		close_one(&j->fd);
	if (j->fd < 0) {
		j->fd = openat(j->dirfd, "journal",
			       O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
		if (j->fd < 0 || fstat(j->fd, &st) < 0)
			return false;
	}
	if (st.st_ino != le64_get(v) || (uint64_t)st.st_size != le64_get(v + 8))
		return false;
	j->ino = st.st_ino;
	j->end = (uint64_t)st.st_size;
	j->base = le64_get(v + 16);
	j->vouched = true;
	return true;
}

/* Puts a whole new journal in place and makes it the open one. */
static int replace(struct journal *j, const struct str *content, uint64_t base,
		   struct err *err)
{
	auto_fd fd = -1;
	struct stat st;
	int r;

	if (content->failed)
		return err_oom(err);
	fd = openat(j->dirfd, "journal.new",
		    O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot make a journal");
	r = fd_write_all(fd, content->p, content->len, err);
	if (r == 0 && fstat(fd, &st) < 0)
		r = err_sys(err, "cannot look at it");
	if (r == 0 && renameat(j->dirfd, "journal.new", j->dirfd, "journal") < 0)
		r = err_sys(err, "cannot put it in place");
	if (r != 0) {
		err_prefix(err, "a new journal");
		return r;
	}
	close_one(&j->fd);
	j->fd = TAKE_FD(fd);
	j->ino = st.st_ino;
	j->end = content->len;
	j->base = base;
	j->vouched = true;
	return 0;
}

static int start_empty(struct journal *j, struct err *err)
{
	auto_str content = STR_INIT;

	journal_encode_header(&content, 0);
	j->compact_at = 0;
	return replace(j, &content, 0, err);
}

static int collect(void *userdata, const struct journal_record *rec)
{
	struct journal_writer *w = userdata;

	journal_add(w, rec->type, rec->payload, rec->len);
	return 0;
}

/* Gives the damaged file a second name. */
static int set_aside(struct journal *j, char name[32], struct err *err)
{
	for (unsigned n = 1; n <= DAMAGED_MAX; n++) {
		(void)snprintf(name, 32, "journal.damaged-%u", n);
		if (linkat(j->dirfd, "journal", j->dirfd, name, 0) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, "cannot keep the damaged journal as '%s'",
				       name);
	}
	return err_set(err, PE_BAD,
		       "the journal is damaged, and there are %d older damaged "
		       "ones: remove the files journal.damaged-N",
		       DAMAGED_MAX);
}

static int mend(struct journal *j, const void *buf, size_t len,
		const struct journal_scan *scan, struct str *note, struct err *err)
{
	struct journal_writer w = { .base = scan->base + len };
	struct journal_scan again;
	char name[32];
	int r;

	r = set_aside(j, name, err);
	if (r != 0)
		return r;
	journal_encode_header(&w.out, w.base);
	(void)journal_decode(buf, len, collect, &w, &again);
	r = replace(j, &w.out, w.base, err);
	str_fini(&w.out);
	if (r == 0 && note)
		str_addf(
			note,
			"The journal of the running environments was damaged: %zu of "
			"%zu bytes could not be read, %zu records were kept; the damaged "
			"file is %s in the runtime directory.\n",
			scan->lost, len, scan->n_records, name);
	return r;
}

/* After a full decoding: makes the file what its records say. */
static int settle(struct journal *j, const void *buf, size_t len,
		  const struct journal_scan *scan, struct str *note, struct err *err)
{
	struct stat st;

	switch (scan->state) {
	case JOURNAL_FOREIGN:
		return err_set(err, PE_BAD,
			       "the journal was written by another version of "
			       "polder: stop its environments with that version first");
	case JOURNAL_DAMAGED: return mend(j, buf, len, scan, note, err);
	case JOURNAL_TORN:
		if (ftruncate(j->fd, (off_t)scan->good_end) < 0)
			return err_sys(err, "cannot cut a torn record off the journal");
		break;
	case JOURNAL_WHOLE: break;
	}
	if (fstat(j->fd, &st) < 0)
		return err_sys(err, "cannot look at the journal");
	j->ino = st.st_ino;
	j->base = scan->base;
	j->end = scan->good_end;
	j->vouched = true;
	return 0;
}

/* The file as it is now, by its name if it is not vouched for. -ENOENT: there is none. */
static int load(struct journal *j, char **ret, size_t *ret_len, struct err *err)
{
	auto_free char *buf = NULL;
	size_t len, n = 0;
	struct stat st;
	int r;

	if (!j->vouched) {
		close_one(&j->fd);
		j->fd = openat(j->dirfd, "journal",
			       O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
		if (j->fd < 0 && errno == ENOENT)
			return -ENOENT;
	}
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return err_sys(err, "cannot open the journal");
	if (!S_ISREG(st.st_mode) || st.st_size > JOURNAL_FILE_MAX)
		return err_set(err, PE_BAD,
			       "the journal is not a file of at most %d MiB: "
			       "remove it when no environment runs",
			       JOURNAL_FILE_MAX / 1024 / 1024);
	len = (size_t)st.st_size;
	buf = malloc(len + 1);
	if (!buf)
		return err_oom(err);
	if (lseek(j->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot read the journal");
	r = fd_read_full(j->fd, buf, len, &n, err);
	if (r != 0)
		return r;
	*ret = TAKE_PTR(buf);
	*ret_len = n;
	return 0;
}

int journal_read(struct journal *j, journal_fn *fn, void *userdata, struct str *note,
		 struct err *err)
{
	auto_free char *buf = NULL;
	struct journal_scan scan;
	size_t len = 0;
	int r;

	assert(j->locked);
	if (!j->vouched)
		(void)check_voucher(j);
	r = load(j, &buf, &len, err);
	if (r == -ENOENT)
		return start_empty(j, err);
	if (r != 0)
		return r;
	r = journal_decode(buf, len, fn, userdata, &scan);
	if (r != 0)
		return r;
	if (scan.state == JOURNAL_WHOLE && j->vouched && scan.base == j->base)
		return 0;
	/* What was vouched for was whole once: no crash cut it off. */
	if (scan.state == JOURNAL_TORN && j->vouched)
		scan.state = JOURNAL_DAMAGED;
	return settle(j, buf, len, &scan, note, err);
}

static int ignore(void *userdata, const struct journal_record *rec)
{
	(void)userdata;
	(void)rec;
	return 0;
}

/* One write, or none of it. */
static int write_record(struct journal *j, const struct str *rec, struct err *err)
{
	ssize_t n;

	do
		n = write(j->fd, rec->p, rec->len);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n == rec->len) {
		j->end += rec->len;
		return 0;
	}
	if (n >= 0)
		errno = ENOSPC;
	(void)err_sys(err, "cannot write to the journal");
	n = -errno;
	if (ftruncate(j->fd, (off_t)j->end) < 0)
		j->vouched = false;
	return (int)n;
}

int journal_append(struct journal *j, uint16_t type, const void *payload, size_t len,
		   struct str *note, struct err *err)
{
	auto_str rec = STR_INIT;
	int r;

	assert(j->locked);
	if (len > JOURNAL_PAYLOAD_MAX)
		return err_set(err, PE_USAGE,
			       "what is to be written down about an "
			       "environment is longer than %d bytes",
			       JOURNAL_PAYLOAD_MAX);
	if (!j->vouched && !check_voucher(j)) {
		r = journal_read(j, ignore, NULL, note, err);
		if (r != 0)
			return r;
	}
	if (j->end + len + JOURNAL_RECORD_MIN > JOURNAL_FILE_MAX)
		return err_set(err, PE_REFUSED,
			       "the journal has reached %d MiB: stop some "
			       "environments",
			       JOURNAL_FILE_MAX / 1024 / 1024);
	journal_encode(&rec, type, j->base + j->end, payload, len);
	if (rec.failed)
		return err_oom(err);
	return write_record(j, &rec, err);
}

bool journal_is_long(const struct journal *j)
{
	return j->vouched && j->end > MAX(j->compact_at, (uint64_t)JOURNAL_COMPACT_MIN);
}

int journal_rewrite(struct journal *j, journal_fill_fn *fill, void *userdata,
		    struct err *err)
{
	struct journal_writer w = { .base = j->base + j->end };
	int r;

	assert(j->locked && j->vouched);
	journal_encode_header(&w.out, w.base);
	r = fill(userdata, &w, err);
	if (r == 0)
		r = replace(j, &w.out, w.base, err);
	if (r == 0)
		j->compact_at = j->end * 2;
	str_fini(&w.out);
	return r;
}
