/* SPDX-License-Identifier: MIT */
/* held_test.c - no lock is taken along by an owner that ends. */
#include "sync/held.h"

#include "sync/crew.h"
#include "sync/mutex.h"

/* ---- the list ------------------------------------------------------------ */

enum { LOCKS = 6 };

static void expect_list(struct agent *a, struct held *h, const char *order)
{
    struct held *at = a->held;

    for (; *order != '\0'; order++) {
        EXPECT_EQ(at, &h[*order - '0']);
        EXPECT_EQ(at->next & HELD_KIND, (*order - '0') % 2);
        at = mfi_held_next(at);
    }
    EXPECT_EQ(at, NULL);
}

static void push_all(struct agent *a, struct held *h)
{
    a->held = NULL;
    for (int i = 0; i < LOCKS; i++)
        mfi_held_push(a, &h[i], i % 2 == 0 ? HELD_MUTEX : HELD_RWLOCK);
    expect_list(a, h, "543210");
}

MFI_TEST(locks_leave_the_list_in_any_order_and_keep_their_kind)
{
    struct held h[LOCKS];
    struct agent a;

    push_all(&a, h);
    mfi_held_pop(&a, &h[3]);
    expect_list(&a, h, "54210");
    mfi_held_pop(&a, &h[5]);
    expect_list(&a, h, "4210");
    mfi_held_pop(&a, &h[0]);
    expect_list(&a, h, "421");
    mfi_held_pop(&a, &h[0]); /* not there: nothing happens */
    expect_list(&a, h, "421");
    mfi_held_push(&a, &h[0], HELD_MUTEX);
    expect_list(&a, h, "0421");
    for (int i = 0; i < LOCKS; i++)
        mfi_held_pop(&a, &h[i]);
    expect_list(&a, h, "");
}

MFI_TEST(locks_in_memory_that_goes_are_forgotten)
{
    struct held h[LOCKS];
    struct agent a;

    push_all(&a, h);
    mfi_held_forget(&a, (uintptr_t)&h[2], (uintptr_t)&h[4]);
    expect_list(&a, h, "5410");
    mfi_held_forget(&a, (uintptr_t)&h[5], (uintptr_t)&h[6]);
    expect_list(&a, h, "410");
    mfi_held_forget(&a, (uintptr_t)&h[0], (uintptr_t)&h[6]);
    expect_list(&a, h, "");
}

static struct agent mourned;
static int deaths[LOCKS], nr_deaths, liar;
static struct held locks[LOCKS];

static bool dies(struct agent *a, struct held *h)
{
    EXPECT_EQ(a, &mourned);
    h->next = ~(uintptr_t)0; /* the next owner's already */
    deaths[nr_deaths++] = (int)(h - locks);
    return h - locks != liar;
}

MFI_TEST(what_is_left_is_released_the_latest_first)
{
    mfi_held_died_fn *had[HELD_KINDS];

    memcpy(had, mfi_held_died, sizeof had);
    for (liar = -1; liar < LOCKS; liar++) {
        mfi_held_died[HELD_MUTEX] = mfi_held_died[HELD_RWLOCK] = dies;
        nr_deaths = 0;
        push_all(&mourned, locks);
        mfi_held_release(&mourned);
        EXPECT_EQ(mourned.held, NULL);
        EXPECT_EQ(nr_deaths, liar < 0 ? LOCKS : LOCKS - liar);
        for (int i = 0; i < nr_deaths; i++)
            EXPECT_EQ(deaths[i], LOCKS - 1 - i);
    }
    memcpy(mfi_held_died, had, sizeof had);
}

/* What lies where a lock was is left alone, and what it may point to. */
MFI_TEST(a_lock_that_is_not_the_owners_ends_the_walk)
{
    mf_mutex m[3] = {{{0, 0}}};
    struct agent a = {.held = NULL};

    for (int i = 0; i < 3; i++) {
        m[i].mfi_[0] = (uintptr_t)&a;
        mfi_held_push(&a, (struct held *)(void *)&m[i].mfi_[1], HELD_MUTEX);
    }
    m[1].mfi_[0] = 0x5a5a5a5a;
    mfi_held_release(&a);
    EXPECT_EQ(a.held, NULL);
    EXPECT_NE(m[2].mfi_[0], (uintptr_t)&a);
    EXPECT_EQ(m[1].mfi_[0], 0x5a5a5a5a);
    EXPECT_EQ(m[0].mfi_[0], (uintptr_t)&a);
}

/* ---- owners that end ----------------------------------------------------- */

enum way { RETURNS, PANICS, EXITS, CANCELED, THREAD, WAYS };

struct estate {
    mf_mutex m;
    enum way way;
    mf_event taken, end;
    _Atomic int heirs, told;
    mf_task *_Atomic owner;
};

