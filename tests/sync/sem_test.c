/* SPDX-License-Identifier: MIT */
/* sem_test.c - as many takes as gives, in the order of coming. */
#include "sync/sem.h"

#include "sync/member.h"

enum {
    LINE = 6,
    TURNS = 5000 / KIT_SLOW,
    ROUNDS = 3000 / KIT_SLOW,
    MEMORIES = 1000 / (KIT_SLOW > 1 ? 2 : 1), /* sanitizers are for these */
};

static int takes(void *arg)
{
    return mf_sem_wait(arg, late());
}

/* ---- alone --------------------------------------------------------------- */

static int misuse_and_tries(void *arg)
{
    mf_sem s = MF_SEM_INIT(2), none = {{0}}, full = MF_SEM_INIT(INT32_MAX);
    mf_sem debt = MF_SEM_INIT(-1);

    (void)arg;
    EXPECT_EQ(mf_sem_wait(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_sem_post(NULL, 1), -EINVAL);
    EXPECT_EQ(mf_sem_value(NULL), -EINVAL);
    EXPECT_EQ(mf_sem_post(&s, -1), -EINVAL);
    EXPECT_EQ(mf_sem_post(&full, 1), -EOVERFLOW);
    EXPECT_EQ(mf_sem_post(&s, INT32_MAX), -EOVERFLOW);
    EXPECT_EQ(mf_sem_value(&full), INT32_MAX);
    EXPECT_EQ(mf_sem_post(&s, 0), 0);
    EXPECT_EQ(mf_sem_value(&s), 2);
    EXPECT_EQ(mf_sem_wait(&s, MF_NOW), 0);
    EXPECT_EQ(mf_sem_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(mf_sem_wait(&s, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_sem_wait(&s, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_sem_value(&s), 0);
    EXPECT_EQ(mf_sem_post(&s, INT32_MAX), 0);
    EXPECT_EQ(mf_sem_value(&s), INT32_MAX);
    EXPECT_EQ(mf_sem_wait(&none, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_sem_value(&debt), 0); /* as good as 0 */
    EXPECT_EQ(mf_sem_post(&debt, 1), 0);
    EXPECT_EQ(mf_sem_value(&debt), 1);
    return 0;
}

MFI_TEST(it_counts)
{
    in_both(misuse_and_tries, NULL);
}

static void *posts_and_takes(void *arg)
{
    mf_sem *s = arg;

    EXPECT_EQ(mf_sem_post(&s[0], 1), 0);
    EXPECT_EQ(mf_sem_wait(&s[1], late()), 0);
    return NULL;
}

MFI_TEST(threads_use_it_while_nothing_runs)
{
    mf_sem s[2] = {{{0}}};
    pthread_t t;

    EXPECT_EQ(pthread_create(&t, NULL, posts_and_takes, s), 0);
    EXPECT_EQ(mf_sem_wait(&s[0], late()), 0);
    EXPECT_EQ(mf_sem_post(&s[1], 1), 0);
    EXPECT_EQ(pthread_join(t, NULL), 0);
}

/* One task polls, the other gives: it comes to run although nobody waits. */
static int polls(void *arg)
{
    while (mf_sem_wait(arg, MF_NOW) < 0)
        ;
    return 0;
}

static int who_polls_gives_way(void *arg)
{
    mf_sem s = {{0}};
    struct crew c;

    (void)arg;
    crew_open(&c);
    crew_add(&c, false, polls, &s);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_sem_post(&s, 1), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(who_polls_does_not_keep_the_worker)
{
    in_tasks(1, who_polls_gives_way, NULL);
}

/* ---- order --------------------------------------------------------------- */

static int in_line(void *arg)
{
    struct member m[LINE];
    mf_sem s = {{0}};
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < LINE; i++)
        start_asleep(&c, &m[i], i % 3 == 1, takes, &s);
    for (int i = 0; i < LINE - 3; i++) {
        EXPECT_EQ(mf_sem_post(&s, 1), 0);
        EXPECT_EQ(mf_sem_wait(&s, MF_NOW), -ETIMEDOUT); /* it is given away */
        EXPECT_EQ(result(&m[i]), 0);
        EXPECT_EQ(member_state(&m[i + 1]), PARK_PARKED);
    }
    EXPECT_EQ(mf_sem_post(&s, 5), 0); /* three for them, two for others */
    EXPECT_EQ(mf_sem_value(&s), 2);
    crew_close(&c);
    EXPECT_EQ(mf_sem_value(&s), 2);
    return 0;
}

MFI_TEST(permits_go_to_those_who_wait_in_their_order)
{
    everywhere(in_line, NULL);
}

/* ---- who gives up -------------------------------------------------------- */

static int takes_soon(void *arg)
{
    return mf_sem_wait(arg, soon());
}

/* Its deadline or a cancel has ended the first's wait; then a post comes. */
static int passed_over(void *arg)
{
    bool thread = *(bool *)arg;
    struct wake_list woken;
    struct member a, b;
    mf_sem s = {{0}};
    struct crew c;

    for (int behind = 0; behind < 2; behind++) {
        crew_open(&c);
        start_asleep(&c, &a, thread, takes, &s);
        if (behind)
            start_asleep(&c, &b, !thread, takes, &s);
        pounce(&a, WOKEN_TIMEOUT, &woken);
        EXPECT_EQ(mf_sem_post(&s, 1), 0);
        EXPECT_EQ(mf_sem_value(&s), !behind);
        if (behind)
            EXPECT_EQ(result(&b), 0);
        let_go(&woken);
        EXPECT_EQ(result(&a), -ETIMEDOUT);
        crew_close(&c);
        EXPECT_EQ(mf_sem_value(&s), !behind);
        EXPECT_EQ(mf_sem_wait(&s, MF_NOW), behind ? -ETIMEDOUT : 0);
    }
    return 0;
}

MFI_TEST(who_is_out_of_time_eats_no_permit)
{
    everywhere(passed_over, &(bool){false});
    everywhere(passed_over, &(bool){true});
}

/* Woken for nothing it waits on; a post meanwhile is not lost to it. */
static int only_looks(void *arg)
{
    bool thread = *(bool *)arg;
    struct wake_list woken;
    mf_sem s = {{0}};
    struct member a;
    struct crew c;

    for (int posted = 0; posted < 2; posted++) {
        crew_open(&c);
        start_asleep(&c, &a, thread, takes, &s);
        pounce(&a, WOKEN_CANCEL, &woken);
        if (posted)
            EXPECT_EQ(mf_sem_post(&s, 1), 0);
        let_go(&woken);
        if (!posted) {
            await_asleep(&a);
            EXPECT_EQ(mf_sem_post(&s, 1), 0);
        }
        EXPECT_EQ(result(&a), 0);
        crew_close(&c);
        EXPECT_EQ(mf_sem_value(&s), 0);
    }
    return 0;
}

MFI_TEST(who_is_woken_for_nothing_waits_on)
{
    everywhere(only_looks, &(bool){false});
    everywhere(only_looks, &(bool){true});
}

static int some_leave(void *arg)
{
    struct member m[LINE];
    mf_sem s = {{0}};
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < LINE; i++) {
        start(&c, &m[i], false, i % 3 == 0 ? takes_soon : takes, &s);
        if (i % 3 != 0)
            await_asleep(&m[i]);
    }
    for (int i = 1; i < LINE; i += 3)
        mf_task_cancel(m[i].task);
    for (int i = 0; i < LINE; i++)
        if (i % 3 < 2)
            EXPECT_EQ(result(&m[i]), i % 3 == 0 ? -ETIMEDOUT : -ECANCELED);
    EXPECT_EQ(mf_sem_post(&s, LINE / 3), 0);
    crew_close(&c);
    for (int i = 2; i < LINE; i += 3)
        EXPECT_EQ(m[i].rc, 0);
    EXPECT_EQ(mf_sem_post(&s, 1), 0); /* the queue is really empty */
    EXPECT_EQ(mf_sem_value(&s), 1);
    return 0;
}

MFI_TEST(who_leaves_the_queue_leaves_it_whole)
{
    everywhere(some_leave, NULL);
}

static int hopeless(void *arg)
{
    EXPECT_EQ(mf_sem_wait(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_sem_post(arg, 1), 0);
    EXPECT_EQ(mf_sem_wait(arg, MF_NOW), -ECANCELED); /* there or not */
    EXPECT_EQ(mf_sem_value(arg), 1);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_sem_wait(arg, MF_NOW), 0);
    return 0;
}

static int cancelled(void *arg)
{
    mf_sem s = {{0}};
    struct member m;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m, false, hopeless, &s);
    mf_task_cancel(m.task);
    crew_close(&c);
    EXPECT_EQ(mf_sem_value(&s), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait)
{
    everywhere(cancelled, NULL);
}

/* The shield's limit ends one sleep, not the wait. */
static int shielded(void *arg)
{
    mf_sem s = {{0}};
    int rc = -1;

    (void)arg;
    MF_SHIELD(mf_after(MF_MSEC(2)))
    rc = mf_sem_wait(&s, soon());
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_EQ(mf_sem_post(&s, 1), 0);
    EXPECT_EQ(mf_sem_value(&s), 1);
    return 0;
}

MFI_TEST(a_shield_may_end_during_the_wait)
{
    in_both(shielded, NULL);
}

/* ---- races --------------------------------------------------------------- */

struct race {
    mf_sem s;
    uint32_t seed;
    bool cancel;
};

static int takes_in_a_hurry(void *arg)
{
    struct race *r = arg;

    if (r->cancel)
        return mf_sem_wait(&r->s, MF_NEVER);
    return mf_sem_wait(&r->s, mf_after(1 + chance(&r->seed, 16384)));
}

/* A post meets a deadline or a cancel: the permit is in one place only. */
static int race(void *arg)
{
    struct race r = *(struct race *)arg;
    int got = 0;

    r.seed = 2463534242u;
    for (int i = 0; i < ROUNDS; i++) {
        struct member m;
        struct crew c;

        crew_open(&c);
        start(&c, &m, !r.cancel && i % 8 == 0, takes_in_a_hurry, &r);
        if (r.cancel && i % 2 == 0)
            await_asleep(&m);
        if (r.cancel)
            mf_task_cancel(m.task);
        else
            breathe();
        EXPECT_EQ(mf_sem_post(&r.s, 1), 0);
        crew_close(&c);
        EXPECT(m.rc == 0 || m.rc == (r.cancel ? -ECANCELED : -ETIMEDOUT));
        EXPECT_EQ(mf_sem_value(&r.s), m.rc != 0);
        got += m.rc == 0;
        if (m.rc != 0)
            EXPECT_EQ(mf_sem_wait(&r.s, MF_NOW), 0);
    }
    EXPECT(r.cancel || got > 0);
    return 0;
}

MFI_TEST(a_permit_that_meets_a_deadline_is_neither_lost_nor_doubled)
{
    everywhere(race, &(struct race){.cancel = false});
}

MFI_TEST(a_permit_that_meets_a_cancel_is_neither_lost_nor_doubled)
{
    everywhere(race, &(struct race){.cancel = true});
}

struct room {
    mf_sem s;
    int inside; /* guarded by the one permit */
    int turns;
};

static int enters(void *arg)
{
    struct room *r = arg;

    for (int i = 0; i < r->turns; i++) {
        EXPECT_EQ(mf_sem_wait(&r->s, late()), 0);
        r->inside++;
        if (i % 64 == 0)
            breathe();
        EXPECT_EQ(mf_sem_post(&r->s, 1), 0);
    }
    return 0;
}

static int rooms(void *arg)
{
    const int *who = arg;
    struct room r = {MF_SEM_INIT(1), 0, TURNS / 5};

    crew_run(who[0], who[1], enters, &r);
    EXPECT_EQ(r.inside, (who[0] + who[1]) * r.turns);
    EXPECT_EQ(mf_sem_value(&r.s), 1);
    return 0;
}

MFI_TEST(one_permit_is_a_lock)
{
    in_tasks(1, rooms, (int[]){4, 0});
    in_tasks(2, rooms, (int[]){4, 0});
    in_tasks(2, rooms, (int[]){2, 2});
    in_thread(rooms, (int[]){1, 3});
}

/* The one who takes the permit owns the memory: the post is through with it. */
static int posts_its(void *arg)
{
    return mf_sem_post(arg, 1);
}

static int freed_at_once(void *arg)
{
    uint32_t seed = 2463534242u;
    struct partner p;

    (void)arg;
    partner_open(&p, posts_its);
    for (int i = 0; i < MEMORIES; i++) {
        mf_sem *s = calloc(1, sizeof *s);

        EXPECT(s != NULL);
        partner_go(&p, s, &seed);
        if (i % 4 == 0)
            while (mf_sem_wait(s, MF_NOW) < 0)
                ;
        else if (i % 4 == 1)
            while (mf_sem_wait(s, mf_after(MF_USEC(i % 50))) < 0)
                ;
        else
            EXPECT_EQ(mf_sem_wait(s, late()), 0);
        memset(s, 0xff, sizeof *s);
        free(s);
        partner_done(&p);
    }
    partner_close(&p);
    return 0;
}

MFI_TEST(who_takes_the_last_permit_may_free_it)
{
    everywhere(freed_at_once, NULL);
}

/* ---- as a case of a select ----------------------------------------------- */

struct selecting {
    mf_sem a, b;
    int rc;
};

/* What a select does: one parker, a waiter in each. */
static int selects(void *arg)
{
    struct selecting *sel = arg;
    struct agent *agent = mfi_agent();
    struct sem *s[] = {mfi_sem(&sel->a), mfi_sem(&sel->b)};
    struct sync_waiter w[2];
    int won = -1;

    mfi_park_arm(agent);
    for (int i = 0; i < 2; i++) {
        w[i].w.parker = &agent->parker;
        w[i].won = false;
        mfi_spin_lock(&s[i]->lock);
        EXPECT(!mfi_sem_take_locked(s[i]));
        mfi_waitq_add(&s[i]->waiters, &w[i].w);
        mfi_spin_unlock(&s[i]->lock);
    }
    EXPECT_EQ(mfi_wait(agent, mfi_time_of(late()), "two semaphores"), 0);
    for (int i = 0; i < 2; i++) {
        mfi_spin_lock(&s[i]->lock);
        mfi_waitq_del(&s[i]->waiters, &w[i].w);
        mfi_spin_unlock(&s[i]->lock);
        if (w[i].won) {
            EXPECT_EQ(won, -1);
            EXPECT_EQ(w[i].res, 0);
            won = i;
        }
    }
    return won;
}

static int select_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct selecting sel = {.a = {{0}}};
        struct member m;
        struct crew c;

        crew_open(&c);
        start_asleep(&c, &m, false, selects, &sel);
        EXPECT_EQ(mf_sem_post(i ? &sel.b : &sel.a, 1), 0);
        EXPECT_EQ(mf_sem_post(i ? &sel.a : &sel.b, 1), 0);
        EXPECT_EQ(result(&m), i);
        crew_close(&c);
        EXPECT_EQ(mf_sem_value(&sel.a), i);
        EXPECT_EQ(mf_sem_value(&sel.b), !i);
    }
    return 0;
}

/* It looks at one that has a permit, and leaves one that has none. */
static int looks(void *arg)
{
    mf_sem sem = MF_SEM_INIT(1);
    struct sem *s = mfi_sem(&sem);

    (void)arg;
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(mf_sem_value(&sem), 1);
        mfi_spin_lock(&s->lock);
        EXPECT(mfi_sem_take_locked(s));
        EXPECT(!mfi_sem_take_locked(s));
        EXPECT(!mfi_sem_try(s));
        mfi_spin_unlock(&s->lock);
        EXPECT_EQ(mf_sem_value(&sem), 0);
        EXPECT_EQ(mf_sem_wait(&sem, i == 0 ? MF_NOW : soon()), -ETIMEDOUT);
        EXPECT_EQ(mf_sem_post(&sem, 1), 0);
    }
    return 0;
}

MFI_TEST(a_select_gets_one_permit_of_one_semaphore)
{
    everywhere(select_one, NULL);
    in_both(looks, NULL);
}
