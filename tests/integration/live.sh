#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What an environment holds is changed while it runs: grant, attenuate, revoke, audit. A
# program that holds everything open, read and mapped loses all of it, and gets it again.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
in_it() { polder exec web -- "$@"; }
mine() { # PATH…: the present user's, as far as this was started as root
	! have_root || chown -hR "$MY_UID:$MY_UID" -- "$@"
}
up() { # WORD…: an environment that only waits
	check "it is up" polder run -n web -d "$@" -- sleep 1000
}
gone() { check "it is gone" polder rm -f web; }
held() { # ERE: a line of what it holds
	check_out "show says $1" "$1" polder show web
}

photos() {
	rm -rf photos && mkdir -p photos/sub photos/.private
	echo one >photos/a
	echo two >photos/sub/b
	echo secret >photos/.private/c
	head -c 3000000 /dev/urandom >photos/big
	mine photos
}

# ---- the main path ----

changes() {
	photos
	up
	check_fails "nothing is there" in_it ls /data
	check "a directory is granted" polder grant web "/data=./photos,ro,log"
	check_out "it is there" '^one$' in_it cat /data/a
	check_out "and what is below" '^two$' in_it cat /data/sub/b
	check_err "it is read-only" 'Read-only' in_it sh -c 'echo x >/data/a'
	check_fails "its parent is not there" in_it ls /data/../photos
	held '^ */data=.*photos,ro,log'
	check_out "and how that is enforced" 'FUSE' polder show web
	echo later >photos/later && mine photos/later
	check "what comes later is seen" until_ok 3 in_it test -e /data/later
	check_out "as it is" '^later$' in_it cat /data/later

	check "it is narrowed" polder attenuate web /data hide=.private
	check_fails "what is hidden is not there" in_it cat /data/.private/c
	check_out "the rest is" '^one$' in_it cat /data/a
	held 'hide=.private'
	check_err "widening is no narrowing" 'grant it anew' \
		polder attenuate web /data subdir=sub
	check_out "and changes nothing" '^one$' in_it cat /data/a

	check "it is revoked" polder revoke web /data
	check_fails "nothing is there any more" in_it cat /data/a
	held '^ */data=null'
	check "the same is granted again" polder grant web "/data=./photos,ro"
	check_out "and is all there again" '^secret$' in_it cat /data/.private/c
	check_err "a slot that is bound is not bound again" 'revoke' polder grant web /data=./photos/sub
	check_out "and stays what it was" '^one$' in_it cat /data/a

	check_out "who looked is told" 'allow open .*/data/sub/b' polder audit web
	check_out "and what was refused" 'deny .*Read-only' polder audit web
	check_out "as JSON too" '"act": ?"open"' polder audit --json web
	gone
}

writing() {
	photos
	mkdir -p photos/.git && echo '[core]' >photos/.git/config && mine photos
	up
	check "for writing, at the same place" polder grant -w photos web
	check "what is written is on the host" in_it sh -c "echo new >'$WORK/photos/new'"
	check_out "it is" '^new$' cat photos/new
	check "and the caller's" me test -O photos/new
	check_fails "hooks are not planted" in_it sh -c "echo x >'$WORK/photos/.git/hooks/post-merge'"
	check_fails "nor a configuration" in_it sh -c "echo x >>'$WORK/photos/.git/config'"
	check_fails "nor is .git replaced" in_it mv "$WORK/photos/.git" "$WORK/photos/x"
	check "it is narrowed to reading" polder attenuate web "$WORK/photos" ro
	check_fails "which holds" in_it sh -c "echo x >'$WORK/photos/new'"
	check_out "and reading goes on" '^new$' in_it cat "$WORK/photos/new"
	check "one file alone" polder grant web /file=./photos/a
	check_out "is there" '^one$' in_it cat /file
	check "and can be written" in_it sh -c 'echo more >>/file'
	check "two at once are revoked" polder revoke web /file "$WORK/photos"
	check_fails "one is gone" in_it grep -q . /file
	check_fails "and the other" in_it cat "$WORK/photos/a"
	gone
}

# ---- complete ----

