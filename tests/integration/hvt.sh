#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder-tender-hvt by its spec alone: what a guest gets, and what becomes of one that
# breaks a rule. tests/hvt.py is the starter, tests/guests/hvt/ are the guests.
. "$(dirname "$0")/../lib.sh"

HVT=$POLDER_SOURCE/tests/hvt.py
cp "$POLDER_BUILD"/tests/guests/hvt/*.hvt "$POLDER_BUILD"/tests/guests/solo5/guest-* \
	"$POLDER_BUILD"/tests/guests/solo5/solo5-start "$HVT" \
	"$POLDER_SOURCE/tests/solo5.py" "$T/bin/" 2>/dev/null
rm -rf "$T"/bin/*.p
chmod 755 "$T"/bin/*.?vt "$T"/bin/*.py 2>/dev/null
WORKS=$T/bin/works.hvt DEVICES=$T/bin/works-devices.hvt HOSTILE=$T/bin/hostile.hvt

if [ ! -f "$WORKS" ] || [ ! -x "$T/bin/polder-tender-hvt" ]; then
	skip "the monitor of KVM guests" "it is built for x86-64 alone"
	done_testing
fi

is() { # WHAT EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected $2, found $3"; fi
}

hvt() { me hvt.py "$@"; }

# ---- who may ----

no_kvm() {
	if ! have_root; then
		skip "/dev/kvm that is missing or closed" "the tests were not started as root"
		return
	fi
	# The node is the harness's own, else it is not ours to change.
	if grep -q ' /dev/kvm ' /proc/self/mountinfo; then
		chmod 660 /dev/kvm
		chgrp 4242 /dev/kvm
		check_err "closed: the sentence says which group" 'user [0-9]+ may not use /dev/kvm.*group' \
			as_user hvt.py "$WORKS" hello
		check_rc 125 "and the status that it was refused" as_user hvt.py "$WORKS" hello
		is "in one line" 1 "$(wc -l <"$ERR")"
		lib_env user
		check_out "in the group it works" '^hello$' "${lib_who[@]/--clear-groups/--groups=4242}" \
			hvt.py "$WORKS" hello
		chmod 666 /dev/kvm
	fi
	check_err "absent: the sentence says what to load" 'no /dev/kvm.*kvm_intel or kvm_amd' \
		unshare --mount --propagation private sh -c \
		'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"' x \
		"${lib_who[@]:-env}" hvt.py "$WORKS" hello
}
no_kvm

usable() { [ -r /dev/kvm ] && [ -w /dev/kvm ]; }

if ! usable; then
	skip "guests" "/dev/kvm is missing, or not this user's to use"
	done_testing
fi

# ---- what works ----

works() {
	local now
	check_out "hello" '^hello$' hvt "$WORKS" hello
	check_rc 0 "status 0" hvt "$WORKS" e=000
	check_rc 42 "status 42" hvt "$WORKS" e=042
	check_rc 255 "abort" hvt "$WORKS" e=255
	check_rc 1 "eight bits of it" hvt "$WORKS" e=257
	check_out "data, zeros, boot info, stack" '^data$' hvt "$WORKS" sane
	check_out "as much memory as it was given" '^4194304$' hvt "$WORKS" sane
	check_out "2 MiB" '^2097152$' hvt --mem 2097152 "$WORKS" sane
	check_out "4 GiB" '^4294967296$' hvt --mem 4294967296 "$WORKS" sane
	check_rc 99 "its command line" hvt "$WORKS" 'one  two'
	is "word for word" 'one  two' "$(cat "$OUT")"
	check "a poll without devices waits, and both clocks go on" hvt "$WORKS" waits
	now=$(date +%s)
	check "the wall clock" hvt "$WORKS" wall
	is "is the host's" 1 $(($(cat "$OUT") >= now && $(cat "$OUT") <= $(date +%s)))
	check_out "an image of other toolchains" '^all there$' hvt "$T/bin/guest-other.hvt" x
	check_rc 139 "and what it may only read" hvt "$T/bin/guest-other.hvt" write
	check_out "a given one" '^10000000[0-9][0-9]$' hvt --clock 1000000000000000000 "$WORKS" wall
}

file() { # NAME CHARACTER BYTES
	head -c "$3" /dev/zero | tr '\0' "$2" >"$1"
	[ "$MY_UID" = 0 ] || chown "$MY_UID:$MY_UID" "$1"
	chmod 600 "$1"
}

first_of() { # FILE OFFSET
	dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -c | tr -d ' '
}

blocks() {
	local n=(--net net=silent) sum
	file disk A 65536
	check "read, written, read again" hvt --block disk=disk "${n[@]}" "$DEVICES" disk
	is "written to the file" X "$(first_of disk 65024)"
	is "and beside it nothing" A "$(first_of disk 65023)"
	is "which has not grown" 65536 "$(stat -c %s disk)"
	check "another block size" hvt --block disk=disk,size=4096 "${n[@]}" "$DEVICES" disk
	check "offsets, lengths and handles that are wrong are answered" \
		hvt --block disk=disk "${n[@]}" "$DEVICES" disk-rules

	file disk A 65536
	sum=$(cksum <disk)
	check_rc 13 "read-only: writing is an error" hvt --block disk=disk,ro "${n[@]}" "$DEVICES" disk
	is "and nothing is written" "$sum" "$(cksum <disk)"

	file over A 0
	check "copy on write" hvt --block disk=over,base=disk,capacity=65536 "${n[@]}" "$DEVICES" disk
	is "the base stays" "$sum" "$(cksum <disk)"
	is "the overlay has the block" X "$(first_of over 65024)"
	is "and what was beside it" A "$(first_of over 65023)"
	is "and little more than that" 1 "$(($(stat -c %b over) <= 32))"
	check_rc 125 "an overlay of another size is refused" \
		hvt --block disk=over,base=disk,capacity=32768 "${n[@]}" "$DEVICES" disk
	file over A 65536
	check_err "and a file that is none" 'overlay must be empty' \
		hvt --block disk=over,base=disk,capacity=65536 "${n[@]}" "$DEVICES" disk
	file base A 4096
	file over A 0
	check "a base of one block" hvt --block disk=over,base=base,size=4096 "${n[@]}" "$DEVICES" disk
	check "the overlay taken up again" \
		hvt --block disk=over,base=base,size=4096 "${n[@]}" "$DEVICES" disk-again
	me cp --sparse=always over copy
	check "and a copy of it" \
		hvt --block disk=copy,base=base,size=4096 "${n[@]}" "$DEVICES" disk-again

	file short A 512
	check_rc 125 "more than the file has is refused" \
		hvt --block disk=short,capacity=1024 "${n[@]}" "$DEVICES" disk
	check_rc 4 "zeros: reads zeros and forgets" \
		hvt --block disk=/dev/zero,capacity=1048576 "${n[@]}" "$DEVICES" disk-zero
	check_rc 125 "a FIFO is no disk" sh -c 'rm -f fifo; mkfifo -m 666 fifo; exec "$@"' x \
		"${lib_who[@]}" hvt.py --block disk=fifo,capacity=512 "${n[@]}" "$DEVICES" disk
}

nets() {
	local b=(--block disk=disk)
	file disk A 65536
	check "a frame comes back, and the poll says from where" \
		hvt --supervise "${b[@]}" --net net=echo "$DEVICES" echo
	check "frames, handles and lengths that are wrong are answered" \
		hvt "${b[@]}" --net net=silent "$DEVICES" net-rules
	check "frames that nobody takes are lost" \
		hvt "${b[@]}" --net net=silent "$DEVICES" net-flood
	check "also where nobody is there" hvt "${b[@]}" --net net=closed "$DEVICES" net-flood
	check "a guest that waits there sleeps" hvt "${b[@]}" --net net=closed "$DEVICES" net-ended
	check "also where a connection has ended" \
		hvt "${b[@]}" --net net=seqpacket-closed "$DEVICES" net-ended
	check_err "a stream is no wire" 'datagrams' hvt "${b[@]}" --net net=stream "$DEVICES" echo
}

# The guests that spt has, too.
shared() {
	local g=$T/bin/guest- vol=block=storage,path=$WORK/disk,size=64K i
	set -- solo5-start polder-tender-hvt kind=hvt mem=4M
	file disk a 65536
	check_out "shared: hello" '^hello world$' me "$@" "image=${g}hello.hvt" cmdline=world
	check_rc 42 "shared: its exit status" me "$@" "image=${g}hello.hvt" cmdline=exit=42
	check_out "shared: its clock" '^waited [0-9]{3,4} ms$' me "$@" "image=${g}clock.hvt"
	check_out "shared: a volume" '^65536 4096$' \
		me "$@" "image=${g}block.hvt" "$vol,bs=4096" cmdline=size
	check "shared: a block is written" \
		me "$@" "image=${g}block.hvt" "$vol" cmdline='write at=127 c=98'
	check_out "shared: and read" '^b{511}$' \
		me "$@" "image=${g}block.hvt" "$vol" cmdline='read at=127'
	check_out "shared: all of it" '^6357504$' me "$@" "image=${g}block.hvt" "$vol" cmdline=sum
	for i in echo lossy burst; do
		check "shared: net, $i" me solo5.py polder-tender-hvt "${g}net.hvt" "$i" kind=hvt mem=4M
	done
	file b1 x 4096
	file b2 y 8192
	file b3 z 65536
	check "shared: several devices in another order" me solo5.py polder-tender-hvt \
		"${g}many.hvt" many kind=hvt mem=4M block=b3,path="$WORK/b3",size=64K,bs=4096,ro \
		block=b1,path="$WORK/b1",size=4K block=b2,path="$WORK/b2",size=8K,bs=4096
	is "shared: each of them its own" "xxxxxxxx yyyyyyyy zzzzzzzz n2 Q n1 P " \
		"$(tr '\n' ' ' <"$OUT")"
}

# In a network namespace of its own.
tap() {
	if ! have_root || ! command -v ip >"$OUT" || [ ! -c /dev/net/tun ]; then
		skip "a tap" "it needs root, ip and /dev/net/tun"
		return
	fi
	check_out "a tap gets the frames" '^ *[0-9]+ +2000 ' unshare --net sh -ec '
		ip tuntap add tap0 mode tap user "$0"
		ip link set tap0 up
		"$@" >&2
		ip -s link show tap0 | grep -A 1 RX:' "$MY_UID" "${lib_who[@]}" hvt.py \
		--block disk=disk --net net=tap:tap0 "$DEVICES" net-flood
}

refusals() {
	check_err "an image for spt" 'built for spt' hvt "$T/bin/guest-hello.spt" hello
	cp "$WORKS" bad.hvt
	chmod 666 bad.hvt
	# The flags of the first segment, behind the interpreter and two notes.
	printf '\7' | dd of=bad.hvt bs=1 seek=$((64 + 3 * 56 + 4)) conv=notrunc status=none
	check_err "writable code" 'both writable and executable' hvt bad.hvt hello
	check_rc 126 "with the status of a bad image" hvt bad.hvt hello
	check_err "a device that the image does not declare" "declares no device 'disk'" \
		hvt --block disk=disk "$WORKS" hello
	check_err "a device that is not given" "declares a device 'disk'" hvt "$DEVICES" hello
	check_err "one of another kind" "another kind" \
		hvt --net disk=silent --net net=silent "$DEVICES" hello
	check_rc 125 "a spec for spt" hvt --kind 1 "$WORKS" hello
	check_rc 125 "a spec that is cut" hvt --cut 80 "$WORKS" hello
	check_err "descriptors that are not open" 'descriptor 900.*not open' \
		hvt --stale "$WORKS" hello
	check_rc 125 "user 0" hvt --uid 0 "$WORKS" hello
	check_rc 125 "no spec at all" me polder-tender-hvt
	check_rc 126 "no ELF file" hvt "$HVT" hello
	if [ "$ME" = root ]; then
		check_err "root's authority is given up before the image is read" \
			'cannot become user' me setpriv --bounding-set=-setuid hvt.py bad.hvt hello
	fi
	head -c 4096 "$WORKS" >cut.hvt
	chmod 644 cut.hvt
	check_rc 126 "an image that is cut short" hvt cut.hvt hello
	if [ "$ME" = user ]; then
		check_err "another user's number" 'cannot become user' hvt --uid 1 "$WORKS" hello
	else
		check_out "another user's number, as root" '^hello$' hvt --uid 1 "$WORKS" hello
	fi
}

# ---- hostile guests: each is stopped with a reason ----

attempt() { # STATUS ERE NAME [WHAT]
	lib_run hvt --block disk=disk --net net=silent "$HOSTILE" "$3"
	if [ "$RC" = "$1" ] && grep -aEq -- "$2" "$ERR" && ! grep -aq 'not stopped' "$OUT"; then
		pass "$3${4:+: $4}"
	else
		fail "$3" "$(lib_story "status $1 and a message like: $2" "$3")"
	fi
}

hostile() {
	local name sum
	file disk A 65536
	sum=$(sha256sum <disk)
	for name in gpa_beyond gpa_far gpa_end puts_beyond puts_long puts_wrap puts_wrap_address \
		block_beyond block_end block_wrap net_beyond halt_cookie; do
		attempt 159 'hypercall: it named memory that it does not have: 0x' "$name"
	done
	for name in gpa_constant gpa_low block_into_text block_into_constants block_into_tables \
		net_into_text; do
		attempt 159 'hypercall: it wanted an answer in memory that is read-only: 0x' "$name"
	done
	for name in call_zero call_nine port_other port_kick port_byte port_in; do
		attempt 159 'used a port that is no hypercall: 0x' "$name"
	done
	for name in write_text write_constant own_tables_text; do
		attempt 139 'in a way that its image does not allow' "$name"
	done
	for name in write_boot_info read_null write_null read_tables read_beyond write_beyond \
		read_far jump_absent jump_beyond jump_far undefined divide read_msr write_msr \
		no_paging; do
		attempt 139 'an exception that it does not handle' "$name"
	done
	for name in own_tables_beyond own_tables_write_beyond; do
		attempt 139 'memory that it does not have: 0x' "$name"
	done
	# KVM decides between these; none of them is let through.
	for name in own_tables_jump_beyond breakpoint interrupt; do
		attempt 139 'stopped: it ' "$name"
	done
	for name in halt_processor halt_for_ever; do
		attempt 159 'nothing would wake it' "$name"
	done
	check "processor_id: is answered" \
		hvt --block disk=disk --net net=silent "$HOSTILE" processor_id
	# Harmless as well as forbidden will do: it depends on the processor.
	for name in port_string write_clock_msr hypervisor_call; do
		lib_run hvt --block disk=disk --net net=silent "$HOSTILE" "$name"
		case $RC in
		66 | 139 | 159) pass "$name: stopped, or without effect" ;;
		*) fail "$name" "$(lib_story "66, 139 or 159" "$name")" ;;
		esac
	done
	is "the disk is what it was" "$sum" "$(sha256sum <disk)"
}

registers() {
	attempt 139 'rip 0x[0-9a-f]+' write_text "the instruction is told"
	attempt 139 '^r12 [0-9a-f]{16}  r13 ' write_text "and the registers"
	check_rc 139 "to a starter that wants to know" hvt --supervise --block disk=disk \
		--net net=silent "$HOSTILE" write_text
	is "that it runs, and then the address" "report 3 0 0x0 |report 2 139 0x100000 the unikernel" \
		"$(grep ^report "$ERR" | cut -d' ' -f1-6 | paste -sd'|')"
	is "and nothing beside it" 0 "$(grep -c polder-tender "$ERR")"
	check_rc 139 "a page fault" hvt --supervise --block disk=disk --net net=silent \
		"$HOSTILE" read_beyond
	is "has its address" 0x400000 "$(grep '^report 2' "$ERR" | cut -d' ' -f4)"
	check_rc 125 "a starter that is gone already" hvt --supervise --end-early "$WORKS" hello
	is "is seen before anything runs" 0 "$(grep -c hello "$OUT")"
}

core_file() {
	local rip
	rm -f core
	check "no fault, no core" hvt --core core "$WORKS" hello
	is "no core" 0 "$(stat -c %s core)"
	lib_run hvt --core core --block disk=disk --net net=silent "$HOSTILE" write_constant
	rip=$(sed -n 's/^rip \([0-9a-f]*\) .*/\1/p' "$ERR")
	# Behind the ELF header, two program headers and the head of a note: struct elf_prstatus.
	is "a core has the instruction that was told" "$rip" \
		"$(od -An -tx8 -j $((64 + 2 * 56 + 20 + 112 + 16 * 8)) -N 8 core | tr -d ' ')"
	check_out "it is a core" 'CORE \(Core file\)' readelf -hW core
	check_out "with its registers" 'NT_PRSTATUS' readelf -nW core
	# Guest-physical 0 is at the second page: the image's text lies 1 MiB behind that.
	check "and its memory" cmp -n 1024 -i $((4096 + 1048576)):4096 core "$HOSTILE"
	is "all of it" $((4096 + 4194304)) "$(stat -c %s core)"
	is "sparse" 1 "$(($(stat -c %b core) < 1024))"
	lib_run hvt --core core "$WORKS" e=255
	check_out "a core of an abort" 'CORE \(Core file\)' readelf -hW core
}

