/* SPDX-License-Identifier: MIT */
/* cxx_test.cc - C++ in tasks: exceptions over suspensions, and early leaves. */
#include <atomic>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>

#include <mayfly.h>

extern "C" {
#include "test.h"
}

namespace
{

const int ROUNDS = 2000;

std::atomic<int> destroyed;

struct Noisy {
    ~Noisy()
    {
        destroyed++;
    }
};

int run(int workers, mf_fn *fn)
{
    return mf_run(fn, nullptr, MF_OPTIONS(.workers = workers));
}

/* ---- suspended inside catch blocks -------------------------------------- */

__attribute__((noinline)) void give_way()
{
    mf_yield();
    mf_sleep(MF_USEC(20)) < 0 ? void() : void();
}

/* Each task handles exceptions of its own, nested, while others do so too. */
int throws_and_suspends(void *arg)
{
    long me = reinterpret_cast<long>(arg);

    for (int i = 0; i < ROUNDS / 20; i++) {
        std::string text = "task " + std::to_string(me * 1000 + i);
        try {
            throw std::runtime_error(text);
        } catch (const std::exception &outer) {
            give_way();
            try {
                throw me;
            } catch (long &inner) {
                give_way();
                EXPECT_EQ(inner, me);
            }
            give_way();
            EXPECT_STR_EQ(outer.what(), text.c_str());
            try {
                throw; /* the one this task handles, not another's */
            } catch (const std::runtime_error &again) {
                give_way();
                EXPECT_STR_EQ(again.what(), text.c_str());
            }
        }
        EXPECT(std::current_exception() == nullptr);
    }
    return 0;
}

int many_throw(void *)
{
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, nullptr), 0);
    for (long i = 0; i < 20; i++)
        EXPECT_EQ(mf_go(&s, throws_and_suspends, reinterpret_cast<void *>(i)),
                  0);
    return mf_scope_close(&s);
}

MFI_TEST(catch_blocks_may_suspend)
{
    EXPECT_EQ(run(1, many_throw), 0);
}

MFI_TEST(catch_blocks_may_migrate)
{
    EXPECT_EQ(run(2, many_throw), 0);
}

/* ---- suspended while an exception flies --------------------------------- */

struct SuspendsInDestructor {
    ~SuspendsInDestructor()
    {
        EXPECT_EQ(std::uncaught_exceptions(), 1);
        mf_yield();
        EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
};

int suspends_while_it_flies(void *)
{
    for (int i = 0; i < ROUNDS; i++) {
        try {
            SuspendsInDestructor d;
            throw i;
        } catch (int caught) {
            EXPECT_EQ(caught, i);
        }
    }
    return 0;
}

int sees_none_flying(void *)
{
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        mf_yield();
    }
    return 0;
}

int flying_and_not(void *)
{
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, nullptr), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(mf_go(&s, suspends_while_it_flies, nullptr), 0);
        EXPECT_EQ(mf_go(&s, sees_none_flying, nullptr), 0);
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_destructor_may_suspend_while_an_exception_flies)
{
    EXPECT_EQ(run(1, flying_and_not), 0);
    EXPECT_EQ(run(2, flying_and_not), 0);
}

/* ---- leaving early ------------------------------------------------------ */

__attribute__((noinline)) void rethrows(int depth)
{
    Noisy here;

    try {
        Noisy inside;
        if (depth == 0)
            mf_exit(7);
        rethrows(depth - 1);
    } catch (const std::exception &) {
        mfi_test_fail(__FILE__, __LINE__, "no std::exception");
    } catch (...) {
        destroyed++;
        throw;
    }
}

int exits_through_catch(void *)
{
    Noisy outermost;

    rethrows(4);
    return 0;
}

MFI_TEST(an_exit_runs_destructors_through_catch_and_throw)
{
    EXPECT_EQ(run(2, exits_through_catch), 7);
    EXPECT_EQ(destroyed, 1 + 5 * 3);
}

int panics_in_a_catch_block(void *)
{
    Noisy outermost;

    try {
        throw std::runtime_error("first");
    } catch (...) {
        Noisy inside;
        mf_yield();
        mf_panic("second");
    }
    return 0;
}

int joins_a_panic(void *)
{
    const char *message = nullptr;
    int result = 0;
    mf_task *t;
    mf_scope s;
    mf_scope_options o;

    o.mode = MF_WAIT_ALL;
    EXPECT_EQ(mf_scope_open(&s, &o), 0);
    EXPECT_EQ(mf_spawn(&s, panics_in_a_catch_block, nullptr, nullptr, &t), 0);
    EXPECT_EQ(mf_join(t, &result, MF_NEVER), 0);
    EXPECT_EQ(result, -ENOTRECOVERABLE);
    EXPECT_EQ(mf_task_ending(t, &message), MF_PANICKED);
    EXPECT_STR_EQ(message, "second");
    EXPECT_EQ(destroyed, 2);
    EXPECT(std::current_exception() == nullptr);
    EXPECT_EQ(mf_scope_close(&s), -ENOTRECOVERABLE);
    return 0;
}

MFI_TEST(a_panic_inside_a_catch_block_leaves_nothing_behind)
{
    EXPECT_EQ(run(1, joins_a_panic), 0);
}

/* ---- several at once ---------------------------------------------------- */

int calls(void *)
{
    int a = 0, b = 0;
    const char *won = nullptr;
    int rc = mf_join_all(MF_CALL(
                             [](void *p) -> int {
                                 *static_cast<int *>(p) = 1;
                                 return mf_yield();
                             },
                             &a),
                         MF_CALL(
                             [](void *p) -> int {
                                 *static_cast<int *>(p) = 2;
                                 return 0;
                             },
                             &b));

    EXPECT_EQ(rc, 0);
    EXPECT_EQ(a + b, 3);
    rc = mf_race(
        MF_CALL([](void *) -> int { return mf_sleep_until(MF_NEVER); },
                nullptr),
        MF_CALL(
            [](void *p) -> int {
                *static_cast<const char **>(p) = "second";
                return 7;
            },
            &won));
    EXPECT_EQ(rc, 7);
    EXPECT_STR_EQ(won, "second");
    rc = mf_join_all(
        MF_CALL([](void *) -> int { return mf_sleep_until(MF_NEVER); },
                nullptr),
        MF_CALL([](void *) -> int { mf_panic("one of two"); }, nullptr));
    EXPECT_EQ(rc, -ENOTRECOVERABLE);
    return 0;
}

MFI_TEST(lambdas_are_joined_and_raced)
{
    EXPECT_EQ(run(1, calls), 0);
    EXPECT_EQ(run(2, calls), 0);
}

int swallows(void *)
{
    try {
        mf_exit(7);
    } catch (...) {
    }
    return 0;
}

void run_swallows()
{
    run(1, swallows);
}

MFI_TEST(a_catch_that_swallows_an_exit_aborts_and_says_so)
{
    EXPECT_DIES(run_swallows, SIGABRT,
                "mayfly: a catch (...) swallowed mf_exit or mf_panic");
}

} /* namespace */
