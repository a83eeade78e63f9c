/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the design, and what a name or a path may look like. */
#include "graph/graph-internal.h"

#include <assert.h>

static const char iface_names[][12] = {
	[IF_CONSOLE] = "console",   [IF_DIR] = "dir",       [IF_VOLUME] = "volume",
	[IF_NET] = "net",           [IF_CLOCK] = "clock",   [IF_ENTROPY] = "entropy",
	[IF_IDENTITY] = "identity", [IF_SOCKET] = "socket", [IF_SPAWN] = "spawn",
};
static_assert(ARRAY_LEN(iface_names) == IF_COUNT, "every interface has a name");

static const char source_names[][8] = {
	[SRC_OWN] = "own",     [SRC_PARENT] = "parent", [SRC_HOST] = "host",
	[SRC_STORE] = "store", [SRC_ENV] = "env",       [SRC_NULL] = "null",
	[SRC_FAKE] = "fake",
};
static_assert(ARRAY_LEN(source_names) == SRC_COUNT, "every source has a name");

static const char cut_names[][12] = {
	[CUT_COMPLETE] = "complete",
	[CUT_NEW_USES] = "new-uses",
	[CUT_RESTART] = "restart",
	[CUT_IMPOSSIBLE] = "impossible",
};
static_assert(ARRAY_LEN(cut_names) == CUT_COUNT, "every cut strength has a name");

static const char *const program_names[] = {
	[PROGRAM_LINUX] = "linux",
	[PROGRAM_SPT] = "spt",
	[PROGRAM_HVT] = "hvt",
};
static_assert(ARRAY_LEN(program_names) == PROGRAM_COUNT, "every program kind has a name");

const char *program_name(enum program_kind p)
{
	return program_names[p];
}

const char *iface_name(enum iface i)
{
	return iface_names[i];
}

const char *source_name(enum source s)
{
	return source_names[s];
}

const char *cut_name(enum cut c)
{
	return cut_names[c];
}

bool iface_from_name(const char *name, enum iface *ret)
{
	for (size_t i = 0; i < IF_COUNT; i++)
		if (streq(name, iface_names[i])) {
			*ret = (enum iface)i;
			return true;
		}
	return false;
}

bool name_valid(const char *name, bool dotted)
{
	size_t len = strlen(name);
	bool first = true;

	if (len == 0 || len > MAX_NAME)
		return false;
	for (const char *p = name; *p; p++) {
		bool letter = *p >= 'a' && *p <= 'z';
		bool more = (*p >= '0' && *p <= '9') || *p == '-';

		if (*p == '.' && dotted && !first) {
			first = true;
			continue;
		}
		if (!letter && (first || !more))
			return false;
		first = false;
	}
	return !first;
}

/* The component at *p, which is moved past it and its slashes; its length. */
static size_t component(const char **p)
{
	size_t n = strcspn(*p, "/");

	*p += n;
	*p += strspn(*p, "/");
	return n;
}

static bool is_dotdot(const char *at, size_t n)
{
	return n == 2 && at[0] == '.' && at[1] == '.';
}

static bool is_dot(const char *at, size_t n)
{
	return n == 1 && at[0] == '.';
}

bool text_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

bool relative_path_valid(const char *path)
{
	const char *p = path;

	if (*p == '\0' || *p == '/' || strlen(path) > MAX_SLOT)
		return false;
	while (*p) {
		const char *at = p;
		size_t n = component(&p);

		if (is_dotdot(at, n) || is_dot(at, n))
			return false;
	}
	return true;
}

/* Adds "/component" for every component but "."; false on ".." if that is not kept. */
static bool add_components(struct str *out, const char *p, bool keep_dotdot)
{
	p += strspn(p, "/");
	while (*p) {
		const char *at = p;
		size_t n = component(&p);

		if (is_dotdot(at, n) && !keep_dotdot)
			return false;
		if (is_dot(at, n))
			continue;
		str_addc(out, '/');
		str_addn(out, at, n);
	}
	return true;
}

int slot_path(const char *path, char **ret)
{
	auto_str out = STR_INIT;

	if (*path != '/' || strlen(path) > MAX_SLOT || !text_plain(path) ||
	    !add_components(&out, path, false))
		return PE_USAGE;
	if (out.len == 0)
		str_addc(&out, '/');
	*ret = str_take(&out);
	return *ret ? 0 : -ENOMEM;
}