# ---- time, signals, streams ----

state_is() { # STATE
	grep -q "^State:[[:space:]]*[$1]" "/proc/$PID/status"
}

start_guest() { # NAME: in the background, $PID is the monitor itself
	me_bg hvt.py --block disk=disk --net net=silent "$HOSTILE" "$1"
	until_ok 10 grep -q '^Seccomp:[[:space:]]*2' "/proc/$PID/status"
}

ends_by() { # WHAT SIGNAL
	local rc
	kill "-$2" "$PID"
	kill -CONT "$PID" 2>/dev/null
	timeout 10 tail --pid="$PID" -f /dev/null
	{ wait "$PID"; } 2>/dev/null
	rc=$?
	is "$1" $((128 + $(kill -l "$2"))) "$rc"
}

time_and_signals() {
	local name before
	file disk A 65536
	for name in spin wait_not wait_for_ever; do
		start_guest "$name"
		check "$name: can be paused" kill -STOP "$PID"
		check "$name: stands still" until_ok 5 state_is T
		kill -CONT "$PID"
		check "$name: goes on" until_ok 5 state_is RS
		sleep 0.1
		check "$name: still runs" kill -0 "$PID"
		ends_by "$name: ends by SIGTERM" TERM
	done
	start_guest wait_for_ever
	before=$(awk '{print $14 + $15}' "/proc/$PID/stat")
	sleep 0.5
	is "a guest that waits uses no processor time" 1 \
		$(($(awk '{print $14 + $15}' "/proc/$PID/stat") - before <= 2))
	ends_by "and ends by SIGKILL" KILL
	check_rc 124 "a guest that never yields meets a time limit" \
		timeout 1 "${lib_who[@]}" hvt.py --block disk=disk --net net=silent "$HOSTILE" spin
}

