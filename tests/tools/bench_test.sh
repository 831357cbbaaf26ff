#!/bin/bash
# SPDX-License-Identifier: MIT
# bench_test.sh BUILD - mayfly-bench and the echo example, from the outside:
# usage, report, exit codes, signals, and servers that misbehave on purpose.
#
# BUILD holds tools/mayfly-bench and examples/. Prints TAP and a last line
# "N passed, N failed". Nothing waits for a fixed time: what is waited for is
# looked at again and again, for at most ten seconds.
set -u
build=$(cd "${1:?usage: bench_test.sh BUILD}" && pwd) || exit 2
bench=$build/tools/mayfly-bench
echo_server=$build/examples/echo
echo_unix=$build/examples/echo_unix
python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3)
unset MF_WORKERS NO_COLOR
work=$(mktemp -d)
passed=0
failed=0
servers=()

clean_up() {
    local pid
    for pid in "${servers[@]}"; do
        kill -KILL "$pid" 2> /dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT

# check NAME COMMAND...: one TAP line; what the last run said if it failed.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $name"
        return
    fi
    failed=$((failed + 1))
    echo "not ok $((passed + failed)) - $name"
    echo "# not true: $*; status ${rc-}; stdout and stderr of the last run:"
    sed 's/^/# /' "$work/out" "$work/err" 2> /dev/null
}

skip() {
    passed=$((passed + 1))
    echo "ok $passed - $1 # SKIP $2"
}

# run COMMAND...: its status in rc, its output in $work/out and $work/err.
run() {
    timeout -s KILL 60 "$@" > "$work/out" 2> "$work/err" < /dev/null
    rc=$?
}

status() { [ "$rc" -eq "$1" ]; }
out_has() { grep -Eq -- "$1" "$work/out"; }
err_has() { grep -Eq -- "$1" "$work/err"; }
empty() { [ ! -s "$work/$1" ]; }
one_line() { [ "$(wc -l < "$work/out")" -eq 1 ]; }
no_escapes() { ! grep -q $'\033' "$work/out" "$work/err"; }
is_json() { "$python" -m json.tool "$work/out" > /dev/null; }

# soon COMMAND...: true as soon as it is, false after ten seconds.
soon() {
    local try
    for ((try = 0; try < 500; try++)); do
        "$@" && return 0
        sleep 0.02
    done
    return 1
}

# A child that ended is a zombie until somebody waits for it.
ended() {
    local state
    read -r _ _ state _ 2> /dev/null < "/proc/$1/stat" || return 0
    [ "$state" = Z ]
}

# start COMMAND...: a server that prints a line with its port at the end. Sets
# server (its pid) and port.
start() {
    : > "$work/line"
    "$@" > "$work/line" 2> "$work/server.err" < /dev/null &
    server=$!
    servers+=("$server")
    soon grep -Eq '[0-9]+$' "$work/line" || return 1
    port=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\)$/\1/p;s/^\([0-9]*\)$/\1/p' \
        "$work/line" | head -n 1)
    [ -n "$port" ]
}

# stop SIGNAL: end the server; its status in rc. The shell's own "Killed" is not
# of interest.
stop() {
    {
        kill -s "$1" "$server"
        soon ended "$server" || kill -KILL "$server"
        wait "$server"
        rc=$?
    } 2> /dev/null
}

# number NAME: a number of the JSON object in $work/out, as errors.total.
number() {
    "$python" -c 'import functools, json, sys
value = json.load(open(sys.argv[1]))
print(int(functools.reduce(lambda v, k: v[k], sys.argv[2].split("."), value)))
' "$work/out" "$1"
}

between() { # NAME LOW HIGH
    local n
    n=$(number "$1") && [ "$n" -ge "$2" ] && [ "$n" -le "$3" ]
}

