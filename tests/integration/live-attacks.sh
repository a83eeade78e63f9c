#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Attempts at what is granted to an environment while it runs: by its program, and by what
# serves it.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
in_it() { polder exec web -- "$@"; }
fails() { ! "$@"; }
mine() { # PATH…: the present user's, as far as this was started as root
	! have_root || chown -hR "$MY_UID:$MY_UID" -- "$@"
}
up() { # WORD…: an environment that only waits
	check "it is up" polder run -n web -d "$@" -- sleep 1000
}
gone() { check "it is gone" polder rm -f web; }
tool() { # the guest programs, where the program inside finds them
	rm -rf tools && mkdir tools && cp "$POLDER_BUILD"/tests/guests/try-live tools/ && mine tools
}
repo() {
	rm -rf repo && mkdir -p repo/.git/hooks repo/sub && echo '[core]' >repo/.git/config
	echo one >repo/a && mine repo
}
begun() { grep -q began "$BG_OUT"; }
attack() { # WORD…: try-live in the background, until it is at it
	me_bg polder exec web -- /tools/try-live "$@"
	until_ok 10 begun
}

# ---- the guarded names, while it is put there ----

# What protects them stands before the directory is seen.
window() {
	local i
	repo
	tool
	up -g /tools=./tools,ro
	check "a program waits for hooks" attack plant /data 12000
	for i in $(seq 25); do
		polder grant web /data=./repo && polder revoke web /data || return 1
	done >"$OUT" 2>&1
	check_fails "it made none in 25 grants" test -e repo/.git/hooks/planted
	gone
}

# It moves the directory above while the caretaker's mount is put there.
moved() {
	local i n=0
	repo
	tool
	rm -rf ours && mkdir -p ours/{a,b}/data/.git/hooks && mine ours
	up -g /tools=./tools,ro -w ours
	check "a program exchanges the directory above" attack swap "$WORK/ours" 20000
	for i in $(seq 40); do
		polder grant web "$WORK/ours/a/data=$WORK/repo" && n=$((n + 1))
		polder revoke web "$WORK/ours/a/data"
	done >"$OUT" 2>&1
	check "some of 40 grants were made" test "$n" -gt 0
	check_fails "and no hook in any" test -e repo/.git/hooks/planted
	gone
}

# The kernel drops a mount on a name that could once not be looked up; what serves the
# directory does not depend on it.
dropped() {
	local hooks=/data/.git/hooks
	repo
	tool
	up -g /tools=./tools,ro
	check "granted" polder grant web /data=./repo
	check_fails "no hook is made" in_it touch "$hooks/planted"
	check "a program makes a name fail, and tries" in_it /tools/try-live flip /data 8000
	check_fails "it made none" test -e repo/.git/hooks/planted
	check "it gives back what it took" in_it chmod 755 /data/.git
	check_fails "nothing is linked into them" in_it ln /data/a "$hooks/planted"
	check_fails "nor moved" in_it mv /data/a "$hooks/planted"
	check_fails "nor are they moved away" in_it mv "$hooks" /data/x
	check_fails "nor what they lie in" in_it mv /data/.git /data/x
	check_fails "nor something put in its place" in_it mv -T /data/sub "$hooks"
	check_fails "nor the configuration" in_it ln /data/.git/config /data/x
	check_fails "in any way" in_it sh -c 'echo x >>/data/.git/config'
	check "the rest can be written" in_it touch /data/.git/index /data/sub/x
	check "the host replaces them" me sh -c 'rm -rf repo/.git/hooks && mkdir repo/.git/hooks'
	sleep 1.2
	check_fails "they are still kept" in_it touch "$hooks/planted"
	gone
}

# What was there from the start is known by what it is: exchanging directories makes it no
# other.
exchanged() {
	local a="$WORK/ours/a/data" b="$WORK/ours/b/data"
	rm -rf ours x y && mkdir -p ours/{a,b}/data x y && echo x >x/name && echo y >y/name
	mine ours x y
	up -w ours -g "$a=$WORK/x" -g "$b=$WORK/y"
	check_out "two mounts" '^x$' in_it cat "$a/name"
	check "the program exchanges what is above" in_it sh -c \
		"cd '$WORK/ours' && mv a c && mv b a && mv c b"
	check_out "they are exchanged" '^y$' in_it cat "$a/name"
	check_err "the one at that place is not taken for the other" 'moved' \
		polder revoke --new-only web "$a"
	check_out "which stays" '^y$' in_it cat "$a/name"
	check_out "and is said to" "$a=" polder show web
	check "they are put back" in_it sh -c "cd '$WORK/ours' && mv a c && mv b a && mv c b"
	check "and it is revoked" polder revoke --new-only web "$a"
	check_fails "it is gone" in_it cat "$a/name"
	check_out "the other is not" '^y$' in_it cat "$b/name"
	gone
}

