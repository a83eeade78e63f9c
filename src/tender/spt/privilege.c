/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * privilege.c - what the process may do, taken away in an order that matters: a change of
 * ids or capabilities clears PDEATHSIG and sets whether it can be traced, so both are said
 * after it; the starter's pipe is looked at after PDEATHSIG, so that a starter that died
 * before is noticed.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include "tender/spt/spt-internal.h"

#define NOFILE_NEEDED (SPT_DEVICE_FD + 4u * USPEC_MAX_DEVICES)

/* Room for the descriptors, while there still is the privilege to get it. */
static void raise_limits(const struct spt *s)
{
	struct rlimit64 files = { 0 }, core = { 1, 1 };

	/* 0 would not stop a core_pattern that is a pipe. */
	(void)SYS4(SYS_prlimit64, 0, RLIMIT_CORE, &core, 0);
	if (s->spec.n_devices == 0 ||
	    SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &files) < 0 ||
	    files.rlim_cur >= NOFILE_NEEDED)
		return;
	files.rlim_cur = NOFILE_NEEDED;
	if (files.rlim_max < NOFILE_NEEDED)
		files.rlim_max = NOFILE_NEEDED;
	(void)SYS4(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, 0);
}

static bool is_all(long call, uint32_t id)
{
	uint32_t v[3] = { 0 };

	return SYS3(call, &v[0], &v[1], &v[2]) == 0 && v[0] == id && v[1] == id &&
	       v[2] == id;
}

static void become(const struct spt *s)
{
	uint32_t uid = s->spec.uid, gid = s->spec.gid;
	char digits[21];
	long r;

	if (is_all(SYS_getresuid, uid) && is_all(SYS_getresgid, gid))
		return;
	r = SYS2(SYS_setgroups, 0, 0);
	if (r == 0)
		r = SYS3(SYS_setresgid, gid, gid, gid);
	if (r == 0)
		r = SYS3(SYS_setresuid, uid, uid, uid);
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot become user ",
			       spt_number(digits, uid), ", whom the spec names");
}

static void drop_capabilities(const struct spt *s)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	long r = SYS2(SYS_capset, &head, none);

	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "cannot give up capabilities");
}

/* If the starter is gone, nobody waits for a sentence. */
static void check_starter(const struct spt *s)
{
	struct pollfd p = { .fd = s->spec.alive_fd };

	if (SYS3(SYS_poll, &p, 1, 0) <= 0)
		return;
	if (p.revents & POLLNVAL)
		spt_refuse(s, SPT_BAD_SPEC, "the starter's pipe is not open");
	sys_exit(SPT_BAD_SPEC);
}

void spt_wait_for_starter(const struct spt *s)
{
	char byte;
	long r;

	if (!(s->spec.flags & USPEC_TRACED))
		return;
	do {
		r = sys_read(s->spec.alive_fd, &byte, 1);
	} while (r == -EINTR);
	if (r != 1)
		sys_exit(SPT_BAD_SPEC);
}

void spt_privilege_drop(const struct spt *s)
{
	bool traced = s->spec.flags & USPEC_TRACED;
	uint32_t kill_process = SECCOMP_RET_KILL_PROCESS;
	uint64_t no_signal = 0;
	long r;

	raise_limits(s);
	become(s);
	drop_capabilities(s);
	r = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
	if (r == 0)
		r = SYS3(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill_process);
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r, "this kernel cannot confine a guest");
	/* Who has the same uid may not look into it, or get its core; its tracer may. */
	(void)sys_prctl(PR_SET_DUMPABLE, traced ? 1 : 0, 0);
	(void)SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &no_signal, 0, sizeof(no_signal));
	if (s->spec.alive_fd < 0)
		return;
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	check_starter(s);
}
