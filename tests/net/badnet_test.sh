#!/bin/bash
# SPDX-License-Identifier: MIT
# badnet_test.sh BUILD - examples/echo under mayfly-bench, which checks each
# byte, over a network that is bad on purpose: by nft and tc on a veth pair, by
# examples/badnet between them.
#
# The server is in a network namespace of its own, the rest in another; both go
# with the last process in them. Skipped where namespaces are denied. Prints TAP
# and a last line "N passed, N failed".
set -u
build=$(cd "${1:?usage: badnet_test.sh BUILD}" && pwd) || exit 2
bench=$build/tools/mayfly-bench
badnet=$build/examples/badnet
python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3)

skip_all() {
    echo "1..0 # SKIP $1"
    echo "skipped: $1"
    exit 0
}

if [ -z "${BADNET_INSIDE:-}" ]; then
    for tool in unshare nsenter ip tc nft; do
        command -v "$tool" > /dev/null 2>&1 ||
            skip_all "no $tool here (scripts/deps)"
    done
    for flags in -n -rn; do
        unshare "$flags" ip link add a0 type veth peer name b0 \
            2> /dev/null || continue
        BADNET_INSIDE=1 unshare "$flags" "$0" "$build"
        exit
    done
    skip_all "network namespaces are denied here"
fi
if [ "${MF_BACKEND:-}" = uring ] &&
    "$build/examples/hello" 2>&1 < /dev/null | grep -q "io_uring"; then
    skip_all "io_uring cannot be had here"
fi

work=$(mktemp -d)
passed=0
failed=0
started=()

clean_up() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid"
        wait "$pid"
    done 2> /dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $name"
        return
    fi
    failed=$((failed + 1))
    echo "not ok $((passed + failed)) - $name"
    echo "# not true: $*; status ${rc-}; the last run said:"
    sed 's/^/# /' "$work/out" "$work/err" 2> /dev/null
}

run() {
    timeout -s KILL 60 "$@" > "$work/out" 2> "$work/err" < /dev/null
    rc=$?
}

status() { [ "$rc" -eq "$1" ]; }
out_has() { grep -Eq -- "$1" "$work/out"; }
err_has() { grep -Eq -- "$1" "$work/err"; }

soon() { # COMMAND...: true as soon as it is, false after ten seconds
    local try
    for ((try = 0; try < 500; try++)); do
        "$@" && return 0
        sleep 0.02
    done
    return 1
}

# start COMMAND...: a program that says where it listens: pid and port.
start() {
    : > "$work/line"
    "$@" > "$work/line" 2> "$work/err" < /dev/null &
    pid=$!
    started+=("$pid")
    soon grep -q '^listening on ' "$work/line" || return 1
    port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/line")
}

stop() { # the program started last; its status in rc
    kill -TERM "$pid"
    wait "$pid"
    rc=$?
}

# load ARGUMENTS...: of mayfly-bench; every byte is compared there.
load() { run "$bench" tcp "$@" -q --json; }

# number NAME: of the one-line JSON report, as errors.total, without a fraction.
number() {
    local re="\"${1##*.}\": *([0-9]+)" json
    [ "$1" = "${1#*.}" ] || re="\"${1%.*}\": *[{][^}]*$re"
    json=$(< "$work/out")
    [[ $json =~ $re ]] && echo "${BASH_REMATCH[1]}"
}

between() { # NAME LOW HIGH
    local n
    n=$(number "$1") && [ "$n" -ge "$2" ] && [ "$n" -le "$3" ]
}

clean_load() {
    status 0 && between errors.total 0 0 && between requests 1 1000000000
}

peer_is_away() {
    local here there
    here=$(readlink /proc/self/ns/net)
    there=$(readlink "/proc/$peer/ns/net") && [ "$here" != "$there" ]
}

in_peer() { nsenter --net="/proc/$peer/ns/net" "$@"; }

make_network() {
    unshare -n sleep 1000 &
    peer=$!
    started+=("$peer")
    # Until unshare has done it, the namespace is still this one.
    soon peer_is_away || return 1
    ip link set lo up &&
        ip link add a0 type veth peer name b0 netns "$peer" &&
        ip address add 10.77.0.1/24 dev a0 && ip link set a0 up &&
        in_peer ip address add 10.77.0.2/24 dev b0 &&
        in_peer ip link set b0 up && in_peer ip link set lo up &&
        nft 'add table ip bad; add chain ip bad f {
            type filter hook input priority 0; }'
}

test_usage() {
    local text words
    while read -r text words; do
        # shellcheck disable=SC2086 # the words of a command line
        run "$badnet" $words
        check "usage, status 2: badnet $words" status 2
        check "usage, says why: badnet $words" err_has "${text//_/ }"
    done << 'END'
HOST:PORT_is_missing
port_missing nowhere
need_--udp 127.0.0.1:1 --loss 3
are_of_TCP 127.0.0.1:1 --udp --byte-at-a-time
needs_--reset-after 127.0.0.1:1 --half-close
--loss:_101_is_out_of_range 127.0.0.1:1 --udp --loss 101
END
    run "$badnet" --help
    check "--help is no error" status 0
    check "--help names the options" out_has '--byte-at-a-time'
}

# Half a second of the load in a partition: it goes on behind it.
test_partition() {
    local load
    timeout -s KILL 60 "$bench" tcp "10.77.0.2:$echo_port" -d 2 -c 4 -q --json \
        > "$work/out" 2> "$work/err" < /dev/null &
    load=$!
    started+=("$load")
    sleep 0.3
    nft add rule ip bad f drop
    sleep 0.5
    nft flush chain ip bad f
    wait "$load"
    rc=$?
    check "partition: no error, no wrong byte" clean_load
    check "partition: somebody waited through it" \
        between latency_ns.max 450000000 3000000000
}

