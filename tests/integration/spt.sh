#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder-tender-spt by hand: guests on the bare ABI that do what they may, and guests and
# images and specs that do not.
. "$(dirname "$0")/../lib.sh"

guests=$POLDER_BUILD/tests/guests/solo5
if [ ! -f "$guests/guest-hello.spt" ]; then
	skip "unikernels" "spt is built for x86_64 alone"
	done_testing
fi
cp "$guests"/guest-*.spt "$guests/guest-hello.hvt" "$guests/solo5-start" \
	"$POLDER_SOURCE/tests/solo5.py" "$T/bin/"
G=$T/bin

spt() { # IMAGE WORD…
	local image=$1
	shift
	me solo5-start polder-tender-spt "image=$G/guest-$image.spt" "$@"
}
side() { # IMAGE WHAT WORD…
	local image=$1
	shift
	me solo5.py polder-tender-spt "$G/guest-$image.spt" "$@"
}
hostile() { # WHAT: the guest of that name, with its devices
	spt hostile block=storage,path="$WORK/disk",size=64K net=service cmdline="$1"
}
disk() { # NAME SIZE [CHARACTER]: a file of it
	head -c "$2" /dev/zero | tr '\0' "${3-\0}" >"$1"
	chmod 666 "$1"
}

refused() { # STATUS SENTENCE WHAT CMD…: that status, and the sentence alone
	local status=$1 sentence=$2 what=$3
	shift 3
	lib_run "$@"
	if [ "$RC" = "$status" ] && [ ! -s "$OUT" ] && [ "$(wc -l <"$ERR")" = 1 ] &&
		grep -Eq "^polder-tender-spt: .*$sentence" "$ERR"; then
		pass "$what"
	else
		fail "$what" "$(lib_story "status $status, one sentence: $sentence" "$@")"
	fi
}

