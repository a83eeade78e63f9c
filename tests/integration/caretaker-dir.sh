#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder-caretaker-dir by its spec alone: what a program can do with a granted tree, what it
# cannot, what each caretaker takes away, and that a cut leaves nothing.
# tests/guests/run-caretaker.c mounts, starts it and says words to it.
. "$(dirname "$0")/../lib.sh"

cp "$POLDER_BUILD/tests/guests/run-caretaker" "$T/bin/" 2>/dev/null
S=$T/scripts
mkdir -m 777 "$S"
SAID='' WORDS='' OPTS=() TREE=tree

# ---- what runs inside ----

cat >"$S/hold.py" <<'PY'
# hold.py SAID WORDS [many]: has files open, read and mapped in every way, has the grant cut,
# and says what is left. "nothing" is what should be.
import mmap, os, signal, sys, threading, time
said, words = sys.argv[1:3]
SIZE = os.stat("big").st_size
PAGE = 4096

def mapped(path, flags, prot):
    f = os.open(path, os.O_RDWR if prot & mmap.PROT_WRITE else os.O_RDONLY)
    return mmap.mmap(f, SIZE, flags, prot)

fd = os.open("big", os.O_RDONLY)
unread = os.open("second", os.O_RDONLY)
assert len(os.pread(fd, SIZE, 0)) == SIZE
shared = mapped("big", mmap.MAP_SHARED, mmap.PROT_READ)
private = mapped("big", mmap.MAP_PRIVATE, mmap.PROT_READ)
dirty = mapped("dirty", mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
maps = {"shared": shared, "private": private, "dirty": dirty}
for m in maps.values():
    for at in range(0, SIZE, PAGE):
        m[at]
for at in range(0, SIZE, 8 * PAGE):
    dirty[at] = 88
listing = os.open(".", os.O_RDONLY)

# Others read all the time, through the cut.
readers = []
for n in range(4 if len(sys.argv) > 3 else 1):
    pid = os.fork()
    if pid == 0:
        m = mapped("big", mmap.MAP_SHARED, mmap.PROT_READ)
        at = 0
        while True:
            try:
                os.pread(fd, 65536, at)
                os.posix_fadvise(fd, at, 65536, os.POSIX_FADV_DONTNEED)
                m[at]
            except OSError:
                pass
            at = (at + 65536) % SIZE
    readers.append(pid)

def outcome(what):
    pid = os.fork()
    if pid == 0:
        try:
            what()
        except OSError as e:
            os._exit(1 if e.errno == 107 else 2)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return "SIGBUS" if os.WTERMSIG(status) == signal.SIGBUS else "signal"
    return ["LEFT", "ENOTCONN", "other"][os.WEXITSTATUS(status)]

if len(sys.argv) > 3:
    time.sleep(0.02 * int(sys.argv[3]))
with open(words, "w") as f:
    f.write("cut\n")
end = time.time() + 20
while not any(l.startswith("done") for l in open(said)) and time.time() < end:
    time.sleep(0.001)

left = []
def want(name, expected, what):
    got = outcome(what)
    if got != expected:
        left.append(f"{name}: {got}")

for at in range(0, SIZE, PAGE):
    try:
        os.pread(fd, 1, at)
        left.append(f"read at {at}")
    except OSError as e:
        if e.errno != 107:
            left.append(f"read: {e}")
want("unread", "ENOTCONN", lambda: os.pread(unread, 1, 0))
for name, m in maps.items():
    for at in range(0, SIZE, (SIZE // 64) & -PAGE):
        want(f"{name} at {at}", "SIGBUS", lambda: m[at])
want("open", "ENOTCONN", lambda: os.open("big", os.O_RDONLY))
want("stat", "ENOTCONN", lambda: os.stat("big"))
want("fstat", "ENOTCONN", lambda: os.fstat(fd))
want("list", "ENOTCONN", lambda: os.listdir("."))
want("list of an open one", "ENOTCONN", lambda: os.listdir(listing))
want("make", "ENOTCONN", lambda: os.mkdir("made"))
want("link", "ENOTCONN", lambda: os.readlink("link"))
for pid in readers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print("\n".join(left) if left else "nothing")
PY

cat >"$S/walk.py" <<'PY'
# walk.py SECONDS: reads all that can be reached, over and over, and says what it found that it
# should not have.
import os, stat, sys, time
end = time.time() + float(sys.argv[1])
seen = set()
def text(path):
    try:
        with open(path, "rb") as f:
            seen.add(f.read(64).strip().decode(errors="replace"))
    except OSError:
        pass
while time.time() < end:
    for at, dirs, files in os.walk("."):
        for name in files:
            path = os.path.join(at, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    text(path)
            except OSError:
                pass
    for name in ("swap/secret", "swap/../../secret", "deep/x/../../../secret"):
        text(name)
print(*sorted(seen), sep="\n")
PY

chmod 644 "$S"/*

# ---- the driver ----

care() { # [OPTION…] CMD…: in the grant "$TREE"; the options of run-caretaker are in OPTS
	me run-caretaker ${OPTS[@]+"${OPTS[@]}"} -o "$SAID" -w "$WORDS" "$TREE" place "$@"
}

# A new tree, and nothing said.
fresh() {
	OPTS=("$@")
	rm -rf tree place
	mkdir -p tree/sub place
	chmod 711 "$T/$ME" "$WORK" # who is inside has another number where root started it
	echo hello >tree/file
	echo deep >tree/sub/deep
	ln -s file tree/link
	ln -s /etc/hostname tree/out
	own
	SAID=$T/said-$ME WORDS=$T/words-$ME
	rm -f "$SAID" "$WORDS"
	mkfifo "$WORDS"
	: >"$SAID"
	chmod 666 "$SAID" "$WORDS"
}

own() { [ "$ME" = root ] || ! have_root || chown -R "$MY_UID:$MY_UID" .; }

said() { grep -Eq -- "$1" "$SAID"; }
check_said() { # WHAT ERE
	if said "$2"; then pass "$1"; else fail "$1" "not said: $2
$(tail -n 20 "$SAID")"; fi
}
check_not_said() {
	if said "$2"; then fail "$1" "$(grep -E -- "$2" "$SAID" | head -n 5)"; else pass "$1"; fi
}
has() { # WHAT FILE TEXT
	if [ "$(cat "$2" 2>&1)" = "$3" ]; then pass "$1"; else fail "$1" "$(cat "$2" 2>&1)"; fi
}
# Inside, once: says a word and waits for its answer.
# shellcheck disable=SC2016
say='say() { n=$(grep -c "^done\|^refused\|^ended" "$SAID"); echo "$*" >"$WORDS"
	for i in $(seq 200); do [ "$(grep -c "^done\|^refused\|^ended" "$SAID")" -gt "$n" ] && return
	sleep 0.02; done; echo "no answer to $*"; return 1; }
'
inside() { # SCRIPT
	care env "SAID=$SAID" "WORDS=$WORDS" bash -c "$say$1"
}

# ---- files ----

reading() {
	fresh
	check_out "a file is read" '^hello$' care cat file
	check_out "one in a directory" '^deep$' care cat sub/deep
	check_out "a symbolic link leads inside" '^hello$' care cat link
	check_out "one that leads out is the environment's own affair" \
		"$(cat /etc/hostname)" care cat out
	check_out "a listing has all" '^file link out sub $' care sh -c 'ls | tr "\n" " "'
	check_out "also with attributes" 'file$' care ls -la
	check_out "the owner is translated" "^$([ "$ME" = root ] && echo 1000 || echo "$MY_UID")$" \
		care stat -c %u file
	check_fails "what is not there is not" care cat nothing
	check_out "statfs answers" '[0-9]' care stat -f -c %b .
	check_said "it said that it is ready" '^ready FUSE 7'
}

writing() {
	fresh
	check "a file is made" care sh -c 'echo new >made'
	has "the host has it" tree/made new
	check "it is appended to" care sh -c 'echo more >>made; echo most >>made'
	has "the host has that" tree/made $'new\nmore\nmost'
	check "it is cut to size" care truncate -s 3 made
	has "the host has that, too" tree/made new
	check "it is overwritten" care sh -c 'echo x >made'
	check "a directory is made" care mkdir dir
	check "a file is moved into it" care mv made dir/
	has "there it is" tree/dir/made x
	check "two are exchanged or replaced" care sh -c 'echo y >other; mv other dir/made'
	has "by the other" tree/dir/made y
	check "it is linked" care ln dir/made hard
	check_out "with the count" '^2$' care stat -c %h hard
	check "a symbolic link is made" care ln -s ../../../etc/passwd sub/sym
	check_out "and says what was written" '^../../../etc/passwd$' care readlink sub/sym
	check "mode and times are set" care sh -c 'chmod 640 hard && touch -d @77 hard'
	check_out "on the host" '^640 77$' stat -c '%a %Y' tree/hard
	check "a mapping that is written arrives" care python3 -c '
import mmap, os
f = os.open("mapped", os.O_RDWR | os.O_CREAT | os.O_APPEND)
os.ftruncate(f, 8192)
m = mmap.mmap(f, 8192)
m[4096:4100] = b"data"
m.flush()'
	check_out "in its place, not at the end" '^8192 data$' \
		python3 -c 'd=open("tree/mapped","rb").read(); print(len(d), d[4096:4100].decode())'
	check "user attributes are kept" care python3 -c '
import os
os.setxattr("hard", "user.a", b"1"); assert os.getxattr("hard", "user.a") == b"1"
assert os.listxattr("hard") == ["user.a"]; os.removexattr("hard", "user.a")
assert os.listxattr("hard") == []'
	check "space is reserved, holes are found" care python3 -c '
import os
f = os.open("sparse", os.O_RDWR | os.O_CREAT)
os.posix_fallocate(f, 0, 4096); os.ftruncate(f, 1 << 20); os.pwrite(f, b"x", 1 << 19)
assert os.lseek(f, 4096, os.SEEK_DATA) == 1 << 19
os.fsync(f)'
	check "a range is copied" care python3 -c '
import os
a = os.open("file", os.O_RDONLY); b = os.open("copied", os.O_WRONLY | os.O_CREAT)
assert os.copy_file_range(a, b, 6) == 6'
	has "to the host" tree/copied hello
	check "files are locked" care flock file true
	check "much is written and read" care sh -c \
		'head -c 5000000 /dev/urandom >rnd; cp rnd rnd2; cmp rnd rnd2; sync rnd2'
	check "and is the same on the host" cmp tree/rnd tree/rnd2
	check "an unlinked file can still be used" care sh -c \
		'exec 3<>gone; rm gone; echo still >&3; cat /proc/self/fd/3 | grep still'
	check "all is removed" care sh -c 'rm -r dir sub hard mapped sparse copied rnd rnd2 && rmdir /proc/self/cwd/none 2>/dev/null; test ! -e dir'
	check_fails "and gone from the host" test -e tree/dir
	check "a deep tree is made and removed" care sh -c \
		'p=.; for i in $(seq 60); do p=$p/d; done; mkdir -p $p && echo x >$p/f && cat $p/f && rm -r d'
}

# Each beside what may be done.
denials() {
	fresh
	mkfifo tree/fifo
	chmod 666 tree/fifo
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("tree/sock")'
	chmod 666 tree/sock
	own
	check_out "a FIFO is seen" '^p' care stat -c %A fifo
	check_fails "and not opened" care timeout 5 cat fifo
	check_out "a socket is seen" '^s' care stat -c %A sock
	check_fails "and not connected to" care python3 -c \
		'import socket; socket.socket(socket.AF_UNIX).connect("sock")'
	check_fails "no FIFO is made" care mkfifo made
	check_fails "no socket" care python3 -c \
		'import socket; socket.socket(socket.AF_UNIX).bind("made")'
	check_fails "no setuid bit is set" care chmod 4755 file
	check_fails "no setgid bit" care chmod 2755 sub
	check "other bits are" care chmod 755 file
	check_fails "a file is not given away" care python3 -c 'import os; os.chown("file", 0, 0)'
	check "to whom it is, it may be" care python3 -c \
		'import os; os.chown("file", os.getuid(), os.getgid())'
	check_fails "no security attribute" care python3 -c \
		'import os; os.setxattr("file", "security.x", b"1")'
	check_fails "no trusted one" care python3 -c 'import os; os.setxattr("file", "trusted.x", b"1")'
	check_fails "no access list" care python3 -c \
		'import os; os.setxattr("file", "system.posix_acl_access", b"1")'
	check_fails "no ioctl" care python3 -c \
		'import fcntl; fcntl.ioctl(open("file"), 0x80086601, b"12345678")'
	check_fails "no file handle of it is of use" care python3 -c \
		'import os; os.open("/proc/self/fd/9/../file", 0)'
	check_fails "permission bits hold" care sh -c 'chmod 400 file; echo x >file'
	check_fails "for directories, too" care sh -c 'chmod 500 sub; echo x >sub/new'
	check_fails "a name of 256 bytes is too long" care sh -c "echo x >$(printf 'a%.0s' {1..256})"
	check "one of 255 is not" care sh -c "echo x >$(printf 'a%.0s' {1..255})"
	check "odd names are names" care sh -c 'echo x >"$(printf "a\nb\001\377*?[")"; echo x >...; ls >/dev/null'
	if have_root && [ "$ME" = root ]; then
		mkdir tree/mnt
		mount -t tmpfs none tree/mnt
		echo secret >tree/mnt/secret
		check_fails "what is mounted below is not there" care cat mnt/secret
		check_out "but listed" mnt care ls
		OPTS=(-f cross)
		check_out "with the flag it is" secret care cat mnt/secret
		umount tree/mnt
		OPTS=()
		mkdir outside
		echo secret >outside/secret
		mount --bind outside tree/mnt
		check_fails "nor is what is bound there, of the same file system" care cat mnt/secret
		umount tree/mnt
		rm -r outside
		mknod -m 666 tree/null c 1 3
		check_out "a device is seen" '^c' care stat -c %A null
		check_fails "and not opened" care cat null
	fi
}

single_file() {
	local spot=$S/spot
	fresh
	echo one >single
	: >"$spot"
	own
	check_out "one file is granted" '^one$' \
		me run-caretaker -o "$SAID" single "$spot" cat "$spot"
	check "and written" me run-caretaker -o "$SAID" single "$spot" sh -c "echo two >$spot"
	has "on the host" single two
	check_fails "not with ro" me run-caretaker -f ro -o "$SAID" single "$spot" \
		sh -c "echo 3 >$spot"
	has "which stays" single two
	check_fails "it is no directory" me run-caretaker -o "$SAID" single "$spot" ls "$spot/"
	check_fails "nothing is made beside it" me run-caretaker -o "$SAID" single "$spot" \
		mkdir "$spot/dir"
	rm "$spot"
}

# ---- the host meanwhile ----


edits() { # the host's half runs beside
	fresh
	rm -f "$S/at"
	(
		until_ok 10 test -e "$S/at"
		echo changed longer >tree/file
		echo x >tree/appears
		rm tree/sub/deep
	) &
	check_out "edits on the host are seen within a second" '^changed longer x gone $' \
		care sh -c "cat file sub/deep; ls appears; : >$S/at; sleep 1.3
		cat file | tr '\n' ' '; cat appears | tr '\n' ' '; cat sub/deep 2>/dev/null || echo 'gone '"
	wait
	fresh
	rm -f "$S/at"
	(
		until_ok 10 test -e "$S/at"
		echo HELLO >tree/file # as long as before
	) &
	check_out "one that keeps the size, by a mapping, too" '^HELLO' care python3 -c '
import mmap, os, time
f = os.open("file", os.O_RDONLY)
m = mmap.mmap(f, 6, mmap.MAP_SHARED, mmap.PROT_READ)
m[0]; open("'"$S"'/at", "w"); time.sleep(1.3)
os.pread(f, 6, 0); print(m[:6].decode())'
	wait
}

# The links lead out of the grant on the host, and nowhere inside: the mount lies elsewhere.
races() {
	local pid
	fresh
	rm -rf h
	mkdir -p h/outside/x h/tree/deep/x/y
	echo hello >h/tree/file
	echo escaped | tee h/secret h/outside/secret >h/outside/x/secret
	echo inner >h/tree/deep/x/y/inner
	own
	TREE=h/tree
	# A directory becomes a link out, a directory in use moves out and back.
	me_bg bash -c 'cd h; while :; do
		rm -rf tree/swap; ln -s ../outside tree/swap; rm tree/swap; mkdir tree/swap
		ln -s ../../secret tree/swap/secret; rm tree/swap/secret; mkfifo tree/swap/secret
		mv tree/deep/x moved; mv moved tree/deep/x
	done 2>/dev/null'
	pid=$PID
	check_no_out "nothing outside is read while the host swaps names" escaped \
		care python3 "$S/walk.py" 4
	check_out "what is inside is" hello care python3 "$S/walk.py" 0.5
	kill "$pid"
	wait "$pid" 2>/dev/null
	mkdir -p h/tree/deep/x
	echo inner >h/tree/deep/x/inner
	own
	rm -f "$S/at" "$S/at2"
	(
		until_ok 10 test -e "$S/at"
		mv h/tree/deep/x h/moved
		echo late >h/moved/late
		: >"$S/at2"
	) &
	check_no_out "a directory in use that is moved out is left behind" 'late|escaped' care sh -c \
		"cd deep/x; ls >/dev/null; : >$S/at; until [ -e $S/at2 ]; do sleep 0.05; done; sleep 1.1
		cat late ../secret ../../secret 2>/dev/null; ls 2>/dev/null; true"
	wait
	TREE=tree
	rm -rf h
}

# ---- the end ----

big_tree() {
	fresh "$@"
	head -c 1048576 /dev/urandom >tree/big
	cp tree/big tree/second
	cp tree/big tree/dirty
	own
}

cuts() {
	local n
	big_tree
	check_out "a cut leaves nothing" '^nothing$' care python3 "$S/hold.py" "$SAID" "$WORDS"
	check_said "it is complete" '^done 1 what 1 invalidated [4-9] unfinished 0'
	check_said "and the caretaker ends" '^server exit 0'
	for n in 0 1 2 3 4 5; do
		big_tree
		check_out "nor do four readers in the midst of it keep anything ($n)" '^nothing$' \
			care python3 "$S/hold.py" "$SAID" "$WORDS" "$n"
	done
	big_tree -t slow=1
	OPTS=(-t 'fault=slow=300000:1')
	check_out "who waits for a caretaker is let go with an error" 'ENOTCONN|not connected' inside '
		cat big >/dev/null 2>err.txt & sleep 0.3; say cut; wait; cat "$SAID" >/dev/null; (cat big) 2>&1; true'
	fresh
	check_out "a program that runs from the grant dies" 'SIGBUS|Bus error|135|not connected|107' inside '
		cp "$(command -v sleep)" prog 2>/dev/null; chmod +x prog; ./prog 30 & p=$!; sleep 0.2; say cut
		kill -0 $p; kill -CONT $p; kill $p; wait $p; echo $?; ./prog 1; echo $?'
	fresh
	check_out "killed, it leaves ENOTCONN" 'not connected' inside '
		exec 3<sub/deep; echo kill >"$WORDS"; sleep 0.3; (cat file; cat <&3; ls) 2>&1; true'
	check_no_out "and no new use" 'hello' inside '
		echo kill >"$WORDS"; sleep 0.3; cat file 2>&1; true'
	fresh
	check_out "with a closed channel it ends the same way" 'not connected' inside '
		echo damaged >"$WORDS"; sleep 0.3; cat file 2>&1; true'
	check_said "and says why" '^ended 4'
	fresh
	check_out "another generation is refused" 'hello' inside 'say stale; cat file'
	check_said "with a sentence" '^refused 1 .*generation'
	check_out "counts are told" '^done 1' inside 'cat file >/dev/null; say stats; tail -n 1 "$SAID"'
	check_said "how much was read" 'read [1-9]'
}

# A grant of a grant: when the outer server stands still, the inner one is held up by its host.
hung_host() {
	[ "$ME" = user ] || return 0
	big_tree
	mkdir -p "$S/place2"
	chmod 777 "$S/place2"
	rm -f "$S/said2" "$S/words2"
	: >"$S/said2"
	mkfifo "$S/words2"
	chmod 666 "$S/said2" "$S/words2"
	cat >"$S/inner" <<-SH
		exec 3<big; head -c 10 <&3 >/dev/null; (tail -c 10 big; echo status \$?) 2>&1 &
		echo stop >$WORDS; sleep 0.3; tail -c 300000 second 2>&1 & sleep 0.3
		SAID=$S/said2 WORDS=$S/words2
		$say
		say cut; cat file <&3 2>&1; grep '^done' \$SAID; echo cont >$WORDS; wait
	SH
	chmod 644 "$S/inner"
	check_out "a cut waits for no host that hangs" 'not connected' care \
		run-caretaker -o "$S/said2" -w "$S/words2" . "$S/place2" bash "$S/inner"
	check_out "it is complete, and says that something was held up" \
		'done 1 what 1 invalidated [0-9]+ unfinished [1-9]' cat "$S/said2"
	rm -rf "$S/place2"
}

# ---- caretakers ----

caretaker_ro() {
	fresh -t ro
	check_out "ro: reading is left" hello care cat file
	check_err "nothing is written" 'Read-only file system' care sh -c 'echo x >file'
	check_err "nothing made" 'Read-only file system' care mkdir dir
	check_err "nothing removed" 'Read-only file system' care rm -f file
	check_err "nothing changed" 'Read-only file system' care chmod 600 file
	has "and nothing was" tree/file hello
	fresh
	check_out "later: what is open is not written any more" 'Read-only file system' inside '
		exec 3>>file; echo before >&3; say front ro; echo after 2>&1 >&3; cat file >/dev/null'
	has "but what was before is" tree/file $'hello\nbefore'
}

caretaker_subdir() {
	fresh -t subdir=sub
	check_out "subdir: it is the root" '^deep$' care cat deep
	check_no_out "what lies above is not there" 'file|hello' care sh -c 'find . ; cat ../file 2>/dev/null; true'
	fresh -t subdir=link2
	ln -s sub tree/link2
	check_err "it is no symbolic link" 'cannot be entered' care true
	OPTS=(-t subdir=../tree)
	check_err "it leads nowhere else" 'cannot be entered' care true
	OPTS=(-t subdir=/etc)
	check_err "it is relative" 'relative path' care true
	mkdir tree/sub/low
	echo low >tree/sub/low/f
	own
	OPTS=(-t subdir=low -t subdir=sub)
	check_out "two compose: the one behind chooses first" '^low$' care cat f
	fresh
	check_out "later it is refused" refused inside 'say front subdir=sub; tail -n 1 "$SAID"'
}

caretaker_hide() {
	fresh -t 'hide=*.key' -t hide=.git
	mkdir tree/.git
	echo secret >tree/.git/config
	echo secret >tree/a.key
	echo secret >tree/sub/b.key
	own
	check_out "hide: others are there" hello care cat file
	check_no_out "hidden names are not listed" 'key|git' care find .
	check_err "they are not there" 'No such file' care cat a.key
	check_err "nor what lies beneath" 'No such file' care cat .git/config
	check_err "nor in a directory" 'No such file' care cat sub/b.key
	check_fails "they cannot be made" care sh -c 'echo x >new.key'
	check_fails "nor by a move" care mv file moved.key
	check_fails "nor by a link" care ln file linked.key
	check_fails "nor replaced" care mv file a.key
	check_fails "nor linked to" care ln a.key open
	check_fails "nor removed" care rm a.key
	check_out "a directory that seems empty is not removed" 'not empty' care sh -c \
		'rm sub/deep; rmdir sub 2>&1; true'
	has "all is as it was" tree/a.key secret
	fresh
	mkdir tree/.git
	echo secret >tree/.git/config
	own
	check_no_out "later: what is open is gone as well" secret inside '
		exec 3<.git/config; exec 4<.git; cat .git/config >/dev/null; say behind hide=.git
		cat <&3; cat .git/config; cd .git && cat config; cat /proc/self/fd/4/config; true'
	check_out "the rest stays" hello inside 'exec 3<file; say behind hide=.git; cat <&3'
}

caretaker_max() {
	fresh -t max=10K
	check "max: so much may be written" care sh -c 'head -c 10240 /dev/zero >z'
	check_err "and no more" 'quota' care sh -c 'head -c 10240 /dev/zero >z; head -c 1 /dev/zero >y'
	check_err "not by growing a file either" 'quota' care truncate -s 20000 grown
	check "nor is reading limited" care sh -c 'for i in $(seq 20); do cat file z; done'
	fresh -t max=1M,3
	check "so many may be made" care sh -c 'mkdir a; echo x >b; ln -s b c'
	fresh -t max=1M,3
	check_err "and no more" 'quota' care sh -c 'mkdir a; echo x >b; ln -s b c; echo x >d'
	OPTS=(-t max=much)
	check_err "an odd argument is refused" 'max takes' care true
}

caretaker_rate() {
	local took
	fresh -t rate=1M/s
	head -c 1048576 /dev/zero >tree/z
	own
	took=$(millis_of care cat z)
	if [ "$took" -gt 600 ] && [ "$took" -lt 3000 ]; then
		pass "rate: 1 MiB at 1 MiB/s takes a second"
	else
		fail "rate: 1 MiB at 1 MiB/s takes a second" "$took ms"
	fi
	check_out "a program that waits can be interrupted" 'gone' care sh -c \
		'for i in 1 2 3 4; do cat z >/dev/null; done & sleep 0.2; kill $!; wait $!; echo gone'
	fresh -t rate=20ops/s
	took=$(millis_of care sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do echo x >n$i; done')
	if [ "$took" -gt 500 ]; then
		pass "operations are counted, too"
	else
		fail "operations are counted, too" "$took ms"
	fi
}

millis_of() { # CMD…
	local begin
	begin=$(date +%s%N)
	"$@" >/dev/null 2>&1
	echo $((($(date +%s%N) - begin) / 1000000))
}

caretaker_ttl() {
	fresh -t "ttl=$((($(date +%s%N) / 1000000) + 3000))"
	check_out "ttl: it works until then" '^hello$' care cat file
	OPTS=(-t "ttl=$((($(date +%s%N) / 1000000) + 3000))")
	check_out "and not after" 'not connected' care sh -c 'exec 3<file; cat file; sleep 3.2; cat <&3 2>&1; true'
	check_said "which is told" '^ended 1'
	OPTS=(-t ttl=1000)
	check_err "one that is over is over" 'not connected' care cat file
	fresh
	check_out "later it can only come" 'not connected' inside "
		say front ttl=\$((\$(date +%s%N) / 1000000 + 1000)); cat file >/dev/null; sleep 1.5; cat file 2>&1; true"
}

caretaker_once() {
	fresh -t once
	check_out "once: one opening" '^hello$' care cat file
	check_said "then it is cut" '^ended 2'
	check_out "a second one is refused" 'hello.*denied|denied.*hello' care sh -c \
		'exec 3<file; cat sub/deep 2>&1 | tr "\n" " "; cat <&3'
	check_out "what fails does not count" 'hello' care sh -c 'cat nothing 2>/dev/null; ls >/dev/null; cat file'
	check_out "after it nothing is left" 'not connected' care sh -c \
		'cat file >/dev/null; sleep 0.3; cat file 2>&1; ls 2>&1; true'
}

caretaker_log() {
	fresh -t log -t ro
	check_fails "log: tries are made" care sh -c 'cat file; echo x >new; mkdir dir; mv file other; false'
	check_said "an open is told" '^log allow open /file - errno 0'
	check_said "what was read, when it is closed" '^log allow close /file - errno 0 read 6 written 0'
	check_said "a denied create" '^log deny create /new - errno 30'
	check_said "a denied mkdir" '^log deny mkdir /dir - errno 30'
	check_said "a denied rename, with both names" '^log deny rename /file /other errno 30'
	fresh -t log
	check "what is done is told" care sh -c 'echo x >sub/new; ln sub/new l; rm sub/new; mkdir d; mv d e; rmdir e'
	check_said "a file made" '^log allow create /sub/new'
	check_said "what was written" '^log allow close /sub/new - errno 0 read 0 written 2'
	check_said "a link" '^log allow link /sub/new /l'
	check_said "a removal" '^log allow unlink /sub/new'
	check_said "a rename" '^log allow rename /d /e'
	check_fails "what the host denied is told as allowed, with its error" care sh -c 'mkdir sub'
	fresh -t ro -t log
	check_fails "behind another it sees what came through" care sh -c 'cat file; mkdir dir'
	check_said "the read" '^log allow open /file'
	check_not_said "and not what was denied before" 'mkdir'
}

caretaker_fault() {
	fresh -t fault=eio:1
	check_err "fault: eio at 1 always fails" 'Input/output error' care cat file
	OPTS=(-t fault=eio:0)
	check_out "at 0 never" hello care cat file
	OPTS=(-t fault=enospc:1)
	check_err "enospc: what makes fails" 'No space left' care sh -c 'echo x >new'
	check_out "reading does not" hello care cat file
	OPTS=(-t fault=short:1)
	check_out "short: a read is cut short" '^hel' care python3 -c \
		'import os; f = os.open("file", 0); print(os.read(f, 100)[:3].decode())'
	OPTS=(-t fault=slow=300:1)
	local took
	took=$(millis_of care cat file)
	if [ "$took" -ge 600 ]; then pass "slow: it takes longer"; else fail "slow: it takes longer" "$took ms"; fi
	local one two three
	OPTS=(-t fault=eio:0.5:7)
	one=$(care sh -c 'for i in $(seq 20); do mkdir d$i 2>/dev/null && printf 1 || printf 0; done')
	rm -rf tree/d*
	two=$(care sh -c 'for i in $(seq 20); do mkdir d$i 2>/dev/null && printf 1 || printf 0; done')
	rm -rf tree/d*
	OPTS=(-t fault=eio:0.5:8)
	three=$(care sh -c 'for i in $(seq 20); do mkdir d$i 2>/dev/null && printf 1 || printf 0; done')
	if [ "$one" = "$two" ] && [ "$one" != "$three" ] && [[ $one == *0* ]] && [[ $one == *1* ]]; then
		pass "the seed decides which"
	else
		fail "the seed decides which" "$one $two $three"
	fi
	OPTS=(-t fault=odd:1)
	check_err "an odd kind is refused" 'fault takes' care true
}

# ---- limits ----

limits() {
	fresh
	mkdir tree/many
	python3 -c '
for i in range(3000): open(f"tree/many/{i}", "w").write("x")'
	own
	check_out "more files than descriptors can be walked" '^3000$' \
		prlimit_care 1000 sh -c 'for i in 1 2 3; do ls -l many >/dev/null; done; ls -l many | grep -c ^-'
	check_out "they are counted" 'limit 750' grep -E '^done' "$SAID"
}

prlimit_care() { # NOFILE CMD…
	local n=$1
	shift
	me prlimit --nofile="$n:$n" run-caretaker -o "$SAID" -w "$WORDS" tree place \
		env "SAID=$SAID" "WORDS=$WORDS" bash -c "$say"'"$@"; say stats >/dev/null' x "$@"
}

real_work() {
	if ! command -v git >/dev/null || ! command -v make >/dev/null; then
		skip "a clone and a build" "git or make is missing"
		return
	fi
	fresh
	mkdir tree/src
	printf 'prog: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\t$(CC) -o $@ $^\n' >tree/src/Makefile
	for i in 1 2 3 4 5; do echo "int f$i(void) { return $i; }" >"tree/src/f$i.c"; done
	echo 'int f1(void); int main(void) { return f1() - 1; }' >tree/src/main.c
	own
	check "a repository is made, cloned and built" care sh -c 'export HOME=/nowhere
		git -C src -c init.defaultBranch=main init -q . && git -C src add . &&
		git -C src -c user.name=a -c user.email=b commit -qm x &&
		git -c safe.directory=* clone -q src copy && make -s -C copy && ./copy/prog'
	check "the host has the program" test -x tree/copy/prog
	check "and the repository is sound" me git -C tree/copy -c 'safe.directory=*' fsck
}

odd_specs() {
	check_err "no spec: usage" usage me polder-caretaker-dir
	check_err "an empty one" 'not a caretaker' me sh -c 'polder-caretaker-dir --spec 3 3</dev/null'
	check_rc 125 "with its status" me sh -c 'polder-caretaker-dir --spec 3 3</dev/null'
	fresh -f passthrough -t log
	check_err "passthrough goes past log" 'passthrough goes past' care true
	if [ "$ME" = user ]; then
		OPTS=(-f passthrough)
		check_err "and needs root" 'CAP_SYS_ADMIN' care true
	fi
}

passthrough() {
	[ "$ME" = root ] || return 0
	big_tree -f passthrough
	if ! care true 2>/dev/null; then
		skip "passthrough" "$(tail -n 1 "$SAID")"
		return
	fi
	check_out "passthrough reads" hello care cat file
	check "and writes" care sh -c 'echo x >new; cp big copy; cmp big copy'
	check_out "a cut says that it is not complete" 'done 1 what 0' inside \
		'exec 3<big; head -c 10 <&3 >/dev/null; say cut; cat "$SAID"'
	check_out "it is, with nothing open" 'done 1 what 1' inside 'cat big >/dev/null; sleep 0.2; say cut; cat "$SAID"'
}

all() {
	reading
	writing
	denials
	single_file
	edits
	races
	cuts
	hung_host
	caretaker_ro
	caretaker_subdir
	caretaker_hide
	caretaker_max
	caretaker_rate
	caretaker_ttl
	caretaker_once
	caretaker_log
	caretaker_fault
	limits
	real_work
	odd_specs
	passthrough
}

if ! as_user test -r /dev/fuse -a -w /dev/fuse; then
	skip "caretakers of files" "/dev/fuse is missing or not this user's to use"
	done_testing
fi
each_user all
check_clean "nothing is left over"
done_testing
