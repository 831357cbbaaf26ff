/* SPDX-License-Identifier: MIT */
/* proc_scope_test.c - children that belong to a scope do not outlive it. */
#include "io/child.h"

#include <mayfly/cqueue.h>

enum { MANY = MFI_TEST_TSAN || MFI_TEST_ASAN ? 10 : 30 };

static mf_proc *start_in(mf_scope *s, const char *text, mf_ns grace)
{
    return start_with(SH(text), MF_PROC_OPTIONS(.scope = s, .grace = grace,
                                                .out = MF_STDIO_PIPE));
}

static int at_the_close(void *arg)
{
    mf_exit_status st;
    mf_scope s;
    mf_proc *p;

    (void)arg;
    for (int how = 0; how < 3; how++) {
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        p = start_in(&s, "exec sleep 1000", 0);
        if (how == 1)
            mf_scope_cancel(&s);
        if (how == 2)
            mf_scope_drop(&s);
        else
            EXPECT_EQ(mf_scope_close(&s), 0);
        no_child_left(); /* reaped, before anybody asks */
        EXPECT_EQ(mf_proc_wait(p, &st, MF_NOW), 0);
        EXPECT_EQ(st.signal, SIGKILL);
        EXPECT_EQ(mf_proc_close(p), 0);
    }
    return 0;
}

MFI_TEST(a_close_of_the_scope_kills_and_reaps)
{
    in_both(at_the_close, NULL);
}

/* One ends when asked, one does not, one has ended, one is closed before. */
static int each_in_its_way(void *arg)
{
    mf_exit_status st;
    mf_proc *p[4];
    char line[3];
    mf_ns begin;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    p[0] = start_in(&s,
                    "trap 'exit 6' TERM; echo ok; "
                    "while :; do sleep 0.01; done",
                    MF_SEC(20));
    p[1] = start_in(&s, "trap '' TERM; echo ok; while :; do sleep 0.01; done",
                    MF_MSEC(50));
    p[2] = start_in(&s, "exit 7", MF_SEC(20));
    p[3] = start_in(&s, "exec sleep 1000", 0);
    await_line(p[0], line, 3);
    await_line(p[1], line, 3);
    EXPECT_EQ(mf_proc_wait(p[2], NULL, late()), 0);
    EXPECT_EQ(mf_proc_close(p[3]), 0);
    begin = mf_now();
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_GE(mf_now() - begin, MF_MSEC(50));
    no_child_left();
    for (int i = 0; i < 3; i++) {
        static const int codes[] = {6, -1, 7};

        EXPECT_EQ(mf_proc_wait(p[i], &st, MF_NOW), 0);
        EXPECT_EQ(st.code, codes[i]);
        EXPECT_EQ(mf_proc_close(p[i]), 0);
    }
    return 0;
}

MFI_TEST(each_has_its_own_way_to_end)
{
    in_both(each_in_its_way, NULL);
}

/* Their graces pass together, not one after the other. */
static int all_at_once(void *arg)
{
    mf_proc *p[MANY];
    char line[3];
    mf_scope s;
    mf_ns begin;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < MANY; i++)
        p[i] = start_in(&s, "trap '' TERM; echo ok; exec sleep 1000",
                        MF_MSEC(200));
    for (int i = 0; i < MANY; i++)
        await_line(p[i], line, 3);
    begin = mf_now();
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_LT(mf_now() - begin, MF_MSEC(200) * MANY / 2);
    no_child_left();
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(mf_proc_close(p[i]), 0);
    return 0;
}

MFI_TEST(the_graces_of_many_pass_at_once)
{
    in_tasks(2, all_at_once, NULL);
}

/* ---- the scope's tasks come first --------------------------------------- */

static int reads_to_the_end(void *arg)
{
    mf_exit_status st;
    char text[4];

    EXPECT_EQ(mf_read_full(mf_proc_fd(arg, 1), text, 4, late()), 1);
    EXPECT_EQ(mf_proc_wait(arg, &st, late()), 0);
    EXPECT_EQ(st.code, 8); /* by itself */
    return 0;
}

static int closes_it(void *arg)
{
    return mf_proc_close(arg);
}

