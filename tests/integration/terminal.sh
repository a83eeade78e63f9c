#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A person at a terminal: polder run, exec and attach with Ctrl-C, Ctrl-Z, fg, window
# sizes, the end of input; and what the program can do to that terminal.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
cp "$POLDER_SOURCE/tests/terminal.py" "$T/terminal.py"
chmod 755 "$T/terminal.py"

# Steps on standard input; P stands for the polder command.
at_terminal() { # WHAT
	sed "s,\(send\|until\||\|;\) P ,\1 $T/bin/polder ,g" >steps
	check "$1" me python3 "$T/terminal.py" steps
}

running() {
	at_terminal "a program has a terminal of its own" <<-'E'
	send P run -- sh\n
	expect \$
	send tty; ls /dev/pts; echo e""nd\n
	expect /dev/pts/0\r
	expect end\r
	send test -t 0 && test -t 1 && test -t 2 && echo a""ll\n
	expect all\r
	send stty size; echo e""nd\n
	expect 24 80\r
	size 33 99
	send until stty size | grep '33 99'; do sleep 0.1; done\n
	expect 33 99\r
	send exit 4\n
	expect READY
	send echo rc $?\n
	expect rc 4\r
	send stty -a | grep -o '.icanon'\n
	expect  icanon
	E
	at_terminal "Ctrl-C ends the program, not the shell in it" <<-'E'
	send P run -- sh\n
	expect \$
	send sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x03
	expect \$ 
	send echo after $?\n
	expect after 130\r
	send exit\n
	expect READY
	E
	at_terminal "Ctrl-C ends a program" <<-'E'
	send P run -- sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x03
	expect READY
	send echo rc $?\n
	expect rc 130\r
	send stty -a | grep -o '.icanon'\n
	expect  icanon
	E
	at_terminal "Ctrl-\\ too" <<-'E'
	send P run -- sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x1c
	expect READY
	send echo rc $?\n
	expect rc 131\r
	E
	at_terminal "Ctrl-Z and fg" <<-'E'
	send P run -- sh -c 'echo "g"o; exec cat'\n
	expect go\r
	send abc\n
	expect abc\r\nabc\r
	send \x1a
	expect Stopped
	expect READY
	send stty -a | grep -o '.icanon'\n
	expect  icanon
	send jobs\n
	expect Stopped
	send fg\n
	expect run
	send xyz\n
	expect xyz\r\nxyz\r
	send \x1a
	expect Stopped
	send fg\n
	expect run
	send again\n
	expect again\r\nagain\r
	send \x04
	expect READY
	send echo rc $?\n
	expect rc 0\r
	E
	at_terminal "a suspended one tells others so, and can be stopped" <<-'E'
	send P run -n held -- sh -c 'echo "g"o; exec cat'\n
	expect go\r
	send \x1a
	expect Stopped
	expect READY
	send P exec held -- true; echo rc $?\n
	expect held' is suspended
	expect rc 125\r
	expect READY
	send P show held; echo rc $?\n
	expect held' is suspended
	expect rc 125\r
	expect READY
	send P stop held; echo rc $?\n
	expect rc 0\r
	expect READY
	send P rm held; echo rc $?\n
	expect rc 0\r
	expect READY
	E
	at_terminal "Ctrl-Z inside, where a shell has jobs of its own" <<-'E'
	send P run -- bash --norc -i\n
	expect \$ 
	send sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x1a
	expect Stopped
	send echo in""side\n
	expect inside\r
	send kill -9 %1; while [ -n "$(jobs -s)" ]; do sleep 0.1; done; exit 0\n
	expect READY
	E
	at_terminal "Ctrl-D is the end of input" <<-'E'
	send P run -- sh -c 'echo "g"o; wc -l; echo "d"one'\n
	expect go\r
	send one\ntwo\n
	expect two\r\n
	send \x04
	expect ^2\r
	expect done\r
	expect READY
	E
}

redirected() {
	at_terminal "only what is a terminal becomes one" <<-'E'
	send echo hi | P run -- sh -c 'cat; test -t 0 || echo n""o; test -t 1 && echo y""es'\n
	expect ^hi\r
	expect ^no\r
	expect ^yes\r
	expect READY
	send P run -- sh -c 'test -t 1 || echo n""o; test -t 0 && echo y""es' | cat\n
	expect ^no\r
	expect ^yes\r
	expect READY
	send P run -- sh -c 'echo e""rr >&2; echo o""ut' 2>/dev/null\n
	expect ^out\r
	absent ^err
	expect READY
	E
	at_terminal "much output" <<-'E'
	send P run -- sh -c 'seq 200000; echo e""nd'\n
	expect ^199999\r
	expect ^200000\r
	expect ^end\r
	expect READY
	E
	at_terminal "no CR is added, none is lost" <<-'E'
	send P run -- printf 'a\\nb\\n' | od -c | head -n 1\n
	expect a  \\n   b  \\n\r
	expect READY
	E
}

