#!/bin/bash
# SPDX-License-Identifier: MIT
# examples_test.sh FOLDER - run every example that was built into FOLDER. A
# script tests/examples/NAME.sh says how to run and judge the example NAME: it
# is called with the program's path. An example without one must end by itself
# with status 0 and have printed something; NAME.last holds its last line.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?usage: examples_test.sh FOLDER}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
# Asked for by name, io_uring must be there: where it is denied, so is this.
if [ "${MF_BACKEND:-}" = uring ] &&
    "$folder/hello" 2>&1 < /dev/null | grep -q "io_uring"; then
    echo "skipped: io_uring cannot be had here"
    exit 0
fi

ends_well() { # program file-of-last-line
    timeout 60 "$1" < /dev/null > "$work/out"
    local rc=$?
    cat "$work/out"
    [ "$rc" -eq 0 ] && [ -s "$work/out" ] || return 1
    [ ! -e "$2" ] || tail -n 1 "$work/out" | cmp - "$2"
}

for source in "$here"/../../examples/*.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .c)
    if [ -e "$here/$name.sh" ]; then
        timeout 60 "$here/$name.sh" "$folder/$name" > "$work/log" 2>&1
    else
        ends_well "$folder/$name" "$here/$name.last" > "$work/log" 2>&1
    fi
    rc=$?
    if [ "$rc" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name # exit $rc"
        tail -n 40 "$work/log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
