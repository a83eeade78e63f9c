#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What docs/stories/, README.md and the rest of docs/ tell is done, command by command
# (tests/story.py says how that is written), by both users, each story in a directory of
# its own.
. "$(dirname "$0")/../lib.sh"

mkdir "$T/stories"
cp "$POLDER_SOURCE/tests/story.py" "$T/story.py"
cp "$POLDER_SOURCE"/docs/stories/*.md "$POLDER_SOURCE"/docs/*.md "$POLDER_SOURCE/README.md" \
	"$T/stories/" 2>/dev/null
[ ! -d "$POLDER_SOURCE/examples" ] || cp -r "$POLDER_SOURCE/examples" "$T/examples"
# What polder cc needs, where each user may read it.
export POLDER_GUEST=$T/guest
[ ! -d "$POLDER_BUILD/guest" ] || cp -r "$POLDER_BUILD/guest" "$T/guest"
chmod -R a+rX "$T/guest" 2>/dev/null
chmod -R a+rX "$T/stories" "$T/examples" "$T/story.py" 2>/dev/null

title='' why=''
flush() {
	[ -z "$title" ] || fail "$title" "$why"
	title='' why=''
}

tell() { # FILE NAME: every command of it is a check
	local line
	while IFS= read -r line; do
		case $line in
		'ok '*)
			flush
			line=${line#ok }
			pass "$2:${line%% *}: ${line#* }" ;;
		'not ok '*)
			flush
			line=${line#not ok }
			title="$2:${line%% *}: ${line#* }" ;;
		*)
			: "${title:=$2: the story broke off}"
			why+=$line$'\n' ;;
		esac
	done <"$1"
	flush
	[ -s "$1" ] || fail "$2: nothing was told"
}

# A story's unikernels are those of the build tree; echo.spt is the tests' own.
give_images() { # STORY
	grep -q '\.spt' "$1" || return 0
	if [ ! -f "$POLDER_BUILD/examples/unikernels/hello.spt" ]; then
		skip "$name" "the examples for unikernels are not built here"
		return 1
	fi
	cp "$POLDER_BUILD/examples/unikernels/hello.spt" \
		"$POLDER_BUILD/examples/unikernels/blockcheck.spt" .
	cp "$POLDER_BUILD/tests/guests/solo5/guest-net.spt" echo.spt
	chmod 644 ./*.spt
}

stories() {
	local story name
	for story in "$T"/stories/*.md; do
		name=$(basename "$story" .md)
		if ! grep -q '^```console' "$story"; then
			continue
		fi
		if [ "$name" = runtime ] && [ ! -d "$T/guest" ]; then
			skip "$name" "this build was made without the guest runtime"
			continue
		fi
		mkdir "$WORK/$name"
		[ "$ME" = root ] || ! have_root || chown "$MY_UID" "$WORK/$name"
		[ ! -d "$T/examples" ] || cp -r "$T/examples" "$WORK/$name/"
		cd "$WORK/$name" || return
		give_images "$story" || continue
		CHECK_TIMEOUT=300 me python3 "$T/story.py" "$story" >"$T/told" 2>&1 </dev/null
		tell "$T/told" "$name"
		cd "$WORK" || return
	done
}

# The teller itself.
story() { # TEXT
	printf '%s\n' "$1" >"$T/tale.md"
	python3 "$T/story.py" "$T/tale.md"
}
cd "$T" || exit 1
check "a true story holds" story $'```console\n$ echo a b\na b\n$ false\n[1]\n```'
check "gaps are allowed" story $'```console\n$ seq 9\n1\n…\n8\n9\n$ echo abcd\na…d\n```'
check "files are written" story $'```sh x.sh\necho hi\n```\n```console\n$ sh x.sh\nhi\n```'
check_fails "another output is not" story $'```console\n$ echo a\nb\n```'
check_fails "nor more of it" story $'```console\n$ seq 3\n1\n2\n```'
check_fails "nor another status" story $'```console\n$ false\n```'
check_fails "nor a story without a command" story 'Once upon a time.'

if [ ! -x "$T/bin/polder" ]; then
	skip "stories" "there is no polder in $POLDER_BUILD"
else
	each_user stories
fi

done_testing
