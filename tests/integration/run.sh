#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder run as people type it: exit statuses and the sentence with each, variables, the
# working directory, roots, profiles, names, streams, and what is left afterwards.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
run() { polder run "$@"; }
# The caller's own standard input and variables, which check would replace.
fed() { # TEXT CMD…
	local text=$1
	shift
	printf '%s' "$text" | "$@"
}
quiet() { "$@" 2>/dev/null; }
count_is() { # N CMD…: it writes N lines
	local n=$1
	shift
	[ "$("$@" | wc -l)" = "$n" ]
}

# ---- exit statuses ----

statuses() {
	check_rc 0 "the program's success" run -- true
	check_rc 1 "its failure" run -- false
	check_rc 42 "its status" run -- sh -c 'exit 42'
	check_rc 125 "125 that is the program's own" run -- sh -c 'exit 125'
	check_rc 255 "255" run -- sh -c 'exit 255'
	check_rc 143 "128 and the number of a signal" run -- sh -c 'kill -TERM $$'
	check_rc 137 "of SIGKILL too" run -- sh -c 'kill -KILL $$'
	check_rc 134 "and of abort" run -- sh -c 'ulimit -c 0; kill -ABRT $$'
	check_rc 127 "no such program" run -- there-is-no-such-program
	check_err "and it is named" "there-is-no-such-program" run -- there-is-no-such-program
	check_rc 126 "a directory is no program" run -- /tmp
	check_err "and the reason is given" "'/tmp': Permission denied|'/tmp': Is a dir" run -- /tmp
	echo 'no program' >plain
	check_rc 126 "a file that may not be executed" run -r plain -- "$WORK/plain"
	check_rc 125 "no program at all" run
	check_err "is told how to write it" "no program: polder run" run --
	check_rc 125 "an unknown option" run --jsno -- true
	check_err "is answered with the near one" "did you mean '--json'" run --jsno -- true
	check_err "an option without its value" "'-n' needs a value" run -n
	check_err "a flag with one" "takes no value" run --rm=yes -- true
	check_rc 125 "an unknown command" polder rnu
	check_err "is answered with the near one" "did you mean 'run'" polder rnu
	check_rc 125 "no command" polder
	check_err "a name that is none" "Not_a_name" run -n Not_a_name -- true
	check_err "a slot that is none" "nosuch" run -g nosuch=null -- true
	check_err "a source that is none" "nosuch" run -g net=nosuch -- true
	check_err "what comes later is refused with that" "comes with the router" \
		run -g net=own -- true
}

# A program of the host that is not inside.
hints() {
	mkdir -p tools
	printf '#!/bin/sh\necho from tool "$@"\n' >tools/tool
	chmod 755 tools tools/tool
	check_rc 127 "a program of the host that is not granted" run -- "$WORK/tools/tool"
	check_err "the -r that helps" "grant it with -r '$WORK/tools/tool'" \
		run -- "$WORK/tools/tool"
	check_out "and it does help" '^from tool a$' \
		run -r "$WORK/tools/tool" -- "$WORK/tools/tool" a
	check_err "one of the host's PATH" "grant it with -r '$WORK/tools'" \
		me env PATH="$WORK/tools:$PATH" "$T/bin/polder" run -- tool
	check_out "and it does help" '^from tool b$' \
		me env PATH="$WORK/tools:$PATH" "$T/bin/polder" run -r "$WORK/tools" -e PATH -- tool b
	check_err "a relative one" "grant it with -r" run -- ./tools/tool
	check_out "and it does help" '^from tool c$' run -r ./tools/tool -- ./tools/tool c
	printf '#!/no/such/interpreter\n' >tools/odd
	chmod 755 tools/odd
	check_rc 127 "an interpreter that is missing" run -r tools -- tools/odd
}

# ---- what the program sees ----

