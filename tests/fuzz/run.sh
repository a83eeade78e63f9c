#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh TARGET SEEDS: lets libFuzzer run TARGET for FUZZ_SECONDS (60), from SEEDS and
# from what earlier runs kept beside the target. An input that breaks it is kept there
# too, and named. For hours: FUZZ_SECONDS=36000 make check, or the target itself.
set -eu
target=$1 seeds=$2
seconds=${FUZZ_SECONDS:-60}
if [ "$seconds" = 0 ]; then
	echo "skipped: FUZZ_SECONDS=0"
	exit 77
fi
corpus=$target.corpus
mkdir -p "$corpus"
exec "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
	-artifact_prefix="$target.broke-" -print_final_stats=1 -verbosity=0 "$corpus" "$seeds"
