#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What -r, -w and -g of directories give: paths as people write them, names with odd
# characters, grants within grants, and where the program finds itself.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
run() { polder run "$@"; }
mine() { # PATH…: the present user's, as far as this was started as root
	! have_root || chown -hR "$MY_UID:$MY_UID" -- "$@"
}

plain() {
	mkdir -p d/sub
	echo file >d/file
	echo deep >d/sub/deep
	echo alone >alone
	mine d alone
	check_out "-r of a directory" '^file$' run -r "$WORK/d" -- cat "$WORK/d/file"
	check_out "and all below it" '^deep$' run -r "$WORK/d" -- cat "$WORK/d/sub/deep"
	check_fails "is read-only" run -r "$WORK/d" -- touch "$WORK/d/new"
	check_fails "for what exists, too" run -r "$WORK/d" -- sh -c "echo x >>$WORK/d/file"
	check_fails "its neighbour is not there" run -r "$WORK/d" -- cat "$WORK/alone"
	check_out "-r of a file" '^alone$' run -r alone -- cat alone
	check_fails "is read-only" run -r alone -- sh -c 'echo x >alone'
	check_fails "and cannot be removed" run -r alone -- rm -f alone
	check "-w of a directory" run -w d -- sh -c 'echo made >d/made && mkdir d/dir'
	check "what was made is on the host" grep -q made d/made
	check "and the caller's" me test -O d/made
	check "-w of a file" run -w alone -- sh -c 'echo more >>alone'
	check "what was written is on the host" grep -q more alone
	check_out "many at once" '^2$' run -r d/file -r alone -- sh -c 'cat d/file >/dev/null &&
		cat alone | wc -l'
	check_err "one thing is granted once" "bound twice" run -r d -w d -- true
}

# What every root has is built over a directory of the host before the grants are known.
whole() {
	[ "$ME" = user ] || return 0 # of root's grants no file system below is seen
	check_out "the host's whole tree is as it is" "^$(find /sys -mindepth 1 -maxdepth 1 | wc -l)\$" \
		run -g /x=/ -- sh -c 'ls -A /x/sys | wc -l'
	check "its programs too" run -g /x=/ -- /x/usr/bin/true
}

missing() {
	check_rc 125 "-r of what is not there" run -r nosuch -- true
	check_err "is named, with a hint" "no 'nosuch' to grant.*use -w" run -r nosuch -- true
	check "-w DIR/ is made" run -w made-dir/ -- touch made-dir/x
	check "and is a directory" test -f made-dir/x
	check "-w FILE is made" run -w made-file -- sh -c 'echo y >made-file'
	check "and is a file" grep -q y made-file
	check_rc 125 "not its parents" run -w no/parent/file -- true
	check_err "and says so" "no/parent/file" run -w no/parent/file -- true
	check "nothing was made" test ! -e no
	check_rc 125 "-g of what is not there" run -g "/x=$WORK/nosuch" -- true
	check_err "is named" "nosuch" run -g "/x=$WORK/nosuch" -- true
	check_rc 125 "a refused start makes nothing" run -w made-later/ -g net=own -- true
	check_rc 125 "an empty name" run -r '' -- true
	ln -s nowhere dangling
	check_rc 125 "-r of a link to nowhere" run -r dangling -- true
}

as_written() {
	mkdir -p tree/a/b other
	echo in-b >tree/a/b/f
	echo other >other/f
	ln -sfn a/b tree/link
	ln -sfn "$WORK/other" tree/out
	ln -sfn "$WORK/tree" alias
	mine tree other
	check_out "relative" '^in-b$' run -r tree/a -- cat tree/a/b/f
	check_out "with ./" '^in-b$' run -r ./tree/./a -- cat tree/a/b/f
	check_out "with .." '^in-b$' run -r tree/a/../a/b -- cat tree/a/b/f
	check_out "ending in .." '^in-b$' run -r tree/a/b/.. -- cat tree/a/b/f
	check_out "with // and a / at the end" '^in-b$' run -r tree//a/ -- cat tree/a/b/f
	check_out "a link, at its own name" '^in-b$' run -r tree/link -- cat tree/link/f
	check_out "through a link" '^in-b$' run -r alias/a -- cat alias/a/b/f
	check_fails "a link within leads nowhere" run -r tree -- cat tree/out/f
	check_out "unless that is granted too" '^other$' run -r tree -r other -- cat tree/out/f
	check_out "a link within to within" '^in-b$' run -r tree -- cat tree/link/f
	cd tree/a || return
	check_out "the working directory" '^in-b$' run -r . -- cat b/f
	check_out "one above" '^in-b$' run -r .. -- cat b/f
	cd "$WORK" || return
	check_out "-g under another name" '^in-b$' run -g "/data=./tree/a,ro" -- cat /data/b/f
	check_out "deep, where nothing is" '^in-b$' run -g "/x/y/z=./tree/a/b,ro" -- cat /x/y/z/f
	check_out "in the home" '^in-b$' run -g "/home/user/t=./tree/a/b,ro" -- sh -c 'cat ~/t/f'
	check_out "over a directory of ours" '^f$' run -g "/tmp=./tree/a/b,ro" --chdir / -- ls /tmp
	# shellcheck disable=SC2088
	check_out "~/" '^home$' tilde
	check_out "subdir=" '^in-b$' run -g "/data=./tree,ro,subdir=a/b" -- cat /data/f
	check_rc 125 "subdir= out of it" run -g "/data=./tree,ro,subdir=../other" -- true
	check_rc 125 "subdir= by a link out of it" run -g "/data=./tree,ro,subdir=out" -- true
	check_err "says so" "leads out" run -g "/data=./tree,ro,subdir=out" -- true
	check_err "an unknown caretaker" "ro" run -g "/data=./tree,rw" -- true
	check_err "the same slot twice" "/data" run -g /data=./tree -g /data=./other -- true
}
tilde() {
	me sh -c 'echo home >~/note'
	run -g '/n=~/note,ro' -- cat /n
}

