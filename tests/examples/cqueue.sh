#!/bin/bash
# SPDX-License-Identifier: MIT
# cqueue.sh PROGRAM - to its end the sum is known; stopped early it is not.
set -u
[ "$("$1")" = "sum 9450" ] || exit 1
out=$("$1" 3) || exit 2
echo "$out"
[ "$(head -n 1 <<< "$out")" = "stopped" ] &&
    grep -Eq '^sum so far [0-9]+$' <<< "$out"
