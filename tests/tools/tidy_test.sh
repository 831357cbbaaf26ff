#!/bin/bash
# SPDX-License-Identifier: MIT
# tidy_test.sh - tidy.awk and layers.awk find what they are for: each case is a
# small tree with one fault (or none) and the text that must be reported.
set -u
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
spdx='/* SPDX-License-Identifier: MIT */'

# A tree that has no fault.
new_tree() {
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src/os" "$work/tree/src/sched" "$work/tree/tests/sched"
    cd "$work/tree" || exit 1
    printf '# SPDX-License-Identifier: MIT\nmayfly_layer(sched a.c)\n' \
        > src/sched/CMakeLists.txt
    printf '%s\nint mfi_a(void);\n' "$spdx" > src/sched/a.c
    printf '%s\n' "$spdx" > tests/sched/a_test.c
    printf '# SPDX-License-Identifier: MIT\n' > tests/UNTESTED
    printf '# SPDX-License-Identifier: MIT\nbase:\nos: base\nsched: os\n' \
        > src/LAYERS
}

result() { # good? title log
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not ok - %s\n%s\n' "$2" "$3"
    fi
}

tidy() {
    TIDY_ROOT=$work/tree "$tools/tidy.sh" 2>&1
}

# Is `text` found for the line `line` in src/sched/a.c ('' text: nothing)?
case_of() { # line text
    local log good
    new_tree
    printf '%s\n' "$1" >> src/sched/a.c
    log=$(tidy)
    if [ -z "$2" ]; then
        [ -z "$log" ]
    else
        [[ $log == *"src/sched/a.c:"*"$2"* ]]
    fi
    good=$?
    result "$good" "$1" "$log"
}

layer_case() { # folder line text
    local log good
    new_tree
    printf '%s\n' "$2" > "src/$1/b.c"
    log=$(awk -f "$tools/layers.awk" src/LAYERS "src/$1/b.c")
    if [ -z "$3" ]; then [ -z "$log" ]; else [[ $log == *"$3"* ]]; fi
    good=$?
    result "$good" "$1: $2" "$log"
}

tree_case() { # command text
    local log good
    new_tree
    eval "$1"
    log=$(tidy)
    [[ $log == *"$2"* ]]
    good=$?
    result "$good" "$1" "$log"
}

case_of 'static int fine;' ''
case_of "$(printf '\tint x;')" 'tab'
case_of "int $(printf 'x%.0s' {1..90});" 'columns'
case_of 'int x; // why' '//'
case_of 'const char *url = "http://x";' ''
case_of '/* see http://x */' ''
case_of '/* FIX''ME later */' 'unfinished'
case_of 'int x = errno;' 'errno'
case_of '/* errno is not touched */' ''
case_of '#include <errno.h>' ''
case_of 'int my_errno = w->errno;' ''
case_of 'static _Thread_local int x;' 'thread-local'
case_of 'void *p = malloc(3);' 'malloc'
case_of 'pool->free(p);' ''
case_of 'mfi_free(p); mem_free(p); free(p);' 'malloc'
case_of 'mfi_assert(x);' ''
case_of 'assert(x);' 'assert'
case_of '_Static_assert(1, "x");' ''
case_of 'usleep(3);' 'sleep'
case_of 'n = read(fd, p, 3);' 'syscall'
case_of 'n = mfi_read(fd, p, 3);' ''
case_of 'pthread_create(&t, 0, f, 0);' 'pthread'
case_of 'volatile int x;' 'volatile'
case_of '__asm__ volatile("nop");' ''
case_of '#include <sys/mman.h>' 'kernel-header'
case_of 'n = rand();' 'rand'
case_of 'operand(3);' ''
case_of 'atomic_load(&x);' 'sequentially consistent'
case_of 'atomic_load(&x); /* the reason */' ''
case_of 'volatile int x; /* tidy: allow volatile, because of a signal */' ''
case_of '/* tidy: allow volatile, because of a
 * signal handler */
volatile int x;' ''
case_of '/* tidy: allow volatile, because of a signal */
int y;
volatile int x;' 'volatile'
case_of 'int x; /* tidy: allow volatile, because of a signal */' \
    'allows nothing'
case_of 'volatile int x; /* tidy: allow volatile */' 'because'
case_of "void f(void)
{
$(printf 'x;\n%.0s' {1..70})
}" 'function of 71'
case_of "$(printf 'int x;\n%.0s' {1..800})" 'a file of more than'
tree_case 'rm tests/sched/a_test.c' 'has no tests/sched/a_test.c'
tree_case 'echo "src/sched/a.c: has a reason" >> tests/UNTESTED' 'has a test'
tree_case 'echo "src/sched/z.c: has a reason" >> tests/UNTESTED' 'no such file'
tree_case 'cp src/sched/a.c src/sched/b.c' 'is not in src/sched/CMakeLists.txt'
tree_case 'echo "int x;" > src/sched/a.c' 'SPDX'
tree_case 'echo "echo" > tests/x.sh' 'SPDX'

layer_case sched '#include "os/x.h"' ''
layer_case sched '#include "base/x.h"' ''
layer_case sched '#include <stdio.h>' ''
layer_case os '#include "sched/x.h"' 'may not include sched/x.h'
layer_case os '# include "sched/x.h"' 'may not include'
layer_case os '#include "x.h"' 'write "layer/file.h"'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
