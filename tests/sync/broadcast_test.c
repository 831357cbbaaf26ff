/* SPDX-License-Identifier: MIT */
/*
 * broadcast_test.c - every value reaches everybody, in order; who falls behind
 * is told how much is missing; nobody who leaves takes anything along.
 */
#include "sync/broadcast.h"

#include "io/kit.h"

enum {
    VALUES = 2000 / KIT_SLOW,
    FLOOD = 20000 / KIT_SLOW,
    ROUNDS = 300 / KIT_SLOW,
    TASKS = 5,
    THREADS = 2,
};

static mf_broadcast *make(size_t elem_size, size_t capacity)
{
    mf_broadcast *b = NULL;

    EXPECT_EQ(mf_broadcast_make(elem_size, capacity, &b), 0);
    EXPECT(b != NULL);
    return b;
}

static mf_subscriber *subscribe(mf_broadcast *b)
{
    mf_subscriber *sub = NULL;

    EXPECT_EQ(mf_broadcast_subscribe(b, &sub), 0);
    EXPECT(sub != NULL);
    return sub;
}

static void send_int(mf_broadcast *b, int v, int ears)
{
    EXPECT_EQ(mf_broadcast_send(b, &v), ears);
}

static void expect_int(mf_subscriber *sub, int v)
{
    int got = -1;

    EXPECT_EQ(mf_subscriber_recv(sub, &got, late()), 1);
    EXPECT_EQ(got, v);
}

/* Until n wait. Nobody sends meanwhile. */
static void await_listeners(mf_broadcast *b, int n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();
    int found = -1;

    while (found != n) {
        struct list *link;

        found = 0;
        mfi_spin_lock(&b->lock);
        link = b->waiters.first;
        if (link != NULL)
            do
                found++;
            while ((link = link->next) != b->waiters.first);
        mfi_spin_unlock(&b->lock);
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* ---- arguments and life ------------------------------------------------- */

static int misuse(void *arg)
{
    mf_broadcast *b = NULL;
    mf_subscriber *sub = NULL;
    int v = 1;

    (void)arg;
    EXPECT_EQ(mf_broadcast_make(4, 0, &b), -EINVAL);
    EXPECT_EQ(mf_broadcast_make(4, 1, NULL), -EINVAL);
    EXPECT_EQ(mf_broadcast_make((1 << 20) + 1, 1, &b), -EINVAL);
    EXPECT_EQ(mf_broadcast_make(4, SIZE_MAX / 2, &b), -EINVAL);
    EXPECT_EQ(mf_broadcast_make(4, PTRDIFF_MAX / 4, &b), -EINVAL);
    EXPECT(b == NULL);
    b = make(4, 1);
    EXPECT_EQ(mf_broadcast_send(NULL, &v), -EINVAL);
    EXPECT_EQ(mf_broadcast_send(b, NULL), -EINVAL);
    EXPECT_EQ(mf_broadcast_subscribe(NULL, &sub), -EINVAL);
    EXPECT_EQ(mf_broadcast_subscribe(b, NULL), -EINVAL);
    sub = subscribe(b);
    EXPECT_EQ(mf_subscriber_recv(NULL, &v, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_subscriber_recv(sub, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_broadcast_close(NULL), -EINVAL);
    EXPECT_EQ(mf_broadcast_close(b), 0);
    EXPECT_EQ(mf_broadcast_close(b), -EALREADY);
    EXPECT_EQ(mf_broadcast_send(b, &v), -EPIPE);
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NEVER), 0);
    EXPECT_EQ(mf_subscriber_missed(sub), 0);
    EXPECT_EQ(mf_subscriber_missed(NULL), 0);
    mf_subscriber_free(sub);
    sub = subscribe(b); /* of a closed one: nothing, and the end */
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NEVER), 0);
    mf_subscriber_free(sub);
    mf_subscriber_free(NULL);
    EXPECT(mf_broadcast_ref(NULL) == NULL);
    mf_broadcast_unref(NULL);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(bad_arguments_are_refused)
{
    in_both(misuse, NULL);
}

/* The leak checker looks, too. */
static int who_is_last(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        mf_broadcast *b = make(4, 8);
        mf_subscriber *one = subscribe(b), *two = subscribe(b);
        int v;

        EXPECT(mf_broadcast_ref(b) == b);
        send_int(b, 7, 2);
        mf_broadcast_unref(b);
        EXPECT_EQ(mf_subscriber_recv(one, &v, MF_NOW), 1);
        EXPECT_EQ(mf_subscriber_recv(one, &v, MF_NOW), -ETIMEDOUT);
        if (i == 0)
            EXPECT_EQ(mf_broadcast_close(b), 0);
        if (i == 1)
            mf_subscriber_free(two);
        mf_broadcast_unref(b); /* nobody is left to send */
        EXPECT_EQ(mf_subscriber_recv(one, &v, MF_NEVER), 0);
        if (i != 1) {
            expect_int(two, 7);
            EXPECT_EQ(mf_subscriber_recv(two, &v, MF_NEVER), 0);
            mf_subscriber_free(two);
        }
        mf_subscriber_free(one);
    }
    return 0;
}

