# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What must hold after kills, for scripts of this folder. The script has `survivors`, which
# prints "survivor PID NAME" for each process that should be gone, and $MARK, which stands
# in the command line of every program that it starts.

none_survive() { [ -z "$(survivors)" ]; }

after_kills() { # WHAT ERE CMD…: the next one, CMD, starts and says ERE
	local what=$1 said=$2
	shift 2
	if until_ok 3 none_survive; then
		pass "$what: no survivor"
	else
		fail "$what: no survivor" "$(survivors)"
		survivors | while read -r _ pid _; do kill -KILL "$pid"; done
	fi
	check_no_out "$what: none is half-known" "run|start|$MARK" me polder ps --json
	check_clean "$what: nothing is left"
	check_out "$what: the next one starts" "$said" me "$@"
}
