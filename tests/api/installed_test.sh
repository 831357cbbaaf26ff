#!/bin/bash
# SPDX-License-Identifier: MIT
# installed_test.sh BUILD_DIR - install into an empty prefix, build the
# programs of tests/api/programs there as a user would (plain cc with
# pkg-config, libmayfly.a, and find_package, shared and static), run them and
# look at what they do (programs.sh). The programs are the contract: they are
# built unchanged.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: installed_test.sh BUILD_DIR}" && pwd)
work=$(mktemp -d)
prefix=$work/prefix
passed=0
failed=0
skipped=

# Those that run today, in this order. The others wait for the library.
programs=(
    p01_echo.c
    p02_client.c
    p03_stdio.c
    p04_udp.c
    p05_go.c
    p05_spawn.c
    p06_select.c
    p07_cqueue.c
    p08_loop_select.c
    p11_pool.c
    p12_thread.c
    p13_race.c
    p14_cxx.cc
    p14_cxx_part.cc
)

# shellcheck source=tests/api/programs.sh
. "$here/programs.sh"

# A child that is killed before it is the program it will be comes here too.
clean_up() {
    [ "$BASHPID" -eq $$ ] || return
    end_servers
    rm -rf "$work"
}
trap clean_up EXIT

skip() { # reason: of the check that calls it
    skipped=$1
}

# Run it, count, show its output if it fails; false then.
check() { # what command...
    local what=$1
    shift
    skipped=
    if ! "$@" > "$work/log" 2>&1; then
        failed=$((failed + 1))
        echo "not ok - $what"
        tail -n 40 "$work/log"
        return 1
    elif [ -n "$skipped" ]; then
        echo "ok - $what # SKIP $skipped"
    else
        passed=$((passed + 1))
        echo "ok - $what"
    fi
}

compile_all() { # folder C-standard libraries...
    local source name pid folder=$1 standard=$2 ok=0 pids=()
    shift 2
    mkdir -p "$folder"
    for source in "${programs[@]}"; do
        name=$folder/${source%.*}
        source=$here/programs/$source
        case $source in
        *.c) cc -std="$standard" -Wall -o "$name" "$source" "$@" & ;;
        *.cc) c++ -std=c++17 -Wall -o "$name" "$source" "$@" & ;;
        esac
        pids+=("$!")
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || ok=1
    done
    return "$ok"
}

with_pkg_config() {
    local flags
    flags=$(pkg-config --cflags --libs mayfly) || return 1
    # shellcheck disable=SC2086 # flags are words
    compile_all "$work/pkg" gnu11 $flags &&
        cc -std=gnu11 -Wall -o "$work/answer" "$here/answer.c" $flags
}

# As strict users of the static library.
with_archive() {
    local flags lib
    lib=$(pkg-config --variable=libdir mayfly)/libmayfly.a
    flags=$(pkg-config --static --libs-only-l mayfly | sed 's/-lmayfly//')
    # shellcheck disable=SC2046,SC2086 # flags are words
    compile_all "$work/archive" gnu99 $(pkg-config --cflags mayfly) \
        "$lib" $flags
}

with_find_package() {
    local list
    list=$(printf ";%s" "${programs[@]/#/$here/programs/}")
    cmake -S "$here/consumer" -B "$work/find" -DPROGRAMS="${list:1}" \
        -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$work/find" -j "$(nproc)"
}

run_all() { # title folder suffix
    local program
    for program in "${programs[@]}"; do
        run_program "$1" "$2" "$3" "$program"
    done
    true # what failed is counted
}

check install cmake --install "$build" --prefix "$prefix"
pc=$(find "$prefix" -name mayfly.pc)
export PKG_CONFIG_PATH="${pc%/*}"
libdir=$(pkg-config --variable=libdir mayfly)
export LD_LIBRARY_PATH="$libdir"

check "build with pkg-config" with_pkg_config &&
    run_all pkg-config "$work/pkg" ""
check "build with libmayfly.a" with_archive &&
    run_all libmayfly.a "$work/archive" ""
check "build with find_package" with_find_package &&
    run_all "find_package shared" "$work/find" "" &&
    run_all "find_package static" "$work/find" _static

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
