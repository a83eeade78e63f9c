#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What guards the sources and the build does guard them: each guard is shown something
# bad and must object.
. "$(dirname "$0")/../lib.sh"
cd "$T" || exit 1

# ---- banned functions ----

compile() { # C TEXT: a file of ours with this in it
	printf '#include <string.h>\n#include <stdlib.h>\n#include <stdio.h>\n%s\n' "$1" >"$T/x.c"
	cc -std=gnu17 -include "$POLDER_SOURCE/src/base/banned.h" -c -o "$T/x.o" "$T/x.c"
}
check "ordinary code compiles" compile 'int f(const char *s) { return (int)strlen(s); }'
for call in 'strcpy(d, d)' 'strcat(d, d)' 'sprintf(d, "x")' 'strtok(d, d)' 'atoi(d)' \
	'gets(d)' 'alloca(3)'; do
	check_err "refuses $call" "${call%%(*}_is_banned" compile "void f(char *d) { (void)$call; }"
done

# ---- layers ----

layers() { # FILE TEXT
	rm -rf "$T/src"
	mkdir -p "$T/src/$(dirname "$1")"
	printf '%s\n' "$2" >"$T/src/$1"
	"$POLDER_SOURCE/tools/check-layers" "$T/src"
}
check "downward is allowed" layers tender/x.c '#include "base/err.h"'
check_fails "upward is not" layers base/x.c '#include "tender/core.h"'
check_fails "the graph acts on nothing" layers graph/x.c '#include "sandbox/sys.h"'
check_fails "internal headers stay inside" layers tender/x.c \
	'#include "sandbox/sandbox-internal.h"'
check_fails "unknown folders are noticed" layers newpart/x.c ''
check "our own sources obey" "$POLDER_SOURCE/tools/check-layers" "$POLDER_SOURCE/src"

# ---- setup, with a dpkg and an apt of our own ----

mkdir "$T/fake" "$T/debs"
cat >"$T/fake/dpkg-query" <<'E2'
#!/bin/sh
for p; do
	[ "$p" != "${p#-}" ] || [ "$p" = meson ] && [ ! -e "$T/has-meson" ] ||
		echo "installed $p"
done
E2
printf '#!/bin/sh\necho "apt-get $*" >>"$T/apt.log"\n[ ! -e "$T/apt-fails" ] && >"$T/has-meson"\n' \
	>"$T/fake/apt-get"
printf '#!/bin/sh\necho "  Candidate: 1.0"\n' >"$T/fake/apt-cache"
chmod 755 "$T/fake"/*
cat >"$T/fake/id" <<'E2'
#!/bin/sh
echo "${FAKE_UID-0}"
E2
chmod 755 "$T/fake/id"
export T
setup() {
	PATH=$T/fake:$PATH env -u POLDER_YES -u POLDER_OFFLINE ${OFFLINE:+POLDER_OFFLINE=$OFFLINE} \
		"$POLDER_SOURCE/tools/setup" "$@"
}
user_setup() { FAKE_UID=1000 setup "$@"; }
offline_setup() { OFFLINE=$T/debs setup "$@"; }

check_err "without root it names the command and stops" \
	'sudo apt-get install .*meson' user_setup build
check "and has installed nothing" test ! -e "$T/apt.log"
check_err "offline it names what is missing" 'meson' offline_setup build
touch "$T/debs/meson_1.0_all.deb"
check "offline it takes the files" offline_setup build
check "without the network" grep -q -- '--no-download.*/debs/' "$T/apt.log"
rm -f "$T/has-meson" "$T/apt.log"
check "as root it installs" setup build
check "only what is missing" grep -qx \
	'apt-get install -y --no-install-recommends meson' "$T/apt.log"
rm -f "$T/apt.log"
check_no_out "and then has nothing to say" . setup build
check "nor to do" test ! -e "$T/apt.log"
rm -f "$T/has-meson"
touch "$T/apt-fails"
check_fails "a failing apt is a failure" setup build
check_out "after one more try with fresh lists" 'update' cat "$T/apt.log"
check_fails "an unknown group is one" setup nonsense
rm -f "$T/has-meson" "$T/apt-fails" "$T/apt.log"
on_terminal() { # ANSWER
	PATH=$T/fake:$PATH env -u POLDER_YES script -qec "'$POLDER_SOURCE/tools/setup' build" /dev/null <<<"$1"
}
check_fails "on a terminal, no is no" on_terminal n
check "nothing is installed then" test ! -e "$T/apt.log"
check_out "on a terminal it says what it will run" 'apt-get install .* meson' on_terminal y
check "and yes is yes" grep -q 'install.*meson' "$T/apt.log"

