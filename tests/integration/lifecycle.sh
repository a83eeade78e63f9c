#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What can be done with an environment after its start: logs, exec, pause, stop, wait,
# start, restart, rm; and what survives which of them.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
fed() { # FILE CMD…
	local file=$1
	shift
	"$@" <"$file"
}
state_is() { polder ps | grep -Eq "^$1 .*$2"; }
logs_have() { polder logs "$1" | grep -Eq -e "$2"; }
is_zombie() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
ended() { until_ok "$1" is_zombie "$2" || { kill -KILL "$2"; return 1; }; }

unknown() {
	local verb
	for verb in show logs attach wait pause resume stop start restart rm "exec"; do
		check_rc 125 "$verb of what is not there" polder $verb nosuch x
		[ $verb = exec ] || check_err "is named ($verb)" "nosuch|usage" polder $verb nosuch
	done
	check_err "exec, too" "nosuch" polder exec nosuch -- true
	check_err "stop without a name" "usage: polder stop" polder stop
	check_err "a signal that is none" "'XYZ' is no signal" polder stop -s XYZ a
	check_err "a duration that is none" "'soon' is no duration" polder stop -t soon a
	check_rc 0 "ps of nothing" polder ps
}

logs() {
	check "one with a console of its own" polder run -n talker -d -g console=own -- \
		sh -c 'echo one; echo two >&2; until [ -e ~/go ]; do sleep 0.05; done; echo three'
	check "its log" until_ok 10 logs_have talker '^one'
	check_out "both streams" '^two$' polder logs talker
	check "line ends are a log's" no_cr talker
	me_bg "$T/bin/polder" logs -f talker
	check "logs -f begins with what is there" until_ok 10 grep -q two "$BG_OUT"
	check "go on" polder exec talker -- sh -c ': >~/go'
	check "logs -f ends with the program" ended 20 "$PID"
	check "and had all of it" grep -q three "$BG_OUT"
	check_out "the log stays" '^three$' polder logs talker
	check "a console that is none" polder run -n silent -d -g console=null -- sh -c 'echo x; sleep 1000'
	check_rc 125 "has no log" polder logs silent
	check_err "and it is told why" "console=own" polder logs silent
	check_rc 125 "and cannot be attached to" polder attach silent
	check_err "told as well" "console=own" polder attach silent
	check "rm -f" polder rm -f silent
	check "a small log" polder run -n chatty -d -g console=own,size=4K -- \
		sh -c 'seq 100000; echo last; sleep 1000'
	check "has the last line" until_ok 20 logs_have chatty '^last$'
	check "and not the first" not_first
	polder rm -f chatty >/dev/null
	check "rm" polder rm talker
	check_rc 125 "is gone" polder logs talker
}
no_cr() { ! polder logs "$1" | grep -q "$(printf '\r')"; }
not_first() { ! polder logs chatty | grep -qx 12345 && [ "$(polder logs chatty | wc -c)" -lt 20000 ]; }

