/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One more program in an environment that runs, under the same walls. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "launch/client.h"
#include "launch/verbs.h"
#include "sandbox/lockdown.h"

static const char *const passed[] = { "LANG", "LC_ALL", "TERM", "COLORTERM" };

static void put_list(struct str *body, const char *const *v, size_t n)
{
	put_u32(body, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_str(body, v[i]);
}

/* True if the caller has a value of its own for the variable that text begins with. */
static bool overridden(const struct enter *x, const char *text)
{
	size_t len = strcspn(text, "=");

	for (size_t i = 0; i < x->n_vars; i++)
		if (strncmp(x->vars[i], text, len) == 0 && x->vars[i][len] == '=')
			return true;
	return false;
}

/* What a terminal and a language need, and what the caller adds; the tender adds who and
 * where the environment's own program is. */
static void put_variables(struct str *body, const struct enter *x)
{
	auto_str list = STR_INIT;
	uint32_t n = (uint32_t)x->n_vars;

	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		const char *value = getenv(passed[i]);
		auto_str var = STR_INIT;

		if (!value || overridden(x, passed[i]))
			continue;
		str_addf(&var, "%s=%s", passed[i], value);
		put_str(&list, str_text(&var));
		n++;
	}
	for (size_t i = 0; i < x->n_vars; i++)
		put_str(&list, x->vars[i]);
	put_u32(body, n);
	str_addn(body, str_text(&list), list.len);
	body->failed |= list.failed;
}

int enter_check_streams(const int *fds, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		struct stat st;

		if (fstat(fds[i], &st) < 0)
			return err_sys(err, "descriptor %d cannot be given", fds[i]);
		if (S_ISDIR(st.st_mode))
			return err_set(err, PE_USAGE,
				       "a directory as input or output would be a "
				       "way out of the environment");
		if (S_ISREG(st.st_mode) && lockdown_landlock_abi() == 0)
			return err_set(err, PE_REFUSED,
				       "this kernel has no Landlock to keep a "
				       "redirected file from being reopened with more "
				       "rights: use "
				       "a pipe");
	}
	return 0;
}

int enter_ask(struct registry *reg, const struct reg_entry *e, const struct enter *x,
	      int *ret_sock, struct err *err)
{
	auto_str body = STR_INIT;
	int r = x->fds ? enter_check_streams(x->fds, err) : 0;

	if (r != 0)
		return r;
	put_list(&body, x->argv, x->n_argv);
	put_variables(&body, x);
	put_str(&body, x->chdir ? x->chdir : "");
	put_u8(&body, !x->fds);
	put_u16(&body, x->rows);
	put_u16(&body, x->cols);
	if (body.failed)
		return err_oom(err);
	return client_ask(reg, e, CTL_EXEC, &body, x->fds, x->fds ? 3 : 0, ret_sock, err);
}
