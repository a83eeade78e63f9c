/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "lib/lib-internal.h"

static_assert((int)POLDER_USAGE == PE_USAGE && (int)POLDER_NOTFOUND == PE_NOTFOUND &&
		      (int)POLDER_BUSY == PE_BUSY && (int)POLDER_REFUSED == PE_REFUSED &&
		      (int)POLDER_BAD == PE_BAD && (int)POLDER_EXISTS == PE_EXISTS,
	      "the public results are our own");

const char *polder_version(void)
{
	return POLDER_VERSION;
}

struct polder *polder_new(void)
{
	return calloc(1, sizeof(struct polder));
}

void polder_free(struct polder *p)
{
	if (!p)
		return;
	registry_close(p->reg);
	free(p->program);
	free(p);
}

const char *polder_error(const struct polder *p)
{
	return p ? p->err.text : "";
}

const char *polder_notes(struct polder *p)
{
	return p && p->reg ? registry_notes(p->reg) : "";
}

static const char *fallback(int r)
{
	static const char *const sentences[] = {
		[PE_USAGE] = "the call is wrong",
		[PE_NOTFOUND] = "there is no such thing",
		[PE_BUSY] = "the time is over",
		[PE_REFUSED] = "it was refused",
		[PE_BAD] = "what was read is damaged",
		[PE_EXISTS] = "it is there already",
	};

	return r > 0 && (size_t)r < ARRAY_LEN(sentences) ? sentences[r] : "it failed";
}

int lib_end(struct polder *p, int r, const struct err *err)
{
	if (r == 0)
		return 0;
	if (err->text[0])
		p->err = *err;
	else if (r < 0)
		(void)err_neg(&p->err, r, "it failed");
	else
		(void)err_set(&p->err, r, "%s", fallback(r));
	return r;
}

int lib_usage(struct polder *p, const char *sentence)
{
	if (p)
		(void)err_set(&p->err, PE_USAGE, "%s", sentence);
	return PE_USAGE;
}

int polder_set_program(struct polder *p, const char *path)
{
	struct err err = ERR_INIT;
	char *copy;

	if (!p || !path)
		return LIB_NULL(p);
	if (path[0] != '/')
		return lib_usage(p, "the path of polder must be absolute");
	copy = strdup(path);
	if (!copy)
		return lib_end(p, err_oom(&err), &err);
	free(p->program);
	p->program = copy;
	return 0;
}

int lib_open(struct polder *p, struct err *err)
{
	return p->reg ? 0 : launch_open(&p->places, &p->reg, err);
}

int lib_find(struct polder *p, const char *word, struct reg_entry **ret, struct err *err)
{
	int r = lib_open(p, err);

	return r != 0 ? r : registry_find(p->reg, word, ret, err);
}

size_t lib_count(const char *const *v, size_t n_max)
{
	size_t n = 0;

	while (n <= n_max && v[n])
		n++;
	return n;
}

int lib_cwd(char *ret, struct err *err)
{
	return getcwd(ret, PATH_MAX) ? 0 :
				       err_sys(err, "cannot tell the working directory");
}
