#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder apply: what runs becomes what the file says, and what is the same is not touched.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
fleet() { # NAME: fleet.yaml from standard input
	{ echo "name: fleet"; echo "environments:"; sed 's/^/  /'; } >fleet.yaml
	chmod a+r fleet.yaml
}
apply() { polder apply "$@" fleet.yaml; }
steps() { apply --json "$@" | jq -r '.steps[] | "\(.environment) \(.op) \(.slot) \(.state)"'; }
lines() { "$@" 2>&1 | tr '\n' ';'; }
started() { polder ps --json | jq -r '.[] | select(.name == "'"$1"'") | .generation'; }
# What it runs as: its tender, and its program and when that began, as seen inside.
runs_as() {
	polder ps --json | jq -r '.[] | select(.name == "'"$1"'") | .tender'
	in_it "$1" sh -c 'for p in /proc/[0-9]*; do
		grep -qz ^1000$ $p/cmdline 2>/dev/null && cut -d" " -f1,22 $p/stat; done; :'
}
runs_as_in() { # FILE ENV
	[ "$(wc -l <"$1")" -ge 2 ] && runs_as "$2" | diff - "$1"
}
in_it() { polder exec "fleet.$1" -- "${@:2}"; }
said() { apply "$@" 2>&1 | sed 's/^fleet.//' | tr '\n' ';'; }

live_slots() { polder show --json fleet.web | jq -r '.slots[] | select(.live) | .slot'; }

files() {
	rm -rf photos logs tree link
	mkdir -p photos/.private logs tree
	echo one >photos/a
	echo secret >photos/.private/b
	echo log >logs/l
	echo tree >tree/t
	ln -s photos link
	! have_root || chown -hR "$MY_UID:$MY_UID" photos logs tree link
}

# ---- every kind of step ----

first() {
	fleet <<-'E'
	db: {run: [sleep, '1000'], slots: {/srv: own}, exposes: {d: {dir: /srv}}}
	web:
	  run: [sleep, '1000']
	  slots: {/in: 'env:db/d,ro', /data: './photos,ro,log', /logs: './logs,cut=complete'}
	quiet: {run: [sleep, '1000'], slots: {/data: './photos,ro,log', /tree: './tree,ro'}}
	old: {run: [sleep, '1000'], slots: {/o: own}, exposes: {o: {dir: /o}}}
	old-client: {run: [sleep, '1000'], slots: {/o: 'env:old/o,ro'}}
	E
}
second() {
	fleet <<-'E'
	db: {run: [sleep, '1000'], slots: {/srv: own}, exposes: {d: {dir: /srv}}}
	web:
	  run: [sleep, '1000']
	  slots: {/in: 'env:db/d,ro', /data: './photos,ro,log,hide=.private', /new: './link,ro'}
	quiet: {run: [sleep, '1000'], slots: {/data: './photos,ro,log', /tree: './tree,ro'}}
	more: {run: [sleep, '1000'], slots: {/in: 'env:db/d,ro'}}
	E
}

