#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every interface with every source that it can have, as a program finds it; what the
# table of the servers calls impossible is refused with its reason.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
run() { polder run "$@"; }
logs_have() { polder logs "$1" | grep -Eq -e "$2"; }
fed() { # TEXT CMD…
	local text=$1
	shift
	printf '%s' "$text" | "$@"
}
mine() { ! have_root || chown -hR "$MY_UID:$MY_UID" -- "$@"; }

console() {
	check_out "parent: the caller's streams" '^in$' fed in run -g console=parent -- cat
	check_no_out "null: writes vanish" . run -g console=null -- sh -c 'echo x; echo y >&2'
	check_out "and it runs" '^0$' file_after run -g console=null -w out/ -- \
		sh -c 'cat | wc -c >out/n'
	check_rc 3 "fake: scripted input" fed other run -g 'console=fake,input=scripted' -- \
		sh -c 'read -r a; [ "$a" = scripted ] && exit 3'
	check "its output is the tender's" run -n script -g 'console=fake,input=ab c' -- \
		sh -c 'cat; echo " end"'
	check_out "and logged" '^ab c end$' polder logs script
	check "own" run -n term -d -g console=own -- sh -c 'tty; test -t 0 && test -t 2 && echo all'
	check "is a terminal" until_ok 10 logs_have term '^/dev/pts/0$'
	check "for all three" until_ok 10 logs_have term '^all$'
	check "rm" polder rm -f script term
	check_err "host has none" "console" run -g console=/dev/tty -- true
}
file_after() {
	"$@" || return
	cat out/n
}

clocks() {
	if [ ! -e /proc/self/timens_offsets ]; then
		check_err "no time namespaces: told" "CONFIG_TIME_NS" run -g clock=null -- true
		return
	fi
	check_out "null: boot time begins at zero" '^young$' run -g clock=null -- \
		sh -c 'read -r up rest </proc/uptime; [ "${up%.*}" -lt 60 ] && echo young'
	check_out "monotonic as well" '^young$' run -g clock=null -- \
		python3 -c 'import time; print("young" if 0 <= time.monotonic() < 60 else "old")'
	check "timers fire" run -g clock=null -- sleep 0.1
	check_out "own: shifted" '^ahead$' run -g clock=own,offset=1000h -- \
		python3 -c 'import time; print("ahead" if time.monotonic() > 3600000 else "not")'
	check_out "back" '^back$' back
	check_out "parent: the host's" '^same$' same_clock parent
	check_out "own without a shift: the same" '^same$' same_clock own
	check_out "the wall clock stays" '^same$' same_wall
	check_err "fake is refused with the reason" "wall clock" run -g clock=fake -- true
	check_err "no duration" "offset takes a duration" run -g clock=own,offset=soon -- true
	check_out "exec has the same" '^young$' clock_of_exec
}
back() {
	local now
	now=$(python3 -c 'import time; print(time.monotonic())')
	run -g clock=own,offset=-30s -- python3 -c '
import sys, time
print("back" if time.monotonic() < float(sys.argv[1]) - 20 else "not")' "$now"
}
same_clock() {
	local now
	now=$(python3 -c 'import time; print(time.monotonic())')
	run -g "clock=$1" -- python3 -c '
import sys, time
print("same" if 0 <= time.monotonic() - float(sys.argv[1]) < 50 else "other")' "$now"
}
same_wall() {
	local now
	now=$(date +%s)
	[ $(($(run -g clock=null -- date +%s) - now)) -lt 50 ] && echo same
}
clock_of_exec() {
	run -n shifted -d -g clock=null -- sleep 1000 >/dev/null
	polder exec shifted -- python3 -c 'import time; print("young" if time.monotonic() < 60 else "old")'
	polder rm -f shifted
}

