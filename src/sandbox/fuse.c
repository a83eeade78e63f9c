/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/fuse.h"

#include "sandbox/sys.h"

#include <stdio.h>
#include <unistd.h>

static int set_number(int fs, const char *key, unsigned value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", value);
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0);
}

/* S_IFREG, S_IFDIR */
static int set_root(int fs, bool is_file)
{
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, "rootmode",
			    is_file ? "100000" : "40000", 0);
}

/*
 * The ids are who owns the mount in the eyes of the kernel, the caller; with allow_other
 * and default_permissions they decide nothing.
 */
static int configure(int fs, int devfuse_fd, bool is_file)
{
	int r = set_number(fs, "fd", (unsigned)devfuse_fd);

	if (r >= 0)
		r = set_root(fs, is_file);
	if (r >= 0)
		r = set_number(fs, "user_id", geteuid());
	if (r >= 0)
		r = set_number(fs, "group_id", getegid());
	if (r >= 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0);
	if (r >= 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0);
	if (r >= 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "polder", 0);
	return r;
}

int fuse_mount_new(int devfuse_fd, bool read_only, bool is_file, int *ret_mountfd,
		   struct err *err)
{
	auto_fd fs = sys_fsopen("fuse");
	unsigned attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	int r;

	if (fs == -ENODEV)
		return err_set(err, PE_REFUSED,
			       "this kernel has no FUSE (the module fuse is not loaded)");
	if (fs < 0)
		return err_neg(err, fs, "cannot begin a FUSE mount");
	r = configure(fs, devfuse_fd, is_file);
	if (r >= 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r == -EINVAL)
		return err_set(err, PE_REFUSED,
			       "the kernel refuses the FUSE mount: /dev/fuse was not "
			       "opened in this user namespace, or serves another mount");
	if (r >= 0)
		r = sys_fsmount(fs, attrs | (read_only ? MOUNT_ATTR_RDONLY : 0));
	if (r < 0)
		return err_neg(err, r, "cannot make a FUSE mount");
	*ret_mountfd = r;
	return 0;
}
