#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A unikernel's devices are changed while it runs: a guest that reads and writes its volume
# without rest loses it and gets it again, joins are cut and made under those that talk.
. "$(dirname "$0")/../lib.sh"

guests=$POLDER_BUILD/tests/guests/solo5
if [ ! -f "$guests/guest-watch.spt" ]; then
	skip "a unikernel's devices" "unikernels are built for x86_64 alone"
	done_testing
fi
mkdir "$T/guests"
for g in "$guests"/guest-*.[sh][pv]t; do
	cp "$g" "$T/guests/${g##*/guest-}"
done
chmod 755 "$T/guests" && chmod 644 "$T/guests"/*
G=$T/guests

polder() { me "$T/bin/polder" "$@"; }
fails() { ! "$@"; }
each_kind() { # FN
	K=spt
	"$1"
	if me test -r /dev/kvm -a -w /dev/kvm; then
		K=hvt
		"$1"
	else
		skip "$1, hvt" "/dev/kvm is not there, or not this user's"
	fi
}
disk() { # NAME SIZE: its first block is of a, its second is empty
	rm -f "$1"
	truncate -s "$2" "$1" && printf aaaa | dd of="$1" conv=notrunc status=none
	chmod 666 "$1"
}
last_is() { [ "$(polder logs "$1" | tail -n 1)" = "$2" ]; }
comes() { check "$K: then it $2" until_ok 10 last_is "$1" "$2"; }
held() { check_out "$K: show says $1" "$1" polder show web; }
tender_of() { polder show "$1" | sed -n 's/^ *tender //p'; }
free() { me flock -n "$1" true; }
# Processes that have that file open, as far as this user may look.
users_of() {
	local fd
	for fd in /proc/[0-9]*/fd/*; do
		[ "$(readlink "$fd" 2>/dev/null)" != "$1" ] || echo "$fd"
	done
}
up() { # WORD…
	check "$K: it is up" polder run -n web -d -g console=own "$@"
}
gone() { check "$K: it is gone" polder rm -f web; }
second() { dd if="$1" bs=512 skip=1 count=1 status=none | head -c 1; }
put_mark() { printf M | dd of="$1" bs=512 seek=1 conv=notrunc status=none; }

# ---- volumes ----

volume() {
	disk d.img 1M
	up -g dev:storage=./d.img "$G/watch.$K"
	comes web 'reads a, writes'
	held 'cut: complete'
	check_fails "$K: nobody else may write it" free d.img

	check "$K: it is revoked" polder revoke web dev:storage
	put_mark d.img
	comes web 'reads zeros, writes'
	held 'dev:storage=null,size=1048576 +reads zeros'
	check_out "$K: what it writes goes nowhere" '^M$' second d.img
	check "$K: others may write it" free d.img
	check_no_out "$K: nobody has it open" . users_of "$WORK/d.img"
	check "$K: and another environment may have it" polder run --time 20s \
		-g dev:storage=./d.img "$G/block.$K" read at=0

	check "$K: it is granted again" polder grant web dev:storage=./d.img
	comes web 'reads a, writes'
	check_out "$K: and written again" '^w$' second d.img
	check_fails "$K: and locked" free d.img
	check_err "$K: it is bound now" 'bound already' polder grant web dev:storage=./d.img

	check "$K: it is revoked to errors" polder revoke --to error web dev:storage
	put_mark d.img
	comes web 'reads fail, writes fail'
	held 'nothing: every use fails'
	check_out "$K: nothing is written" '^M$' second d.img
	check "$K: it is free" free d.img

	check "$K: another is granted, and memory" polder grant web dev:storage=fake,content=b,size=2M
	comes web 'reads b, writes'
	check "$K: which can be taken as well" polder revoke web dev:storage
	comes web 'reads zeros, writes'
	check "$K: one of its own" polder grant web dev:storage=own,size=1M
	comes web 'reads zeros, writes'
	gone
}

narrowed() {
	disk d.img 1M
	up -g dev:storage=./d.img "$G/watch.$K"
	comes web 'reads a, writes'
	check "$K: it is narrowed" polder attenuate web dev:storage ro
	put_mark d.img
	comes web 'reads a, writes fail'
	check_out "$K: nothing is written" '^M$' second d.img
	held 'd.img,ro'
	check "$K: again is nothing new" polder attenuate web dev:storage ro
	check "$K: others may read it now" me flock -ns d.img true
	check_fails "$K: and not write it" free d.img
	check_err "$K: other caretakers are not there" 'volume' polder attenuate web dev:storage rate=1M/s
	check "$K: it is revoked" polder revoke web dev:storage
	check "$K: and free" free d.img
	check_err "$K: null is no narrower" 'no narrower' polder attenuate web dev:storage ro
	check "$K: it is granted for reading" polder grant web dev:storage=./d.img,ro
	comes web 'reads a, writes fail'
	check "$K: then for writing" polder revoke web dev:storage
	check "$K: which was its right" polder grant web dev:storage=./d.img
	comes web 'reads a, writes'
	gone

	up -g dev:storage=own,size=1M "$G/watch.$K"
	comes web 'reads zeros, writes'
	check "$K: one in memory is narrowed" polder attenuate web dev:storage ro
	comes web 'reads zeros, writes fail'
	gone
}

# What is over a base has two descriptors with a monitor, and one else.
over_base() {
	disk base.img 1M
	up -g dev:storage=own,base=./base.img "$G/watch.$K"
	comes web 'reads a, writes'
	check "$K: a base is taken" polder revoke web dev:storage
	comes web 'reads zeros, writes'
	check "$K: and free" free base.img
	if [ "$K" = hvt ]; then
		check_err "$K: its map is of the old one" 'keeps a map' polder grant web dev:storage=./base.img
	else
		check "$K: another stands there" polder grant web dev:storage=./base.img
		comes web 'reads a, writes'
	fi
	gone
}

paused() {
	disk d.img 1M
	up -g dev:storage=./d.img "$G/watch.$K"
	comes web 'reads a, writes'
	check "$K: it is paused" polder pause web
	check "$K: and revoked from" polder revoke web dev:storage
	put_mark d.img
	sleep 0.3
	check_out "$K: it is still paused" 'paused' polder ps
	check_out "$K: and silent" 'reads a, writes' polder logs web
	check "$K: it goes on" polder resume web
	comes web 'reads zeros, writes'
	check_out "$K: without a write between" '^M$' second d.img
	check "$K: paused again" polder pause web
	check "$K: granted" polder grant web dev:storage=./d.img
	check "$K: stopped from there" polder stop -t 1s web
	polder rm -f web >/dev/null 2>&1
}

# At the next start it holds what it holds now, null as large as it was.
kept() {
	disk d.img 1M
	check "$K: one is kept" polder run -n web -d -g console=own -g dev:storage=./d.img "$G/watch.$K"
	comes web 'reads a, writes'
	check "$K: revoked" polder revoke --to error web dev:storage
	check "$K: restarted" polder restart web
	comes web 'reads zeros, writes'
	held 'dev:storage=null,size=1048576'
	check "$K: granted" polder grant web dev:storage=./d.img
	check "$K: restarted" polder restart web
	comes web 'reads a, writes'
	gone
}

refused() {
	disk d.img 1M && disk small.img 512K && disk ro.img 1M
	up -g dev:storage=./d.img "$G/watch.$K"
	check_err "$K: the console" 'restart' polder revoke web console
	check_err "$K: the clock" 'restart' polder grant web clock=parent
	check_err "$K: no such device" 'no slot' polder revoke web dev:other
	check_err "$K: nor to grant" 'no such device' polder grant web dev:other=null
	check_err "$K: files" 'restart' polder grant web /data=.
	check "$K: revoked" polder revoke web dev:storage
	check "$K: twice is once" polder revoke web dev:storage
	check_err "$K: a smaller one" 'told of 1048576 bytes' polder grant web dev:storage=./small.img
	check_err "$K: blocks of another size" 'told to the guest' \
		polder grant web dev:storage=./d.img,block=4096
	check_err "$K: nothing there" 'No such file' polder grant web dev:storage=./none
	check_err "$K: a net" 'is the place of a volume' polder grant web net:dev:storage=own
	check_err "$K: the creator's" 'holds no block device' polder grant web dev:storage=parent
	check "$K: after all that" last_is web 'reads zeros, writes'
	check "$K: a larger one" polder grant web dev:storage=./d.img
	comes web 'reads a, writes'
	gone
	up -g dev:storage=./ro.img,ro "$G/watch.$K"
	comes web 'reads a, writes fail'
	check "$K: revoked" polder revoke web dev:storage
	check_err "$K: what began read-only stays so" 'add ,ro' polder grant web dev:storage=./ro.img
	check "$K: it is that" polder grant web dev:storage=./ro.img,ro
	comes web 'reads a, writes fail'
	gone
}

# Where nobody may trace, or a filter with a listener is there already, volumes stay as they
# are, which is said; asked for, it is refused.
listened() { me python3 "$T/listened" "$T/bin/polder" "$@"; }
cat >"$T/listened" <<'END'
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
prog = struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))
fd = libc.syscall(317, 1, 8, prog)
if fd < 0:
    sys.exit("no listener: " + os.strerror(ctypes.get_errno()))
# Polder closes what is not its own; somebody else keeps the listener.
if os.fork() == 0:
    for n in 0, 1, 2:
        os.dup2(os.open("/dev/null", os.O_RDWR), n)
    while not os.path.exists("over"):
        time.sleep(0.1)
    os._exit(0)
os.execv(sys.argv[1], sys.argv[1:])
END
chmod 644 "$T/listened"
unable() {
	rm -f over
	disk d.img 1M
	check "$K: below a filter with a listener" listened run -n web -d -g console=own \
		-g dev:storage=./d.img "$G/watch.$K"
	comes web 'reads a, writes'
	check_out "$K: it is said that it takes a restart" 'cut: restart' polder show web
	check_err "$K: and revoking is refused" 'cannot be exchanged' polder revoke web dev:storage
	check_out "$K: it holds what it held" 'dev:storage=/.*d.img' polder show web
	check "$K: and runs" last_is web 'reads a, writes'
	gone
	check_rc 125 "$K: asked for, it is refused" listened run --time 20s \
		-g dev:storage=./d.img,cut=complete "$G/watch.$K"
	check_err "$K: and says why" 'cut=complete' listened run --time 20s \
		-g dev:storage=./d.img,cut=complete "$G/watch.$K"
	touch over
	up -g dev:storage=./d.img,cut=complete "$G/watch.$K"
	comes web 'reads a, writes'
	gone
}

# A hundred times, under a guest that does nothing else; and killed in the middle.
often() {
	local i
	disk d.img 1M
	up -g dev:storage=./d.img "$G/watch.$K" spin
	for i in $(seq 50); do
		polder revoke web dev:storage && polder grant web dev:storage=./d.img || break
	done >"$OUT" 2>"$ERR"
	check_out "$K: fifty times" '^50$' echo "$i"
	check_out "$K: it runs" 'running' polder ps
	gone
}
killed() {
	local i tender bad=0
	for i in $(seq 8); do
		disk d.img 1M
		polder run -n web -d -g console=own -g dev:storage=./d.img "$G/watch.$K" >/dev/null || bad=1
		tender=$(tender_of web)
		(
			while polder revoke web dev:storage; do
				polder grant web dev:storage=./d.img || break
			done
		) >/dev/null 2>&1 &
		sleep "0.$((RANDOM % 30 + 10))"
		kill -KILL "$tender" || bad=2
		wait $!
		until_ok 5 free d.img || bad=3
		put_mark d.img
		sleep 0.05
		[ "$(second d.img)" = M ] || bad=4
		until_ok 5 fails pgrep -x "polder-tender-$K" || bad=5
		polder rm -f web >/dev/null 2>&1
	done
	check_out "$K: killed while it exchanges, nothing is held by anybody" '^0$' echo "$bad"
}

each_user_kind() { # FN
	one() { each_kind "$fn"; }
	fn=$1
	each_user one
}
for f in volume narrowed over_base paused kept refused unable often killed; do
	each_user_kind "$f"
done

# ---- what a guest can do with it ----

# The call by which volumes are exchanged, made by the guest itself.
hostile() {
	check_rc 137 "the call of an exchange ends a guest" \
		polder run --time 20s -g dev:storage=null -g dev:service=null "$G/hostile.spt" getpid
	check_err "and is told" 'must not make' \
		polder run --time 20s -g dev:storage=null -g dev:service=null "$G/hostile.spt" getpid
	disk d.img 1M
	K=spt
	up -g dev:storage=./d.img "$G/watch.spt"
	comes web 'reads a, writes'
	if have_root; then
		pid=$(pgrep -x polder-tender-s)
		check_no_out "no listener is in the guest" 'seccomp' readlink "/proc/$pid"/fd/*
		check_out "its tender has it" 'seccomp' readlink "/proc/$(tender_of web)"/fd/*
	fi
	gone
}
each_user hostile

# ---- net ----

# Names: a, b and c; each tells what it hears.
named() { # NAME BINDING WORD…
	local name=$1 to=$2
	shift 2
	check "$K: $name is up" polder run -n "$name" -d -g console=own -g "dev:service=$to" \
		"$G/talk.$K" "$@"
}
net_is() { check "$K: $1: $2" until_ok 10 last_is "$1" "$2"; }
never() { check_no_out "$K: $1 never had: $2" "$2" polder logs "$1"; }

links() {
	named b own us=100
	named c own
	named a env:b/service us=100
	net_is a hears
	net_is b hears
	check "$K: the join is revoked" polder revoke a dev:service
	net_is a silent
	net_is b silent
	check_out "$K: which is held" 'dev:service=null' polder show a
	check "$K: and made again" polder grant a dev:service=env:b/service
	net_is a hears
	net_is b hears
	check_err "$K: b is joined already" 'joined already' polder run --time 20s \
		-g dev:service=env:b/service "$G/talk.$K"
	check "$K: cut once more" polder revoke a dev:service
	check "$K: then b is free for another" polder run -n d -d -g console=own \
		-g dev:service=env:b/service "$G/talk.$K"
	net_is d hears
	net_is b hears
	net_is a silent
	check "$K: and a for another" polder grant a dev:service=env:c/service
	net_is a hears
	net_is c hears
	check "$K: the other side cuts" polder revoke c dev:service
	net_is a silent
	net_is c silent
	check "$K: a counts" polder revoke a dev:service
	check "$K: as a sinkhole" polder grant a dev:service=fake
	check_out "$K: what is sent" '[1-9][0-9]* frames' eventually polder show a
	never a cannot
	never b cannot
	never c cannot
	check "$K: to errors" polder revoke --to error a dev:service
	check "$K: own again" polder grant a dev:service=own
	check "$K: and joined from c" polder grant c dev:service=env:a/service
	net_is c hears
	net_is a hears
	check "$K: d ends" polder rm -f d
	net_is b silent
	check "$K: all are gone" polder rm -f a b c
}
eventually() { sleep 0.3 && "$@"; }

links_refused() {
	named b own
	named a null
	check_err "$K: an address" 'told to the guest' polder grant a dev:service=own,mac=52:54:00:12:34:56
	check_err "$K: a TAP" 'TAP' polder grant a dev:service=host:tap0
	check_err "$K: nobody" 'no environment|nobody' polder grant a dev:service=env:nobody/service
	check_err "$K: no such device" "no net device 'x'" polder grant a dev:service=env:b/x
	check_err "$K: itself" 'exposes itself' polder grant a dev:service=env:a/service
	check_err "$K: caretakers of files" 'net' polder attenuate b dev:service ro
	check "$K: b is revoked from" polder revoke b dev:service
	check_err "$K: and no longer own" 'is own' polder grant a dev:service=env:b/service
	check_out "$K: a holds null" 'dev:service=null' polder show a
	check "$K: b is own" polder grant b dev:service=own
	check "$K: and joined" polder grant a dev:service=env:b/service
	net_is a hears
	kill -KILL "$(tender_of b)"
	net_is a silent
	check "$K: what is left of it is revoked" polder revoke a dev:service
	check "$K: and granted to another" polder grant a dev:service=own
	check "$K: all are gone" polder rm -f a b
}

for f in links links_refused; do
	each_user_kind "$f"
done
check_clean "nothing is left over"
done_testing
