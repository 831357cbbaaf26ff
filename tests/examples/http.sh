#!/bin/bash
# SPDX-License-Identifier: MIT
# http.sh PROGRAM - its routes, one connection for several requests, /quit.
set -u
command -v curl > /dev/null || { echo "skipped: curl is not here"; exit 0; }
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null' EXIT
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    "$1" -t 2 -p "$port" > /dev/null &
    server=$!
    url=http://127.0.0.1:$port
    curl -s --noproxy '*' --retry 20 --retry-connrefused --retry-delay 0 \
        --retry-max-time 5 "$url/hello" > /dev/null &&
        kill -0 "$server" 2> /dev/null && break
    server=
done
[ -n "$server" ] || { echo "did not start"; exit 1; }

get() { curl -sS --noproxy '*' --max-time 10 "$@"; }
is() { # what got want
    [ "$2" = "$3" ] || { echo "$1: got \"$2\", not \"$3\""; exit 1; }
}
is hello "$(get "$url/hello")" "Hello, World!"
is root "$(get "$url/")" "Welcome to the mayfly http demo"
is none "$(get -o /dev/null -w '%{http_code}' "$url/none")" 404
is post "$(get -o /dev/null -w '%{http_code}' -d x "$url/hello")" 405
is head "$(get -I -o /dev/null -w '%{http_code} %{size_download}' \
    "$url/hello")" "200 0"
is kept "$(get -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}' \
    "$url/hello" "$url/" "$url/hello")" "100"
is old "$(get -0 "$url/hello")" "Hello, World!"
is quit "$(get "$url/quit")" "Bye."
wait "$server"
rc=$?
server=
is "its end" "$rc" 0