MFI_TEST(the_last_user_closes_and_the_last_of_all_frees)
{
    in_both(who_is_last, NULL);
}

/* ---- every value to everybody ------------------------------------------- */

struct hall {
    mf_broadcast *b;
    mf_subscriber *sub[TASKS + THREADS];
    _Atomic int next;
    size_t elem_size;
    _Atomic int heard;
};

/* The value i, of any size: its bytes say so. */
static void fill(char *elem, size_t len, int i)
{
    for (size_t k = 0; k < len; k++)
        elem[k] = (char)(i >> (8 * (k % 4)));
}

static int listen_to_all(void *arg)
{
    struct hall *h = arg;
    mf_subscriber *sub = h->sub[mfi_add_acqrel(&h->next, 1)];
    char elem[600], expected[600];
    int rc, n = 0;

    while ((rc = mf_subscriber_recv(sub, elem, late())) > 0) {
        fill(expected, h->elem_size, n++);
        EXPECT_EQ(memcmp(elem, expected, h->elem_size), 0);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(n, VALUES);
    mfi_add_acqrel(&h->heard, n);
    return 0;
}

static void *listen_thread(void *arg)
{
    EXPECT_EQ(listen_to_all(arg), 0);
    return NULL;
}

static void all_hear(size_t elem_size)
{
    struct hall h = {.b = make(elem_size, VALUES), .elem_size = elem_size};
    pthread_t thread[THREADS];
    char elem[600];
    mf_scope s;

    for (int i = 0; i < TASKS + THREADS; i++)
        h.sub[i] = subscribe(h.b);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, listen_to_all, &h), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, listen_thread, &h), 0);
    for (int i = 0; i < VALUES; i++) {
        fill(elem, elem_size, i);
        EXPECT_EQ(mf_broadcast_send(h.b, elem), TASKS + THREADS);
        if (i % 16 == 0)
            breathe();
    }
    EXPECT_EQ(mf_broadcast_close(h.b), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_EQ(mfi_load_acq(&h.heard), VALUES * (TASKS + THREADS));
    for (int i = 0; i < TASKS + THREADS; i++) {
        EXPECT_EQ(mf_subscriber_missed(h.sub[i]), 0);
        mf_subscriber_free(h.sub[i]);
    }
    mf_broadcast_unref(h.b);
}

static int all_sizes(void *arg)
{
    (void)arg;
    all_hear(0);
    all_hear(1);
    all_hear(sizeof(int));
    all_hear(24);
    all_hear(600);
    return 0;
}

MFI_TEST(everybody_hears_everything_in_order)
{
    in_tasks(1, all_sizes, NULL);
    in_tasks(2, all_sizes, NULL);
    in_thread(all_sizes, NULL);
}

static int count_up(void *arg)
{
    struct hall *h = arg;
    mf_subscriber *sub = h->sub[mfi_add_acqrel(&h->next, 1)];

    for (int i = 0; i < ROUNDS; i++) {
        expect_int(sub, i);
        mfi_add_acqrel(&h->heard, 1);
    }
    return 0;
}

static void *count_thread(void *arg)
{
    EXPECT_EQ(count_up(arg), 0);
    return NULL;
}

/* Sent when all wait, or are about to: a capacity of one suffices. */
static int turns(void *arg)
{
    struct hall h = {.b = make(sizeof(int), 1)};
    pthread_t thread[THREADS];
    mf_scope s;

    (void)arg;
    for (int i = 0; i < TASKS + THREADS; i++)
        h.sub[i] = subscribe(h.b);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, count_up, &h), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, count_thread, &h), 0);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 2 == 0)
            await_listeners(h.b, TASKS + THREADS);
        else
            while (mfi_load_acq(&h.heard) != i * (TASKS + THREADS))
                breathe();
        send_int(h.b, i, TASKS + THREADS);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    for (int i = 0; i < TASKS + THREADS; i++) {
        EXPECT_EQ(mf_subscriber_missed(h.sub[i]), 0);
        mf_subscriber_free(h.sub[i]);
    }
    mf_broadcast_unref(h.b);
    return 0;
}

