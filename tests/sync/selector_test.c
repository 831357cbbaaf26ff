/* SPDX-License-Identifier: MIT */
/* selector_test.c - MF_SELECT and MF_LOOP_SELECT as one writes them. */
#include "sync/crowd.h"

MF_CHAN_DEFINE(ints, int);

static ints *make(size_t capacity)
{
    ints *c = NULL;

    EXPECT_EQ(ints_make(capacity, NULL, &c), 0);
    return c;
}

/* ---- MF_SELECT ----------------------------------------------------------- */

static int evaluated;

static ints *count(ints *c)
{
    evaluated++;
    return c;
}

static int chooses(void *arg)
{
    ints *a = make(1), *b = make(1);
    int rc, v = 0, bodies = 0;

    (void)arg;
    evaluated = 0;
    EXPECT_EQ(ints_send(b, 4, MF_NOW), 0);
    MF_SELECT(rc, MF_NEVER)
    {
        MF_CASE(ints_on_recv(count(a), &v)) bodies += 10;
        MF_CASE(ints_on_recv(count(b), &v))
        {
            EXPECT_EQ(rc, 1);
            bodies++;
        }
        MF_ELSE bodies += 100;
    }
    EXPECT_EQ(bodies, 1);
    EXPECT_EQ(v, 4);
    EXPECT_EQ(evaluated, 2); /* once a wait */
    MF_SELECT(rc, MF_NOW)
    {
        MF_CASE(ints_on_recv(a, &v)) bodies += 10;
        MF_ELSE
        {
            EXPECT_EQ(rc, -ETIMEDOUT);
            bodies++;
        }
    }
    EXPECT_EQ(bodies, 2);
    MF_SELECT(rc, soon())
    {
        MF_CASE(ints_on_recv(a, &v)) bodies += 10;
    }
    EXPECT_EQ(rc, -ETIMEDOUT); /* without MF_ELSE, too */
    EXPECT_EQ(bodies, 2);
    ints_unref(a);
    ints_unref(b);
    return 0;
}

MFI_TEST(the_block_runs_for_the_winner)
{
    in_both(chooses, NULL);
}

