/* SPDX-License-Identifier: MIT */
/* explain.h - leave a sentence about a failure for mf_explain. */
#ifndef MFI_SCHED_EXPLAIN_H
#define MFI_SCHED_EXPLAIN_H

#include <mayfly/base.h>

enum { EXPLAIN_LEN = 120 };

struct explain { /* a slab record */
    int rc;
    char text[EXPLAIN_LEN];
};

/*
 * The caller's task (or thread) is about to fail with rc: this is why. Returns
 * rc. Without memory for the sentence the plain text of rc will do.
 */
int mfi_explain(int rc, const char *fmt, ...) MF_PRINTF(2, 3);

#endif
