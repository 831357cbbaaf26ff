/* SPDX-License-Identifier: MIT */
/*
 * watch_test.c - everybody ends up with the latest value, whole, and with no
 * version twice; waits that end otherwise change nothing.
 */
#include "sync/broadcast.h"

#include "io/kit.h"

enum {
    SETS = 5000 / KIT_SLOW,
    ROUNDS = 300 / KIT_SLOW,
    TASKS = 5,
    THREADS = 2,
    WORDS = 40, /* of a value: wide enough to be torn */
};

static mf_watch *make(int initial)
{
    mf_watch *w = NULL;

    EXPECT_EQ(mf_watch_make(sizeof initial, &initial, &w), 0);
    EXPECT(w != NULL);
    return w;
}

static void set(mf_watch *w, int v)
{
    EXPECT_EQ(mf_watch_set(w, &v), 0);
}

static void await_watchers(mf_watch *w, int n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();
    int found = -1;

    while (found != n) {
        struct list *link;

        found = 0;
        mfi_spin_lock(&w->lock);
        link = w->waiters.first;
        if (link != NULL)
            do
                found++;
            while ((link = link->next) != w->waiters.first);
        mfi_spin_unlock(&w->lock);
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* ---- one by one --------------------------------------------------------- */

static int misuse(void *arg)
{
    mf_watch *w = NULL;
    uint64_t version = 0;
    int v = 1;

    (void)arg;
    EXPECT_EQ(mf_watch_make(4, NULL, &w), -EINVAL);
    EXPECT_EQ(mf_watch_make(4, &v, NULL), -EINVAL);
    EXPECT_EQ(mf_watch_make((1 << 20) + 1, &v, &w), -EINVAL);
    EXPECT(w == NULL);
    w = make(1);
    EXPECT_EQ(mf_watch_set(NULL, &v), -EINVAL);
    EXPECT_EQ(mf_watch_set(w, NULL), -EINVAL);
    EXPECT_EQ(mf_watch_get(NULL, &v, NULL), -EINVAL);
    EXPECT_EQ(mf_watch_get(w, NULL, &version), -EINVAL);
    EXPECT_EQ(mf_watch_next(NULL, &version, &v, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_watch_next(w, NULL, &v, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_watch_next(w, &version, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(version, 0);
    EXPECT_EQ(mf_watch_close(NULL), -EINVAL);
    EXPECT_EQ(mf_watch_close(w), 0);
    EXPECT_EQ(mf_watch_close(w), -EALREADY);
    EXPECT(mf_watch_ref(w) == w);
    mf_watch_unref(w);
    mf_watch_unref(w);
    EXPECT(mf_watch_ref(NULL) == NULL);
    mf_watch_unref(NULL);
    return 0;
}

MFI_TEST(bad_arguments_are_refused)
{
    in_both(misuse, NULL);
}

static int versions(void *arg)
{
    mf_watch *w = make(10);
    uint64_t version = 0, other = 0;
    int v = -1;

    (void)arg;
    EXPECT_EQ(mf_watch_get(w, &v, NULL), 0);
    EXPECT_EQ(v, 10);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NEVER), 1);
    EXPECT_EQ(v, 10);
    EXPECT_EQ(version, 1);
    v = -1;
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_watch_next(w, &version, &v, soon()), -ETIMEDOUT);
    EXPECT_EQ(v, -1);
    EXPECT_EQ(version, 1);
    set(w, 11);
    set(w, 12);
    EXPECT_EQ(mf_watch_get(w, &v, &other), 0);
    EXPECT_EQ(v, 12);
    EXPECT_EQ(other, 3);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NEVER), 1); /* 11 is skipped */
    EXPECT_EQ(v, 12);
    EXPECT_EQ(version, 3);
    set(w, 12); /* the same value is a new version */
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NOW), 1);
    EXPECT_EQ(version, 4);
    set(w, 13);
    EXPECT_EQ(mf_watch_close(w), 0);
    EXPECT_EQ(mf_watch_set(w, &v), -EPIPE);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NEVER), 1);
    EXPECT_EQ(v, 13);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NEVER), 0);
    EXPECT_EQ(mf_watch_get(w, &v, &version), 0); /* for as long as it lives */
    EXPECT_EQ(version, 5);
    mf_watch_unref(w);
    return 0;
}

MFI_TEST(a_version_is_seen_once_and_those_between_are_skipped)
{
    in_both(versions, NULL);
}

