#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The /etc of the default root: mostly one that is kept finished. It holds what the long
# way would show, follows the host's, and nobody inside or killed at any moment harms it.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# A grant in /etc makes every start go the long way.
long_way=(-g /etc/zz=null)

run_dir() {
	if [ "$ME" = root ]; then echo /run/polder; else echo "$T/user/run/polder"; fi
}

# Types, modes, sizes, links and contents; not whose it is, nor what is Polder's own.
list='cd /etc && find . -mindepth 1 ! -name zz ! -name machine-id \
	-printf "%P %y %m %l\n" | sort; find . -type f ! -name machine-id -printf "%p\n" |
	sort | while read -r f; do echo "$f"; cat "$f" 2>&1; done | cksum'

whole() { # one mount on /etc
	me polder run -- grep -q ' /etc [^ ]*ro,nosuid,nodev,noexec' /proc/self/mountinfo
}

in_parts() {
	me polder run -- sh -c '! grep -q " /etc " /proc/self/mountinfo'
}

same_as_long() {
	me polder run -- sh -c "$list" >"$T/short" &&
		me polder run "${long_way[@]}" -- sh -c "$list" >"$T/long" &&
		[ -s "$T/long" ] && diff "$T/long" "$T/short"
}

names() {
	find "$(run_dir)/etc" -mindepth 1 -maxdepth 1 -type d | wc -l
}

as_kept() {
	cd "$WORK" || return
	me polder run -- true
	check "/etc is one mount" whole
	check "with a grant below it is put together" \
		me polder run "${long_way[@]}" -- sh -c '! grep -q " /etc " /proc/self/mountinfo'
	check "both hold the same" same_as_long
	check_out "the machine id is the environment's" '^[0-9a-f]{32}$' \
		me polder run -- cat /etc/machine-id
	me polder run -- cat /etc/machine-id >"$T/id1"
	me polder run -- cat /etc/machine-id >"$T/id2"
	check_fails "and another in the next" cmp "$T/id1" "$T/id2"
	check "it is private on the host" \
		test "$(stat -c %a "$(run_dir)/etc")" = 700
}

cannot_write() {
	local f
	cd "$WORK" || return
	for f in services machine-id hosts; do
		check_fails "nobody inside writes /etc/$f" \
			me polder run -- sh -c "echo x >>/etc/$f"
		check_fails "nor by a descriptor of it" \
			me polder run -- sh -c "exec 3</etc/$f; echo x >/proc/self/fd/3"
		check_fails "nor changes its mode" me polder run -- chmod 600 "/etc/$f"
		check_fails "nor removes it" me polder run -- rm -f "/etc/$f"
	done
	check_fails "nor makes a file" me polder run -- touch /etc/new
	check_fails "nor mounts it anew" \
		me polder run -- mount -o remount,bind,rw /etc
	check "outside it is as before" same_as_long
}

others_work() {
	cd "$WORK" || return
	echo granted >"$WORK/x"
	mkdir -p "$WORK/root"/{etc,usr,proc,dev,tmp,run}
	check_out "a grant in /etc" granted \
		me polder run -g "/etc/x=$WORK/x,ro" -- cat /etc/x
	check_out "a grant over one of its files" granted \
		me polder run -g "/etc/services=$WORK/x,ro" -- cat /etc/services
	check_out "another name of the host" '^web$' \
		me polder run -g identity=own,hostname=web -- cat /etc/hostname
	check_out "another user" '^joe:' \
		me polder run -g identity=fake,user=joe -- cat /etc/passwd
	check_out "nobody" '^nobody:.*/home/user' \
		me polder run -g identity=null -- grep nobody /etc/passwd
	cp "$POLDER_BUILD/bench/nothing" "$WORK/root/" && chmod 755 "$WORK/root/nothing"
	check "a root of its own" me polder run --root "$WORK/root" -- /nothing
	check "from below /etc" bash -c 'cd /etc/alternatives && "$@"' - \
		"$T/bin/polder" run -- true
}

many_at_once() {
	local i pids=() ok=0
	cd "$WORK" || return
	# shellcheck disable=SC2115 # it is never empty
	rm -rf "$(run_dir)/etc"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		me_bg polder run -- sh -c 'test -s /etc/services && test -s /etc/passwd'
		pids+=("$PID")
	done
	for i in "${pids[@]}"; do
		wait "$i" && ok=$((ok + 1))
	done
	check "twelve first starts at once all have an /etc" test $ok = 12
	check "one was made" test "$(names)" = 1
	check "which is used" whole
}

killed() {
	local i left
	cd "$WORK" || return
	for i in 0 1 2 3 4 5 6 7 8 9; do
		rm -f "$(run_dir)/etc/now"
		me_bg polder run -- true
		sleep "0.00$i"
		pkill -KILL -P "$PID" -x polder 2>/dev/null
		kill -KILL "$PID" 2>/dev/null
		wait "$PID" 2>/dev/null
		check "killed after $i ms, the next has an /etc" same_as_long
	done
	rm -f "$(run_dir)/etc/now" "$(run_dir)/etc/lock"
	check "and makes one" whole
	left=$(names)
	check "nothing is left of the others" test "$left" = 1
}

