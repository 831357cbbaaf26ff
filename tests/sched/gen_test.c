/* SPDX-License-Identifier: MIT */
/* gen_test.c - generators: values, ends, blocking inside, leaving early. */
#include <mayfly.h>

#include "io/kit.h"

#define NUMBER(n) ((void *)(intptr_t)(n))

MF_GEN_DEFINE(ints, int);

enum { MANY = 10000 };

/* Yields 0, 1, ... arg - 1, returns arg. */
static int counts(mf_gen *self, void *arg)
{
    int n = (int)(intptr_t)arg, rc;

    for (int i = 0; i < n; i++)
        if ((rc = ints_yield(self, i)) < 0)
            return rc;
    return n;
}

static ints *make(mf_gen_fn *fn, void *arg)
{
    ints *g = NULL;

    EXPECT_EQ(ints_make(fn, arg, &g), 0);
    EXPECT(g != NULL);
    return g;
}

static mf_gen *plain(ints *g)
{
    return (mf_gen *)(void *)g;
}

static void expect_next(ints *g, int value)
{
    int got = ~value;

    EXPECT_EQ(ints_next(g, &got), 1);
    EXPECT_EQ(got, value);
}

static void expect_end(ints *g, int rc)
{
    int got = 4711;

    EXPECT_EQ(ints_next(g, &got), rc);
    EXPECT_EQ(got, 4711);
}

/* ---- values and ends ---------------------------------------------------- */

static int returns(mf_gen *self, void *arg)
{
    (void)self;
    return (int)(intptr_t)arg;
}

static int values_and_ends(void *arg)
{
    ints *g = make(counts, NUMBER(3));

    (void)arg;
    EXPECT_EQ(mf_gen_done(plain(g)), 0);
    for (int i = 0; i < 3; i++)
        expect_next(g, i);
    EXPECT_EQ(mf_gen_done(plain(g)), 0);
    for (int i = 0; i < 3; i++)
        expect_end(g, 0); /* what it returned was no value */
    EXPECT_EQ(mf_gen_done(plain(g)), 1);
    ints_free(g);
    g = make(returns, NUMBER(-EIO));
    for (int i = 0; i < 3; i++)
        expect_end(g, -EIO);
    ints_free(g);
    g = make(counts, NUMBER(5));
    expect_next(g, 0);
    EXPECT_EQ(ints_next(g, NULL), 1); /* 1 is passed over */
    expect_next(g, 2);
    ints_free(g);
    return 0;
}

MFI_TEST(values_come_one_by_one_and_then_the_end)
{
    in_both(values_and_ends, NULL);
}

struct sized {
    size_t size;
    unsigned char bytes[300];
};

static int yields_bytes(mf_gen *self, void *arg)
{
    struct sized *s = arg;

    for (int i = 1; i <= 5; i++) {
        unsigned char local[300];

        for (size_t k = 0; k < s->size; k++)
            local[k] = (unsigned char)(k * (unsigned)i + 7);
        EXPECT_EQ(mf_gen_yield(self, s->size != 0 ? local : NULL), 0);
    }
    return 0;
}

static int every_size(void *arg)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 8, 16, 100, 300};

    (void)arg;
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        struct sized s = {.size = sizes[n]};
        unsigned char got[301];
        mf_gen *g;

        EXPECT_EQ(mf_gen_make(yields_bytes, &s, s.size, &g), 0);
        for (unsigned i = 1; i <= 5; i++) {
            memset(got, 0xee, sizeof got);
            EXPECT_EQ(mf_gen_next(g, got), 1);
            for (size_t k = 0; k < s.size; k++)
                EXPECT_EQ(got[k], (unsigned char)(k * i + 7));
            EXPECT_EQ(got[s.size], 0xee);
        }
        EXPECT_EQ(mf_gen_next(g, got), 0);
        mf_gen_free(g);
    }
    return 0;
}