static int returns_from_inside(ints *c)
{
    int rc, v;

    MF_SELECT(rc, MF_NEVER)
    {
        MF_CASE(ints_on_recv(c, &v)) return v;
    }
    return -1;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* the price of nesting them */

/* One in the body of another, and left by break. */
static int nests(void *arg)
{
    ints *a = make(2);
    int rc, inner, v = 0, w = 0, after = 0;

    (void)arg;
    EXPECT_EQ(ints_send(a, 1, MF_NOW), 0);
    EXPECT_EQ(ints_send(a, 2, MF_NOW), 0);
    MF_SELECT(rc, MF_NEVER)
    {
        MF_CASE(ints_on_recv(a, &v))
        {
            MF_SELECT(inner, MF_NEVER)
            {
                MF_CASE(ints_on_recv(a, &w))
                {
                    EXPECT_EQ(inner, 1);
                    break;
                }
            }
            after++;
            break;
        }
    }
    EXPECT(v == 1 && w == 2 && after == 1);
    EXPECT_EQ(ints_send(a, 3, MF_NOW), 0);
    EXPECT_EQ(returns_from_inside(a), 3);
    ints_unref(a);
    return 0;
}

#pragma GCC diagnostic pop

MFI_TEST(selects_nest_and_can_be_left)
{
    in_both(nests, NULL);
}

static int too_many(void *arg)
{
    int rc = 0, v, told = 0;

    (void)arg;
#define FOUR                             \
 MF_CASE(ints_on_recv(NULL, &v)) rc = 1; \
 MF_CASE(ints_on_recv(NULL, &v)) rc = 1; \
 MF_CASE(ints_on_recv(NULL, &v)) rc = 1; \
 MF_CASE(ints_on_recv(NULL, &v)) rc = 1;
    MF_SELECT(rc, MF_NOW)
    {
        FOUR FOUR FOUR FOUR MF_ELSE told = rc;
    }
    EXPECT_EQ(told, -ETIMEDOUT); /* sixteen are allowed */
    MF_SELECT(rc, MF_NOW)
    {
        FOUR FOUR FOUR FOUR MF_CASE(mf_on_time(MF_NOW)) told = 1;
        MF_ELSE told = rc;
    }
    EXPECT_EQ(told, -EINVAL);
    MF_SELECT(rc, MF_NOW)
    {
        MF_CASE(mf_on_fd(1, 0)) told = 1;
        MF_ELSE told = rc + 1;
    }
    EXPECT_EQ(told, -EINVAL + 1);
    return 0;
}

MFI_TEST(too_many_cases_and_bad_ones_are_told)
{
    in_both(too_many, NULL);
}

/* ---- MF_LOOP_SELECT ------------------------------------------------------ */

static int sends_five_closes(void *arg)
{
    ints *c = arg;

    for (int i = 0; i < 5; i++)
        EXPECT_EQ(ints_send(c, i, late()), 0);
    return ints_close(c);
}

static int loops(void *arg)
{
    ints *a = make(0), *b = make(3);
    int rc, v, w, na = 0, nb = 0, enda = 0, endb = 0, fired = 0;
    mf_event e = {{0, 0}};
    mf_ns begun = cpu_time();
    MF_SCOPE(s);

    (void)arg;
    mf_event_fire(&e);
    EXPECT_EQ(mf_go(&s, sends_five_closes, a), 0);
    EXPECT_EQ(mf_go(&s, sends_five_closes, b), 0);
    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(ints_on_recv(a, &v)) rc > 0 ? na++ : enda++;
        MF_CASE(ints_on_recv(b, &w)) rc > 0 ? nb++ : endb++;
        MF_CASE(mf_on_event(&e)) fired++;
        MF_CASE(mf_on_scope(&s)) fired += 10;
        MF_ELSE rc = -1;
    }
    EXPECT_EQ(rc, 0);
    EXPECT(na == 5 && nb == 5);
    EXPECT(enda == 1 && endb == 1); /* each end is told once */
    EXPECT(fired == 1 || fired == 11 || fired == 10);
    EXPECT_LT(cpu_time() - begun, MF_SEC(5)); /* it did not spin */
    EXPECT_EQ(mf_scope_close(&s), 0);
    ints_unref(a);
    ints_unref(b);
    return 0;
}

MFI_TEST(a_loop_ends_when_every_source_has)
{
    in_both(loops, NULL);
}

/* The same place with another channel, or another time, is as new. */
static int renews(void *arg)
{
    ints *c[3];
    int rc, v, at = 0, ticks = 0, ends = 0;
    mf_ns next = mf_now();

    (void)arg;
    for (int i = 0; i < 3; i++) {
        c[i] = make(1);
        EXPECT_EQ(ints_close(c[i]), 0);
    }
    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(ints_on_recv(c[at], &v))
        {
            ends++;
            at += at < 2;
        }
        MF_CASE(mf_on_time(mf_at(next)))
        {
            ticks++;
            next += ticks < 4 ? MF_MSEC(1) : 0;
        }
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(ends, 3);
    EXPECT_EQ(ticks, 4);
    for (int i = 0; i < 3; i++)
        ints_unref(c[i]);
    return 0;
}

MFI_TEST(a_case_about_something_else_is_new)
{
    in_both(renews, NULL);
}

static int loop_deadline(void *arg)
{
    ints *c = make(1);
    int rc, v, told = 0;

    (void)arg;
    MF_LOOP_SELECT(rc, soon())
    {
        MF_CASE(ints_on_recv(c, &v)) told = 99;
        MF_ELSE told = rc;
    }
    EXPECT_EQ(told, -ETIMEDOUT);
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_EQ(ints_send(c, 1, MF_NOW), 0);
    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(ints_on_recv(c, &v)) break;
    }
    EXPECT_EQ(rc, 1);
    MF_LOOP_SELECT(rc, MF_NEVER)
    {
        MF_CASE(ints_on_recv(NULL, &v)) told = 99;
    }
    EXPECT_EQ(rc, 0); /* nothing can ever fire */
    ints_unref(c);
    return 0;
}

MFI_TEST(a_loop_has_a_deadline_and_can_be_left)
{
    in_both(loop_deadline, NULL);
}