test_usage() {
    local words
    while read -r text words; do
        # shellcheck disable=SC2086 # the words of a command line
        run "$bench" $words
        check "usage, status 2: mayfly-bench $words" status 2
        check "usage, says '$text': mayfly-bench $words" err_has "${text//_/ }"
        check "usage, stdout is empty: mayfly-bench $words" empty out
    done << 'END'
usage:
no_command_'quic' quic
HOST:PORT_is_missing tcp
HOST:PORT_is_missing tcp -c 5
127.0.0.1 tcp 127.0.0.1
unexpected_argument_'two' tcp 127.0.0.1:1 two
--connections:_0 tcp 127.0.0.1:1 -c 0
--connections:_10001 tcp 127.0.0.1:1 -c 10001
--connections:_'x' tcp 127.0.0.1:1 -c x
--length:_65537 tcp 127.0.0.1:1 -l 65537
--duration:_'1y' tcp 127.0.0.1:1 -d 1y
--rate:_0 tcp 127.0.0.1:1 --rate 0
-l_needs_a_value tcp 127.0.0.1:1 -l
-Z tcp 127.0.0.1:1 -Z
--depth tcp 127.0.0.1:1 --depth
unix_socket tcp unix:/x
HOST:PORT_is_missing udp
localhost udp localhost
unix_socket udp unix:/x
--length:_15 udp 127.0.0.1:1 -l 15
--length:_65508 udp 127.0.0.1:1 -l 65508
--timeout:_0 udp 127.0.0.1:1 --timeout 0
--connect-timeout udp 127.0.0.1:1 --connect-timeout 1
PATH_is_missing unix
--length:_65537 unix /x -l 65537
--length:_at_least_16 unix /x --dgram -l 15
take_one unix /x --dgram --seqpacket
END
    run "$bench" --help
    check "--help is no error" status 0
    check "--help names the commands" out_has '^  tcp '
    check "--help names udp" out_has '^  udp '
    check "--help names unix" out_has '^  unix '
    run "$bench" tcp --help
    check "tcp --help is no error" status 0
    check "tcp --help speaks of coordinated omission" \
        out_has 'coordinated omission'
    run "$bench" --version
    check "--version prints one" out_has '^mayfly-bench [0-9]+\.[0-9]+\.[0-9]+$'
}

# Port 1 is nobody's.
test_refused() {
    run "$bench" tcp 127.0.0.1:1 -c 3 -d 1 -q
    check "refused: status 1" status 1
    check "refused: the kind is counted" out_has '^  connect refused +3$'
    check "refused: the connections failed" out_has ' 0 connected, 3 failed$'
    check "refused: nothing on stderr" empty err
}

test_echo_program() {
    run "$echo_server" -h
    check "echo -h: status 0" status 0
    check "echo -h: usage" out_has '^usage: echo'
    run "$echo_server" -p http
    check "echo -p http: status 2" status 2
    check "echo -p http: usage" err_has '^usage: echo'
    run "$echo_server" -t -1
    check "echo -t -1: status 2" status 2
}

test_load() {
    local at=127.0.0.1:$port len
    run "$bench" tcp "$at" -d 1 -c 50
    check "load: status 0" status 0
    check "load: all connected" out_has '^connections +50 connected, 0 failed$'
    check "load: there were requests" out_has '^requests +[1-9][0-9]*'
    check "load: there is a latency" out_has '^latency +p50 .* p99\.9 +max +mean$'
    check "load: no errors" out_has '^errors +0$'
    check "load: a line each second" err_has ' req/s .* open  0 errors$'
    check "load: no escapes where no terminal is" \
        no_escapes
    for len in 1 7 65536; do
        run "$bench" tcp "$at" -d 0.2 -c 4 -l "$len" -t 2 -q
        check "load: $len bytes, 2 workers: status 0" status 0
        check "load: $len bytes: no errors" out_has '^errors +0$'
    done
    check "load: quiet" empty err
    run "$echo_server" -p "$port"
    check "echo: a port in use: status 1" status 1
    check "echo: a port in use: says so" err_has '^echo: .*in use'
}

test_json() {
    [ -n "$python" ] || { skip "json" "no python3"; return; }
    run "$bench" tcp "127.0.0.1:$port" -d 1 -c 5 -l 100 --json -q
    check "json: status 0" status 0
    check "json: one line" one_line
    check "json: parses" is_json
    check "json: connections" between connections.connected 5 5
    check "json: requests" between requests 1 1000000000
    check "json: p50 <= max" between latency_ns.p50 1 \
        "$(number latency_ns.max)"
    check "json: errors" between errors.total 0 0
    check "json: bytes" between bytes 100 100

    run "$bench" tcp 127.0.0.1:1 -d 1 -c 5 --json -q
    check "json: refused: status 1" status 1
    check "json: refused: counted" between errors.connect_refused 5 5

    run "$bench" tcp "127.0.0.1:$port" -d 2 -c 10 --rate 1000 --json -q
    check "rate: status 0" status 0
    check "rate: 2000 were due" between due 1990 2010
    check "rate: 2000 were answered" between requests 1900 2010
    check "rate: there is a send lag" between send_lag_ns.max 1 2000000000
}