background() {
	at_terminal "as a job of the shell" <<-'E'
	send P run -- sh -c 'echo f""rom; sleep 0.2' </dev/null &\n
	expect from\r
	send wait; echo w""aited\n
	expect ^waited\r
	E
	at_terminal "a job in the background leaves what is typed to the shell" <<-'E'
	send P run -- sleep 1000 &\n
	expect READY
	send echo o""ne\n
	expect one\r
	send echo t""wo; jobs -r\n
	expect two\r
	expect Running
	send kill %1; wait; echo w""aited\n
	expect waited\r
	E
	at_terminal "and takes it once in the foreground" <<-'E'
	send P run -- sh -c 'until read -r a </dev/tty; do :; done; echo got $a' &\n
	expect READY
	send echo o""ne\n
	expect one\r
	send fg\n
	expect run
	send typed\n
	expect got typed\r
	expect READY
	E
	at_terminal "-d leaves the terminal" <<-'E'
	send P run -n quiet -d -- sh -c 'echo no""thing; sleep 1000'\n
	expect ^quiet\r
	expect READY
	send until P logs quiet | grep no""thing; do sleep 0.1; done\n
	expect ^nothing\r
	expect READY
	send P rm -f quiet\n
	expect READY
	E
	at_terminal "a program dies when its terminal is closed" <<-'E'
	send P run -n hung -- sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	drop
	E
	check "it ended" until_ok 15 not_running hung
	polder rm -f hung >/dev/null 2>&1
}
not_running() { ! polder ps | grep -Eq "^$1 .*(running|paused)"; }

attaching() {
	polder run -n room -d -g console=own -- bash --norc -i >/dev/null
	at_terminal "attach, resize, detach" <<-'E'
	send P attach room\n
	send \n
	expect \$ 
	send echo in""side\n
	expect inside\r
	size 31 77
	send until stty size | grep '31 77'; do sleep 0.1; done\n
	expect 31 77\r
	send \x10\x11
	expect READY
	send echo rc $?\n
	expect rc 0\r
	send stty -a | grep -o '.icanon'\n
	expect  icanon
	E
	check_out "it goes on" '^room .*running' polder ps
	check_out "what was typed is logged" 'inside$' polder logs room
	at_terminal "attach again and end it" <<-'E'
	send P attach room\n
	send \n
	expect \$ 
	send exit 5\n
	expect READY
	send echo rc $?\n
	expect rc 5\r
	E
	check_rc 5 "its status" polder wait room
	polder rm room >/dev/null
}

executing() {
	polder run -n room -d -- sleep 1000 >/dev/null
	at_terminal "exec with a terminal" <<-'E'
	send P exec room -- sh\n
	expect \$ 
	send tty; stty size; echo e""nd\n
	expect /dev/pts/[0-9]+\r
	expect 24 80\r
	expect ^end\r
	size 40 100
	send until stty size | grep '40 100'; do sleep 0.1; done\n
	expect 40 100\r
	send sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x03
	expect \$ 
	send echo after $?\n
	expect after 130\r
	send exit 6\n
	expect READY
	send echo rc $?\n
	expect rc 6\r
	send stty -a | grep -o '.icanon'\n
	expect  icanon
	E
	at_terminal "exec with jobs inside" <<-'E'
	send P exec room -- bash --norc -i\n
	expect \$ 
	send sh -c 'echo "g"o; exec sleep 1000'\n
	expect go\r
	send \x1a
	expect Stopped
	send kill -9 %1; while [ -n "$(jobs -s)" ]; do sleep 0.1; done; exit 0\n
	expect READY
	E
	at_terminal "exec in a pipe has none" <<-'E'
	send P exec room -- sh -c 'test -t 1 || echo n""o' | cat\n
	expect ^no\r
	expect READY
	E
	at_terminal "exec ends with its terminal" <<-'E'
	send P exec room -- sh -c 'echo "g"o; exec sleep 4322'\n
	expect go\r
	drop
	E
	check "nothing of it is left inside" until_ok 15 not_inside
	polder rm -f room >/dev/null
}
not_inside() {
	! polder exec room -- sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' ' ' | grep -q 'sleep [4]322'
}

each_user running
each_user redirected
each_user background
each_user attaching
each_user executing
check_clean "nothing is left over"
done_testing
