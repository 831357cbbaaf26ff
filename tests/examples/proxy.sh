#!/bin/bash
# SPDX-License-Identifier: MIT
# proxy.sh PROGRAM - through the proxy to the echo example and back: half-close,
# idle timeout, a target that is not there, SIGTERM.
set -u
here=$(cd "$(dirname "$1")" && pwd)
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2> /dev/null; rm -rf "$work"' EXIT
fail() { echo "$1"; exit 1; }

# start NAME PROGRAM ARGS...: its port in port, its pid in pid.
start() {
    mkfifo "$work/$1"
    "${@:2}" > "$work/$1" &
    pid=$!
    pids+=("$pid")
    exec 9< "$work/$1"
    read -r -t 10 line <&9 || fail "$1 did not start"
    port=${line##*:}
}

start echo "$here/echo" -t 1 -p 0
echo_pid=$pid
start proxy "$1" -t 2 -p 0 -i 300 "127.0.0.1:$port"
proxy_pid=$pid

exec 3<> "/dev/tcp/127.0.0.1/$port" || exit 1
for text in one two "three four"; do
    printf '%s\n' "$text" >&3
    read -r -t 10 line <&3 || fail "no answer"
    [ "$line" = "$text" ] || fail "got \"$line\""
done
# Nobody says anything: the proxy hangs up.
read -r -t 10 line <&3
[ $? -eq 1 ] || fail "an idle connection stays"
exec 3<&-

# The end of a big request comes through, and the whole answer after it.
head -c 3000000 /dev/urandom > "$work/in"
timeout 20 python3 - "$port" "$work/in" << 'END' || fail "half-close"
import socket, sys, threading
data = open(sys.argv[2], "rb").read()
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def send():
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=send)
t.start()
got = b""
while True:
    part = s.recv(65536)
    if not part:
        break
    got += part
t.join()
sys.exit(got != data)
END

kill -TERM "$echo_pid"
wait "$echo_pid"
exec 3<> "/dev/tcp/127.0.0.1/$port" || exit 1
read -r -t 10 line <&3
[ $? -eq 1 ] || fail "no target, and it does not hang up"
exec 3<&-

kill -TERM "$proxy_pid"
wait "$proxy_pid"
rc=$?
[ "$rc" -eq 0 ] || fail "ended with $rc"
