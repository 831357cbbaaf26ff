/* SPDX-License-Identifier: MIT */
/* local_test.c - local values: whose they are, and when they are dropped. */
#include <mayfly.h>

#include "io/kit.h"

#define NUMBER(n) ((void *)(intptr_t)(n))
#define CONST(p)  ((void *)(uintptr_t)(p))

static _Atomic int live; /* values made and not dropped */

static char order[256]; /* of what one task did */

static void note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

/* ---- values on the heap ------------------------------------------------- */

static void *make_box(void)
{
    int *box = malloc(sizeof *box);

    EXPECT(box != NULL);
    *box = 0;
    live++;
    return box;
}

static void drop_box(void *value)
{
    free(value);
    live--;
}

static mf_local box = MF_LOCAL_INIT(.make = make_box, .drop = drop_box);
static mf_local bare = MF_LOCAL_INIT(.drop = drop_box); /* no make */

static int *get(mf_local *key)
{
    void *value = NULL;

    EXPECT_EQ(mf_local_get(key, &value), 1);
    EXPECT(value != NULL);
    return value;
}

static int basics(void *arg)
{
    void *value = &value, *other;
    int *first;

    (void)arg;
    EXPECT_EQ(mf_local_get(NULL, &value), -EINVAL);
    EXPECT_EQ(mf_local_get(&box, NULL), -EINVAL);
    EXPECT_EQ(mf_local_set(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_local_get(&bare, &value), 0);
    EXPECT(value == &value);
    EXPECT_EQ(mf_local_set(&bare, NULL), 0);
    first = get(&box);
    *first = 7;
    EXPECT(get(&box) == first);
    EXPECT_EQ(live, 1);
    EXPECT_EQ(mf_local_set(&box, first), 0); /* the same: stays */
    EXPECT_EQ(*get(&box), 7);
    EXPECT_EQ(mf_local_set(&box, make_box()), 0); /* the old one goes */
    EXPECT_EQ(live, 1);
    EXPECT_EQ(*get(&box), 0);
    EXPECT_EQ(mf_local_set(&box, NULL), 0);
    EXPECT_EQ(live, 0);
    get(&box); /* made anew */
    EXPECT_EQ(mf_local_set(&bare, other = make_box()), 0);
    EXPECT(get(&bare) == other);
    EXPECT_EQ(mf_local_set(&bare, NULL), 0);
    EXPECT_EQ(mf_local_get(&bare, &value), 0);
    EXPECT_EQ(mf_local_set(&box, NULL), 0);
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(a_value_is_made_set_replaced_and_removed)
{
    in_both(basics, NULL);
}

/* ---- one per task, thread and key --------------------------------------- */

enum { KEYS = 40, TASKS = 200 / KIT_SLOW };

static mf_local many[KEYS]; /* without functions: plain words */

static int keeps_its_own(void *arg)
{
    int me = (int)(intptr_t)arg;
    void *value;

    for (int k = 0; k < KEYS; k++) {
        EXPECT_EQ(mf_local_get(&many[k], &value), 0);
        if ((me + k) % 3 != 0)
            EXPECT_EQ(mf_local_set(&many[k], NUMBER(me * 1000 + k + 1)), 0);
        breathe();
    }
    *get(&box) = me;
    for (int i = 0; i < 5; i++) {
        EXPECT(mf_sleep(MF_USEC(10)) <= 0);
        for (int k = 0; k < KEYS; k++) {
            EXPECT_EQ(mf_local_get(&many[k], &value), (me + k) % 3 != 0);
            if ((me + k) % 3 != 0)
                EXPECT_EQ(value, NUMBER(me * 1000 + k + 1));
        }
        EXPECT_EQ(*get(&box), me);
    }
    return 0;
}

static void *keeps_in_a_thread(void *arg)
{
    EXPECT_EQ(keeps_its_own(arg), 0);
    return NULL;
}

static int many_keep(void *arg)
{
    pthread_t thread[2];
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, keeps_its_own, NUMBER(i)), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, keeps_in_a_thread,
                                 NUMBER(5000 + i)),
                  0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_EQ(live, 0); /* all ends have dropped theirs */
    return 0;
}

MFI_TEST(each_task_and_thread_has_values_of_its_own)
{
    in_tasks(1, many_keep, NULL);
    in_tasks(4, many_keep, NULL);
    in_thread(many_keep, NULL);
}

