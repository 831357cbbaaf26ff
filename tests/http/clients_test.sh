#!/bin/bash
# SPDX-License-Identifier: MIT
# clients_test.sh PROGRAM [slow] - what load generators say of examples/http:
# each request answered, none of another length. slow: and slow clients, some
# seconds of them, stop nobody.
# Prints TAP; what is not installed is skipped.
set -u
server=
passed=0
failed=0
work=$(mktemp -d)
trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    "${1:?usage: clients_test.sh PROGRAM}" -t 2 -p "$port" > /dev/null &
    server=$!
    url=http://127.0.0.1:$port/hello
    curl -s --noproxy '*' --retry 20 --retry-connrefused --retry-delay 0 \
        --retry-max-time 5 "$url" > /dev/null &&
        kill -0 "$server" 2> /dev/null && break
    server=
done
[ -n "$server" ] || { echo "did not start"; exit 1; }

try() { # name command pattern-that-must-be-there
    local name=$1
    if ! command -v "${2%% *}" > /dev/null; then
        echo "ok - $name # skip ${2%% *} is not here"
        return
    fi
    timeout 60 bash -c "$2" > "$work/out" 2>&1
    if grep -Eq "$3" "$work/out"; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name"
        sed 's/^/# /' "$work/out" | tail -n 40
    fi
}

try "ab, a connection each" "ab -q -n 500 -c 10 $url" \
    'Failed requests: +0$'
try "ab, kept alive" "ab -q -k -n 2000 -c 10 $url" \
    'Keep-Alive requests: +2000$'
try "wrk" "wrk -t 1 -c 10 -d 1s $url |
    awk '/Non-2xx|Socket errors/ { bad = 1 } { print }
        END { if (NR > 3 && !bad) print \"clean\" }'" '^clean$'
try "h2load as HTTP/1.1" "h2load --h1 -n 2000 -c 10 -m 4 $url" \
    '2000 succeeded, 0 failed, 0 errored'
if [ "${2:-}" = slow ]; then
    # Its own probe of the server must succeed while 200 clients dawdle.
    for kind in H B X; do
        try "slow $kind" "slowhttptest -c 200 -$kind -i 1 -r 200 -l 4 -p 2 \
            -u $url" 'service available:.*YES'
    done
fi
try "and it is still there" "curl -s --noproxy '*' $url" '^Hello, World!$'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
