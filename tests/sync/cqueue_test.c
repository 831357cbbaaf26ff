/* SPDX-License-Identifier: MIT */
/*
 * cqueue_test.c - arms, events, bottom halves: one thing at a time. Their ends
 * by others: cqueue_end_test.c, cqueue_cancel_test.c; races:
 * cqueue_race_test.c.
 */
#include <mayfly/gen.h>

#include "sync/arms.h"

enum { MANY = MFI_TEST_SIM ? 30 : 1000, SENDS = 3 };

/* ---- poll --------------------------------------------------------------- */

static int one_event(void *arg)
{
    struct board b = {.n = 0};
    struct job j;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NEVER), 0); /* no arm at all */
    add(&b, &q, sends_once, &j, 3);
    expect_sent(&q, 3);
    EXPECT_EQ(b.n, 1);
    expect_end(&q, 3, 3);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NEVER), 0);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(a_poll_runs_the_bottom_half_and_tells_the_end)
{
    everywhere(one_event);
}

static int deadlines(void *arg)
{
    struct board b = {.n = 0};
    mf_cevent ev = {.token = 77};
    struct job j[2];
    mf_cqueue q;
    mf_ns begun;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    add(&b, &q, waits_to_go, &j[0], 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), -ETIMEDOUT);
    begun = mf_now();
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, mf_after(MF_MSEC(5))), -ETIMEDOUT);
    EXPECT_GE(mf_now() - begun, MF_MSEC(5));
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, mf_after(MF_USEC(1))), -ETIMEDOUT);
    EXPECT_EQ(ev.token, 77); /* written on success only */
    EXPECT_EQ(b.n, 0);
    add(&b, &q, sends_once, &j[1], 1);
    await_arm(&b, 1);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), 1); /* bottom half and all */
    EXPECT_EQ(ev.token, 1);
    EXPECT_EQ(b.n, 1);
    expect_end(&q, 1, 1);
    mf_event_fire(&b.go);
    expect_sent(&q, 0);
    expect_end(&q, 0, 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), 0);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(a_poll_that_times_out_takes_nothing)
{
    everywhere(deadlines);
}

static int sends_in_order(void *arg)
{
    struct board b = {.n = 0};
    struct job j[8];
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    for (int i = 0; i < 8; i++) {
        add(&b, &q, sends_once, &j[i], i);
        await_arm(&b, i);
    }
    EXPECT_EQ(b.n, 0); /* nobody polled */
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), 1);
        EXPECT_EQ(b.n, i + 1); /* the ends queue behind */
        EXPECT_EQ(b.order[i], i);
    }
    for (int i = 0; i < 8; i++)
        expect_end(&q, i, i);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(events_come_in_the_order_they_were_sent)
{
    everywhere(sends_in_order);
}

static int sends_many(mf_arm *self, void *arg)
{
    struct board *b = arg;
    int rc = 0;

    for (int i = 0; i < SENDS && rc == 0; i++)
        if ((rc = mf_yield()) == 0 && (rc = mf_arm_send(self, i)) == 0)
            bottom(b, i);
    return rc;
}