changes() {
	files
	first
	check_out "a dry run says what would be" '^\+ web: start  \(fleet.yaml:4:' apply --dry-run
	check_no_out "and does nothing" fleet polder ps
	check_out "from nothing, all is started" '^db: started;.*db: ready;.*web: started;.*web: ready;' said
	check_out "then there is nothing to do" '^ *nothing to do;' said
	check_out "a dry run says so, too" '^nothing to do$' apply --dry-run

	# Of what is the same, nothing may change: a program that has a file open.
	me_bg polder exec fleet.quiet -- sh -c \
		'exec 3</data/a; touch /tmp/open; while [ ! -e /tmp/now ]; do sleep 0.05; done; cat <&3'
	check "something is open" until_ok 10 in_it quiet test -e /tmp/open
	runs_as quiet >quiet.before
	runs_as db >db.before
	second
	check_out "what would be taken" '^~ web: revoke /logs  \(fleet.yaml:4:3\)' apply --dry-run
	check_out "narrowed" '^~ web: attenuate /data hide=.private  \(fleet.yaml:6:' apply --dry-run
	check_out "given" '^~ web: grant /new=.*/link,ro  \(fleet.yaml:6:' apply --dry-run
	check_out "stopped" '^- old: stop' apply --dry-run
	check_out "started" '^\+ more: start' apply --dry-run
	check_out "as JSON, in this order" "$(printf '%s;' 'web revoke /logs planned' \
		'web attenuate /data planned' 'old-client stop null planned' \
		'old stop null planned' 'web grant /new planned' \
		'more start null planned')" lines steps --dry-run
	check_out "none of that is done" '^log$' in_it web cat /logs/l
	check_out "then it is" "$(printf '%s;' 'web: /logs revoked' \
		'web: /data attenuated: hide=.private' 'old-client: stopped' 'old: stopped' \
		'web: /new granted' 'more: started' 'more: ready')" said
	check_fails "what was taken is gone" in_it web cat /logs/l
	check_fails "what is hidden, too" in_it web cat /data/.private/b
	check_out "the rest is there" '^one$' in_it web cat /data/a
	check_out "and what was given" '^one$' in_it web cat /new/a
	check_fails "to read alone" in_it web sh -c 'echo x >/new/a'
	check_out "web was not restarted" '^1$' started web
	check_out "nor quiet" '^1$' started quiet
	check "its tender and its program are the same" runs_as_in quiet.before quiet
	check "and those of what another is bound to" runs_as_in db.before db
	check "it goes on" in_it quiet touch /tmp/now
	check "to its end" wait "$PID"
	check_out "with what it had open" '^one$' cat "$BG_OUT"
	check_out "what is gone from the file is stopped, and known" 'fleet.old .*stopped' polder ps
	check_out "applied once more, there is nothing to do" 'nothing to do' apply
	check_no_out "up finds it as the file says" 'otherwise' polder up fleet.yaml

	check_out "why names the change" 'change since its start says /new=' polder why fleet.web /new
	check_out "or the manifest" 'the manifest of fleet says /in=' polder why fleet.web /in
	check_rc 1 "what was taken cannot be used" polder why fleet.web /logs
	check_rc 1 "nor what is hidden" polder why fleet.web /data/.private/b
	check_out "show tells since when" 'since it runs' polder show fleet.web
	check_no_out "and what is no more" '/logs' polder show fleet.web
	check_out "JSON too" '^/new$' live_slots

	first
	check_out "and all the way back" 'web: /logs granted' apply
	check_out "it is there again" '^log$' in_it web cat /logs/l
	check_out "nothing is hidden" '^secret$' in_it web cat /data/.private/b
	check_out "what was stopped runs" 'fleet.old .*running' polder ps
	check_out "web was not restarted for it" '^1$' started web
	check "down" polder down --rm fleet.yaml
	check_clean "nothing is left over"
}

# ---- what is written in other ways ----

