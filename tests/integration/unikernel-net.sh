#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Unikernels on the network: the examples are built as anybody builds them, started by
# both tenders on a TAP in a network namespace of the test's own, and asked by ordinary
# clients. Root makes that namespace; the ordinary user has one of a user namespace.
. "$(dirname "$0")/../lib.sh"

src=$POLDER_SOURCE/examples/unikernels
if [ ! -e "$POLDER_BUILD/guest/lib/libpoldernet.a" ]; then
	skip "unikernels on the network" "this build has no guest runtime"
	done_testing
fi
for tool in ping dig curl socat openssl dnsmasq; do
	command -v "$tool" >/dev/null || missing="${missing-} $tool"
done
check_no_out "the clients are there" . echo "${missing-}"
cp "$POLDER_BUILD/tests/guests/run-on-tap" "$T/bin/"

# ---- what is built ----

img=$T/img
mkdir -p "$img" "$T/site/www/sub" "$T/site/tls" "$T/trust"
echo '<h1>hello</h1>' >"$T/site/www/index.html"
echo below >"$T/site/www/sub/index.html"
echo 'body { }' >"$T/site/www/a.css"
echo 'no such page' >"$T/site/www/404.html"
head -c 3000000 /dev/urandom >"$T/site/www/big.bin"
cert() { # NAME: a certificate of its own with its key
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj "/CN=$1" -addext "subjectAltName=DNS:$1" -keyout "$T/$1.key" -out "$T/$1.pem"
}
check "a certificate is made" cert web.test
check "and another one" cert other.test
cp "$T/web.test.pem" "$T/site/tls/cert.pem"
cp "$T/web.test.key" "$T/site/tls/key.pem"
cp "$T/web.test.pem" "$T/trust/ca.pem"

