#!/bin/bash
# SPDX-License-Identifier: MIT
# readme_test.sh BUILD_DIR - the program in README.md is one: take the first C
# block that has a main, compile it unchanged with warnings as errors, link it
# with the built library, and see that what goes in comes out, on each backend.
#
# Prints TAP and a last line "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:?usage: readme_test.sh BUILD_DIR}" && pwd) || exit 2
work=$(mktemp -d)
server=
passed=0
failed=0
unset MF_WORKERS

stop_server() {
    [ -n "$server" ] || return 0
    kill "$server" 2> /dev/null
    wait "$server" 2> /dev/null
    server=
}
trap 'stop_server; rm -rf "$work"' EXIT

check() { # what command...: runs it, counts, shows its output if it fails
    local what=$1
    shift
    if "$@" > "$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $what"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $what"
        sed 's/^/# /' "$work/log"
    fi
}

# The first ```c block with a main, as it stands.
extract() {
    awk '
        /^```c$/ { inside = 1; block = ""; next }
        /^```$/ && inside {
            if (block ~ /(^|\n)int main\(/) {
                printf "%s", block
                found = 1
                exit
            }
            inside = 0
        }
        inside { block = block $0 "\n" }
        END { exit !found }' "$root/README.md" > "$work/server.c"
}

compile() {
    local libs # what the archive needs beside itself
    libs=$(PKG_CONFIG_PATH=$build pkg-config --static --libs-only-l mayfly)
    # shellcheck disable=SC2086
    cc -std=gnu11 -O2 -Wall -Wextra -Werror -fexceptions -I"$root/include" \
        -o "$work/server" "$work/server.c" "$build/src/libmayfly.a" \
        ${libs/-lmayfly/}
}

# Our server, not a stranger's: it must still run once the port answers.
wait_for_port() {
    for _ in $(seq 200); do
        kill -0 "$server" 2> /dev/null || return 1
        if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then
            kill -0 "$server" 2> /dev/null
            return
        fi
        read -r -t 0.05 <> <(:)
    done
    return 1
}

start_server() { # backend; sets port
    local try
    for try in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        MF_BACKEND=$1 "$work/server" "127.0.0.1:$port" 2> "$work/err" &
        server=$!
        wait_for_port "$port" && return 0
        stop_server
        cat "$work/err"
    done
    echo "no server after $try tries"
    return 1
}

echoes() { # backend
    local line text="what goes in comes out"
    start_server "$1" || return 1
    exec 3<> "/dev/tcp/127.0.0.1/$port" || return 1
    printf '%s\n' "$text" >&3
    read -r -t 10 line <&3
    exec 3>&-
    stop_server
    echo "got '$line'"
    [ "$line" = "$text" ]
}

# Containers often deny io_uring; then a start that insists on it says so.
uring_denied() {
    timeout 10 env MF_BACKEND=uring "$work/server" nowhere 2>&1 |
        grep -q 'backend uring'
}

# A start that fails says why, and the status tells.
fails_in_words() {
    "$work/server" "nowhere" > "$work/out" 2>&1
    local rc=$?
    cat "$work/out"
    [ "$rc" -eq 1 ] && grep -q '^echo: ' "$work/out"
}

check "README.md has a program" extract
check "it compiles without a warning" compile
check "it echoes a message on epoll" echoes epoll
if uring_denied; then
    passed=$((passed + 1))
    echo "ok $passed - it echoes a message on uring # SKIP denied here"
else
    check "it echoes a message on uring" echoes uring
fi
check "it says why it cannot start" fails_in_words

echo "1..$((passed + failed))"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
