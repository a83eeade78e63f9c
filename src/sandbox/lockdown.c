/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "sandbox/sys.h"

/* linux/landlock.h of 6.1 stops at ABI 2; these are the UAPI's of ABI 6. */
struct ll_ruleset_attr {
	uint64_t handled_fs, handled_net, scoped;
};

struct ll_path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

enum {
	LL_CREATE_RULESET = 444,
	LL_ADD_RULE = 445,
	LL_RESTRICT_SELF = 446,
	LL_VERSION_QUERY = 1,
	LL_RULE_PATH_BENEATH = 1,
	LL_FS_EXECUTE = 1 << 0,
	LL_FS_WRITE_FILE = 1 << 1,
	LL_FS_READ_FILE = 1 << 2,
	LL_FS_ABI_1 = (1 << 13) - 1,
	LL_FS_REFER = 1 << 13,      /* ABI 2 */
	LL_FS_TRUNCATE = 1 << 14,   /* ABI 3 */
	LL_FS_IOCTL_DEV = 1 << 15,  /* ABI 5 */
	LL_NET_TCP = 3,             /* ABI 4: bind, connect */
	LL_SCOPE_ABSTRACT = 1 << 0, /* ABI 6 */
	LL_SCOPE_SIGNAL = 1 << 1,
};

static const struct sock_filter filter_user[] = {
#include "sandbox/seccomp-user.gen.h"
};

static const struct sock_filter filter_root[] = {
#include "sandbox/seccomp-root.gen.h"
};

int lockdown_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32),
		  .permitted = (uint32_t)(keep >> 32) },
	};
	long r;

	for (int cap = 0; cap < 64; cap++) {
		if (keep & 1ull << cap)
			continue;
		r = sys_prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0);
		if (r == -EINVAL)
			break; /* past the last that this kernel knows */
		if (r < 0)
			return (int)r;
	}
	return (int)SYS2(SYS_capset, &head, data);
}

int lockdown_no_new_privs(void)
{
	return (int)sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
}

int lockdown_filter(bool root_identity)
{
	const struct sock_filter *filter = root_identity ? filter_root : filter_user;
	size_t len = root_identity ? ARRAY_LEN(filter_root) : ARRAY_LEN(filter_user);
	struct sock_fprog prog = { .len = (unsigned short)len,
				   .filter = (struct sock_filter *)filter };

	return (int)SYS3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

int lockdown_landlock_abi(void)
{
	long abi = SYS3(LL_CREATE_RULESET, 0, 0, LL_VERSION_QUERY);

	return abi > 0 ? (int)abi : 0;
}

/* A file that has no path (memfd_create) is beyond Landlock: then its seal must do. */
static bool in_memory_is_safe(int fd, int mode)
{
	long seals = SYS2(SYS_fcntl, fd, F_GET_SEALS);

	return (mode & O_ACCMODE) == O_RDWR || (seals >= 0 && (seals & F_SEAL_WRITE));
}

/* A redirected file: no more than its descriptor already gives. One opened for
 * appending cannot be reopened at all, or it could be overwritten. */
static int allow_reopen(int ruleset, int fd, int abi)
{
	struct ll_path_beneath rule = { .parent_fd = fd };
	struct stat st;
	int mode = (int)SYS3(SYS_fcntl, fd, F_GETFL, 0), r;

	/* One opened with O_PATH gives nothing by itself. */
	if (fd < 0 || mode < 0 || (mode & O_PATH) || fstat(fd, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	if ((mode & O_ACCMODE) != O_WRONLY)
		rule.allowed |= LL_FS_READ_FILE;
	if ((mode & O_ACCMODE) != O_RDONLY && !(mode & O_APPEND))
		rule.allowed |= LL_FS_WRITE_FILE | (abi >= 3 ? LL_FS_TRUNCATE : 0);
	if (rule.allowed == 0)
		return 0;
	r = (int)SYS4(LL_ADD_RULE, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);
	return r == -EBADFD && in_memory_is_safe(fd, mode) ? 0 : r;
}

static uint64_t all_of_files(int abi)
{
	return LL_FS_ABI_1 | (abi >= 2 ? LL_FS_REFER : 0) |
	       (abi >= 3 ? LL_FS_TRUNCATE : 0) | (abi >= 5 ? LL_FS_IOCTL_DEV : 0);
}

static int make_ruleset(const struct ll_ruleset_attr *attr, int abi)
{
	return (int)SYS3(LL_CREATE_RULESET, attr, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
}

static struct ll_ruleset_attr attr_of_all(int abi)
{
	return (struct ll_ruleset_attr){
		.handled_fs = all_of_files(abi),
		.handled_net = abi >= 4 ? LL_NET_TCP : 0,
		.scoped = abi >= 6 ? LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL : 0,
	};
}

int lockdown_landlock_nothing(void)
{
	int abi = lockdown_landlock_abi(), set, r;
	struct ll_ruleset_attr attr = attr_of_all(abi);

	if (abi == 0)
		return 0;
	set = make_ruleset(&attr, abi);
	if (set < 0)
		return set;
	r = (int)SYS2(LL_RESTRICT_SELF, set, 0);
	sys_close(set);
	return r;
}

int lockdown_landlock_beneath(int fd, bool is_file)
{
	int abi = lockdown_landlock_abi(), set, r;
	struct ll_ruleset_attr attr = attr_of_all(abi);
	struct ll_path_beneath rule = { .parent_fd = fd, .allowed = attr.handled_fs };

	if (abi < 2)
		return 0;
	if (is_file)
		rule.allowed &= LL_FS_READ_FILE | LL_FS_WRITE_FILE | LL_FS_TRUNCATE;
	set = make_ruleset(&attr, abi);
	if (set < 0)
		return set;
	r = (int)SYS4(LL_ADD_RULE, set, LL_RULE_PATH_BENEATH, &rule, 0);
	if (r == 0)
		r = (int)SYS2(LL_RESTRICT_SELF, set, 0);
	sys_close(set);
	return r;
}

int lockdown_landlock(const int *fd, bool scope_signals)
{
	int abi = lockdown_landlock_abi();
	struct ll_ruleset_attr attr = {
		.handled_fs = all_of_files(abi),
		.scoped = abi < 6 ? 0 :
				    LL_SCOPE_ABSTRACT |
					    (scope_signals ? LL_SCOPE_SIGNAL : 0),
	};
	struct ll_path_beneath rule = { .allowed = attr.handled_fs };
	int set, r;

	if (abi == 0)
		return 0;
	set = make_ruleset(&attr, abi);
	if (set < 0)
		return set;
	rule.parent_fd = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	r = rule.parent_fd < 0 ?
		    rule.parent_fd :
		    (int)SYS4(LL_ADD_RULE, set, LL_RULE_PATH_BENEATH, &rule, 0);
	if (rule.parent_fd >= 0)
		sys_close(rule.parent_fd);
	for (int i = 0; r == 0 && i < 3; i++)
		r = allow_reopen(set, fd[i], abi);
	if (r == 0)
		r = (int)SYS2(LL_RESTRICT_SELF, set, 0);
	sys_close(set);
	return r;
}
