#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Limits hold, or the start is refused with the reason; never silently weaker.
. "$(dirname "$0")/../lib.sh"

export CHECK_TIMEOUT
G=$T/guests
mkdir "$G"
cp "$POLDER_BUILD"/tests/guests/{bomb,try-procs} "$G/"
chmod -R a+rX "$G"

in_env() { me polder run -r "$G" "$@"; }

processes() {
	check_out "terminals are bounded" '^(25[0-9]|2[0-4][0-9]) ' in_env -- perl -e \
		'for ($n = 0; $n < 400; $n++) { open($h[$n], "+<", "/dev/ptmx") or last } print "$n \n"'
	check_out "a fork bomb stops at --pids" '^([0-9]|1[0-9]) made, EAGAIN' \
		in_env --pids 20 -- "$G/bomb" fork 200
	check_out "without it, there is room" '^60 made, ok' in_env -- "$G/bomb" fork 60
	check_out "others are not slowed by it" '^20 made, ok' me polder run -r "$G" --pids 40 -- \
		"$G/bomb" fork 20
	me polder run -n bounded -d --pids 20 -r "$G" -- sleep 100 >/dev/null 2>&1
	check_out "a program entered later is bounded, too" '^([0-9]|1[0-9]) made, EAGAIN' \
		me polder exec bounded -- "$G/bomb" fork 200
	check_out "the limit cannot be raised" 'E' me polder exec bounded -- \
		sh -c 'ulimit -u 1000 && echo raised || echo E'
	me polder rm -f bounded >/dev/null 2>&1
}

memory() {
	if [ "$ME" = user ] && ! [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		check_err "--mem as an ordinary user: refused, with the reason" 'cgroup' \
			in_env --mem 64M -- true
		check_err "so is --cpu" 'cgroup' in_env --cpu 50% -- true
		return
	fi
	lib_run in_env --mem 64M -- "$G/bomb" memory 200
	case $RC in
	125) skip "a memory bomb is stopped at --mem" "$(head -n 1 "$ERR")" ;;
	137) pass "a memory bomb is stopped at --mem" ;;
	*) fail "a memory bomb is stopped at --mem" "status $RC: $(cat "$OUT" "$ERR")" ;;
	esac
	check_out "within it, a program runs" '^20 made, ok' in_env --mem 64M -- "$G/bomb" memory 20
	lib_run in_env --mem 64M -- sh -c 'dd if=/dev/zero of=/tmp/x bs=1M count=200 2>/dev/null'
	if [ "$RC" != 0 ]; then
		pass "files in memory count"
	else
		fail "files in memory count" "200 MiB were written to /tmp"
	fi
}


time_limit() {
	CHECK_TIMEOUT=8
	check_rc 137 "--time ends a program that spins" in_env --time 1s -- "$G/bomb" spin
	check_rc 137 "and one that stops itself while its child spins" \
		in_env --time 1s -- "$G/bomb" stop
	check_rc 0 "one that is done earlier is not touched" in_env --time 20s -- true
	CHECK_TIMEOUT=60
}

ended_by_stop() { # what will not answer is ended all the same
	me polder run -n deaf -d -r "$G" -- sh -c "trap '' TERM INT; $G/bomb stop" >/dev/null 2>&1
	CHECK_TIMEOUT=8
	check "stop ends what ignores signals" me polder stop -t 1 deaf
	CHECK_TIMEOUT=60
	me polder rm -f deaf >/dev/null 2>&1
}

orphans() { # init has its hands full, and hears its tender all the same
	me polder run -n breeder -d --pids 60 -- sh -c \
		'while :; do (sleep 0 & sleep 0 & sleep 0 &) 2>/dev/null; done' >/dev/null 2>&1
	CHECK_TIMEOUT=8
	check "a breeder of orphans is paused" me polder pause breeder
	check "and resumed" me polder resume breeder
	check "and stopped" me polder stop -t 1 breeder
	CHECK_TIMEOUT=60
	me polder rm -f breeder >/dev/null 2>&1
}

stopped_entrant() { # a program that stops everything holds up nobody outside
	me polder run -n stopper -d -g console=own -- \
		sh -c 'while :; do kill -STOP -1 2>/dev/null; done' >/dev/null 2>&1
	CHECK_TIMEOUT=8
	(timeout -s KILL 2 script -qec "$T/me-exec" /dev/null >/dev/null 2>&1)
	check_out "the tender answers while one that enters is held" stopper me polder ps
	check "and ends it" me polder stop -t 1 stopper
	CHECK_TIMEOUT=60
	me polder rm -f stopper >/dev/null 2>&1
}

each() {
	lib_env "$ME"
	printf '#!/bin/bash\nexec %s polder exec -t stopper -- true\n' "${lib_who[*]}" >"$T/me-exec"
	chmod 755 "$T/me-exec"
	processes
	memory
	time_limit
	ended_by_stop
	orphans
	stopped_entrant
	check_clean "nothing is left"
}
each_user each
done_testing
