/* SPDX-License-Identifier: MIT */
/* thread_test.c - names, signal masks, stacks, the word at a thread's end. */
#include "os/thread.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/cpu.h"
#include "test.h"

static void look_around(void *arg)
{
    char name[16] = "";
    sigset_t mask;
    void *low;
    size_t len;

    /* The starter names the thread, perhaps after it has begun. */
    for (int i = 0; i < 1000 && strcmp(name, "mayfly test") != 0; i++) {
        EXPECT_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
        usleep(1000);
    }
    EXPECT_STR_EQ(name, "mayfly test");
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    EXPECT_EQ(sigismember(&mask, SIGTERM), 1);
    EXPECT_EQ(sigismember(&mask, SIGPIPE), 1);
    EXPECT_EQ(sigismember(&mask, SIGSEGV), 0);
    EXPECT_EQ(sigismember(&mask, SIGBUS), 0);
    EXPECT_EQ(sigismember(&mask, SIGURG), 0); /* the open one */
    mfi_thread_stack(&low, &len);
    EXPECT((char *)low <= name && name < (char *)low + len);
    *(int *)arg = mfi_thread_id();
}

MFI_TEST(a_thread_has_its_name_its_mask_and_its_stack)
{
    struct os_thread t;
    sigset_t before, after;
    int id = 0;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    EXPECT_EQ(mfi_thread_start(&t, "mayfly test", look_around, &id, SIGURG), 0);
    mfi_thread_join(&t);
    EXPECT_GT(id, 0);
    EXPECT_NE(id, mfi_thread_id());
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

MFI_TEST(a_pinned_thread_stays_on_its_cpu)
{
    int cpu = mfi_cpu_nth(mfi_cpu_allowed() - 1);

    EXPECT_EQ(mfi_thread_pin_cpu(cpu), 0);
    EXPECT_EQ(sched_getcpu(), cpu);
    EXPECT_EQ(mfi_cpu_allowed(), 1);
    EXPECT_EQ(mfi_cpu_nth(0), cpu);
}

static _Atomic(void *) gone;

static void note(void *word)
{
    mfi_store_rel(&gone, word);
}

static void set_word(void *arg)
{
    EXPECT_EQ(mfi_thread_word_set(arg, note), 0);
    EXPECT(mfi_load_acq(&gone) == NULL);
}

MFI_TEST(the_word_is_destroyed_when_its_thread_ends)
{
    struct os_thread t;
    int word;

    EXPECT_EQ(mfi_thread_start(&t, "word", set_word, &word, 0), 0);
    mfi_thread_join(&t);
    EXPECT(mfi_load_acq(&gone) == &word);
}
