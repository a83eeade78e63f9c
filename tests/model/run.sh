#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Has Spin walk through every interleaving of tests/model/grant.pml: the protocol as it is
# must hold, and each BUG_ in it must be found. Bounds are chosen so that each search ends
# within half a minute and a gigabyte.
set -u
model=$(cd "$(dirname "$0")" && pwd)/grant.pml
spin=$(command -v spin) cc=$(command -v gcc || command -v cc || command -v clang)
if [ -z "$spin" ]; then
	echo "1..0 # SKIP there is no spin (package spin)"
	exit 77
elif [ -z "$cc" ]; then
	echo "1..0 # SKIP there is no C compiler, with which Spin makes its searches"
	exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
count=0 bad=0

ok() { # WORD NAME: "ok" or "not ok"
	count=$((count + 1))
	echo "$1 $count - $2"
	[ "$1" = ok ] || bad=$((bad + 1))
}

search() { # OPTION…: what the search says, in out
	rm -f pan pan.* ./*.trail
	# No reduction: processes that can be killed at any step leave nothing to reduce.
	"$spin" -a "$@" "$model" >out 2>&1 &&
		"$cc" -O2 -w -DSAFETY -DNOREDUCE -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c \
			>>out 2>&1 && timeout 120 ./pan -E -m100000 -w22 >>out 2>&1
}

complete() { # the whole space was searched
	grep -q 'errors: 0' out && ! grep -qE 'not completed|max search depth' out
}

holds() { # NAME OPTION…
	local name=$1
	shift
	if search "$@" && complete; then
		ok ok "holds: $name ($(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' out) states)"
	else
		ok "not ok" "holds: $name"
		sed 's/^/# /' out
	fi
}

found() { # BUG OPTION…
	local bug=$1
	shift
	search "-D$bug" "$@"
	if grep -q 'assertion violated' out; then
		ok ok "found: $bug"
	else
		ok "not ok" "found: $bug"
		sed 's/^/# /' out
	fi
}

holds "several changes, one crash" -DOPS=2 -DCRASHES=1
holds "a change each, two crashes" -DOPS=1 -DCRASHES=2
holds "grant, attenuate, revoke and grant, no crash" -DOPS=4 -DCRASHES=0
found BUG_ANSWERS_EARLY -DOPS=2 -DCRASHES=0
found BUG_OBEYS_STALE -DOPS=1 -DCRASHES=1
found BUG_KEEPS_SERVING -DOPS=1 -DCRASHES=1
found BUG_MOUNTS_FIRST -DOPS=1 -DCRASHES=0
found BUG_MAKES_ANOTHER -DOPS=2 -DCRASHES=1
found BUG_PROMISES_EARLY -DOPS=1 -DCRASHES=0
found BUG_WAITS_FOR_THE_DEAD -DOPS=2 -DCRASHES=1
found BUG_FORGETS_DEATH -DOPS=1 -DCRASHES=1
echo "1..$count"
[ "$bad" = 0 ]
