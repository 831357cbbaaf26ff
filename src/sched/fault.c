/* SPDX-License-Identifier: MIT */
/* fault.c - the report of a stack overflow, from a signal handler. */
#include "sched/fault.h"

#include <execinfo.h>
#include <string.h>

#include "os/io.h"
#include "os/signal.h"
#include "sched/gen.h"
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

/* In agent a. s: the stack in whose guard it was, or NULL. */
static void report(struct agent *a, const struct stack *s)
{
    const struct running *run =
        a->parker.kind == AGENT_TASK ? mfi_running_of(a) : NULL;
    const char *what = "memory fault in ", *options = NULL;
    void *frames[FRAMES];

    if (s != NULL && mfi_gen_on(a->gen, s) != NULL) {
        what = "stack overflow in a generator run by ";
        options = "mf_options.stack_size";
    } else if (run == NULL) {
        return; /* the thread's own affair */
    } else if (s != NULL && s == run->co.stack) {
        what = "stack overflow in ";
        options = "mf_options.stack_size, mf_task_options.stack_size";
    }
    say("mayfly: ");
    say(what);
    if (run != NULL)
        say_task(run->task);
    else
        say("a plain thread");
    if (options != NULL) {
        say(": its stack has ");
        say_number(s->size / 1024);
        say(" KiB (");
        say(options);
        say(")");
    }
    say("\n");
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), 2);
}

static void on_fault(int signo, siginfo_t *info, void *uctx)
{
    struct agent *a = mfi_agent_known();

    if (a != NULL && info->si_code > 0) {
        bool in_guard = false;
        struct stack *s = mfi_stack_find(info->si_addr, &in_guard);

        report(a, in_guard ? s : NULL);
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
