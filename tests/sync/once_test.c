/* SPDX-License-Identifier: MIT */
/* once_test.c - one runs it, all see what it did; a failure passes it on. */
#include "sync/member.h"

enum { CROWD = 6, ROUNDS = 1500 / KIT_SLOW };

struct thing {
    mf_once o;
    _Atomic int runs;
    int made;  /* by the one that runs it */
    int fails; /* so many times first; by the one that runs it */
    mf_event go;
};

static int make(void *arg)
{
    struct thing *t = arg;

    mfi_add_rlx(&t->runs, 1);
    if (t->fails > 0) {
        t->fails--;
        return -EIO;
    }
    EXPECT_EQ(t->made, 0);
    t->made = 7;
    return 5; /* as good as 0 */
}

static int make_slowly(void *arg)
{
    struct thing *t = arg;

    EXPECT_EQ(mf_event_wait(&t->go, late()), 0);
    return make(t);
}

static int wants(void *arg)
{
    struct thing *t = arg;
    int rc = mf_once_run(&t->o, make, t, late());

    if (rc == 0)
        EXPECT_EQ(t->made, 7);
    return rc;
}

static int wants_slowly(void *arg)
{
    struct thing *t = arg;
    int rc = mf_once_run(&t->o, make_slowly, t, late());

    if (rc == 0)
        EXPECT_EQ(t->made, 7);
    return rc;
}

/* ---- alone --------------------------------------------------------------- */

static int calls_itself(void *arg)
{
    struct thing *t = arg;

    EXPECT_EQ(mf_once_run(&t->o, make, t, MF_NEVER), -EDEADLK);
    EXPECT_EQ(mf_once_run(&t->o, make, t, MF_NOW), -EDEADLK);
    return make(t);
}

static int misuse_and_tries(void *arg)
{
    struct thing t = {.fails = 2}, u = {.fails = 0};

    (void)arg;
    EXPECT_EQ(mf_once_run(NULL, make, &t, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_once_run(&t.o, NULL, &t, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NEVER), -EIO);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NOW), -EIO);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NOW), 0);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NOW), 0);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NEVER), 0);
    EXPECT_EQ(t.runs, 3);
    EXPECT_EQ(mf_once_run(&u.o, calls_itself, &u, MF_NEVER), 0);
    EXPECT_EQ(u.runs, 1);
    return 0;
}

MFI_TEST(it_runs_until_it_succeeds_and_no_more)
{
    in_both(misuse_and_tries, NULL);
}

/* ---- together ------------------------------------------------------------ */

static int crowd(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 5; i++) {
        struct thing t = {.fails = i % 3};
        struct member m[CROWD];
        int failed = 0;
        struct crew c;

        crew_open(&c);
        for (int k = 0; k < CROWD; k++)
            start(&c, &m[k], k % 3 == 1 && i % 4 == 0, wants, &t);
        crew_close(&c);
        for (int k = 0; k < CROWD; k++) {
            EXPECT(m[k].rc == 0 || m[k].rc == -EIO);
            failed += m[k].rc != 0;
        }
        EXPECT_EQ(failed, i % 3);
        EXPECT_EQ(t.runs, i % 3 + 1);
    }
    return 0;
}

MFI_TEST(of_many_at_once_one_succeeds_and_who_failed_is_told)
{
    everywhere(crowd, NULL);
}

static int others_wait(void *arg)
{
    struct thing t = {.fails = 0};
    struct member m[CROWD];
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m[0], true, wants_slowly, &t);
    for (int i = 1; i < CROWD; i++)
        start_asleep(&c, &m[i], i % 2, wants, &t);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_once_run(&t.o, make, &t, soon()), -ETIMEDOUT);
    mf_event_fire(&t.go);
    crew_close(&c);
    for (int i = 0; i < CROWD; i++)
        EXPECT_EQ(m[i].rc, 0);
    EXPECT_EQ(t.runs, 1);
    return 0;
}

MFI_TEST(the_others_wait_until_it_is_done)
{
    everywhere(others_wait, NULL);
}

/* It got the turn from another: it is the one that runs it all the same. */
static int wants_and_calls_itself(void *arg)
{
    struct thing *t = arg;

    return mf_once_run(&t->o, calls_itself, t, late());
}

