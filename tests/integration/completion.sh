#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What bash offers on polder's command line, with and without bash-completion.
. "$(dirname "$0")/../lib.sh"

# A polder that knows three environments.
cat >"$T/bin/polder" <<'E2'
#!/bin/sh
[ "$1 $2" = "ps --json" ] || exit 1
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
check_out "all commands" 'authdiff up down new cc help version' offers polder ""
check_out "options of run" '--profile' offers polder run --pro
check_out "what runs can be stopped" '^-s -t --help web job$' offers polder stop ""
check_out "what is stopped can be started" '^--help db$' offers polder start ""
check_out "any can be removed" 'web db job$' offers polder rm ""
check_out "only what runs can be entered" '-- web$' offers polder exec ""
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
