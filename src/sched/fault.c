/* SPDX-License-Identifier: MIT */
/* fault.c - the report of a stack overflow, from a signal handler. */
#include "sched/fault.h"

#include <execinfo.h>
#include <string.h>

#include "os/io.h"
#include "os/signal.h"
#include "sched/worker.h"

static struct sigaction old_segv, old_bus;

enum { FRAMES = 48, FLAGS = SA_ONSTACK | SA_SIGINFO };

static void say(const char *text)
{
    mfi_os_write(2, text, strlen(text));
}

static void say_number(uint64_t n)
{
    char digits[21], *p = &digits[20];

    *p = '\0';
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    say(p);
}

static void say_task(const mf_task *t)
{
    say("task '");
    say(mf_task_name(t));
    say("' #");
    say_number(mf_task_id(t));
    if (t->name != NULL && t->site != NULL) {
        say(", spawned at ");
        say(t->site);
    }
}

static void report(const struct running *run, bool overflow)
{
    void *frames[FRAMES];

    say("mayfly: ");
    if (overflow) {
        say("stack overflow in ");
        say_task(run->task);
        say(": its stack has ");
        say_number(run->co.stack->size / 1024);
        say(" KiB (mf_options.stack_size, mf_task_options.stack_size)\n");
    } else {
        say("memory fault in ");
        say_task(run->task);
        say("\n");
    }
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), 2);
}

static void on_fault(int signo, siginfo_t *info, void *uctx)
{
    struct worker *w = mfi_worker();
    struct running *run = w != NULL ? w->current : NULL;
    bool in_guard = false;

    if (run != NULL && info->si_code > 0) {
        struct stack *s = mfi_stack_find(info->si_addr, &in_guard);

        report(run, s == run->co.stack && in_guard);
    }
    mfi_signal_chain(signo == SIGSEGV ? &old_segv : &old_bus, signo, info,
                     uctx);
}

int mfi_fault_init(void)
{
    void *frame;
    int rc;

    backtrace(&frame, 1); /* loads the unwinder now, not in a handler */
    rc = mfi_signal_handle(SIGSEGV, on_fault, FLAGS, &old_segv);
    if (rc == 0 &&
        (rc = mfi_signal_handle(SIGBUS, on_fault, FLAGS, &old_bus)) < 0)
        sigaction(SIGSEGV, &old_segv, NULL);
    return rc;
}

void mfi_fault_done(void)
{
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
}
