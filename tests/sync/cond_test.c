/* SPDX-License-Identifier: MIT */
/* cond_test.c - a signal lets one go that waits, and always with its mutex. */
#include "sync/mutex.h"

#include "sync/member.h"

enum {
    CROWD = 5,
    ITEMS = 3000 / KIT_SLOW,
    ROUNDS = 500 / KIT_SLOW,
};

struct room {
    mf_mutex m;
    mf_cond c;
    int ready;  /* under m: how many may go on */
    int passed; /* under m */
};

static void enter(struct room *r)
{
    EXPECT_EQ(mf_mutex_lock(&r->m, late()), 0);
}

static void leave(struct room *r)
{
    EXPECT_EQ(mf_mutex_unlock(&r->m), 0);
}

/* One wait, no loop: what it returns, and it must have the mutex then. */
static int waits_until(struct room *r, mf_deadline at)
{
    int rc;

    mf_mutex_hold(&r->m);
    rc = mf_cond_wait(&r->c, &r->m, at);
    EXPECT(mfi_mutex_owned(&r->m));
    r->passed += rc >= 0;
    leave(r);
    return rc;
}

static int waits(void *arg)
{
    return waits_until(arg, late());
}

/* ---- alone --------------------------------------------------------------- */

static int misuse_and_tries(void *arg)
{
    struct room r = {.ready = 0};

    (void)arg;
    EXPECT_EQ(mf_cond_wait(NULL, &r.m, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_cond_wait(&r.c, NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_cond_signal(NULL), -EINVAL);
    EXPECT_EQ(mf_cond_broadcast(NULL), -EINVAL);
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, MF_NEVER), -EPERM);
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, MF_NOW), -EPERM);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(mf_cond_broadcast(&r.c), 0);
    enter(&r);
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, MF_NOW), -ETIMEDOUT);
    EXPECT(mfi_mutex_owned(&r.m));
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, mf_at(mf_now())), -ETIMEDOUT);
    EXPECT(mfi_mutex_owned(&r.m));
    EXPECT_EQ(mf_cond_signal(&r.c), 0); /* to nobody: it is not kept */
    EXPECT_EQ(mf_cond_broadcast(&r.c), 0);
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, soon()), -ETIMEDOUT);
    EXPECT(mfi_mutex_owned(&r.m));
    leave(&r);
    return 0;
}

MFI_TEST(nobody_signals_and_the_deadline_passes)
{
    in_both(misuse_and_tries, NULL);
}

static int not_the_owner(void *arg)
{
    struct room *r = arg;

    return mf_cond_wait(&r->c, &r->m, MF_NEVER);
}

static int held_by_another(void *arg)
{
    struct room r = {.ready = 0};
    struct member m[2];
    struct crew c;

    (void)arg;
    enter(&r);
    crew_open(&c);
    start(&c, &m[0], false, not_the_owner, &r);
    start(&c, &m[1], true, not_the_owner, &r);
    crew_close(&c);
    EXPECT_EQ(m[0].rc, -EPERM);
    EXPECT_EQ(m[1].rc, -EPERM);
    leave(&r);
    return 0;
}

MFI_TEST(to_wait_takes_the_mutex)
{
    in_both(held_by_another, NULL);
}

/* ---- one, or all --------------------------------------------------------- */

static int notify(void *arg)
{
    bool held = *(bool *)arg;
    struct room r = {.ready = 0};
    struct member m[2 * CROWD];
    struct crew c;

    crew_open(&c);
    for (int i = 0; i < 2 * CROWD; i++)
        start_asleep(&c, &m[i], i % 2, waits, &r);
    for (int i = 0; i < CROWD; i++) {
        if (held)
            enter(&r);
        EXPECT_EQ(mf_cond_signal(&r.c), 0);
        if (held)
            leave(&r);
        EXPECT_EQ(result(&m[i]), 0); /* the first */
        for (int k = i + 1; k < 2 * CROWD; k++)
            EXPECT_EQ(member_state(&m[k]), PARK_PARKED);
    }
    enter(&r);
    EXPECT_EQ(r.passed, CROWD);
    EXPECT_EQ(mf_cond_broadcast(&r.c), 0);
    leave(&r);
    crew_close(&c);
    EXPECT_EQ(r.passed, 2 * CROWD);
    enter(&r);
    EXPECT_EQ(mf_cond_wait(&r.c, &r.m, soon()), -ETIMEDOUT); /* none is left */
    leave(&r);
    return 0;
}