# Whatever a manifest can say, what was started from it is the same as it.
same() {
	files
	me mkdir -p 'odd,=name'
	fleet <<-'E'
	db:
	  run: [sleep, '1000']
	  vars: {A: 'x y', B: ''}
	  slots:
	    /srv: own
	    /opt/app: {from: fake, files: {app.conf: "color = blue\n"}}
	    /models: {optional: true}
	    /maybe: {from: ./nowhere, optional: true}
	    /null: null
	    /one: ./photos/a
	    /docs: {from: ./link, through: [ro, log]}
	    /odd: "./odd\\,\\=name,ro,hide=*.key,ttl=1h"
	    identity: {from: fake, hostname: builder}
	    clock: own,offset=1h
	    console: {from: fake, input: "a\nb"}
	  limits: {pids: 20, time: 1h}
	  exposes: {d: {dir: /srv}}
	  ready: {path: /srv}
	server:
	  run:
	    - python3
	    - -c
	    - |
	      import socket, time
	      s = socket.socket(socket.AF_UNIX); s.bind("/tmp/s"); s.listen(); time.sleep(1000)
	  exposes: {s: {socket: /tmp/s}}
	  ready: {path: /tmp/s}
	web:
	  run: [sleep, '1000']
	  chdir: /in
	  slots: {/in: 'env:db/d,ro', socket:/run/s: env:server/s, /etc/x: './photos/a,ro'}
	E
	check_out "it is up" 'web: ready' apply
	check_out "and the same" '^nothing to do$' apply --dry-run
	check "one is started again by itself" polder restart fleet.web
	check_out "and the same" '^nothing to do$' apply --dry-run
	check "a server alone is" polder restart fleet.server
	check_out "then who is bound to it holds nothing" \
		'^! web: restart, because "/run/s" is bound to server, which was started anew' \
		apply --dry-run
	check_out "and is restarted" '^web: restarted: "/run/s"' said
	check_out "and the same" '^nothing to do$' apply --dry-run
	check "all are stopped" polder down fleet.yaml
	check_out "started again" 'web: ready' apply
	check_out "and the same" '^nothing to do$' apply --dry-run
	check "granted beside the file" polder grant fleet.web /beside=./photos,ro
	check_out "is taken back" '^web: /beside revoked;$' said
	check "revoked beside it" polder revoke fleet.db /docs
	check_out "is granted again" '^db: /docs granted;$' said
	check_out "and the same" '^nothing to do$' apply --dry-run
	check "down" polder down --rm fleet.yaml
	check_clean "nothing is left over"
}

# ---- restarts ----

restarts() {
	files
	first
	check "it is up" apply
	sed -i "s/run: \[sleep, '1000'\], slots: {\/srv: own}/run: [sleep, '2000'], slots: {\/srv: own}/" \
		fleet.yaml
	check_out "whoever is bound to a restarted one is, too" \
		'db: restarted: its arguments.*db: ready;web: restarted: .*/in.* is bound to db.*web: ready' said
	check_out "the others are not" '^1$' started quiet
	check_out "db is" '^2$' started db
	check_out "it works again" '^one$' in_it web cat /data/a
	sed -i "s/old: {run: \[sleep, '1000'\], slots: {/old: {vars: {A: b}, run: [sleep, '1000'], slots: {net: host, /" fleet.yaml
	check_out "the first reason is told" 'old: restarted: its variables are others' said
	sed -i 's/net: host/net: null/' fleet.yaml
	check_out "a network" 'old: restarted: "net": the network namespace is chosen' said
	sed -i 's/net: null/net: null, socket:\/s: .\/sock/' fleet.yaml
	me python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
	check_out "a socket is mounted at the start" 'old: restarted: "/s" is mounted when' said
	check_out "then there is nothing to do" 'nothing to do' apply
	check "down" polder down --rm fleet.yaml
}

# ---- what is refused before ----

unchanged() { check_out "nothing has changed: $1" 'nothing to do' polder apply before.yaml; }

