# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# lib.sh - the harness of tests/integration and tests/fault.
#
# A script begins with
#
#	. "$(dirname "$0")/../lib.sh"
#
# and ends with `done_testing`; one that ends before it has failed. Started as root, it
# runs itself again in mount and pid namespaces of its own: nothing that it mounts is
# seen outside, and nothing that it starts lives longer than it.
#
# There are two users, `user` (uid POLDER_TEST_UID, 4711, made for the test, with a
# range of subordinate numbers, and with /dev/fuse, /dev/net/tun and /dev/kvm as an
# ordinary Debian has them) and `root`. Started as an ordinary user, the first is the
# caller, and the root half is skipped.
#
#   as_user CMD…      runs CMD (a program, not a function) as that user
#   as_root CMD…      as root
#   each_user FN      runs FN once as each; inside, `me CMD…` runs as the present one,
#                     $ME is user or root, $MY_UID its number
#   me_bg CMD…        starts CMD in the background; its pid is in $PID, its output in
#                     $BG_OUT and $BG_ERR (files)
#   until_ok S CMD…   repeats CMD until it succeeds, at most S seconds
#
# Each of them has HOME, XDG_RUNTIME_DIR, XDG_DATA_HOME and XDG_CONFIG_HOME of its own
# below $T, which goes at the end, and $WORK ($T/ME/work), writable, the working
# directory of each_user's function. A CMD is killed after $CHECK_TIMEOUT (60) seconds
# and then counts as failed with 124.
#
# Checks; CMD may be a function. What it wrote stays in $OUT and $ERR (files), its exit
# status in $RC.
#
#   check WHAT CMD…            succeeds
#   check_fails WHAT CMD…      fails by its own doing: 124 to 127 and death by SIGSEGV
#                              or SIGABRT are no denial
#   check_rc N WHAT CMD…       ends with N
#   check_out WHAT ERE CMD…    succeeds and writes (either stream) a match
#   check_no_out WHAT ERE CMD… succeeds and writes no match
#   check_err WHAT ERE CMD…    fails, no matter how, and writes a match to its stderr
#   skip WHAT REASON           counted, and shown with the reason
#   pass WHAT, fail WHAT       for what fits none of them
#   check_clean WHAT [S]       nothing is left over, after at most S (5) seconds
#   leftovers                  prints what is: processes, mounts, files

set -u

: "${POLDER_TEST_UID:=4711}" "${CHECK_TIMEOUT:=60}"
lib_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${POLDER_SOURCE:=$lib_top}" "${POLDER_BUILD:=$lib_top/build}"
export POLDER_SOURCE POLDER_BUILD POLDER_TEST_UID

# ---- namespaces of the script's own ----

if [ "$(id -u)" = 0 ] && [ -z "${POLDER_TEST_INSIDE-}" ]; then
	export POLDER_TEST_INSIDE=yes
	exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		-- bash "$0" "$@"
fi

T=$(mktemp -d "${TMPDIR:-/tmp}/pt-XXXXXX") || exit 1
chmod 755 "$T"
OUT=$T/out ERR=$T/err RC=0 PID='' BG_OUT=$T/bg.out BG_ERR=$T/bg.err
ME='' MY_UID='' WORK='' lib_home='' lib_n=0 lib_failed=0 lib_done=no lib_who=''

if [ "$(id -u)" = 0 ]; then
	lib_root=yes USER_UID=$POLDER_TEST_UID USER_NAME=polder-test
else
	lib_root=no USER_UID=$(id -u) USER_NAME=$(id -un)
fi

# A directory below 0700 is out of the other user's reach: programs run from a copy.
mkdir "$T/bin"
for lib_p in "$POLDER_BUILD"/polder "$POLDER_BUILD"/polder-*; do
	if [ -f "$lib_p" ] && [ -x "$lib_p" ]; then
		cp "$lib_p" "$T/bin/"
	fi
done
PATH=$T/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

lib_places() { # NAME UID: the directories of one user
	local d
	for d in "" home run data config work tmp; do
		mkdir -p "$T/$1/$d"
		chmod 700 "$T/$1/$d"
		[ "$lib_root" = no ] || chown "$2:$2" "$T/$1/$d"
	done
}