odd_names() {
	local name
	for name in 'with space' 'com,ma' 'equ=als' 'co:lon' 'quo"te' "apo'strophe" 'back\slash' \
		'star*' 'ümläut' '-dash' '$(id)'; do
		mkdir -p "./$name"
		echo odd >"./$name/f"
		mine "./$name"
		check_out "-r of '${name//[^[:print:]]/?}'" '^odd$' \
			run -r "$WORK/$name" -- cat "$WORK/$name/f"
		check_out "-w of it" '^odd$' run -w "$WORK/$name" -- sh -c \
			'cat "$1/f"; : >"$1/g"' sh "$WORK/$name"
		check "was written" test -e "./$name/g"
	done
	check_out "-g escapes" '^odd$' run -g "/d=./com\\,ma,ro" -- cat /d/f
	check_out "= in a path" '^odd$' run -g "/d=./equ\\=als,ro" -- cat /d/f
	check_out ": in a path" '^odd$' run -g "/d=./co:lon,ro" -- cat /d/f
	check_out "a colon in a slot" '^odd$' run -g "/a:b=./co:lon,ro" -- cat /a:b/f
	mkdir -p "$(printf 'new\nline')"
	check_rc 125 "a control character in a name" run -r "$(printf 'new\nline')" -- true
	check_err "is refused, printably" "without .* control characters" \
		run -r "$(printf 'new\nline')" -- true
	check_out "a name that begins with -" '^odd$' run -r -dash -- cat ./-dash/f
}

nested() {
	mkdir -p n/in/deep
	echo top >n/top
	echo in >n/in/f
	echo deep >n/in/deep/f
	mine n
	for order in '-r n -w n/in' '-w n/in -r n'; do
		# shellcheck disable=SC2086 # words
		check "writable within read-only ($order)" run $order -- touch n/in/new
		# shellcheck disable=SC2086
		check_fails "around it, not" run $order -- touch n/new
	done
	for order in '-w n -r n/in' '-r n/in -w n'; do
		# shellcheck disable=SC2086
		check "read-only within writable ($order)" run $order -- touch n/new
		# shellcheck disable=SC2086
		check_fails "is read-only" run $order -- touch n/in/other
		# shellcheck disable=SC2086
		check_fails "and cannot be moved away" run $order -- mv n/in n/away
	done
	check_out "nothing within something" '^0$' run -r n -g "$WORK/n/in=null" -- \
		sh -c 'ls -A n/in | wc -l'
	check_out "and something within nothing" '^deep$' run -r n -g "$WORK/n/in=null" \
		-r n/in/deep -- cat n/in/deep/f
	check_out "an own one within" '^new$' run -r n -g "$WORK/n/in=own" -- \
		sh -c 'echo new >n/in/x; cat n/in/x'
	check "the host's is untouched" test ! -e n/in/x
	check_out "a file within" '^top$' run -w n -r n/top -- cat n/top
	check_fails "read-only" run -w n -r n/top -- sh -c 'echo x >n/top'
	check_rc 125 "what is not there is not made on the host" \
		run -r n -g "$WORK/n/none=./n/in,ro" -- true
	check_err "and says so" "none" run -r n -g "$WORK/n/none=./n/in,ro" -- true
	check "truly" test ! -e n/none
}

# Where the program is when its caller's directory is not granted, or partly.
working_directory() {
	mkdir -p wd/a/b elsewhere
	mine wd elsewhere
	cd wd/a || return
	check_out "a grant above" "^$WORK/wd/a\$" run -r "$WORK/wd" -- pwd
	check_out "a grant below" "^$WORK/wd/a\$" run -r b -- pwd
	check_out "shows what was granted" '^b$' run -r b -- ls
	check_out "another tree at the parent's place" '^/$' \
		run -g "$WORK/wd=$WORK/elsewhere" -- pwd
	check "nothing was made there" test ! -e "$WORK/elsewhere/a"
	check_out "an empty one there" '^/$' run -g "$WORK/wd=null" -- pwd
	check_out "a fresh one there" "^$WORK/wd/a\$" run -g "$WORK/wd=own" -- pwd
	cd "$WORK" || return
}

kinds() {
	mkfifo fifo
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	check_rc 125 "-r of a FIFO" run -r fifo -- true
	check_err "is refused as one" "FIFO" run -r fifo -- true
	check_rc 125 "-r of a socket" run -r sock -- true
	check_err "says how" "socket:" run -r sock -- true
	check_rc 125 "-r of a device" run -r /dev/null -- true
	check_rc 125 "a file where a directory is" run -g "/tmp=./alone" -- true
}

unreadable() {
	[ "$ME" = user ] && have_root || return 0
	as_root install -d -m 700 "$WORK/roots"
	check_rc 125 "another's directory" run -r roots/x -- true
	check_err "is refused with the reason" "roots/x" run -r roots/x -- true
}

each_user plain
each_user whole
each_user missing
each_user as_written
each_user odd_names
each_user nested
each_user working_directory
each_user kinds
each_user unreadable
check_clean "nothing is left over"
done_testing
