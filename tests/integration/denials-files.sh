#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files: what was not granted is out of reach by every way, what was granted to be read
# is only read, and what would carry authority out of a writable tree is kept from it.
. "$(dirname "$0")/../lib.sh"

G=$T/guests
mkdir "$G"
cp "$POLDER_BUILD"/tests/guests/{listen,try-files,try-calls} "$G/"
chmod -R a+rX "$G"
F=$G/try-files

in_env() { me polder run -r "$G" "$@"; }
mine() { "${lib_who[@]}" "$@"; } # outside, as the present user, quickly

secret_kept() { # WHAT CMD… inside: fails, or writes no secret
	local what=$1
	shift
	lib_run in_env "$@"
	if grep -q the-secret "$OUT" "$ERR"; then
		fail "$what" "$(lib_story "no secret" "$@")"
	else
		pass "$what"
	fi
}

by_path() {
	local dir=$WORK/read
	mine mkdir -p "$dir/sub" "$WORK/other"
	mine sh -c "echo the-secret >$WORK/other/secret; echo granted >$dir/file
		ln -s $WORK/other/secret $dir/link; ln -s ../other/secret $dir/dots
		ln -s /proc/self/root$WORK/other/secret $dir/magic"
	check_out "a granted file is read" granted in_env -r "$dir" -- cat "$dir/file"
	check_out "outside, the link leads somewhere" the-secret mine cat "$dir/link"
	secret_kept "a file that was not granted is not there" -r "$dir" -- cat "$WORK/other/secret"
	secret_kept "nor through a link in a granted one" -r "$dir" -- cat "$dir/link"
	secret_kept "nor through '..'" -r "$dir" -- cat "$dir/dots"
	secret_kept "nor '..' typed" -r "$dir" -- cat "$dir/../other/secret"
	secret_kept "nor a magic link" -r "$dir" -- cat "$dir/magic"
	secret_kept "nor /proc/*/root" -r "$dir" -- \
		sh -c "cat /proc/*/root$WORK/other/secret /proc/*/cwd/../other/secret"
	secret_kept "nor a descriptor that happens to be open" -r "$dir" -- \
		sh -c "for n in 3 4 5 6 7 8 9; do cat /proc/self/fd/\$n/secret; done" \
		5<"$WORK/other" 6<"$WORK/other/secret"
	check_out "the host's shadow file is not there" 'ENOENT' in_env -- "$F" open /etc/shadow r
	check_out "nor other homes" '^user$' in_env -- ls /home
}

with_streams() { # REDIRECTIONS… -- CMD: a shell inside of which polder inherits them
	local redirect=$1
	shift
	lib_env "$ME"
	"${lib_who[@]}" bash -c "exec \"\$@\" $redirect" x polder run -r "$G" -- "$@"
}

redirected() {
	local file=$WORK/redirected
	mine sh -c "echo before >$file"
	check_out "'<' gives the file" before with_streams "<$file" cat
	check_out "which cannot be reopened for writing" '^E' \
		with_streams "<$file" "$F" open /proc/self/fd/0 w
	check_out "nor for both" '^E' with_streams "<$file" "$F" open /dev/stdin rw
	check_out "but may be for reading" '^ok' with_streams "<$file" "$F" open /proc/self/fd/0 r
	check_out "and is as it was" '^before$' mine cat "$file"
	check "'>' gives it" with_streams ">$file" echo one
	check_out "and it is written" one mine cat "$file"
	if [ "$ME" = user ]; then # root's file is not its environment's to open
		check "it may be reopened so" with_streams ">$file" sh -c 'echo two >/dev/stdout'
		check_out "and is written" two mine cat "$file"
	fi
	mine sh -c "echo the-secret >$file"
	check_no_out "but not for reading" the-secret with_streams "1<>/dev/null 2>>$file" \
		"$F" open /proc/self/fd/2 r
	mine sh -c "echo before >$file"
	check_out "'>>' cannot be reopened for overwriting" '^E' \
		with_streams ">>$file" sh -c "$F open /proc/self/fd/3 w 3>&1 >&2"
	check_out "nor truncated" '^before$' head -n 1 "$file"
	check "'>>' appends" with_streams ">>$file" echo after
	check_out "at the end" '^after$' tail -n 1 "$file"
}

