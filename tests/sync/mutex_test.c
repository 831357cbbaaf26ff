/* SPDX-License-Identifier: MIT */
/*
 * mutex_test.c - one at a time, in the end everybody, within a bounded time.
 * What becomes of locks whose owner ends is in held_test.c.
 */
#include "sync/mutex.h"

#include "sync/crew.h"

enum {
    COUNTS = 20000 / KIT_SLOW,
    TASKS = 8,
    THREADS = 2,
    MEETINGS = 1500 / KIT_SLOW,
    MEMORIES = 3000 / KIT_SLOW,
};

static mf_mutex *zeroed(mf_mutex *m)
{
    *m = (mf_mutex){{0, 0}};
    return m;
}

enum { WAITERS = 1, WOKEN = 2 }; /* of its word */

static bool flag(mf_mutex *m, uint64_t which)
{
    return (mfi_load_acq((_Atomic uint64_t *)&m->mfi_[0]) & which) != 0;
}

/* Until somebody is queued for it. */
static void await_queued(mf_mutex *m)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (!flag(m, WAITERS)) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* ---- alone --------------------------------------------------------------- */

static int smoke(void *arg)
{
    mf_mutex m;

    (void)arg;
    zeroed(&m);
    EXPECT_EQ(mf_mutex_lock(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_mutex_unlock(NULL), -EINVAL);
    EXPECT_EQ(mf_mutex_unlock(&m), -EPERM);
    for (int i = 0; i < 3; i++) {
        EXPECT(!mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_lock(&m, i == 0 ? MF_NEVER : MF_NOW), 0);
        EXPECT(mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_lock(&m, MF_NEVER), -EDEADLK);
        EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), -EDEADLK);
        EXPECT_EQ(mf_mutex_unlock(&m), 0);
        EXPECT_EQ(mf_mutex_unlock(&m), -EPERM);
        mf_mutex_hold(&m);
        EXPECT(mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_unlock(&m), 0);
        EXPECT_EQ(mfi_mutex_relock(&m), 0);
        EXPECT_EQ(mf_mutex_unlock(&m), 0);
    }
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(alone_it_locks_and_unlocks_and_knows_its_owner)
{
    in_both(smoke, NULL);
}

static void *locks_once(void *arg)
{
    EXPECT_EQ(mf_mutex_lock(arg, MF_NOW), 0);
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    return NULL;
}

MFI_TEST(threads_lock_while_nothing_runs)
{
    mf_mutex m;
    pthread_t t;

    EXPECT_EQ(mf_mutex_lock(zeroed(&m), MF_NEVER), 0);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(pthread_create(&t, NULL, locks_once, &m), 0);
    EXPECT_EQ(pthread_join(t, NULL), 0);
}

/* ---- a counter ----------------------------------------------------------- */

struct counter {
    mf_mutex m;
    int n; /* under m */
    int rounds;
};

static int counts(void *arg)
{
    struct counter *c = arg;

    for (int i = 0; i < c->rounds; i++) {
        int was;

        if (i % 3 == 0)
            mf_mutex_hold(&c->m);
        else
            EXPECT_EQ(mf_mutex_lock(&c->m, late()), 0);
        was = c->n;
        if (i % 64 == 0)
            breathe(); /* keep it while others run */
        c->n = was + 1;
        EXPECT_EQ(mf_mutex_unlock(&c->m), 0);
    }
    return 0;
}

static int count_up(void *arg)
{
    const int *who = arg;
    struct counter c = {.rounds = COUNTS};

    crew_run(who[0], who[1], counts, &c);
    EXPECT_EQ(c.n, (who[0] + who[1]) * COUNTS);
    EXPECT_EQ(c.m.mfi_[0], 0);
    return 0;
}

MFI_TEST(what_it_guards_is_changed_by_one_task_at_a_time)
{
    in_tasks(1, count_up, (int[]){TASKS, 0});
    in_tasks(2, count_up, (int[]){TASKS, 0});
}

MFI_TEST(what_it_guards_is_changed_by_one_thread_at_a_time)
{
    in_thread(count_up, (int[]){0, THREADS + 1});
}

MFI_TEST(what_it_guards_is_changed_by_one_of_either_at_a_time)
{
    in_tasks(1, count_up, (int[]){TASKS, THREADS});
    in_tasks(2, count_up, (int[]){TASKS, THREADS});
    in_thread(count_up, (int[]){TASKS, THREADS});
}

/* ---- somebody else has it ------------------------------------------------ */