MFI_TEST(a_signal_lets_the_first_go_and_a_broadcast_all)
{
    everywhere(notify, &(bool){false});
    everywhere(notify, &(bool){true});
}

/* A signal given by whoever gets the mutex after the wait began finds it. */
static int smoke(void *arg)
{
    bool thread = *(bool *)arg;

    for (int i = 0; i < ROUNDS / 4; i++) {
        struct room r = {.ready = 0};
        struct member m;
        struct crew c;

        enter(&r);
        crew_open(&c);
        start(&c, &m, thread, waits, &r);
        leave(&r);
        for (;;) {
            enter(&r);
            EXPECT_EQ(mf_cond_signal(&r.c), 0);
            leave(&r);
            if (member_rc(&m) != STILL_THERE)
                break;
            breathe();
        }
        crew_close(&c);
        EXPECT_EQ(m.rc, 0);
    }
    return 0;
}

MFI_TEST(a_wait_that_has_begun_is_seen)
{
    everywhere(smoke, &(bool){false});
    everywhere(smoke, &(bool){true});
}

/* Each waits with a mutex of its own. */
static int two_mutexes(void *arg)
{
    struct room r[2] = {{.ready = 0}};
    mf_cond both = {{0}};

    (void)arg;
    for (int i = 0; i < 2; i++)
        enter(&r[i]);
    EXPECT_EQ(mf_cond_wait(&both, &r[0].m, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_cond_wait(&both, &r[1].m, soon()), -ETIMEDOUT);
    EXPECT(mfi_mutex_owned(&r[0].m) && mfi_mutex_owned(&r[1].m));
    leave(&r[1]); /* not the latest first */
    leave(&r[0]);
    return 0;
}

MFI_TEST(any_mutex_will_do)
{
    in_both(two_mutexes, NULL);
}

/* ---- a queue ------------------------------------------------------------- */

struct pipe {
    mf_mutex m;
    mf_cond not_full, not_empty;
    int item[4], first, n; /* under m */
    int put, got;
    int64_t sum;
    int producers;
};

static int produces(void *arg)
{
    struct pipe *p = arg;

    for (int i = 0; i < ITEMS; i++) {
        EXPECT_EQ(mf_mutex_lock(&p->m, late()), 0);
        while (p->n == 4)
            EXPECT_EQ(mf_cond_wait(&p->not_full, &p->m, late()), 0);
        p->item[(p->first + p->n++) % 4] = i;
        p->put++;
        EXPECT_EQ(mf_cond_signal(&p->not_empty), 0);
        EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
    }
    return 0;
}

static int consumes(void *arg)
{
    struct pipe *p = arg;

    mf_mutex_hold(&p->m);
    for (;;) {
        while (p->n == 0 && p->got < p->producers * ITEMS) {
            int rc = mf_cond_wait(&p->not_empty, &p->m, mf_after(50000));

            EXPECT(rc == 0 || rc == -ETIMEDOUT);
        }
        if (p->n == 0)
            break;
        p->sum += p->item[p->first];
        p->first = (p->first + 1) % 4;
        p->n--;
        p->got++;
        EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
        EXPECT_EQ(mf_cond_signal(&p->not_full), 0);
        mf_mutex_hold(&p->m);
    }
    EXPECT_EQ(mf_mutex_unlock(&p->m), 0);
    return 0;
}

static int pump(void *arg)
{
    bool threads = *(bool *)arg;
    struct pipe p = {.producers = 3};
    struct crew c;

    crew_open(&c);
    for (int i = 0; i < 3; i++) {
        crew_add(&c, threads && i == 0, produces, &p);
        crew_add(&c, threads && i == 1, consumes, &p);
    }
    crew_close(&c);
    EXPECT_EQ(p.put, 3 * ITEMS);
    EXPECT_EQ(p.got, 3 * ITEMS);
    EXPECT_EQ(p.sum, 3 * ((int64_t)ITEMS * (ITEMS - 1) / 2));
    return 0;
}

MFI_TEST(a_queue_built_of_it_loses_nothing)
{
    everywhere(pump, &(bool){false});
    everywhere(pump, &(bool){true});
}

/* ---- cancel, and the owner's death --------------------------------------- */

static int hopeless(void *arg)
{
    struct room *r = arg;

    mf_mutex_hold(&r->m);
    EXPECT_EQ(mf_cond_wait(&r->c, &r->m, MF_NEVER), -ECANCELED);
    EXPECT(mfi_mutex_owned(&r->m));
    EXPECT_EQ(mf_cond_wait(&r->c, &r->m, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_cond_wait(&r->c, &r->m, MF_NOW), -ECANCELED);
    EXPECT(mfi_mutex_owned(&r->m));
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_cond_wait(&r->c, &r->m, soon()), -ETIMEDOUT);
    leave(r);
    return 0;
}

static int cancelled(void *arg)
{
    struct room r = {.ready = 0};
    struct member m;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m, false, hopeless, &r);
    enter(&r);
    mf_task_cancel(m.task);
    breathe(); /* it has to wait for the mutex, cancelled or not */
    EXPECT_EQ(member_rc(&m), STILL_THERE);
    leave(&r);
    crew_close(&c);
    return 0;
}

