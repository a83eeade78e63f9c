#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a program in an environment cannot do, each beside what it can: system calls,
# capabilities, other processes, namespaces, terminals, the network's names.
. "$(dirname "$0")/../lib.sh"

G=$T/guests
mkdir "$G"
cp "$POLDER_BUILD"/tests/guests/{bomb,listen,try-calls,try-files,try-procs} "$G/"
chmod -R a+rX "$G"

in_env() { me polder run -r "$G" -- "$@"; }

denied_calls() { # the filter and the lack of capabilities, every call by name
	local name result bad=''
	in_env "$G/try-calls" denied >"$OUT" 2>"$ERR" </dev/null
	while read -r name result; do
		case $name,$result in
		int80-getpid,"killed 31" | clone3,ENOSYS | io_uring_*,ENOSYS) ;;
		x32-*,ENOSYS | unknown,ENOSYS | openat2,ENOSYS | setuid-0,EINVAL) ;;
		socket-packet,EAFNOSUPPORT | socket-vsock,EAFNOSUPPORT) ;;
		socket-alg,EAFNOSUPPORT | socket-high,EAFNOSUPPORT) ;;
		socket-sctp,EPROTONOSUPPORT | socket-dccp,EPROTONOSUPPORT) ;;
		socket-audit,EPROTONOSUPPORT | socket-netfilter,EPROTONOSUPPORT) ;;
		*,EPERM) ;;
		*) bad+="$name $result; " ;;
		esac
	done <"$OUT"
	if [ -z "$bad" ] && [ "$(wc -l <"$OUT")" -gt 65 ]; then
		pass "calls that nobody needs inside are denied ($(wc -l <"$OUT"))"
	else
		fail "calls that nobody needs inside are denied" "$bad$(cat "$ERR")"
	fi
	check_no_out "calls that programs need are not" ' E[A-Z]+$' in_env "$G/try-calls" allowed
	check_out "outside, the same program is let through" '^keyctl ok' \
		me "$G/try-calls" keyctl
	check_out "outside, it makes namespaces" '^unshare-user ok' me "$G/try-calls" unshare-user
}

identity() {
	check_out "no new privileges" '^NoNewPrivs:[[:space:]]*1$' in_env cat /proc/self/status
	check_out "a filter" '^Seccomp:[[:space:]]*2$' in_env cat /proc/self/status
	check_out "no capability to gain" '^CapBnd:[[:space:]]*0+$' in_env cat /proc/self/status
	check_out "none held" '^CapEff:[[:space:]]*0+$' in_env cat /proc/self/status
	check_out "core files stay away even from a handler" 'core file size +1 +1 ' \
		in_env cat /proc/self/limits
	check_out "and cannot be asked back, though programs may ask" 'core file size +1 +1 ' \
		in_env sh -c 'ulimit -c 0 && cat /proc/self/limits'
	check_out "other limits can be lowered" 'open files +99 +99 ' \
		in_env sh -c 'ulimit -n 99 && cat /proc/self/limits'
	check_out "no descriptor but three" '^3$' sh -c \
		"exec 5<$T 6<$OUT 7</etc/passwd; \"\$0\" \"\$@\" </dev/null 2>/dev/null | wc -l" \
		"$T/run-as" "$ME" "$G/try-files" fds
	check_err "a directory as input is refused" 'directory' \
		sh -c "exec \"\$0\" \"\$@\" <$T" "$T/run-as" "$ME" true
	check_out "standard descriptors may be closed" '^0 /dev/null' \
		sh -c 'exec "$0" "$@" <&-' "$T/run-as" "$ME" "$G/try-files" fds
}

# A program, for shells that redirect: what `in_env` is as a function.
cat >"$T/run-as" <<EOF2
#!/bin/bash
who=\$1
shift
export HOME=$T/\$who/home XDG_RUNTIME_DIR=$T/\$who/run XDG_DATA_HOME=$T/\$who/data
export XDG_CONFIG_HOME=$T/\$who/config
if [ "\$who" = user ] && [ "\$(id -u)" = 0 ]; then
	exec setpriv --reuid=$USER_UID --regid=$USER_UID --clear-groups --inh-caps=-all -- \\
		polder run -r "$G" -- "\$@"
