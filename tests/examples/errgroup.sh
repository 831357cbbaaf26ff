#!/bin/bash
# SPDX-License-Identifier: MIT
# errgroup.sh PROGRAM - all succeed; one fails and ends the rest; all; first.
set -u
said=$("$1") || { echo "ended with $?"; exit 1; }
want='^7 jobs: success, 7 done
20 jobs: [^,]*[Hh]ost[^,]*, not all done
join_all: 0
race: 20 ms$'
[[ $said =~ $want ]] || { printf 'said:\n%s\n' "$said"; exit 1; }
