#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# "ro" means the same wherever a tree comes from: a granted directory, the root, what
# another environment exposes. Files cannot change, and no socket or FIFO leads out.
# Beside each, the same without "ro", which does.
. "$(dirname "$0")/../lib.sh"

listener() { # in the background: tree/sock is listened at, tree/fifo is read
	cat >serve.py <<'PY'
import os, socket, sys, time
os.chdir(sys.argv[1])
os.mkfifo("fifo")
os.chmod("fifo", 0o666)
s = socket.socket(socket.AF_UNIX)
s.bind("sock")
os.chmod("sock", 0o666)
s.listen()
f = os.open("fifo", os.O_RDWR)
open("file", "w").write("text\n")
while True:
    print("got", os.read(f, 100).decode().strip(), flush=True)
PY
	cat >use.py <<'PY'
import os, socket, sys
os.chdir(sys.argv[1])
print(open("file").read(), end="")
try:
    socket.socket(socket.AF_UNIX).connect("sock")
    print("connected")
except OSError:
    print("no socket")
try:
    os.write(os.open("fifo", os.O_WRONLY | os.O_NONBLOCK), sys.argv[2].encode())
    print("written")
except OSError:
    print("no fifo")
try:
    open("file", "a")
    print("changed")
except OSError:
    print("unchanged")
PY
}

all_of() { printf 'text\nconnected\nwritten\nchanged\n'; }
none_of() { printf 'text\nno socket\nno fifo\nunchanged\n'; }
reads_like() { # WHAT EXPECTED CMD…
	local what=$1 expected=$2
	shift 2
	lib_run "$@"
	if [ "$(cat "$OUT")" = "$expected" ]; then
		pass "$what"
	else
		fail "$what" "$(lib_story "$expected" "$@")"
	fi
}

directory() {
	reads_like "a directory for writing is shared" "$(all_of)" \
		me polder run -w "$PWD/tree" -r use.py -- python3 use.py "$PWD/tree" dir-rw
	reads_like "a directory with ro carries files alone" "$(none_of)" \
		me polder run -r "$PWD/tree" -r use.py -- python3 use.py "$PWD/tree" dir-ro
}

# The root needs a python3: the host's, granted.
root_tree() {
	local under=(-r /usr -g identity=parent --chdir /)
	local run='cd /t; cat file; [ -w file ] && echo changed || echo unchanged'
	reads_like "the root for writing can be changed" $'text\nchanged' \
		me polder run "${under[@]}" -g "/=$PWD/root" -- sh -c "$run"
	check "the FIFO of the root for writing is used" \
		me polder run "${under[@]}" -g "/=$PWD/root" -- sh -c 'echo root-rw >/t/fifo'
	reads_like "the root with ro cannot" $'text\nunchanged' \
		me polder run "${under[@]}" -g "/=$PWD/root,ro" -- sh -c "$run"
	check_rc 137 "nor its FIFO be used" \
		me polder run "${under[@]}" --time 1s -g "/=$PWD/root,ro" -- \
		sh -c 'echo root-ro >/t/fifo || sleep 9'
}

exposed() {
	cat >pair.yaml <<'YAML'
name: pair
environments:
  owner:
    run: [python3, /serve.py, /out]
    slots: {/out: own, /serve.py: "./serve.py,ro"}
    exposes: {tree: {dir: /out}}
    ready: {path: /out/file}
  reader:
    run: [python3, /use.py, /in, env-ro]
    slots: {/in: "env:owner/tree,ro", /use.py: "./use.py,ro"}
  writer:
    run: [python3, /use.py, /in, env-rw]
    slots: {/in: env:owner/tree, /use.py: "./use.py,ro"}
YAML
	if [ "$ME" = root ]; then
		check_err "as root one writes no other's files: told, with what can be done" \
			'can only be read: started by root.*add ,ro' me polder up pair.yaml
		me polder down --rm pair.yaml >/dev/null 2>&1
		sed -i '/^  writer:/,$d' pair.yaml
	fi
	check "a pair starts" me polder up pair.yaml
	me polder wait pair.reader
	reads_like "what another exposes, with ro, carries files alone" "$(none_of)" \
		me polder logs pair.reader
	if [ "$ME" != root ]; then
		me polder wait pair.writer
		check_out "without ro it is shared" "connected" me polder logs pair.writer
		check_out "its FIFO too" "got env-rw" me polder logs pair.owner
	fi
	check_no_out "and nothing came from the reader" "env-ro" me polder logs pair.owner
	me polder down --rm pair.yaml >/dev/null 2>&1
}

readonly_trees() {
	mkdir -p tree root/{dev,proc,tmp,run,etc,usr,t}
	ln -s usr/bin usr/lib usr/lib64 root/
	listener
	[ "$ME" = root ] || ! have_root || chown -R "$MY_UID:$MY_UID" .
	me_bg python3 serve.py "$PWD/tree"
	local first=$PID
	BG_OUT=$T/bg2.out me_bg python3 serve.py "$PWD/root/t"
	until_ok 10 test -s tree/file && until_ok 10 test -s root/t/file
	directory
	root_tree
	exposed
	check_out "the host heard what was allowed" "got dir-rw" cat "$BG_OUT"
	check_out "of the root too" "got root-rw" cat "$T/bg2.out"
	check_no_out "and nothing else" "-ro" cat "$BG_OUT" "$T/bg2.out"
	kill "$first" "$PID" 2>/dev/null
}

each_user readonly_trees

done_testing
