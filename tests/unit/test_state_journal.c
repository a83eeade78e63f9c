/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_state.h"

#include "state/journal.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int run_fd = -1;
static struct journal j;

static int setup(void **state)
{
	if (setup_places(state) != 0 || places_open_run(&places, &run_fd, NULL) != 0)
		return -1;
	journal_init(&j, run_fd);
	return 0;
}

static int teardown(void **state)
{
	journal_fini(&j);
	(void)close(run_fd);
	return teardown_places(state);
}

struct seen {
	size_t n;
	uint64_t last_sequence;
	struct str texts;
};

static int see(void *userdata, const struct journal_record *rec)
{
	struct seen *s = userdata;

	assert_true(s->n == 0 || rec->sequence > s->last_sequence);
	s->last_sequence = rec->sequence;
	s->n++;
	str_addf(&s->texts, "%u:", rec->type);
	str_addn(&s->texts, rec->payload, rec->len);
	str_addc(&s->texts, ' ');
	return 0;
}

static void append(uint16_t type, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(journal_lock(&j, &err), 0);
	assert_int_equal(journal_append(&j, type, text, strlen(text), NULL, &err), 0);
	journal_unlock(&j);
}

static uint64_t expect(const char *texts, const char *in_note)
{
	auto_str note = STR_INIT;
	struct seen s = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(journal_lock(&j, &err), 0);
	assert_int_equal(journal_read(&j, see, &s, &note, &err), 0);
	journal_unlock(&j);
	assert_string_equal(str_text(&s.texts), texts);
	if (in_note)
		assert_non_null(strstr(str_text(&note), in_note));
	else
		assert_string_equal(str_text(&note), "");
	str_fini(&s.texts);
	return s.last_sequence;
}

static char *content(size_t *ret_len)
{
	char *buf;

	assert_int_equal(fd_read_file_at(run_fd, "journal", 1 << 20, &buf, ret_len, NULL),
			 0);
	return buf;
}

/* Overwrites the file in place, as a fault would: its inode stays. */
static void put(const char *bytes, size_t len)
{
	int fd = openat(run_fd, "journal", O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len, NULL), 0);
	(void)close(fd);
}

static bool exists(const char *name)
{
	return faccessat(run_fd, name, F_OK, 0) == 0;
}

/* ---- the pure half ---- */

static void crc_is_castagnoli(void **state)
{
	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static size_t three_records(struct str *file, size_t ends[3])
{
	struct journal_writer w = { .base = 5000 };
	static const char *const texts[] = { "one", "", "three" };

	journal_encode_header(&w.out, w.base);
	for (size_t i = 0; i < 3; i++) {
		journal_add(&w, (uint16_t)(i + 1), texts[i], strlen(texts[i]));
		ends[i] = w.out.len;
	}
	*file = w.out;
	return w.out.len;
}

static void every_cut_is_whole_or_torn(void **state)
{
	struct journal_scan scan;
	struct str file;
	size_t ends[3], len = three_records(&file, ends);

	(void)state;
	for (size_t cut = JOURNAL_HEADER; cut <= len; cut++) {
		size_t n = (cut >= ends[0]) + (cut >= ends[1]) + (cut >= ends[2]);
		size_t end = n ? ends[n - 1] : JOURNAL_HEADER;
		struct seen s = { 0 };

		assert_int_equal(journal_decode(file.p, cut, see, &s, &scan), 0);
		assert_int_equal(s.n, n);
		assert_int_equal(scan.good_end, end);
		assert_int_equal(scan.state, cut == end ? JOURNAL_WHOLE : JOURNAL_TORN);
		assert_int_equal(scan.lost, cut - end);
		str_fini(&s.texts);
	}
	str_fini(&file);
}

static void every_flipped_bit_is_found(void **state)
{
	struct journal_scan scan;
	struct str file;
	size_t ends[3], len = three_records(&file, ends);

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct seen s = { 0 };

		file.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(journal_decode(file.p, len, see, &s, &scan), 0);
		assert_int_not_equal(scan.state, JOURNAL_WHOLE);
		/* The header's loss costs no record, a record's costs only that one. */
		assert_int_equal(s.n, bit / 8 < JOURNAL_HEADER ? 3 : 2);
		file.p[bit / 8] ^= (char)(1 << bit % 8);
		str_fini(&s.texts);
	}
	str_fini(&file);
}

static void zeros_at_the_end_are_torn(void **state)
{
	struct journal_scan scan;
	struct seen s = { 0 };
	struct str file;
	size_t ends[3];

	(void)state;
	(void)three_records(&file, ends);
	for (int i = 0; i < 100; i++)
		str_addc(&file, '\0');
	assert_int_equal(journal_decode(file.p, file.len, see, &s, &scan), 0);
	assert_int_equal(scan.state, JOURNAL_TORN);
	assert_int_equal(scan.good_end, ends[2]);
	str_fini(&file);
	str_fini(&s.texts);
}

