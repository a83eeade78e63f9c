#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Unikernels as environments: polder run, their devices, links, limits, faults, and what
# can be done with one that runs or is kept. The tenders by themselves: spt.sh, hvt.sh.
. "$(dirname "$0")/../lib.sh"

guests=$POLDER_BUILD/tests/guests/solo5
if [ ! -f "$guests/guest-hello.spt" ]; then
	skip "unikernels" "spt is built for x86_64 alone"
	done_testing
fi
mkdir "$T/guests"
for g in "$guests"/guest-*.[sh][pv]t; do
	cp "$g" "$T/guests/${g##*/guest-}"
done
chmod 755 "$T/guests" && chmod 644 "$T/guests"/*
G=$T/guests

polder() { me "$T/bin/polder" "$@"; }
run() { polder run "$@"; }
state_is() { polder ps | grep -Eq "^$1 .*$2"; }
logs_have() { polder logs "$1" | grep -Eq -e "$2"; }
shows() { polder show "$1" | grep -Eq -e "$2"; }
disk() { # NAME SIZE
	truncate -s "$2" "$1" && chmod 666 "$1"
}
# Each kind that this user can start: the ordinary one has no /dev/kvm (see lib.sh).
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

# ---- one that runs ----

plain() {
	check_out "$K: hello" '^hello world$' run "$G/hello.$K" world
	check_out "$K: -- after it is dropped" '^hello --hello=world$' \
		run "$G/hello.$K" -- --hello=world
	check_out "$K: a second -- is its own" '^hello -- x$' run "$G/hello.$K" -- -- x
	check_out "$K: -- before it" '^hello x$' run -- "$G/hello.$K" x
	check_out "$K: an image of other toolchains" '^all there$' run "$G/other.$K"
	cp "$G/hello.$K" here.bin
	check_out "$K: whatever its name, from here" '^hello' run here.bin
	check_rc 7 "$K: its exit status" run "$G/hello.$K" exit=7
	check_rc 255 "$K: an abort" run "$G/hello.$K" exit=255
	check_err "$K: is told" 'aborted' run "$G/hello.$K" exit=255
	check_no_out "$K: a success is not" 'note' run "$G/hello.$K"
	check_out "$K: arguments with spaces are one line" '^hello a  b c$' run "$G/hello.$K" 'a  b' c
	line=$(printf 'x%.0s' {1..8191})
	check_out "$K: the longest" '^hello x{8191}$' run "$G/hello.$K" "$line"
	check_rc 125 "$K: one longer" run "$G/hello.$K" "${line}x"
	check_err "$K: is refused" 'longer than 8191' run "$G/hello.$K" "${line}x"
	check_out "$K: null console" '^$' silent -g console=null "$G/hello.$K"
	check_out "$K: memory" '^hello' run --mem 2M "$G/hello.$K"
	check_err "$K: too little" 'for its image alone|at least' run --mem 1M "$G/hello.$K"
	check_rc 137 "$K: a time limit" run --time 200ms "$G/clock.$K" ms=100000
	check_err "$K: is told" 'its time was up' run --time 200ms "$G/clock.$K" ms=100000
	check_out "$K: which a short one keeps" 'waited' run --time 20s "$G/clock.$K" ms=1
	check_out "$K: pids is met by what it is" '^hello' run --pids 1 "$G/hello.$K"
}
silent() { run "$@" && echo; }

inspect() {
	check_out "inspect: the kind" "^kind +$K, version 2" polder inspect "$G/block.$K"
	check_out "inspect: devices" 'dev:storage +volume' polder inspect "$G/block.$K"
	check_out "inspect: as JSON" '"devices":\[\{"name":"service","interface":"net"\}\]' \
		polder inspect --json "$G/net.$K"
	check_out "inspect: none" '^devices +none' polder inspect "$G/hello.$K"
}

# ---- what is refused, before anything starts ----

refused() {
	check_rc 125 "$K: a device that is not bound" run "$G/block.$K"
	check_err "$K: and how it could be" 'dev:storage=null' run "$G/block.$K"
	check_err "$K: one that it does not have" 'did you mean dev:storage' \
		run -g dev:storag=null "$G/block.$K"
	check_err "$K: a volume as a net" 'is a volume in the unikernel, not a net' \
		run -g net:dev:storage=null "$G/block.$K"
	check_err "$K: a net as a volume" 'is a net in the unikernel, not a volume' \
		run -g volume:dev:service=null "$G/net.$K"
	check_err "$K: parent" 'holds no block device' run -g dev:storage=parent "$G/block.$K"
	check_err "$K: parent of a net" 'frames and no connections' \
		run -g dev:service=parent "$G/net.$K"
	check_err "$K: files" 'no files' run -r /etc "$G/hello.$K"
	check_err "$K: variables" 'no environment variables' run -e A=b "$G/hello.$K"
	check_err "$K: a root" 'no root' run --root / "$G/hello.$K"
	check_err "$K: net=" 'no slot of this name' run -g net=null "$G/hello.$K"
	check_err "$K: an identity" 'no host name' run -g identity=own "$G/hello.$K"
	check_err "$K: other entropy" 'RDRAND' run -g entropy=null "$G/hello.$K"
	check_err "$K: what it exposes" 'exposes no' run --expose 'd=dir:/d' "$G/hello.$K"
	disk 1000.img 1000
	check_err "$K: a volume of no whole blocks" 'multiple of its block size' \
		run -g dev:storage=./1000.img "$G/block.$K"
	check_err "$K: an empty one" 'multiple of its block size' \
		run -g dev:storage=./empty.img "$G/block.$K"
	check_err "$K: a directory" '[Ii]s a directory' run -g dev:storage=. "$G/block.$K"
	check_err "$K: nothing there" 'No such file' run -g dev:storage=./none "$G/block.$K"
	check_err "$K: a TAP that is not there" "no TAP interface 'nosuch0'" \
		run -g dev:service=host:nosuch0 "$G/net.$K"
	check_err "$K: another that does not run" "nobody" \
		run -g dev:service=env:nobody/service "$G/net.$K"
	check_err "$K: Polder's own files" 'belongs to Polder' \
		run -g "dev:storage=$(journal)" "$G/block.$K"
	head -c 2000 "$G/hello.$K" >"cut.$K"
	check_rc 125 "$K: an image that is cut short" run "./cut.$K"
	check_err "$K: is told why" 'cannot run|no unikernel' run "./cut.$K"
	check_err "$K: --core for a Linux program" 'for unikernels' run --core x -- true
}
journal() {
	if [ "$ME" = root ]; then echo /run/polder/journal; else echo "$T/user/run/polder/journal"; fi
}

no_kvm() {
	me test -r /dev/kvm -a -w /dev/kvm && return
	check_rc 125 "hvt without /dev/kvm" run "$G/hello.hvt"
	check_err "is told" '/dev/kvm' run "$G/hello.hvt"
}

# ---- volumes ----

block() { # BINDING WORD…
	local b=$1
	shift
	run -g "dev:storage=$b" "$G/block.$K" "$@"
}

volumes() {
	rm -f d.img
	disk d.img 64K
	check_out "$K: a file" '^65536 512$' block ./d.img size
	check_out "$K: other blocks" '^65536 4096$' block ./d.img,block=4096 size
	check "$K: writing it" block ./d.img write at=1 c=65
	check "$K: arrives" cmp <(head -c 512 /dev/zero | tr '\0' A) <(tail -c +513 d.img | head -c 512)
	check_out "$K: reading it" '^A{511}$' block ./d.img read at=1
	check_rc 10 "$K: ro cannot be written" block ./d.img,ro write at=2 c=66
	check_out "$K: and read" '^A' block ./d.img,ro read at=1
	check_rc "$([ $K = spt ] && echo 159 || echo 10)" "$K: beyond its end" block ./d.img read at=128
	chmod 444 d.img
	[ "$ME" = root ] || check_err "$K: a file that may only be read" 'add ,ro' block ./d.img size
	check_out "$K: is read" '^A' block ./d.img,ro read at=1
	chmod 666 d.img
	check_out "$K: own, fresh" '^0$' block own,size=1M sum
	check "$K: own, written" block own,size=1M write at=3 c=65
	check_out "$K: null is zeros" '^0$' block null sum
	check "$K: null takes what is written" block null write at=3 c=65
	check_out "$K: null has a size" '^4096 512$' block null,size=4K size
	check_out "$K: fake content" '^hello there$' block 'fake,content=hello there' read
	check_out "$K: a base" '^33280$' block own,base=./d.img sum
	check "$K: over a base" block own,base=./d.img write at=0 c=66
	check "$K: leaves the base" cmp <(head -c 512 /dev/zero) <(head -c 512 d.img)
	check_err "$K: read-only is as large as its base" 'with ro' block own,base=./d.img,size=128K,ro size
	check_out "$K: more than the base" '^131072 512$' block own,base=./d.img,size=128K size
	check_out "$K: is zeros" '^33280$' block own,base=./d.img,size=128K sum
	kept_volume
	locks
}

kept_volume() {
	polder rm -f keeper >/dev/null 2>&1
	check "$K: a kept volume" run -n keeper -g dev:storage=own,size=64K "$G/block.$K" write at=0 c=67
	check_out "$K: is there again" '^C{511}$' \
		run -n keeper -g dev:storage=own,size=64K "$G/block.$K" read
	check_err "$K: and does not shrink" 'cannot become smaller' \
		run -n keeper -g dev:storage=own,size=32K "$G/block.$K" read
	check "$K: rm" polder rm keeper
	check "$K: kept over a base" run -n keeper -g dev:storage=own,base=./d.img "$G/block.$K" write at=0 c=68
	check_out "$K: what was written" '^D{511}$' \
		run -n keeper -g dev:storage=own,base=./d.img "$G/block.$K" read
	check_out "$K: and what was not" '^A{511}$' \
		run -n keeper -g dev:storage=own,base=./d.img "$G/block.$K" read at=1
	check "$K: rm again" polder rm keeper
}

# many has several disks and nets, and waits for frames.
many() { # NAME BINDING: of its first disk
	run -n "$1" -d -g "dev:b1=$2" -g dev:b2=own,size=4K -g dev:b3=null -g dev:n1=null \
		-g dev:n2=fake "$G/many.$K"
}

locks() {
	polder rm -f holder holder2 >/dev/null 2>&1
	check "$K: several devices" many holder ./d.img
	check "$K: run" state_is holder running
	check_err "$K: a disk that another writes" 'used by another' block ./d.img,ro size
	polder rm -f holder >/dev/null
	check "$K: one that another reads" many holder ./d.img,ro
	check "$K: can be read" block ./d.img,ro size
	check_err "$K: and not written" 'used by another' block ./d.img size
	check "$K: and be a base" block own,base=./d.img size
	polder rm -f holder >/dev/null
	check_out "$K: and all when that has gone" '^65536' block ./d.img size
}

# ---- links ----

net() { # BINDING WORD…
	local b=$1
	shift
	run -g "dev:service=$b" "$G/net.$K" "$@"
}

links() {
	check_out "$K: an address that is given" '^mac 82:84:0:0:0:1 mtu 1400$' \
		with_rc 3 net null,mac=52:54:00:00:00:01,mtu=1400 hello ms=10
	check_rc 3 "$K: null: nothing comes" net null hello ms=50
	check_rc 3 "$K: own: nothing comes" net own hello ms=50
	check_rc 3 "$K: fake: nothing comes" net fake hello ms=50
	polder rm -f a >/dev/null 2>&1
	check "$K: one that is own" run -n a -d -g dev:service=own "$G/net.$K" n=4 ms=30000
	check_out "$K: joined" 'echoed' net env:a/service hello n=1
	check_out "$K: and again, when the first has gone" 'echoed' net env:a/dev:service hello n=1
	check "$K: the other had them" until_ok 10 logs_have a echoed
	check "$K: and ended" polder wait a
	polder rm a >/dev/null
	check "$K: one more" run -n a -d -g dev:service=own "$G/net.$K" n=100 ms=30000
	check "$K: joined in the background" run -n b -d -g dev:service=env:a/service "$G/net.$K" n=100 ms=30000
	check_err "$K: a third is refused" 'joined already' net env:a/service hello
	check_err "$K: a device that it has not" "no net device 'x'" net env:a/x hello
	check "$K: the joined one goes" polder stop b
	check_out "$K: then the third is let in" 'echoed' net env:a/service hello n=1
	check "$K: joined to what will end" run -n c -d -g dev:service=env:a/service "$G/net.$K" hello n=1000 ms=1500
	polder rm -f a b >/dev/null
	check "$K: outlives it" state_is c running
	check "$K: and is silent then" until_ok 10 state_is c 'stopped \(3\)'
	polder rm -f c >/dev/null
	run -n l -d -- sleep 100 >/dev/null
	check_err "$K: a Linux program cannot be joined" 'Linux program' net env:l/service hello
	polder rm -f l >/dev/null
	check "$K: a sinkhole" run -n s -d -g dev:service=fake "$G/net.$K" hello ms=100000
	check "$K: counts" until_ok 5 shows s '1 frames, 5 bytes'
	polder rm -f s >/dev/null
}
with_rc() { # N CMD…: success if it ends so
	local want=$1 rc
	shift
	"$@"
	rc=$?
	[ $rc = "$want" ]
}

# In a network namespace of the test's own; polder's places are the same.
tap() {
	[ "$ME" = root ] || return
	if [ ! -c /dev/net/tun ]; then
		skip "$K: a TAP" "/dev/net/tun is not there"
		return
	fi
	cat >tap.sh <<-EOT
		ip tuntap add dev tap0 mode tap || exit 99
		ip link set tap0 up
		ip address add 192.0.2.1/24 dev tap0
		(sleep 0.3; ping -c 3 -W 1 192.0.2.2 >/dev/null) & # asks who that is, at least
		"$T/bin/polder" run -g dev:service=host:tap0 "$G/net.$K" any=1 n=1 ms=5000
		"$T/bin/polder" run -g dev:service=host:lo "$G/net.$K"
	EOT
	check_err "$K: a TAP, and what is none" "'lo' is no TAP" me unshare -n bash tap.sh
	cp "$OUT" tap.out
	check_out "$K: frames came, and went" '^echoed$' cat tap.out
}

# ---- what can be done with one that runs ----

# It is there for as long as its guest, with little: not the stack that it began on, and no
# descriptor that whoever started it had open. What it is can be seen.
check_supervisor() {
	polder rm -f v >/dev/null 2>&1
	check "$K: with a descriptor that is open" me bash -c \
		'exec 200>held; exec "$@" 9<held' - "$T/bin/polder" run -n v -d \
		-g dev:service=null "$G/net.$K" ms=100000
	check_out "$K: its supervisor's log" '/log$' me ls -l "/proc/$(tender_of v)/fd/"
	check_no_out "$K: has nothing of the starter's" 'held' me ls -l "/proc/$(tender_of v)/fd/"
	check "$K: ends it" polder rm -f v
	if readelf -lW "$T/bin/polder" | grep -q INTERP; then
		skip "$K: its first stack" "this build's polder is not with musl, and keeps it"
		return
	fi
	check_out "$K: a supervisor's words" '^[^ ]*polder run -n u -d .*ms=100000 $' words_of "$(tender_of u)"
	check_no_out "$K: and no other stack" '\[stack\]' me cat "/proc/$(tender_of u)/maps"
}
words_of() { me tr '\0' ' ' <"/proc/$1/cmdline"; }

life() {
	polder rm -f u >/dev/null 2>&1
	check_out "$K: in the background" '^u$' run -n u -d -g dev:service=null "$G/net.$K" ms=100000
	check "$K: it runs" state_is u running
	check_supervisor
	check "$K: its log" until_ok 5 logs_have u '^mac'
	check_out "$K: show" 'dev:service=null +silent: nothing' polder show u
	check_out "$K: requested beside enforced" '"enforced":"silent: nothing comes, what is sent vanishes"' \
		polder show --json u
	check_out "$K: why" 'cannot use dev:service' with_rc 1 polder why u dev:service
	check_out "$K: why not a file" 'no files' with_rc 1 polder why u /etc
	check_err "$K: exec" 'no second program' polder exec u -- true
	check "$K: pause" polder pause u
	check "$K: is paused" state_is u paused
	check "$K: nothing of it runs" until_ok 5 stopped_child u
	check_err "$K: pause again" 'not running' polder pause u
	check "$K: resume" polder resume u
	check "$K: it runs again" state_is u running
	check "$K: truly" until_ok 5 not stopped_child u
	check "$K: stop" polder stop u
	check "$K: is stopped by the signal" state_is u 'stopped \(143\)'
	check "$K: start" polder start u
	check "$K: restart" polder restart u
	check "$K: has its devices again" shows u 'dev:service=null +silent'
	check "$K: stop a paused one" pause_and_stop u
	check_err "$K: rm of a running one" 'stop it first' running_rm u
	check "$K: rm -f" polder rm -f u
	check_rc 125 "$K: is gone" polder show u
	check_out "$K: --rm" '^hello' run -n r --rm "$G/hello.$K"
	check_rc 125 "$K: leaves nothing" polder show r
	check_out "$K: -d --json" '"name":"j"' run -n j -d --json -g dev:service=null "$G/net.$K"
	polder rm -f j >/dev/null
	changed
	check_clean "$K: nothing is left over"
}
tender_of() { polder show --json "$1" | tr ',' '\n' | sed -n 's/.*"tender":\([0-9]*\).*/\1/p'; }
stopped_child() {
	local child
	child=$(pgrep -P "$(tender_of "$1")")
	[ -n "$child" ] && grep -q '^State:.[Tt]' "/proc/$child/status"
}
not() { ! "$@"; }
pause_and_stop() { polder pause "$1" && polder stop "$1"; }
running_rm() {
	polder start "$1" && polder rm "$1"
}