# Holds a file open, read and mapped, and a directory; says what is left once told to.
hold='
import mmap, os, sys, time
f = open("/data/big", "rb"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
first = f.read(4096); total = sum(m[i] for i in range(0, len(m), 4096))
os.chdir("/data/sub"); d = os.open(".", os.O_RDONLY); w = open("/data/a", "rb")
open("/tmp/held", "w").close()
while not os.path.exists("/tmp/now"): time.sleep(0.01)
def tried(what, fn):
    try: fn(); print(what, "works", flush=True)
    except OSError as e: print(what, "fails", e.errno, flush=True)
tried("reading again", lambda: (f.seek(0), f.read(4096)))
tried("reading on", lambda: (os.pread(f.fileno(), 4096, 2000000)))
tried("an open file", lambda: w.read())
tried("the directory", lambda: os.listdir(d))
tried("where it stands", lambda: os.stat("b"))
tried("its name", lambda: open("/data/a"))
if os.fork() == 0:
    print("mapped", m[8192], flush=True); os._exit(0)
print("the mapping", "is gone" if os.wait()[1] & 127 == 7 else "works", flush=True)
'
complete() {
	photos
	up
	check "it is granted" polder grant web /data=./photos
	me_bg polder exec web -- python3 -c "$hold"
	check "a program holds everything" until_ok 20 in_it test -e /tmp/held
	check "it is revoked" polder revoke web /data
	check "and it is told" in_it touch /tmp/now
	wait "$PID"
	cp "$BG_OUT" told
	check_no_out "nothing works any more" works cat told
	check_out "not even what was mapped" '^the mapping is gone$' cat told
	check_out "it tried" '^reading again fails 107$' cat told
	check "afterwards it gets the same again" polder grant web /data=./photos
	check_out "all of it" '^one$' in_it cat /data/a
	check "errors instead of nothing" polder revoke --to error web /data
	check_err "are what is left" 'not connected' in_it cat /data/a
	check "which stand in nobody's way" polder grant web /data=./photos/sub
	check_out "of another grant" '^two$' in_it cat /data/b
	gone
}

# ---- by themselves ----

ends() {
	photos
	up
	check "for two seconds" polder grant web /data=./photos,ro,ttl=2s
	check_out "it is there" '^one$' in_it cat /data/a
	check "and then not" until_ok 6 fails in_it cat /data/a
	held '^ */data=null'
	check "once" polder grant web /once=./photos,ro,once
	check_out "it is there" '^one$' in_it cat /once/a
	check "and then not" until_ok 6 fails in_it cat /once/a
	check "its caretaker dies" polder grant web /data=./photos
	check_out "while it serves" '^one$' in_it cat /data/a
	check "of somebody's kill" kill_caretakers
	check "then nothing is granted" until_ok 6 fails in_it cat /data/a
	check "which is said" until_ok_out '^ */data=null' polder show web
	check "and it can be granted again" polder grant web /data=./photos
	check_out "all of it" '^one$' in_it cat /data/a
	gone
}
fails() { ! "$@"; }
until_ok_out() { # ERE CMD…
	local ere=$1 i
	shift
	for i in 1 2 3 4 5 6 7 8 9 10; do
		"$@" 2>/dev/null | grep -Eq "$ere" && return
		sleep 0.3
	done
	return 1
}
kill_caretakers() { pkill -KILL -x polder-caretake; }

# ---- what is refused ----

refused() {
	local places=$HOME_OF/run/polder
	[ "$ME" = user ] || places=/run/polder
	photos
	up -r photos/a
	check_err "no such environment" 'no environment|nosuch' polder grant nosuch /data=./photos
	check_err "nothing to grant" "no '.*nowhere'" polder grant web /data=./nowhere
	check_rc 125 "the network" polder grant web net=host
	check_err "needs a start" 'restart|start' polder grant web net=host
	check_rc 125 "a clock" polder grant web clock=null
	check_err "no such slot" 'no slot' polder revoke web /nowhere
	check_err "a mount is cut for new uses only" '--new-only' polder revoke web "$WORK/photos/a"
	check_out "and stays meanwhile" '^one$' in_it cat "$WORK/photos/a"
	check "unless that is accepted" polder revoke --new-only web "$WORK/photos/a"
	check_fails "then it is gone" in_it grep -q . "$WORK/photos/a"
	check_err "not a binding" 'is not a binding' polder grant web nonsense
	in_it sh -c 'mkdir /tmp/real && ln -s real /tmp/way' >/dev/null
	check_err "a place by a link" 'symbolic link' polder grant web /tmp/way/data=./photos
	check "a place in its own" polder grant web /tmp/real/data=./photos,ro
	check_out "is there" '^one$' in_it cat /tmp/real/data/a
	check_err "Polder's own places" "Polder" polder grant web "/x=$places"
	check_err "no program of the host is made a place" 'mount point' polder grant web \
		/usr/nosuch-place=./photos
	in_it sh -c "find / -name ctl -type s -not -path '/proc/*' 2>/dev/null; true" >ctl
	check_no_out "its control socket is out of its reach" . cat ctl
	check "it is paused" polder pause web
	check "and granted to all the same" polder grant web /data=./photos,ro
	check_err "an unknown caretaker" 'nosuch' polder attenuate web /data nosuch
	check "it goes on" polder resume web
	check_out "with it" '^one$' in_it cat /data/a
	gone
	check_err "what does not run is not granted to" 'no environment|not running' \
		polder grant web /data=./photos
}

without_fuse() {
	[ "$ME" = user ] && have_root || return 0
	photos
	up
	chmod 600 /dev/fuse
	check_err "without /dev/fuse it is said" '/dev/fuse' polder grant web /data=./photos
	chmod 666 /dev/fuse
	check "with it, it is granted" polder grant web /data=./photos
	gone
}

# ---- at the start ----

started() {
	photos
	check_out "a caretaker from the start on" '^one$' polder run -g /data=./photos,ro,log -- cat /data/a
	check_err "which denies" 'Read-only' polder run -g /data=./photos,ro,log -- sh -c 'echo x >/data/a'
	check_err "files are counted" 'quota' polder run -g /data=./photos,max=1K -- \
		sh -c 'head -c 5000 /dev/zero >/data/more'
	check_err "faults come" 'Input/output error' polder run -g /data=./photos,fault=eio:100% -- cat /data/a
	check_out "no more often than asked" '^one$' polder run -g /data=./photos,fault=eio:0.000001:7 -- \
		cat /data/a
	check_rc 125 "a time that is over" polder run -g /data=./photos,ttl=@1000000000 -- true
	check_out "where the caller stands" '^one$' polder run -g "$WORK/photos=./photos,log" \
		--chdir "$WORK/photos" -- cat a
	up -g /data=./photos,cut=complete
	held 'cut: complete'
	check "and is cut" polder revoke web /data
	check_fails "completely" in_it cat /data/a
	gone
}

# What was granted and revoked holds at the next start as well.
kept() {
	photos
	up -r photos/a -g /first=./photos,log
	check "granted" polder grant web /data=./photos,ro
	check "revoked" polder revoke web /first
	check "it is restarted" polder restart web
	check_out "the grant is held" '^one$' in_it cat /data/a
	check_fails "and what was revoked is not" in_it cat /first/a
	gone
}

many() {
	local i
	photos
	up
	for i in $(seq 20); do
		polder grant web "/d$i=./photos,ro" || return 1
	done >"$OUT" 2>&1
	check_out "twenty at once" '^one$' in_it cat /d20/a
	for i in $(seq 20); do
		polder revoke web "/d$i" || return 1
	done >"$OUT" 2>&1
	check_fails "and none" in_it cat /d1/a
	check "no caretaker is left" until_ok 5 fails pgrep -x polder-caretake
	check "its tender is killed" kill_tender
	check "and nothing of it is left" until_ok 5 fails pgrep -x polder-init
	polder rm -f web >/dev/null 2>&1
}
kill_tender() {
	polder grant web /data=./photos && pkill -KILL -x polder-tender
}

HOME_OF=''
for f in changes writing complete ends refused without_fuse started kept many; do
	one() { HOME_OF=$T/$ME && "$f"; }
	each_user one
done
check_clean "nothing is left over"
done_testing