static int ends_with_it(void *arg)
{
    struct estate *e = arg;

    EXPECT_EQ(mf_mutex_lock(&e->m, late()), 0);
    mf_event_fire(&e->taken);
    if (e->way == CANCELED) {
        EXPECT_EQ(mf_event_wait(&e->end, MF_NEVER), -ECANCELED);
        return -ECANCELED;
    }
    EXPECT_EQ(mf_event_wait(&e->end, late()), 0);
    if (e->way == PANICS)
        mf_panic("with a lock");
    if (e->way == EXITS)
        mf_exit(3);
    return 0;
}

static void *ends_with_it_thread(void *arg)
{
    EXPECT_EQ(ends_with_it(arg), 0);
    return NULL;
}

static int inherits(void *arg)
{
    struct estate *e = arg;
    int rc = mf_mutex_lock(&e->m, late());

    EXPECT(rc == 0 || rc == MF_OWNER_DIED);
    mfi_add_acqrel(&e->heirs, 1);
    mfi_add_acqrel(&e->told, rc);
    EXPECT_EQ(mf_mutex_unlock(&e->m), 0);
    return 0;
}

static void await_queued(mf_mutex *m)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while ((mfi_load_acq((_Atomic uint64_t *)&m->mfi_[0]) & 1) == 0) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

struct end {
    int heirs;
    bool early;  /* they queue before the end */
    mf_ns after; /* they have waited so long */
};

static void join_thread(pthread_t t)
{
    struct crew c = {.thread = {t}, .threads = 1};
    struct crew *at = &c;

    EXPECT_EQ(mf_block(crew_join_threads, &at, sizeof at, NULL, MF_NEVER), 0);
}

static void end_by(enum way way, const struct end *how)
{
    struct estate e = {.way = way};
    mf_task *owner = NULL;
    pthread_t thread;
    struct crew c;
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    if (way == THREAD)
        EXPECT_EQ(pthread_create(&thread, NULL, ends_with_it_thread, &e), 0);
    else
        EXPECT_EQ(mf_spawn(&s, ends_with_it, &e, NULL, &owner), 0);
    EXPECT_EQ(mf_event_wait(&e.taken, late()), 0);
    crew_open(&c);
    for (int i = 0; i < how->heirs && how->early; i++)
        crew_add(&c, i % 3 == 2, inherits, &e);
    if (how->early)
        await_queued(&e.m);
    EXPECT_EQ(mf_sleep(how->after), 0);
    if (way == CANCELED)
        mf_task_cancel(owner);
    else
        mf_event_fire(&e.end);
    for (int i = 0; i < how->heirs && !how->early; i++)
        crew_add(&c, i % 3 == 2, inherits, &e);
    if (way == THREAD)
        join_thread(thread);
    crew_close(&c);
    (void)mf_scope_close(&s);
    EXPECT_EQ(e.heirs, how->heirs);
    if (how->heirs == 0)
        EXPECT_EQ(inherits(&e), 0);
    EXPECT_EQ(e.told, 1);
    EXPECT_EQ(e.m.mfi_[0], 0);
}

static int ends(void *arg)
{
    (void)arg;
    for (int way = 0; way < WAYS; way++) {
        for (int i = 0; i < (MFI_TEST_SIM ? 1 : 10); i++) {
            end_by((enum way)way, &(struct end){.heirs = 0});
            end_by((enum way)way, &(struct end){.heirs = 1});
            end_by((enum way)way, &(struct end){.heirs = 5});
            end_by((enum way)way, &(struct end){.heirs = 1, .early = true});
            end_by((enum way)way, &(struct end){.heirs = 5, .early = true});
        }
        end_by((enum way)way, &(struct end){5, true, MF_MSEC(2)});
    }
    return 0;
}

MFI_TEST(however_an_owner_ends_exactly_one_is_told)
{
    in_tasks(1, ends, NULL);
    in_both(ends, NULL);
}

/* ---- several ------------------------------------------------------------- */

enum { MANY = 5 };

struct many {
    mf_mutex m[MANY];
    const char *unlocks; /* before it ends */
};

static int ends_with_many(void *arg)
{
    struct many *x = arg;

    for (int i = 0; i < MANY; i++)
        mf_mutex_hold(&x->m[i]);
    for (const char *p = x->unlocks; *p != '\0'; p++)
        EXPECT_EQ(mf_mutex_unlock(&x->m[*p - '0']), 0);
    return 0;
}

static int several(void *arg)
{
    static const char *const orders[] = {"",    "4",   "43210", "01234", "2",
                                         "024", "130", "3142",  "0",     "31"};

    (void)arg;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct many x = {.unlocks = orders[i]};

        crew_run(i % 2 == 0, i % 2 != 0, ends_with_many, &x);
        for (int k = 0; k < MANY; k++) {
            bool died = strchr(orders[i], '0' + k) == NULL;

            EXPECT_EQ(mf_mutex_lock(&x.m[k], MF_NOW), died);
        }
        for (int k = 0; k < MANY; k++)
            EXPECT_EQ(mf_mutex_unlock(&x.m[k]), 0);
    }
    return 0;
}

