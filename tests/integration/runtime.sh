#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guest runtime: polder cc and polder new as people use them, and what they build,
# run by the tenders of both ABIs. tests/guests/runtime/selfcheck.c looks from inside.
# shellcheck disable=SC2016 # for other shells
. "$(dirname "$0")/../lib.sh"

if [ ! -e "$POLDER_BUILD/guest/lib/guest.ld" ]; then
	skip "the guest runtime" "this build was made without it"
	done_testing
fi
# Where each user may read it.
cp -r "$POLDER_BUILD/guest" "$T/guest"
cp -r "$POLDER_BUILD/examples/unikernels" "$T/examples"
cp "$POLDER_SOURCE/tests/guests/runtime/selfcheck.c" "$POLDER_SOURCE/tests/hvt.py" "$T/"
chmod -R a+rX "$T/guest" "$T/examples" "$T/selfcheck.c"
chmod 755 "$T/hvt.py"
export POLDER_GUEST=$T/guest

polder() { me "$T/bin/polder" "$@"; }
cc() { polder cc "$@"; }

can_hvt() { me test -r /dev/kvm -a -w /dev/kvm; }

# tender TARGET OPTION… IMAGE [COMMAND LINE]: by its spec alone
tender() {
	local target=$1 kind=2
	shift
	[ "$target" = hvt ] || kind=1
	me "$T/hvt.py" --tender "$T/bin/polder-tender-$target" --kind "$kind" \
		--mem $((16 << 20)) "$@"
}

said() { # WHAT ERE: the check before wrote that
	cat "$OUT" >"$T/said"
	check_out "$1" "$2" cat "$T/said"
}

each_target() { # FN
	"$1" spt
	if can_hvt; then
		"$1" hvt
	else
		skip "$1 under hvt" "/dev/kvm is missing, or not this user's to use"
	fi
}

# ---- the image ----

headers() { readelf -lW "$1" | sed -n 's/^  \(LOAD\|NOTE\|INTERP\) *//p'; }
bytes_of() { size "$1" | awk 'NR == 2 { print $1 + $2 }'; }
no_larger() { # BYTES IMAGE
	local n
	n=$(bytes_of "$2")
	echo "$2: $n bytes of text and data"
	[ "$n" -le "$1" ]
}
no_wx() { ! readelf -lW "$1" | grep -E '^  LOAD.* RWE|^  LOAD.* [R ]WE'; }
ascending() { readelf -lW "$1" | awk '/^  LOAD/ { at = strtonum($3); if (at % 4096 || at < last || at < 1048576) exit 1
	last = at + strtonum($6); n++ } END { exit n != 5 }'; }
undefined() { [ -z "$(nm -u "$1")" ]; }

image() {
	local i=$T/examples/hello.$1
	check "$1: hello is at most 20 KB" no_larger 20480 "$i"
	check "$1: hello with stdio is not much more" no_larger 32768 "$T/examples/hello-stdio.$1"
	check_out "$1: its interpreter" '/nonexistent/solo5/' readelf -lW "$i"
	check "$1: two notes, each with a header of its own" \
		test "$(readelf -lW "$i" | grep -c '^  NOTE')" = 2
	check "$1: nothing both writable and executable" no_wx "$i"
	check "$1: nothing undefined" undefined "$i"
	check_out "$1: polder agrees" "^kind +$1, version 2" polder inspect "$i"
	check_out "$1: a device that is declared" 'dev:storage +volume' \
		polder inspect "$T/examples/blockcheck.$1"
	check_no_out "$1: and none that is not" 'dev:' polder inspect "$i"
}
images() {
	image spt
	image hvt
}

# ---- polder cc ----

