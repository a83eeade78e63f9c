#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two attackers at once, other users, and a program that was handed what it should not
# have: none reaches an environment or its tender.
. "$(dirname "$0")/../lib.sh"

G=$T/guests
mkdir "$G"
cp "$POLDER_BUILD"/tests/guests/{listen,try-control,try-files,try-procs} "$G/"
chmod -R a+rX "$G"

run_dir() { [ "$ME" = root ] && echo /run/polder || echo "$T/user/run/polder"; }
ctl_of() { find "$(run_dir)" -name ctl -type s | head -n 1; }

other() { # CMD…: as a third user, with this one's places
	setpriv --reuid=4999 --regid=4999 --clear-groups --inh-caps=-all -- \
		env "HOME=$T/$ME/home" "XDG_RUNTIME_DIR=$T/$ME/run" "XDG_DATA_HOME=$T/$ME/data" \
		"XDG_CONFIG_HOME=$T/$ME/config" "$@"
}

neighbours() { # of one user, started alike
	check_out "a neighbour is not to be seen" '^0 others' \
		me polder run -r "$G" -- "$G/try-procs" all
	check_out "nor its abstract socket" '^ECONNREFUSED' \
		me polder run -r "$G" -- "$G/try-files" connect @of-victim
	check_out "nor with the host's network between them" '^(EPERM|ECONNREFUSED)' \
		me polder run -g net=host -r "$G" -- "$G/try-files" connect @of-victim-on-host
	check_out "nor its files in memory" '^ENOENT' \
		me polder run -r "$G" -- "$G/try-files" open /tmp/of-victim r
	check_out "which are there inside" '^ok' me polder exec victim -- \
		"$G/try-files" open /tmp/of-victim r
	check "what is entered sees the program" me polder exec victim -- sh -c 'kill -0 2'
	me polder exec victim -- sh -c 'echo $$ >/tmp/target.new
		mv /tmp/target.new /tmp/target; exec sleep 1' >/dev/null 2>&1
	check_no_out "but the program may not touch what enters" \
		'^(ptrace.*|process_vm.*|pidfd_[gs].*|signal-0|read-(mem|environ)|write-mem) ok' \
		me polder exec victim -- cat /tmp/spied
	check_out "and has tried" '^ptrace-seize EPERM' me polder exec victim -- cat /tmp/spied
}

# The kept /etc is what environments see, with the permissions that it has.
chmod_run() { find "$(run_dir)" -path "$(run_dir)/etc" -prune -o -exec chmod "$1" {} +; }

other_users() {
	local ctl
	ctl=$(ctl_of)
	check_out "its user talks to the tender" '^kept' me "$G/try-control" "$ctl"
	have_root || return 0
	check_out "another cannot even find the socket" '^EACCES' other "$G/try-control" "$ctl"
	check_no_out "nor list" victim other polder ps
	check_err "nor stop" . other polder stop victim
	check_err "nor enter" . other polder exec victim -- true
	check_err "nor attach" . other polder attach victim </dev/null
	chmod_run a+rwX # as if the first wall were gone
	[ "$ME" = root ] || chmod a+x "$T/user" "$T/user/run"
	check_out "found, it does not answer another" '^closed' other "$G/try-control" "$ctl"
	check_out "and still its user" '^kept' me "$G/try-control" "$ctl"
	chmod_run go-rwx
	[ "$ME" = root ] || chmod go-x "$T/user" "$T/user/run"
}

handed_over() { # a descriptor of the runtime directory, inside
	local ctl sub dir=$WORK/shared
	ctl=$(ctl_of)
	sub=$(dirname "${ctl#"$(run_dir)"/}")
	me mkdir -p "$dir"
	me_bg "$G/try-control" give "$dir/s1" "$(run_dir)"
	until_ok 5 grep -q ready "$BG_OUT"
	check_out "outside, the descriptor leads to the tender" '^kept' \
		me "$G/try-control" take "$dir/s1" "$sub"
	me_bg "$G/try-control" give "$dir/s2" "$(run_dir)"
	until_ok 5 grep -q ready "$BG_OUT"
	check_out "inside, it leads nowhere" '^(closed|E[A-Z]+)' \
		me polder run -w "$dir" -r "$G" -- "$G/try-control" take "$dir/s2" "$sub"
}

few_descriptors() { # init's limits are not the program's to set
	check_out "init's limits stay" '^limit-files EPERM' \
		me polder exec victim -- "$G/try-procs" 1
	check_out "who enters is in the environment's network" '^1$' me polder exec victim -- \
		sh -c 'ls /proc/sys/net/ipv4/conf | grep -vcE "^(all|default)$"'
	check_out "and in its pid namespace" '^[0-9 ]{1,20}$' me polder exec victim -- \
		sh -c 'cd /proc && echo [0-9]*'
	check_out "with no descriptor but three" '^3$' sh -c "\"\$@\" </dev/null 2>&1 | wc -l" x \
		"${lib_who[@]}" polder exec victim -- "$G/try-files" fds
	check_out "with a filter" '^Seccomp:[[:space:]]*2$' \
		me polder exec victim -- cat /proc/self/status
	check_out "and nothing to gain" '^CapBnd:[[:space:]]*0+$' \
		me polder exec victim -- cat /proc/self/status
	check_err "a directory as input is refused" 'directory' \
		sh -c "\"\$@\" <$T" x "${lib_who[@]}" polder exec victim -- true
	check_out "its terminal is the environment's own" '^(\^.)?.?/dev/pts/[0-9]' \
		script -qec "${lib_who[*]} polder exec -t victim -- tty" /dev/null
	check_out "which belongs to the program" ' user +user ' \
		script -qec "${lib_who[*]} polder exec -t victim -- ls -l /dev/pts" /dev/null
}

each() {
	lib_env "$ME"
	me polder run -d -n victim -r "$G" -- sh -c \
		"echo x >/tmp/of-victim; $G/listen @of-victim &
		while :; do sleep 0.1; [ ! -e /tmp/target ] ||
		{ $G/try-procs \$(cat /tmp/target) >/tmp/spied; rm /tmp/target; }; done" >/dev/null
	me polder run -d -n on-host -g net=host -r "$G" -- "$G/listen" @of-victim-on-host \
		>/dev/null 2>&1
	sleep 0.5
	neighbours
	other_users
	handed_over
	few_descriptors
	check "and all of it ends" me polder stop -t 1 victim on-host
	check "and goes" me polder rm victim on-host
	check_clean "nothing is left"
}
each_user each
done_testing
