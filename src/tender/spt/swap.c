/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swap.c - what lets the supervisor put another file at a descriptor of the guest.
 *
 * A first filter, before the guest's own, tells a listener of one system call that the
 * guest has no use for. The kernel lets who has the listener set descriptors of whoever
 * waits in that call (SECCOMP_IOCTL_NOTIF_ADDFD), without privilege and without a process
 * that would have to be there for it. The listener goes to the supervisor, which traces
 * us and has the guest make the call; no copy of it stays here.
 *
 * Of another architecture's call with that number the guest's own filter makes an end,
 * which comes before waiting. The filter is as short as can be, since it is run for each
 * read and write of a block: some 50 ns of 800.
 */
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "tender/spt/spt-internal.h"

static long install(void)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, USPEC_SWAP_CALL },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW }, /* the next one decides */
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	return SYS3(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static long hand_over(const struct spt *s, int listener, uint64_t address)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	static struct uspec_report report;
	struct iovec iov = { &report, sizeof(report) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(sizeof(int)) };

	report.outcome = USPEC_SWAP;
	report.address = address;
	memcpy(CMSG_DATA(&control.head), &listener, sizeof(listener));
	return SYS3(SYS_sendmsg, s->spec.report_fd, &msg, 0);
}

void spt_swap_offer(const struct spt *s, uint64_t address)
{
	long listener, r;

	if (!(s->spec.flags & USPEC_SWAPS))
		return;
	listener = install();
	if (listener < 0)
		return; /* below a filter that has one; the supervisor misses ours */
	r = hand_over(s, (int)listener, address);
	if (r < 0)
		spt_refuse_sys(s, SPT_BAD_SPEC, r,
			       "cannot have volumes that can be exchanged");
	sys_close((int)listener);
}
