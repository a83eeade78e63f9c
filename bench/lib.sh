# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the scripts of bench have in common, on top of tests/lib.sh.
#
#   row TITLE FN       a part of the table; one that fails is told, and counted
#   aim WHAT VALUE UNIT LIMIT
#                      a line of it: good, or OVER
#   millis CMD…        prints how long CMD took
#   bench_users FN     FN as each user, or as BENCH_ONLY
#   in_memory          the users' runtime directories, as a login makes them
#   kvm_open           whether $ME may use /dev/kvm
#   bench_end          says what machine it was, and ends

# shellcheck disable=SC2034 # for the scripts
sep=::: broken=0

row() { # TITLE CMD…
	printf '\n%s\n' "$1"
	shift
	: >"$ERR"
	"$@" || { broken=1; echo "  did not run: $(tail -n 1 "$ERR")"; }
}

aim() { # WHAT VALUE UNIT LIMIT
	if awk "BEGIN { exit !($2 <= $4) }"; then
		printf '  %-40s %8s %-4s aim %s: good\n' "$1" "$2" "$3" "$4"
	else
		printf '  %-40s %8s %-4s aim %s: OVER\n' "$1" "$2" "$3" "$4"
	fi
}

millis() { # CMD…: prints how long it took
	local begin end
	begin=$(date +%s%N)
	"$@" >"$OUT" 2>"$ERR" || { tail -n 3 "$ERR" >&2; return 1; }
	end=$(date +%s%N)
	echo $(((end - begin) / 1000000))
}

in_memory() {
	local u owner
	[ "$(id -u)" = 0 ] || return 0
	mount -t tmpfs -o mode=700 none /run/polder # the harness's own place
	for u in user root; do
		owner=$(stat -c %u:%g "$T/$u/run")
		mount -t tmpfs -o mode=700,uid="${owner%:*}",gid="${owner#*:}" none "$T/$u/run"
	done
}

# The node is the harness's own, else it is not ours to change.
kvm_open() {
	! grep -q ' /dev/kvm ' /proc/self/mountinfo || chmod 666 /dev/kvm
	me test -r /dev/kvm -a -w /dev/kvm
}

bench_users() { # FN
	if [ -n "${BENCH_ONLY-}" ]; then
		ME=$BENCH_ONLY WORK=$T/$ME/work
		cd "$WORK" && "$1"
		cd /
	else
		each_user "$1"
	fi
}

bench_end() {
	printf '\n%s, %s processors\n' "$(uname -srm)" "$(nproc)"
	# shellcheck disable=SC2034 # for tests/lib.sh: these were no checks
	lib_done=yes lib_failed=$broken
	exit "$broken"
}
