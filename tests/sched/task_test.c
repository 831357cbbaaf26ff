/* SPDX-License-Identifier: MIT */
/* task_test.c - handles, joins, references, ends, names. */
#include "sched/help.h"

#include <pthread.h>

#include "sched/spawn.h"

static _Atomic int step;

static int waits_for_step(void *arg)
{
    WAIT_UNTIL(step >= 1);
    return (int)(intptr_t)arg;
}

/* ---- join --------------------------------------------------------------- */

static int join_results(void *arg)
{
    int rc = 99;
    mf_task *t;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    step = 0;
    EXPECT_EQ(mf_spawn(&s, waits_for_step, NUMBER(-5), NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &rc, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_join(t, &rc, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    EXPECT_EQ(rc, 99);
    EXPECT_EQ(mf_task_ending(t, NULL), MF_RUNNING);
    step = 1;
    for (int i = 0; i < 3; i++) { /* joining frees nothing */
        EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
        EXPECT_EQ(rc, -5);
    }
    EXPECT_EQ(mf_join(t, NULL, MF_NOW), 0);
    EXPECT_EQ(mf_task_ending(t, NULL), MF_RETURNED);
    EXPECT_EQ(mf_join(NULL, &rc, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_join(mf_self(), &rc, MF_NEVER), -EDEADLK);
    EXPECT_EQ(mf_scope_close(&s), -5);
    return 0;
}

MFI_TEST(join_waits_for_the_end_and_tells_the_result)
{
    EXPECT_EQ(run_on(1, join_results, NULL), 0);
    EXPECT_EQ(run_on(2, join_results, NULL), 0);
}

static int joins(void *arg)
{
    int rc = 0;

    EXPECT_EQ(mf_join(arg, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, 23);
    step++;
    return 0;
}

static void *thread_joins(void *arg)
{
    EXPECT_EQ(joins(arg), 0);
    return NULL;
}

static int many_join(void *arg)
{
    pthread_t threads[4];
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    step = 0;
    EXPECT_EQ(mf_spawn(&s, waits_for_step, NUMBER(23), NULL, &t), 0);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_go(&s, joins, t), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, thread_joins, t), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(3)), 0);
    EXPECT_EQ(step, 0);
    step = 1;
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
    WAIT_UNTIL(step == 25);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(tasks_and_threads_join_one_task_together)
{
    EXPECT_EQ(run_on(1, many_join, NULL), 0);
    EXPECT_EQ(run_on(3, many_join, NULL), 0);
}

static int joins_without_end(void *arg)
{
    return mf_join(arg, NULL, MF_NEVER);
}

static int a_joiner_is_cancelled(void *arg)
{
    int rc = 0;
    mf_task *t, *joiner;
    MF_SCOPE(s);

    (void)arg;
    step = 0;
    EXPECT_EQ(mf_spawn(&s, waits_for_step, NUMBER(23), NULL, &t), 0);
    EXPECT_EQ(mf_go(&s, joins, t), 0);
    EXPECT_EQ(mf_spawn(&s, joins_without_end, t, NULL, &joiner), 0);
    EXPECT_EQ(mf_go(&s, joins, t), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    mf_task_cancel(joiner);
    EXPECT_EQ(mf_join(joiner, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, -ECANCELED);
    EXPECT_EQ(mf_task_ending(t, NULL), MF_RUNNING);
    step = 1;
    EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, 23);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(step, 3);
    return 0;
}

MFI_TEST(a_joiner_that_is_cancelled_leaves_the_others_alone)
{
    EXPECT_EQ(run_on(1, a_joiner_is_cancelled, NULL), 0);
    EXPECT_EQ(run_on(2, a_joiner_is_cancelled, NULL), 0);
}

/* The task ends as its joiners' deadlines pass. */
static int ends_at_once(void *arg)
{
    spin((uint32_t)(uintptr_t)arg);
    return 23;
}

static int joins_within(void *arg)
{
    int rc = 0;

    do
        rc = mf_join(arg, NULL, mf_after(500));
    while (rc == -ETIMEDOUT);
    EXPECT_EQ(rc, 0);
    return 0;
}

static int join_races(void *arg)
{
    uint32_t seed = 3;

    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(5000); i++) {
        mf_task *t;
        MF_SCOPE(s);

        EXPECT_EQ(
            mf_spawn(&s, ends_at_once, NUMBER(chance(&seed, 3000)), NULL, &t),
            0);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(mf_go(&s, joins_within, t), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(a_join_meets_the_end_at_any_moment)
{
    EXPECT_EQ(run_on(1, join_races, NULL), 0);
    EXPECT_EQ(run_on(2, join_races, NULL), 0);
    EXPECT_EQ(run_on(4, join_races, NULL), 0);
}

/* ---- handles ------------------------------------------------------------ */

static int panics(void *arg)
{
    mf_panic("%s", (const char *)arg);
}

static int keeps_references(void *arg)
{
    const char *text = NULL;
    int rc = 0;
    mf_task *t, *kept;

    (void)arg;
    {
        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_spawn(&s, panics, CONST("kept"),
                           MF_TASK_OPTIONS(.name = "named"), &t),
                  0);
        kept = mf_task_ref(t);
        EXPECT(kept == t);
        EXPECT_EQ(mf_scope_close(&s), -ENOTRECOVERABLE);
    }
    EXPECT_EQ(mf_join(kept, &rc, MF_NEVER), 0); /* beyond its scope */
    EXPECT_EQ(rc, -ENOTRECOVERABLE);
    EXPECT_EQ(mf_task_ending(kept, &text), MF_PANICKED);
    EXPECT_STR_EQ(text, "kept");
    EXPECT_STR_EQ(mf_task_name(kept), "named");
    EXPECT_EQ(mf_unpark(kept), -ESRCH);
    mf_task_cancel(kept);
    mf_task_release(kept); /* the scope's part is over: nothing happens */
    mf_task_unref(kept);
    mf_task_unref(NULL);
    mf_task_release(NULL);
    EXPECT(mf_task_ref(NULL) == NULL);
    EXPECT_EQ(mf_task_ending(NULL, NULL), MF_RUNNING);
    return 0;
}

MFI_TEST(a_reference_keeps_a_task_beyond_its_scope)
{
    EXPECT_EQ(run_on(1, keeps_references, NULL), 0);
}

static int releases(void *arg)
{
    uint32_t seed = 11;
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(20000); i++) {
        mf_task *t;

        EXPECT_EQ(mf_spawn(&s, ends_at_once, NULL, NULL, &t), 0);
        switch (chance(&seed, 4)) {
        case 0: /* before the end */
            mf_task_release(t);
            break;
        case 1: /* after it */
            EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
            mf_task_release(t);
            break;
        case 2: /* about then */
            EXPECT_EQ(mf_yield(), 0);
            mf_task_release(t);
            break;
        default: /* by the close */
            break;
        }
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_handle_may_be_released_before_at_and_after_the_end)
{
    EXPECT_EQ(run_on(1, releases, NULL), 0);
    EXPECT_EQ(run_on(4, releases, NULL), 0);
}

/* ---- who am I ----------------------------------------------------------- */

static int says_who(void *arg)
{
    mf_task **self = arg;

    *self = mf_self();
    EXPECT_NE(mf_task_id(mf_self()), 0);
    return 0;
}

static int identities(void *arg)
{
    mf_task *t[3] = {NULL}, *self[3] = {NULL};
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(
        mf_spawn(&s, says_who, &self[0], MF_TASK_OPTIONS(.name = "one"), &t[0]),
        0);
    EXPECT_EQ(mf_spawn(&s, says_who, &self[1], MF_TASK_OPTIONS(.site = MF_HERE),
                       &t[1]),
              0);
    EXPECT_EQ(mf_spawn(&s, says_who, &self[2], NULL, &t[2]), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    for (int i = 0; i < 3; i++)
        EXPECT(self[i] == t[i]);
    EXPECT_STR_EQ(mf_task_name(t[0]), "one");
    EXPECT_STR_HAS(mf_task_name(t[1]), "task_test.c:");
    EXPECT_NE(mf_task_id(t[0]), mf_task_id(t[1]));
    EXPECT_NE(mf_task_id(t[0]), mf_task_id(mf_self()));
    EXPECT_STR_EQ(mf_task_name(mf_self()), "main");
    return mf_scope_close(&s);
}

MFI_TEST(a_task_has_a_number_and_a_name)
{
    EXPECT_EQ(run_on(1, identities, NULL), 0);
}

/* ---- watches ------------------------------------------------------------ */

struct watched {
    struct end_watch watch;
    mf_task *task;
    _Atomic int told;
    int result;
    enum mf_ending ending;
    bool message;
};

static void hears(struct end_watch *watch)
{
    struct watched *w = mfi_container_of(watch, struct watched, watch);
    struct scope *s = w->task->scope;
    const char *message = NULL;

    mfi_spin_lock(&s->lock); /* no lock is held, and it is counted still */
    EXPECT_GE(s->live, 1);
    mfi_spin_unlock(&s->lock);
    w->ending = mf_task_ending(w->task, &message);
    w->message = message != NULL;
    w->result = w->task->result;
    w->told++;
}

static int panics_watched(void *arg)
{
    (void)arg;
    mf_panic("as watched");
}

static void watch_one(mf_scope *s, struct watched *w, mf_fn *fn, uint32_t flags)
{
    struct spawn_args how = {.fn = fn,
                             .arg = NUMBER(7),
                             .flags = flags | SPAWN_WATCHED,
                             .watch = &w->watch};

    *w = (struct watched){.told = 0};
    mfi_end_watch_init(&w->watch, hears);
    EXPECT_EQ(mfi_spawn(mfi_scope(s), &how, &w->task), 0);
}

static int each_is_watched(void *arg)
{
    struct watched returns, panic, skipped;
    mf_scope s, cancelled;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    watch_one(&s, &returns, returns_arg, 0);
    watch_one(&s, &panic, panics_watched, 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(returns.told, 1);
    EXPECT(returns.result == 7 && returns.ending == MF_RETURNED);
    EXPECT_EQ(panic.told, 1);
    EXPECT(panic.result == -ENOTRECOVERABLE && panic.ending == MF_PANICKED);
    EXPECT(panic.message && !returns.message);
    EXPECT_EQ(mf_scope_close(&s), -ENOTRECOVERABLE);

    EXPECT_EQ(mf_scope_open(&cancelled, NULL), 0);
    watch_one(&cancelled, &skipped, returns_arg, MF_TASK_SKIP_CANCELED);
    mf_scope_cancel(&cancelled);
    EXPECT_EQ(mf_scope_close(&cancelled), 0);
    EXPECT_EQ(skipped.told, 1);
    EXPECT(skipped.result == -ECANCELED && skipped.ending == MF_CANCELED);
    return 0;
}

MFI_TEST(a_watch_hears_of_every_end_before_the_scope)
{
    EXPECT_EQ(run_on(1, each_is_watched, NULL), 0);
}
