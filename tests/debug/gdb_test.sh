#!/bin/bash
# SPDX-License-Identifier: MIT
# gdb_test.sh PROGRAM - gdb sees through the switch: PROGRAM is tests/debug/
# tasks.c. A backtrace in a task ends at its first frame, one of a parked task
# does, and so does one at every instruction on the way from task to task.
set -u
program=${1:?usage: gdb_test.sh PROGRAM}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

if ! command -v gdb > /dev/null; then
    echo "SKIP: no gdb"
    exit 0
fi

cat > "$work/look.py" << 'EOF'
import gdb

ENDS = ("first_frame", "clone", "__clone", "clone3", "__clone3", "_start")
CLEAN = (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)


def frames():
    """The names from the innermost out, or None if the walk broke off."""
    names = []
    frame = gdb.newest_frame()
    while frame is not None:
        names.append(frame.name() or "?")
        last, frame = frame, frame.older()
        if len(names) > 60:
            return None
    if last.unwind_stop_reason() not in CLEAN or names[-1] not in ENDS:
        print("# broken:", names, last.unwind_stop_reason())
        return None
    return names


def report(what, good):
    print(("ok - " if good else "not ok - ") + what)


def has(names, *wanted):
    """Whether the wanted frames are there, in this order."""
    i = 0
    for name in names or ():
        if i < len(wanted) and name == wanted[i]:
            i += 1
    return i == len(wanted)


def run_to(where):
    b = gdb.Breakpoint(where)
    gdb.execute("run" if not gdb.selected_thread() else "continue")
    b.delete()


def value(text):
    return int(gdb.parse_and_eval("(unsigned long)(%s)" % text))


gdb.execute("set pagination off")
gdb.execute("set confirm off")
run_to("leaf")
gdb.execute("set scheduler-locking step")
run_to("leaf if turn == 3")
report("a task's backtrace ends at its root",
       has(frames(), "leaf", "take_turn", "take_turns", "task_main",
           "first_frame"))

# The other task is parked: its frames are where its context says.
here = value("mfi_sched.workers[0]->current")
other = "second->run" if here == value("first->run") else "first->run"
sp, fp, pc = (value("%s->co.context.%s" % (other, field))
              for field in ("sp", "fp", "resume"))
saved = {r: value("$" + r) for r in ("sp", "rbp", "pc")}
for register, new in (("sp", sp), ("rbp", fp), ("pc", pc)):
    gdb.execute("set $%s = %d" % (register, new))
report("a parked task's backtrace ends at its root",
       has(frames(), "mf_park", "take_turn", "take_turns", "task_main",
           "first_frame"))
for register in ("sp", "rbp", "pc"):
    gdb.execute("set $%s = %d" % (register, saved[register]))

# Step by instruction over to the other stack and on, for each kind of switch.
# Not through the clock, which starts again whenever it was interrupted.
for which in ("why == LEAVE_PARK", "t == 0", "why == LEAVE_END"):
    run_to("mfi_leave_for if " + which)
    good, after, sp = True, 0, value("$sp")
    for step in range(200):
        gdb.execute("stepi", to_string=True)
        good = good and frames() is not None
        if after == 0 and abs(value("$sp") - sp) > 16384:
            after = 1
        after += after > 0
        if not good or after > 20:
            break
    report("every instruction of a switch can be unwound: " + which,
           good and after > 20)
run_to("exit")
report("the program goes on to its end", True)
EOF

timeout 300 gdb -q -batch -nx -x "$work/look.py" "$program" \
    > "$work/log" 2>&1 < /dev/null
passed=$(grep -c '^ok - ' "$work/log")
failed=$(grep -c '^not ok - ' "$work/log")
if [ "$passed" -ne 6 ] || grep -qi 'corrupt stack\|^Traceback' "$work/log"; then
    failed=$((failed + 1))
    tail -n 40 "$work/log"
else
    grep '^ok - ' "$work/log"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