flood() {
	check "a slow reader gets all that was written" sh -c \
		'"$@" | { sleep 0.3; [ "$(wc -c)" = 262144 ]; }' x "${lib_who[@]}" hvt.py \
		--block disk=disk --net net=silent "$HOSTILE" flood_gently
	check_out "a reader that has gone away ends it" '^141$' bash -c \
		'"$@" | head -c 100000 >/dev/null; echo "${PIPESTATUS[0]}"' x "${lib_who[@]}" \
		timeout 20 hvt.py --block disk=disk --net net=silent "$HOSTILE" flood
	start_guest flood
	check "one that floods writes" until_ok 10 [ -s "$BG_OUT" ]
	ends_by "and can be ended" TERM
	: >"$BG_OUT"
	check "a full disk does not end it" sh -c '"$@" >/dev/full' x "${lib_who[@]}" hvt.py \
		"$WORKS" hello
	check "closed streams do not confuse it" hvt --closed "$WORKS" sane
}

# The file's first two pages are its head and its text; the constants are behind them.
image_cut() { # STATUS ERE SIZE NAME
	cp "$HOSTILE" own.hvt
	chmod 666 own.hvt
	me_bg hvt.py --block disk=disk --net net=silent own.hvt "$4"
	until_ok 10 grep -q '^Seccomp:[[:space:]]*2' "/proc/$PID/status"
	# It says so before it asks; the other one never says a word.
	[ "$4" = wait_not ] || until_ok 10 grep -q waiting "$BG_OUT"
	truncate -s "$3" own.hvt
	lib_run timeout 10 tail --pid="$PID" -f /dev/null
	wait "$PID"
	is "an image cut to $3 bytes meanwhile ends its guest" "$1" "$?"
	check_out "with a reason" "$2" cat "$BG_ERR"
}

