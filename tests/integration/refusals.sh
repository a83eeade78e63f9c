#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Where the host lacks what an environment needs: one sentence that names what to change.
. "$(dirname "$0")/../lib.sh"

cp "$POLDER_BUILD/tests/guests/without" "$T/bin/"

one_sentence() { # WHAT ERE CMD…: refused with 125, one line
	local what=$1 pattern=$2
	shift 2
	lib_run "$@"
	if [ "$RC" = 125 ] && [ "$(wc -l <"$ERR")" = 1 ] && grep -Eq -- "$pattern" "$ERR"; then
		pass "$what"
	else
		fail "$what" "$(lib_story "125 and one line like: $pattern" "$@")"
	fi
}

namespaces() {
	one_sentence "no user namespaces (EPERM)" 'max_user_namespaces|switched off' \
		me without clone3 1 polder run -- true
	one_sentence "no room for them (ENOSPC)" 'limits in /proc/sys/user' \
		me without clone3 28 polder run -- true
	one_sentence "a container's filter (ENOSYS)" 'container|clone3' \
		me without clone3 38 polder run -- true
	[ "$ME" = user ] || return 0
	one_sentence "user.max_user_namespaces is 0" 'max_user_namespaces' me unshare --user \
		--map-current-user --keep-caps sh -c \
		'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all \
			--ambient-caps=-all polder run -- true'
}

landlock() {
	one_sentence "no Landlock: a redirected file is refused" 'Landlock.*pipe' \
		sh -c 'exec "$@" <"$0"' "$T/bin/polder" "${lib_who[@]}" without landlock 38 \
		polder run -- cat
	check_out "with a pipe, the program runs" '^fine$' \
		sh -c '"$@" 2>&1 | cat' x "${lib_who[@]}" without landlock 38 polder run -- echo fine
	lib_run me without landlock 38 polder run -g net=host -- true
	if grep -qi 'landlock\|abstract' "$ERR"; then
		pass "with the host's network it is said that abstract sockets are in reach"
	else
		skip "with the host's network it is said that abstract sockets are in reach" \
			"the graph asks for --accept-weaker, or is silent: see docs/servers.md"
	fi
}

masked_proc() {
	if ! have_root; then
		skip "a /proc that is partly covered" "the tests were not started as root"
		return
	fi
	one_sentence "a /proc that is partly covered" 'unmask' \
		unshare --mount --propagation private sh -c \
		'mount -t tmpfs none /proc/tty && exec "$@"' x "${lib_who[@]}" polder run -- true
	check_out "uncovered, it runs" fine unshare --mount --propagation private \
		"${lib_who[@]}" polder run -- echo fine
}

no_places() {
	have_root || return 0
	if [ "$ME" = user ]; then
		one_sentence "no runtime directory" 'XDG_RUNTIME_DIR' \
			unshare --mount --propagation private sh -c \
			'mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp && exec "$@"' x \
			"${lib_who[@]}" env -u XDG_RUNTIME_DIR polder run -- true
		check_out "without the variable, /tmp does" fine \
			me env -u XDG_RUNTIME_DIR polder run -- echo fine
		rm -rf "/tmp/polder-$USER_UID"
		mkdir "/tmp/polder-$USER_UID"
		chmod 700 "/tmp/polder-$USER_UID"
		one_sentence "a runtime directory that is somebody else's" "polder-$USER_UID" \
			me env -u XDG_RUNTIME_DIR polder run -- true
		rm -rf "/tmp/polder-$USER_UID"
		me mkdir -m 777 "/tmp/polder-$USER_UID"
		me chmod 777 "/tmp/polder-$USER_UID"
		one_sentence "one that others can write" "polder-$USER_UID" \
			me env -u XDG_RUNTIME_DIR polder run -- true
		rm -rf "/tmp/polder-$USER_UID"
	else
		one_sentence "no runtime directory" '/run' unshare --mount --propagation private \
			sh -c 'mount -t tmpfs -o ro none /run && exec "$@"' x \
			"${lib_who[@]}" polder run -- true
	fi
}

each() {
	lib_env "$ME"
	namespaces
	landlock
	masked_proc
	no_places
	check_clean "nothing is left"
}
each_user each
done_testing
