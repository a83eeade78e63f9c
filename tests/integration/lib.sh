#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# libpolder: what is installed can be built against, and does with environments what
# polder does.
. "$(dirname "$0")/../lib.sh"

# ---- what is installed ----

inst=$T/inst
install_it() { meson install -C "$POLDER_BUILD" --no-rebuild --destdir "$inst" --quiet; }
check "it is installed" install_it
pc=$(find "$inst" -name libpolder.pc)
so=$(find "$inst" -name libpolder.so)
archive=$(find "$inst" -name libpolder.a)
header=$(find "$inst" -name polder.h)
chmod -R go+rX "$inst"
check "with its header, pkg-config file and library" test -n "$pc" -a -n "$so" -a -n "$header"

flags() { # the compiler's, as a dependent's build has them
	PKG_CONFIG_SYSROOT_DIR=$inst PKG_CONFIG_PATH=$(dirname "$pc") \
		pkg-config --cflags --libs libpolder
}
check_out "pkg-config knows it" '-lpolder' flags
sanitizers=()
if nm -D "$so" | grep -q __asan_; then
	sanitizers=('-fsanitize=address,undefined')
fi
build() { # OUT SOURCE CC-OPTION…
	local out=$1 source=$2
	shift 2
	# shellcheck disable=SC2046 # several words
	cc -D_GNU_SOURCE -Wall -Wextra -Werror "${sanitizers[@]}" -o "$out" "$source" "$@" \
		$(flags) -pthread "-Wl,-rpath,$(dirname "$so")"
}
for name in enter list check; do
	check "example $name builds as C99" build "$T/bin/example-$name" \
		"$POLDER_SOURCE/examples/c/$name.c" -std=c99 -pedantic
done
check "so does the test" build "$T/bin/lib-life" "$POLDER_SOURCE/tests/integration/lib-life.c"

# The manual page's own example, on a directory that is there.
page() {
	man=$POLDER_SOURCE/docs/man/libpolder.3
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$man" | sed -e '/^\./d' -e 's/\\e/\\/g' \
		-e "s,/srv/data,$T/data,g" >"$T/page.c"
	build "$T/bin/page" "$T/page.c" -std=c99
}
mkdir "$T/data"
printf 'one\ntwo\n' >"$T/data/list"
chmod -R go+rX "$T/data"
check "the manual page's example builds" page

as_cxx() {
	printf '#include <polder/polder.h>\nint main() { return polder_version() == nullptr; }\n' \
		>"$T/x.cc"
	c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I${header%/polder/polder.h}" \
		"$T/x.cc"
}
if command -v c++ >/dev/null; then
	check "the header is C++ too" as_cxx
else
	skip "the header is C++ too" "there is no C++ compiler"
fi

names() { nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }'; }
check_no_out "the library shows its own names and no other" '^([^p]|p[^o]|.{0,6}$)' names
declared() {
	grep -o 'polder_[a-z_]*(' "$header" | tr -d '(' | sort -u >"$T/declared"
	names | sed 's/@.*//' | sort -u | comm -13 - <(nm -D --defined-only "$so" |
		awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort -u)
	nm -D --defined-only "$so" | awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort -u |
		diff "$T/declared" -
}
check "they are those of the header" declared
if [ -n "$archive" ]; then
	outside() { nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | grep -v '^polder_'; }
	check_rc 1 "so does the archive" outside
	static() {
		cc -o "$T/bin/static-enter" "$POLDER_SOURCE/examples/c/enter.c" \
			"-I${header%/polder/polder.h}" "$archive" -lfyaml
	}
	check "a program can be linked with it" static
else
	skip "so does the archive" "a build with sanitizers has none"
fi

# ---- in use ----

uses() {
	local subject
	for subject in life run streams refused granted no_entry abandoned exposed threads rough; do
		check "$subject" me "$T/bin/lib-life" "$subject"
	done
	check_out "the example enters, and is told how it ended" '^it ended with 3$' \
		me "$T/bin/example-enter"
	check_out "and sees a neutral name" '^user$' me "$T/bin/example-enter"
	check_out "the manual page's example runs" "^2 $T/data/list\$" me "$T/bin/page"
	if [ -n "$archive" ]; then
		check_out "linked statically too" '^it ended with 3$' me "$T/bin/static-enter"
	fi
	printf 'environments:\n  web:\n    run: [sleep, "1"]\n    slots:\n      nett: null\n' >bad.yaml
	check_out "a manifest is checked as polder does" \
		'^bad.yaml:5:7: error: there is no slot "nett"' rc1 me "$T/bin/example-check" bad.yaml
	check "one is started by polder" me "$T/bin/polder" run -n both -d -- sleep 100
	check_out "and listed by the library" '^[0-9a-f]{12} both running$' me "$T/bin/example-list"
	check_out "with its slots" 'net=null: .* \(cut: complete\)' me "$T/bin/example-list" both
	check "and goes" me "$T/bin/polder" rm -f both
	check_clean "nothing is left"
}
rc1() { "$@" || [ $? = 1 ]; }
each_user uses

# Without one in PATH, the library takes the polder that was installed with it.
alone() { PATH=/usr/bin:/bin as_user "$T/bin/example-enter"; }
check_out "the polder beside the library is found" '^it ended with 3$' alone

done_testing
