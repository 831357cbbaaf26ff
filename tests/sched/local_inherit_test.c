/* SPDX-License-Identifier: MIT */
/* local_inherit_test.c - values a spawn hands down, and who drops them. */
#include <mayfly.h>

#include <sys/resource.h>

#include "io/kit.h"

#define NUMBER(n) ((void *)(intptr_t)(n))
#define CONST(p)  ((void *)(uintptr_t)(p))

static _Atomic int live; /* values made and not dropped */

static char order[256];

static void note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

/* A number on the heap; the copy is one more. */
static void *make_number(int n)
{
    int *value = malloc(sizeof *value);

    EXPECT(value != NULL);
    *value = n;
    live++;
    return value;
}

static void *copy_number(void *parents)
{
    return make_number(*(int *)parents + 1);
}

static void drop_number(void *value)
{
    live--;
    free(value);
}

static void *copy_none(void *parents)
{
    (void)parents;
    return NULL;
}

static mf_local depth = MF_LOCAL_INIT(.copy = copy_number, .drop = drop_number);
static mf_local other = MF_LOCAL_INIT(.copy = copy_number, .drop = drop_number);
static mf_local own = MF_LOCAL_INIT(.drop = drop_number);
static mf_local refused = MF_LOCAL_INIT(.copy = copy_none, .drop = drop_number);

static int sleeps_for_ever(void *arg)
{
    (void)arg;
    return mf_sleep_until(MF_NEVER);
}

static int value_of(mf_local *key)
{
    void *value;

    return mf_local_get(key, &value) == 1 ? *(int *)value : -1;
}

static void set_all(int n)
{
    EXPECT_EQ(mf_local_set(&depth, make_number(n)), 0);
    EXPECT_EQ(mf_local_set(&own, make_number(n)), 0);
    EXPECT_EQ(mf_local_set(&refused, make_number(n)), 0);
}

static void clear_all(void)
{
    EXPECT_EQ(mf_local_set(&depth, NULL), 0);
    EXPECT_EQ(mf_local_set(&own, NULL), 0);
    EXPECT_EQ(mf_local_set(&refused, NULL), 0);
    EXPECT_EQ(mf_local_set(&other, NULL), 0);
}

/* ---- who inherits ------------------------------------------------------- */

static int descends(void *arg)
{
    int left = (int)(intptr_t)arg;
    mf_scope s;

    EXPECT_EQ(value_of(&own), -1);
    EXPECT_EQ(value_of(&refused), -1);
    EXPECT_EQ(value_of(&depth), 105 - left);
    if (left == 0)
        return 0;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, descends, NUMBER(left - 1)), 0);
    EXPECT_EQ(mf_go(&s, descends, NUMBER(left - 1)), 0);
    return mf_scope_close(&s);
}

static int hands_down(void *arg)
{
    mf_scope s;

    (void)arg;
    set_all(100);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, descends, NUMBER(4)), 0);
    EXPECT_EQ(mf_local_set(&depth, make_number(-5)), 0); /* too late */
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(live, 3);
    clear_all();
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(a_child_gets_what_copy_makes_of_the_parents_value)
{
    in_tasks(1, hands_down, NULL);
    in_tasks(4, hands_down, NULL);
    in_thread(hands_down, NULL); /* a thread is a parent, too */
}

/* The argument is copied too, and shares the record where it fits. */
struct big {
    unsigned char bytes[MF_COPY_MAX];
};

static _Atomic int checked;

static void expect_bytes(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        EXPECT_EQ(bytes[i], (unsigned char)(i + len));
    EXPECT_EQ(value_of(&depth), 101);
    checked++;
}

#define TAKES(len)                 \
 static int takes_##len(void *arg) \
 {                                 \
  expect_bytes(arg, len);          \
  EXPECT_EQ(mf_yield(), 0);        \
  expect_bytes(arg, len);          \
  return 0;                        \
 }
TAKES(1)
TAKES(8)
TAKES(39)
TAKES(40)
TAKES(41)
TAKES(48)
TAKES(49)
TAKES(512)

