#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The harness itself: what each user is, and that a failing check fails.
. "$(dirname "$0")/../lib.sh"

inner() { # SCRIPT: runs it with the harness, as a test of its own
	printf '. "%s/tests/lib.sh"\n%s\n' "$POLDER_SOURCE" "$1" >"$T/inner.sh"
	env -u POLDER_TEST_INSIDE bash "$T/inner.sh"
}

users() {
	check_out "has its own number" "^$MY_UID\$" me id -u
	check "may write to its home" me sh -c 'echo x >"$HOME/x" && cat "$HOME/x"'
	check "may write to its working directory" me touch here
	check_out "has a private runtime directory" '^700$' \
		me sh -c 'stat -c %a "$XDG_RUNTIME_DIR"'
	check_rc 3 "its exit status comes through" me sh -c 'exit 3'
	CHECK_TIMEOUT=1 check_rc 124 "what hangs is killed" me sleep 20
	me_bg sleep 30
	check "a program in the background has its own pid" \
		until_ok 5 grep -q '^sleep$' "/proc/$PID/comm"
	kill "$PID"
	wait "$PID" 2>/dev/null
	check "until_ok sees success" until_ok 2 true
	check_fails "until_ok gives up" until_ok 1 false
}
each_user users

if have_root; then
	check_fails "the user cannot read root's files" as_user cat /etc/shadow
	check "root can" as_root cat /etc/shadow
	check_out "the user has subordinate numbers" "polder-test:1000000" cat /etc/subuid
	check_out "the user has a name" "^polder-test\$" as_user id -un
	check_out "the user has no capability" 'CapEff:.0000000000000000' \
		as_user cat /proc/self/status
	if [ -c /dev/fuse ]; then
		check_out "fuse is open to all" '^666$' stat -c %a /dev/fuse
	else
		skip "fuse is open to all" "no /dev/fuse here"
	fi
	check "the machine's own /run is out of reach" sh -c 'mkdir -p /run/polder-probe'
else
	skip "as root" "the tests were not started as root"
fi

left() { leftovers | grep -q "$1"; }
if have_root; then
	check_no_out "nothing is left over at first" . leftovers
	unshare --pid --fork --kill-child sleep 30 &
	check "a survivor in a pid namespace is seen" until_ok 5 left '^process .* sleep$'
	kill %% && wait %% 2>/dev/null
	check_clean "and gone when it is gone"
	mkdir -p "$T/user/run/polder"
	touch "$T/user/run/polder/journal" "$T/user/run/polder/sock"
	check_out "a file is seen" '^file .*/sock$' leftovers
	check_no_out "the journal may stay" journal leftovers
	rm "$T/user/run/polder/sock"
else
	skip "leftovers" "the tests were not started as root"
fi

check "a passing script passes" inner 'check x true; done_testing'
check_fails "a failed check fails it" inner 'check x false; done_testing'
cp "$OUT" "$T/said"
check_out "and says not ok" '^not ok 1 - x' cat "$T/said"
check_fails "check_fails wants a failure" inner 'check_fails x true; done_testing'
check_fails "a missing program is no denial" inner \
	'check_fails x as_user no-such-program; done_testing'
check_fails "check_rc wants the very status" inner 'check_rc 2 x sh -c "exit 3"; done_testing'
check_fails "check_out wants the text" inner 'check_out x abc echo abd; done_testing'
check_fails "check_out wants success" inner \
	'check_out x abc sh -c "echo abc; exit 1"; done_testing'
check_fails "check_no_out wants its absence" inner 'check_no_out x abc echo abc; done_testing'
check_fails "check_err wants the message" inner 'check_err x abc false; done_testing'
check_fails "check_clean wants nothing left" inner \
	'mkdir "$T/user/run/polder"; touch "$T/user/run/polder/x"; check_clean x 1; done_testing'
check_fails "a script that stops early fails" inner 'check x true'
check_fails "a broken script fails" inner 'check x true; oops ('

done_testing
