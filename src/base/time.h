/* SPDX-License-Identifier: MIT */
/* time.h - arithmetic on points and spans that cannot overflow. */
#ifndef MFI_BASE_TIME_H
#define MFI_BASE_TIME_H

#include <stdbool.h>

#include <mayfly/base.h>

#define MFI_FAR INT64_MAX /* later than every deadline: "never" as a number */

/* a + b, saturated; both >= 0. */
static inline mf_ns mfi_time_add(mf_ns a, mf_ns b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* A deadline as a number that compares: never is MFI_FAR. */
static inline mf_ns mfi_time_of(mf_deadline d)
{
    return d.at == 0 ? MFI_FAR : d.at;
}

static inline mf_deadline mfi_deadline_of(mf_ns at)
{
    return (mf_deadline){at == MFI_FAR ? 0 : at};
}

/* A deadline that needs no clock to know it has passed: "try once". */
static inline bool mfi_is_try(mf_deadline d)
{
    return d.at != 0 && d.at <= 1;
}

#endif
