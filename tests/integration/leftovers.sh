#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# However an environment ends or fails to start, nothing of it stays; and nothing that is
# mounted on either side of its border is seen on the other.
. "$(dirname "$0")/../lib.sh"

G=$T/guests
mkdir "$G"
cp "$POLDER_BUILD"/tests/guests/{bomb,try-files} "$G/"
chmod -R a+rX "$G"

ended() { # WHAT STATUS CMD…: ends so, and leaves nothing
	local what=$1 status=$2
	shift 2
	check_rc "$status" "$what" me polder run "$@"
	check_clean "$what: nothing is left"
}

ways_to_end() {
	local dir=$WORK/tree
	me mkdir -p "$dir/sub"
	ended "by itself" 0 -w "$dir" -r "$G" -- true
	ended "with a status" 7 -r "$G" -- sh -c 'exit 7'
	ended "by a signal" 139 -- sh -c 'kill -SEGV $$'
	ended "with children left over" 0 -r "$G" -- sh -c "$G/bomb spin & exit 0"
	ended "with children of another session" 0 -r "$G" -- \
		sh -c "setsid $G/bomb spin </dev/null >/dev/null 2>&1 & exit 0"
	ended "out of time" 137 --time 300ms -r "$G" -- "$G/bomb" spin
	ended "no such program" 127 -- no-such-program
	ended "no program at all" 126 -- /etc/passwd
	ended "no such working directory" 125 --chdir /no/such/directory -- true
	ended "a slot that cannot be" 125 -w "$dir" -g "$dir/new=own" -- true
	ended "a file where a directory is" 125 -g "/usr=/etc/hostname" -- true
	ended "a network that is not there yet" 125 -g net=own -- true
	ended "its own things" 0 -g /data=own -g /null=null -g console=null -- \
		sh -c 'echo x >/data/x && test -d /null'
	check_out "what it wrote outside stays, of course" '^x$' sh -c \
		"\"\$@\" sh -c 'echo x >$dir/x' && cat $dir/x" x \
		"${lib_who[@]}" polder run -w "$dir" --
}

killed_inside() { # init itself, by whoever may: from outside
	local init
	me polder run -n shortlived -d -- sleep 100 >/dev/null 2>&1
	init=$(pgrep -x polder-init | head -n 1)
	check "init is there" test -n "$init"
	me kill -KILL "$init"
	check_rc 137 "without it, the environment has ended" me polder wait shortlived
	check "and goes" me polder rm shortlived
	check_clean "nothing is left of it"
}

hostile_directories() { # of a kept environment's own, when it is removed
	local keep=$WORK/keep
	me mkdir -p "$keep"
	me touch "$keep/file"
	me polder run -n nasty -g /data=own -- sh -c "mkdir -p /data/a/b; touch /data/a/b/f
		ln -s $keep /data/l; ln -s $keep /data/a/l; chmod 0 /data/a/b /data/a" >/dev/null 2>&1
	check "closed directories and links are removed" me polder rm nasty
	check "and what links led to is not" test -e "$keep/file"
	me polder run -n deep -g /data=own -- perl -e \
		'chdir "/data"; for (1..2000) { mkdir "d" x 100; chdir "d" x 100 }' >/dev/null 2>&1
	check "a path too long to say is removed" me polder rm deep
	[ "$ME" = root ] || have_root || return 0
	me polder run -n foreign -g identity=own,root -g /data=own -- sh -c \
		'mkdir -p /data/d/e; touch /data/d/e/f; chown -R 7:7 /data/d; chmod 700 /data/d' \
		>"$OUT" 2>"$ERR"
	check "so is what belongs to another number inside" me polder rm foreign
	[ "$ME" = root ] || check_rc 1 "nothing of them is there" \
		sh -c "find $T/user/data/polder/env -mindepth 1 | grep ."
}

mounts_outside() { # a mount made later on the host, where propagation is shared
	[ "$ME" = root ] || return 0
	local dir=$WORK/shared
	mkdir -p "$dir/later"
	echo below >"$dir/later/file"
	mount --bind "$dir" "$dir"
	mount --make-shared "$dir"
	me polder run -n bound -d -w "$dir" -- sleep 100 >/dev/null 2>&1
	mount -t tmpfs none "$dir/later"
	echo secret >"$dir/later/file"
	check_out "a later mount of the host does not appear inside" '^below$' \
		me polder exec bound -- cat "$dir/later/file"
	check_out "outside it does" '^secret$' cat "$dir/later/file"
	me polder rm -f bound >/dev/null
	check_out "and it is still there when the environment is gone" '^secret$' \
		cat "$dir/later/file"
	umount "$dir/later" && umount "$dir"
}

mounts_inside() {
	local before
	before=$(wc -l </proc/self/mountinfo)
	me polder run -n many -d -r "$G" -g /a=own -g /b=null -- sleep 100 >/dev/null 2>&1
	check_out "an environment's mounts are not seen outside" "^$before\$" \
		sh -c 'wc -l </proc/self/mountinfo'
	check_no_out "nor the host's inside" "^$T/(user|root)|^/sys|^/home/[^u]" \
		me polder exec many -- awk '{ print $5 }' /proc/self/mountinfo
	me polder rm -f many >/dev/null
}

each() {
	lib_env "$ME"
	ways_to_end
	killed_inside
	hostile_directories
	mounts_outside
	mounts_inside
	check_clean "nothing is left in the end"
}
each_user each
done_testing