MFI_TEST(who_is_cancelled_has_the_mutex_too)
{
    everywhere(cancelled, NULL);
}

/* Signals and then ends with the mutex in its hands. */
static int dies(void *arg)
{
    struct room *r = arg;

    mf_mutex_hold(&r->m);
    return mf_cond_signal(&r->c);
}

static int told_of_death(void *arg)
{
    struct room r = {.ready = 0};
    struct member m[2];
    struct crew c;

    (void)arg;
    for (int i = 0; i < 2; i++) {
        crew_open(&c);
        start_asleep(&c, &m[0], i % 2, waits, &r);
        start(&c, &m[1], i % 2 == 0, dies, &r);
        crew_close(&c);
        EXPECT_EQ(m[0].rc, MF_OWNER_DIED);
        EXPECT_EQ(mf_mutex_lock(&r.m, MF_NOW), 0); /* it was told: once */
        leave(&r);
    }
    return 0;
}

/* One that has an error to tell leaves it to the next. */
static int told_of_error(void *arg)
{
    struct room r = {.ready = 0};
    struct wake_list woken;
    struct member m[2];
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m[0], true, waits, &r);
    pounce(&m[0], WOKEN_TIMEOUT, &woken);
    start(&c, &m[1], false, dies, &r);
    EXPECT_EQ(result(&m[1]), 0);
    let_go(&woken);
    crew_close(&c);
    EXPECT_EQ(m[0].rc, -ETIMEDOUT);
    EXPECT_EQ(mf_mutex_lock(&r.m, MF_NOW), MF_OWNER_DIED);
    leave(&r);
    return 0;
}

MFI_TEST(the_death_of_an_owner_is_told_after_a_wait_too)
{
    everywhere(told_of_death, NULL);
    everywhere(told_of_error, NULL);
}

/* ---- a signal meets who is on its way out -------------------------------- */

enum { NOBODY, TIMEOUT, LOOK, CANCEL };

static void pounce_how(struct member *m, int how, struct wake_list *woken)
{
    pounce(m, how == TIMEOUT ? WOKEN_TIMEOUT : WOKEN_CANCEL, woken);
    if (how == CANCEL)
        mf_task_cancel(m->task); /* too late to claim, but it will be seen */
}

