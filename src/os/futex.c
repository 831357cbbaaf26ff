/* SPDX-License-Identifier: MIT */
/* futex.c - FUTEX_WAIT_BITSET: the one wait that takes an absolute time. */
#include "os/futex.h"

#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "os/syscall.h"

static int wait_until(_Atomic uint32_t *word, uint32_t expect, mf_ns at)
{
    struct timespec ts = {.tv_sec = at / 1000000000,
                          .tv_nsec = at % 1000000000};

    return (int)mfi_sys6(SYS_futex, MFI_L(word),
                         FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, MFI_L(expect),
                         at == MFI_FAR ? 0 : MFI_L(&ts), 0,
                         MFI_L(FUTEX_BITSET_MATCH_ANY));
}

#if MFI_OS_TSAN
/*
 * The sanitizer keeps a signal back until its thread comes by one of the calls
 * it intercepts; this one it does not know. So come by now and then.
 */
int mfi_futex_wait(_Atomic uint32_t *word, uint32_t expect, mf_ns at)
{
    for (;;) {
        mf_ns slice = mf_now() + MF_MSEC(100);
        int rc = wait_until(word, expect, at < slice ? at : slice);

        usleep(0);
        if (rc != -ETIMEDOUT || at <= slice)
            return rc;
    }
}
#else
int mfi_futex_wait(_Atomic uint32_t *word, uint32_t expect, mf_ns at)
{
    return wait_until(word, expect, at);
}
#endif

void mfi_futex_wake(_Atomic uint32_t *word, int n)
{
    mfi_sys3(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n);
}
