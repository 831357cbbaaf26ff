#!/bin/bash
# SPDX-License-Identifier: MIT
# echo.sh PROGRAM - what goes in comes out, and SIGTERM ends it.
set -u
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
mkfifo "$work/fifo"

for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    "$1" -t 2 -p "$port" > "$work/fifo" &
    server=$!
    exec 4< "$work/fifo"
    read -r -t 10 line <&4 && [[ $line == *"$port"* ]] && break
    exec 4<&-
    kill "$server" 2> /dev/null
    wait "$server"
    server=
done
[ -n "$server" ] || { echo "did not start"; exit 1; }

exec 3<> "/dev/tcp/127.0.0.1/$port" || exit 1
for text in one two "three four"; do
    printf '%s\n' "$text" >&3
    read -r -t 10 line <&3 || { echo "no answer"; exit 1; }
    [ "$line" = "$text" ] || { echo "got \"$line\""; exit 1; }
done
exec 3<&-

kill -TERM "$server"
wait "$server"
rc=$?
server=
[ "$rc" -eq 0 ] || [ "$rc" -eq 143 ] || { echo "ended with $rc"; exit 1; }