static int sizes(void *arg)
{
    enum { LEN = 1 << 20 };
    char *elem = malloc(LEN), *got = malloc(LEN);
    uint64_t version = 0;
    mf_watch *w;

    (void)arg;
    EXPECT_EQ(mf_watch_make(0, NULL, &w), 0);
    EXPECT_EQ(mf_watch_next(w, &version, NULL, MF_NOW), 1);
    EXPECT_EQ(mf_watch_next(w, &version, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_watch_set(w, NULL), 0);
    EXPECT_EQ(mf_watch_get(w, NULL, NULL), 0);
    EXPECT_EQ(mf_watch_next(w, &version, NULL, MF_NOW), 1);
    mf_watch_unref(w);
    memset(elem, 'x', LEN);
    EXPECT_EQ(mf_watch_make(LEN, elem, &w), 0);
    EXPECT_EQ(mf_watch_get(w, got, NULL), 0);
    EXPECT_EQ(memcmp(elem, got, LEN), 0);
    memset(elem, 'y', LEN);
    EXPECT_EQ(mf_watch_set(w, elem), 0);
    EXPECT_EQ(mf_watch_get(w, got, NULL), 0);
    EXPECT_EQ(memcmp(elem, got, LEN), 0);
    mf_watch_unref(w);
    free(elem);
    free(got);
    return 0;
}

MFI_TEST(a_value_may_be_empty_or_a_megabyte)
{
    in_both(sizes, NULL);
}

/* ---- many --------------------------------------------------------------- */

static void fill(uint64_t value[WORDS], uint64_t with)
{
    for (int i = 0; i < WORDS; i++)
        value[i] = with;
}

struct views {
    mf_watch *w;
    uint64_t last; /* the version at the end */
    _Atomic int woken;
};

static void expect_whole(const uint64_t value[WORDS])
{
    for (int i = 1; i < WORDS; i++)
        EXPECT_EQ(value[i], value[0]);
}

static int watch_all(void *arg)
{
    struct views *v = arg;
    uint64_t value[WORDS], version = 0, before = 0;
    int rc;

    while ((rc = mf_watch_next(v->w, &version, value, late())) > 0) {
        expect_whole(value);
        EXPECT_GT(version, before);
        before = version;
        mfi_add_acqrel(&v->woken, 1);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(version, v->last);
    return 0;
}

/* The same, in haste and by looking. */
static int glance_all(void *arg)
{
    struct views *v = arg;
    uint64_t value[WORDS], version = 0, before, now;
    int rc;

    do {
        before = version;
        rc = mf_watch_next(v->w, &version, value,
                           mf_after(MF_USEC(1 + (int)version % 30)));
        EXPECT(rc == 1 ? version > before : version == before);
        EXPECT(rc >= 0 || rc == -ETIMEDOUT);
        EXPECT_EQ(mf_watch_get(v->w, value, &now), 0);
        expect_whole(value);
        EXPECT_GE(now, version);
        breathe();
    } while (rc != 0);
    EXPECT_EQ(version, v->last);
    return 0;
}

static int select_all(void *arg)
{
    struct views *v = arg;
    uint64_t value[WORDS], version = 0, before = 0;
    mf_event never = {{0, 0}};
    int rc = 0;

    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(mf_on_watch(v->w, &version, value))
        {
            if (rc == 0)
                break;
            EXPECT_EQ(rc, 1);
            expect_whole(value);
            EXPECT_GT(version, before);
            before = version;
        }
        MF_CASE(mf_on_event(&never))
        {
            EXPECT(false);
        }
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(version, v->last);
    return 0;
}

static void *watch_thread(void *arg)
{
    EXPECT_EQ(watch_all(arg), 0);
    return NULL;
}

static void *glance_thread(void *arg)
{
    EXPECT_EQ(glance_all(arg), 0);
    return NULL;
}

static int set_half(void *arg)
{
    uint64_t value[WORDS];
    mf_watch *w = arg;

    for (uint64_t i = 0; i < SETS / 2; i++) {
        fill(value, i);
        EXPECT_EQ(mf_watch_set(w, value), 0);
        if (i % 8 == 0)
            breathe();
    }
    return 0;
}

static int many(void *arg)
{
    mf_fn *const kind[] = {watch_all, glance_all, select_all};
    struct views v = {.last = SETS / 2 * 2 + 1};
    uint64_t value[WORDS];
    pthread_t thread[THREADS];
    struct helper setter;
    mf_scope s;

    (void)arg;
    fill(value, 1);
    EXPECT_EQ(mf_watch_make(sizeof value, value, &v.w), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, kind[i % 3], &v), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL,
                                 i == 0 ? watch_thread : glance_thread, &v),
                  0);
    help(&setter, set_half, v.w);
    set_half(v.w);
    EXPECT_EQ(helped(&setter), 0);
    EXPECT_EQ(mf_watch_close(v.w), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_BY_CHANCE(mfi_load_acq(&v.woken) > 0);
    mf_watch_unref(v.w);
    return 0;
}

MFI_TEST(all_end_with_the_last_value_and_see_no_half_one)
{
    in_tasks(1, many, NULL);
    in_tasks(2, many, NULL);
    in_thread(many, NULL);
}

struct turn {
    mf_watch *w;
    _Atomic int seen;
};

static int see_all(void *arg)
{
    struct turn *t = arg;
    uint64_t version = 0;
    int v, n = 0;

    while (mf_watch_next(t->w, &version, &v, late()) > 0) {
        EXPECT_EQ(v, n++);
        EXPECT_EQ(version, n);
        mfi_add_acqrel(&t->seen, 1);
    }
    return n;
}

/* Set when all wait, or are about to: each wakes every time. */
static int turns(void *arg)
{
    struct turn t = {.w = make(0)};
    mf_task *task[TASKS];
    mf_scope s;
    int n;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_spawn(&s, see_all, &t, NULL, &task[i]), 0);
    for (int i = 1; i < ROUNDS; i++) {
        if (i % 2 == 0)
            await_watchers(t.w, TASKS);
        else
            while (mfi_load_acq(&t.seen) != i * TASKS)
                breathe();
        set(t.w, i);
    }
    while (mfi_load_acq(&t.seen) != ROUNDS * TASKS)
        breathe();
    EXPECT_EQ(mf_watch_close(t.w), 0);
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(mf_join(task[i], &n, late()), 0);
        EXPECT_EQ(n, ROUNDS);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    mf_watch_unref(t.w);
    return 0;
}