fi
exec polder run -r "$G" -- "\$@"
EOF2
chmod 755 "$T/run-as"

processes() {
	local pid
	in_env "$G/try-procs" 1 >"$T/on-init" 2>"$ERR"
	check_no_out "pid 1 cannot be traced, read, limited or signalled" ' ok$' \
		grep -vE '^(pidfd_open|write-timerslack_ns) ' "$T/on-init"
	check_no_out "a child can" ' E' sh -c \
		'"$0" "$@" | grep -v ptrace-attach' "$T/run-as" "$ME" "$G/try-procs" sleep
	check_out "no other process is there to be signalled" '^0 others' in_env "$G/try-procs" all
	sleep 60 &
	pid=$!
	check_rc 1 "a process of the host has no place in /proc" \
		in_env test -e "/proc/$((pid + 1000))/status" -o -e "/proc/$pid/status"
	check_out "only those inside have one" '^[0-9 ]{3,8}$' \
		in_env sh -c 'cd /proc; echo [0-9]*'
	kill "$pid"
	check_out "pid 1 tells nothing of the command line" '^init' \
		in_env sh -c 'tr "\0" " " </proc/1/cmdline; echo'
	check_no_out "nor its environment" . in_env sh -c 'cat /proc/1/environ 2>/dev/null; true'
	check_out "the program's own environment is its own to read" 'PATH=' \
		in_env cat /proc/self/environ
}

sysctls() {
	check_out "no sysctl opens for writing" '[0-9]{3,} seen, 0 writable' \
		in_env "$G/try-files" sysctl /proc/sys
	check_out "core_pattern least of all" '^(EROFS|EACCES)$' \
		in_env "$G/try-files" open /proc/sys/kernel/core_pattern w
	check_out "reading is allowed" '^ok' \
		in_env "$G/try-files" open /proc/sys/kernel/ostype r
	check_rc 1 "there is no /sys" in_env test -e /sys/kernel
	check_out "nor sysrq" '^E' in_env "$G/try-files" open /proc/sysrq-trigger w
	check_out "nor the kernel's memory" '^E' in_env "$G/try-files" open /proc/kcore r
}

abstract_sockets() {
	local name=@polder-test-$$-$ME
	me_bg "$G/listen" "$name"
	until_ok 5 grep -q ready "$BG_OUT"
	check_out "the host's abstract sockets are not there" '^ECONNREFUSED' \
		in_env "$G/try-files" connect "$name"
	if [ "$(me "$G/try-files" connect "$name")" = ok ]; then
		pass "outside they are"
	else
		fail "outside they are"
	fi
	check_out "with net=host, Landlock keeps them out" '^EPERM' \
		me polder run -g net=host -r "$G" -- "$G/try-files" connect "$name"
	check_out "a program's own are its own" '^ok' in_env sh -c \
		"$G/listen @own >/tmp/l & while ! grep -q ready /tmp/l; do sleep 0.01; done
		$G/try-files connect @own"
	kill "$PID"
}

