#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder-compose as it is called: exit statuses, what goes to which stream, paths that
# start at the manifest, and the examples.
. "$(dirname "$0")/../lib.sh"

compose=$POLDER_BUILD/polder-compose
cd "$T" || exit 1
mkdir -p sub

cat >sub/good.yaml <<'E2'
environments:
  web:
    run: [httpd]
    slots: {/srv: ../www, /home/x: ~/x, socket:/run/db: env:db/sql}
  db:
    run: [db]
    exposes: {sql: {socket: /run/sql}}
E2
sed "s|\.\./www|'../www,ro'|" sub/good.yaml >sub/narrow.yaml
printf 'environments:\n  web: {rnu: x}\n' >bad.yaml
printf 'environments:\n  web: {run: [x, "a\n' >broken.yaml

stdin_of() { # FILE CMD…
	local file=$1
	shift
	"$@" <"$file"
}

json() { # EXPR CMD…: what CMD writes, however it ends, is JSON of which EXPR is true
	local expr=$1
	shift
	"$@" >json.out 2>/dev/null
	[ -s json.out ] && jq -e "$expr" json.out
}
stderr_has() { # LINE CMD…
	local line=$1
	shift
	"$@" 2>&1 >/dev/null | grep -Fx -e "$line"
}
stdout_has() { # ERE CMD…
	local ere=$1
	shift
	"$@" 2>/dev/null | grep -E -e "$ere"
}
silent() { # CMD…: writes nothing to standard output
	[ -z "$("$@" 2>/dev/null)" ]
}

# ---- check ----
check_out "a good manifest" '^sub/good.yaml: 2 environments, nothing wrong$' \
	"$compose" check --facts all sub/good.yaml
check_rc 1 "a bad one" "$compose" check --facts all bad.yaml
check "its mistake goes to standard error, with its place" stderr_has \
	'bad.yaml:2:9: error: an environment has no key "rnu"' "$compose" check --facts all bad.yaml
check "and a hint" stderr_has '      = hint: did you mean "run"?' \
	"$compose" check --facts all bad.yaml
check "and nothing to standard output" silent "$compose" check --facts all bad.yaml
check_rc 1 "a bad one as JSON" "$compose" check --json --facts all bad.yaml
check "is JSON, with every field" json '.ok == false and .errors == 2 and .environments == 1
	and .diagnostics[0].line == 2 and .diagnostics[1].column == 9' \
	"$compose" check --json --facts all bad.yaml
check_out "standard input" '2 environments' stdin_of sub/good.yaml "$compose" check --facts all -
check_rc 125 "a file that is not there" "$compose" check nowhere.yaml
check_rc 125 "a directory" "$compose" check "$T"
check_rc 125 "no file" "$compose" check
check_rc 125 "an unknown option" "$compose" check --jsno bad.yaml
check_rc 125 "an unknown subcommand" "$compose" chekc bad.yaml
check "is guessed" stderr_has 'polder: there is no subcommand "chekc"; did you mean check?' \
	"$compose" chekc bad.yaml

# ---- show, why ----
check_out "a path starts at the manifest" "\"ref\":\"$T/\./*sub/\.\./www\"|\"ref\":\"$T/sub/\.\./www\"" \
	"$compose" show -f sub/good.yaml --json --facts all
check_out "home is the caller's" '"ref":"/some/home/x"' \
	env HOME=/some/home "$compose" show -f sub/good.yaml --json --facts all
check "show is JSON" json '.environments[0].slots[0].cut == "new-uses"' \
	"$compose" show -f sub/good.yaml --json --facts all
check_out "asked beside enforced" '/run/db +env:db/sql +new-uses +bind mount' \
	"$compose" show -f sub/good.yaml --facts all
check_out "one environment" '^db \(stage 0\): db$' "$compose" show -f sub/good.yaml --facts all db
check_out "a picture" '"env web" -> "env db"' "$compose" show -f sub/good.yaml --dot --facts all
check_rc 125 "show of what is not there" "$compose" show -f sub/good.yaml nobody
check_rc 125 "show of a broken file" "$compose" show -f broken.yaml
check_out "why it can" '^web may read and write /srv/a, because sub/good.yaml:4:19 says' \
	"$compose" why -f sub/good.yaml web /srv/a
check_rc 1 "why it cannot" "$compose" why -f sub/good.yaml web /root
check "says so" stdout_has '^web cannot use /root, because nothing is bound' \
	"$compose" why -f sub/good.yaml web /root
check_rc 1 "why, as JSON" "$compose" why --json -f sub/good.yaml web net
check "is JSON" json '.can == false and (.why | startswith("web cannot use net"))' \
	"$compose" why --json -f sub/good.yaml web net
check_rc 125 "why of nobody" "$compose" why -f sub/good.yaml nobody net

# ---- authdiff ----
check_rc 0 "the same authority" "$compose" authdiff sub/good.yaml sub/good.yaml
check "says nothing" silent "$compose" authdiff sub/good.yaml sub/good.yaml
check_rc 1 "less authority" "$compose" authdiff sub/good.yaml sub/narrow.yaml
check "says what" stdout_has '^~ web /srv: .*/www → .*/www,ro  \(takes; sub/narrow.yaml:4:19\)$' \
	"$compose" authdiff sub/good.yaml sub/narrow.yaml
check_rc 1 "and as JSON" "$compose" authdiff --json sub/narrow.yaml sub/good.yaml
check "that gives" json '.[0].op == "~" and .[0].effect == "gives"' \
	"$compose" authdiff --json sub/narrow.yaml sub/good.yaml
check_rc 125 "a bad file has no authority to compare" "$compose" authdiff bad.yaml sub/good.yaml

# ---- examples and documents ----
for file in "$POLDER_SOURCE"/examples/*.yaml; do
	check_out "examples/${file##*/} is right" 'nothing wrong' "$compose" check --facts all "$file"
done
nullified() { # FILE: with every slot on null
	"$compose" show -f "$1" --json --facts all |
		jq -f "$POLDER_SOURCE/tests/integration/all-null.jq" >null.yaml &&
		"$compose" check --facts all null.yaml &&
		"$compose" authdiff "$1" null.yaml
}
nullified_gives() { # what authdiff calls a gain, limits apart
	nullified "$1" | grep -v ' limit ' || :
}
for file in "$POLDER_SOURCE"/examples/*.yaml; do
	check_rc 1 "examples/${file##*/} can have every slot on null" nullified "$file"
	check_no_out "and gains nothing by it" '\(gives' nullified_gives "$file"
done
examples_of_the_page() { # each ```yaml block of docs/manifest.md that declares something
	awk '/^```yaml/ { on = 1; n++; next } /^```/ { on = 0 } on { print > ("page" n ".yaml") }' \
		"$POLDER_SOURCE/docs/manifest.md"
	for file in page*.yaml; do
		if grep -q '^slots:' "$file"; then
			{
				printf 'environments:\n  a:\n    run: [x]\n'
				sed 's/^/    /' "$file"
			} >tmp.yaml
			mv tmp.yaml "$file"
		fi
		"$compose" check --facts all "$file" || return 1
	done
}
check_out "every example of the page is right" 'page3' examples_of_the_page

done_testing
