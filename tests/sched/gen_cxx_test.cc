/* SPDX-License-Identifier: MIT */
/* gen_cxx_test.cc - C++ in generators: exceptions over steps, destructors. */
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

MF_GEN_DEFINE(longs, long);

const int ROUNDS = 200;

std::atomic<int> destroyed;

struct Noisy {
    ~Noisy()
    {
        destroyed++;
    }
};

longs *make(mf_gen_fn *fn, long arg)
{
    longs *g = nullptr;

    EXPECT_EQ(longs_make(fn, reinterpret_cast<void *>(arg), &g), 0);
    return g;
}

long next(longs *g)
{
    long value = -1;

    EXPECT_EQ(longs_next(g, &value), 1);
    return value;
}

/* ---- each side has its own exceptions ----------------------------------- */

/* Yields, and waits, while it handles two exceptions of its own. */
int handles(mf_gen *self, void *arg)
{
    long me = reinterpret_cast<long>(arg);
    int rc = 0;

    for (long i = 0; rc == 0; i++) {
        EXPECT(std::current_exception() == nullptr);
        try {
            throw std::runtime_error(std::to_string(me + i));
        } catch (const std::exception &outer) {
            rc = longs_yield(self, i);
            try {
                throw i;
            } catch (long inner) {
                EXPECT(mf_yield() <= 0);
                if (rc == 0)
                    rc = longs_yield(self, inner);
                EXPECT_EQ(inner, i);
            }
            EXPECT_STR_EQ(outer.what(), std::to_string(me + i).c_str());
            try {
                throw; /* its own, not the asker's */
            } catch (const std::runtime_error &again) {
                EXPECT_STR_EQ(again.what(), std::to_string(me + i).c_str());
            }
        }
    }
    return rc;
}

int asks_while_handling(void *arg)
{
    long me = reinterpret_cast<long>(arg);
    longs *one = make(handles, me), *two = make(handles, me + 1000);

    for (long i = 0; i < ROUNDS; i++) {
        EXPECT_EQ(next(one), i);
        try {
            throw me;
        } catch (long mine) {
            EXPECT_EQ(next(two), i);
            EXPECT_EQ(next(one), i);
            EXPECT_EQ(mine, me);
            try {
                throw;
            } catch (long again) {
                EXPECT_EQ(again, me);
            }
        }
        EXPECT(std::current_exception() == nullptr);
        EXPECT_EQ(next(two), i);
    }
    longs_free(two);
    longs_free(one);
    return 0;
}

int many_ask(void *)
{
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, nullptr), 0);
    for (long i = 0; i < 10; i++)
        EXPECT_EQ(
            mf_go(&s, asks_while_handling, reinterpret_cast<void *>(i * 10000)),
            0);
    return mf_scope_close(&s);
}

MFI_TEST(a_catch_block_on_either_side_spans_steps)
{
    EXPECT_EQ(mf_run(many_ask, nullptr, MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(mf_run(many_ask, nullptr, MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(mf_start(nullptr), 0);
    EXPECT_EQ(asks_while_handling(nullptr), 0);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- destructors -------------------------------------------------------- */

int owns(mf_gen *self, void *arg)
{
    Noisy a;

    try {
        Noisy b;
        int rc = longs_yield(self, 1);

        if (rc < 0)
            throw rc;
        if (arg != nullptr)
            mf_panic("from C++");
    } catch (int rc) {
        EXPECT_EQ(rc, -ECANCELED);
        EXPECT_EQ(longs_yield(self, 2), -ECANCELED);
        return rc;
    }
    return 0;
}

struct Freed {
    longs *g;
    ~Freed()
    {
        longs_free(g);
        destroyed++;
    }
};

int frees_it(void *)
{
    destroyed = 0;
    {
        Freed f{make(owns, 0)};
        EXPECT_EQ(next(f.g), 1);
    }
    EXPECT_EQ(destroyed, 3);
    return 0;
}

MFI_TEST(a_freed_one_runs_its_destructors)
{
    EXPECT_EQ(mf_run(frees_it, nullptr, nullptr), 0);
}

int panics_inside(void *)
{
    Freed f{make(owns, 1)};

    EXPECT_EQ(next(f.g), 1);
    return longs_next(f.g, nullptr);
}

MFI_TEST(a_panic_runs_the_destructors_of_both_sides)
{
    destroyed = 0;
    EXPECT_EQ(mf_run(panics_inside, nullptr, nullptr), -ENOTRECOVERABLE);
    EXPECT_EQ(destroyed, 3);
}

int swallows(mf_gen *, void *)
{
    try {
        mf_exit(3);
    } catch (...) {
    }
    return 0;
}

int asks_a_swallower(void *)
{
    return longs_next(make(swallows, 0), nullptr);
}

void swallowed()
{
    mf_run(asks_a_swallower, nullptr, nullptr);
}

MFI_TEST(swallowing_an_exit_aborts_here_too)
{
    EXPECT_DIES(swallowed, SIGABRT, "swallowed mf_exit");
}

} /* namespace */