static int refuse(void *userdata, const struct journal_record *rec)
{
	(void)userdata;
	return rec->type == 2 ? -77 : 0;
}

static void what_the_callback_says_is_handed_on(void **state)
{
	struct journal_scan scan;
	struct str file;
	size_t ends[3];

	(void)state;
	(void)three_records(&file, ends);
	assert_int_equal(journal_decode(file.p, file.len, refuse, NULL, &scan), -77);
	str_fini(&file);
}

/* ---- the file ---- */

static void what_is_added_is_read(void **state)
{
	(void)state;
	expect("", NULL);
	append(1, "a");
	append(300, "");
	append(2, "bc");
	expect("1:a 300: 2:bc ", NULL);
	assert_false(exists("journal.damaged-1"));
}

static void too_long_is_refused(void **state)
{
	struct err err = ERR_INIT;
	char *big = calloc(1, JOURNAL_PAYLOAD_MAX + 1);

	(void)state;
	assert_int_equal(journal_lock(&j, &err), 0);
	assert_int_equal(journal_append(&j, 1, big, JOURNAL_PAYLOAD_MAX + 1, NULL, &err),
			 PE_USAGE);
	assert_int_equal(journal_append(&j, 1, big, JOURNAL_PAYLOAD_MAX, NULL, &err), 0);
	journal_unlock(&j);
	free(big);
}

static void torn_tail_is_cut_before_an_append(void **state)
{
	auto_free char *whole = NULL;
	size_t first = JOURNAL_HEADER + JOURNAL_RECORD_MIN + 5, len;

	(void)state;
	append(1, "first");
	append(2, "second");
	whole = content(&len);
	for (size_t cut = first; cut < len; cut++) {
		/* As long as the round before left it: a crash cannot do that. */
		if (cut == first + JOURNAL_RECORD_MIN + 5)
			continue;
		put(whole, cut);
		append(3, "third");
		expect("1:first 3:third ", NULL);
	}
	assert_false(exists("journal.damaged-1"));
}

static void record_without_voucher_counts(void **state)
{
	auto_str rec = STR_INIT;
	auto_free char *whole = NULL;
	size_t len;

	(void)state;
	append(1, "first");
	whole = content(&len);
	str_addn(&rec, whole, len);
	journal_encode(&rec, 2, len, "second", 6);
	put(rec.p, rec.len);
	append(3, "third");
	expect("1:first 2:second 3:third ", NULL);
}

static void damage_is_kept_aside_and_told(void **state)
{
	auto_free char *bytes = NULL, *aside = NULL;
	size_t len, aside_len;
	uint64_t before, after;

	(void)state;
	append(1, "first");
	append(2, "second");
	append(3, "third");
	before = expect("1:first 2:second 3:third ", NULL);
	bytes = content(&len);
	bytes[JOURNAL_HEADER + 20 + 5 + 17] ^= 1;
	put(bytes, len);
	expect("1:first 3:third ", "journal.damaged-1");
	assert_int_equal(fd_read_file_at(run_fd, "journal.damaged-1", 1 << 20, &aside,
					 &aside_len, NULL),
			 0);
	assert_int_equal(aside_len, len);
	assert_memory_equal(aside, bytes, len);
	after = expect("1:first 3:third ", NULL);
	assert_true(after > before);
	append(4, "on");
	expect("1:first 3:third 4:on ", NULL);
}

static void damage_at_the_end_is_told_too(void **state)
{
	auto_free char *bytes = NULL;
	size_t len;

	(void)state;
	append(1, "first");
	append(2, "last");
	bytes = content(&len);
	bytes[len - JOURNAL_RECORD_MIN - 4 + 1] ^= 1; /* its length: now past the end */
	put(bytes, len);
	expect("1:first ", "journal.damaged-1");
}

static void second_damage_gets_another_name(void **state)
{
	(void)state;
	append(1, "x");
	put("garbage that is no journal at all, and long enough", 50);
	expect("", "journal.damaged-1");
	put("", 0);
	expect("", "journal.damaged-2");
}

static void another_version_is_refused(void **state)
{
	auto_str h = STR_INIT;
	struct err err = ERR_INIT;
	struct seen s = { 0 };
	uint32_t crc;

	(void)state;
	journal_encode_header(&h, 0);
	h.p[8] = 2;
	crc = crc32c(0, h.p, 28);
	for (int i = 0; i < 4; i++)
		h.p[28 + i] = (char)(crc >> 8 * i);
	append(1, "x");
	put(h.p, h.len);
	assert_int_equal(journal_lock(&j, &err), 0);
	assert_int_equal(journal_read(&j, see, &s, NULL, &err), PE_BAD);
	assert_int_equal(journal_append(&j, 1, "y", 1, NULL, &err), PE_BAD);
	journal_unlock(&j);
	assert_non_null(strstr(err.text, "another version"));
}

static int fill_one(void *userdata, struct journal_writer *w, struct err *err)
{
	(void)err;
	journal_add(w, 9, userdata, strlen(userdata));
	return 0;
}

