/* SPDX-License-Identifier: MIT */
/*
 * guard.h - memory below a stack that cannot be written, in three tiers.
 *
 *              kernel  VMAs     a write by    a read by    cost of
 *                      a stack  user code     user code    one guard
 *   region     6.13    0        SIGSEGV       SIGSEGV      1 us
 *   uffd       5.11    0        SIGBUS        reads 0      2 us
 *   mprotect   any     2        SIGSEGV       SIGSEGV      3 us
 *
 * A write by the kernel gives -EFAULT in all three. An overflow always writes
 * first (a call stores its return address, a stack probe is a store), so a
 * guard that only stops writes is enough.
 *
 * vm.max_map_count (65 530 unless raised) ends mprotect at about 32 000 stacks,
 * with -ENOMEM; the other two have no limit.
 *
 * Threads: choose and done while nobody else is here; slab and install from
 * any thread at once, on different ranges.
 */
#ifndef MFI_MEM_GUARD_H
#define MFI_MEM_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* A frame with a 16 KiB buffer may step over one page, so a guard is many. */
enum { MFI_GUARD_LEN = 64 * 1024 };

enum guard_tier { GUARD_REGION, GUARD_UFFD, GUARD_MPROTECT };

/*
 * Find the best tier that works here, or try the one called `forced` (NULL:
 * any). Opens what the tier needs until mfi_guard_done. Returns 0; -EINVAL: no
 * tier has this name; -ENOTSUP: it does not work here; -ENOMEM: to try it.
 */
int mfi_guard_choose(const char *forced, enum guard_tier *ret_tier);
void mfi_guard_done(void);

/* "region", "uffd", "mprotect". */
const char *mfi_guard_name(enum guard_tier tier);

/* Make [base, base + len), just mapped, fit for guards. 0 or -errno. */
int mfi_guard_slab(enum guard_tier tier, void *base, size_t len);

/*
 * Make [low, low + len), whole pages of a prepared slab that nobody uses yet,
 * a guard. Returns 0; -ENOMEM: too many maps, or no memory; -EINVAL: somebody
 * has locked the slab since (mlockall): unlock it and try again.
 */
int mfi_guard_install(enum guard_tier tier, void *low, size_t len);

/*
 * For tests, set before choose: do without what Linux 6.4 brought to
 * userfaultfd, as 5.11 to 6.3 must.
 */
extern bool mfi_guard_without_markers;

#endif
