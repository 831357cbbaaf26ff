/* SPDX-License-Identifier: MIT */
/*
 * migrate_test.c - a task that goes on on another thread, after any suspension.
 *
 * The trap: the address of a thread-local, errno among them, is constant for a
 * compiler, so it is kept over a call that moved the task, and then belongs to
 * another thread. The runtime asks anew each time (mfi_arch_self).
 *
 * There are two carriers, pinned to a worker each: the one the task is not on
 * wakes it, and a task is made ready on the worker of whoever wakes it.
 */
#include "sched/worker.h"

#include <mayfly/block.h>
#include <mayfly/fd.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/help.h"

enum { ROUNDS = 200 };

enum how { BY_PARK, BY_EVENT, BY_JOIN, BY_READ, BY_SCOPE, NR_WAYS };

static struct {
    mf_task *traveller;
    _Atomic int turn; /* 1 + way: wake it so; 0: nothing to do */
    _Atomic int from; /* ... unless you are the worker it left */
    _Atomic bool over;
    _Atomic int nr_carriers; /* that have read once */
    mf_event event;
    _Atomic bool child_may_end;
    int ends[2][2];   /* [i] is polled by worker i */
    _Atomic int pair; /* the one to write to */
} g;

static int worker_index(void)
{
    return mfi_worker()->index;
}

/* ---- the carriers ------------------------------------------------------- */

static void wake(enum how way)
{
    switch (way) {
    case BY_PARK:
        EXPECT_EQ(mf_unpark(g.traveller), 0);
        break;
    case BY_EVENT:
        mf_event_fire(&g.event);
        break;
    case BY_READ:
        EXPECT_EQ(mf_write(g.ends[mfi_load_acq(&g.pair)][1], "x", 1, MF_NEVER),
                  1);
        break;
    case BY_JOIN:
    case BY_SCOPE:
        mfi_store_rel(&g.child_may_end, true);
        break;
    case NR_WAYS:
        break;
    }
}

static int carry(void *arg)
{
    int me = worker_index();
    char c;

    (void)arg;
    /* Late enough for it to wait: that makes the fd this worker's. */
    EXPECT_EQ(mf_read(g.ends[me][0], &c, 1, mf_after(MF_MSEC(20))), -ETIMEDOUT);
    EXPECT_NE(mfi_load_acq(&mfi_fd_peek(g.ends[me][0])->home), 0);
    mfi_add_acqrel(&g.nr_carriers, 1);
    while (!mfi_load_acq(&g.over)) {
        int turn = mfi_load_acq(&g.turn);

        if (turn != 0 && mfi_load_acq(&g.from) != me &&
            mfi_cas_acqrel(&g.turn, &turn, 0)) {
            /* Later, when it has parked: then it is readied here. */
            EXPECT_EQ(mf_sleep(MF_USEC(200)), 0);
            wake((enum how)(turn - 1));
        }
        EXPECT_EQ(mf_sleep(MF_USEC(100)), 0);
        EXPECT_EQ(worker_index(), me);
    }
    return 0;
}

/* ---- the traveller ------------------------------------------------------ */

static int child(void *arg)
{
    while (!mfi_load_acq(&g.child_may_end))
        EXPECT_EQ(mf_sleep(MF_USEC(100)), 0);
    return (int)(intptr_t)arg;
}

static void suspend(enum how way)
{
    int result = 0, other = 1 - worker_index();
    char c = 0;
    mf_task_options there = {
        .size = sizeof there, .worker = 1 + other, .flags = MF_TASK_PINNED};

    mfi_store_rel(&g.child_may_end, false);
    mfi_store_rel(&g.pair, other);
    g.event = (mf_event){{0}};
    mfi_store_rel(&g.from, worker_index());
    mfi_store_rel(&g.turn, 1 + (int)way);
    switch (way) {
    case BY_PARK:
        EXPECT_EQ(mf_park(MF_NEVER), 0);
        break;
    case BY_EVENT:
        EXPECT_EQ(mf_event_wait(&g.event, MF_NEVER), 0);
        break;
    case BY_READ:
        EXPECT_EQ(mf_read(g.ends[other][0], &c, 1, MF_NEVER), 1);
        EXPECT_EQ(c, 'x');
        break;
    case BY_JOIN: {
        mf_task *t;
        MF_SCOPE(s);

        EXPECT_EQ(mf_spawn(&s, child, NUMBER(7), &there, &t), 0);
        EXPECT_EQ(mf_join(t, &result, MF_NEVER), 0);
        EXPECT_EQ(result, 7);
        EXPECT_EQ(mf_scope_close(&s), 0);
        break;
    }
    case BY_SCOPE: {
        MF_SCOPE(s, .mode = MF_WAIT_ALL);

        EXPECT_EQ(mf_spawn(&s, child, NUMBER(-7), &there, NULL), 0);
        EXPECT_EQ(mf_scope_close(&s), -7);
        break;
    }
    case NR_WAYS:
        break;
    }
}