patched() { # IMAGE NAME (OFFSET BYTES)…: a copy with other bytes
	local image=$1 name=$2
	cp "$G/guest-$image.spt" "$G/guest-$name.spt"
	shift 2
	while [ $# -gt 0 ]; do
		printf '%b' "$2" | dd of="$G/guest-$name.spt" bs=1 seek="$1" conv=notrunc status=none
		shift 2
	done
}

# Program headers: 0 interpreter, 1 text, 2 constants, 3 data, 4 bss, 5 ABI, 6 manifest.
phdr() { echo $((64 + 56 * $1 + $2)); }
flags=4 vaddr=16

shifted() { # IN OUT: the same image, all but its headers 16 bytes further on in the file
	python3 - "$1" "$2" <<-'E'
	import struct, sys
	b = open(sys.argv[1], "rb").read()
	h = bytearray(b[:4096])
	for i in range(struct.unpack_from("<H", h, 56)[0]):
	    at = 64 + 56 * i + 8
	    struct.pack_into("<Q", h, at, struct.unpack_from("<Q", h, at)[0] + 16)
	open(sys.argv[2], "wb").write(bytes(h) + bytes(16) + b[4096:])
	E
}

escaping() { # IN OUT: the last segment's end wraps; the one before lies on the tender's code
	python3 - "$1" "$2" <<-'E'
	import struct, sys
	b = bytearray(open(sys.argv[1], "rb").read())
	b += bytes(-len(b) % 4096)
	# open("/etc/passwd"), sendfile to 1, exit_group(0): wherever the tender is just then
	code = bytes.fromhex("488d3d2a00000031f6b8020000000f0589c6bf0100000031d2"
	    "41ba00100000b8280000000f0531ffb8e70000000f05")
	code += bytes(7 + 0x2a - len(code)) + b"/etc/passwd\0"
	def segment(i, flags, offset, vaddr, filesz, memsz):
	    struct.pack_into("<IIQQQQQQ", b, 64 + 56 * i, 1, flags, offset, vaddr, vaddr,
	        filesz, memsz, 4096)
	segment(3, 5, len(b), 0x20000000000, 0x7000, 0x7000)
	segment(4, 6, 0, 2**63 - 1, 0, 2**63 - 1)
	b += b"\x90" * (0x7000 - len(code)) + code
	open(sys.argv[2], "wb").write(b)
	E
}

# ---- what works ----

plain() {
	check_out "hello" '^hello world$' spt hello cmdline=world
	check_rc 0 "success" spt hello
	check_out "the image ends behind its zeroes" '^hello' spt hello cmdline=zeroes
	check_rc 42 "its exit status" spt hello cmdline='exit=42'
	check_rc 255 "255" spt hello cmdline='exit=255'
	check_out "the least memory" '^hello' spt hello mem=1172K
	check_out "much memory" '^hello' spt hello mem=8G
	line=$(printf 'x%.0s' {1..8191})
	check_out "the longest command line" "^hello x{8191}\$" spt hello cmdline="$line"
	check_out "it waits as long as it should" '^waited 1[0-9][0-9] ms$' spt clock
	check_out "no time at all" '^waited 0 ms$' spt clock cmdline=ms=0
	wall() {
		local begin at
		begin=$(date +%s)
		at=$(spt clock cmdline=ms=0 | sed -n 's/^wall //p')
		[ "$at" -ge "$begin" ] && [ "$at" -le "$(date +%s)" ]
	}
	check "the time of day" wall
	check_out "without standard input and error" '^hello' \
		me bash -c "solo5-start polder-tender-spt image=$G/guest-hello.spt <&- 2>&-"
	check "without standard output" \
		me bash -c "solo5-start polder-tender-spt image=$G/guest-hello.spt >&-"
	check_out "an image by descriptor" '^hello' \
		me bash -c "solo5-start polder-tender-spt imagefd=9 9<$G/guest-hello.spt"
	check_out "a spec by a pipe" '^hello' me bash -c \
		"solo5-start - image=$G/guest-hello.spt | polder-tender-spt --spec 0"
	shifted "$G/guest-hello.spt" "$G/guest-shifted.spt"
	check_out "segments anywhere in the file" '^hello anywhere$' spt shifted cmdline=anywhere
	patched hello tail "$(phdr 2 40)" '\x00\x10' "$(phdr 3 40)" '\x00\x10'
	check_out "segments that go on behind the file's bytes" '^hello on$' spt tail cmdline=on
	check_out "an image of other toolchains" '^all there$' spt other
	check_rc 139 "and what it may only read" spt other cmdline=write
	check_out "few descriptors may be open" '^hello' \
		me bash -c "ulimit -n 8; solo5-start polder-tender-spt image=$G/guest-hello.spt"
	refused 125 "cannot have 8388608 KiB of memory" "a limit on memory" me bash -c \
		"ulimit -v 4000000; solo5-start polder-tender-spt image=$G/guest-hello.spt mem=8G"
	chmod 644 "$G/guest-hello.spt"
	check_out "an image that is not executable" '^hello' spt hello
}

volumes() {
	local vol
	disk "$WORK/disk" 65536 a
	vol=block=storage,path=$WORK/disk,size=64K
	check_out "capacity and block size" '^65536 512$' spt block "$vol" cmdline=size
	check_out "of 4096" '^65536 4096$' spt block "$vol,bs=4096" cmdline=size
	check_out "a block is read" '^a{511}$' spt block "$vol" cmdline='read at=127'
	check "a block is written" spt block "$vol" cmdline='write at=127 c=98'
	check_out "and read again" '^b{511}$' spt block "$vol" cmdline='read at=127'
	check_out "the one before is as it was" '^a{511}$' spt block "$vol" cmdline='read at=126'
	check "the file has it" [ "$(tail -c 512 "$WORK/disk" | tr -d b | wc -c)" = 0 ]
	check_out "all of it" '^6357504$' spt block "$vol" cmdline=sum
	check_out "in blocks of 32768" '^6357504$' spt block "$vol,bs=32768" cmdline=sum
	check_out "less than the file has" '^32768 512$' \
		spt block block=storage,path="$WORK/disk",size=32K cmdline=size
	check_rc 159 "and not beyond that" \
		spt block block=storage,path="$WORK/disk",size=32K cmdline='read at=64'
	check_rc 10 "read-only: a write is refused, and the guest lives" \
		spt block "$vol,ro" cmdline='write at=0 c=99'
	check_out "and nothing changed" '^a{511}$' spt block "$vol,ro" cmdline='read at=0'
	check_rc 10 "read-only by a descriptor that could" me bash -c "solo5-start polder-tender-spt \
		image=$G/guest-block.spt block=storage,fd=9,size=64K,ro cmdline='write at=0' 9<>$WORK/disk"
	check_out "and nothing changed" '^a{511}$' spt block "$vol,ro" cmdline='read at=0'
	check "by a descriptor" me bash -c "solo5-start polder-tender-spt image=$G/guest-block.spt \
		block=storage,fd=4,size=64K cmdline='write at=1 c=100' 4<>$WORK/disk"
	check_out "it was written" '^d{511}$' spt block "$vol,ro" cmdline='read at=1'
	check_out "/dev/zero has zeros" '^0$' \
		spt block block=storage,path=/dev/zero,size=64K cmdline=sum
	check "and forgets what is written" \
		spt block block=storage,path=/dev/zero,size=64K cmdline='write at=1'
}

on_tap() { # WHAT: in a network namespace of its own
	me unshare -n solo5.py polder-tender-spt "$G/guest-net.spt" "$1"
}

nets() {
	check "a frame comes back" side net echo
	check "nobody at the other end" side net lossy
	check "2000 frames" side net burst
	disk "$WORK/b1" 4096 x
	disk "$WORK/b2" 8192 y
	disk "$WORK/b3" 65536 z
	if [ "$ME" = root ]; then
		check "a TAP" on_tap tap
		check_out "one with headers is refused" "^1 125 device 'service': a net device needs" \
			on_tap tap_headers
		check_out "a TUN is refused" "^1 125 device 'service': a net device needs" on_tap tun
	fi
	check "several devices in another order" side many many \
		block=b3,path="$WORK/b3",size=64K,bs=4096,ro block=b1,path="$WORK/b1",size=4K \
		block=b2,path="$WORK/b2",size=8K,bs=4096
	check "each of them its own" [ "$(tr '\n' ' ' <"$OUT")" = \
		"xxxxxxxx yyyyyyyy zzzzzzzz n2 Q n1 P " ]
}

# ---- what is refused ----

images() {
	local abi mft
	abi=$(od -An -tu8 -j "$(phdr 5 8)" -N 8 "$G/guest-hello.spt" | tr -d ' ')
	mft=$(od -An -tu8 -j "$(phdr 6 8)" -N 8 "$G/guest-hello.spt" | tr -d ' ')
	bad() { # SENTENCE WHAT (OFFSET BYTES)…
		local sentence=$1 what=$2
		shift 2
		patched hello bad "$@"
		refused 126 "$sentence" "$what" spt bad
	}
	refused 126 "polder-tender-hvt" "an image for hvt" \
		me solo5-start polder-tender-spt "image=$G/guest-hello.hvt"
	refused 126 "no static ELF" "no ELF file" me solo5-start polder-tender-spt image=/etc/passwd
	refused 126 "/nonexistent/solo5/" "an ordinary program" \
		me solo5-start polder-tender-spt "image=$T/bin/polder-tender-spt"
	refused 126 "no such file" "no file" me solo5-start polder-tender-spt image=/no/such
	refused 126 "not a regular file" "a directory" me solo5-start polder-tender-spt image=/tmp
	mkfifo "$WORK/fifo" 2>/dev/null
	refused 126 "not a regular file" "a FIFO" me solo5-start polder-tender-spt "image=$WORK/fifo"
	: >"$WORK/empty"
	chmod 644 "$WORK/empty"
	refused 126 "no static ELF" "an empty file" \
		me solo5-start polder-tender-spt "image=$WORK/empty"
	bad "writable and executable" "text that is writable" "$(phdr 1 $flags)" '\x07'
	bad "writable and executable" "data that is executable" "$(phdr 3 $flags)" '\x07'
	bad "overlap" "two segments in one place" "$(phdr 2 $vaddr)" '\x00\x00\x10'
	bad "overlap" "descending segments" "$(phdr 1 $vaddr)" '\x00\x00\x30'
	bad "begin at a page" "a segment between pages" "$(phdr 2 $vaddr)" '\x10\x10\x10'
	bad "below 1 MiB" "a segment at 64 KiB" "$(phdr 1 $vaddr)" '\x00\x00\x01'
	bad "cut short" "a segment beyond the file" "$(phdr 1 8)" '\x00\x00\x00\x10'
	bad "entry lies outside" "an entry in data" 24 '\x00\x20\x10'
	bad "entry lies outside" "an entry at 0" 24 '\x00\x00\x00'
	bad "another version" "another version of the ABI" $((abi + 24)) '\x03'
	bad "neither hvt nor spt" "an ABI for something else" $((abi + 20)) '\x05'
	bad "no ABI note" "no ABI note" "$(phdr 5 0)" '\x00'
	bad "no manifest" "no manifest" "$(phdr 6 0)" '\x00'
	bad "length" "more devices than fit" $((mft + 28)) '\x02'
	bad "two ABI notes" "the ABI note twice" "$(phdr 6 8)" \
		"$(printf '\\x%02x\\x%02x' $((abi & 255)) $((abi >> 8)))"
	bad "too small" "a bss beyond the memory" "$(phdr 4 40)" '\x00\x00\x00\x01'
	escaping "$G/guest-hello.spt" "$G/guest-bad.spt"
	refused 126 "outside of any memory" "segments that would lie on the tender itself" spt bad
	refused 126 "too small" "too little memory" spt hello mem=1080K
	check_out "a little more is enough" '^hello' spt hello mem=1172K
	rm -f "$G/guest-bad.spt"
	if [ "$ME" = root ]; then
		mkdir -p "$T/noexec"
		mount -t tmpfs -o noexec none "$T/noexec"
		cp "$G/guest-hello.spt" "$T/noexec/"
		refused 126 "noexec" "a file system without execution" \
			me solo5-start polder-tender-spt "image=$T/noexec/guest-hello.spt"
		umount "$T/noexec"
	fi
}

specs() {
	local vol=block=storage,path=$WORK/disk,size=64K
	disk "$WORK/disk" 65536
	refused 125 "usage" "no spec" me polder-tender-spt
	refused 125 "usage" "no number" me polder-tender-spt --spec x
	refused 125 "usage" "too much" me polder-tender-spt --spec 3 4
	refused 125 "cannot read the spec" "a descriptor that is not open" me polder-tender-spt --spec 77
	refused 125 "spec of version 1" "no spec at all" me polder-tender-spt --spec 0
	refused 125 "cut short" "half a spec" me bash -c \
		"solo5-start - image=/x | head -c 80 | polder-tender-spt --spec 0"
	refused 125 "longer than 1 MiB" "a spec without end" me bash -c \
		"cat /dev/zero | polder-tender-spt --spec 0"
	refused 125 "polder-tender-hvt" "a spec for hvt" spt hello kind=hvt
	refused 125 "user or group 0" "user 0" spt hello uid=0
	refused 125 "multiple of 4 KiB" "half a page" spt hello mem=2098K
	refused 125 "1 TiB" "more than there can be" spt hello mem=2T
	refused 125 "host's clock" "a clock of its own" spt hello start=1
	refused 125 "'storage' that the spec does not bind" "a device not bound" spt block
	refused 125 "'more' that the image does not declare" "one too many" \
		spt block "$vol" block=more,path=/dev/zero,size=64K
	refused 125 "'storage' is a block device, and bound to a net" "the wrong type" \
		spt block net=storage
	refused 125 "'service' is a net device, and bound to a block" "the other way round" \
		spt net block=service,path="$WORK/disk",size=64K
	refused 125 "smaller than its capacity" "a file that is too small" \
		spt block block=storage,path="$WORK/disk",size=128K
	refused 125 "power of two" "an odd block size" spt block "$vol,bs=768"
	refused 125 "cannot be written" "a descriptor for reading" me bash -c \
		"solo5-start polder-tender-spt image=$G/guest-block.spt block=storage,fd=9,size=64K 9<$WORK/disk"
	refused 125 "cannot be read" "a descriptor for writing" me bash -c \
		"solo5-start polder-tender-spt image=$G/guest-block.spt block=storage,fd=9,size=64K,ro 9>>$WORK/disk"
	refused 125 "smaller|no such file|regular file" "a directory as a volume" me bash -c \
		"solo5-start polder-tender-spt image=$G/guest-block.spt block=storage,fd=9,size=64K,ro 9</tmp"
	refused 125 "/dev/zero" "a terminal's kind as a volume" \
		spt block block=storage,path=/dev/null,size=64K
	refused 125 "datagram" "a file as a net device" me bash -c \
		"solo5-start polder-tender-spt image=$G/guest-net.spt net=service,fd=9 9<>$WORK/disk"
	refused 125 "not open" "a descriptor that is not there" \
		spt block block=storage,fd=50,size=64K
	refused 125 "copy-on-write" "copy-on-write" me bash -c "solo5-start polder-tender-spt \
		image=$G/guest-block.spt block=storage,fd=8,base=9,size=64K,cow 8<>$WORK/disk 9<$WORK/disk"
	check_out "what it says over a descriptor" "^1 125 the image declares a device 'storage'" \
		side block report
	check_out "of the image" '^1 126 .*too small' side hello report mem=1080K
	check_out "nothing when it runs" '^nothing, and 7, and hello exit=7$' \
		side hello report cmdline=exit=7
}

# ---- what it is and has ----

inside() {
	local env=secret-of-the-caller
	disk "$WORK/disk" 65536
	set -- hostile view block=storage,path="$WORK/disk",size=64K net=service
	seen() { SECRET=$env side "$@" >"$WORK/seen" 2>&1; }
	of() { sed -n "/^== $1/,/^== /p" "$WORK/seen"; }
	check "it sleeps" seen "$@"
	check_out "under a filter, without new privileges" 'NoNewPrivs:.1' of status
	check_no_out "no capability" 'Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]' of status
	check_no_out "no signal is blocked" 'SigBlk:.*[1-9a-f]' of status
	check_no_out "none has a handler" 'SigCgt:.*[1-9a-f]' of status
	if [ "$ME" = root ]; then
		check_out "another user than root" 'Uid:.65534.65534.65534.65534' of status
		check_out "no groups" 'Groups:. *$' of status
		own_maps() { of maps | grep -E '^[0-9a-f]+-'; }
		check_no_out "neither stack nor vdso nor heap" 'stack|vdso|vvar|heap' own_maps
		check "its memory, its image, one page of the tender's" [ "$(own_maps |
			grep -vc -E 'guest-hostile|vsyscall|^(00|e0)')" = 1 ]
		check_out "and that is code" '^01010000-01011000 r-xp .*polder-tender-spt' own_maps
		check_no_out "no page is writable and executable" ' .wx' own_maps
		check_no_out "no variable of the caller's" "$env" of environ
		check_no_out "nor its words" 'spec' of cmdline
	else
		check_err "its memory is nobody's to look at" 'Permission denied' \
			me_denied
	fi
	set -- hostile fds block=storage,path="$WORK/disk",size=64K net=service
	check "its descriptors" side "$@"
	cp "$OUT" "$WORK/fds"
	check "are those of the ABI" [ "$(sed -n 's/ .*//p' "$WORK/fds" | tr '\n' ' ')" = "1 3 4 5 6 " ]
	check_out "the fourth is a net device" '^5 socket:' cat "$WORK/fds"
	check_out "the fifth its volume" '^6 .*/disk$' cat "$WORK/fds"
}
me_denied() {
	if grep -q '== maps: Permission denied' "$WORK/seen"; then
		echo 'Permission denied' >&2
	fi
	return 1
}

together() {
	check "it dies with its starter" side hostile orphan \
		block=storage,path=/dev/zero,size=64K net=service
	check "a starter that is gone already" side hello late
	check "stopped, it goes on where it was" side clock stopped cmdline=ms=600
	check "stopped while it writes, too" side hostile stopped_flood \
		block=storage,path=/dev/zero,size=64K net=service cmdline=flood
	check_out "it waits for its tracer" '^hello' side hello traced
}

# ---- guests that do what they may not ----

attacks() {
	local what
	disk "$WORK/disk" 65536
	check_out "the attacker itself runs" '^still here$' hostile nothing
	calls=$(hostile list | sort -u)
	check "it knows many calls" [ "$(wc -w <<<"$calls")" -gt 80 ]
	for what in $calls offset-beyond offset-beyond-1 forge-manifest int80-write int80-exit \
		int80-exit-group jump-enter; do
		check_rc 159 "$what: killed by the filter" hostile "$what"
	done
	for what in read-null read-below read-above read-tender read-gap read-behind write-enter write-text \
		write-constant write-vsyscall read-kernel jump-null jump-data jump-constant \
		jump-stack jump-boot-info jump-zero hlt cli out no-stack; do
		check_rc 139 "$what: a fault of its own" hostile "$what"
	done
	# What these are is for the processor, and for how the kernel was started, to say.
	for what in sysenter vsyscall-time vsyscall-gettimeofday; do
		check_rc_of "159 139 132" "$what: the end" hostile "$what"
	done
	check_rc 135 "non-canonical-stack" hostile non-canonical-stack
	check_rc 132 "ud2" hostile ud2
	check_rc 133 "int3" hostile int3
	check_rc 133 "single-step" hostile single-step
	check_rc 136 "divide" hostile divide
	for what in residue touch pwrite-pointer pread-into-text write-pointer clock-pointer \
		set-fs-non-canonical huge-frame offset-last offset-odd fd-high-half; do
		check_out "$what: answered, and it goes on" '^still here$' hostile "$what"
	done
	check_rc 141 "it floods a reader that goes away" \
		me bash -c "hostile_flood() { solo5-start polder-tender-spt image=$G/guest-hostile.spt \
			block=storage,path=/dev/zero,size=64K net=service cmdline=flood; }
			hostile_flood | head -c 100000 >/dev/null; exit \${PIPESTATUS[0]}"
	check_rc 143 "it never yields, and is told to end" ended TERM spin
	check_rc 137 "or killed" ended KILL spin
	check_rc 143 "it sleeps without a stack, and is told to end" ended TERM no-stack-sleep
}
check_rc_of() { # "STATUS…" WHAT CMD…
	local any=$1 what=$2
	shift 2
	lib_run "$@"
	case " $any " in
	*" $RC "*) pass "$what" ;;
	*) fail "$what" "$(lib_story "one of $any" "$@")" ;;
	esac
}
ended() { # SIGNAL WHAT
	me bash -c "solo5-start polder-tender-spt image=$G/guest-hostile.spt \
		block=storage,path=/dev/zero,size=64K net=service cmdline=$2 & sleep 0.3
		kill -$1 \$!; wait \$!; exit \$?"
}

each_user plain
each_user volumes
each_user nets
each_user images
each_user specs
each_user inside
each_user together
each_user attacks
done_testing
