#!/bin/bash
# SPDX-License-Identifier: MIT
# valgrind_test.sh BUILD_DIR - the layers below the scheduler, and tasks that
# switch, spawn and leave early, are clean under valgrind: no wild access, and
# nothing left behind. BUILD_DIR was configured with MAYFLY_VALGRIND.
set -u
build=${1:?usage: valgrind_test.sh BUILD_DIR}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MF_TEST_TIMEOUT_SCALE=20
passed=0
failed=0

if ! command -v valgrind > /dev/null; then
    echo "SKIP: no valgrind"
    exit 0
fi

check() { # program: valgrind finds nothing, and it ends well
    if valgrind --quiet --error-exitcode=9 --leak-check=full --fair-sched=yes \
        --errors-for-leak-kinds=definite --trace-children=yes \
        --show-leak-kinds=definite "$@" > "$work/log" 2>&1 &&
        ! grep -q 'Warning: client switching stacks' "$work/log"; then
        passed=$((passed + 1))
        echo "ok - ${1#"$build"/}"
    else
        failed=$((failed + 1))
        echo "not ok - ${1#"$build"/}"
        tail -n 40 "$work/log"
    fi
}

for test in "$build"/tests/{base,arch,os,mem,coro}/*_test; do
    # These two fault and ask for the impossible on purpose, which it reports.
    case $test in
    *_nightly_test | */os/map_test | */os/signal_test) continue ;;
    esac
    [ ! -x "$test" ] || check "$test"
done
check "$build/tests/debug/tasks"
check "$build/examples/hello"
check "$build/examples/spawn"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 3 ]