# Another image stands there when it is started again.
changed() {
	cp "$G/net.$K" now.img
	run -n ch -d -g dev:service=null now.img ms=100000 >/dev/null
	polder stop ch
	cp "$G/block.$K" new.img && mv new.img now.img
	check_err "$K: an image with other devices" 'declares no such device|nothing is bound' polder start ch
	rm now.img
	check_err "$K: an image that is gone" 'now.img' polder start ch
	check_out "$K: it can still be shown" 'dev:service=null' polder show ch
	check "$K: and removed" polder rm ch
}

# ---- faults ----

hostile() { # WHAT OPTION…
	local what=$1
	shift
	run "$@" -g dev:storage=null -g dev:service=null "$G/hostile.spt" "$what"
}

works_less_than() { # S CMD…: of the processor's time, with all that it starts
	local TIMEFORMAT='%U %S' limit=$1
	shift
	{ time "$@" >/dev/null 2>&1; } 2>cpu
	awk -v limit="$limit" '{ exit !($1 + $2 < limit) }' cpu
}

faults() {
	check_rc 139 "a write to its text" hostile write-text
	check_err "is told with its address" 'SIGSEGV\) at 0x[0-9a-f]+, address 0x1[0-9a-f]+: that is not allowed' \
		hostile write-text
	check_err "nothing there" 'address 0x0: nothing is mapped' hostile read-null
	check_err "with registers" '^  rip +0+10' hostile write-text --verbose
	check_rc 159 "a call that the ABI does not have" hostile write-0
	check_err "is told with its number" 'system call 1,' hostile write-0
	check_rc 139 "a core file" hostile write-text --core core
	check_out "is one" 'ELF 64-bit LSB core file' file core
	check_rc 139 "and it is the person's alone" hostile write-text --core core
	check_out "by its mode" '^600$' stat -c %a core
	check "where nothing was at fault" run --core none "$G/hello.spt"
	check_fails "there is none" test -e none
	check "of much memory, without looking at all of it" works_less_than 1 \
		hostile write-text --mem 4G --core big
	check "as small as what was touched" [ "$(du -k big | cut -f1)" -lt 2048 ]
	check "with what was written: its boot info" \
		[ "$(tail -c +8193 big | head -c 4096 | tr -d '\0' | wc -c)" -gt 20 ]
	check "and with its code" cmp -n 8192 -i $((0xf1000)):$((0xf1000)) core big
	run -n f -d -g dev:storage=null -g dev:service=null "$G/hostile.spt" write-text >/dev/null
	check "in the background: the log has it" until_ok 5 logs_have f 'polder: the guest was stopped'
	check "and ps" until_ok 5 state_is f 'stopped \(139\)'
	polder rm f >/dev/null
}