variables() {
	local names='HOME|LANG|LOGNAME|PATH|PWD|SHELL|USER|_|SHLVL|OLDPWD'

	check_out "HOME, USER" '^/home/user user user$' \
		run -- sh -c 'echo $HOME $USER $LOGNAME'
	only_these() {
		me env SECRET=x AWS_KEY=y LD_PRELOAD= "$T/bin/polder" run -- env |
			grep -vE "^($names)="
	}
	check_fails "nothing else of the caller's" only_these
	check_out "-e VAR=VALUE" '^x y=z$' run -e 'A=x y=z' -- sh -c 'echo "$A"'
	check_out "-e VAR passes it on" '^passed$' \
		me env A=passed "$T/bin/polder" run -e A -- sh -c 'echo "$A"'
	check_out "-e VAR= is there and empty" '^set:$' run -e A= -- sh -c 'echo "${A+set}:$A"'
	check_rc 125 "-e of what is not there" run -e NO_SUCH_VARIABLE -- true
	check_err "says so" "no such variable" run -e NO_SUCH_VARIABLE -- true
	check_err "-e without a name" "write VAR=VALUE" run -e =x -- true
	check_out "the last -e counts" '^2$' run -e A=1 -e A=2 -- sh -c 'echo $A'
	check_out "-e HOME replaces ours" '^/elsewhere$' run -e HOME=/elsewhere -- sh -c 'echo $HOME'
	lines() { run -e "A=$(printf 'one\ntwo')" -- sh -c 'echo "$A"'; }
	check "a value of two lines" count_is 2 lines
	check_no_out "no TERM without a terminal" TERM run -- env
}

directories() {
	mkdir -p here/deep
	chmod 755 here here/deep
	echo content >here/file
	check_out "the working directory is the caller's path" "^$WORK\$" run -- pwd
	check_out "and empty" '^0$' run -- sh -c 'ls -A | wc -l'
	check_out "but for what was granted" '^here$' run -r here -- ls -A
	cd here || return
	check_out "in a granted one, what it holds" '^content$' run -r . -- cat file
	check_out "a relative grant from there" '^content$' run -r ../here -- cat ../here/file
	cd ..
	check_out "--chdir" "^$WORK/here/deep\$" run -r here --chdir "$WORK/here/deep" -- pwd
	check_out "--chdir, relative" "^$WORK/here/deep\$" run -r here --chdir here/deep -- pwd
	check_out "--chdir to one of its own" '^/tmp$' run --chdir /tmp -- pwd
	check_rc 125 "--chdir to nowhere" run --chdir /no/where -- true
	check_err "is named" "/no/where" run --chdir /no/where -- true
	check_out "the home is empty" '^0$' run -- sh -c 'ls -A ~ | wc -l'
	check "and writable" run -- sh -c 'echo x >~/x && echo y >/tmp/y && echo z >/dev/shm/z'
	check_fails "the root is not" run -- sh -c 'echo x >/x'
	check_fails "nor are the programs" run -- sh -c 'echo x >/usr/bin/x'
	cd "$WORK" || return
	mkdir gone && cd gone && rmdir ../gone
	check_err "a working directory that is gone" "working directory" run -- true
	cd "$WORK" || return
}

identity() {
	local n=$MY_UID
	[ "$ME" = user ] || n=1000
	check_out "who it is" "^uid=$n\(user\) gid=$n\(user\)" run -- id
	check_out "a host name that says nothing" '^polder$' run -- hostname
	check_out "pid 1 is not the program" '^2$' run -- sh -c 'echo $$'
	check_out "and few processes are there" '^[1-4]$' run -- sh -c 'ls -d /proc/[0-9]* | wc -l'
	check_out "only a loopback" '^ *lo:' run -- sh -c 'tail -n +3 /proc/net/dev'
	check_out "no capability" '^CapEff:.0000000000000000$' run -- grep CapEff /proc/self/status
	check_out "no new privileges" '^NoNewPrivs:.1$' run -- grep NoNewPrivs /proc/self/status
	check_out "filtered" '^Seccomp:.2$' run -- grep Seccomp: /proc/self/status
	check_out "only its three descriptors" '^0 1 2 3 $' \
		run -- sh -c 'exec ls /proc/self/fd | tr "\n" " "' 9</etc/passwd 8>&1
}

# ---- roots ----

