#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What bash offers on polder's command line, with and without bash-completion.
. "$(dirname "$0")/../lib.sh"

# A polder that knows three environments.
cat >"$T/bin/polder" <<'E2'
#!/bin/sh
case "$1 $2 $3" in
"ps --json ") ;;
"show --json web")
	echo '{"name":"web","slots":[{"slot":"/data","cut":"complete"},{"slot":"net","cut":"x"}]}'
	exit ;;
*) exit 1 ;;
esac
cat <<'JSON'
[{"name":"web","id":"00","state":"running"},
 { "name": "db", "state": "stopped" }, {"name":"job","state":"paused"}]
JSON
E2
chmod 755 "$T/bin/polder"
printf 'environments:\n  front:\n    program: [x]\n  back:\n    program: [y]\n' >"$T/fleet.yaml"
touch "$T/other.txt"

offers() { # WORD…: what completes the last of them, in one line
	bash -c '
		compopt() { :; }
		. "$1/completions/polder"
		cd "$2" || exit 1
		shift 2
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_polder
		echo "${COMPREPLY[*]}"' - "$POLDER_SOURCE" "$T" "$@"
}

check_out "commands" '^run$' offers polder ru
check_out "all commands" 'authdiff up down apply new cc help version' offers polder ""
check_out "options of run" '--profile' offers polder run --pro
check_out "what runs can be stopped" '^-s -t --help web job$' offers polder stop ""
check_out "what is stopped can be started" '^--help db$' offers polder start ""
check_out "any can be removed" 'web db job$' offers polder rm ""
check_out "only what runs can be entered" '-- web$' offers polder exec ""
check_out "what runs can be granted to" '^web$' offers polder grant we
check_out "a binding is granted" 'clock=null' offers polder grant web clock
check_out "or a path" 'other.txt' offers polder grant -r o
check_out "slots are revoked" '^/data net$' offers polder revoke web ""
check_out "to what" '^null error$' offers polder revoke --to ""
check_out "with what option" '--new-only' offers polder revoke --n
check_out "a slot is narrowed" '^/data$' offers polder attenuate web /
check_out "by a caretaker" 'subdir= hide= max=' offers polder attenuate web /data ""
check_out "any can be audited" 'web db job$' offers polder audit ""
check_out "a manifest is applied" '^fleet.yaml$' offers polder apply fl
check_out "or shown" '--dry-run' offers polder apply --d
check_out "manifests, and no other file" '^fleet.yaml$' offers polder check fl
check_no_out "no other file" 'other' offers polder check o
check_out "environments of a manifest" '^front$' offers polder why -f fleet.yaml f
check_out "bindings" 'net=null' offers polder run -g net
check_out "files to grant" 'other.txt' offers polder run -r o
check_out "the program inside" 'other.txt' offers polder run -- cat o
check_out "nothing for an unknown command" '^$' offers polder nonsense ""

# What the program knows, completion knows, and the other way round.
offered() { offers polder "" | tr ' ' '\n' | grep -v '^--' | sort; }
known() { "$POLDER_BUILD/polder" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort -u; }
same() {
	known | grep -vx polder >"$T/known"
	offered | diff - "$T/known"
}
if [ -x "$POLDER_BUILD/polder" ]; then
	check "the same commands as polder help" same
else
	skip "the same commands as polder help" "there is no polder in $POLDER_BUILD"
fi

done_testing