static int finds_it_held(void *arg)
{
    mf_ns start = mf_now();

    EXPECT_EQ(mf_mutex_unlock(arg), -EPERM);
    EXPECT(!mfi_mutex_owned(arg));
    EXPECT_EQ(mf_mutex_lock(arg, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_mutex_lock(arg, mf_at(start)), -ETIMEDOUT);
    EXPECT_EQ(mf_mutex_lock(arg, mf_at(start + MF_MSEC(5))), -ETIMEDOUT);
    EXPECT_GE(mf_now(), start + MF_MSEC(5));
    return 0;
}

static int held(void *arg)
{
    mf_mutex m;

    (void)arg;
    mf_mutex_hold(zeroed(&m));
    crew_run(2, 2, finds_it_held, &m);
    EXPECT_EQ(m.mfi_[0], (uintptr_t)mfi_agent()); /* no flag is left */
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(who_finds_it_held_tries_once_or_until_the_deadline)
{
    in_both(held, NULL);
}

static int hopeless(void *arg)
{
    EXPECT_EQ(mf_mutex_lock(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_mutex_lock(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_mutex_lock(arg, MF_NOW), -ECANCELED);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_mutex_lock(arg, MF_NOW), -ETIMEDOUT);
    mf_mutex_hold(arg); /* no cancel keeps us from this */
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    EXPECT_EQ(mf_mutex_lock(arg, MF_NOW), -ECANCELED); /* free or not */
    return 0;
}

static int gets_it(void *arg)
{
    EXPECT_EQ(mf_mutex_lock(arg, late()), 0);
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    return 0;
}

/* Until t waits in mf_mutex_hold. */
static void await_holding(mf_task *t)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();
    uint32_t word;

    do {
        EXPECT_LT(mf_now(), end);
        breathe();
        mfi_task_lock(t);
        word = mfi_load_acq(&t->run->agent.parker.word);
        mfi_task_unlock(t, 0, 0);
    } while (word != (PARK_PARKED | PARK_NO_CANCEL));
}

static int cancelled(void *arg)
{
    mf_task *victim, *other;
    mf_mutex m;
    mf_scope s;

    (void)arg;
    mf_mutex_hold(zeroed(&m));
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, hopeless, &m, NULL, &victim), 0);
    await_parked(victim);
    EXPECT_EQ(mf_spawn(&s, gets_it, &m, NULL, &other), 0);
    await_parked(other);
    mf_task_cancel(victim);
    await_holding(victim);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_cancel_ends_a_lock_but_not_a_hold)
{
    in_both(cancelled, NULL);
}

static int holds(void *arg)
{
    mf_mutex_hold(arg);
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    return mf_cancelled();
}

static int cancelled_hold(void *arg)
{
    mf_mutex m;
    mf_task *t;
    mf_scope s;
    int rc = 0;

    (void)arg;
    mf_mutex_hold(zeroed(&m));
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, holds, &m, NULL, &t), 0);
    await_parked(t);
    mf_task_cancel(t); /* has done its work when it returns */
    EXPECT_EQ(mfi_load_acq(&t->run->agent.parker.word),
              PARK_PARKED | PARK_NO_CANCEL);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mf_join(t, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    (void)mf_scope_close(&s);
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_cancel_does_not_disturb_a_hold_that_waits)
{
    in_both(cancelled_hold, NULL);
}

/* ---- who leaves at the moment it is woken -------------------------------- */

struct meeting {
    mf_mutex m;
    mf_deadline at;
    _Atomic int got, left;
};

static int leaves(void *arg)
{
    struct meeting *r = arg;
    int rc = mf_mutex_lock(&r->m, r->at);

    EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    if (rc == 0)
        EXPECT_EQ(mf_mutex_unlock(&r->m), 0);
    mfi_add_acqrel(rc == 0 ? &r->got : &r->left, 1);
    return 0;
}

static int stays(void *arg)
{
    struct meeting *r = arg;

    return gets_it(&r->m);
}

struct meetings {
    bool threads;
    bool cancel;
    bool barge;
};

static void part(struct meeting *r, const struct meetings *how, mf_task *t)
{
    if (how->cancel)
        mf_task_cancel(t);
    EXPECT_EQ(mf_mutex_unlock(&r->m), 0);
    if (how->barge && mf_mutex_lock(&r->m, MF_NOW) == 0) {
        breathe();
        EXPECT_EQ(mf_mutex_unlock(&r->m), 0);
    }
}

/* One is about to leave, one will stay; the lock comes free at that moment. */
static void meet(struct meeting *r, const struct meetings *how, int jitter)
{
    mf_task *t = NULL;
    struct crew c;
    mf_ns at;

    zeroed(&r->m);
    mf_mutex_hold(&r->m);
    at = mf_now() + MF_USEC(60);
    r->at = how->cancel ? MF_NEVER : mf_at(at);
    crew_open(&c);
    if (how->threads && !how->cancel)
        crew_add(&c, true, leaves, r);
    else
        EXPECT_EQ(mf_spawn(&c.scope, leaves, r, NULL, &t), 0);
    crew_add(&c, false, stays, r);
    while (mf_now() < at + jitter)
        breathe();
    part(r, how, t);
    crew_close(&c);
    EXPECT_EQ(r->m.mfi_[0], 0);
}

