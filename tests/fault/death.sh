#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Deaths later than the start: tenders of what runs, commands in the middle of their
# work; and disks that are full. What was kept stays whole, and the next command goes on.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
state_is() { polder ps | grep -Eq "^$1 .*$2"; }
logs_have() { polder logs "$1" | grep -Eq -e "$2"; }
is_zombie() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
gone() { until_ok 10 is_zombie "$1"; }
tender_of() { polder ps --json | jq -r --arg n "$1" '.[] | select(.name == $n) | .tender'; }
# The program's process, seen from outside, by a word of its command line.
program() { pgrep -f "^sleep $1\$" | head -n 1; }
# A moment between 0 and N ms.
moment() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }
killed_midway() { # MS CMD…: killed after at most so long
	local ms=$1
	shift
	me_bg "$@"
	moment "$ms"
	kill -KILL "$PID" 2>/dev/null
	wait "$PID" 2>/dev/null
	return 0
}

tenders() {
	polder run -n kept -d -g console=own -- sh -c 'echo x >>~/n; wc -l <~/n; exec sleep 7001' >/dev/null
	until_ok 10 logs_have kept '^1'
	local inside
	inside=$(program 7001)
	check "it runs" test -n "$inside"
	check "its tender is killed" kill -KILL "$(tender_of kept)"
	check "its program dies with it" gone "$inside"
	check_out "it is known to be stopped" '^kept .*stopped' polder ps
	check_rc 125 "nothing can be entered" polder exec kept -- true
	check "it starts again" polder start kept
	check "with its home" until_ok 10 logs_have kept '^2'
	check "stop" polder stop kept
	check "rm" polder rm kept
	check_clean "$ME: nothing is left of it"

	polder run -n gone --rm -d -- sleep 7002 >/dev/null
	inside=$(program 7002)
	check "a disposable one's tender is killed" kill -KILL "$(tender_of gone)"
	check "its program dies with it" gone "$inside"
	check_no_out "nothing is known of it" '^gone ' polder ps
	check_clean "$ME: nothing is left of it"

	me_bg "$T/bin/polder" run -- sleep 7003
	until_ok 10 program_runs 7003
	inside=$(program 7003)
	check "polder run is killed" kill -KILL "$PID"
	wait "$PID" 2>/dev/null
	check "its program dies with it" gone "$inside"
	polder ps >/dev/null
	check_clean "$ME: nothing is left of it"
}
program_runs() { [ -n "$(program "$1")" ]; }

waiters() {
	polder run -n kept -d -- sleep 7004 >/dev/null
	me_bg "$T/bin/polder" wait kept
	local waiter=$PID
	kill -KILL "$(tender_of kept)"
	check "who waits for it is told" gone "$waiter"
	polder rm kept >/dev/null
	polder run -n kept -d -g console=own -- sleep 7005 >/dev/null
	me_bg "$T/bin/polder" logs -f kept
	waiter=$PID
	kill -KILL "$(tender_of kept)"
	check "who reads its log, too" gone "$waiter"
	polder rm kept >/dev/null
	polder run -n kept -d -- sleep 7006 >/dev/null
	me_bg "$T/bin/polder" exec kept -- sleep 7007
	waiter=$PID
	until_ok 10 program_runs 7007
	local inside
	inside=$(program 7007)
	kill -KILL "$(tender_of kept)"
	check "who is inside, too" gone "$waiter"
	check "and what ran for it has ended" gone "$inside"
	polder rm kept >/dev/null
	check_clean "$ME: nothing is left over"
}

commands() {
	local i
	printf 'environments:\n' >three.yaml
	for i in 1 2 3; do
		printf '  e%d: {run: [sleep, "7008"], ready: {path: /tmp}}\n' $i
	done >>three.yaml
	for i in 1 2 3 4 5 6 7 8; do
		killed_midway 60 "$T/bin/polder" up three.yaml
		check "up, after one that was killed ($i)" polder up three.yaml
		check_out "has all of them" '^3$' running_now
		killed_midway 60 "$T/bin/polder" down --rm three.yaml
		check "down, after one that was killed" polder down --rm three.yaml
		check_no_out "has none" three polder ps
	done
	check_clean "$ME: nothing is left of them"
	for i in 1 2 3 4 5 6 7 8; do
		polder run -n one -d -g /data=own -- sleep 7009 >/dev/null
		killed_midway 30 "$T/bin/polder" stop one
		check "stop, after one that was killed ($i)" polder stop one
		killed_midway 30 "$T/bin/polder" rm one
		polder rm one >/dev/null 2>&1
		check_no_out "rm, too" '^one ' polder ps
		check "nothing of it is kept" nothing_kept
	done
	check_clean "$ME: nothing is left of them"
}
running_now() { polder ps | grep -c '^three.*running'; }
nothing_kept() {
	[ -z "$(find "$T/$ME/data/polder" /var/lib/polder -path '*dirs*' 2>/dev/null)" ]
}

# The places on file systems of their own, as full as can be.
full() {
	have_root || { skip "full disks" "needs root to mount them"; return; }
	local data run
	if [ "$ME" = root ]; then
		data=/var/lib/polder run=/run/polder
	else
		data=$T/user/data/polder run=$T/user/run/polder
	fi
	polder run -n before -- sh -c 'echo x >~/f'
	mkdir -p "$T/saved"
	cp -a "$data/." "$T/saved/"
	mount -t tmpfs -o "size=64k,mode=700,uid=$MY_UID,gid=$MY_UID" none "$data"
	cp -a "$T/saved/." "$data/" && rm -rf "$T/saved"
	head -c 1M /dev/zero >"$data/filler" 2>/dev/null
	check_rc 125 "nothing can be kept on a full disk" polder run -n late -- true
	check_err "and it says why" "No space left" polder run -n late -- true
	check_no_out "nothing is half-kept" '^late ' polder ps
	check_rc 0 "what is disposable runs" polder run -- true
	check_out "what was there before is known" '^before ' polder ps
	rm -f "$data/filler"
	check_out "with room, it runs again, with its home" '^x$' polder run -n before -- cat /home/user/f
	check "a log that finds no room" polder run -n chatty -d -g console=own,size=1M -- \
		sh -c 'seq 100000; : >/tmp/done; exec sleep 7010'
	check "does not stop its program" until_ok 20 polder exec chatty -- test -e /tmp/done
	check "rm -f" polder rm -f chatty
	check "rm" polder rm before
	umount "$data"
	polder rm before >/dev/null 2>&1
	mount -t tmpfs -o "size=64k,mode=700,uid=$MY_UID,gid=$MY_UID" none "$run"
	head -c 1M /dev/zero >"$run/filler" 2>/dev/null
	check_rc 125 "no room for what runs" polder run -- true
	check_err "and it says why" "No space left" polder run -- true
	rm -f "$run/filler"
	check_rc 0 "with room, it runs" polder run -- true
	umount "$run"
	check_rc 0 "and on the old one" polder run -- true
	check_clean "$ME: nothing is left over"
}

each_user tenders
each_user waiters
each_user commands
each_user full
check_clean "nothing is left over"
done_testing
