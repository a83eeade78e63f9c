#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The null set is complete: every example with every slot on null starts, and each of its
# environments goes on running or ends by itself; nothing hangs, nothing is left over.
#
# Exempt are the root, since a program cannot start from nothing, and entropy, which
# cannot be taken from a Linux program; all-null.jq leaves both out. Readiness goes too:
# what an environment would wait for is in a directory that is null now. Limits stay out,
# since an ordinary user may have none.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
nullified() { # FILE NAME
	polder show -f "$1" --json 2>/dev/null |
		jq -f "$POLDER_SOURCE/tests/integration/all-null.jq" |
		jq --arg name "$2" '. + {name: $name}' >"$2.yaml"
}
# The console is the tender's in an environment of the background; here it is null.
consoles_are_null() { # NAME
	polder ps --json | jq -e --arg c "$1" '
		[.[] | select(.composition == $c)] | length > 0 and all(.console == "null")'
}
states() { # COMPOSITION
	polder ps --json | jq -r --arg c "$1" '.[] | select(.composition == $c) | "\(.name) \(.state)"'
}
# Running ones answer: they are not stuck in their start.
answers() { # COMPOSITION
	local name state
	states "$1" | while read -r name state; do
		case $state in
		stopped) ;;
		running) polder exec "$1.$name" -- true || exit 1 ;;
		*) exit 1 ;;
		esac
	done
}
within() { # SECONDS CMD…
	local end=$((SECONDS + $1 + 1)) rc
	shift
	"$@"
	rc=$?
	[ "$SECONDS" -le "$end" ] && return $rc
	return 99
}
examples() {
	local file name
	for file in "$POLDER_SOURCE"/examples/*.yaml; do
		name=$(basename "$file" .yaml)
		cp "$file" "$name.in.yaml"
		check "$name: has a form with every slot on null" nullified "$name.in.yaml" "null-$name"
		check "$name: it starts" within 20 polder up "null-$name.yaml"
		check_out "$name: all of it" '^[1-9]' count "null-$name"
		check "$name: every console is null" consoles_are_null "null-$name"
		check "$name: each runs or has ended" within 20 answers "null-$name"
		check "$name: it stops" within 20 polder down --rm "null-$name.yaml"
	done
	check_clean "$ME: nothing is left over"
}
count() { states "$1" | wc -l; }

# Without any file: everything on the command line.
commands() {
	local all='-g console=null -g net=null -g identity=null -g clock=null -g spawn=null
		-g /home/user=null -g /tmp=null -g /run=null -g /var/tmp=null -g /dev/shm=null
		-g socket:/sock=null'
	nothing() {
		# shellcheck disable=SC2086 # words
		polder run $all --chdir / -- "$@"
	}
	check_rc 0 "a program that does nothing" nothing true
	check_rc 0 "a shell" nothing sh -c 'ls -A / >/dev/null; id >/dev/null; date >/dev/null'
	check_rc 0 "reading ends" nothing cat
	check_rc 0 "writing vanishes" nothing sh -c 'seq 100000'
	check_rc 0 "python" nothing python3 -c 'import os, time, random; time.sleep(0.01)'
	check_rc 0 "a timer" nothing timeout 5 sleep 0.1
	check_rc 1 "nowhere to write" nothing sh -c \
		'for d in /tmp /home/user /run /var/tmp /dev/shm; do touch $d/x && exit 0; done; exit 1'
	check_rc 7 "its status comes through" nothing sh -c 'exit 7'
	check_rc 0 "the socket refuses" nothing python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
try: s.connect("/sock")
except ConnectionRefusedError: sys.exit(0)
sys.exit(1)'
	check_clean "$ME: nothing is left over"
}

each_user examples
each_user commands
done_testing
