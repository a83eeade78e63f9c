#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The anchor: who starts it, who finds it, what is below it, and when it goes.
. "$(dirname "$0")/../lib.sh"

anchors() { pgrep -u "$MY_UID" -x polder-anchor; }
one_anchor() { [ "$(anchors | wc -l)" = 1 ]; }
# There, and its record written: before that nobody finds it.
anchor_is_up() { one_anchor && [ -s "$T/user/run/polder/anchor.lock" ]; }
no_anchor() { ! anchors >/dev/null; }
# The user namespace of a process, and that above it.
userns() { stat -Lc %i "/proc/$1/ns/user" 2>/dev/null; }
above() { lsns -rn -t user -o NS,PNS | awk -v ns="$(userns "$1")" '$1 == ns { print $2 }'; }
sleeper() { pgrep -u "$MY_UID" -f "^sleep $1\$"; }
is_below() { [ "$(above "$(sleeper "$1")")" = "$(userns "$(anchors)")" ]; }
quiet() { "$@" >"$OUT" 2>"$ERR"; }
# shellcheck disable=SC2154 # of lib.sh
is_apart() { [ "$(above "$(sleeper "$1")")" = "$(userns $$)" ]; }

life() {
	check "none at first" no_anchor
	quiet me polder run -- true
	check "a disposable one in the foreground starts none" no_anchor
	check "one that is named" me polder run -n first -d -- sleep 1001
	check "starts one" until_ok 5 anchor_is_up
	check "itself it is not below it" is_apart 1001
	check "the next one" me polder run -n second -d -- sleep 1002
	check "is below it" is_below 1002
	check "and starts no other" one_anchor
	me_bg polder run -- sleep 1003
	check "so is one in the foreground" until_ok 5 sleeper 1003
	check "in its place" is_below 1003
	kill "$PID"
	check_out "what is below can be entered" '^in$' me polder exec second -- echo in
	check_out "with a network of its own" '^lo +UNKNOWN' me polder exec second -- \
		sh -c 'ip -br link 2>/dev/null || echo "lo UNKNOWN"'
	check_out "and has no capabilities" 'CapEff:.0+$' me polder run -- \
		grep CapEff /proc/self/status
	check "the first goes" me polder rm -f first
	check "it stays for the second" one_anchor
	check "the second goes" me polder rm -f second
	check "and it with that" until_ok 5 no_anchor
}

# Two environments share nothing that they did not share without it.
apart() {
	local ns also
	quiet me polder run -n one -d -- sleep 1001
	until_ok 5 anchor_is_up
	quiet me polder run -n two -d -- sleep 1002
	quiet me polder run -n three -d -- sleep 1003
	for ns in user mnt pid net ipc uts cgroup; do
		also=''
		case $ns in user | mnt | net) also=$(anchors) ;; esac
		# shellcheck disable=SC2086 # one word or none
		check "each its own $ns" all_differ "$ns" "$(sleeper 1002)" "$(sleeper 1003)" \
			$$ $also
	done
	check_fails "inside, its namespace cannot be joined" me polder exec two -- \
		nsenter --user=/proc/1/ns/user true
	check_no_out "nobody inside sees it" anchor me polder exec two -- \
		sh -c 'cat /proc/[0-9]*/comm'
	check_fails "nor its file" me polder run -w "$T/user/run" -- \
		cat "$T/user/run/polder/anchor.lock"
	check "many at once" many 40
	quiet me polder rm -f one two three
	check "and it ends" until_ok 5 no_anchor
}

