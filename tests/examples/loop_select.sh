#!/bin/bash
# SPDX-License-Identifier: MIT
# loop_select.sh PROGRAM - each end is told once, and the point in time too, in
# any order; the sum is last.
set -u
said=$("$1") || { echo "ended with $?"; exit 1; }
want="left is at its end
right is at its end
so far: some of it"
if [ "$(head -n 3 <<< "$said" | sort)" != "$want" ] ||
    [ "$(tail -n +4 <<< "$said")" != "sum 30" ]; then
    printf 'said:\n%s\n' "$said"
    exit 1
fi