/* After a move everything is asked of the thread the task is on now. */
static void expect_at_home(mf_task *self)
{
    struct worker *w = mfi_worker();

    EXPECT(mf_self() == self);
    EXPECT(w->current->task == self);
    EXPECT(pthread_equal(w->thread.handle, pthread_self()));
    EXPECT_EQ(mf_yield(), 0);
    EXPECT(mf_self() == self);
}

static int travel(void *arg)
{
    enum how way = (enum how)(intptr_t)arg;
    mf_task *self = mf_self();
    int moves = 0;

    g.traveller = self;
    for (int i = 0; i < ROUNDS; i++) {
        int before = worker_index();

        suspend(way);
        moves += worker_index() != before;
        expect_at_home(self);
    }
    mfi_store_rel(&g.over, true);
    return moves;
}

/* fn(arg) on two workers with a carrier each. Its result. */
struct journey {
    mf_fn *fn;
    void *arg;
};

static int with_carriers(void *arg)
{
    const struct journey *j = arg;
    int result = 0;
    mf_task *t;
    MF_SCOPE(s);

    for (int i = 1; i <= 2; i++)
        EXPECT_EQ(
            mf_spawn(&s, carry, NULL,
                     MF_TASK_OPTIONS(.worker = i, .flags = MF_TASK_PINNED),
                     NULL),
            0);
    WAIT_UNTIL(mfi_load_acq(&g.nr_carriers) == 2);
    EXPECT_EQ(mf_spawn(&s, j->fn, j->arg, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &result, MF_NEVER), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return result;
}

static int carried(mf_fn *fn, void *arg)
{
    struct journey j = {fn, arg};

    for (int i = 0; i < 2; i++)
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, g.ends[i]), 0);
    return run_on(2, with_carriers, &j);
}

static void travel_by(enum how way)
{
    EXPECT_GE(carried(travel, NUMBER(way)), 10); /* else it tests nothing */
}

MFI_TEST(a_park_may_end_on_another_worker)
{
    travel_by(BY_PARK);
}

MFI_TEST(an_event_wait_may_end_on_another_worker)
{
    travel_by(BY_EVENT);
}

MFI_TEST(a_join_may_end_on_another_worker)
{
    travel_by(BY_JOIN);
}

MFI_TEST(a_read_may_end_on_another_worker)
{
    travel_by(BY_READ);
}

MFI_TEST(a_scope_may_be_closed_on_another_worker)
{
    travel_by(BY_SCOPE);
}

/* ---- pinned ------------------------------------------------------------- */

static int stays(void *arg)
{
    int home;

    g.traveller = mf_self();
    EXPECT_EQ(mf_pin(), 0);
    home = worker_index();
    for (int i = 0; i < ROUNDS / 4; i++) {
        suspend((enum how)(i % NR_WAYS));
        EXPECT_EQ(worker_index(), home);
        expect_at_home(g.traveller);
    }
    EXPECT_EQ(mf_unpin(), 0);
    mfi_store_rel(&g.over, true);
    return (int)(intptr_t)arg;
}

MFI_TEST(a_pinned_task_stays_where_it_is)
{
    EXPECT_EQ(carried(stays, NULL), 0);
}

/* ---- the trap, for users ------------------------------------------------ */

static __thread int mine; /* what a user should not do in a task */

__attribute__((__noinline__)) static int *address_of_mine(void)
{
    int *p = &mine;

    __asm__ __volatile__("" : "+r"(p)); /* asked anew at each call */
    return p;
}

static int sees_another(void *arg)
{
    int seen = 0;

    (void)arg;
    g.traveller = mf_self();
    for (int i = 0; i < ROUNDS; i++) {
        int *before = address_of_mine();

        suspend(BY_PARK);
        seen += address_of_mine() != before;
    }
    mfi_store_rel(&g.over, true);
    return seen;
}

/* Documents it: a thread-local is not a task-local, hence mf_pin. */
MFI_TEST(a_thread_local_of_a_user_changes_under_a_task)
{
    EXPECT_GE(carried(sees_another, NULL), 10);
}

/* No call of the library reads or sets errno, wherever it goes on. */
static int looks_at_errno(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_pin(), 0); /* so that errno is the same one throughout */
    errno = 1234;
    EXPECT_EQ(mf_read(-1, NULL, 0, MF_NEVER) < 0, 1);
    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    EXPECT_EQ(mf_park(MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_block(returns_arg, NULL, 0, NULL, MF_NEVER), 0);
    EXPECT_EQ(errno, 1234);
    return mf_unpin();
}

MFI_TEST(no_call_touches_errno)
{
    EXPECT_EQ(run_on(2, looks_at_errno, NULL), 0);
}