static int has_boxes(void *arg)
{
    (void)arg;
    get(&box);
    return mf_local_set(&many[KEYS - 1], NUMBER(1)); /* more than a record */
}

static int many_come_and_go(void *arg)
{
    size_t records = 0;

    (void)arg;
    for (int i = 0; i < 4; i++) {
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int k = 0; k < 500; k++)
            EXPECT_EQ(mf_go(&s, has_boxes, NULL), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(live, 0);
        if (i > 0)
            EXPECT_EQ(mfi_slabs_live(), records);
        records = mfi_slabs_live();
    }
    return 0;
}

MFI_TEST(tables_are_given_back)
{
    in_tasks(1, many_come_and_go, NULL);
}

static int no_more_keys(void *arg)
{
    static mf_local all[1024 + 3];
    int n = 0, rc;
    void *value;

    (void)arg;
    while ((rc = mf_local_set(&all[n], NUMBER(n + 1))) == 0)
        n++;
    EXPECT_EQ(rc, -EAGAIN);
    EXPECT_EQ(mf_local_set(&all[n + 1], NUMBER(1)), -EAGAIN);
    EXPECT_EQ(mf_local_set(&all[n + 1], NULL), 0);
    EXPECT_EQ(mf_local_get(&all[n + 1], &value), 0); /* no make: none */
    EXPECT_EQ(mf_local_get(&box, &value), -EAGAIN);
    EXPECT_EQ(n, 1024);
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(mf_local_get(&all[i], &value), 1);
        EXPECT_EQ(value, NUMBER(i + 1));
    }
    return 0;
}

MFI_TEST(there_are_1024_keys)
{
    in_tasks(1, no_more_keys, NULL); /* each test is a process of its own */
}

/* ---- the end ------------------------------------------------------------ */

static void drop_note(void *value)
{
    note(value);
}

static mf_local a = MF_LOCAL_INIT(.drop = drop_note);
static mf_local b = MF_LOCAL_INIT(.drop = drop_note);
static mf_local c = MF_LOCAL_INIT(.drop = drop_note);

static void deferred(void *arg)
{
    void *value;

    EXPECT_EQ(mf_local_get(&a, &value), 1); /* still there */
    note(arg);
}

static int sets_some(void *arg)
{
    EXPECT_EQ(mf_local_set(&b, CONST("b")), 0);
    EXPECT_EQ(mf_local_set(&a, CONST("a")), 0);
    EXPECT_EQ(mf_local_set(&c, CONST("c")), 0);
    EXPECT_EQ(mf_local_set(&b, CONST("B")), 0); /* now the latest */
    EXPECT_EQ(mf_defer(deferred, CONST("d")), 0);
    note("f");
    return (int)(intptr_t)arg;
}

struct end {
    mf_fn *fn;
    void *arg;
    int rc;
    enum mf_ending ending;
    const char *order;
    const char *message;
};

static int one_end(void *arg)
{
    const struct end *e = arg;
    const char *message = NULL;
    int rc = 12345;
    mf_task *t;
    mf_scope s;

    order[0] = '\0';
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, e->fn, e->arg, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, e->rc);
    EXPECT_EQ(mf_task_ending(t, &message), e->ending);
    if (e->message != NULL)
        EXPECT_STR_EQ(message, e->message);
    else
        EXPECT(message == NULL);
    EXPECT_STR_EQ(order, e->order);
    EXPECT_EQ(live, 0);
    EXPECT_EQ(mf_scope_close(&s), rc < 0 && e->ending != MF_CANCELED ? rc : 0);
    return 0;
}

static void ends(const struct end *e)
{
    in_tasks(1, one_end, CONST(e));
    in_tasks(2, one_end, CONST(e));
}

MFI_TEST(values_are_dropped_latest_first_after_the_defers_before_the_join)
{
    ends(&(struct end){sets_some, NUMBER(8), 8, MF_RETURNED, "bfdBca", NULL});
}

static void drop_slowly(void *value)
{
    EXPECT_EQ(mf_cancelled(), 0);
    EXPECT_EQ(mf_sleep(MF_USEC(100)), 0);
    note(value);
}

static mf_local slow = MF_LOCAL_INIT(.drop = drop_slowly);

