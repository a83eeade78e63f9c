#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A tender among hostile neighbours: the program inside, peers on its control socket,
# terminals that nobody reads. It goes on answering, does not spin, and leaks nothing.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
peer() { me python3 "$T/peer.py" "$@"; }
peer_bg() { me_bg python3 "$T/peer.py" "$@"; }
cp "$POLDER_SOURCE/tests/peer.py" "$T/peer.py"
chmod 755 "$T/peer.py"

field() { polder ps --json | jq -r ".[] | select(.name == \"$1\") | .$2"; }
fds_of() { find "/proc/$1/fd" -type l | wc -l; }
fds_are_no_more() { [ "$(fds_of "$1")" -le "$2" ]; } # it may have closed some meanwhile
ticks_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
at_rest() { # PID: under a fifth of a second of CPU time in one
	local before after
	before=$(ticks_of "$1") && sleep 1 && after=$(ticks_of "$1") || return 1
	echo "$((after - before)) ticks"
	[ $((after - before)) -lt 20 ]
}
is_gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
peer_says() { until_ok 20 grep -q "$1" "$BG_OUT"; }
peer_goes() { kill "$PID" 2>/dev/null; wait "$PID" 2>/dev/null; :; }

found() { # NAME: TENDER and CTL are its
	TENDER=$(field "$1" tender)
	local run=$T/user/run/polder
	[ "$ME" = user ] || run=/run/polder
	CTL=$run/e/$(field "$1" id)/ctl
}
begin() { # NAME CMD…: one with a console of its own
	local name=$1
	shift
	check "start $name" polder run -n "$name" -d -g console=own -- "$@"
	found "$name"
}
finish() { check "rm -f $1" polder rm -f "$1"; }

logs_have() { polder logs "$1" | grep -q "$2"; }

many() {
	local _
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		polder exec peered -- true && polder show peered && polder logs peered ||
			return 1
	done
}

peers() {
	local n
	begin peered sleep 1000
	check "a first exec" polder exec peered -- true
	n=$(fds_of "$TENDER")
	check "empty messages with descriptors" peer empty "$CTL" 100
	check "and what is no message" peer garbage "$CTL" 200
	check "and ordinary requests" many
	check "nothing of them stays open" until_ok 5 fds_are_no_more "$TENDER" "$n"
	peer_bg idle "$CTL" 100
	check "a hundred connections that never ask" peer_says open
	check "the tender rests" at_rest "$TENDER"
	CHECK_TIMEOUT=10 check "and has an ear for others" polder exec peered -- true
	peer_goes
	peer_bg wait "$CTL" 100
	check "a hundred who wait for its end" peer_says open
	check "the tender rests again" at_rest "$TENDER"
	CHECK_TIMEOUT=10 check "they are not in the way of others" polder show peered
	check "nor of its end" polder stop -t 0 peered
	check "which they hear" peer_says answered
	finish peered
}

few_descriptors() {
	begin poor sleep 1000
	check "it has few descriptors left" me prlimit --pid "$TENDER" --nofile=36:36
	peer_bg idle "$CTL" 50
	check "more connections than that" peer_says open
	check "it rests" at_rest "$TENDER"
	peer_goes
	CHECK_TIMEOUT=10 check "and listens again" polder show poor
	CHECK_TIMEOUT=10 check "rm" polder rm -f poor
}

consoles() {
	begin deaf sleep 1000
	peer_bg stuff "$CTL"
	check "a program that reads nothing is typed at" peer_says stuffed
	check "its tender rests" at_rest "$TENDER"
	peer_goes
	check "also when that one went" at_rest "$TENDER"
	CHECK_TIMEOUT=10 check "and answers" polder exec deaf -- true
	finish deaf
	begin daemon sh -c 'exec <&- >&- 2>&-; setsid sh -c "
		sleep 1; exec >/dev/pts/0; echo opened again; sleep 1000"'
	check "what is written to a console opened again is logged" \
		until_ok 10 logs_have daemon again
	finish daemon
}