static int meet_often(void *arg)
{
    const struct meetings *how = arg;
    struct meeting r = {.got = 0};
    int n = how->threads ? MEETINGS / 4 : MEETINGS;

    for (int i = 0; i < n; i++)
        meet(&r, how, i % 64 * 1000 - 32000);
    EXPECT_EQ(r.got + r.left, n);
    return 0;
}

#define MEETING(...) (&(struct meetings){__VA_ARGS__})

MFI_TEST(a_deadline_at_the_moment_of_the_unlock_loses_no_wake_up)
{
    in_tasks(1, meet_often, MEETING(0));
    in_tasks(2, meet_often, MEETING(0));
    in_tasks(2, meet_often, MEETING(.threads = true));
    in_thread(meet_often, MEETING(.threads = true));
}

MFI_TEST(a_cancel_at_the_moment_of_the_unlock_loses_no_wake_up)
{
    in_tasks(1, meet_often, MEETING(.cancel = true));
    in_tasks(2, meet_often, MEETING(.cancel = true));
    in_thread(meet_often, MEETING(.cancel = true));
}

MFI_TEST(who_is_woken_overtaken_and_then_leaves_loses_no_wake_up)
{
    in_tasks(1, meet_often, MEETING(.barge = true));
    in_tasks(2, meet_often, MEETING(.barge = true));
    in_tasks(2, meet_often, MEETING(.barge = true, .cancel = true));
    in_thread(meet_often, MEETING(.barge = true, .threads = true));
}

/* ---- fairness ------------------------------------------------------------ */

static int takes_and_keeps(void *arg)
{
    EXPECT_EQ(mf_mutex_lock(arg, late()), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    return 0;
}

/* On one worker: it is the waiter's before the waiter has run. */
static int handed(void *arg)
{
    mf_mutex m;
    mf_task *t;
    mf_scope s;

    (void)arg;
    mf_mutex_hold(zeroed(&m));
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, takes_and_keeps, &m, NULL, &t), 0);
    await_parked(t);
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_mutex_unlock(&m), -EPERM);
    EXPECT_EQ(mf_mutex_lock(&m, late()), 0); /* and back again */
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    return mf_scope_close(&s);
}

MFI_TEST(who_has_waited_a_millisecond_is_handed_it)
{
    in_tasks(1, handed, NULL);
}

/*
 * And one that has not is overtaken: it is on its way, nobody wakes it again.
 * False: it took us longer than that.
 */
static bool overtaken(mf_mutex *m)
{
    mf_ns start = mf_now();
    mf_task *t;
    mf_scope s;
    int n = 0;

    mf_mutex_hold(zeroed(m));
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, gets_it, m, NULL, &t), 0);
    await_parked(t);
    EXPECT_EQ(mf_mutex_unlock(m), 0);
    for (; n < 3 && mf_mutex_lock(m, MF_NOW) == 0; n++) {
        EXPECT(!flag(m, WAITERS) && flag(m, WOKEN));
        EXPECT_EQ(mf_mutex_unlock(m), 0);
    }
    EXPECT(n == 3 || mf_now() - start >= MF_MSEC(1));
    EXPECT_EQ(mf_scope_close(&s), 0);
    return n == 3;
}

static int overtakes(void *arg)
{
    mf_mutex m;

    (void)arg;
    while (!overtaken(&m))
        ;
    return 0;
}

MFI_TEST(who_has_just_come_may_be_overtaken)
{
    in_tasks(1, overtakes, NULL);
}

struct line {
    mf_mutex m;
    int next; /* under m */
};

struct in_line {
    struct line *line;
    int place;
};

static int keeps_its_place(void *arg)
{
    struct in_line *me = arg;

    EXPECT_EQ(mf_mutex_lock(&me->line->m, late()), 0);
    EXPECT_EQ(me->line->next++, me->place);
    EXPECT_EQ(mf_mutex_unlock(&me->line->m), 0);
    return 0;
}

/* overtake: the first is woken, finds it taken, and has to queue again. */
static int in_order(void *arg)
{
    const bool *overtake = arg;
    struct line l = {.next = 0};
    struct in_line who[TASKS];
    mf_scope s;

    mf_mutex_hold(&l.m);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        mf_task *t;

        who[i] = (struct in_line){&l, i};
        EXPECT_EQ(mf_spawn(&s, keeps_its_place, &who[i], NULL, &t), 0);
        await_parked(t);
    }
    if (*overtake) {
        EXPECT_EQ(mf_mutex_unlock(&l.m), 0);
        if (mf_mutex_lock(&l.m, MF_NOW) < 0) /* slow: it was handed on */
            return mf_scope_close(&s);
    }
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0);
    EXPECT(!flag(&l.m, WOKEN));
    EXPECT_EQ(mf_mutex_unlock(&l.m), 0);
    return mf_scope_close(&s);
}

