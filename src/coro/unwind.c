/* SPDX-License-Identifier: MIT */
/* unwind.c - the forced unwind and what stops it. */
#include "coro/unwind.h"

#include <unwind.h>

#include "base/assert.h"

_Static_assert(sizeof(struct _Unwind_Exception) <=
                   sizeof(((struct unwind *)0)->exception),
               "room for the unwinder's header");

static void swallowed(_Unwind_Reason_Code code, struct _Unwind_Exception *ex)
{
    (void)code, (void)ex;
    mfi_die("a catch (...) swallowed mf_exit or mf_panic: rethrow it");
}

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
                                _Unwind_Exception_Class class,
                                struct _Unwind_Exception *ex,
                                struct _Unwind_Context *context, void *arg)
{
    struct unwind *u = arg;

    (void)version, (void)class, (void)ex;
    if ((actions & _UA_END_OF_STACK) != 0 ||
        _Unwind_GetCFA(context) >= u->root) {
        u->landed(u->arg);
        mfi_broken("landed returned", __FILE__, __LINE__);
    }
    return _URC_NO_REASON;
}

_Noreturn void mfi_unwind(struct unwind *u)
{
    struct _Unwind_Exception *ex = (void *)u->exception;

    __builtin_memset(ex, 0, sizeof *ex);
    __builtin_memcpy(&ex->exception_class, "MAYFLY\0\0", 8);
    ex->exception_cleanup = swallowed;
    _Unwind_ForcedUnwind(ex, stop, u);
    /* It comes back only if it could not take a single step. */
    u->landed(u->arg);
    mfi_die("landed returned");
}