compile() {
	mkdir -p files/sub
	printf 'one\n' >files/one.txt
	printf 'two\n' >files/sub/two.txt
	: >files/empty
	printf 'a dot sorts before a slash\n' >files/sub.txt
	printf 'quote\n' >'files/sub/a "b" \c'
	local t
	for t in spt hvt; do
		check "compiles and links ($t)" cc -O2 -Wall -Wextra -Werror -mgeneral-regs-only \
			-DX='"a b"' --files=files -o "selfcheck.$t" "$T/selfcheck.c"
	done
	check "in two steps" cc -O2 -mgeneral-regs-only -c -o s.o "$T/selfcheck.c"
	check "with the target said" cc --target=spt --stack=64K --files files -o two-steps s.o
	check_out "the stack is as said" '^65536$' status 7 tender spt --block disk=disk.img \
		--uid "$MY_DEVICE_UID" --net wire=silent two-steps stack-size
	cat >f.c <<-'END'
		#include <math.h>
		#include <stdio.h>
		#include <stdlib.h>
		int main(int argc, char **argv)
		{
			double x = argc + 1, nan = strtod("nan", NULL);
			(void)argv;
			printf("%.3f %g %.1e %.2f", sqrt(x), pow(x, 10), 2e10, strtod("3.25", NULL));
			printf(" %d %d %.3f %Lg\n", isnan(nan) != 0, isinf(x) != 0, sin(x), 1.5L);
			return 0;
		}
	END
	check "floating point, -lm" cc -O2 -o f.spt f.c -lm
	check_out "and it is right" '^1.414 1024 2.0e\+10 3.25 1 0 0.909 1.5$' tender spt f.spt
	check_rc 1 "no target" cc -o x "$T/selfcheck.c"
	check_err "is told what to say" '--target=spt or --target=hvt' cc -o x "$T/selfcheck.c"
	check_err "a target that is none" 'there is spt and hvt' cc --target=xen x.c
	check_err "files that are not there" 'no such directory' cc --files=none -o x.spt s.o
	check_err "the same file twice" 'is there twice' cc --files=files --files=files -o x.spt s.o
	check_err "a stack that is too small" '16K to' cc --stack=1K -o x.spt s.o
	check_err "one that is no number" 'a number' cc --stack=lots -o x.spt s.o
	check_err "a mistake is the compiler's to report" 'nonsense' \
		me sh -c 'echo "int main(void) { nonsense }" >y.c; polder cc -o y.spt y.c'
	check_err "no host header is found" 'sys/epoll.h' \
		me sh -c 'echo "#include <sys/epoll.h>" >z.c; polder cc -c z.c'
	check_fails "a name that is too long for a device" \
		me sh -c 'printf "#include <polder/guest/device.h>\nPG_NET_DEVICE(\"%070d\");\n" 0 >n.c; polder cc -c n.c'
	check_err "more devices than the ABI has" 'more than 63 devices' \
		me sh -c '{ echo "#include <polder/guest/device.h>"; for i in $(seq 64); do echo "PG_NET_DEVICE(\"d$i\");"; done; echo "int main(void) { return 0; }"; } >m.c; polder cc -o m.spt m.c'
	check_out "where things are" "^$T/guest" cc --print=sysroot
	if [ -n "$(command -v pkg-config)" ]; then
		check "pkg-config says the same" me sh -c \
			'gcc -O2 -mgeneral-regs-only -o pc.spt s.o $(PKG_CONFIG_PATH='"$T/guest"'/pc pkg-config --define-variable=guest='"$T/guest"' --cflags --libs polder-guest-spt)'
		check_out "and what it links runs" '^262144$' status 7 tender spt \
			--block disk=disk.img --uid "$MY_DEVICE_UID" --net wire=silent pc.spt stack-size
	else
		skip "pkg-config" "there is none"
	fi
}

# ---- what was built ----