roots() {
	local busybox
	busybox=$(command -v busybox) || { skip "--root" "no busybox"; return; }
	mkdir -p tree/bin tree/etc tree/proc tree/dev tree/tmp tree/run
	cp "$busybox" tree/bin/busybox
	"$busybox" --install -s tree/bin 2>/dev/null
	for p in sh ls cat touch id mount; do ln -sf busybox tree/bin/$p; done
	echo tree >tree/etc/mark
	! have_root || chown -hR "$MY_UID:$MY_UID" tree
	check_out "--root" '^tree$' run --root tree -- cat /etc/mark
	check_fails "is not the host's" run --root tree -- ls /usr/bin
	check_out "has its own /proc and /dev" '^ok$' \
		run --root tree -- sh -c 'cat /proc/self/stat >/dev/null && echo x >/dev/null && echo ok'
	check "can be written" run --root tree -- touch /written
	check "and it is on the host" test -e tree/written
	check "and the caller's" me test -O tree/written
	check_fails "read-only when asked" run -g "/=$WORK/tree,ro" -- touch /again
	check "nothing was written" test ! -e tree/again
	check_out "a relative one by -g" '^tree$' run -g "/=./tree,ro" -- cat /etc/mark
	check "with its own /tmp" run -g "/=./tree,ro" -- touch /tmp/x
	check_rc 125 "a root that is not there" run --root nosuch -- sh
	check_err "is named" "nosuch" run --root nosuch -- sh
	check_rc 125 "a file is no root" run --root tree/etc/mark -- sh
	check_rc 127 "a program that it does not have" run --root tree -- gcc
	check_err "is explained" "the root given does not" run --root tree -- cp
	check_out "with a grant in it" '^granted$' grant_in_root
}
grant_in_root() {
	echo granted >note
	run --root tree -r note -- cat "$WORK/note"
}

# ---- profiles ----

profiles() {
	local dir=$T/$ME/config/polder/profiles
	[ "$ME" = user ] || dir=$(config_of_root)
	[ -n "$dir" ] || { skip "profiles" "root's configuration is the machine's"; return; }
	me mkdir -p "$dir"
	mkdir -p data
	echo in-profile >data/f
	printf '# a comment\n\n  %s\nidentity=null\n' "/data=$WORK/data,ro" |
		me tee "$dir/work" >/dev/null
	check_out "--profile" '^in-profile$' run --profile work -- cat /data/f
	check_out "all of it" '^nobody$' run --profile work -- id -un
	check_fails "as it says" run --profile work -- touch /data/g
	check_rc 125 "one that is not there" run --profile nosuch -- true
	check_err "is named, with the place" "no profile 'nosuch'.*profiles" \
		run --profile nosuch -- true
	check_err "no way out of the directory" "no name of a profile" run --profile ../x -- true
	echo 'net=nonsense' | me tee "$dir/bad" >/dev/null
	check_err "a mistake in one names it" "profile 'bad'" run --profile bad -- true
}
config_of_root() { # where places.c looks
	run --profile nosuch -- true 2>&1 | sed -n 's/.* in \([^)]*\)).*/\1/p'
}

# ---- names ----

names() {
	check "-n" run -n one -- sh -c 'echo first >~/f; echo $0'
	check_out "is kept" '^one .*stopped' polder ps
	check_out "and runs again, with its home" '^first$' run -n one -- sh -c 'cat ~/f'
	check_out "as it is asked for now" '^second$' run -n one -- echo second
	check_rc 125 "--rm does not take what was kept before" run --rm -n one -- true
	check_err "and says so" "'one' is kept already" run --rm -n one -- true
	check_out "its home is still there" '^first$' run -n one -- sh -c 'cat ~/f'
	check "a running one" run -n two -d -- sleep 1000
	check_rc 125 "cannot be run" run -n two -- true
	check_err "and says what can be" "'two' is running already: polder exec" run -n two -- true
	check_out "-d prints the name" '^three$' run -d -n three -- true
	check_out "--json" '^\{"id":"[0-9a-f]{32}","name":"four"\}$' \
		run --json -d -n four -- true
	check_out "-d without a name prints the id" '^[0-9a-f]{32}$' run -d -- true
	check_rc 127 "-d of what is not there" run -d -n five -- there-is-none
	check_err "says so" "there-is-none" run -d -n five -- there-is-none
	check_no_out "and leaves nothing" five polder ps
	check_rc 3 "--rm" run --rm -n six -- sh -c 'exit 3'
	check_no_out "is gone" six polder ps
	check "stop" polder stop two
	check "rm all" polder rm one two three four
	check_no_out "nothing is there" '(one|two|three|four) ' polder ps
}

