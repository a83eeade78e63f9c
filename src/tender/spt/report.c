/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - the one sentence of a start that is refused: over report_fd if the spec has
 * one, since then somebody else speaks to the person; else on standard error.
 */
#include <errno.h>

#include "tender/spt/spt-internal.h"

static const struct {
	int number;
	const char *text;
} reasons[] = {
	{ EPERM, "operation not permitted" },
	{ ENOENT, "no such file or directory" },
	{ EINTR, "interrupted" },
	{ EIO, "input/output error" },
	{ EBADF, "not an open descriptor of that kind" },
	{ ENOMEM, "out of memory, or a limit on it" },
	{ EACCES, "permission denied" },
	{ EEXIST, "something else is there" },
	{ EINVAL, "invalid argument" },
	{ ENFILE, "too many open files on this machine" },
	{ EMFILE, "too many open files" },
	{ ENODEV, "the file cannot be mapped" },
	{ ETXTBSY, "the file is being written" },
	{ EFBIG, "the file is too large" },
	{ EROFS, "read-only file system" },
	{ ENOSYS, "this kernel does not have it" },
	{ ELOOP, "too many symbolic links" },
};

static void add(char *text, size_t *len, size_t size, const char *more)
{
	for (; *more && *len + 1 < size; more++)
		text[(*len)++] = *more >= ' ' && *more != 0x7f ? *more : '?';
	text[*len] = '\0';
}

const char *spt_number(char *buf, uint64_t v)
{
	char *p = buf + 20;

	*p = '\0';
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return p;
}

_Noreturn static void end(const struct spt *s, struct uspec_report *r, size_t len)
{
	static const char name[] = "polder-tender-spt: ";

	if (s && s->spec.report_fd >= 0) {
		(void)sys_write(s->spec.report_fd, r, sizeof(*r));
		sys_exit(r->code);
	}
	/* One write, so that lines of several tenders do not mix. */
	len = MIN(len, sizeof(r->text) - sizeof(name) - 1);
	r->text[len++] = '\n';
	for (size_t i = len; i > 0; i--)
		r->text[i - 1 + sizeof(name) - 1] = r->text[i - 1];
	memcpy(r->text, name, sizeof(name) - 1);
	(void)sys_write(2, r->text, len + sizeof(name) - 1);
	sys_exit(r->code);
}

static size_t sentence(struct uspec_report *r, const char *const *words)
{
	size_t len = 0;

	for (; *words; words++)
		add(r->text, &len, sizeof(r->text), *words);
	return len;
}

void spt_refuse_words(const struct spt *s, int code, const char *const *words)
{
	struct uspec_report r = { .outcome = USPEC_REFUSED, .code = code };

	end(s, &r, sentence(&r, words));
}

void spt_refuse_words_sys(const struct spt *s, int code, long neg,
			  const char *const *words)
{
	struct uspec_report r = { .outcome = USPEC_REFUSED, .code = code };
	size_t len = sentence(&r, words);
	char digits[21];

	add(r.text, &len, sizeof(r.text), ": ");
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].number == -neg) {
			add(r.text, &len, sizeof(r.text), reasons[i].text);
			end(s, &r, len);
		}
	add(r.text, &len, sizeof(r.text), "error ");
	add(r.text, &len, sizeof(r.text), spt_number(digits, (uint64_t)-neg));
	end(s, &r, len);
}
