/* SPDX-License-Identifier: MIT */
/* help.h - what the tests of the scheduler share: running, waiting, chance. */
#ifndef MFI_TESTS_SCHED_HELP_H
#define MFI_TESTS_SCHED_HELP_H

#include <mayfly/run.h>
#include <mayfly/sync.h>
#include <mayfly/task.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/sim.h"
#include "test.h"

#define HELPER __attribute__((__unused__)) static inline

/* fn(arg) as the first task of n workers. Its result. */
HELPER int run_on(int n, mf_fn *fn, void *arg)
{
    return mf_run(fn, arg, MF_OPTIONS(.workers = n));
}

/* Let others run until cond; in a cancelled task too. */
#define WAIT_UNTIL(cond)          \
 do {                             \
  MF_SHIELD(MF_NEVER)             \
  while (!(cond))                 \
   EXPECT_EQ(mf_sleep(20000), 0); \
 } while (0)

/* Marsaglia 2003, "Xorshift RNGs". */
HELPER uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

/* Compute for about n loops: no clock, no call. */
HELPER void spin(uint32_t n)
{
#if MFI_SIM
    (void)n;
    mfi_sim_point(SIM_WRITE); /* where others run, as anywhere */
#else
    for (uint32_t i = 0; i < n; i++)
        __asm__ __volatile__("" ::: "memory");
#endif
}

/* Tasks that do one thing. */

HELPER int returns_arg(void *arg)
{
    return (int)(intptr_t)arg;
}

HELPER int sleeps_for_ever(void *arg)
{
    (void)arg;
    return mf_sleep_until(MF_NEVER);
}

/* Arguments that are a number, or a text or an object nobody will write to. */
#define NUMBER(n) ((void *)(intptr_t)(n))
#define CONST(p)  ((void *)(uintptr_t)(p))

#endif