# ---- what serves it ----

caretaker() { pgrep -x polder-caretake; }
status_of() { grep -E '^(Seccomp|NoNewPrivs|CapEff|CapPrm|CapBnd):' "/proc/$(caretaker)/status"; }
fds_of() { # what a caretaker has open beside its nodes: by name
	local fd
	for fd in "/proc/$(caretaker)/fd"/*; do readlink "$fd"; done |
		grep -vE '^(/dev/(null|fuse)|/proc/[0-9]+/fd|socket:.*|pipe:.*|anon_inode:\[(eventfd|timerfd)\])$'
}
within() { # SECONDS CMD…
	local from=$SECONDS
	"${@:2}" && [ $((SECONDS - from)) -le "$1" ]
}
served() {
	local pid
	repo
	up
	check "granted" polder grant web /data=./repo
	check_out "it is there" '^one$' in_it cat /data/a
	check_out "its caretaker has a filter" '^Seccomp:.*2$' status_of
	check_out "and no capability" '^CapEff:.*0000000000000000$' status_of
	check_out "nor one to come" '^NoNewPrivs:.*1$' status_of
	fds_of | grep -v "^$WORK/repo" >fds_beside
	check_no_out "and no file beside what was granted" . cat fds_beside
	me_bg polder exec web -- sh -c 'exec 3</data/a; while ! [ -e /tmp/now ]; do sleep 0.1; done
		cat <&3 && echo READ'
	until_ok 5 test -n "$(caretaker)"
	pid=$(caretaker)
	sleep 0.5
	check "it hangs" kill -STOP "$pid"
	check "what it serves is revoked all the same, soon" within 12 polder revoke web /data
	check_fails "it is not there any more" test -e "/proc/$pid/fd/0"
	check "and the program goes on" in_it touch /tmp/now
	wait "$PID"
	check_fails "with nothing" grep READ "$BG_OUT"
	check "another can be granted" polder grant web /data=./repo
	check_out "and is there" '^one$' in_it cat /data/a
	gone
	check_err "the kernel's own files are not served" '/proc' polder run -g /data=/proc,log -- true
}

# ---- what people read ----

shown() {
	local name
	name=$(printf 'a\033[31m\302\233x\342\200\256y\nallow')
	repo
	up
	check "logged" polder grant web /data=./repo,log
	check "a name is made to be shown" in_it touch "/data/$name"
	check_out "it is" 'create' polder audit web
	check_fails "without its control characters" raw polder audit web
	check_fails "nor in JSON" raw polder audit --json web
	check_fails "nor on a line of its own" line polder audit web
	check_out "but what they were" '\\u001b' polder audit web
	gone
}
raw() { "$@" | LC_ALL=C grep -Pq '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae'; }
line() { "$@" | grep -q '^allow'; }

# ---- what is left ----

# Where the host's own files lie below, nothing takes their place: once, not each time.
mounts() { in_it cat /proc/self/mountinfo | wc -l; }
again() {
	local i before
	repo
	rm -rf ours && mkdir -p ours/at && mine ours
	up -w ours
	for i in $(seq 6); do
		polder grant web "$WORK/ours/at=$WORK/repo,ro" &&
			polder revoke web "$WORK/ours/at" || return 1
		[ "$i" != 1 ] || before=$(mounts)
	done >"$OUT" 2>&1
	check "as many mounts after six times as after one" test "$(mounts)" = "$before"
	check_fails "and the host's own is not to be seen" in_it touch "$WORK/ours/at/x"
	check "granted again" polder grant web /data=./repo
	check "and revoked to errors" polder revoke --to error web /data
	check_fails "which are there" in_it cat /data/a
	check "it can be granted again" polder grant web /data=./repo
	check_out "all of it" '^one$' in_it cat /data/a
	check "and revoked" polder revoke web /data
	check_fails "nothing is there" in_it cat /data/a
	gone
}

for f in window moved dropped exchanged served shown again; do
	each_user "$f"
done
check_clean "nothing is left over"
done_testing