/* a's wait is over; b, behind it, gets the signal. Did a wait on? */
static void signal_passes(int how, bool thread, bool early)
{
    struct room r = {.ready = 0};
    struct wake_list woken;
    struct member a, b;
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &a, thread, waits, &r);
    start_asleep(&c, &b, !thread, waits, &r);
    pounce_how(&a, how, &woken);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(result(&b), 0);
    if (early)
        EXPECT_EQ(mf_cond_signal(&r.c), 0); /* it is the only one now */
    let_go(&woken);
    if (how == LOOK && !early) {
        await_asleep(&a); /* one signal, one wake-up */
        EXPECT_EQ(mf_cond_signal(&r.c), 0);
    }
    EXPECT_EQ(result(&a), how == LOOK      ? 0
                          : how == TIMEOUT ? -ETIMEDOUT
                                           : -ECANCELED);
    crew_close(&c);
}

static int passed_over(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        signal_passes(TIMEOUT, i & 1, i & 2);
        signal_passes(LOOK, i & 1, i & 2);
        signal_passes(CANCEL, false, i & 2);
    }
    return 0;
}

MFI_TEST(who_is_on_its_way_out_eats_no_signal)
{
    everywhere(passed_over, NULL);
}

/*
 * Nobody but a and b, both claimed: the signal is kept for who of them waits
 * on. Who came after it (d) does not get it.
 */
static void signal_is_kept(int first, int second, bool thread)
{
    struct wake_list woken[2];
    struct room r = {.ready = 0};
    struct member a, b, d;
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &a, thread, waits, &r);
    start_asleep(&c, &b, !thread, waits, &r);
    pounce_how(&a, first, &woken[0]);
    pounce_how(&b, second, &woken[1]);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    start_asleep(&c, &d, false, waits, &r);
    let_go(&woken[0]);
    EXPECT_EQ(result(&a), first == LOOK ? 0 : -ETIMEDOUT);
    let_go(&woken[1]);
    if (first == LOOK && second == LOOK)
        await_asleep(&b);
    else
        EXPECT_EQ(result(&b), second == LOOK ? 0 : -ETIMEDOUT);
    EXPECT_EQ(member_state(&d), PARK_PARKED);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    if (first == LOOK && second == LOOK) {
        EXPECT_EQ(result(&b), 0); /* it was there first */
        EXPECT_EQ(member_state(&d), PARK_PARKED);
        EXPECT_EQ(mf_cond_signal(&r.c), 0);
    }
    EXPECT_EQ(result(&d), 0);
    crew_close(&c);
}

static int kept(void *arg)
{
    (void)arg;
    for (int thread = 0; thread < 2; thread++) {
        signal_is_kept(LOOK, TIMEOUT, thread);
        signal_is_kept(TIMEOUT, LOOK, thread);
        signal_is_kept(LOOK, LOOK, thread);
        signal_is_kept(TIMEOUT, TIMEOUT, thread);
    }
    return 0;
}

MFI_TEST(a_signal_is_kept_for_who_was_only_woken_to_look)
{
    everywhere(kept, NULL);
}

/* Given again, it goes to the oldest that waited then, back in its place. */
static int given_again(void *arg)
{
    struct wake_list woken[3];
    struct room r = {.ready = 0};
    struct member a, b, d, e;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &a, true, waits, &r);
    start_asleep(&c, &b, false, waits, &r);
    start_asleep(&c, &d, true, waits, &r);
    pounce_how(&a, TIMEOUT, &woken[0]);
    pounce_how(&b, LOOK, &woken[1]);
    pounce_how(&d, LOOK, &woken[2]);
    EXPECT_EQ(mf_cond_signal(&r.c), 0); /* a owes it */
    start_asleep(&c, &e, false, waits, &r);
    let_go(&woken[2]);
    await_asleep(&d);
    let_go(&woken[1]);
    await_asleep(&b);
    let_go(&woken[0]);
    EXPECT_EQ(result(&a), -ETIMEDOUT);
    EXPECT_EQ(result(&b), 0);
    EXPECT_EQ(member_state(&d), PARK_PARKED);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(result(&d), 0);
    EXPECT_EQ(member_state(&e), PARK_PARKED);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(result(&e), 0);
    crew_close(&c);
    return 0;
}

