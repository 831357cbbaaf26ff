#!/bin/bash
# SPDX-License-Identifier: MIT
# gen.sh PROGRAM - the numbers in order, and the generator hears of its end.
set -u
said=$("$1" 10) || { echo "ended with $?"; exit 1; }
want="got 0
got 1
got 1
got 2
got 3
got 5
got 8
got 13
got 21
got 34
asked 10 times and then freed"
[ "$said" = "$want" ] || { printf 'said:\n%s\n' "$said"; exit 1; }
# The largest that fits 64 bits.
last=$("$1" 94 | tail -n 2 | head -n 1)
[ "$last" = "got 12200160415121876738" ] || { echo "last: $last"; exit 1; }
"$1" 95 2> /dev/null && { echo "took 95"; exit 1; }
exit 0
