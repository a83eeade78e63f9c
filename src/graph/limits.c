/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits as people write them. What is absurd is said by graph_check. */
#include "graph/graph-internal.h"

static bool to_percent(const char *value, uint64_t *ret)
{
	size_t n = strlen(value);
	char digits[24];

	if (n > 0 && value[n - 1] == '%')
		n--;
	if (n >= sizeof(digits))
		return false;
	memcpy(digits, value, n);
	digits[n] = '\0';
	return str_to_u64(digits, ret);
}

static const struct limit_kind {
	const char *name;
	bool (*read)(const char *, uint64_t *);
	size_t offset;
	const char *like;
} limit_kinds[] = {
	{ "mem", str_to_bytes, offsetof(struct limits, mem_bytes),
	  "bytes, as 256M or 2G" },
	{ "cpu", to_percent, offsetof(struct limits, cpu_percent),
	  "percent of one CPU, as 50% or 150%" },
	{ "pids", str_to_u64, offsetof(struct limits, pids),
	  "a number of processes and threads, as 64" },
	{ "time", str_to_ms, offsetof(struct limits, time_ms),
	  "a duration, as 90s, 10m or 2h" },
};

int limits_set(struct limits *l, const char *key, const char *value, struct err *err)
{
	const char *names[ARRAY_LEN(limit_kinds)], *near;
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(limit_kinds); i++) {
		const struct limit_kind *k = &limit_kinds[i];

		names[i] = k->name;
		if (!streq(k->name, key))
			continue;
		if (!k->read(value, &v))
			return err_set(err, PE_USAGE, "%s takes %s, not \"%s\"", key,
				       k->like, value);
		if (v == 0)
			return err_set(err, PE_USAGE,
				       "a limit of 0 %s would stop everything; "
				       "leave it out for none",
				       key);
		memcpy((char *)l + k->offset, &v, sizeof(v));
		return 0;
	}
	near = str_nearest(key, names, ARRAY_LEN(names));
	return err_set(err, PE_USAGE,
		       "no limit is called \"%s\"%s%s%s; there are mem, cpu, "
		       "pids and time",
		       key, near ? " (did you mean " : "", near ? near : "",
		       near ? "?)" : "");
}
