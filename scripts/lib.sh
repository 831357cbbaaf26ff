# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# lib.sh - sourced by the scripts: steps, their times, the count of what passed.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
jobs=$(nproc)
work=$(mktemp -d)
nr_passed=0
nr_failed=0
# Empty, or the pids this script started and must stop.
started=""

clean_up() {
    local pid
    for pid in $started; do
        kill "$pid" 2> /dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Tests and demos open thousands of sockets.
ulimit -Sn "$(ulimit -Hn)" 2> /dev/null

# count_tests LOG: "passed failed" of a `ctest -V` log. An executable's own
# "N passed, N failed" line counts its tests; one without it is one test.
count_tests() {
    awk '
        match($0, /^[0-9]+: /) {
            id = substr($0, 1, RLENGTH - 2)
            text = substr($0, RLENGTH + 1)
            if (text ~ /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/) {
                split(text, word, " ")
                own[id] = 1
                passed += word[1]
                failed += word[3]
                own_failed[id] = word[3]
            }
        }
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
            match($0, /#[0-9]+/)
            id = substr($0, RSTART + 1, RLENGTH - 1)
            good = $0 ~ / Passed +[0-9.]+ sec/
            if (!good && own_failed[id] == 0)
                failed++
            if (good && !own[id])
                passed++
        }
        END { print passed + 0, failed + 0 }' "$1"
}

# step NAME COMMAND...: run it, say how long it took, show its log if it
# failed. Counts as one check, or as the tests its log speaks of.
step() {
    local name=$1 log=$work/log start rc seconds counts
    shift
    printf '== %s\n' "$name"
    start=$(date +%s%N)
    ("$@") > "$log" 2>&1 < /dev/null
    rc=$?
    seconds=$((($(date +%s%N) - start) / 100000000))
    seconds=$((seconds / 10)).$((seconds % 10))
    counts=$(count_tests "$log")
    if [ "$counts" = "0 0" ]; then
        counts="$((rc == 0)) $((rc != 0))"
    elif [ "$rc" -ne 0 ] && [ "${counts#* }" = 0 ]; then
        counts="${counts% *} 1"
    fi
    nr_passed=$((nr_passed + ${counts% *}))
    nr_failed=$((nr_failed + ${counts#* }))
    if [ "$rc" -eq 0 ]; then
        printf '   ok, %s s, %s passed\n' "$seconds" "${counts% *}"
    else
        show_failures "$log"
        printf '   FAILED, %s s: %s\n' "$seconds" "$name"
    fi
    return "$rc"
}

# Of a ctest log what the failed tests printed, else the end.
show_failures() {
    if ! grep -Eq '^ *[0-9]+/[0-9]+ Test +#' "$1"; then
        tail -n 100 "$1" | sed 's/^/   | /'
        return
    fi
    awk '
        match($0, /^[0-9]+: /) {
            id = substr($0, 1, RLENGTH - 2)
            text = substr($0, RLENGTH + 1)
            if (text !~ /^ok /)
                said[id] = said[id] "   | " text "\n"
        }
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / && !/ Passed +[0-9.]+ sec/ {
            match($0, /#[0-9]+/)
            id = substr($0, RSTART + 1, RLENGTH - 1)
            print "   " $0
            n = length(said[id])
            printf "%s", (n > 8000 ? "   ...\n" substr(said[id], n - 8000) \
                                   : said[id])
        }' "$1"
}

# configure_and_build DIR CMAKE-ARGUMENTS...; $targets, if set, is all it builds.
configure_and_build() {
    local dir=$1 only=()
    shift
    [ -z "${targets:-}" ] || read -ra only <<< "--target $targets"
    cmake -S . -B "$dir" "$@" && cmake --build "$dir" -j "$jobs" "${only[@]}"
}

# run_ctest DIR CTEST-ARGUMENTS...: as many at once as MF_TEST_JOBS says, or as
# there are CPUs. What measures time or costs runs alone (RUN_SERIAL).
run_ctest() {
    local prefix=()
    # The sanitizers' shadow memory does not suit every random layout.
    if grep -q '^MAYFLY_SANITIZE:.*=.' "$1/CMakeCache.txt" &&
        setarch "$(uname -m)" -R true 2> /dev/null; then
        prefix=(setarch "$(uname -m)" -R)
    fi
    "${prefix[@]}" ctest --test-dir "$1" -V --no-tests=error -j "${MF_TEST_JOBS:-$jobs}" "${@:2}"
}

# finish: the last line, and the exit status that goes with it.
finish() {
    printf '%s passed, %s failed\n' "$nr_passed" "$nr_failed"
    [ "$nr_failed" -eq 0 ]
    exit
}
