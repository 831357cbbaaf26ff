/* SPDX-License-Identifier: MIT */
/*
 * local.h - coroutine-local values: one per task and key, O(1).
 *
 *     static mf_local request = MF_LOCAL_INIT(.drop = request_free);
 *
 * A plain thread has values of its own, too, dropped when it ends (not by the
 * return of main, nor by exit). A function given to mf_block begins without any
 * and leaves none behind. A generator has those of who asks it.
 */
#ifndef MF_LOCAL_H
#define MF_LOCAL_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

typedef struct mf_local {
    void *(*make)(void)MF_0_; /* the value at the first get; NULL: none */
    void (*drop)(void *value) MF_0_; /* at the task's end; may be NULL */
    /*
     * Inheritance, by choice: at each spawn (mf_go_when is one), in the parent,
     * for each value it has: the child's value. NULL (the pointer): the key is
     * not inherited; NULL (returned): this child gets none. What was copied is
     * dropped whatever becomes of the child.
     */
    void *(*copy)(void *parents)MF_0_;
    uint64_t mfi_[2] MF_0_;
} mf_local; /* of static storage: it is never given back */

#ifdef __cplusplus
#define MF_LOCAL_INIT(...)                                                     \
    {                                                                          \
        __VA_ARGS__                                                            \
    }
#else
#define MF_LOCAL_INIT(...)                                                     \
    {                                                                          \
        .mfi_ = {0, 0}, __VA_ARGS__                                            \
    }
#endif

/*
 * This task's (or thread's) value. Returns 1: *ret_value is it; 0: it has none,
 * and make is NULL or gave NULL; -ENOMEM; -EINVAL; -EAGAIN: over 1024 keys.
 * Context: any. Suspends: no (make may).
 */
int mf_local_get(mf_local *key, void **ret_value);

/*
 * Set it; the old value is dropped (but not if it is the same), NULL means
 * none. 0, -ENOMEM, -EINVAL, -EAGAIN. The values are dropped when the task
 * ends, after its defers and before a join returns, shielded from cancel,
 * latest first; a drop may set others, which are dropped too (four rounds, then
 * they are left).
 */
int mf_local_set(mf_local *key, void *value);

MF_DECLS_END_
#endif
