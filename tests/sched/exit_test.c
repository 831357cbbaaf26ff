/* SPDX-License-Identifier: MIT */
/* exit_test.c - panic, exit, defers, cleanups, from any depth. */
#include "sched/help.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static char order[256]; /* what ran, in order */

static void note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

static void deferred(void *arg)
{
    note(arg);
}

static void cleanup(char (*what)[4])
{
    note(*what);
}

#define CLEANUP(name, text) \
 char name[4] __attribute__((__unused__, __cleanup__(cleanup))) = text

/* How a task ends. */
struct end {
    mf_fn *fn;
    void *arg;
    int rc;
    enum mf_ending ending;
    const char *message; /* NULL: none */
    const char *order;
};

static int one_end(void *arg)
{
    const struct end *e = arg;
    const char *message = "?";
    int rc = 12345;
    mf_task *t;
    mf_scope s;

    order[0] = '\0';
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, e->fn, e->arg, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, e->rc);
    EXPECT_EQ(mf_task_ending(t, &message), e->ending);
    if (e->message == NULL)
        EXPECT(message == NULL);
    else
        EXPECT_STR_EQ(message, e->message);
    EXPECT_STR_EQ(order, e->order);
    EXPECT_EQ(mf_scope_close(&s), rc < 0 && e->ending != MF_CANCELED ? rc : 0);
    EXPECT_EQ(mf_yield(), 0); /* others go on */
    return 0;
}

static void ends(const struct end *e)
{
    EXPECT_EQ(run_on(1, one_end, CONST(e)), 0);
    EXPECT_EQ(run_on(2, one_end, CONST(e)), 0);
}

/* ---- defers ------------------------------------------------------------- */

static int defers_three(void *arg)
{
    EXPECT_EQ(mf_defer(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_defer(deferred, CONST("a")), 0);
    EXPECT_EQ(mf_defer(deferred, CONST("b")), 0);
    EXPECT_EQ(mf_defer(deferred, CONST("c")), 0);
    note("f");
    return (int)(intptr_t)arg;
}

MFI_TEST(what_was_deferred_runs_last_first_after_the_function)
{
    ends(&(struct end){defers_three, NUMBER(8), 8, MF_RETURNED, NULL, "fcba"});
}

static void defers_more(void *arg)
{
    EXPECT_EQ(mf_defer(deferred, arg), 0);
    note("m");
}

static int defers_in_a_defer(void *arg)
{
    EXPECT_EQ(mf_defer(deferred, CONST("a")), 0);
    EXPECT_EQ(mf_defer(defers_more, CONST("b")), 0);
    (void)arg;
    return 0;
}

MFI_TEST(a_defer_may_defer)
{
    ends(&(struct end){defers_in_a_defer, NULL, 0, MF_RETURNED, NULL, "mba"});
}

static void blocks(void *arg)
{
    EXPECT_EQ(mf_cancelled(), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_yield(), 0);
    note(arg);
}

static int is_cancelled(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_defer(blocks, CONST("a")), 0);
    mf_task_cancel(mf_self());
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    return -ECANCELED;
}

MFI_TEST(defers_are_shielded)
{
    ends(&(struct end){is_cancelled, NULL, -ECANCELED, MF_CANCELED, NULL, "a"});
}

MFI_TEST(a_plain_thread_cannot_defer)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(mf_defer(deferred, NULL), -EPERM);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- panic and exit ----------------------------------------------------- */

enum way { EXIT, PANIC };

static __attribute__((__noinline__)) void deep(int depth, enum way way)
{
    CLEANUP(mark, "x");

    if (depth > 0)
        deep(depth - 1, way);
    else if (way == PANIC)
        mf_panic("%s number %d", "disk", 7);
    else if (way == EXIT)
        mf_exit(-77);
    note("never");
}

static int leaves_from_the_deep(void *arg)
{
    CLEANUP(mark, "y");

    EXPECT_EQ(mf_defer(deferred, CONST("d")), 0);
    deep(3, arg != NULL ? PANIC : EXIT);
    note("never");
    return 5;
}

MFI_TEST(a_panic_runs_cleanups_then_defers_and_keeps_its_message)
{
    ends(&(struct end){leaves_from_the_deep, NUMBER(1), -ENOTRECOVERABLE,
                       MF_PANICKED, "disk number 7", "xxxxyd"});
}

MFI_TEST(an_exit_runs_cleanups_then_defers_and_keeps_its_result)
{
    ends(&(struct end){leaves_from_the_deep, NULL, -77, MF_EXITED, NULL,
                       "xxxxyd"});
}

static int exits_with(void *arg)
{
    mf_exit((int)(intptr_t)arg);
}

MFI_TEST(an_exit_may_succeed)
{
    ends(&(struct end){exits_with, NUMBER(3), 3, MF_EXITED, NULL, ""});
}

static void panics(void *arg)
{
    note("p");
    mf_panic("%s", (const char *)arg);
}

static void exits(void *arg)
{
    note("e");
    mf_exit((int)(intptr_t)arg);
}

static int panics_in_defers(void *arg)
{
    EXPECT_EQ(mf_defer(deferred, CONST("a")), 0);
    EXPECT_EQ(mf_defer(panics, CONST("second")), 0);
    EXPECT_EQ(mf_defer(deferred, CONST("b")), 0);
    EXPECT_EQ(mf_defer(panics, CONST("first")), 0);
    if (arg != NULL)
        mf_panic("%s", (const char *)arg);
    return 3;
}

MFI_TEST(a_panic_in_a_defer_is_one_and_the_others_still_run)
{
    ends(&(struct end){panics_in_defers, NULL, -ENOTRECOVERABLE, MF_PANICKED,
                       "second", "pbpa"});
    ends(&(struct end){panics_in_defers, CONST("zeroth"), -ENOTRECOVERABLE,
                       MF_PANICKED, "second", "pbpa"});
}