read_only() {
	local dir=$WORK/ro
	mine mkdir -p "$dir"
	mine sh -c "echo content >$dir/file; mkfifo $dir/fifo; chmod 666 $dir/file $dir/fifo"
	me_bg "$G/listen" "$dir/socket"
	until_ok 5 grep -q ready "$BG_OUT"
	mine sleep 30 <>"$dir/fifo" & # a reader, so that a writer would get through
	local reader=$!
	check_out "outside, the socket answers" '^ok' mine "$F" connect "$dir/socket"
	check_out "outside, the FIFO takes" '^ok' mine "$F" fifo "$dir/fifo"
	mine sh -c "echo the-secret >$dir/fifo"
	secret_kept "read-only: the FIFO gives nothing of the host's" -r "$dir" -- \
		"$F" open "$dir/fifo" r
	check_out "read-only: the file reads" '^content' in_env -r "$dir" -- cat "$dir/file"
	check_out "and does not open for writing" '^E' in_env -r "$dir" -- "$F" open "$dir/file" w
	check_out "nor is removed" '^E' in_env -r "$dir" -- "$F" unlink "$dir/file"
	check_out "nor made anew" '^E' in_env -r "$dir" -- "$F" create "$dir/new" 644
	check_out "nor linked to elsewhere" '^E' in_env -r "$dir" -- "$F" link "$dir/file" /tmp/x
	check_out "nor given other rights" '^E' in_env -r "$dir" -- "$F" chmod "$dir/file" 777
	check_out "the socket is dead" '^(ECONNREFUSED|EACCES|EROFS)' \
		in_env -r "$dir" -- "$F" connect "$dir/socket"
	check_out "the FIFO reaches nobody" '^(ENXIO|EACCES|EROFS)' \
		in_env -r "$dir" -- "$F" fifo "$dir/fifo"
	check_out "one file alone reads, too" '^content' \
		in_env -r "$dir/file" -- cat "$dir/file"
	check_out "and is only read" '^E' in_env -r "$dir/file" -- "$F" open "$dir/file" w
	check_out "also by its descriptor" '^E' in_env -r "$dir/file" -- \
		sh -c "$F open /proc/self/fd/3 w 3<$dir/file"
	check_err "a FIFO cannot be granted as a file" 'FIFO' in_env -r "$dir/fifo" -- true
	check_err "nor a socket" 'socket:' in_env -r "$dir/socket" -- true
	check_out "writable: the socket answers" '^ok' in_env -w "$dir" -- "$F" connect "$dir/socket"
	check_out "the FIFO takes" '^ok' in_env -w "$dir" -- "$F" fifo "$dir/fifo"
	check_out "the file opens for writing" '^ok' in_env -w "$dir" -- "$F" open "$dir/file" w
	check_out "granted as a socket, it answers" '^ok' \
		in_env -g "socket:$dir/socket=parent" -- "$F" connect "$dir/socket"
	check_out "a null socket refuses" '^ECONNREFUSED' \
		in_env -g socket:/run/s=null -- "$F" connect /run/s
	kill "$reader" "$PID" 2>/dev/null
}

overlay_tricks() { # what overlayfs would read in a lower tree made by an attacker
	local dir=$WORK/trick
	mine mkdir -p "$dir/a" "$WORK/other"
	mine sh -c "echo the-secret >$WORK/other/secret; echo x >$dir/file"
	mine "$F" xattr "$dir/a" user.overlay.redirect "/../other" >/dev/null
	mine "$F" xattr "$dir/a" user.overlay.opaque y >/dev/null
	mine "$F" xattr "$dir/file" user.overlay.metacopy "" >/dev/null
	mine "$F" xattr "$dir/file" user.overlay.redirect "/other/secret" >/dev/null
	secret_kept "redirections in a granted tree lead nowhere" -r "$dir" -- \
		sh -c "cat $dir/a/* $dir/file; ls -R $dir"
	[ "$ME" = root ] || return 0
	setfattr -n trusted.overlay.redirect -v /../other "$dir/a" 2>/dev/null
	secret_kept "nor root's own kind of them" -r "$dir" -- sh -c "cat $dir/a/*; ls -R $dir"
}