MFI_TEST(elements_have_any_size_and_none)
{
    in_both(every_size, NULL);
}

/* ---- misuse ------------------------------------------------------------- */

static int asks_itself(mf_gen *self, void *arg)
{
    int value = 1;

    (void)arg;
    EXPECT_EQ(mf_gen_next(self, &value), -EDEADLK);
    EXPECT_EQ(mf_gen_send(self, &value, sizeof value, NULL), -EDEADLK);
    EXPECT_EQ(mf_gen_yield_from(self, self), -EDEADLK);
    EXPECT_EQ(mf_gen_done(self), 0);
    EXPECT_EQ(mf_gen_yield(self, NULL), -EINVAL);
    EXPECT_EQ(mf_gen_yield_in(self, &value, NULL, 1), -EINVAL);
    return ints_yield(self, 6);
}

static int misuse(void *arg)
{
    int value = 0;
    ints *g;

    (void)arg;
    EXPECT_EQ(mf_gen_make(NULL, NULL, 4, (mf_gen **)(void *)&g), -EINVAL);
    EXPECT_EQ(mf_gen_make(counts, NULL, 4, NULL), -EINVAL);
    EXPECT_EQ(mf_gen_next(NULL, &value), -EINVAL);
    EXPECT_EQ(mf_gen_send(NULL, &value, 4, NULL), -EINVAL);
    EXPECT_EQ(mf_gen_yield(NULL, &value), -EINVAL);
    EXPECT_EQ(mf_gen_yield_in(NULL, &value, &value, 4), -EINVAL);
    EXPECT_EQ(mf_gen_yield_from(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_gen_done(NULL), 1);
    mf_gen_free(NULL);
    g = make(asks_itself, NULL);
    EXPECT_EQ(ints_yield(plain(g), 1), -EPERM); /* it does not run */
    expect_next(g, 6);
    EXPECT_EQ(ints_yield(plain(g), 1), -EPERM);
    EXPECT_EQ(mf_gen_yield_in(plain(g), &value, &value, 4), -EPERM);
    EXPECT_EQ(mf_gen_yield_from(plain(g), plain(g)), -EPERM);
    expect_end(g, 0);
    EXPECT_EQ(ints_yield(plain(g), 1), -EPERM);
    ints_free(g);
    return 0;
}

MFI_TEST(misuse_is_an_answer)
{
    ints *g;

    EXPECT_EQ(ints_make(counts, NULL, &g), -EINVAL); /* nothing runs */
    in_both(misuse, NULL);
    EXPECT_EQ(ints_make(counts, NULL, &g), -EINVAL);
}

static int frees_itself(mf_gen *self, void *arg)
{
    (void)arg;
    mf_gen_free(self);
    return 0;
}

static int frees_a_running_one(void *arg)
{
    (void)arg;
    return ints_next(make(frees_itself, NULL), NULL);
}

static void dies_freeing(void)
{
    mf_run(frees_a_running_one, NULL, NULL);
}

MFI_TEST(freeing_a_running_one_aborts)
{
    EXPECT_DIES(dies_freeing, SIGABRT, "mf_gen_free: the generator is running");
}

static int yields_for(void *arg)
{
    EXPECT_EQ(ints_yield(arg, 3), -EPERM);
    return 0;
}

/* A task of its own is not the generator, though it was begun in it. */
static int has_a_child(mf_gen *self, void *arg)
{
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, yields_for, self), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return ints_yield(self, 8);
}

static int child_in_generator(void *arg)
{
    ints *g = make(has_a_child, NULL);

    (void)arg;
    expect_next(g, 8);
    expect_end(g, 0);
    ints_free(g);
    return 0;
}

MFI_TEST(only_the_generator_itself_yields)
{
    in_both(child_in_generator, NULL);
}

/* ---- values in ---------------------------------------------------------- */

