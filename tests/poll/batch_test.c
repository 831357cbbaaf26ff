/* SPDX-License-Identifier: MIT */
/* batch_test.c - a batch does the same with a ring, without one, with a bad. */
#include "poll/batch.h"

#include <pthread.h>

#include "poll/sockets.h"

static struct uring ring;
static struct batch batch;
static struct wake_list woken;

enum { ALL = SITUATIONS, MANY = 3 * URING_ENTRIES + 7 };

static struct parker parkers[MANY];
static _Atomic uint32_t ready[MANY];

/* The state in which the poller hands an op over: claimed already. */
static void claimed(struct batch_op *op, int i)
{
    atomic_init(&parkers[i].word, PARK_CLAIMED);
    atomic_init(&ready[i], (uint32_t)i);
    op->parker = &parkers[i];
    op->ready = &ready[i];
}

/* The list is parkers[first] up to, not with, parkers[end]. */
static void expect_woken(int first, int end)
{
    struct parker *p = woken.head;

    for (int i = first; i < end; i++, p = p->next)
        EXPECT(p == &parkers[i]);
    EXPECT(p == NULL);
}

/* ---- results ------------------------------------------------------------ */

static void do_all(struct uring *r)
{
    static struct case_of cases[ALL];

    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    for (int i = 0; i < ALL; i++) {
        make_case(&cases[i], (enum situation)i);
        claimed(&cases[i].op, i);
        mfi_batch_add(&batch, &cases[i].op);
    }
    EXPECT_EQ(batch.n, ALL);
    mfi_batch_run(&batch, r, &woken);
    EXPECT_EQ(batch.n, 0);
    EXPECT(batch.head == NULL);
    expect_woken(0, ALL);
    for (int i = 0; i < ALL; i++) {
        EXPECT(cases[i].op.done);
        EXPECT_EQ(cases[i].op.seen, i);
        EXPECT_EQ(cases[i].op.result, result_of((enum situation)i));
        expect_bytes(&cases[i], (enum situation)i);
        close_case(&cases[i]);
    }
}

MFI_TEST(each_result_without_a_ring)
{
    do_all(NULL);
    do_all(NULL); /* an emptied batch is as good as new */
}

MFI_TEST(each_result_with_a_ring)
{
    need_ring(&ring);
    do_all(&ring);
    do_all(&ring);
    mfi_uring_done(&ring);
}

MFI_TEST(each_result_when_the_ring_fails)
{
    need_ring(&ring);
    do_all(&ring);
    break_ring(&ring);
    do_all(&ring);
    do_all(&ring);
}

static void *runs_elsewhere(void *arg)
{
    do_all(arg);
    return NULL;
}

/* The kernel may refuse a ring that belongs to another thread. */
MFI_TEST(each_result_with_the_ring_of_another_thread)
{
    pthread_t thread;

    need_ring(&ring);
    EXPECT_EQ(pthread_create(&thread, NULL, runs_elsewhere, &ring), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    do_all(&ring);
    mfi_uring_done(&ring);
}

/* ---- more than a ring holds --------------------------------------------- */

static void do_many(struct uring *r, int n)
{
    static struct batch_op ops[MANY];
    static char sent[MANY], got[MANY];
    int fds[2];

    make_pair(fds);
    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    for (int i = 0; i < n; i++) {
        sent[i] = (char)i;
        ops[i] = (struct batch_op){.buf = &got[i], .len = 1, .fd = fds[1]};
        claimed(&ops[i], i);
        mfi_batch_add(&batch, &ops[i]);
    }
    if (n > 0)
        EXPECT_EQ(send(fds[0], sent, (size_t)n, 0), n);
    mfi_batch_run(&batch, r, &woken);
    expect_woken(0, n);
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(ops[i].result, 1);
        EXPECT_EQ(got[i], (char)i); /* all of one socket: in order */
    }
    close(fds[0]);
    close(fds[1]);
}

static void do_each_number(struct uring *r)
{
    static const int numbers[] = {0,
                                  1,
                                  2,
                                  URING_ENTRIES - 1,
                                  URING_ENTRIES,
                                  URING_ENTRIES + 1,
                                  2 * URING_ENTRIES,
                                  MANY};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        do_many(r, numbers[i]);
}

