#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Unikernels, killed at whatever moment of their start: the supervisor, in the foreground
# and in the background, and the guest or its monitor. Nothing survives, nothing stays, and
# the next command knows all of it or nothing.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fault/aftermath.sh
. "$(dirname "$0")/aftermath.sh"

guests=$POLDER_BUILD/tests/guests/solo5
if [ ! -f "$guests/guest-clock.spt" ]; then
	skip "unikernels" "spt is built for x86_64 alone"
	done_testing
fi
: "${KILLS:=200}" # of each kind
MARK=86400028     # ms that every guest would live
export CHECK_TIMEOUT=300
cp "$POLDER_BUILD/tests/fault/kill-start" "$guests"/guest-{clock,hello,net}.[sh][pv]t "$T/bin/"
chmod 755 "$T/bin"/*

survivors() {
	local pid
	for pid in /proc/[0-9]*; do
		case $(tr '\0' ' ' <"$pid/cmdline" 2>/dev/null) in
		"polder-tender-"*"--spec"* | *"ms=$MARK"*)
			echo "survivor ${pid#/proc/} $(cat "$pid/comm" 2>/dev/null)" ;;
		esac
	done
}
aftermath() { after_kills "$1" '^hello fine$' polder run "$T/bin/guest-hello.$K" fine; }

# What would stay if it were forgotten: volumes on disk, a link, a cgroup.
killed() { # WHAT WHO N MAX_US WORD…
	local what=$1 who=$2 n=$3 us=$4
	shift 4
	check_out "$K: $what" '^[1-9][0-9]* of .* killed' me kill-start "$who" "$n" "$us" polder run "$@"
	aftermath "$K: $what"
}

kind() {
	K=$1
	local clock=("$T/bin/guest-clock.$K" "ms=$MARK")
	killed "polder run is killed" self "$KILLS" "$US" "${clock[@]}"
	killed "its tender in the background is" child "$KILLS" "$((US * 2))" -d "${clock[@]}"
	killed "the guest is" child "$KILLS" "$US" "${clock[@]}"
	killed "one with a link is" self "$((KILLS / 4))" "$US" -g dev:service=own \
		"$T/bin/guest-net.$K" "ms=$MARK"
	killed "one that writes a core is" self "$((KILLS / 4))" "$US" --core "$WORK/core" \
		"${clock[@]}"
	killed "many at once are" many "$((KILLS / 2))" 700 "${clock[@]}"
	kept
}

# Kept ones stay, stopped, and start again with what was theirs.
kept() {
	local i pid ok=yes
	me polder run -n "kept-$K" -d "$T/bin/guest-clock.$K" "ms=$MARK" >/dev/null
	for ((i = 0; i < KILLS / 10; i++)); do
		pid=$(me polder ps --json | jq -r --arg n "kept-$K" \
			'.[] | select(.name == $n) | .tender')
		kill -KILL "$pid" 2>/dev/null
		sleep "0.00$((RANDOM % 10))"
		if ! me polder ps | grep -Eq "^kept-$K .*stopped" || ! me polder start "kept-$K"; then
			ok=no
			break
		fi
	done >/dev/null 2>&1
	check "$K: a kept one starts again after each death of its tender" [ "$ok" = yes ]
	check "$K: and stops" me polder stop "kept-$K"
	check "$K: and is removed" me polder rm "kept-$K"
	aftermath "$K: kept"
}

each() {
	US=3000 kind spt
	if me test -r /dev/kvm -a -w /dev/kvm; then
		US=6000 kind hvt
	else
		skip "hvt" "/dev/kvm is not there, or not this user's"
	fi
}
each_user each
done_testing