MFI_TEST(who_waits_is_woken_by_every_set)
{
    in_tasks(1, turns, NULL);
    in_tasks(2, turns, NULL);
    in_thread(turns, NULL);
}

/* ---- waits that end otherwise ------------------------------------------- */

static int hopeless(void *arg)
{
    uint64_t version = 1;
    int v = -1;

    EXPECT_EQ(mf_watch_next(arg, &version, &v, MF_NEVER), -ECANCELED);
    EXPECT_EQ(v, -1);
    EXPECT_EQ(version, 1);
    return 0;
}

static int cancelled(void *arg)
{
    mf_watch *w = make(0);
    uint64_t version = 0;
    mf_scope s;
    int v;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, hopeless, w), 0);
    await_watchers(w, 1);
    mf_scope_cancel(&s);
    set(w, 1);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_watch_next(w, &version, &v, MF_NOW), 1);
    EXPECT_EQ(v, 1);
    await_watchers(w, 0);
    mf_watch_unref(w);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait)
{
    in_both(cancelled, NULL);
}

static int closed(void *arg)
{
    uint64_t version = 1;
    int v;

    EXPECT_EQ(mf_watch_next(arg, &version, &v, late()), 0);
    return 0;
}

static void *closed_thread(void *arg)
{
    EXPECT_EQ(closed(arg), 0);
    return NULL;
}

static int close_under_them(void *arg)
{
    mf_watch *w = make(0);
    pthread_t thread;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, closed, w), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, closed_thread, w), 0);
    await_watchers(w, TASKS + 1);
    EXPECT_EQ(mf_watch_close(w), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    mf_watch_unref(w);
    return 0;
}

MFI_TEST(close_wakes_all_who_wait)
{
    in_both(close_under_them, NULL);
}

static int selects(void *arg)
{
    mf_watch *w = make(5);
    uint64_t version = 0;
    mf_case c = mf_on_watch(NULL, &version, NULL);
    int v = -1;

    (void)arg;
    EXPECT_EQ(mf_select(&c, 1, soon()), -ETIMEDOUT); /* never fires */
    c = mf_on_watch(w, NULL, &v);
    EXPECT_EQ(mf_select(&c, 1, MF_NOW), -EINVAL);
    c = mf_on_watch(w, &version, NULL);
    EXPECT_EQ(mf_select(&c, 1, MF_NOW), -EINVAL);
    c = mf_on_watch(w, &version, &v);
    EXPECT_EQ(mf_select(&c, 1, MF_NOW), 0);
    EXPECT_EQ(c.res, 1);
    EXPECT_EQ(v, 5);
    EXPECT_EQ(version, 1);
    EXPECT_EQ(mf_select(&c, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(&c, 1, soon()), -ETIMEDOUT);
    set(w, 6);
    EXPECT_EQ(mf_select(&c, 1, late()), 0);
    EXPECT_EQ(v, 6);
    EXPECT_EQ(mf_watch_close(w), 0);
    EXPECT_EQ(mf_select(&c, 1, late()), 0);
    EXPECT_EQ(c.res, 0);
    await_watchers(w, 0);
    mf_watch_unref(w);
    return 0;
}

MFI_TEST(a_watch_is_one_of_many_things_to_wait_for)
{
    in_both(selects, NULL);
}
