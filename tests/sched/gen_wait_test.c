/* SPDX-License-Identifier: MIT */
/* gen_wait_test.c - generators that block, move between threads, and panic. */
#include <mayfly.h>

#include <math.h>

#include "io/kit.h"

#define NUMBER(n) ((void *)(intptr_t)(n))

MF_GEN_DEFINE(longs, long);

enum { TASKS = 40, STEPS = 300 / KIT_SLOW };

static longs *make(mf_gen_fn *fn, void *arg)
{
    longs *g = NULL;

    EXPECT_EQ(longs_make(fn, arg, &g), 0);
    return g;
}

static void expect_next(longs *g, long value)
{
    long got = ~value;

    EXPECT_EQ(longs_next(g, &got), 1);
    EXPECT_EQ(got, value);
}

static void expect_end(longs *g, int rc)
{
    EXPECT_EQ(longs_next(g, NULL), rc);
}

/* ---- blocking inside ---------------------------------------------------- */

static _Atomic int turns;

static int takes_turns(void *arg)
{
    const _Atomic int *stop = arg;

    while (mfi_load_acq(stop) == 0) {
        mfi_add_acqrel(&turns, 1);
        EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    }
    return 0;
}

static int sleeps(mf_gen *self, void *arg)
{
    for (long i = 0; i < (intptr_t)arg; i++) {
        int before = mfi_load_acq(&turns);

        do /* others run meanwhile */
            EXPECT_EQ(mf_sleep(MF_USEC(200)), 0);
        while (mfi_load_acq(&turns) == before);
        EXPECT_EQ(longs_yield(self, i), 0);
    }
    return 0;
}

static int asks_a_sleeper(void *arg)
{
    longs *g = make(sleeps, NUMBER(10));
    _Atomic int stop = 0;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, takes_turns, &stop), 0);
    for (int i = 0; i < 10; i++)
        expect_next(g, i);
    expect_end(g, 0);
    longs_free(g);
    mfi_store_rel(&stop, 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_generator_may_sleep_and_others_go_on)
{
    in_tasks(1, asks_a_sleeper, NULL);
    in_both(asks_a_sleeper, NULL);
}

static int waits_for_ever(mf_gen *self, void *arg)
{
    int rc = mf_sleep_until(MF_NEVER);

    (void)arg;
    return longs_yield(self, rc);
}

static int waits_in_a_generator(void *arg)
{
    longs *g = make(waits_for_ever, NULL);

    (void)arg;
    expect_next(g, -ECANCELED); /* the task's cancel, and it can tell */
    EXPECT_EQ(mf_sleep(1), -ECANCELED);
    expect_end(g, 0);
    longs_free(g);
    return 0;
}

static int cancels_it(void *arg)
{
    struct helper h;

    (void)arg;
    help(&h, waits_in_a_generator, NULL);
    await_parked(h.task);
    mf_task_cancel(h.task);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait_inside)
{
    in_both(cancels_it, NULL);
}

static int runs_given(void *arg)
{
    long got = 0;

    EXPECT_EQ(longs_next(arg, &got), 1);
    EXPECT_EQ(got, -ECANCELED);
    return 0;
}

/* Somebody else asks while the step is under way. */
static int busy(void *arg)
{
    longs *g = make(waits_for_ever, NULL);
    struct helper h;

    help(&h, runs_given, g);
    await_parked(h.task);
    expect_end(g, -EDEADLK);
    EXPECT_EQ(mf_gen_done((mf_gen *)(void *)g), 0);
    mf_task_cancel(h.task);
    EXPECT_EQ(helped(&h), 0);
    expect_end(g, 0); /* it is this one's now */
    longs_free(g);
    (void)arg;
    return 0;
}

MFI_TEST(one_that_blocks_in_another_task_is_busy)
{
    in_both(busy, NULL);
}

/* ---- moving between threads --------------------------------------------- */

/* Keeps values of all kinds in registers over blocking and yielding. */
static int mixes(mf_gen *self, void *arg)
{
    long whole = (intptr_t)arg;
    double a = (double)whole, b = 0.5;
    float c = 1.0f;

    for (long i = 0;; i++) {
        int rc;

        whole = (whole * 3 + i) % 1000000007;
        a = a * 0.5 + (double)i;
        b += a;
        c = c * 0.75f + 1.0f;
        if (i % 3 == 0)
            EXPECT(mf_yield() <= 0);
        if (i % 17 == 0)
            EXPECT(mf_sleep(MF_USEC(20)) <= 0);
        rc = longs_yield(self, whole + (long)floor(b) + (long)floorf(c));
        if (rc < 0)
            return rc;
    }
}

