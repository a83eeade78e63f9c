/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h - an append-only file of checked records, changed under a lock.
 *
 * The journal knows nothing of what its records mean: src/state/registry folds them.
 *
 * File format, little-endian:
 *
 *   header   8 bytes "PolderJ\n", u32 version, u32 reserved (0), u64 base,
 *            u32 reserved (0), u32 crc32c of the 28 bytes before        32 bytes
 *   record   u32 length of the whole record, u16 type, u16 flags (0), u64 sequence,
 *            payload, u32 crc32c of all before                          20 + payload
 *
 * A record's sequence is base + its offset in the file. So it grows by at least 20
 * with every record, needs no reading before an append, and tells a reader who lost
 * the thread where the next record is. A rewrite (compaction) sets base such that
 * sequences go on growing.
 *
 * Order of calls: journal_init, then any number of { journal_lock, … journal_unlock },
 * journal_fini. Everything but lock, fini and decode asserts that the lock is held. A
 * struct journal may be used on both sides of a fork(): each process has its own lock.
 *
 * Errors: -errno with a sentence; PE_BUSY where the lock cannot be had for 5 s; PE_BAD where the file cannot be read by this version.
 * Damage is no error: it is repaired and told in a note (see journal_read).
 */
#ifndef POLDER_STATE_JOURNAL_H
#define POLDER_STATE_JOURNAL_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

#define JOURNAL_HEADER 32
#define JOURNAL_RECORD_MIN 20
#define JOURNAL_RECORD_MAX (64 * 1024)
#define JOURNAL_PAYLOAD_MAX (JOURNAL_RECORD_MAX - JOURNAL_RECORD_MIN)
#define JOURNAL_FILE_MAX (64 * 1024 * 1024)
#define JOURNAL_COMPACT_MIN (256 * 1024)

struct journal_record {
	uint16_t type, flags;
	uint64_t sequence;
	const uint8_t *payload; /* lives as long as the buffer */
	size_t len;
};

/* Returning anything but 0 ends the decoding; journal_decode hands it on. */
typedef int journal_fn(void *userdata, const struct journal_record *rec);

enum journal_state {
	JOURNAL_WHOLE,
	JOURNAL_TORN,    /* ends in the middle of a record: a crash while appending */
	JOURNAL_DAMAGED, /* bytes that are no record, with or without more after them */
	JOURNAL_FOREIGN, /* another version's file */
};

struct journal_scan {
	enum journal_state state;
	uint64_t base;
	size_t good_end;  /* bytes up to the first that is no record */
	size_t n_records; /* handed to the callback */
	size_t lost;      /* bytes that are in no record */
};

/*
 * Pure: hands every whole record of a file's content to fn, also those behind a damaged
 * stretch. Any input is safe. Returns 0 or what fn returned.
 */
int journal_decode(const void *buf, size_t len, journal_fn *fn, void *userdata,
		   struct journal_scan *ret);

/* One record's bytes at the end of out. */
void journal_encode(struct str *out, uint16_t type, uint64_t sequence,
		    const void *payload, size_t len);
void journal_encode_header(struct str *out, uint64_t base);

uint32_t crc32c(uint32_t crc, const void *data, size_t len);

struct journal {
	int dirfd; /* borrowed */
	int lockfd, fd;
	pid_t owner; /* whose lockfd it is */
	bool locked;
	bool vouched; /* end, base are known to be right */
	uint64_t ino, end, base, compact_at;
};

void journal_init(struct journal *j, int dirfd);
void journal_fini(struct journal *j);

int journal_lock(struct journal *j, struct err *err);
void journal_unlock(struct journal *j);

/*
 * Adds one record with a single write; nothing is added when it fails. Costs no reading
 * of the journal, unless the last writer was killed in the middle.
 */
int journal_append(struct journal *j, uint16_t type, const void *payload, size_t len,
		   struct str *note, struct err *err);

/*
 * Hands all records to fn. A torn tail is cut off. A damaged file is moved aside as
 * journal.damaged-N, the records that could be read are written anew, and a sentence
 * that says so is added to note.
 */
int journal_read(struct journal *j, journal_fn *fn, void *userdata, struct str *note,
		 struct err *err);

/* Grown past the size at which rewriting it would pay. */
bool journal_is_long(const struct journal *j);

/*
 * Replaces the content by what fill() adds with journal_add(); the old file is in place
 * until the new one is complete. The next rewrite is due at twice that size.
 */
struct journal_writer {
	struct str out;
	uint64_t base;
};
void journal_add(struct journal_writer *w, uint16_t type, const void *payload,
		 size_t len);
typedef int journal_fill_fn(void *userdata, struct journal_writer *w, struct err *err);
int journal_rewrite(struct journal *j, journal_fill_fn *fill, void *userdata,
		    struct err *err);

#endif