MFI_TEST(any_number_without_a_ring)
{
    do_each_number(NULL);
}

MFI_TEST(any_number_with_a_ring)
{
    need_ring(&ring);
    do_each_number(&ring);
    mfi_uring_done(&ring);
}

MFI_TEST(any_number_when_the_ring_fails)
{
    need_ring(&ring);
    break_ring(&ring);
    do_each_number(&ring);
}

/* ---- waking ------------------------------------------------------------- */

static void wake_queued(struct uring *r)
{
    static const uint32_t words[] = {
        PARK_ARMED | PARK_NO_CANCEL, PARK_PARKED | PARK_NO_CANCEL,
        PARK_ARMED | PARK_NO_CANCEL, PARK_PARKED | PARK_NO_CANCEL};
    struct case_of c[4];

    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    for (int i = 0; i < 4; i++) {
        make_case(&c[i], ROOM);
        claimed(&c[i].op, i);
        atomic_init(&parkers[i].word, words[i]);
        c[i].op.queued = true;
        mfi_batch_add(&batch, &c[i].op);
    }
    mfi_batch_run(&batch, r, &woken);
    for (int i = 0; i < 4; i++) {
        EXPECT(c[i].op.done);
        EXPECT_EQ(c[i].op.result, BUF);
        EXPECT_EQ(mfi_load_acq(&parkers[i].word) & PARK_STATE, PARK_CLAIMED);
        EXPECT_EQ(mfi_parker_reason(&parkers[i]), WOKEN_READY);
        close_case(&c[i]);
    }
    /* Who had not left its stack yet is woken by its own commit, not here. */
    EXPECT(woken.head == &parkers[1]);
    EXPECT(parkers[1].next == &parkers[3]);
    EXPECT(parkers[3].next == NULL);
}

MFI_TEST(who_queued_is_woken_only_once_it_has_parked)
{
    wake_queued(NULL);
    need_ring(&ring);
    wake_queued(&ring);
    mfi_uring_done(&ring);
}

MFI_TEST(who_was_claimed_by_the_poller_is_woken_as_it_is)
{
    struct case_of c;

    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    make_case(&c, DATA);
    claimed(&c.op, 5);
    atomic_init(&parkers[5].word,
                PARK_CLAIMED | WOKEN_CLOSED << PARK_REASON_SHIFT);
    mfi_batch_add(&batch, &c.op);
    mfi_batch_run(&batch, NULL, &woken);
    expect_woken(5, 6);
    EXPECT_EQ(mfi_parker_reason(&parkers[5]), WOKEN_CLOSED);
    close_case(&c);
}

MFI_TEST(who_was_woken_before_stays_in_front)
{
    struct case_of c[2];

    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    mfi_wake_list_add(&woken, &parkers[0]);
    for (int i = 0; i < 2; i++) {
        make_case(&c[i], NO_DATA);
        claimed(&c[i].op, i + 1);
        mfi_batch_add(&batch, &c[i].op);
    }
    mfi_batch_run(&batch, NULL, &woken);
    expect_woken(0, 3);
}

/* An edge that comes with the call must not be taken for one before it. */
MFI_TEST(readiness_is_read_before_the_call)
{
    struct case_of c;

    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    make_case(&c, MUCH_DATA);
    claimed(&c.op, 0);
    c.op.buf = &ready[0]; /* the receive itself changes the word */
    c.op.len = sizeof ready[0];
    mfi_store_rel(&ready[0], 77u);
    mfi_batch_add(&batch, &c.op);
    mfi_batch_run(&batch, NULL, &woken);
    EXPECT_EQ(c.op.seen, 77);
    EXPECT_NE(mfi_load_acq(&ready[0]), 77);
    close_case(&c);
}

MFI_TEST(one_alone_does_not_enter_the_ring)
{
    struct case_of c;
    uint32_t before;

    need_ring(&ring);
    before = ring.tail;
    mfi_batch_init(&batch);
    mfi_wake_list_init(&woken);
    make_case(&c, DATA);
    claimed(&c.op, 0);
    mfi_batch_add(&batch, &c.op);
    mfi_batch_run(&batch, &ring, &woken);
    EXPECT_EQ(c.op.result, 20);
    EXPECT_EQ(ring.tail, before);
    close_case(&c);
    mfi_uring_done(&ring);
}