static int given_turn(void *arg)
{
    bool thread = *(bool *)arg;
    struct thing t = {.fails = 1};
    struct member m[2];
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &m[0], !thread, wants_slowly, &t);
    start_asleep(&c, &m[1], thread, wants_and_calls_itself, &t);
    mf_event_fire(&t.go);
    crew_close(&c);
    EXPECT_EQ(m[0].rc, -EIO);
    EXPECT_EQ(m[1].rc, 0);
    EXPECT_EQ(t.runs, 2);
    return 0;
}

MFI_TEST(who_is_given_the_turn_is_known)
{
    everywhere(given_turn, &(bool){false});
    everywhere(given_turn, &(bool){true});
}

/* Each failure wakes one, the first; the rest sleep on. */
static int turns(void *arg)
{
    struct thing t = {.fails = 2};
    struct member m[4];
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < 4; i++)
        start_asleep(&c, &m[i], i % 2, wants_slowly, &t);
    mf_event_fire(&t.go);
    crew_close(&c);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(m[i].rc, i < 2 ? -EIO : 0);
    EXPECT_EQ(t.runs, 3);
    return 0;
}

MFI_TEST(a_failure_passes_it_to_the_next_in_line)
{
    everywhere(turns, NULL);
}

/* ---- fn does not return -------------------------------------------------- */

static int panics(void *arg)
{
    (void)arg;
    mf_panic("in a once");
}

static int exits(void *arg)
{
    (void)arg;
    mf_exit(-EPROTO);
}

static int sleeps(void *arg)
{
    (void)arg;
    return mf_sleep_until(MF_NEVER);
}

struct leaver {
    struct thing t;
    mf_fn *how;
    mf_event go;
};

static int leaves_slowly(void *arg)
{
    struct leaver *l = arg;

    EXPECT_EQ(mf_event_wait(&l->go, late()), 0);
    return l->how(NULL);
}

static int runs_and_leaves(void *arg)
{
    struct leaver *l = arg;

    return mf_once_run(&l->t.o, l->how == sleeps ? sleeps : leaves_slowly, l,
                       late());
}

/* Somebody waits, or nobody: the next one runs it. */
static void leave(mf_fn *how, int rc, bool waited, bool thread)
{
    struct leaver l = {.how = how};
    struct member next;
    struct crew c;
    mf_scope s;
    mf_task *t;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, runs_and_leaves, &l, NULL, &t), 0);
    await_parked(t);
    crew_open(&c);
    if (waited)
        start_asleep(&c, &next, thread, wants, &l.t);
    mf_event_fire(&l.go);
    if (how == sleeps)
        mf_task_cancel(t);
    if (waited)
        EXPECT_EQ(result(&next), 0);
    crew_close(&c);
    EXPECT_EQ(mf_scope_close(&s), rc);
    EXPECT_EQ(wants(&l.t), 0);
    EXPECT_EQ(l.t.runs, 1);
}

static int left_in_the_middle(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        leave(panics, -ENOTRECOVERABLE, i & 1, i & 2);
        leave(exits, -EPROTO, i & 1, i & 2);
        leave(sleeps, 0, i & 1, i & 2); /* a cancel of its own: no failure */
    }
    return 0;
}

MFI_TEST(who_panics_exits_or_is_cancelled_in_it_leaves_it_to_the_next)
{
    everywhere(left_in_the_middle, NULL);
}