MFI_TEST(who_waits_is_woken_by_every_send)
{
    in_tasks(1, turns, NULL);
    in_tasks(2, turns, NULL);
    in_thread(turns, NULL);
}

static int from_now_on(void *arg)
{
    mf_broadcast *b = make(sizeof(int), 4);
    mf_subscriber *one, *two;
    int v = -1;

    (void)arg;
    send_int(b, 1, 0);
    one = subscribe(b);
    send_int(b, 2, 1);
    two = subscribe(b);
    send_int(b, 3, 2);
    expect_int(two, 3);
    EXPECT_EQ(mf_subscriber_recv(two, &v, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(v, -1);
    expect_int(one, 2);
    mf_subscriber_free(two);
    send_int(b, 4, 1);
    expect_int(one, 3);
    expect_int(one, 4);
    EXPECT_EQ(mf_subscriber_recv(one, &v, soon()), -ETIMEDOUT);
    await_listeners(b, 0);
    send_int(b, 5, 1);
    EXPECT_EQ(mf_broadcast_close(b), 0);
    expect_int(one, 5); /* what was sent before the close comes before it */
    EXPECT_EQ(mf_subscriber_recv(one, &v, MF_NOW), 0);
    EXPECT_EQ(mf_subscriber_recv(one, &v, MF_NEVER), 0);
    EXPECT_EQ(v, -1);
    mf_subscriber_free(one);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(who_subscribes_hears_what_is_sent_from_then_on)
{
    in_both(from_now_on, NULL);
}

static int megabytes(void *arg)
{
    enum { LEN = 1 << 20 };
    mf_broadcast *b = make(LEN, 2);
    mf_subscriber *sub = subscribe(b);
    char *elem = malloc(LEN), *got = malloc(LEN);

    (void)arg;
    for (int i = 0; i < 5; i++) {
        memset(elem, 'a' + i, LEN);
        EXPECT_EQ(mf_broadcast_send(b, elem), 1);
        EXPECT_EQ(mf_subscriber_recv(sub, got, late()), 1);
        EXPECT_EQ(memcmp(elem, got, LEN), 0);
    }
    free(elem);
    free(got);
    mf_subscriber_free(sub);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(a_megabyte_is_an_element_as_well)
{
    in_both(megabytes, NULL);
}

/* ---- falling behind ----------------------------------------------------- */

static int behind(void *arg)
{
    mf_broadcast *b = make(sizeof(int), 4);
    mf_subscriber *sub = subscribe(b), *other = subscribe(b);
    int v = -1;

    (void)arg;
    for (int i = 0; i < 4; i++)
        send_int(b, i, 2);
    expect_int(sub, 0); /* four are kept: nothing is missing yet */
    for (int i = 4; i < 10; i++)
        send_int(b, i, 2);
    EXPECT_EQ(mf_subscriber_recv(sub, &v, late()), -EOVERFLOW);
    EXPECT_EQ(v, -1);
    EXPECT_EQ(mf_subscriber_missed(sub), 5); /* 1 to 5 */
    for (int i = 6; i < 10; i++)
        expect_int(sub, i);
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NOW), -ETIMEDOUT);
    for (int i = 10; i < 15; i++)
        send_int(b, i, 2);
    EXPECT_EQ(mf_broadcast_close(b), 0);
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NOW), -EOVERFLOW);
    EXPECT_EQ(mf_subscriber_missed(sub), 6); /* in all */
    for (int i = 11; i < 15; i++)
        expect_int(sub, i);
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NOW), 0);
    EXPECT_EQ(mf_subscriber_recv(other, &v, MF_NOW), -EOVERFLOW);
    EXPECT_EQ(mf_subscriber_missed(other), 11);
    expect_int(other, 11);
    mf_subscriber_free(sub);
    mf_subscriber_free(other);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(who_falls_behind_is_told_once_and_goes_on)
{
    in_both(behind, NULL);
}

