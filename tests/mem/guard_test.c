/* SPDX-License-Identifier: MIT */
/* guard_test.c - each tier, by force: a write into a guard does not happen. */
#include "mem/guard.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "mem/stack.h"
#include "os/map.h"
#include "test.h"

static const char *const tiers[] = {"region", "uffd", "mprotect"};
static const char *tier_name;

/* Is this tier here? Opens it. */
static bool choose(const char *name, enum guard_tier *ret_tier)
{
    int rc = mfi_guard_choose(name, ret_tier);

    if (rc == -ENOTSUP)
        return false;
    EXPECT_EQ(rc, 0);
    return true;
}

static int poke(char *p)
{
    return (int)mfi_sys2(SYS_clock_gettime, CLOCK_MONOTONIC, p);
}

/* Map, prepare and guard the middle; returns the guard. */
static char *make_guard(enum guard_tier tier, size_t page)
{
    void *base = NULL;

    EXPECT_EQ(mfi_map_pages(MFI_GUARD_LEN + 2 * page, &base), 0);
    EXPECT_EQ(mfi_guard_slab(tier, base, MFI_GUARD_LEN + 2 * page), 0);
    EXPECT_EQ(mfi_guard_install(tier, (char *)base + page, MFI_GUARD_LEN), 0);
    return (char *)base + page;
}

static void expect_guard_works(enum guard_tier tier)
{
    size_t page = mfi_page_size();
    char *guard = make_guard(tier, page);

    for (size_t at = 0; at < MFI_GUARD_LEN; at += page)
        EXPECT_EQ(poke(guard + at), -EFAULT);
    EXPECT_EQ(poke(guard - page), 0);
    EXPECT_EQ(poke(guard + MFI_GUARD_LEN), 0);
    /* The memory beside it can be dropped, the guard stays. */
    EXPECT_EQ(mfi_advise(guard + MFI_GUARD_LEN, page, MADV_DONTNEED), 0);
    EXPECT_EQ(poke(guard + MFI_GUARD_LEN - page), -EFAULT);
    EXPECT_EQ(mfi_unmap(guard - page, MFI_GUARD_LEN + 2 * page), 0);
}

static void write_into_guard(void)
{
    enum guard_tier tier;
    char *guard;

    if (!choose(tier_name, &tier))
        return;
    guard = make_guard(tier, mfi_page_size());
    fprintf(stderr, "before\n");
    guard[MFI_GUARD_LEN - 1] = 1;
    fprintf(stderr, "after\n");
}

static void expect_a_write_kills(const char *name)
{
    char out[4096];
    int status;

    tier_name = name;
    status = mfi_test_dies(write_into_guard, out, sizeof out);
    EXPECT_STR_HAS(out, "before");
    EXPECT(strstr(out, "after\n") == NULL);
    if (!MFI_TEST_ASAN && !MFI_TEST_TSAN) {
        EXPECT(WIFSIGNALED(status));
        EXPECT_EQ(WTERMSIG(status),
                  strcmp(name, "uffd") == 0 ? SIGBUS : SIGSEGV);
    }
}

/* What the kernel can do, found without the code under test. */
static bool kernel_has(const char *name)
{
    size_t page = mfi_page_size();
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_SIGBUS,
    };
    void *base;
    int fd;

    if (strcmp(name, "uffd") == 0) {
        fd = (int)mfi_sys1(SYS_userfaultfd, 1 /* user mode only */);
        return fd >= 0 && mfi_sys3(SYS_ioctl, fd, UFFDIO_API, &api) == 0;
    }
    EXPECT_EQ(mfi_map_pages(page, &base), 0);
    if (strcmp(name, "region") == 0)
        return mfi_advise(base, page, MADV_GUARD_INSTALL) == 0 &&
               poke(base) == -EFAULT;
    return mfi_protect(base, page, PROT_NONE) == 0 && poke(base) == -EFAULT;
}

MFI_TEST(every_tier_that_is_chosen_works)
{
    int n = 0;

    for (int i = 0; i < 3; i++) {
        enum guard_tier tier;

        if (!choose(tiers[i], &tier)) {
            EXPECT(!kernel_has(tiers[i]));
            continue;
        }
        EXPECT_STR_EQ(mfi_guard_name(tier), tiers[i]);
        expect_guard_works(tier);
        mfi_guard_done();
        expect_a_write_kills(tiers[i]);
        n++;
    }
    EXPECT_GE(n, 1);
}

MFI_TEST(uffd_works_as_before_linux_6_4)
{
    enum guard_tier tier;

    mfi_guard_without_markers = true;
    if (!choose("uffd", &tier)) {
        EXPECT(!kernel_has("uffd"));
        MFI_SKIP("no userfaultfd here");
    }
    expect_guard_works(tier);
    mfi_guard_done();
    expect_a_write_kills("uffd");
}