refused() {
	files
	first
	check "it is up" apply
	cp fleet.yaml before.yaml
	chmod a+r before.yaml
	sed -i 's/old: {run/old: {runs/; s/\/data: .\.\/photos,ro,log., \/logs/\/logs/' fleet.yaml
	check_err "a mistake in the file" 'nothing was changed' apply
	unchanged "a mistake"
	first
	sed -i 's/\/tree: .\.\/tree,ro.//; s/\/logs: .\.\/logs,cut=complete.//' fleet.yaml
	check_err "a cut that is weak" 'fleet.yaml:.*quiet: "/tree".*--new-only' apply
	check_err "in a dry run, too" '--new-only' apply --dry-run
	unchanged "a weak cut"
	first
	sed -i 's/\.\/logs,cut=complete/.\/nowhere,ro/; s/, \/tree: .\.\/tree,ro.//' fleet.yaml
	check_err "what is not there" "web: cannot grant '.*/nowhere'" apply --new-only
	unchanged "what is not there"
	first
	sed -i 's/\.\/logs,cut=complete/.\/logs,ttl=@1000000000/' fleet.yaml
	check_err "a time that is over" 'has passed' apply
	unchanged "a time"
	first
	sed -i 's/env:db\/d,ro/env:db\/d,ro,log/' fleet.yaml
	check_err "a caretaker of another's" 'cannot be served by a caretaker yet' apply
	unchanged "another's"
	check_rc 125 "two words that exclude each other" polder apply --new-only --kill before.yaml
	check_rc 125 "no file" polder apply nowhere.yaml

	first
	sed -i 's/, \/tree: .\.\/tree,ro.//' fleet.yaml
	check_out "it may stay open" 'quiet: /tree revoked' apply --new-only
	check_out "without a restart" '^1$' started quiet
	check_fails "nothing is opened any more" in_it quiet cat /tree/t
	check_out "a tree comes as a grant" 'quiet: /tree granted' polder apply before.yaml
	check_out "which can be cut" 'quiet: /tree revoked' apply
	check "down" polder down --rm fleet.yaml
	check "as before" polder up before.yaml
	sed -i 's/, \/tree: .\.\/tree,ro.//' fleet.yaml
	check_out "or the program goes with it" 'quiet: restarted: what it has open is taken away' apply --kill
	check_fails "then it is gone" in_it quiet cat /tree/t
	check "down" polder down --rm fleet.yaml

	check "one of it, disposable" polder run -f fleet.yaml -d --rm quiet
	check_err "cannot be compared" 'fleet.quiet: it was started disposable' apply
	check_no_out "and nothing is started" 'fleet.web' polder ps
	check "down" polder down --rm fleet.yaml
	check_clean "nothing is left over"
}

# ---- a step that fails ----

fails() {
	files
	first
	check "it is up" apply
	cp fleet.yaml before.yaml
	second
	sed -i 's/\/new: /\/usr\/nosuch-place: /' fleet.yaml
	check_rc 125 "a grant that has no place" apply
	check_err "is told, with its step" 'fleet.web: grant /usr/nosuch-place=.*mount point' apply
	check_err "and what was not done" 'not done: fleet.more: start' apply
	check_out "also as JSON" 'web grant /usr/nosuch-place failed;more start null not done;$' \
		lines steps
	check_fails "what was done before stays" in_it web cat /logs/l
	check_out "and is held to be so" '^~ web: grant /usr/nosuch-place' apply --dry-run
	check_no_out "that alone is left" 'revoke|attenuate' apply --dry-run
	check_no_out "nothing runs that was not reached" 'fleet.more .*running' polder ps
	second
	check_out "the right file goes on from there" '^web: /new granted;more: started;' said
	check_out "it is as it should be" 'nothing to do' apply

	sed -i "s/more: {run: \[sleep, '1000'\]/more: {run: [there-is-none]/" fleet.yaml
	check_err "a start that fails" 'fleet.more: restart: ' apply
	check_out "leaves it stopped" 'fleet.more .*stopped' polder ps
	check_out "which is known" '^\+ more: start' apply --dry-run
	second
	check_out "and can be put right" 'more: started' said
	sed -i "s/more: {run: \[sleep, '1000'\]/more: {ready: {path: \/tmp\/never, timeout: 300ms}, run: [sleep, '1001']/" \
		fleet.yaml
	check_err "one that is never ready" 'fleet.more: ' apply
	check "down" polder down --rm fleet.yaml
	check_clean "nothing is left over"
}

for f in changes same restarts refused fails; do
	each_user "$f"
done
check_clean "nothing is left over"
done_testing
