/* SPDX-License-Identifier: MIT */
/*
 * guard.c - the three tiers, and the probe that believes effects only.
 *
 * Emulators and sandboxes answer 0 to a madvise they do not know, so no result
 * is believed: a probe maps a guard between two pages, and lets the kernel
 * write into its first page, its last page and both neighbours. The guard must
 * give -EFAULT and the neighbours must not.
 *
 *     | page | guard ........ guard | page |
 *        ok    EFAULT        EFAULT    ok
 *
 * region    MADV_GUARD_INSTALL puts a marker into the page table. MADV_DONTNEED
 *           leaves it there. Refuses locked memory with -EINVAL.
 *
 * uffd      userfaultfd in write-protect mode with UFFD_FEATURE_SIGBUS: a fault
 *           sends no message to anyone, it raises SIGBUS. USER_MODE_ONLY, which
 *           needs no privilege. A slab is registered once and stays one VMA;
 *           protecting a part of it is a bit in page table entries. So it needs
 *           entries: with UFFD_FEATURE_WP_UNPOPULATED (6.4) the kernel makes
 *           markers, before that we map the zero page first, which costs no
 *           memory either. MADV_DONTNEED over a guard would remove it: never
 *           drop more than the stack itself. Reads of such a guard give zeros;
 *           making them fail would need MODE_MISSING, thus a VMA for each.
 *
 * mprotect  PROT_NONE, which splits the VMA in two each time.
 *
 * Locking: none. uffd_fd and markers are written by choose and done only.
 *
 * Sources: madvise(2), userfaultfd(2), ioctl_userfaultfd(2); Linux
 * mm/madvise.c, mm/userfaultfd.c; Documentation/admin-guide/mm/userfaultfd.rst.
 */
#include "mem/guard.h"

#include <fcntl.h>
#include <linux/userfaultfd.h> /* tidy: allow kernel-header, because of uffd */
#include <string.h>
/* tidy: allow kernel-header, because userfaultfd speaks ioctl */
#include <sys/ioctl.h>
#include <time.h>

#include "base/assert.h"
#include "os/io.h"
#include "os/map.h"

#ifndef UFFD_USER_MODE_ONLY /* Linux 5.11 */
# define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED /* Linux 6.4 */
# define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef MADV_POPULATE_READ /* Linux 5.14 */
# define MADV_POPULATE_READ 22
#endif

bool mfi_guard_without_markers;

enum { TRIES = 100 };

static int uffd_fd = -1;
static bool markers; /* the kernel protects pages that were never touched */

static const char *const names[] = {
    [GUARD_REGION] = "region",
    [GUARD_UFFD] = "uffd",
    [GUARD_MPROTECT] = "mprotect",
};

const char *mfi_guard_name(enum guard_tier tier)
{
    return names[tier];
}

/* life cycle */

static int uffd_open_with(uint64_t features)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    int fd = mfi_os_high(
        (int)mfi_sys1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
    int rc;

    if (fd < 0)
        return fd;
    rc = (int)mfi_sys3(SYS_ioctl, fd, UFFDIO_API, &api);
    if (rc < 0) {
        mfi_os_close(fd);
        return rc;
    }
    uffd_fd = fd;
    return 0;
}

static int uffd_open(void)
{
    const uint64_t base = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_SIGBUS;

    mfi_assert(uffd_fd < 0);
    markers = !mfi_guard_without_markers &&
              uffd_open_with(base | UFFD_FEATURE_WP_UNPOPULATED) == 0;
    return markers ? 0 : uffd_open_with(base);
}

void mfi_guard_done(void)
{
    if (uffd_fd >= 0)
        mfi_os_close(uffd_fd);
    uffd_fd = -1;
}

/* guards */

