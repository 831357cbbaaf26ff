/* SPDX-License-Identifier: MIT */
/* config_test.c - options and the environment: understood, or named. */
#include "sched/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem/stack.h"
#include "sched/help.h"

static const char *const names[] = {
    "MF_WORKERS", "MF_STACK_SIZE",      "MF_STEAL",   "MF_PIN_WORKERS",
    "MF_HOG_MS",  "MF_OFFLOAD_THREADS", "MF_BACKEND", "MF_GUARD"};

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static struct config made(const mf_options *o)
{
    struct config c;

    EXPECT_EQ(mfi_config_make(o, &c), 0);
    return c;
}

MFI_TEST(without_options_there_are_defaults)
{
    struct config c;

    clear_environment();
    c = made(NULL);
    EXPECT_GE(c.workers, 1);
    EXPECT_EQ(c.stack_size, 256 * 1024);
    EXPECT_EQ(c.hog_time, MF_MSEC(10));
    EXPECT_EQ(c.offload_threads, 64);
    EXPECT(c.stealing && !c.pin_workers && !c.want_epoll && !c.want_uring);
    EXPECT(c.guard == NULL);
}

MFI_TEST(options_are_taken)
{
    struct config c;

    clear_environment();
    c = made(MF_OPTIONS(.workers = 3, .stack_size = 100000, .backend = "epoll",
                        .pin_workers = 1, .no_stealing = 1, .hog_time = -1,
                        .guard = "mprotect", .offload_threads = 5));
    EXPECT_EQ(c.workers, 3);
    EXPECT_EQ(c.stack_size, 128 * 1024); /* the next power of two */
    EXPECT(c.want_epoll && !c.want_uring && c.pin_workers && !c.stealing);
    EXPECT_LT(c.hog_time, 0);
    EXPECT_STR_EQ(c.guard, "mprotect");
    EXPECT_EQ(c.offload_threads, 5);
    c = made(MF_OPTIONS(.backend = "uring"));
    EXPECT(c.want_uring && !c.want_epoll);
}

MFI_TEST(the_environment_overrides_the_options)
{
    struct config c;

    clear_environment();
    setenv("MF_WORKERS", "2", 1);
    setenv("MF_STACK_SIZE", "65536", 1);
    setenv("MF_STEAL", "0", 1);
    setenv("MF_PIN_WORKERS", "1", 1);
    setenv("MF_HOG_MS", "25", 1);
    setenv("MF_OFFLOAD_THREADS", "7", 1);
    setenv("MF_BACKEND", "epoll", 1);
    setenv("MF_GUARD", "mprotect", 1);
    c = made(MF_OPTIONS(.workers = 3, .backend = "uring", .guard = "region",
                        .hog_time = -1, .offload_threads = 5));
    EXPECT_EQ(c.workers, 2);
    EXPECT_EQ(c.stack_size, 65536);
    EXPECT(!c.stealing && c.pin_workers && c.want_epoll && !c.want_uring);
    EXPECT_EQ(c.hog_time, MF_MSEC(25));
    EXPECT_EQ(c.offload_threads, 7);
    EXPECT_STR_EQ(c.guard, "mprotect");
    setenv("MF_HOG_MS", "0", 1);
    setenv("MF_STEAL", "1", 1);
    setenv("MF_WORKERS", "", 1); /* empty is not set */
    c = made(MF_OPTIONS(.workers = 3, .no_stealing = 1));
    EXPECT(c.stealing && c.hog_time < 0);
    EXPECT_EQ(c.workers, 3);
}

/* Neither the maker nor the start accepts it, and both say what it was. */
static void names_the_variable(const char *name, const char *text)
{
    struct config c;

    clear_environment();
    setenv(name, text, 1);
    if (strcmp(name, "MF_GUARD") != 0) { /* which the stacks know */
        EXPECT_EQ(mfi_config_make(NULL, &c), -EINVAL);
        EXPECT_STR_HAS(mf_explain(-EINVAL), name);
    }
    EXPECT_EQ(mf_start(NULL), -EINVAL);
    EXPECT_STR_HAS(mf_explain(-EINVAL), name);
    EXPECT_STR_HAS(mf_explain(-EINVAL), text);
    EXPECT_EQ(mf_run(returns_arg, NULL, NULL), -EINVAL);
    EXPECT(mf_root() == NULL);
    unsetenv(name);
}

MFI_TEST(a_variable_that_makes_no_sense_is_named)
{
    static const char *const numbers[] = {
        "x", "-1", "1x", "99999999999999999", " ", "0x10", "1.5"};

    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            names_the_variable(names[i], numbers[k]);
    names_the_variable("MF_WORKERS", "0");
    names_the_variable("MF_WORKERS", "1025");
    names_the_variable("MF_STEAL", "2");
    names_the_variable("MF_PIN_WORKERS", "2");
    names_the_variable("MF_OFFLOAD_THREADS", "0");
    names_the_variable("MF_BACKEND", "kqueue");
    names_the_variable("MF_GUARD", "dog");
    EXPECT_EQ(run_on(1, returns_arg, NUMBER(4)), 4); /* it starts afterwards */
}

static void names_the_option(const mf_options *o, const char *text)
{
    EXPECT_EQ(mf_start(o), -EINVAL);
    EXPECT_STR_HAS(mf_explain(-EINVAL), text);
}

MFI_TEST(an_option_that_makes_no_sense_is_named)
{
    struct {
        mf_options o;
        char beyond[64];
    } newer;

    clear_environment();
    names_the_option(MF_OPTIONS(.workers = -1), "workers");
    names_the_option(MF_OPTIONS(.workers = 1025), "workers");
    names_the_option(MF_OPTIONS(.stack_size = SIZE_MAX), "stack_size");
    names_the_option(MF_OPTIONS(.stack_size = MFI_STACK_MAX + 1), "stack_size");
    names_the_option(MF_OPTIONS(.offload_threads = -1), "offload_threads");
    names_the_option(MF_OPTIONS(.offload_threads = 5000), "offload_threads");
    names_the_option(MF_OPTIONS(.backend = "iocp"), "iocp");
    names_the_option(MF_OPTIONS(.guard = "none"), "none");
    names_the_option(&(mf_options){.size = 0}, "size");
    memset(&newer, 0, sizeof newer);
    newer.o.size = sizeof newer;
    newer.o.workers = 1;
    EXPECT_EQ(mf_start(&newer.o), 0); /* what we do not know is zero */
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
    newer.beyond[60] = 1;
    names_the_option(&newer.o, "know");
}

MFI_TEST(an_older_and_shorter_struct_is_understood)
{
    struct {
        size_t size;
        int workers;
    } older = {sizeof older, 2};
    mf_runtime_info info = {.size = sizeof info};

    clear_environment();
    EXPECT_EQ(mf_start((const mf_options *)CONST(&older)), 0);
    EXPECT_EQ(mf_runtime_get_info(&info), 0);
    EXPECT_EQ(info.workers, 2);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}