static void rewriting_keeps_sequences_growing(void **state)
{
	char kept[] = "kept";
	uint64_t before, after;

	(void)state;
	append(1, "a");
	append(2, "b");
	before = expect("1:a 2:b ", NULL);
	assert_int_equal(journal_lock(&j, NULL), 0);
	assert_int_equal(journal_append(&j, 3, "c", 1, NULL, NULL), 0);
	assert_int_equal(journal_rewrite(&j, fill_one, kept, NULL), 0);
	journal_unlock(&j);
	after = expect("9:kept ", NULL);
	assert_true(after > before);
}

static void another_handle_follows_a_rewrite(void **state)
{
	struct journal other;
	char kept[] = "kept";

	(void)state;
	append(1, "a");
	journal_init(&other, run_fd);
	assert_int_equal(journal_lock(&other, NULL), 0);
	assert_int_equal(journal_append(&other, 2, "b", 1, NULL, NULL), 0);
	assert_int_equal(journal_rewrite(&other, fill_one, kept, NULL), 0);
	journal_unlock(&other);
	append(3, "c");
	expect("9:kept 3:c ", NULL);
	journal_fini(&other);
}

static void removed_files_are_made_anew(void **state)
{
	(void)state;
	append(1, "a");
	assert_int_equal(unlinkat(run_fd, "journal", 0), 0);
	append(2, "b");
	expect("2:b ", NULL);
	assert_int_equal(unlinkat(run_fd, "lock", 0), 0);
	append(3, "c");
	assert_true(exists("lock"));
	expect("2:b 3:c ", NULL);
}

static void both_sides_of_a_fork_write(void **state)
{
	struct seen s = { 0 };
	int status;
	pid_t child;

	(void)state;
	append(1, "before");
	child = fork();
	for (int i = 0; i < 500; i++) {
		struct err err = ERR_INIT;

		if (journal_lock(&j, &err) != 0 ||
		    journal_append(&j, 2, "record", 6, NULL, &err) != 0)
			break;
		journal_unlock(&j);
	}
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(journal_lock(&j, NULL), 0);
	assert_int_equal(journal_read(&j, see, &s, NULL, NULL), 0);
	journal_unlock(&j);
	assert_int_equal(s.n, 1001);
	str_fini(&s.texts);
	assert_false(exists("journal.damaged-1"));
}

static void full_disk_adds_nothing(void **state)
{
	struct rlimit old, tight;
	struct err err = ERR_INIT;

	(void)state;
	append(1, "first");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = JOURNAL_HEADER + 2 * JOURNAL_RECORD_MIN + 5;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(journal_lock(&j, &err), 0);
	assert_true(journal_append(&j, 2, "second", 6, NULL, &err) < 0);
	journal_unlock(&j);
	assert_non_null(strstr(err.text, "cannot write to the journal"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	expect("1:first ", NULL);
	append(3, "third");
	expect("1:first 3:third ", NULL);
}

static void stopped_holder_is_named(void **state)
{
	auto_fd fd = -1;
	char want[32];
	struct err err = ERR_INIT;

	(void)state;
	append(1, "x");
	fd = openat(run_fd, "lock", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(journal_lock(&j, &err), PE_BUSY);
	(void)snprintf(want, sizeof(want), "process %d holds", getpid());
	assert_non_null(strstr(err.text, want));
	assert_int_equal(flock(fd, LOCK_UN), 0);
	append(2, "y");
	expect("1:x 2:y ", NULL);
}

static void long_is_told(void **state)
{
	char *big = calloc(1, 60000);
	char kept[] = "kept";

	(void)state;
	assert_int_equal(journal_lock(&j, NULL), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(journal_append(&j, 1, big, 60000, NULL, NULL), 0);
		assert_true(journal_is_long(&j) == (i == 4));
	}
	assert_int_equal(journal_rewrite(&j, fill_one, kept, NULL), 0);
	assert_false(journal_is_long(&j));
	journal_unlock(&j);
	free(big);
}

int main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(every_cut_is_whole_or_torn),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(zeros_at_the_end_are_torn),
		cmocka_unit_test(what_the_callback_says_is_handed_on),
		FILE_TEST(what_is_added_is_read),
		FILE_TEST(too_long_is_refused),
		FILE_TEST(torn_tail_is_cut_before_an_append),
		FILE_TEST(record_without_voucher_counts),
		FILE_TEST(damage_is_kept_aside_and_told),
		FILE_TEST(damage_at_the_end_is_told_too),
		FILE_TEST(second_damage_gets_another_name),
		FILE_TEST(another_version_is_refused),
		FILE_TEST(rewriting_keeps_sequences_growing),
		FILE_TEST(another_handle_follows_a_rewrite),
		FILE_TEST(removed_files_are_made_anew),
		FILE_TEST(both_sides_of_a_fork_write),
		FILE_TEST(full_disk_adds_nothing),
		FILE_TEST(stopped_holder_is_named),
		FILE_TEST(long_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