/* All are accounted for: received or missed, and never an old one again. */
static int drink(void *arg)
{
    struct hall *h = arg;
    mf_subscriber *sub = h->sub[mfi_add_acqrel(&h->next, 1)];
    int rc, v[4], last = -1;
    uint64_t n = 0;

    for (;;) {
        rc = mf_subscriber_recv(sub, v, late());
        if (rc == -EOVERFLOW)
            continue;
        if (rc != 1)
            break;
        EXPECT_GT(v[0], last);
        EXPECT(v[1] == v[0] && v[2] == v[0] && v[3] == v[0]);
        EXPECT_EQ((uint64_t)v[0], n + mf_subscriber_missed(sub));
        last = v[0];
        n++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(last, FLOOD - 1);
    EXPECT_EQ(n + mf_subscriber_missed(sub), FLOOD);
    return 0;
}

static void *drink_thread(void *arg)
{
    EXPECT_EQ(drink(arg), 0);
    return NULL;
}

static int flood(void *arg)
{
    struct hall h = {.b = make(4 * sizeof(int), 3)};
    pthread_t thread[THREADS];
    mf_scope s;

    (void)arg;
    for (int i = 0; i < TASKS + THREADS; i++)
        h.sub[i] = subscribe(h.b);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, drink, &h), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, drink_thread, &h), 0);
    for (int i = 0; i < FLOOD; i++) {
        int v[4] = {i, i, i, i};

        EXPECT_EQ(mf_broadcast_send(h.b, v), TASKS + THREADS);
        if (i % 7 == 0)
            breathe();
    }
    mf_broadcast_unref(h.b); /* closes it */
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    for (int i = 0; i < TASKS + THREADS; i++)
        mf_subscriber_free(h.sub[i]);
    return 0;
}

MFI_TEST(in_a_flood_every_value_is_received_or_counted_as_missed)
{
    in_tasks(1, flood, NULL);
    in_tasks(2, flood, NULL);
    in_thread(flood, NULL);
}

/* ---- waits that end otherwise ------------------------------------------- */

static int hopeless(void *arg)
{
    int v = -1;

    EXPECT_EQ(mf_subscriber_recv(arg, &v, MF_NEVER), -ECANCELED);
    EXPECT_EQ(v, -1);
    return 0;
}