static int copies_arguments(void *arg)
{
    static const struct {
        mf_fn *fn;
        size_t len;
    } cases[] = {{takes_1, 1},   {takes_8, 8},    {takes_39, 39},
                 {takes_40, 40}, {takes_41, 41},  {takes_48, 48},
                 {takes_49, 49}, {takes_512, 512}};
    enum { N = sizeof cases / sizeof cases[0] };
    mf_scope s;

    (void)arg;
    checked = 0;
    set_all(100);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = 3)), 0);
    for (int i = 0; i < 4 * N; i++) {
        size_t len = cases[i % N].len;
        struct big big;

        for (size_t k = 0; k < len; k++)
            big.bytes[k] = (unsigned char)(k + len);
        EXPECT_EQ(mf_go_copy(&s, cases[i % N].fn, &big, len), 0);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(checked, 8 * N);
    clear_all();
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(arguments_of_every_length_come_along)
{
    in_tasks(1, copies_arguments, NULL);
    in_both(copies_arguments, NULL);
}

static int checks_depth(void *arg)
{
    EXPECT_EQ(value_of(&depth), (intptr_t)arg);
    checked++;
    return 0;
}

static int every_kind(void *arg)
{
    mf_task *t;
    mf_scope s;
    int ends[2];

    (void)arg;
    checked = 0;
    set_all(1);
    bare_pipe(ends);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(
        mf_go_when(&s, ends[0], POLLIN, MF_NEVER, checks_depth, NUMBER(2)), 0);
    EXPECT_EQ(
        mf_go_when(&s, ends[1], POLLOUT, MF_NEVER, checks_depth, NUMBER(2)), 0);
    EXPECT_EQ(mf_spawn(&s, checks_depth, NUMBER(2),
                       MF_TASK_OPTIONS(.flags = MF_TASK_INLINE), &t),
              0);
    EXPECT_EQ(mf_spawn(&s, checks_depth, NUMBER(2),
                       MF_TASK_OPTIONS(.flags = MF_TASK_PINNED), &t),
              0);
    EXPECT_EQ(mf_local_set(&depth, make_number(50)), 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(checked, 4);
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(mf_close(ends[1]), 0);
    clear_all();
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(every_way_to_spawn_hands_down_at_the_call)
{
    in_both(every_kind, NULL);
}

static int first_task(void *arg)
{
    (void)arg;
    EXPECT_EQ(value_of(&depth), 8);
    return 0;
}

MFI_TEST(the_first_task_inherits_from_who_calls_mf_run)
{
    EXPECT_EQ(mf_local_set(&depth, make_number(7)), 0);
    in_tasks(2, first_task, NULL);
    EXPECT_EQ(mf_local_set(&depth, NULL), 0);
    EXPECT_EQ(live, 0);
}

/* More keys than a record has room for, some of them inherited. */
enum { KEYS = 30 };

static void *copy_word(void *parents)
{
    return NUMBER((intptr_t)parents + 1000);
}

static mf_local words[KEYS];

static int has_every_third(void *arg)
{
    void *value;

    (void)arg;
    for (int k = 0; k < KEYS; k++) {
        EXPECT_EQ(mf_local_get(&words[k], &value), k % 3 == 0);
        if (k % 3 == 0)
            EXPECT_EQ(value, NUMBER(1001 + k));
    }
    return 0;
}

static int many_keys(void *arg)
{
    mf_scope s;

    (void)arg;
    for (int k = 0; k < KEYS; k++) {
        words[k].copy = k % 3 == 0 ? copy_word : NULL;
        EXPECT_EQ(mf_local_set(&words[k], NUMBER(k + 1)), 0);
    }
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(mf_go(&s, has_every_third, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int k = 0; k < KEYS; k++)
        EXPECT_EQ(mf_local_set(&words[k], NULL), 0);
    return 0;
}

MFI_TEST(large_tables_are_handed_down)
{
    in_both(many_keys, NULL);
}

/* ---- the order ---------------------------------------------------------- */

static void drop_note(void *value)
{
    note(value);
}

static void *copy_note(void *parents)
{
    char *text = parents;

    note(text);
    return text + 1; /* of "aA" the copy is "A" */
}

static mf_local x = MF_LOCAL_INIT(.copy = copy_note, .drop = drop_note);
static mf_local y = MF_LOCAL_INIT(.copy = copy_note, .drop = drop_note);
static mf_local z = MF_LOCAL_INIT(.copy = copy_note, .drop = drop_note);

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int in_order(void *arg)
{
    mf_task *t;
    mf_scope s;

    (void)arg;
    order[0] = '\0';
    EXPECT_EQ(mf_local_set(&y, CONST("yY")), 0);
    EXPECT_EQ(mf_local_set(&z, CONST("zZ")), 0);
    EXPECT_EQ(mf_local_set(&x, CONST("xX")), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, does_nothing, NULL, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
    EXPECT_STR_EQ(order, "yYzZxXXZY");
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(copies_are_made_oldest_first_and_dropped_latest_first)
{
    in_tasks(1, in_order, NULL);
    in_tasks(2, in_order, NULL);
}

/* ---- children that never run -------------------------------------------- */

static int spawns_that_fail(void *arg)
{
    mf_task_options odd = {.size = sizeof odd, .stack_size = SIZE_MAX};
    char big[MF_COPY_MAX] = {0};
    mf_task *t;
    mf_scope s;

    (void)arg;
    set_all(1);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, checks_depth, NULL, &odd, &t), -EINVAL);
    EXPECT_EQ(mf_spawn(&s, NULL, NULL, NULL, &t), -EINVAL);
    EXPECT_EQ(mf_go_copy(&s, checks_depth, big, MF_COPY_MAX + 1), -E2BIG);
    EXPECT_EQ(mf_go_when(&s, -1, POLLIN, MF_NEVER, checks_depth, NULL), -EBADF);
    EXPECT_EQ(live, 3);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_go(&s, checks_depth, NULL), -ECANCELED);
    EXPECT_EQ(mf_go_copy(&s, checks_depth, big, sizeof big), -ECANCELED);
    EXPECT_EQ(mf_go_copy(&s, checks_depth, big, 45), -ECANCELED);
    EXPECT_EQ(live, 3);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_go(&s, checks_depth, NULL), -EINVAL);
    EXPECT_EQ(live, 3);
    clear_all();
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(a_spawn_that_fails_drops_the_copies_again)
{
    in_both(spawns_that_fail, NULL);
}

static _Atomic int slow_drops;

static void drop_slowly(void *value)
{
    EXPECT(mf_self() != NULL); /* in the child, which has a stack for it */
    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    drop_number(value);
    slow_drops++;
}

static mf_local slow = MF_LOCAL_INIT(.copy = copy_number, .drop = drop_slowly);

static int never_runs(void *arg)
{
    (void)arg;
    EXPECT_EQ(true, false); /* it was to be skipped */
    return 0;
}

static int skips(void *arg)
{
    enum { N = 20 };
    mf_task *t[N];
    mf_scope s;
    char big[64] = {0};
    int rc;

    (void)arg;
    slow_drops = 0;
    EXPECT_EQ(mf_local_set(&slow, make_number(1)), 0);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = 1)), 0);
    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, NULL, NULL, &t[0]), 0);
    for (int i = 1; i < N; i++)
        EXPECT_EQ(
            mf_spawn(&s, never_runs, i % 2 != 0 ? big : NULL,
                     MF_TASK_OPTIONS(.copy_len = i % 2 != 0 ? sizeof big : 0,
                                     .flags = MF_TASK_SKIP_CANCELED),
                     &t[i]),
            0);
    mf_scope_cancel(&s);
    MF_SHIELD(MF_NEVER)
    for (int i = 1; i < N; i++) {
        EXPECT_EQ(mf_join(t[i], &rc, MF_NEVER), 0);
        EXPECT_EQ(rc, -ECANCELED);
        EXPECT_EQ(mf_task_ending(t[i], NULL), MF_CANCELED);
        EXPECT_GE(slow_drops, i); /* before the join */
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(slow_drops, N);
    EXPECT_EQ(live, 1);
    return 0;
}

