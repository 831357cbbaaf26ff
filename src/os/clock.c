/* SPDX-License-Identifier: MIT */
/* clock.c - CLOCK_MONOTONIC through the vDSO, and points made from it. */
#include <time.h>

#include "base/time.h"

mf_ns mf_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (mf_ns)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

mf_deadline mf_after(mf_ns span)
{
    return span <= 0 ? MF_NOW : mfi_deadline_of(mfi_time_add(mf_now(), span));
}

mf_deadline mf_at(mf_ns now)
{
    return now <= 0 ? MF_NOW : mfi_deadline_of(now);
}
