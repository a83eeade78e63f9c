#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demonstration, as both users: it checks each of its own steps.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$T/tree/tools"
cp "$POLDER_SOURCE/tools/demo" "$T/tree/tools/"
cp -r "$POLDER_SOURCE/examples" "$T/tree/"
chmod -R a+rX "$T/tree"

demo() {
	CHECK_TIMEOUT=120 check_out "the demonstration goes through" 'That was all of it' \
		me env "POLDER_BUILD=$T/bin" bash "$T/tree/tools/demo"
	check_no_out "and leaves no directory" polder-demo ls "$T/$ME/tmp"
	check_clean "nor anything else"
}

broken() { # a polder that lets everything through must not pass
	mkdir -p "$WORK/broken"
	printf '%s\n' '#!/bin/sh' 'while [ "$1" != -- ]; do shift || exit 0; done' 'shift' \
		'exec "$@"' >"$WORK/broken/polder"
	chmod 755 "$WORK/broken" "$WORK/broken/polder"
	[ "$ME" = root ] || ! have_root || chown -R "$MY_UID" "$WORK/broken"
	check_rc 1 "without isolation it stops" \
		me env "POLDER_BUILD=$WORK/broken" bash "$T/tree/tools/demo"
	cp "$OUT" "$T/said"
	check_out "and says so" 'should have been denied' cat "$T/said"
}

if [ ! -x "$T/bin/polder" ]; then
	skip "the demonstration" "there is no polder in $POLDER_BUILD"
else
	each_user demo
fi
each_user broken

done_testing