static int is_cancelled(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_local_set(&slow, CONST("s")), 0);
    mf_task_cancel(mf_self());
    return mf_sleep_until(MF_NEVER);
}

MFI_TEST(drops_are_shielded_and_may_wait)
{
    ends(&(struct end){is_cancelled, NULL, -ECANCELED, MF_CANCELED, "s", NULL});
}

static mf_local again;

static void drop_and_set(void *value)
{
    char *text = value;

    note(text);
    EXPECT_EQ(mf_local_set(&again, text + 1), 0); /* for the next round */
    EXPECT_EQ(mf_local_set(&b, CONST("b")), 0);
}

static mf_local again = MF_LOCAL_INIT(.drop = drop_and_set);

static int sets_again(void *arg)
{
    EXPECT_EQ(mf_local_set(&a, CONST("a")), 0);
    EXPECT_EQ(mf_local_set(&again, CONST("123456")), 0);
    return (int)(intptr_t)arg;
}

MFI_TEST(what_a_drop_sets_is_dropped_in_four_rounds)
{
    ends(&(struct end){sets_again, NUMBER(1), 1, MF_RETURNED,
                       "123456ab23456b3456b456", NULL});
}

static void drop_untidily(void *value)
{
    static mf_scope s; /* where it may be after the return */

    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_defer(drop_note, value), 0);
}

static mf_local untidy = MF_LOCAL_INIT(.drop = drop_untidily);

static int leaves_untidily(void *arg)
{
    EXPECT_EQ(mf_local_set(&untidy, CONST("u")), 0);
    return (int)(intptr_t)arg;
}

MFI_TEST(what_a_drop_opens_and_defers_is_seen_to)
{
    ends(&(struct end){leaves_untidily, NULL, 0, MF_RETURNED, "u", NULL});
}

/* ---- drops that leave --------------------------------------------------- */

static mf_local bad;

static void drop_and_panic(void *value)
{
    note(value);
    get(&box);
    EXPECT_EQ(mf_local_set(&bad, value), 0); /* each time */
    mf_panic("drop %s", (const char *)value);
}

static void drop_and_exit(void *value)
{
    note(value);
    mf_exit(4);
}

static mf_local bad = MF_LOCAL_INIT(.drop = drop_and_panic);
static mf_local leaver = MF_LOCAL_INIT(.drop = drop_and_exit);

static int has_a_bad_one(void *arg)
{
    EXPECT_EQ(mf_local_set(&a, CONST("a")), 0);
    EXPECT_EQ(mf_local_set(&bad, CONST("!")), 0);
    EXPECT_EQ(mf_local_set(&b, CONST("b")), 0);
    if (arg != NULL)
        mf_panic("%s", (const char *)arg);
    return 3;
}

MFI_TEST(a_drop_that_panics_each_time_ends_its_task_all_the_same)
{
    ends(&(struct end){has_a_bad_one, NULL, -ENOTRECOVERABLE, MF_PANICKED,
                       "b!a!!!", "drop !"});
    ends(&(struct end){has_a_bad_one, CONST("x"), -ENOTRECOVERABLE, MF_PANICKED,
                       "b!a!!!", "drop !"});
}

static int has_a_leaver(void *arg)
{
    EXPECT_EQ(mf_local_set(&a, CONST("a")), 0);
    EXPECT_EQ(mf_local_set(&leaver, CONST("e")), 0);
    EXPECT_EQ(mf_local_set(&b, CONST("b")), 0);
    if (arg != NULL)
        mf_panic("%s", (const char *)arg);
    return 3;
}

MFI_TEST(an_exit_in_a_drop_replaces_the_result_but_not_a_panic)
{
    ends(&(struct end){has_a_leaver, NULL, 4, MF_EXITED, "bea", NULL});
    ends(&(struct end){has_a_leaver, CONST("lost"), -ENOTRECOVERABLE,
                       MF_PANICKED, "bea", "lost"});
}

/* ---- made by functions that do things ----------------------------------- */

static mf_local eager;

static void *make_after_setting(void)
{
    EXPECT_EQ(mf_local_set(&eager, CONST("first")), 0);
    EXPECT_EQ(mf_yield(), 0);
    for (int k = 0; k < KEYS; k++) /* the table grows meanwhile */
        EXPECT_EQ(mf_local_set(&many[k], NUMBER(k + 1)), 0);
    return CONST("second");
}

