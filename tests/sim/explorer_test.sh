#!/bin/bash
# SPDX-License-Identifier: MIT
# explorer_test.sh TOYS TEST... - is the simulator to be trusted?
#   found     each mistake of toys.c, within 500 seeds
#   replayed  the seed alone, in another process, fails with the same words
#   quiet     the same toys without the mistake pass all these seeds
#   the same  every TEST makes the same choices under a seed, wherever its
#             memory lies
set -u
toys=${1:?usage: explorer_test.sh TOYS TEST...}
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seeds=1-500
nr_passed=0
nr_failed=0
unset MF_SIM_SEED MF_SIM_SEEDS MF_SIM_TRACE MF_SIM_PLAN

# How a test failed: its last words and its end, without addresses. They are
# there twice, as the runner replays too.
words() {
    grep -E '^(# .*expected|mayfly: |not ok)' "$work/out" |
        sed 's/#[0-9][0-9]*//' | sort -u
}

passed() {
    echo "ok $((++nr_passed)) - $1"
}

failed() {
    nr_failed=$((nr_failed + 1))
    echo "not ok - $1"
    sed 's/^/# /' "$work/out"
}

for toy in $("$toys" --list | grep '^broken_'); do
    if MF_SIM_SEEDS=$seeds "$toys" "$toy" > "$work/out" 2>&1; then
        failed "$toy is not found"
        continue
    fi
    seed=$(sed -n 's/^not ok .* # seed \([0-9]*\):.* replay: .*/\1/p' "$work/out")
    if [ -z "$seed" ]; then
        failed "$toy fails, but does not replay"
        continue
    fi
    words > "$work/words"
    MF_SIM_SEED=$seed "$toys" "$toy" > "$work/out" 2>&1
    if words | cmp -s - "$work/words"; then
        passed "$toy is found under seed $seed, and again"
    else
        failed "$toy does not fail in the same way under seed $seed"
    fi
done

for toy in $("$toys" --list | grep '^sound_'); do
    if MF_SIM_SEEDS=$seeds "$toys" "$toy" > "$work/out" 2>&1; then
        passed "$toy"
    else
        failed "$toy"
    fi
done

choices() {
    MF_SIM_SEED=$1 "$2" 2>&1 | sed -n 's/^ok .*, choices \(.*\)/\1/p'
}

for test in "$@"; do
    for seed in 1 2 3; do
        choices "$seed" "$test" > "$work/first"
        choices "$seed" "$test" > "$work/out"
        if cmp -s "$work/first" "$work/out" && [ -s "$work/out" ]; then
            passed "$(basename "$test") under seed $seed twice"
        else
            failed "$(basename "$test") under seed $seed is not the same twice"
        fi
        cp "$work/first" "$work/first.$seed"
    done
    if cmp -s "$work/first.1" "$work/first.2"; then
        failed "$(basename "$test"): seeds make no difference"
    fi
done
echo "$nr_passed passed, $nr_failed failed"
[ "$nr_failed" -eq 0 ]
