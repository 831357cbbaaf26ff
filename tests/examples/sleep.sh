#!/bin/bash
# SPDX-License-Identifier: MIT
# sleep.sh PROGRAM - the sleepers wake in the order of their spans.
set -u
said=$("$1") || { echo "ended with $?"; exit 1; }
want="slept 50 ms
slept 100 ms
slept 150 ms
slept 200 ms
slept 250 ms
all of them: less than 750 ms"
[ "$said" = "$want" ] || { printf 'said:\n%s\n' "$said"; exit 1; }