static mf_local eager =
    MF_LOCAL_INIT(.make = make_after_setting, .drop = drop_note);

static void *make_none(void)
{
    return NULL;
}

static mf_local none = MF_LOCAL_INIT(.make = make_none);

static int makes(void *arg)
{
    void *value = NULL;

    (void)arg;
    order[0] = '\0';
    EXPECT_EQ(mf_local_get(&eager, &value), 1);
    EXPECT_STR_EQ(value, "second");
    EXPECT_STR_EQ(order, "first");
    EXPECT_EQ(mf_local_get(&none, &value), 0);
    EXPECT_EQ(mf_local_get(&none, &value), 0);
    EXPECT_EQ(mf_local_set(&eager, NULL), 0);
    for (int k = 0; k < KEYS; k++)
        EXPECT_EQ(mf_local_set(&many[k], NULL), 0);
    return 0;
}

MFI_TEST(a_make_may_wait_and_set_values_itself)
{
    in_both(makes, NULL);
}

/* ---- plain threads ------------------------------------------------------ */

static void *ends_with_values(void *arg)
{
    EXPECT_EQ(mf_local_set(&a, CONST("a")), 0);
    EXPECT_EQ(mf_local_set(&slow, CONST("s")), 0); /* it may still block */
    EXPECT_EQ(mf_local_set(&again, CONST("12345")), 0);
    get(&box);
    return arg;
}

static void run_a_thread(void)
{
    pthread_t thread;

    order[0] = '\0';
    EXPECT_EQ(pthread_create(&thread, NULL, ends_with_values, NULL), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_STR_EQ(order, "12345sab2345b345b45");
    EXPECT_EQ(live, 0);
}

MFI_TEST(a_threads_values_are_dropped_when_it_ends)
{
    run_a_thread(); /* without a runtime, too */
    EXPECT_EQ(mf_start(NULL), 0);
    run_a_thread();
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
    run_a_thread();
}

static int sees_none(void *arg)
{
    void *value;

    (void)arg;
    EXPECT_EQ(mf_local_get(&bare, &value), 0);
    return 0;
}

MFI_TEST(the_main_threads_values_outlive_the_runtime)
{
    EXPECT_EQ(mf_local_set(&bare, make_box()), 0);
    *get(&bare) = 17;
    for (int i = 0; i < 3; i++) {
        in_tasks(2, sees_none, NULL);
        EXPECT_EQ(*get(&bare), 17);
    }
    EXPECT_EQ(mf_local_set(&bare, NULL), 0);
    EXPECT_EQ(live, 0);
}

/* ---- functions on the pool ---------------------------------------------- */

static int job(void *arg)
{
    void *value;

    (void)arg;
    EXPECT_EQ(mf_local_get(&bare, &value), 0); /* nobody's left-overs */
    EXPECT_EQ(mf_local_set(&bare, make_box()), 0);
    return 0;
}

static int runs_jobs(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(mf_block(job, NULL, 0, NULL, MF_NEVER), 0);
        EXPECT_EQ(live, 0); /* dropped before the result was seen */
    }
    return 0;
}

MFI_TEST(a_job_on_the_pool_begins_and_ends_without_values)
{
    in_both(runs_jobs, NULL);
}

/* ---- generators --------------------------------------------------------- */

static int uses_the_askers(mf_gen *self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        *get(&box) += 1;
        EXPECT_EQ(mf_gen_yield(self, NULL), 0);
    }
    return 0;
}

static int asks_once(void *arg)
{
    EXPECT_EQ(mf_gen_next(arg, NULL), 1);
    EXPECT_EQ(*get(&box), 1);
    return 0;
}

static int asks(void *arg)
{
    struct helper h;
    mf_gen *g;

    (void)arg;
    EXPECT_EQ(mf_gen_make(uses_the_askers, NULL, 0, &g), 0);
    EXPECT_EQ(asks_once(g), 0);
    help(&h, asks_once, g); /* another task's */
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_gen_next(g, NULL), 1);
    EXPECT_EQ(*get(&box), 2);
    EXPECT_EQ(mf_gen_next(g, NULL), 0);
    mf_gen_free(g);
    EXPECT_EQ(mf_local_set(&box, NULL), 0);
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(a_generator_has_the_values_of_who_asks)
{
    in_both(asks, NULL);
}