static int ends_thread(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

static void *runs_and_ends(void *arg)
{
    struct thing *t = arg;

    (void)!mf_once_run(&t->o, ends_thread, t, MF_NEVER);
    return NULL;
}

MFI_TEST(a_thread_that_ends_in_it_leaves_it_to_the_next)
{
    struct thing t = {.fails = 0};
    pthread_t thread;

    EXPECT_EQ(pthread_create(&thread, NULL, runs_and_ends, &t), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(wants(&t), 0);
    EXPECT_EQ(t.runs, 1);
}

/* ---- who gives up -------------------------------------------------------- */

static int some_leave(void *arg)
{
    struct thing t = {.fails = 1};
    struct member m[4];
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m[0], true, wants_slowly, &t);
    start_asleep(&c, &m[1], false, wants, &t);
    start_asleep(&c, &m[2], true, wants, &t);
    mf_task_cancel(m[1].task);
    EXPECT_EQ(result(&m[1]), -ECANCELED);
    mf_event_fire(&t.go);
    EXPECT_EQ(result(&m[0]), -EIO);
    EXPECT_EQ(result(&m[2]), 0); /* it was its turn */
    crew_close(&c);
    EXPECT_EQ(t.runs, 2);
    return 0;
}

MFI_TEST(who_is_cancelled_in_line_gets_no_turn)
{
    everywhere(some_leave, NULL);
}

/* Its wait is over for another reason when the turn, or the end, comes by. */
static int passed_over(void *arg)
{
    bool thread = *(bool *)arg;

    for (int i = 0; i < 8; i++) {
        bool fails = i & 1, look = i & 2, behind = i & 4;
        struct thing t = {.fails = fails};
        struct member m[3];
        struct wake_list woken;
        struct crew c;

        crew_open(&c);
        start_asleep(&c, &m[0], !thread, wants_slowly, &t);
        start_asleep(&c, &m[1], thread, wants, &t);
        if (behind)
            start_asleep(&c, &m[2], !thread, wants, &t);
        pounce(&m[1], look ? WOKEN_CANCEL : WOKEN_TIMEOUT, &woken);
        mf_event_fire(&t.go);
        EXPECT_EQ(result(&m[0]), fails ? -EIO : 0);
        if (behind)
            EXPECT_EQ(result(&m[2]), 0);
        let_go(&woken);
        EXPECT_EQ(result(&m[1]), look ? 0 : -ETIMEDOUT);
        EXPECT_EQ(wants(&t), 0);
        crew_close(&c);
        EXPECT_EQ(t.runs, 1 + fails);
    }
    return 0;
}

MFI_TEST(a_turn_is_not_given_to_who_is_out_of_time)
{
    everywhere(passed_over, &(bool){false});
    everywhere(passed_over, &(bool){true});
}

static int hopeless(void *arg)
{
    struct thing *t = arg;
    mf_once done = {{0}};

    while (mf_cancelled() == 0)
        breathe();
    EXPECT_EQ(mf_once_run(&t->o, make, t, MF_NEVER), -ECANCELED);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_once_run(&t->o, make, t, MF_NEVER), 0);
    EXPECT_EQ(mf_once_run(&t->o, make, t, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_once_run(&done, make, t, MF_NOW), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    struct thing t = {.fails = 0};
    struct member m;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start(&c, &m, false, hopeless, &t);
    mf_task_cancel(m.task);
    crew_close(&c);
    EXPECT_EQ(t.runs, 1);
    return 0;
}

MFI_TEST(a_cancelled_task_does_not_run_it)
{
    everywhere(cancelled, NULL);
}

/* ---- races --------------------------------------------------------------- */

struct race {
    struct thing t;
    _Atomic uint32_t seed;
};

static int in_a_hurry(void *arg)
{
    struct race *r = arg;
    uint32_t seed = mfi_add_rlx(&r->seed, 77777u);

    return mf_once_run(&r->t.o, make, &r->t,
                       mf_after(1 + chance(&seed, 16384)));
}

static int yields_and_makes(void *arg)
{
    breathe();
    return make(arg);
}

static int runs_it(void *arg)
{
    struct race *r = arg;

    return mf_once_run(&r->t.o, yields_and_makes, &r->t, late());
}

/* Failures, deadlines and cancels at once: in the end it is done, once. */
static int race(void *arg)
{
    uint32_t seed = 2463534242u;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct race r = {.t = {.fails = 2}, .seed = chance(&seed, 1u << 30)};
        struct member m[CROWD];
        int failed = 0;
        struct crew c;

        crew_open(&c);
        for (int k = 0; k < CROWD; k++)
            start(&c, &m[k], k == 5 && i % 8 == 0, k % 2 ? in_a_hurry : runs_it,
                  &r);
        if (i % 2)
            breathe();
        mf_task_cancel(m[2].task);
        crew_close(&c);
        for (int k = 0; k < CROWD; k++) {
            failed += m[k].rc == -EIO;
            EXPECT(m[k].rc == 0 || m[k].rc == -EIO ||
                   (k == 2 && m[k].rc == -ECANCELED) ||
                   (k % 2 && m[k].rc == -ETIMEDOUT));
        }
        EXPECT_EQ(failed, 2 - r.t.fails);
        EXPECT_EQ(r.t.runs, failed + (r.t.made != 0));
        while (r.t.made == 0) /* nobody is in it: it can be done */
            EXPECT_EQ(mf_once_run(&r.t.o, make, &r.t, MF_NOW),
                      r.t.made == 0 ? -EIO : 0);
    }
    return 0;
}

MFI_TEST(failures_deadlines_and_cancels_at_once_lose_no_turn)
{
    everywhere(race, NULL);
}