identities() {
	local n=$MY_UID
	[ "$ME" = user ] || n=1000
	check_out "parent: the number, not the name" "^uid=$n\(user\)" run -g identity=parent -- id
	check_out "null" '^uid=65534\(nobody\) gid=65534' run -g identity=null -- id
	check_out "on localhost" '^localhost$' run -g identity=null -- hostname
	check_out "machine id of zeros" '^0{32}$' run -g identity=null -- cat /etc/machine-id
	check "who may still write his own" run -g identity=null -- sh -c 'echo x >/tmp/x'
	check_out "and read what is granted" '^granted$' granted_to nobody
	check_out "own: named as the environment" '^fresh$' run --rm -n fresh -g identity=own -- hostname
	check_out "or as asked" '^box$' run -g identity=own,hostname=box -- hostname
	check "its machine id is its own" differ run -g identity=own -- cat /etc/machine-id
	check_fails "not the host's" same_as_host
	check_out "fake" '^lab ada [0-9]+$' run -g identity=fake,hostname=lab,user=ada -- \
		sh -c 'echo $(hostname) $(id -un) $(id -u)'
	check_out "its machine id as given" '^0123456789abcdef0123456789abcdef$' \
		run -g identity=fake,machine-id=0123456789abcdef0123456789abcdef -- cat /etc/machine-id
	check_err "a machine id that is none" "32 digits" run -g identity=fake,machine-id=x -- true
	check_err "a host name that is none" "host name" run -g identity=own,hostname=A_B -- true
	check_out "localhost is known" '^(127.0.0.1|::1) ' run -- getent hosts localhost
	check_out "and its own name" '^(127.0.0.1|::1) ' run -g identity=own,hostname=box -- getent hosts box
}
granted_to() {
	echo granted >note
	mine note
	run -g identity=null -g "/note=./note,ro" -- cat /note
}
differ() {
	local a b
	a=$("$@") b=$("$@")
	[ -n "$a" ] && [ "$a" != "$b" ]
}
same_as_host() {
	[ -s /etc/machine-id ] && run -g identity=own -- cat /etc/machine-id | cmp - /etc/machine-id
}

# uid 0 of a range: what installing and running services needs, and nothing else.
rooted() {
	local busybox
	busybox=$(command -v busybox) || { skip "own,root" "no busybox"; return; }
	if [ "$ME" = user ] && ! command -v newuidmap >/dev/null; then
		check_err "without the helper: told" "newuidmap|uidmap" run -g identity=own,root -- true
		return
	fi
	if [ "$ME" = user ] && ! grep -Eq "^($USER_NAME|$MY_UID):" /etc/subuid; then
		check_err "without a range: the remedy" "usermod" run -g identity=own,root -- true
		skip "own,root" "no range of user numbers in /etc/subuid"
		return
	fi
	mkdir -p tree/bin tree/etc tree/root tree/srv tree/proc tree/dev tree/tmp tree/run
	cp "$busybox" tree/bin/busybox
	for p in sh ls cat touch id mount chown chmod stat su mkdir hostname \
		mknod kill sleep rm cp; do
		ln -sf busybox tree/bin/$p
	done
	printf 'root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/sh\n' >tree/etc/passwd
	printf 'root:x:0:\nwww:x:33:\n' >tree/etc/group
	mine tree
	inner() { run --root tree --chdir / -g identity=own,root -- "$@"; }
	check_out "is root inside" '^uid=0\(root\)' inner id
	check_out "with few capabilities" '^CapEff:.00000000800004fb$|^CapEff:.000000008000[0-9a-f]*$' \
		inner cat /proc/self/status
	check_out "chown to another" '^33:33$' inner sh -c \
		'touch /srv/f && chown 33:33 /srv/f && stat -c %u:%g /srv/f'
	check_out "it stays" '^33:33$' inner stat -c %u:%g /srv/f
	check "becomes another" inner su www -c '[ $(id -u) = 33 ]'
	check_out "who cannot do what root can" 'ermission denied|not permitted' \
		inner su www -c 'touch /root/x 2>&1; echo'
	check "a file of mode 0 can be read by root" inner sh -c \
		'echo x >/srv/g && chmod 0 /srv/g && cat /srv/g'
	check "kills another's" inner sh -c \
		\
		'su www -c "echo \$\$ >/tmp/pid; exec sleep 1000" & until [ -s /tmp/pid ]; do sleep 0.1; done
		kill -TERM $(cat /tmp/pid) && wait; [ ! -e /proc/$(cat /tmp/pid) ]'
	check_fails "no mount" inner mount -t tmpfs none /srv
	check_fails "no device" inner mknod /srv/null c 1 3
	check_fails "no host name" inner hostname other
	check_fails "no writing to /proc/sys" inner sh -c 'echo x >/proc/sys/kernel/hostname'
	check "what it made is not the host's root's" not_host_root tree/srv/f
	check_out "kept, it stays" '^33$' kept_root
	if [ "$ME" = user ] && have_root; then
		check_err "without a range: the remedy" "usermod" no_range
	fi
}
not_host_root() { [ "$(stat -c %u "$1")" != 0 ]; }
kept_root() {
	run -n deb --root tree --chdir / -g identity=own,root -- \
		sh -c 'touch /srv/k && chown 33 /srv/k' &&
	run -n deb --root tree --chdir / -g identity=own,root -- stat -c %u /srv/k
	polder rm deb
}
no_range() {
	cp /etc/subuid subuid.saved
	grep -v "^$USER_NAME:" subuid.saved >/etc/subuid
	run -g identity=own,root -- true
	local rc=$?
	cat subuid.saved >/etc/subuid
	return $rc
}

