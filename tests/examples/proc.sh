#!/bin/bash
# SPDX-License-Identifier: MIT
# proc.sh PROGRAM - the words are sorted and counted, and nobody is left; a
# program that cannot be found is an answer, not a hang.
set -u
said=$(LC_ALL=C "$1") || { echo "ended with $?"; exit 1; }
want="      1 day
      2 fly
      3 may
uniq ended with 0"
[ "$said" = "$want" ] || { printf 'said:\n%s\n' "$said"; exit 1; }
said=$(PATH=/no/such "$1" 2>&1) && { echo "found what is not there"; exit 1; }
[ "$said" = "proc: start 'sort': No such file or directory" ] ||
    { printf 'said:\n%s\n' "$said"; exit 1; }