image() { # OUT CC-ARGUMENT…
	local out=$1
	shift
	"$POLDER_BUILD/polder-cc" -O2 -std=c99 -Wall -Wextra -Werror -mgeneral-regs-only \
		-o "$img/$out" "$@" -lpoldertls -lpoldernet
}
for t in spt hvt; do
	check "echo.$t is built" image "echo.$t" "$src/echo/main.c"
	check "web.$t" image "web.$t" --files="$T/site" "$src"/web/*.c
	check "dns.$t" image "dns.$t" --files="$src/dns/files" "$src"/dns/*.c
	check "client.$t" image "client.$t" --files="$T/trust" \
		"$POLDER_SOURCE/tests/guests/net/client.c"
done
chmod -R go+rX "$img" "$T/site" "$T"/*.pem "$T"/*.key
small() { size -A "$img/echo.spt" | awk '/^(\.text|\.rodata|\.data)/ { n += $2 } END { exit !(n > 0 && n < 262144) }'; }
check "an echo server without TLS has none of it linked in" small

# ---- the network ----

cat >"$T/holder" <<'END'
set -e
ip link set lo up
ip tuntap add dev tap0 mode tap user "$1"
ip link set tap0 up
ip tuntap add dev tap1 mode tap user "$1"
ip link set tap1 mtu 1280 up
for n in 2 3; do
	ip tuntap add dev "tap$n" mode tap user "$1"
	ip link set "tap$n" up
	ip addr add "10.0.$n.1/24" dev "tap$n"
done
ip addr add 10.0.0.1/24 dev tap0
ip -6 addr add fd00::1/64 dev tap0 nodad
echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range || true
# Leases, router advertisements, and a name.
dnsmasq -C /dev/null --no-daemon --no-resolv --no-hosts --user= --group= --interface=tap0 \
	--bind-interfaces --dhcp-range=10.0.0.100,10.0.0.110,60 --dhcp-authoritative \
	--dhcp-leasefile="$2/leases" --enable-ra --dhcp-range=fd00::,ra-only,64,600 --ra-param=tap0,4 \
	--address=/name.test/10.0.0.77 --address=/six.test/fd00::77 >"$2/dnsmasq" 2>&1 &
touch "$2/up"
exec sleep 1000
END

network() { # makes it; in_net CMD… runs there
	local how=(--net)
	enter=(nsenter --net)
	if [ "$ME" = user ]; then
		how=(--user --map-current-user --keep-caps --net)
		enter=(nsenter --user --preserve-credentials --net)
	fi
	rm -f "$WORK/up"
	me_bg unshare "${how[@]}" bash "$T/holder" "$MY_UID" "$WORK"
	NS=$PID
	cp "$BG_ERR" "$WORK/holder" 2>/dev/null
	check "a network of its own" until_ok 30 test -e "$WORK/up"
}
in_net() { me "${enter[@]}" -t "$NS" -- "$@"; }

GUEST='' TENDER=''
start() { # IMAGE WORD…: in the background; its words in $GUEST_OUT
	local image=$1
	shift
	lib_env "$ME"
	GUEST_OUT=$WORK/guest.out
	: >"$GUEST_OUT"
	"${lib_who[@]}" "${enter[@]}" -t "$NS" -- run-on-tap "$T/bin/polder-tender-$TENDER" \
		"$img/$image.$TENDER" tap0 "$@" >"$GUEST_OUT" 2>&1 </dev/null &
	GUEST=$!
	# By emulation, a key of a certificate alone takes half a minute.
	until_ok "$([ "$TENDER" = spt ] && echo 60 || echo 300)" grep -q ready "$GUEST_OUT"
}
over() {
	kill "$GUEST" 2>/dev/null
	wait "$GUEST" 2>/dev/null
	GUEST=''
}
alive() { kill -0 "$GUEST"; }

static=(--ipv4=10.0.0.2/24 --ipv6=fd00::2/64 --hostname=guest)

# ---- echo ----

said() { # ADDRESS TEXT: what comes back of it
	local text=$2
	in_net sh -c "printf '%s' '$text' | socat -t 5 - $1"
}
flow() { # BYTES
	in_net sh -c "head -c $1 /dev/zero | openssl enc -aes-128-ctr -K 0 -iv 0 2>/dev/null >sent;
		socat -t 20 - TCP:10.0.0.2:7 <sent | cmp - sent"
}
echo_server() {
	check "$TENDER: echo starts" start echo "${static[@]}"
	check_out "$TENDER: it says its address" '^service: 10.0.0.2$' cat "$GUEST_OUT"
	check "$TENDER: ping" in_net ping -c 2 -W 10 -i 0.2 10.0.0.2
	check "$TENDER: ping by IPv6" in_net ping -c 1 -W 10 fd00::2
	check "$TENDER: ping that comes in pieces" in_net ping -c 1 -W 10 -s 4000 10.0.0.2
	check_out "$TENDER: TCP" '^hello$' said TCP:10.0.0.2:7 hello
	check_out "$TENDER: TCP by IPv6" '^hello$' said 'TCP6:[fd00::2]:7' hello
	check_out "$TENDER: UDP" '^hello$' said UDP:10.0.0.2:7 hello
	check_out "$TENDER: UDP by IPv6" '^hello$' said 'UDP6:[fd00::2]:7' hello
	check "$TENDER: every byte comes back" flow "$([ "$TENDER" = spt ] && echo 20000000 || echo 100000)"
	check_fails "$TENDER: no other port is open" in_net socat -u OPEN:/dev/null TCP:10.0.0.2:8
	check "$TENDER: it is still there" alive
	over
}

# ---- the command line ----

words() {
	# shellcheck disable=SC2317 # check calls it
	ends() { # STATUS TEXT WORD…
		local status=$1 text=$2
		shift 2
		in_net run-on-tap "$T/bin/polder-tender-$TENDER" "$img/echo.$TENDER" tap0 "$@" >"$WORK/said" 2>&1
		[ $? = "$status" ] && grep -q -- "$text" "$WORK/said"
	}
	check "$TENDER: an address without its prefix is refused" ends 1 'ADDRESS/PREFIX' --ipv4=10.0.0.2
	check "$TENDER: and one that is none" ends 1 'ADDRESS/PREFIX' --ipv4=10.0.0.256/24
	check "$TENDER: and a gateway of the wrong kind" ends 1 'want an IPv4' \
		--ipv4=10.0.0.2/24 --ipv4-gateway=fd00::1
	check "$TENDER: and a port that is none" ends 1 'cannot be used' "${static[@]}" --port=0
}

# ---- DHCP, router advertisements, names ----

dhcp() {
	check "$TENDER: echo starts with DHCP" start echo --hostname=guest
	check_out "$TENDER: it has a lease" '^service: 10.0.0.1[01][0-9]$' cat "$GUEST_OUT"
	check_out "$TENDER: the server knows its name" '10.0.0.1[01][0-9] guest' cat "$WORK/leases"
	check "$TENDER: it is reached there" in_net ping -c 1 -W 10 \
		"$(sed -n 's/^service: \(10.*\)/\1/p' "$GUEST_OUT")"
	check "$TENDER: and at an address of the announced network" \
		until_ok 20 in_net ping -c 1 -W 5 fd00::10:20ff:fe30:4050
	over
}

asks() { # STATUS ERE WORD…: the client, to its end
	local status=$1 pattern=$2
	shift 2
	in_net run-on-tap "$T/bin/polder-tender-$TENDER" "$img/client.$TENDER" tap0 "$@" >"$OUT.c" 2>&1
	RC=$?
	cat "$OUT.c"
	[ "$RC" = "$status" ] && grep -Eq -- "$pattern" "$OUT.c"
}
clients() {
	check "$TENDER: a name is found" asks 0 '^resolved: 10.0.0.77$' --resolve=name.test
	check "$TENDER: also by the server that is named" asks 0 '^resolved: fd00::77$' "${static[@]}" \
		--nameserver=10.0.0.1 --resolve=six.test
	check "$TENDER: one that is not there is not" asks 2 '^resolved: nothing$' "${static[@]}" \
		--nameserver=10.0.0.1 --resolve=no.such.test
	[ "$TENDER" = spt ] || return 0
	lib_env "$ME"
	"${lib_who[@]}" "${enter[@]}" -t "$NS" -- openssl s_server -quiet -accept 10.0.0.1:4433 -www \
		-cert "$T/web.test.pem" -key "$T/web.test.key" >/dev/null 2>&1 </dev/null &
	local server=$!
	"${lib_who[@]}" "${enter[@]}" -t "$NS" -- openssl s_server -quiet -accept 10.0.0.1:4434 -www \
		-cert "$T/other.test.pem" -key "$T/other.test.key" >/dev/null 2>&1 </dev/null &
	local other=$!
	check "servers are there" until_ok 5 in_net socat -u OPEN:/dev/null TCP:10.0.0.1:4434
	check "a server that is believed is talked to" asks 0 '^first line: HTTP/1.0 200' "${static[@]}" \
		--to=10.0.0.1 --get=web.test:4433 --tls
	check "one for another name is not" asks 2 '^end: .*for another name$' "${static[@]}" \
		--to=10.0.0.1 --get=else.test:4433 --tls
	check "nor one that no authority stands behind" asks 2 '^end: .*no authority that is trusted$' \
		"${static[@]}" --to=10.0.0.1 --get=other.test:4434 --tls
	check "unless anybody is believed" asks 0 '^first line' "${static[@]}" \
		--to=10.0.0.1 --get=other.test:4434 --anybody
	check "a port where nobody listens is refused" asks 2 '^end: reset by the peer$' "${static[@]}" \
		--to=10.0.0.1 --get=web.test:4435
	kill "$server" "$other"
	wait "$server" "$other" 2>/dev/null
}

# ---- web ----

# By emulation, vector registers are out of reach: no AES of the processor's, then.
chacha=(--tls-max 1.2 --ciphers ECDHE-ECDSA-CHACHA20-POLY1305)
get() { in_net curl -sS -m "$patience" --http1.1 "$@"; }
sget() { get --resolve web.test:443:10.0.0.2 "${cipher[@]}" "$@"; }
same() { # FILE CMD…
	local file=$1
	shift
	"$@" | cmp - "$T/site/www/$file"
}
many() { # 100 at once
	in_net sh -c 'seq 100 | xargs -P 100 -I{} curl -sS -m 50 -o /dev/null -w "%{http_code}\n" http://10.0.0.2/ |
		sort | uniq -c' | grep -Eq '^ *100 200$'
}
dawdle() { # one that never finishes its request, and does not close: how long it may
	in_net bash -c 'exec 3<>/dev/tcp/10.0.0.2/80; printf "GET / HTTP/1.1\r\n" >&3; cat <&3'
}
babble() { # sends on after it was refused
	in_net bash -c 'exec 3<>/dev/tcp/10.0.0.2/80
		printf "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" >&3
		(trap "" PIPE; while sleep 0.2; do printf x >&3 || exit; done) 2>/dev/null &
		cat <&3; wait'
}
web_server() {
	local cipher=() patience=50 CHECK_TIMEOUT=$CHECK_TIMEOUT
	[ "$TENDER" = spt ] || cipher=("${chacha[@]}") patience=200 CHECK_TIMEOUT=210
	check "$TENDER: web starts" start web "${static[@]}"
	check_out "$TENDER: a page" '^<h1>hello</h1>$' get http://10.0.0.2/
	check_out "$TENDER: by IPv6" '^<h1>hello</h1>$' get -g 'http://[fd00::2]/'
	check_out "$TENDER: below" '^below$' get -L http://10.0.0.2/sub
	check_out "$TENDER: its type" '^Content-Type: text/css' get -I http://10.0.0.2/a.css
	check_out "$TENDER: HEAD has the length" '^Content-Length: 3000000' get -I http://10.0.0.2/big.bin
	check "$TENDER: a big file is whole" same big.bin get http://10.0.0.2/big.bin
	check_out "$TENDER: 404" '^HTTP/1.1 404 ' get -i http://10.0.0.2/none
	check_out "$TENDER: with its own page" '^no such page$' get http://10.0.0.2/none
	check_out "$TENDER: POST is refused" '^HTTP/1.1 405 ' get -i -d x=y http://10.0.0.2/
	[ "$TENDER" = hvt ] || check_out "who sends on has the answer, and is let go of" \
		'Method Not Allowed' babble
	check_out "$TENDER: the key is out of reach" '^HTTP/1.1 404 ' get -i http://10.0.0.2/tls/key.pem
	check_out "$TENDER: also around a corner" '^HTTP/1.1 400 ' get -i --path-as-is \
		http://10.0.0.2/../tls/key.pem
	check_out "$TENDER: also a hidden one" '^HTTP/1.1 400 ' get -i --path-as-is \
		http://10.0.0.2/%2e%2e/tls/key.pem
	check_out "$TENDER: a range" '^Content-Range: bytes 10-19/3000000' \
		get -D - -o part -r 10-19 http://10.0.0.2/big.bin
	check "$TENDER: the right one" cmp <(tail -c +11 "$T/site/www/big.bin" | head -c 10) part
	etag=$(get -I http://10.0.0.2/a.css | sed -n 's/^ETag: \(.*\)\r$/\1/p')
	check_out "$TENDER: what is known is not sent again" '^HTTP/1.1 304 ' \
		get -i -H "If-None-Match: $etag" http://10.0.0.2/a.css
	check_out "$TENDER: a connection is used again" 'Re-using existing connection' \
		get -v http://10.0.0.2/ http://10.0.0.2/a.css
	check "$TENDER: many at once" many
	dawdle >"$WORK/dawdle" 2>&1 &
	local slow=$! began=$SECONDS took
	check_out "$TENDER: a slow one holds nobody up" '^<h1>hello</h1>$' get http://10.0.0.2/
	wait "$slow"
	took=$((SECONDS - began))
	check "$TENDER: and is let go of after 10 s" test "$took" -ge 9 -a "$took" -lt 20
	check_out "$TENDER: TLS" '^<h1>hello</h1>$' sget --cacert "$T/web.test.pem" https://web.test/
	if [ "$TENDER" = spt ]; then
		check "a big file by TLS" same big.bin sget --cacert "$T/web.test.pem" https://web.test/big.bin
		check_rc 60 "who trusts another authority refuses" sget --cacert "$T/other.test.pem" https://web.test/
		check_out "openssl s_client agrees" 'Verify return code: 0' in_net sh -c \
			"openssl s_client -connect 10.0.0.2:443 -CAfile '$T/web.test.pem' </dev/null"
		check_fails "TLS 1.1 is refused" sget --insecure --tls-max 1.1 \
			--ciphers DEFAULT@SECLEVEL=0 https://web.test/
		check_fails "so is a cipher without forward secrecy" sget --insecure --tls-max 1.2 \
			--ciphers AES128-GCM-SHA256 https://web.test/
		check_fails "plain HTTP where TLS is" get http://10.0.0.2:443/
	fi
	check "$TENDER: it is still there" alive
	over
}

# ---- dns ----

ask() { in_net dig +time=5 +tries=2 @10.0.0.2 "$@"; }
junk() { # packets that are none
	in_net bash -c 'for i in $(seq 50); do head -c $((RANDOM % 600)) /dev/urandom |
		socat -u - UDP:10.0.0.2:53; done; head -c 5000 /dev/urandom | socat -t 1 - TCP:10.0.0.2:53 >/dev/null 2>&1;
		printf "\3\377abc" | socat -t 1 - TCP:10.0.0.2:53 >/dev/null 2>&1; true'
}
dns_server() {
	check "$TENDER: dns starts" start dns "${static[@]}"
	check_out "$TENDER: A" '^192.0.2.80$' ask +short example.org A
	check_out "$TENDER: AAAA, by IPv6" '^2001:db8::80$' in_net dig +time=5 @fd00::2 +short example.org AAAA
	check_out "$TENDER: MX" '^10 mail.example.org.$' ask +short example.org MX
	check_out "$TENDER: TXT" 'v=spf1 mx -all' ask +short example.org TXT
	check_out "$TENDER: NS" '^ns2.example.org.$' ask +short example.org NS
	check_out "$TENDER: SOA" '^ns1.example.org. hostmaster.example.org. 2026010101 ' ask +short example.org SOA
	check_out "$TENDER: CNAME" '^192.0.2.80$' ask +short www.example.org A
	check_out "$TENDER: PTR" '^mail.example.org.$' ask +short -x 192.0.2.25
	check_out "$TENDER: a wildcard" '^192.0.2.90$' ask +short any.apps.example.org A
	check_out "$TENDER: what is not there" 'status: NXDOMAIN' ask none.example.org
	check_out "$TENDER: and its SOA" '^example.org.*SOA' ask none.example.org
	check_out "$TENDER: no resolver" 'status: REFUSED' ask www.debian.org
	check_out "$TENDER: no transfer" 'Transfer failed' ask example.org AXFR
	check_out "$TENDER: by TCP" '^192.0.2.80$' ask +tcp +short example.org A
	check_out "$TENDER: several by one connection" '^192.0.2.25$' ask +tcp +keepopen +short example.org A \
		mail.example.org A
	check_out "$TENDER: authoritative" 'flags: qr aa rd;' ask example.org A
	check "$TENDER: junk" junk
	check_out "$TENDER: answers still" '^192.0.2.80$' ask +short example.org A
	check "$TENDER: it is still there" alive
	over
}

# ---- as people start them ----

porcelain() {
	cp "$img/web.spt" .
	check "polder run starts it on the TAP" in_net polder run -n web -d \
		-g dev:service=host:tap0 ./web.spt -- "${static[@]}"
	check_out "and it serves" '^<h1>hello</h1>$' until_ok_out 20 get http://10.0.0.2/
	check_out "what it said is kept" '^web: ready' in_net polder logs web
	check_err "without its device it does not start" 'service' in_net polder run ./web.spt
	check "it is stopped" in_net polder rm -f web
	cp "$POLDER_BUILD/tests/guests/solo5/guest-net.spt" . && chmod 644 guest-net.spt
	check_out "the TAP's MTU is the guest's" ' mtu 1280$' first_words tap1
	check_out "if nothing else is said" ' mtu 1400$' first_words tap1,mtu=1400
}
first_words() { # TAP: what a guest says first; its frame is too short for a TAP
	in_net sh -c 'polder run -g "dev:service=host:$0" ./guest-net.spt hello ms=10; true' "$1"
}
until_ok_out() { # SECONDS CMD…: the output of the one that succeeded
	until_ok "$1" "${@:2}" && "${@:2}"
}

# ---- all three, from one manifest ----

# shellcheck disable=SC2034 # of get
manifest() { # from the example's file, with the images of this tender beside it
	patience=$([ "$TENDER" = spt ] && echo 50 || echo 300)
	mkdir -p fleet
	cp "$img"/{web,echo,dns}."$TENDER" fleet
	sed "s/\\.spt$/.$TENDER/" "$src/services.yaml" >fleet/services.yaml
	chmod -R go+rX fleet
	check_out "$TENDER: the manifest is right" '3 environments, nothing wrong' \
		in_net polder check fleet/services.yaml
	check "$TENDER: all three come up" in_net polder up fleet/services.yaml
	check_out "$TENDER: the web server answers" '^<h1>hello</h1>$' \
		until_ok_out 300 get http://10.0.0.2/
	check_out "$TENDER: so does the echo" '^hello$' until_ok_out 60 said TCP:10.0.2.2:7 hello
	check_out "$TENDER: and the names" '^192.0.2.80$' until_ok_out 60 in_net \
		dig +time=5 +tries=1 +short @10.0.3.2 example.org A
	check_fails "$TENDER: none is on another's interface" in_net ping -c 1 -W 1 -I tap2 10.0.0.2
	check "$TENDER: and down" in_net polder down --rm fleet/services.yaml
}

# ---- all of it ----

usable() { # why TENDER cannot be had, or nothing
	[ "$TENDER" = hvt ] || return 0
	me sh -c ': </dev/kvm' 2>/dev/null || echo "no /dev/kvm for this user"
}
everything() {
	local why patience
	if ! me sh -c ': <>/dev/net/tun' 2>/dev/null; then
		skip "unikernels on a TAP" "no /dev/net/tun for this user"
		return
	fi
	network
	for TENDER in spt hvt; do
		why=$(usable)
		if [ -n "$why" ]; then
			skip "$TENDER" "$why"
			continue
		fi
		echo_server
		words
		dhcp
		clients
		web_server
		dns_server
		manifest
	done
	patience=50
	porcelain
	kill "$NS"
	wait "$NS" 2>/dev/null
}
each_user everything

done_testing