static void expect_mix(longs *g, long seed, int steps)
{
    long whole = seed;
    double a = (double)whole, b = 0.5, mine = 1.0;
    float c = 1.0f;

    for (long i = 0; i < steps; i++) {
        whole = (whole * 3 + i) % 1000000007;
        a = a * 0.5 + (double)i;
        b += a;
        c = c * 0.75f + 1.0f;
        mine = mine * 0.5 + 1.0; /* on this side, too */
        expect_next(g, whole + (long)floor(b) + (long)floorf(c));
        EXPECT(mine > 1.0 && mine <= 2.0);
        if (i % 5 == 0)
            breathe();
    }
}

static int asks_a_mixer(void *arg)
{
    long seed = (intptr_t)arg;
    longs *g = make(mixes, arg);

    expect_mix(g, seed, STEPS);
    longs_free(g);
    return 0;
}

static void *asks_in_a_thread(void *arg)
{
    EXPECT_EQ(asks_a_mixer(arg), 0);
    return NULL;
}

static int many_mix(void *arg)
{
    pthread_t thread;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, asks_a_mixer, NUMBER(i)), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, asks_in_a_thread, NUMBER(99)), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(whole_and_floating_values_survive_blocking_and_migration)
{
    in_tasks(1, many_mix, NULL);
    in_tasks(2, many_mix, NULL);
    in_tasks(4, many_mix, NULL);
    in_thread(many_mix, NULL);
}

/* One generator is handed from task to task, and to a thread. */
struct relay {
    longs *g;
    long at;
};

static int carries(void *arg)
{
    struct relay *r = arg;

    for (int i = 0; i < 7; i++) {
        expect_next(r->g, r->at++);
        breathe();
    }
    return 0;
}

static void *carries_in_a_thread(void *arg)
{
    EXPECT_EQ(carries(arg), 0);
    return NULL;
}

static int counts_with_pauses(mf_gen *self, void *arg)
{
    int rc = 0;

    (void)arg;
    for (long i = 0; rc == 0; i++) {
        if (i % 4 == 0)
            EXPECT_EQ(mf_sleep(MF_USEC(10)), 0);
        rc = longs_yield(self, i);
    }
    return rc;
}

static int relays(void *arg)
{
    struct relay r = {.g = make(counts_with_pauses, NULL)};

    (void)arg;
    for (int i = 0; i < 50 / KIT_SLOW; i++) {
        struct helper h;
        pthread_t thread;

        help(&h, carries, &r);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(carries(&r), 0);
        if (i % 10 == 0) {
            EXPECT_EQ(pthread_create(&thread, NULL, carries_in_a_thread, &r),
                      0);
            EXPECT_EQ(pthread_join(thread, NULL), 0);
        }
    }
    longs_free(r.g);
    return 0;
}

MFI_TEST(a_generator_goes_from_hand_to_hand)
{
    in_tasks(1, relays, NULL);
    in_both(relays, NULL);
}

/* ---- leaving early ------------------------------------------------------ */

static char order[256];

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

enum way { EXIT = 1, PANIC };

/* To be unwound from below: may not yield, but wait and ask others. */
static void tidies(mf_gen **self)
{
    long value = 1;

    EXPECT_EQ(mf_gen_yield(*self, &value), -ECANCELED);
    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    note("t");
}

static __attribute__((__noinline__)) void deep(int depth, enum way way)
{
    CLEANUP(a, "x");

    if (depth > 0)
        deep(depth - 1, way);
    else if (way == PANIC)
        mf_panic("generator %d", 5);
    else if (way == EXIT)
        mf_exit(-77);
    note("never");
}

static int leaves(mf_gen *self, void *arg)
{
    mf_gen *me __attribute__((__unused__, __cleanup__(tidies))) = self;
    CLEANUP(a, "g");

    EXPECT_EQ(longs_yield(self, 1), 0);
    deep(2, (enum way)(intptr_t)arg);
    return 0;
}

/* The same, one generator further in. */
static int leaves_further_in(mf_gen *self, void *arg)
{
    CLEANUP(a, "o");
    longs *g = make(leaves, arg);
    int rc = mf_gen_yield_from(self, (mf_gen *)(void *)g);

    longs_free(g);
    return rc;
}

static void deferred(void *arg)
{
    note(arg);
}

struct left {
    mf_gen_fn *fn;
    enum way way;
    longs *g;
};

static void frees_later(longs **g)
{
    EXPECT_EQ(longs_next(*g, NULL), -ENOTRECOVERABLE);
    longs_free(*g);
    note("F");
}

static int asks_until_it_leaves(void *arg)
{
    struct left *l = arg;
    longs *g __attribute__((__cleanup__(frees_later))) =
        make(l->fn, NUMBER(l->way));
    CLEANUP(a, "c");

    EXPECT_EQ(mf_defer(deferred, (void *)(uintptr_t) "d"), 0);
    expect_next(g, 1);
    expect_next(g, 2);
    note("never");
    return 0;
}