/* The running sum of what is sent; -1 for nothing. */
static int adds(mf_gen *self, void *arg)
{
    int sum = 0, in, rc;

    (void)arg;
    EXPECT_EQ(ints_yield(self, 100), 0); /* takes nothing */
    for (;;) {
        in = 1000;
        rc = mf_gen_yield_in(self, &sum, &in, sizeof in);
        if (rc < 0)
            return rc;
        if (rc == 0)
            EXPECT_EQ(in, 1000); /* untouched */
        sum = rc == 0 ? -1 : sum + in;
    }
}

static int sends(void *arg)
{
    mf_gen *g = plain(make(adds, NULL));
    char wrong[8] = {0};
    int v = 5, got = 0;

    (void)arg;
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, &got), -EINVAL); /* not begun */
    EXPECT_EQ(mf_gen_send(g, NULL, 0, &got), 1);
    EXPECT_EQ(got, 100);
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, &got), -EINVAL); /* asks for none */
    EXPECT_EQ(mf_gen_next(g, &got), 1);
    EXPECT_EQ(got, 0);
    EXPECT_EQ(mf_gen_send(g, wrong, sizeof wrong, &got), -EINVAL);
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, &got), 1);
    EXPECT_EQ(got, 5);
    v = 7;
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, NULL), 1);
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, &got), 1);
    EXPECT_EQ(got, 19);
    EXPECT_EQ(mf_gen_send(g, NULL, 99, &got), 1);
    EXPECT_EQ(got, -1);
    mf_gen_free(g);
    g = plain(make(counts, NUMBER(0)));
    EXPECT_EQ(mf_gen_next(g, &got), 0);
    EXPECT_EQ(mf_gen_send(g, &v, sizeof v, &got), 0); /* it has ended */
    mf_gen_free(g);
    return 0;
}

MFI_TEST(what_is_sent_is_what_the_yield_gets)
{
    in_both(sends, NULL);
}

/* ---- one inside another ------------------------------------------------- */

struct node {
    struct node *left, *right;
    int value;
};