planting() {
	local repo=$WORK/repo name
	mine mkdir -p "$repo"
	mine git init -q "$repo"
	mine rm -rf "$repo/.git/hooks"
	mine sh -c "echo 'export X=1' >$repo/.envrc"
	check_out "a writable tree is written" '^ok' in_env -w "$repo" -- "$F" create "$repo/new" 644
	check_out "git works in it" '1 file changed' in_env -w "$repo" -- sh -c \
		"cd $repo && git add new && git -c user.name=x -c user.email=x commit -m x"
	for name in .git/config .envrc; do
		check_out "but $name is not" '^E' in_env -w "$repo" -- "$F" open "$repo/$name" a
		check_out "nor is $name replaced" '^E' in_env -w "$repo" -- \
			"$F" rename "$repo/new" "$repo/$name"
		check_out "nor $name removed" '^E' in_env -w "$repo" -- "$F" unlink "$repo/$name"
	done
	check_out "no hook is made" '^E' in_env -w "$repo" -- \
		"$F" create "$repo/.git/hooks/pre-commit" 755
	check_out ".git is not moved away" '^EBUSY' in_env -w "$repo" -- \
		"$F" rename "$repo/.git" "$repo/git"
	check_out "nor exchanged" '^EBUSY' in_env -w "$repo" -- sh -c \
		"mkdir $repo/evil; $F exchange $repo/.git $repo/evil; rmdir $repo/evil"
	check_out "granted by name, it is writable" '^ok' in_env -w "$repo" -w "$repo/.envrc" -- \
		"$F" open "$repo/.envrc" a
	check_out "so are hooks" '^ok' in_env -w "$repo" -w "$repo/.git/hooks" -- \
		"$F" create "$repo/.git/hooks/post-commit" 755
	mine sh -c "rm $repo/.envrc; ln -s new $repo/.envrc"
	check_err "a link in their place is refused" 'symbolic link' in_env -w "$repo" -- true
}

places() { # Polder's own
	local top=$T/$ME name home=$T/$ME/config
	[ "$ME" = user ] || home=/etc
	mine mkdir -p "$home/polder/profiles"
	check_err "the configuration is granted to nobody" 'belongs to Polder' \
		in_env -r "$home/polder" -- true
	if [ "$ME" = user ]; then
		name=$top/run/polder
	else
		name=/run/polder
	fi
	check_err "nor the runtime directory" 'belongs to Polder' in_env -w "$name" -- true
	check_err "nor what lies in it" 'belongs to Polder' in_env -r "$name/journal" -- true
	me polder run -n holder -d -- sleep 60 >/dev/null
	check_err "nor a control socket by its interface" 'belongs to Polder' \
		in_env -g "socket:/run/s=host:$(find "$name" -name ctl | head -n 1)" -- true
	me polder rm -f holder >/dev/null 2>&1
	[ "$ME" = user ] || return 0
	mine sh -c "echo 'net=host' >$home/polder/profiles/mine"
	check_out "above them, they are covered" '^\.$' in_env -w "$top" -- \
		sh -c "cd $top/config/polder && find ."
	check_out "so are the sockets" '^\.$' in_env -r "$top" -- sh -c "cd $top/run/polder && find ."
	check_out "no profile is planted" '^E' in_env -w "$top" -- \
		"$F" create "$top/config/polder/evil" 644
	check_out "nor is the way there moved" '^EBUSY' in_env -w "$top" -- \
		"$F" rename "$top/config" "$top/config2"
	check_out "beside them, files are written" '^ok' in_env -w "$top" -- \
		"$F" create "$top/config/other" 644
	mine rm -rf "$top/config/polder" "$top/config/other"
	in_env -w "$top" -- "$F" create "$top/config/polder" 755 >"$OUT" 2>&1
	check_out "a place that was not there yet cannot be made" '^E' \
		in_env -w "$top" -- "$F" rename "$top/config/polder" "$top/config/x"
	if have_root; then # the same tree under another name
		mkdir "$T/alias"
		mount --bind "$top" "$T/alias"
		check_out "covered under another name, too" '^\.$' in_env -r "$T/alias" -- \
			sh -c "cd $T/alias/run/polder && find ."
		check_out "and not planted in" '^E' in_env -w "$T/alias" -- \
			"$F" create "$T/alias/config/polder/evil" 644
		check_err "nor granted itself" 'belongs to Polder' \
			in_env -r "$T/alias/run/polder/journal" -- true
		umount "$T/alias"
	fi
	check_err "--root is guarded, too" 'belongs to Polder' \
		in_env --root "$top/data/polder" -- true
}