damaged() {
	local now
	cd "$WORK" || return
	now=$(run_dir)/etc/now
	rm "$now/etc/services"
	check "one that lacks a file is not used" same_as_long
	: >"$now/index"
	check "nor one with an empty index" same_as_long
	head -c 700 /dev/urandom >"$now/index"
	check "nor one with noise in it" same_as_long
	rm -rf "$now/etc/ssl"
	check "nor one that lacks a directory" same_as_long
	check "there is a whole one again" whole
}

each_user as_kept
each_user cannot_write
each_user others_work
each_user many_at_once
each_user killed
each_user damaged

# ---- the host's /etc changes ----

settle() { sleep 4.2; }

follows() {
	cd "$WORK" || return
	check "before any change" whole
	echo "polder-test 4711/tcp" >>/etc/services
	check_out "an edited file is seen at once" polder-test \
		me polder run -- cat /etc/services
	echo one >/etc/ssl/certs/zz.pem
	check_out "a new file in a directory" '^one$' \
		me polder run -- cat /etc/ssl/certs/zz.pem
	settle
	check "settled, it is one mount again" whole
	check_out "with the edited file" polder-test \
		me polder run -- cat /etc/services
	printf 'two\n' | dd of=/etc/ssl/certs/zz.pem conv=notrunc status=none
	check_out "what is edited in place, deeper" '^two$' \
		me polder run -- cat /etc/ssl/certs/zz.pem
	rm /etc/ssl/certs/zz.pem
	check_fails "what is removed" me polder run -- cat /etc/ssl/certs/zz.pem
	ln -sfn /usr/share/zoneinfo/Europe/Paris /etc/localtime
	check_out "a link that leads elsewhere" Paris \
		me polder run -- readlink /etc/localtime
	rm -f /etc/protocols
	check_fails "a file that is gone" me polder run -- test -e /etc/protocols
	settle
	check "settled" whole
	check "both ways" same_as_long
	echo "ip 0 IP" >/etc/protocols
	check_out "a file that came" '^ip 0' me polder run -- cat /etc/protocols
}

hostile() {
	local i
	cd "$WORK" || return
	mkfifo /etc/alternatives/fifo
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/etc/ld.so.conf.d/sock")'
	truncate -s 5M /etc/mime.types
	echo secret >/etc/ssl/openssl.cnf
	chmod 600 /etc/ssl/openssl.cnf
	mkdir -p /etc/fonts/a/b/c/d/e/f/g
	ln -s ../../../shadow /etc/ssl/certs/link
	for i in $(seq 2500); do : >"/etc/ssl/certs/many$i"; done
	settle
	check "a FIFO, a socket, much, deep, many, unreadable: it starts" whole
	check "and shows what it always did" same_as_long
	check_fails "a secret stays one" me polder run -- cat /etc/ssl/openssl.cnf
	check_fails "a link out leads nowhere" \
		me polder run -- cat /etc/ssl/certs/link
	check_no_out "nothing of it is in the copy" . \
		bash -c 'find "$1" -size +1024k -o -type p -o -type s' - "$(run_dir)/etc"
}

# The one that an environment lives in stays, whatever is made meanwhile.
stays() {
	cd "$WORK" || return
	check "an environment begins" me polder run -d -n old -- sleep 60
	echo "newer 4712/tcp" >>/etc/services
	settle
	me polder run -- true
	echo "newest 4713/tcp" >>/etc/services
	settle
	check_out "two changes later, a new one has both" newest \
		me polder run -- cat /etc/services
	check "the old one has its whole /etc" \
		me polder exec old -- sh -c 'test -s /etc/services && test -s /etc/ld.so.cache'
	check_no_out "as it was" newer me polder exec old -- cat /etc/services
	me polder stop old
	me polder rm old
	echo "last 4714/tcp" >>/etc/services
	settle
	me polder run -- true
	check "when it has ended, its /etc goes" test "$(names)" -le 2
}

own_etc() { # a writable copy of the host's, as it was long ago
	mount -t tmpfs -o mode=755 none "$T/over/etc" &&
		mkdir "$T/over/etc/up" "$T/over/etc/work" &&
		mount -t overlay -o \
			"lowerdir=/etc,upperdir=$T/over/etc/up,workdir=$T/over/etc/work" none /etc
}

if [ "$lib_root" = yes ]; then
	mkdir -p "$T/over/etc"
	etc_changes() { own_etc && follows && hostile; umount -l /etc; umount -l "$T/over/etc"; }
	etc_stays() { own_etc && stays; umount -l /etc; umount -l "$T/over/etc"; }
	each_user etc_changes
	each_user etc_stays
else
	skip "changes of the host's /etc" "only root can make them"
fi
done_testing