terminals() {
	# Nobody reads the terminal, and the program lets go of its own.
	peer_bg frozen "$T/bin/polder" run -n frozen -- \
		sh -c 'timeout 1 yes; exec <&- >&- 2>&-; sleep 1000'
	check "a program on a terminal that nobody reads" peer_says '[0-9]'
	sleep 2.5
	found frozen
	check "its tender rests" at_rest "$TENDER"
	CHECK_TIMEOUT=10 check "and answers" polder exec frozen -- true
	CHECK_TIMEOUT=20 check "and can be ended" polder rm -f frozen
	peer_goes
	peer_bg frozen "$T/bin/polder" run --rm -n last -- timeout 1 yes
	check "a program that ended, its last words unread" peer_says '[0-9]'
	sleep 2.5
	kill -TERM "$(cat "$BG_OUT")"
	check "its tender ends on SIGTERM" until_ok 5 is_gone "$(cat "$BG_OUT")"
	peer_goes
	check "output on the terminal that is the input" peer echo "$T/bin/polder" run -- \
		sh -c 'i=0; while [ $((i += 1)) -lt 9000 ]; do echo line $i; done >/dev/tty'
	begin typed sleep 1000
	check "attach gives the terminal back when it is killed" \
		peer raw TERM "$T/bin/polder" attach typed
	check "and when its own terminal's line goes" peer raw HUP "$T/bin/polder" attach typed
	check "exec, too" peer raw TERM "$T/bin/polder" exec typed -- sleep 1000
	check "run as well" peer raw TERM "$T/bin/polder" run -- sh -c 'sleep 1000'
	finish typed
}

never_ready() {
	cat >two.yaml <<-'E'
	environments:
	  slow:
	    run: [sh, -c, "sleep 3; echo >/tmp/there; sleep 1000"]
	    ready: {path: /tmp/there}
	  never:
	    run: [sleep, "1000"]
	    ready: {path: /tmp/nowhere, timeout: 1s}
	E
	CHECK_TIMEOUT=30 check_err "up asks after the time was over" "in time" polder up two.yaml
	check "down" polder down --rm two.yaml
}

# A server inside that lies on a file system which does not answer.
hanging() {
	[ "$ME" = user ] && have_root && [ -c /dev/fuse ] || return 0
	mkdir "$WORK/hang"
	chmod 755 "$T" "$T/user" "$WORK"
	ME=root me_bg python3 "$T/peer.py" hang "$WORK/hang"
	check "a file system that hangs" peer_says mounted
	check "granted" polder run -n hung -d -r "$WORK/hang" -g console=own \
		--expose "x=dir:$WORK/hang/deep" -- sleep 1000
	found hung
	CHECK_TIMEOUT=15 check_rc 125 "what is exposed of it cannot be had" \
		polder run -g /x=env:hung/x -- true
	CHECK_TIMEOUT=10 check "its tender answers" polder exec hung -- true
	CHECK_TIMEOUT=10 check "and ends" polder rm -f hung
	peer_goes
	umount -l "$WORK/hang"
}

# The second word comes anywhere in the start: there is none yet, or it is stopped.
stop_starting() {
	local i rc
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		me_bg "$T/bin/polder" run -n early -d -- sleep 1000
		sleep "0.00$((i * 2 % 10))"
		polder stop -t 0 early 2>stop.err
		rc=$?
		wait "$PID"
		polder rm -f early 2>/dev/null
		[ $rc = 0 ] || grep -q "there is no environment" stop.err || {
			cat stop.err >&2
			return 1
		}
	done
}

ready_for_both() {
	cat >slow.yaml <<-'E'
	environments:
	  slow:
	    run: [sh, -c, "sleep 2; echo >/tmp/there; sleep 1000"]
	    ready: {path: /tmp/there}
	E
	me_bg "$T/bin/polder" up slow.yaml
	check "a first up has started it" until_ok 10 grep -q started "$BG_ERR"
	check "a second up" polder up slow.yaml
	check "waits for what the first has begun" polder exec slow.slow -- test -e /tmp/there
	wait "$PID"
	check "down" polder down --rm slow.yaml
	check "stop reaches one that starts" stop_starting
}

each_user ready_for_both
each_user hanging
each_user peers
each_user few_descriptors
each_user consoles
each_user terminals
each_user never_ready
check_clean "nothing is left"
done_testing