static int tasks_first(void *arg)
{
    mf_scope s;
    mf_proc *p;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    p = start_in(&s, "sleep 0.03; echo end; exit 8", 0);
    EXPECT_EQ(mf_go(&s, reads_to_the_end, p), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    /* A task of the scope may close it. */
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    p = start_in(&s, "exec sleep 1000", 0);
    EXPECT_EQ(mf_go(&s, closes_it, p), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    no_child_left();
    return 0;
}

MFI_TEST(while_tasks_of_the_scope_are_there_it_lives)
{
    in_both(tasks_first, NULL);
}

static int waits(void *arg)
{
    return mf_proc_wait(arg, NULL, MF_NEVER);
}

/* A failing sibling cancels the scope: its tasks go, and then the child. */
static int fails(void *arg)
{
    return mf_proc_wait(arg, NULL, soon()) == -ETIMEDOUT ? -EIO : 0;
}

static int failing(void *arg)
{
    mf_scope s;
    mf_proc *p, *q = NULL;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    p = start_in(&s, "exec sleep 1000", 0);
    EXPECT_EQ(mf_go(&s, waits, p), 0);
    EXPECT_EQ(mf_go(&s, fails, p), 0);
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), -ECANCELED);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_proc_start(ARGV("true"), MF_PROC_OPTIONS(.scope = &s), &q),
              -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -EIO);
    no_child_left();
    EXPECT_EQ(mf_proc_close(p), 0);
    /* The scope's deadline. */
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = soon())), 0);
    p = start_in(&s, "trap '' TERM; exec sleep 1000", MF_MSEC(10));
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(a_scope_that_fails_takes_its_children_along)
{
    in_both(failing, NULL);
}

/* ---- all ways out of a task --------------------------------------------- */

struct left {
    mf_proc *p;
    int how;
};

static int leaves(void *arg)
{
    struct left *l = arg;
    MF_SCOPE(outer);
    MF_SCOPE(inner);

    l->p =
        start_in(l->how % 2 ? &inner : &outer, "exec sleep 1000", MF_MSEC(5));
    if (l->how < 2)
        return 0;
    if (l->how < 4)
        mf_exit(0);
    mf_panic("it happens");
}

static int every_way_out(void *arg)
{
    (void)arg;
    for (int how = 0; how < 6; how++) {
        struct left l = {.how = how};
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        EXPECT_EQ(mf_go(&s, leaves, &l), 0);
        EXPECT_EQ(mf_scope_close(&s), how < 4 ? 0 : -ENOTRECOVERABLE);
        no_child_left();
        EXPECT_EQ(mf_proc_close(l.p), 0);
    }
    return 0;
}

MFI_TEST(every_way_out_of_the_scope_kills)
{
    in_both(every_way_out, NULL);
}

/* ---- the root scope, and scopes of cqueues beside ----------------------- */

static int in_the_root(void *arg)
{
    *(mf_proc **)arg = start_in(mf_root(), "exec sleep 1000", MF_MSEC(5));
    return 0;
}

MFI_TEST(the_runtime_stops_without_children)
{
    mf_proc *p = NULL;

    EXPECT_EQ(mf_run(in_the_root, &p, NULL), 0);
    no_child_left();
    EXPECT_EQ(mf_proc_wait(p, NULL, MF_NOW), 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_EQ(mf_start(NULL), 0);
    EXPECT_EQ(in_the_root(&p), 0);
    EXPECT_EQ(mf_stop(late()), 0);
    no_child_left();
    EXPECT_EQ(mf_proc_close(p), 0);
}

static int an_arm(mf_arm *self, void *arg)
{
    mf_proc *p;

    (void)arg;
    MF_SCOPE(s);
    p = start_in(&s, "echo ok", 0);
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    return mf_arm_send(self, 1);
}

static int beside_a_queue(void *arg)
{
    mf_proc *p;
    mf_cevent ev;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.name = "cqueue")), 0);
    p = start_in(&s, "exec sleep 1000", 0);
    {
        MF_CQUEUE(q);

        EXPECT_EQ(mf_cqueue_add(&q, 1, an_arm, NULL, NULL), 0);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    no_child_left();
    EXPECT_EQ(mf_proc_close(p), 0);
    return 0;
}

MFI_TEST(a_scope_named_like_a_queue_is_none)
{
    in_both(beside_a_queue, NULL);
}
