#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Limits where the host has cgroups of version 2: root's own groups, and an ordinary
# user's systemd, played here by a busctl of the test's own. What cannot be enforced is
# refused with the reason, and leaves no group behind.
. "$(dirname "$0")/../lib.sh"

if [ "$lib_root" = no ]; then
	skip "limits by version 2" "only root can show another cgroup tree to a program"
	done_testing
	exit
fi
if ! mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null; then
	skip "limits by version 2" "this kernel mounts no cgroup2 here"
	done_testing
	exit
fi
have=$(cat /sys/fs/cgroup/cgroup.controllers)

mkdir "$T/fake"
cat >"$T/fake/busctl" <<-'END'
	#!/bin/sh
	printf '%s\n' "$*" >>"$BUSCTL_LOG"
	[ ! -e "$BUSCTL_LOG.refuse" ]
END
chmod 755 "$T/fake/busctl"

as_root_with_v2() {
	if [[ " $have " == *" memory "* ]]; then
		check "a memory limit is set" me polder run --mem 64M -- true
	else
		check_err "no memory controller: refused, with the reason" \
			'a limit was asked for, and its controller is not available' \
			me polder run --mem 64M -- true
	fi
	check "without a limit nothing is asked" me polder run -- true
	check "no group is left" test ! -e /sys/fs/cgroup/polder
}

as_user_with_systemd() {
	local log=$WORK/busctl.log
	check_err "nobody moves it: refused, with the reason" \
		'systemd did not move the environment into its scope' \
		me env "PATH=$T/fake:$PATH" "BUSCTL_LOG=$log" polder run --mem 64M --cpu 50% -- true
	check_out "a scope was asked for, with the limits" \
		'StartTransientUnit .* polder-[0-9a-f]+\.scope fail 5 PIDs au 1 [0-9]+ Delegate b true MemoryMax t 67108864 MemorySwapMax t 0 CPUQuotaPerSecUSec t 500000 0' \
		cat "$log"
	: >"$log.refuse"
	check_err "systemd refuses: so does polder" 'does not answer or refuses' \
		me env "PATH=$T/fake:$PATH" "BUSCTL_LOG=$log" polder run --mem 64M -- true
	rm -f "$log" "$log.refuse"
	check "the number of processes needs no cgroup" \
		me env "PATH=$T/fake:$PATH" "BUSCTL_LOG=$log" polder run --pids 20 -- true
	check "and asks nobody" test ! -e "$log"
}

test_it() {
	if [ "$ME" = root ]; then
		as_root_with_v2
	else
		as_user_with_systemd
	fi
	check_clean "nothing is left over"
}

each_user test_it
umount /sys/fs/cgroup
done_testing