/* d came later and was passed over, too: what a owes is not for it. */
static int not_given_again(void *arg)
{
    struct wake_list woken[2];
    struct room r = {.ready = 0};
    struct member a, d, e;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &a, true, waits, &r);
    pounce_how(&a, TIMEOUT, &woken[0]);
    EXPECT_EQ(mf_cond_signal(&r.c), 0); /* a owes it */
    start_asleep(&c, &d, false, waits, &r);
    start_asleep(&c, &e, false, waits, &r);
    pounce_how(&d, LOOK, &woken[1]);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(result(&e), 0);
    let_go(&woken[0]);
    EXPECT_EQ(result(&a), -ETIMEDOUT);
    let_go(&woken[1]);
    await_asleep(&d);
    EXPECT_EQ(mf_cond_signal(&r.c), 0);
    EXPECT_EQ(result(&d), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(a_signal_given_again_is_for_those_who_waited_then)
{
    everywhere(given_again, NULL);
    everywhere(not_given_again, NULL);
}

/* A broadcast is for all who were there, and is not given again. */
static int broadcast_passes(void *arg)
{
    bool thread = *(bool *)arg;
    struct wake_list woken[3];
    struct room r = {.ready = 0};
    struct member a, b, d, e;
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &a, thread, waits, &r);
    start_asleep(&c, &b, !thread, waits, &r);
    start_asleep(&c, &d, false, waits, &r);
    pounce_how(&a, LOOK, &woken[0]);
    pounce_how(&b, LOOK, &woken[1]);
    EXPECT_EQ(mf_cond_signal(&r.c), 0); /* d; a and b are passed over */
    EXPECT_EQ(result(&d), 0);
    start_asleep(&c, &d, false, waits, &r);
    pounce_how(&d, TIMEOUT, &woken[2]);
    EXPECT_EQ(mf_cond_broadcast(&r.c), 0);
    start_asleep(&c, &e, false, waits, &r);
    for (int i = 0; i < 3; i++)
        let_go(&woken[i]);
    EXPECT_EQ(result(&a), 0);
    EXPECT_EQ(result(&b), 0);
    EXPECT_EQ(result(&d), -ETIMEDOUT);
    EXPECT_EQ(member_state(&e), PARK_PARKED);
    EXPECT_EQ(mf_cond_broadcast(&r.c), 0);
    EXPECT_EQ(result(&e), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(a_broadcast_is_for_all_who_waited_and_no_others)
{
    everywhere(broadcast_passes, &(bool){false});
    everywhere(broadcast_passes, &(bool){true});
}

/* ---- races --------------------------------------------------------------- */

struct race {
    struct room r;
    _Atomic uint32_t seeds;
    int signals;         /* under r.m */
    _Atomic bool inside; /* whoever locks r.m now finds the third waiting */
};

/* No spurious wake-up: never more waits have ended than signals were given. */
static int ends(struct race *r, int rc)
{
    if (rc == 0)
        EXPECT_LE(++r->r.passed, r->signals);
    leave(&r->r);
    return rc;
}

static int in_a_hurry(void *arg)
{
    struct race *r = arg;
    uint32_t seed = mfi_add_rlx(&r->seeds, 77777u);
    mf_deadline at = mf_after(1 + (mf_ns)chance(&seed, 32768));

    mf_mutex_hold(&r->r.m);
    return ends(r, mf_cond_wait(&r->r.c, &r->r.m, at));
}

/* Its sleep is interrupted by a shield's limit, its wait is not. */
static int through_a_shield(void *arg)
{
    struct race *r = arg;
    uint32_t seed = mfi_add_rlx(&r->seeds, 77777u);
    int rc = -1;

    mf_mutex_hold(&r->r.m);
    mfi_store_rel(&r->inside, true);
    MF_SHIELD(mf_after(1 + (mf_ns)chance(&seed, 32768)))
    rc = mf_cond_wait(&r->r.c, &r->r.m, MF_NEVER);
    return ends(r, rc);
}

static void give(struct race *r)
{
    mf_mutex_hold(&r->r.m);
    r->signals++;
    EXPECT_EQ(mf_cond_signal(&r->r.c), 0);
    leave(&r->r);
}

/*
 * Two in a hurry, one not, and as many signals as are needed: what those in a
 * hurry did not get must have gone to the third.
 */
static int race(void *arg)
{
    struct race r = {.seeds = 2463534242u};

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct member m[3];
        struct crew c;
        int got;

        r.signals = r.r.passed = 0;
        mfi_store_rel(&r.inside, false);
        crew_open(&c);
        start(&c, &m[0], i % 8 == 0, in_a_hurry, &r);
        start(&c, &m[1], i % 8 == 4, through_a_shield, &r);
        while (!mfi_load_acq(&r.inside))
            breathe();
        start(&c, &m[2], false, in_a_hurry, &r);
        for (int k = i % 3; k > 0; k--)
            breathe();
        give(&r);
        got = (result(&m[0]) == 0) + (result(&m[2]) == 0);
        if (got == 0)
            EXPECT_EQ(result(&m[1]), 0); /* or it is lost */
        else
            give(&r);
        crew_close(&c);
        EXPECT_EQ(m[1].rc, 0);
        EXPECT_LE(got, 1);
    }
    return 0;
}

MFI_TEST(a_signal_that_meets_deadlines_and_shields_goes_to_exactly_one)
{
    everywhere(race, NULL);
}

static int waits_for_ever(void *arg)
{
    return waits_until(arg, MF_NEVER);
}

/* Two wait, one is cancelled as a signal comes: it lets one of them go. */
static int cancel_race(void *arg)
{
    struct room r = {.ready = 0};

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct member a, b;
        struct crew c;

        crew_open(&c);
        start_asleep(&c, &a, false, waits_for_ever, &r);
        start_asleep(&c, &b, i % 8 == 0, waits, &r);
        if (i % 2)
            mf_task_cancel(a.task);
        EXPECT_EQ(mf_cond_signal(&r.c), 0);
        if (i % 2 == 0)
            mf_task_cancel(a.task);
        EXPECT(result(&a) == 0 || a.rc == -ECANCELED);
        if (a.rc == 0)
            EXPECT_EQ(mf_cond_signal(&r.c), 0);
        crew_close(&c);
        EXPECT_EQ(b.rc, 0);
        EXPECT_EQ(a.rc, i % 2 ? -ECANCELED : 0);
    }
    return 0;
}

MFI_TEST(a_cancelled_waiter_eats_no_signal)
{
    everywhere(cancel_race, NULL);
}

/* Many give up all the time, while signals are given: all go somewhere. */
static int gives_up_often(void *arg)
{
    struct race *r = arg;
    int rc;

    do
        rc = in_a_hurry(r);
    while (rc < 0);
    return 0;
}

static int storm(void *arg)
{
    bool threads = *(bool *)arg;
    struct race r = {.seeds = 2463534242u};

    for (int i = 0; i < ROUNDS / 10; i++) {
        struct member m[CROWD];
        struct crew c;
        int left = CROWD;

        crew_open(&c);
        for (int k = 0; k < CROWD; k++)
            start(&c, &m[k], threads && k < 2, gives_up_often, &r);
        while (left > 0) {
            give(&r);
            breathe();
            left = 0;
            for (int k = 0; k < CROWD; k++)
                left += member_rc(&m[k]) == STILL_THERE;
        }
        crew_close(&c);
    }
    return 0;
}

MFI_TEST(in_a_storm_of_deadlines_no_wait_ends_without_a_signal)
{
    everywhere(storm, &(bool){false});
    everywhere(storm, &(bool){true});
}
