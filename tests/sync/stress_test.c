/* SPDX-License-Identifier: MIT */
/*
 * stress_test.c - everything of this layer at once, for as long as asked.
 *
 * Actors, tasks and plain threads, pass tokens over channels by sends, receives
 * and selects, meet in mutexes, reader-writer locks, semaphores and conditions,
 * all with deadlines at random, and open scopes whose children do the same and
 * are cancelled. After each round the books are checked: no token is lost or
 * doubled, no lock let two in, every permit is back.
 *
 * MF_STRESS_SECONDS: how long (default 2). CI runs a minute of it under each
 * sanitizer, the nightly tier twenty.
 */
#include "sync/crowd.h"

MF_CHAN_DEFINE(tokens, int);

enum {
    CHANNELS = 4, /* the last is unbounded, and home to all tokens */
    TOKENS = 24,
    PERMITS = 3,
    ACTORS = 8,
    VISITORS = 2, /* plain threads */
    DEPTH = 2,    /* of scopes within scopes */
    OPS = 6,
};

struct town {
    tokens *c[CHANNELS];
    mf_mutex mutex;
    long a, b; /* equal, under mutex */
    mf_rwlock rwlock;
    long x, y; /* equal, under rwlock */
    mf_sem sem;
    _Atomic int inside; /* who has a permit */
    mf_mutex door;
    mf_cond bell;
    int rings; /* under door */
    _Atomic bool over;
    _Atomic uint64_t done[OPS];
};

struct actor {
    struct town *town;
    uint32_t seed;
    int depth;
};

static mf_deadline some_time(struct actor *a)
{
    return dice(&a->seed, 4) == 0 ? MF_NOW
                                  : mf_after(MF_USEC(dice(&a->seed, 400)));
}

static bool failed_well(int rc)
{
    return rc == -ETIMEDOUT || rc == -ECANCELED;
}

/* A token in hand goes somewhere; if need be home, which always has room. */
static void pass_on(struct actor *a, int token)
{
    struct town *t = a->town;
    int to = (int)dice(&a->seed, CHANNELS);
    int rc = tokens_send(t->c[to], token, some_time(a));

    if (rc == 0)
        return;
    EXPECT(failed_well(rc));
    MF_SHIELD(MF_NEVER)
    {
        EXPECT_EQ(tokens_send(t->c[CHANNELS - 1], token, MF_NEVER), 0);
    }
}

static void take_one(struct actor *a)
{
    int token = -1;
    int rc =
        tokens_recv(a->town->c[dice(&a->seed, CHANNELS)], &token, some_time(a));

    if (rc == 1)
        pass_on(a, token);
    else
        EXPECT(failed_well(rc));
}

/* Takes one or gives one, whichever comes first, of all channels. */
static void select_one(struct actor *a)
{
    struct town *t = a->town;
    int got[CHANNELS], mine = -1, n = 0, rc, from;
    mf_case cases[2 * CHANNELS];
    bool have;

    rc = tokens_recv(t->c[CHANNELS - 1], &mine, MF_NOW);
    have = rc == 1;
    EXPECT(have || failed_well(rc));
    for (int i = 0; i < CHANNELS; i++) {
        cases[n++] = tokens_on_recv(t->c[i], &got[i]);
        cases[n++] = tokens_on_send(have ? t->c[i] : NULL, &mine);
    }
    rc = mf_select(cases, n, some_time(a));
    from = rc / 2;
    if (rc >= 0 && rc % 2 == 0)
        pass_on(a, got[from]);
    else if (rc < 0)
        EXPECT(failed_well(rc));
    if (have && !(rc >= 0 && rc % 2 == 1))
        pass_on(a, mine);
}

static void lock_one(struct actor *a)
{
    struct town *t = a->town;
    int rc = mf_mutex_lock(&t->mutex, some_time(a));

    if (rc < 0) {
        EXPECT(failed_well(rc));
        return;
    }
    EXPECT_EQ(t->a, t->b);
    t->a++;
    if (dice(&a->seed, 4) == 0)
        (void)mf_yield();
    t->b++;
    EXPECT_EQ(mf_mutex_unlock(&t->mutex), 0);
}

static void read_or_write(struct actor *a)
{
    struct town *t = a->town;
    bool write = dice(&a->seed, 3) == 0;
    int rc = write ? mf_rwlock_write(&t->rwlock, some_time(a))
                   : mf_rwlock_read(&t->rwlock, some_time(a));

    if (rc < 0) {
        EXPECT(failed_well(rc));
        return;
    }
    EXPECT_EQ(t->x, t->y);
    if (write) /* a reader does not even write the same */
        t->x++;
    if (dice(&a->seed, 4) == 0)
        (void)mf_yield();
    if (write)
        t->y++;
    EXPECT_EQ(t->x, t->y);
    EXPECT_EQ(mf_rwlock_unlock(&t->rwlock), 0);
}

static void use_permit(struct actor *a)
{
    struct town *t = a->town;
    mf_case c = mf_on_sem(&t->sem);
    int rc = dice(&a->seed, 2) == 0 ? mf_sem_wait(&t->sem, some_time(a))
                                    : mf_select(&c, 1, some_time(a));

    if (rc < 0) {
        EXPECT(failed_well(rc));
        return;
    }
    EXPECT_LE(mfi_add_acqrel(&t->inside, 1), PERMITS - 1);
    if (dice(&a->seed, 4) == 0)
        (void)mf_yield();
    mfi_sub_acqrel(&t->inside, 1);
    EXPECT_EQ(mf_sem_post(&t->sem, 1), 0);
}

