#!/bin/bash
# SPDX-License-Identifier: MIT
# echo_udp.sh PROGRAM - what goes in comes out, one by one and in batches, and
# SIGTERM ends it.
set -u
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
mkfifo "$work/fifo"

start() { # program options...
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        "$@" -p "$port" > "$work/fifo" &
        server=$!
        exec 4< "$work/fifo"
        read -r -t 10 line <&4 && [[ $line == *":$port" ]] && return
        exec 4<&-
        kill "$server" 2> /dev/null
        wait "$server"
        server=
    done
    echo "did not start"
    exit 1
}

# dd, as the shell reads a byte at a time, and the rest of a datagram is lost.
asks() { # text
    local answer
    printf '%s' "$1" >&3
    answer=$(timeout 10 dd bs=4096 count=1 <&3 2> /dev/null)
    [ "$answer" = "$1" ] || { echo "got \"$answer\" for \"$1\""; exit 1; }
}

for options in "-t 1" "-t 2" "-b -t 1" "-b -t 2"; do
    # shellcheck disable=SC2086 # several words
    start "$1" $options
    exec 3<> "/dev/udp/127.0.0.1/$port" || exit 1
    for text in one two "three four" "$(head -c 1400 /dev/zero | tr '\0' x)"
    do
        asks "$text"
    done
    exec 3<&-
    kill -TERM "$server"
    wait "$server"
    rc=$?
    server=
    exec 4<&-
    [ "$rc" -eq 0 ] || { echo "$options: ended with $rc"; exit 1; }
done