static int cancelled(void *arg)
{
    mf_broadcast *b = make(sizeof(int), 4);
    mf_subscriber *sub = subscribe(b);
    mf_task *t;
    mf_scope s;
    int v;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, hopeless, sub, NULL, &t), 0);
    await_listeners(b, 1);
    mf_scope_cancel(&s);
    send_int(b, 1, 1);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), -ECANCELED); /* we are inside too */
    EXPECT_EQ(mf_subscriber_recv(sub, &v, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    await_listeners(b, 0);
    expect_int(sub, 1); /* nobody has taken it */
    mf_subscriber_free(sub);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait_and_takes_nothing)
{
    in_both(cancelled, NULL);
}

static int hasty(void *arg)
{
    mf_subscriber *sub = arg;
    int rc, v, expected = 0;

    for (;;) {
        rc = mf_subscriber_recv(sub, &v, mf_after(MF_USEC(1 + expected % 40)));
        if (rc == -ETIMEDOUT) {
            breathe();
            continue;
        }
        if (rc != 1)
            break;
        EXPECT_EQ(v, expected++);
    }
    EXPECT_EQ(rc, 0);
    return expected;
}

static int races(void *arg)
{
    mf_broadcast *b = make(sizeof(int), VALUES);
    mf_task *t[TASKS];
    mf_subscriber *sub[TASKS];
    mf_scope s;
    int n;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        sub[i] = subscribe(b);
        EXPECT_EQ(mf_spawn(&s, hasty, sub[i], NULL, &t[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        send_int(b, i, TASKS);
        for (int k = i % 4; k > 0; k--)
            breathe();
    }
    EXPECT_EQ(mf_broadcast_close(b), 0);
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(mf_join(t[i], &n, late()), 0);
        EXPECT_EQ(n, ROUNDS);
        mf_subscriber_free(sub[i]);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    mf_broadcast_unref(b);
    return 0;
}

MFI_TEST(a_deadline_that_meets_a_value_loses_it_not)
{
    in_tasks(1, races, NULL);
    in_tasks(2, races, NULL);
    in_thread(races, NULL);
}

/* ---- select ------------------------------------------------------------- */

static int selects(void *arg)
{
    mf_broadcast *b = make(sizeof(int), 2);
    mf_subscriber *sub = subscribe(b);
    int v = -1, w = -1;
    mf_case two[2];
    mf_chan *c;

    (void)arg;
    EXPECT_EQ(mf_chan_make(sizeof w, 1, NULL, &c), 0);
    two[0] = mf_on_broadcast(NULL, &v);
    EXPECT_EQ(mf_select(two, 1, soon()), -ETIMEDOUT); /* never fires */
    two[0] = mf_on_broadcast(sub, NULL);
    EXPECT_EQ(mf_select(two, 1, MF_NOW), -EINVAL);
    two[0] = mf_on_broadcast(sub, &v);
    two[1] = mf_on_recv(c, &w);
    EXPECT_EQ(mf_select(two, 2, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(two, 2, soon()), -ETIMEDOUT);
    send_int(b, 1, 1);
    EXPECT_EQ(mf_select(two, 2, late()), 0);
    EXPECT_EQ(two[0].res, 1);
    EXPECT_EQ(v, 1);
    send_int(b, 2, 1);
    EXPECT_EQ(mf_chan_send(c, &v, MF_NOW), 0);
    two[0] = mf_on_recv(c, &w);
    two[1] = mf_on_broadcast(sub, &v);
    EXPECT_EQ(mf_select_ordered(two, 2, late()), 0);
    EXPECT_EQ(v, 1); /* the loser has taken nothing */
    EXPECT_EQ(mf_select_ordered(two, 2, late()), 1);
    EXPECT_EQ(v, 2);
    for (int i = 3; i < 6; i++)
        send_int(b, i, 1);
    EXPECT_EQ(mf_select(two, 2, late()), 1);
    EXPECT_EQ(two[1].res, -EOVERFLOW);
    EXPECT_EQ(mf_select(two, 2, late()), 1);
    EXPECT_EQ(v, 4);
    EXPECT_EQ(mf_broadcast_close(b), 0);
    EXPECT_EQ(mf_select(two, 2, late()), 1);
    EXPECT_EQ(v, 5);
    EXPECT_EQ(mf_select(two, 2, late()), 1);
    EXPECT_EQ(two[1].res, 0);
    mf_subscriber_free(sub);
    mf_broadcast_unref(b);
    mf_chan_unref(c);
    return 0;
}

MFI_TEST(a_broadcast_is_one_of_many_things_to_wait_for)
{
    in_both(selects, NULL);
}

struct two {
    mf_subscriber *a, *b;
    int got_a, got_b;
};

/* A loop over two broadcasts, until both have said their last word. */
static int loop_over_two(void *arg)
{
    struct two *t = arg;
    int rc, v, w, ends = 0;

    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(mf_on_broadcast(t->a, &v))
        {
            EXPECT(rc == 0 || rc == 1);
            ends += rc == 0;
            if (rc == 1)
                EXPECT_EQ(v, t->got_a++);
        }
        MF_CASE(mf_on_broadcast(t->b, &w))
        {
            EXPECT(rc == 0 || rc == 1);
            ends += rc == 0;
            if (rc == 1)
                EXPECT_EQ(w, t->got_b++);
        }
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(ends, 2);
    return 0;
}

static int two_at_once(void *arg)
{
    mf_broadcast *a = make(sizeof(int), ROUNDS), *b = make(sizeof(int), ROUNDS);
    struct two t[TASKS] = {{.got_a = 0}};
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        t[i] = (struct two){.a = subscribe(a), .b = subscribe(b)};
        EXPECT_EQ(mf_go(&s, loop_over_two, &t[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        send_int(a, i, TASKS);
        if (i % 3 == 0)
            breathe();
        send_int(b, i, TASKS);
        if (i % 5 == 0)
            breathe();
        if (i == ROUNDS / 2)
            await_listeners(a, TASKS);
    }
    mf_broadcast_unref(a);
    mf_broadcast_unref(b);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(t[i].got_a, ROUNDS);
        EXPECT_EQ(t[i].got_b, ROUNDS);
        mf_subscriber_free(t[i].a);
        mf_subscriber_free(t[i].b);
    }
    return 0;
}

MFI_TEST(a_loop_over_two_broadcasts_gets_all_of_both)
{
    in_tasks(1, two_at_once, NULL);
    in_tasks(2, two_at_once, NULL);
    in_thread(two_at_once, NULL);
}