exec_in() {
	mkdir -p granted
	polder run -n room -d -e OF_IT=1 -w granted/ -- sleep 1000 >/dev/null
	check_rc 0 "exec" polder exec room -- true
	check_out "has the program's variables" '^1$' polder exec room -- sh -c 'echo $OF_IT'
	check_out "but for what is set anew" '^2$' polder exec -e OF_IT=2 room -- sh -c 'echo $OF_IT'
	check_rc 7 "its status" polder exec room -- sh -c 'exit 7'
	check_rc 137 "a signal's" polder exec room -- sh -c 'kill -KILL $$'
	check_rc 127 "no such program" polder exec room -- there-is-none
	check_err "is named" "there-is-none" polder exec room -- there-is-none
	check_rc 126 "no program" polder exec room -- /tmp
	check_out "with or without --" '^x$' polder exec room echo x
	check_err "with nothing" "usage: polder exec" polder exec room
	check_out "the same processes" 'sleep 1000' polder exec room -- \
		sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'
	check_out "the same files" '^shared$' polder exec room -- sh -c 'echo shared >~/s; cat ~/s'
	check_out "the same in the next" '^shared$' polder exec room -- sh -c 'cat ~/s'
	check_out "the same directory" "^$WORK\$" polder exec room -- pwd
	check_out "--chdir" '^/tmp$' polder exec --chdir /tmp room -- pwd
	check_rc 125 "--chdir to nowhere" polder exec --chdir /no/where room -- pwd
	check_out "-e" '^b$' polder exec -e A=b room -- sh -c 'echo $A'
	check_out "-e passes on" '^c$' me env A=c "$T/bin/polder" exec -e A room -- sh -c 'echo $A'
	check_out "a clean set" '^/home/user user $' me env S=x "$T/bin/polder" exec room -- \
		sh -c 'echo "$HOME $USER $S"'
	check_out "the same walls" '^NoNewPrivs:.1$' polder exec room -- grep NoNewPrivs /proc/self/status
	check_out "filtered" '^Seccomp:.2$' polder exec room -- grep Seccomp: /proc/self/status
	check_out "no capability" '^CapEff:.0000000000000000$' polder exec room -- \
		grep CapEff /proc/self/status
	check_fails "nothing more than it has" polder exec room -- cat "$WORK/random"
	check_out "only its descriptors" '^0 1 2 3 $' polder exec room -- \
		sh -c 'exec ls /proc/self/fd | tr "\n" " "' 9</etc/passwd
	check_out "standard error apart" '^e$' only_err
	head -c 10M /dev/urandom >random
	check "10 MB both ways, unchanged" both_ways
	check "many at once" side_by_side
	check "one that is killed ends its program" exec_killed
	check_rc 125 "a variable without a name" polder exec -e =x room -- true
	check_out "-t, and input that is no terminal" 'hi' piped 'hi\n' polder exec -t room -- cat
	check_out "that does not end in a line" 'hi' piped 'hi' polder exec -t room -- cat
	check_out "and with nothing" '^0' piped '' polder exec -t room -- wc -c
	check "many who wait leave room for stop" crowd
	polder rm -f room >/dev/null
	polder run -n room -d -- true >/dev/null
	check "it ends" polder wait room
	check_rc 125 "exec in what has stopped" polder exec room -- true
	check_err "says so" "stopped|not running" polder exec room -- true
	polder rm room >/dev/null
}
# shellcheck disable=SC2069
piped() { # TEXT CMD…
	local text=$1
	shift
	printf "$text" | "$@"
}
crowd() {
	local i all=()
	polder run -n crowded -d -- sleep 1000 || return
	for i in $(seq 70); do
		polder wait crowded >/dev/null 2>"crowd.$i" &
		all+=($!)
	done
	until_ok 20 grep -q 'too many' crowd.*
	polder exec crowded -- true && return 1
	polder show crowded && polder rm -f crowded || return
	wait "${all[@]}"
	rm -f crowd.*
}
only_err() { { polder exec room -- sh -c 'echo o; echo e >&2' >/dev/null; } 2>&1; }
both_ways() { cat random | polder exec room -- cat | cmp - random; }
side_by_side() {
	local i pids=''
	for i in 1 2 3 4 5 6 7 8; do
		polder exec room -- sh -c "sleep 0.2; exit $i" &
		pids="$pids $!"
	done
	i=0
	for p in $pids; do
		i=$((i + 1))
		wait "$p"
		[ $? = $i ] || return 1
	done
}
inside() { polder exec room -- sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' ' ' | grep -q "$1"; }
not_inside() { ! inside "$1"; }
exec_killed() {
	me_bg "$T/bin/polder" exec room -- sleep 4321
	until_ok 10 inside 'sleep [4]321' || return 1
	kill -KILL "$PID"
	until_ok 10 not_inside 'sleep [4]321'
}

pausing() {
	polder run -n busy -d -- sh -c 'while :; do :; done' >/dev/null
	check "it works" until_ok 10 ticking
	check "pause" polder pause busy
	check_out "is paused" '^busy .*paused' polder ps
	check "really" not_ticking
	check_rc 125 "pausing it again" polder pause busy
	check_err "is told" "not running" polder pause busy
	check_rc 125 "exec in it" polder exec busy -- true
	check_err "is told" "paused" polder exec busy -- true
	check "resume" polder resume busy
	check_out "runs" '^busy .*running' polder ps
	check "really" until_ok 10 ticking
	check_rc 125 "resuming it again" polder resume busy
	check "pause" polder pause busy
	check "stopping a paused one" polder stop busy
	check_out "is stopped" '^busy .*stopped' polder ps
	check_rc 125 "pausing a stopped one" polder pause busy
	polder rm busy >/dev/null
}
busy_pid() { pgrep -f '^sh -c while :; do :; done$' | head -n 1; }
cpu_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
ticking() {
	local pid a
	pid=$(busy_pid)
	a=$(cpu_of "$pid")
	sleep 0.1
	[ "$(cpu_of "$pid")" -gt "$a" ]
}
not_ticking() {
	local pid a
	pid=$(busy_pid)
	[ -n "$pid" ] || return 1
	a=$(cpu_of "$pid")
	sleep 0.4
	[ "$(cpu_of "$pid")" = "$a" ]
}

stopping() {
	polder run -n polite -d -g console=own -- \
		sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
	until_ok 10 logs_have polite up
	check "stop" polder stop polite
	check_out "it had its time" '^bye' polder logs polite
	check_rc 3 "and its status is known" polder wait polite
	check "stopping a stopped one is nothing" polder stop polite
	polder run -n stubborn -d -g console=own -- \
		sh -c 'trap "" TERM INT HUP; echo up; while :; do sleep 0.05; done' >/dev/null
	until_ok 10 logs_have stubborn up
	check "one that does not listen" within 5 polder stop -t 1s stubborn
	check_rc 137 "was killed" polder wait stubborn
	polder start stubborn >/dev/null
	check "rm -f does not wait for long" within 5 polder rm -f stubborn
	polder run -n other -d -g console=own -- \
		sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' >/dev/null
	until_ok 10 logs_have other up
	check "stop -s" polder stop -s USR1 other
	check_rc 9 "has that signal" polder wait other
	check_rc 125 "stop goes on after a mistake" polder stop nosuch other
	me_bg "$T/bin/polder" run -n front -- sleep 1000
	until_ok 10 state_is front running
	check "stop of one in the foreground" polder stop front
	check "ends its polder run" ended 10 "$PID"
	wait "$PID"
	check_rc 143 "with that status" polder wait front
	check "rm of several" polder rm polite other front
	check_clean "$ME: nothing is left over"
}
within() { # SECONDS CMD…
	local end=$((SECONDS + $1 + 1))
	shift
	"$@" && [ "$SECONDS" -le "$end" ]
}

waiting() {
	polder run -n w -d -- sh -c 'until [ -e ~/go ]; do sleep 0.05; done; exit 5' >/dev/null
	me_bg "$T/bin/polder" wait w
	check "one that waits" kill -0 "$PID"
	check "go on" polder exec w -- sh -c ': >~/go'
	check "wait ends" ended 10 "$PID"
	wait "$PID"
	local rc=$?
	check "with the program's status" test "$rc" = 5
	check_rc 5 "at once afterwards" polder wait w
	polder rm w >/dev/null
	polder run --rm -n v -d -- sh -c 'sleep 0.3; exit 6' >/dev/null
	check_rc 6 "of a disposable one" polder wait v
	check_no_out "which is gone" '^v ' polder ps
}

surviving() {
	local a='echo run >>~/n; echo run >>/data/n; echo run >>/scratch/n; wc -l <~/n; exec sleep 1000'
	polder run -n keep -d -g console=own -g /data=own -g /scratch=own,size=1M -e A=b -- \
		sh -c "echo \$A; $a" >/dev/null
	until_ok 10 state_is keep running
	check_out "its home" '^1$' until_file keep 1
	check "stop" polder stop keep
	check "start" polder start keep
	check_out "its home is there again" '^2$' until_file keep 2
	check_out "and its own directory" '^2$' polder exec keep -- sh -c 'wc -l </data/n'
	check_out "but not what is in memory" '^1$' polder exec keep -- sh -c 'wc -l </scratch/n'
	check_out "its variables" '^b$' polder logs keep
	check_rc 125 "starting a running one" polder start keep
	check_err "is told" "running already" polder start keep
	check "restart" polder restart keep
	check_out "once more" '^3$' until_file keep 3
	check "restart of a stopped one" restart_stopped
	check_rc 125 "rm of a running one" polder rm keep
	check_err "is told how" "rm -f" polder rm keep
	check "rm -f" polder rm -f keep
	check_no_out "is gone" '^keep ' polder ps
	check "all of it" nothing_of_it
	polder run -n keep -- sh -c 'ls -A ~' >here
	check "a new one of the name begins empty" test ! -s here
	polder rm keep >/dev/null
	check_rc 125 "a disposable one cannot be restarted" restart_disposable
}
home_lines() { [ "$(polder exec "$1" -- sh -c 'wc -l <~/n')" = "$2" ]; }
until_file() { # ENV N
	until_ok 10 home_lines "$1" "$2"
	polder exec "$1" -- sh -c 'wc -l <~/n'
}
restart_stopped() { polder stop keep && polder restart keep && state_is keep running; }
nothing_of_it() {
	[ -z "$(find "$T/$ME/data" /var/lib/polder -name home 2>/dev/null)" ]
}
restart_disposable() {
	local rc
	polder run -d --rm -n once -- sleep 1000 >/dev/null
	polder restart once
	rc=$?
	polder stop once
	return $rc
}

# The person's view: show, by name and by the beginning of the id.
shown() {
	polder run -n seen -d -g /data=own -- sleep 1000 >/dev/null
	local id
	id=$(polder ps --json | jq -r '.[] | select(.name == "seen") | .id')
	check_out "show" '/data' polder show seen
	check_out "asked and enforced" 'own' polder show seen
	check "show --json" json_has 'length > 0' polder show --json seen
	check_out "by its id" '/data' polder show "$id"
	check_out "why" '.' polder why seen /data
	check "stop by id" polder stop "$id"
	check_out "show of a stopped one" '/data' polder show seen
	check "rm by id" polder rm "$id"
}
json_has() {
	local expr=$1
	shift
	"$@" | jq -e "$expr" >/dev/null
}

each_user unknown
each_user logs
each_user exec_in
each_user pausing
each_user stopping
each_user waiting
each_user surviving
each_user shown
check_clean "nothing is left over"
done_testing
