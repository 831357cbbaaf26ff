#!/bin/sh
# SPDX-License-Identifier: MIT
# tidy.sh [--density] - run tidy.awk over the tree (or over the tree in
# $TIDY_ROOT). The contract programs in tests/api/programs are left as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${TIDY_ROOT:-$here/..}"
density=0
[ "${1:-}" = --density ] && density=1

for folder in src include tests tools examples bench cmake scripts verify \
    .ci; do
    [ -d "$folder" ] && find "$folder" -type f \
        ! -path 'tests/api/programs/*' \
        \( -name '*.[chS]' -o -name '*.cc' -o -name '*.awk' -o -name '*.sh' \
        -o -name '*.cmake' -o -name CMakeLists.txt -o -name UNTESTED \
        -o -name LAYERS -o -name '*.map' -o -path 'scripts/*' \
        -o -path '.ci/*' -o -name '*.pml' -o -path verify/run \)
done | sort | xargs awk -v density="$density" -f "$here/tidy.awk"