static int thousand(void *arg)
{
    struct board b = {.n = 0};
    int ends = 0, sent = 0, rc;
    mf_cevent ev;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(mf_cqueue_add(&q, (uint64_t)i, sends_many, &b, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1) {
        ends += ev.ended;
        sent += !ev.ended;
        EXPECT_EQ(b.n, sent);
        EXPECT_EQ(b.inside, 0);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(ends, MANY);
    EXPECT_EQ(sent, MANY * SENDS);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(a_thousand_arms_take_turns)
{
    everywhere(thousand);
}

/* ---- where a bottom half ends ------------------------------------------- */

enum { PARKS, YIELDS, SPAWNS_INLINE, CLOSES_A_SCOPE, READS, WAYS };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct leaver {
    struct board *b;
    int way;
    int fd;
    _Atomic bool told; /* its poll has returned */
};

/* So that the close of its scope has to wait, whoever runs it. */
static int ends_once_told(void *arg)
{
    struct leaver *l = arg;
    mf_deadline end = late();

    while (!mfi_load_acq(&l->told)) {
        EXPECT_LT(mf_now(), mfi_time_of(end));
        EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    }
    return 0;
}

static void suspends_by(struct leaver *l)
{
    MF_SCOPE(s);
    char byte;

    switch (l->way) {
    case PARKS:
        EXPECT_EQ(mf_event_wait(&l->b->go, late()), 0);
        break;
    case YIELDS:
        EXPECT_EQ(mf_yield(), 0);
        break;
    case SPAWNS_INLINE:
        EXPECT_EQ(mf_spawn(&s, nothing, NULL,
                           MF_TASK_OPTIONS(.flags = MF_TASK_INLINE), NULL),
                  0);
        break;
    case CLOSES_A_SCOPE:
        EXPECT_EQ(mf_go(&s, ends_once_told, l), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        break;
    case READS:
        EXPECT_EQ(mf_read(l->fd, &byte, 1, late()), 1);
        break;
    }
}

/* Let others run without a call that suspends: as if the budget were spent. */
static void await_told(struct leaver *l)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (!mfi_load_acq(&l->told)) {
        EXPECT_LT(mf_now(), end);
        mfi_budget_spent(mfi_worker()->current);
    }
}

static int leaves(mf_arm *self, void *arg)
{
    struct leaver *l = arg;

    EXPECT_EQ(mf_arm_send(self, l->way), 0);
    EXPECT_EQ(l->b->inside++, 0);
    l->b->inside--;
    suspends_by(l);
    await_told(l); /* nothing else has ended the bottom half */
    EXPECT_EQ(mf_event_wait(&l->b->go, late()), 0);
    return l->way;
}

static int each_way(void *arg)
{
    struct board b = {.n = 0};
    struct leaver l[WAYS];
    int fds[2], rc, ends = 0;
    mf_cevent ev;
    mf_cqueue q;

    (void)arg;
    bare_pipe(fds);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    for (int i = 0; i < WAYS; i++) {
        l[i] = (struct leaver){.b = &b, .way = i, .fd = fds[0]};
        EXPECT_EQ(mf_cqueue_add(&q, (uint64_t)i, leaves, &l[i], NULL), 0);
    }
    for (int i = 0; i < WAYS; i++) { /* none of them keeps a poll */
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
        EXPECT_EQ(ev.ended, 0);
        mfi_store_rel(&l[ev.token].told, true);
    }
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), -ETIMEDOUT);
    mf_event_fire(&b.go);
    EXPECT_EQ(mf_write_all(fds[1], "x", 1, late()), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1) {
        EXPECT_EQ(ev.ended, 1);
        EXPECT_EQ(ev.result, ev.token);
        ends++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(ends, WAYS);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(a_bottom_half_ends_where_the_arm_suspends)
{
    everywhere(each_way);
}

/* What need not wait does not end it, however often, and nor does a lock. */
static int stays(mf_arm *self, void *arg)
{
    struct board *b = arg;
    mf_event fired = {{0, 0}};
    char byte = 'x';
    int fds[2];
    MF_SCOPE(s);

    bare_pipe(fds);
    mf_event_fire(&fired);
    EXPECT_EQ(mf_arm_send(self, 0), 0);
    EXPECT_EQ(b->inside++, 0);
    EXPECT_EQ(mf_event_wait(&fired, late()), 0);
    EXPECT_EQ(mf_event_wait(&b->go, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_sleep(0), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 300; i++) { /* the budget is 128 */
        EXPECT_EQ(write(fds[1], &byte, 1), 1);
        EXPECT_EQ(mf_read(fds[0], &byte, 1, MF_NOW), 1);
        EXPECT_EQ(b->inside, 1);
    }
    EXPECT_EQ(--b->inside, 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

static int two_stay(void *arg)
{
    struct board b = {.n = 0};
    mf_cevent ev;
    mf_cqueue q;
    int rc, n = 0;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_cqueue_add(&q, 0, stays, &b, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1) {
        EXPECT_EQ(b.inside, 0);
        n++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(n, 4);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(a_call_that_need_not_wait_keeps_the_bottom_half)
{
    everywhere(two_stay);
}

/* ---- ends --------------------------------------------------------------- */

static void cleans(void *arg)
{
    struct board *b = arg;

    EXPECT_EQ(mf_sleep(MF_USEC(50)), 0); /* shielded */
    mfi_add_acqrel(&b->cleaned, 1);
}

enum { RETURN, EXIT, PANIC, PANIC_BELOW, ENDINGS };

static int ends_by(mf_arm *self, void *arg)
{
    struct job *j = arg;

    EXPECT_EQ(mf_defer(cleans, j->b), 0);
    EXPECT_EQ(mf_arm_send(self, 0), 0);
    switch (j->id) {
    case EXIT:
        mf_exit(-7);
    case PANIC_BELOW:
        EXPECT_EQ(mf_sleep(1), 0); /* the bottom half is over */
        mf_panic("late, of %d", j->id);
    case PANIC:
        mf_panic("of %d", j->id);
    default:
        return -7;
    }
}

static int each_ending(void *arg)
{
    (void)arg;
    for (int i = 0; i < ENDINGS; i++) {
        struct board b = {.n = 0};
        struct job j = {&b, i};
        bool panics = i == PANIC || i == PANIC_BELOW;
        mf_cevent ev;
        mf_cqueue q;

        EXPECT_EQ(mf_cqueue_open(&q), 0);
        EXPECT_EQ(mf_cqueue_add(&q, 42, ends_by, &j, NULL), 0);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
        EXPECT_EQ(ev.ended, 0);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()),
                  panics ? -ENOTRECOVERABLE : 1);
        EXPECT_EQ(ev.token, 42);
        EXPECT_EQ(ev.ended, 1);
        EXPECT_EQ(ev.result, panics ? -ENOTRECOVERABLE : -7);
        EXPECT_EQ(b.cleaned, 1); /* its end is after its defers */
        if (panics)
            EXPECT_STR_HAS(mf_explain(-ENOTRECOVERABLE),
                           i == PANIC ? "of 2" : "late, of 3");
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NEVER), 0);
        EXPECT_EQ(mf_cqueue_close(&q), 0);
    }
    return 0;
}

MFI_TEST(an_arm_may_return_exit_or_panic)
{
    in_both(each_ending, NULL);
}

/* The others go on, and may be polled to their ends. */
static int one_of_three(void *arg)
{
    struct board b = {.n = 0};
    struct job j[3];
    mf_cevent ev;
    mf_cqueue q;
    int rc, ends = 0, panics = 0;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    add(&b, &q, sends_once, &j[0], 0);
    add(&b, &q, ends_by, &j[1], PANIC);
    add(&b, &q, sends_once, &j[2], 1);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) != 0) {
        ends += ev.ended;
        if (rc > 0)
            continue;
        EXPECT_EQ(rc, -ENOTRECOVERABLE);
        EXPECT_EQ(ev.token, PANIC);
        panics++;
    }
    EXPECT_EQ(ends, 3);
    EXPECT_EQ(panics, 1);
    EXPECT_EQ(b.n, 2);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(a_panic_ends_its_own_arm_only)
{
    everywhere(one_of_three);
}

/* ---- misuse ------------------------------------------------------------- */

static int not_my_queue(void *arg)
{
    struct board *b = arg;

    EXPECT_EQ(mf_cqueue_poll(b->q, NULL, MF_NOW), -EPERM);
    EXPECT_EQ(mf_cqueue_close(b->q), -EPERM);
    mf_cqueue_drop(b->q);
    EXPECT_EQ(mf_arm_send(b->arm[0], 0), -EPERM);
    EXPECT_EQ(mf_arm_send(NULL, 0), -EPERM);
    return 0;
}

static void *not_my_thread(void *arg)
{
    EXPECT_EQ(not_my_queue(arg), 0);
    return NULL;
}

static int not_my_arm(mf_arm *self, void *arg)
{
    struct job *j = arg;

    (void)self;
    return not_my_queue(j->b); /* an arm, but another one */
}

static int misuse(void *arg)
{
    struct board b = {.n = 0};
    struct job j[2];
    pthread_t thread;
    mf_cqueue q = {{0}};
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_cqueue_open(NULL), -EINVAL);
    EXPECT_EQ(mf_cqueue_add(NULL, 0, sends_once, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_cqueue_poll(NULL, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_cqueue_close(NULL), -EINVAL);
    EXPECT_EQ(mf_arm_remove(NULL), -EINVAL);
    mf_cqueue_drop(NULL);
    EXPECT_EQ(mf_cqueue_add(&q, 0, sends_once, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_cqueue_close(&q), -EINVAL);
    mf_cqueue_drop(&q);

    EXPECT_EQ(mf_cqueue_open(&q), 0);
    b.q = &q;
    EXPECT_EQ(mf_cqueue_add(&q, 0, NULL, NULL, &b.arm[0]), -EINVAL);
    EXPECT(b.arm[0] == NULL);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NEVER), 0); /* it left nothing */
    add(&b, &q, waits_to_go, &j[0], 0);
    EXPECT_EQ(pthread_create(&thread, NULL, not_my_thread, &b), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, not_my_queue, &b), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(mf_cqueue_close(&q), -EPERM); /* s is still open */
    EXPECT_EQ(mf_scope_close(&s), 0);
    add(&b, &q, not_my_arm, &j[1], 1);
    expect_end(&q, 1, 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    mf_event_fire(&b.go); /* nothing of all that did harm */
    expect_sent(&q, 0);
    expect_end(&q, 0, 0);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    return 0;
}

MFI_TEST(misuse_is_refused_and_does_no_harm)
{
    mf_cqueue q;

    EXPECT_EQ(mf_cqueue_open(&q), -EINVAL); /* nothing runs */
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), -EINVAL);
    mf_cqueue_drop(&q);
    everywhere(misuse);
}

/* ---- add ---------------------------------------------------------------- */

/* Each adds the next one inside its bottom half. */
static int adds_the_next(mf_arm *self, void *arg)
{
    struct job *j = arg;
    int rc = mf_arm_send(self, j->id);

    if (rc < 0)
        return rc;
    EXPECT_EQ(j->b->inside++, 0);
    if (j->id < 50) {
        j[1] = (struct job){j->b, j->id + 1};
        EXPECT_EQ(mf_cqueue_add(j->b->q, 0, adds_the_next, &j[1], NULL), 0);
    }
    j->b->inside--;
    return 0;
}

static int chain(void *arg)
{
    struct board b = {.n = 0};
    struct job j[52] = {{&b, 0}};
    int rc, sent = 0, ends = 0;
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    b.q = &q;
    EXPECT_EQ(mf_cqueue_add(&q, 0, adds_the_next, &j[0], NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1) {
        if (!ev.ended)
            EXPECT_EQ(ev.extra, sent++);
        ends += ev.ended;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(sent, 51);
    EXPECT_EQ(ends, 51);
    return 0;
}

MFI_TEST(a_bottom_half_adds_arms)
{
    everywhere(chain);
}

static void *adds_from_outside(void *arg)
{
    struct job *j = arg;

    EXPECT_EQ(mf_cqueue_add(j->b->q, 7, sends_once, j, NULL), 0);
    return NULL;
}

/* The poll waits meanwhile: for the arm that keeps the queue from its end. */
static int add_from_thread(void *arg)
{
    struct board b = {.n = 0};
    struct job j[2];
    pthread_t thread;
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    b.q = &q;
    add(&b, &q, waits_to_go, &j[0], 0);
    j[1] = (struct job){&b, 1};
    EXPECT_EQ(pthread_create(&thread, NULL, adds_from_outside, &j[1]), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
    EXPECT_EQ(ev.token, 7);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(a_thread_adds_an_arm_under_a_waiting_poll)
{
    everywhere(add_from_thread);
}

/* ---- nested ------------------------------------------------------------- */

struct tree {
    int depth;
    int *sum;
};

/* Two arms below each, whose bottom halves and mine all add to one number. */
static int branch(mf_arm *self, void *arg)
{
    struct tree *t = arg, below = {t->depth - 1, t->sum};
    int rc, sum = 0;
    mf_cevent ev;
    MF_CQUEUE(q);

    if (t->depth == 0) {
        if ((rc = mf_arm_send(self, 1)) < 0)
            return rc;
        *t->sum += 1;
        return 0;
    }
    below.sum = &sum;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_cqueue_add(&q, 0, branch, &below, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) > 0)
        ;
    if (rc < 0 || (rc = mf_arm_send(self, sum)) < 0)
        return rc;
    *t->sum += sum;
    return 0;
}

static int nested(void *arg)
{
    int rc, sum = 0, extra = 0;
    struct tree t = {6, &sum};
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    EXPECT_EQ(mf_cqueue_add(&q, 0, branch, &t, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) > 0)
        extra += (int)ev.extra;
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(sum, 64);
    EXPECT_EQ(extra, 64);
    return 0;
}

MFI_TEST(queues_nest_in_arms)
{
    everywhere(nested);
}

/* A poll of another queue in a bottom half ends that one; no poll hangs. */
static int polls_in_its_bottom_half(mf_arm *self, void *arg)
{
    struct job *j = arg;
    struct board mine = {.n = 0};
    struct job below = {&mine, 7};
    int rc, n = 0;
    MF_CQUEUE(q);

    EXPECT_EQ(mf_arm_send(self, 0), 0);
    bottom(j->b, j->id);
    EXPECT_EQ(mf_cqueue_add(&q, 7, sends_once, &below, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, NULL, late())) > 0)
        n++;
    EXPECT_EQ(n, 2);
    EXPECT_EQ(mine.n, 1);
    return rc;
}

static int nested_below(void *arg)
{
    struct board b = {.n = 0};
    struct job j[4];
    int rc, n = 0;
    MF_CQUEUE(q);

    (void)arg;
    for (int i = 0; i < 4; i++)
        add(&b, &q, i % 2 != 0 ? sends_once : polls_in_its_bottom_half, &j[i],
            i);
    while ((rc = mf_cqueue_poll(&q, NULL, late())) > 0)
        n++;
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(n, 8);
    EXPECT_EQ(b.n, 4);
    return 0;
}

MFI_TEST(a_bottom_half_may_poll_a_queue_of_its_own)
{
    everywhere(nested_below);
}

/* ---- generators --------------------------------------------------------- */

MF_GEN_DEFINE(numbers, int);

enum { NUMBERS = 20, SOURCES = 10 };

struct source {
    struct board *b;
    mf_arm *self;
    int *sum; /* bottom halves only */
};

static int counts_up(mf_gen *self, void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 1; i <= NUMBERS && rc == 0; i++)
        if ((rc = mf_yield()) == 0) /* suspends the arm that asks */
            rc = numbers_yield(self, i);
    return rc;
}

static int sends_what_it_gets(mf_arm *self, void *arg)
{
    struct source *src = arg;
    int rc, v;
    numbers *g;

    EXPECT_EQ(numbers_make(counts_up, NULL, &g), 0);
    while ((rc = numbers_next(g, &v)) > 0) {
        if ((rc = mf_arm_send(self, v)) < 0)
            break;
        EXPECT_EQ(src->b->inside++, 0);
        *src->sum += v;
        src->b->inside--;
    }
    numbers_free(g);
    return rc;
}

/* The generator is inside the arm: it may send for it, and suspend it. */
static int sends_inside(mf_gen *self, void *arg)
{
    struct source *src = arg;
    int rc = 0;

    for (int i = 1; i <= NUMBERS && rc == 0; i++) {
        if ((rc = mf_arm_send(src->self, i)) < 0)
            break;
        EXPECT_EQ(src->b->inside++, 0);
        *src->sum += i;
        src->b->inside--;
        rc = i % 2 != 0 ? numbers_yield(self, i) : mf_sleep(1);
    }
    return rc;
}

static int lets_it_send(mf_arm *self, void *arg)
{
    struct source *src = arg;
    int rc, v;
    numbers *g;

    src->self = self;
    EXPECT_EQ(numbers_make(sends_inside, src, &g), 0);
    while ((rc = numbers_next(g, &v)) > 0)
        EXPECT_EQ(v % 2, 1);
    numbers_free(g);
    return rc;
}

static int generated(void *arg)
{
    struct board b = {.n = 0};
    struct source src[SOURCES];
    int rc, sum = 0, extras = 0;
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    for (int i = 0; i < SOURCES; i++) {
        src[i] = (struct source){.b = &b, .sum = &sum};
        EXPECT_EQ(mf_cqueue_add(&q, 0,
                                i % 2 != 0 ? lets_it_send : sends_what_it_gets,
                                &src[i], NULL),
                  0);
    }
    while ((rc = mf_cqueue_poll(&q, &ev, late())) > 0) {
        extras += (int)ev.extra;
        EXPECT_EQ(sum, extras);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(sum, SOURCES * NUMBERS * (NUMBERS + 1) / 2);
    return 0;
}

MFI_TEST(generators_are_the_sources_of_arms)
{
    everywhere(generated);
}
