#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a busy environment holds is changed at random, and its helpers are killed: what can be
# done inside is always what is said. ../live-random.py does it.
#
#	LIVE_STEPS	at most as many (300)
#	LIVE_SECONDS	at most as long (20), for each user
#	LIVE_SEED	to see the same steps again
. "$(dirname "$0")/../lib.sh"

: "${LIVE_STEPS:=300}" "${LIVE_SECONDS:=20}" "${LIVE_SEED:=$((RANDOM * 32768 + RANDOM))}"
export CHECK_TIMEOUT=$((LIVE_SECONDS + 120))

changes() {
	check "what is said is what is enforced, and nothing is left (seed $LIVE_SEED)" \
		me python3 "$POLDER_SOURCE/tests/live-random.py" "$LIVE_STEPS" "$LIVE_SECONDS" "$LIVE_SEED"
	sed 's/^/# /' "$OUT"
}

each_user changes
check_clean "nothing is left over" 15
done_testing