static int exits_in_a_defer(void *arg)
{
    EXPECT_EQ(mf_defer(deferred, CONST("a")), 0);
    EXPECT_EQ(mf_defer(exits, NUMBER(4)), 0);
    if (arg != NULL)
        mf_panic("%s", (const char *)arg);
    return 3;
}

MFI_TEST(an_exit_in_a_defer_replaces_the_result_but_not_a_panic)
{
    ends(&(struct end){exits_in_a_defer, NULL, 4, MF_EXITED, NULL, "ea"});
    ends(&(struct end){exits_in_a_defer, CONST("lost"), -ENOTRECOVERABLE,
                       MF_PANICKED, "lost", "ea"});
}

/* ---- inside scopes ------------------------------------------------------ */

static _Atomic int alive;

static int lives_until_cancelled(void *arg)
{
    const int *word = arg;
    int rc;

    alive++;
    do {
        EXPECT_EQ(*word, 4711);
        rc = mf_sleep(MF_USEC(5));
    } while (rc == 0);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_sleep(MF_USEC(200)), 0); /* the opener has to wait for it */
    EXPECT_EQ(*word, 4711);
    alive--;
    return rc;
}

/* A frame whose memory a cleanup further out would run over. */
static __attribute__((__noinline__)) void opens_and_leaves(bool panic)
{
    int word = 4711;
    mf_scope s, t;

    EXPECT_EQ(mf_scope_open(&s, NULL), 0); /* no cleanup of its own */
    EXPECT_EQ(mf_scope_open(&t, NULL), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_go(&s, lives_until_cancelled, &word), 0);
        EXPECT_EQ(mf_go(&t, lives_until_cancelled, &word), 0);
    }
    WAIT_UNTIL(alive == 6);
    if (panic)
        mf_panic("open scopes");
    mf_exit(6);
}

static void runs_over_the_stack(char (*mark)[4])
{
    volatile char over[8192];

    for (size_t i = 0; i < sizeof over; i++)
        over[i] = (char)i;
    EXPECT_EQ(alive, 0);
    note(*mark);
}

static int leaves_open_scopes(void *arg)
{
    char mark[4] __attribute__((__unused__, __cleanup__(runs_over_the_stack))) =
        "z";
    MF_SCOPE(outer);

    alive = 0;
    opens_and_leaves(arg != NULL);
    return 0;
}

MFI_TEST(a_panic_inside_scopes_cancels_and_awaits_their_children)
{
    ends(&(struct end){leaves_open_scopes, NUMBER(1), -ENOTRECOVERABLE,
                       MF_PANICKED, "open scopes", "z"});
}

MFI_TEST(an_exit_inside_scopes_cancels_and_awaits_their_children)
{
    ends(&(struct end){leaves_open_scopes, NULL, 6, MF_EXITED, NULL, "z"});
}

static int returns_with_open_scopes(void *arg)
{
    static mf_scope s; /* where it may be after the return */
    static int word;

    (void)arg;
    alive = 0;
    word = 4711;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, lives_until_cancelled, &word), 0);
    EXPECT_EQ(mf_yield(), 0);
    return 2;
}

MFI_TEST(a_scope_left_open_is_dropped_at_the_end_of_its_task)
{
    ends(&(struct end){returns_with_open_scopes, NULL, 2, MF_RETURNED, NULL,
                       ""});
    EXPECT_EQ(alive, 0);
}

static int panics_in_a_shield(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_defer(blocks, CONST("d")), 0);
    mf_scope_cancel(&s);
    MF_SHIELD(MF_NEVER)
    {
        MF_SCOPE(inner);
        EXPECT_EQ(mf_go(&inner, sleeps_for_ever, NULL), 0);
        EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
        mf_panic("shielded");
    }
    return 0;
}

MFI_TEST(a_panic_inside_a_shield_ends_its_scopes_all_the_same)
{
    ends(&(struct end){panics_in_a_shield, NULL, -ENOTRECOVERABLE, MF_PANICKED,
                       "shielded", "d"});
}

static int many_panic(void *arg)
{
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    for (int i = 0; i < 2000; i++) {
        mf_task *t;
        const char *text;

        EXPECT_EQ(mf_spawn(&s, leaves_from_the_deep, NUMBER(1), NULL, &t), 0);
        EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
        EXPECT_EQ(mf_task_ending(t, &text), MF_PANICKED);
        EXPECT_STR_EQ(text, "disk number 7");
        mf_task_release(t);
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_panic_fails_its_scope_and_two_thousand_leave_nothing_behind)
{
    EXPECT_EQ(run_on(2, many_panic, NULL), -ENOTRECOVERABLE);
}

static int first_task_panics(void *arg)
{
    (void)arg;
    mf_panic("main");
}

MFI_TEST(mf_run_says_how_its_first_task_ended)
{
    EXPECT_EQ(run_on(1, first_task_panics, NULL), -ENOTRECOVERABLE);
    EXPECT_EQ(run_on(1, exits_with, NUMBER(9)), 9);
}

/* ---- outside a task ----------------------------------------------------- */

static void panics_in_a_thread(void)
{
    mf_panic("spilled %d", 5);
}

static void exits_in_a_thread(void)
{
    mf_exit(3);
}

MFI_TEST(a_panic_or_exit_in_a_plain_thread_aborts_with_a_clear_text)
{
    EXPECT_DIES(panics_in_a_thread, SIGABRT, "panic outside a task: spilled 5");
    EXPECT_DIES(exits_in_a_thread, SIGABRT, "mf_exit(3) outside a task");
}
