#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A granted path is exchanged for another at one system call after the other of a start:
# what the command line opened is granted, or nothing is.
. "$(dirname "$0")/../lib.sh"

: "${STRIDE:=5}"
cp "$POLDER_BUILD/tests/fault/swap-start" "$T/bin/"

# One letter for each step: n, the other object, exchanged before Polder looked; r, a
# refusal; o, the one that it looked at. In the order of the command's own system calls.
sweep() { # A B REFUSAL-ERE CMD… (prints the object's name, or is refused)
	local a=$1 b=$2 refusal=$3 step=1 rc odd=0 letter moments=''
	shift 3
	seen=''
	while [ "$step" -lt 4000 ] && [ "$odd" -lt 3 ]; do
		me swap-start "$a" "$b" "$step" "$WORK/own" "$@" >"$OUT" 2>"$ERR" </dev/null
		rc=$?
		if [ "$rc" = 99 ]; then
			break
		elif [ "$rc" = 0 ]; then
			letter=$(head -c 1 "$OUT")
		elif grep -Eq "$refusal" "$ERR"; then
			letter=r
		else
			letter="[$step: $rc $(head -n 1 "$ERR")]" odd=$((odd + 1))
		fi
		moments+="$(cat "$WORK/own") $letter"$'\n'
		step=$((step + STRIDE)) # a call's entry and its exit both stop
	done
	seen=$(printf %s "$moments" | sort -n -s -k 1,1 | cut -d ' ' -f 2- | tr -d '\n')
}

judge() { # WHAT; once Polder has looked, never the other
	if [[ "$seen" =~ ^n+[ro]*r[ro]*o$ ]]; then
		pass "$1 (${#seen} moments)"
	else
		fail "$1" "$seen"
	fi
}

each() {
	local replaced='was replaced|cannot open|cannot grant|is no directory'
	me mkdir -p "$WORK/a" "$WORK/b"
	me sh -c "echo old >$WORK/a/name; echo new >$WORK/b/name
		echo old >$WORK/f; echo new >$WORK/g; ln -s $WORK/b $WORK/link"
	sweep "$WORK/a" "$WORK/b" "$replaced" polder run -r "$WORK/a" -- cat "$WORK/a/name"
	judge "a directory exchanged for another"
	sweep "$WORK/a" "$WORK/link" "$replaced" polder run -w "$WORK/a" -- cat "$WORK/a/name"
	judge "a directory exchanged for a link"
	sweep "$WORK/f" "$WORK/g" "$replaced" polder run -r "$WORK/f" -- cat "$WORK/f"
	judge "a file exchanged for another"
	check_clean "nothing is left"
}
each_user each
done_testing