test_kernel() {
    nft add rule ip bad f numgen random mod 100 '<' 1 counter drop
    load "10.77.0.2:$echo_port" -d 0.5 -c 4 -l 8000
    check "loss: no error, no wrong byte" clean_load
    nft list chain ip bad f > "$work/out"
    check "loss: there was some" out_has 'packets [1-9]'
    nft flush chain ip bad f

    tc qdisc add dev a0 root tbf rate 8mbit burst 16k latency 50ms
    load "10.77.0.2:$echo_port" -d 0.6 -c 2 -l 20000
    check "bandwidth: no error, no wrong byte" clean_load
    check "bandwidth: a megabyte in a second, and what the queues hold" \
        between requests 1 50
    tc qdisc del dev a0 root

    for mtu in 600 9000 1500; do
        ip link set a0 mtu "$mtu" && in_peer ip link set b0 mtu "$mtu"
        load "10.77.0.2:$echo_port" -d 0.1 -c 2 -l 20000
        check "MTU $mtu: no error, no wrong byte" clean_load
    done
}

# through OPTIONS... -- LOAD...: the load through a badnet with these options.
through() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    start "$badnet" "10.77.0.2:$echo_port" "${options[@]}" || return 1
    load "127.0.0.1:$port" "$@"
    local loaded=$rc
    stop
    check "badnet ${options[*]}: SIGTERM ends it" status 0
    rc=$loaded
}

test_badnet() {
    through --seed 1 -- -d 0.2 -c 20 -l 30000 -t 2
    check "badnet: no error, no wrong byte" clean_load
    through --delay 30 --jitter 20 -- -d 0.4 -c 20 -l 3000
    check "delay: no error, no wrong byte" clean_load
    check "delay: twice 30 ms at least" \
        between latency_ns.p50 60000000 600000000
    through --byte-at-a-time -- -d 0.3 -c 2 -l 500
    check "byte by byte: no error, no wrong byte" clean_load
    through --rate 200000 -- -d 0.4 -c 1 -l 10000
    check "rate: no error, no wrong byte" clean_load
    check "rate: 10 kB take 50 ms" \
        between latency_ns.p50 49000000 800000000
    through --reset-after 25000 -- -d 5 -c 4 -l 1000
    check "reset: each connection hears of it" between errors.reset 4 4
    check "reset: what came before is good" between requests 40 48
    through --reset-after 5500 --half-close -- -d 5 -c 4 -l 1000
    check "half-close: the answers still come" between requests 20 20
    check "half-close: then the end" between errors.closed_early 4 4
}

# 100 datagrams there and back. Prints as JSON how many came, how many different
# ones, how many out of order, and when the first, in ms.
cat > "$work/udp.py" << 'END'
import json, socket, sys, threading, time

echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("127.0.0.1", int(sys.argv[2])))


def answer():
    while True:
        data, peer = echo.recvfrom(65536)
        echo.sendto(data, peer)


threading.Thread(target=answer, daemon=True).start()
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.connect(("127.0.0.1", int(sys.argv[1])))
c.settimeout(0.4)
start = time.monotonic()
for i in range(100):
    c.send(b"%d" % i)
got, first = [], None
try:
    while len(got) < int(sys.argv[3]):
        got.append(int(c.recv(100)))
        first = first or time.monotonic() - start
except TimeoutError:
    pass
print(json.dumps({"came": len(got), "different": len(set(got)),
                  "behind": sum(a > b for a, b in zip(got, got[1:])),
                  "first_ms": (first or 0) * 1000}))
END

# udp WAIT-FOR OPTIONS...: the datagrams through a badnet with these options.
udp() {
    local port most=$1
    shift
    start "$badnet" --udp 127.0.0.1:7777 --seed 7 "$@" || return 1
    run "$python" "$work/udp.py" "$port" 7777 "$most"
    stop
    check "udp $*: SIGTERM ends it" status 0
}

test_udp() {
    [ -n "$python" ] || return
    udp 101
    check "udp: each comes once" between came 100 100
    check "udp: in order" between behind 0 0
    udp 1000 --loss 30
    check "loss: 30 % each way" between came 30 70
    check "loss: none twice" between different "$(number came)" 100
    udp 1000 --duplicate 50
    check "duplicate: half of them each way" between came 180 270
    check "duplicate: of each one" between different 100 100
    udp 100 --reorder 20
    check "reorder: all come" between different 100 100
    check "reorder: not in order" between behind 5 90
    udp 100 --delay 40 --jitter 10
    check "delay: all come" between different 100 100
    check "delay: after 80 ms" between first_ms 80 400
    check "delay: jitter changes the order" between behind 1 99
}

for program in "$bench" "$badnet" "$build/examples/echo"; do
    [ -x "$program" ] || { echo "$program is not there" >&2; exit 2; }
done
make_network || skip_all "a veth pair or an nft table is denied here"
start nsenter --net="/proc/$peer/ns/net" "$build/examples/echo" -p 0 -t 2 ||
    { echo "echo did not start" >&2; exit 1; }
echo_pid=$pid
echo_port=$port
test_usage
test_partition
test_kernel
test_badnet
test_udp
pid=$echo_pid
stop
check "echo: SIGTERM ends it" status 0
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
