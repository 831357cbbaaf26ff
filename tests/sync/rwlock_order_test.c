/* SPDX-License-Identifier: MIT */
/* rwlock_order_test.c - the queue of a rwlock: who is let in when. */
#include "sync/member.h"

struct queue {
    mf_rwlock l;
    mf_event go[8];
};

struct place {
    struct queue *q;
    int i;
    bool hurry;
    struct member m;
};

static int reads(void *arg)
{
    struct place *p = arg;
    int rc = mf_rwlock_read(&p->q->l, p->hurry ? soon() : late());

    if (rc < 0)
        return rc;
    EXPECT_EQ(mf_event_wait(&p->q->go[p->i], late()), 0);
    return mf_rwlock_unlock(&p->q->l);
}

static int writes(void *arg)
{
    struct place *p = arg;
    int rc = mf_rwlock_write(&p->q->l, p->hurry ? soon() : late());

    if (rc < 0)
        return rc;
    EXPECT_EQ(mf_event_wait(&p->q->go[p->i], late()), 0);
    return mf_rwlock_unlock(&p->q->l);
}

static void stand_in(struct crew *c, struct queue *q, struct place *p, int i,
                     bool thread, mf_fn *fn)
{
    p[i].q = q;
    p[i].i = i;
    p[i].hurry = false;
    start_asleep(c, &p[i].m, thread, fn, &p[i]);
}

static uint64_t readers(struct queue *q)
{
    return mfi_load_acq((_Atomic uint64_t *)&q->l.mfi_[0]) >> 3;
}

static void let_out(struct queue *q, struct place *p, int i)
{
    mf_event_fire(&q->go[i]);
    EXPECT_EQ(result(&p[i].m), 0);
}

/* W has it; R R W R W R stand in line. Each group gets in when it is next. */
static int in_line(void *arg)
{
    mf_fn *line[] = {writes, reads, reads, writes, reads, writes, reads};
    struct queue q = {.l = {{0}}};
    struct place p[7];
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < 7; i++)
        stand_in(&c, &q, p, i, i % 3 == 1, line[i]);
    EXPECT_EQ(readers(&q), 0);
    let_out(&q, p, 0);
    EXPECT_EQ(readers(&q), 2); /* both, and not those behind the writer */
    EXPECT_EQ(mf_rwlock_read(&q.l, MF_NOW), -ETIMEDOUT);
    let_out(&q, p, 2);
    EXPECT_EQ(readers(&q), 1);
    let_out(&q, p, 1);
    EXPECT_EQ(readers(&q), 0);
    EXPECT_EQ(mf_rwlock_unlock(&q.l), -EPERM); /* a writer has it */
    let_out(&q, p, 3);
    EXPECT_EQ(readers(&q), 1);
    let_out(&q, p, 4);
    EXPECT_EQ(readers(&q), 0);
    let_out(&q, p, 5);
    EXPECT_EQ(readers(&q), 1);
    EXPECT_EQ(mf_rwlock_read(&q.l, MF_NOW), 0); /* nobody waits any more */
    EXPECT_EQ(mf_rwlock_unlock(&q.l), 0);
    let_out(&q, p, 6);
    crew_close(&c);
    EXPECT_EQ(q.l.mfi_[0], 0);
    return 0;
}

MFI_TEST(who_comes_first_gets_in_first_and_readers_together)
{
    everywhere(in_line, NULL);
}

/* ---- who gives up -------------------------------------------------------- */

