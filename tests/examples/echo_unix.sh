#!/bin/bash
# SPDX-License-Identifier: MIT
# echo_unix.sh PROGRAM - what goes in comes out by a path and by a name; a file
# left behind does not stop it, a live server does; SIGTERM ends it tidily.
set -u
[ -e "$1" ] || exit 1
command -v python3 > /dev/null || { "$1" 2> /dev/null; [ $? -eq 2 ]; exit; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server"; rm -rf "$work"' EXIT
mkfifo "$work/fifo"

start() { # NAME
    "$1" -t 2 "$2" > "$work/fifo" 2> "$work/err" &
    server=$!
    exec 4< "$work/fifo"
    read -r -t 10 line <&4 || { echo "did not start"; exit 1; }
    exec 4<&-
    [ "$line" = "listening on unix:$2" ] || { echo "says \"$line\""; exit 1; }
}

talk() { # NAME
    timeout 20 python3 - "$1" << 'END'
import socket, sys

s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1].replace("@", "\0", 1))
for text in (b"one", b"two", b"x" * 100000):
    s.sendall(text)
    got = b""
    while len(got) < len(text):
        got += s.recv(65536) or sys.exit("the end too early")
    if got != text:
        sys.exit("wrong bytes")
END
}

stop() {
    kill -TERM "$server"
    wait "$server"
    rc=$?
    server=
    [ "$rc" -eq 0 ] || { echo "ended with $rc"; exit 1; }
}

path=$work/x.sock
start "$1" "$path"
talk "$path" || exit 1
grep -q "of user $(id -u)\$" "$work/err" || { echo "who was it?"; exit 1; }
"$1" "$path" 2> "$work/err2"
[ $? -eq 1 ] || { echo "a live server lost its name"; exit 1; }
grep -q "in use" "$work/err2" || { echo "did not say why"; exit 1; }
{
    kill -KILL "$server"
    wait "$server"
} 2> /dev/null
[ -S "$path" ] || { echo "no file was left behind: no test"; exit 1; }
start "$1" "$path"
talk "$path" || exit 1
stop
[ ! -e "$path" ] || { echo "the file is left"; exit 1; }
start "$1" "@mayfly-echo-unix-$$"
talk "@mayfly-echo-unix-$$" || exit 1
stop