sockets() {
	cat >serve.py <<-'E'
	import os, socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); s.listen()
	while True:
	    c, _ = s.accept()
	    c.sendall(b"served"); c.close()
	E
	cat >ask.py <<-'E'
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	try:
	    s.connect(sys.argv[1])
	    print(s.recv(100).decode())
	except OSError as e:
	    print(e.strerror)
	E
	mine serve.py ask.py
	me_bg python3 serve.py "$WORK/sock"
	local server=$PID
	until_ok 10 test -S sock
	ask() { run -g '/ask.py=./ask.py,ro' "$@"; }
	check_out "by path" '^served$' ask -g "socket:/run/s=./sock" -- python3 /ask.py /run/s
	check_out "parent: at its own place" '^served$' ask -g "socket:$WORK/sock=parent" -- \
		python3 /ask.py "$WORK/sock"
	check_out "not granted, not there" '^No such file' ask -- python3 /ask.py "$WORK/sock"
	check_out "null: refuses" '^Connection refused$' ask -g socket:/run/s=null -- python3 /ask.py /run/s
	check_out "and is a socket" '^yes$' run -g socket:/run/s=null -- sh -c '[ -S /run/s ] && echo yes'
	check_err "one that is not there" "nosuch" run -g "socket:/run/s=./nosuch" -- true
	check_err "a file is none" "no Unix socket" run -g "socket:/run/s=./ask.py" -- true
	check_err "fake is refused with the reason" "socket" run -g socket:/run/s=fake -- true
	check_err "own as well" "socket" run -g socket:/run/s=own -- true
	kill "$server"
	wait "$server" 2>/dev/null
	check_out "env: another's, by name" '^served$' from_another
	check_err "one that is not exposed" "exposes no server" \
		run -g socket:/run/s=env:provider/other -- true
	polder stop provider >/dev/null
	check_err "one that does not run" "provider" run -g socket:/run/s=env:provider/sock -- true
	check_err "one that there is not" "nobody" run -g socket:/run/s=env:nobody/sock -- true
	polder rm provider
}
from_another() {
	run -n provider -d -g /srv=own -g '/serve.py=./serve.py,ro' \
		--expose sock=socket:/srv/sock --expose files=dir:/srv -- \
		python3 /serve.py /srv/sock >/dev/null || return
	until_ok 10 polder exec provider -- test -S /srv/sock
	ask -g socket:/run/s=env:provider/sock -- python3 /ask.py /run/s
}