MFI_TEST(it_is_handed_on_in_the_order_of_the_queue)
{
    in_both(in_order, &(bool){false});
    for (int i = 0; i < 20; i++)
        in_tasks(1, in_order, &(bool){true});
}

/* Loops that never wait: the lock is never free for long. */
struct hog {
    mf_mutex m;
    _Atomic bool stop;
    bool keeps; /* while others run, so that they never see it free */
};

static int hogs(void *arg)
{
    struct hog *h = arg;

    while (!mfi_load_rlx(&h->stop)) {
        EXPECT_EQ(mf_mutex_lock(&h->m, late()), 0);
        if (h->keeps)
            breathe();
        EXPECT_EQ(mf_mutex_unlock(&h->m), 0);
    }
    return 0;
}

static int gets_its_turns(void *arg)
{
    struct hog *h = arg;

    for (int i = 0; i < (MFI_TEST_SIM ? 2 : 20); i++) {
        EXPECT_EQ(gets_it(&h->m), 0);
        breathe();
    }
    mfi_store_rlx(&h->stop, true);
    return 0;
}

static int among_hogs(void *arg)
{
    const int *how =
        arg; /* tasks and threads that hog; keeps; a thread waits */
    struct hog h = {.keeps = how[2] != 0};
    struct crew c;

    crew_open(&c);
    for (int i = 0; i < how[0]; i++)
        crew_add(&c, false, hogs, &h);
    for (int i = 0; i < how[1]; i++)
        crew_add(&c, true, hogs, &h);
    crew_add(&c, how[3] != 0, gets_its_turns, &h);
    crew_close(&c);
    return 0;
}

MFI_TEST(tasks_that_never_wait_let_a_task_have_it)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        in_tasks(1, among_hogs, (int[]){1, 0, keeps, 0});
        in_tasks(1, among_hogs, (int[]){3, 0, keeps, 0});
        in_tasks(2, among_hogs, (int[]){2, 0, keeps, 0});
    }
}

MFI_TEST(threads_that_never_wait_let_others_have_it)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        in_tasks(1, among_hogs, (int[]){0, 2, keeps, 0});
        in_tasks(1, among_hogs, (int[]){0, 2, keeps, 1});
        in_tasks(2, among_hogs, (int[]){2, 2, keeps, 0});
        in_tasks(2, among_hogs, (int[]){2, 2, keeps, 1});
    }
}

/* Trying in a loop on the only worker lets the owner run. */
static int tries(void *arg)
{
    int rc;

    while ((rc = mf_mutex_lock(arg, MF_NOW)) == -ETIMEDOUT)
        ;
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(mf_mutex_unlock(arg), 0);
    return 0;
}

static int tried(void *arg)
{
    mf_mutex m;
    mf_scope s;

    (void)arg;
    mf_mutex_hold(zeroed(&m));
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, tries, &m), 0);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    return mf_scope_close(&s);
}

MFI_TEST(trying_in_a_loop_starves_nobody)
{
    in_tasks(1, tried, NULL);
}

/* ---- memory -------------------------------------------------------------- */

struct shared {
    mf_mutex m;
    int users; /* under m; the last one frees */
};

static int uses(void *arg)
{
    struct shared *p = arg;
    bool last;

    EXPECT_EQ(mf_mutex_lock(&p->m, late()), 0);
    last = --p->users == 0;
    EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
    if (last) {
        memset(p, 0xff, sizeof *p);
        free(p);
    }
    return 0;
}

static int free_often(void *arg)
{
    const int *who = arg;
    int n = who[1] != 0 ? MEMORIES / 10 : MEMORIES;

    for (int i = 0; i < n; i++) {
        struct shared *p = malloc(sizeof *p);

        EXPECT(p != NULL);
        *p = (struct shared){.users = who[0] + who[1] + 1};
        mf_mutex_hold(&p->m);
        p->users--;
        if (i % 2 == 0) {
            EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
            crew_run(who[0], who[1], uses, p);
        } else {
            struct crew c;

            crew_open(&c);
            for (int k = 0; k < who[0] + who[1]; k++)
                crew_add(&c, k < who[1], uses, p);
            await_queued(&p->m);
            EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
            crew_close(&c);
        }
    }
    return 0;
}

MFI_TEST(the_last_to_unlock_may_free_it)
{
    in_tasks(1, free_often, (int[]){3, 0});
    in_tasks(2, free_often, (int[]){3, 0});
    in_tasks(2, free_often, (int[]){2, 1});
    in_thread(free_often, (int[]){2, 1});
}