# ---- sources of others, from a directory ----

package() { # DIR NAME: a Debian source package with one file in it
	mkdir -p "$1" "$T/$2-1"
	echo "of $2" >"$T/$2-1/file"
	mkdir -p "$T/$2-1/debian"
	tar -C "$T" -czf "$1/$2_1.tar.gz" "$2-1"
	local size
	size=$(stat -c %s "$1/$2_1.tar.gz")
	printf 'Format: 3.0 (native)\nSource: %s\nVersion: 1\nFiles:\n %s %s %s\nChecksums-Sha256:\n %s %s %s\n' \
		"$2" "$(md5sum <"$1/$2_1.tar.gz" | cut -c 1-32)" "$size" "$2_1.tar.gz" \
		"$(sha256sum <"$1/$2_1.tar.gz" | cut -c 1-64)" "$size" "$2_1.tar.gz" >"$1/$2_1.dsc"
}
sources() { # what is missing must not be fetched: there is no apt
	env PATH="$T/fake:$PATH" POLDER_CACHE="$T/cache" POLDER_SOURCES="$T/sources" \
		"$POLDER_SOURCE/tools/guest-sources" "$@"
}
if command -v dpkg-source >/dev/null; then
	package "$T/sources" one
	package "$T/sources" two
	rm -f "$T/apt.log"
	check_out "sources are unpacked from a directory" "^$T/cache/sources/one$" sources one
	check "they are what was packed" grep -qx 'of one' "$T/cache/sources/one/file"
	check_err "others are named" 'no three_\*.dsc' sources three
	printf 'x' >>"$T/sources/two_1.tar.gz"
	check_err "damaged ones are refused" 'not what their .dsc says' sources two
	check "and nothing of them is left" test ! -e "$T/cache/sources/two" -a \
		-z "$(find "$T/cache/sources" -name '.new*')"
	rm -r "$T/sources"
	check_out "what is unpacked is not asked for again" 'sources/one' sources one
	check "apt was not called" test ! -e "$T/apt.log"
else
	skip "sources of others" "there is no dpkg-source"
fi

# ---- the count ----

count() { # RESULT STDOUT: what tools/check makes of one meson test
	python3 - "$@" <<'E2'
import importlib.machinery, importlib.util, os, sys
loader = importlib.machinery.SourceFileLoader("check", os.environ["POLDER_SOURCE"] + "/tools/check")
sys.dont_write_bytecode = True
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
loader.exec_module(check)
words = [w for w, _, _ in check.checks_of({"name": "x", "result": sys.argv[1], "stdout": sys.argv[2]})]
print(*(words.count(w) for w in ("passed", "failed", "skipped")))
E2
}
check_out "a plain test counts as one" '^1 0 0$' count OK "hello"
check_out "lines of TAP each count" '^2 0 1$' count OK $'ok 1 - a\nok 2 - b # SKIP no\nok 3 - c'
check_out "a failed line is a failure" '^1 1 0$' count FAIL $'ok 1 - a\nnot ok 2 - b'
check_out "so is a script that broke off" '^1 1 0$' count ERROR $'ok 1 - a'
check_out "and a program that only crashed" '^0 1 0$' count FAIL ""
check_out "and one that hung" '^2 1 0$' count TIMEOUT $'ok 1 - a\nok 2 - b'
check_out "cmocka's tests each count" '^1 1 1$' count FAIL \
	$'[       OK ] a\n[  FAILED  ] b\n[  SKIPPED ] c\n[  FAILED  ] b\n 1 FAILED TEST(S)'
check_out "a skipped test is no success" '^0 0 1$' count SKIP "there is no kernel for it"

# ---- the programs ----

program() { # NAME CMD…: skipped where it was not built
	if [ -x "$POLDER_BUILD/polder" ]; then
		"$@"
	else
		skip "$2" "there is no polder in $POLDER_BUILD"
	fi
}
headers() { readelf -lWd "$T/bin/polder"; }
if ! grep -qs 'start path *: musl' "$POLDER_BUILD/meson-logs/meson-log.txt"; then
	skip "polder needs no library" "startlibc=host"
else
	program check_no_out "polder needs no library" 'NEEDED|INTERP' headers
fi
program check_out "polder may lie anywhere in memory" 'DYN \(' headers
program check_out "its tables become read-only" 'GNU_RELRO' headers
program check_out "all at once" 'BIND_NOW|FLAGS_1.*NOW' headers
program check_no_out "its stack cannot be executed" 'GNU_STACK .*RWE' headers

done_testing