static int skips_in_a_task(void *arg)
{
    struct helper h;

    help(&h, skips, arg); /* whose own end drops the parent's */
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(a_skipped_child_drops_its_copies)
{
    in_tasks(1, skips_in_a_task, NULL);
    in_both(skips_in_a_task, NULL);
}

/* ---- children without a stack ------------------------------------------- */

static void limit_memory(rlim_t above)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    struct rlimit r;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    EXPECT_EQ(getrlimit(RLIMIT_AS, &r), 0);
    r.rlim_cur = above == RLIM_INFINITY ? RLIM_INFINITY : pages * 4096 + above;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &r), 0);
}

static _Atomic int gate;

static int waits_for_the_gate(void *arg)
{
    (void)arg;
    while (gate == 0)
        EXPECT_EQ(mf_sleep(MF_USEC(200)), 0);
    return 0;
}

/* Take every stack there is. */
static void use_up(mf_scope *s)
{
    char big[200] = {0};
    int rc;

    do
        rc = mf_go_copy(s, waits_for_the_gate, big, sizeof big);
    while (rc == 0);
    EXPECT_EQ(rc, -ENOMEM);
}

static int without_stacks(void *arg)
{
    enum { N = 10 };
    mf_task *t[N];
    mf_scope hogs, s;
    int rc;

    (void)arg;
    gate = 0;
    EXPECT_EQ(mf_scope_open(&hogs, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    limit_memory(32 << 20);
    use_up(&hogs);
    set_all(1);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < N; i++)
        EXPECT_EQ(mf_spawn(&s, checks_depth, NUMBER(2), NULL, &t[i]), 0);
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(mf_join(t[i], &rc, MF_NEVER), 0);
        EXPECT_EQ(rc, -ENOMEM);
    }
    EXPECT_EQ(live, 3 + N); /* nobody has had a stack to drop them on */
    EXPECT_EQ(mf_scope_close(&s), -ENOMEM);
    EXPECT_EQ(live, 3);
    gate = 1;
    EXPECT_EQ(mf_scope_close(&hogs), 0);
    limit_memory(RLIM_INFINITY);
    clear_all();
    EXPECT_EQ(live, 0);
    return 0;
}