# What a stalled server holds up is charged from when it was due: its answers
# stop for half a second of one, so a good part of the latencies is long.
test_omission() {
    [ -n "$python" ] || { skip "omission" "no python3"; return; }
    start "$python" "$work/server.py" stall || return 1
    run "$bench" tcp "127.0.0.1:$port" -d 1 -c 1 --rate 200 --json -q
    check "omission: status 0" status 0
    check "omission: the stall is in p90" \
        between latency_ns.p90 100000000 1500000000
    stop KILL
}

# sum NAME NAME: of two numbers of the JSON object.
sum() { echo $(($(number "$1") + $(number "$2"))); }

# What datagrams may suffer is counted and no error; wrong bytes are one.
test_udp() {
    local at n
    run "$bench" udp 127.0.0.1:1 -c 3 -d 1 -q
    check "udp: refused: status 1" status 1
    check "udp: refused: counted" out_has '^  connect refused +3$'
    [ -n "$python" ] || { skip "udp" "no python3"; return; }

    start "$python" "$work/udp.py" echo || return 1
    at=127.0.0.1:$port
    for n in 16 17 1400 65507; do
        run "$bench" udp "$at" -d 0.2 -c 4 -l "$n" -t 2 -q
        check "udp: $n bytes: status 0" status 0
        check "udp: $n bytes: no errors" out_has '^errors +0$'
        check "udp: $n bytes: the counts are shown" \
            out_has '^datagrams +[0-9]+ lost, [0-9]+ late, [0-9]+ reordered, '
    done
    run "$bench" udp "$at" -d 1 -c 4 -r 400 --json -q
    check "udp: json: parses" is_json
    check "udp: rate: 400 were due" between due 395 405
    check "udp: rate: answered, all but what was late" \
        between requests "$((350 - $(sum lost late)))" 405
    check "udp: nothing comes twice" between duplicates 0 0
    stop KILL

    start "$python" "$work/udp.py" drop || return 1
    run "$bench" udp "127.0.0.1:$port" -d 1 -c 1 --timeout 100ms --json -q
    check "udp: loss is no error" status 0
    n=$(number lost)
    check "udp: each fourth is lost" between lost 2 12
    check "udp: and three of four are answered" \
        [ "$(sum requests late)" -ge $((3 * n)) ]
    check "udp: but no more" [ "$(sum requests late)" -le $((3 * n + 3)) ]
    stop KILL

    start "$python" "$work/udp.py" twice || return 1
    run "$bench" udp "127.0.0.1:$port" -d 0.5 -c 4 --json -q
    check "udp: duplicates are no error" status 0
    n=$(sum requests late)
    check "udp: all duplicates are counted" \
        between duplicates $((n - 4)) "$n"
    stop KILL

    start "$python" "$work/udp.py" swap || return 1
    run "$bench" udp "127.0.0.1:$port" -d 1 -c 1 --timeout 50ms --json -q
    check "udp: swapped: status 0" status 0
    check "udp: swapped: late" between late 2 20
    check "udp: swapped: each late one is reordered" \
        between reordered 2 "$(number late)"
    check "udp: swapped: none but the last is lost" between lost 0 1
    check "udp: swapped: none twice" between duplicates 0 0
    stop KILL

    start "$python" "$work/udp.py" slow || return 1
    run "$bench" udp "127.0.0.1:$port" -d 1 -c 1 --timeout 50ms --json -q
    check "udp: slow: late, and in order" between reordered 0 0
    check "udp: slow: late" between late 2 20
    stop KILL
}

test_bad_udp() {
    local mode kind
    [ -n "$python" ] || { skip "bad udp" "no python3"; return; }
    while read -r mode kind; do
        start "$python" "$work/udp.py" "$mode" || return 1
        run "$bench" udp "127.0.0.1:$port" -d 0.5 -c 4 -l 64 -q --timeout 100ms
        check "udp: $mode: status 1" status 1
        check "udp: $mode: '$kind'" out_has "^ *$kind\$"
        check "udp: $mode: no request was good" out_has '^requests +0($|, )'
        stop KILL
    done << 'END'
flip   wrong bytes +4
head   wrong bytes +4
long   wrong bytes +4
short   wrong bytes +4
ahead   wrong bytes +4
foreign   wrong bytes +4
silent datagrams +[1-9][0-9]* lost, 0 late, 0 reordered, 0 duplicates
END
}