own_programs() { # polder's binary inside a granted tree
	local dir=$WORK/tree
	mine mkdir -p "$dir/deep/bin"
	mine cp "$T/bin/polder" "$dir/deep/bin/"
	check_out "its own program cannot be overwritten" '^E' \
		me "$dir/deep/bin/polder" run -r "$G" -w "$dir" -- "$F" open "$dir/deep/bin/polder" a
	check_out "nor moved away" '^EBUSY' \
		me "$dir/deep/bin/polder" run -r "$G" -w "$dir" -- "$F" rename "$dir/deep" "$dir/x"
	check_out "what lies beside it is writable" '^ok' \
		me "$dir/deep/bin/polder" run -r "$G" -w "$dir" -- "$F" create "$dir/deep/x" 644
}

next_start() { # what a program leaves behind is hostile to the next start
	local dir=$WORK/next
	mine mkdir -p "$dir/cache" "$WORK/victim"
	check_out "a slot inside of a granted tree" 'tmpfs' in_env -w "$dir" -g "$dir/cache=own" -- \
		grep " $dir/cache " /proc/self/mountinfo
	in_env -w "$dir" -- sh -c "rmdir $dir/cache; ln -s $WORK/victim $dir/cache"
	check_err "a link in its place is refused" 'is no directory' \
		in_env -w "$dir" -g "$dir/cache=own" -- true
	check_err "no mount point is made on the host" 'make it first' \
		in_env -w "$dir" -g "$dir/new/deep=own" -- true
	check_fails "and nothing was" test -e "$dir/new"
	mine mkdir "$dir/sub"
	check_out "subdir= narrows" '^x$' in_env -g "/m=$dir,subdir=sub" -- sh -c 'echo x >/m/x; cat /m/x'
	mine sh -c "rm -r $dir/sub; ln -s $WORK/victim $dir/sub"
	check_err "a link out of it is refused" 'leads out' \
		in_env -g "/m=$dir,subdir=sub" -- true
}

set_ids() { # a setuid program gains nothing, and none is made
	local dir=$WORK/setuid
	mine mkdir -p "$dir"
	mine chmod 755 "$dir"
	if have_root; then
		cp /usr/bin/id "$dir/id"
		chown 0:0 "$dir/id"
		chmod 6755 "$dir/id"
		[ "$ME" = root ] || check_out "outside, a setuid program is root" 'euid=0' \
			mine "$dir/id"
		check_no_out "inside it is not" 'euid|uid=0' in_env -r "$dir" -- "$dir/id"
		check_no_out "nor where it can be written" 'euid|uid=0' in_env -w "$dir" -- "$dir/id"
	fi
	if have_root; then
		mknod "$dir/null" c 1 3
		chmod 666 "$dir/null"
		check_out "outside, a device node is a device" '^ok' mine "$F" open "$dir/null" w
		check_out "in a granted tree it is none" '^EACCES' \
			in_env -w "$dir" -- "$F" open "$dir/null" w
		check_out "nor where it is only read" '^E' \
			in_env -r "$dir" -- "$F" open "$dir/null" w
		rm "$dir/null"
	fi
	check_no_out "mounts are nosuid" . in_env -w "$dir" -- sh -c \
		"awk '{ print \$5, \$6 }' /proc/self/mountinfo | grep -v nosuid; true"
	check_out "no setuid program is made for those outside" '^EPERM' in_env -w "$dir" -- \
		sh -c "cp $F $dir/evil; $F chmod $dir/evil 4755"
	check_out "nor from birth" '^EPERM' in_env -w "$dir" -- "$F" create "$dir/born" 4755
	check_out "nor by mknod" '^mknod-setuid EPERM' in_env -w "$dir" -- "$G/try-calls" mknod-setuid
	check_out "nor by openat2" '^openat2 ENOSYS' in_env -- "$G/try-calls" openat2
	if have_root; then
		check_out "the root identity may make one, of its own" '^ok' \
			in_env -g identity=own,root -- sh -c "touch /tmp/x; $F chmod /tmp/x 4755"
	fi
	check_out "other rights are given" '^ok' in_env -w "$dir" -- "$F" chmod "$dir/evil" 700
}

each() {
	lib_env "$ME"
	by_path
	redirected
	read_only
	overlay_tricks
	planting
	places
	own_programs
	next_start
	set_ids
	check_clean "nothing is left"
}
each_user each
done_testing
