/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder --start REQUESTFD ANSWERFD [ENDFD]: starts one environment in the background for a
 * program that must not fork (launch/request.h). Nothing is printed: the sentence is in
 * the answer. 0, 1 and 2 are the environment's, where it has its creator's console.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "graph/graph.h"
#include "launch/launch.h"
#include "launch/request.h"
#include "launch/verbs.h"
#include "sandbox/facts.h"

struct job {
	struct places places;
	struct registry *reg;
	struct start_request q;
	char *buf;
	struct launched up;
	int code, end_fd;
};

static int read_request(struct job *job, int fd, struct err *err)
{
	size_t len = 0;
	int r;

	job->buf = malloc(REQUEST_MAX + 1);
	if (!job->buf)
		return err_oom(err);
	r = fd_read_full(fd, job->buf, REQUEST_MAX + 1, &len, err);
	if (r == 0 && len > REQUEST_MAX)
		r = err_set(err, -E2BIG, "that is more than an environment may hold");
	return r == 0 ? request_decode(job->buf, len, &job->q, err) : r;
}

static int again(struct job *job, struct err *err)
{
	struct reg_entry *e = NULL;
	int r = registry_find(job->reg, job->q.again, &e, err);

	if (r == 0 && e->state != REG_STOPPED)
		r = err_set(err, PE_BUSY, "'%s' is %s already", e->name,
			    reg_state_name(e->state));
	if (r == 0)
		r = launch_again(job->reg, &job->places, e, &job->up, &job->code, err);
	reg_entry_free(e);
	return r;
}

static int check(struct graph *g, bool accept_weaker, struct err *err)
{
	struct diags diags = { 0 };
	struct host_facts facts;
	int r;

	host_facts_assume(&facts);
	r = graph_check(g, &facts, accept_weaker, &diags);
	if (r < 0)
		r = err_oom(err);
	for (size_t i = 0; r > 0 && i < diags.n; i++) {
		const struct diag *d = &diags.v[i];

		if (d->warning)
			continue;
		(void)err_set(err, r, "%s%s%s", d->text, d->hint ? "; " : "",
			      d->hint ? d->hint : "");
		break;
	}
	diags_fini(&diags);
	return r;
}

static int anew(struct job *job, struct err *err)
{
	struct graph *g = graph_new();
	struct reg_entry *before = NULL;
	struct launch l = { .reg = job->reg,
			    .places = &job->places,
			    .background = true,
			    .keep = job->q.keep,
			    .accept_weaker = job->q.accept_weaker,
			    .end_fd = job->end_fd };
	struct genv *env = NULL;
	int r = g ? record_decode(g, job->q.record, job->q.record_len, &env, &l.cwd,
				  &l.composition, err) :
		    err_oom(err);

	if (g)
		g->open = true;
	if (r == 0 && *l.composition) /* only polder up makes members of one */
		r = err_set(err, PE_USAGE, "a composition is started by polder up");
	if (r == 0)
		r = check(g, l.accept_weaker, err);
	if (r == 0 && *env->name)
		r = launch_find_stopped(job->reg, env->name, &before, err);
	l.env = env;
	l.again = before;
	if (r == 0)
		r = launch_background(&l, &job->up, &job->code, err);
	reg_entry_free(before);
	graph_free(g);
	return r;
}

static int say(const struct job *job, int fd, int result, const struct err *err)
{
	char hex[REG_ID_HEX] = "";
	struct start_answer a = { .result = result,
				  .code = result ? job->code : 0,
				  .id = hex,
				  .text = result ? err->text : "" };
	auto_str out = STR_INIT;

	if (result == 0)
		reg_id_hex(&job->up.id, hex);
	answer_encode(&a, &out);
	return out.failed ? -ENOMEM : fd_write_all(fd, str_text(&out), out.len, NULL);
}

static bool descriptor(const char *word, int *ret)
{
	uint64_t n;

	if (!str_to_u64(word, &n) || n < 3 || n > INT_MAX ||
	    fd_set_cloexec((int)n, true) < 0)
		return false;
	*ret = (int)n;
	return true;
}

int cmd_start_for(int argc, char **argv)
{
	struct job job = { .code = EXIT_OURS };
	struct err err = ERR_INIT;
	int in, out, r;

	if (argc < 3 || argc > 4 || !descriptor(argv[1], &in) ||
	    !descriptor(argv[2], &out) ||
	    (argc == 4 && !descriptor(argv[3], &job.end_fd))) {
		(void)err_set(&err, PE_USAGE,
			      "--start takes the numbers of two descriptors, or "
			      "of three");
		return cli_fail(&err);
	}
	r = read_request(&job, in, &err);
	if (r == 0)
		r = launch_open(&job.places, &job.reg, &err);
	if (r == 0)
		r = *job.q.again ? again(&job, &err) : anew(&job, &err);
	if (say(&job, out, r, &err) != 0)
		r = -EIO;
	registry_close(job.reg);
	free(job.buf);
	return r == 0 ? 0 : EXIT_OURS;
}