images_cut() {
	image_cut 139 'the unikernel was stopped' 0 wait_not
	image_cut 135 'its image was cut short' 8192 ask_from_constants
}

with_its_starter() {
	local child
	me_bg hvt.py --supervise --block disk=disk --net net=silent "$HOSTILE" wait_for_ever
	until_ok 10 grep -q waiting "$BG_OUT"
	child=$(pgrep -P "$PID")
	check "the monitor lives as long as its starter" kill -0 "$child"
	kill -KILL "$PID"
	{ wait "$PID"; } 2>/dev/null
	check "and no longer" until_ok 5 sh -c '! kill -0 "$0"' "$child"
}

# ---- what the monitor holds ----

holds() {
	local line expected
	file disk A 65536
	file base A 65536
	file over A 0
	me_bg hvt.py --block disk=over,base=base --net net=silent "$HOSTILE" wait_for_ever
	until_ok 10 grep -q waiting "$BG_OUT"
	for line in 'Seccomp: 2' 'NoNewPrivs: 1' 'CapEff: 0000000000000000' \
		'CapPrm: 0000000000000000' 'CapAmb: 0000000000000000' 'CapInh: 0000000000000000' \
		'SigBlk: 0000000000000000'; do
		check_out "its $line" "^$(tr -s ' \t' '  ' <<<"$line")\$" sh -c \
			'tr -s " \t" "  " <"/proc/$0/status"' "$PID"
	done
	expected=$([ "$ME" = user ] && echo "$USER_UID" || echo 65534)
	check_out "its user" "^Uid: $expected $expected $expected $expected\$" sh -c \
		'tr -s " \t" "  " <"/proc/$0/status"' "$PID"
	if have_root; then
		is "its descriptors" "anon_inode:kvm-vcpu base over pipe-or-file pipe-or-file socket" \
			"$(for f in "/proc/$PID"/fd/*; do readlink "$f"; done | sed -E \
				's/^socket:.*/socket/; s/kvm-vcpu.*/kvm-vcpu/; s,.*/(base|over)$,\1,
				s,^/.*bg\.(out|err)$,pipe-or-file,' | sort | paste -sd' ')"
		check_fails "nobody of the same user looks in" as_user cat "/proc/$PID/environ"
	fi
	kill -KILL "$PID"
	{ wait "$PID"; } 2>/dev/null
}

all() {
	lib_env "$ME"
	works
	blocks
	nets
	shared
	tap
	refusals
	hostile
	registers
	core_file
	time_and_signals
	flood
	images_cut
	with_its_starter
	holds
	rm -f "$WORK"/*
}

each_user all
done_testing
