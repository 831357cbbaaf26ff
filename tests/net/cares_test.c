/* SPDX-License-Identifier: MIT */
/* cares_test.c - c-ares, driven by a task, and the same name server. */
#include "net/faults.h"

static void choose(void)
{
    EXPECT_EQ(unsetenv("MF_RESOLVER"), 0);
    if (strncmp(mf_resolver(), "c-ares ", 7) != 0)
        MFI_SKIP("built without c-ares");
}

/* ---- its own ------------------------------------------------------------ */

/* As many questions as you like: no thread for any of them. */
static int many_names(void *arg)
{
    enum { MANY = 200 / KIT_SLOW };
    int id[MANY], threads;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < MANY; i++) {
        id[i] = i;
        EXPECT_EQ(mf_go(&s, ask_mute, &id[i]), 0);
    }
    await_asked(MANY);
    mfi_offload_busy(&threads);
    EXPECT_EQ(threads, 0);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    return 0;
}

MFI_TEST(many_names_at_once_need_no_thread)
{
    enter();
    in_tasks(2, many_names, NULL);
}

static void *ask_alone(void *arg)
{
    mf_addr a[4];

    EXPECT_EQ(mf_resolve("hold.test:1", NULL, a, 4, late()), 2);
    return arg;
}

/* A plain thread's question outlives the runtime that began it. */
MFI_TEST(a_stop_hands_what_is_wanted_to_getaddrinfo)
{
    pthread_t thread;
    int rc;

    enter();
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, ask_alone, NULL), 0);
    await_asked(2);
    while ((rc = mf_stop(mf_after(MF_MSEC(50)))) == -ETIMEDOUT)
        mfi_store_rel(&world.open, 1);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

MFI_TEST(a_runtime_that_comes_and_goes_asks_again)
{
    enter();
    mfi_store_rel(&world.open, 1);
    for (int i = 0; i < 10; i++)
        in_tasks(2, ask_hold, NULL);
    EXPECT_EQ(ask_hold(NULL), 0); /* none: getaddrinfo's threads */
}