test_unix() {
    local type name
    run "$bench" unix "$work/nobody" -d 1 -c 3 -q
    check "unix: no such file: status 1" status 1
    check "unix: no such file: counted" out_has ' 0 connected, 3 failed$'
    for name in "$work/echo7" "@mayfly-bench-test-$$"; do
        start "$echo_unix" -t 1 "$name" || return 1
        run "$bench" unix "$name" -d 0.5 -c 50 -q
        check "unix: stream: status 0" status 0
        check "unix: stream: all connected" out_has ' 50 connected, 0 failed$'
        check "unix: stream: no errors" out_has '^errors +0$'
        run "$bench" unix "$name" -d 0.2 -c 4 -l 65536 -t 2 --json -q
        check "unix: stream: json: requests" between requests 1 1000000000
        stop TERM
        check "unix: the server ends well" status 0
    done
    [ -n "$python" ] || { skip "unix servers" "no python3"; return; }
    for type in stream seqpacket dgram; do
        start "$python" "$work/unix.py" "$type" "$work/u$type" || return 1
        [ "$type" = stream ] || set -- "--$type"
        run "$bench" unix "$work/u$type" -d 0.5 -c 20 -q "$@"
        check "unix: $type: status 0" status 0
        check "unix: $type: no errors" out_has '^errors +0$'
        run "$bench" unix "$work/u$type" -d 0.2 -c 4 -l 60000 -q "$@"
        check "unix: $type: 60000 bytes: status 0" status 0
        stop KILL
    done
    check "unix: dgram: the counts are shown" out_has '^datagrams +0 lost'
}

# interrupted SIGNAL: in the middle of a long run.
test_signal() {
    local pid from to
    : > "$work/out"
    : > "$work/err"
    "$bench" tcp "127.0.0.1:$port" -d 30 -c 10 \
        > "$work/out" 2> "$work/err" < /dev/null &
    pid=$!
    check "$1: runs" soon err_has ' req/s '
    from=$(date +%s%N)
    kill -s "$1" "$pid"
    check "$1: ends" soon ended "$pid"
    to=$(date +%s%N)
    check "$1: within two seconds" [ $(((to - from) / 1000000)) -lt 2000 ]
    kill -KILL "$pid" 2> /dev/null
    wait "$pid"
    rc=$?
    check "$1: status 0" status 0
    check "$1: reports" out_has '^duration .*\(interrupted\)$'
    check "$1: requests were counted" out_has '^requests +[1-9]'
    check "$1: no errors" out_has '^errors +0$'
}

test_fd_limit() {
    (ulimit -n 100 && exec "$bench" tcp "127.0.0.1:$port" -c 200 -d 1 -q) \
        > "$work/out" 2> "$work/err"
    rc=$?
    check "fds: too few: status 1" status 1
    check "fds: too few: says how many" err_has '264 open files'
    (ulimit -Sn 64 && exec "$bench" tcp "127.0.0.1:$port" -c 200 -d 0.5 -q) \
        > "$work/out" 2> "$work/err"
    rc=$?
    check "fds: the soft limit is raised: status 0" status 0
    check "fds: the soft limit is raised" out_has ' 200 connected, 0 failed$'
}

