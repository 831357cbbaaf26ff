/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - how many CPUs this process may use, and which.
 *
 * Two things limit it: the affinity mask, and the quota of a control group,
 * which is what a container's "2 CPUs" is. Threads beyond either only wait for
 * each other. Context: any thread; opens files, so not in a hot path.
 */
#ifndef MFI_OS_CPU_H
#define MFI_OS_CPU_H

/* The affinity mask's CPUs, limited by the quota; at least 1. Never fails. */
int mfi_cpu_allowed(void);

/*
 * The i-th CPU of the affinity mask, counted from 0, beginning again after the
 * last; -EINVAL: i < 0; -ENOMEM.
 */
int mfi_cpu_nth(int i);

/*
 * The quota of this process's control group and those above it, in CPUs,
 * rounded up; 0: none, or it cannot be told. `root` stands before every path,
 * "" for the real system: tests give a tree of their own.
 */
int mfi_cpu_quota(const char *root);

#endif