lib_device() { # PATH MODE GROUP: the machine's node under other permissions
	local node=$T/dev/${1##*/} major minor
	[ -c "$1" ] || return 0
	major=$(stat -c %Hr "$1") minor=$(stat -c %Lr "$1")
	mknod "$node" c "$major" "$minor" && chmod "$2" "$node" || return 0
	chgrp "$3" "$node" 2>/dev/null
	mount --bind "$node" "$1"
}

# Writes below DIR stay in this test, and DIR/polder is a plain directory: an overlay
# cannot be mounted with mapped ids.
lib_private() { # DIR
	local name=${1//\//-}
	mkdir -p "$T/over/$name/up" "$T/over/$name/work"
	mount -t overlay -o "lowerdir=$1,upperdir=$T/over/$name/up,workdir=$T/over/$name/work" \
		none "$1" 2>/dev/null || mount -t tmpfs -o mode=755 none "$1"
	mkdir -m 700 "$T/polder$name"
	mkdir -p "$1/polder" && mount --bind "$T/polder$name" "$1/polder"
}

lib_machine() { # what root arranges for both users, in the script's own namespace
	local f
	mkdir "$T/etc" "$T/dev" "$T/over"
	mount -t tmpfs -o mode=755,size=1m none "$T/dev"
	mount -t tmpfs -o mode=755 none "$T/over"
	for f in passwd group subuid subgid; do
		[ ! -e "/etc/$f" ] || cp "/etc/$f" "$T/etc/$f"
	done
	echo "$USER_NAME:x:$USER_UID:$USER_UID::$T/user/home:/bin/sh" >>"$T/etc/passwd"
	echo "$USER_NAME:x:$USER_UID:" >>"$T/etc/group"
	echo "$USER_NAME:1000000:65536" >>"$T/etc/subuid"
	echo "$USER_NAME:1000000:65536" >>"$T/etc/subgid"
	for f in passwd group subuid subgid; do
		chmod 644 "$T/etc/$f"
		[ ! -e "/etc/$f" ] || mount --bind "$T/etc/$f" "/etc/$f"
	done
	lib_device /dev/fuse 666 root
	lib_device /dev/net/tun 666 root
	lib_device /dev/kvm 660 kvm
	# root's own places are /run/polder and /var/lib/polder
	lib_private /run
	[ ! -d /var/lib ] || lib_private /var/lib
}

lib_places user "$USER_UID"
if [ "$lib_root" = yes ]; then
	lib_places root 0
	lib_machine
fi

lib_end() {
	local rc=$?
	trap - EXIT
	if [ "$lib_done" = no ]; then
		echo "Bail out! the script ended before done_testing (status $rc)"
		lib_failed=1
	fi
	cd /
	if [ "$lib_root" = yes ]; then
		kill -KILL -1 2>/dev/null # the pid namespace is this script's own
		umount -l "$T/over" "$T/dev" /run/polder /var/lib/polder 2>/dev/null
	else
		# shellcheck disable=SC2046 # one word for each job
		kill $(jobs -p) 2>/dev/null
	fi
	rm -rf --one-file-system "$T" 2>/dev/null
	exit "$lib_failed"
}
trap lib_end EXIT

# ---- users ----

lib_env() { # NAME: into $lib_who, the command that makes what follows it that user's
	lib_home=$T/$1
	lib_who=(env -u POLDER_TEST_INSIDE -u POLDER_RUNTIME_DIR -u POLDER_DATA_DIR
		-u POLDER_CONFIG_DIR -u LC_ALL -u LC_CTYPE
		-u LD_LIBRARY_PATH "HOME=$lib_home/home" "XDG_RUNTIME_DIR=$lib_home/run"
		"XDG_DATA_HOME=$lib_home/data" "XDG_CONFIG_HOME=$lib_home/config"
		"TMPDIR=$lib_home/tmp" LANG=C.UTF-8)
	if [ "$1" = user ]; then
		lib_who+=("USER=$USER_NAME" "LOGNAME=$USER_NAME")
		[ "$lib_root" = no ] || lib_who+=(setpriv "--reuid=$USER_UID"
			"--regid=$USER_UID" --clear-groups --inh-caps=-all --)
	else
		lib_who+=(USER=root LOGNAME=root)
	fi
}

lib_as() { # NAME CMD…
	lib_env "$1"
	shift
	timeout -k 5 "$CHECK_TIMEOUT" "${lib_who[@]}" "$@"
}

as_user() { lib_as user "$@"; }

as_root() {
	if [ "$lib_root" = no ]; then
		echo "as_root: the tests were not started as root" >&2
		return 125
	fi
	lib_as root "$@"
}

have_root() { [ "$lib_root" = yes ]; }

me() { lib_as "$ME" "$@"; }

me_bg() {
	lib_env "$ME"
	: >"$BG_OUT" # at once: the background opens it later
	: >"$BG_ERR"
	"${lib_who[@]}" "$@" >"$BG_OUT" 2>"$BG_ERR" </dev/null &
	# shellcheck disable=SC2034 # for the script
	PID=$!
}

# With TEST_ANCHOR=yes the user's environments begin below an anchor that is there already,
# whatever the script starts. It ends with its pipe.
lib_keep_anchor() {
	[ "${TEST_ANCHOR-}" = yes ] && [ -z "${lib_anchored-}" ] || return 0
	lib_anchored=yes
	as_user polder ps >/dev/null 2>&1 # makes the run directory
	as_user mkdir -p -m 700 "$T/user/run/polder"
	mkfifo "$T/anchor"
	sleep 100000 >"$T/anchor" &
	lib_as user polder-anchor --run 8 --user 9 8<"$T/user/run/polder" 9<"$T/anchor"
	until_ok 5 test -s "$T/user/run/polder/anchor.lock" ||
		{ echo "Bail out! there is no anchor"; exit 1; }
}

each_user() { # FN
	local who
	for who in user root; do
		if [ "$who" = root ] && [ "$lib_root" = no ]; then
			skip "$1 as root" "the tests were not started as root"
			continue
		fi
		ME=$who WORK=$T/$who/work
		MY_UID=$([ "$who" = root ] && echo 0 || echo "$USER_UID")
		export ME MY_UID WORK
		[ "$who" = root ] || lib_keep_anchor
		cd "$WORK" || return 1
		"$1"
		cd /
	done
	ME=''
}

until_ok() { # SECONDS CMD…
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# ---- checks ----

lib_name() { # WHAT: with the user before it, and no '#', which TAP would cut off
	local what=${ME:+$ME: }$1
	printf '%s' "${what//#/No.}"
}

pass() {
	lib_n=$((lib_n + 1))
	echo "ok $lib_n - $(lib_name "$1")"
}

fail() { # WHAT [WHY]
	lib_n=$((lib_n + 1)) lib_failed=1
	echo "not ok $lib_n - $(lib_name "$1")"
	[ -z "${2-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

skip() {
	lib_n=$((lib_n + 1))
	echo "ok $lib_n - $(lib_name "$1") # SKIP $2"
}

lib_run() {
	"$@" >"$OUT" 2>"$ERR" </dev/null
	RC=$?
}

lib_story() { # EXPECTED CMD…: why a check failed
	local expected=$1
	shift
	echo "command:  $*"
	echo "expected: $expected"
	echo "status:   $RC"
	tail -n 15 "$OUT" | tr -cd '[:print:]\t\n' | sed 's/^/stdout:   /'
	tail -n 15 "$ERR" | tr -cd '[:print:]\t\n' | sed 's/^/stderr:   /'
}

check() {
	local what=$1
	shift
	lib_run "$@"
	if [ "$RC" = 0 ]; then
		pass "$what"
	else
		fail "$what" "$(lib_story "success" "$@")"
	fi
}

check_fails() {
	local what=$1
	shift
	lib_run "$@"
	case $RC in
	0 | 124 | 125 | 126 | 127 | 134 | 139)
		fail "$what" "$(lib_story "a failure of its own (not 124-127, 134, 139)" "$@")" ;;
	*) pass "$what" ;;
	esac
}

check_rc() {
	local want=$1 what=$2
	shift 2
	lib_run "$@"
	if [ "$RC" = "$want" ]; then
		pass "$what"
	else
		fail "$what" "$(lib_story "status $want" "$@")"
	fi
}

check_out() {
	local what=$1 pattern=$2
	shift 2
	lib_run "$@"
	if [ "$RC" = 0 ] && cat "$OUT" "$ERR" | grep -Eq -- "$pattern"; then
		pass "$what"
	else
		fail "$what" "$(lib_story "success and output like: $pattern" "$@")"
	fi
}

check_no_out() {
	local what=$1 pattern=$2
	shift 2
	lib_run "$@"
	if [ "$RC" = 0 ] && ! cat "$OUT" "$ERR" | grep -Eq -- "$pattern"; then
		pass "$what"
	else
		fail "$what" "$(lib_story "success and no output like: $pattern" "$@")"
	fi
}

check_err() {
	local what=$1 pattern=$2
	shift 2
	lib_run "$@"
	if [ "$RC" != 0 ] && [ "$RC" != 124 ] && grep -Eq -- "$pattern" "$ERR"; then
		pass "$what"
	else
		fail "$what" "$(lib_story "failure and a message like: $pattern" "$@")"
	fi
}

# What is inside an environment (another pid namespace), polder's own processes and any
# that this harness does not start itself; mounts of polder's; what lies in its runtime
# directory beside the journal and its lock. Nothing if all is clean.
leftovers() {
	local pid comm mine
	mine=$(readlink /proc/self/ns/pid)
	for pid in /proc/[0-9]*; do
		[ "$lib_root" = yes ] || [ -O "$pid" ] || continue
		comm=$(cat "$pid/comm" 2>/dev/null) || continue
		case $comm in
		bash | cat | sleep | timeout | env | setpriv)
			[ "$(readlink "$pid/ns/pid" 2>/dev/null || echo "$mine")" != "$mine" ] ||
				continue ;;
		polder-anchor) [ -z "${lib_anchored-}" ] || continue ;;
		polder*) ;;
		*) [ "$lib_root" = yes ] || continue ;;
		esac
		echo "process ${pid#/proc/} $comm"
	done
	grep -E " (($T/(user|root)/(run|data)|/run/polder)/|/var/lib/polder/)" \
		/proc/self/mountinfo | sed 's/^/mount /'
	find "$T/user/run/polder" "$T/root/run/polder" /run/polder -mindepth 1 \
		! -name 'journal*' ! -name '*lock*' ! -name uids ! -name sweep \
		! -path '*/polder/etc' ! -path '*/polder/etc/*' ! \( -name e -empty \) 2>/dev/null |
		sed 's/^/file /'
}

check_clean() {
	local end=$((SECONDS + ${2:-5})) left
	while left=$(leftovers) && [ -n "$left" ] && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.05
	done
	if [ -z "$left" ]; then
		pass "$1"
	else
		fail "$1" "$left"
	fi
}

done_testing() {
	lib_done=yes
	echo "1..$lib_n"
	exit
}
