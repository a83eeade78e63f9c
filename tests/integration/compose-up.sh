#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# polder up, down and run -f: a composition becomes running environments, as a whole or
# not at all.
. "$(dirname "$0")/../lib.sh"

polder() { me "$T/bin/polder" "$@"; }
state_is() { polder ps | grep -Eq "^$1 .*$2"; }
logs_have() { polder logs "$1" | grep -Eq -e "$2"; }
states() { polder ps --json | jq -r '.[] | "\(.composition).\(.name) \(.state)"' | sort; }
nothing_runs() { ! polder ps | grep -Eq 'running|paused|created'; }

manifests() {
	cat >pair.yaml <<-'E'
	name: pair
	environments:
	  server:
	    run:
	      - python3
	      - -c
	      - |
	        import os, socket, time
	        time.sleep(0.3)  # the client must not be there before
	        open("/srv/greeting", "w").write("hello")
	        s = socket.socket(socket.AF_UNIX)
	        s.bind("/srv/sock"); os.chmod("/srv/sock", 0o666); s.listen()
	        while True:
	            c, _ = s.accept()
	            c.sendall(b"answer"); c.close()
	    slots: {/srv: own}
	    exposes: {files: {dir: /srv}, sock: {socket: /srv/sock}}
	    ready: {path: /srv/sock, timeout: 20s}
	  client:
	    run:
	      - python3
	      - -c
	      - |
	        import socket, time
	        s = socket.socket(socket.AF_UNIX)
	        s.connect("/run/s")
	        print("got", s.recv(100).decode(), open("/in/greeting").read(), flush=True)
	        try:
	            open("/in/x", "w")
	        except OSError as e:
	            print("refused", e.strerror, flush=True)
	        time.sleep(1000)
	    slots:
	      socket:/run/s: env:server/sock
	      /in: env:server/files,ro
	E
	cat >notify.yaml <<-'E'
	environments:
	  service:
	    run:
	      - python3
	      - -c
	      - |
	        import os, socket, time
	        time.sleep(0.3)
	        open("/data/prepared", "w").close()
	        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	        s.connect(os.environ["NOTIFY_SOCKET"])
	        s.send(b"STATUS=working\nREADY=1\n")
	        time.sleep(1000)
	    slots: {/data: own}
	    exposes: {data: {dir: /data}}
	    ready: {notify: true, timeout: 20s}
	  user:
	    run: [sh, -c, 'ls /data; exec sleep 1000']
	    slots: {/data: 'env:service/data,ro'}
	E
	cat >never.yaml <<-'E'
	environments:
	  good: {run: [sleep, '1000'], ready: {path: /tmp}}
	  bad: {run: [sleep, '1000'], after: [good], ready: {path: /tmp/never, timeout: 500ms}}
	  later: {run: [sleep, '1000'], after: [bad]}
	E
	sed 's/sleep, .1000., *\], after/x/; s/run: \[sleep, .1000.\], after: \[good\], ready: .*/run: [sh, -c, "exit 3"], after: [good], ready: {path: \/tmp\/never, timeout: 20s}}/' \
		never.yaml >ends.yaml
	sed 's/run: \[sleep, .1000.\], after: \[good\], ready: .*/run: [there-is-none], after: [good]}/' \
		never.yaml >missing.yaml
	cat >wrong.yaml <<-'E'
	environments:
	  one: {run: [sleep, '1000']}
	  two: {run: [sleep, '1000'], slots: {/x: env:three/data}}
	E
	chmod a+r ./*.yaml
}

pair() {
	manifests
	check_out "up" 'pair.client: started' polder up pair.yaml
	check_out "the server runs" 'server .*running' polder ps
	check "the client reached both" until_ok 10 logs_have pair.client '^got answer hello'
	check "and could not write" until_ok 10 logs_have pair.client '^refused Read-only'
	check_out "show of one" 'env:server/sock' polder show pair.client
	check_out "why" 'pair.yaml|env:server' polder why pair.client /in
	check_out "up once more changes nothing" 'pair.server: runs already' polder up pair.yaml
	check_no_out "starts nothing" ': started' polder up pair.yaml
	check_out "as JSON" '"started":\[\]' polder up --json pair.yaml
	check "down" polder down pair.yaml
	check_out "both are stopped" '^pair.client stopped pair.server stopped $' lines_of states
	check_out "up again" 'pair.server: started' polder up pair.yaml
	check "it works" until_ok 10 logs_have pair.client '^got answer hello'
	check "the client alone can be stopped" polder stop pair.client
	check_out "up starts only that" '"started":\["client"\]' polder up --json pair.yaml
	sed 's/time.sleep(1000)/time.sleep(2000)/' pair.yaml >pair2.yaml
	check_out "a changed file is told" 'otherwise than the file says' polder up pair2.yaml
	check "down --rm" polder down --rm pair.yaml
	check_no_out "nothing is there" pair polder ps
	check_rc 0 "down once more" polder down pair.yaml
	check_clean "$ME: nothing is left over"
}
lines_of() { "$@" | tr '\n' ' '; }

notification() {
	check_out "readiness by notification" 'notify.service: ready' polder up notify.yaml
	check "only then the next" until_ok 10 logs_have notify.user '^prepared'
	check "down" polder down --rm notify.yaml
	check_no_out "all gone" notify polder ps
}

failing() {
	local f
	check_rc 125 "one that never becomes ready" polder up never.yaml
	check_err "is named" "bad: it did not become ready in time" polder up never.yaml
	check_err "what ran before it is stopped again" "never.good was stopped again" \
		polder up never.yaml
	check "nothing runs" nothing_runs
	check_no_out "what comes after was not started" 'later' polder ps
	check_rc 125 "one that ends before it is ready" within 10 polder up ends.yaml
	check_err "is told apart" "bad: it ended \(3\) before" polder up ends.yaml
	check "nothing runs" nothing_runs
	check_err "a program that is not there" "bad: .*there-is-none" polder up missing.yaml
	check "nothing runs" nothing_runs
	check_rc 125 "a mistake in the file" polder up wrong.yaml
	check_err "is shown at its place" "wrong.yaml:3:.*three" polder up wrong.yaml
	check_err "and starts nothing" "nothing was started" polder up wrong.yaml
	check_no_out "truly" wrong polder ps
	check_rc 125 "no such file" polder up nosuch.yaml
	check_err "is named" "nosuch.yaml" polder up nosuch.yaml
	check_err "no file" "up needs one file" polder up
	for f in never ends missing; do
		check_rc 0 "down --rm of the rest of $f" polder down --rm $f.yaml
	done
	check_clean "$ME: nothing is left over"
}
within() { # SECONDS CMD…
	local end=$((SECONDS + $1 + 1)) rc
	shift
	"$@"
	rc=$?
	[ "$SECONDS" -le "$end" ] && return $rc
	return 99
}

# up is as before when it was refused: what ran already goes on.
partly() {
	cat >grow.yaml <<-'E'
	environments:
	  first: {run: [sleep, '1000']}
	E
	check "one" polder up grow.yaml
	printf '  second: {run: [there-is-none], after: [first]}\n' >>grow.yaml
	check_rc 127 "a second that cannot start" same_code polder up grow.yaml
	check "the first goes on" state_is grow.first running
	check "down" polder down --rm grow.yaml
}
same_code() { # up says 125, or what the program's start said
	"$@"
	case $? in 125 | 127) return 127 ;; *) return 1 ;; esac
}

one_of_a_file() {
	cat >tools.yaml <<-'E'
	environments:
	  count:
	    run: [sh, -c, 'wc -l']
	    slots: {/in: {from: fake, files: {f: "a\nb\n"}}}
	  long: {run: [sleep, '1000']}
	E
	check_out "run -f" '^0$' polder run -f tools.yaml count
	check_out "with a program of the command line" '^a$' polder run -f tools.yaml count -- head -n 1 /in/f
	check_rc 4 "its status" polder run -f tools.yaml count -- sh -c 'exit 4'
	check_err "one that the file does not have" "no environment 'cuont'" \
		polder run -f tools.yaml cuont
	check_err "an option that belongs into the file" "the rest is in the file" \
		polder run -f tools.yaml -r x count
	check "run -f -d" polder run -f tools.yaml -d long
	check "runs" state_is '[^ ]*long' running
	check "stop" polder stop tools.long
	check_no_out "is disposable" long polder ps
	check_clean "$ME: nothing is left over"
}

# What a server's death does to a client is said in docs/servers.md; starting again works.
server_again() {
	polder up pair.yaml >/dev/null 2>&1
	check "the client reached the server" until_ok 10 logs_have pair.client '^got answer hello'
	check "the server is killed" polder stop -s KILL pair.server
	check_out "up brings it back" '"started":\["server"\]' polder up --json pair.yaml
	check "and a restarted client reaches it" polder restart pair.client
	check "again" until_ok 10 logs_have pair.client '^got answer hello'
	check "down" polder down --rm pair.yaml
}

many() {
	{
		echo 'environments:'
		seq -f '  e%g: {run: [sleep, "1000"], console: null}' 1 30 |
			sed 's/, console: null//'
	} >many.yaml
	check "thirty at once" polder up many.yaml
	check_out "run" '^30$' running_now
	check "and go" polder down --rm many.yaml
	check_no_out "all of them" many polder ps
	check_clean "$ME: nothing is left over"
}
running_now() { polder ps | grep -c running; }

each_user pair
each_user notification
each_user failing
each_user partly
each_user one_of_a_file
each_user server_again
each_user many
check_clean "nothing is left over"
done_testing