static void ring_or_wait(struct actor *a)
{
    struct town *t = a->town;
    int rc = mf_mutex_lock(&t->door, some_time(a));

    if (rc < 0) {
        EXPECT(failed_well(rc));
        return;
    }
    if (t->rings > 0) {
        t->rings--;
        EXPECT_EQ(mf_cond_signal(&t->bell), 0);
    } else {
        rc = mf_cond_wait(&t->bell, &t->door, some_time(a));
        EXPECT(rc == 0 || failed_well(rc));
        t->rings++;
    }
    EXPECT_EQ(mf_mutex_unlock(&t->door), 0);
}

static void one_op(struct actor *a)
{
    static void (*const ops[OPS])(struct actor *) = {take_one,   select_one,
                                                     lock_one,   read_or_write,
                                                     use_permit, ring_or_wait};
    uint32_t k = dice(&a->seed, OPS);

    ops[k](a);
    mfi_add_acqrel(&a->town->done[k], UINT64_C(1));
}

static int child(void *arg)
{
    struct actor a = *(struct actor *)arg;

    for (int i = 0; i < 20 && mf_cancelled() == 0; i++)
        one_op(&a);
    return 0;
}

/* Children that are cancelled in the middle of it, or by their deadline. */
static void have_children(struct actor *a)
{
    MF_SCOPE(s, .mode = MF_WAIT_ALL,
             .deadline = mf_after(MF_USEC(1 + dice(&a->seed, 500))));

    for (uint32_t i = 0; i <= dice(&a->seed, 3); i++) {
        struct actor kid = {a->town, a->seed + i + 1, a->depth + 1};
        int rc = mf_go_copy(&s, child, &kid, sizeof kid);

        EXPECT(rc == 0 || rc == -ECANCELED);
    }
    if (dice(&a->seed, 2) == 0)
        one_op(a);
    if (dice(&a->seed, 2) == 0)
        mf_scope_cancel(&s);
}

static int live(void *arg)
{
    struct actor *a = arg;

    while (!mfi_load_acq(&a->town->over) && mf_cancelled() == 0) {
        one_op(a);
        if (a->depth < DEPTH && dice(&a->seed, 16) == 0)
            have_children(a);
    }
    return 0;
}

/* All tokens are somewhere, once each. */
static void count_tokens(struct town *t)
{
    bool seen[TOKENS] = {false};
    int n = 0, token, rc;

    for (int i = 0; i < CHANNELS; i++) {
        while ((rc = tokens_recv(t->c[i], &token, MF_NOW)) == 1) {
            EXPECT(token >= 0 && token < TOKENS && !seen[token]);
            seen[token] = true;
            n++;
        }
        EXPECT_EQ(rc, -ETIMEDOUT);
        tokens_unref(t->c[i]);
    }
    EXPECT_EQ(n, TOKENS);
}

enum { SIMULATED = 1500 }; /* operations in a round; else it is time */

static void while_they_live(struct town *t, mf_scope *s)
{
    uint64_t n = 0;

    if (!MFI_TEST_SIM) {
        EXPECT_EQ(mf_scope_wait(s, mf_after(MF_MSEC(250))), -ETIMEDOUT);
        return;
    }
    while (n < SIMULATED) {
        EXPECT_EQ(mf_sleep(MF_USEC(1)), 0);
        n = 0;
        for (int i = 0; i < OPS; i++)
            n += mfi_load_acq(&t->done[i]);
    }
}

static void a_round(int workers, uint32_t seed)
{
    static const size_t caps[CHANNELS] = {0, 1, 8, MF_UNBOUNDED};
    struct town t = {.sem = MF_SEM_INIT(PERMITS)};
    struct actor actors[ACTORS + VISITORS];
    struct one visits[VISITORS];
    pthread_t threads[VISITORS];
    mf_scope s;

    for (int i = 0; i < CHANNELS; i++)
        EXPECT_EQ(tokens_make(caps[i], NULL, &t.c[i]), 0);
    for (int i = 0; i < TOKENS; i++)
        EXPECT_EQ(tokens_send(t.c[CHANNELS - 1], i, MF_NOW), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < ACTORS + VISITORS; i++) {
        actors[i] = (struct actor){&t, seed + 1 + (uint32_t)i * 7919u, 0};
        if (i < ACTORS)
            EXPECT_EQ(mf_go(&s, live, &actors[i]), 0);
    }
    for (int i = 0; i < VISITORS; i++) {
        visits[i] = (struct one){live, &actors[ACTORS + i]};
        EXPECT_EQ(pthread_create(&threads[i], NULL, one_thread, &visits[i]), 0);
    }
    while_they_live(&t, &s);
    if (seed % 2 == 0)
        mf_scope_cancel(&s); /* at once, wherever they are */
    mfi_store_rel(&t.over, true);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < VISITORS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(mf_stop(late()), 0);
    count_tokens(&t);
    EXPECT(t.a == t.b && t.x == t.y);
    EXPECT_EQ(mf_sem_value(&t.sem), PERMITS);
    for (int i = 0; i < OPS; i++)
        EXPECT_BY_CHANCE(t.done[i] > 0);
}

static long seconds(void)
{
    const char *text = getenv("MF_STRESS_SECONDS");
    long n = text != NULL ? strtol(text, NULL, 10) : 0;

    return n > 0 ? n : 2;
}

MFI_TEST_T(a_town_keeps_its_books, 1500)
{
    mf_ns end = mf_now() + (MFI_TEST_SIM ? 1 : MF_SEC(seconds()));

    for (uint32_t round = 1 + mfi_test_seed(); mf_now() < end; round++)
        a_round(1 + (int)(round % 4), round);
}
