#!/bin/bash
# SPDX-License-Identifier: MIT
# installed_test.sh BUILD_DIR - install into an empty prefix, build the
# programs of tests/api/programs there as a user would (plain cc with
# pkg-config, and find_package, shared and static), run them and look at what
# they print. The programs are the contract: they are built unchanged.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: installed_test.sh BUILD_DIR}" && pwd)
work=$(mktemp -d)
prefix=$work/prefix
server=
passed=0
failed=0

clean_up() {
    [ -z "$server" ] || kill "$server" 2> /dev/null
    rm -rf "$work"
}
trap clean_up EXIT

check() { # what command...: runs it, counts, shows its output if it fails
    local what=$1
    shift
    if "$@" > "$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok - $what"
    else
        failed=$((failed + 1))
        echo "not ok - $what"
        tail -n 40 "$work/log"
    fi
}

with_pkg_config() {
    local source name flags
    mkdir -p "$work/pkg"
    flags=$(pkg-config --cflags --libs mayfly) || return 1
    for source in "$here"/programs/*; do
        name=$(basename "${source%.*}")
        # shellcheck disable=SC2086 # flags are words
        case $source in
        *.c) cc -std=gnu11 -Wall -o "$work/pkg/$name" "$source" $flags ;;
        *.cc) c++ -std=c++17 -Wall -o "$work/pkg/$name" "$source" $flags ;;
        esac || return 1
    done
}

# The C programs again as strict users of the static library.
with_archive() {
    local source lib
    lib=$(pkg-config --variable=libdir mayfly)/libmayfly.a
    for source in "$here"/programs/*.c; do
        # shellcheck disable=SC2046 # flags are words
        cc -std=gnu99 -o "$work/archive" "$source" \
            $(pkg-config --cflags mayfly) "$lib" \
            $(pkg-config --static --libs-only-l mayfly |
                sed 's/-lmayfly//') || return 1
    done
    "$work/archive"
}

with_find_package() {
    cmake -S "$here/consumer" -B "$work/find" -DPROGRAMS="$here/programs" \
        -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/find"
}

# 100 children each say hi and bye, between the parent's hi and bye.
says_hi_and_bye() { # program last-line
    timeout 60 "$1" > "$work/out" || { echo "status $?"; return 1; }
    head -n 1 "$work/out"
    tail -n 1 "$work/out"
    [ "$(head -n 1 "$work/out")" = "hi, I'm parent" ] || return 1
    [ "$(tail -n 1 "$work/out")" = "$2" ] || return 1
    [ "$(grep -c "^hi, I'm child[0-9]*$" "$work/out")" -eq 100 ] &&
        [ "$(grep -c '^bye from child[0-9]*$' "$work/out")" -eq 100 ]
}

cxx_part_works() {
    timeout 60 "$1" > "$work/out" || { echo "status $?"; return 1; }
    cat "$work/out"
    [ "$(cat "$work/out")" = "done 52, unwound 12" ]
}

# A port nobody listens on: the server says so if it was taken meanwhile.
echo_and_client() { # folder suffix
    local port try
    for try in 1 2 3 4 5; do
        port=$((20000 + (RANDOM % 10000)))
        "$1/p01_echo$2" "127.0.0.1:$port" 2> "$work/server" &
        server=$!
        wait_for_port "$port" && break
        wait "$server"
        server=
    done
    [ -n "$server" ] || { echo "no server after $try tries"; return 1; }
    timeout 60 "$1/p02_client$2" "127.0.0.1:$port" 2 > "$work/out"
    local rc=$?
    kill "$server"
    wait "$server" 2> /dev/null
    server=
    cat "$work/out" "$work/server"
    [ "$rc" -eq 0 ] &&
        grep -Eq '^[1-9][0-9]* round trips, 0 errors$' "$work/out"
}

# Our server, not a stranger's: it must still run once the port answers.
wait_for_port() {

    for _ in $(seq 100); do
        kill -0 "$server" 2> /dev/null || return 1
        if (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then
            kill -0 "$server" 2> /dev/null
            return
        fi
        read -r -t 0.05 <> <(:)
    done
    return 1
}

run_all() { # title folder suffix
    check "$1: p01_echo and p02_client" echo_and_client "$2" "$3"
    check "$1: p05_go" says_hi_and_bye "$2/p05_go$3" "bye from parent"
    check "$1: p05_spawn" says_hi_and_bye "$2/p05_spawn$3" \
        "bye from parent, 4950"
    check "$1: p14_cxx_part" cxx_part_works "$2/p14_cxx_part$3"
}

check install cmake --install "$build" --prefix "$prefix"
pc=$(find "$prefix" -name mayfly.pc)
export PKG_CONFIG_PATH="${pc%/*}"
libdir=$(pkg-config --variable=libdir mayfly)
export LD_LIBRARY_PATH="$libdir"

check "build with pkg-config" with_pkg_config
run_all pkg-config "$work/pkg" ""
check "build and run with libmayfly.a" with_archive
check "build with find_package" with_find_package
run_all "find_package shared" "$work/find" ""
run_all "find_package static" "$work/find" _static

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