/* R has it; W R W R stand in line. The first W leaves: R gets in, not W R. */
static int head_leaves(void *arg)
{
    bool cancel = *(bool *)arg;
    struct queue q = {.l = {{0}}};
    struct place p[5];
    struct crew c;

    crew_open(&c);
    stand_in(&c, &q, p, 0, true, reads);
    if (cancel) {
        stand_in(&c, &q, p, 1, false, writes);
    } else { /* it may leave before the others come: as good */
        p[1].q = &q;
        p[1].hurry = true;
        start(&c, &p[1].m, true, writes, &p[1]);
    }
    stand_in(&c, &q, p, 2, false, reads);
    stand_in(&c, &q, p, 3, true, writes);
    stand_in(&c, &q, p, 4, false, reads);
    if (cancel) {
        EXPECT_EQ(readers(&q), 1);
        mf_task_cancel(p[1].m.task);
    }
    EXPECT_EQ(result(&p[1].m), cancel ? -ECANCELED : -ETIMEDOUT);
    EXPECT_EQ(readers(&q), 2);
    let_out(&q, p, 0);
    let_out(&q, p, 2);
    let_out(&q, p, 3);
    let_out(&q, p, 4);
    crew_close(&c);
    EXPECT_EQ(q.l.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_writer_out_of_time_lets_the_readers_behind_it_in)
{
    everywhere(head_leaves, &(bool){false});
}

MFI_TEST(a_cancelled_writer_lets_the_readers_behind_it_in)
{
    everywhere(head_leaves, &(bool){true});
}

/* The unlock meets a head whose wait is over already, in every mixture. */
static void pass_over(bool thread, mf_fn *holder, mf_fn *head, bool look,
                      bool behind)
{
    struct queue q = {.l = {{0}}};
    struct wake_list woken;
    struct place p[3];
    struct crew c;

    crew_open(&c);
    stand_in(&c, &q, p, 0, !thread, holder);
    stand_in(&c, &q, p, 1, thread, head);
    if (behind)
        stand_in(&c, &q, p, 2, !thread, writes);
    mf_event_fire(&q.go[1]);
    pounce(&p[1].m, look ? WOKEN_CANCEL : WOKEN_TIMEOUT, &woken);
    let_out(&q, p, 0);
    if (behind)
        let_out(&q, p, 2);
    EXPECT_EQ(q.l.mfi_[0], 0);
    EXPECT_EQ(mf_rwlock_write(&q.l, MF_NOW), 0);
    let_go(&woken);
    if (look)
        await_asleep(&p[1].m); /* it stands in line again */
    EXPECT_EQ(mf_rwlock_unlock(&q.l), 0);
    EXPECT_EQ(result(&p[1].m), look ? 0 : -ETIMEDOUT);
    crew_close(&c);
    EXPECT_EQ(q.l.mfi_[0], 0);
}

static int passed_over(void *arg)
{
    bool thread = *(bool *)arg;

    for (int i = 0; i < 4; i++) {
        pass_over(thread, writes, writes, i & 1, i & 2);
        pass_over(thread, writes, reads, i & 1, i & 2);
        pass_over(thread, reads, writes, i & 1, i & 2);
    }
    return 0;
}

MFI_TEST(an_unlock_passes_over_who_is_on_its_way_out)
{
    everywhere(passed_over, &(bool){false});
    everywhere(passed_over, &(bool){true});
}

/* ---- the writer ends ----------------------------------------------------- */

static int dies_later(void *arg)
{
    struct place *p = arg;

    EXPECT_EQ(mf_rwlock_write(&p->q->l, late()), 0);
    EXPECT_EQ(mf_event_wait(&p->q->go[p->i], late()), 0);
    return 0;
}

static int is_told(void *arg)
{
    struct place *p = arg;
    bool write = p->i == 3;
    int rc = write ? mf_rwlock_write(&p->q->l, late())
                   : mf_rwlock_read(&p->q->l, late());

    EXPECT_EQ(mf_rwlock_unlock(&p->q->l), 0);
    return rc;
}

/* R R W R wait while it dies: all but the last are told. */
static int told_in_line(void *arg)
{
    bool thread = *(bool *)arg;
    struct queue q = {.l = {{0}}};
    struct place p[5];
    struct crew c;

    crew_open(&c);
    stand_in(&c, &q, p, 0, thread, dies_later);
    for (int i = 1; i < 5; i++)
        stand_in(&c, &q, p, i, i % 2, is_told);
    mf_event_fire(&q.go[0]);
    crew_close(&c);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(p[i].m.rc, i > 0 && i < 4 ? MF_OWNER_DIED : 0);
    EXPECT_EQ(q.l.mfi_[0], 0);
    return 0;
}

MFI_TEST(those_who_wait_are_told_too)
{
    everywhere(told_in_line, &(bool){false});
    everywhere(told_in_line, &(bool){true});
}
