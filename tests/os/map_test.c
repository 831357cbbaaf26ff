/* SPDX-License-Identifier: MIT */
/* map_test.c - pages come zeroed, go away, and obey advice. */
#include "os/map.h"

#include <time.h>

#include "test.h"

/* What the kernel says when it has to write at p. */
static long poke(void *p)
{
    return mfi_sys2(SYS_clock_gettime, CLOCK_MONOTONIC, p);
}

MFI_TEST(pages_are_zeroed_writable_and_can_be_dropped)
{
    size_t len = 16 * mfi_page_size();
    void *base;
    char *p;

    EXPECT_EQ(mfi_map_pages(len, &base), 0);
    p = base;
    EXPECT_EQ(p[0], 0);
    EXPECT_EQ(p[len - 1], 0);
    p[0] = 1;
    EXPECT_EQ(mfi_advise(p, len, MADV_DONTNEED), 0);
    EXPECT_EQ(p[0], 0);
    EXPECT_EQ(mfi_unmap(base, len), 0);
    EXPECT_EQ(poke(base), -EFAULT);
}

MFI_TEST(protected_pages_fault)
{
    size_t page = mfi_page_size();
    void *base;

    EXPECT_EQ(mfi_map_pages(2 * page, &base), 0);
    EXPECT_EQ(mfi_protect(base, page, PROT_NONE), 0);
    EXPECT_EQ(poke(base), -EFAULT);
    EXPECT_EQ(poke((char *)base + page), 0);
    EXPECT_EQ(mfi_munlock(base, 2 * page), 0);
    EXPECT_EQ(mfi_unmap(base, 2 * page), 0);
}

MFI_TEST(errors_are_returned)
{
    void *base = NULL;

    EXPECT_EQ(mfi_map_pages(SIZE_MAX / 2, &base), -ENOMEM);
    EXPECT(base == NULL);
    EXPECT_EQ(mfi_map_pages(0, &base), -EINVAL);
    EXPECT_EQ(mfi_unmap((void *)1, 4096), -EINVAL);
}

MFI_TEST(a_page_is_a_power_of_two)
{
    size_t page = mfi_page_size();

    EXPECT_GE(page, MFI_PAGE);
    EXPECT_EQ(page & (page - 1), 0);
}
