/* SPDX-License-Identifier: MIT */
/* fault_test.c - a stack overflow or a wild write names the task it was in. */
#include "sched/fault.h"

#include <mayfly/gen.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/help.h"

static char out[65536];
static mf_fn *crash; /* what the task does */

/* ---- ways to die -------------------------------------------------------- */

/* So that compilers do not shrink it to what is used of it. */
static void keep(char *frame)
{
    __asm__ __volatile__("" : : "r"(frame) : "memory");
}

__attribute__((__noinline__)) static int recurse(volatile int *depth)
{
    char frame[200];

    frame[0] = (char)++*depth;
    keep(frame);
    if (*depth > 0) /* always, but the compiler does not know */
        recurse(depth);
    return frame[0];
}

static int overflows_by_depth(void *arg)
{
    volatile int depth = 0;

    (void)arg;
    return recurse(&depth);
}

/* Bigger than a guard: found only because compilers probe each page of it. */
__attribute__((__noinline__)) static int big_frame(volatile int *depth)
{
    char frame[100 * 1024];

    frame[sizeof frame / 2] = (char)++*depth;
    keep(frame);
    if (*depth < 100)
        big_frame(depth);
    return frame[sizeof frame / 2];
}

static int overflows_by_a_frame(void *arg)
{
    volatile int depth = 0;

    (void)arg;
    return big_frame(&depth);
}

__attribute__((__noinline__, __no_sanitize__("undefined"))) static void
write_to(volatile int *where)
{
    *where = 1;
}

static int *volatile nowhere;

static int writes_to_null(void *arg)
{
    (void)arg;
    write_to(nowhere);
    return 0;
}

/* ---- how it is run ------------------------------------------------------ */

/* The task stands among others, so the report must pick the right one. */
static int among_others(void *arg)
{
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, NULL,
                       MF_TASK_OPTIONS(.name = "bystander"), NULL),
              0);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_spawn(&s, crash, NULL,
                       MF_TASK_OPTIONS(.name = "parser", .site = "menu.c:42",
                                       .stack_size = 131072),
                       &t),
              0);
    return mf_join(t, NULL, MF_NEVER);
}

static void named(void)
{
    run_on(2, among_others, NULL);
}

static int of_mf_go(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    mf_go(&s, crash, NULL);
    return mf_scope_close(&s);
}

static void unnamed(void)
{
    run_on(2, of_mf_go, NULL);
}

static bool guards_work(const char *tier)
{
    mf_options o = {.size = sizeof o, .workers = 1, .guard = tier};

    return mf_run(returns_arg, NULL, &o) == 0;
}

static void expect_killed(int status)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        EXPECT_NE(status, 0);
    else if (!WIFSIGNALED(status) ||
             (WTERMSIG(status) != SIGSEGV && WTERMSIG(status) != SIGBUS))
        mfi_test_fail(__FILE__, __LINE__, "death by signal, not 0x%x:\n%s",
                      (unsigned)status, out);
}

/* Lines of a backtrace: path(+0x...)[0x...]. */
static int count_frames(void)
{
    int n = 0;

    for (const char *p = out; (p = strstr(p, ")[0x")) != NULL; p++)
        n++;
    return n;
}

static void expect_overflow_report(void)
{
    EXPECT_STR_HAS(out, "mayfly: stack overflow in task 'parser' #");
    EXPECT_STR_HAS(out, ", spawned at menu.c:42: its stack has 128 KiB");
    EXPECT_GE(count_frames(), 3);
    EXPECT(strstr(out, "bystander") == NULL);
}

static void overflow_under(const char *tier)
{
    if (!guards_work(tier))
        MFI_SKIP("this kernel does not have these guards");
    setenv("MF_GUARD", tier, 1);
    crash = overflows_by_depth;
    expect_killed(mfi_test_dies(named, out, sizeof out));
    expect_overflow_report();
    crash = overflows_by_a_frame;
    expect_killed(mfi_test_dies(named, out, sizeof out));
    expect_overflow_report();
}

/* ---- the tests ---------------------------------------------------------- */

MFI_TEST(an_overflow_into_a_guard_region_is_reported)
{
    overflow_under("region");
}

MFI_TEST(an_overflow_into_a_userfaultfd_guard_is_reported)
{
    overflow_under("uffd");
}

MFI_TEST(an_overflow_into_a_protected_guard_is_reported)
{
    overflow_under("mprotect");
}

MFI_TEST(a_task_without_a_name_is_reported_by_its_place)
{
    crash = overflows_by_depth;
    expect_killed(mfi_test_dies(unnamed, out, sizeof out));
    EXPECT_STR_HAS(out, "mayfly: stack overflow in task '");
    EXPECT_STR_HAS(out, "fault_test.c:");
    EXPECT_STR_HAS(out, "its stack has 256 KiB");
}