MFI_TEST(of_several_those_still_held_are_released)
{
    in_both(several, NULL);
}

/* ---- who is told --------------------------------------------------------- */

static int takes(void *arg)
{
    EXPECT_GE(mf_mutex_lock(arg, late()), 0);
    return 0;
}

static int told_once(void *arg)
{
    mf_mutex m = {{0, 0}};

    (void)arg;
    crew_run(1, 0, takes, &m);
    mf_mutex_hold(&m); /* cannot say */
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), -EDEADLK);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), 0);
    mfi_mutex_mark_died(&m);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mfi_mutex_relock(&m), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(mfi_mutex_relock(&m), 0);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    crew_run(0, 1, takes, &m);
    crew_run(1, 0, takes, &m); /* dies in turn: told, and one to tell again */
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_hold_leaves_the_news_to_the_next_lock)
{
    in_both(told_once, NULL);
}

static void defers_last(void *m)
{
    EXPECT(mfi_mutex_owned(m));
    EXPECT_EQ(mf_mutex_unlock(m), 0);
}

static int unlocks_in_a_defer(void *arg)
{
    mf_mutex_hold(arg);
    EXPECT_EQ(mf_defer(defers_last, arg), 0);
    mf_panic("after the defer");
}

static int relocks(void *arg)
{
    mf_mutex_hold(arg);
    mf_mutex_hold(arg);
    return 0;
}

static int ends_badly(mf_fn *fn, void *arg, const char *text)
{
    const char *message = "";
    mf_scope s;
    mf_task *t;
    int rc;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, fn, arg, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &rc, late()), 0);
    EXPECT_EQ(mf_task_ending(t, &message), MF_PANICKED);
    EXPECT_STR_HAS(message, text);
    (void)mf_scope_close(&s);
    return rc;
}

static int defers(void *arg)
{
    mf_mutex m = {{0, 0}};

    (void)arg;
    ends_badly(unlocks_in_a_defer, &m, "after the defer");
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), 0);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    ends_badly(relocks, &m, "has it already");
    EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_unlock(&m), 0);
    return 0;
}

MFI_TEST(defers_still_hold_and_a_hold_held_panics)
{
    in_both(defers, NULL);
}

static void relocks_here(void)
{
    mf_mutex m = {{0, 0}};

    relocks(&m);
}

MFI_TEST(a_thread_that_holds_what_it_holds_dies)
{
    EXPECT_DIES(relocks_here, SIGABRT, "has it already");
}

/* ---- locks in frames that go --------------------------------------------- */

struct frames {
    mf_mutex before, between, after;
    int unlocked;
    struct frames *self;
};

static void runs_over_the_stack(void *arg)
{
    volatile char dirt[8192];

    (void)arg;
    for (size_t i = 0; i < sizeof dirt; i++)
        dirt[i] = (char)0xa5;
}

static void unlocks(struct frames **f)
{
    runs_over_the_stack(NULL);
    EXPECT_EQ(mf_mutex_unlock(&(*f)->between), 0);
    (*f)->unlocked++;
}

static MFI_NOINLINE void deeper(struct frames *f)
{
    mf_mutex own[3] = {{{0, 0}}};

    mf_mutex_hold(&own[0]);
    mf_mutex_hold(&f->after);
    mf_mutex_hold(&own[2]);
    mf_mutex_hold(&own[1]);
    mf_panic("out of %p", (void *)own);
}

static int leaves_frames(void *arg)
{
    struct frames *f __attribute__((__cleanup__(unlocks))) = arg;
    mf_mutex own = {{0, 0}};

    EXPECT_EQ(mf_defer(runs_over_the_stack, NULL), 0);
    mf_mutex_hold(&f->before);
    mf_mutex_hold(&own);
    mf_mutex_hold(&f->between);
    deeper(f);
    return 0;
}

static int frames(void *arg)
{
    struct frames f = {.unlocked = 0};

    (void)arg;
    ends_badly(leaves_frames, &f, "out of");
    EXPECT_EQ(f.unlocked, 1);
    EXPECT_EQ(mf_mutex_lock(&f.before, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_lock(&f.between, MF_NOW), 0);
    EXPECT_EQ(mf_mutex_lock(&f.after, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_mutex_unlock(&f.between), 0);
    EXPECT_EQ(mf_mutex_unlock(&f.before), 0);
    EXPECT_EQ(mf_mutex_unlock(&f.after), 0);
    return 0;
}

MFI_TEST(a_panic_takes_frames_with_locks_away)
{
    in_both(frames, NULL);
}
