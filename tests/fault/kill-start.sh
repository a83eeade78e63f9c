#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whoever is killed at whatever moment of a start: nothing survives, nothing stays, and
# the next command knows all of it or nothing.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fault/aftermath.sh
. "$(dirname "$0")/aftermath.sh"

: "${KILLS:=200}" # of each kind; there are two
: "${AT_ONCE:=200}"
MARK=86400.0271828 # in the command line of every program that is started here
export CHECK_TIMEOUT=300
cp "$POLDER_BUILD/tests/fault/kill-start" "$T/bin/"

survivors() { # programs, and anything in another pid namespace
	local pid here
	here=$(readlink /proc/self/ns/pid)
	for pid in /proc/[0-9]*; do
		if tr '\0' ' ' <"$pid/cmdline" 2>/dev/null | grep -q "^sleep $MARK" ||
			[ "$(readlink "$pid/ns/pid" 2>/dev/null || echo "$here")" != "$here" ]; then
			echo "survivor ${pid#/proc/} $(cat "$pid/comm" 2>/dev/null)"
		fi
	done
}
aftermath() { after_kills "$1" '^fine$' polder run -- echo fine; }

groups_of_polder() { find /sys/fs/cgroup -path '*/polder/*' -type d 2>/dev/null; }
no_groups() { me polder ps >/dev/null 2>&1; [ -z "$(groups_of_polder)" ]; }

with_limits() { # cgroups are made before, and outlive whoever made them
	[ "$ME" = root ] || return 0
	if ! me polder run --pids 50 --mem 64M -- true 2>/dev/null; then
		skip "killed with limits" "this host has no cgroup for them"
		return
	fi
	check_out "killed with limits" 'killed' me kill-start self "$((KILLS / 4))" 4000 \
		polder run --pids 50 --mem 64M -- sleep $MARK
	aftermath "with limits"
	if until_ok 3 no_groups; then
		pass "with limits: no cgroup is left"
	else
		fail "with limits: no cgroup is left" "$(groups_of_polder)"
	fi
}

each() {
	local dir=$WORK/granted
	me mkdir -p "$dir"
	check_out "killed while it starts" 'killed' me kill-start self "$KILLS" 3000 \
		polder run -r "$dir" -- sleep $MARK
	aftermath "polder run"
	check_out "killed in the background" 'killed' me kill-start child "$KILLS" 5000 \
		polder run -d -g console=own -w "$dir" -- sleep $MARK
	aftermath "its tender"
	check_out "many at once" "^$AT_ONCE of $AT_ONCE killed" me kill-start many "$AT_ONCE" 1500 \
		polder run -r "$dir" -- sleep $MARK
	aftermath "many at once"
	with_limits
}
each_user each
done_testing