inside_root() { # identity=own,root
	if [ "$ME" = user ] && ! have_root && ! grep -q "^$USER_NAME:" /etc/subuid; then
		skip "own,root" "$USER_NAME has no range of user numbers"
		return
	fi
	check_out "own,root has nine capabilities" '^CapEff:[[:space:]]*00000000800004fb$' \
		me polder run -g identity=own,root -- cat /proc/self/status
	check_out "and can gain no more" '^CapBnd:[[:space:]]*00000000800004fb$' \
		me polder run -g identity=own,root -- cat /proc/self/status
	check_out "is uid 0" '^uid=0\(root\) gid=0\(root\)' me polder run -g identity=own,root -- id
	check_out "may become another" '^7$' me polder run -g identity=own,root -- \
		setpriv --reuid=7 --regid=7 --clear-groups id -u
	check_out "may not mount" '^mount EPERM' \
		me polder run -g identity=own,root -r "$G" -- "$G/try-calls" mount
	check_out "nor make namespaces" '^unshare-user EPERM' \
		me polder run -g identity=own,root -r "$G" -- "$G/try-calls" unshare-user
	check_out "nor open raw sockets" '^socket-raw EPERM' \
		me polder run -g identity=own,root -r "$G" -- "$G/try-calls" socket-raw
	check_out "nor make device nodes" '^mknod-char EPERM' \
		me polder run -g identity=own,root -r "$G" -- "$G/try-calls" mknod-char
	check_out "nor write sysctls" ' 0 writable' \
		me polder run -g identity=own,root -r "$G" -- "$G/try-files" sysctl /proc/sys
	me polder run -g identity=own,root -r "$G" -- "$G/try-procs" 1 >"$T/on-init" 2>"$ERR"
	check_no_out "nor touch pid 1" ' ok$' \
		grep -vE '^(pidfd_open|write-timerslack_ns) ' "$T/on-init"
}

root_without_ids() { # an ordinary user without a range of numbers
	[ "$ME" = user ] && have_root || return 0
	cp /etc/subuid "$T/subuid"
	grep -v "^$USER_NAME:" "$T/subuid" >/etc/subuid
	check_err "own,root without subordinate numbers names what is missing" 'usermod.*--add-subuids' \
		me polder run -g identity=own,root -- id
	cat "$T/subuid" >/etc/subuid
}

maps_inside() { # where the id maps of the sleepers in environments begin
	local p ns
	for p in $(pgrep -x sleep); do
		ns=$(readlink "/proc/$p/ns/user") || continue # somebody else's
		[ "$ns" = "$(readlink /proc/self/ns/user)" ] ||
			awk '{ print $2 }' "/proc/$p/uid_map"
	done
}
two_sleep() { [ "$(maps_inside | wc -l)" = 2 ]; }

kernel_ids() {
	local a b first second
	me_bg polder run -- sleep 50
	a=$PID
	me_bg polder run -- sleep 50
	b=$PID
	until_ok 5 two_sleep
	first=$(maps_inside)
	if [ -n "$first" ] && ! grep -qx 0 <<<"$first"; then
		pass "kernel uid 0 is mapped nowhere"
	else
		fail "kernel uid 0 is mapped nowhere" "maps begin at: $first"
	fi
	if [ "$ME" = root ]; then
		second=$(sort -u <<<"$first" | wc -l)
		if [ "$second" = 2 ] && [ "$(sort -n <<<"$first" | head -n 1)" -ge $((0x70000000)) ]; then
			pass "each environment of root has a range of its own from 0x70000000 on"
		else
			fail "each environment of root has a range of its own" "$first"
		fi
	elif [ "$(sort -u <<<"$first")" = "$MY_UID" ]; then
		pass "an ordinary user's environments have that user's number"
	else
		fail "an ordinary user's environments have that user's number" "$first"
	fi
	kill "$a" "$b"
	wait "$a" "$b" 2>/dev/null
}

terminals() { # TIOCSTI on a terminal of one's own
	check_out "nothing can be typed for the person" 'tiocsti EPERM' \
		script -qec "$T/run-as $ME $G/try-calls tiocsti" /dev/null
	check_out "nor with high bits set" 'tiocsti-high EPERM' \
		script -qec "$T/run-as $ME $G/try-calls tiocsti-high" /dev/null
	check_out "the terminal is one of the environment" '/dev/pts/0' \
		script -qec "$T/run-as $ME tty" /dev/null
}

each() {
	denied_calls
	identity
	processes
	sysctls
	abstract_sockets
	kernel_ids
	inside_root
	root_without_ids
	terminals
	check_clean "nothing is left"
}
each_user each
done_testing