int mfi_guard_slab(enum guard_tier tier, void *base, size_t len)
{
    struct uffdio_register reg = {
        .range = {.start = (uintptr_t)base, .len = len},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };

    /* mlockall(MCL_FUTURE) has locked and filled it; guards want neither. */
    mfi_munlock(base, len);
    mfi_advise(base, len, MADV_NOHUGEPAGE); /* -EINVAL: there are none */
    if (tier != GUARD_UFFD)
        return 0;
    return (int)mfi_sys3(SYS_ioctl, uffd_fd, UFFDIO_REGISTER, &reg);
}

/* Give every page an entry: the shared page of zeros. */
static int map_zeros(char *low, size_t len)
{
    int rc = mfi_advise(low, len, MADV_POPULATE_READ);

    if (rc != -EINVAL)
        return rc;
    for (size_t at = 0; at < len; at += MFI_PAGE) /* before 5.14 */
        /* tidy: allow volatile, because the read itself is the purpose */
        (void)*(const volatile char *)(low + at);
    return 0;
}

static int uffd_protect(void *low, size_t len)
{
    struct uffdio_writeprotect wp = {
        .range = {.start = (uintptr_t)low, .len = len},
        .mode = UFFDIO_WRITEPROTECT_MODE_WP,
    };
    int rc = 0;

    if (!markers)
        rc = map_zeros(low, len);
    if (rc == 0)
        rc = (int)mfi_sys3(SYS_ioctl, uffd_fd, UFFDIO_WRITEPROTECT, &wp);
    return rc;
}

int mfi_guard_install(enum guard_tier tier, void *low, size_t len)
{
    int rc = -EAGAIN; /* "memory maps are changing: call again" */

    for (int tries = 0; tries < TRIES && rc == -EAGAIN; tries++) {
        switch (tier) {
        case GUARD_REGION:
            rc = mfi_advise(low, len, MADV_GUARD_INSTALL);
            break;
        case GUARD_UFFD:
            rc = uffd_protect(low, len);
            break;
        case GUARD_MPROTECT:
            rc = mfi_protect(low, len, PROT_NONE);
            break;
        }
    }
    return rc;
}

/* choice */

/* What the kernel says when it has to write at p. */
static int poke(char *p)
{
    return (int)mfi_sys2(SYS_clock_gettime, CLOCK_MONOTONIC, p);
}

static int probe_in(enum guard_tier tier, char *base, size_t page)
{
    char *guard = base + page;
    int rc = mfi_guard_slab(tier, base, MFI_GUARD_LEN + 2 * page);

    if (rc == 0)
        rc = mfi_guard_install(tier, guard, MFI_GUARD_LEN);
    if (rc < 0)
        return rc;
    if (poke(guard) != -EFAULT || poke(guard + MFI_GUARD_LEN - page) != -EFAULT)
        return -ENOTSUP;
    if (poke(base) != 0 || poke(guard + MFI_GUARD_LEN) != 0)
        return -ENOTSUP;
    return 0;
}

static int probe(enum guard_tier tier)
{
    size_t page = mfi_page_size();
    void *base;
    int rc = tier == GUARD_UFFD ? uffd_open() : 0;

    if (rc < 0)
        return rc;
    rc = mfi_map_pages(MFI_GUARD_LEN + 2 * page, &base);
    if (rc == 0) {
        rc = probe_in(tier, base, page);
        mfi_unmap(base, MFI_GUARD_LEN + 2 * page);
    }
    if (rc < 0)
        mfi_guard_done();
    return rc;
}

int mfi_guard_choose(const char *forced, enum guard_tier *ret_tier)
{
    int rc, why = forced == NULL ? -ENOTSUP : -EINVAL;

    for (int t = GUARD_REGION; t <= GUARD_MPROTECT; t++) {
        enum guard_tier tier = (enum guard_tier)t;

        if (forced != NULL && strcmp(forced, names[tier]) != 0)
            continue;
        if ((rc = probe(tier)) == 0) {
            *ret_tier = tier;
            return 0;
        }
        if (why != -ENOMEM) /* that would be no fault of the tier's */
            why = rc == -ENOMEM ? rc : -ENOTSUP;
    }
    return why;
}