inside() {
	local target=$1
	dd if=/dev/zero of=disk.img bs=64K count=1 status=none
	me chmod 600 disk.img 2>/dev/null
	check_out "$target: hello" '^Hello, world!$' tender "$target" "$T/examples/hello.$target"
	check_out "$target: its words" '^a b\|c\|$' words "$target" '"a b" c'
	check_out "$target: with stdio" '^x$' tender "$target" "$T/examples/hello-stdio.$target" x
	dev=(--block disk=disk.img --net wire=echo --uid "$MY_DEVICE_UID")
	check "$target: all is right inside" tender "$target" --supervise "${dev[@]}" "selfcheck.$target"
	grep -E '^(BAD|[0-9]+ bad)' "$OUT" | sed 's/^/# /'
	check "$target: and all was looked at" test "$(grep -c '^ok ' "$OUT")" -ge 60
	check_rc 7 "$target: the status" tender "$target" "${dev[@]}" "selfcheck.$target" line
	check_out "$target: the line as it came" '^\[line  "x y" \]$' status 7 tender "$target" \
		"${dev[@]}" "selfcheck.$target" 'line  "x y" '
	check "$target: atexit before destructors" ends_in_order "$target"
	check "$target: every run has a canary of its own" canaries "$target"
}
ends_in_order() {
	tender "$1" "${dev[@]}" "selfcheck.$1" end | tr '\n' ' ' | grep '^atexit destructor $'
}
words() { # TARGET LINE: what hello was given, joined
	tender "$1" "$T/examples/hello.$1" "$2" | tail -n +2 | tr '\n' '|'
	echo
}
status() { # N CMD…: success if it ends with N
	local want=$1 rc
	shift
	"$@"
	rc=$?
	[ "$rc" = "$want" ]
}
canaries() {
	local a b
	a=$(tender "$1" "${dev[@]}" "selfcheck.$1" canary)
	b=$(tender "$1" "${dev[@]}" "selfcheck.$1" canary)
	echo "$a $b"
	[[ $a =~ ^0x[0-9a-f]{8,}00$ ]] && [ "$a" != "$b" ]
}

deaths() {
	local target=$1 how
	dev=(--block disk=disk.img --net wire=silent --uid "$MY_DEVICE_UID")
	# By a fault: spt's tender is the guest and is killed; in hvt what the processor
	# finds is said by the runtime (255), and what the tender finds by the tender.
	for how in null text constant stack trap; do
		check "$target: '$how' ends it" dies "$target" "$how"
	done
	if [ "$target" = spt ]; then
		check "$target: code in data ends it" dies "$target" data
	fi
	for how in smash abort assert raise; do
		check_rc 255 "$target: '$how' is an abort" tender "$target" "${dev[@]}" "selfcheck.$target" "$how"
		said "$target: with a sentence" '^abort: '
	done
	if [ "$target" = hvt ]; then
		check_out "$target: a fault says where" \
			'^fault: page fault, writing to 0x40, at the instruction 0x1[0-9a-f]+' \
			status 255 tender "$target" "${dev[@]}" "selfcheck.$target" null
	fi
	check_rc 255 "$target: too many words" tender "$target" "$T/examples/hello.$target" "$(printf 'x%.0s ' $(seq 1100))"
	said "$target: are refused with a sentence" 'too many words'
}
dies() { # TARGET HOW
	tender "$1" "${dev[@]}" "selfcheck.$1" "$2"
	local rc=$?
	echo "status $rc"
	case $rc in
	132 | 135 | 139 | 255) ! grep -q 'it goes on' "$OUT" ;;
	*) return 1 ;;
	esac
}

# ---- the examples ----

