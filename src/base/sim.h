/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the seams at which a simulated build leaves the real machine.
 *
 * With -DMFI_SIM=1, which no library that is installed is compiled with, the
 * simulator in tests/sim plays the CPUs, the kernel and the clock: every thread
 * is a coroutine of its own on one real thread, and a seed says who runs when.
 * It needs three things of the code:
 *
 *   points   before every atomic operation, and after those that write, another
 *            thread may be chosen to run: atomic.h
 *   calls    every system call is mfi_sim_syscall instead: os/syscall.h
 *   choices  where the scheduler has one, the seed may make it: below
 *
 * Otherwise all of this is nothing. docs/internals/simulation.md says the rest.
 */
#ifndef MFI_BASE_SIM_H
#define MFI_BASE_SIM_H

#ifndef MFI_SIM
# define MFI_SIM 0
#endif

#if MFI_SIM

# include <stdbool.h>
# include <stdint.h>

# ifndef MFI_SIM_NEAR
#  define MFI_SIM_NEAR \
   0 /* 1: compiled for sync and above, the tests included */
# endif

enum mfi_sim_kind { SIM_LOAD, SIM_WRITE };

extern int32_t mfi_sim_left;    /* of the price of the points till a choice */
extern int32_t mfi_sim_cost[4]; /* of a point, by nearness and kind */

/* A choice is due: perhaps somebody else runs now. */
void mfi_sim_choose(void);

/* Nothing is held and nothing is asked but that others run: a spin, a yield. */
void mfi_sim_relax(void);

/* Readied tasks go where every worker finds them, whoever readied them. */
bool mfi_sim_spread(void);

/* Which of n: 0 to n - 1. */
uint32_t mfi_sim_pick(uint32_t n);

long mfi_sim_syscall(long nr, long a, long b, long c, long d, long e, long f);

static inline void mfi_sim_point(enum mfi_sim_kind kind)
{
    mfi_sim_left -= mfi_sim_cost[2 * MFI_SIM_NEAR + (int)kind];
    if (__builtin_expect(mfi_sim_left <= 0, 0))
        mfi_sim_choose();
}

static inline void mfi_sim_after(const int *begun)
{
    (void)begun;
    mfi_sim_point(SIM_WRITE);
}

/* For atomic.h. What x is worth is known before the point after it is met. */
# define MFI_SIM_LOADS(x) (mfi_sim_point(SIM_LOAD), (x))
# define MFI_SIM_STORES(x) \
  (mfi_sim_point(SIM_WRITE), (x), mfi_sim_point(SIM_WRITE))
# define MFI_SIM_CHANGES(x)  MFI_SIM_NAMED(x, __COUNTER__)
# define MFI_SIM_NAMED(x, n) MFI_SIM_SCOPE(x, n)
/* clang-format off */
# define MFI_SIM_SCOPE(x, n)                                         \
  (__extension__({                                                   \
    __attribute__((__cleanup__(mfi_sim_after), __unused__)) int      \
        mfi_sim_##n##_ = 0;                                          \
    mfi_sim_point(SIM_WRITE);                                        \
    (x);                                                             \
  }))
/* clang-format on */

#else

# define MFI_SIM_LOADS(x)   x
# define MFI_SIM_STORES(x)  x
# define MFI_SIM_CHANGES(x) x
# define mfi_sim_relax()    ((void)0)
# define mfi_sim_spread()   false
# define mfi_sim_pick(n)    0u

#endif

#endif