MFI_TEST(a_memory_fault_names_the_task_and_is_no_overflow)
{
    crash = writes_to_null;
    expect_killed(mfi_test_dies(named, out, sizeof out));
    EXPECT_STR_HAS(out, "mayfly: memory fault in task 'parser' #");
    EXPECT_STR_HAS(out, "menu.c:42");
    EXPECT_GE(count_frames(), 3);
    EXPECT(strstr(out, "mayfly: stack overflow") == NULL);
}

/* ---- generators --------------------------------------------------------- */

static int generator_overflows(mf_gen *self, void *arg)
{
    EXPECT_EQ(mf_gen_yield(self, NULL), 0);
    return overflows_by_depth(arg);
}

/* On its second step, asked from a generator that is well. */
static int asks_one_that_overflows(mf_gen *self, void *arg)
{
    mf_gen *g;

    (void)arg;
    EXPECT_EQ(mf_gen_make(generator_overflows, NULL, 0, &g), 0);
    EXPECT_EQ(mf_gen_next(g, NULL), 1);
    EXPECT_EQ(mf_gen_yield(self, NULL), 0);
    return mf_gen_next(g, NULL);
}

static int overflows_in_a_generator(void *arg)
{
    mf_gen *g;

    (void)arg;
    EXPECT_EQ(mf_gen_make(asks_one_that_overflows, NULL, 0, &g), 0);
    EXPECT_EQ(mf_gen_next(g, NULL), 1);
    return mf_gen_next(g, NULL);
}

MFI_TEST(an_overflow_in_a_generator_names_the_task_that_runs_it)
{
    crash = overflows_in_a_generator;
    expect_killed(mfi_test_dies(named, out, sizeof out));
    EXPECT_STR_HAS(out, "mayfly: stack overflow in a generator run by task "
                        "'parser' #");
    EXPECT_STR_HAS(out, "menu.c:42: its stack has 256 KiB (mf_options.stack_");
    EXPECT_GE(count_frames(), 3);
    EXPECT(strstr(out, "bystander") == NULL);
}

static void overflows_in_a_threads_generator(void)
{
    static char alternate[65536];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};

    /* Where a thread has no such stack there is none to report from. */
    EXPECT_EQ(sigaltstack(&ss, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    overflows_in_a_generator(NULL);
}

MFI_TEST(an_overflow_in_a_plain_threads_generator_is_reported_where_it_can_be)
{
    expect_killed(
        mfi_test_dies(overflows_in_a_threads_generator, out, sizeof out));
    EXPECT_STR_HAS(out, "mayfly: stack overflow in a generator run by a plain "
                        "thread: its stack has 256 KiB");
}

static int returns_after_a_generator(void *arg)
{
    mf_gen *g;

    EXPECT_EQ(mf_gen_make(generator_overflows, NULL, 0, &g), 0);
    EXPECT_EQ(mf_gen_next(g, NULL), 1); /* it waits in a yield */
    return overflows_by_depth(arg);
}

MFI_TEST(a_generator_that_waits_has_no_part_in_an_overflow)
{
    crash = returns_after_a_generator;
    expect_killed(mfi_test_dies(named, out, sizeof out));
    expect_overflow_report();
}

/* ---- others' handlers --------------------------------------------------- */

enum { CHAINED = 42 };

static void on_fault(int signo, siginfo_t *info, void *uctx)
{
    (void)signo, (void)uctx;
    if (info->si_addr == NULL)
        _exit(CHAINED);
}

static void handled_by_the_program(void)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    EXPECT_EQ(sigaction(SIGSEGV, &sa, NULL), 0);
    run_on(2, among_others, NULL);
}

MFI_TEST(a_handler_installed_before_is_called_after_the_report)
{
    int status;

    crash = writes_to_null;
    status = mfi_test_dies(handled_by_the_program, out, sizeof out);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), CHAINED);
    EXPECT_STR_HAS(out, "memory fault in task 'parser'");
}

MFI_TEST(a_handler_installed_before_is_back_after_a_run)
{
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction after;

    EXPECT_EQ(sigaction(SIGSEGV, &sa, NULL), 0);
    EXPECT_EQ(run_on(1, returns_arg, NULL), 0);
    EXPECT_EQ(sigaction(SIGSEGV, NULL, &after), 0);
    EXPECT(after.sa_sigaction == on_fault);
}

static void outside_of_tasks(void)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    write_to(nowhere);
}

MFI_TEST(a_fault_of_a_plain_thread_is_left_alone)
{
    expect_killed(mfi_test_dies(outside_of_tasks, out, sizeof out));
    EXPECT(strstr(out, "mayfly:") == NULL);
}