examples() {
	local target=$1 e=$T/examples
	check_out "$target: clock" 'ms by the one clock' tender "$target" "$e/clock.$target" "3 10"
	check_rc 2 "$target: a number that is none" tender "$target" "$e/clock.$target" "x"
	check_out "$target: entropy" '^[0-9a-f]{64}$' tender "$target" "$e/entropy.$target"
	check "$target: is not the same twice" differ "$target"
	blockcheck "$target"
}
differ() {
	[ "$(tender "$1" "$T/examples/entropy.$1" | tail -n 1)" != \
		"$(tender "$1" "$T/examples/entropy.$1" | tail -n 1)" ]
}
blockcheck() {
	local target=$1 i=$T/examples/blockcheck.$1
	me sh -c 'dd if=/dev/zero of=b.img bs=64K count=2 status=none'
	check_out "$target: a good device" '^all is right' block "" --mark=m
	check_out "$target: a second look" '^all is right' block ,ro --mark=m --read-only
	check_rc 1 "$target: another mark" block ,ro --mark=n --read-only
	said "$target: is told apart" 'what another run wrote'
	me sh -c 'printf X | dd of=b.img bs=1 seek=5000 conv=notrunc status=none'
	check_rc 1 "$target: one wrong byte" block ,ro --mark=m --read-only
	said "$target: is found" '^block 9: begins right'
	me sh -c 'dd if=b.img of=b.img bs=512 skip=30 seek=9 count=1 conv=notrunc status=none'
	check_rc 1 "$target: a block in the wrong place" block ,ro --mark=m --read-only
	said "$target: is named" '^block 9: holds what was written to block 30'
	me sh -c 'dd if=/dev/zero of=b.img bs=512 seek=9 count=1 conv=notrunc status=none'
	check_rc 1 "$target: a lost block" block ,ro --mark=m --read-only
	check_rc 2 "$target: a device that cannot be written" block ,ro --mark=m
	check_out "$target: another block size" 'blocks of 4096' block ,size=4096 --mark=m
}
block() { # OPTIONS WORD…
	local o=$1
	shift
	tender "$target" --uid "$MY_DEVICE_UID" --block "storage=b.img$o" -- "$i" "$*"
}

# ---- polder new ----

fresh() {
	check "polder new" polder new unikernel app-1
	check "it builds" me make -C app-1 POLDER="$T/bin/polder"
	check "both" test -s app-1/app-1.spt -a -s app-1/app-1.hvt
	check_out "it runs" '^This is app-1' me make -s -C app-1 POLDER="$T/bin/polder" run
	said "with its words" '^word 1: hello'
	said "with its file" '^Welcome'
	if can_hvt; then
		check_out "as the other, too" '^This is app-1' \
			me make -s -C app-1 POLDER="$T/bin/polder" run-hvt
	else
		skip "as the other, too" "/dev/kvm is missing, or not this user's to use"
	fi
	check_out "its manifest is right" 'nothing wrong' me make -s -C app-1 POLDER="$T/bin/polder" check
	check "it comes up" polder up app-1/app-1.yaml
	check_out "and says so in its log" '^This is app-1' until_log app-1
	check "it goes down" polder down --rm app-1/app-1.yaml
	check "what changed is built anew" rebuilt
	check_err "not over what is there" 'is there already' polder new unikernel app-1
	check_err "nor by a name that is none" 'is no name' polder new unikernel 'App 1'
	check_err "nor of another kind" "no 'thing'" polder new thing x
	check_err "usage" 'usage' polder new unikernel
}
until_log() {
	local end=$((SECONDS + 10))
	until polder logs "$1" 2>/dev/null | grep . || [ "$SECONDS" -gt "$end" ]; do sleep 0.1; done
}
rebuilt() {
	sleep 1
	me sh -c 'echo "Changed." >app-1/files/welcome.txt'
	me make -s -C app-1 POLDER="$T/bin/polder" run | grep -q Changed
}

all() {
	# A tender that root starts becomes this user.
	MY_DEVICE_UID=$([ "$MY_UID" = 0 ] && echo 65534 || echo "$MY_UID")
	mkdir -p "$T/guest/pc"
	cp "$POLDER_BUILD"/runtime/*.pc "$T/guest/pc/"
	chmod -R a+rX "$T/guest/pc"
	me sh -c 'dd if=/dev/zero of=disk.img bs=64K count=1 status=none; chmod 666 disk.img'
	images
	compile
	each_target inside
	each_target deaths
	each_target examples
	fresh
}
each_user all
done_testing