networks() {
	check_out "null: a loopback, up" '^ok$' run -g net=null -- python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
print("ok")'
	check_out "and nothing else" 'unreachable' run -g net=null -- python3 -c '
import socket
try: socket.create_connection(("192.0.2.1", 80), 3)
except OSError as e: print(e.strerror)'
	me_bg python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
while True: s.accept()[0].close()'
	local server=$PID port
	until_ok 10 test -s "$BG_OUT"
	port=$(cat "$BG_OUT")
	reach() { run "$@" -- python3 -c '
import socket, sys
try: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 3); print("reached")
except OSError as e: print(e.strerror)' "$port"; }
	check_out "the host's listener is out of reach" 'refused' reach -g net=null
	check_out "host: within reach" '^reached$' reach -g net=host
	check_out "and said to be weak" 'note: net=host shares' reach -g net=host
	kill "$server"
	wait "$server" 2>/dev/null
	for s in own parent fake; do
		check_err "$s comes later" "router" run -g net=$s -- true
	done
}

dirs() {
	check_out "null: empty" '^0$' run -g /d=null -- sh -c 'ls -A /d | wc -l'
	check_fails "and read-only" run -g /d=null -- touch /d/x
	check_out "own: empty and writable" '^x$' run -g /d=own -- sh -c 'ls -A /d; touch /d/x; ls /d'
	check_fails "of a size" run -g /d=own,size=1M -- head -c 2M /dev/zero '>' /d/x
	check_fails "of a size, full" run -g /d=own,size=1M -- sh -c 'head -c 2M /dev/zero >/d/x'
	check "of a size, within" run -g /d=own,size=1M -- sh -c 'head -c 500K /dev/zero >/d/x'
	cat >fake.yaml <<-'E'
	environments:
	  one:
	    run: [sh, -c, 'cat /d/a /d/sub/b; touch /d/x || echo kept out']
	    slots: {/d: {from: fake, files: {a: "first\n", sub/b: "second\n"}}}
	E
	check_out "fake: the given files" '^first$' run -f fake.yaml one
	check_out "below" '^second$' run -f fake.yaml one
	check_out "read-only" '^kept out$' run -f fake.yaml one
	check_err "store comes later" "store" run -g /d=store:x -- true
	check_out "env: another's" '^shared$' from_other
	check_out "ro" 'Read-only' run -g /d=env:keeper/files,ro -- sh -c 'touch /d/x 2>&1; echo'
	if [ "$ME" = root ]; then # the two have different user numbers
		check_err "not writable, with the reason" "user numbers of its own" \
			run -g /d=env:keeper/files -- true
	else
		check_out "and writable" '^both$' run -g /d=env:keeper/files -- \
			sh -c 'echo both >/d/y && cat /d/y'
		check_out "seen by its owner" '^both$' polder exec keeper -- cat /data/y
	fi
	check "rm" polder rm -f keeper
}
from_other() {
	run -n keeper -d -g /data=own --expose files=dir:/data -- \
		sh -c 'echo shared >/data/f; exec sleep 1000' >/dev/null || return
	until_ok 10 polder exec keeper -- test -s /data/f
	run -g /d=env:keeper/files,ro -- cat /d/f
}

entropy() {
	check "parent" run -g entropy=parent -- head -c 16 /dev/urandom
	for s in null own fake; do
		check_err "$s cannot be had" "getrandom" run -g entropy=$s -- true
	done
	check "spawn=null" run -g spawn=null -- true
	check_err "spawn=parent comes later" "spawn" run -g spawn=parent -- true
}

each_user console
each_user clocks
each_user identities
each_user rooted
each_user sockets
each_user networks
each_user dirs
each_user entropy
check_clean "nothing is left over"
done_testing