static void expect_left(struct left *l, mf_fn *fn, const char *what)
{
    const char *message = NULL;
    struct helper h;
    int rc = 0;

    order[0] = '\0';
    help(&h, fn, l);
    EXPECT_EQ(mf_join(h.task, &rc, MF_NEVER), 0);
    EXPECT_STR_EQ(order, what);
    if (l->way == PANIC) {
        EXPECT_EQ(rc, -ENOTRECOVERABLE);
        EXPECT_EQ(mf_task_ending(h.task, &message), MF_PANICKED);
        EXPECT_STR_EQ(message, "generator 5");
    } else {
        EXPECT_EQ(rc, -77);
        EXPECT_EQ(mf_task_ending(h.task, NULL), MF_EXITED);
    }
    EXPECT_EQ(helped(&h), rc);
}

static int early_leaves(void *arg)
{
    struct left l;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        l = (struct left){.fn = leaves, .way = i % 2 == 0 ? PANIC : EXIT};
        expect_left(&l, asks_until_it_leaves, "xxxgtcFd");
        l.fn = leaves_further_in;
        expect_left(&l, asks_until_it_leaves, "xxxgtocFd");
    }
    return 0;
}

MFI_TEST(a_panic_or_exit_inside_goes_on_in_who_asked)
{
    in_both(early_leaves, NULL);
}

/* In the free: its cleanup leaves, and it is gone all the same. */
static int leaves_when_freed(mf_gen *self, void *arg)
{
    CLEANUP(a, "g");

    EXPECT_EQ(longs_yield(self, 1), -ECANCELED);
    deep(0, (enum way)(intptr_t)arg);
    return 0;
}

static int frees_one_that_leaves(void *arg)
{
    struct left *l = arg;
    longs *g = make(l->fn, NUMBER(l->way));
    CLEANUP(a, "c");

    expect_next(g, 1);
    longs_free(g);
    note("never");
    return 0;
}

static int stacks_out;

static bool count_stack(struct stack *s)
{
    stacks_out += ((uintptr_t)s->owner & 1) != 0; /* a generator's */
    return false;
}

static int leaves_in_free(void *arg)
{
    struct left l = {.fn = leaves_when_freed, .way = EXIT};

    (void)arg;
    for (int i = 0; i < 20; i++) {
        l.way = i % 2 == 0 ? PANIC : EXIT;
        expect_left(&l, frees_one_that_leaves, "xgc");
    }
    if (mfi_sched.nr_workers == 1) { /* nobody else takes or gives */
        stacks_out = 0;
        mfi_stacks_take_back(count_stack);
        EXPECT_EQ(stacks_out, 0);
    }
    return 0;
}

MFI_TEST(a_panic_in_the_cleanup_of_a_freed_one_goes_on_in_who_freed)
{
    in_tasks(1, leaves_in_free, NULL);
    in_both(leaves_in_free, NULL);
}

static int waits_for_a_child(void *arg)
{
    (void)arg;
    return mf_sleep_until(MF_NEVER);
}

/* Scopes on both stacks are ended before any frame goes. */
static int panics_in_a_scope(mf_gen *self, void *arg)
{
    MF_SCOPE(s);

    (void)self;
    EXPECT_EQ(mf_go(&s, waits_for_a_child, NULL), 0);
    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    deep(0, (enum way)(intptr_t)arg);
    return 0;
}

static int asks_in_a_scope(void *arg)
{
    struct left *l = arg;
    longs *g = make(l->fn, NUMBER(l->way));
    CLEANUP(a, "c");
    MF_SCOPE(s);

    l->g = g;
    EXPECT_EQ(mf_go(&s, waits_for_a_child, NULL), 0);
    return longs_next(g, NULL);
}

static int leaves_in_scopes(void *arg)
{
    struct left l = {.fn = panics_in_a_scope, .way = PANIC};

    (void)arg;
    for (int i = 0; i < 20; i++) {
        expect_left(&l, asks_in_a_scope, "xc");
        EXPECT_EQ(mf_gen_done((mf_gen *)(void *)l.g), 1);
        expect_end(l.g, -ENOTRECOVERABLE);
        longs_free(l.g);
    }
    return 0;
}

MFI_TEST(a_panic_inside_scopes_of_both_ends_them)
{
    in_both(leaves_in_scopes, NULL);
}

static int panics_at_once(mf_gen *self, void *arg)
{
    (void)self, (void)arg;
    mf_panic("alone");
}

static void panics_in_a_thread(void)
{
    EXPECT_EQ(mf_start(NULL), 0);
    expect_end(make(panics_at_once, NULL), 0);
}

MFI_TEST(a_panic_in_a_plain_threads_generator_aborts_with_a_clear_text)
{
    EXPECT_DIES(panics_in_a_thread, SIGABRT, "panic outside a task: alone");
}