/* In order, by recursion: each level hands out what the one below has. */
static int walks(mf_gen *self, void *arg)
{
    struct node *n = arg, *sides[2];
    int rc;

    if (n == NULL)
        return 0;
    sides[0] = n->left;
    sides[1] = n->right;
    for (int i = 0; i < 2; i++) {
        ints *below = make(walks, sides[i]);

        rc = mf_gen_yield_from(self, plain(below));
        ints_free(below);
        if (rc == 0 && i == 0)
            rc = ints_yield(self, n->value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct node *grow(struct node *pool, int low, int high)
{
    int mid = (low + high) / 2;
    struct node *n = &pool[mid];

    if (low > high)
        return NULL;
    n->value = mid;
    n->left = grow(pool, low, mid - 1);
    n->right = grow(pool, mid + 1, high);
    return n;
}

static int walks_a_tree(void *arg)
{
    static struct node pool[100];
    ints *g = make(walks, grow(pool, 0, 99));

    (void)arg;
    for (int i = 0; i < 100; i++)
        expect_next(g, i);
    expect_end(g, 0);
    ints_free(g);
    g = make(walks, grow(pool, 0, 99));
    for (int i = 0; i < 50; i++)
        expect_next(g, i);
    ints_free(g); /* seven deep: each frees the one below */
    return 0;
}

MFI_TEST(generators_nest_and_hand_on)
{
    in_both(walks_a_tree, NULL);
}

static int yields_for_the_outer(mf_gen *self, void *arg)
{
    EXPECT_EQ(ints_yield(arg, 1), -EPERM);
    EXPECT_EQ(mf_gen_next(arg, NULL), -EDEADLK);
    return ints_yield(self, 2);
}

static int has_an_inner(mf_gen *self, void *arg)
{
    ints *inner = make(yields_for_the_outer, self);
    mf_gen *wide;

    (void)arg;
    expect_next(inner, 2);
    EXPECT_EQ(ints_yield(self, 3), 0);
    expect_end(inner, 0);
    ints_free(inner);
    EXPECT_EQ(mf_gen_make(counts, NULL, 8, &wide), 0);
    EXPECT_EQ(mf_gen_yield_from(self, wide), -EINVAL); /* not the same size */
    mf_gen_free(wide);
    inner = make(returns, NUMBER(-ENOENT));
    EXPECT_EQ(mf_gen_yield_from(self, plain(inner)), -ENOENT);
    ints_free(inner);
    MF_SHIELD(MF_NEVER)
    {
        inner = make(counts, NUMBER(1));
        EXPECT_EQ(mf_gen_yield_from(self, plain(inner)), -EPERM);
        expect_next(inner, 0); /* it was not asked */
        ints_free(inner);
    }
    return 0;
}

static int inner_and_outer(void *arg)
{
    ints *g = make(has_an_inner, NULL);

    (void)arg;
    expect_next(g, 3);
    expect_end(g, 0);
    ints_free(g);
    return 0;
}

MFI_TEST(the_innermost_yields_for_itself_only)
{
    in_both(inner_and_outer, NULL);
}

/* ---- scopes and shields ------------------------------------------------- */

static int yields_in_sections(mf_gen *self, void *arg)
{
    mf_shield sh;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(ints_yield(self, 0), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(ints_yield(self, -1), -EPERM);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ints_yield(self, 1), 0);
    sh = mf_shield_begin(MF_NEVER);
    EXPECT_EQ(ints_yield(self, -1), -EPERM);
    mf_shield_end(&sh);
    return ints_yield(self, 2);
}

static int sections(void *arg)
{
    ints *g = make(yields_in_sections, NULL);
    mf_scope s;

    (void)arg;
    expect_next(g, 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0); /* the asker's does not matter */
    MF_SHIELD(MF_NEVER)
    expect_next(g, 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    expect_next(g, 2);
    expect_end(g, 0);
    ints_free(g);
    return 0;
}

MFI_TEST(no_yield_from_inside_a_scope_or_shield_begun_here)
{
    in_both(sections, NULL);
}

static _Atomic int ended;

static int sleeps_for_ever(void *arg)
{
    int rc = mf_sleep_until(MF_NEVER);

    (void)arg;
    ended++;
    return rc;
}

static int forgets_a_scope(mf_gen *self, void *arg)
{
    static mf_scope s; /* where it may be after the return */

    (void)self;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    return mf_go(&s, sleeps_for_ever, arg);
}

static int forgotten_scope(void *arg)
{
    ints *g = make(forgets_a_scope, NULL);
    mf_scope s;

    ended = 0;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    expect_end(g, 0);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(mf_scope_close(&s), 0); /* it is the innermost again */
    ints_free(g);
    return 0;
}

MFI_TEST(a_scope_left_open_is_dropped_with_the_generator)
{
    in_both(forgotten_scope, NULL);
}

/* ---- free --------------------------------------------------------------- */

static char order[64];

static void note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

static void mark(char (*what)[4])
{
    note(*what);
}

#define CLEANUP(name, text) \
 char name[4] __attribute__((__unused__, __cleanup__(mark))) = text

static int cleans_up(mf_gen *self, void *arg)
{
    CLEANUP(a, "a");

    if (ints_yield(self, 1) == -ECANCELED) {
        int in;

        EXPECT_EQ(ints_yield(self, 2), -ECANCELED);
        EXPECT_EQ(mf_gen_yield_in(self, &in, &in, sizeof in), -ECANCELED);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(ints_yield(self, 3), -ECANCELED);
        EXPECT_EQ(mf_sleep(MF_USEC(100)), 0); /* no cancel of the task */
        note("f");
        return -EIO;
    }
    note(arg);
    return 0;
}

static int frees(void *arg)
{
    ints *g = make(cleans_up, arg);

    order[0] = '\0';
    ints_free(g); /* never begun: does not run */
    EXPECT_STR_EQ(order, "");
    g = make(cleans_up, NULL);
    expect_next(g, 1);
    ints_free(g);
    EXPECT_STR_EQ(order, "fa");
    order[0] = '\0';
    g = make(cleans_up, (void *)(uintptr_t) "e");
    expect_next(g, 1);
    expect_end(g, 0);
    EXPECT_STR_EQ(order, "ea");
    ints_free(g);
    EXPECT_STR_EQ(order, "ea");
    return 0;
}

MFI_TEST(a_freed_one_is_told_and_cleans_up_here_and_now)
{
    in_both(frees, NULL);
}

static int frees_in_a_cancelled_task(void *arg)
{
    ints *g = make(counts, NUMBER(9));

    mf_task_cancel(mf_self());
    EXPECT_EQ(mf_sleep(1), -ECANCELED);
    expect_next(g, 0); /* neither is a cancel point */
    expect_next(g, 1);
    ints_free(g);
    (void)arg;
    return -ECANCELED;
}

static int cancels_one(void *arg)
{
    struct helper h;

    (void)arg;
    help(&h, frees_in_a_cancelled_task, NULL);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_cancelled_task_asks_and_frees_as_ever)
{
    in_tasks(1, cancels_one, NULL);
}

static int leaves_some(void *arg)
{
    for (int i = 0; i < 100; i++) {
        ints *g = make(counts, NUMBER(3));

        for (int k = 0; k < i % 5; k++)
            EXPECT_EQ(ints_next(g, NULL), k < 3);
    }
    (void)arg;
    return 0;
}

MFI_TEST(what_is_not_freed_is_gone_with_the_runtime)
{
    for (int i = 0; i < 3; i++)
        in_both(leaves_some, NULL);
}

static int stays_in(mf_gen *self, void *arg)
{
    (void)self;
    ended = 1;
    return mf_event_wait(arg, MF_NEVER);
}

static void *stays(void *arg)
{
    ints *g = make(stays_in, arg);

    expect_end(g, 0);
    return NULL;
}

static void stops_under_it(void)
{
    mf_event never = {{0}};
    pthread_t thread;

    EXPECT_EQ(mf_start(NULL), 0);
    ended = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, stays, &never), 0);
    while (ended == 0)
        sched_yield();
    mf_stop(MF_NEVER);
}

MFI_TEST(a_stop_under_a_running_generator_aborts)
{
    EXPECT_DIES(stops_under_it, SIGABRT, "a plain thread runs a generator");
}

/* ---- many, without growth ----------------------------------------------- */

/* Their stacks are the same few, over and over. */
static int no_growth(void *arg)
{
    enum { FEW = 64 };
    ints *seen[FEW];
    int n = 0;

    (void)arg;
    for (int i = 0; i < MANY; i++) {
        ints *g = make(counts, NUMBER(2));
        int k = 0;

        while (k < n && seen[k] != g)
            k++;
        EXPECT_LT(k, FEW);
        seen[k] = g;
        n += k == n;
        expect_next(g, 0);
        if (i % 3 != 0) {
            expect_next(g, 1);
            expect_end(g, 0);
        }
        ints_free(g);
    }
    return 0;
}

MFI_TEST(ten_thousand_come_and_go_without_growth)
{
    in_both(no_growth, NULL);
}

static int all_at_once(void *arg)
{
    enum { N = 2000 };
    static ints *all[N];

    (void)arg;
    for (int i = 0; i < N; i++)
        all[i] = make(counts, NUMBER(i % 7 + 1));
    for (int k = 0; k < 7; k++)
        for (int i = 0; i < N; i++) {
            if (k <= i % 7)
                expect_next(all[i], k);
            else
                expect_end(all[i], 0);
        }
    for (int i = 0; i < N; i++)
        ints_free(all[i]);
    return 0;
}

MFI_TEST(thousands_at_once_keep_apart)
{
    in_both(all_at_once, NULL);
}