const char *path_below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n == 1 && *prefix == '/')
		return *path == '/' ? (path[1] ? path : "") : NULL;
	if (strncmp(path, prefix, n) != 0 || (path[n] != '\0' && path[n] != '/'))
		return NULL;
	return path + n;
}

int path_resolve(const char *text, const struct path_base *base, char **ret,
		 struct err *err)
{
	auto_str out = STR_INIT;
	const char *start = "";

	if (!text_plain(text))
		return err_set(err, PE_USAGE, "a path has no control characters");
	if (streq(text, "~") || str_starts(text, "~/")) {
		start = base ? base->home : NULL;
		if (!start || *start != '/')
			return err_set(err, PE_USAGE,
				       "\"%s\": there is no home directory here; "
				       "write the whole path",
				       text);
		text++;
	} else if (*text == '~') {
		return err_set(err, PE_USAGE,
			       "\"%s\": only ~/ is known; write the whole "
			       "path of another user's files",
			       text);
	} else if (*text == '.') {
		start = base ? base->cwd : NULL;
		if (!streq(text, ".") && !streq(text, "..") && !str_starts(text, "./") &&
		    !str_starts(text, "../"))
			return err_set(err, PE_USAGE,
				       "\"%s\" is not a path that begins "
				       "with / ./ ../ or ~/",
				       text);
		if (!start || *start != '/')
			return err_set(err, PE_USAGE,
				       "\"%s\": a relative path cannot be "
				       "used here; write the whole path",
				       text);
	} else if (*text != '/') {
		return err_set(err, PE_USAGE,
			       "\"%s\" is not a path that begins with / ./ ../ or ~/",
			       text);
	}
	(void)add_components(&out, start, true);
	(void)add_components(&out, text, true);
	if (out.len == 0)
		str_addc(&out, '/');
	if (out.len > MAX_SLOT)
		return err_set(err, PE_USAGE, "the path is longer than %d bytes",
			       MAX_SLOT);
	*ret = str_take(&out);
	return *ret ? 0 : err_oom(err);
}

static bool digits(const char **p, size_t n, char end, unsigned *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*ret = *ret * 10 + (unsigned)(**p - '0');
	}
	return *(*p)++ == end;
}

/* Days since 1970-01-01, of a year from 1970 on; no day may be past its month's end. */
static bool days_of(unsigned y, unsigned m, unsigned d, uint64_t *ret)
{
	static const unsigned char length[] = { 31, 28, 31, 30, 31, 30,
						31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	uint64_t days = 0;

	if (y < 1970 || y > 2500 || m < 1 || m > 12 || d < 1 ||
	    d > length[m - 1] + (leap && m == 2 ? 1u : 0u))
		return false;
	for (unsigned k = 1970; k < y; k++)
		days += (k % 4 == 0 && k % 100 != 0) || k % 400 == 0 ? 366 : 365;
	for (unsigned k = 1; k < m; k++)
		days += length[k - 1] + (leap && k == 2 ? 1u : 0u);
	*ret = days + d - 1;
	return true;
}

bool time_parse(const char *text, uint64_t *ret_ns)
{
	unsigned y, mo, d, h, mi, s;
	uint64_t days, seconds;
	const char *p = text;

	if (strchr(text, '-')) {
		if (!digits(&p, 4, '-', &y) || !digits(&p, 2, '-', &mo) ||
		    !digits(&p, 2, 'T', &d) || !digits(&p, 2, ':', &h) ||
		    !digits(&p, 2, ':', &mi) || !digits(&p, 2, 'Z', &s) || *p || h > 23 ||
		    mi > 59 || s > 59 || !days_of(y, mo, d, &days))
			return false;
		seconds = days * 86400 + h * 3600 + mi * 60 + s;
	} else if (!str_to_u64(text, &seconds) || seconds > UINT64_MAX / 1000000000) {
		return false;
	}
	*ret_ns = seconds * 1000000000;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

bool mac_parse(const char *text, uint8_t ret[6])
{
	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		int hi = hex_digit(text[3 * i]), lo = hex_digit(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || text[3 * i + 2] != (i < 5 ? ':' : '\0'))
			return false;
		ret[i] = (uint8_t)(hi << 4 | lo);
	}
	return (ret[0] & 1) == 0;
}