# ---- streams ----

streams() {
	check_out "standard input" '^abc$' fed abc run -- cat
	check_out "its end" '^0$' fed "" run -- sh -c 'cat | wc -c'
	check_out "a file as input" '^root:' root_line
	check_out "standard error is its own stream" '^err$' only_stderr
	check_out "50 MB out" '^52428800$' megabytes
	check_rc 0 "10 MB through, unchanged" through
	check_rc 0 "a reader that leaves early" early
	check "closed streams" closed
	check_err "a directory as input" "directory" from_dir
	check_rc 0 "a file as output" to_file
}
root_line() { run -- grep '^root:' </etc/passwd; }
# shellcheck disable=SC2069
only_stderr() { run -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null; }
megabytes() { run -- head -c 50M /dev/zero | wc -c; }
through() {
	head -c 10M /dev/urandom >random
	run -- cat <random | cmp - random
}
early() { run -- sh -c 'yes || :' 2>/dev/null | head -n 1 | grep -q y; }
closed() { run -- sh -c 'exit 0' <&- >&- 2>&-; }
from_dir() { run -- true </tmp; }
to_file() {
	run -- sh -c 'echo one; echo two' >written
	[ "$(cat written)" = "$(printf 'one\ntwo')" ]
}

# ---- what is left ----

nothing_left() {
	places() { find "$T/$ME/run" "$T/$ME/data" "$T/$ME/home" "$T/$ME/tmp" /run/polder \
		/var/lib/polder 2>/dev/null | sort; }
	run -- true
	places >before
	run -- sh -c 'echo x >~/x; echo y >/tmp/y'
	run -g /data=own -g console=own -- sh -c 'echo x >/data/x'
	run -g /data=own,size=1M -- false
	quiet run -- there-is-none
	quiet run --chdir /none -- true
	places >after
	check "a disposable environment leaves nothing" diff before after
	check_rc 0 "a program that leaves others behind ends with them" behind
	check_clean "$ME: nothing is left over"
}
behind() { run -- sh -c 'sleep 1000 & setsid sleep 1000 & (trap "" HUP TERM; sleep 1000) & exit 0'; }

# ---- signals to polder run ----

signals() {
	local sig
	for sig in TERM INT HUP USR1; do
		check_rc 0 "SIG$sig reaches the program" trapped "$sig"
	done
	check_rc 0 "one that the program does not catch ends it" untrapped
}
is_zombie() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
ended() { # SECONDS PID
	until_ok "$1" is_zombie "$2" || { kill -KILL "$2"; return 1; }
}
trapped() { # SIG; a shell in the background leaves SIGINT ignored, and so would the program
	me_bg env --default-signal=INT "$T/bin/polder" run -- sh -c "trap 'echo got; exit 7' $1; echo ready; while :; do sleep 0.05; done"
	until_ok 10 grep -q ready "$BG_OUT" || return 1
	kill -s "$1" "$PID"
	ended 10 "$PID" || return 1
	wait "$PID"
	[ $? = 7 ] && grep -q got "$BG_OUT"
}
untrapped() {
	me_bg "$T/bin/polder" run -- sh -c 'echo ready; exec sleep 1000'
	until_ok 10 grep -q ready "$BG_OUT" || return 1
	kill -TERM "$PID"
	ended 10 "$PID" || return 1
	wait "$PID"
	[ $? = 143 ]
}

each_user statuses
each_user hints
each_user variables
each_user directories
each_user identity
each_user roots
each_user profiles
each_user names
each_user streams
each_user signals
each_user nothing_left
done_testing