MFI_TEST(the_best_tier_is_chosen_unless_one_is_forced)
{
    enum guard_tier best, tier;
    int i = 0;

    EXPECT_EQ(mfi_guard_choose(NULL, &best), 0);
    mfi_guard_done();
    while (!choose(tiers[i], &tier))
        i++;
    mfi_guard_done();
    EXPECT_EQ(best, tier);
    EXPECT_EQ(mfi_guard_choose("wall", &tier), -EINVAL);
    EXPECT_EQ(mfi_guard_choose("", &tier), -EINVAL);
    EXPECT_EQ(mfi_guard_choose("mprotect", &tier), 0);
    EXPECT_EQ(tier, GUARD_MPROTECT);
}

/* From now on madvise(2) does nothing for this advice and answers -err. */
static void pretend(unsigned advice, unsigned err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, advice, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        MFI_SKIP("no seccomp here");
}

MFI_TEST(a_kernel_that_only_pretends_is_not_believed)
{
    enum guard_tier tier = GUARD_REGION;

    pretend(MADV_GUARD_INSTALL, 0);
    EXPECT_EQ(mfi_guard_choose("region", &tier), -ENOTSUP);
    EXPECT_EQ(mfi_guard_choose(NULL, &tier), 0);
    EXPECT_NE(tier, GUARD_REGION);
    expect_guard_works(tier);
    mfi_guard_done();
    pretend(22 /* MADV_POPULATE_READ */, 0);
    mfi_guard_without_markers = true;
    EXPECT_EQ(mfi_guard_choose(NULL, &tier), 0);
    expect_guard_works(tier);
}

MFI_TEST(uffd_works_as_before_linux_5_14)
{
    enum guard_tier tier;

    pretend(22 /* MADV_POPULATE_READ */, EINVAL);
    mfi_guard_without_markers = true;
    if (!choose("uffd", &tier)) {
        EXPECT(!kernel_has("uffd"));
        MFI_SKIP("no userfaultfd here");
    }
    expect_guard_works(tier);
}

/* mlockall(2) in force before and after: guards work, little is filled. */
MFI_TEST(locked_memory_can_be_guarded)
{
    for (int i = 0; i < 3; i++) {
        struct stack_cache cache = {.bin[0].hot = NULL};
        struct stack *s[40];
        int rc = mfi_stacks_init(tiers[i]);

        if (rc == -ENOTSUP)
            continue;
        EXPECT_EQ(rc, 0);
        EXPECT_EQ(mfi_stack_get(&cache, 65536, &s[0]), 0);
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
            MFI_SKIP("mlockall is not permitted");
        for (int k = 1; k < 40; k++) {
            EXPECT_EQ(mfi_stack_get(&cache, 65536, &s[k]), 0);
            EXPECT_EQ(poke(s[k]->low - 64), -EFAULT);
            EXPECT_EQ(poke(s[k]->low), 0);
        }
        EXPECT_EQ(mfi_stack_used(s[39]), s[39]->size); /* low was poked */
        for (int k = 0; k < 40; k++)
            mfi_stack_put(&cache, s[k]);
        mfi_stack_cache_flush(&cache);
        EXPECT(!mfi_stack_trim(&cache));
        mfi_stacks_done();
        EXPECT_EQ(munlockall(), 0);
    }
}

enum { MANY = 40000 };

/* Get MANY stacks with this tier; *ret_rc is why it ended, 0: it did not. */
static int get_many(const char *name, int *ret_rc)
{
    static struct stack *stacks[MANY];
    static struct stack_cache cache;
    int n = 0;

    *ret_rc = mfi_stacks_init(name);
    if (*ret_rc < 0)
        return -1;
    while (n < MANY && *ret_rc == 0) {
        *ret_rc = mfi_stack_get(&cache, 16384, &stacks[n]);
        n += *ret_rc == 0;
    }
    for (int i = 0; i < n; i += 1000) {
        EXPECT_EQ(poke(stacks[i]->low - 64), -EFAULT);
        EXPECT_EQ(poke(stacks[i]->low), 0);
    }
    for (int i = 0; i < n; i++)
        mfi_stack_put(&cache, stacks[i]);
    mfi_stack_cache_flush(&cache);
    mfi_stacks_done();
    return n;
}

static long max_maps(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
    long n = 0;

    if (f == NULL || fscanf(f, "%ld", &n) != 1)
        n = 0;
    if (f != NULL)
        fclose(f);
    return n;
}

MFI_TEST(forty_thousand_stacks_with_guards_that_need_no_map)
{
    for (int i = 0; i < 2; i++) {
        int rc, n = get_many(tiers[i], &rc);

        EXPECT(n == MANY || rc == -ENOTSUP);
    }
}

MFI_TEST(mprotect_ends_with_a_clear_error_where_maps_end)
{
    int rc, n;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN || mfi_test_under_valgrind())
        MFI_SKIP("the checker ends where maps end");
    n = get_many("mprotect", &rc);
    if (max_maps() > 2 * MANY || max_maps() < 40000)
        MFI_SKIP("vm.max_map_count is not the default");
    EXPECT_EQ(rc, -ENOMEM);
    EXPECT_GT(n, max_maps() / 2 - 2000);
}
