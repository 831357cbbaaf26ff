#!/bin/bash
# SPDX-License-Identifier: MIT
# harness_test.sh - tests/test.h finds what is wrong: each way to fail fails,
# each way to pass passes, and the last line counts them.
set -u
tests=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

cat > "$work/cases.c" << 'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static void says_and_aborts(void)
{
    fprintf(stderr, "said before\n");
    abort();
}

static void returns(void)
{
}

MFI_TEST(pass_all)
{
    EXPECT(1);
    EXPECT_EQ(UINT64_MAX, UINT64_MAX);
    EXPECT_LT(-1, 0);
    EXPECT_STR_EQ("a", "a");
    EXPECT_STR_HAS("abc", "b");
    EXPECT_DIES(says_and_aborts, SIGABRT, "said before");
}
MFI_TEST(skip_this) { MFI_SKIP("the reason"); }
MFI_TEST(fail_expect) { EXPECT(1 > 2); }
MFI_TEST(fail_eq) { EXPECT_EQ(1 + 1, 3); }
MFI_TEST(fail_str) { EXPECT_STR_EQ("a", "b"); }
MFI_TEST(fail_crash) { abort(); }
MFI_TEST(fail_exit) { exit(3); }
MFI_TEST_T(fail_hang, 1)
{
    for (;;)
        pause();
}
MFI_TEST(fail_dies_not) { EXPECT_DIES(returns, SIGABRT, NULL); }
MFI_TEST(fail_dies_by_other) { EXPECT_DIES(says_and_aborts, SIGSEGV, NULL); }
MFI_TEST(fail_dies_silent) { EXPECT_DIES(says_and_aborts, SIGABRT, "else"); }
EOF
cc -std=gnu11 -D_GNU_SOURCE -I"$tests" -o "$work/cases" "$work/cases.c" \
    "$tests/test_main.c" || exit 1
unset MF_TEST_TIMEOUT_SCALE
"$work/cases" > "$work/out" 2>&1
rc=$?

check() { # what condition...
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok - $1"
    fi
}
has() {
    grep -Eq -- "$1" "$work/out"
}
lists_all() {
    [ "$("$work/cases" --list | wc -l)" -eq 11 ]
}
filters() {
    [ "$("$work/cases" pass_ | tail -n 1)" = "1 passed, 0 failed" ]
}
fails_without_match() {
    ! "$work/cases" no_such_test > "$work/none" 2>&1
}

check "status" [ "$rc" -eq 1 ]
check "last line" [ "$(tail -n 1 "$work/out")" = \
    "1 passed, 9 failed, 1 skipped" ]
check "pass" has '^ok [0-9]+ - pass_all$'
check "skip" has '^ok [0-9]+ - skip_this # SKIP the reason$'
check "both values" has 'expected 1 \+ 1 == 3: 2 and 3$'
check "condition" has 'expected 1 > 2$'
check "signal" has '^not ok [0-9]+ - fail_crash # killed by signal 6'
check "exit" has '^not ok [0-9]+ - fail_exit # exit 3$'
check "hang" has '^not ok [0-9]+ - fail_hang # timeout after 1 s$'
check "--list" lists_all
check "filter" filters
check "no match" fails_without_match
[ "$failed" -eq 0 ] || cat "$work/out"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
