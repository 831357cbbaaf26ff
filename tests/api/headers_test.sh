#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone: C99 and C11 with GNU extensions, strict
# C11, C++17; gcc and, where it is installed, clang.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() { # header compiler language standard
    printf '#include <%s>\n#include <%s>\n' "$1" "$1" > "$work/one"
    if "$2" -x "$3" -std="$4" -Wall -Wextra -Wundef -Wshadow -Werror \
        -Iinclude -fsyntax-only "$work/one" 2> "$work/log"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok - $1 with $2 -std=$4"
        cat "$work/log"
    fi
}

compilers="gcc:g++"
if command -v clang > /dev/null; then
    compilers="$compilers clang:clang++"
fi
for header in mayfly.h $(cd include && ls mayfly/*.h); do
    for pair in $compilers; do
        check "$header" "${pair%:*}" c gnu99
        check "$header" "${pair%:*}" c gnu11
        check "$header" "${pair%:*}" c c11
        check "$header" "${pair#*:}" c++ c++17
        check "$header" "${pair#*:}" c++ gnu++17
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
