#!/bin/bash
# SPDX-License-Identifier: MIT
# spawn.sh PROGRAM - the parent speaks first and last; in between each child
# says hi, then bye.
set -u
"$1" | awk '
    NR == 1 && $0 != "hi, I\047m parent" { print "first: " $0; bad = 1 }
    /^hi, I\047m child[0-9]+$/ { sub(/.*child/, ""); hi[$0]++; next }
    /^bye from child[0-9]+$/ {
        sub(/.*child/, "")
        if (hi[$0] != 1 || bye[$0]++)
            bad = 1
    }
    { last = $0 }
    END {
        for (i = 0; i < 100; i++)
            if (hi[i] != 1 || bye[i] != 1) {
                print "child" i ": " hi[i] + 0 " hi, " bye[i] + 0 " bye"
                bad = 1
            }
        if (NR != 202 || last != "bye from parent, the sum is 4950") {
            print NR " lines, the last: " last
            bad = 1
        }
        exit bad
    }'
rc=("${PIPESTATUS[@]}")
[ "${rc[0]}" -eq 0 ] || { echo "ended with ${rc[0]}"; exit 1; }
exit "${rc[1]}"