MFI_TEST(who_closes_the_scope_drops_those_of_a_child_without_a_stack)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("a sanitizer has its own idea of address space");
    in_tasks(1, without_stacks, NULL);
    in_tasks(2, without_stacks, NULL);
}

/* ---- copies that do things ---------------------------------------------- */

static void *copy_and_panic(void *parents)
{
    (void)parents;
    mf_panic("copy");
}

static void *copy_after_a_wait(void *parents)
{
    int n = *(int *)parents;

    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    EXPECT_EQ(mf_local_set(&other, NULL), 0); /* is not handed down then */
    for (int k = 0; k < KEYS; k++)            /* the parent's table grows */
        EXPECT_EQ(mf_local_set(&words[k], NUMBER(1)), 0);
    return make_number(n + 1);
}

static mf_local panics =
    MF_LOCAL_INIT(.copy = copy_and_panic, .drop = drop_number);
static mf_local waits =
    MF_LOCAL_INIT(.copy = copy_after_a_wait, .drop = drop_number);

static int has_no_other(void *arg)
{
    EXPECT_EQ(value_of(&depth), 2);
    EXPECT_EQ(value_of(&waits), 2);
    EXPECT_EQ(value_of(&other), -1);
    (void)arg;
    return 0;
}

static int copies_that_wait(void *arg)
{
    struct helper h;

    (void)arg;
    EXPECT_EQ(mf_local_set(&depth, make_number(1)), 0);
    EXPECT_EQ(mf_local_set(&waits, make_number(1)), 0);
    EXPECT_EQ(mf_local_set(&other, make_number(1)), 0);
    help(&h, has_no_other, NULL);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

static int in_a_child(void *arg)
{
    struct helper h;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        help(&h, copies_that_wait, NULL);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(live, 0);
    }
    return 0;
}

MFI_TEST(a_copy_may_wait_and_change_the_parents_values)
{
    in_both(in_a_child, NULL);
}

static int copies_that_panic(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_local_set(&depth, make_number(1)), 0);
    EXPECT_EQ(mf_local_set(&panics, make_number(1)), 0);
    EXPECT_EQ(mf_local_set(&other, make_number(1)), 0);
    return mf_go(&s, never_runs, arg);
}

static int expects_a_panic(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        const char *text;
        struct helper h;

        help(&h, copies_that_panic, NULL);
        EXPECT_EQ(mf_join(h.task, NULL, MF_NEVER), 0);
        EXPECT_EQ(mf_task_ending(h.task, &text), MF_PANICKED);
        EXPECT_STR_EQ(text, "copy");
        EXPECT_EQ(live, 0);
        EXPECT_EQ(helped(&h), -ENOTRECOVERABLE);
    }
    return 0;
}

MFI_TEST(a_copy_that_panics_leaves_no_copies_behind)
{
    in_both(expects_a_panic, NULL);
}
