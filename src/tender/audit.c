/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What caretakers saw, one JSON object a line, in the file `audit` beside the console's log;
 * the one before it is `audit.1`. docs/protocol.md has the members.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "tender/tender-internal.h"
#include "wire/care.h"

#define AUDIT_BYTES (1u << 20)

static void encode(const char *slot, const char *rule, const struct care_logged *l,
		   struct str *out)
{
	struct json j = JSON_INIT(out);
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	json_open(&j, '{');
	json_kint(&j, "time_ms", (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
	json_kstr(&j, "slot", slot);
	json_kstr(&j, "rule", rule);
	json_kstr(&j, "act", care_act_name(l->act) ? care_act_name(l->act) : "?");
	json_kbool(&j, "denied", l->denied);
	json_kstr(&j, "error", l->error ? strerror((int)l->error) : "");
	json_kstr(&j, "path", l->path ? l->path : "");
	if (l->path2)
		json_kstr(&j, "to", l->path2);
	json_kint(&j, "read", (int64_t)l->read);
	json_kint(&j, "written", (int64_t)l->written);
	json_close(&j, '}');
	str_addc(out, '\n');
}

/* What cannot be written is lost: a full disk does not stop the environment. */
void audit_write(struct tender *t, const char *slot, const char *rule,
		 const struct care_logged *l)
{
	auto_str line = STR_INIT;
	struct stat st;
	auto_fd fd = -1;

	if (t->job->log_dir < 0)
		return;
	encode(slot, rule, l, &line);
	fd = openat(t->job->log_dir, "audit",
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > AUDIT_BYTES) {
		(void)renameat(t->job->log_dir, "audit", t->job->log_dir, "audit.1");
		(void)close(fd);
		fd = openat(t->job->log_dir, "audit",
			    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (fd >= 0 && !line.failed)
		(void)fd_write_all(fd, line.p, line.len, NULL);
}