# ---- a monitor that was taken over ----

# It needs no KVM: a program in the monitor's place that never stops reporting.
taken_over() {
	mkdir -p "$T/$ME/work/taken"
	cp "$T/bin/polder" "$T/$ME/work/taken/"
	cp "$POLDER_BUILD/tests/guests/fake-monitor" "$T/$ME/work/taken/polder-tender-hvt"
	chmod 755 "$T/$ME/work/taken" "$T/$ME/work/taken"/*
	check_rc 137 "its time limit holds" \
		me taken/polder run --time 500ms "$G/hello.hvt"
	check_err "nothing that it says drives the terminal" '^polder: note: its time was up' \
		me taken/polder run --time 500ms "$G/hello.hvt"
	check_fails "not one byte of it" grep -q "$(printf '\033')" "$ERR"
	check_out "in the background" '^taken$' me taken/polder run -n taken --rm -d "$G/hello.hvt"
	check_out "it is listed" '^taken .*running' me timeout 5 "$T/bin/polder" ps
	check_out "and shown" 'console=own' me timeout 5 "$T/bin/polder" show taken
	check "and stopped" me timeout 15 "$T/bin/polder" stop taken
	check_clean "$ME: nothing is left of it"
}

# ---- whoever dies ----

deaths() {
	me_bg "$T/bin/polder" run -g dev:service=null "$G/net.$K" ms=100000
	check "$K: one in the foreground" until_ok 5 grep -q mac "$BG_OUT"
	kill -TERM "$PID"
	wait "$PID"
	check_rc 0 "$K: a signal is passed on" test $? = 143
	me_bg "$T/bin/polder" run -g dev:service=null "$G/net.$K" ms=100000
	until_ok 5 grep -q mac "$BG_OUT"
	kill -KILL "$PID"
	until_ok 5 gone # the next command clears up
	check_clean "$K: the guest dies with its supervisor"
}
gone() { polder ps >/dev/null && [ -z "$(leftovers)" ]; }

user_ids() {
	run -n w -d -g dev:service=null "$G/net.$K" ms=100000 >/dev/null
	child=$(pgrep -P "$(tender_of w)")
	if [ "$ME" = root ]; then
		check_out "$K: started by root, it is nobody of this host" '^Uid:.(1[89]|2[01])[0-9]{8}.(1[89]|2[01])[0-9]{8}' \
			grep Uid "/proc/$child/status"
	else
		check_out "$K: it has the caller's number" "^Uid:.$MY_UID.$MY_UID.$MY_UID" \
			grep Uid "/proc/$child/status"
	fi
	check_out "$K: no capability" '^CapEff:.0{16}$' grep CapEff "/proc/$child/status"
	check_out "$K: no new privileges" '^NoNewPrivs:.1$' grep NoNewPrivs "/proc/$child/status"
	check_out "$K: under a filter" '^Seccomp:.2$' grep 'Seccomp:' "/proc/$child/status"
	polder rm -f w >/dev/null
}

# ---- manifests ----

manifests() {
	cp "$G/net.$K" net.img && cp "$G/block.$K" block.img
	cat >fleet.yaml <<-EOT
		environments:
		  a:
		    image: net.img
		    args: [n=1, ms=20000]
		    slots: {dev:service: own, console: own}
		  b:
		    image: net.img
		    args: hello n=1 ms=20000
		    slots: {dev:service: env:a/service, console: own}
	EOT
	check "$K: check" polder check fleet.yaml
	check_out "$K: stages" '"stage":1' polder show -f fleet.yaml --json
	check "$K: up" polder up fleet.yaml
	check "$K: they met" until_ok 10 logs_have b echoed
	check "$K: down" polder down --rm fleet.yaml
	check_out "$K: authdiff sees a device" '\+ b dev:service' with_rc 1 polder authdiff without.yaml fleet.yaml
	cat >wrong.yaml <<-EOT
		environments:
		  a:
		    image: block.img
		    slots:
		      dev:stroage: own,size=1M
		      /data: ./x
		  b:
		    image: none.img
		  c:
		    image: net.img
		    root: /
		    slots: {net:dev:service: env:a/storage}
	EOT
	check_err "$K: a missing device, at its place" '^wrong.yaml:3:12: error: .*"storage"' polder check wrong.yaml
	check_err "$K: an extra one" '^wrong.yaml:5:20: error: .*no such device' polder check wrong.yaml
	check_err "$K: with a hint" 'did you mean dev:storage' polder check wrong.yaml
	check_err "$K: a path" '^wrong.yaml:6:14: error: .*no files' polder check wrong.yaml
	check_err "$K: an image that is not there" '^wrong.yaml:8:12: error: .*none.img' polder check wrong.yaml
	check_err "$K: a root" '^wrong.yaml:11:11: error: .*no root' polder check wrong.yaml
	check_err "$K: a join to a volume" '^wrong.yaml:12:30: error: .*no net device' polder check wrong.yaml
	check_rc 125 "$K: nothing starts" polder up wrong.yaml
	check_clean "$K: nothing is there"
}
without_b() {
	cat >without.yaml <<-EOT
		environments:
		  a:
		    image: net.img
		    slots: {dev:service: own}
	EOT
}

# Every slot null, and it runs; what has no null says so.
all_null() {
	check_out "$K: everything null" '^$' silent -g console=null -g identity=null -g spawn=null "$G/hello.$K"
	check_rc 3 "$K: a null net" run -g console=null -g dev:service=null "$G/net.$K" ms=10
	check "$K: a null volume" run -g console=null -g dev:storage=null "$G/block.$K" sum
	[ $K = spt ] || check_out "hvt: a null clock begins in 1970" '^wall [0-9]$' run -g clock=null "$G/clock.hvt"
	[ $K = spt ] || check_out "hvt: a given time" '^wall 17698[0-9]{5}$' \
		run -g clock=fake,start=2026-01-31T10:00:00Z "$G/clock.hvt"
	[ $K = hvt ] || check_err "spt: the clock is the kernel's" 'asks the kernel' run -g clock=null "$G/clock.spt"
}

plumbing() {
	disk p.img 64K
	check "$K: --write-spec" run --write-spec spec.bin -g dev:storage=./p.img "$G/block.$K" size
	check_out "$K: its tender starts it" '^65536 512$' me bash -c "polder-tender-$K --spec 9 9<spec.bin"
}

all() {
	: >empty.img
	chmod 666 empty.img
	polder ps >/dev/null
	without_b
	each_kind plain
	each_kind inspect
	each_kind refused
	no_kvm
	each_kind volumes
	each_kind links
	each_kind tap
	each_kind life
	faults
	taken_over
	each_kind deaths
	each_kind user_ids
	each_kind manifests
	each_kind all_null
	each_kind plumbing
	check_clean "nothing is left over"
}
each_user all

done_testing
