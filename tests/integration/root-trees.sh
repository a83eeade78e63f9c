#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A program that is uid 0 inside can make setuid files in what it was granted for
# writing. Outside they belong to whoever started it, so such a tree must not be open to
# everybody on the host.
. "$(dirname "$0")/../lib.sh"

test_it() {
	local open=$T/open-$ME
	if [ "$ME" = user ] && ! grep -qE "^($USER_NAME|$MY_UID):" /etc/subuid 2>/dev/null; then
		skip "own,root" "$USER_NAME has no range of user numbers"
		return
	fi
	mkdir "$open" "$open/deep" "$WORK/private" "$WORK/private/tree"
	chmod 755 "$open" "$open/deep" "$WORK/private/tree"
	chmod 700 "$WORK/private"
	chown -R "$(stat -c %u:%g "$WORK")" "$open" "$WORK/private"
	check_err "a tree that everybody can enter is not granted for writing" \
		'can leave setuid files in .*chmod 700.*--accept-weaker' \
		me polder run -g identity=own,root -w "$open" -- true
	check_err "nor one below it" 'can leave setuid files' \
		me polder run -g identity=own,root -w "$open/deep" -- true
	check_err "nor as the root" 'can leave setuid files' \
		me polder run -g identity=own,root --root "$open" -- true
	check "a private one is" me polder run -g identity=own,root -w private/tree -- \
		sh -c 'cp /bin/true private/tree/t && chmod 4755 private/tree/t && test -u private/tree/t'
	check "to read, any is" me polder run -g identity=own,root -r "$open" -- true
	check "so is it by a person's word" \
		me polder run --accept-weaker -g identity=own,root -w "$open" -- true
	check "without the root identity, nobody can make such files" \
		me polder run -w "$open" -- true
	check_fails "and nobody does" me polder run -w "$open" -- \
		sh -c "cp /bin/true '$open/t' && chmod 4755 '$open/t' && test -u '$open/t'"
	chmod 711 "$WORK/private"
	chmod 700 "$WORK/private/tree"
	check "the tree itself may be the private one" \
		me polder run -g identity=own,root -w private/tree -- true
	check_clean "nothing is left over"
}

each_user test_it
done_testing
