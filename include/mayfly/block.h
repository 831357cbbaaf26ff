/* SPDX-License-Identifier: MIT */
/* block.h - run what would block a worker on a pool of threads of its own. */
#ifndef MF_BLOCK_H
#define MF_BLOCK_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

/*
 * fn(copy of data) on the offload pool. In time: the copy is written back to
 * data and fn's result returned. Not in time (-ETIMEDOUT, -ECANCELED): data is
 * untouched, fn ends on its copy, then drop(copy) runs there; if it was too
 * late on entry already, fn does not run and drop(copy) runs here.
 *
 *   fn, drop  run on a pool thread; they may call what a plain thread may.
 *             drop may be NULL
 *   data      len bytes, copied; may be NULL with len 0: fn gets NULL
 *
 * Returns fn's result, or -ETIMEDOUT, -ECANCELED, -ENOMEM, -EAGAIN (no thread
 * could be made), -EINVAL (fn is NULL, nothing runs).
 * Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_block(mf_fn *fn, void *data, size_t len, void (*drop)(void *data),
             mf_deadline deadline) MF_MUST_CHECK;

MF_DECLS_END_
#endif
