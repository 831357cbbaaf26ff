/* SPDX-License-Identifier: MIT */
/* map.h - memory from the kernel. Every call returns 0 or -errno. */
#ifndef MFI_OS_MAP_H
#define MFI_OS_MAP_H

#include <stddef.h>
#include <sys/mman.h>

#include "os/syscall.h"

#ifndef MADV_GUARD_INSTALL /* Linux 6.13, asm-generic/mman-common.h */
# define MADV_GUARD_INSTALL 102
# define MADV_GUARD_REMOVE  103
#endif

/* mmap(2) with an address of the kernel's choice. */
static inline int mfi_os_mmap(size_t len, int prot, int flags, int fd,
                              long offset, void **ret_base)
{
#if MFI_OS_TSAN
    int saved = errno, rc = 0;
    void *base = mmap(NULL, len, prot, flags, fd, offset);

    if (base == MAP_FAILED)
        rc = -errno;
    else
        *ret_base = base;
    errno = saved;
    return rc;
#else
    long rc = mfi_sys6(SYS_mmap, 0, MFI_L(len), prot, flags, fd, offset);

    if (rc < 0 && rc > -4096)
        return (int)rc;
    *ret_base = (void *)rc;
    return 0;
#endif
}

/* Private zeroed pages, lazily committed and never counted as promised. */
static inline int mfi_map_pages(size_t len, void **ret_base)
{
    return mfi_os_mmap(len, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
                       ret_base);
}

static inline int mfi_unmap(void *base, size_t len)
{
#if MFI_OS_TSAN
    int saved = errno, rc = munmap(base, len) < 0 ? -errno : 0;

    errno = saved;
    return rc;
#else
    return (int)mfi_sys2(SYS_munmap, base, len);
#endif
}

static inline int mfi_advise(void *base, size_t len, int advice)
{
    return (int)mfi_sys3(SYS_madvise, base, len, advice);
}

static inline int mfi_protect(void *base, size_t len, int prot)
{
    return (int)mfi_sys3(SYS_mprotect, base, len, prot);
}

static inline int mfi_munlock(void *base, size_t len)
{
    return (int)mfi_sys2(SYS_munlock, base, len);
}

enum { MFI_PAGE = 4096 }; /* the smallest; mfi_page_size() is the real one */
size_t mfi_page_size(void);

#endif
