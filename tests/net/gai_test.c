/* SPDX-License-Identifier: MIT */
/* gai_test.c - getaddrinfo's threads, and a name server that does anything. */
#include "net/faults.h"

static void choose(void)
{
    EXPECT_EQ(setenv("MF_RESOLVER", "getaddrinfo", 1), 0);
    EXPECT_STR_EQ(mf_resolver(), "getaddrinfo");
}

/* ---- without a runtime -------------------------------------------------- */

MFI_TEST(plain_threads_ask_before_and_after_a_runtime)
{
    enter();
    mfi_store_rel(&world.open, 1);
    EXPECT_EQ(ask_hold(NULL), 0);
    in_tasks(1, ask_hold, NULL);
    EXPECT_EQ(ask_hold(NULL), 0);
    in_thread(ask_hold, NULL);
    EXPECT_EQ(answers(NULL), 0);
}

static void *ask_often(void *arg)
{
    for (int i = 0; i < 200 / KIT_SLOW; i++)
        expect("nine:1", AF_INET, "127.0.0.9:1");
    return arg;
}

/* The runtime comes and goes under threads that ask all the time. */
MFI_TEST(a_stop_and_plain_threads_do_not_meet)
{
    pthread_t thread[3];

    enter();
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < 20 / KIT_SLOW; i++) {
        EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
        EXPECT_EQ(mf_stop(late()), 0);
    }
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
}