test_bad_servers() {
    local mode kind options
    [ -n "$python" ] || { skip "bad servers" "no python3"; return; }
    while read -r mode options kind; do
        start "$python" "$work/server.py" "$mode" || return 1
        # shellcheck disable=SC2086 # the words of a command line
        run "$bench" tcp "127.0.0.1:$port" -d 5 -c 4 -q ${options//_/ }
        check "$mode: status 1" status 1
        check "$mode: four times '$kind'" out_has "^  $kind +4\$"
        check "$mode: no request was good" out_has '^requests +0$'
        stop KILL
    done << 'END'
flip -l_64 wrong bytes
flip -l_1 wrong bytes
flip -l_65536 wrong bytes
stale -l_64 wrong bytes
silent --timeout_200ms timeout
half -l_64 closed early
close -l_64 closed early
reset -l_64 reset
END
}

test_end_of_echo() {
    local from to
    exec 5<> "/dev/tcp/127.0.0.1/$port" || return 1 # idle, never closed
    from=$(date +%s%N)
    stop TERM
    to=$(date +%s%N)
    exec 5<&-
    check "echo: SIGTERM: status 0" status 0
    check "echo: SIGTERM: an idle connection delays it at most so long" \
        [ $(((to - from) / 1000000)) -lt 5000 ]
    start "$echo_server" -p 0 -t 1 || return 1
    stop INT
    check "echo: SIGINT: status 0" status 0
}

# A server that is wrong in the way its argument says.
cat > "$work/server.py" << 'END'
import socket, struct, sys, threading, time

mode = sys.argv[1]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
print(listener.getsockname()[1], flush=True)


def conn(s):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    n = 0
    while data := bytearray(s.recv(1 << 20)):
        n += 1
        if mode == "flip":
            data[-1] ^= 1
        if mode == "stale":
            data = bytearray(len(data))
        if mode == "silent":
            continue
        if mode == "stall" and n == 20:
            time.sleep(0.5)
        if mode == "half":
            s.sendall(data[: len(data) // 2])
        if mode in ("half", "close"):
            s.shutdown(socket.SHUT_WR)
            continue
        if mode == "reset":
            linger = struct.pack("ii", 1, 0)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            s.close()
            return
        s.sendall(data)


while True:
    s, _ = listener.accept()
    threading.Thread(target=conn, args=(s,), daemon=True).start()
END

# A UDP server that is wrong in the way its argument says.
cat > "$work/udp.py" << 'END'
import queue, socket, sys, threading, time

late = queue.Queue()


def answer_late():  # in the order they came
    while True:
        due, data, addr = late.get()
        time.sleep(max(0, due - time.monotonic()))
        s.sendto(data, addr)


mode = sys.argv[1]
threading.Thread(target=answer_late, daemon=True).start()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
held = None
n = 0
while True:
    data, addr = s.recvfrom(70000)
    data = bytearray(data)
    n += 1
    if mode == "silent" or mode == "drop" and n % 4 == 0:
        continue
    if mode == "flip":
        data[-1] ^= 1
    if mode == "head":
        data[0] ^= 0x80
    if mode == "ahead":
        data[8] += 1
    if mode == "long":
        data += b"x"
    if mode == "short":
        data = data[:-1]
    if mode == "swap" and n % 2 == 1:
        held = data
        continue
    if mode == "foreign":  # one connection's answers go to another
        if held is None or held[1] == addr:
            held = (data, addr)
            continue
        s.sendto(data, held[1])
        s.sendto(held[0], addr)
        held = None
        continue
    if mode == "slow":
        late.put((time.monotonic() + 0.075, data, addr))
        continue
    s.sendto(data, addr)
    if mode == "twice":
        s.sendto(data, addr)
    if mode == "swap":
        s.sendto(held, addr)
END

cat > "$work/unix.py" << 'END'
import socket, sys, threading

kind = {
    "stream": socket.SOCK_STREAM,
    "seqpacket": socket.SOCK_SEQPACKET,
    "dgram": socket.SOCK_DGRAM,
}[sys.argv[1]]
s = socket.socket(socket.AF_UNIX, kind)
s.bind(sys.argv[2])


def conn(c):
    while data := c.recv(1 << 20):
        c.sendall(data)


if kind == socket.SOCK_DGRAM:
    print(1, flush=True)
    while True:
        data, addr = s.recvfrom(1 << 20)
        try:
            s.sendto(data, addr)
        except OSError:  # it is gone already
            pass
s.listen(64)
print(1, flush=True)
while True:
    c, _ = s.accept()
    threading.Thread(target=conn, args=(c,), daemon=True).start()
END

for program in "$bench" "$echo_server" "$echo_unix"; do
    [ -x "$program" ] || { echo "$program is not there" >&2; exit 2; }
done
test_usage
test_refused
test_echo_program
test_bad_servers
test_omission
test_udp
test_bad_udp
test_unix
check "echo: starts on a free port" start "$echo_server" -p 0
check "echo: says where" grep -Eq '^listening on 0\.0\.0\.0:[1-9][0-9]*$' \
    "$work/line"
test_load
test_json
test_signal INT
test_signal TERM
test_fd_limit
test_end_of_echo
echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