all_differ() { # NAMESPACE PID…
	local ns=$1 pid
	shift
	for pid in "$@"; do
		stat -Lc %i "/proc/$pid/ns/$ns" || return 1
	done >"$T/numbers"
	[ "$(sort -u "$T/numbers" | wc -l)" = $# ]
}

many() {
	local i pids=()
	for ((i = 0; i < $1; i++)); do
		lib_env "$ME"
		"${lib_who[@]}" polder run -- true >"$OUT" 2>"$ERR" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || return 1
	done
}

# Whoever sees another host than the anchor goes without it.
views() {
	quiet me polder run -n one -d -- sleep 1001
	until_ok 5 anchor_is_up
	unshare --mount --propagation slave -- bash -c 'exec "$@"' - "${lib_who[@]}" \
		polder run -- sleep 1004 &
	check "another mount namespace" until_ok 5 sleeper 1004
	check "is not below it" is_apart 1004
	kill "$(sleeper 1004)"
	wait
	mkdir -p "$WORK/new"
	chmod 755 "$WORK/new"
	quiet me polder run -n two -d -- sleep 1002
	check "before" is_below 1002
	mount -t tmpfs none "$WORK/new"
	echo there >"$WORK/new/file"
	chmod -R a+rX "$WORK/new"
	check_out "a mount made since is granted" '^there$' \
		me polder run -r "$WORK/new" -- cat "$WORK/new/file"
	check "the old one is gone: its view was stale" until_ok 5 no_anchor
	check "the next lasting one starts another" me polder run -n three -d -- sleep 1003
	check "here it is" until_ok 5 anchor_is_up
	umount "$WORK/new"
	check_no_out "and what is unmounted is not granted" there \
		me polder run -r "$WORK/new" -- ls "$WORK/new"
	quiet me polder rm -f one two three
	until_ok 5 no_anchor
}

deaths() {
	quiet me polder run -n one -d -- sleep 1001
	until_ok 5 anchor_is_up
	quiet me polder run -n two -d -- sleep 1002
	kill -KILL "$(anchors)"
	check "it dies" until_ok 5 no_anchor
	check_out "what was below lives" '^in$' me polder exec two -- echo in
	check_out "others start" '^ok$' me polder run -- echo ok
	check "the next lasting one" me polder run -n three -d -- sleep 1003
	check "has another" until_ok 5 anchor_is_up
	quiet me polder rm -f one two three
	check "which ends" until_ok 5 no_anchor
	# Without its lock the file says nothing, whatever it says.
	sleep 1005 &
	printf 'anchor1\0' >"$T/user/run/polder/anchor.lock"
	printf '%b' "$(printf '\\x%02x' $(($! & 255)) $(($! >> 8 & 255)))" \
		>>"$T/user/run/polder/anchor.lock"
	check_out "a file that lies" '^ok$' me polder run -- echo ok
	kill $!
}

# Somebody else in the anchor's place: what is started would see his files. A program inside
# that has the run directory could be that; one that may only read it could wait until a
# pid is given again.
impostors() {
	local mode
	for mode in inside read; do
		me_bg python3 "$POLDER_SOURCE/tests/impostor.py" \
			"$T/user/run/polder/anchor.lock" $mode
		check "an impostor ($mode)" until_ok 5 grep -q locked "$BG_OUT"
		check_no_out "his files are not shown" poisoned me polder run -- ls /usr/share
		pkill -KILL -u "$MY_UID" -f impostor.py
		wait
	done
	rm -f "$T/user/run/polder/anchor.lock"
}

# The kernel keeps some limits with a user namespace: those of the first one must not become
# everybody's.
limits() {
	lib_env user
	(ulimit -u 60 && exec "${lib_who[@]}" polder run -n one -d -- sleep 1001) >"$OUT"
	until_ok 5 anchor_is_up
	me_bg polder run -n two -- sh -c 'until [ -e ~/go ]; do read -t 0.1 x; done
		sleep 0.1 && echo forked'
	until_ok 5 me polder exec two -- true
	"${lib_who[@]}" python3 -c 'import os, time
for i in range(80):
	if os.fork() == 0: time.sleep(1011); os._exit(0)
time.sleep(1011)' &
	until_ok 5 is_crowded
	check "another's limit of processes is not ours" until_ok 5 go_on
	pkill -u "$MY_UID" -f 1011
	wait
	check "it could go on" grep -q forked "$BG_OUT"
	check "with other limits it is not below it" apart_from_limits
	quiet me polder rm -f one two
	check "and it ends" until_ok 5 no_anchor
}
is_crowded() { [ "$(pgrep -u "$MY_UID" -f 1011 | wc -l)" -gt 80 ]; }
go_on() { me polder exec two -- touch /home/user/go; }
apart_from_limits() {
	me_bg polder run -- sleep 1012
	until_ok 5 sleeper 1012 && is_apart 1012
	local rc=$?
	kill "$PID"
	return $rc
}

# In a namespace whose mounts are slaves, none of what is mounted arrives at the anchor; where
# they are shared, it does.
# shellcheck disable=SC2016 # for the shell below
propagation() {
	local late='"$@" polder run -n one -d -- sleep 1001 >/dev/null
		for i in $(seq 50); do pgrep -u "$MY_UID" -x polder-anchor >/dev/null && break; sleep 0.1; done
		mount -t tmpfs none "$WORK/late"
		for i in $(seq 20); do
			pgrep -u "$MY_UID" -x polder-anchor >/dev/null || break; sleep 0.1
		done
		pgrep -u "$MY_UID" -x polder-anchor >/dev/null; there=$?
		: >"$WORK/late/file"; chmod 755 "$WORK/late"
		echo "anchor: $there, $("$@" polder run -r "$WORK/late" -- ls "$WORK/late")"
		"$@" polder rm -f one >/dev/null'
	mkdir -p "$WORK/late"
	lib_env user
	check_out "where mounts are slaves it ends" '^anchor: 1, file$' \
		unshare --mount --propagation shared -- unshare --mount --propagation slave -- \
		bash -c "$late" - "${lib_who[@]}"
	check "and is gone" until_ok 5 no_anchor
	check_out "where they are shared it stays" '^anchor: 0, file$' \
		unshare --mount --propagation shared -- bash -c "$late" - "${lib_who[@]}"
	until_ok 5 no_anchor
}

# Init fails when the program runs already: that is no reason to run it again.
broken() {
	command -v strace >/dev/null || { skip "a start that breaks late" "no strace"; return; }
	quiet me polder run -n one -d -- sleep 1001
	until_ok 5 anchor_is_up
	: >runs
	chown "$MY_UID" runs
	# The payload makes 43 such calls, init two more.
	check_rc 125 "a start that breaks late" me strace -f -o /dev/null -e \
		inject=prctl:error=EPERM:delay_enter=700000:when=45+ \
		polder run -w "$WORK" -- sh -c "echo x >>$WORK/runs"
	check "has run once" [ "$(wc -l <runs)" = 1 ]
	# The first word of init is what its tender waits for.
	check_rc 125 "a start that cannot begin" me timeout 10 strace -f -o /dev/null -e \
		inject=sendmsg:error=ENOBUFS:when=1 polder run -- true
	quiet me polder rm -f one
	until_ok 5 no_anchor
}

have_root || { skip "the anchor" "lsns shows parents to root alone"; done_testing; exit; }
ME=user MY_UID=$USER_UID WORK=$T/user/work
export ME MY_UID WORK
lib_env user
cd "$WORK" || exit 1
life
apart
views
deaths
impostors
limits
propagation
broken
check_clean "nothing is left"
ME=root MY_UID=0
cd "$T/root/work" || exit 1
check "root's" me polder run -n mine -d -- sleep 1006
sleep 0.3
check "need none" no_anchor
quiet me polder rm -f mine
check_clean "nothing is left of root's"
done_testing
