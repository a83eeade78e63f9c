#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-scale.sh [BUILD]: what `check` of a large composition costs, and that the cost is
# linear. Exit status 1 if an aim is missed: 1,000 environments 0.2 s, 10,000 (a list, or
# several documents) 2 s, and four times as many at most six times as long.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compose=${1:-${POLDER_BUILD:-$here/../build}}/polder-compose
[ -x "$compose" ] || { echo "check-scale: no $compose: run make build" >&2; exit 1; }
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

generate() { # FORM COUNT: mapping, list or documents
	awk -v form="$1" -v count="$2" 'BEGIN {
		pad = form == "list" ? "  " : "    "
		for (i = 0; i < count; i++) {
			if (form == "documents" && i % 500 == 0)
				print "---"
			if (i == 0 || (form == "documents" && i % 500 == 0))
				print "environments:"
			print form == "list" ? "- name: e" i : "  e" i ":"
			print pad "run: [sleep, \"1\"]"
			print pad "slots:"
			print pad "  /data: /srv/" i ",ro"
			print pad "  /run/x: own,size=1M"
			if (i > 0)
				print pad "  /peer: env:e" i - 1 "/d"
			print pad "exposes: {d: {dir: /run/x}}"
			print pad "limits: {mem: 64M, pids: 16}"
		}
	}'
}

best() { # FILE: milliseconds, the best of three
	local least=999999 from to i
	for i in 1 2 3; do
		from=$(date +%s%N)
		"$compose" check --facts all "$1" >"$T/out" || { cat "$T/out" >&2; exit 1; }
		to=$(date +%s%N)
		i=$(((to - from) / 1000000))
		[ "$i" -lt "$least" ] && least=$i
	done
	echo "$least"
}

missed=0
row() { # FORM COUNT LIMIT_MS
	generate "$1" "$2" >"$T/fleet.yaml"
	ms=$(best "$T/fleet.yaml")
	printf '  %7s environments, %-10s %6s ms' "$2" "$1" "$ms"
	if [ "$3" -gt 0 ] && [ "$ms" -gt "$3" ]; then
		printf '  aim %s: OVER\n' "$3"
		missed=1
	elif [ "$3" -gt 0 ]; then
		printf '  aim %s: good\n' "$3"
	else
		echo
	fi
}

echo "polder check"
row mapping 1000 200
row list 10000 2000
small=$ms
row documents 10000 2000
row mapping 10000 2000
row list 40000 0
if [ "$ms" -gt $((small * 6 + 100)) ]; then
	echo "  not linear: 40,000 take $ms ms, 10,000 $small ms"
	missed=1
fi
exit "$missed"
